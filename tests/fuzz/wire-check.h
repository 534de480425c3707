/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold for every packet that the decoder accepted, wherever it came
 * from: all that it borrows lies inside the packet, texts end, numbers are
 * within the limits, and it can be encoded to the same message again.  Breaking
 * one is our fault, so these are assertions.
 */
#ifndef TESTS_WIRE_CHECK_H
#define TESTS_WIRE_CHECK_H

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

struct wire_check_span {
	const char *start;
	size_t size;
};

static inline void wire_check_blob(const struct wire_check_span *packet, const void *blob,
	size_t size, size_t max)
{
	const char *at = blob;

	assert((at == NULL) == (size == 0));
	assert(size <= max);
	if (at)
		assert(at >= packet->start && size <= packet->size &&
			at <= packet->start + packet->size - size);
}

static inline void wire_check_text(const struct wire_check_span *packet, const char *text,
	size_t max)
{
	const char *end = packet->start + packet->size;

	if (!text)
		return;
	if (text[0] == '\0' && !(text >= packet->start && text < end))
		return; /* "" for a NULL */
	assert(text >= packet->start && text < end);
	assert(memchr(text, '\0', (size_t)(end - text)) != NULL);
	assert(strlen(text) < max);
}

static inline void wire_check_items(const struct wire_check_span *packet,
	const struct wire_item *items, size_t n)
{
	assert(n <= WIRE_ITEMS_MAX && (items != NULL) == (n > 0));
	for (size_t i = 0; i < n; i++) {
		const struct wire_item *item = &items[i];

		wire_check_blob(packet, item->metadata, item->metadata_size, WIRE_METADATA_MAX);
		wire_check_blob(packet, item->data, item->data_size, WIRE_INLINE_MAX);
		wire_check_blob(packet, item->names, item->names_size, WIRE_NAMES_MAX);
		assert(item->names_size == 0 || item->names[item->names_size - 1] == '\0');
		wire_check_text(packet, item->name, WIRE_NAME_MAX + 1);
	}
}

/* A malloc'ed 8-aligned buffer for an encoder; the caller frees it. */
static inline void *wire_check_buffer(int fill)
{
	void *buffer = malloc(WIRE_PACKET_MAX);

	assert(buffer);
	memset(buffer, fill, WIRE_PACKET_MAX);
	return buffer;
}

/* Return: what the decoder said; everything else is asserted. */
static inline int wire_check_request(struct wire_scratch *scratch, const void *bytes, size_t size)
{
	struct wire_check_span packet = { bytes, size };
	struct wire_scratch again_scratch = { .items = NULL };
	struct wire_request request, again;
	void *buffer;
	ssize_t n;
	int r;

	r = wire_request_decode(&request, scratch, bytes, size);
	assert(r >= 0); /* memory is never short for what fits a packet */
	if (r > 0) {
		assert(strcmp(wire_error_text((enum wire_error)r), "unknown error") != 0);
		return r;
	}
	assert(wire_type_name(request.type) && request.type <= WIRE_REQUEST_LAST);
	assert(request.serial != 0 && request.timeout_ns >= 0);
	assert(request.n_fds <= 1);
	wire_check_text(&packet, request.name, WIRE_NAME_MAX + 1);
	wire_check_text(&packet, request.value, WIRE_TEXT_MAX);
	wire_check_items(&packet, request.items, request.n_items);

	buffer = wire_check_buffer(0x5a);
	n = wire_request_encode(&request, buffer, WIRE_PACKET_MAX);
	/* a sender that left fields out may have had room for more items than we have */
	assert(n > 0 || n == -EMSGSIZE);
	if (n > 0) {
		assert((size_t)n == wire_request_size(&request));
		r = wire_request_decode(&again, &again_scratch, buffer, (size_t)n);
		assert(r == 0);
		assert(again.n_items == request.n_items && again.serial == request.serial &&
			again.more == request.more && again.retry == request.retry &&
			again.acked_fds == request.acked_fds && again.cursor == request.cursor);
		for (uint32_t i = 0; i < again.n_items; i++) {
			const struct wire_item *a = &request.items[i], *b = &again.items[i];

			assert(id128_equal(&a->id, &b->id) && a->size == b->size &&
				a->mode == b->mode && a->refs == b->refs && a->pins == b->pins &&
				a->data_size == b->data_size &&
				a->metadata_size == b->metadata_size);
			assert(a->data_size == 0 || memcmp(a->data, b->data, a->data_size) == 0);
		}
		wire_scratch_deinit(&again_scratch);
	} else {
		assert(wire_request_size(&request) > WIRE_PACKET_MAX);
	}
	free(buffer);
	return 0;
}

static inline int wire_check_reply(struct wire_scratch *scratch, const void *bytes, size_t size)
{
	struct wire_check_span packet = { bytes, size };
	struct wire_scratch again_scratch = { .items = NULL };
	struct wire_reply reply, again;
	uint32_t n_item_fds = 0;
	void *buffer;
	ssize_t n;
	int r;

	r = wire_reply_decode(&reply, scratch, bytes, size);
	assert(r >= 0);
	if (r > 0) {
		assert(strcmp(wire_error_text((enum wire_error)r), "unknown error") != 0);
		return r;
	}
	assert(wire_type_name(reply.type) && reply.status <= 0);
	assert((reply.serial == 0) == (reply.type == WIRE_RESUME));
	assert(reply.n_fds <= WIRE_FDS_PER_PACKET);
	wire_check_text(&packet, reply.text, WIRE_TEXT_MAX);
	wire_check_items(&packet, reply.items, reply.n_items);
	for (uint32_t i = 0; i < reply.n_items; i++)
		n_item_fds += !!(reply.items[i].flags & WIRE_ITEM_FD);
	assert(reply.type == WIRE_HELLO || n_item_fds == reply.n_fds);
	for (uint32_t i = 0; i < reply.n_holders; i++)
		wire_check_text(&packet, reply.holders[i].text, WIRE_NAME_MAX + 1);
	for (uint32_t i = 0; i < reply.n_fields; i++) {
		assert(reply.fields[i].key && reply.fields[i].value && reply.fields[i].origin);
		wire_check_text(&packet, reply.fields[i].key, WIRE_TEXT_MAX);
		wire_check_text(&packet, reply.fields[i].value, WIRE_TEXT_MAX);
		wire_check_text(&packet, reply.fields[i].origin, WIRE_TEXT_MAX);
	}

	buffer = wire_check_buffer(0xa5);
	n = wire_reply_encode(&reply, buffer, WIRE_PACKET_MAX);
	assert(n > 0 || n == -EMSGSIZE);
	if (n > 0) {
		assert((size_t)n == wire_reply_size(&reply));
		r = wire_reply_decode(&again, &again_scratch, buffer, (size_t)n);
		assert(r == 0);
		assert(again.n_items == reply.n_items && again.n_fields == reply.n_fields &&
			again.n_holders == reply.n_holders && again.status == reply.status &&
			again.n_fds == reply.n_fds);
		wire_scratch_deinit(&again_scratch);
	} else {
		assert(wire_reply_size(&reply) > WIRE_PACKET_MAX);
	}
	free(buffer);
	return 0;
}

#endif
