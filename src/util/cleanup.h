/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleanup attributes: a local that owns something gives it back on every way
 * out of its scope.  Publish with TAKE(): the out-pointer gets the value, the
 * guarded local forgets it.
 */
#ifndef UTIL_CLEANUP_H
#define UTIL_CLEANUP_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define CLEANUP_FREE  __attribute__((cleanup(cleanup_freep)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_closep)))

/* Move a pointer or fd out of a guarded local. */
#define TAKE_PTR(p)                    \
	({                             \
		__auto_type taken = (p); \
		(p) = NULL;            \
		taken;                 \
	})
#define TAKE_FD(fd)              \
	({                       \
		int taken = (fd); \
		(fd) = -1;       \
		taken;           \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The struct that this member is in. */
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

#endif
