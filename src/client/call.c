/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leader and followers: there is no thread that reads replies for others.  Of
 * the threads that wait on a connection one is the reader; it receives without
 * the lock, takes the lock, hands each reply to the call it belongs to, and
 * wakes that call's thread.  When its own calls are done it leaves, and wakes
 * one of the others, which becomes the reader.  So a single thread pays no
 * context switch for the library's sake, and the requests of many threads
 * interleave on one socket.
 *
 * A reply is due within tens of microseconds mostly, and to be woken costs as
 * much again.  So a reader spins (receives without blocking) before it sleeps, if
 * there is another CPU for the broker to run on, for as long as pays (util/spin.h).
 *
 * Followers sleep on a futex of their own, not on a condition variable, because
 * a signal must be able to end their wait too.
 *
 * What a reply grants is recorded here, by the reader, under the lock, before
 * anything else can be received: so when WIRE_RESUME arrives, what is recorded
 * is exactly what the dead worker had told us of.
 */
#include "client/call.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/connection.h"
#include "client/error.h"
#include "client/objects.h"
#include "client/resume.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/socket.h"

#define ACK_AFTER        16 /* descriptors: a quarter of WIRE_FDS_UNACKED */
#define GRACE_NS         NS_PER_S /* how late the broker may be before we end the wait ourselves */
#define FLUSH_NS         (50 * NS_PER_MS)
#define NAP_NS           (3600 * NS_PER_S) /* a futex wait needs a timeout to be interruptible */

/* ---- a call's life ---- */

struct call *call_new(uint16_t type, size_t max_grants, struct waiter *waiter)
{
	struct call *call = calloc(1, sizeof *call + max_grants * sizeof *call->grant_room);

	if (!call)
		return NULL;
	call->grants = call->grant_room;
	call->max_grants = max_grants;
	call->request.type = type;
	call->waiter = waiter;
	call->fd = -1;
	call->deadline = FOREVER_NS;
	return call;
}

void call_set_item(struct call *call)
{
	call->request.items = &call->item;
	call->request.n_items = 1;
}

void call_set_timeout(struct call *call, int64_t timeout_ns)
{
	call->request.timeout_ns = timeout_ns;
	if (timeout_ns > 0)
		call->deadline = deadline_ns(now_ns(), timeout_ns);
}

void call_restart(struct ostore *conn, struct call *call)
{
	for (size_t i = 0; i < call->n_grants; i++)
		objects_unrecord(conn, &call->grants[i]);
	call->n_grants = 0;
	call->status = 0;
	call->text.length = 0;
	call->n_sent = 0;
	call->request.retry |= call->sent;
	call->sent = false;
	conn->travel.early |= call->early && !call->done;
	if (conn->partial == call)
		conn->partial = NULL;
	if (call->restart)
		call->restart(call);
}

static void call_unlink(struct ostore *conn, struct call *call)
{
	struct call **p = &conn->calls;

	while (*p && *p != call)
		p = &(*p)->next;
	if (*p)
		*p = call->next;
}

static void give_back_grants(struct ostore *conn, struct call *call)
{
	for (size_t i = 0; i < call->n_grants; i++)
		objects_put_back(conn, &call->grants[i]);
	call->n_grants = 0;
}

void call_discard(struct ostore *conn, struct call *call)
{
	call_unlink(conn, call);
	call_restart(conn, call);
	free(call);
}

/* It has a waiter. */
static void settle(struct ostore *conn, struct call *call)
{
	call->done = true;
	call->waiter->n_done++;
	if (call->finished)
		call->finished(conn, call);
}

void call_queue(struct ostore *conn, struct call *call)
{
	struct call **p = &conn->calls;

	while (*p)
		p = &(*p)->next;
	*p = call;
	if (conn->state != CONNECTION_OPEN) {
		call->status = conn->death ? conn->death : -ECONNREFUSED;
		call->text = conn->obituary;
		settle(conn, call);
	}
}

void call_start(struct ostore *conn, struct call *call)
{
	call_queue(conn, call);
	if (!call->done)
		(void)call_flush(conn);
}

void call_end(struct ostore *conn, struct call *call)
{
	/* the results are the caller's now, or nobody's */
	call->collect = NULL;
	call->restart = NULL;
	if (call->done || !call->sent) {
		give_back_grants(conn, call);
		call_discard(conn, call);
	} else {
		call->waiter = NULL;
		call->cancel = true;
		call->fd = -1;
		if (conn->partial == call) {
			/* The caller's ids end here; the broker still waits for a last packet. */
			call->item.id = call->request.items[call->n_sent].id;
			call->request.items = &call->item;
			call->request.n_items = 1;
			call->n_sent = 0;
		}
	}
	(void)call_flush(conn);
}

static void wake(struct waiter *waiter)
{
	atomic_fetch_add_explicit(&waiter->wakes, 1, memory_order_relaxed);
	(void)syscall(SYS_futex, &waiter->wakes, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void call_fail_all(struct ostore *conn, int error, const char *text)
{
	struct call *next;

	for (struct call *call = conn->calls; call; call = next) {
		next = call->next;
		if (call->done)
			continue;
		if (!call->waiter) {
			call_discard(conn, call);
			continue;
		}
		call_restart(conn, call);
		call->status = error;
		text_set(&call->text, "%s", text);
		settle(conn, call);
	}
	for (struct waiter *w = conn->followers; w; w = w->next)
		wake(w);
}

void call_forget_all(struct ostore *conn)
{
	while (conn->calls) {
		if (conn->calls->done)
			give_back_grants(conn, conn->calls);
		conn->calls->restart = NULL; /* its results were on another thread's stack */
		call_discard(conn, conn->calls);
	}
	conn->followers = NULL;
	conn->reader = false;
}

/* ---- sending ---- */

/* What came of a system call that said how many descriptors have arrived. */
static int transmitted(struct ostore *conn, int r)
{
	if (r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN)
		connection_lost(conn);
	if (r == 0)
		conn->acked_fds = conn->received_fds;
	return r == -ENOBUFS || r == -ENOMEM ? -EAGAIN : r;
}

int call_transmit(struct ostore *conn, struct wire_request *request, int fd)
{
	ssize_t size;

	if (request->serial == 0)
		request->serial = ++conn->last_serial;
	request->acked_fds = conn->received_fds;
	request->n_fds = fd >= 0 ? 1 : 0;
	size = wire_request_encode(request, conn->send_buffer, conn->max_packet);
	if (size < 0)
		return (int)size;
	return transmitted(conn, socket_send_behind(conn->call_fd, &conn->front, conn->send_buffer,
		(size_t)size, &fd, request->n_fds, MSG_DONTWAIT));
}

int call_transmit_front(struct ostore *conn)
{
	int r = transmitted(conn, socket_send(conn->call_fd, conn->front.iov_base,
		conn->front.iov_len, NULL, 0, MSG_DONTWAIT));

	if (r == 0)
		conn->front.iov_len = 0;
	return r;
}

/* How many of the call's items from n_sent on fit into a packet. */
static uint32_t items_that_fit(const struct ostore *conn, const struct call *call)
{
	struct wire_request empty = call->request;
	uint32_t left = call->request.n_items - call->n_sent, n = 0;
	size_t size;

	if (left <= 1)
		return left;
	empty.n_items = 0;
	size = wire_request_size(&empty);
	while (n < left && n < conn->max_items) {
		size += wire_request_item_size(empty.type, &call->request.items[call->n_sent + n]);
		if (size > conn->max_packet)
			break;
		n++;
	}
	return MAX(n, 1U);
}

/* One call, or what is left of it: a request of many items takes several packets. */
static int transmit_call(struct ostore *conn, struct call *call)
{
	struct wire_request *request = &call->request;
	int r;

	if (!call->sent) {
		/* A retry keeps its serial: by that the heir knows what is done already. */
		if (!request->retry)
			request->serial = ++conn->last_serial;
		else if (call->deadline != FOREVER_NS)
			request->timeout_ns = MAX(call->deadline - now_ns(), INT64_C(1));
	}
	do {
		struct wire_request packet = *request;

		packet.n_items = items_that_fit(conn, call);
		if (packet.n_items > 0)
			packet.items = request->items + call->n_sent;
		packet.more = call->n_sent + packet.n_items < request->n_items;
		r = call_transmit(conn, &packet, call->fd);
		if (conn->state != CONNECTION_OPEN)
			return r;
		if (r < 0)
			break;
		call->sent = true;
		call->n_sent += packet.n_items;
		conn->partial = packet.more ? call : NULL;
	} while (conn->partial);
	if (r == 0 || r == -EAGAIN)
		return r;
	/* The packet cannot be sent at all: its sender's affair alone.  (Only a
	 * first packet can be so; the others differ in nothing but their ids.) */
	call->status = r;
	settle(conn, call);
	return 0;
}

static int transmit_cancel(struct ostore *conn, struct call *call)
{
	struct wire_request request = {
		.type = WIRE_CANCEL,
		.cursor = call->request.serial,
	};
	int r = call_transmit(conn, &request, -1);

	if (r == 0)
		call->cancel = false;
	return r;
}

static int flush_early(struct ostore *conn)
{
	int r = 0;

	for (struct call *call = conn->calls; call && r == 0; call = call->next) {
		if (call->early && !call->sent && !call->done)
			r = transmit_call(conn, call);
		if (conn->state != CONNECTION_OPEN)
			return 0; /* the list is not what it was */
	}
	conn->travel.early = r != 0;
	return r;
}

static bool is_any_unsent(const struct ostore *conn)
{
	const struct call *call = conn->calls;

	while (call && (call->sent || call->done))
		call = call->next;
	return call;
}

int call_flush(struct ostore *conn)
{
	int r;

	if (conn->travel.is_answered)
		travel_reap(conn);
	if (conn->state != CONNECTION_OPEN)
		return 0;
	if (conn->partial) {
		r = transmit_call(conn, conn->partial);
		if (r < 0)
			return r == -EAGAIN ? r : 0;
	}
	travel_gathered(conn);
	r = resume_flush(conn);
	if (r == 0 && conn->travel.early)
		r = flush_early(conn);
	if (r == 0 && conn->state != CONNECTION_OPEN)
		return 0;
	if (r == 0 && conn->releases)
		r = objects_flush_releases(conn, is_any_unsent(conn));
	for (struct call *call = conn->calls; call && r == 0; call = call->next) {
		if (!call->sent && !call->done)
			r = transmit_call(conn, call);
		else if (call->cancel)
			r = transmit_cancel(conn, call);
		if (conn->state != CONNECTION_OPEN)
			return 0; /* the list is not what it was */
	}
	if (r == 0 && conn->received_fds - conn->acked_fds >= ACK_AFTER) {
		struct wire_request request = { .type = WIRE_ACK };

		r = call_transmit(conn, &request, -1);
	}
	if (r == 0 && conn->front.iov_len > 0 && conn->state == CONNECTION_OPEN)
		r = call_transmit_front(conn);
	return r == -EAGAIN ? r : 0;
}

/* ---- receiving ---- */

static enum grant_kind kind_of(const struct call *call)
{
	switch (call->request.type) {
	case WIRE_CREATE:
		return GRANT_DRAFT;
	case WIRE_JOIN:
		return GRANT_JOIN;
	default:
		return call->cow ? GRANT_COW : GRANT_VIEW;
	}
}

static int collect_item(struct ostore *conn, struct call *call, const struct wire_item *item,
	int *fds, size_t *n_fds)
{
	int fd = -1;

	if (item->status < 0)
		return item->status;
	if (call->n_grants == call->max_grants)
		return -EPROTO;
	if (item->flags & WIRE_ITEM_FD && *n_fds > 0) {
		fd = fds[0];
		memmove(fds, fds + 1, --*n_fds * sizeof *fds);
	}
	return objects_record(conn, item, fd, kind_of(call), &call->grants[call->n_grants++]);
}

/* Keep what this packet of the reply brings.  An error of ours (no memory, no
 * descriptor) does not stop the collecting: what was granted has to be known to
 * be given back.  Return: 0, or -EPROTO: the reply makes no sense. */
static int collect(struct ostore *conn, struct call *call, const struct wire_reply *reply, int *fds,
	size_t *n_fds)
{
	int status = reply->status;

	if (call->max_grants > 0)
		for (uint32_t i = 0; i < reply->n_items; i++) {
			int r = collect_item(conn, call, &reply->items[i], fds, n_fds);

			if (r == -EPROTO)
				return r;
			if (r < 0 && status == 0)
				status = r;
		}
	if (call->collect) {
		int r = call->collect(call, reply);

		if (r == -EPROTO)
			return r;
		if (r < 0 && status == 0)
			status = r;
	}
	if (call->status == 0) {
		call->status = status;
		if (reply->text)
			text_set(&call->text, "%s", reply->text);
	}
	call->cursor = reply->cursor;
	return 0;
}

static void finish(struct ostore *conn, struct call *call)
{
	if (!call->waiter) {
		call->done = true;
		give_back_grants(conn, call);
		call_discard(conn, call);
		return;
	}
	settle(conn, call);
	for (struct waiter *w = conn->followers; w; w = w->next)
		if (w == call->waiter)
			wake(w);
}

static struct call *find_call(struct ostore *conn, uint64_t serial)
{
	for (struct call *call = conn->calls; call; call = call->next)
		if (call->sent && !call->done && call->request.serial == serial)
			return call;
	return NULL;
}

/* Lock held.  Hand one packet to the call that it answers. */
static void dispatch(struct ostore *conn, struct socket_packet *packet, bool fds_lost)
{
	struct wire_reply reply;
	struct call *call;
	size_t n_fds = packet->n_fds;
	int r;

	r = wire_reply_decode(&reply, &conn->scratch, packet->bytes, packet->size);
	if (r == -ENOMEM) {
		connection_die(conn, -ENOMEM, "no memory to read what the broker at %s says",
			conn->address);
	} else if (r != 0) {
		connection_die(conn, -EPROTO,
			"the broker at %s sent a packet that %s; are library %s and broker "
			"from the same release?",
			conn->address, wire_error_text((enum wire_error)r), ostore_version());
	} else if (reply.n_fds != n_fds && !fds_lost) {
		connection_die(conn, -EPROTO,
			"the broker at %s announced %u descriptors and sent %zu", conn->address,
			reply.n_fds, n_fds);
	} else {
		conn->received_fds += reply.n_fds;
		call = reply.type == WIRE_RESUME ? NULL : find_call(conn, reply.serial);
		if (reply.type == WIRE_RESUME) {
			resume_begin(conn, reply.generation);
		} else if (!call || call->request.type != reply.type ||
			   collect(conn, call, &reply, packet->fds, &n_fds) < 0) {
			connection_die(conn, -EPROTO,
				"the broker at %s answered what was not asked", conn->address);
		} else if (!reply.more) {
			finish(conn, call);
		}
	}
	for (size_t i = 0; i < n_fds; i++)
		(void)close(packet->fds[i]);
}

static int receive(struct ostore *conn, struct socket_packet *packet)
{
	*packet = (struct socket_packet){
		.bytes = conn->receive_buffer,
		.room = WIRE_PACKET_MAX,
		.want_fds = true,
	};
	return socket_receive(conn->call_fd, packet, MSG_DONTWAIT);
}

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poller = { .fd = fd, .events = events };
	struct timespec timeout, *timeoutp = NULL;

	if (deadline != FOREVER_NS) {
		int64_t left = MAX(deadline - now_ns(), INT64_C(0));

		timeout = (struct timespec){ .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
		timeoutp = &timeout;
	}
	switch (ppoll(&poller, 1, timeoutp, NULL)) {
	case 0:
		return -ETIMEDOUT;
	case -1:
		return errno == EINTR ? -EINTR : 0;
	default:
		return 0;
	}
}

/* No lock held; the reader alone.  Spin, then sleep, until there is a packet.
 * Return: as socket_receive(); -EINTR, -ETIMEDOUT; -EAGAIN: only room to send. */
static int receive_patiently(struct ostore *conn, struct socket_packet *packet, int64_t deadline,
	bool may_spin, short events)
{
	const int64_t began = may_spin ? now_ns() : 0;
	const int64_t spin_ns = may_spin ? spin_begin(&conn->spin) : 0;
	int r;

	do {
		r = receive(conn, packet);
		if (r != -EAGAIN) {
			if (spin_ns > 0)
				spin_end(&conn->spin, spin_ns, true, 0);
			return r;
		}
	} while (spin_ns > 0 && now_ns() < began + spin_ns);
	r = wait_for(conn->call_fd, events, deadline);
	if (may_spin)
		spin_end(&conn->spin, spin_ns, false, r == 0 ? now_ns() - began : INT64_MAX);
	return r < 0 ? r : receive(conn, packet);
}

/* Lock held.  r: what socket_receive() said of this packet. */
static void receive_result(struct ostore *conn, struct socket_packet *packet, int r)
{
	if (conn->state == CONNECTION_OPEN && (r == 0 || r == SOCKET_E_FDS_LOST)) {
		dispatch(conn, packet, r == SOCKET_E_FDS_LOST);
		return;
	}
	for (size_t i = 0; i < packet->n_fds; i++)
		(void)close(packet->fds[i]);
	if (r == SOCKET_E_TRUNCATED)
		connection_die(conn, -EPROTO, "the broker at %s sent an oversized packet",
			conn->address);
	else if (r != -EAGAIN && r != 0)
		connection_lost(conn);
}

/* Lock held, dropped meanwhile: be the reader for one packet.
 * Return: 0, -EINTR, -ETIMEDOUT. */
static int read_one(struct ostore *conn, int64_t deadline, bool spin, bool want_room)
{
	struct socket_packet packet;
	int r;

	conn->reader = true;
	pthread_mutex_unlock(&conn->lock);
	r = receive_patiently(conn, &packet, deadline, spin && conn->may_spin,
		(short)(POLLIN | (want_room ? POLLOUT : 0)));
	pthread_mutex_lock(&conn->lock);
	conn->reader = false;
	if (r == -EINTR || r == -ETIMEDOUT)
		return r;
	receive_result(conn, &packet, r);
	return 0;
}

/* Lock held, dropped meanwhile: the socket is full, and another thread reads.
 * Not for long at a time: should that one leave, nobody would read, and a broker
 * whose replies nobody reads takes no requests either. */
static int wait_for_room(struct ostore *conn, int64_t deadline)
{
	int64_t until = MIN(deadline, deadline_ns(now_ns(), FLUSH_NS));
	int fd = conn->call_fd, r;

	pthread_mutex_unlock(&conn->lock);
	r = wait_for(fd, POLLOUT, until);
	pthread_mutex_lock(&conn->lock);
	return r == -ETIMEDOUT && until < deadline ? 0 : r;
}

/* Lock held, dropped meanwhile: sleep until another thread has news for us. */
static int follow(struct ostore *conn, struct waiter *waiter, int64_t deadline)
{
	uint32_t seen = atomic_load_explicit(&waiter->wakes, memory_order_relaxed);
	int64_t until = MIN(deadline, deadline_ns(now_ns(), NAP_NS));
	struct timespec limit = { .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };
	struct waiter **p = &conn->followers;
	int error = 0;

	waiter->next = conn->followers;
	conn->followers = waiter;
	pthread_mutex_unlock(&conn->lock);
	if (syscall(SYS_futex, &waiter->wakes, FUTEX_WAIT_BITSET_PRIVATE, seen, &limit, NULL,
		    FUTEX_BITSET_MATCH_ANY) < 0)
		error = errno;
	pthread_mutex_lock(&conn->lock);
	while (*p != waiter)
		p = &(*p)->next;
	*p = waiter->next;
	if (error == ETIMEDOUT && until == deadline)
		return -ETIMEDOUT;
	return error == EINTR ? -EINTR : 0;
}

/* Lock held.  Whoever stops waiting sees to it that somebody reads. */
static void pass_the_lead(struct ostore *conn)
{
	struct waiter *next = conn->followers;

	if (conn->reader || !next)
		return;
	wake(next);
}

/* The last deadline among this waiter's calls, and the grace. */
static int64_t waiter_deadline(const struct ostore *conn, const struct waiter *waiter)
{
	int64_t deadline = 0;

	for (const struct call *call = conn->calls; call; call = call->next)
		if (call->waiter == waiter && !call->done)
			deadline = MAX(deadline, call->deadline);
	return deadline_ns(deadline, GRACE_NS);
}

int call_wait(struct ostore *conn, struct waiter *waiter, unsigned int needed,
	enum call_patience patience)
{
	bool spin = true;
	int r = 0;

	while (waiter->n_done < needed) {
		bool full = call_flush(conn) == -EAGAIN;
		int64_t deadline;

		if (waiter->n_done >= needed)
			break;
		deadline = waiter_deadline(conn, waiter);
		if (!conn->reader) {
			r = read_one(conn, deadline, spin, full);
			spin = r == 0;
		} else if (full) {
			r = wait_for_room(conn, deadline);
		} else {
			r = follow(conn, waiter, deadline);
		}
		if (r == -EINTR && patience == CALL_PATIENT)
			r = 0;
		if (r < 0 && waiter->n_done < needed)
			break;
		r = 0;
	}
	pass_the_lead(conn);
	return r;
}

void call_flush_soon(struct ostore *conn)
{
	int fd = conn->call_fd;

	if (call_flush(conn) != -EAGAIN)
		return;
	pthread_mutex_unlock(&conn->lock);
	(void)wait_for(fd, POLLOUT, deadline_ns(now_ns(), FLUSH_NS));
	pthread_mutex_lock(&conn->lock);
	(void)call_flush(conn);
}

void call_poll(struct ostore *conn)
{
	struct socket_packet packet;
	int r;

	while (!conn->reader && conn->state == CONNECTION_OPEN) {
		r = receive(conn, &packet);
		if (r == -EAGAIN)
			break;
		receive_result(conn, &packet, r);
	}
}

int call_fail(const struct call *call, const char *what, ...)
{
	char subject[TEXT_SIZE / 2];
	va_list args;

	if (call->text.length)
		return fail(call->status, "%s", call->text.bytes);
	va_start(args, what);
	(void)vsnprintf(subject, sizeof subject, what, args);
	va_end(args);
	return fail(call->status, "%s: %s", subject, error_cause(call->status));
}

int call_one(struct ostore *conn, struct call *call, enum call_patience patience, const char *what,
	...)
{
	char subject[TEXT_SIZE / 2];
	va_list args;
	int r;

	va_start(args, what);
	(void)vsnprintf(subject, sizeof subject, what, args);
	va_end(args);
	call_start(conn, call);
	r = call_wait(conn, call->waiter, 1, patience);
	if (r < 0)
		return fail(r, "%s: %s", subject, error_cause(r));
	return call->status < 0 ? call_fail(call, "%s", subject) : 0;
}
