/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handles of sealed objects: getting, mapping, looking at, dropping.
 *
 * A get of many ids takes from the table what is there, and asks for the rest in
 * one request (several, beyond CALL_ITEMS_MAX ids).  All or none: when anything
 * fails, what was granted is given back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/draft.h"
#include "client/error.h"
#include "client/fork.h"
#include "client/objects.h"
#include "util/cleanup.h"

_Static_assert(sizeof(ostore_id) == sizeof(struct id128), "one is copied into the other");
_Static_assert((int)OSTORE_GET_REF == (int)WIRE_GET_REF && (int)OSTORE_GET_MAP == (int)WIRE_GET_MAP,
	"flags are handed on");

static struct id128 inner_id(const ostore_id *id)
{
	struct id128 inner;

	memcpy(&inner, id, sizeof inner);
	return inner;
}

static int check_ids(const ostore_id *ids, size_t n, const char *what)
{
	if (!ids)
		return fail(-EINVAL, "%s: no ids", what);
	for (size_t i = 0; i < n; i++) {
		struct id128 id = inner_id(&ids[i]);

		if (id128_is_zero(&id))
			return fail(-EINVAL, "%s: id %zu is all zeros", what, i);
	}
	return 0;
}

/* ---- get ---- */

int objects_await(struct ostore *conn, const ostore_id *ids, size_t n, int64_t *timeoutp)
{
	for (size_t i = 0; i < n && (conn->travel.n_arriving > 0 || conn->travel.some_absent); i++) {
		struct id128 id = inner_id(&ids[i]);
		const struct entry *entry = objects_lookup(conn, &id);

		if (entry && entry->arriving > 0 && entry->refs == 0) {
			int r = travel_settle(conn, entry);

			if (r < 0)
				return r;
			entry = objects_lookup(conn, &id);
		}
		if (entry && entry->absent)
			*timeoutp = 0;
	}
	return 0;
}

/* The objects that the table lacks. */
struct missing {
	size_t n;
	size_t *places;          /* in the caller's array */
	struct wire_item *items; /* their ids, for the requests */
	struct call **calls;
	unsigned int n_calls;
};

static void missing_deinit(struct missing *missing)
{
	free(missing->places);
	free(missing->items);
	free(missing->calls);
}

static int missing_init(struct missing *missing, const ostore_id *ids, size_t n,
	struct ostore_object *const *objects)
{
	size_t n_missing = 0;

	for (size_t i = 0; i < n; i++)
		n_missing += !objects[i];
	missing->places = calloc(n_missing, sizeof *missing->places);
	missing->items = calloc(n_missing, sizeof *missing->items);
	missing->calls = calloc(n_missing / CALL_ITEMS_MAX + 1, sizeof *missing->calls);
	if (!missing->places || !missing->items || !missing->calls)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!objects[i]) {
			missing->items[missing->n].id = inner_id(&ids[i]);
			missing->places[missing->n++] = i;
		}
	return 0;
}

/* Lock held, dropped while waiting. */
static int ask(struct ostore *conn, struct missing *missing, int64_t timeout, unsigned int flags)
{
	struct waiter waiter = WAITER_INIT;
	int r;

	for (size_t begin = 0; begin < missing->n; begin += CALL_ITEMS_MAX) {
		size_t n = MIN(missing->n - begin, (size_t)CALL_ITEMS_MAX);
		struct call *call = call_new(WIRE_GET, n, &waiter);

		if (!call)
			return fail_memory();
		call->request.items = missing->items + begin;
		call->request.n_items = (uint32_t)n;
		call->request.flags = flags & (unsigned int)~OSTORE_GET_COW;
		call->cow = flags & OSTORE_GET_COW;
		call_set_timeout(call, timeout);
		missing->calls[missing->n_calls++] = call;
		call_start(conn, call);
	}
	r = call_wait(conn, &waiter, missing->n_calls, CALL_INTERRUPTIBLE);
	if (r < 0)
		return fail(r, "get of %zu objects: %s", missing->n, error_cause(r));
	for (unsigned int i = 0; i < missing->n_calls; i++) {
		struct call *call = missing->calls[i];
		char hex[ID128_TEXT_SIZE];

		(void)id128_format(&missing->items[(size_t)i * CALL_ITEMS_MAX].id, hex);
		if (call->status < 0)
			return call_fail(call, "get of %s%s", hex, missing->n > 1 ? " and others" : "");
		if (call->n_grants != call->request.n_items)
			return fail(-EPROTO, "get of %s: the broker's answer is incomplete", hex);
	}
	return 0;
}

static int take_all(struct ostore *conn, struct missing *missing, struct ostore_object **objects)
{
	for (size_t i = 0; i < missing->n; i++) {
		struct call *call = missing->calls[i / CALL_ITEMS_MAX];
		struct grant *grant = &call->grants[i % CALL_ITEMS_MAX];

		if (!id128_equal(&grant->entry->id, &missing->items[i].id))
			return fail(-EPROTO, "get: the broker answered in another order");
		if (objects_take(conn, grant, &objects[missing->places[i]]) < 0)
			return fail_memory();
	}
	return 0;
}

static int get_missing(struct ostore *conn, const ostore_id *ids, size_t n, int64_t timeout,
	unsigned int flags, struct ostore_object **objects)
{
	struct missing missing = { .n = 0 };
	int r = missing_init(&missing, ids, n, objects);

	if (r < 0) {
		missing_deinit(&missing);
		return fail_memory();
	}
	r = ask(conn, &missing, timeout, flags);
	if (r == 0)
		r = take_all(conn, &missing, objects);
	while (missing.n_calls > 0)
		call_end(conn, missing.calls[--missing.n_calls]);
	missing_deinit(&missing);
	return r;
}

int ostore_get(struct ostore *conn, const ostore_id *ids, size_t n, int64_t timeout,
	unsigned int flags, struct ostore_object **objects)
{
	size_t n_found = 0;
	int r;

	if (n == 0)
		return 0;
	if (!objects)
		return fail(-EINVAL, "get: no place for the objects");
	if (flags & ~(unsigned int)(OSTORE_GET_REF | OSTORE_GET_MAP | OSTORE_GET_COW) || timeout < 0 ||
		(flags & OSTORE_GET_REF && flags & OSTORE_GET_COW))
		return fail(-EINVAL, "get: flags %#x or a timeout of %lld ns are not allowed", flags,
			(long long)timeout);
	r = check_ids(ids, n, "get");
	if (r < 0)
		return r;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	r = objects_await(conn, ids, n, &timeout);
	if (r < 0) {
		connection_leave(conn);
		return r;
	}
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct id128 id = inner_id(&ids[i]);

		objects[i] = NULL;
		r = objects_find(conn, &id, flags, &objects[i]);
		n_found += r == 0;
		if (r == -ENOENT)
			r = 0;
		else if (r < 0) {
			n = i;
			r = fail_memory();
		}
	}
	if (r == 0 && n_found < n)
		r = get_missing(conn, ids, n, timeout, flags, objects);
	for (size_t i = 0; i < n && r < 0; i++) {
		if (objects[i])
			objects_drop(objects[i]);
		objects[i] = NULL;
	}
	if (r < 0)
		(void)call_flush(conn);
	connection_leave(conn);
	return r;
}

/* Lock held.  The bytes are here: give them to the handle, unless another thread has. */
static bool attach(struct ostore_object *object)
{
	struct view *view = object->entry->map ? object->entry->map : object->entry->copy;

	if (atomic_load_explicit(&object->view, memory_order_relaxed))
		return true;
	if (!view)
		return false;
	view->users++;
	atomic_store_explicit(&object->view, view, memory_order_release);
	return true;
}

int ostore_map(struct ostore_object *object)
{
	struct waiter waiter = WAITER_INIT;
	char hex[ID128_TEXT_SIZE];
	struct ostore *conn;
	struct call *call;
	int r;

	if (!object)
		return fail(-EINVAL, "map: no object");
	conn = object->conn;
	if (atomic_load_explicit(&object->view, memory_order_acquire))
		return 0;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	(void)id128_format(&object->entry->id, hex);
	if (draft_is_open(object)) {
		r = fail(-EINVAL, "map of %s: it is not sealed yet", hex);
	} else if (travel_settle(conn, object->entry) < 0) {
		r = -EINTR;
	} else if (!attach(object)) {
		call = call_new(WIRE_GET, 1, &waiter);
		if (call) {
			call_set_item(call);
			call->item.id = object->entry->id;
			call_set_timeout(call, object->entry->absent ? 0 : OSTORE_FOREVER);
			r = call_one(conn, call, CALL_INTERRUPTIBLE, "map of %s", hex);
			if (r == 0 && !attach(object))
				r = fail(-ENOENT, "map of %s: it was deleted, and stored anew", hex);
			call_end(conn, call);
		} else {
			r = fail_memory();
		}
	}
	connection_leave(conn);
	return r;
}

/* ---- looking at a handle ---- */

const void *ostore_data(const struct ostore_object *object)
{
	struct view *view;

	if (!object)
		return NULL;
	view = atomic_load_explicit(&object->view, memory_order_acquire);
	return view ? view->data : NULL;
}

uint64_t ostore_size(const struct ostore_object *object)
{
	return object ? object->entry->size : 0;
}

const ostore_id *ostore_object_id(const struct ostore_object *object)
{
	return object ? (const ostore_id *)&object->entry->id : NULL;
}

uid_t ostore_owner(const struct ostore_object *object)
{
	return object ? object->entry->uid : (uid_t)-1;
}

const void *ostore_metadata(struct ostore_object *object, size_t *sizep)
{
	if (sizep)
		*sizep = object ? object->entry->metadata_size : 0;
	return object ? object->entry->metadata : NULL;
}

bool ostore_is_shared_address(const struct ostore_object *object)
{
	struct view *view;

	if (!object)
		return false;
	view = atomic_load_explicit(&object->view, memory_order_acquire);
	return view && view->shared_address;
}

/* ---- more and fewer handles ---- */

int ostore_dup(struct ostore_object *object, struct ostore_object **objectp)
{
	struct ostore *conn;
	int r;

	if (!object || !objectp)
		return fail(-EINVAL, "dup: no object, or no place for it");
	conn = object->conn;
	connection_lock(conn);
	if (draft_is_open(object))
		r = fail(-EINVAL, "dup: a draft has one handle; seal it first");
	else
		r = objects_dup(object, objectp) < 0 ? fail_memory() : 0;
	connection_leave(conn);
	return r;
}

/* As connection_enter(), but for the dead too, and without a sentence. */
static void release_begin(struct ostore *conn)
{
	connection_lock(conn);
	while (conn->state == CONNECTION_GREETING)
		pthread_cond_wait(&conn->changed, &conn->lock);
	if (conn->state == CONNECTION_CHILD)
		fork_introduce_child(conn);
}

static void release_end(struct ostore *conn)
{
	if (conn->releases) {
		call_flush_soon(conn);
		call_poll(conn);
	}
	connection_leave(conn);
}

void ostore_release(struct ostore_object *object)
{
	struct ostore *conn;

	if (!object)
		return;
	conn = object->conn;
	release_begin(conn);
	draft_end(object);
	objects_drop(object);
	objects_release_soon(conn);
	connection_leave(conn);
}

void ostore_release_many(struct ostore_object *const *objects, size_t n)
{
	struct ostore *conn = NULL;

	if (!objects)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!objects[i])
			continue;
		if (objects[i]->conn != conn) {
			if (conn)
				release_end(conn);
			conn = objects[i]->conn;
			release_begin(conn);
		}
		draft_end(objects[i]);
		objects_drop(objects[i]);
	}
	if (conn)
		release_end(conn);
}

/* ---- wait ---- */

struct readiness {
	bool *ready;
	size_t n, n_seen;
};

static int collect_readiness(struct call *call, const struct wire_reply *reply)
{
	struct readiness *readiness = call->user;

	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (readiness->n_seen == readiness->n)
			return -EPROTO;
		readiness->ready[readiness->n_seen++] = reply->items[i].status == 0;
	}
	return 0;
}

static void restart_readiness(struct call *call)
{
	struct readiness *readiness = call->user;

	readiness->n_seen = 0;
}

int ostore_wait(struct ostore *conn, const ostore_id *ids, size_t n, size_t num, int64_t timeout,
	bool *ready)
{
	struct readiness readiness = { .ready = ready, .n = n };
	CLEANUP_FREE struct wire_item *items = NULL;
	struct waiter waiter = WAITER_INIT;
	struct call *call;
	int r;

	if (n == 0 && num == 0)
		return 0;
	if (!ready || num > n || timeout < 0)
		return fail(-EINVAL, "wait for %zu of %zu objects, %lld ns: not possible", num, n,
			(long long)timeout);
	if (n > CALL_ITEMS_MAX)
		return fail(-EINVAL, "wait for %zu objects: at most %d at a time", n, CALL_ITEMS_MAX);
	r = check_ids(ids, n, "wait");
	if (r < 0)
		return r;
	items = calloc(n, sizeof *items);
	if (!items)
		return fail_memory();
	for (size_t i = 0; i < n; i++)
		items[i].id = inner_id(&ids[i]);
	memset(ready, 0, n * sizeof *ready);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_WAIT, 0, &waiter);
	if (call) {
		call->request.items = items;
		call->request.n_items = (uint32_t)n;
		call->request.limit = (uint32_t)num;
		call->collect = collect_readiness;
		call->restart = restart_readiness;
		call->user = &readiness;
		call_set_timeout(call, timeout);
		r = call_one(conn, call, CALL_INTERRUPTIBLE, "wait for %zu of %zu objects", num, n);
		call_end(conn, call);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	for (size_t i = 0; i < n && r >= 0; i++)
		r += ready[i];
	return r;
}
