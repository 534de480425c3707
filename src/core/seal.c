/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "core/access.h"
#include "core/connection.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/seal.h"
#include "core/share.h"
#include "core/state.h"
#include "util/clock.h"

/* Why an id is no draft of this connection.  0: it was sealed by just this request before. */
static int no_draft(struct core *core, uint32_t conn, const struct pending *pending, uint32_t o,
	const struct id128 *id, const char **textp)
{
	const char *name = object_id_text(core, id);

	if (o == TABLES_NONE || !access_sees(core, conn, object_record(core, o))) {
		*textp = scratch_text(core, "no draft %s of this connection", name);
		return -ENOENT;
	}
	if (pending->retry && object_record(core, o)->serial == pending->serial &&
		object_record(core, o)->creator == connection_record(core, conn)->number)
		return 0;
	*textp = scratch_text(core, "object %s is sealed already", name);
	return -EINVAL;
}

void seal_begin(struct core *core, struct pending *pending, uint32_t item, uint32_t o)
{
	struct core_effect *effect = effect_add(core, CORE_SEAL);
	struct operation *operation;

	effect->ticket = operation_new(core, OPERATION_SEAL, &operation);
	effect->conn = pending->connection;
	effect->fd = object_record(core, o)->fd;
	effect->size = object_record(core, o)->size;
	operation->pending = pending;
	operation->item = item;
	operation->object = o;
	operation->fd = effect->fd;
	core->objects[o].sealing = effect->ticket;
}

static void seal_item(struct core *core, uint32_t conn, struct pending *pending,
	const struct id128 *id)
{
	const uint32_t number = pending_add(pending, id), o = object_find(core, id);
	const char *text = NULL;
	int r;

	if (o == TABLES_NONE || !access_is_draft_of(core, conn, object_record(core, o))) {
		r = no_draft(core, conn, pending, o, id, &text);
		pending_outcome(pending, number, r, text, TABLES_NONE);
		return;
	}
	if (share_is_sealing(core, o)) {
		pending_outcome(pending, number, -EINVAL,
			scratch_text(core, "object %s is being sealed already",
				object_id_text(core, id)), TABLES_NONE);
		return;
	}
	if (core->objects[o].pins == 0)
		seal_begin(core, pending, number, o);
	else if (pending->timeout_ns == 0)
		pending_outcome(pending, number, -EBUSY, share_explain(core, o), TABLES_NONE);
	else
		share_wait(core, pending, number, o);
}

void request_seal(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct pending *pending = pending_for(core, conn, request);

	if (!pending)
		return;
	for (uint32_t i = 0; i < request->n_items; i++)
		seal_item(core, conn, pending, &request->items[i].id);
	if (!list_empty(&pending->sealings))
		pending_set_deadline(core, pending, deadline_ns(core->now, pending->timeout_ns));
	pending_packet_end(core, pending, request->more);
}

void seal_done(struct core *core, uint32_t ticket, int result)
{
	const struct operation operation = *operation_get(core, ticket, OPERATION_SEAL);
	struct pending *pending = operation.pending;
	const char *name = object_id_text(core, &pending->outcomes[operation.item].id);
	const char *text = NULL;

	operation_end(core, ticket);
	if (operation.object == TABLES_NONE) {
		core->freeing_bytes -= operation.bytes;
		core->n_freeing_fds--;
		effect_close(core, operation.fd, operation.bytes);
		result = -ENOENT;
		text = scratch_text(core, "object %s was aborted while it was sealed", name);
	} else {
		core->objects[operation.object].sealing = 0;
		if (result == 0)
			object_seal(core, operation.object, pending->serial);
		else if (result == -EBUSY)
			text = scratch_text(core, "object %s cannot be sealed: somebody still maps it "
				"writable; unmap it and seal again", name);
		else
			text = scratch_text(core, "object %s cannot be sealed: %s", name,
				strerror(-result));
	}
	pending_outcome(pending, operation.item, result, text, TABLES_NONE);
	pending_settle(core, pending);
}

void request_abort(struct core *core, uint32_t conn, const struct wire_request *request)
{
	struct pending *pending = pending_for(core, conn, request);

	if (!pending)
		return;
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct id128 *id = &request->items[i].id;
		const uint32_t number = pending_add(pending, id), o = object_find(core, id);
		const bool draft = o != TABLES_NONE &&
				   access_is_draft_of(core, conn, object_record(core, o));
		const bool done = request->retry &&
				  connection_is_done(core, conn, request->serial, number);

		if (draft && !done) {
			connection_note_done(core, conn, request->serial, number);
			object_abort(core, o);
		}
		pending_outcome(pending, number, draft || done ? 0 : -ENOENT,
			scratch_text(core, "no draft %s of this connection", object_id_text(core, id)),
			TABLES_NONE);
		tables_breathe(&core->tables);
	}
	pending_packet_end(core, pending, request->more);
}
