/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>

#include "ds/heap.h"
#include "ds/memory.h"

static void put(struct heap *heap, size_t i, struct heap_node *node)
{
	heap->nodes[i] = node;
	node->place = i + 1;
}

/* Move the node up from hole i until its parent is not later. */
static void rise(struct heap *heap, size_t i, struct heap_node *node)
{
	while (i > 0 && heap->nodes[(i - 1) / 2]->at > node->at) {
		put(heap, i, heap->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(heap, i, node);
}

/* Move the node down from hole i until no child is earlier. */
static void sink(struct heap *heap, size_t i, struct heap_node *node)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n && heap->nodes[child + 1]->at < heap->nodes[child]->at)
			child++;
		if (heap->nodes[child]->at >= node->at)
			break;
		put(heap, i, heap->nodes[child]);
		i = child;
	}
	put(heap, i, node);
}

void heap_deinit(struct heap *heap)
{
	free(heap->nodes);
	*heap = HEAP_INIT;
}

void heap_add(struct heap *heap, struct heap_node *node, int64_t at)
{
	assert(!heap_linked(node));
	must_grow(&heap->nodes, &heap->room, heap->n + 1, sizeof *heap->nodes);
	node->at = at;
	rise(heap, heap->n++, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;
	size_t i;

	if (!heap_linked(node))
		return;
	i = node->place - 1;
	assert(i < heap->n && heap->nodes[i] == node);
	node->place = 0;
	last = heap->nodes[--heap->n];
	if (last == node)
		return;
	if (i > 0 && heap->nodes[(i - 1) / 2]->at > last->at)
		rise(heap, i, last);
	else
		sink(heap, i, last);
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->n ? heap->nodes[0] : NULL;
}
