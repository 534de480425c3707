/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/events.h"
#include "core/get.h"
#include "core/make.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/share.h"
#include "core/state.h"
#include "core/watch.h"
#include "ds/memory.h"
#include "util/clock.h"

static struct pending *find(const struct core *core, uint32_t conn, uint64_t serial)
{
	struct list *link;

	list_for_each(link, &core->connections[conn].pendings) {
		struct pending *pending = container_of(link, struct pending, link);

		if (pending->serial == serial)
			return pending;
	}
	return NULL;
}

bool pending_is_assembling(const struct core *core, uint32_t conn, uint64_t serial)
{
	const struct pending *pending =
		core->connections[conn].n_assembling ? find(core, conn, serial) : NULL;

	return pending && pending->assembling;
}

static struct pending *pending_new(struct core *core, uint32_t conn,
	const struct wire_request *request)
{
	struct connection *connection = &core->connections[conn];
	struct pending *pending = must_alloc(1, sizeof *pending);

	pending->connection = conn;
	pending->type = request->type;
	pending->serial = request->serial;
	pending->retry = request->retry;
	pending->flags = request->flags;
	pending->limit = request->limit;
	pending->timeout_ns = request->timeout_ns;
	pending->assembling = true;
	list_init(&pending->done_link);
	list_init(&pending->subscriber_link);
	list_init(&pending->makes);
	list_init(&pending->sealings);
	list_add_tail(&connection->pendings, &pending->link);
	connection->n_pendings++;
	connection->account->n_pendings++;
	core->n_pendings++;
	return pending;
}

int pending_charge(struct core *core, struct pending *pending, uint64_t bytes)
{
	struct account *account = core->connections[pending->connection].account;

	if (bytes > CORE_PENDING_BYTES - account->pending_bytes)
		return -EBUSY;
	account->pending_bytes += bytes;
	pending->bytes += bytes;
	return 0;
}

static void leave_connection(struct core *core, struct pending *pending)
{
	struct connection *connection = &core->connections[pending->connection];

	if (pending->connection == CORE_NO_CONN)
		return;
	list_remove(&pending->link);
	connection->n_pendings--;
	if (pending->assembling)
		connection->n_assembling--;
	connection->account->n_pendings--;
	connection->account->pending_bytes -= pending->bytes;
	core->n_pendings--;
	pending->connection = CORE_NO_CONN;
}

void pending_free(struct core *core, struct pending *pending)
{
	struct make *make;

	while ((make = list_first(&pending->makes, struct make, pending_link)))
		make_give_up(core, make);
	watches_remove(core, pending);
	get_unwant(core, pending);
	heap_remove(&core->deadlines, &pending->deadline);
	list_remove(&pending->done_link);
	events_unsubscribe(core, pending);
	leave_connection(core, pending);
	free(pending->watches);
	free(pending->outcomes);
	free(pending->text);
	free(pending);
}

struct pending *pending_for(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct connection *connection = &core->connections[conn];
	const struct account *account = connection->account;
	struct pending *pending = NULL;
	size_t size = 0;

	/* Only while a request of several packets is under way can there be one of this serial. */
	if (connection->n_assembling)
		pending = find(core, conn, request->serial);
	if (pending && (!pending->assembling || pending->type != request->type)) {
		effect_condemn(core, conn, "a serial is used twice");
		return NULL;
	}
	if (!pending && connection->n_pendings >= CORE_PENDING_MAX) {
		effect_refuse(core, conn, request->type, request->serial, -EBUSY,
			scratch_text(core, "%d requests of this connection wait already: "
				"wait for replies before sending more", CORE_PENDING_MAX));
		return NULL;
	}
	if (!pending && account->n_pendings >= account->limits[CORE_REQUESTS]) {
		effect_refuse(core, conn, request->type, request->serial, -EBUSY,
			scratch_text(core, "%u requests of uid %u wait already, its quota: wait for "
				"replies before sending more, or raise quota_requests",
				account->n_pendings, account->uid));
		return NULL;
	}
	if (!pending) {
		size += sizeof *pending;
		pending = pending_new(core, conn, request);
		connection->n_assembling++;
	}
	if (pending->n_items + request->n_items > CORE_BATCH_MAX) {
		effect_condemn(core, conn, "a request has too many items");
		return NULL;
	}
	size += request->n_items * sizeof *pending->outcomes;
	if (pending_charge(core, pending, size) < 0) {
		effect_refuse(core, conn, request->type, request->serial, -EBUSY,
			PENDING_TOO_MUCH);
		pending_abandon(core, pending); /* an edge may be at its first items */
		return NULL;
	}
	return pending;
}

uint32_t pending_add(struct pending *pending, const struct id128 *id)
{
	must_grow(&pending->outcomes, &pending->room, pending->n_items + 1,
		sizeof *pending->outcomes);
	pending->outcomes[pending->n_items] = (struct outcome){ .id = *id, .object = TABLES_NONE };
	pending->n_unfinished++;
	return pending->n_items++;
}

void pending_outcome(struct pending *pending, uint32_t item, int status, const char *text,
	uint32_t object)
{
	assert(pending->n_unfinished > 0);
	pending->outcomes[item].status = status;
	pending->outcomes[item].object = object;
	pending->n_unfinished--;
	if (status < 0 && pending->status == 0) {
		pending->status = status;
		pending->text = must(strdup(text));
	}
}

static void reply(struct core *core, struct pending *pending)
{
	struct wire_item *items = scratch_alloc(core, pending->n_items, sizeof *items);
	int *fds = scratch_alloc(core, 1, sizeof *fds);
	struct core_effect *effect = effect_add(core, CORE_REPLY);

	for (size_t i = 0; i < pending->n_items; i++) {
		const struct outcome *outcome = &pending->outcomes[i];

		items[i].id = outcome->id;
		items[i].status = outcome->status;
		if (outcome->object == TABLES_NONE)
			continue;
		assert(pending->type == WIRE_CREATE && effect->n_fds == 0);
		object_describe(core, outcome->object, &items[i]);
		items[i].flags = WIRE_ITEM_FD;
		fds[effect->n_fds++] = object_record(core, outcome->object)->fd;
	}
	effect->conn = pending->connection;
	effect->fds = fds;
	effect->reply = (struct wire_reply){
		.type = pending->type,
		.serial = pending->serial,
		.n_fds = effect->n_fds,
		.status = pending->status,
		.text = pending->text ? scratch_text(core, "%s", pending->text) : NULL,
		.items = items,
		.n_items = pending->n_items,
	};
}

void pending_settle(struct core *core, struct pending *pending)
{
	if (pending->assembling || pending->n_unfinished)
		return;
	if (pending->unpacking) {
		get_unpacked(core, pending);
		return;
	}
	if (pending->connection != CORE_NO_CONN)
		reply(core, pending);
	pending_free(core, pending);
}

void pending_packet_end(struct core *core, struct pending *pending, bool more)
{
	if (more)
		return;
	pending->assembling = false;
	core->connections[pending->connection].n_assembling--;
	pending_settle(core, pending);
}

void pending_set_deadline(struct core *core, struct pending *pending, int64_t at)
{
	if (at != FOREVER_NS && !heap_linked(&pending->deadline))
		heap_add(&core->deadlines, &pending->deadline, at);
}

void pending_abandon(struct core *core, struct pending *pending)
{
	share_give_up(core, pending, -ECANCELED);
	if (pending->type != WIRE_SEAL || pending->n_unfinished == 0) {
		pending_free(core, pending);
		return;
	}
	leave_connection(core, pending);
	pending->assembling = false;
}

/* End the makes that still wait for room. */
static void end_waiting_makes(struct core *core, struct pending *pending, bool cancelled)
{
	struct list *link, *following;

	list_for_each_safe(link, following, &pending->makes) {
		struct make *make = container_of(link, struct make, pending_link);

		if (make->ticket)
			continue;
		if (cancelled)
			make_fail(core, make, -ECANCELED,
				scratch_text(core, "object %s: given up by the client",
					object_id_text(core, &make->id)));
		else
			make_fail_full(core, make);
	}
}

/* Is there nothing to undo? */
static bool only_looks(const struct pending *pending)
{
	return pending->type == WIRE_GET || pending->type == WIRE_WAIT ||
	       pending->type == WIRE_SUBSCRIBE;
}

void pending_cancel(struct core *core, uint32_t conn, uint64_t serial)
{
	struct pending *pending = find(core, conn, serial);

	if (!pending || pending->assembling)
		return;
	if (only_looks(pending)) {
		effect_refuse(core, conn, pending->type, serial, -ECANCELED, "given up by the client");
		pending_free(core, pending);
	} else {
		end_waiting_makes(core, pending, true);
		share_give_up(core, pending, -ECANCELED);
		pending_settle(core, pending);
	}
}

void pendings_expire(struct core *core)
{
	struct heap_node *node;

	while ((node = heap_first(&core->deadlines)) && node->at <= core->now) {
		struct pending *pending = container_of(node, struct pending, deadline);

		heap_remove(&core->deadlines, node);
		if (only_looks(pending) && pending->type != WIRE_SUBSCRIBE && !pending->unpacking) {
			get_expire(core, pending);
		} else if (pending->type == WIRE_SUBSCRIBE) {
			events_expire(core, pending);
		} else {
			end_waiting_makes(core, pending, false);
			share_give_up(core, pending, -EBUSY);
			pending_settle(core, pending);
		}
	}
}
