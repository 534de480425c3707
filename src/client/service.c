/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread polls rather than being woken: while there is something to put off it
 * comes in thousands, and to wake a thread for each would cost what is saved.
 *
 * Whether it runs is one flag.  The thread clears it, and only then looks at the
 * connections for the last time; who puts something off does that first, and then
 * looks at the flag, both under the connection's lock.  So nothing is left behind.
 */
#include "client/service.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/fork.h"
#include "util/thread.h"

#define IDLE_ROUNDS 20
#define STACK_SIZE  (256 << 10)

static atomic_bool running;
static _Thread_local bool found; /* something was put off */

/* What the broker has said meanwhile is read too: its worker may be another one by now. */
static void send_what_waits(struct ostore *conn)
{
	pthread_mutex_lock(&conn->lock);
	if (conn->state == CONNECTION_OPEN &&
		(conn->releases || conn->front.iov_len > 0 || travel_waits(conn))) {
		found = true;
		(void)call_flush(conn);
		call_poll(conn);
		(void)call_flush(conn); /* what the answers have freed */
	}
	pthread_mutex_unlock(&conn->lock);
}

static void *serve(void *unused)
{
	const struct timespec round = { .tv_nsec = SERVICE_ROUND_NS };
	unsigned int idle = 0;

	(void)unused;
	for (;;) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &round, NULL);
		found = false;
		fork_visit_all(send_what_waits);
		idle = found ? 0 : idle + 1;
		if (idle < IDLE_ROUNDS)
			continue;
		atomic_store(&running, false);
		fork_visit_all(send_what_waits);
		if (!found || atomic_exchange(&running, true))
			return NULL;
		idle = 0;
	}
}

int service_start(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (atomic_exchange(&running, true))
		return 0;
	r = pthread_attr_init(&attributes);
	if (r == 0) {
		(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		r = -thread_start(&thread, &attributes, serve, NULL);
		(void)pthread_attr_destroy(&attributes);
	}
	if (r != 0)
		atomic_store(&running, false);
	return -r;
}

void service_forget(void)
{
	atomic_store(&running, false);
}
