/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store in a directory of its own, and objects in memfds, for the tests of the spill layer. */
#ifndef TESTS_SPILL_WORLD_H
#define TESTS_SPILL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "spill/spill.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)

struct world {
	char paths[2][64]; /* of the directories of the configuration */
	struct spill_directory directories[2];
	struct spill_options options; /* to be changed before world_open() */
	struct spill *spill;
};

struct object {
	struct id128 id;
	uint64_t size;
	unsigned int seed;
	struct disk_place place;
};

/* @where: "/tmp", "/dev/shm" */
void world_init(struct world *world, const char *where);
void world_open(struct world *world);
void world_close(struct world *world, bool keep);
/* Closes the store, and removes the directories; nothing but the test's own may be in them. */
void world_deinit(struct world *world);

struct object make_object(uint64_t size, unsigned int seed);
/* A sealed memfd with the object's bytes at offset: noise for odd seeds, numbers that compress for
 * even ones. */
int object_memfd(const struct object *object, uint64_t offset);

/* Submit, and wait for it. */
struct spill_job world_do(struct world *world, const struct spill_job *job);
struct spill_job world_write(struct world *world, struct object *object);
struct spill_job world_move(struct world *world, struct object *object);
/* Into a memfd at target_offset, and compare: the range must be there after success, and bytes
 * before and behind it must be as they were, always. */
struct spill_job world_read(struct world *world, const struct object *object, uint64_t offset,
	uint64_t length, uint64_t target_offset);
struct spill_job world_read_whole(struct world *world, const struct object *object);

/* The path of the file of a place. */
void place_path(const struct world *world, const struct disk_place *place, char path[256]);
/* Files in the store's own directories; with this ending. */
unsigned int count_files(const struct world *world, const char *ending);
void flip_byte(const char *path, uint64_t offset);

#endif
