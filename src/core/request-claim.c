/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HOLD, UNHOLD, LOOKUP, LEASE, LOAD. */
#include <errno.h>
#include <string.h>

#include "core/access.h"
#include "core/claim.h"
#include "core/connection.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/object.h"
#include "core/request.h"
#include "core/state.h"

static void refuse(struct core *core, uint32_t conn, const struct wire_request *request, int status,
	const char *text)
{
	effect_refuse(core, conn, request->type, request->serial, status, text);
}

uint32_t request_find_object(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const struct id128 *id = &request->items[0].id;
	const uint32_t o = object_find(core, id);
	int status;

	if (o != TABLES_NONE && access_is_draft_of(core, conn, object_record(core, o))) {
		refuse(core, conn, request, -EINVAL,
			scratch_text(core, "object %s is not sealed yet: seal it first",
				object_id_text(core, id)));
		return TABLES_NONE;
	}
	if (o != TABLES_NONE && access_sees(core, conn, object_record(core, o)))
		return o;
	status = gone_status(core, conn, id);
	refuse(core, conn, request, status ? status : -ENOENT, gone_explain(core, conn, id));
	return TABLES_NONE;
}

static bool name_is_valid(struct core *core, uint32_t conn, const struct wire_request *request)
{
	if (request->name && *request->name && strlen(request->name) <= WIRE_NAME_MAX)
		return true;
	refuse(core, conn, request, -EINVAL, "a name has 1 to 255 bytes");
	return false;
}

/* Add a reference and reply with the object. */
static void grant_reference(struct core *core, uint32_t conn, const struct wire_request *request,
	uint32_t o)
{
	struct wire_item *item;
	struct wire_reply *reply;

	if (!holding_room(core, conn, 1)) {
		refuse(core, conn, request, -ENOMEM,
			"the broker's table of references is full: release some");
		return;
	}
	holding_add(core, conn, o, 1, 0);
	item = scratch_alloc(core, 1, sizeof *item);
	object_describe(core, o, item);
	reply = effect_reply(core, conn, request->type, request->serial);
	reply->items = item;
	reply->n_items = 1;
}

void request_hold(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const struct account *account = core->connections[conn].account;
	uint32_t o;
	int r;

	if (request->retry && connection_is_done(core, conn, request->serial, 0)) {
		effect_reply(core, conn, request->type, request->serial);
		return;
	}
	if (!name_is_valid(core, conn, request))
		return;
	o = request_find_object(core, conn, request);
	if (o == TABLES_NONE)
		return;
	r = name_find(core, account->uid, request->name) == TABLES_NONE ?
		name_room(core, account) : 0;
	if (r < 0) {
		refuse(core, conn, request, r, scratch_text(core, "no room for name \"%s\": uid %u "
			"has %u; remove some with unhold", request->name, account->uid,
			account->n_names));
		return;
	}
	connection_note_done(core, conn, request->serial, 0);
	name_bind(core, account->uid, request->name, o);
	effect_reply(core, conn, request->type, request->serial);
}

void request_unhold(struct core *core, uint32_t conn, const struct wire_request *request)
{
	uint32_t n;

	if (request->retry && connection_is_done(core, conn, request->serial, 0)) {
		effect_reply(core, conn, request->type, request->serial);
		return;
	}
	if (!name_is_valid(core, conn, request))
		return;
	n = name_find(core, connection_record(core, conn)->uid, request->name);
	if (n == TABLES_NONE) {
		refuse(core, conn, request, -ENOENT,
			scratch_text(core, "no name \"%s\" of yours: hold gives an object one", request->name));
		return;
	}
	connection_note_done(core, conn, request->serial, 0);
	name_drop(core, n);
	effect_reply(core, conn, request->type, request->serial);
}

void request_lookup(struct core *core, uint32_t conn, const struct wire_request *request)
{
	uint32_t n;

	if (!name_is_valid(core, conn, request))
		return;
	n = name_find(core, connection_record(core, conn)->uid, request->name);
	if (n == TABLES_NONE ||
		!access_sees(core, conn, object_record(core, core->tables.names[n].object))) {
		refuse(core, conn, request, -ENOENT,
			scratch_text(core, "no name \"%s\" of yours: hold gives an object one", request->name));
		return;
	}
	grant_reference(core, conn, request, core->tables.names[n].object);
}

void request_lease(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const struct account *account = core->connections[conn].account;
	uint32_t o, l;
	int r;

	if (id128_is_zero(&request->token)) {
		refuse(core, conn, request, -EINVAL, "a token of zeros is not valid: draw a random one");
		return;
	}
	o = request_find_object(core, conn, request);
	if (o == TABLES_NONE)
		return;
	l = lease_find(core, &request->token);
	if (l != TABLES_NONE) {
		if (request->retry && core->tables.leases[l].object == o)
			effect_reply(core, conn, request->type, request->serial);
		else
			refuse(core, conn, request, -EEXIST, "the token is taken: draw a random one");
		return;
	}
	r = lease_room(core, account);
	if (r < 0) {
		refuse(core, conn, request, r, scratch_text(core, "no room for another reference on "
			"its way: uid %u has %u, which end by themselves", account->uid,
			account->n_leases));
		return;
	}
	lease_take(core, account->uid, &request->token, o);
	effect_reply(core, conn, request->type, request->serial);
}

void request_load(struct core *core, uint32_t conn, const struct wire_request *request)
{
	uint32_t o, l;

	o = request_find_object(core, conn, request);
	if (o == TABLES_NONE)
		return;
	/* The lease kept the object; where something else did, it is as good without. */
	l = lease_find(core, &request->token);
	if (l != TABLES_NONE && core->tables.leases[l].object == o)
		lease_extend(core, l);
	grant_reference(core, conn, request, o);
}
