/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What message.h promises of each type, in its words, and the fullest message of
 * each type: every field of the C structures is set, to values of which no two
 * are alike, so that what arrives shows what was carried.
 */
#ifndef TESTS_WIRE_SAMPLES_H
#define TESTS_WIRE_SAMPLES_H

#include <errno.h>

#include "util/cleanup.h"
#include "wire/message.h"

#define OUTCOME "id status flags"
#define PLACE   OUTCOME " size address"
#define OBJECT  PLACE " mode uid gid metadata data state created_ns"
#define ENTRY   PLACE " mode uid gid state refs pins created_ns last_access_ns accesses " \
		"charged_bytes resident_bytes metadata names labels call_site priority expires_ns"
#define ATTRIBUTES " labels call_site priority ttl_ns"
#define EVENT   "id flags size mode uid gid event sequence time_ns"

static const struct promise {
	uint16_t type;
	const char *name;
	const char *request, *request_item; /* NULL item: none */
	bool batch; /* many items */
	bool has_fd;
	const char *reply, *reply_item; /* NULL reply: none */
} promises[] = {
	{ WIRE_HELLO, "HELLO", "version_min version_max flags", NULL, false, false,
		"status text version connection flags arena_base inline_max max_items max_packet "
		"max_fds generation", NULL },
	{ WIRE_CREATE, "CREATE", "timeout_ns", "id size mode flags metadata name" ATTRIBUTES, false,
		false, "status text", PLACE },
	{ WIRE_SEAL, "SEAL", "timeout_ns", "id", true, false, "status text", OUTCOME },
	{ WIRE_ABORT, "ABORT", "", "id", true, false, "status text", OUTCOME },
	{ WIRE_PUT, "PUT", "timeout_ns", "id mode flags metadata data name" ATTRIBUTES, true, false,
		"status text", OUTCOME },
	{ WIRE_PUT_FD, "PUT_FD", "timeout_ns", "id size mode flags metadata name" ATTRIBUTES, false,
		true, "status text", PLACE },
	{ WIRE_GET, "GET", "flags timeout_ns", "id", true, false, "status text", OBJECT },
	{ WIRE_RELEASE, "RELEASE", "", "id refs pins", true, false, NULL, NULL },
	{ WIRE_DELETE, "DELETE", "", "id", true, false, "status text", OUTCOME },
	{ WIRE_HOLD, "HOLD", "name", "id", false, false, "status text", OUTCOME },
	{ WIRE_UNHOLD, "UNHOLD", "name", NULL, false, false, "status text", NULL },
	{ WIRE_LOOKUP, "LOOKUP", "name", NULL, false, false, "status text", OBJECT },
	{ WIRE_LEASE, "LEASE", "token", "id", true, false, "status text", OUTCOME },
	{ WIRE_LOAD, "LOAD", "token", "id", true, false, "status text", OBJECT },
	{ WIRE_FORK, "FORK", "", NULL, false, true, "status text", NULL },
	{ WIRE_RECONCILE, "RECONCILE", "generation", "id refs pins", true, false, NULL, NULL },
	{ WIRE_ACK, "ACK", "", NULL, false, false, NULL, NULL },
	{ WIRE_CANCEL, "CANCEL", "cursor", NULL, false, false, NULL, NULL },
	{ WIRE_WAIT, "WAIT", "limit timeout_ns", "id", true, false, "status text", OUTCOME },
	{ WIRE_LIST, "LIST", "cursor limit flags skip name labels", NULL, false, false,
		"status text cursor skip", ENTRY },
	{ WIRE_STAT, "STAT", "", "id", false, false, "status text", ENTRY },
	{ WIRE_STATUS, "STATUS", "", NULL, false, false, "status text", NULL },
	{ WIRE_CONFIG, "CONFIG", "", NULL, false, false, "status text", NULL },
	{ WIRE_SUBSCRIBE, "SUBSCRIBE", "cursor limit timeout_ns", NULL, false, false,
		"status text cursor lost", EVENT },
	{ WIRE_SET, "SET", "", "id flags priority ttl_ns labels unlabel", false, false,
		"status text", OUTCOME },
	{ WIRE_CONFIGURE, "CONFIGURE", "name value", NULL, false, false, "status text", NULL },
	{ WIRE_SHARE, "SHARE", "token", "id", false, false, "status text", OUTCOME },
	{ WIRE_JOIN, "JOIN", "token", "id", false, false, "status text", OBJECT },
	{ WIRE_RESUME, "RESUME", NULL, NULL, false, false, "generation", NULL },
};

/* ---- values in which no two fields are alike ---- */

#define SOME_METADATA "all about it"
#define SOME_DATA "0123456789abcdefghijklmnopq" /* 27 and a NUL: padded on the wire */
#define SOME_LABELS "job=17\0stage=train"
#define SOME_KEYS "old\0older"
#define SOME_NAMES "one\0two\0three"

static inline struct wire_item some_item(uint8_t salt)
{
	return (struct wire_item){
		.id = { .bytes = { 0x1d, salt, [15] = 0xff } },
		.flags = WIRE_ITEM_HOLD,
		.mode = 0640,
		.size = UINT64_C(0x123456789abc) + salt,
		.refs = 3,
		.pins = 4,
		.metadata = SOME_METADATA,
		.metadata_size = sizeof SOME_METADATA,
		.data = SOME_DATA,
		.data_size = sizeof SOME_DATA,
		.name = "a name",
		.status = -ENOENT,
		.state = WIRE_RESIDENT,
		.address = UINT64_C(0x200000000000) + salt,
		.uid = 1000,
		.gid = 1001,
		.created_ns = 77,
		.last_access_ns = 78,
		.accesses = 79,
		.charged_bytes = 80,
		.resident_bytes = 81,
		.names = SOME_NAMES,
		.names_size = sizeof SOME_NAMES,
		.event = WIRE_EVENT_DELETED,
		.sequence = UINT64_C(0x600000000) + salt,
		.time_ns = 82,
		.labels = SOME_LABELS,
		.labels_size = sizeof SOME_LABELS,
		.unlabel = SOME_KEYS,
		.unlabel_size = sizeof SOME_KEYS,
		.call_site = "train.py:17 step",
		.priority = -7,
		.ttl_ns = 83,
		.expires_ns = 84,
	};
}

static inline struct wire_request some_request(uint16_t type)
{
	return (struct wire_request){
		.type = type,
		.retry = true,
		.more = true,
		.serial = UINT64_C(0x0102030405060708),
		.acked_fds = 17,
		.version_min = 1,
		.version_max = 2,
		.flags = 5,
		.limit = 6,
		.timeout_ns = 7000,
		.generation = 8,
		.cursor = 9,
		.token = { .bytes = { 0x70, [15] = 0xcc } },
		.skip = 10,
		.name = "the name",
		.labels = SOME_LABELS,
		.labels_size = sizeof SOME_LABELS,
		.value = "the value",
	};
}

static inline struct wire_reply some_reply(uint16_t type)
{
	return (struct wire_reply){
		.type = type,
		.more = true,
		.serial = type == WIRE_RESUME ? 0 : UINT64_C(0x0102030405060708),
		.status = -ENOBUFS,
		.text = "full: ask for less",
		.version = 1,
		.connection = 2,
		.flags = 3,
		.arena_base = UINT64_C(0x200000000000),
		.inline_max = 4,
		.max_items = 5,
		.max_packet = 6,
		.max_fds = 7,
		.generation = 8,
		.cursor = 9,
		.lost = 10,
		.skip = 11,
	};
}

static const struct wire_holder some_holders[] = {
	{ .kind = 1, .pid = 2, .uid = 3, .refs = 4, .pins = 5, .text = "python3" },
	{ .kind = 3, .uid = 3, .refs = 1, .expires_ns = 99, .text = "", .item = 1 },
};

static const struct wire_field some_fields[] = {
	{ .key = "capacity_bytes", .number = 1 << 30, .value = "", .origin = "" },
	{ .key = "feature.bpf", .value = "off", .origin = "no BTF" },
};

#define N_ITEMS 3

/* The fullest request of a type; items has room for N_ITEMS. */
static inline struct wire_request full_request(const struct promise *promise, struct wire_item *items)
{
	struct wire_request request = some_request(promise->type);

	for (uint8_t i = 0; i < N_ITEMS; i++)
		items[i] = some_item(i);
	request.items = items;
	request.n_items = !promise->request_item ? 0 : promise->batch ? N_ITEMS : 1;
	request.n_fds = promise->has_fd;
	return request;
}

static inline struct wire_reply full_reply(const struct promise *promise, struct wire_item *items)
{
	struct wire_reply reply = some_reply(promise->type);

	for (uint8_t i = 0; i < N_ITEMS; i++)
		items[i] = some_item(i);
	reply.items = items;
	reply.n_items = promise->reply_item ? N_ITEMS : 0;
	if (promise->type == WIRE_HELLO)
		reply.n_fds = 1;
	if (promise->reply_item) {
		items[1].flags = WIRE_ITEM_FD;
		reply.n_fds = 1;
	}
	if (promise->type == WIRE_STAT) {
		reply.holders = some_holders;
		reply.n_holders = ARRAY_SIZE(some_holders);
	}
	if (promise->type == WIRE_STATUS || promise->type == WIRE_CONFIG) {
		reply.fields = some_fields;
		reply.n_fields = ARRAY_SIZE(some_fields);
	}
	return reply;
}

#endif
