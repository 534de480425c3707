/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/arena.h - one address for an object in every process (R10)
 *
 * The arena is cut into regions of 4 TiB, one per size class k = 0..19, a region
 * into slots of 2 MiB << k.  An object has the slot of the smallest class that
 * holds it, until it is gone.  Slots are used again oldest-freed first, so that
 * a stale pointer meets an empty place for as long as possible.  Larger than
 * 1 TiB, or no slot left: none (address 0), and every process maps it where it likes.
 *
 * Which slots are used is in the object records; the order of the free ones is
 * lost with the worker.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_CLASSES      20
#define ARENA_SLOT_SHIFT   21 /* class 0: 2 MiB */
#define ARENA_REGION_SHIFT 42 /* 4 TiB */
#define ARENA_NO_SLOT      0  /* slots of a class are numbered from 1 */

/* Free slots of one class, a ring in order of freeing. */
struct arena_class {
	uint32_t high; /* slots above this were never used */
	uint32_t *free;
	size_t first, n_free, room;
};

struct arena {
	uint64_t base;
	struct arena_class classes[ARENA_CLASSES];
};

void arena_init(struct arena *arena, uint64_t base);
void arena_deinit(struct arena *arena);
uint32_t arena_take(struct arena *arena, uint64_t size);
void arena_give(struct arena *arena, uint64_t size, uint32_t slot);
uint64_t arena_address(const struct arena *arena, uint64_t size, uint32_t slot);
/* Recovery: an object has this slot.  Return: 0, -EUCLEAN (no such slot). */
int arena_claim(struct arena *arena, uint64_t size, uint32_t slot);
/* After the last: these n slots of the class were claimed; the ones between them are free. */
void arena_claimed(struct arena *arena, unsigned int class, const uint32_t *sorted, size_t n);
/* The class of this size; ARENA_CLASSES: none. */
unsigned int arena_class_of(uint64_t size);

#endif
