/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ostored/filter.h - the system calls that a worker may make
 *
 * The worker reads what strangers send.  Should one of them take it over, it finds a
 * process that can use the descriptors which it has, and not much else: no program
 * can be executed, no other process looked into, no network reached, no file
 * written, no memory made executable.
 *
 * The program is made once, by the supervisor, before the first clone; each worker
 * loads it as its first act, before it has threads, so that all of them and the
 * disposable processes (broker/stranger.c) have it.  The supervisor itself, which
 * parses nothing, is not filtered: what it forbids itself, no heir could do.
 */
#ifndef OSTORED_FILTER_H
#define OSTORED_FILTER_H

#include <stddef.h>

#include "util/text.h"

struct sock_filter;

struct filter {
	struct sock_filter *instructions; /* NULL: workers are not filtered */
	size_t n;
};

#define FILTER_NULL ((struct filter){ .n = 0 })

/* filter_make() - the program for this machine
 * @why: out: why there is none, when there is none
 * Return: 0 (a build for tests has none, and that is no surprise); -EOPNOTSUPP (the kernel or the
 *   build cannot), other negative errno. */
int filter_make(struct filter *filter, struct text *why);
void filter_deinit(struct filter *filter);

/* filter_load() - from now on, for this process and all that it begets, and for good
 * Call while there is one thread.  Return: 0 or negative errno. */
int filter_load(const struct filter *filter);

#endif
