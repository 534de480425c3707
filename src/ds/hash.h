/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An intrusive hash map with chaining.  The caller hashes (with a keyed hash
 * where a client chooses the keys) and compares; nodes with one hash are
 * visited in order of addition.
 *
 * The map grows without a stall: a bigger bucket array is filled a few buckets
 * at each addition while the old one is still used for the rest.
 * Not thread-safe.
 */
#ifndef DS_HASH_H
#define DS_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_map {
	struct hash_node **buckets; /* mask + 1 of them; NULL while empty */
	struct hash_node **old;     /* the array that is being left; NULL: none */
	size_t mask, old_mask;
	size_t moved;               /* old buckets below this one are empty */
	size_t n;
};

#define HASH_MAP_INIT ((struct hash_map){ .buckets = NULL })

void hash_map_deinit(struct hash_map *map); /* the nodes are their owners' */
void hash_map_add(struct hash_map *map, struct hash_node *node, uint64_t hash);
/* The node must be in the map. */
void hash_map_remove(struct hash_map *map, struct hash_node *node);
/* The first node with this hash, or NULL; then the next one. */
struct hash_node *hash_map_find(const struct hash_map *map, uint64_t hash);
struct hash_node *hash_map_next(const struct hash_node *node);

/* As in ds/index-map.h. */
void hash_map_prefetch(const struct hash_map *map, uint64_t hash);
void hash_map_prefetch_first(const struct hash_map *map, uint64_t hash);

#define hash_map_for_each(node, map, key_hash) \
	for ((node) = hash_map_find((map), (key_hash)); (node); (node) = hash_map_next(node))

/* A good hash of a number that no client chooses (murmur3's finalizer). */
static inline uint64_t hash_number(uint64_t x)
{
	x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ (x >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ (x >> 33);
}

#endif
