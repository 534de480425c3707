/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/format.h - what a spill file holds, byte by byte.  Pure.
 *
 *   file     = head (4 KiB), objects
 *   object   = index, data;  at an offset that only its place knows
 *     aligned: every index block is 4 KiB, index and data begin at multiples of that,
 *              so that the disk writes and reads the object's memory itself
 *     packed:  an object of one chunk: a short index block and the chunk, at any
 *              multiple of 64
 *   index    = blocks of up to 250 entries, one entry for each 64 KiB of the object
 *   entry    = checksum of the chunk as it is stored, its length, its offset
 *
 * Each index block says which store, which object and which block of it this is, and
 * has a checksum of its own.  So the place suffices to find the block for any byte,
 * one block (15.6 MiB of the object) is all of the index that a range needs, and bytes
 * of another object, or of a former one, are never taken for it.  Where chunks are not
 * compressed their place follows from the object's size: index and data are read
 * together.
 *
 * Numbers are in the machine's order: spill files do not travel.
 */
#ifndef SPILL_FORMAT_H
#define SPILL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/id.h"
#include "util/place.h"

#define FORMAT_BLOCK       4096 /* of index and file head; what O_DIRECT may have to be aligned to */
#define FORMAT_CHUNK       UINT32_C(65536)
#define FORMAT_ENTRIES     250
#define FORMAT_PACKED_STEP 64
#define FORMAT_VERSION     1

/* ---- the head of a file ---- */

struct format_head {
	char magic[16];
	uint64_t checksum; /* of all of it, with 0 here */
	struct id128 store;
	uint32_t version, number;
	uint8_t zero[FORMAT_BLOCK - 48];
};

void format_head_make(struct format_head *head, const struct id128 *store, uint32_t number);
/* Return: 0 or -EBADMSG. */
int format_head_check(
	const struct format_head *head, const struct id128 *store, uint32_t number);

/* ---- the index of an object ---- */

struct format_entry {
	uint64_t checksum; /* 0 where the index has FORMAT_UNCHECKED */
	uint32_t offset;   /* from that of the block's first chunk */
	uint32_t length;   /* as stored; shorter than the chunk: compressed */
};

/* Besides those of enum disk_place_flag (without FUSED) in format_index.flags. */
#define FORMAT_UNCHECKED 0x100

struct format_index {
	char magic[4];
	uint16_t version, flags;
	uint64_t checksum; /* of the used part of the block, with 0 here */
	struct id128 store, object;
	uint64_t size;   /* of the object */
	uint64_t offset; /* of this block's first chunk, from the beginning of the data */
	uint32_t number, n_entries;
	uint8_t zero[24];
	struct format_entry entries[FORMAT_ENTRIES];
};

#define FORMAT_INDEX_HEAD offsetof(struct format_index, entries)

_Static_assert(sizeof(struct format_head) == FORMAT_BLOCK, "a block");
_Static_assert(sizeof(struct format_index) == FORMAT_BLOCK, "a block");

/* Where the parts of an object are. */
struct format_shape {
	uint64_t size, n_chunks;
	uint64_t data; /* offset of the data, from the place's */
	uint32_t n_blocks;
	bool packed, compressed;
};

/* format_shape() - of an object of this size that is stored with these flags
 * Return: 0 or -EBADMSG: no object is stored so. */
int format_shape(struct format_shape *shape, uint64_t size, uint16_t flags);
/* The longest that the object can be on disk; without compression its length. */
uint64_t format_stored(const struct format_shape *shape);
/* Can this place be of an object of this size?  Return: 0 or -EBADMSG. */
int format_place_check(const struct disk_place *place, uint64_t size);

/* Bytes of the object in a chunk, entries in a block, bytes of a block that are used. */
uint32_t format_chunk_length(const struct format_shape *shape, uint64_t chunk);
uint32_t format_block_entries(const struct format_shape *shape, uint32_t block);
size_t format_block_bytes(const struct format_shape *shape, uint32_t block);

/* What an index block must say. */
struct format_expected {
	struct format_shape shape;
	struct id128 store, object;
	uint64_t stored; /* of the place */
};

/* Make a block: begin, add each chunk in turn, end.
 * @flags: FORMAT_UNCHECKED or 0
 * @offset: where the block's first chunk is, from the beginning of the data */
void format_index_begin(struct format_index *index, const struct format_expected *expected,
	uint32_t number, uint64_t offset, uint16_t flags);
void format_index_add(struct format_index *index, uint64_t checksum, uint32_t length);
void format_index_end(struct format_index *index);
/* The block's own checksum. */
uint64_t format_index_checksum(const struct format_index *index, size_t n_bytes);

/* format_index_check() - is it that block of that object, whole, and does it make sense?
 * @index: format_block_bytes() of memory are read
 * After success each entry's chunk lies in the place, and is no longer than the chunk.
 * Return: 0 or -EBADMSG. */
int format_index_check(const struct format_index *index, const struct format_expected *expected,
	uint32_t number);
/* Does the chunk, as stored, have its entry's checksum?  Return: 0 or -EBADMSG. */
int format_chunk_check(const struct format_index *index, uint32_t entry, const void *stored);

#endif
