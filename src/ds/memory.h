/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation of small things whose number is bounded elsewhere: it succeeds or
 * ends the process.  The broker's lasting state is in tables that survive it
 * (core/core.h, "Memory"), so starting anew is the cleanest way out, and the
 * callers stay free of paths that nobody can test.
 */
#ifndef DS_MEMORY_H
#define DS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline void *must(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return memory;
}

#define MEMORY_LARGE (UINT64_C(4) << 20) /* bytes of an array */

/* Called with each array that is so large or larger: whoever may make system calls can have it
 * backed by huge pages.  One that grows is in use to its half, and will be reallocated: all of
 * its pages must be treated alike, or the C library copies it, as mremap() refuses to move what
 * is several mappings to the kernel.  Global, set before the first; NULL: none. */
extern void (*memory_is_large)(void *memory, size_t size, bool grows);

static inline void *memory_note(void *memory, size_t size, bool grows)
{
	if (size >= MEMORY_LARGE && memory_is_large)
		memory_is_large(memory, size, grows);
	return memory;
}

/* Zeroed. */
static inline void *must_alloc(size_t n, size_t size)
{
	return memory_note(must(calloc(n, size)), n * size, false);
}

/* Grow *arrayp, an array of *roomp elements of this size, to hold n; doubles. */
static inline void must_grow(void *arrayp, size_t *roomp, size_t n, size_t size)
{
	void **array = arrayp;
	size_t room = *roomp ? *roomp : 16;

	if (n <= *roomp)
		return;
	while (room < n)
		room *= 2;
	*array = memory_note(must(reallocarray(*array, room, size)), room * size, true);
	*roomp = room;
}

#endif
