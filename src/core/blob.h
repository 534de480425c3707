/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/blob.h - variable-sized bytes in the tables: metadata
 *
 * The area is cut into pages of 64 KiB, a page into chunks of one power of two
 * from 64 bytes.  Which chunks are used is not recorded in the tables: the
 * object records say so (blob_claim() on recovery).
 *
 * The bytes of a blob are written before a record names it, so they need no
 * journal.  A freed chunk is used again only after blob_settle(): until the
 * event is committed and its effects are taken, a record that is rolled back or
 * a reply that borrows may still need the bytes.
 */
#ifndef CORE_BLOB_H
#define CORE_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct tables;

#define BLOB_NONE 0 /* blobs are numbered from 1: place in units of 64 bytes, plus 1 */

struct blob_heap {
	uint8_t *area;
	uint32_t n_pages;   /* that the area has */
	uint32_t high;      /* pages from here on were never used */
	struct blob_page *pages;
	uint32_t free_page; /* list of empty pages below high; TABLES_NONE ends */
	uint32_t partial[11]; /* per class: list of pages with a free chunk */
	uint32_t *settling; /* freed, not yet usable */
	size_t n_settling, settling_room;
};

/* What the tables reserve (sparse) for this many objects. */
uint64_t blob_area_bytes(uint64_t max_objects);
void blob_heap_init(struct blob_heap *heap, uint8_t *area, uint64_t area_bytes);
void blob_heap_deinit(struct blob_heap *heap);

/* What metadata of this size is charged: the chunk that holds it (0 for none). */
uint64_t blob_charge(uint32_t size);
/* A blob for size bytes (> 0), or BLOB_NONE: no room. */
uint32_t blob_alloc(struct blob_heap *heap, uint32_t size);
void blob_free(struct blob_heap *heap, uint32_t blob, uint32_t size);
void blob_settle(struct blob_heap *heap);
void *blob_bytes(const struct blob_heap *heap, uint32_t blob);
/* Recovery: a record names this blob.  Return: 0, -EUCLEAN (impossible place, or taken twice).
 * blob_claimed() after the last. */
int blob_claim(struct blob_heap *heap, uint32_t blob, uint32_t size);
void blob_claimed(struct blob_heap *heap);

#endif
