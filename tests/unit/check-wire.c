/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire layer: each type carries what message.h says, and nothing else;
 * packets that are cut, bent or lie about their sizes are refused; senders that
 * know more or fewer fields are understood.
 */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/wire-check.h"
#include "../fuzz/wire-samples.h"
#include "util/cleanup.h"
#include "wire/labels.h"
#include "wire/message.h"

/* ---- what message.h promises, field by field ---- */

struct member {
	const char *name;
	enum { NUMBER, TEXT, BYTES } kind;
	size_t offset, size; /* size: of a number; offset of the size of bytes */
};

#define N(type, member) \
	{ #member, NUMBER, offsetof(struct type, member), sizeof(((struct type *)0)->member) }
#define T(type, member) { #member, TEXT, offsetof(struct type, member), 0 }
#define B(type, member) \
	{ #member, BYTES, offsetof(struct type, member), offsetof(struct type, member##_size) }

static const struct member request_members[] = {
	N(wire_request, version_min), N(wire_request, version_max), N(wire_request, flags),
	N(wire_request, limit), N(wire_request, timeout_ns), N(wire_request, generation),
	N(wire_request, cursor), N(wire_request, token), T(wire_request, name),
	N(wire_request, skip), B(wire_request, labels),
	T(wire_request, value),
};

static const struct member item_members[] = {
	N(wire_item, id), N(wire_item, flags), N(wire_item, mode), N(wire_item, size),
	N(wire_item, refs), N(wire_item, pins), B(wire_item, metadata), B(wire_item, data),
	T(wire_item, name), N(wire_item, status), N(wire_item, state), N(wire_item, address),
	N(wire_item, uid), N(wire_item, gid), N(wire_item, created_ns),
	N(wire_item, last_access_ns), N(wire_item, accesses), N(wire_item, charged_bytes),
	N(wire_item, resident_bytes), B(wire_item, names), B(wire_item, labels),
	B(wire_item, unlabel), T(wire_item, call_site), N(wire_item, priority),
	N(wire_item, ttl_ns), N(wire_item, expires_ns),
};

static const struct member reply_members[] = {
	N(wire_reply, status), T(wire_reply, text), N(wire_reply, version),
	N(wire_reply, connection), N(wire_reply, flags), N(wire_reply, arena_base),
	N(wire_reply, inline_max), N(wire_reply, max_items), N(wire_reply, max_packet),
	N(wire_reply, max_fds), N(wire_reply, generation), N(wire_reply, cursor),
	N(wire_reply, skip),
};

static bool word_in(const char *word, const char *words)
{
	size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at++)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

static void check_members(const struct promise *promise, const struct member *members,
	size_t n_members, const char *promised, const void *sent, const void *came)
{
	for (size_t i = 0; i < n_members; i++) {
		const struct member *m = &members[i];
		bool expected = word_in(m->name, promised);
		const char *a = (const char *)sent + m->offset, *b = (const char *)came + m->offset;
		const void *pa, *pb;
		uint32_t na, nb;

		if (m->kind == NUMBER) {
			static const char zeros[sizeof(struct id128)];

			ck_assert_msg(memcmp(b, expected ? a : zeros, m->size) == 0, "%s: %s",
				promise->name, m->name);
			continue;
		}
		memcpy(&pa, a, sizeof pa);
		memcpy(&pb, b, sizeof pb);
		ck_assert_msg((pb != NULL) == expected, "%s: %s", promise->name, m->name);
		if (!expected)
			continue;
		if (m->kind == TEXT) {
			ck_assert_str_eq(pa, pb);
			continue;
		}
		memcpy(&na, (const char *)sent + m->size, sizeof na);
		memcpy(&nb, (const char *)came + m->size, sizeof nb);
		ck_assert_uint_eq(na, nb);
		ck_assert_mem_eq(pa, pb, na);
	}
}

static _Alignas(8) uint8_t buffer[WIRE_PACKET_MAX];
static struct wire_scratch scratch;

/* Put the fullest request or reply of a type into buffer.  Return: its size, 0 if there is none. */
static size_t encode_full(const struct promise *promise, bool is_request)
{
	struct wire_item items[N_ITEMS];
	ssize_t n;

	if (is_request) {
		struct wire_request request = full_request(promise, items);

		n = wire_request_encode(&request, buffer, sizeof buffer);
	} else {
		struct wire_reply reply = full_reply(promise, items);

		n = wire_reply_encode(&reply, buffer, sizeof buffer);
	}
	ck_assert((n > 0) == ((is_request ? promise->request : promise->reply) != NULL));
	return n > 0 ? (size_t)n : 0;
}

START_TEST(requests_carry_what_their_type_names)
{
	const struct promise *promise = &promises[_i];
	struct wire_item items[N_ITEMS];
	struct wire_request sent, came;
	ssize_t n;

	ck_assert_str_eq(wire_type_name(promise->type), promise->name);
	sent = full_request(promise, items);
	n = wire_request_encode(&sent, buffer, sizeof buffer);
	if (!promise->request) {
		ck_assert_int_eq(n, -EINVAL);
		return;
	}
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(n % 8, 0);
	ck_assert_uint_eq((size_t)n, wire_request_size(&sent));
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, (size_t)n), 0);
	ck_assert_uint_eq(came.type, promise->type);
	ck_assert(came.retry && came.more);
	ck_assert_uint_eq(came.serial, sent.serial);
	ck_assert_uint_eq(came.acked_fds, 17);
	ck_assert_uint_eq(came.n_fds, promise->has_fd);
	ck_assert_uint_eq(came.n_items, sent.n_items);
	check_members(promise, request_members, ARRAY_SIZE(request_members), promise->request,
		&sent, &came);
	for (uint32_t i = 0; i < came.n_items; i++)
		check_members(promise, item_members, ARRAY_SIZE(item_members),
			promise->request_item, &items[i], &came.items[i]);
	ck_assert_int_eq(wire_check_request(&scratch, buffer, (size_t)n), 0);
	/* a request is no reply */
	ck_assert_int_eq(wire_check_reply(&scratch, buffer, (size_t)n), WIRE_E_TYPE);
}
END_TEST

START_TEST(replies_carry_what_their_type_names)
{
	const struct promise *promise = &promises[_i];
	struct wire_item items[N_ITEMS];
	struct wire_reply sent = full_reply(promise, items), came;
	ssize_t n;

	n = wire_reply_encode(&sent, buffer, sizeof buffer);
	if (!promise->reply) {
		ck_assert_int_eq(n, -EINVAL);
		return;
	}
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(n % 8, 0);
	ck_assert_uint_eq((size_t)n, wire_reply_size(&sent));
	ck_assert_int_eq(wire_reply_decode(&came, &scratch, buffer, (size_t)n), 0);
	ck_assert_uint_eq(came.type, promise->type);
	ck_assert(came.more);
	ck_assert_uint_eq(came.serial, sent.serial);
	ck_assert_uint_eq(came.n_fds, sent.n_fds);
	ck_assert_uint_eq(came.n_items, sent.n_items);
	check_members(promise, reply_members, ARRAY_SIZE(reply_members), promise->reply, &sent,
		&came);
	for (uint32_t i = 0; i < came.n_items; i++)
		check_members(promise, item_members, ARRAY_SIZE(item_members), promise->reply_item,
			&items[i], &came.items[i]);
	ck_assert_uint_eq(came.n_holders, sent.n_holders);
	for (uint32_t i = 0; i < came.n_holders; i++) {
		const struct wire_holder *a = &some_holders[i], *b = &came.holders[i];

		ck_assert_uint_eq(a->kind, b->kind);
		ck_assert_uint_eq(a->pid, b->pid);
		ck_assert_uint_eq(a->uid, b->uid);
		ck_assert_uint_eq(a->refs, b->refs);
		ck_assert_uint_eq(a->pins, b->pins);
		ck_assert_int_eq(a->expires_ns, b->expires_ns);
		ck_assert_str_eq(a->text, b->text);
	}
	ck_assert_uint_eq(came.n_fields, sent.n_fields);
	for (uint32_t i = 0; i < came.n_fields; i++) {
		ck_assert_str_eq(came.fields[i].key, some_fields[i].key);
		ck_assert_str_eq(came.fields[i].value, some_fields[i].value);
		ck_assert_str_eq(came.fields[i].origin, some_fields[i].origin);
		ck_assert_uint_eq(came.fields[i].number, some_fields[i].number);
	}
	ck_assert_int_eq(wire_check_reply(&scratch, buffer, (size_t)n), 0);
	ck_assert_int_eq(wire_check_request(&scratch, buffer, (size_t)n), WIRE_E_TYPE);
}
END_TEST

/* ---- a conversation, and the bytes of its first packets ---- */

START_TEST(a_conversation_is_understood_on_both_sides)
{
	static const struct wire_item draft = { .id.bytes = { 1 }, .size = 1 << 20, .mode = 0600 };
	static const struct wire_item given = { .id.bytes = { 1 }, .size = 1 << 20,
		.flags = WIRE_ITEM_FD };
	static const struct wire_item small = { .id.bytes = { 2 }, .data = "tiny", .data_size = 5 };
	static const struct wire_item both[] = { { .id.bytes = { 1 } }, { .id.bytes = { 2 } } };
	static const struct wire_item done[] = { { .id.bytes = { 1 } }, { .id.bytes = { 2 } } };
	static const struct wire_item got[] = {
		{ .id.bytes = { 1 }, .size = 1 << 20, .flags = WIRE_ITEM_FD,
			.address = UINT64_C(0x200000200000) },
		{ .id.bytes = { 2 }, .size = 5, .flags = WIRE_ITEM_INLINE, .data = "tiny",
			.data_size = 5 },
	};
	static const struct wire_item back[] = { { .id.bytes = { 1 }, .refs = 2, .pins = 1 },
		{ .id.bytes = { 2 }, .refs = 2 } };
	static const struct {
		struct wire_request request;
		struct wire_reply reply; /* type 0: none */
	} talk[] = {
		{ { .type = WIRE_HELLO, .serial = 1, .version_min = 1, .version_max = 1 },
			{ .type = WIRE_HELLO, .serial = 1, .version = 1, .n_fds = 1 } },
		{ { .type = WIRE_CREATE, .serial = 2, .items = &draft, .n_items = 1 },
			{ .type = WIRE_CREATE, .serial = 2, .items = &given, .n_items = 1,
				.n_fds = 1 } },
		{ { .type = WIRE_PUT, .serial = 3, .items = &small, .n_items = 1, .acked_fds = 2 },
			{ .type = WIRE_PUT, .serial = 3, .items = &done[1], .n_items = 1 } },
		{ { .type = WIRE_SEAL, .serial = 4, .items = both, .n_items = 1 },
			{ .type = WIRE_SEAL, .serial = 4, .items = done, .n_items = 1 } },
		{ { .type = WIRE_GET, .serial = 5, .items = both, .n_items = 2 },
			{ .type = WIRE_GET, .serial = 5, .items = got, .n_items = 2, .n_fds = 1 } },
		{ { .type = WIRE_RELEASE, .serial = 6, .items = back, .n_items = 2,
			.acked_fds = 3 } },
		{ { .type = WIRE_GET, .serial = 7, .items = both, .n_items = 2 },
			{ .type = WIRE_GET, .serial = 7, .status = -ENOENT,
				.text = "object 01: no such object" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(talk); i++) {
		struct wire_request request;
		struct wire_reply reply;
		ssize_t n = wire_request_encode(&talk[i].request, buffer, sizeof buffer);

		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(wire_request_decode(&request, &scratch, buffer, (size_t)n), 0);
		ck_assert_uint_eq(request.serial, i + 1);
		ck_assert_uint_eq(request.n_items, talk[i].request.n_items);
		n = wire_reply_encode(&talk[i].reply, buffer, sizeof buffer);
		if (talk[i].reply.type == 0) {
			ck_assert_int_eq(n, -EINVAL);
			continue;
		}
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(wire_reply_decode(&reply, &scratch, buffer, (size_t)n), 0);
		ck_assert_int_eq(reply.status, talk[i].reply.status);
		ck_assert_uint_eq(reply.serial, i + 1);
		if (talk[i].reply.text)
			ck_assert_str_eq(reply.text, talk[i].reply.text);
		else
			ck_assert_ptr_null(reply.text);
		for (uint32_t k = 0; k < reply.n_items; k++) {
			const struct wire_item *a = &talk[i].reply.items[k];

			ck_assert_mem_eq(&a->id, &reply.items[k].id, sizeof a->id);
			ck_assert_uint_eq(a->flags, reply.items[k].flags);
			ck_assert_uint_eq(a->data_size, reply.items[k].data_size);
		}
	}
}
END_TEST

static void append(uint8_t *bytes, size_t *size, const void *from, size_t n)
{
	memcpy(bytes + *size, from, n);
	*size += n;
}

#define APPEND(type, ...) \
	do { \
		const type values[] = { __VA_ARGS__ }; \
		append(golden, &size, values, sizeof values); \
	} while (0)

/* Old programs talk to new brokers: these bytes never change. */
START_TEST(packets_have_the_bytes_that_they_always_had)
{
	struct wire_request hello = { .type = WIRE_HELLO, .serial = 1, .version_min = 1,
		.version_max = 1, .flags = WIRE_HELLO_SERVICE };
	struct wire_item item = { .id.bytes = { 0xaa, [15] = 0xbb }, .mode = 0600, .name = "n",
		.data = "hello", .data_size = 5, .priority = -3, .ttl_ns = 6 };
	struct wire_request put = { .type = WIRE_PUT, .serial = 2, .acked_fds = 3, .timeout_ns = 4,
		.items = &item, .n_items = 1 };
	struct wire_reply full = { .type = WIRE_PUT, .serial = 2, .status = -ENOBUFS,
		.text = "full" };
	uint8_t golden[256];
	size_t size = 0;
	ssize_t n;

	APPEND(uint16_t, WIRE_HELLO, 0);
	APPEND(uint32_t, 56);
	APPEND(uint64_t, 1);
	APPEND(uint32_t, 0, 0, 0, 0);
	APPEND(uint32_t, 24, 16, 1, 1, 1, 0);
	n = wire_request_encode(&hello, buffer, sizeof buffer);
	ck_assert_int_eq(n, size);
	ck_assert_mem_eq(buffer, golden, size);

	size = 0;
	APPEND(uint16_t, WIRE_PUT, 0);
	APPEND(uint32_t, 128);
	APPEND(uint64_t, 2);
	APPEND(uint32_t, 1, 0, 0, 3);
	APPEND(uint32_t, 16, 8); /* the message's part: timeout */
	APPEND(uint64_t, 4);
	APPEND(uint32_t, 80, 56); /* the item's part */
	append(golden, &size, item.id.bytes, 16);
	APPEND(uint32_t, 0600, 0, 2, 0, 5); /* mode flags name metadata data */
	APPEND(uint32_t, 0, 0, (uint32_t)-3); /* labels call_site priority */
	APPEND(uint64_t, 6); /* ttl */
	append(golden, &size, "n\0\0\0\0\0\0\0", 8);
	append(golden, &size, "hello\0\0\0", 8);
	n = wire_request_encode(&put, buffer, sizeof buffer);
	ck_assert_int_eq(n, size);
	ck_assert_mem_eq(buffer, golden, size);

	size = 0;
	APPEND(uint16_t, WIRE_PUT | WIRE_REPLY, 0);
	APPEND(uint32_t, 56);
	APPEND(uint64_t, 2);
	APPEND(uint32_t, 0, 0, 0, 0);
	APPEND(uint32_t, 24, 8, (uint32_t)-ENOBUFS, 5);
	append(golden, &size, "full\0\0\0\0", 8);
	n = wire_reply_encode(&full, buffer, sizeof buffer);
	ck_assert_int_eq(n, size);
	ck_assert_mem_eq(buffer, golden, size);
}
END_TEST

START_TEST(nothing_of_the_buffer_is_sent)
{
	static uint8_t first[WIRE_PACKET_MAX];

	for (int is_request = 0; is_request < 2; is_request++) {
		size_t n;

		memset(buffer, 0x55, sizeof buffer);
		n = encode_full(&promises[_i], is_request);
		memcpy(first, buffer, n);
		memset(buffer, 0xaa, sizeof buffer);
		ck_assert_uint_eq(encode_full(&promises[_i], is_request), n);
		ck_assert(memcmp(first, buffer, n) == 0);
	}
}
END_TEST

START_TEST(encoders_say_when_the_room_is_short)
{
	const struct promise *promise = &promises[_i];
	struct wire_item items[N_ITEMS];
	ssize_t full;

	if (promise->request) {
		struct wire_request request = full_request(promise, items);

		full = wire_request_encode(&request, buffer, sizeof buffer);
		for (size_t room = 0; room < (size_t)full; room++) {
			uint8_t *exact = malloc(room + !room); /* so that an overrun is seen */

			ck_assert_int_eq(wire_request_encode(&request, exact, room), -EMSGSIZE);
			free(exact);
		}
	}
	if (promise->reply) {
		struct wire_reply reply = full_reply(promise, items);

		full = wire_reply_encode(&reply, buffer, sizeof buffer);
		for (size_t room = 0; room < (size_t)full; room++) {
			uint8_t *exact = malloc(room + !room);

			ck_assert_int_eq(wire_reply_encode(&reply, exact, room), -EMSGSIZE);
			free(exact);
		}
	}
}
END_TEST

/* ---- packets that are wrong ---- */

/* Decode a copy that ends where the packet ends, so that tools see an overrun. */
static int decode_copy(bool is_request, const void *bytes, size_t size)
{
	void *copy = malloc(size + !size);
	int r;

	memcpy(copy, bytes, size);
	r = is_request ? wire_check_request(&scratch, copy, size)
		       : wire_check_reply(&scratch, copy, size);
	free(copy);
	return r;
}

static void set_u32(void *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

START_TEST(packets_cut_at_any_length_are_refused)
{
	for (int is_request = 0; is_request < 2; is_request++) {
		size_t full = encode_full(&promises[_i], is_request);

		if (full == 0)
			continue;
		for (size_t size = 0; size < full; size++) {
			set_u32(buffer + 4, (uint32_t)full);
			ck_assert_int_eq(decode_copy(is_request, buffer, size), WIRE_E_TRUNCATED);
			set_u32(buffer + 4, (uint32_t)size);
			if (size >= 8) /* the length agrees, but what it holds does not */
				ck_assert_int_eq(decode_copy(is_request, buffer, size),
					WIRE_E_TRUNCATED);
		}
		set_u32(buffer + 4, (uint32_t)full);
		memset(buffer + full, 0, 8);
		ck_assert_int_eq(decode_copy(is_request, buffer, full + 8), WIRE_E_LENGTH);
		set_u32(buffer + 4, (uint32_t)full + 8);
		ck_assert_int_eq(decode_copy(is_request, buffer, full + 8), WIRE_E_LENGTH);
	}
}
END_TEST

START_TEST(packets_with_a_flipped_byte_do_no_harm)
{
	static const uint8_t masks[] = { 1, 2, 4, 8, 16, 32, 64, 128, 255 };

	for (int is_request = 0; is_request < 2; is_request++) {
		size_t size = encode_full(&promises[_i], is_request);

		for (size_t i = 0; i < size; i++)
			for (size_t m = 0; m < ARRAY_SIZE(masks); m++) {
				buffer[i] ^= masks[m];
				(void)decode_copy(is_request, buffer, size);
				buffer[i] ^= masks[m];
			}
		if (size > 0)
			ck_assert_int_eq(decode_copy(is_request, buffer, size), 0);
	}
}
END_TEST

/* Every aligned number of a packet, replaced by the values that overflow sums. */
START_TEST(sizes_that_overflow_are_refused)
{
	static const uint32_t values[] = { 0, 7, 8, 9, 0x7fffffff, 0x80000000, 0xfffffff8,
		0xfffffff9, 0xffffffff };

	for (int is_request = 0; is_request < 2; is_request++) {
		size_t n = encode_full(&promises[_i], is_request);

		for (size_t at = 4; at + 4 <= n; at += 4)
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				uint32_t saved;

				memcpy(&saved, buffer + at, sizeof saved);
				set_u32(buffer + at, values[v]);
				(void)decode_copy(is_request, buffer, n);
				set_u32(buffer + at, saved);
			}
		if (n == 0)
			continue;
		set_u32(buffer + WIRE_HEADER_SIZE, 0xfffffff8);
		ck_assert_int_eq(decode_copy(is_request, buffer, n), WIRE_E_TRUNCATED);
		set_u32(buffer + WIRE_HEADER_SIZE, 0);
		ck_assert_int_eq(decode_copy(is_request, buffer, n), WIRE_E_LENGTH);
		encode_full(&promises[_i], is_request);
		set_u32(buffer + WIRE_HEADER_SIZE + 4, 0xfffffff8);
		ck_assert_int_eq(decode_copy(is_request, buffer, n), WIRE_E_LENGTH);
	}
}
END_TEST

/* ---- senders of another time ---- */

/* Rewrite the packet in buffer as a sender would who knows more_numbers bytes more
 * of numbers in every part, and more_blobs bytes more of blobs. */
static size_t stretch(size_t size, size_t more_numbers, size_t more_blobs)
{
	static _Alignas(8) uint8_t longer[WIRE_PACKET_MAX];
	size_t to = WIRE_HEADER_SIZE;

	memcpy(longer, buffer, WIRE_HEADER_SIZE);
	for (size_t from = WIRE_HEADER_SIZE; from < size;) {
		uint32_t part, numbers;

		memcpy(&part, buffer + from, sizeof part);
		memcpy(&numbers, buffer + from + 4, sizeof numbers);
		set_u32(longer + to, (uint32_t)(part + more_numbers + more_blobs));
		set_u32(longer + to + 4, (uint32_t)(numbers + more_numbers));
		memcpy(longer + to + 8, buffer + from + 8, numbers);
		to += 8 + numbers;
		memset(longer + to, 0xee, more_numbers);
		to += more_numbers;
		memcpy(longer + to, buffer + from + 8 + numbers, part - 8 - numbers);
		to += part - 8 - numbers;
		memset(longer + to, 0xdd, more_blobs);
		to += more_blobs;
		from += part;
	}
	set_u32(longer + 4, (uint32_t)to);
	memcpy(buffer, longer, to);
	return to;
}

START_TEST(fields_of_a_later_version_are_skipped)
{
	const struct promise *promise = &promises[_i];
	struct wire_item items[N_ITEMS];

	if (promise->request) {
		struct wire_request sent = full_request(promise, items), came;
		size_t n = (size_t)wire_request_encode(&sent, buffer, sizeof buffer);

		n = stretch(n, 24, 40);
		ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, n), 0);
		check_members(promise, request_members, ARRAY_SIZE(request_members),
			promise->request, &sent, &came);
		for (uint32_t i = 0; i < came.n_items; i++)
			check_members(promise, item_members, ARRAY_SIZE(item_members),
				promise->request_item, &items[i], &came.items[i]);
		ck_assert_int_eq(wire_check_request(&scratch, buffer, n), 0);
	}
	if (promise->reply) {
		struct wire_reply sent = full_reply(promise, items), came;
		size_t n = (size_t)wire_reply_encode(&sent, buffer, sizeof buffer);

		n = stretch(n, 8, 8);
		ck_assert_int_eq(wire_reply_decode(&came, &scratch, buffer, n), 0);
		check_members(promise, reply_members, ARRAY_SIZE(reply_members), promise->reply,
			&sent, &came);
		for (uint32_t i = 0; i < came.n_items; i++)
			check_members(promise, item_members, ARRAY_SIZE(item_members),
				promise->reply_item, &items[i], &came.items[i]);
		ck_assert_int_eq(wire_check_reply(&scratch, buffer, n), 0);
	}
}
END_TEST

START_TEST(fields_that_an_earlier_version_lacks_are_zero)
{
	struct wire_request sent = some_request(WIRE_HELLO), came;
	struct wire_item item = some_item(1);
	size_t n;

	/* HELLO without flags */
	sent.n_items = 0;
	n = (size_t)wire_request_encode(&sent, buffer, sizeof buffer);
	ck_assert_uint_eq(n, 56);
	set_u32(buffer + 4, 48);
	set_u32(buffer + 32, 16);
	set_u32(buffer + 36, 8);
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, 48), 0);
	ck_assert_uint_eq(came.version_max, 2);
	ck_assert_uint_eq(came.flags, 0);

	/* RELEASE without counts, RECONCILE without its generation */
	sent = some_request(WIRE_RELEASE);
	sent.items = &item;
	sent.n_items = 1;
	n = (size_t)wire_request_encode(&sent, buffer, sizeof buffer);
	ck_assert_uint_eq(n, 72);
	set_u32(buffer + 4, 64);
	set_u32(buffer + 40, 24);
	set_u32(buffer + 44, 16);
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, 64), 0);
	ck_assert_mem_eq(&came.items[0].id, &item.id, sizeof item.id);
	ck_assert_uint_eq(came.items[0].refs, 0);
	/* half an id is none */
	set_u32(buffer + 4, 56);
	set_u32(buffer + 40, 16);
	set_u32(buffer + 44, 8);
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, 56), WIRE_E_TRUNCATED);
}
END_TEST

/* ---- limits ---- */

START_TEST(item_counts_have_limits)
{
	static struct wire_item items[WIRE_ITEMS_MAX + 1];
	struct wire_request request = { .serial = 1, .items = items, .name = "n", .version_min = 1,
		.version_max = 1 };
	struct wire_request came;

	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		const struct promise *promise = &promises[i];
		uint32_t min = promise->request_item && promise->type != WIRE_RECONCILE;
		uint32_t max = !promise->request_item ? 0 : promise->batch ? WIRE_ITEMS_MAX : 1;
		size_t n;

		if (!promise->request)
			continue;
		request.type = promise->type;
		request.n_fds = promise->has_fd;
		for (uint32_t k = 0; k <= 2; k++) {
			request.n_items = k;
			ck_assert_msg((wire_request_encode(&request, buffer, sizeof buffer) > 0) ==
				(k >= min && k <= max), "%s %u", promise->name, k);
		}
		/* the same from a sender that does not care */
		request.n_items = min;
		n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);
		set_u32(buffer + 16, max + 1);
		ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_LIMIT);
		if (min > 0) {
			set_u32(buffer + 16, 0);
			ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_VALUE);
		}
		set_u32(buffer + 16, min);
		set_u32(buffer + 20, 1); /* extras are of replies */
		ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_VALUE);
	}
	/* the most that a message may have is there */
	request.type = WIRE_GET;
	request.n_fds = 0;
	request.n_items = WIRE_ITEMS_MAX;
	for (uint32_t i = 0; i < WIRE_ITEMS_MAX; i++)
		memcpy(items[i].id.bytes, &i, sizeof i);
	ck_assert_int_gt(wire_request_encode(&request, buffer, sizeof buffer), 0);
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, wire_request_size(&request)),
		0);
	for (uint32_t i = 0; i < WIRE_ITEMS_MAX; i++)
		ck_assert_mem_eq(came.items[i].id.bytes, &i, sizeof i);
	request.n_items++;
	ck_assert_int_eq(wire_request_encode(&request, buffer, sizeof buffer), -EINVAL);
}
END_TEST

START_TEST(batches_of_outcomes_fit_one_packet)
{
	static struct wire_item items[WIRE_ITEMS_MAX];
	static const uint16_t types[] = { WIRE_SEAL, WIRE_ABORT, WIRE_PUT, WIRE_DELETE, WIRE_WAIT };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct wire_reply reply = { .type = types[i], .serial = 1, .items = items,
			.n_items = WIRE_ITEMS_MAX };

		ck_assert_int_gt(wire_reply_encode(&reply, buffer, sizeof buffer), 0);
	}
}
END_TEST

START_TEST(memory_is_not_taken_for_items_that_cannot_be_there)
{
	struct wire_item item = some_item(0);
	struct wire_request request = { .type = WIRE_GET, .serial = 1, .items = &item, .n_items = 1 };
	struct wire_scratch fresh = { .items = NULL };
	struct wire_request came;
	size_t n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);

	set_u32(buffer + 16, WIRE_ITEMS_MAX);
	ck_assert_int_eq(wire_request_decode(&came, &fresh, buffer, n), WIRE_E_TRUNCATED);
	ck_assert_ptr_null(fresh.items);
	wire_scratch_deinit(&fresh);
}
END_TEST

START_TEST(scratch_is_kept_between_packets)
{
	struct wire_item items[20] = { some_item(0) };
	struct wire_request request = { .type = WIRE_GET, .serial = 1, .items = items, .n_items = 1 };
	struct wire_scratch fresh = { .items = NULL };
	struct wire_request came;
	const struct wire_item *first;
	size_t n;

	n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);
	ck_assert_int_eq(wire_request_decode(&came, &fresh, buffer, n), 0);
	first = came.items;
	request.n_items = 16;
	n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);
	ck_assert_int_eq(wire_request_decode(&came, &fresh, buffer, n), 0);
	ck_assert_ptr_eq(first, came.items);
	request.n_items = 20;
	n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);
	ck_assert_int_eq(wire_request_decode(&came, &fresh, buffer, n), 0);
	ck_assert_uint_eq(fresh.items_room, 32);
	wire_scratch_deinit(&fresh);
	ck_assert_ptr_null(fresh.items);
}
END_TEST

START_TEST(blobs_have_limits)
{
	static char big[WIRE_METADATA_MAX + 1];
	struct wire_item item = { .data = big, .data_size = WIRE_INLINE_MAX, .metadata = big,
		.metadata_size = WIRE_METADATA_MAX };
	struct wire_request request = { .type = WIRE_PUT, .serial = 1, .items = &item, .n_items = 1 };
	char name[WIRE_NAME_MAX + 2], call_site[WIRE_CALL_SITE_MAX + 1] = "";
	size_t n, plain;

	memset(name, 'n', sizeof name);
	name[WIRE_NAME_MAX] = '\0';
	item.name = name;
	item.labels = big;
	item.labels_size = WIRE_LABELS_SIZE_MAX;
	memset(call_site, 'c', sizeof call_site - 1);
	item.call_site = call_site;
	/* the largest item there is fits a packet */
	ck_assert_int_gt(wire_request_encode(&request, buffer, sizeof buffer), 0);
	item.labels_size = 0;
	item.call_site = NULL;
	ck_assert_uint_eq(wire_request_item_size(WIRE_PUT, &item),
		8 + 56 + 256 + WIRE_METADATA_MAX + WIRE_INLINE_MAX);
	item.data_size++;
	ck_assert_int_eq(wire_request_encode(&request, buffer, sizeof buffer), -EINVAL);
	item.data_size--;
	item.metadata_size++;
	ck_assert_int_eq(wire_request_encode(&request, buffer, sizeof buffer), -EINVAL);
	item.metadata_size--;
	name[WIRE_NAME_MAX] = 'n';
	name[WIRE_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(wire_request_encode(&request, buffer, sizeof buffer), -EINVAL);
	name[WIRE_NAME_MAX] = '\0';

	/* the same from a sender that does not care: sizes are among the item's numbers */
	item.metadata_size = item.data_size = 0;
	plain = (size_t)wire_request_encode(&request, buffer, sizeof buffer);
	n = plain + WIRE_METADATA_MAX + 8;
	memset(buffer + plain, 0, WIRE_METADATA_MAX + 8);
	set_u32(buffer + 4, (uint32_t)n);
	set_u32(buffer + 48, (uint32_t)(8 + 56 + 256 + WIRE_METADATA_MAX + 8));
	ck_assert_int_eq(decode_copy(true, buffer, n), 0);
	set_u32(buffer + 84, WIRE_METADATA_MAX + 1);
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_LIMIT);
	set_u32(buffer + 84, 0);
	set_u32(buffer + 88, WIRE_INLINE_MAX + 1);
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_LIMIT);
	set_u32(buffer + 88, 0);
	set_u32(buffer + 80, WIRE_NAME_MAX + 2);
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_LIMIT);
}
END_TEST

START_TEST(texts_end_once)
{
	struct wire_request request = { .type = WIRE_LOOKUP, .serial = 1, .name = "abcdef" };
	struct wire_request came;
	size_t n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);

	ck_assert_uint_eq(n, 32 + 8 + 8 + 8);
	ck_assert_int_eq(decode_copy(true, buffer, n), 0);
	buffer[48 + 6] = 'g'; /* no NUL */
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_TEXT);
	buffer[48 + 6] = '\0';
	buffer[48 + 2] = '\0'; /* one inside */
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_TEXT);
	/* an empty name is one; none is not */
	request.name = "";
	n = (size_t)wire_request_encode(&request, buffer, sizeof buffer);
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, n), 0);
	ck_assert_str_eq(came.name, "");
	request.name = NULL;
	ck_assert_int_eq(wire_request_encode(&request, buffer, sizeof buffer), -EINVAL);
	set_u32(buffer + 4, 48);
	set_u32(buffer + 32, 16);
	set_u32(buffer + 40, 0);
	ck_assert_int_eq(decode_copy(true, buffer, 48), WIRE_E_VALUE);
}
END_TEST

START_TEST(lists_of_names_end_with_a_nul)
{
	struct wire_item item = { .status = 0 };
	struct wire_reply reply = { .type = WIRE_STAT, .serial = 1, .items = &item, .n_items = 1 };
	size_t n;

	item.names = "abc\0defgh"; /* eight bytes, which a decoder meets last */
	item.names_size = 8;
	ck_assert_int_eq(wire_reply_encode(&reply, buffer, sizeof buffer), -EINVAL);
	item.names = "abc\0def";
	n = (size_t)wire_reply_encode(&reply, buffer, sizeof buffer);
	ck_assert_int_eq(decode_copy(false, buffer, n), 0);
	buffer[n - 1] = 'h';
	ck_assert_int_eq(decode_copy(false, buffer, n), WIRE_E_TEXT);
}
END_TEST

START_TEST(absent_texts_of_fields_and_holders_are_empty)
{
	static const struct wire_field field = { .key = "k" };
	struct wire_reply reply = { .type = WIRE_STATUS, .serial = 1, .fields = &field,
		.n_fields = 1 };
	struct wire_reply came;
	size_t n = (size_t)wire_reply_encode(&reply, buffer, sizeof buffer);

	ck_assert_int_eq(wire_reply_decode(&came, &scratch, buffer, n), 0);
	ck_assert_str_eq(came.fields[0].value, "");
	ck_assert_str_eq(came.fields[0].origin, "");
}
END_TEST

START_TEST(values_that_no_version_allows_are_refused)
{
	struct wire_item item = { .id.bytes = { 1 } };
	const struct wire_request get = { .type = WIRE_GET, .serial = 1, .items = &item,
		.n_items = 1 };
	const struct wire_request hello = { .type = WIRE_HELLO, .serial = 1, .version_min = 1,
		.version_max = 1 };
	struct wire_request bad;
	struct wire_reply reply = { .type = WIRE_STATUS, .serial = 1 };
	size_t n;

	bad = get;
	bad.serial = 0;
	ck_assert_int_eq(wire_request_encode(&bad, buffer, sizeof buffer), -EINVAL);
	bad = get;
	bad.timeout_ns = -1;
	ck_assert_int_eq(wire_request_encode(&bad, buffer, sizeof buffer), -EINVAL);
	bad = get;
	bad.n_fds = 1;
	ck_assert_int_eq(wire_request_encode(&bad, buffer, sizeof buffer), -EINVAL);
	bad = hello;
	bad.version_min = 2;
	ck_assert_int_eq(wire_request_encode(&bad, buffer, sizeof buffer), -EINVAL);
	bad.version_min = 0;
	ck_assert_int_eq(wire_request_encode(&bad, buffer, sizeof buffer), -EINVAL);
	bad = get;
	bad.type = WIRE_REQUEST_LAST + 1;
	ck_assert_int_eq(wire_request_encode(&bad, buffer, sizeof buffer), -EINVAL);

	n = (size_t)wire_request_encode(&get, buffer, sizeof buffer);
	memset(buffer + 8, 0, 8); /* serial */
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_VALUE);
	n = (size_t)wire_request_encode(&get, buffer, sizeof buffer);
	set_u32(buffer + 24, 1); /* descriptors */
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_FDS);
	set_u32(buffer + 24, WIRE_FDS_PER_PACKET + 1);
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_LIMIT);
	set_u32(buffer + 24, 0);
	buffer[47] = 0x80; /* the timeout's sign */
	ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_VALUE);

	/* a type that nobody has */
	for (uint32_t type = 0; type <= UINT16_MAX; type++) {
		uint16_t type16 = (uint16_t)type;

		memcpy(buffer, &type16, sizeof type16);
		if (type16 < WIRE_HELLO || type16 > WIRE_REQUEST_LAST)
			ck_assert_int_eq(decode_copy(true, buffer, n), WIRE_E_TYPE);
	}
	ck_assert_ptr_null(wire_type_name(0));
	ck_assert_ptr_null(wire_type_name(99));
	ck_assert_str_eq(wire_type_name(WIRE_GET | WIRE_REPLY), "GET");

	/* replies */
	reply.status = 1;
	ck_assert_int_eq(wire_reply_encode(&reply, buffer, sizeof buffer), -EINVAL);
	reply.status = 0;
	reply.serial = 0;
	ck_assert_int_eq(wire_reply_encode(&reply, buffer, sizeof buffer), -EINVAL);
	reply.serial = 1;
	reply.n_fds = 1; /* that no item takes */
	ck_assert_int_eq(wire_reply_encode(&reply, buffer, sizeof buffer), -EINVAL);
	reply.n_fds = 0;
	n = (size_t)wire_reply_encode(&reply, buffer, sizeof buffer);
	set_u32(buffer + 24, 1);
	ck_assert_int_eq(decode_copy(false, buffer, n), WIRE_E_FDS);
	set_u32(buffer + 24, 0);
	set_u32(buffer + 16, 1); /* an item in a reply that has none */
	ck_assert_int_eq(decode_copy(false, buffer, n), WIRE_E_VALUE);
}
END_TEST

START_TEST(packets_have_a_limit)
{
	struct wire_request request = { .type = WIRE_ACK, .serial = 1 };
	size_t size = WIRE_PACKET_MAX + 8, n = (size_t)wire_request_encode(&request, buffer,
		sizeof buffer);
	uint8_t *big = calloc(1, size);

	memcpy(big, buffer, n);
	set_u32(big + 4, (uint32_t)size);
	set_u32(big + WIRE_HEADER_SIZE, (uint32_t)(size - WIRE_HEADER_SIZE));
	ck_assert_int_eq(decode_copy(true, big, size), WIRE_E_LIMIT);
	size -= 8;
	set_u32(big + 4, (uint32_t)size);
	set_u32(big + WIRE_HEADER_SIZE, (uint32_t)(size - WIRE_HEADER_SIZE));
	ck_assert_int_eq(decode_copy(true, big, size), 0);
	free(big);
}
END_TEST

/* ---- holes ---- */

START_TEST(data_may_be_filled_in_afterwards)
{
	struct wire_item items[] = {
		{ .id.bytes = { 1 }, .flags = WIRE_ITEM_INLINE, .data_size = 13 },
		{ .id.bytes = { 2 }, .flags = WIRE_ITEM_INLINE, .data_size = 5, .data = "there" },
		{ .id.bytes = { 3 }, .flags = WIRE_ITEM_INLINE },
	};
	struct wire_reply reply = { .type = WIRE_GET, .serial = 1, .items = items, .n_items = 3 };
	struct wire_reply came;
	void *holes[3];
	ssize_t n;

	ck_assert_int_eq(wire_reply_encode(&reply, buffer, sizeof buffer), -EINVAL);
	n = wire_reply_encode_holes(&reply, buffer, sizeof buffer, holes);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_eq((size_t)n, wire_reply_size(&reply));
	ck_assert_ptr_nonnull(holes[0]);
	ck_assert_ptr_null(holes[1]);
	ck_assert_ptr_null(holes[2]);
	memcpy(holes[0], "comes later!", 13);
	ck_assert_int_eq(wire_reply_decode(&came, &scratch, buffer, (size_t)n), 0);
	ck_assert_str_eq(came.items[0].data, "comes later!");
	ck_assert_mem_eq(came.items[1].data, "there", 5);
	ck_assert_ptr_null(came.items[2].data);
}
END_TEST

START_TEST(requests_may_be_put_together_from_pieces)
{
	struct wire_item items[] = {
		{ .id.bytes = { 1 }, .data_size = 9 },
		{ .id.bytes = { 2 }, .data_size = 5, .data = "there" },
	};
	struct wire_request request = { .type = WIRE_PUT, .serial = 1, .items = items,
		.n_items = 2 };
	struct wire_request came;
	void *holes[2];
	ssize_t n = wire_request_encode_holes(&request, buffer, sizeof buffer, holes);

	ck_assert_int_gt(n, 0);
	ck_assert_ptr_null(holes[1]);
	memcpy(holes[0], "one ", 4);
	memcpy((char *)holes[0] + 4, "copy", 5);
	ck_assert_int_eq(wire_request_decode(&came, &scratch, buffer, (size_t)n), 0);
	ck_assert_str_eq(came.items[0].data, "one copy");
	ck_assert_mem_eq(came.items[1].data, "there", 5);
}
END_TEST

/* ---- labels ---- */

/* A list of texts and its size. */
#define LIST(text) (text), sizeof(text)

START_TEST(labels_are_keys_and_values)
{
	static char many[20 * 8], long_value[300], long_list[4096];
	size_t size = 0;

	ck_assert_ptr_null(labels_check(NULL, 0));
	ck_assert_ptr_null(labels_check(LIST("a=1\0B.c_d/e-9=\0k=a=b, \xc3\xa4 \xf0\x9f\x90\x8d")));
	ck_assert_ptr_nonnull(labels_check(LIST("key")));
	ck_assert_ptr_nonnull(labels_check(LIST("=value")));
	ck_assert_ptr_nonnull(labels_check(LIST("")));
	ck_assert_ptr_nonnull(labels_check(LIST("a key=1")));
	ck_assert_ptr_nonnull(labels_check(LIST("k\xc3\xa4=1")));
	ck_assert_ptr_nonnull(labels_check(LIST("a=1\0b=2\0a=3")));
	ck_assert_ptr_nonnull(labels_check(LIST("a=\x1b[31m")));
	ck_assert_ptr_nonnull(labels_check(LIST("a=\x7f")));
	ck_assert_ptr_nonnull(labels_check(LIST("a=\xc2\x9b")));     /* a control character, too */
	ck_assert_ptr_nonnull(labels_check(LIST("a=\xc0\xaf")));     /* longer than need be */
	ck_assert_ptr_nonnull(labels_check(LIST("a=\xed\xa0\x80"))); /* half a pair */
	ck_assert_ptr_nonnull(labels_check(LIST("a=\xf4\x90\x80\x80")));
	ck_assert_ptr_nonnull(labels_check(LIST("a=\xe2\x82")));     /* ends inside */
	ck_assert_ptr_nonnull(labels_check(LIST("a=\x80")));
	for (int i = 0; i < WIRE_LABELS_MAX; i++)
		size += (size_t)sprintf(many + size, "k%d=", i) + 1;
	ck_assert_ptr_null(labels_check(many, size));
	size += (size_t)sprintf(many + size, "more=") + 1;
	ck_assert_ptr_nonnull(labels_check(many, size));
	memset(long_value, 'v', sizeof long_value - 1);
	memcpy(long_value, "k=", 2);
	ck_assert_ptr_nonnull(labels_check(long_value, sizeof long_value));
	long_value[2 + WIRE_LABEL_VALUE_MAX] = '\0';
	ck_assert_ptr_null(labels_check(long_value, 2 + WIRE_LABEL_VALUE_MAX + 1));
	memset(long_value, 'k', WIRE_LABEL_KEY_MAX + 1);
	strcpy(long_value + WIRE_LABEL_KEY_MAX + 1, "=");
	ck_assert_ptr_nonnull(labels_check(long_value, strlen(long_value) + 1));
	ck_assert_ptr_null(labels_check(long_value + 1, strlen(long_value)));
	for (int i = size = 0; i < 10; i++) {
		size += (size_t)sprintf(long_list + size, "k%d=%0*d", i, 220, 0) + 1;
		ck_assert((labels_check(long_list, size) == NULL) == (size <= WIRE_LABELS_SIZE_MAX));
	}
}
END_TEST

START_TEST(labels_are_merged_in_order)
{
	static char merged[WIRE_LABELS_SIZE_MAX], sixteen[16 * 8], big[2000];
	size_t size = 0;

	ck_assert_int_eq(labels_merge(NULL, 0, NULL, 0, NULL, 0, merged), 0);
	ck_assert_int_eq(labels_merge(NULL, 0, LIST("b=2\0ab=3\0a=1"), NULL, 0, merged), 13);
	ck_assert_mem_eq(merged, "a=1\0ab=3\0b=2", 13);
	ck_assert_int_eq(labels_merge(LIST("a=1\0b=2\0c=3"), LIST("b=22\0d=4"), LIST("a\0d\0x"),
		merged), 13);
	ck_assert_mem_eq(merged, "b=22\0c=3\0d=4", 13);
	ck_assert_int_eq(labels_merge(LIST("ab=1"), NULL, 0, LIST("a"), merged), 5);
	for (int i = 0; i < WIRE_LABELS_MAX; i++)
		size += (size_t)sprintf(sixteen + size, "k%x=", i) + 1;
	ck_assert_int_eq(labels_merge(sixteen, size, LIST("k1=v"), NULL, 0, merged), size + 1);
	ck_assert_int_eq(labels_merge(sixteen, size, LIST("x=v"), NULL, 0, merged), -E2BIG);
	ck_assert_int_eq(labels_merge(sixteen, size, LIST("x=v"), LIST("k0"), merged), size);
	size = 0;
	for (int i = 0; i < 9; i++)
		size += (size_t)sprintf(big + size, "k%d=%0*d", i, 210, 0) + 1;
	ck_assert_int_eq(labels_merge(big, size, LIST("z=z"), NULL, 0, merged), size + 4);
	ck_assert_int_eq(labels_merge(big, size, big, size, NULL, 0, merged), size);
	sprintf(sixteen, "z=%0*d", 120, 0);
	ck_assert_int_eq(labels_merge(big, size, sixteen, strlen(sixteen) + 1, NULL, 0, merged),
		-E2BIG);
}
END_TEST

START_TEST(labels_are_matched_all_of_them)
{
	ck_assert(labels_match(NULL, 0, NULL, 0));
	ck_assert(labels_match(LIST("a=1\0b="), NULL, 0));
	ck_assert(labels_match(LIST("a=1\0b="), LIST("b")));
	ck_assert(labels_match(LIST("a=1\0b="), LIST("b=\0a=1")));
	ck_assert(!labels_match(LIST("a=1\0b="), LIST("a=1\0c")));
	ck_assert(!labels_match(LIST("a=1\0b="), LIST("a=")));
	ck_assert(!labels_match(LIST("ab=1"), LIST("a")));
	ck_assert(!labels_match(LIST("a=1"), LIST("ab")));
	ck_assert(!labels_match(NULL, 0, LIST("a")));
	ck_assert(!labels_match(LIST("a=1"), LIST("")));
}
END_TEST

/* ---- packets that programs of version 1 sent ---- */

START_TEST(recorded_packets_are_still_understood)
{
	const char *srcdir = getenv("top_srcdir");
	const struct promise *promise = &promises[_i];

	for (int is_request = 0; srcdir && is_request < 2; is_request++) {
		char path[4096];
		FILE *file;
		size_t n;

		if (!(is_request ? promise->request : promise->reply))
			continue;
		snprintf(path, sizeof path, "%s/tests/fuzz/wire_seed_corpus/v1-%s-%s", srcdir,
			is_request ? "request" : "reply", promise->name);
		file = fopen(path, "r");
		ck_assert_msg(file != NULL, "%s", path);
		n = fread(buffer, 1, sizeof buffer, file);
		fclose(file);
		ck_assert_int_eq(decode_copy(is_request, buffer, n), 0);
	}
}
END_TEST

static void free_scratch(void)
{
	wire_scratch_deinit(&scratch);
}

int main(void)
{
	Suite *suite = suite_create("wire");
	TCase *types = tcase_create("types");
	TCase *wrong = tcase_create("wrong");
	TCase *other_times = tcase_create("other times");
	TCase *limits = tcase_create("limits");
	int n = ARRAY_SIZE(promises);
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(types, NULL, free_scratch);
	tcase_add_loop_test(types, requests_carry_what_their_type_names, 0, n);
	tcase_add_loop_test(types, replies_carry_what_their_type_names, 0, n);
	tcase_add_test(types, a_conversation_is_understood_on_both_sides);
	tcase_add_test(types, packets_have_the_bytes_that_they_always_had);
	tcase_add_test(types, labels_are_keys_and_values);
	tcase_add_test(types, labels_are_merged_in_order);
	tcase_add_test(types, labels_are_matched_all_of_them);
	tcase_add_loop_test(types, nothing_of_the_buffer_is_sent, 0, n);
	tcase_add_loop_test(types, encoders_say_when_the_room_is_short, 0, n);
	tcase_add_test(types, data_may_be_filled_in_afterwards);
	tcase_add_test(types, requests_may_be_put_together_from_pieces);
	suite_add_tcase(suite, types);
	tcase_add_checked_fixture(wrong, NULL, free_scratch);
	tcase_set_timeout(wrong, 60);
	tcase_add_loop_test(wrong, packets_cut_at_any_length_are_refused, 0, n);
	tcase_add_loop_test(wrong, packets_with_a_flipped_byte_do_no_harm, 0, n);
	tcase_add_loop_test(wrong, sizes_that_overflow_are_refused, 0, n);
	tcase_add_test(wrong, values_that_no_version_allows_are_refused);
	tcase_add_test(wrong, texts_end_once);
	tcase_add_test(wrong, lists_of_names_end_with_a_nul);
	suite_add_tcase(suite, wrong);
	tcase_add_checked_fixture(other_times, NULL, free_scratch);
	tcase_add_loop_test(other_times, fields_of_a_later_version_are_skipped, 0, n);
	tcase_add_loop_test(other_times, recorded_packets_are_still_understood, 0, n);
	tcase_add_test(other_times, fields_that_an_earlier_version_lacks_are_zero);
	tcase_add_test(other_times, absent_texts_of_fields_and_holders_are_empty);
	suite_add_tcase(suite, other_times);
	tcase_add_checked_fixture(limits, NULL, free_scratch);
	tcase_add_test(limits, item_counts_have_limits);
	tcase_add_test(limits, batches_of_outcomes_fit_one_packet);
	tcase_add_test(limits, memory_is_not_taken_for_items_that_cannot_be_there);
	tcase_add_test(limits, scratch_is_kept_between_packets);
	tcase_add_test(limits, blobs_have_limits);
	tcase_add_test(limits, packets_have_a_limit);
	suite_add_tcase(suite, limits);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
