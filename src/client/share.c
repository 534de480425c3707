/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drafts that several processes write.
 *
 * Who created a draft shares it: a token, which is a secret, and good while the
 * draft is one.  Another process that knows it joins, and maps the same memory,
 * shared and writable.  The broker counts that mapping as a pin, so that it
 * knows when the last one is gone and the kernel can seal.  A joined draft is a
 * handle as others are, and ends with ostore_release().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/draft.h"
#include "client/error.h"
#include "client/map.h"
#include "client/objects.h"
#include "util/cleanup.h"

/* ---- sharing ---- */

static int draw(struct id128 *token)
{
	ssize_t n;

	do
		n = getrandom(token, sizeof *token, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Lock held, dropped while waiting. */
static int share(struct ostore_object *draft, ostore_token *token, const char *hex)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call = call_new(WIRE_SHARE, 0, &waiter);
	int r;

	if (!call)
		return fail_memory();
	call_set_item(call);
	call->item.id = draft->entry->id;
	r = draw(&call->request.token);
	if (r < 0) {
		free(call);
		return fail(r, "share of %s: getrandom: %s", hex, strerror(-r));
	}
	draft->draft->shared = true; /* also when the answer is lost */
	r = call_one(draft->conn, call, CALL_PATIENT, "share of %s", hex);
	if (r == 0)
		memcpy(token, &call->request.token, sizeof *token);
	call_end(draft->conn, call);
	return r;
}

int ostore_share(struct ostore_object *draft, ostore_token *token)
{
	char hex[ID128_TEXT_SIZE];
	struct ostore *conn;
	int r;

	if (!draft || !token)
		return fail(-EINVAL, "share: no draft, or no place for the token");
	conn = draft->conn;
	(void)id128_format(&draft->entry->id, hex);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	if (!draft_is_open(draft))
		r = fail(-EINVAL, "share of %s: it is sealed already; export it", hex);
	else if (draft->draft->foreign || draft->draft->joined)
		r = fail(-EINVAL, "share of %s: the draft belongs to another process", hex);
	else
		r = share(draft, token, hex);
	connection_leave(conn);
	return r;
}

/* ---- joining ---- */

/* Lock held, dropped while waiting. */
static int join(struct ostore *conn, struct call *call, struct draft *draft, const char *hex,
	struct ostore_object **objectp)
{
	struct grant *grant = call->grants;
	struct ostore_object *object;
	int r = call_one(conn, call, CALL_PATIENT, "join of %s", hex);

	if (r < 0)
		return r;
	if (call->n_grants != 1 || grant->fd < 0 || !grant->entry->known)
		return fail(-EPROTO, "join of %s: the broker sent no memory for it", hex);
	draft->size = grant->entry->size;
	if (draft->size > 0) {
		r = map_draft(grant->fd, draft->size, &draft->data);
		if (r < 0)
			return fail(r, "join of %s: mapping %llu bytes: %s", hex,
				(unsigned long long)draft->size, strerror(-r));
	}
	cleanup_closep(&grant->fd);
	grant->fd = -1;
	if (objects_take(conn, grant, &object) < 0) {
		if (draft->data)
			map_end(draft->data, draft->size);
		return fail_memory();
	}
	object->draft = draft;
	draft->next = conn->drafts;
	conn->drafts = draft;
	*objectp = object;
	return 0;
}

int ostore_join(struct ostore *conn, const ostore_id *id, const ostore_token *token,
	struct ostore_object **draftp)
{
	struct waiter waiter = WAITER_INIT;
	char hex[ID128_TEXT_SIZE];
	struct draft *draft;
	struct call *call;
	int r;

	if (!id || !token || !draftp)
		return fail(-EINVAL, "join: no id, no token, or no place for the draft");
	(void)ostore_id_format(id, hex);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_JOIN, 1, &waiter);
	draft = calloc(1, sizeof *draft);
	if (call && draft) {
		draft->fd = -1;
		draft->joined = true;
		call_set_item(call);
		memcpy(&call->item.id, id, sizeof call->item.id);
		memcpy(&call->request.token, token, sizeof call->request.token);
		r = join(conn, call, draft, hex, draftp);
		call_end(conn, call);
		(void)call_flush(conn);
	} else {
		free(call);
		r = fail_memory();
	}
	if (r < 0)
		free(draft);
	connection_leave(conn);
	return r;
}
