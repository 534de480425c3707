/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/blob.h"
#include "core/tables.h"
#include "ds/memory.h"
#include "util/cleanup.h"

#define UNIT_SHIFT 6  /* 64 bytes: the smallest class */
#define PAGE_SHIFT 16 /* 64 KiB: the largest class, WIRE_METADATA_MAX */
#define N_CLASSES  (PAGE_SHIFT - UNIT_SHIFT + 1)
#define NO_CLASS   0xff

struct blob_page {
	uint32_t next, previous; /* in its class's list of partial pages, or next free page */
	uint16_t n_used, n_chunks;
	uint16_t hint;           /* no word of the bitmap below this one has a free chunk */
	uint8_t class;
	uint64_t *used;          /* bitmap */
};

static unsigned int class_of(uint32_t size)
{
	unsigned int class = 0;

	while (UINT32_C(1) << (UNIT_SHIFT + class) < size)
		class++;
	return class;
}

uint64_t blob_charge(uint32_t size)
{
	return size ? UINT64_C(1) << (UNIT_SHIFT + class_of(size)) : 0;
}

uint64_t blob_area_bytes(uint64_t max_objects)
{
	/* A KiB an object, and at least a thousand of the largest. */
	return MIN(MAX(max_objects << 10, UINT64_C(1) << 26), UINT64_C(1) << 37);
}

void blob_heap_init(struct blob_heap *heap, uint8_t *area, uint64_t area_bytes)
{
	*heap = (struct blob_heap){
		.area = area,
		.n_pages = area_bytes >> PAGE_SHIFT,
		.free_page = TABLES_NONE,
	};
	heap->pages = must_alloc(heap->n_pages, sizeof *heap->pages);
	for (size_t i = 0; i < N_CLASSES; i++)
		heap->partial[i] = TABLES_NONE;
	static_assert(ARRAY_SIZE(heap->partial) == N_CLASSES, "a list per class");
}

void blob_heap_deinit(struct blob_heap *heap)
{
	for (uint32_t i = 0; i < heap->high; i++)
		free(heap->pages[i].used);
	free(heap->pages);
	free(heap->settling);
}

/* ---- pages ---- */

static void partial_add(struct blob_heap *heap, uint32_t p)
{
	struct blob_page *page = &heap->pages[p];
	uint32_t *head = &heap->partial[page->class];

	page->next = *head;
	page->previous = TABLES_NONE;
	if (*head != TABLES_NONE)
		heap->pages[*head].previous = p;
	*head = p;
}

static void partial_remove(struct blob_heap *heap, uint32_t p)
{
	struct blob_page *page = &heap->pages[p];

	if (page->previous == TABLES_NONE)
		heap->partial[page->class] = page->next;
	else
		heap->pages[page->previous].next = page->next;
	if (page->next != TABLES_NONE)
		heap->pages[page->next].previous = page->previous;
}

/* Cut an empty page into chunks of this class. */
static void page_cut(struct blob_page *page, unsigned int class)
{
	page->class = class;
	page->n_chunks = 1 << (PAGE_SHIFT - UNIT_SHIFT - class);
	page->n_used = 0;
	page->hint = 0;
	page->used = must_alloc((page->n_chunks + 63) / 64, sizeof *page->used);
}

static void page_empty(struct blob_page *page)
{
	free(page->used);
	page->used = NULL;
	page->class = NO_CLASS;
}

static uint32_t page_take(struct blob_heap *heap, unsigned int class)
{
	uint32_t p = heap->free_page;

	if (p != TABLES_NONE)
		heap->free_page = heap->pages[p].next;
	else if (heap->high < heap->n_pages)
		p = heap->high++;
	else
		return TABLES_NONE;
	page_cut(&heap->pages[p], class);
	partial_add(heap, p);
	return p;
}

static uint32_t page_take_chunk(struct blob_page *page)
{
	uint32_t word = page->hint, chunk;

	while (page->used[word] == UINT64_MAX)
		word++;
	page->hint = word;
	chunk = word * 64 + __builtin_ctzll(~page->used[word]);
	assert(chunk < page->n_chunks);
	page->used[word] |= UINT64_C(1) << (chunk % 64);
	page->n_used++;
	return chunk;
}

/* ---- blobs ---- */

static uint32_t blob_number(uint32_t page, uint32_t chunk, unsigned int class)
{
	return (page << (PAGE_SHIFT - UNIT_SHIFT)) + (chunk << class) + 1;
}

static uint32_t blob_page(uint32_t blob)
{
	return (blob - 1) >> (PAGE_SHIFT - UNIT_SHIFT);
}

static uint32_t blob_chunk(uint32_t blob, unsigned int class)
{
	return ((blob - 1) & ((1 << (PAGE_SHIFT - UNIT_SHIFT)) - 1)) >> class;
}

uint32_t blob_alloc(struct blob_heap *heap, uint32_t size)
{
	const unsigned int class = class_of(size);
	uint32_t p = heap->partial[class], chunk;

	assert(size > 0 && size <= WIRE_METADATA_MAX);
	if (p == TABLES_NONE)
		p = page_take(heap, class);
	if (p == TABLES_NONE)
		return BLOB_NONE;
	chunk = page_take_chunk(&heap->pages[p]);
	if (heap->pages[p].n_used == heap->pages[p].n_chunks)
		partial_remove(heap, p);
	return blob_number(p, chunk, class);
}

void blob_free(struct blob_heap *heap, uint32_t blob, uint32_t size)
{
	if (blob == BLOB_NONE)
		return;
	assert(heap->pages[blob_page(blob)].class == class_of(size));
	must_grow(&heap->settling, &heap->settling_room, heap->n_settling + 1,
		sizeof *heap->settling);
	heap->settling[heap->n_settling++] = blob;
}

void blob_settle(struct blob_heap *heap)
{
	for (size_t i = 0; i < heap->n_settling; i++) {
		const uint32_t p = blob_page(heap->settling[i]);
		struct blob_page *page = &heap->pages[p];
		const uint32_t chunk = blob_chunk(heap->settling[i], page->class);

		assert(page->used[chunk / 64] & UINT64_C(1) << (chunk % 64));
		page->used[chunk / 64] &= ~(UINT64_C(1) << (chunk % 64));
		page->hint = MIN(page->hint, chunk / 64);
		if (page->n_used == page->n_chunks)
			partial_add(heap, p);
		if (--page->n_used == 0) {
			partial_remove(heap, p);
			page_empty(page);
			page->next = heap->free_page;
			heap->free_page = p;
		}
	}
	heap->n_settling = 0;
}

void *blob_bytes(const struct blob_heap *heap, uint32_t blob)
{
	return blob == BLOB_NONE ? NULL : heap->area + ((uint64_t)(blob - 1) << UNIT_SHIFT);
}

/* ---- recovery ---- */

int blob_claim(struct blob_heap *heap, uint32_t blob, uint32_t size)
{
	const unsigned int class = class_of(size);
	const uint32_t p = blob_page(blob), chunk = blob_chunk(blob, class);
	struct blob_page *page;

	if (p >= heap->n_pages || size > WIRE_METADATA_MAX || blob_number(p, chunk, class) != blob)
		return -EUCLEAN;
	while (heap->high <= p)
		heap->pages[heap->high++].class = NO_CLASS;
	page = &heap->pages[p];
	if (!page->used)
		page_cut(page, class);
	if (page->class != class || page->used[chunk / 64] & UINT64_C(1) << (chunk % 64))
		return -EUCLEAN;
	page->used[chunk / 64] |= UINT64_C(1) << (chunk % 64);
	page->n_used++;
	return 0;
}

void blob_claimed(struct blob_heap *heap)
{
	for (uint32_t p = 0; p < heap->high; p++) {
		struct blob_page *page = &heap->pages[p];

		if (!page->used) {
			page->next = heap->free_page;
			heap->free_page = p;
		} else if (page->n_used < page->n_chunks) {
			partial_add(heap, p);
		}
	}
}
