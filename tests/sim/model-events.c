/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * R15: the events that subscribers are told of.
 *
 * The auditor, who may read everything, asks for them now and then.  From what it
 * is told the model builds the objects anew: each event must be a next step in
 * the life of its object, numbers must follow each other whatever died in
 * between, and when all is read there must be just the objects that there are.
 * What other subscribers were told meanwhile is kept until then, and must be the
 * auditor's log without what they may not read; and whoever still waits must have
 * nothing to read in it.
 *
 * All this is of what was told, so it stays when the model goes back to before an
 * event that a death has undone.
 */
#include <errno.h>
#include <string.h>

#include "model-private.h"

#define LOG        (1 << 16)
#define TOLD       256
#define TOLD_ITEMS 32
#define SPOILED    64 /* notes that a death may spoil, at most */

enum life_state { LIFE_NONE, LIFE_DRAFT, LIFE_SEALED, LIFE_UNKNOWN };

struct happening {
	enum wire_event event;
	int id;
	uint64_t size;
	uid_t uid;
	gid_t gid;
	uint32_t mode;
};

struct told {
	struct conn reader; /* who he is */
	uint64_t from, to;  /* of these numbers he was told all that he may read */
	uint32_t n;
	uint64_t numbers[TOLD_ITEMS];
	struct happening events[TOLD_ITEMS];
};

static struct {
	struct happening log[LOG]; /* of number first + i */
	uint64_t first, next;
	bool more;     /* the auditor's last answer had events */
	bool overrun;  /* some were never read */
	struct {
		enum life_state state;
		struct happening last;
	} lives[IDS];
	struct told told[TOLD];
	uint32_t n_told;
} events;

void model_events_init(void)
{
	memset(&events, 0, sizeof events);
	events.first = events.next = 1;
}

uint64_t model_events_next(void)
{
	return events.next;
}

bool model_events_more(void)
{
	return events.more;
}

static uint64_t room(const struct model *m)
{
	return m->config.max_events ? m->config.max_events : CORE_EVENTS_MAX;
}

static struct happening happening_of(const struct wire_item *item)
{
	return (struct happening){
		.event = item->event,
		.id = request_id_number(&item->id),
		.size = item->size,
		.uid = item->uid,
		.gid = item->gid,
		.mode = item->mode,
	};
}

static bool is_same(const struct happening *a, const struct happening *b)
{
	return a->event == b->event && a->id == b->id && a->size == b->size && a->uid == b->uid &&
		a->gid == b->gid && a->mode == b->mode;
}

static bool may_read(const struct conn *reader, const struct happening *event)
{
	/* R1: of drafts nobody knows but whose they are, and root */
	if (event->event == WIRE_EVENT_CREATED || event->event == WIRE_EVENT_ABORTED)
		return reader->uid == 0 || reader->uid == event->uid;
	return model_class_rights(reader, event->uid, event->gid, event->mode) & 4;
}

/* ---- the auditor ---- */

/* The next step of a life. */
static void live_on(uint64_t number, const struct happening *event)
{
	static const struct {
		enum life_state from, to;
	} steps[] = {
		[WIRE_EVENT_CREATED] = { LIFE_NONE, LIFE_DRAFT },
		[WIRE_EVENT_SEALED] = { LIFE_DRAFT, LIFE_SEALED },
		[WIRE_EVENT_ABORTED] = { LIFE_DRAFT, LIFE_NONE },
		[WIRE_EVENT_EVICTED] = { LIFE_SEALED, LIFE_NONE },
		[WIRE_EVENT_DELETED] = { LIFE_SEALED, LIFE_NONE },
		[WIRE_EVENT_LOST] = { LIFE_SEALED, LIFE_NONE },
		[WIRE_EVENT_EXPIRED] = { LIFE_SEALED, LIFE_NONE },
	};
	const struct happening *last;

	if (event->id < 0 || event->id >= IDS || event->event < WIRE_EVENT_CREATED ||
		event->event > WIRE_EVENT_EXPIRED)
		broken("R15: event %llu is %u of id %d", (unsigned long long)number, event->event,
			event->id);
	last = &events.lives[event->id].last;
	if (events.lives[event->id].state != LIFE_UNKNOWN) {
		if (events.lives[event->id].state != steps[event->event].from)
			broken("R15: event %llu is %u of id %d, which %u was before",
				(unsigned long long)number, event->event, event->id, last->event);
		if (event->event != WIRE_EVENT_CREATED && (event->size != last->size ||
			event->uid != last->uid || event->gid != last->gid ||
			event->mode != last->mode))
			broken("R15: event %llu tells id %d otherwise than the one before it",
				(unsigned long long)number, event->id);
	}
	events.lives[event->id].state = steps[event->event].to;
	events.lives[event->id].last = *event;
}

/* Some events were never read: what is known begins here. */
static void begin_anew(const struct model *m, uint64_t number)
{
	if (m->deaths == 0 && number - events.next > 0 && room(m) >= CORE_EVENTS_MAX)
		broken("R15: events are not kept, though there is room");
	events.first = events.next = number;
	events.overrun = true;
	events.n_told = 0;
	for (int id = 0; id < IDS; id++)
		events.lives[id].state = LIFE_UNKNOWN;
}

static void audit(struct model *m, const struct wait *wait, const struct wire_reply *reply)
{
	uint64_t number = wait->request.cursor + reply->lost, kept;

	if (reply->status)
		broken("R15: the auditor asks for event %llu, and is told %s",
			(unsigned long long)wait->request.cursor, strerrorname_np(-reply->status));
	if (reply->lost) {
		COVER(m, EVENTS_OVERRUN);
		kept = reply->cursor - number;
		if (reply->n_items < 1024 && (kept > room(m) ||
			kept + (uint64_t)m->deaths * SPOILED < room(m)))
			broken("R15: %llu events are kept, of %llu", (unsigned long long)kept,
				(unsigned long long)room(m));
		if (number > events.next)
			begin_anew(m, number);
	}
	for (uint32_t i = 0; i < reply->n_items; i++, number++) {
		const struct happening event = happening_of(&reply->items[i]);

		if (reply->items[i].sequence != number)
			broken("R15: event %llu comes where %llu is due",
				(unsigned long long)reply->items[i].sequence,
				(unsigned long long)number);
		if (number < events.next) { /* asked again: it was told, or not */
			if (number >= events.first &&
				!is_same(&event, &events.log[number - events.first]))
				broken("R15: event %llu was another one before",
					(unsigned long long)number);
			continue;
		}
		if (events.next - events.first == LOG)
			broken("the simulation's log of events is too small");
		live_on(number, &event);
		events.log[events.next++ - events.first] = event;
	}
	if (reply->cursor != number)
		broken("R15: after event %llu comes %llu", (unsigned long long)number - 1,
			(unsigned long long)reply->cursor);
	events.more = reply->n_items > 0;
}

/* ---- everybody else ---- */

static uint32_t subscribers_of(const struct model *m, uint32_t conn)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_waits; i++)
		n += m->waits[i].used && !m->waits[i].asleep && m->waits[i].conn == conn &&
			m->waits[i].request.type == WIRE_SUBSCRIBE;
	return n;
}

static void refused(struct model *m, const struct wait *wait, int status)
{
	switch (status) {
	case -EINVAL:
		if (wait->request.cursor <= events.next || wait->request.cursor == WIRE_EVENTS_NEW)
			broken("R15: event %llu is said not to be yet",
				(unsigned long long)wait->request.cursor);
		return;
	case -EBUSY:
		if (wait->request.timeout_ns == 0 || (!model_waits_too_many(m, wait->conn) &&
			subscribers_of(m, wait->conn) <= CORE_SUBSCRIBE_MAX))
			broken("R15: a subscriber is refused for no reason");
		return;
	}
	broken("R15: SUBSCRIBE is answered %s", strerrorname_np(-status));
}

/* Keep what he was told until the auditor knows as much. */
static void remember(const struct model *m, const struct wait *wait,
	const struct wire_reply *reply)
{
	const struct conn *reader = &m->conns[wait->conn];
	struct told *told = &events.told[events.n_told];

	if (events.n_told == TOLD)
		return;
	*told = (struct told){
		.from = wait->request.cursor + reply->lost,
		.to = reply->cursor,
	};
	if (wait->request.cursor == WIRE_EVENTS_KEPT || wait->request.cursor == WIRE_EVENTS_NEW)
		told->from = reply->n_items ? reply->items[0].sequence : reply->cursor;
	told->reader.uid = reader->uid;
	told->reader.gid = reader->gid;
	told->reader.n_groups = reader->n_groups;
	memcpy(told->reader.groups, reader->groups, sizeof reader->groups);
	while (told->n < reply->n_items && told->n < TOLD_ITEMS) {
		told->numbers[told->n] = reply->items[told->n].sequence;
		told->events[told->n] = happening_of(&reply->items[told->n]);
		told->n++;
	}
	if (told->n < reply->n_items)
		told->to = told->numbers[told->n - 1] + 1;
	events.n_told++;
}

void model_reply_subscribe(struct model *m, struct wait *wait, const struct wire_reply *reply)
{
	const struct request *r = &wait->request;
	uint64_t least = r->cursor == WIRE_EVENTS_NEW ? 0 : r->cursor + reply->lost;

	if (wait->conn == 0) {
		audit(m, wait, reply);
		return;
	}
	if (reply->status) {
		refused(m, wait, reply->status);
		return;
	}
	/* Who waits from the oldest on may miss some: one event of the core notes several. */
	if (reply->lost && (r->cursor == WIRE_EVENTS_NEW ||
			(r->cursor == WIRE_EVENTS_KEPT && !wait->waited)))
		broken("R15: events are told as lost that nobody asked for");
	if (r->cursor == WIRE_EVENTS_NEW && reply->n_items)
		broken("R15: who asks where the new events begin is told of old ones");
	if (reply->n_items == 0 && reply->lost == 0 && r->timeout_ns && wait->deadline > m->now &&
		r->cursor != WIRE_EVENTS_NEW)
		broken("R15: a subscriber is told of nothing before his deadline");
	if (r->limit && reply->n_items > r->limit)
		broken("R15: %u events are told to who asked for %u", reply->n_items, r->limit);
	for (uint32_t i = 0; i < reply->n_items; i++) {
		const struct happening event = happening_of(&reply->items[i]);

		if (reply->items[i].sequence < least || reply->items[i].sequence >= reply->cursor)
			broken("R15: event %llu is told out of order",
				(unsigned long long)reply->items[i].sequence);
		least = reply->items[i].sequence + 1;
		if (!may_read(&m->conns[wait->conn], &event))
			broken("R15: connection %u is told of event %llu, of an object that it may not "
			       "read", wait->conn, (unsigned long long)reply->items[i].sequence);
		COVER(m, EVENTS_TOLD);
	}
	if (reply->lost)
		COVER(m, EVENTS_OVERRUN);
	if (wait->waited && reply->n_items)
		COVER(m, EVENTS_WAITED);
	remember(m, wait, reply);
}

void model_check_subscribers(const struct model *m)
{
	for (uint32_t c = 0; c < CONNS; c++)
		if (m->conns[c].live && subscribers_of(m, c) > CORE_SUBSCRIBE_MAX)
			broken("R15: connection %u has more than %d subscribers", c,
				CORE_SUBSCRIBE_MAX);
}

/* ---- when the auditor has read all ---- */

static void check_told(const struct told *told)
{
	uint32_t n = 0;

	if (told->to > events.next)
		broken("R15: events up to %llu were told, and there are %llu",
			(unsigned long long)told->to - 1, (unsigned long long)events.next - 1);
	for (uint64_t number = told->from; number < told->to; number++) {
		const struct happening *event;

		if (number < events.first) {
			n += n < told->n && told->numbers[n] == number;
			continue;
		}
		event = &events.log[number - events.first];
		if (!may_read(&told->reader, event))
			continue;
		if (n == told->n || told->numbers[n] != number)
			broken("R15: uid %u was not told of event %llu", told->reader.uid,
				(unsigned long long)number);
		if (!is_same(event, &told->events[n++]))
			broken("R15: uid %u was told of another event %llu", told->reader.uid,
				(unsigned long long)number);
	}
	if (n != told->n)
		broken("R15: uid %u was told of events that were none", told->reader.uid);
}

/* Whoever waits has nothing to read. */
static void check_waiting(const struct model *m, const struct wait *wait)
{
	uint64_t number = wait->request.cursor;

	if (!wait->used || wait->asleep || wait->request.type != WIRE_SUBSCRIBE)
		return;
	if (number == WIRE_EVENTS_KEPT && (events.overrun || room(m) < CORE_EVENTS_MAX || m->deaths))
		return; /* what was kept when he came is not known */
	for (number = number < events.first ? events.first : number; number < events.next; number++)
		if (may_read(&m->conns[wait->conn], &events.log[number - events.first]))
			broken("R15: connection %u waits for event %llu, and there is %llu", wait->conn,
				(unsigned long long)wait->request.cursor, (unsigned long long)number);
}

static void check_life(const struct model *m, int id)
{
	const int object = model_find(m, id), gone = m->gone[id].reason;
	const struct object *o = object < 0 ? NULL : &m->objects[object];
	const enum life_state state = !o ? LIFE_NONE :
		o->state == OBJECT_DRAFT ? LIFE_DRAFT : LIFE_SEALED;
	struct happening *last = &events.lives[id].last;

	if (events.lives[id].state == LIFE_UNKNOWN) {
		events.lives[id].state = state;
		*last = (struct happening){ .id = id };
		if (o)
			*last = (struct happening){ .id = id, .size = o->size, .uid = o->uid,
				.gid = o->gid, .mode = o->mode };
		return;
	}
	if (events.lives[id].state != state)
		broken("R15: by the events id %d is in state %d, but it is in %d", id,
			events.lives[id].state, state);
	if (o && (o->size != last->size || o->uid != last->uid || o->gid != last->gid ||
		o->mode != last->mode))
		broken("R15: the events tell otherwise of object %d", id);
	if (!o && last->event && (gone == -ENODATA) != (last->event == WIRE_EVENT_LOST))
		broken("R15: the last event of id %d is %u, and it is %s", id, last->event,
			gone == -ENODATA ? "lost" : "not lost");
}

void model_events_compare(const struct model *m)
{
	for (uint32_t i = 0; i < events.n_told; i++)
		check_told(&events.told[i]);
	events.n_told = 0;
	for (uint32_t i = 0; i < m->n_waits; i++)
		check_waiting(m, &m->waits[i]);
	for (int id = 0; id < IDS; id++)
		check_life(m, id);
}
