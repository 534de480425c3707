/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/pool.h - populated memfds that wait for big creates
 *
 * Filled in the background to about what big creates (1 MiB and more) asked for
 * of late, in the sizes that they asked for; given back at once when anybody
 * needs room, and after a minute without creates.  A memfd that a client ever
 * had is never in the pool.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct make;

struct pool_memfd {
	int fd; /* -1: none */
	uint64_t bytes;
};

/* No create for a minute; and when that will be. */
bool pool_is_idle(const struct core *core);
int64_t pool_idle_at(const struct core *core);
void pool_start(struct core *core); /* the first client came */
/* Does the make fit with a memfd of the pool? */
bool pool_helps(const struct core *core, const struct make *make);
/* The memfd that suits the make, out of the pool.  Notes the demand either way. */
struct pool_memfd pool_take(struct core *core, const struct make *make);
/* Close one entry.  Return: false if there is none. */
bool pool_shed(struct core *core);
/* Bytes that pool_shed() can give back. */
uint64_t pool_idle_bytes(const struct core *core);
void pool_filled(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode,
	uint64_t bytes);
/* The event ends: fill or give back. */
void pool_plan(struct core *core);
/* When pool_plan() has something to do by itself. */
int64_t pool_deadline(const struct core *core);
void pool_recover(struct core *core);
void pool_forget(struct core *core, uint32_t entry);

#endif
