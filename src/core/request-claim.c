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
#include "util/clock.h"

static void refuse(struct core *core, uint32_t conn, const struct wire_request *request, int status,
	const char *text)
{
	effect_refuse(core, conn, request->type, request->serial, status, text);
}

/* The sealed object of this id.  Return: 0, or why there is none for this connection, with the
 * sentence. */
static int find_object(struct core *core, uint32_t conn, const struct id128 *id, uint32_t *op,
	const char **textp)
{
	int status;

	*op = object_find(core, id);
	if (*op != TABLES_NONE && access_is_draft_of(core, conn, object_record(core, *op))) {
		*textp = scratch_text(core, "object %s is not sealed yet: seal it first",
			object_id_text(core, id));
		return -EINVAL;
	}
	if (*op != TABLES_NONE && access_sees(core, conn, object_record(core, *op)))
		return 0;
	status = gone_status(core, conn, id);
	*textp = gone_explain(core, conn, id);
	return status ? status : -ENOENT;
}

uint32_t request_find_object(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const char *text;
	uint32_t o;
	int r = find_object(core, conn, &request->items[0].id, &o, &text);

	if (r == 0)
		return o;
	refuse(core, conn, request, r, text);
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

/* ---- leases: each item by itself ---- */

int claim_lease(struct core *core, uint32_t conn, const struct id128 *token, uint32_t o,
	const char **textp)
{
	const struct account *account = core->connections[conn].account;
	const uint32_t l = lease_find(core, token, o);
	int r;

	if (l != TABLES_NONE) { /* sent again, or pickled twice */
		lease_extend(core, l);
		return 0;
	}
	r = lease_room(core, account);
	if (r < 0)
		*textp = scratch_text(core, "no room for another reference on its way: uid %u has "
			"%u, which end by themselves %lld s after they were pickled or last loaded",
			account->uid, account->n_leases,
			(long long)(core->config.transit_lease_ns / NS_PER_S));
	else
		lease_take(core, account->uid, token, o);
	return r;
}

static int lease_item(struct core *core, uint32_t conn, const struct wire_request *request,
	struct wire_item *item, const char **textp)
{
	uint32_t o;
	const int r = find_object(core, conn, &item->id, &o, textp);

	return r < 0 ? r : claim_lease(core, conn, &request->token, o, textp);
}

static int load_item(struct core *core, uint32_t conn, const struct wire_request *request,
	struct wire_item *item, const char **textp)
{
	uint32_t o, l;
	int r = find_object(core, conn, &item->id, &o, textp);

	if (r < 0)
		return r;
	if (!holding_room(core, conn, 1)) {
		*textp = "the broker's table of references is full: release some";
		return -ENOMEM;
	}
	/* The lease kept the object; where something else did, it is as good without. */
	l = lease_find(core, &request->token, o);
	if (l != TABLES_NONE)
		lease_extend(core, l);
	holding_add(core, conn, o, 1, 0);
	object_describe(core, o, item);
	return 0;
}

static void for_each_item(struct core *core, uint32_t conn, const struct wire_request *request,
	int (*carry_out)(struct core *core, uint32_t conn, const struct wire_request *request,
		struct wire_item *item, const char **textp))
{
	struct wire_item *items = scratch_alloc(core, request->n_items, sizeof *items);
	struct wire_reply *reply;
	const char *first = NULL;
	int status = 0;

	if (id128_is_zero(&request->token)) {
		refuse(core, conn, request, -EINVAL, "a token of zeros is not valid: draw a random one");
		return;
	}
	for (uint32_t i = 0; i < request->n_items; i++) {
		const char *text = NULL;

		items[i].id = request->items[i].id;
		items[i].status = carry_out(core, conn, request, &items[i], &text);
		if (items[i].status < 0 && status == 0) {
			status = items[i].status;
			first = text;
		}
		tables_breathe(&core->tables);
	}
	reply = effect_reply(core, conn, request->type, request->serial);
	reply->status = status;
	reply->text = first;
	reply->items = items;
	reply->n_items = request->n_items;
}

void request_lease(struct core *core, uint32_t conn, const struct wire_request *request)
{
	for_each_item(core, conn, request, lease_item);
}

void request_load(struct core *core, uint32_t conn, const struct wire_request *request)
{
	for_each_item(core, conn, request, load_item);
}
