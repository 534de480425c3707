/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core does: each effect is held against the rules when it comes, and
 * when the event has no more of them, against what had to come.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "model-private.h"
#include "util/clock.h"

static const char *status_name(int status)
{
	return status ? strerrorname_np(-status) : "ok";
}

static const char *type_name(uint16_t type)
{
	const char *name = wire_type_name(type);

	return name ? name : "?";
}

/* ---- replies: what they say of an object ---- */

static int object_of_fd(const struct model *m, int fd)
{
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].fd >= 0 && m->objects[i].fd == fd)
			return i;
	return -1;
}

/* R10: an address is one object's, for as long as it is there. */
static void check_address(struct model *m, int object, uint64_t address)
{
	struct object *o = &m->objects[object];

	if (o->address && o->address != address)
		broken("R10: object %d moves from %#llx to %#llx", o->id,
			(unsigned long long)o->address, (unsigned long long)address);
	if (address == 0)
		broken("R10: object %d of %llu bytes has no address", o->id,
			(unsigned long long)o->size);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *other = &m->objects[i];

		if (i != object && other->live && other->address < address + o->size &&
			address < other->address + other->size)
			broken("R10: objects %d and %d overlap at %#llx", o->id, other->id,
				(unsigned long long)address);
	}
	if (address % (UINT64_C(2) << 20) || address < m->config.arena_base)
		broken("R10: %#llx is no place for an object", (unsigned long long)address);
	o->address = address;
}

static void check_metadata(const struct object *o, const struct wire_item *item)
{
	if (item->metadata_size != o->metadata_size ||
		!request_is_filled(item->metadata, item->metadata_size, o->metadata_tag))
		broken("object %d is told with metadata that is not its own", o->id);
}

static void check_description(struct model *m, int object, const struct wire_item *item)
{
	const struct object *o = &m->objects[object];

	if (item->size != o->size || item->uid != o->uid || item->gid != o->gid ||
		item->mode != o->mode)
		broken("object %d is described as size %llu uid %u gid %u mode %o, but is size %llu "
		       "uid %u gid %u mode %o", o->id, (unsigned long long)item->size, item->uid,
			item->gid, item->mode, (unsigned long long)o->size, o->uid, o->gid, o->mode);
	if (item->state != (o->state == OBJECT_DRAFT ? WIRE_CREATED : WIRE_RESIDENT))
		broken("object %d is described as in state %u", o->id, item->state);
	check_address(m, object, item->address);
}

/* The descriptor is the object's own, and the bytes behind it are what was put there. */
static void check_fd(const struct model *m, int object, int fd, bool draft)
{
	const struct object *o = &m->objects[object];
	const struct kernel_memfd *file = kernel_file(m->kernel, fd);

	if (!file || kernel_inode(m->kernel, fd) != o->inode || fd != o->fd)
		broken("the descriptor given for object %d is not its own", o->id);
	if (file->size != o->size)
		broken("object %d has %llu bytes in the kernel, not %llu", o->id,
			(unsigned long long)file->size, (unsigned long long)o->size);
	if (draft) {
		if (file->given && file->sealed)
			broken("the draft %d is sealed already", o->id);
		return;
	}
	if (!file->sealed)
		broken("object %d is handed out without its seals", o->id);
	if (file->tag != o->tag)
		broken("object %d has other bytes than were put there", o->id);
}

static void check_place(const struct model *m, int object, const struct core_place *place)
{
	const struct object *o = &m->objects[object];

	if (!o->packed) {
		check_fd(m, object, place->fd, false);
		return;
	}
	if (place->fd != CORE_PLACE_PACK || place->offset != o->place)
		broken("object %d is read from another place than its own", o->id);
	if (kernel_pack_read(m->kernel, m->pack.fd, place->offset, o->size) != o->tag)
		broken("object %d has other bytes in the pack than were put there", o->id);
}

/* ---- objects that a GET has taken out of the pack ---- */

static bool is_small(const struct model *m, const struct wait *wait, const struct object *o)
{
	return o->size <= m->config.inline_max && !(wait->request.flags & WIRE_GET_MAP);
}

bool model_must_unpack(const struct model *m, const struct wait *wait)
{
	bool any = false;

	if (wait->request.type != WIRE_GET || wait->request.flags & WIRE_GET_REF)
		return false;
	for (uint32_t i = 0; i < wait->request.n_items; i++) {
		int object = model_visible(m, wait->conn, wait->request.items[i].id);

		if (object < 0)
			return false;
		any |= m->objects[object].packed && !is_small(m, wait, &m->objects[object]);
	}
	return any;
}

/* The object that the item was about when the GET began to wait for memfds; -1: it is gone. */
static int unpacked_object(const struct model *m, const struct wait *wait, uint32_t item)
{
	const struct object *o;

	if (wait->object[item] < 0)
		return -1;
	o = &m->objects[wait->object[item]];
	return o->live && o->order == wait->orders[item] && !o->deleted ? wait->object[item] : -1;
}

bool model_is_wanted(const struct model *m, int object)
{
	for (uint32_t i = 0; i < m->n_waits; i++)
		for (uint32_t k = 0; m->waits[i].used && m->waits[i].unpacking &&
			k < m->waits[i].request.n_items; k++)
			if (unpacked_object(m, &m->waits[i], k) == object)
				return true;
	return false;
}

void model_unwant(struct model *m, struct wait *wait)
{
	if (!wait->unpacking)
		return;
	wait->unpacking = false;
	for (uint32_t k = 0; k < wait->request.n_items; k++) {
		int object = unpacked_object(m, wait, k);

		wait->object[k] = -1;
		if (object >= 0)
			model_holders_changed(m, object);
	}
}

bool model_want_is_stale(const struct model *m, const struct want *want)
{
	const struct object *o;

	if (!want->unpack)
		return false;
	o = &m->objects[want->object];
	return !o->live || o->order != want->order || !o->packed || o->doomed;
}

static bool has_wants(const struct model *m, const struct wait *wait)
{
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].wait == wait - m->waits)
			return true;
	return false;
}

static void begin_unpacking(struct model *m, struct wait *wait)
{
	uint64_t arrival = ++m->arrivals;

	model_unwant(m, wait); /* what it wanted before may have gone, and been put again */
	wait->unpacking = true;
	wait->failed = 0;
	for (uint32_t k = 0; k < wait->request.n_items; k++) {
		int object = model_visible(m, wait->conn, wait->request.items[k].id), w = 0;
		struct object *o = &m->objects[object];

		wait->object[k] = object;
		wait->orders[k] = o->order;
		o->idle_since = 0;
		if (!o->packed || is_small(m, wait, o))
			continue;
		while (m->wants[w].used)
			if (++w == WANTS)
				broken("the simulation has too few wants");
		model_join_queue(m, m->conns[wait->conn].uid);
		m->wants[w] = (struct want){
			.used = true,
			.state = WANT_QUEUED,
			.wait = wait - m->waits,
			.item = k,
			.id = o->id,
			.uid = m->conns[wait->conn].uid,
			.bytes = model_charge(m, o->size),
			.size = o->size,
			.fd = -1,
			.arrival = arrival,
			.unpack = true,
			.object = object,
			.order = o->order,
		};
	}
	if (wait->deadline == INT64_MAX || wait->request.timeout_ns == 0)
		wait->deadline = deadline_ns(m->now, wait->request.timeout_ns > 0 ?
			wait->request.timeout_ns : m->config.queue_deadline_ns);
}

/* The last that was sealed in this event of what it asks for; 0: all was there before. */
static uint64_t last_sealed(const struct model *m, const struct wait *wait)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < wait->request.n_items; i++) {
		int object = model_visible(m, wait->conn, wait->request.items[i].id);

		if (object >= 0 && m->objects[object].sealed_event == m->event &&
			m->objects[object].order > last)
			last = m->objects[object].order;
	}
	return last;
}

static bool was_ready_before(const struct model *m, const struct wait *a, const struct wait *b)
{
	uint64_t x = last_sealed(m, a), y = last_sealed(m, b);

	return x != y ? x < y : a->arrival < b->arrival;
}

/* GETs of which all is there now, and some of it in the pack, ask for memfds, in the order in
 * which they came. */
static void begin_all_unpacking(struct model *m)
{
	for (;;) {
		struct wait *first = NULL;

		for (uint32_t i = 0; i < m->n_waits; i++) {
			struct wait *wait = &m->waits[i];

			if (wait->used && !wait->asleep && !wait->assembling && !wait->refused &&
				!wait->canceled && !wait->failed && model_must_unpack(m, wait) &&
				(!wait->unpacking || !has_wants(m, wait)) &&
				(!first || was_ready_before(m, wait, first)))
				first = wait;
		}
		if (!first)
			return;
		begin_unpacking(m, first);
	}
}

static void end_stale_wants(struct model *m)
{
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_QUEUED && m->wants[i].wait >= 0 &&
			model_want_is_stale(m, &m->wants[i]))
			model_end_want(m, &m->wants[i]);
}

/* ---- replies: GET and WAIT (R7, R8) ---- */

static bool get_is_ready(const struct model *m, const struct wait *wait)
{
	for (uint32_t i = 0; i < wait->request.n_items; i++)
		if (model_visible(m, wait->conn, wait->request.items[i].id) < 0)
			return false;
	return true;
}

/* What a GET must be told because of an id that is gone; 0: nothing. */
static int get_gone(const struct model *m, uint32_t conn, const struct request *request)
{
	for (uint32_t i = 0; i < request->n_items; i++) {
		int id = request->items[i].id, gone = model_gone(m, conn, id);

		if (gone && model_visible(m, conn, id) < 0)
			return gone;
	}
	return 0;
}

static bool get_any_gone(const struct model *m, uint32_t conn, const struct request *request,
	int status)
{
	for (uint32_t i = 0; i < request->n_items; i++) {
		int id = request->items[i].id;

		if (model_gone(m, conn, id) == status && model_visible(m, conn, id) < 0)
			return true;
	}
	return false;
}

static bool share_an_id(const struct wait *a, const struct wait *b)
{
	for (uint32_t i = 0; i < a->request.n_items; i++)
		for (uint32_t k = 0; k < b->request.n_items; k++)
			if (a->request.items[i].id == b->request.items[k].id)
				return true;
	return false;
}

static uint32_t n_sealed_now(const struct model *m)
{
	uint32_t n = 0;

	for (int i = 0; i < OBJECTS; i++)
		n += m->objects[i].live && m->objects[i].sealed_event == m->event;
	return n;
}

static void check_get_order(const struct model *m, const struct wait *wait)
{
	if (n_sealed_now(m) > 1)
		return; /* one after the other: the last one of each GET counts */
	for (uint32_t i = 0; i < m->n_waits; i++) {
		const struct wait *other = &m->waits[i];

		if (other->used && !other->asleep && other->request.type == WIRE_GET &&
			other->expect == EXPECT_LATER && !other->assembling && !other->unpacking &&
			!model_must_unpack(m, other) && other->arrival < wait->arrival &&
			!other->refused && !other->canceled &&
			share_an_id(other, wait) && get_is_ready(m, other))
			broken("R7: GET %llu of connection %u is served before GET %llu of connection "
			       "%u, which came first", (unsigned long long)wait->request.serial,
				wait->conn, (unsigned long long)other->request.serial, other->conn);
	}
}

static void cover_rights(struct model *m, uint32_t conn, const struct object *o)
{
	const struct conn *c = &m->conns[conn];
	bool grouped = c->gid == o->gid;

	for (size_t i = 0; i < c->n_groups; i++)
		grouped |= c->groups[i] == o->gid;
	if (c->uid == 0 || c->uid == o->uid)
		return;
	if (grouped)
		COVER(m, GETS_BY_GROUP);
	else
		COVER(m, GETS_BY_OTHERS);
}

static void grant(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	uint32_t fd = 0;

	if (!wait->unpacking)
		check_get_order(m, wait);
	model_unwant(m, wait);
	for (uint32_t i = 0; i < reply->n_items; i++) {
		const struct wire_item *item = &reply->items[i];
		int object = model_visible(m, wait->conn, request_id_number(&item->id));
		struct object *o;
		bool small;

		if (object < 0)
			broken("R8: GET of id %d succeeds, which connection %u cannot see",
				request_id_number(&item->id), wait->conn);
		o = &m->objects[object];
		check_description(m, object, item);
		check_metadata(o, item);
		cover_rights(m, wait->conn, o);
		small = is_small(m, wait, o);
		m->conns[wait->conn].refs[object]++;
		if (wait->request.flags & WIRE_GET_REF) {
			if (item->flags & (WIRE_ITEM_FD | WIRE_ITEM_INLINE))
				broken("a GET of references is answered with bytes");
			COVER(m, REF_READS);
		} else if (small) {
			if (!(item->flags & WIRE_ITEM_INLINE) || item->data_size != o->size ||
				!effect->inline_places)
				broken("object %d of %llu bytes is not answered inline", o->id,
					(unsigned long long)o->size);
			check_place(m, object, &effect->inline_places[i]);
			COVER(m, INLINE_READS);
		} else {
			if (!(item->flags & WIRE_ITEM_FD))
				broken("object %d is answered without a descriptor", o->id);
			check_fd(m, object, effect->fds[fd++], false);
			m->conns[wait->conn].pins[object]++;
			COVER(m, FD_READS);
		}
		model_holders_changed(m, object);
	}
	if (wait->waited)
		COVER(m, GETS_WAITED);
}

static bool is_late(const struct model *m, const struct wait *wait)
{
	return wait->deadline <= m->now;
}

/* It was told that one of these is gone: that must be so when the event is over. */
static void suspect(struct model *m, const struct wait *wait, uint32_t first, uint32_t n)
{
	struct request *suspect = &m->suspects[m->n_suspects];

	if (m->n_suspects == sizeof m->suspects / sizeof m->suspects[0])
		return;
	m->suspect_conns[m->n_suspects++] = wait->conn;
	suspect->n_items = n;
	memcpy(suspect->items, wait->request.items + first, n * sizeof suspect->items[0]);
}

/* What waited for room until now has failed.  Return: was there any? */
static bool end_late_wants(struct model *m, const struct wait *wait)
{
	bool any = false;

	for (int i = 0; i < WANTS; i++)
		if (is_late(m, wait) && m->ticked && m->wants[i].used &&
			m->wants[i].state == WANT_QUEUED && m->wants[i].wait == wait - m->waits) {
			model_end_want(m, &m->wants[i]);
			COVER(m, QUEUE_EXPIRED);
			any = true;
		}
	return any;
}

/* In the middle of an event that deletes several, some are still there. */
static bool went_now(const struct model *m, int id)
{
	return id >= 0 && id < IDS && m->gone[id].reason && m->gone[id].event == m->event;
}

/* Its deadline passed, and one of its objects went, in one tick: either may be told. */
static bool went_too_late(const struct model *m, const struct wait *wait)
{
	bool went = false;

	for (uint32_t i = 0; i < wait->request.n_items; i++)
		went |= went_now(m, wait->request.items[i].id);
	return went && m->ticked && is_late(m, wait);
}

static void reply_get(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;

	if (wait->unpacking) {
		bool late = end_late_wants(m, wait);

		end_stale_wants(m);
		if (has_wants(m, wait))
			broken("a GET is answered before the memfds for it are made");
		if (reply->status < 0 && reply->status == wait->failed)
			return; /* some of it was late before, and the rest had to be made */
		if (reply->status == -ENOBUFS && (late || went_too_late(m, wait)))
			return;
		if ((reply->status == -ENOENT || reply->status == -ENODATA) && !get_is_ready(m, wait) &&
			!wait->failed && !late)
			return; /* something went while it waited */
		if (wait->failed || late)
			broken("a GET is answered %s, though a memfd for it could not be made",
				status_name(reply->status));
	}
	switch (reply->status) {
	case 0:
		if (reply->n_items != wait->request.n_items)
			broken("GET of %u ids is answered with %u", wait->request.n_items,
				reply->n_items);
		grant(m, wait, effect);
		return;
	case -ETIMEDOUT:
		if (!is_late(m, wait) || wait->request.timeout_ns == 0)
			broken("R7: a GET times out before its deadline");
		if (get_is_ready(m, wait))
			broken("R7: a GET times out though all is there");
		COVER(m, GETS_TIMED_OUT);
		return;
	case -ENOENT:
	case -ENODATA:
		if (reply->status == -ENOENT && wait->request.timeout_ns == 0) {
			if (get_is_ready(m, wait))
				broken("R7: a GET finds nothing though all is there");
			for (uint32_t i = 0; i < wait->request.n_items; i++)
				if (model_find(m, wait->request.items[i].id) >= 0 &&
					model_visible(m, wait->conn, wait->request.items[i].id) < 0)
					COVER(m, GETS_UNREADABLE);
			return;
		}
		if (reply->status == -ENODATA)
			COVER(m, LOST_ANSWERS);
		else
			COVER(m, GETS_GONE);
		if (get_any_gone(m, wait->conn, &wait->request, reply->status))
			return;
		suspect(m, wait, 0, wait->request.n_items);
		return;
	}
	broken("GET is answered %s", status_name(reply->status));
}

static void count_ids(const struct model *m, const struct wait *wait, uint32_t *ready,
	uint32_t *gone)
{
	*ready = *gone = 0;
	for (uint32_t i = 0; i < wait->request.n_items; i++) {
		int id = wait->request.items[i].id;

		if (model_visible(m, wait->conn, id) >= 0)
			++*ready;
		else if (model_gone(m, wait->conn, id))
			++*gone;
	}
}

static uint32_t wait_limit(const struct wait *wait)
{
	uint32_t limit = wait->request.limit, n = wait->request.n_items;

	return limit < n ? limit : n;
}

static bool wait_is_over(const struct model *m, const struct wait *wait)
{
	uint32_t ready, gone;

	count_ids(m, wait, &ready, &gone);
	return ready >= wait_limit(wait) || wait->request.n_items - gone < wait_limit(wait);
}

bool model_get_over(const struct model *m, const struct wait *wait)
{
	if (wait->request.type == WIRE_WAIT)
		return wait_is_over(m, wait);
	if (wait->unpacking)
		return !has_wants(m, wait);
	return get_is_ready(m, wait) || get_gone(m, wait->conn, &wait->request);
}

/* In the middle of one that seals several, some are not there yet. */
static bool came_now(const struct model *m, uint32_t conn, int id)
{
	int i = model_visible(m, conn, id);

	return i >= 0 && m->objects[i].sealed_event == m->event;
}

/* It was gone when this event began, and is there again. */
static bool came_back(const struct model *m, uint32_t conn, int id)
{
	return id >= 0 && id < IDS && m->gone[id].back == m->event && came_now(m, conn, id);
}

static void reply_wait(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	bool partial = false, went = false;

	if (reply->status || reply->n_items != wait->request.n_items)
		broken("WAIT for %u ids is answered %s with %u", wait->request.n_items,
			status_name(reply->status), reply->n_items);
	for (uint32_t i = 0; i < reply->n_items; i++) {
		int id = wait->request.items[i].id, status = reply->items[i].status;
		bool ready = model_visible(m, wait->conn, id) >= 0;

		if (request_id_number(&reply->items[i].id) != id && id < ID_ALIEN)
			broken("WAIT is answered with an id that was not asked for");
		if (status == 0 && !ready && !went_now(m, id))
			broken("WAIT says that id %d is there, and it is not", id);
		if (ready && status < 0 && status != -EAGAIN) {
			if (!came_back(m, wait->conn, id))
				suspect(m, wait, i, 1);
		} else if (ready && status != 0 &&
			!(status == -EAGAIN && came_now(m, wait->conn, id)))
			broken("WAIT says %s of id %d, which is there", status_name(status), id);
		if (status != 0 && status != -EAGAIN && status != -ENOENT && status != -ENODATA)
			broken("WAIT says %s of id %d", status_name(status), id);
		partial |= status != 0;
		went |= went_now(m, id);
	}
	if (!went && !m->n_suspects && !wait_is_over(m, wait) && !is_late(m, wait) &&
		wait->request.timeout_ns)
		broken("WAIT ends before its time");
	if (partial)
		COVER(m, WAITS_PARTIAL);
}

/* ---- replies: the rest ---- */

/* Each item's status, and the reply's: that of the item that failed first. */
static void check_statuses(const struct wait *wait, const struct wire_reply *reply)
{
	bool failed = false, told = false;

	if (reply->n_items == 0 && wait->request.n_items == 1) {
		if (reply->status != wait->status[0])
			broken("%s is answered %s, not %s", type_name(reply->type),
				status_name(reply->status), status_name(wait->status[0]));
		return;
	}
	if (wait->request.n_items == 0) {
		if (reply->status != wait->status[0])
			broken("%s is answered %s, not %s", type_name(reply->type),
				status_name(reply->status), status_name(wait->status[0]));
		return;
	}
	if (reply->n_items != wait->request.n_items)
		broken("%s with %u items is answered with %u", type_name(reply->type),
			wait->request.n_items, reply->n_items);
	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (reply->items[i].status != wait->status[i])
			broken("%s of id %d is answered %s, not %s", type_name(reply->type),
				wait->request.items[i].id, status_name(reply->items[i].status),
				status_name(wait->status[i]));
		failed |= wait->status[i] != 0;
		told |= wait->status[i] == reply->status;
	}
	if (failed ? !told || reply->status == 0 : reply->status != 0)
		broken("%s is answered %s, and no item failed so", type_name(reply->type),
			status_name(reply->status));
}

static void reply_create(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	bool expired = false;

	for (int i = 0; i < WANTS; i++) {
		struct want *want = &m->wants[i];

		if (!want->used || want->wait != wait - m->waits)
			continue;
		if (m->lossy && want->state == WANT_QUEUED && want->fd >= 0 &&
			reply->status == -ENOBUFS) {
			/* Holders that the model does not know keep what it would evict. */
			wait->status[want->item] = reply->status;
			model_end_want(m, want);
			continue;
		}
		if (want->state != WANT_QUEUED || !is_late(m, wait))
			broken("%s is answered before it is done", type_name(reply->type));
		wait->status[want->item] = -ENOBUFS;
		model_end_want(m, &m->wants[i]);
		expired = true;
	}
	if (expired) {
		COVER(m, QUEUE_EXPIRED);
		if (reply->status == -ENOBUFS && !strstr(reply->text ? reply->text : "", "release"))
			broken("R9: the answer to a full store does not say what to do");
	}
	check_statuses(wait, reply);
	if (reply->status == -ECANCELED)
		COVER(m, CANCELED);
	if (reply->type == WIRE_CREATE && reply->status == 0) {
		if (effect->n_fds != 1 || !(reply->items[0].flags & WIRE_ITEM_FD))
			broken("CREATE is answered without a descriptor");
		check_fd(m, wait->object[0], effect->fds[0], true);
	}
	if (reply->type == WIRE_CREATE && reply->status == 0) {
		if (reply->items[0].size != m->objects[wait->object[0]].size)
			broken("%s is answered with another size", type_name(reply->type));
		check_address(m, wait->object[0], reply->items[0].address);
	}
}

static void reply_seal(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	/* A writer whom nobody has told so holds it up, until he reconciles. */
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &m->objects[i];

		if (m->lossy && o->live && o->sealing && o->seal_ticket == 0 &&
			o->sealer == wait - m->waits &&
			effect->reply.items[o->sealer_item].status == -EBUSY)
			model_stop_waiting(m, i, -EBUSY);
	}
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].sealing &&
			m->objects[i].sealer == wait - m->waits && !m->objects[i].doomed)
			broken("SEAL is answered before the kernel has sealed");
	check_statuses(wait, &effect->reply);
}

/* R17 */
static void check_attributes(const struct object *o, const struct wire_item *item)
{
	const char *call_site = request_call_site(o->attributes.call_site);
	char labels[512];
	uint32_t size = request_labels(&o->attributes, labels);

	if (item->labels_size != size || memcmp(item->labels ? item->labels : "", labels, size) != 0)
		broken("R17: object %d is told with labels that are not its own", o->id);
	if (!item->call_site != !call_site || (call_site && strcmp(item->call_site, call_site) != 0))
		broken("R17: object %d is told with another call site", o->id);
	if (item->priority != o->attributes.priority)
		broken("R17: object %d is told with priority %d, not %d", o->id, item->priority,
			o->attributes.priority);
	if (!(item->flags & WIRE_ITEM_PIN) != !o->pinned)
		broken("R17: object %d is said %sto be pinned", o->id, o->pinned ? "not " : "");
	if (!item->expires_ns != !o->expires)
		broken("R17: object %d is said to expire at %lld, and does at %lld", o->id,
			(long long)item->expires_ns, (long long)o->expires);
}

/* Those that are told of this item. */
static void check_holders(const struct model *m, int object, const struct wire_reply *reply,
	uint32_t number)
{
	const struct wire_item *item = &reply->items[number];
	const struct object *o = &m->objects[object];
	uint64_t refs, pins, conn_refs = 0, conn_pins = 0, names = 0, leases = 0;

	refs = model_refs(m, object);
	pins = model_pins(m, object);
	if (item->refs != refs || item->pins != pins)
		broken("object %d is said to have %u references and %u pins, but it has %llu and "
		       "%llu", o->id, item->refs, item->pins, (unsigned long long)refs,
			(unsigned long long)pins);
	for (uint32_t i = 0; i < reply->n_holders; i++) {
		const struct wire_holder *holder = &reply->holders[i];

		if (holder->item != number)
			continue;
		switch (holder->kind) {
		case 1:
			conn_refs += holder->refs;
			conn_pins += holder->pins;
			break;
		case 2:
			names++;
			break;
		case 3:
			leases++;
			break;
		}
	}
	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].live || m->conns[i].dying) {
			conn_refs -= m->conns[i].refs[object];
			conn_pins -= m->conns[i].pins[object];
		}
	for (int i = 0; i < MODEL_NAMES; i++)
		names -= m->names[i].used && m->names[i].object == object;
	names -= o->state == OBJECT_DRAFT && o->name != NAME_NONE;
	for (int i = 0; i < LEASES; i++)
		leases -= m->leases[i].used && m->leases[i].object == object;
	if (conn_refs || conn_pins || leases || names > 1 || (names && !o->held))
		broken("the holders that are named for object %d are not who holds it", o->id);
}

static void reply_stat(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	const struct object *o;
	int object = wait->object[0];

	check_statuses(wait, reply);
	if (reply->status)
		return;
	o = &m->objects[object];
	if (o->deleted != !!(reply->items[0].flags & WIRE_ITEM_DELETED))
		broken("STAT of object %d is wrong about its deletion", o->id);
	if (o->deleted)
		return; /* several of this id may be held */
	check_description(m, object, &reply->items[0]);
	check_metadata(o, &reply->items[0]);
	check_attributes(o, &reply->items[0]);
	if (m->lossy)
		return; /* somebody may hold what nobody knows of, until he reconciles */
	check_holders(m, object, reply, 0);
}

/* Is it one that the LIST asks for? */
static bool is_asked_for(const struct model *m, const struct request *request, int object)
{
	const struct object *o = &m->objects[object];
	bool named = o->state == OBJECT_DRAFT && o->name >= 1 && o->name <= 3;

	if (request->label >= 0 && (o->attributes.labels[request->label] == 0 ||
		(request->label_value &&
			o->attributes.labels[request->label] != request->label_value)))
		return false;
	for (int i = 0; i < MODEL_NAMES; i++)
		named |= m->names[i].used && m->names[i].object == object &&
			m->names[i].name >= 1 && m->names[i].name <= 3;
	return named || !request->pattern;
}

/* Deleted, and still in memory: told to who asks for holders. */
static void check_kept(const struct model *m, const struct wait *wait,
	const struct wire_item *item)
{
	const int id = request_id_number(&item->id);

	if (!(wait->request.flags & WIRE_LIST_HOLDERS))
		broken("LIST shows id %d, which is deleted", id);
	if (m->lossy)
		return;
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].deleted && !m->objects[i].hollow &&
			m->objects[i].id == id && model_may_read(m, wait->conn, &m->objects[i]) &&
			is_asked_for(m, &wait->request, i))
			return;
	broken("R8: LIST shows deleted id %d, which connection %u cannot see", id, wait->conn);
}

/* A page: what the connection may read and no more, in order of creation. */
static void reply_list(struct model *m, struct wait *wait, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	const bool holders = wait->request.flags & WIRE_LIST_HOLDERS;
	uint64_t last = 0;
	uint32_t all = 0, shown = 0;

	if (reply->status)
		broken("LIST is answered %s", status_name(reply->status));
	if (!holders && (reply->n_holders || reply->skip))
		broken("LIST tells of holders, and was not asked to");
	for (uint32_t i = 0; i < reply->n_items; i++) {
		int id = request_id_number(&reply->items[i].id);
		int object = model_draft(m, wait->conn, id);

		if (reply->items[i].flags & WIRE_ITEM_DELETED) {
			check_kept(m, wait, &reply->items[i]);
			continue;
		}
		if (object < 0)
			object = model_visible(m, wait->conn, id);
		if (object < 0)
			broken("R8: LIST shows id %d, which connection %u cannot see", id, wait->conn);
		check_description(m, object, &reply->items[i]);
		if (holders && reply->items[i].metadata_size)
			broken("LIST with holders tells metadata");
		if (!holders)
			check_metadata(&m->objects[object], &reply->items[i]);
		check_attributes(&m->objects[object], &reply->items[i]);
		if (!is_asked_for(m, &wait->request, object))
			broken("LIST shows id %d, which was not asked for", id);
		if (m->objects[object].order <= last)
			broken("LIST is not in order of creation");
		last = m->objects[object].order;
		shown++;
		if (holders && !m->lossy && !reply->skip)
			check_holders(m, object, reply, i);
		if (wait->request.label >= 0)
			COVER(m, LISTED_BY_LABEL);
		if (wait->request.pattern)
			COVER(m, LISTED_BY_NAME);
	}
	if (reply->n_holders)
		COVER(m, LISTED_HOLDERS);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];

		all += o->live && !o->deleted && !o->doomed &&
			(model_draft(m, wait->conn, o->id) == i ||
				model_visible(m, wait->conn, o->id) == i) &&
			is_asked_for(m, &wait->request, i);
	}
	if (reply->cursor == 0 && wait->request.cursor == 0 && shown != all)
		broken("LIST shows %u of %u objects", shown, all);
}

static void reply_status(struct model *m, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;

	if (reply->status || reply->n_fields == 0)
		broken("STATUS is answered without fields");
	for (uint32_t i = 0; i < reply->n_fields; i++) {
		const struct wire_field *field = &reply->fields[i];

		if (strcmp(field->key, "capacity_bytes") == 0 && field->number != model_capacity(m))
			broken("STATUS says that the capacity is %llu",
				(unsigned long long)field->number);
		if (strcmp(field->key, "counter.bad_releases") == 0 && m->deaths == 0 &&
			field->number != m->bad_releases)
			broken("R3: STATUS counts %llu bad releases, not %llu",
				(unsigned long long)field->number,
				(unsigned long long)m->bad_releases);
	}
}

static struct wait *wait_of(struct model *m, uint32_t conn, uint64_t serial)
{
	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used && !m->waits[i].asleep && m->waits[i].conn == conn &&
			m->waits[i].request.serial == serial)
			return &m->waits[i];
	return NULL;
}

static void effect_resume(struct model *m, const struct core_effect *effect)
{
	struct conn *c = &m->conns[effect->conn];

	if (effect->reply.generation != m->generation)
		broken("WIRE_RESUME names generation %llu, not %llu",
			(unsigned long long)effect->reply.generation,
			(unsigned long long)m->generation);
	if (!c->resume_due)
		broken("WIRE_RESUME without a death");
	c->resume_due = false;
	c->resuming = true;
}

static bool wait_is_assembling(struct model *m, const struct core_effect *effect)
{
	const struct wait *wait = wait_of(m, effect->conn, effect->reply.serial);

	return wait && wait->assembling && !wait->refused;
}

static void effect_reply(struct model *m, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	struct wait *wait;
	uint32_t n_fds = 0;
	int status = -reply->status;

	if (effect->conn >= CONNS || !m->conns[effect->conn].live || m->conns[effect->conn].mute)
		broken("a reply goes to connection %u, which is over", effect->conn);
	if (reply->type == WIRE_RESUME) {
		effect_resume(m, effect);
		return;
	}
	if (wait_is_assembling(m, effect))
		broken("a request of several packets is answered before the last");
	if (m->conns[effect->conn].resuming)
		broken("connection %u gets a reply before it has reconciled", effect->conn);
	wait = wait_of(m, effect->conn, reply->serial);
	if (!wait)
		broken("connection %u gets a reply to serial %llu, which it does not wait for",
			effect->conn, (unsigned long long)reply->serial);
	if (reply->type != wait->request.type)
		broken("%s is answered as %s", type_name(wait->request.type), type_name(reply->type));
	if (status && (!reply->text || !reply->text[0]))
		broken("%s is answered %s without a sentence", type_name(reply->type),
			status_name(-status));
	for (uint32_t i = 0; i < reply->n_items; i++)
		n_fds += !!(reply->items[i].flags & WIRE_ITEM_FD);
	if (n_fds != effect->n_fds)
		broken("a reply has %u descriptors for %u items", effect->n_fds, n_fds);
	if (reply->more)
		broken("the core splits a reply");
	if (status >= 0 && status < COVERAGE_STATUSES)
		m->coverage->statuses[reply->type][status]++;
	if (wait->refused) {
		if (reply->status != -EBUSY)
			broken("R14: more requests wait than may");
		COVER(m, PENDING_LIMIT);
	} else if (reply->status == -ECANCELED && !model_is_create(reply->type) &&
		reply->type != WIRE_SEAL) {
		if (!wait->canceled)
			broken("%s is canceled by nobody", type_name(reply->type));
		COVER(m, CANCELED);
	} else {
		switch (reply->type) {
		case WIRE_GET:
			reply_get(m, wait, effect);
			break;
		case WIRE_WAIT:
			reply_wait(m, wait, effect);
			break;
		case WIRE_CREATE:
		case WIRE_PUT:
		case WIRE_PUT_FD:
			reply_create(m, wait, effect);
			break;
		case WIRE_SEAL:
			reply_seal(m, wait, effect);
			break;
		case WIRE_STAT:
			reply_stat(m, wait, effect);
			break;
		case WIRE_LIST:
			reply_list(m, wait, effect);
			break;
		case WIRE_STATUS:
			reply_status(m, effect);
			break;
		case WIRE_SUBSCRIBE:
			model_reply_subscribe(m, wait, reply);
			break;
		case WIRE_LOOKUP:
		case WIRE_LOAD:
			check_statuses(wait, reply);
			for (uint32_t i = 0; i < reply->n_items; i++) {
				if (reply->items[i].status)
					continue;
				check_description(m, wait->object[i], &reply->items[i]);
				check_metadata(&m->objects[wait->object[i]], &reply->items[i]);
			}
			break;
		case WIRE_JOIN:
			check_statuses(wait, reply);
			if (reply->status)
				break;
			if (!(reply->items[0].flags & WIRE_ITEM_FD))
				broken("R18: JOIN is answered without a descriptor");
			check_description(m, wait->object[0], &reply->items[0]);
			/* a seal that its worker did not live to hear of may be on it */
			if (effect->fds[0] != m->objects[wait->object[0]].fd)
				broken("R18: JOIN is answered with another descriptor");
			break;
		case WIRE_HELLO:
			if (reply->status || reply->generation != m->generation)
				broken("HELLO is answered wrongly");
			break;
		default:
			check_statuses(wait, reply);
			break;
		}
	}
	model_end_wait(m, wait - m->waits);
}

/* ---- effects on memfds ---- */

/* A memfd for an object in the pack. */
static struct want *want_unpacked(struct model *m, const struct core_effect *effect)
{
	struct want *want = NULL;

	for (int i = 0; i < WANTS; i++) {
		struct want *w = &m->wants[i];

		if (!w->used || w->state != WANT_QUEUED || !w->unpack || w->wait < 0 ||
			m->waits[w->wait].conn != effect->conn || model_want_is_stale(m, w) ||
			m->objects[w->object].place != effect->offset || w->size != effect->size)
			continue;
		if (!want || w->arrival < want->arrival)
			want = w;
	}
	return want;
}

static struct want *want_made(struct model *m, const struct core_effect *effect)
{
	struct want *want = NULL;

	if (effect->from_pack)
		return want_unpacked(m, effect);
	for (int i = 0; i < WANTS; i++) {
		struct want *w = &m->wants[i];
		uint16_t type;

		if (!w->used || w->state != WANT_QUEUED || w->size != effect->size || w->wait < 0 ||
			w->unpack ||
			m->waits[w->wait].conn != effect->conn)
			continue;
		type = m->waits[w->wait].request.type;
		if (type == WIRE_PUT_FD || (type == WIRE_PUT) != (effect->seal || effect->data))
			continue;
		if (type == WIRE_PUT && effect->data_size &&
			(effect->data_size != w->size ||
				!request_is_filled(effect->data, effect->data_size, w->tag)))
			continue;
		if (!want || w->arrival < want->arrival)
			want = w;
	}
	return want;
}

static void effect_make(struct model *m, const struct core_effect *effect)
{
	struct want *want = want_made(m, effect);

	if (!want)
		broken("MAKE of %llu bytes, which nobody wants", (unsigned long long)effect->size);
	if (effect->fd >= 0) {
		if (m->roles[effect->fd] != ROLE_POOL)
			broken("MAKE from descriptor %d, which is not of the pool", effect->fd);
		if (kernel_file(m->kernel, effect->fd)->given)
			broken("MAKE from a memfd that a client has had");
		COVER(m, POOL_USED);
	}
	want->fd = effect->fd;
	want->ticket = effect->ticket;
	model_want_starts(m, want, WANT_MAKING);
}

static void effect_adopt(struct model *m, const struct core_effect *effect)
{
	for (int i = 0; i < WANTS; i++) {
		struct want *want = &m->wants[i];

		if (want->used && want->state == WANT_QUEUED && want->fd == effect->fd &&
			m->waits[want->wait].conn == effect->conn) {
			want->ticket = effect->ticket;
			model_want_starts(m, want, WANT_ADOPTING);
			return;
		}
	}
	broken("ADOPT of descriptor %d, which nobody offered", effect->fd);
}

static void effect_seal(struct model *m, const struct core_effect *effect)
{
	int object = object_of_fd(m, effect->fd);

	if (object < 0 || !m->objects[object].sealing || m->objects[object].seal_ticket ||
		m->objects[object].creator != effect->conn)
		broken("SEAL of descriptor %d, which nobody asked for", effect->fd);
	if (model_pins(m, object) > 0)
		broken("R18: object %d is sealed while others write it", m->objects[object].id);
	m->objects[object].seal_ticket = effect->ticket;
	m->objects[object].seal_due = false;
}

static void effect_close(struct model *m, const struct core_effect *effect)
{
	int object = object_of_fd(m, effect->fd);

	switch (m->roles[effect->fd]) {
	case ROLE_OBJECT:
		if (object < 0)
			broken("CLOSE of descriptor %d, which no object has", effect->fd);
		if (!m->objects[object].doomed) {
			model_check_victim(m, object);
			COVER(m, EVICTIONS);
		}
		if (effect->size != m->objects[object].bytes)
			broken("CLOSE of object %d gives %llu bytes back, not %llu",
				m->objects[object].id, (unsigned long long)effect->size,
				(unsigned long long)m->objects[object].bytes);
		model_drop(m, object);
		break;
	case ROLE_POOL:
		if (effect->size != model_charge(m, kernel_file(m->kernel, effect->fd)->size))
			broken("CLOSE of a pool memfd gives %llu bytes back",
				(unsigned long long)effect->size);
		COVER(m, POOL_GIVEN_BACK);
		break;
	case ROLE_ORPHAN:
		break;
	case ROLE_PACK:
		for (int i = 0; i < OBJECTS; i++)
			if (m->objects[i].live && m->objects[i].packed)
				broken("the pack is closed, and object %d is in it", m->objects[i].id);
		if (model_pack_bytes(m))
			broken("the pack is closed, and has memory");
		m->pack.open = false;
		m->roles[effect->fd] = ROLE_CLOSING;
		m->closing[effect->fd] = 0;
		COVER(m, PACK_CLOSED);
		return;
	case ROLE_CLOSING:
		broken("descriptor %d is closed twice", effect->fd);
	default:
		broken("CLOSE of descriptor %d, which is not ours", effect->fd);
	}
	m->roles[effect->fd] = ROLE_CLOSING;
	m->closing[effect->fd] = model_charge(m, kernel_file(m->kernel, effect->fd)->size);
	if (m->closing[effect->fd] < effect->size) /* it failed to grow */
		m->closing[effect->fd] = effect->size;
}

static void effect_close_stranger(struct model *m, const struct core_effect *effect)
{
	if (effect->fd < 0 || effect->fd >= KERNEL_FDS || m->roles[effect->fd] != ROLE_BROKEN) {
		/* An offered memfd of a request that failed before it was looked at. */
		for (int i = 0; i < WANTS; i++)
			if (m->wants[i].used && m->wants[i].state != WANT_QUEUED &&
				m->wants[i].fd == effect->fd)
				broken("CLOSE_STRANGER of descriptor %d, which is being looked at",
					effect->fd);
		if (effect->fd < 0 || !m->kernel->fds[effect->fd].stranger)
			broken("CLOSE_STRANGER of descriptor %d, which is ours", effect->fd);
	}
	m->roles[effect->fd] = ROLE_NONE;
}

void model_effect(struct model *m, const struct core_effect *effect)
{
	if (effect->type != CORE_REPLY) { /* who has asked for memfds may be served now */
		end_stale_wants(m);
		begin_all_unpacking(m);
	}
	switch (effect->type) {
	case CORE_REPLY:
		effect_reply(m, effect);
		break;
	case CORE_MAKE:
		effect_make(m, effect);
		break;
	case CORE_ADOPT:
		effect_adopt(m, effect);
		break;
	case CORE_SEAL:
		effect_seal(m, effect);
		break;
	case CORE_CLOSE:
		effect_close(m, effect);
		break;
	case CORE_CLOSE_STRANGER:
		effect_close_stranger(m, effect);
		break;
	case CORE_DISCONNECT:
		if (!m->conns[effect->conn].condemned || m->conns[effect->conn].mute)
			broken("connection %u is said to violate the protocol: %s", effect->conn,
				effect->text ? effect->text : "no reason given");
		m->conns[effect->conn].mute = true;
		break;
	case CORE_POOL_FILL:
		if (m->config.pool_max == 0)
			broken("POOL_FILL, and there is no pool");
		m->fills++;
		m->fills_bytes += effect->size;
		model_check_fill(m);
		break;
	case CORE_PACK_OPEN:
		model_effect_pack_open(m, effect);
		break;
	case CORE_PACK_WRITE:
		model_effect_pack_write(m, effect);
		break;
	case CORE_PACK_GIVE:
		model_effect_pack_give(m, effect);
		break;
	case CORE_PACK_PUNCH:
		model_effect_pack_punch(m, effect);
		break;
	}
}

/* ---- no more effects ---- */

/* What waited for room until its deadline has failed, though others of the same request may go on. */
static void expire_wants(struct model *m)
{
	for (int i = 0; i < WANTS; i++) {
		struct want *want = &m->wants[i];

		if (!want->used || want->state != WANT_QUEUED || want->wait < 0 ||
			!is_late(m, &m->waits[want->wait]))
			continue;
		m->waits[want->wait].status[want->item] = -ENOBUFS;
		if (want->unpack && !m->waits[want->wait].failed)
			m->waits[want->wait].failed = -ENOBUFS;
		model_end_want(m, want);
		COVER(m, QUEUE_EXPIRED);
	}
	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used && (model_is_create(m->waits[i].request.type) ||
			m->waits[i].unpacking) &&
			is_late(m, &m->waits[i]))
			m->waits[i].deadline = INT64_MAX; /* it has passed */
}

static void settle_waits(struct model *m)
{
	end_stale_wants(m);
	begin_all_unpacking(m);
	if (m->ticked)
		expire_wants(m);
	for (uint32_t i = 0; i < m->n_waits; i++) {
		struct wait *wait = &m->waits[i];
		const struct request *r = &wait->request;
		bool over;

		if (!wait->used || wait->asleep)
			continue;
		if (wait->assembling && !wait->refused)
			continue;
		if (wait->expect == EXPECT_NOW || wait->refused)
			broken("%s of connection %u is not answered", type_name(r->type), wait->conn);
		if (wait->canceled)
			broken("%s of connection %u is canceled, and not told so", type_name(r->type),
				wait->conn);
		switch (r->type) {
		case WIRE_GET:
		case WIRE_WAIT:
			over = model_get_over(m, wait) || (r->timeout_ns == 0 && !wait->unpacking);
			break;
		case WIRE_SUBSCRIBE: /* more is known when the auditor has read all */
			over = r->timeout_ns == 0 || r->cursor == WIRE_EVENTS_NEW;
			break;
		case WIRE_SEAL:
			over = true;
			for (int k = 0; k < OBJECTS; k++)
				if (m->objects[k].live && m->objects[k].sealing &&
					m->objects[k].sealer == (int)i)
					over = false;
			break;
		default:
			over = true;
			for (int k = 0; k < WANTS; k++)
				if (m->wants[k].used && m->wants[k].wait == (int)i)
					over = false;
			break;
		}
		if (over)
			broken("%s %llu of connection %u waits, though its answer is known",
				type_name(r->type), (unsigned long long)r->serial, wait->conn);
		if (m->ticked && is_late(m, wait) && !model_is_create(r->type) && !wait->unpacking)
			broken("%s %llu of connection %u waits past its deadline", type_name(r->type),
				(unsigned long long)r->serial, wait->conn);
		wait->waited = true;
	}
	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].live && m->conns[i].condemned && !m->conns[i].mute)
			broken("connection %d violates the protocol, and is let go on", i);
	for (uint32_t i = 0; i < m->n_suspects; i++)
		if (!get_gone(m, m->suspect_conns[i], &m->suspects[i]))
			broken("R7: GET is told that an id is gone, and none is");
}

static void settle_objects(struct model *m)
{
	model_settle_pack(m);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];

		if (!o->live)
			continue;
		/* Who was granted it, and not told so, may pin it until he reconciles. */
		if (o->doomed && !o->sealing && !(o->deleted && m->lossy))
			broken("object %d must be gone, and its memfd is not closed", o->id);
		if (o->sealing && o->seal_ticket == 0 && model_pins(m, i) == 0 && !m->lossy)
			broken("object %d must be sealed, and the kernel was not asked", o->id);
	}
	for (int fd = 0; fd < (int)m->kernel->top; fd++) {
		if (!kernel_is_open(m->kernel, fd))
			continue;
		if (m->roles[fd] == ROLE_ORPHAN)
			broken("descriptor %d belongs to nobody, and is not closed", fd);
		if (m->roles[fd] == ROLE_BROKEN)
			broken("descriptor %d came from a client and is not kept, but not closed", fd);
	}
}

static void settle_limits(struct model *m)
{
	uint64_t used = model_used_bytes(m);
	uint32_t fds = model_used_fds(m);

	if (used > model_capacity(m) && used > m->used_before)
		broken("R2: %llu bytes are in use, of %llu", (unsigned long long)used,
			(unsigned long long)model_capacity(m));
	if (fds > m->max_fds && fds > m->fds_before)
		broken("R2: %u descriptors are in use, of %u", fds, m->max_fds);
	m->used_before = used;
	m->fds_before = fds;
}

static void compare(const char *what, uint64_t core, uint64_t model)
{
	if (core != model)
		broken("the core counts %llu %s, the model %llu", (unsigned long long)core, what,
			(unsigned long long)model);
}

static void settle_totals(struct model *m, const struct core *core)
{
	struct core_totals totals;
	uint32_t created = 0, resident = 0, conns = 0, names = 0, leases = 0, queued = 0;
	uint32_t waiting = 0;
	uint64_t metadata = 0;

	core_totals(core, &totals);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];

		if (!o->live || o->doomed)
			continue;
		created += o->state == OBJECT_DRAFT && !o->deleted;
		resident += o->state == OBJECT_RESIDENT && !o->deleted;
		names += o->state == OBJECT_DRAFT && o->name != NAME_NONE;
	}
	for (int i = 0; i < CONNS; i++)
		conns += m->conns[i].live;
	for (int i = 0; i < MODEL_NAMES; i++)
		names += m->names[i].used;
	for (int i = 0; i < LEASES; i++)
		leases += m->leases[i].used;
	for (int i = 0; i < WANTS; i++)
		queued += m->wants[i].used && m->wants[i].state == WANT_QUEUED;
	for (uint32_t i = 0; i < m->n_waits; i++)
		waiting += m->waits[i].used && !m->waits[i].asleep;
	compare("waiting requests", totals.waiting, waiting);
	compare("drafts", totals.created, created);
	compare("objects", totals.resident, resident);
	compare("connections", totals.connections, conns);
	compare("names", totals.names, names);
	compare("leases", totals.leases, leases);
	compare("queued creates", totals.queued, queued);
	compare("descriptors", totals.fds, model_used_fds(m));
	metadata = totals.metadata_bytes;
	compare("bytes", totals.charged_bytes + metadata + totals.freeing_bytes + totals.pool_bytes,
		model_used_bytes(m));
	if (core_deadline(core) > m->now && core_deadline(core) > model_deadline(m))
		broken("core_deadline() is later than something that must happen");
}

void model_settle(struct model *m, const struct core *core)
{
	if (m->ticked && m->step_due && !m->step_taken && !m->lossy)
		broken("R6: a connection has ended, and a tick gives nothing more of it back");
	settle_waits(m);
	model_check_subscribers(m);
	settle_objects(m);
	settle_limits(m);
	model_check_queue(m);
	model_check_repacking(m);
	settle_totals(m, core);
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_QUEUED && !m->wants[i].queued) {
			COVER(m, QUEUED);
			m->wants[i].queued = true;
		}
	m->ticked = false;
	if (m->lossy) {
		m->lossy = false;
		for (int i = 0; i < CONNS; i++)
			m->lossy |= m->conns[i].dying || (m->conns[i].live &&
				(m->conns[i].resume_due || m->conns[i].resuming));
		if (!m->lossy) {
			memset(m->blurred, 0, sizeof m->blurred);
			m->hidden = 0;
		}
	}
}
