/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * util/spin.h - how long to look again before sleeping, learned from what it brings
 *
 * To be woken costs tens of microseconds (45 on a virtual CPU that has halted),
 * so what comes sooner is better waited for awake.  But a spin is lost time when
 * nothing comes for long, and worse when the one that is waited for needs this
 * very CPU: then nothing comes until the spin ends.  So:
 *
 *  - after a wait that was short, and not spun through, the next spin is longer;
 *  - after a wait that was long, the next spin is shorter, down to none;
 *  - when even the longest spin was in vain, and yet the wait short, spinning is
 *    what made us wait: none for a while, each time for twice as many waits.
 *
 * Not thread-safe: one waits at a time, or a lock is held.
 */
#ifndef UTIL_SPIN_H
#define UTIL_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
	int64_t ns;         /* how long the next one may be; 0: none */
	unsigned int rest;  /* waits until it is tried again */
	unsigned int penalty; /* how many the next rest will be */
};

/* How long this wait may spin.  @spin: zeros to begin with */
int64_t spin_begin(struct spin *spin);

/* spin_end() - the wait is over
 * @spun_ns: what spin_begin() said
 * @hit: what was waited for came while spinning
 * @waited_ns: spin and sleep together; INT64_MAX where it did not come at all */
void spin_end(struct spin *spin, int64_t spun_ns, bool hit, int64_t waited_ns);

#endif
