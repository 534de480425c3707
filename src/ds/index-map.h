/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash map of elements of one array, chained by index: 12 bytes an element,
 * where ds/hash.h costs 24.  For what exists by the million.
 *
 * The caller hashes (with a keyed hash where a client chooses the keys) and
 * compares; of a hash the low 32 bits count.  Grows without a stall, as ds/hash.h
 * does.  Not thread-safe.
 */
#ifndef DS_INDEX_MAP_H
#define DS_INDEX_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "ds/index-list.h"

struct index_node {
	uint32_t next, hash;
};

/* The node of each element of an array. */
struct index_nodes {
	char *nodes;
	size_t stride;
};

#define INDEX_NODES(array, member) \
	((struct index_nodes){ (char *)&(array)->member, sizeof *(array) })

struct index_map {
	uint32_t *buckets; /* mask + 1 of them: the first element of a chain, plus 1; NULL while empty */
	uint32_t *old;     /* the array that is being left; NULL: none */
	size_t mask, old_mask;
	size_t moved;      /* old buckets below this one are empty */
	size_t n;
};

static inline struct index_node *index_node(struct index_nodes nodes, uint32_t i)
{
	return (struct index_node *)(nodes.nodes + i * nodes.stride);
}

void index_map_deinit(struct index_map *map);
void index_map_add(struct index_map *map, struct index_nodes nodes, uint32_t i, uint64_t hash);
/* The element must be in the map. */
void index_map_remove(struct index_map *map, struct index_nodes nodes, uint32_t i);
/* The first element with this hash, or INDEX_NONE; then the next one. */
uint32_t index_map_find(const struct index_map *map, struct index_nodes nodes, uint64_t hash);
uint32_t index_map_next(struct index_nodes nodes, uint32_t i);

/* Who will look for many asks for all of their buckets first, then for all their first elements,
 * and looks then: so the cache waits for them together.  The second returns that element. */
void index_map_prefetch(const struct index_map *map, uint64_t hash);
uint32_t index_map_prefetch_first(const struct index_map *map, struct index_nodes nodes,
	uint64_t hash);

#define index_map_for_each(i, map, nodes, key_hash)              \
	for ((i) = index_map_find((map), (nodes), (key_hash)); (i) != INDEX_NONE; \
		(i) = index_map_next((nodes), (i)))

#endif
