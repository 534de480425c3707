/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A forked child uses its parent's connections and handles.
 *
 * Just before the fork (prepare) every connection makes a pair of sockets and
 * sends one to the broker, which makes it a connection of its own that holds
 * whatever the parent's holds: so the child has its references from the first
 * instant on, even if the parent drops its own a moment later.  The other socket
 * goes to the child, which says hello on it when it first needs the broker.  If
 * it never does, nothing was spent but the pair; when it ends or execs, the
 * socket closes and everything is given back.
 *
 *	parent ---- call socket ----- broker      WIRE_FORK carries the child's end
 *	child  ---- its own socket --- broker     HELLO (WIRE_HELLO_CHILD) when needed
 *
 * All locks are taken over the fork, in rank order, so that the child finds
 * everything in one piece.  Requests of the parent's other threads are forgotten
 * there, as are the parent's drafts: their mappings do not even exist in the
 * child (MADV_DONTFORK).
 *
 * When the child's socket turns out to be dead (a worker died with the WIRE_FORK in
 * its hands, or the broker had no room for another connection), the child
 * connects anew and asks for everything again by id.  What its parent has given
 * up meanwhile it may then lose; what is mapped stays mapped.  It does the same
 * when an heir has it, whose references keep everything there until then.
 */
#include "client/fork.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/draft.h"
#include "client/error.h"
#include "client/objects.h"
#include "client/resume.h"
#include "client/service.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define PREPARE_TIMEOUT_NS NS_PER_S /* for a broker that does not read */
#define WINDOW             64       /* requests in flight while asking for everything again */

static struct {
	pthread_mutex_t lock; /* rank 1: list, and conn->next of its members */
	struct ostore *list;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- before the fork ---- */

/* Send everything that is queued.  Return: false when the broker does not read. */
static bool flush_before(struct ostore *conn, int64_t deadline)
{
	while (call_flush(conn) == -EAGAIN) {
		struct pollfd poller = { .fd = conn->call_fd, .events = POLLOUT };
		int64_t left = deadline - now_ns();

		if (left <= 0)
			return false;
		(void)poll(&poller, 1, (int)(left / NS_PER_MS + 1));
	}
	return conn->state == CONNECTION_OPEN;
}

/* The broker's copy of what we hold is made when it reads this, behind all that
 * was said before. */
static void announce_child(struct ostore *conn)
{
	int64_t deadline = deadline_ns(now_ns(), PREPARE_TIMEOUT_NS);
	struct wire_request request = { .type = WIRE_FORK };
	int pair[2], yes = 1, r;

	/* A worker may have died while nothing was asked of it: a child of which its
	 * heir hears after it knows what we hold need not ask for everything again. */
	call_poll(conn);
	if (conn->state != CONNECTION_OPEN || !flush_before(conn, deadline))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return; /* the child connects anew */
	(void)setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
	do
		r = call_transmit(conn, &request, pair[1]);
	while (r == -EAGAIN && flush_before(conn, deadline) && now_ns() < deadline);
	(void)close(pair[1]);
	if (r == 0)
		conn->fork_fd = pair[0];
	else
		(void)close(pair[0]);
}

static void prepare(void)
{
	pthread_mutex_lock(&registry.lock);
	for (struct ostore *conn = registry.list; conn; conn = conn->next) {
		connection_lock(conn); /* a close waits for us where we wait without the lock */
		while (conn->state == CONNECTION_GREETING)
			pthread_cond_wait(&conn->changed, &conn->lock);
		if (conn->state == CONNECTION_CHILD) /* a grandchild needs its parent known */
			fork_introduce_child(conn);
		if (conn->state == CONNECTION_OPEN) /* what arrives, arrives here */
			(void)travel_settle(conn, NULL);
		connection_unlock(conn);
	}
	/* Several locks of one rank: only here, and only one thread can be here. */
	for (struct ostore *conn = registry.list; conn; conn = conn->next) {
		pthread_mutex_lock(&conn->lock);
		announce_child(conn);
	}
}

/* ---- after the fork ---- */

static void parent(void)
{
	for (struct ostore *conn = registry.list; conn; conn = conn->next) {
		cleanup_closep(&conn->fork_fd);
		conn->fork_fd = -1;
		pthread_mutex_unlock(&conn->lock);
	}
	pthread_mutex_unlock(&registry.lock);
}

static void become_child(struct ostore *conn)
{
	cleanup_closep(&conn->call_fd);
	cleanup_closep(&conn->service_fd);
	conn->call_fd = TAKE_FD(conn->fork_fd);
	conn->service_fd = -1;
	conn->state = CONNECTION_CHILD;
	conn->received_fds = conn->acked_fds = 0;
	conn->last_serial = 0;
	async_close_fds(conn);
	async_forget(conn, -ECANCELED, "the parent of this process waits for it");
	travel_forget(conn);
	call_forget_all(conn);
	resume_forget(conn);
	if (conn->call_fd < 0)
		objects_forget_releases(conn);
}

static void child(void)
{
	service_forget();
	for (struct ostore *conn = registry.list; conn; conn = conn->next) {
		(void)pthread_cond_init(&conn->changed, NULL);
		draft_forget_all(conn);
		conn->n_inside = 0; /* the parent's threads */
		if (conn->state == CONNECTION_OPEN)
			become_child(conn);
		pthread_mutex_unlock(&conn->lock);
	}
	pthread_mutex_unlock(&registry.lock);
}

/* ---- the child's hello ---- */

/* Ask for one object that the process already holds. */
static struct call *ask_again(struct ostore *conn, struct entry *entry, struct waiter *waiter)
{
	struct call *call = call_new(WIRE_GET, 1, waiter);

	if (!call)
		return NULL;
	call_set_item(call);
	call->item.id = entry->id;
	call->request.flags = entry->mappings > 0 ? WIRE_GET_MAP : WIRE_GET_REF;
	call_set_timeout(call, 0);
	call_start(conn, call);
	return call;
}

/* On the new connection nothing is held.  Each answer finds its entry, and is
 * counted there; what is gone stays at no references. */
static void acquire_again(struct ostore *conn)
{
	CLEANUP_FREE struct id128 *ids = calloc(conn->n_entries + 1, sizeof *ids);
	struct objects_cursor cursor = { 0 };
	struct entry *entry;
	size_t n = 0;

	objects_forget_releases(conn);
	while (objects_next(conn, &cursor, &entry)) {
		if (ids && entry->listed && n < conn->n_entries)
			ids[n++] = entry->id;
		entry->refs = 0;
		entry->pins = 0;
	}
	for (size_t begin = 0; begin < n; begin += WINDOW) {
		struct waiter waiter = WAITER_INIT;
		struct call *calls[WINDOW];
		unsigned int n_calls = 0;

		for (size_t i = begin; i < n && i < begin + WINDOW; i++) {
			entry = objects_lookup(conn, &ids[i]);
			if (entry)
				calls[n_calls] = ask_again(conn, entry, &waiter);
			n_calls += entry && calls[n_calls];
		}
		(void)call_wait(conn, &waiter, n_calls, CALL_PATIENT);
		while (n_calls > 0)
			call_end(conn, calls[--n_calls]);
	}
}

void fork_introduce_child(struct ostore *conn)
{
	CLEANUP_CLOSE int old = -1;
	bool inherited = true;
	int r = -ECONNRESET;

	conn->state = CONNECTION_GREETING;
	conn->uid = geteuid();
	pthread_mutex_unlock(&conn->lock);
	if (conn->call_fd >= 0)
		r = connection_greet(conn, conn->call_fd, WIRE_HELLO_CHILD);
	if (r < 0) {
		/* Stays open until the new one holds all: it may still be good for that. */
		old = TAKE_FD(conn->call_fd);
		inherited = false;
		r = connection_dial(conn, conn->address);
	}
	pthread_mutex_lock(&conn->lock);
	if (r < 0) {
		connection_die(conn, r == -ETIMEDOUT ? -ECONNREFUSED : r, "%s", ostore_strerror(conn));
	} else {
		conn->state = CONNECTION_OPEN;
		if (!inherited)
			acquire_again(conn);
	}
	pthread_cond_broadcast(&conn->changed);
}

/* ---- the list ---- */

void fork_visit_all(void (*visit)(struct ostore *conn))
{
	pthread_mutex_lock(&registry.lock);
	for (struct ostore *conn = registry.list; conn; conn = conn->next)
		visit(conn);
	pthread_mutex_unlock(&registry.lock);
}

static int atfork_result;

static void install(void)
{
	atfork_result = -pthread_atfork(prepare, parent, child);
}

int fork_remember(struct ostore *conn)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, install);
	if (atfork_result < 0)
		return fail_memory();
	pthread_mutex_lock(&registry.lock);
	conn->next = registry.list;
	registry.list = conn;
	pthread_mutex_unlock(&registry.lock);
	return 0;
}

void fork_forget(struct ostore *conn)
{
	struct ostore **p;

	pthread_mutex_lock(&registry.lock);
	p = &registry.list;
	while (*p != conn)
		p = &(*p)->next;
	*p = conn->next;
	pthread_mutex_unlock(&registry.lock);
}
