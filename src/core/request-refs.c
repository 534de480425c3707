/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RELEASE, DELETE, and RECONCILE after a worker's death. */
#include <errno.h>

#include "core/access.h"
#include "core/connection.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/request.h"
#include "core/state.h"
#include "util/cleanup.h"

/* What the connection holds of the living object of this id; TABLES_NONE. */
static uint32_t find_living(const struct core *core, uint32_t conn, const struct id128 *id)
{
	const uint32_t o = object_find(core, id);

	return o == TABLES_NONE ? TABLES_NONE : holding_find(core, conn, o);
}

/* Take from what the connection holds of deleted objects of this id, oldest first. */
static void release_deleted(struct core *core, uint32_t conn, const struct id128 *id,
	uint32_t *refs, uint32_t *pins)
{
	uint64_t after = 0;
	uint32_t o;

	while (*refs + (uint64_t)*pins &&
		(o = object_find_deleted(core, id, conn, after)) != TABLES_NONE) {
		const uint32_t h = holding_find(core, conn, o);
		const uint32_t of_refs = MIN(*refs, holding_record(core, h)->refs);
		const uint32_t of_pins = MIN(*pins, holding_record(core, h)->pins);

		after = object_record(core, o)->sequence;
		holding_subtract(core, h, of_refs, of_pins);
		*refs -= of_refs;
		*pins -= of_pins;
	}
}

void request_release(struct core *core, uint32_t conn, const struct wire_request *request)
{
	if (request->n_items > 0)
		objects_prefetch(core, &request->items->id, sizeof *request->items,
			request->n_items);
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct wire_item *item = &request->items[i];
		uint32_t refs = item->refs, pins = item->pins, h;

		release_deleted(core, conn, &item->id, &refs, &pins);
		h = find_living(core, conn, &item->id);
		if (refs + (uint64_t)pins &&
			(h == TABLES_NONE || !holding_subtract(core, h, refs, pins)))
			tables_count(&core->tables, COUNTER_BAD_RELEASES, 1);
		tables_breathe(&core->tables);
	}
}

/* Return: 0 or the item's status, with its sentence. */
static int delete_item(struct core *core, uint32_t conn, const struct wire_request *request,
	uint32_t number, const struct id128 *id, const char **textp)
{
	const uint32_t o = object_find(core, id);

	*textp = NULL;
	if (request->retry && connection_is_done(core, conn, request->serial, number))
		return 0; /* whatever has the id now came later */
	if (o != TABLES_NONE && access_is_draft_of(core, conn, object_record(core, o))) {
		connection_note_done(core, conn, request->serial, number);
		object_abort(core, o);
		return 0;
	}
	if (o == TABLES_NONE || !access_sees(core, conn, object_record(core, o))) {
		*textp = gone_explain(core, conn, id);
		return -ENOENT;
	}
	if (!access_may_write(core, conn, object_record(core, o))) {
		*textp = scratch_text(core, "object %s belongs to uid %u and its mode does not let "
			"you delete it: ask its owner", object_id_text(core, id),
			object_record(core, o)->uid);
		return -EACCES;
	}
	connection_note_done(core, conn, request->serial, number);
	object_delete(core, o, GONE_DELETED);
	return 0;
}

void request_delete(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct pending *pending = pending_for(core, conn, request);

	if (!pending)
		return;
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct id128 *id = &request->items[i].id;
		const uint32_t number = pending_add(pending, id);
		const char *text;
		const int r = delete_item(core, conn, request, number, id, &text);

		pending_outcome(pending, number, r, text, TABLES_NONE);
		tables_breathe(&core->tables);
	}
	pending_packet_end(core, pending, request->more);
}

/* Count what is listed for one holding, as far as it goes. */
static void note_holding(struct core *core, uint32_t h, uint32_t *refs, uint32_t *pins)
{
	const struct holding_record *record = holding_record(core, h);
	struct holding *holding = &core->holdings[h];
	const uint32_t of_refs = MIN(*refs, record->refs - holding->listed_refs);
	const uint32_t of_pins = MIN(*pins, record->pins - holding->listed_pins);

	holding->listed_refs += of_refs;
	holding->listed_pins += of_pins;
	*refs -= of_refs;
	*pins -= of_pins;
}

/* Note what the client says it holds: of the living object first, as RELEASE takes from the
 * deleted ones first. */
static void note_listed(struct core *core, uint32_t conn, const struct wire_item *item)
{
	uint32_t refs = item->refs, pins = item->pins, h, o;
	uint64_t after = 0;

	h = find_living(core, conn, &item->id);
	if (h != TABLES_NONE)
		note_holding(core, h, &refs, &pins);
	while ((o = object_find_deleted(core, &item->id, conn, after)) != TABLES_NONE) {
		after = object_record(core, o)->sequence;
		note_holding(core, holding_find(core, conn, o), &refs, &pins);
	}
}

void request_reconcile(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct connection *connection = &core->connections[conn];
	uint32_t h, following;

	if (!connection->reconciling || request->generation != core_generation(core))
		return;
	for (uint32_t i = 0; i < request->n_items; i++)
		note_listed(core, conn, &request->items[i]);
	if (request->more)
		return;
	connection->reconciling = false;
	index_list_for_each_safe(h, following, connection_holdings(core), &connection->holdings) {
		const struct holding *holding = &core->holdings[h];
		const struct holding_record *record = holding_record(core, h);

		holding_subtract(core, h, record->refs - holding->listed_refs,
			record->pins - holding->listed_pins);
		tables_breathe(&core->tables);
	}
}
