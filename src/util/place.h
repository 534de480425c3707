/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * util/place.h - where an object's copy lies on disk
 *
 * Plain integers, so that it can be kept in a table that outlives its writer.
 * Who keeps one knows two things of it: whether there is a copy, and how many
 * bytes of disk it takes.  The rest is src/spill's, which needs nothing but the
 * place and the object's id and size to read the object.
 */
#ifndef UTIL_PLACE_H
#define UTIL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct disk_place {
	uint64_t offset; /* in the file, of the object's index */
	uint64_t stored; /* bytes of disk, index and padding included; 0: no copy */
	uint32_t file;
	uint16_t directory; /* in the order of the configuration */
	uint16_t flags;     /* enum disk_place_flag */
};

enum disk_place_flag {
	DISK_PLACE_FUSED = 1,      /* shares its file with other objects */
	DISK_PLACE_PACKED = 2,     /* one chunk right behind its index, neither aligned */
	DISK_PLACE_COMPRESSED = 4, /* chunks are of different lengths */
};

#define DISK_PLACE_NONE ((struct disk_place){ .stored = 0 })

static inline bool disk_place_is_none(const struct disk_place *place)
{
	return place->stored == 0;
}

_Static_assert(sizeof(struct disk_place) == 24, "it is kept in tables");

#endif
