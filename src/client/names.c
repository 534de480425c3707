/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ids, names, references that travel, and deletion.
 *
 * These are answered at once, and what they do cannot be taken back by
 * cancelling; so a signal does not end them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/draft.h"
#include "client/error.h"
#include "client/objects.h"
#include "util/cleanup.h"

/* ---- ids ---- */

static int draw(void *bytes, size_t size)
{
	ssize_t n;

	do
		n = getrandom(bytes, size, 0);
	while (n < 0 && errno == EINTR);
	/* up to 256 bytes come whole or not at all */
	return n < 0 ? -errno : 0;
}

int ostore_id_random(ostore_id *id)
{
	return id ? draw(id->bytes, sizeof id->bytes) : fail(-EINVAL, "no place for the id");
}

int id_stock_take(struct id_stock *stock, ostore_id *id)
{
	int r;

	if (stock->n == 0) {
		r = draw(stock->ids, sizeof stock->ids);
		if (r < 0)
			return r;
		stock->n = ARRAY_SIZE(stock->ids);
	}
	*id = stock->ids[--stock->n];
	return 0;
}

int ostore_id_parse(ostore_id *id, const char *hex)
{
	struct id128 inner;

	if (!id || !hex || id128_parse(&inner, hex) < 0)
		return fail(-EINVAL, "\"%.40s\" is no id: an id has 32 hexadecimal digits", hex ? hex : "");
	memcpy(id, &inner, sizeof inner);
	return 0;
}

char *ostore_id_format(const ostore_id *id, char hex[33])
{
	struct id128 inner;

	memcpy(&inner, id, sizeof inner);
	return id128_format(&inner, hex);
}

/* ---- names ---- */

static int check_name(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	if (length == 0 || length > OSTORE_NAME_MAX)
		return fail(-EINVAL, "a name has 1 to %d bytes, not %zu", OSTORE_NAME_MAX, length);
	return 0;
}

int ostore_hold(struct ostore *conn, const char *name, const ostore_id *id)
{
	struct waiter waiter = WAITER_INIT;
	char hex[ID128_TEXT_SIZE];
	struct call *call;
	int r = check_name(name);

	if (r < 0)
		return r;
	if (!id)
		return fail(-EINVAL, "hold of \"%s\": no id", name);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_HOLD, 0, &waiter);
	if (call) {
		call_set_item(call);
		memcpy(&call->item.id, id, sizeof call->item.id);
		call->request.name = name;
		r = call_one(conn, call, CALL_PATIENT, "hold of %s as \"%s\"", ostore_id_format(id, hex),
			name);
		call_end(conn, call);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}

int ostore_unhold(struct ostore *conn, const char *name)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call;
	int r = check_name(name);

	if (r < 0)
		return r;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_UNHOLD, 0, &waiter);
	if (call) {
		call->request.name = name;
		r = call_one(conn, call, CALL_PATIENT, "unhold of \"%s\"", name);
		call_end(conn, call);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}

/* Lock held, dropped while waiting.  One request, one reference. */
static int one_reference(struct ostore *conn, struct call *call, const char *what,
	const char *subject, struct ostore_object **objectp)
{
	int r = call_one(conn, call, CALL_PATIENT, "%s %s", what, subject);

	if (r == 0 && (call->n_grants != 1 || !call->grants[0].entry->known))
		r = fail(-EPROTO, "%s %s: the broker's answer lacks the object", what, subject);
	if (r == 0 && objects_take(conn, &call->grants[0], objectp) < 0)
		r = fail_memory();
	call_end(conn, call);
	return r;
}

int ostore_lookup(struct ostore *conn, const char *name, struct ostore_object **objectp)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call;
	int r = check_name(name);

	if (r < 0)
		return r;
	if (!objectp)
		return fail(-EINVAL, "lookup of \"%s\": no place for the object", name);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_LOOKUP, 1, &waiter);
	if (call) {
		call->request.name = name;
		r = one_reference(conn, call, "lookup of the name", name, objectp);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}

/* ---- references that travel ---- */

int ostore_export(struct ostore_object *object, ostore_token *token)
{
	struct waiter waiter = WAITER_INIT;
	char hex[ID128_TEXT_SIZE];
	struct ostore *conn;
	struct call *call;
	int r;

	if (!object || !token)
		return fail(-EINVAL, "export: no object, or no place for the token");
	conn = object->conn;
	(void)id128_format(&object->entry->id, hex);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	if (draft_is_open(object)) {
		connection_leave(conn);
		return fail(-EINVAL, "export of %s: it is not sealed yet", hex);
	}
	call = call_new(WIRE_LEASE, 0, &waiter);
	if (call) {
		call_set_item(call);
		call->item.id = object->entry->id;
		/* ours, not the broker's: sent again, it takes the same lease again */
		r = draw(&call->request.token, sizeof call->request.token);
		if (r < 0) {
			r = fail(r, "export of %s: getrandom: %s", hex, strerror(-r));
			free(call);
			connection_leave(conn);
			return r;
		}
		r = call_one(conn, call, CALL_PATIENT, "export of %s", hex);
		if (r == 0)
			memcpy(token, &call->request.token, sizeof *token);
		call_end(conn, call);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}

int ostore_import(struct ostore *conn, const ostore_id *id, const ostore_token *token,
	struct ostore_object **objectp)
{
	struct waiter waiter = WAITER_INIT;
	char hex[ID128_TEXT_SIZE];
	struct call *call;
	int r;

	if (!id || !token || !objectp)
		return fail(-EINVAL, "import: no id, no token, or no place for the object");
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_LOAD, 1, &waiter);
	if (call) {
		call_set_item(call);
		memcpy(&call->item.id, id, sizeof call->item.id);
		memcpy(&call->request.token, token, sizeof call->request.token);
		r = one_reference(conn, call, "import of", ostore_id_format(id, hex), objectp);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}

/* ---- deletion ---- */

struct outcomes {
	int *errors;
	size_t n, n_seen;
};

static int collect_outcomes(struct call *call, const struct wire_reply *reply)
{
	struct outcomes *outcomes = call->user;

	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (outcomes->n_seen == outcomes->n)
			return -EPROTO;
		outcomes->errors[outcomes->n_seen++] = reply->items[i].status;
	}
	return 0;
}

static void restart_outcomes(struct call *call)
{
	struct outcomes *outcomes = call->user;

	outcomes->n_seen = 0;
}

/* Lock held, dropped while waiting. */
static int delete_some(struct ostore *conn, const struct wire_item *items, size_t n, int *errors)
{
	struct waiter waiter = WAITER_INIT;
	struct outcomes outcomes = { .errors = errors, .n = n };
	struct call *call = call_new(WIRE_DELETE, 0, &waiter);
	char hex[ID128_TEXT_SIZE];
	int r;

	if (!call)
		return fail_memory();
	call->request.items = items;
	call->request.n_items = (uint32_t)n;
	call->collect = collect_outcomes;
	call->restart = restart_outcomes;
	call->user = &outcomes;
	r = call_one(conn, call, CALL_PATIENT, "delete of %s%s", id128_format(&items[0].id, hex),
		n > 1 ? " and others" : "");
	for (size_t i = outcomes.n_seen; i < n; i++)
		errors[i] = r;
	for (size_t i = 0; i < n; i++)
		if (errors[i] == 0)
			objects_unlist(conn, &items[i].id);
	call_end(conn, call);
	return r;
}

int ostore_delete(struct ostore *conn, const ostore_id *ids, size_t n, int *errors)
{
	CLEANUP_FREE struct wire_item *items = NULL;
	CLEANUP_FREE int *own_errors = NULL;
	int r, first = 0;

	if (n == 0)
		return 0;
	if (!ids)
		return fail(-EINVAL, "delete: no ids");
	items = calloc(n, sizeof *items);
	if (!errors)
		errors = own_errors = calloc(n, sizeof *errors);
	if (!items || !errors)
		return fail_memory();
	for (size_t i = 0; i < n; i++)
		memcpy(&items[i].id, &ids[i], sizeof items[i].id);
	r = connection_enter(conn);
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			errors[i] = r;
		return r;
	}
	for (size_t begin = 0; begin < n; begin += CALL_ITEMS_MAX) {
		r = delete_some(conn, items + begin, MIN(n - begin, (size_t)CALL_ITEMS_MAX),
			errors + begin);
		first = first ? first : r;
	}
	connection_leave(conn);
	return first;
}
