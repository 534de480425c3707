/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>

#include "core/access.h"
#include "core/account.h"
#include "core/holding.h"
#include "core/object.h"
#include "core/state.h"
#include "util/cleanup.h"

static uint64_t pair_hash(uint32_t conn, uint32_t o)
{
	return hash_number((uint64_t)conn << 32 | o);
}

uint32_t holding_find(const struct core *core, uint32_t conn, uint32_t o)
{
	uint32_t h;

	index_map_for_each(h, &core->holdings_by_pair, holdings_by_pair(core), pair_hash(conn, o))
		if (holding_record(core, h)->connection == conn && holding_record(core, h)->object == o)
			break;
	return h;
}

void holdings_prefetch(const struct core *core, uint32_t conn, const uint32_t *objects, size_t n)
{
	const struct index_map *map = &core->holdings_by_pair;

	for (size_t i = 0; i < n; i++) {
		const uint32_t others = core->objects[objects[i]].holdings.first;

		index_map_prefetch(map, pair_hash(conn, objects[i]));
		if (others != INDEX_NONE)
			__builtin_prefetch(&core->holdings[others]);
	}
	for (size_t i = 0; i < n; i++)
		(void)index_map_prefetch_first(map, holdings_by_pair(core),
			pair_hash(conn, objects[i]));
}

bool holding_room(const struct core *core, uint32_t conn, uint32_t n)
{
	const struct account *account = core->connections[conn].account;

	return record_n_free(&core->tables.free_holdings) >= n &&
	       account_share(core, account, account->n_holdings + (uint64_t)n, core->tables.header->max_holdings);
}

/* Derive what follows from the record. */
static void link_holding(struct core *core, uint32_t h)
{
	const struct holding_record *record = holding_record(core, h);
	struct connection *connection = &core->connections[record->connection];
	struct object *object = &core->objects[record->object];

	core->holdings[h] = (struct holding){ .listed_refs = 0 };
	index_list_add_tail(connection_holdings(core), &connection->holdings, h);
	index_list_add_tail(object_holdings(core), &object->holdings, h);
	index_map_add(&core->holdings_by_pair, holdings_by_pair(core), h,
		pair_hash(record->connection, record->object));
	connection->held_bytes += object_bytes(core, record->object);
	connection->n_holdings++;
	connection->account->n_holdings++;
}

static void count_pins(struct core *core, uint32_t o, uint32_t add, uint32_t subtract)
{
	struct object *object = &core->objects[o];
	const uint64_t before = object->pins;

	object->pins += add;
	object->pins -= subtract;
	if (before == 0 && object->pins > 0)
		core->pinned_bytes += object_bytes(core, o);
	else if (before > 0 && object->pins == 0)
		core->pinned_bytes -= object_bytes(core, o);
}

void holding_add(struct core *core, uint32_t conn, uint32_t o, uint32_t refs, uint32_t pins)
{
	uint32_t h = holding_find(core, conn, o);
	struct holding_record *record;

	if (h == TABLES_NONE) {
		h = record_take(&core->tables, &core->tables.free_holdings);
		assert(h != TABLES_NONE); /* holding_room() */
		record = tables_change(&core->tables, holding_record(core, h));
		*record = (struct holding_record){ .connection = conn, .object = o };
		link_holding(core, h);
	} else {
		record = tables_change(&core->tables, holding_record(core, h));
	}
	/* No honest client counts that far; one that does just stops counting. */
	refs = MIN(refs, INT32_MAX - MIN(record->refs, INT32_MAX));
	pins = MIN(pins, INT32_MAX - MIN(record->pins, INT32_MAX));
	record->refs += refs;
	record->pins += pins;
	core->objects[o].refs += refs;
	count_pins(core, o, pins, 0);
	object_reconsider(core, o);
}

static void unlink_holding(struct core *core, uint32_t h)
{
	const struct holding_record *record = holding_record(core, h);
	struct connection *connection = &core->connections[record->connection];

	connection->held_bytes -= object_bytes(core, record->object);
	connection->n_holdings--;
	connection->account->n_holdings--;
	index_map_remove(&core->holdings_by_pair, holdings_by_pair(core), h);
	index_list_remove(connection_holdings(core), &connection->holdings, h);
	index_list_remove(object_holdings(core), &core->objects[record->object].holdings, h);
}

void holding_take(struct core *core, uint32_t h, uint32_t refs, uint32_t pins)
{
	struct holding_record *record = holding_record(core, h);

	if (refs == record->refs && pins == record->pins) {
		holding_end(core, h);
		return;
	}
	tables_change(&core->tables, record);
	record->refs -= refs;
	record->pins -= pins;
	core->objects[record->object].refs -= refs;
	count_pins(core, record->object, 0, pins);
}

bool holding_is_creators(const struct core *core, uint32_t h)
{
	const struct holding_record *record = holding_record(core, h);

	return access_is_draft_of(core, record->connection, object_record(core, record->object));
}

bool holding_subtract(struct core *core, uint32_t h, uint32_t refs, uint32_t pins)
{
	const struct holding_record *record = holding_record(core, h);
	const uint32_t o = record->object;
	const bool whole = refs <= record->refs && pins <= record->pins;

	refs = MIN(refs, record->refs);
	pins = MIN(pins, record->pins);
	if (holding_is_creators(core, h) && refs == record->refs) {
		holding_take(core, h, refs - 1, pins); /* object_abort() takes the draft's own */
		object_abort(core, o);
		return whole;
	}
	holding_take(core, h, refs, pins);
	object_reconsider(core, o);
	return whole;
}

void holding_end(struct core *core, uint32_t h)
{
	struct holding_record *record = holding_record(core, h);
	const uint32_t o = record->object;

	core->objects[o].refs -= record->refs;
	count_pins(core, o, 0, record->pins);
	unlink_holding(core, h);
	tables_change(&core->tables, record);
	record->refs = record->pins = 0;
	record_give(&core->tables.free_holdings, h);
}

void holding_forget_bytes(struct core *core, uint32_t h, uint64_t bytes)
{
	core->connections[holding_record(core, h)->connection].held_bytes -= bytes;
}

void holding_recover(struct core *core, uint32_t h)
{
	const struct holding_record *record = holding_record(core, h);

	link_holding(core, h);
	core->objects[record->object].refs += record->refs;
	count_pins(core, record->object, record->pins, 0);
}
