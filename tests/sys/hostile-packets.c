/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that are no packets, or come when they may not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/wire-samples.h"
#include "hostile.h"

static void send_once(const void *bytes, size_t size, bool greet, const char *what)
{
	struct raw *raw = greet ? raw_open() : raw_connect();
	int r = raw_send_bytes(raw, bytes, size, NULL, 0);

	if (r != 0 && r != -EPIPE && r != -ECONNRESET)
		die("%s: %s", what, strerror(-r));
	expect_closed(raw, what);
	raw_close(raw);
}

static void garbage(void)
{
	uint8_t bytes[4096];
	unsigned int seed = 20; /* the same garbage each time */

	for (int round = 0; round < 200; round++) {
		size_t size = 1 + (size_t)rand_r(&seed) % sizeof bytes;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		send_once(bytes, size, round % 2, "garbage");
	}
}

static struct wire_request sample(const struct promise *promise, struct wire_item *items)
{
	struct wire_request request = full_request(promise, items);

	request.serial = 2;
	request.more = request.retry = false;
	request.acked_fds = 0;
	return request;
}

static void truncated(void)
{
	static _Alignas(8) uint8_t packet[WIRE_PACKET_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		struct wire_item items[N_ITEMS];
		struct wire_request request = sample(&promises[i], items);
		ssize_t full;

		if (!promises[i].request)
			continue;
		full = wire_request_encode(&request, packet, sizeof packet);
		assert(full > 0);
		for (uint32_t size = 1; size < (uint32_t)full; size += 13) {
			memcpy(packet + 4, &(uint32_t){ (uint32_t)full }, sizeof(uint32_t));
			send_once(packet, size, true, promises[i].name);
			memcpy(packet + 4, &size, sizeof size);
			send_once(packet, size, size % 2, promises[i].name);
		}
	}
}

static void oversized(void)
{
	static const size_t sizes[] = { WIRE_PACKET_MAX + 1, WIRE_PACKET_MAX + 8, 200 << 10 };
	struct wire_request request = { .type = WIRE_STATUS, .serial = 2 };
	uint8_t *packet = calloc(1, 200 << 10);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert(wire_request_encode(&request, packet, WIRE_PACKET_MAX) > 0);
		memcpy(packet + 4, &(uint32_t){ (uint32_t)sizes[i] }, sizeof(uint32_t));
		send_once(packet, sizes[i], true, "an oversized packet");
		send_once(packet, sizes[i], false, "an oversized first packet");
	}
	free(packet);
}

static void empty(void)
{
	send_once("", 0, false, "an empty first packet");
	send_once("", 0, true, "an empty packet");
}

static void before_hello(void)
{
	static _Alignas(8) uint8_t packet[WIRE_PACKET_MAX];
	struct raw *raw;

	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		struct wire_item items[N_ITEMS];
		struct wire_request request = sample(&promises[i], items);
		ssize_t n;

		if (!promises[i].request || promises[i].type == WIRE_HELLO)
			continue;
		n = wire_request_encode(&request, packet, sizeof packet);
		assert(n > 0);
		send_once(packet, (size_t)n, false, promises[i].name);
	}
	/* who greets as a child, and is none */
	raw = raw_connect();
	expect_status(raw_hello(raw, WIRE_HELLO_CHILD), RAW_CLOSED,
		"a child's hello on a new connection");
	raw_close(raw);
}

static void second_hello(void)
{
	struct raw *raw = raw_open();

	expect_status(raw_hello(raw, 0), RAW_CLOSED, "a second hello");
	raw_close(raw);
	raw = raw_open();
	expect_status(raw_hello(raw, WIRE_HELLO_CHILD), RAW_CLOSED, "a second hello, as a child");
	raw_close(raw);
}

static void other_versions(void)
{
	struct wire_request hello = { .type = WIRE_HELLO, .version_min = WIRE_VERSION_MAX + 1,
		.version_max = UINT32_MAX };
	struct wire_reply reply;
	struct raw *raw = raw_connect();

	expect_status(raw_call(raw, &hello, NULL, 0, &reply), -EPROTO, "a hello of the future");
	if (!reply.text)
		die("a hello of the future is refused without a word");
	expect_closed(raw, "a hello of the future");
	raw_close(raw);
}

static void bad_serials(void)
{
	struct wire_request request = { .type = WIRE_STATUS };
	struct raw *raw = raw_open();
	size_t n = raw_encode(raw, &request);

	memset(raw->out + 8, 0, 8);
	assert(raw_send_bytes(raw, raw->out, n, NULL, 0) == 0);
	expect_closed(raw, "a serial of 0");
	raw_close(raw);
}

/* Serials are the client's own: they only come back. */
static void confused_serials(void)
{
	static const uint64_t serials[] = { 7, 7, 6, UINT64_MAX, 7, 1 };
	struct wire_item item = { .id = raw_id() };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1,
		.timeout_ns = INT64_MAX, .serial = 9 };
	struct wire_request cancel = { .type = WIRE_CANCEL, .cursor = 9 };
	struct raw *raw = raw_open();
	struct wire_reply reply;

	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		struct wire_request status = { .type = WIRE_STATUS, .serial = serials[i] };

		expect_status(raw_call(raw, &status, NULL, 0, NULL), 0, "a request");
	}
	/* two that wait under one serial, and are cancelled one by one */
	assert(raw_send(raw, &get, NULL, 0) == 0 && raw_send(raw, &get, NULL, 0) == 0);
	for (int i = 0; i < 2; i++) {
		cancel.serial = 0;
		assert(raw_send(raw, &cancel, NULL, 0) == 0);
		assert(raw_receive(raw, &reply, RAW_PATIENCE_MS) == 0);
		assert(reply.serial == 9);
		expect_status(reply.status, -ECANCELED, "one of two that have the same serial");
	}
	expect_served(raw, "who confuses serials");
	raw_close(raw);
}

static void replies_as_requests(void)
{
	static _Alignas(8) uint8_t packet[WIRE_PACKET_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		struct wire_item items[N_ITEMS];
		struct wire_reply reply = full_reply(&promises[i], items);
		ssize_t n;

		if (!promises[i].reply)
			continue;
		n = wire_reply_encode(&reply, packet, sizeof packet);
		assert(n > 0);
		send_once(packet, (size_t)n, i % 2, promises[i].name);
	}
}

/* One bit wrong in an otherwise good request: whatever it means then, it is done or refused. */
static void bent(void)
{
	static const uint16_t types[] = { WIRE_SEAL, WIRE_GET, WIRE_RELEASE, WIRE_WAIT, WIRE_STAT,
		WIRE_LIST };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct wire_item items[2] = { { .id = raw_id(), .refs = 1 }, { .id = raw_id() } };
		struct wire_request request = { .type = types[i], .items = items,
			.n_items = types[i] == WIRE_LIST ? 0 : types[i] == WIRE_STAT ? 1 : 2 };
		struct raw *raw = raw_open();
		size_t n = raw_encode(raw, &request);

		for (size_t bit = 0; bit < 8 * n; bit += 3) {
			struct raw *victim = raw_open();

			memcpy(victim->out, raw->out, n);
			victim->out[bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* the connection may end at any moment: that is an answer too */
			(void)raw_send_bytes(victim, victim->out, n, NULL, 0);
			raw_close(victim);
		}
		expect_served(raw, "the neighbour of bent packets");
		raw_close(raw);
	}
}

static void false_acks(void)
{
	struct raw *raw = raw_open();
	struct wire_request ack = { .type = WIRE_ACK };

	raw->acked += 1000;
	assert(raw_send(raw, &ack, NULL, 0) == 0);
	expect_closed(raw, "an acknowledgement of descriptors that were never sent");
	raw_close(raw);
	raw = raw_open();
	raw->acked -= 1;
	assert(raw_send(raw, &ack, NULL, 0) == 0);
	expect_closed(raw, "an acknowledgement that goes back");
	raw_close(raw);
}

/* To claim more than one holds, as if a worker had died. */
static void unasked_reconcile(void)
{
	struct raw *owner = raw_open(), *raw = raw_open();
	struct id128 id = raw_id();
	struct wire_item item = { .id = id, .refs = 1000, .pins = 1000 };
	struct wire_request reconcile = { .type = WIRE_RECONCILE, .items = &item, .n_items = 1 };
	struct wire_request stat = { .type = WIRE_STAT, .items = &item, .n_items = 1 };
	struct wire_reply reply;

	expect_status(raw_put(owner, id, "mine", 4), 0, "a put");
	for (uint64_t g = 0; g < 3; g++) {
		reconcile.serial = 0;
		reconcile.generation = raw->generation + g - 1;
		if (raw_send(raw, &reconcile, NULL, 0) != 0)
			break; /* closed: right as well */
	}
	expect_status(raw_call(owner, &stat, NULL, 0, &reply), 0, "STAT");
	if (reply.items[0].refs != 1 || reply.items[0].pins != 0)
		die("a reconcile that nobody asked for made %u references and %u pins",
			reply.items[0].refs, reply.items[0].pins);
	raw_close(raw);
	raw_close(owner);
}

/* The first half of a request, again and again. */
static void unending_request(void)
{
	static struct wire_item items[WIRE_ITEMS_MAX];
	struct wire_request request = { .type = WIRE_GET, .more = true, .items = items,
		.n_items = WIRE_ITEMS_MAX, .timeout_ns = INT64_MAX };
	struct raw *raw = raw_open();

	for (size_t i = 0; i < WIRE_ITEMS_MAX; i++)
		items[i].id = raw_id();
	for (int packet = 0; packet < 1000; packet++) {
		int r = raw_send(raw, &request, NULL, 0);

		if (r == -EPIPE || r == -ECONNRESET)
			break;
		assert(r == 0);
	}
	expect_closed(raw, "a request without an end");
	raw_close(raw);

	/* and one that changes its mind in the middle */
	raw = raw_open();
	request.serial = 0;
	request.n_items = 1;
	assert(raw_send(raw, &request, NULL, 0) == 0);
	request.type = WIRE_SEAL;
	request.more = false;
	assert(raw_send(raw, &request, NULL, 0) == 0);
	expect_refused(raw, "a request that changes its type in the middle");
	raw_close(raw);
}

/* As if a worker had died: but nothing was lost, so everything is done twice. */
static void unasked_retry(void)
{
	struct raw *raw = raw_open();
	struct wire_item item = { .id = raw_id(), .mode = 0600, .data = "x", .data_size = 1 };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };

	expect_status(raw_call(raw, &put, NULL, 0, NULL), 0, "a put");
	for (int i = 0; i < 3; i++) {
		int r;

		put.serial = 0;
		put.retry = true;
		r = raw_call(raw, &put, NULL, 0, NULL);
		if (r == RAW_CLOSED)
			break;
		if (r != 0 && r != -EEXIST)
			die("a retry that nobody asked for: %s", strerror(-r));
	}
	raw_close(raw);
}

const struct attack packet_attacks[] = {
	{ "garbage", garbage },
	{ "truncated-packets", truncated },
	{ "oversized-packets", oversized },
	{ "empty-packets", empty },
	{ "bent-packets", bent },
	{ "requests-before-hello", before_hello },
	{ "second-hello", second_hello },
	{ "other-versions", other_versions },
	{ "bad-serials", bad_serials },
	{ "confused-serials", confused_serials },
	{ "replies-as-requests", replies_as_requests },
	{ "false-acknowledgements", false_acks },
	{ "unasked-reconcile", unasked_reconcile },
	{ "unending-request", unending_request },
	{ "unasked-retry", unasked_retry },
	{ NULL, NULL },
};
