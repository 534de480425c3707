/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/events.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/access.h"
#include "core/pending.h"
#include "core/request.h"
#include "core/state.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define REPLY_MAX 1024 /* events of a reply */
#define CHECKED   256  /* notes that events_check() looks at */

/* ---- the ring ---- */

static uint64_t last_event(const struct core *core)
{
	return core->tables.header->events;
}

static struct event_record *event_record(const struct core *core, uint64_t sequence)
{
	return &core->tables.events[sequence % core->tables.header->max_events];
}

/* The oldest number that is kept; if none is, the next one's. */
static uint64_t first_kept(const struct core *core)
{
	const uint64_t last = last_event(core), room = core->tables.header->max_events;

	return MAX(core->oldest_event, last > room ? last - room + 1 : 1);
}

void events_note(struct core *core, const struct object_record *object, enum wire_event event)
{
	struct tables_header *header = core->tables.header;
	const uint64_t sequence = header->events + 1;
	struct event_record *record = event_record(core, sequence);

	tables_change(&core->tables, &header->events);
	record->sequence = 0;
	tables_step();
	record->id = object->id;
	record->size = object->size;
	record->time_ns = core->now + core->realtime_offset;
	record->uid = object->uid;
	record->gid = object->gid;
	record->mode = object->mode;
	record->event = event;
	tables_step();
	record->sequence = sequence;
	tables_step();
	header->events = sequence;
}

void events_recover(struct core *core)
{
	const uint64_t last = last_event(core);
	uint64_t sequence = first_kept(core);

	while (sequence <= last && event_record(core, sequence)->sequence != sequence)
		sequence++;
	core->oldest_event = sequence;
	core->published_events = last;
}

void events_check(const struct core *core)
{
	const uint64_t first = first_kept(core), last = last_event(core);

	/* Of many, the newest: this is called after every event of a simulation. */
	for (uint64_t s = MAX(first, last > CHECKED ? last - CHECKED : 0); s <= last; s++)
		if (event_record(core, s)->sequence != s) {
			fprintf(stderr, "core_check: the note of event %" PRIu64 " is event %" PRIu64
				"'s\n", s, event_record(core, s)->sequence);
			abort();
		}
}

/* ---- answers ---- */

static bool is_shown(const struct core *core, uint32_t conn, uint64_t sequence)
{
	const struct event_record *record = event_record(core, sequence);

	if (record->event == WIRE_EVENT_CREATED || record->event == WIRE_EVENT_ABORTED)
		return access_is_owner(core, conn, record->uid);
	return access_may_read(core, conn, record->uid, record->gid, record->mode);
}

/* The first event from this number on that the connection may read; the next one's if there is none. */
static uint64_t first_shown(const struct core *core, uint32_t conn, uint64_t sequence)
{
	while (sequence <= last_event(core) && !is_shown(core, conn, sequence))
		sequence++;
	return sequence;
}

static void describe(const struct event_record *record, struct wire_item *item)
{
	*item = (struct wire_item){
		.id = record->id,
		.size = record->size,
		.mode = record->mode,
		.uid = record->uid,
		.gid = record->gid,
		.event = record->event,
		.sequence = record->sequence,
		.time_ns = record->time_ns,
	};
}

/* Reply with what there is from this number on, which may be nothing. */
static void reply_events(struct core *core, uint32_t conn, uint64_t serial, uint32_t limit,
	uint64_t cursor)
{
	struct wire_reply *reply = effect_reply(core, conn, WIRE_SUBSCRIBE, serial);
	const uint64_t first = first_kept(core), last = last_event(core);
	uint64_t sequence = first_shown(core, conn, MAX(cursor, first));
	struct wire_item *items;
	uint32_t n = 0;

	limit = MIN(limit ? limit : REPLY_MAX, REPLY_MAX);
	limit = MIN(limit, last + 1 - sequence);
	items = scratch_alloc(core, limit, sizeof *items);
	for (; sequence <= last && n < limit; sequence++)
		if (is_shown(core, conn, sequence))
			describe(event_record(core, sequence), &items[n++]);
	reply->cursor = sequence;
	reply->lost = cursor < first ? first - cursor : 0;
	reply->items = items;
	reply->n_items = n;
}

/* Is there something to say to who asks from this number on? */
static bool is_due(const struct core *core, uint32_t conn, uint64_t cursor)
{
	return cursor < first_kept(core) || first_shown(core, conn, cursor) <= last_event(core);
}

/* ---- waiting ---- */

void events_publish(struct core *core)
{
	const uint64_t last = last_event(core);
	struct list *link, *following;

	if (core->published_events == last)
		return;
	core->published_events = last;
	list_for_each_safe(link, following, &core->subscribers) {
		struct pending *pending = container_of(link, struct pending, subscriber_link);

		if (!is_due(core, pending->connection, pending->cursor)) {
			pending->cursor = last + 1;
			continue;
		}
		reply_events(core, pending->connection, pending->serial, pending->limit,
			pending->cursor);
		pending_free(core, pending);
	}
}

void events_expire(struct core *core, struct pending *pending)
{
	reply_events(core, pending->connection, pending->serial, pending->limit, pending->cursor);
	pending_free(core, pending);
}

void events_unsubscribe(struct core *core, struct pending *pending)
{
	if (!list_linked(&pending->subscriber_link))
		return;
	list_remove(&pending->subscriber_link);
	core->connections[pending->connection].n_subscribers--;
}

static void wait_for(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct connection *connection = &core->connections[conn];
	struct pending *pending;

	if (connection->n_subscribers == CORE_SUBSCRIBE_MAX) {
		effect_refuse(core, conn, request->type, request->serial, -EBUSY,
			scratch_text(core, "%d requests of this connection wait for events already: "
				"use another connection", CORE_SUBSCRIBE_MAX));
		return;
	}
	pending = pending_for(core, conn, request);
	if (!pending)
		return;
	pending->assembling = false;
	connection->n_assembling--;
	pending->cursor = last_event(core) + 1; /* all before it was looked at */
	list_add_tail(&core->subscribers, &pending->subscriber_link);
	connection->n_subscribers++;
	pending_set_deadline(core, pending, deadline_ns(core->now, request->timeout_ns));
}

/* ---- the request ---- */

void request_subscribe(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const uint64_t next = last_event(core) + 1;
	uint64_t cursor = request->cursor;

	if (cursor == WIRE_EVENTS_KEPT)
		cursor = first_kept(core);
	else if (cursor == WIRE_EVENTS_NEW)
		cursor = next;
	if (cursor > next)
		effect_refuse(core, conn, request->type, request->serial, -EINVAL,
			scratch_text(core, "there is no event %" PRIu64 " yet: the next one is %" PRIu64
				"; was it another broker's?", cursor, next));
	else if (request->timeout_ns <= 0 || request->cursor == WIRE_EVENTS_NEW ||
		is_due(core, conn, cursor))
		reply_events(core, conn, request->serial, request->limit, cursor);
	else
		wait_for(core, conn, request);
}
