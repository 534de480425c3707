/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects from their creation to their deletion, who may see them, and what a request is. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct world world, *const w = &world;

/* Bytes left to charge. */
static uint64_t room(void)
{
	const struct core_totals t = world_totals(w);

	return w->config.capacity - t.charged_bytes - t.metadata_bytes - t.freeing_bytes -
	       t.pool_bytes;
}

/* Is this the object that the last reply is about? */
static bool last_is(unsigned int number)
{
	const struct id128 id = id_of(number);

	return id128_equal(&world_last(w)->items[0].id, &id);
}

/* ---- objects ---- */

START_TEST(put_answers_once_sealed_and_get_brings_the_bytes)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	w->hold[CORE_MAKE] = true;
	ck_assert_int_eq(put(w, a, 1, 100), PENDING);
	ck_assert(w->held[0].seal && w->held[0].data_size == 100);
	ck_assert_int_eq(get(w, b, 1, 0, 0), -ENOENT);
	world_carry_out(w, CORE_MAKE);
	w->hold[CORE_MAKE] = false;
	ck_assert_int_eq(world_last(w)->status, 0);

	ck_assert_int_eq(get(w, b, 1, 0, 0), 0); /* small: inline, no pin */
	ck_assert_uint_eq(world_last(w)->items[0].flags, WIRE_ITEM_INLINE);
	ck_assert_uint_eq(world_last(w)->items[0].data_size, 100);
	ck_assert_int_ge(world_last(w)->places[0].fd, 0);
	ck_assert_uint_eq(world_totals(w).pinned_bytes, 0);
	ck_assert_int_eq(get(w, b, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_uint_eq(world_last(w)->items[0].flags, WIRE_ITEM_FD);
	ck_assert_uint_eq(world_last(w)->n_fds, 1);
	ck_assert_uint_eq(world_totals(w).pinned_bytes, PAGE);
	ck_assert_int_eq(get(w, b, 1, 0, WIRE_GET_REF), 0);
	ck_assert_uint_eq(world_last(w)->items[0].flags, 0);
	ck_assert_int_eq(simple(w, b, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 4); /* and the putter's */
	ck_assert_uint_eq(world_last(w)->items[0].pins, 1);
	ck_assert_uint_eq(world_last(w)->n_holders, 2);
	ck_assert_uint_eq(world_last(w)->items[0].accesses, 3);
	ck_assert_int_eq(put(w, b, 1, 100), -EEXIST);
	world_end(w);
}
END_TEST

START_TEST(a_draft_is_its_creators_alone_until_it_is_sealed)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	ck_assert_int_eq(create(w, a, 1, 5000), 0);
	ck_assert_uint_eq(world_last(w)->n_fds, 1);
	ck_assert_uint_eq(world_last(w)->items[0].charged_bytes, 2 * PAGE);
	ck_assert_int_eq(simple(w, b, WIRE_STAT, 1), -ENOENT);
	ck_assert_int_eq(simple(w, b, WIRE_SEAL, 1), -ENOENT);
	ck_assert_int_eq(simple(w, b, WIRE_ABORT, 1), -ENOENT);
	ck_assert_int_eq(simple(w, b, WIRE_DELETE, 1), -ENOENT);
	ck_assert_int_eq(simple(w, a, WIRE_STAT, 1), 0);
	ck_assert_int_eq(create(w, b, 1, 1), -EEXIST);
	ck_assert_int_eq(get(w, b, 1, 5 * SECOND, 0), PENDING);
	w->seal_result = -EBUSY;
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), -EBUSY);
	w->seal_result = 0;
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), 0);
	ck_assert_int_eq(world_answer(w, b, last_serial(w) - 2)->status, 0);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), -EINVAL);
	ck_assert_int_eq(simple(w, a, WIRE_ABORT, 1), -ENOENT);
	ck_assert_uint_eq(counter(w, "objects.resident"), 1);
	world_end(w);
}
END_TEST

START_TEST(an_aborted_draft_was_never_there)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	create(w, a, 1, PAGE);
	ck_assert_int_eq(get(w, b, 1, FOREVER_NS, 0), PENDING);
	ck_assert_int_eq(simple(w, a, WIRE_ABORT, 1), 0);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), -ENOENT);
	ck_assert_uint_eq(room(), w->config.capacity);
	ck_assert_int_eq(put(w, a, 1, 10), 0);
	ck_assert_int_eq(world_answer(w, b, last_serial(w) - 3)->status, 0);
	/* The last reference of a draft aborts it, and so does deleting it. */
	create(w, a, 2, PAGE);
	release(w, a, 2, 1, 0);
	create(w, a, 3, PAGE);
	ck_assert_int_eq(simple(w, a, WIRE_DELETE, 3), 0);
	ck_assert_uint_eq(world_totals(w).created, 0);
	world_end(w);
}
END_TEST

/* SHARE or JOIN of this id with this token. */
static int share(uint32_t conn, uint16_t type, unsigned int id, unsigned int token)
{
	struct wire_item item = { .id = id_of(id) };

	return ask(w, conn, (struct wire_request){ .type = type, .items = &item, .n_items = 1,
		.token = id_of(token) }, -1);
}

static int seal_within(uint32_t conn, unsigned int id, int64_t timeout_ns)
{
	struct wire_item item = { .id = id_of(id) };

	return ask(w, conn, (struct wire_request){ .type = WIRE_SEAL, .items = &item, .n_items = 1,
		.timeout_ns = timeout_ns }, -1);
}

START_TEST(a_shared_draft_is_sealed_when_its_writers_have_ended)
{
	unsigned int n;
	uint32_t a, b, c;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	c = connect_as(w, 1001);
	ck_assert_int_eq(create(w, a, 1, 10 * PAGE), 0);
	ck_assert_int_eq(share(b, WIRE_SHARE, 1, 77), -ENOENT);
	ck_assert_int_eq(share(b, WIRE_JOIN, 1, 77), -ENOENT);
	ck_assert_int_eq(share(a, WIRE_SHARE, 1, 77), 0);
	ck_assert_int_eq(share(b, WIRE_JOIN, 1, 78), -ENOENT);
	ck_assert_int_eq(share(c, WIRE_JOIN, 1, 77), -ENOENT); /* mode 0600 */
	ck_assert_int_eq(share(b, WIRE_JOIN, 1, 77), 0);
	ck_assert_uint_eq(world_last(w)->n_fds, 1);
	ck_assert_int_eq(share(b, WIRE_JOIN, 1, 77), 0); /* it maps it twice */
	ck_assert_int_eq(seal_within(b, 1, FOREVER_NS), -ENOENT); /* it is the creator's */
	ck_assert_int_eq(seal_within(a, 1, 0), -EBUSY);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "mapped for writing by pid"));
	ck_assert_int_eq(seal_within(a, 1, SECOND), PENDING);
	ck_assert_int_eq(share(b, WIRE_JOIN, 1, 77), -EINVAL); /* too late */
	world_tick(w, 2 * SECOND);
	ck_assert_int_eq(world_last(w)->status, -EBUSY);
	ck_assert_int_eq(seal_within(a, 1, FOREVER_NS), PENDING);
	n = w->n_answers;
	release(w, b, 1, 1, 1);
	ck_assert_uint_eq(w->n_answers, n);
	core_disconnect(w->core, w->now, b); /* its other mapping dies with it */
	world_settle(w);
	ck_assert_int_eq(world_last(w)->type, WIRE_SEAL);
	ck_assert_int_eq(world_last(w)->status, 0);
	ck_assert_int_eq(share(a, WIRE_SHARE, 1, 79), -EINVAL); /* sealed already */
	world_end(w);
}
END_TEST

START_TEST(a_shared_draft_that_is_aborted_goes_with_its_last_writer)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	ck_assert_int_eq(create(w, a, 1, 10 * PAGE), 0);
	ck_assert_int_eq(share(a, WIRE_SHARE, 1, 77), 0);
	ck_assert_int_eq(share(b, WIRE_JOIN, 1, 77), 0);
	ck_assert_int_eq(seal_within(a, 1, FOREVER_NS), PENDING);
	world_crash(w); /* b's mapping is counted, a's draft is there */
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	ck_assert_uint_eq(world_totals(w).created, 0);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 10 * PAGE);
	ck_assert_uint_eq(world_totals(w).pinned_bytes, 10 * PAGE);
	world_crash(w);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 10 * PAGE);
	core_disconnect(w->core, w->now, b);
	world_settle(w);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 0);
	world_end(w);
}
END_TEST

START_TEST(an_abort_during_a_seal_closes_the_memfd_after_it)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	create(w, a, 1, PAGE);
	w->hold[CORE_SEAL] = true;
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), PENDING);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), -EINVAL);
	ck_assert_int_eq(simple(w, a, WIRE_ABORT, 1), 0);
	ck_assert_uint_eq(w->n_closes, 0);
	ck_assert_uint_eq(world_totals(w).freeing_bytes, PAGE);
	world_carry_out(w, CORE_SEAL);
	ck_assert_uint_eq(w->n_closes, 1);
	ck_assert_int_eq(world_last(w)->status, -ENOENT);
	create(w, a, 2, PAGE); /* the same when the client dies meanwhile */
	simple(w, a, WIRE_SEAL, 2);
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	world_carry_out(w, CORE_SEAL);
	ck_assert_uint_eq(w->n_closes, 2);
	ck_assert_uint_eq(room(), w->config.capacity);
	world_end(w);
}
END_TEST

START_TEST(metadata_is_kept_and_charged)
{
	const struct wire_item item = {
		.id = id_of(1), .metadata = "type: float64", .metadata_size = 100,
		.size = 0, .data = "",
	};
	char text[200] = "type: float64";
	struct wire_item copy = item;
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	copy.metadata = text;
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &copy,
		.n_items = 1 }, -1), 0);
	memset(text, 'x', sizeof text);
	ck_assert_uint_eq(world_totals(w).metadata_bytes, 128);
	ck_assert_uint_eq(world_totals(w).charged_bytes, PAGE); /* of zero bytes */
	ck_assert_int_eq(get(w, a, 1, 0, WIRE_GET_REF), 0);
	ck_assert_str_eq(world_last(w)->metadata, "type: float64");
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_uint_eq(world_totals(w).metadata_bytes, 0);
	copy.metadata_size = WIRE_METADATA_MAX + 1;
	copy.id = id_of(2);
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &copy,
		.n_items = 1 }, -1), -EMSGSIZE);
	world_end(w);
}
END_TEST

START_TEST(items_of_a_put_stand_alone)
{
	struct wire_item items[4];
	static char data[100];
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 2, 1);
	for (unsigned int i = 0; i < 4; i++)
		items[i] = (struct wire_item){ .id = id_of(i), .size = 100, .data = data,
			.data_size = 100 };
	items[0].id = (struct id128){ { 0 } };
	items[3].id = id_of(1); /* twice */
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = items,
		.n_items = 4 }, -1), -EINVAL);
	ck_assert_int_eq(world_last(w)->items[0].status, -EINVAL);
	ck_assert_int_eq(world_last(w)->items[1].status, 0);
	ck_assert_int_eq(world_last(w)->items[2].status, -EEXIST);
	ck_assert_int_eq(world_last(w)->items[3].status, -EEXIST);
	ck_assert(exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(a_request_in_several_packets_is_answered_once)
{
	struct wire_item items[3];
	struct wire_request request = { .type = WIRE_PUT, .items = items, .n_items = 3,
		.serial = 1000, .more = true };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 0; i < 3; i++)
		items[i] = (struct wire_item){ .id = id_of(i + 1) , .data = "" };
	ck_assert_int_eq(ask(w, a, request, -1), PENDING);
	ck_assert_int_eq(get(w, a, 2, 0, 0), 0); /* other requests come between */
	for (unsigned int i = 0; i < 3; i++)
		items[i].id = id_of(i + 4);
	request.more = false;
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 6);

	request = (struct wire_request){ .type = WIRE_GET, .items = items, .n_items = 3,
		.serial = 1001, .more = true, .flags = WIRE_GET_REF };
	ck_assert_int_eq(ask(w, a, request, -1), PENDING);
	for (unsigned int i = 0; i < 3; i++)
		items[i].id = id_of(i + 1);
	request.more = false;
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 6);
	ck_assert(last_is(4));
	world_end(w);
}
END_TEST

START_TEST(an_offered_memfd_is_believed_only_as_the_edge_says)
{
	struct wire_item item = { .id = id_of(1), .size = 5 * PAGE };
	const struct wire_request request = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1 };
	uint32_t a;
	int fd;

	world_start(w);
	a = connect_as(w, 1000);
	for (int round = 0; round < 3; round++) {
		fd = w->next_fd++;
		w->fd_open[fd] = true;
		w->adopt_result = round == 0 ? -EPERM : 0;
		w->adopt_size = round == 1 ? 4 * PAGE : UINT64_MAX;
		ck_assert_int_eq(ask(w, a, request, fd),
			round == 0 ? -EPERM : round == 1 ? -EINVAL : 0);
	}
	ck_assert_uint_eq(w->n_strangers, 2);
	ck_assert_int_eq(get(w, a, 1, 0, 0), 0);
	ck_assert_int_eq(world_last(w)->fds[0], fd);
	fd = w->next_fd++;
	w->fd_open[fd] = true;
	ck_assert_int_eq(ask(w, a, request, fd), -EEXIST);
	ck_assert_uint_eq(w->n_strangers, 3);
	simple(w, a, WIRE_DELETE, 1);
	release(w, a, 1, 2, 1);
	ck_assert_uint_eq(w->n_closes, 1);
	world_end(w);
}
END_TEST

START_TEST(a_make_that_fails_gives_everything_back)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	w->make_result = -ENOMEM;
	ck_assert_int_eq(create(w, a, 1, PAGE), -ENOMEM);
	ck_assert_uint_eq(room(), w->config.capacity);
	ck_assert_uint_eq(world_totals(w).fds, 3);
	w->make_result = 0;
	ck_assert_int_eq(create(w, a, 1, PAGE), 0);
	world_end(w);
}
END_TEST

START_TEST(addresses_are_the_objects_own_while_it_lives)
{
	uint64_t first, second;
	uint32_t a;

	w->config.capacity = UINT64_C(1) << 40;
	world_start(w);
	a = connect_as(w, 1000);
	create(w, a, 1, PAGE);
	first = world_last(w)->items[0].address;
	ck_assert_uint_eq(first, UINT64_C(0x200000000000));
	create(w, a, 2, (2 << 20) + 1); /* class 1: 4 MiB slots, 4 TiB further on */
	ck_assert_uint_eq(world_last(w)->items[0].address, first + (UINT64_C(1) << 42));
	create(w, a, 3, 2 << 20);
	second = world_last(w)->items[0].address;
	ck_assert_uint_eq(second, first + (2 << 20));
	simple(w, a, WIRE_SEAL, 3);
	get(w, a, 3, 0, 0);
	ck_assert_uint_eq(world_last(w)->items[0].address, second);
	simple(w, a, WIRE_ABORT, 1);
	create(w, a, 4, PAGE); /* a place just left stays empty as long as there is another */
	ck_assert_uint_eq(world_last(w)->items[0].address, second + (2 << 20));
	world_end(w);
}
END_TEST

/* ---- deletion and rights ---- */

START_TEST(deleted_memory_goes_with_the_last_pin)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	get(w, b, 1, 0, WIRE_GET_MAP);
	ck_assert_int_eq(simple(w, a, WIRE_DELETE, 1), 0);
	ck_assert_int_eq(simple(w, a, WIRE_DELETE, 1), -ENOENT);
	ck_assert_uint_eq(w->n_closes, 0);
	ck_assert_int_eq(simple(w, b, WIRE_STAT, 1), 0); /* who holds it can look at it */
	ck_assert_uint_eq(world_last(w)->items[0].flags, WIRE_ITEM_DELETED);
	ck_assert_int_eq(put(w, b, 1, 20), 0);            /* the id is free */
	release(w, b, 1, 1, 1);                           /* of the deleted one first */
	ck_assert_uint_eq(w->n_closes, 1);
	ck_assert_int_eq(get(w, a, 1, 0, 0), 0);
	ck_assert_uint_eq(world_last(w)->items[0].size, 20);
	release(w, a, 1, 2, 0);
	release(w, b, 1, 1, 0);
	ck_assert_uint_eq(counter(w, "counter.bad_releases"), 0);
	world_end(w);
}
END_TEST

START_TEST(rights_are_those_of_a_file)
{
	static const struct {
		uint32_t mode;
		uid_t uid;
		int read, delete;
	} cases[] = {
		{ 0600, 1000, 0, 0 },       { 0000, 1000, 0, 0 },
		{ 0600, 0, 0, 0 },          { 0600, 1001, -ENOENT, -ENOENT },
		{ 0604, 1001, 0, -EACCES }, { 0606, 1001, 0, 0 },
		{ 0602, 1001, -ENOENT, -ENOENT },
		{ 0640, 1001, -ENOENT, -ENOENT },
		{ 0640, 2000, 0, -EACCES }, /* in group 1000, see below */
		{ 0660, 2000, 0, 0 },       { 0606, 2000, -ENOENT, -ENOENT },
	};
	const gid_t groups[] = { 5, 1000 };

	world_start(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t owner = connect_as(w, 1000);
		const struct core_peer peer = { .pid = 1, .uid = cases[i].uid, .gid = 77,
			.groups = groups, .n_groups = cases[i].uid == 2000 ? 2 : 0,
			.call_fd = -1, .service_fd = -1, .pid_fd = -1 };
		const struct wire_request hello = { .type = WIRE_HELLO, .serial = 1 };
		uint32_t other;

		ck_assert_int_eq(core_connect(w->core, w->now, &peer, &hello, &other), 0);
		world_settle(w);
		ck_assert_int_eq(put_mode(w, owner, 1, 10, cases[i].mode ? cases[i].mode : 01000), 0);
		ck_assert_int_eq(get(w, other, 1, 0, 0), cases[i].read);
		ck_assert_int_eq(simple(w, other, WIRE_STAT, 1), cases[i].read);
		ck_assert_int_eq(lease(w, other, WIRE_LEASE, 1, 100 + i), cases[i].read);
		ck_assert_int_eq(hold(w, other, "name", 1), cases[i].read);
		ask(w, other, (struct wire_request){ .type = WIRE_LIST }, -1);
		ck_assert_uint_eq(world_last(w)->n_items, cases[i].read == 0);
		ck_assert_int_eq(simple(w, other, WIRE_DELETE, 1), cases[i].delete);
		if (cases[i].delete)
			ck_assert_int_eq(simple(w, owner, WIRE_DELETE, 1), 0);
		/* What was not readable is not known to be gone either. */
		ck_assert_int_eq(get(w, other, 1, 1, 0), cases[i].read ? PENDING : -ENOENT);
		world_tick(w, 1);
		core_disconnect(w->core, w->now, owner);
		core_disconnect(w->core, w->now, other);
		world_settle(w);
	}
	world_end(w);
}
END_TEST

/* ---- looking ---- */

START_TEST(list_pages_are_stable_under_changes)
{
	uint64_t cursor = 0;
	unsigned int seen = 0, last = 0;
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 50; i++)
		put(w, a, i, 1);
	do {
		const struct answer *answer;

		ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_LIST, .limit = 7,
			.cursor = cursor }, -1), 0);
		answer = world_last(w);
		cursor = answer->cursor;
		for (uint32_t i = 0; i < answer->n_items; i++) {
			unsigned int number;

			memcpy(&number, answer->items[i].id.bytes, sizeof number);
			ck_assert_uint_gt(number, last); /* by creation, none twice */
			last = number;
			seen++;
		}
		if (cursor)
			simple(w, a, WIRE_DELETE, last); /* the one the cursor stands on */
	} while (cursor);
	ck_assert_uint_eq(seen, 50);
	world_end(w);
}
END_TEST

START_TEST(broken_protocol_ends_the_connection)
{
	static const struct wire_item items[2] = { { .size = 1 }, { .size = 2 } };
	static const struct {
		struct wire_request request;
		bool fd;
	} cases[] = {
		{ { .type = WIRE_HELLO }, false },
		{ { .type = WIRE_CONFIG }, false },
		{ { .type = 99 }, false },
		{ { .type = WIRE_CREATE, .items = items, .n_items = 2 }, false },
		{ { .type = WIRE_CREATE, .items = items, .n_items = 1 }, true },
		{ { .type = WIRE_PUT_FD, .items = items, .n_items = 1 }, false },
		{ { .type = WIRE_FORK }, false },
		{ { .type = WIRE_STATUS, .more = true }, false },
	};

	world_start(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t a = connect_as(w, 1000);
		const unsigned int strangers = w->n_strangers, answers = w->n_answers;

		if (cases[i].fd)
			w->fd_open[w->next_fd] = true;
		ask(w, a, cases[i].request, cases[i].fd ? w->next_fd++ : -1);
		ck_assert_uint_eq(w->n_disconnects, i + 1);
		ck_assert_uint_eq(w->n_strangers, strangers + cases[i].fd);
		put(w, a, 1, 1); /* nothing more is said to it */
		ck_assert_uint_eq(w->n_answers, answers);
		core_disconnect(w->core, w->now, a);
		world_settle(w);
	}
	world_end(w);
}
END_TEST

static void fresh_world(void)
{
	memset(w, 0, sizeof *w);
}

int main(void)
{
	const TTest *const tests[] = {
		put_answers_once_sealed_and_get_brings_the_bytes,
		a_draft_is_its_creators_alone_until_it_is_sealed,
		an_aborted_draft_was_never_there,
		a_shared_draft_is_sealed_when_its_writers_have_ended,
		a_shared_draft_that_is_aborted_goes_with_its_last_writer,
		an_abort_during_a_seal_closes_the_memfd_after_it,
		metadata_is_kept_and_charged,
		items_of_a_put_stand_alone,
		a_request_in_several_packets_is_answered_once,
		an_offered_memfd_is_believed_only_as_the_edge_says,
		a_make_that_fails_gives_everything_back,
		addresses_are_the_objects_own_while_it_lives,
		deleted_memory_goes_with_the_last_pin,
		rights_are_those_of_a_file,
		list_pages_are_stable_under_changes,
		broken_protocol_ends_the_connection,
	};

	return world_suite("core", tests, ARRAY_SIZE(tests), fresh_world);
}
