/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many values in one call.
 *
 * Small ones share packets, as many as fit, and a few packets are under way at
 * once: the broker works on one while the next is written, and nobody waits
 * for one object's reply before sending the next.  Not all at once, because
 * what waits for room in the store is copied by the broker, which allows each
 * uid only so much of that.  A large value goes by way of a draft, in its turn.
 *
 * Each packet is a request (a batch here) of values that follow each other in
 * the caller's array.  The reply has a status for each; the good ones are
 * granted, in their order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/draft.h"
#include "client/error.h"
#include "client/objects.h"
#include "client/pieces.h"
#include "util/cleanup.h"

#define BATCHES 8 /* under way at once */

struct batch {
	struct call *call;
	struct wire_item *items;
	void **gathered;   /* values of several pieces, in one; NULL: it had one */
	size_t begin, n;   /* in the caller's arrays */
	size_t room, size; /* of items; of the packet */
	int *errors;       /* n of them */
	size_t n_answered;
};

struct many {
	struct ostore *conn;
	const struct ostore_value *values;
	int64_t timeout;
	struct ostore_object **objects; /* NULL: not wanted */
	int *errors;                    /* NULL: not wanted */
	struct waiter waiter;
	struct batch batches[BATCHES];  /* a ring: */
	size_t n_begun, n_ended;
	struct id_stock ids;
	int error;                      /* of the first value that has one, */
	size_t wrong;                   /* which it is, */
	struct text text;               /* and the sentence */
};

static void note_error(struct many *many, size_t i, int error)
{
	if (many->errors)
		many->errors[i] = error;
	if (error < 0 && (many->error == 0 || i < many->wrong)) {
		many->error = error;
		many->wrong = i;
		text_set(&many->text, "%s", ostore_strerror(NULL));
	}
}

/* ---- batches ---- */

static int collect_errors(struct call *call, const struct wire_reply *reply)
{
	struct batch *batch = call->user;

	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (batch->n_answered == batch->n)
			return -EPROTO;
		batch->errors[batch->n_answered++] = reply->items[i].status;
	}
	return 0;
}

static void restart_errors(struct call *call)
{
	struct batch *batch = call->user;

	batch->n_answered = 0;
}

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; batch->gathered && i < batch->n; i++)
		free(batch->gathered[i]);
	free(batch->gathered);
	free(batch->items);
	free(batch->errors);
	*batch = (struct batch){ .n = 0 };
}

/* The handle of a value that was stored. */
static int take(struct many *many, struct grant *grant, const struct wire_item *item, size_t i)
{
	int r;

	if (!grant->entry)
		return fail_memory();
	if (!id128_equal(&grant->entry->id, &item->id))
		return fail(-EPROTO, "put: the broker answered in another order");
	if (!many->objects)
		return 0;
	r = objects_describe(grant->entry, item->data_size, many->conn->uid, 0, item->metadata,
		item->metadata_size);
	if (r == 0)
		r = objects_take(many->conn, grant, &many->objects[i]);
	return r < 0 ? fail_memory() : 0;
}

/* Lock held.  It is answered: what became of each value? */
static void batch_finish(struct many *many, struct batch *batch)
{
	struct call *call = batch->call;
	char hex[ID128_TEXT_SIZE];
	size_t n_taken = 0;

	for (size_t i = 0; i < batch->n; i++) {
		const struct wire_item *item = &batch->items[i];
		int r = i < batch->n_answered ? batch->errors[i] : MIN(call->status, 0);

		if (r < 0)
			(void)call_fail(call, "put of %s", id128_format(&item->id, hex));
		else if (i >= batch->n_answered || n_taken == call->n_grants)
			r = fail(-EPROTO, "put of %s: the broker's answer lacks it",
				id128_format(&item->id, hex));
		else
			r = take(many, &call->grants[n_taken++], item, batch->begin + i);
		note_error(many, batch->begin + i, r);
	}
	call_end(many->conn, call);
	batch_free(batch);
}

/* Lock held, dropped while waiting.  Return: 0, -EINTR, -ETIMEDOUT. */
static int finish_oldest(struct many *many)
{
	struct batch *batch = &many->batches[many->n_ended % BATCHES];

	while (!batch->call->done) {
		int r = call_wait(many->conn, &many->waiter, many->waiter.n_done + 1,
			CALL_INTERRUPTIBLE);

		if (r < 0)
			return fail(r, "put of many: %s", error_cause(r));
	}
	batch_finish(many, batch);
	many->n_ended++;
	return 0;
}

static int finish_all(struct many *many)
{
	int r = 0;

	while (r == 0 && many->n_ended < many->n_begun)
		r = finish_oldest(many);
	return r;
}

/* Lock held.  Send what was gathered, if anything.  Return: 0, -ENOMEM. */
static int batch_send(struct many *many, struct batch *batch)
{
	struct call *call;

	if (batch->n == 0)
		return 0;
	batch->errors = calloc(batch->n, sizeof *batch->errors);
	call = call_new(WIRE_PUT, batch->n, &many->waiter);
	if (!call || !batch->errors) {
		free(call);
		return fail_memory();
	}
	call->request.items = batch->items;
	call->request.n_items = (uint32_t)batch->n;
	call->collect = collect_errors;
	call->restart = restart_errors;
	call->user = batch;
	call_set_timeout(call, many->timeout);
	batch->call = call;
	many->n_begun++;
	call_start(many->conn, call);
	return 0;
}

static int batch_grow(struct batch *batch)
{
	size_t room = batch->room ? 2 * batch->room : 32;
	struct wire_item *items = reallocarray(batch->items, room, sizeof *items);
	void **gathered;

	if (items)
		batch->items = items;
	gathered = reallocarray(batch->gathered, room, sizeof *gathered);
	if (gathered)
		batch->gathered = gathered;
	if (!items || !gathered)
		return fail_memory();
	batch->room = room;
	return 0;
}

/* ---- values ---- */

/* Lock held, dropped while waiting.  The batch that is being gathered, with room for an item of
 * this size.  Return: 0, -EINTR, -ETIMEDOUT, -ENOMEM. */
static int batch_for(struct many *many, size_t begin, const struct wire_item *item,
	struct batch **batchp)
{
	struct batch *batch = &many->batches[many->n_begun % BATCHES];
	size_t size = wire_request_item_size(WIRE_PUT, item);
	int r = 0;

	if (batch->n > 0 &&
		(batch->size + size > many->conn->max_packet || batch->n == many->conn->max_items)) {
		r = batch_send(many, batch);
		if (r == 0 && many->n_begun - many->n_ended == BATCHES)
			r = finish_oldest(many);
		batch = &many->batches[many->n_begun % BATCHES];
	}
	if (r == 0 && batch->n == batch->room)
		r = batch_grow(batch);
	if (r < 0)
		return r;
	if (batch->n == 0) {
		struct wire_request empty = { .type = WIRE_PUT };

		batch->begin = begin;
		batch->size = wire_request_size(&empty);
	}
	batch->size += size;
	*batchp = batch;
	return 0;
}

static int add_small(struct many *many, size_t i, const struct order *order, uint64_t size)
{
	const struct ostore_value *value = &many->values[i];
	struct wire_item item = order_item(order, size);
	struct batch *batch;
	void *gathered = NULL;
	int r;

	if (value->n_pieces > 1 || order->labels) { /* labels end with the order */
		gathered = malloc(size + order->labels_size + 1);
		if (!gathered)
			return fail_memory();
		pieces_copy(gathered, value->pieces, value->n_pieces);
		if (order->labels)
			item.labels = memcpy((char *)gathered + size, order->labels,
				order->labels_size);
	}
	item.data_size = (uint32_t)size;
	if (size > 0)
		item.data = gathered ? gathered : value->pieces[0].iov_base;
	r = batch_for(many, i, &item, &batch);
	if (r < 0) {
		free(gathered);
		return r;
	}
	batch->items[batch->n] = item;
	batch->gathered[batch->n++] = gathered;
	return 0;
}

/* Lock held, dropped while waiting.  What is wrong with one value alone is noted.
 * Return: 0, or what ends the whole: -EINTR, -ETIMEDOUT, -ENOMEM. */
static int add(struct many *many, size_t i)
{
	const struct ostore_value *value = &many->values[i];
	CLEANUP_ORDER struct order order = ORDER_INIT;
	uint64_t size;
	int r = pieces_size(value->pieces, value->n_pieces, &size);

	if (r == 0)
		r = order_take(&order, value->options, size, &many->ids);
	if (r == 0 && size <= many->conn->inline_max)
		return add_small(many, i, &order, size);
	if (r < 0)
		note_error(many, i, r);
	/* A batch is of values that follow each other: this one is not of it. */
	if (batch_send(many, &many->batches[many->n_begun % BATCHES]) < 0)
		return -ENOMEM;
	if (many->n_begun - many->n_ended == BATCHES) {
		int error = finish_oldest(many);

		if (error < 0)
			return error;
	}
	if (r < 0)
		return 0;
	order.timeout = many->timeout;
	r = order_put_draft(many->conn, &order, size, value->pieces, value->n_pieces,
		many->objects ? &many->objects[i] : NULL);
	if (r == -EINTR)
		return r;
	note_error(many, i, r);
	return 0;
}

/* Nobody will hear of them: end what is under way, and what was stored. */
static void give_up(struct many *many, size_t n)
{
	for (; many->n_ended < many->n_begun; many->n_ended++) {
		struct batch *batch = &many->batches[many->n_ended % BATCHES];

		call_end(many->conn, batch->call);
		batch_free(batch);
	}
	batch_free(&many->batches[many->n_begun % BATCHES]);
	for (size_t i = 0; many->objects && i < n; i++) {
		if (many->objects[i])
			objects_drop(many->objects[i]);
		many->objects[i] = NULL;
	}
	(void)call_flush(many->conn);
}

int ostore_put_many(struct ostore *conn, const struct ostore_value *values, size_t n,
	int64_t timeout, struct ostore_object **objects, int *errors)
{
	struct many many = {
		.conn = conn,
		.values = values,
		.timeout = timeout,
		.objects = objects,
		.errors = errors,
		.waiter = WAITER_INIT,
	};
	int r;

	if (n == 0)
		return 0;
	if (!values || timeout < 0)
		return fail(-EINVAL, "put of %zu values: no values, or a timeout of %lld ns", n,
			(long long)timeout);
	for (size_t i = 0; objects && i < n; i++)
		objects[i] = NULL;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add(&many, i);
	if (r == 0)
		r = batch_send(&many, &many.batches[many.n_begun % BATCHES]);
	if (r == 0)
		r = finish_all(&many);
	if (r < 0) {
		give_up(&many, n);
		for (size_t i = 0; errors && i < n; i++)
			errors[i] = r;
	}
	batch_free(&many.batches[many.n_begun % BATCHES]);
	connection_leave(conn);
	return r < 0 ? r : many.error < 0 ? fail(many.error, "%s", many.text.bytes) : 0;
}
