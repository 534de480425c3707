/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subscriptions: what happens to objects, in order.
 *
 * A subscription is a place in the broker's sequence of events, kept on this
 * side; the broker knows of it only while a request waits.  So nothing needs to
 * be said when the worker dies, and a forked child goes on from where its parent
 * was.  Events come as many at a time as there are, into a buffer that is handed
 * out one by one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/error.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define BUFFER 256 /* events */

_Static_assert((int)OSTORE_EVENT_CREATED == (int)WIRE_EVENT_CREATED &&
	(int)OSTORE_EVENT_EXPIRED == (int)WIRE_EVENT_EXPIRED &&
	OSTORE_EVENTS_KEPT == WIRE_EVENTS_KEPT && OSTORE_EVENTS_NEW == WIRE_EVENTS_NEW,
	"numbers are handed on");

struct ostore_subscription {
	struct ostore *conn; /* counted there as a handle */
	uint64_t cursor;     /* to ask from next */
	uint64_t lost;       /* of those before cursor, not handed out yet */
	uint64_t asked;      /* from where on they are */
	struct ostore_request *request; /* that is to fetch more; NULL: none */
	size_t n, next;
	struct ostore_event events[BUFFER];
};

/* ---- fetching ---- */

static int collect_events(struct call *call, const struct wire_reply *reply)
{
	struct ostore_subscription *s = call->user;

	if (reply->n_items > BUFFER - s->n)
		return -EPROTO;
	for (uint32_t i = 0; i < reply->n_items; i++) {
		const struct wire_item *item = &reply->items[i];
		struct ostore_event *event = &s->events[s->n++];

		*event = (struct ostore_event){
			.seq = item->sequence,
			.type = (enum ostore_event_type)item->event,
			.size = item->size,
			.uid = item->uid,
			.gid = item->gid,
			.mode = item->mode,
			.time_ns = item->time_ns,
		};
		memcpy(&event->id, &item->id, sizeof event->id);
	}
	s->lost = reply->lost;
	return 0;
}

static void restart_events(struct call *call)
{
	struct ostore_subscription *s = call->user;

	s->n = 0;
	s->lost = 0;
}

static struct call *new_fetch(struct ostore_subscription *s, int64_t timeout, struct waiter *waiter)
{
	struct call *call = call_new(WIRE_SUBSCRIBE, 0, waiter);

	if (!call)
		return NULL;
	s->n = s->next = 0;
	s->lost = 0;
	call->request.cursor = s->cursor;
	call->request.limit = BUFFER;
	call->collect = collect_events;
	call->restart = restart_events;
	call->user = s;
	call_set_timeout(call, timeout);
	return call;
}

/* What came, or nothing of it. */
static void fetched(struct ostore_subscription *s, const struct call *call, int r)
{
	if (r == 0) {
		s->asked = s->cursor;
		s->cursor = call->cursor;
	} else {
		s->n = 0;
		s->lost = 0;
	}
}

/* Lock held, dropped while waiting.  The buffer is empty.  Return: 0 (perhaps with nothing). */
static int fetch(struct ostore_subscription *s, int64_t timeout)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call = new_fetch(s, timeout, &waiter);
	int r;

	if (!call)
		return fail_memory();
	r = call_one(s->conn, call, CALL_INTERRUPTIBLE, "events from %" PRIu64, s->cursor);
	fetched(s, call, r);
	call_end(s->conn, call);
	return r;
}

/* ---- public ---- */

int ostore_subscribe(struct ostore *conn, uint64_t since, struct ostore_subscription **subscriptionp)
{
	struct ostore_subscription *s;
	int r;

	if (!subscriptionp)
		return fail(-EINVAL, "ostore_subscribe: no place for the subscription");
	s = calloc(1, sizeof *s);
	if (!s)
		return fail_memory();
	s->conn = conn;
	s->cursor = since;
	r = connection_enter(conn);
	if (r < 0) {
		free(s);
		return r;
	}
	r = fetch(s, 0);
	if (r == 0)
		conn->n_handles++;
	connection_leave(conn);
	if (r < 0) {
		free(s);
		return r;
	}
	*subscriptionp = s;
	return 0;
}

static bool take(struct ostore_subscription *s, struct ostore_event *event)
{
	if (s->lost > 0) {
		*event = (struct ostore_event){
			.seq = s->asked,
			.type = OSTORE_EVENT_OVERRUN,
			.lost = s->lost,
		};
		s->lost = 0;
		return true;
	}
	if (s->next == s->n)
		return false;
	*event = s->events[s->next++];
	return true;
}

int ostore_next_event(struct ostore_subscription *subscription, int64_t timeout,
	struct ostore_event *event)
{
	struct ostore_subscription *s = subscription;
	int64_t deadline;
	int r;

	if (!s || !event || timeout < 0)
		return fail(-EINVAL, "ostore_next_event: no subscription, no place for the event, or a "
			"negative timeout");
	if (s->request)
		return fail(-EINVAL, "next event: a request for it is under way already");
	if (take(s, event))
		return 0;
	deadline = deadline_ns(now_ns(), timeout);
	r = connection_enter(s->conn);
	if (r < 0)
		return r;
	do {
		r = fetch(s, timeout);
		if (r < 0 || take(s, event))
			break;
		/* events that are not ours to read moved the cursor, or the time is over */
		if (timeout != OSTORE_FOREVER)
			timeout = MAX(deadline - now_ns(), INT64_C(0));
		if (timeout == 0)
			r = fail(-ETIMEDOUT, "no event from %" PRIu64 " on before the timeout",
				s->cursor);
	} while (r == 0);
	connection_leave(s->conn);
	return r;
}

/* ---- without waiting ---- */

int ostore_next_event_begin(struct ostore_subscription *subscription, int64_t timeout, void *user,
	struct ostore_request **requestp)
{
	struct ostore_subscription *s = subscription;
	struct ostore_request *request;
	int r;

	if (!s || !requestp || timeout < 0 || s->request)
		return fail(-EINVAL, "next event: no subscription, no place for the request, a negative "
			"timeout, or a request is under way already");
	r = connection_enter(s->conn);
	if (r < 0)
		return r;
	request = async_new(s->conn, REQUEST_EVENT, user, timeout);
	if (request) {
		request->subject = s;
		if (s->lost > 0 || s->next < s->n) {
			request->done = true;
			r = 1;
		} else {
			request->waiter = WAITER_INIT;
			request->call = new_fetch(s, timeout, &request->waiter);
			if (request->call)
				async_start(request);
			else
				r = fail_memory();
		}
	} else {
		r = fail_memory();
	}
	if (r >= 0)
		s->request = *requestp = request;
	else if (request)
		async_free(request);
	connection_leave(s->conn);
	return r;
}

int ostore_next_event_end(struct ostore_request *request, struct ostore_event *event)
{
	struct ostore_subscription *s;
	struct ostore *conn;
	int r = 0;

	if (!request || !event || request->kind != REQUEST_EVENT)
		return fail(-EINVAL, "end of a request for an event: there is none, or no place for it");
	conn = request->conn;
	connection_lock(conn);
	s = request->subject;
	if (!request->done) {
		r = fail(-EINVAL, "next event: the request is under way; ostore_dispatch() reports its end");
		connection_leave(conn);
		return r;
	}
	if (request->status < 0)
		r = fail(request->status, "next event: %s", request->text.bytes);
	else if (!s)
		r = fail(-ECANCELED, "next event: the subscription is over");
	else if (request->call && request->call->status < 0)
		r = call_fail(request->call, "events from %" PRIu64, s->cursor);
	if (s && (request->call || r < 0))
		fetched(s, request->call, r);
	if (r == 0 && !take(s, event))
		r = fail(-ETIMEDOUT, "no event from %" PRIu64 " on before the timeout", s->cursor);
	if (s)
		s->request = NULL;
	async_free(request);
	connection_leave(conn);
	return r;
}

/* ---- the end ---- */

void ostore_unsubscribe(struct ostore_subscription *subscription)
{
	struct ostore *conn;

	if (!subscription)
		return;
	conn = subscription->conn;
	connection_lock(conn);
	if (subscription->request) {
		async_cancel(subscription->request);
		subscription->request->subject = NULL;
	}
	conn->n_handles--;
	connection_leave(conn);
	free(subscription);
}

const char *ostore_event_name(enum ostore_event_type type)
{
	switch (type) {
	case OSTORE_EVENT_CREATED:
		return "created";
	case OSTORE_EVENT_SEALED:
		return "sealed";
	case OSTORE_EVENT_ABORTED:
		return "aborted";
	case OSTORE_EVENT_EVICTED:
		return "evicted";
	case OSTORE_EVENT_DELETED:
		return "deleted";
	case OSTORE_EVENT_LOST:
		return "lost";
	case OSTORE_EVENT_EXPIRED:
		return "expired";
	case OSTORE_EVENT_OVERRUN:
		return "overrun";
	}
	return "unknown";
}
