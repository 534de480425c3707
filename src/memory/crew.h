/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory/crew.h - threads for what would hold up the event loop
 *
 *   lane      threads  why
 *   SEAL,TRIM 0..4     a pinned page makes F_SEAL_WRITE wait 161 ms, and trimming pool
 *                      memory frees pages.  At most one job with the same key (the
 *                      client's uid) runs at a time: who pins pages on purpose delays
 *                      only himself
 *   CLOSE     0..1     freeing 512 MiB of 4 KiB pages takes 100 ms
 *   FILL      0..1     populating pool memory; at low priority
 *
 * Threads start with the first job of their lane.  Jobs of a lane start in the
 * order of their submission (SEAL, TRIM: of those with the same key).
 *
 *   function       may be called from
 *   crew_submit    main
 *   crew_take      main, when crew_event() is readable or at any time
 *   crew_free      main
 *
 * A killed worker loses its jobs; nothing else depends on them, because the
 * tables name a descriptor until the job that ends it is reported, or no longer.
 */
#ifndef MEMORY_CREW_H
#define MEMORY_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memfd.h"

enum crew_job_type {
	CREW_SEAL = 1, /* fd -> result */
	CREW_TRIM,     /* fd, size -> result, identity: memfd_resize_draft() */
	CREW_CLOSE,    /* fd */
	CREW_FILL,     /* size, huge -> result, fd, identity: a populated memfd */
};

struct crew_job {
	enum crew_job_type type;
	uint32_t ticket; /* the caller's */
	uint32_t key;
	int fd;
	uint64_t size;
	bool huge;
	bool silent; /* CLOSE: nobody asks for the result */
	int result; /* 0 or negative errno */
	struct memfd_identity identity;
};

struct crew;

int crew_new(struct crew **crewp);
/* Stops a fill between two steps, waits for what is being sealed or closed, and
 * forgets the rest.  Descriptors of jobs that were not taken stay open.  Return: NULL. */
struct crew *crew_free(struct crew *crew);

/* A descriptor that is readable while results wait; crew_take() makes it not so. */
int crew_event(const struct crew *crew);

/* Return: 0 (the job is copied), or negative errno: no memory or no thread; the
 * caller then does it itself, slowly. */
int crew_submit(struct crew *crew, const struct crew_job *job);

/* The next finished job.  Return: false when there is none. */
bool crew_take(struct crew *crew, struct crew_job *job);

#endif
