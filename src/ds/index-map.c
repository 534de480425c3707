/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>

#include "ds/index-map.h"
#include "ds/memory.h"

#define BUCKETS_MIN  64
#define MOVE_PER_ADD 4 /* more than 1, so that the move ends before the next growth */

/* The one bucket in which elements of this hash are. */
static uint32_t *bucket(const struct index_map *map, uint32_t hash)
{
	if (map->old && (hash & map->old_mask) >= map->moved)
		return &map->old[hash & map->old_mask];
	return &map->buckets[hash & map->mask];
}

static uint32_t chain_first(const uint32_t *head)
{
	return *head ? *head - 1 : INDEX_NONE;
}

static void push(struct index_nodes nodes, uint32_t *head, uint32_t i)
{
	index_node(nodes, i)->next = chain_first(head);
	*head = i + 1;
}

static void move_some(struct index_map *map, struct index_nodes nodes)
{
	for (int n = 0; n < MOVE_PER_ADD && map->old; n++) {
		uint32_t i = chain_first(&map->old[map->moved++]);

		while (i != INDEX_NONE) {
			const uint32_t next = index_node(nodes, i)->next;

			push(nodes, &map->buckets[index_node(nodes, i)->hash & map->mask], i);
			i = next;
		}
		if (map->moved > map->old_mask) {
			free(map->old);
			map->old = NULL;
		}
	}
}

static void grow(struct index_map *map)
{
	const size_t n = map->buckets ? 2 * (map->mask + 1) : BUCKETS_MIN;

	assert(!map->old);
	map->old = map->buckets;
	map->old_mask = map->mask;
	map->moved = 0;
	map->buckets = must_alloc(n, sizeof *map->buckets);
	map->mask = n - 1;
}

void index_map_deinit(struct index_map *map)
{
	free(map->buckets);
	free(map->old);
	*map = (struct index_map){ .buckets = NULL };
}

void index_map_add(struct index_map *map, struct index_nodes nodes, uint32_t i, uint64_t hash)
{
	if (map->old)
		move_some(map, nodes);
	else if (!map->buckets || (map->n > map->mask && map->mask < UINT32_MAX))
		grow(map);
	index_node(nodes, i)->hash = (uint32_t)hash;
	push(nodes, bucket(map, (uint32_t)hash), i);
	map->n++;
}

void index_map_remove(struct index_map *map, struct index_nodes nodes, uint32_t i)
{
	uint32_t *head = bucket(map, index_node(nodes, i)->hash);
	const uint32_t next = index_node(nodes, i)->next;

	if (*head == i + 1) {
		*head = next + 1; /* INDEX_NONE + 1 is 0: empty */
	} else {
		uint32_t before = *head - 1;

		while (index_node(nodes, before)->next != i)
			before = index_node(nodes, before)->next;
		index_node(nodes, before)->next = next;
	}
	map->n--;
}

/* The first of these and those behind it in its chain that has this hash. */
static uint32_t with_hash(struct index_nodes nodes, uint32_t i, uint32_t hash)
{
	while (i != INDEX_NONE && index_node(nodes, i)->hash != hash)
		i = index_node(nodes, i)->next;
	return i;
}

uint32_t index_map_find(const struct index_map *map, struct index_nodes nodes, uint64_t hash)
{
	if (map->n == 0)
		return INDEX_NONE;
	return with_hash(nodes, chain_first(bucket(map, (uint32_t)hash)), (uint32_t)hash);
}

uint32_t index_map_next(struct index_nodes nodes, uint32_t i)
{
	return with_hash(nodes, index_node(nodes, i)->next, index_node(nodes, i)->hash);
}

void index_map_prefetch(const struct index_map *map, uint64_t hash)
{
	if (map->n > 0)
		__builtin_prefetch(bucket(map, (uint32_t)hash));
}

uint32_t index_map_prefetch_first(const struct index_map *map, struct index_nodes nodes,
	uint64_t hash)
{
	const uint32_t i = map->n > 0 ? chain_first(bucket(map, (uint32_t)hash)) : INDEX_NONE;

	if (i != INDEX_NONE)
		__builtin_prefetch(index_node(nodes, i));
	return i;
}
