/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The codec: one interpreter, driven by the table in layout.c, for both
 * directions.  What a type carries is said once, so that encoder and decoder
 * cannot disagree; the encoder refuses what the decoder would refuse.
 *
 * Nothing that came in a packet is used before it was checked against the end
 * of what encloses it: the packet, a part, a part's numbers.  Memory is taken
 * only for items that can be there, as each takes at least PART_HEADER bytes of
 * a packet that has already arrived.
 *
 * A one-item message costs one pass over its table: no allocation once the
 * scratch is warm, one memcpy of its data (none when decoding).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "wire/layout.h"
#include "wire/message.h"

struct header {
	uint16_t type;
	uint16_t flags;
	uint32_t length;
	uint64_t serial;
	uint32_t n_items;
	uint32_t n_extras;
	uint32_t n_fds;
	uint32_t acked_fds;
};
_Static_assert(sizeof(struct header) == WIRE_HEADER_SIZE, "the header is on the wire");

struct part_header {
	uint32_t size;
	uint32_t numbers_size;
};
#define PART_HEADER sizeof(struct part_header)

static inline size_t align_up(size_t size, size_t alignment)
{
	return (size + alignment - 1) & ~(alignment - 1);
}

/* ---- reading ---- */

struct cursor {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
};

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* The next size bytes, which are there or NULL is returned. */
static inline const void *cursor_take(struct cursor *c, size_t size)
{
	const void *taken = c->at;

	if (size > cursor_left(c))
		return NULL;
	c->at += size;
	return taken;
}

/* A number of the numbers' part: zero where a shorter sender ended before it. */
static inline int cursor_number(struct cursor *c, void *to, size_t size, size_t alignment)
{
	const void *from;

	if (cursor_left(c) == 0) {
		memset(to, 0, size);
		return 0;
	}
	if (!cursor_take(c, (size_t)(c->start - c->at) & (alignment - 1)))
		return WIRE_E_TRUNCATED;
	if (cursor_left(c) == 0) {
		memset(to, 0, size);
		return 0;
	}
	from = cursor_take(c, size);
	if (!from)
		return WIRE_E_TRUNCATED;
	memcpy(to, from, size);
	return 0;
}

/* A blob of the part's second half; its size is in the first. */
static int cursor_blob(struct cursor *numbers, struct cursor *blobs, uint32_t max,
	const void **blobp, uint32_t *sizep)
{
	int r = cursor_number(numbers, sizep, sizeof *sizep, sizeof *sizep);

	if (r != 0)
		return r;
	*blobp = NULL;
	if (*sizep == 0)
		return 0;
	if (*sizep > max)
		return WIRE_E_LIMIT;
	*blobp = cursor_take(blobs, *sizep);
	/* parts are whole eights, so what pads the blob is there whenever the blob is */
	if (!*blobp || !cursor_take(blobs, (size_t)(blobs->start - blobs->at) & 7))
		return WIRE_E_TRUNCATED;
	return 0;
}

static int field_decode(const struct layout_field *field, void *values, struct cursor *numbers,
	struct cursor *blobs)
{
	void *value = (char *)values + field->offset;
	const void *blob;
	uint32_t size;
	int r;

	switch (field->kind) {
	case LAYOUT_U32:
		return cursor_number(numbers, value, sizeof(uint32_t), sizeof(uint32_t));
	case LAYOUT_U64:
		return cursor_number(numbers, value, sizeof(uint64_t), sizeof(uint64_t));
	case LAYOUT_ID:
		return cursor_number(numbers, value, sizeof(struct id128), sizeof(uint64_t));
	case LAYOUT_BYTES:
	case LAYOUT_TEXTS:
		r = cursor_blob(numbers, blobs, field->max, &blob, &size);
		if (r != 0)
			return r;
		if (field->kind == LAYOUT_TEXTS && size > 0 && ((const char *)blob)[size - 1])
			return WIRE_E_TEXT;
		memcpy(value, &blob, sizeof blob);
		memcpy((char *)values + field->size_offset, &size, sizeof size);
		return 0;
	case LAYOUT_TEXT:
	case LAYOUT_TEXT_NEVER_NULL:
		r = cursor_blob(numbers, blobs, field->max, &blob, &size);
		if (r != 0)
			return r;
		if (size > 0 && memchr(blob, '\0', size) != (const char *)blob + size - 1)
			return WIRE_E_TEXT;
		if (!blob && field->kind == LAYOUT_TEXT_NEVER_NULL)
			blob = "";
		memcpy(value, &blob, sizeof blob);
		return 0;
	}
	return WIRE_E_VALUE;
}

/* One part: the values that the layout names, from where the packet's cursor stands. */
static int part_decode(const struct layout *layout, void *values, struct cursor *packet)
{
	struct cursor numbers, blobs;
	struct part_header part;
	const void *header = cursor_take(packet, PART_HEADER);
	const uint8_t *body;

	if (!header)
		return WIRE_E_TRUNCATED;
	memcpy(&part, header, sizeof part);
	if (part.size % 8 != 0 || part.size < PART_HEADER || part.numbers_size % 8 != 0)
		return WIRE_E_LENGTH;
	body = cursor_take(packet, part.size - PART_HEADER);
	if (!body)
		return WIRE_E_TRUNCATED;
	if (part.numbers_size > part.size - PART_HEADER)
		return WIRE_E_LENGTH;
	numbers = (struct cursor){ body, body, body + part.numbers_size };
	blobs = (struct cursor){ numbers.end, numbers.end, body + part.size - PART_HEADER };
	for (size_t i = 0; i < layout->n_fields; i++) {
		int r = field_decode(&layout->fields[i], values, &numbers, &blobs);

		if (r != 0)
			return r;
	}
	return 0;
}

/* n zeroed and decoded values of value_size bytes in an array that is kept between packets. */
static int parts_decode(const struct layout *layout, size_t value_size, size_t n, void **arrayp,
	size_t *roomp, struct cursor *packet)
{
	char *value;

	if (n > cursor_left(packet) / PART_HEADER)
		return WIRE_E_TRUNCATED;
	if (n > *roomp) {
		size_t room = MAX(n, MAX(2 * *roomp, 16));
		void *array = malloc(room * value_size);

		if (!array)
			return -ENOMEM;
		free(*arrayp);
		*arrayp = array;
		*roomp = room;
	}
	value = *arrayp;
	for (size_t i = 0; i < n; i++, value += value_size) {
		int r;

		memset(value, 0, value_size);
		r = part_decode(layout, value, packet);
		if (r != 0)
			return r;
	}
	return 0;
}

static int header_decode(struct header *header, struct cursor *c, const void *packet, size_t size)
{
	const uint8_t *bytes = packet;
	const void *from;

	*c = (struct cursor){ bytes, bytes, bytes + size };
	if (size > WIRE_PACKET_MAX)
		return WIRE_E_LIMIT;
	from = cursor_take(c, sizeof *header);
	if (!from)
		return WIRE_E_TRUNCATED;
	memcpy(header, from, sizeof *header);
	if (header->length > size)
		return WIRE_E_TRUNCATED;
	if (header->length != size)
		return WIRE_E_LENGTH;
	if (header->n_items > WIRE_ITEMS_MAX || header->n_extras > WIRE_ITEMS_MAX ||
		header->n_fds > WIRE_FDS_PER_PACKET)
		return WIRE_E_LIMIT;
	return 0;
}

/* ---- writing ---- */

/* The size that a blob field has in these values, or WIRE_PACKET_MAX + 1 if it may not be sent. */
static size_t blob_size(const struct layout_field *field, const void *values, const void **blobp)
{
	size_t size;

	memcpy(blobp, (const char *)values + field->offset, sizeof *blobp);
	if (field->kind == LAYOUT_TEXT || field->kind == LAYOUT_TEXT_NEVER_NULL) {
		size = *blobp ? strlen(*blobp) + 1 : 0;
	} else {
		uint32_t size32;

		memcpy(&size32, (const char *)values + field->size_offset, sizeof size32);
		size = size32;
		if (field->kind == LAYOUT_TEXTS && size > 0 &&
			(!*blobp || ((const char *)*blobp)[size - 1]))
			return WIRE_PACKET_MAX + 1;
	}
	return size <= field->max ? size : WIRE_PACKET_MAX + 1;
}

static size_t part_size(const struct layout *layout, const void *values)
{
	size_t numbers = 0, blobs = 0;

	for (size_t i = 0; i < layout->n_fields; i++) {
		const struct layout_field *field = &layout->fields[i];
		const void *blob;

		switch (field->kind) {
		case LAYOUT_U32:
			numbers += sizeof(uint32_t);
			break;
		case LAYOUT_U64:
			numbers = align_up(numbers, 8) + sizeof(uint64_t);
			break;
		case LAYOUT_ID:
			numbers = align_up(numbers, 8) + sizeof(struct id128);
			break;
		case LAYOUT_BYTES:
		case LAYOUT_TEXT:
		case LAYOUT_TEXT_NEVER_NULL:
		case LAYOUT_TEXTS:
			numbers += sizeof(uint32_t);
			blobs += align_up(blob_size(field, values, &blob), 8);
			break;
		}
	}
	return PART_HEADER + align_up(numbers, 8) + blobs;
}

/* Bytes that the numbers of a layout take: the same for every message. */
static size_t numbers_size(const struct layout *layout)
{
	size_t size = 0;

	for (size_t i = 0; i < layout->n_fields; i++) {
		enum layout_kind kind = layout->fields[i].kind;

		if (kind == LAYOUT_U64)
			size = align_up(size, 8) + sizeof(uint64_t);
		else if (kind == LAYOUT_ID)
			size = align_up(size, 8) + sizeof(struct id128);
		else
			size += sizeof(uint32_t);
	}
	return align_up(size, 8);
}

struct writer {
	uint8_t *at;
	uint8_t *end;
};

/*
 * Write a part: numbers go up from its start while blobs go up from the end of
 * the numbers.  Every byte is written, padding too: nothing of the buffer's
 * past is sent to anybody.
 * @holep: where bytes that are not there yet (NULL with a size) will go
 * Return: 0, -EMSGSIZE, -EINVAL.
 */
static int part_encode(const struct layout *layout, const void *values, struct writer *writer,
	void **holep)
{
	size_t n_numbers = numbers_size(layout);
	uint8_t *start = writer->at, *number, *blob_at;
	struct part_header part;

	if (PART_HEADER + n_numbers > (size_t)(writer->end - start))
		return -EMSGSIZE;
	number = start + PART_HEADER;
	blob_at = number + n_numbers;
	if (n_numbers > 0)
		memset(blob_at - 8, 0, 8); /* where the numbers may end in a gap */
	for (size_t i = 0; i < layout->n_fields; i++) {
		const struct layout_field *field = &layout->fields[i];
		const void *value = (const char *)values + field->offset, *blob;
		size_t size, padded;
		uint32_t size32;

		switch (field->kind) {
		case LAYOUT_U32:
			memcpy(number, value, sizeof(uint32_t));
			number += sizeof(uint32_t);
			continue;
		case LAYOUT_U64:
		case LAYOUT_ID:
			if ((size_t)(number - start) & 7) {
				memset(number, 0, sizeof(uint32_t));
				number += sizeof(uint32_t);
			}
			size = field->kind == LAYOUT_U64 ? sizeof(uint64_t) : sizeof(struct id128);
			memcpy(number, value, size);
			number += size;
			continue;
		case LAYOUT_BYTES:
		case LAYOUT_TEXT:
		case LAYOUT_TEXT_NEVER_NULL:
		case LAYOUT_TEXTS:
			break;
		}
		size = blob_size(field, values, &blob);
		if (size > field->max)
			return -EINVAL;
		padded = align_up(size, 8);
		if (padded > (size_t)(writer->end - blob_at))
			return -EMSGSIZE;
		size32 = (uint32_t)size;
		memcpy(number, &size32, sizeof size32);
		number += sizeof size32;
		if (size == 0)
			continue;
		memset(blob_at + padded - 8, 0, 8);
		if (blob)
			memcpy(blob_at, blob, size);
		else if (holep)
			*holep = blob_at;
		else
			return -EINVAL;
		blob_at += padded;
	}
	part.size = (uint32_t)(blob_at - start);
	part.numbers_size = (uint32_t)n_numbers;
	memcpy(start, &part, sizeof part);
	writer->at = blob_at;
	return 0;
}

static inline void **hole_of(void **holes, uint32_t i)
{
	if (!holes)
		return NULL;
	holes[i] = NULL;
	return &holes[i];
}

static ssize_t packet_end(struct header *header, const struct writer *writer, void *buffer)
{
	size_t length = (size_t)(writer->at - (uint8_t *)buffer);

	header->length = (uint32_t)length;
	memcpy(buffer, header, sizeof *header);
	return (ssize_t)length;
}

/* ---- requests ---- */

/* What no version allows.  Return: 0 or an enum wire_error. */
static int request_check(const struct wire_request *request, const struct layout_message *message)
{
	if (request->n_items > message->max_items)
		return WIRE_E_LIMIT;
	if (request->n_items < message->min_items)
		return WIRE_E_VALUE;
	if (request->n_fds != message->n_fds)
		return WIRE_E_FDS;
	if (request->serial == 0 || request->timeout_ns < 0)
		return WIRE_E_VALUE;
	if (request->type == WIRE_HELLO &&
		(request->version_min == 0 || request->version_min > request->version_max))
		return WIRE_E_VALUE;
	if (message->needs_name && !request->name)
		return WIRE_E_VALUE;
	return 0;
}

int wire_request_decode(struct wire_request *request, struct wire_scratch *scratch,
	const void *packet, size_t size)
{
	const struct layout_message *message;
	struct header header;
	struct cursor c;
	int r;

	r = header_decode(&header, &c, packet, size);
	if (r != 0)
		return r;
	message = layout_find(header.type);
	if (!message || !message->is_request)
		return WIRE_E_TYPE;
	memset(request, 0, sizeof *request);
	request->type = header.type;
	request->retry = header.flags & WIRE_FLAG_RETRY;
	request->more = header.flags & WIRE_FLAG_MORE;
	request->serial = header.serial;
	request->n_fds = header.n_fds;
	request->acked_fds = header.acked_fds;
	request->n_items = header.n_items;
	if (header.n_extras > 0)
		return WIRE_E_VALUE;
	r = part_decode(&message->request, request, &c);
	if (r != 0)
		return r;
	r = request_check(request, message);
	if (r != 0)
		return r;
	if (header.n_items > 0) {
		r = parts_decode(&message->request_item, sizeof *scratch->items, header.n_items,
			(void **)&scratch->items, &scratch->items_room, &c);
		if (r != 0)
			return r;
		request->items = scratch->items;
	}
	return cursor_left(&c) == 0 ? 0 : WIRE_E_LENGTH;
}

ssize_t wire_request_encode_holes(const struct wire_request *request, void *buffer, size_t room,
	void **holes)
{
	const struct layout_message *message = layout_find(request->type);
	struct header header = {
		.type = request->type,
		.flags = (uint16_t)((request->retry ? WIRE_FLAG_RETRY : 0) |
			(request->more ? WIRE_FLAG_MORE : 0)),
		.serial = request->serial,
		.n_items = request->n_items,
		.n_fds = request->n_fds,
		.acked_fds = request->acked_fds,
	};
	struct writer writer;
	int r;

	if (!message || !message->is_request || request_check(request, message) != 0)
		return -EINVAL;
	room = MIN(room, WIRE_PACKET_MAX);
	if (room < sizeof header)
		return -EMSGSIZE;
	writer.at = (uint8_t *)buffer + sizeof header;
	writer.end = (uint8_t *)buffer + room;
	r = part_encode(&message->request, request, &writer, NULL);
	for (uint32_t i = 0; r == 0 && i < request->n_items; i++)
		r = part_encode(&message->request_item, &request->items[i], &writer,
			hole_of(holes, i));
	return r == 0 ? packet_end(&header, &writer, buffer) : r;
}

ssize_t wire_request_encode(const struct wire_request *request, void *buffer, size_t room)
{
	return wire_request_encode_holes(request, buffer, room, NULL);
}

size_t wire_request_size(const struct wire_request *request)
{
	const struct layout_message *message = layout_find(request->type);
	size_t size;

	if (!message || !message->is_request)
		return 0;
	size = WIRE_HEADER_SIZE + part_size(&message->request, request);
	for (uint32_t i = 0; i < request->n_items; i++)
		size += part_size(&message->request_item, &request->items[i]);
	return size;
}

size_t wire_request_item_size(uint16_t type, const struct wire_item *item)
{
	const struct layout_message *message = layout_find(type);

	return message && message->is_request ? part_size(&message->request_item, item) : 0;
}

/* ---- replies ---- */

static int reply_check(const struct wire_reply *reply, const struct layout_message *message)
{
	if ((reply->serial == 0) != (reply->type == WIRE_RESUME) || reply->status > 0)
		return WIRE_E_VALUE;
	if (reply->n_items > WIRE_ITEMS_MAX || reply->n_holders > WIRE_ITEMS_MAX ||
		reply->n_fields > WIRE_ITEMS_MAX || reply->n_fds > WIRE_FDS_PER_PACKET)
		return WIRE_E_LIMIT;
	if (reply->n_items > 0 && message->reply_item.n_fields == 0)
		return WIRE_E_VALUE;
	if ((reply->n_holders > 0 && message->extra != LAYOUT_HOLDERS) ||
		(reply->n_fields > 0 && message->extra != LAYOUT_FIELDS))
		return WIRE_E_VALUE;
	return 0;
}

/* Every descriptor of a reply is an item's, but for the service socket of the hello. */
static int reply_check_fds(const struct wire_reply *reply)
{
	uint32_t n_fds = 0;

	if (reply->type == WIRE_HELLO)
		return reply->n_fds <= 1 ? 0 : WIRE_E_FDS;
	for (uint32_t i = 0; i < reply->n_items; i++)
		n_fds += !!(reply->items[i].flags & WIRE_ITEM_FD);
	return n_fds == reply->n_fds ? 0 : WIRE_E_FDS;
}

int wire_reply_decode(struct wire_reply *reply, struct wire_scratch *scratch, const void *packet,
	size_t size)
{
	const struct layout_message *message;
	struct header header;
	struct cursor c;
	int r;

	r = header_decode(&header, &c, packet, size);
	if (r != 0)
		return r;
	/* what the broker says of itself has a type of its own; all else answers a request */
	message = layout_find(header.type & (uint16_t)~WIRE_REPLY);
	if (!message || !message->has_reply || !(header.type & WIRE_REPLY) != !message->is_request)
		return WIRE_E_TYPE;
	memset(reply, 0, sizeof *reply);
	reply->type = header.type & (uint16_t)~WIRE_REPLY;
	reply->more = header.flags & WIRE_FLAG_MORE;
	reply->serial = header.serial;
	reply->n_fds = header.n_fds;
	reply->n_items = header.n_items;
	if (message->extra == LAYOUT_HOLDERS)
		reply->n_holders = header.n_extras;
	else if (message->extra == LAYOUT_FIELDS)
		reply->n_fields = header.n_extras;
	else if (header.n_extras > 0)
		return WIRE_E_VALUE;
	r = part_decode(&message->reply, reply, &c);
	if (r != 0)
		return r;
	r = reply_check(reply, message);
	if (r != 0)
		return r;
	if (reply->n_items > 0) {
		r = parts_decode(&message->reply_item, sizeof *scratch->items, reply->n_items,
			(void **)&scratch->items, &scratch->items_room, &c);
		if (r != 0)
			return r;
		reply->items = scratch->items;
	}
	if (reply->n_holders > 0) {
		r = parts_decode(&layout_holder, sizeof *scratch->holders, reply->n_holders,
			(void **)&scratch->holders, &scratch->holders_room, &c);
		if (r != 0)
			return r;
		reply->holders = scratch->holders;
	}
	if (reply->n_fields > 0) {
		r = parts_decode(&layout_field, sizeof *scratch->fields, reply->n_fields,
			(void **)&scratch->fields, &scratch->fields_room, &c);
		if (r != 0)
			return r;
		reply->fields = scratch->fields;
	}
	if (cursor_left(&c) != 0)
		return WIRE_E_LENGTH;
	return reply_check_fds(reply);
}

ssize_t wire_reply_encode_holes(const struct wire_reply *reply, void *buffer, size_t room,
	void **holes)
{
	const struct layout_message *message = layout_find(reply->type);
	struct header header = {
		.flags = reply->more ? WIRE_FLAG_MORE : 0,
		.serial = reply->serial,
		.n_items = reply->n_items,
		.n_extras = reply->n_holders + reply->n_fields,
		.n_fds = reply->n_fds,
	};
	struct writer writer;
	int r;

	if (!message || !message->has_reply || reply_check(reply, message) != 0 ||
		reply_check_fds(reply) != 0)
		return -EINVAL;
	header.type = reply->type | (message->is_request ? WIRE_REPLY : 0);
	room = MIN(room, WIRE_PACKET_MAX);
	if (room < sizeof header)
		return -EMSGSIZE;
	writer.at = (uint8_t *)buffer + sizeof header;
	writer.end = (uint8_t *)buffer + room;
	r = part_encode(&message->reply, reply, &writer, NULL);
	for (uint32_t i = 0; r == 0 && i < reply->n_items; i++)
		r = part_encode(&message->reply_item, &reply->items[i], &writer, hole_of(holes, i));
	for (uint32_t i = 0; r == 0 && i < reply->n_holders; i++)
		r = part_encode(&layout_holder, &reply->holders[i], &writer, NULL);
	for (uint32_t i = 0; r == 0 && i < reply->n_fields; i++)
		r = part_encode(&layout_field, &reply->fields[i], &writer, NULL);
	return r == 0 ? packet_end(&header, &writer, buffer) : r;
}

ssize_t wire_reply_encode(const struct wire_reply *reply, void *buffer, size_t room)
{
	return wire_reply_encode_holes(reply, buffer, room, NULL);
}

size_t wire_reply_size(const struct wire_reply *reply)
{
	const struct layout_message *message = layout_find(reply->type);
	size_t size;

	if (!message || !message->has_reply)
		return 0;
	size = WIRE_HEADER_SIZE + part_size(&message->reply, reply);
	for (uint32_t i = 0; i < reply->n_items; i++)
		size += part_size(&message->reply_item, &reply->items[i]);
	for (uint32_t i = 0; i < reply->n_holders; i++)
		size += part_size(&layout_holder, &reply->holders[i]);
	for (uint32_t i = 0; i < reply->n_fields; i++)
		size += part_size(&layout_field, &reply->fields[i]);
	return size;
}

size_t wire_reply_item_size(uint16_t type, const struct wire_item *item)
{
	const struct layout_message *message = layout_find(type);

	return message && message->has_reply ? part_size(&message->reply_item, item) : 0;
}

void wire_scratch_deinit(struct wire_scratch *scratch)
{
	free(scratch->items);
	free(scratch->holders);
	free(scratch->fields);
	*scratch = (struct wire_scratch){ .items = NULL };
}
