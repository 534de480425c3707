/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A binary heap of deadlines, earliest first.  Intrusive: a node knows its
 * place, so that removing any of them costs O(log n).  Not thread-safe.
 */
#ifndef DS_HEAP_H
#define DS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t at;
	size_t place; /* index + 1; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t n, room;
};

#define HEAP_INIT ((struct heap){ .nodes = NULL })

void heap_deinit(struct heap *heap); /* the nodes are their owners' */
void heap_add(struct heap *heap, struct heap_node *node, int64_t at);
/* Does nothing when the node is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The earliest node, or NULL. */
struct heap_node *heap_first(const struct heap *heap);

static inline bool heap_linked(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
