/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "core/get.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/make.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/pending.h"
#include "core/state.h"
#include "core/watch.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* A request as far as it matters here, from a packet or from a pending. */
struct get {
	uint32_t conn;
	uint16_t type;
	uint64_t serial;
	uint32_t flags, limit;
	const struct id128 *ids;
	size_t n;
};

/* ---- answers ---- */

static void refuse(struct core *core, const struct get *get, int status, const struct id128 *id)
{
	const char *name = object_id_text(core, id), *text;

	switch (status) {
	case -ENODATA:
	case -ENOENT:
		text = gone_explain(core, get->conn, id);
		break;
	case -ETIMEDOUT:
		text = scratch_text(core, "object %s was not there before the timeout; wait longer, "
			"or see if its producer still runs", name);
		break;
	default:
		text = scratch_text(core, "object %s: cannot be got", name);
	}
	effect_refuse(core, get->conn, get->type, get->serial, status, text);
}

static bool is_inline(const struct core *core, const struct get *get,
	const struct object_record *record)
{
	return record->size <= core->config.inline_max && !(get->flags & WIRE_GET_MAP);
}

static struct core_place place_of(const struct core *core, const struct object_record *record)
{
	if (record->fd == OBJECT_IN_PACK)
		return (struct core_place){ CORE_PLACE_PACK,
			pack_offset(core, record->place, record->size) };
	return (struct core_place){ record->fd, 0 };
}

/* Add the references, reply with the objects.  All of them are sealed and seen. */
static void grant(struct core *core, const struct get *get, const uint32_t *objects)
{
	struct wire_item *items = scratch_alloc(core, get->n, sizeof *items);
	struct core_place *inline_places = NULL;
	int *fds = NULL;
	struct core_effect *effect;
	uint32_t n_fds = 0;

	if (!holding_room(core, get->conn, get->n)) {
		effect_refuse(core, get->conn, get->type, get->serial, -ENOMEM,
			"the broker's table of references is full: release some");
		return;
	}
	if (!(get->flags & WIRE_GET_REF)) {
		fds = scratch_alloc(core, get->n, sizeof *fds);
		inline_places = scratch_alloc(core, get->n, sizeof *inline_places);
	}
	holdings_prefetch(core, get->conn, objects, get->n);
	for (size_t i = 0; i < get->n; i++) {
		const uint32_t o = objects[i];
		const struct object_record *record = object_record(core, o);
		bool pin = false;

		object_touch(core, o);
		object_describe(core, o, &items[i]);
		if (inline_places)
			inline_places[i].fd = CORE_PLACE_NONE;
		if (get->flags & WIRE_GET_REF) {
			/* nothing travels */
		} else if (is_inline(core, get, record)) {
			items[i].flags = WIRE_ITEM_INLINE;
			items[i].data_size = record->size;
			inline_places[i] = place_of(core, record);
		} else {
			items[i].flags = WIRE_ITEM_FD;
			fds[n_fds++] = record->fd;
			pin = true;
		}
		holding_add(core, get->conn, o, 1, pin);
	}
	tables_count(&core->tables, COUNTER_GETS, get->n);
	effect = effect_add(core, CORE_REPLY);
	effect->conn = get->conn;
	effect->fds = fds;
	effect->n_fds = n_fds;
	effect->inline_places = inline_places;
	effect->reply = (struct wire_reply){
		.type = get->type,
		.serial = get->serial,
		.n_fds = n_fds,
		.items = items,
		.n_items = get->n,
	};
}

/* statuses[]: 0 ready, -EAGAIN not yet, else gone. */
static void reply_wait(struct core *core, const struct get *get, const int32_t *statuses)
{
	struct wire_item *items = scratch_alloc(core, get->n, sizeof *items);
	struct wire_reply *reply = effect_reply(core, get->conn, get->type, get->serial);

	for (size_t i = 0; i < get->n; i++) {
		items[i].id = get->ids[i];
		items[i].status = statuses[i];
	}
	reply->items = items;
	reply->n_items = get->n;
}

/* ---- decisions ---- */

static bool wait_is_decided(size_t n, size_t limit, size_t n_ready, size_t n_gone)
{
	limit = MIN(limit, n);
	return n_ready >= limit || n - n_gone < limit;
}

/* Look at each id now.  Return: can it be answered? */
static bool look(struct core *core, const struct get *get, uint32_t *objects, int32_t *statuses)
{
	size_t n_ready = 0, n_gone = 0;

	if (get->n > 1)
		objects_prefetch(core, get->ids, sizeof *get->ids, get->n);
	for (size_t i = 0; i < get->n; i++) {
		objects[i] = object_find_seen(core, &get->ids[i], get->conn);
		if (objects[i] != TABLES_NONE) {
			statuses[i] = 0;
			n_ready++;
		} else {
			statuses[i] = gone_status(core, get->conn, &get->ids[i]);
			if (statuses[i] == 0)
				statuses[i] = -EAGAIN;
			else
				n_gone++;
		}
	}
	if (get->type == WIRE_WAIT)
		return wait_is_decided(get->n, get->limit, n_ready, n_gone);
	return n_gone > 0 || n_ready == get->n;
}

/* Answer as it stands.  missing: what a GET is told of an id that is not there. */
static void answer(struct core *core, const struct get *get, const uint32_t *objects,
	const int32_t *statuses, int missing)
{
	const struct id128 *absent = NULL;

	if (get->type == WIRE_WAIT) {
		reply_wait(core, get, statuses);
		return;
	}
	for (size_t i = 0; i < get->n; i++) {
		if (statuses[i] == -EAGAIN) {
			absent = &get->ids[i];
		} else if (statuses[i] < 0) {
			refuse(core, get, statuses[i], &get->ids[i]);
			return;
		}
	}
	if (absent)
		refuse(core, get, missing, absent);
	else
		grant(core, get, objects);
}

/* ---- waiting ---- */

void get_set_status(struct watch *watch, int status)
{
	struct pending *pending = watch->pending;

	if (watch->status == 0)
		pending->n_ready--;
	else if (watch->status != -EAGAIN)
		pending->n_gone--;
	watch->status = status;
	if (status == 0)
		pending->n_ready++;
	else if (status != -EAGAIN)
		pending->n_gone++;
}

bool get_is_decided(const struct pending *pending)
{
	if (pending->type == WIRE_WAIT)
		return wait_is_decided(pending->n_items, pending->limit, pending->n_ready,
			pending->n_gone);
	return pending->n_gone > 0 || pending->n_ready == pending->n_items;
}

static struct get get_of_pending(struct core *core, const struct pending *pending)
{
	struct id128 *ids = scratch_alloc(core, pending->n_items, sizeof *ids);

	for (size_t i = 0; i < pending->n_items; i++)
		ids[i] = pending->outcomes[i].id;
	return (struct get){
		.conn = pending->connection,
		.type = pending->type,
		.serial = pending->serial,
		.flags = pending->flags,
		.limit = pending->limit,
		.ids = ids,
		.n = pending->n_items,
	};
}

/* ---- mapping what is in the pack ---- */

static bool needs_memfd(const struct core *core, const struct get *get, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	return record->fd == OBJECT_IN_PACK && !(get->flags & WIRE_GET_REF) &&
	       !is_inline(core, get, record);
}

/* Are all objects there, and some of them in the pack though they are to be mapped? */
static bool must_unpack(const struct core *core, const struct get *get, const uint32_t *objects,
	const int32_t *statuses)
{
	bool any = false;

	for (size_t i = 0; i < get->n; i++) {
		if (get->type != WIRE_GET || statuses[i] != 0)
			return false;
		any |= needs_memfd(core, get, objects[i]);
	}
	return any && holding_room(core, get->conn, get->n);
}

/* Ask for the memfds, and for room for them.  Until the GET is answered they stay. */
static void unpack(struct core *core, struct pending *pending, const struct get *get,
	const uint32_t *objects)
{
	watches_remove(core, pending);
	free(pending->watches);
	pending->watches = NULL;
	pending->unpacking = true;
	pending->n_unfinished = 0;
	pending->wanted = must_alloc(get->n, sizeof *pending->wanted);
	for (size_t i = 0; i < get->n; i++) {
		if (needs_memfd(core, get, objects[i]))
			make_unpack(core, pending, i, objects[i]);
		pending->wanted[pending->n_wanted++] = (struct wanted){
			objects[i], object_record(core, objects[i])->sequence };
		object_want(core, objects[i], 1);
	}
	pending_set_deadline(core, pending, deadline_ns(core->now,
		pending->timeout_ns > 0 ? pending->timeout_ns : core->config.queue_deadline_ns));
}

void get_unwant(struct core *core, struct pending *pending)
{
	const uint32_t n = pending->n_wanted;

	pending->n_wanted = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct wanted *wanted = &pending->wanted[i];
		const struct object_record *record = object_record(core, wanted->object);

		if (record->state && record->sequence == wanted->sequence)
			object_want(core, wanted->object, -1);
	}
	free(pending->wanted);
	pending->wanted = NULL;
}

/* Answer, and end the pending; or let it wait for memfds. */
static void answer_pending(struct core *core, struct pending *pending, const struct get *get,
	const uint32_t *objects, const int32_t *statuses, int missing)
{
	if (must_unpack(core, get, objects, statuses)) {
		unpack(core, pending, get, objects);
		return;
	}
	answer(core, get, objects, statuses, missing);
	pending_free(core, pending);
}

void get_unpacked(struct core *core, struct pending *pending)
{
	const struct get get = get_of_pending(core, pending);
	uint32_t *objects = scratch_alloc(core, get.n, sizeof *objects);
	int32_t *statuses = scratch_alloc(core, get.n, sizeof *statuses);

	if (pending->status < 0) {
		effect_refuse(core, get.conn, get.type, get.serial, pending->status,
			scratch_text(core, "%s", pending->text));
		pending_free(core, pending);
		return;
	}
	look(core, &get, objects, statuses);
	get_unwant(core, pending);
	answer_pending(core, pending, &get, objects, statuses, -ENOENT);
}

/* ---- ends ---- */

static void end(struct core *core, struct pending *pending, int missing)
{
	const struct get get = get_of_pending(core, pending);
	uint32_t *objects = scratch_alloc(core, get.n, sizeof *objects);
	int32_t *statuses = scratch_alloc(core, get.n, sizeof *statuses);

	for (size_t i = 0; i < get.n; i++) {
		statuses[i] = pending->watches[i].status;
		if (statuses[i] == 0)
			objects[i] = object_find_seen(core, &get.ids[i], get.conn);
	}
	answer_pending(core, pending, &get, objects, statuses, missing);
}

void get_finish(struct core *core, struct pending *pending)
{
	end(core, pending, -ENOENT);
}

void get_expire(struct core *core, struct pending *pending)
{
	end(core, pending, -ETIMEDOUT);
}

/* Let the pending wait for its ids. */
static void wait_for(struct core *core, struct pending *pending, const int32_t *statuses)
{
	const size_t n = pending->n_items;

	if (pending_charge(core, pending, n * (sizeof *pending->watches + sizeof(struct watched))) ==
		0)
		pending->watches = calloc(n, sizeof *pending->watches);
	if (!pending->watches) {
		effect_refuse(core, pending->connection, pending->type, pending->serial, -EBUSY,
			PENDING_TOO_MUCH);
		pending_free(core, pending);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		list_init(&pending->watches[i].link);
		pending->watches[i].status = -EAGAIN;
		watch_add(core, pending, i);
		get_set_status(&pending->watches[i], statuses[i]);
	}
	pending_set_deadline(core, pending, deadline_ns(core->now, pending->timeout_ns));
}

/* ---- requests ---- */

/* The request is complete: answer, or wait.  pending: NULL if it came in one packet. */
static void start(struct core *core, const struct get *get, const struct wire_request *request,
	struct pending *pending)
{
	uint32_t *objects = scratch_alloc(core, get->n, sizeof *objects);
	int32_t *statuses = scratch_alloc(core, get->n, sizeof *statuses);

	const bool known = look(core, get, objects, statuses) || request->timeout_ns <= 0;

	if (!pending && known && !must_unpack(core, get, objects, statuses)) {
		answer(core, get, objects, statuses, -ENOENT);
		return;
	}
	if (!pending) {
		pending = pending_for(core, get->conn, request);
		if (!pending)
			return;
		for (size_t i = 0; i < get->n; i++)
			pending_add(pending, &get->ids[i]);
		pending->assembling = false;
		core->connections[get->conn].n_assembling--;
	}
	if (known)
		answer_pending(core, pending, get, objects, statuses, -ENOENT);
	else
		wait_for(core, pending, statuses);
}

void request_get(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct id128 *ids;
	struct get get;

	if (request->more || pending_is_assembling(core, conn, request->serial)) {
		struct pending *pending = pending_for(core, conn, request);

		if (!pending)
			return;
		for (size_t i = 0; i < request->n_items; i++)
			pending_add(pending, &request->items[i].id);
		if (request->more)
			return;
		pending->assembling = false;
		core->connections[conn].n_assembling--;
		get = get_of_pending(core, pending);
		start(core, &get, request, pending);
		return;
	}
	ids = scratch_alloc(core, request->n_items, sizeof *ids);
	for (size_t i = 0; i < request->n_items; i++)
		ids[i] = request->items[i].id;
	get = (struct get){
		.conn = conn,
		.type = request->type,
		.serial = request->serial,
		.flags = request->flags,
		.limit = request->limit,
		.ids = ids,
		.n = request->n_items,
	};
	start(core, &get, request, NULL);
}
