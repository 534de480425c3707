/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "rng.h"

struct id128 request_id(int id)
{
	struct id128 text = { { 0 } };

	if (id != ID_ZERO) {
		uint64_t state = id, hash = rng_splitmix(&state);

		memcpy(text.bytes, &id, sizeof id);
		text.bytes[4] = 0x5a;
		memcpy(text.bytes + 8, &hash, sizeof hash);
	}
	return text;
}

int request_id_number(const struct id128 *id)
{
	int number;
	struct id128 again;

	memcpy(&number, id->bytes, sizeof number);
	again = request_id(number);
	if (id128_equal(&again, id))
		return number;
	again = request_id(ID_ZERO);
	return id128_equal(&again, id) ? ID_ZERO : ID_ALIEN;
}

struct id128 request_token(int token)
{
	struct id128 text = { { 0 } };

	if (token >= 0) {
		memset(text.bytes, 0x77, sizeof text.bytes);
		memcpy(text.bytes, &token, sizeof token);
	}
	return text;
}

int request_token_number(const struct id128 *token)
{
	int number;

	memcpy(&number, token->bytes, sizeof number);
	return number;
}

const char *request_name(int name, char *buffer)
{
	if (name == NAME_NONE)
		return NULL;
	if (name == 0) {
		memset(buffer, 'n', WIRE_NAME_MAX);
		buffer[WIRE_NAME_MAX] = 0;
	} else
		sprintf(buffer, "name-%d", name);
	return buffer;
}

int request_name_number(const char *name)
{
	char buffer[WIRE_NAME_MAX + 2];

	for (int i = 0; i < NAMES; i++)
		if (strcmp(request_name(i, buffer), name) == 0)
			return i;
	return NAME_NONE;
}

uint32_t request_labels(const struct attributes *attributes, char *buffer)
{
	char *at = buffer;

	for (int i = 0; i < LABEL_KEYS; i++)
		if (attributes->labels[i] == LABEL_KEY_BAD)
			at += sprintf(at, "no label") + 1;
		else if (attributes->labels[i])
			at += sprintf(at, "key-%d=%s%d", i, i == 1 ? "a longer value, with spaces = and "
				"so on, so that it takes more than one unit of the heap " : "v",
				attributes->labels[i]) + 1;
	return at - buffer;
}

const char *request_call_site(int call_site)
{
	static const char *const texts[] = { NULL, "train.py:12 step", "worker/serve.py:1 <module>" };

	return texts[call_site];
}

void request_fill(uint8_t *bytes, size_t size, uint64_t tag)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (tag >> (i % 8 * 8)) + (i >> 3);
}

uint64_t request_hash(const void *bytes, size_t size)
{
	const uint8_t *b = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + size;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ b[i]) * UINT64_C(0x100000001b3);
	return hash;
}

bool request_is_filled(const void *bytes, size_t size, uint64_t tag)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < size; i++)
		if (b[i] != (uint8_t)((tag >> (i % 8 * 8)) + (i >> 3)))
			return false;
	return true;
}

static const void *scratch_bytes(struct request_scratch *scratch, size_t size, uint64_t tag)
{
	uint8_t *bytes = scratch->bytes + scratch->n_bytes;

	if (size == 0)
		return NULL;
	request_fill(bytes, size, tag);
	scratch->n_bytes += size;
	return bytes;
}

const struct wire_request *request_encode(struct request_scratch *scratch,
	const struct request *request)
{
	char names[ITEMS + 1][WIRE_NAME_MAX + 2];
	char labels[ITEMS + 1][512], unlabel[ITEMS][64];
	struct wire_item items[ITEMS];
	struct wire_request wire = {
		.type = request->type,
		.retry = request->retry,
		.more = request->more,
		.serial = request->serial,
		.n_fds = request->fd >= 0,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.flags = request->flags,
		.limit = request->limit,
		.timeout_ns = request->timeout_ns,
		.generation = request->generation,
		.cursor = request->cursor,
		.skip = request->skip,
		.token = request_token(request->token),
		.name = request->pattern ? "*name-[0-3]" : request_name(request->name, names[ITEMS]),
		.items = items,
		.n_items = request->n_items,
	};
	size_t size = 0;
	ssize_t n;

	if (request->type == WIRE_LIST && request->label >= 0) {
		struct attributes wanted = { .labels = { 0 } };

		wanted.labels[request->label] = request->label_value;
		wire.labels = labels[ITEMS];
		wire.labels_size = request->label_value ? request_labels(&wanted, labels[ITEMS]) :
			(uint32_t)sprintf(labels[ITEMS], "key-%d", request->label) + 1;
	}

	for (uint32_t i = 0; i < request->n_items; i++)
		size += request->items[i].metadata_size + request->items[i].data_size;
	if (size > WIRE_PACKET_MAX)
		return NULL;
	scratch->n_bytes = 0;
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct request_item *from = &request->items[i];

		items[i] = (struct wire_item){
			.id = request_id(from->id),
			.flags = from->flags,
			.mode = from->mode,
			.size = from->size,
			.refs = from->refs,
			.pins = from->pins,
			.metadata = scratch_bytes(scratch, from->metadata_size, ~from->tag),
			.metadata_size = from->metadata_size,
			.data = scratch_bytes(scratch, from->data_size, from->tag),
			.data_size = from->data_size,
			.name = request_name(from->name, names[i]),
			.labels = labels[i],
			.labels_size = request_labels(&from->attributes, labels[i]),
			.unlabel = unlabel[i],
			.call_site = request_call_site(from->attributes.call_site),
			.priority = from->attributes.priority,
			.ttl_ns = from->attributes.ttl_ns,
		};
		for (int k = 0; k < LABEL_KEYS; k++)
			if (from->attributes.unlabel & 1 << k)
				items[i].unlabel_size += sprintf(unlabel[i] + items[i].unlabel_size,
					"key-%d", k) + 1;
	}
	n = wire_request_encode(&wire, scratch->packet, sizeof scratch->packet);
	if (n < 0)
		return NULL;
	scratch->n_packet = n;
	if (wire_request_decode(&scratch->wire, &scratch->decoded, scratch->packet, n) != 0)
		return NULL;
	return &scratch->wire;
}

void request_spoil(struct request_scratch *scratch)
{
	memset(scratch->packet, 0xdb, scratch->n_packet);
	memset(&scratch->wire, 0xdb, sizeof scratch->wire);
	if (scratch->decoded.items)
		memset(scratch->decoded.items, 0xdb,
			scratch->decoded.items_room * sizeof scratch->decoded.items[0]);
	scratch->n_packet = 0;
}

void request_scratch_deinit(struct request_scratch *scratch)
{
	wire_scratch_deinit(&scratch->decoded);
}

void request_print(const struct request *request)
{
	const char *type = wire_type_name(request->type);

	printf("%s%s serial %llu", type ? type : "?", request->retry ? " (again)" : "",
		(unsigned long long)request->serial);
	if (request->flags)
		printf(" flags %u", request->flags);
	if (request->limit)
		printf(" limit %u", request->limit);
	if (request->timeout_ns)
		printf(" timeout %lld", (long long)request->timeout_ns);
	if (request->cursor)
		printf(" cursor %llu", (unsigned long long)request->cursor);
	if (request->token >= 0)
		printf(" token %d", request->token);
	if (request->name != NAME_NONE)
		printf(" name %d", request->name);
	if (request->type == WIRE_LIST && request->label >= 0)
		printf(" label %d=%d", request->label, request->label_value);
	if (request->pattern)
		printf(" pattern");
	if (request->fd >= 0)
		printf(" fd %d", request->fd);
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct request_item *item = &request->items[i];

		printf(" [id %d", item->id);
		if (item->size)
			printf(" size %llu", (unsigned long long)item->size);
		if (item->data_size)
			printf(" data %u", item->data_size);
		if (item->metadata_size)
			printf(" metadata %u", item->metadata_size);
		if (item->mode)
			printf(" mode %o", item->mode);
		if (item->flags)
			printf(" flags %u", item->flags);
		if (item->refs || item->pins)
			printf(" refs %u pins %u", item->refs, item->pins);
		if (item->name != NAME_NONE)
			printf(" name %d", item->name);
		for (int k = 0; k < LABEL_KEYS; k++)
			if (item->attributes.labels[k])
				printf(" label %d=%u", k, item->attributes.labels[k]);
		if (item->attributes.unlabel)
			printf(" unlabel %x", item->attributes.unlabel);
		if (item->attributes.call_site)
			printf(" site %d", item->attributes.call_site);
		if (item->attributes.priority)
			printf(" priority %d", item->attributes.priority);
		if (item->attributes.ttl_ns)
			printf(" ttl %lld", (long long)item->attributes.ttl_ns);
		putchar(']');
	}
	putchar('\n');
}
