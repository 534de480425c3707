/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "core/arena.h"
#include "ds/memory.h"
#include "util/cleanup.h"

unsigned int arena_class_of(uint64_t size)
{
	unsigned int class = 0;

	while (class < ARENA_CLASSES && UINT64_C(1) << (ARENA_SLOT_SHIFT + class) < size)
		class++;
	return class;
}

static uint32_t class_slots(unsigned int class)
{
	return UINT32_C(1) << (ARENA_REGION_SHIFT - ARENA_SLOT_SHIFT - class);
}

void arena_init(struct arena *arena, uint64_t base)
{
	*arena = (struct arena){ .base = base };
}

void arena_deinit(struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_SIZE(arena->classes); i++)
		free(arena->classes[i].free);
}

static void ring_push(struct arena_class *class, uint32_t slot)
{
	if (class->n_free == class->room) {
		const size_t room = class->room ? 2 * class->room : 16;
		uint32_t *ring = must_alloc(room, sizeof *ring);

		for (size_t i = 0; i < class->n_free; i++)
			ring[i] = class->free[(class->first + i) % class->room];
		free(class->free);
		class->free = ring;
		class->first = 0;
		class->room = room;
	}
	class->free[(class->first + class->n_free++) % class->room] = slot;
}

uint32_t arena_take(struct arena *arena, uint64_t size)
{
	const unsigned int k = arena_class_of(size);
	struct arena_class *class = &arena->classes[k];
	uint32_t slot;

	if (k == ARENA_CLASSES)
		return ARENA_NO_SLOT;
	/* A slot that was never used is the oldest free one of all. */
	if (class->high < class_slots(k))
		return ++class->high;
	if (class->n_free == 0)
		return ARENA_NO_SLOT;
	slot = class->free[class->first];
	class->first = (class->first + 1) % class->room;
	class->n_free--;
	return slot;
}

void arena_give(struct arena *arena, uint64_t size, uint32_t slot)
{
	if (slot != ARENA_NO_SLOT)
		ring_push(&arena->classes[arena_class_of(size)], slot);
}

uint64_t arena_address(const struct arena *arena, uint64_t size, uint32_t slot)
{
	const unsigned int k = arena_class_of(size);

	if (slot == ARENA_NO_SLOT)
		return 0;
	return arena->base + ((uint64_t)k << ARENA_REGION_SHIFT) +
	       ((uint64_t)(slot - 1) << (ARENA_SLOT_SHIFT + k));
}

int arena_claim(struct arena *arena, uint64_t size, uint32_t slot)
{
	const unsigned int k = arena_class_of(size);

	if (slot == ARENA_NO_SLOT)
		return 0;
	if (k == ARENA_CLASSES || slot > class_slots(k))
		return -EUCLEAN;
	arena->classes[k].high = MAX(arena->classes[k].high, slot);
	return 0;
}

void arena_claimed(struct arena *arena, unsigned int k, const uint32_t *sorted, size_t n)
{
	struct arena_class *class = &arena->classes[k];
	size_t next = 0;

	for (uint32_t slot = 1; slot <= class->high; slot++) {
		while (next < n && sorted[next] < slot)
			next++;
		if (next == n || sorted[next] != slot)
			ring_push(class, slot);
	}
}
