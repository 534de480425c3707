/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>

#include "ds/hash.h"
#include "ds/memory.h"

#define BUCKETS_MIN   64
#define MOVE_PER_ADD  4 /* more than 1, so that the move ends before the next growth */

/* The one bucket in which nodes of this hash are. */
static struct hash_node **bucket(const struct hash_map *map, uint64_t hash)
{
	if (map->old && (hash & map->old_mask) >= map->moved)
		return &map->old[hash & map->old_mask];
	return &map->buckets[hash & map->mask];
}

static void append(struct hash_node **link, struct hash_node *node)
{
	while (*link)
		link = &(*link)->next;
	node->next = NULL;
	*link = node;
}

static void move_some(struct hash_map *map)
{
	for (int i = 0; i < MOVE_PER_ADD && map->old; i++) {
		struct hash_node *node = map->old[map->moved++];

		while (node) {
			struct hash_node *next = node->next;

			append(&map->buckets[node->hash & map->mask], node);
			node = next;
		}
		if (map->moved > map->old_mask) {
			free(map->old);
			map->old = NULL;
		}
	}
}

static void grow(struct hash_map *map)
{
	size_t n = map->buckets ? 2 * (map->mask + 1) : BUCKETS_MIN;

	assert(!map->old);
	map->old = map->buckets;
	map->old_mask = map->mask;
	map->moved = 0;
	map->buckets = must_alloc(n, sizeof *map->buckets);
	map->mask = n - 1;
}

void hash_map_deinit(struct hash_map *map)
{
	free(map->buckets);
	free(map->old);
	*map = HASH_MAP_INIT;
}

void hash_map_add(struct hash_map *map, struct hash_node *node, uint64_t hash)
{
	if (map->old)
		move_some(map);
	else if (!map->buckets || map->n > map->mask)
		grow(map);
	node->hash = hash;
	append(bucket(map, hash), node);
	map->n++;
}

void hash_map_remove(struct hash_map *map, struct hash_node *node)
{
	struct hash_node **link = bucket(map, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	map->n--;
}

struct hash_node *hash_map_find(const struct hash_map *map, uint64_t hash)
{
	struct hash_node *node;

	if (map->n == 0)
		return NULL;
	for (node = *bucket(map, hash); node; node = node->next)
		if (node->hash == hash)
			return node;
	return NULL;
}

struct hash_node *hash_map_next(const struct hash_node *node)
{
	struct hash_node *next;

	for (next = node->next; next; next = next->next)
		if (next->hash == node->hash)
			return next;
	return NULL;
}

void hash_map_prefetch(const struct hash_map *map, uint64_t hash)
{
	if (map->n > 0)
		__builtin_prefetch(bucket(map, hash));
}

void hash_map_prefetch_first(const struct hash_map *map, uint64_t hash)
{
	const struct hash_node *node = map->n > 0 ? *bucket(map, hash) : NULL;

	if (node)
		__builtin_prefetch(node);
}
