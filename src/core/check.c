/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core_check(): what is derived agrees with the tables, between events. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/attribute.h"
#include "core/claim.h"
#include "core/events.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/make.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/state.h"

#define CHECK(condition) check((condition), #condition, __LINE__)
#define EQUAL(a, b)      equal((a), (b), #a " == " #b, __LINE__)

static void check(bool condition, const char *text, int line)
{
	if (condition)
		return;
	fprintf(stderr, "core_check: line %d: not so: %s\n", line, text);
	abort();
}

static void equal(uint64_t a, uint64_t b, const char *text, int line)
{
	if (a == b)
		return;
	fprintf(stderr, "core_check: line %d: %" PRIu64 " and %" PRIu64 ", but %s\n", line, a, b,
		text);
	abort();
}

static size_t list_length(const struct list *list)
{
	const struct list *link;
	size_t n = 0;

	list_for_each(link, list) {
		CHECK(link->next->prev == link);
		n++;
	}
	return n;
}

/* ---- objects ---- */

struct object_sums {
	uint64_t data, metadata, pinned, victim_bytes, packed;
	uint32_t n_created, n_resident, n_deleted, n_fds, n_victims, n_victim_fds, n_packed;
	uint32_t n_used, n_expiries, n_idle, n_moving;
};

/* Is its deadline to be among core.expiries? */
static bool expiring(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const struct attributes_record *attributes = blob_bytes(&core->blobs, record->attributes);

	return attributes && attributes->expires_ns && record->state == WIRE_RESIDENT &&
	       !(record->flags & OBJECT_DELETED);
}

static void check_object(const struct core *core, uint32_t o, struct object_sums *sums)
{
	const struct object_record *record = object_record(core, o);
	const struct object *object = &core->objects[o];
	const bool deleted = record->flags & OBJECT_DELETED;
	uint64_t refs = 0, pins = 0;
	uint32_t h, i, n_holdings = 0;
	bool victim;

	index_list_for_each(h, object_holdings(core), &object->holdings) {
		n_holdings++;
		EQUAL(holding_record(core, h)->object, o);
		refs += holding_record(core, h)->refs;
		pins += holding_record(core, h)->pins;
	}
	EQUAL(object->refs, refs);
	EQUAL(object->pins, pins);
	index_list_for_each(i, object_names(core), &object->names)
		EQUAL(core->tables.names[i].object, o);
	index_list_for_each(i, object_leases(core), &object->leases)
		EQUAL(core->tables.leases[i].object, o);
	CHECK(record->state == WIRE_CREATED || record->state == WIRE_RESIDENT);
	if (deleted) {
		CHECK(index_list_empty(&object->names) && index_list_empty(&object->leases));
		CHECK(n_holdings > 0);
		CHECK(!object_has_memory(record) || pins > 0);
		sums->n_deleted++;
	} else {
		EQUAL(object_find(core, &record->id), o);
		CHECK(gone_find(core, &record->id) == NULL);
		CHECK(object_has_memory(record));
		if (record->state == WIRE_CREATED) {
			CHECK(n_holdings > 0 && refs > 0);
			CHECK(!object->sealing || pins == 0);
			sums->n_created++;
		} else {
			CHECK(!object->sealing);
			sums->n_resident++;
		}
	}
	victim = record->state == WIRE_RESIDENT && !record->flags && !refs && !pins &&
		 !object->wanted &&
		 index_list_empty(&object->names) && index_list_empty(&object->leases);
	CHECK(victim == index_linked(&object->victim_link));
	CHECK(deleted || victim == index_linked(&object->own_link));
	if (victim) {
		sums->n_victims++;
		sums->victim_bytes += object_metadata_bytes(core, o);
		sums->victim_bytes += record->fd >= 0 ? object_bytes(core, o) : 0;
		sums->n_victim_fds += record->fd >= 0 && !object->repacking;
	}
	sums->data += object_bytes(core, o);
	sums->metadata += object_metadata_bytes(core, o);
	sums->n_fds += record->fd >= 0;
	if (pins)
		sums->pinned += object_bytes(core, o);
	CHECK(object_has_memory(record) || record->metadata == BLOB_NONE);
	CHECK(object_has_memory(record) || record->attributes == BLOB_NONE);
	CHECK(record->fd != OBJECT_IN_PACK || pins == 0);
	if (record->fd == OBJECT_IN_PACK) {
		sums->packed += object_bytes(core, o);
		sums->n_packed++;
	}
	CHECK(object->idle == (record->state == WIRE_RESIDENT && !deleted && record->fd >= 0 &&
		record->size <= core->config.inline_max && !pins && !object->wanted));
	sums->n_idle += object->idle && !object->repacking;
	sums->n_moving += object->idle && object->repacking;
	attributes_check_object(core, o);
	sums->n_expiries += expiring(core, o);
	sums->n_used++;
}

/* ---- connections and what they hold ---- */

static void check_connection(const struct core *core, uint32_t c)
{
	const struct connection *connection = &core->connections[c];
	struct list *link;
	uint64_t held = 0, n = 0, n_subscribers = 0;
	uint32_t h;

	const bool dying = list_linked(&connection->dying_link);

	EQUAL(connection_record(core, c)->flags, CONNECTION_USED | (dying ? CONNECTION_DYING : 0));
	CHECK(!dying || (connection->n_holdings > 0 && connection->n_pendings == 0));
	index_list_for_each(h, connection_holdings(core), &connection->holdings) {
		const struct holding_record *record = holding_record(core, h);

		EQUAL(record->connection, c);
		CHECK(holding_is_used(record));
		EQUAL(holding_find(core, c, record->object), h);
		CHECK(object_record(core, record->object)->state != 0);
		held += object_bytes(core, record->object);
		n++;
	}
	EQUAL(connection->held_bytes, held);
	EQUAL(connection->n_holdings, n);
	EQUAL(connection->n_pendings, list_length(&connection->pendings));
	CHECK(connection->n_pendings <= CORE_PENDING_MAX);
	list_for_each(link, &connection->pendings) {
		const struct pending *pending = container_of(link, struct pending, link);

		EQUAL(pending->connection, c);
		CHECK(list_linked(&pending->subscriber_link) == (pending->type == WIRE_SUBSCRIBE));
		CHECK(pending->n_unfinished > 0 || pending->assembling ||
			pending->type == WIRE_SUBSCRIBE);
		n_subscribers += pending->type == WIRE_SUBSCRIBE;
	}
	EQUAL(connection->n_subscribers, n_subscribers);
	CHECK(n_subscribers <= CORE_SUBSCRIBE_MAX);
}

/* ---- accounts ---- */

/* Whom an object is to be charged to: core/account.h, said again. */
static uid_t payer_of(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	uint64_t oldest = UINT64_MAX;
	uid_t payer = record->uid;
	uint32_t h;

	if (!(record->flags & OBJECT_DELETED))
		return payer;
	index_list_for_each(h, object_holdings(core), &core->objects[o].holdings) {
		const struct connection_record *of =
			connection_record(core, holding_record(core, h)->connection);

		if (object_has_memory(record) && holding_record(core, h)->pins == 0)
			continue;
		if (of->uid == record->uid)
			return record->uid;
		if (of->number < oldest) {
			oldest = of->number;
			payer = of->uid;
		}
	}
	return payer;
}

static void add_cost(struct cost *sum, const struct cost *cost)
{
	sum->bytes += cost->bytes;
	sum->metadata += cost->metadata;
	sum->objects += cost->objects;
	sum->fds += cost->fds;
}

static void equal_costs(const struct cost *a, const struct cost *b)
{
	EQUAL(a->bytes, b->bytes);
	EQUAL(a->metadata, b->metadata);
	EQUAL(a->objects, b->objects);
	EQUAL(a->fds, b->fds);
}

static uint64_t check_account(const struct core *core, const struct account *account,
	uint32_t *n_waitingp)
{
	uint64_t pending = 0, n_connections = 0, n_holdings = 0, n_pendings = 0;
	uint64_t hard_pins = 0, n_hard_pins = 0, n_idle = 0, n_moving = 0;
	struct cost charged = { 0 }, evictable = { 0 };
	struct list *link;

	for (uint32_t o = 0; o < core->tables.header->objects_high; o++) {
		const struct object_record *record = object_record(core, o);
		const struct cost cost = object_cost(core, o);

		if (!record->state || payer_of(core, o) != account->uid)
			continue;
		add_cost(&charged, &cost);
		n_idle += core->objects[o].idle && !core->objects[o].repacking;
		n_moving += core->objects[o].idle && core->objects[o].repacking;
		if (!(record->flags & OBJECT_DELETED) &&
			index_linked(&core->objects[o].own_link))
			add_cost(&evictable, &cost);
		if (record->flags & OBJECT_PINNED) {
			hard_pins += pin_bytes(core, record->size, record->metadata_size);
			n_hard_pins++;
		}
	}
	for (size_t i = 0; i < core->n_operations; i++) {
		const struct operation *operation = &core->operations[i];

		if ((operation->kind == OPERATION_MAKE || operation->kind == OPERATION_ADOPT) &&
			operation->make->account == account) {
			const struct cost cost = make_cost(core, operation->make);

			add_cost(&charged, &cost);
			charged.fds += operation->make->fd >= 0;
			if (operation->make->pin) {
				hard_pins += pin_bytes(core, operation->make->size,
					operation->make->metadata_size);
				n_hard_pins++;
			}
		}
		if (operation->kind == OPERATION_PACK_WRITE)
			list_for_each(link, &operation->batch->makes) {
				const struct make *make = container_of(link, struct make, batch_link);
				const struct cost cost = make_cost(core, make);

				if (make->account != account)
					continue;

				add_cost(&charged, &cost);
				if (!make->pin)
					continue;
				hard_pins += pin_bytes(core, make->size, make->metadata_size);
				n_hard_pins++;
			}
	}
	for (uint32_t c = 0; c < core->tables.header->connections_high; c++) {
		if (!(connection_record(core, c)->flags & CONNECTION_USED) ||
			core->connections[c].account != account)
			continue;
		n_connections += !list_linked(&core->connections[c].dying_link);
		n_holdings += core->connections[c].n_holdings;
		n_pendings += core->connections[c].n_pendings;
		list_for_each(link, &core->connections[c].pendings)
			pending += container_of(link, struct pending, link)->bytes;
	}
	EQUAL(account->n_connections, n_connections);
	EQUAL(account->n_holdings, n_holdings);
	EQUAL(account->n_pendings, n_pendings);
	EQUAL(account->pending_bytes, pending);
	CHECK(!list_linked(&account->idle_link));
	CHECK(list_linked(&account->ring_link) == !list_empty(&account->waiting));
	list_for_each(link, &account->waiting) {
		const struct make *make = container_of(link, struct make, queue_link);

		CHECK(make->account == account && make->pending && !make->ticket);
		CHECK(make->passes <= CORE_PASS_MAX);
		CHECK(make_least(core, make) >= core->queue.smallest);
		CHECK(make_least(core, make) >= account->smallest);
		charged.fds += make->fd >= 0;
		(*n_waitingp)++;
		if (make->pin) {
			hard_pins += pin_bytes(core, make->size, make->metadata_size);
			n_hard_pins++;
		}
	}
	EQUAL(account->hard_pin_bytes, hard_pins);
	EQUAL(account->n_hard_pins, n_hard_pins);
	EQUAL(account->repack.n_idle, n_idle);
	EQUAL(account->repack.n_moving, n_moving);
	equal_costs(&account->charged, &charged);
	equal_costs(&account->evictable, &evictable);
	CHECK(charged.objects + charged.fds + n_connections + account->n_names + account->n_leases +
		n_holdings + list_length(&account->waiting) > 0);
	return charged.bytes;
}

/* ---- operations ---- */

struct operation_sums {
	uint64_t making, making_metadata, freeing, filling, writing, repacking;
	uint32_t n_making, n_freeing, n_filling, n_writing, n_punching, n_opening, n_repacking;
};

static void check_operation(const struct core *core, uint32_t ticket, struct operation_sums *sums)
{
	const struct operation *operation = &core->operations[ticket - 1];
	const struct list *link;

	switch (operation->kind) {
	case OPERATION_FREE:
		break;
	case OPERATION_MAKE:
	case OPERATION_ADOPT:
		EQUAL(operation->make->ticket, ticket);
		sums->making += operation->make->charge;
		sums->making_metadata += make_metadata_bytes(operation->make);
		sums->n_making++;
		break;
	case OPERATION_SEAL:
		if (operation->object != TABLES_NONE) {
			EQUAL(core->objects[operation->object].sealing, ticket);
			EQUAL(object_record(core, operation->object)->state, WIRE_CREATED);
			break;
		}
		__attribute__((fallthrough)); /* its memory is being freed */
	case OPERATION_CLOSE:
		sums->freeing += operation->bytes;
		sums->n_freeing++;
		break;
	case OPERATION_FILL:
		sums->filling += operation->bytes;
		sums->n_filling++;
		break;
	case OPERATION_PACK_WRITE:
		list_for_each(link, &operation->batch->makes) {
			const struct make *make = container_of(link, struct make, batch_link);

			EQUAL(make->ticket, ticket);
			sums->writing += make->charge;
			sums->making_metadata += make_metadata_bytes(make);
			sums->n_writing++;
		}
		break;
	case OPERATION_PACK_MOVE:
		for (size_t i = 0; i < operation->batch->n_moves; i++) {
			const struct move *move = &operation->batch->moves[i];

			if (move->fd < 0)
				continue;
			CHECK(object_record(core, move->object)->sequence != move->sequence ||
				!object_record(core, move->object)->state ||
				core->objects[move->object].repacking);
			sums->repacking += pack_charge(core, move->size);
			sums->n_repacking++;
		}
		break;
	case OPERATION_PACK_OPEN:
		EQUAL(core->pack.opening, ticket);
		sums->n_opening++;
		break;
	case OPERATION_PUNCH:
		EQUAL(core->pack.frames[operation->frame].state, FRAME_PUNCHED);
		sums->freeing += operation->bytes;
		sums->n_punching++;
		break;
	}
}

void core_check(const struct core *core)
{
	const struct tables_header *header = core->tables.header;
	struct object_sums objects = { 0 };
	struct operation_sums operations = { 0 };
	uint32_t n_connections = 0, n_holdings = 0, n_names = 0, n_leases = 0, n_waiting = 0;
	uint32_t n_offered = 0, n_pool = 0;
	uint64_t pool = 0, accounted = 0;
	const struct list *link, *waiting;

	EQUAL(header->journal_used, 0);
	for (uint32_t o = 0; o < header->objects_high; o++)
		if (object_record(core, o)->state)
			check_object(core, o, &objects);
	for (uint32_t c = 0; c < header->connections_high; c++)
		if (connection_record(core, c)->flags & CONNECTION_USED) {
			check_connection(core, c);
			n_connections += !list_linked(&core->connections[c].dying_link);
			n_holdings += core->connections[c].n_holdings;
		}
	for (uint32_t h = 0; h < header->holdings_high; h++)
		n_holdings -= holding_is_used(holding_record(core, h));
	EQUAL(n_holdings, 0);
	for (uint32_t n = 0; n < header->names_high; n++) {
		const struct name_record *record = &core->tables.names[n];

		if (!record->used)
			continue;
		n_names++;
		CHECK(object_record(core, record->object)->state != 0);
		if (!record->pending)
			EQUAL(name_find(core, record->uid, record->text), n);
		CHECK(record->pending ==
			(object_record(core, record->object)->state == WIRE_CREATED));
	}
	for (uint32_t l = 0; l < header->leases_high; l++) {
		if (!core->tables.leases[l].used)
			continue;
		n_leases++;
		EQUAL(lease_find(core, &core->tables.leases[l].token,
			      core->tables.leases[l].object), l);
		CHECK(heap_linked(&core->leases[l].deadline));
	}
	for (uint32_t e = 0; e < TABLES_POOL_MAX; e++)
		if (core->tables.pool[e].used) {
			pool += core->tables.pool[e].bytes;
			n_pool++;
		}
	for (uint32_t i = 0; i < core->n_operations; i++)
		check_operation(core, i + 1, &operations);
	list_for_each(link, &core->accounts) {
		const struct account *account = container_of(link, struct account, link);

		accounted += check_account(core, account, &n_waiting);
		list_for_each(waiting, &account->waiting)
			n_offered += container_of(waiting, struct make, queue_link)->fd >= 0;
	}

	EQUAL(core->object_bytes, objects.data + operations.making + operations.writing +
		operations.repacking);
	EQUAL(core->pack.live_bytes, objects.packed + operations.writing + operations.repacking);
	EQUAL(core->pack.n_objects, objects.n_packed + operations.n_writing +
		operations.n_repacking);
	EQUAL(core->pack.n_writing, operations.n_writing + operations.n_repacking);
	EQUAL(core->repack.hand.n_idle, objects.n_idle);
	EQUAL(core->repack.hand.n_moving, objects.n_moving);
	EQUAL(core->pack.n_punching, operations.n_punching);
	EQUAL(core->n_victim_fds, objects.n_victim_fds);
	pack_check(core);
	EQUAL(core->metadata_bytes, objects.metadata + operations.making_metadata);
	EQUAL(core->object_bytes + core->metadata_bytes, accounted + operations.repacking);
	EQUAL(core->freeing_bytes, operations.freeing);
	EQUAL(core->n_freeing_fds, operations.n_freeing);
	EQUAL(core->pinned_bytes, objects.pinned);
	EQUAL(core->victim_bytes, objects.victim_bytes);
	EQUAL(core->n_victims, objects.n_victims);
	EQUAL(core->expiries.n, objects.n_expiries);
	EQUAL(core->pool.bytes, pool + operations.filling);
	EQUAL(core->n_pool, n_pool);
	EQUAL(core->pool.n_filling, operations.n_filling);
	EQUAL(core->n_created, objects.n_created);
	EQUAL(core->n_resident, objects.n_resident);
	EQUAL(core->n_deleted, objects.n_deleted);
	EQUAL(core->n_making, operations.n_making + operations.n_writing);
	EQUAL(core->n_connections, n_connections);
	EQUAL(core->n_names, n_names);
	EQUAL(core->n_leases, n_leases);
	EQUAL(core->queue.n, n_waiting);
	EQUAL(core->n_fds, objects.n_fds + operations.n_making + operations.n_freeing +
		operations.n_filling + operations.n_opening + (header->pack_fd >= 0) + n_pool +
		n_offered + CORE_CONNECTION_FDS * n_connections);
	CHECK(list_empty(&core->fresh));
	events_check(core);
}
