/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/travel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/connection.h"
#include "client/draft.h"
#include "client/error.h"
#include "client/objects.h"
#include "client/service.h"
#include "util/cleanup.h"

#define BATCH_MAX  256 /* references of one request */
#define BATCHES_MAX 16 /* without an answer; then who adds another waits */

struct batch {
	struct batch *next;
	struct call *call;
	uint16_t type;
	struct id128 token;
	uint32_t n, n_seen;
	struct wire_item items[BATCH_MAX];
	int32_t statuses[BATCH_MAX];
};

/* ---- a batch's life ---- */

static struct batch *batch_new(uint16_t type, const struct id128 *token)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (!batch)
		return NULL;
	batch->type = type;
	batch->token = *token;
	return batch;
}

static int collect_statuses(struct call *call, const struct wire_reply *reply)
{
	struct batch *batch = call->user;

	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (batch->n_seen == batch->n)
			return -EPROTO;
		batch->statuses[batch->n_seen++] = reply->items[i].status;
	}
	return 0;
}

static void restart_statuses(struct call *call)
{
	struct batch *batch = call->user;

	batch->n_seen = 0;
}

/* The next call_flush() looks at it. */
static void note_answer(struct ostore *conn, struct call *call)
{
	(void)call;
	conn->travel.is_answered = true;
}

/* What gathered is lost where there is no memory for its call: references that do not
 * arrive, and the word of it for the next export. */
static void make_call(struct ostore *conn, struct batch **batchp)
{
	struct travel *travel = &conn->travel;
	struct batch *batch = TAKE_PTR(*batchp), **p = &travel->sent;

	if (!batch)
		return;
	while (*p)
		p = &(*p)->next;
	*p = batch;
	batch->call = call_new(batch->type, batch->type == WIRE_LOAD ? batch->n : 0, &travel->waiter);
	if (!batch->call) {
		travel->is_answered = true;
		return;
	}
	batch->call->request.token = batch->token;
	batch->call->request.items = batch->items;
	batch->call->request.n_items = batch->n;
	batch->call->collect = collect_statuses;
	batch->call->restart = restart_statuses;
	batch->call->finished = note_answer;
	batch->call->early = true;
	batch->call->user = batch;
	travel->n_sent++;
	travel->early = true;
	call_queue(conn, batch->call);
}

void travel_gathered(struct ostore *conn)
{
	make_call(conn, &conn->travel.imports);
	make_call(conn, &conn->travel.exports);
}

static void note_import(struct ostore *conn, const struct id128 *id, int status)
{
	struct entry *entry = objects_lookup(conn, id);

	conn->travel.n_arriving--;
	if (!entry || entry->arriving == 0)
		return; /* its handle was dropped */
	entry->arriving--;
	if (status < 0 && entry->refs == 0)
		entry->absent = conn->travel.some_absent = true;
}

static void finish(struct ostore *conn, struct batch *batch)
{
	struct call *call = batch->call;
	int status = call ? call->status : -ENOMEM;

	/* References that are not for a living handle are given back here. */
	for (size_t i = 0; call && i < call->n_grants; i++)
		objects_put_back(conn, &call->grants[i]);
	if (batch->type == WIRE_LOAD)
		for (uint32_t i = 0; i < batch->n; i++)
			note_import(conn, &batch->items[i].id,
				i < batch->n_seen ? batch->statuses[i] : status);
	/* Of an object that is gone its receivers are told, and nobody else is concerned. */
	if (batch->type == WIRE_LEASE && status < 0 && status != -ENOENT && status != -ENODATA) {
		conn->travel.error = status;
		text_set(&conn->travel.text, "%s",
			call && call->text.length ? call->text.bytes : error_cause(status));
	}
	if (call)
		call_end(conn, call);
	free(batch);
}

static struct batch *take_answered(struct travel *travel)
{
	for (struct batch **p = &travel->sent; *p; p = &(*p)->next) {
		struct batch *batch = *p;

		if (batch->call && !batch->call->done)
			continue;
		*p = batch->next;
		return batch;
	}
	return NULL;
}

void travel_reap(struct ostore *conn)
{
	struct batch *batch;

	conn->travel.is_answered = false;
	/* From the first on each time: the end of a call flushes, which comes here again. */
	while ((batch = take_answered(&conn->travel)))
		finish(conn, batch);
}

bool travel_waits(const struct ostore *conn)
{
	return conn->travel.exports || conn->travel.imports || conn->travel.sent;
}

static void forget(struct ostore *conn, struct batch *batch)
{
	for (uint32_t i = 0; batch->type == WIRE_LOAD && i < batch->n; i++) {
		struct entry *entry = objects_lookup(conn, &batch->items[i].id);

		if (entry)
			entry->arriving = 0; /* ostore_import_end() asks for it anew */
	}
	free(batch);
}

void travel_forget(struct ostore *conn)
{
	struct travel *travel = &conn->travel;

	travel_reap(conn);
	while (travel->sent) {
		struct batch *batch = travel->sent;

		travel->sent = batch->next;
		forget(conn, batch);
	}
	if (travel->imports)
		forget(conn, TAKE_PTR(travel->imports));
	if (travel->exports)
		forget(conn, TAKE_PTR(travel->exports));
	travel->n_arriving = 0;
	travel->early = false;
	travel->n_sent = travel->waiter.n_done = 0;
}

/* ---- waiting ---- */

/* Lock held, dropped meanwhile: until at most so many batches have no answer. */
static int wait_for_answers(struct ostore *conn, unsigned int at_most)
{
	struct travel *travel = &conn->travel;
	int r = 0;

	if (travel->n_sent - travel->waiter.n_done > at_most)
		r = call_wait(conn, &travel->waiter, travel->n_sent - at_most, CALL_PATIENT);
	travel_reap(conn);
	return r;
}

/* A reference that was to come with the parent, or for which there was no memory. */
static int ask_for(struct ostore *conn, const struct entry *entry)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call = call_new(WIRE_GET, 1, &waiter);
	char hex[ID128_TEXT_SIZE];
	int r;

	if (!call)
		return fail_memory();
	call_set_item(call);
	call->item.id = entry->id;
	call->request.flags = WIRE_GET_REF;
	call_set_timeout(call, 0);
	r = call_one(conn, call, CALL_PATIENT, "import of %s", id128_format(&entry->id, hex));
	call_end(conn, call); /* the handle's entry keeps what was granted */
	return r;
}

int travel_settle(struct ostore *conn, const struct entry *entry)
{
	int r = 0;

	while (r == 0 && (entry ? entry->arriving > 0 && entry->refs == 0 : conn->travel.n_arriving > 0)) {
		r = call_flush(conn);
		if (r == -EAGAIN)
			r = 0;
		if (r == 0)
			r = wait_for_answers(conn, 0);
	}
	return r < 0 ? fail(r, "import: %s", error_cause(r)) : 0;
}

/* ---- public ---- */

static int draw(struct id128 *token)
{
	ssize_t n;

	do
		n = getrandom(token, sizeof *token, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Lock held, dropped perhaps.  It was added to a batch: send that now, or soon. */
static int added(struct ostore *conn, const struct batch *batch)
{
	if (batch->n < BATCH_MAX && !conn->no_service_thread && service_start() == 0)
		return 0;
	(void)call_flush(conn);
	return wait_for_answers(conn, BATCHES_MAX);
}

int ostore_export_begin(struct ostore_object *object, ostore_token *token)
{
	struct travel *travel;
	struct ostore *conn;
	char hex[ID128_TEXT_SIZE];
	int r;

	if (!object || !token)
		return fail(-EINVAL, "export: no object, or no place for the token");
	conn = object->conn;
	travel = &conn->travel;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	/* What we know to be gone: be told why. */
	if ((!object->entry->listed || object->entry->absent) && !draft_is_open(object)) {
		connection_leave(conn);
		return ostore_export(object, token);
	}
	travel_reap(conn);
	if (draft_is_open(object)) {
		r = fail(-EINVAL, "export of %s: it is not sealed yet",
			id128_format(&object->entry->id, hex));
	} else if (travel->error) {
		r = fail(travel->error, "export of an earlier reference: %s", travel->text.bytes);
		travel->error = 0;
	} else if (!travel->exports) {
		struct id128 drawn;

		r = draw(&drawn);
		if (r < 0)
			r = fail(r, "export: getrandom: %s", strerror(-r));
		else if (!(travel->exports = batch_new(WIRE_LEASE, &drawn)))
			r = fail_memory();
	}
	if (r == 0) {
		struct batch *batch = travel->exports;

		batch->items[batch->n++].id = object->entry->id;
		memcpy(token, &batch->token, sizeof *token);
		r = added(conn, batch);
	}
	connection_leave(conn);
	return r;
}

int ostore_import_begin(struct ostore *conn, const ostore_id *id, const ostore_token *token,
	struct ostore_object **objectp)
{
	struct travel *travel;
	struct id128 inner, inner_token;
	int r;

	if (!id || !token || !objectp)
		return fail(-EINVAL, "import: no id, no token, or no place for the object");
	memcpy(&inner, id, sizeof inner);
	memcpy(&inner_token, token, sizeof inner_token);
	if (id128_is_zero(&inner) || id128_is_zero(&inner_token))
		return fail(-EINVAL, "import: the id or the token is all zeros");
	r = connection_enter(conn);
	if (r < 0)
		return r;
	travel = &conn->travel;
	if (travel->imports && !id128_equal(&travel->imports->token, &inner_token))
		make_call(conn, &travel->imports);
	if (!travel->imports)
		travel->imports = batch_new(WIRE_LOAD, &inner_token);
	if (!travel->imports || objects_expect(conn, &inner, objectp) < 0) {
		r = fail_memory();
	} else {
		struct batch *batch = travel->imports;

		batch->items[batch->n++].id = inner;
		travel->n_arriving++;
		r = added(conn, batch);
		if (r < 0)
			objects_drop(TAKE_PTR(*objectp));
	}
	if (travel->imports && travel->imports->n == 0)
		free(TAKE_PTR(travel->imports));
	connection_leave(conn);
	return r;
}

int ostore_import_end(struct ostore_object *object)
{
	struct ostore *conn;
	char hex[ID128_TEXT_SIZE];
	int r;

	if (!object)
		return fail(-EINVAL, "import: no object");
	conn = object->conn;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	r = travel_settle(conn, object->entry);
	if (r == 0 && object->entry->absent)
		r = fail(-ENOENT, "import of %s: the reference came too late, and nothing else has kept "
			"the object; raise transit_lease", id128_format(&object->entry->id, hex));
	else if (r == 0 && !object->entry->known && !draft_is_open(object))
		r = ask_for(conn, object->entry);
	connection_leave(conn);
	return r;
}

int ostore_flush(struct ostore *conn)
{
	int r = connection_enter(conn);

	if (r < 0)
		return r;
	call_flush_soon(conn);
	call_poll(conn);
	travel_reap(conn);
	connection_leave(conn);
	return 0;
}
