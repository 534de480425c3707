/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "core/access.h"
#include "core/account.h"
#include "core/claim.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/seal.h"
#include "core/share.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/text.h"

#define WRITERS_NAMED 4

/* An item of a SEAL that waits. */
struct sealing {
	struct hash_node by_object;
	struct list link; /* in its pending's sealings */
	struct pending *pending;
	uint32_t item, object;
};

static struct sealing *find(const struct core *core, uint32_t o)
{
	struct hash_node *node;

	hash_map_for_each(node, &core->sealings_by_object, hash_number(o)) {
		struct sealing *sealing = container_of(node, struct sealing, by_object);

		if (sealing->object == o)
			return sealing;
	}
	return NULL;
}

static void end(struct core *core, struct sealing *sealing)
{
	hash_map_remove(&core->sealings_by_object, &sealing->by_object);
	list_remove(&sealing->link);
	free(sealing);
}

/* ---- sealing ---- */

void share_wait(struct core *core, struct pending *pending, uint32_t item, uint32_t o)
{
	struct sealing *sealing = must_alloc(1, sizeof *sealing);

	sealing->pending = pending;
	sealing->item = item;
	sealing->object = o;
	list_add_tail(&pending->sealings, &sealing->link);
	hash_map_add(&core->sealings_by_object, &sealing->by_object, hash_number(o));
}

bool share_is_sealing(const struct core *core, uint32_t o)
{
	return core->objects[o].sealing || find(core, o);
}

const char *share_explain(struct core *core, uint32_t o)
{
	const struct object *object = &core->objects[o];
	struct text text = TEXT_INIT;
	uint32_t h, n = 0;

	text_set(&text, "object %s cannot be sealed yet: it is mapped for writing by",
		object_id_text(core, &object_record(core, o)->id));
	index_list_for_each(h, object_holdings(core), &object->holdings) {
		const struct holding_record *record = holding_record(core, h);
		const struct connection_record *of = connection_record(core, record->connection);

		if (record->pins == 0)
			continue;
		if (n < WRITERS_NAMED)
			text_add(&text, "%s pid %d (%.16s)", n ? "," : "", of->pid, of->comm);
		n++;
	}
	if (n > WRITERS_NAMED)
		text_add(&text, " and %u more", n - WRITERS_NAMED);
	text_add(&text, "; let them close it, or wait longer");
	return scratch_text(core, "%s", text.bytes);
}

void share_reconsider(struct core *core, uint32_t o)
{
	struct sealing *sealing;
	struct pending *pending;
	uint32_t item;

	if (core->sealings_by_object.n == 0 || core->objects[o].pins)
		return;
	sealing = find(core, o);
	if (!sealing)
		return;
	pending = sealing->pending;
	item = sealing->item;
	end(core, sealing);
	seal_begin(core, pending, item, o);
}

void share_aborted(struct core *core, uint32_t o)
{
	struct sealing *sealing = find(core, o);
	struct pending *pending;

	if (!sealing)
		return;
	pending = sealing->pending;
	pending_outcome(pending, sealing->item, -ENOENT,
		scratch_text(core, "object %s was aborted while it waited to be sealed",
			object_id_text(core, &object_record(core, o)->id)), TABLES_NONE);
	end(core, sealing);
	pending_settle(core, pending);
}

void share_give_up(struct core *core, struct pending *pending, int status)
{
	struct sealing *sealing;

	while ((sealing = list_first(&pending->sealings, struct sealing, link))) {
		pending_outcome(pending, sealing->item, status,
			status == -EBUSY ? share_explain(core, sealing->object) :
					   "given up by the client", TABLES_NONE);
		end(core, sealing);
	}
}

/* ---- requests ---- */

static void refuse(struct core *core, uint32_t conn, const struct wire_request *request, int status,
	const char *text)
{
	effect_refuse(core, conn, request->type, request->serial, status, text);
}

/* The id is no draft that the connection may share or join. */
static void refuse_other(struct core *core, uint32_t conn, const struct wire_request *request,
	uint32_t o)
{
	const struct id128 *id = &request->items[0].id;
	int status;

	if (o != TABLES_NONE && access_sees(core, conn, object_record(core, o))) {
		refuse(core, conn, request, -EINVAL, scratch_text(core, "object %s is sealed already",
			object_id_text(core, id)));
		return;
	}
	status = gone_status(core, conn, id);
	refuse(core, conn, request, status ? status : -ENOENT, gone_explain(core, conn, id));
}

/* Return: true, and the request is answered, if it is too late to write. */
static bool refuse_sealing(struct core *core, uint32_t conn, const struct wire_request *request,
	uint32_t o)
{
	if (!share_is_sealing(core, o))
		return false;
	refuse(core, conn, request, -EINVAL, scratch_text(core, "object %s is being sealed already",
		object_id_text(core, &request->items[0].id)));
	return true;
}

static void share(struct core *core, uint32_t conn, const struct wire_request *request, uint32_t o)
{
	const char *text = "a token of zeros is not valid: draw a random one";
	const int r = id128_is_zero(&request->token) ? -EINVAL :
		claim_lease(core, conn, &request->token, o, &text);

	if (r < 0)
		refuse(core, conn, request, r, text);
	else
		effect_reply(core, conn, request->type, request->serial);
}

void request_share(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const uint32_t o = object_find(core, &request->items[0].id);

	if (o == TABLES_NONE || !access_is_draft_of(core, conn, object_record(core, o)))
		refuse_other(core, conn, request, o);
	else if (!refuse_sealing(core, conn, request, o))
		share(core, conn, request, o);
}

void request_join(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const uint32_t o = object_find(core, &request->items[0].id);
	const uint32_t l = o == TABLES_NONE ? TABLES_NONE : lease_find(core, &request->token, o);
	struct core_effect *effect;
	struct wire_item *item;
	int *fd;

	if (o == TABLES_NONE || object_record(core, o)->state != WIRE_CREATED ||
		l == TABLES_NONE || !access_may_write(core, conn, object_record(core, o))) {
		refuse_other(core, conn, request, o);
		return;
	}
	if (refuse_sealing(core, conn, request, o))
		return;
	if (!holding_room(core, conn, 1)) {
		refuse(core, conn, request, -ENOMEM,
			"the broker's table of references is full: release some");
		return;
	}
	lease_extend(core, l);
	holding_add(core, conn, o, 1, 1);
	item = scratch_alloc(core, 1, sizeof *item);
	fd = scratch_alloc(core, 1, sizeof *fd);
	object_describe(core, o, item);
	item->flags = WIRE_ITEM_FD;
	*fd = object_record(core, o)->fd;
	effect = effect_add(core, CORE_REPLY);
	effect->conn = conn;
	effect->fds = fd;
	effect->n_fds = 1;
	effect->reply = (struct wire_reply){
		.type = request->type,
		.serial = request->serial,
		.n_fds = 1,
		.items = item,
		.n_items = 1,
	};
}
