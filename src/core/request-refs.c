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

/* What the connection holds of an id: of an object that is deleted, and of the living one. */
struct held {
	uint32_t deleted, living; /* holdings; TABLES_NONE */
};

static struct held find_held(const struct core *core, uint32_t conn, const struct id128 *id)
{
	struct held held = { TABLES_NONE, TABLES_NONE };
	uint32_t o = object_find_deleted(core, id, conn);

	if (o != TABLES_NONE)
		held.deleted = holding_find(core, conn, o);
	o = object_find(core, id);
	if (o != TABLES_NONE)
		held.living = holding_find(core, conn, o);
	return held;
}

void request_release(struct core *core, uint32_t conn, const struct wire_request *request)
{
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct wire_item *item = &request->items[i];
		const struct held held = find_held(core, conn, &item->id);
		uint32_t refs = item->refs, pins = item->pins;

		if (held.deleted != TABLES_NONE) {
			const struct holding_record *record = holding_record(core, held.deleted);
			const uint32_t of_refs = MIN(refs, record->refs);
			const uint32_t of_pins = MIN(pins, record->pins);

			holding_subtract(core, held.deleted, of_refs, of_pins);
			refs -= of_refs;
			pins -= of_pins;
		}
		if (refs + (uint64_t)pins &&
			(held.living == TABLES_NONE ||
				!holding_subtract(core, held.living, refs, pins)))
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
	if (request->retry && number < connection_done(core, conn, request->serial))
		return 0; /* whatever has the id now came later */
	if (o != TABLES_NONE && access_is_draft_of(core, conn, object_record(core, o))) {
		connection_note_done(core, conn, request->serial, number + 1);
		object_abort(core, o);
		return 0;
	}
	if (o == TABLES_NONE || !access_sees(core, conn, object_record(core, o))) {
		*textp = scratch_text(core, "no object %s", object_id_text(core, id));
		return -ENOENT;
	}
	if (!access_may_write(core, conn, object_record(core, o))) {
		*textp = scratch_text(core, "object %s belongs to uid %u and its mode does not let "
			"you delete it: ask its owner", object_id_text(core, id),
			object_record(core, o)->uid);
		return -EACCES;
	}
	connection_note_done(core, conn, request->serial, number + 1);
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

/* Note what the client says it holds: of the living object first, as RELEASE takes from the
 * deleted one first. */
static void note_listed(struct core *core, uint32_t conn, const struct wire_item *item)
{
	const struct held held = find_held(core, conn, &item->id);
	uint64_t refs = item->refs, pins = item->pins;
	const uint32_t holdings[] = { held.living, held.deleted };

	for (size_t i = 0; i < ARRAY_SIZE(holdings); i++) {
		const struct holding_record *record;
		struct holding *holding;
		uint64_t of_refs, of_pins;

		if (holdings[i] == TABLES_NONE)
			continue;
		record = holding_record(core, holdings[i]);
		holding = &core->holdings[holdings[i]];
		of_refs = MIN(refs, record->refs - holding->listed_refs);
		of_pins = MIN(pins, record->pins - holding->listed_pins);
		holding->listed_refs += of_refs;
		holding->listed_pins += of_pins;
		refs -= of_refs;
		pins -= of_pins;
	}
}

void request_reconcile(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct connection *connection = &core->connections[conn];
	struct list *link, *following;

	if (!connection->reconciling || request->generation != core_generation(core))
		return;
	for (uint32_t i = 0; i < request->n_items; i++)
		note_listed(core, conn, &request->items[i]);
	if (request->more)
		return;
	connection->reconciling = false;
	list_for_each_safe(link, following, &connection->holdings) {
		struct holding *holding = container_of(link, struct holding, connection_link);
		const uint32_t h = holding_index(core, holding);
		const struct holding_record *record = holding_record(core, h);

		holding_subtract(core, h, record->refs - holding->listed_refs,
			record->pins - holding->listed_pins);
		tables_breathe(&core->tables);
	}
}
