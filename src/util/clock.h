/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clocks in nanoseconds, and deadlines that do not overflow. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define FOREVER_NS INT64_MAX

static inline int64_t clock_now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* CLOCK_MONOTONIC now. */
static inline int64_t now_ns(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

/* now + timeout, saturating at FOREVER_NS; a negative timeout counts as 0. */
static inline int64_t deadline_ns(int64_t now, int64_t timeout)
{
	if (timeout < 0)
		return now;
	return timeout > FOREVER_NS - now ? FOREVER_NS : now + timeout;
}

#endif
