/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's rules (core/core.h), one behaviour a test.  Crashes are in check-core-crash.c. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- get and wait ---- */

START_TEST(get_waits_until_its_deadline)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	ck_assert_int_eq(get(w, a, 1, 0, 0), -ENOENT);
	ck_assert_int_eq(get(w, a, 1, 2 * SECOND, 0), PENDING);
	ck_assert_int_eq(core_deadline(w->core), w->now + 2 * SECOND);
	world_tick(w, SECOND);
	ck_assert_uint_eq(world_totals(w).waiting, 1);
	world_tick(w, SECOND);
	ck_assert_uint_eq(world_totals(w).waiting, 0);
	ck_assert_int_eq(world_last(w)->status, -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "01000000000000000000000000000001"));
	ck_assert_int_eq(core_deadline(w->core), INT64_MAX);
	world_end(w);
}
END_TEST

START_TEST(get_of_many_is_all_or_nothing)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	ck_assert_int_eq(get_two(w, b, 1, 2, 0), -ENOENT);
	ck_assert_int_eq(get_two(w, b, 1, 2, SECOND), PENDING);
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, -ETIMEDOUT);
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1);
	ck_assert_int_eq(get_two(w, b, 2, 1, SECOND), PENDING);
	put(w, a, 2, 10);
	ck_assert_int_eq(world_answer(w, b, last_serial(w) - 1)->status, 0);
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 2);
	ck_assert_int_eq(get_two(w, b, 1, 1, 0), 0); /* one id twice: two references */
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 4);
	world_end(w);
}
END_TEST

START_TEST(what_is_gone_is_answered_at_once)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	ck_assert_int_eq(get_two(w, b, 1, 2, FOREVER_NS), PENDING);
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_int_eq(world_answer(w, b, last_serial(w) - 1)->status, -ENOENT);
	ck_assert_int_eq(get(w, b, 1, FOREVER_NS, 0), -ENOENT);
	ck_assert_int_eq(get_two(w, b, 2, 1, FOREVER_NS), -ENOENT);
	put(w, a, 1, 10); /* back again */
	ck_assert_int_eq(get(w, b, 1, 0, 0), 0);
	world_end(w);
}
END_TEST

START_TEST(what_is_gone_of_others_was_never_there)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put(w, a, 1, 10);
	put_mode(w, a, 2, 10, 0644);
	simple(w, a, WIRE_DELETE, 1);
	simple(w, a, WIRE_DELETE, 2);
	ck_assert_int_eq(get(w, a, 1, 0, 0), -ENOENT);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "is gone"));
	ck_assert_int_eq(get(w, b, 2, 0, 0), -ENOENT);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "is gone"));
	ck_assert_int_eq(get(w, b, 1, 0, 0), -ENOENT);
	ck_assert_ptr_null(strstr(world_last(w)->text, "gone"));
	simple(w, b, WIRE_STAT, 1);
	ck_assert_ptr_null(strstr(world_last(w)->text, "gone"));
	simple(w, b, WIRE_DELETE, 1);
	ck_assert_ptr_null(strstr(world_last(w)->text, "gone"));
	world_end(w);
}
END_TEST

START_TEST(getters_of_an_id_are_served_in_order)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	get(w, b, 1, FOREVER_NS, 0);
	get(w, a, 1, FOREVER_NS, 0);
	get(w, b, 1, FOREVER_NS, 0);
	w->n_answers = 0;
	put(w, a, 1, 10);
	ck_assert_uint_eq(w->n_answers, 4);
	ck_assert(w->answers[0].conn == b && w->answers[1].conn == a && w->answers[2].conn == b);
	ck_assert_uint_lt(w->answers[0].serial, w->answers[2].serial);
	world_end(w);
}
END_TEST

START_TEST(wait_ends_when_enough_are_ready_or_cannot_be)
{
	const struct wire_item items[] = { { .id = id_of(1) }, { .id = id_of(2) }, { .id = id_of(3) } };
	struct wire_request request = { .type = WIRE_WAIT, .items = items, .n_items = 3, .limit = 2,
		.timeout_ns = SECOND };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	ck_assert_int_eq(ask(w, a, request, -1), PENDING);
	put(w, a, 3, 10);
	simple(w, a, WIRE_DELETE, 3);
	ck_assert_int_eq(world_answer(w, a, last_serial(w) - 2)->status, 0);
	ck_assert_int_eq(world_answer(w, a, last_serial(w) - 2)->items[1].status, -EAGAIN);
	ck_assert_int_eq(world_answer(w, a, last_serial(w) - 2)->items[2].status, 0);
	request.limit = 3; /* the third is gone */
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	ck_assert_int_eq(world_last(w)->items[2].status, -ENOENT);
	request.n_items = 2;
	ck_assert_int_eq(ask(w, a, request, -1), PENDING);
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, 0);
	ck_assert_int_eq(world_last(w)->items[0].status, 0);
	ck_assert_int_eq(world_last(w)->items[1].status, -EAGAIN);
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1); /* WAIT takes none */
	world_end(w);
}
END_TEST

START_TEST(a_request_can_be_given_up)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	get(w, a, 1, FOREVER_NS, 0);
	ask(w, a, (struct wire_request){ .type = WIRE_CANCEL, .cursor = last_serial(w) }, -1);
	ck_assert_int_eq(world_last(w)->status, -ECANCELED);
	create(w, a, 2, w->config.capacity);
	create(w, a, 3, PAGE);
	ask(w, a, (struct wire_request){ .type = WIRE_CANCEL, .cursor = last_serial(w) }, -1);
	ck_assert_int_eq(world_last(w)->status, -ECANCELED);
	ck_assert_uint_eq(world_totals(w).queued, 0);
	ask(w, a, (struct wire_request){ .type = WIRE_CANCEL, .cursor = 12345 }, -1);
	world_end(w);
}
END_TEST

/* ---- references ---- */

START_TEST(releasing_more_than_is_held_is_counted_and_harmless)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	get(w, b, 1, 0, WIRE_GET_MAP);
	release(w, b, 1, 5, 0);
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1);
	ck_assert_uint_eq(world_last(w)->items[0].pins, 1);
	release(w, b, 1, 0, 1);
	release(w, b, 1, 1, 1);
	release(w, b, 99, 1, 0);
	ck_assert_uint_eq(counter(w, "counter.bad_releases"), 3);
	ck_assert_uint_eq(world_totals(w).pinned_bytes, 0);
	world_end(w);
}
END_TEST

START_TEST(a_dead_client_leaves_nothing_but_names_and_leases)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	put(w, a, 2, 10);
	put(w, a, 3, 10);
	create(w, a, 4, PAGE);
	get(w, a, 1, 0, WIRE_GET_MAP);
	hold(w, a, "kept", 2);
	lease(w, a, WIRE_LEASE, 3, 77);
	get(w, a, 50, FOREVER_NS, 0);
	create(w, a, 5, w->config.capacity); /* waits */
	w->hold[CORE_MAKE] = true;
	create(w, a, 6, PAGE);
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	world_carry_out(w, CORE_MAKE);
	w->hold[CORE_MAKE] = false;
	ck_assert_uint_eq(world_totals(w).created, 0);
	ck_assert_uint_eq(world_totals(w).waiting, 0);
	ck_assert_uint_eq(world_totals(w).queued, 0);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 3 * PAGE);
	ck_assert_int_eq(create(w, b, 7, w->config.capacity - 2 * PAGE), 0); /* only 1 may go */
	ck_assert_int_eq(get(w, b, 1, 0, 0), -ENOENT);
	ck_assert_int_eq(get(w, b, 2, 0, 0), 0);
	ck_assert_int_eq(get(w, b, 3, 0, 0), 0);
	world_end(w);
}
END_TEST

START_TEST(names_are_per_uid_and_move)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put_mode(w, a, 1, 10, 0644);
	put(w, a, 2, 10);
	ck_assert_int_eq(hold(w, a, "x", 1), 0);
	ck_assert_int_eq(named(w, b, WIRE_LOOKUP, "x"), -ENOENT);
	ck_assert_int_eq(hold(w, b, "x", 2), -ENOENT); /* not readable */
	ck_assert_int_eq(hold(w, b, "x", 1), 0);
	ck_assert_int_eq(hold(w, a, "x", 2), 0);
	ck_assert_int_eq(named(w, a, WIRE_LOOKUP, "x"), 0);
	ck_assert(last_is(2));
	ck_assert_int_eq(named(w, b, WIRE_LOOKUP, "x"), 0);
	ck_assert(last_is(1));
	ck_assert_int_eq(named(w, a, WIRE_UNHOLD, "x"), 0);
	ck_assert_int_eq(named(w, a, WIRE_UNHOLD, "x"), -ENOENT);
	ck_assert_int_eq(hold(w, a, "", 1), -EINVAL);
	simple(w, b, WIRE_STAT, 1);
	ck_assert_str_eq(world_last(w)->names[0], "x");
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_int_eq(named(w, b, WIRE_LOOKUP, "x"), -ENOENT);
	ck_assert_uint_eq(world_totals(w).names, 0);
	world_end(w);
}
END_TEST

START_TEST(a_name_given_at_create_binds_when_sealed)
{
	const struct wire_item item = { .id = id_of(2), .size = 10, .name = "latest" };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	hold(w, a, "latest", 1);
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_CREATE, .items = &item,
		.n_items = 1 }, -1), 0);
	named(w, a, WIRE_LOOKUP, "latest");
	ck_assert(last_is(1));
	simple(w, a, WIRE_SEAL, 2);
	named(w, a, WIRE_LOOKUP, "latest");
	ck_assert(last_is(2));
	ck_assert_uint_eq(world_totals(w).names, 1);
	world_end(w);
}
END_TEST

START_TEST(an_object_held_without_a_name_stays_until_it_is_deleted)
{
	const struct wire_item item = { .id = id_of(1), .data = "", .flags = WIRE_ITEM_HOLD };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &item, .n_items = 1 }, -1);
	release(w, a, 1, 1, 0);
	ck_assert_int_eq(create_until(w, a, 2, w->config.capacity, 1), PENDING);
	ck_assert(exists(w, 1));
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_uint_eq(world_totals(w).queued, 0);
	world_end(w);
}
END_TEST

START_TEST(a_lease_ends_a_while_after_its_last_load)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	ck_assert_int_eq(lease(w, a, WIRE_LEASE, 1, 7), 0);
	ck_assert_int_eq(lease(w, a, WIRE_LEASE, 1, 7), 0); /* the same one */
	ck_assert_uint_eq(world_totals(w).leases, 1);
	core_disconnect(w->core, w->now, a);
	world_tick(w, 599 * SECOND);
	ck_assert_int_eq(lease(w, b, WIRE_LOAD, 1, 7), 0);
	release(w, b, 1, 1, 0);
	world_tick(w, 599 * SECOND); /* the load began the time anew */
	ck_assert_uint_eq(world_totals(w).leases, 1);
	ck_assert_int_eq(create_until(w, b, 2, w->config.capacity, FOREVER_NS), PENDING);
	world_tick(w, SECOND);
	ck_assert_uint_eq(world_totals(w).leases, 0);
	ck_assert_uint_eq(world_totals(w).queued, 0); /* the create has the room now */
	ck_assert_int_eq(lease(w, b, WIRE_LOAD, 1, 7), -ENOENT);
	world_end(w);
}
END_TEST

START_TEST(a_forked_child_holds_what_its_parent_held)
{
	const struct wire_request fork = { .type = WIRE_FORK };
	const char comm[16] = "child";
	uint32_t a, child;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	get(w, a, 1, 0, WIRE_GET_MAP);
	create(w, a, 2, PAGE);
	w->fd_open[w->next_fd] = true;
	core_request(w->core, w->now, a, &fork, w->next_fd++, &child);
	ck_assert_uint_ne(child, CORE_NO_CONN);
	world_settle(w);
	core_identify(w->core, w->now, child, 4242, -1, -1, comm);
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	ck_assert_uint_eq(world_totals(w).created, 0); /* drafts stay the parent's */
	ck_assert_int_eq(simple(w, child, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 2);
	ck_assert_uint_eq(world_last(w)->items[0].pins, 1);
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

/* ---- memory ---- */

START_TEST(the_longest_unreferenced_goes_first_and_only_if_it_helps)
{
	uint32_t a;

	w->config.capacity = 8 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 8; i++)
		put(w, a, i, 10);
	for (unsigned int i = 1; i <= 4; i++)
		release(w, a, i, 1, 0);
	get(w, a, 1, 0, 0); /* used again: now the latest */
	release(w, a, 1, 1, 0);
	ck_assert_int_eq(create_until(w, a, 20, 5 * PAGE, SECOND), PENDING);
	ck_assert_uint_eq(world_totals(w).resident, 8); /* it would not have fitted anyway */
	ck_assert_int_eq(create(w, a, 21, 2 * PAGE), PENDING); /* no room that is free */
	world_tick(w, SECOND);
	ck_assert_int_eq(world_answer(w, a, last_serial(w) - 1)->status, -ENOBUFS);
	ck_assert_int_eq(world_answer(w, a, last_serial(w))->status, 0);
	ck_assert(exists(w, 1) && !exists(w, 2) && !exists(w, 3) && exists(w, 4));
	ck_assert_uint_eq(counter(w, "counter.dropped"), 2);
	ck_assert_int_eq(get(w, a, 2, FOREVER_NS, 0), -ENOENT);
	world_end(w);
}
END_TEST

START_TEST(memory_is_free_only_when_it_is_closed)
{
	uint32_t a;

	w->config.capacity = 4 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 4 * PAGE);
	w->hold[CORE_CLOSE] = true;
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_uint_eq(world_totals(w).freeing_bytes, 4 * PAGE);
	ck_assert_int_eq(create(w, a, 2, PAGE), PENDING);
	world_carry_out(w, CORE_CLOSE);
	ck_assert_int_eq(world_last(w)->status, 0);
	world_end(w);
}
END_TEST

START_TEST(much_is_evicted_in_steps)
{
	uint32_t a;

	w->config.capacity = 3000 * PAGE;
	w->config.max_objects = 4000;
	w->config.max_fds = 4000;
	w->unchecked = true;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 3000; i++) {
		put(w, a, i, 1);
		release(w, a, i, 1, 0);
	}
	w->hold[CORE_CLOSE] = true;
	ck_assert_int_eq(create(w, a, 5000, 3000 * PAGE), PENDING);
	ck_assert_uint_eq(w->n_held, 1024);
	w->hold[CORE_CLOSE] = false;
	world_carry_out(w, CORE_CLOSE);
	ck_assert_int_eq(world_last(w)->status, 0);
	ck_assert_uint_eq(world_totals(w).resident, 0);
	world_end(w);
}
END_TEST

START_TEST(what_can_never_fit_is_refused_at_once)
{
	static const char metadata[PAGE + 1];
	const struct wire_item tagged = { .id = id_of(1), .size = 3 * PAGE, .metadata = metadata,
		.metadata_size = sizeof metadata };
	uint32_t a;

	w->config.quotas = (const struct core_quota[]){ { 1001, 4 * PAGE }, { (uid_t)-1, 32 * PAGE } };
	w->config.n_quotas = 2;
	world_start(w);
	a = connect_as(w, 1001);
	ck_assert_int_eq(create(w, a, 1, UINT64_MAX), -EFBIG);
	ck_assert_int_eq(create(w, a, 1, w->config.capacity + 1), -EFBIG);
	ck_assert_int_eq(create(w, a, 1, 5 * PAGE), -EDQUOT);
	/* The bytes alone would fit. */
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_CREATE, .items = &tagged,
		.n_items = 1 }, -1), -EDQUOT);
	ck_assert_msg(strstr(world_last(w)->text, "12 KiB, in whole pages 12 KiB, and "), "%s",
		world_last(w)->text);
	ck_assert_int_eq(create(w, a, 1, 4 * PAGE), 0);
	a = connect_as(w, 1002);
	ck_assert_int_eq(create(w, a, 2, 33 * PAGE), -EDQUOT);
	ck_assert_int_eq(create(w, a, 2, 32 * PAGE), 0);
	world_end(w);
}
END_TEST

START_TEST(a_quota_is_met_at_the_cost_of_the_uids_own_objects)
{
	uint32_t a, b;

	w->config.quotas = (const struct core_quota[]){ { 1001, 4 * PAGE } };
	w->config.n_quotas = 1;
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	put(w, b, 1, 10);
	release(w, b, 1, 1, 0);
	put(w, a, 2, 10);
	put(w, a, 3, 3 * PAGE);
	ck_assert_int_eq(create_until(w, a, 4, PAGE, SECOND), PENDING); /* everything is in use */
	ck_assert_int_eq(create(w, b, 5, PAGE), 0);                     /* and holds up nobody */
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "quota"));
	release(w, a, 2, 1, 0);
	ck_assert_int_eq(create(w, a, 4, PAGE), 0);
	ck_assert(exists(w, 1) && !exists(w, 2));
	world_end(w);
}
END_TEST

START_TEST(the_full_error_names_who_holds_most_and_what_to_do)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put(w, a, 1, 10);
	create(w, b, 2, 60 * PAGE);
	ck_assert_int_eq(create(w, a, 3, 10 * PAGE), PENDING);
	world_tick(w, 10 * SECOND); /* the broker's queue deadline */
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "03000000000000000000000000000001"));
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "largest holders: uid 1001 pid"));
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "(tester) 240"));
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "uid 1000"));
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "raise capacity"));
	ck_assert_uint_eq(counter(w, "counter.full_errors"), 1);
	world_end(w);
}
END_TEST

START_TEST(the_full_error_tells_what_is_kept_without_a_client)
{
	const struct wire_item items[] = { { .id = id_of(1), .data = "", .flags = WIRE_ITEM_HOLD },
		{ .id = id_of(2), .data = "", .name = "model" } };
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &items[0], .n_items = 1 }, -1);
	ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &items[1], .n_items = 1 }, -1);
	release(w, a, 1, 1, 0);
	release(w, a, 2, 1, 0);
	ck_assert_int_eq(create_until(w, b, 3, w->config.capacity, 1), PENDING);
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "; held: 8 KiB in 2 objects kept by a name"));
	world_end(w);
}
END_TEST

START_TEST(descriptors_are_a_second_capacity)
{
	uint64_t serial;
	uint32_t a;
	unsigned int n;

	w->config.max_fds = 20;
	world_start(w);
	a = connect_as(w, 1000);
	for (n = 1; put(w, a, n, 10) == 0; n++)
		ck_assert_uint_lt(n, 20);
	/* 3 are this connection's, and a reserve is left for the next one. */
	ck_assert_uint_eq(n - 1, 20 - 3 - core_fd_reserve(w->core));
	serial = last_serial(w);
	connect_as(w, 1000); /* what it takes of the reserve has to be made good first */
	for (unsigned int i = 1; i <= 3; i++)
		release(w, a, i, 1, 0);
	ck_assert_uint_eq(world_totals(w).queued, 1);
	release(w, a, 4, 1, 0);
	ck_assert_int_eq(world_answer(w, a, serial)->status, 0);
	ck_assert(!exists(w, 3) && !exists(w, 4));
	world_end(w);
}
END_TEST

START_TEST(the_full_error_says_which_limit_to_raise)
{
	uint32_t a;

	w->config.max_fds = 20;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int n = 1; put(w, a, n, 10) == 0; n++)
		ck_assert_uint_lt(n, 20);
	world_tick(w, 10 * SECOND); /* the broker's queue deadline */
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "raise max_descriptors"));
	ck_assert_ptr_null(strstr(world_last(w)->text, "raise capacity"));
	world_end(w);
}
END_TEST

START_TEST(an_offered_memfd_counts_from_its_arrival)
{
	struct wire_item item = { .id = id_of(100), .size = 10 };
	const struct wire_request request = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1 };
	uint32_t a, reserve;

	w->config.max_fds = 20;
	world_start(w);
	a = connect_as(w, 1000);
	reserve = core_fd_reserve(w->core);
	for (unsigned int n = 1; n <= 20 - 3 - reserve; n++)
		put(w, a, n, 10);
	w->fd_open[w->next_fd] = true;
	ck_assert_int_eq(ask(w, a, request, w->next_fd++), -ENOBUFS); /* all are in use */
	ck_assert_uint_eq(w->n_strangers, 1);
	release(w, a, 1, 1, 0);
	w->hold[CORE_CLOSE] = true;
	w->fd_open[w->next_fd] = true;
	ck_assert_int_eq(ask(w, a, request, w->next_fd++), 0); /* before the other is closed */
	ck_assert_uint_eq(world_totals(w).fds, 20 - reserve + 1);
	world_end(w);
}
END_TEST

START_TEST(connections_are_limited_per_uid_and_by_descriptors)
{
	const struct core_peer peer = { .uid = 1000, .call_fd = -1, .service_fd = -1, .pid_fd = -1 };
	const struct core_peer other = { .uid = 1001, .call_fd = -1, .service_fd = -1, .pid_fd = -1 };
	const struct wire_request hello = { .type = WIRE_HELLO, .serial = 1 };
	uint32_t a, conn;

	w->config.max_fds = 10;
	w->config.max_connections_per_uid = 2;
	world_start(w);
	a = connect_as(w, 1000);
	connect_as(w, 1000);
	ck_assert_int_eq(core_connect(w->core, w->now, &peer, &hello, &conn), -EDQUOT);
	ck_assert_int_eq(core_connect(w->core, w->now, &other, &hello, &conn), 0);
	ck_assert_int_eq(core_connect(w->core, w->now, &other, &hello, &conn), -EMFILE);
	core_disconnect(w->core, w->now, a);
	ck_assert_int_eq(core_connect(w->core, w->now, &other, &hello, &conn), 0);
	world_settle(w);
	world_end(w);
}
END_TEST

/* ---- the queue ---- */

START_TEST(the_queue_is_fifo_within_a_uid_and_takes_turns_between_them)
{
	static const unsigned int order[] = { 11, 21, 31, 12, 22, 13 };
	uint32_t a, b, c, holder;

	w->config.capacity = 8 * PAGE;
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	c = connect_as(w, 1003);
	holder = connect_as(w, 0);
	create(w, holder, 1, 8 * PAGE);
	for (unsigned int i = 1; i <= 3; i++)
		create(w, a, 10 + i, 8 * PAGE);
	create(w, b, 21, 8 * PAGE);
	create(w, b, 22, 8 * PAGE);
	create(w, c, 31, 8 * PAGE);
	ck_assert_uint_eq(world_totals(w).queued, 6);
	ck_assert_uint_eq(counter(w, "queue_length"), 6);
	simple(w, holder, WIRE_ABORT, 1);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const uint32_t who = order[i] / 10 == 1 ? a : order[i] / 10 == 2 ? b : c;

		ck_assert_uint_eq(world_totals(w).queued, 5 - i);
		ck_assert(i > 0 || last_is(order[i]));
		ck_assert_int_eq(simple(w, who, WIRE_ABORT, order[i]), 0);
	}
	world_end(w);
}
END_TEST

START_TEST(a_waiting_create_is_passed_a_bounded_number_of_times)
{
	uint32_t a, b;
	unsigned int passed;

	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	create(w, a, 1, 60 * PAGE);
	ck_assert_int_eq(create(w, a, 2, 10 * PAGE), PENDING);
	for (passed = 0; passed < 200; passed++) {
		if (create(w, b, 100 + passed, PAGE) == PENDING)
			break;
		simple(w, b, WIRE_ABORT, 100 + passed);
	}
	ck_assert_uint_eq(passed, CORE_PASS_MAX);
	ck_assert_int_eq(create(w, a, 300, PAGE), PENDING); /* nor may its own uid */
	simple(w, a, WIRE_ABORT, 1);
	ck_assert_uint_eq(world_totals(w).queued, 0);
	world_end(w);
}
END_TEST

START_TEST(who_waits_for_a_quota_is_passed_without_end)
{
	uint32_t a, b;

	w->config.quotas = (const struct core_quota[]){ { 1001, 4 * PAGE } };
	w->config.n_quotas = 1;
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	create(w, b, 1, 55 * PAGE);
	create(w, a, 2, 4 * PAGE);
	ck_assert_int_eq(create(w, a, 3, 4 * PAGE), PENDING);
	ck_assert_int_eq(create(w, b, 4, 10 * PAGE), PENDING);
	for (unsigned int i = 0; i < CORE_PASS_MAX; i++) {
		ck_assert_int_eq(create(w, b, 100 + i, PAGE), 0);
		simple(w, b, WIRE_ABORT, 100 + i);
	}
	ck_assert_int_eq(create(w, b, 300, PAGE), PENDING); /* for 4, not for 3 */
	simple(w, b, WIRE_ABORT, 1);
	ck_assert_uint_eq(world_totals(w).queued, 1);
	for (unsigned int i = 0; i < 2 * CORE_PASS_MAX; i++) {
		ck_assert_int_eq(create(w, b, 400 + i, PAGE), 0);
		simple(w, b, WIRE_ABORT, 400 + i);
	}
	simple(w, a, WIRE_ABORT, 2);
	ck_assert_uint_eq(world_totals(w).queued, 0);
	world_end(w);
}
END_TEST

START_TEST(data_that_waits_is_copied_and_bounded)
{
	static char data[60000];
	struct wire_item item = { .size = sizeof data, .data = data, .data_size = sizeof data };
	uint32_t a;
	unsigned int n;
	int r;

	world_start(w);
	a = connect_as(w, 1000);
	create(w, a, 1, w->config.capacity);
	for (n = 0; n < 1000; n++) {
		item.id = id_of(100 + n);
		memset(data, 'a', sizeof data);
		r = ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &item, .n_items = 1,
			.timeout_ns = FOREVER_NS }, -1);
		memset(data, 'b', sizeof data); /* the packet's buffer is used again */
		if (r != PENDING)
			break;
	}
	ck_assert_int_eq(r, -EBUSY);
	ck_assert_uint_lt(n, CORE_PENDING_BYTES / sizeof data); /* their own cost counts too */
	ck_assert_uint_gt(n, CORE_PENDING_BYTES / (sizeof data + 4096));
	w->hold[CORE_MAKE] = true;
	simple(w, a, WIRE_ABORT, 1);
	ck_assert_uint_ge(w->n_held, 1);
	for (unsigned int i = 0; i < w->n_held; i++)
		ck_assert(w->held[i].data && *(const char *)w->held[i].data == 'a');
	world_end(w);
}
END_TEST

START_TEST(waiting_requests_of_a_connection_are_bounded)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	w->unchecked = true;
	for (unsigned int i = 0; i < CORE_PENDING_MAX; i++)
		ck_assert_int_eq(get(w, a, 1, FOREVER_NS, 0), PENDING);
	ck_assert_int_eq(get(w, a, 1, FOREVER_NS, 0), -EBUSY);
	ck_assert_int_eq(put(w, a, 2, 1), -EBUSY);
	ck_assert_int_eq(simple(w, a, WIRE_STAT, 2), -ENOENT); /* others go on */
	w->unchecked = false;
	world_end(w);
}
END_TEST

START_TEST(a_smaller_capacity_evicts_then_waits)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10 * PAGE);
	put(w, a, 2, 10 * PAGE);
	release(w, a, 1, 1, 0);
	ck_assert_int_eq(create(w, a, 3, 60 * PAGE), PENDING);
	w->config.capacity = 12 * PAGE;
	w->config.max_fds = 1000;
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, NULL), 0);
	w->unchecked = true;
	world_settle(w);
	w->unchecked = false;
	world_settle(w);
	ck_assert_int_eq(world_last(w)->status, -EFBIG);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "240 KiB and its metadata are more"));
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "capacity of 48 KiB"));
	ck_assert(!exists(w, 1) && exists(w, 2));
	world_end(w);
}
END_TEST

START_TEST(what_the_machine_lacks_is_waited_for)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10 * PAGE);
	put(w, a, 2, 10 * PAGE);
	release(w, a, 1, 1, 0);
	core_limit(w->core, w->now, 12 * PAGE);
	w->unchecked = true;
	world_settle(w);
	w->unchecked = false;
	world_settle(w);
	ck_assert(!exists(w, 1) && exists(w, 2));
	ck_assert_int_eq(create_until(w, a, 3, 20 * PAGE, 5 * SECOND), PENDING);
	ck_assert_int_eq(create_until(w, a, 4, 20 * PAGE, FOREVER_NS), PENDING);
	world_tick(w, 6 * SECOND);
	ck_assert_int_eq(world_answer(w, a, last_serial(w) - 1)->status, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_answer(w, a, last_serial(w) - 1)->text,
		"the machine is short of memory"));
	core_limit(w->core, w->now, UINT64_MAX);
	world_settle(w);
	ck_assert_int_eq(world_last(w)->status, 0);
	world_end(w);
}
END_TEST

START_TEST(a_smaller_quota_refuses_what_waits_and_keeps_what_is_there)
{
	struct core_quota quota = { 1000, 8 * PAGE };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10 * PAGE);
	ck_assert_int_eq(create(w, a, 2, 60 * PAGE), PENDING);
	w->config.quotas = &quota;
	w->config.n_quotas = 1;
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, NULL), 0);
	world_settle(w);
	ck_assert_int_eq(world_last(w)->status, -EDQUOT);
	ck_assert(exists(w, 1));
	ck_assert_int_eq(create(w, a, 3, 1), PENDING);
	release(w, a, 1, 1, 0);
	ck_assert_int_eq(world_last(w)->status, 0); /* its own object had to go for it */
	ck_assert(!exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(what_was_configured_is_noted_for_the_heir)
{
	struct core_setting setting = { "capacity", "40%", 1234, 5 };
	char key[CORE_KEY_MAX + 1];
	uint32_t cursor = 0;

	world_start(w);
	w->config.capacity = 40 * PAGE;
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, &setting), 0);
	setting = (struct core_setting){ "quota", "none", 0, 0 };
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, &setting), 0);
	setting = (struct core_setting){ "capacity", "30%", 2345, 6 };
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, &setting), 0);
	world_crash(w);
	ck_assert(core_next_setting(w->core, &cursor, &setting));
	ck_assert_str_eq(setting.key, "capacity");
	ck_assert_str_eq(setting.value, "30%");
	ck_assert_uint_eq(setting.base, 2345);
	ck_assert_uint_eq(setting.uid, 6);
	ck_assert(core_next_setting(w->core, &cursor, &setting));
	ck_assert_str_eq(setting.key, "quota");
	ck_assert(!core_next_setting(w->core, &cursor, &setting));

	/* No more than there is room for; and then nothing is changed. */
	setting.key = key;
	for (unsigned int i = 2; i < CORE_SETTINGS_MAX; i++) {
		snprintf(key, sizeof key, "key%u", i);
		ck_assert_int_eq(core_configure(w->core, w->now, &w->config, &setting), 0);
	}
	w->config.capacity = 2 * PAGE;
	setting.key = "one too many";
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, &setting), -ENOBUFS);
	w->config.capacity = 40 * PAGE;
	ck_assert_int_eq(put(w, connect_as(w, 1000), 1, 10 * PAGE), 0);
	world_end(w);
}
END_TEST

/* ---- the pool ---- */

START_TEST(the_pool_serves_big_creates_and_yields_to_need)
{
	const uint64_t mib = 1 << 20;
	uint32_t a;
	int fd;

	w->config.capacity = 1024 * mib;
	w->config.pool_max = 1024 * mib;
	world_start(w);
	ck_assert_uint_eq(w->n_fills, 0); /* nobody is there yet */
	a = connect_as(w, 1000);
	ck_assert_uint_ge(w->n_fills, 1);
	ck_assert_uint_gt(world_totals(w).pool_bytes, 64 * mib);
	ck_assert_uint_le(world_totals(w).pool_bytes, 1024 * mib / 10);
	world_settle(w);
	w->hold[CORE_POOL_FILL] = true;
	w->hold[CORE_MAKE] = true;
	create(w, a, 1, 60 * mib);
	ck_assert_uint_eq(w->held[0].type, CORE_MAKE);
	fd = w->held[0].fd;
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 102 * mib); /* until it is trimmed */
	world_carry_out(w, CORE_MAKE);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 60 * mib);
	w->hold[CORE_MAKE] = false;
	create(w, a, 2, PAGE); /* too small for the pool */
	ck_assert_int_ne(world_last(w)->fds[0], fd);
	simple(w, a, WIRE_ABORT, 1);
	simple(w, a, WIRE_ABORT, 2);
	w->hold[CORE_POOL_FILL] = false;
	world_carry_out(w, CORE_POOL_FILL);
	ck_assert_uint_gt(world_totals(w).pool_bytes, 0);
	ck_assert_int_eq(create(w, a, 3, 1024 * mib - PAGE), 0);
	ck_assert_uint_eq(world_totals(w).pool_bytes, 0);
	world_end(w);
}
END_TEST

/* What the first create of this size into a fresh store gets out of the pool. */
static int first_pool_fd(uint64_t size, bool huge_pages)
{
	uint32_t a;
	int fd;

	w->config.capacity = UINT64_C(4) << 30;
	w->config.pool_max = UINT64_C(1) << 30;
	w->config.huge_pages = huge_pages;
	world_start(w);
	a = connect_as(w, 1000);
	world_settle(w);
	w->hold[CORE_MAKE] = true;
	create(w, a, 1, size);
	fd = w->held[0].fd;
	world_carry_out(w, CORE_MAKE);
	w->hold[CORE_MAKE] = false;
	world_end(w);
	return fd;
}

START_TEST(the_first_pool_serves_big_creates_of_many_sizes)
{
	const uint64_t mib = 1 << 20;

	ck_assert_int_ge(first_pool_fd(256 * mib, false), 0);
	ck_assert_int_ge(first_pool_fd(256 * mib + 100, true), 0);
	ck_assert_int_ge(first_pool_fd(128 * mib, false), 0);
	ck_assert_int_ge(first_pool_fd(64 * mib, true), 0);
	/* to free so many small pages takes longer than to make those that are needed */
	ck_assert_int_eq(first_pool_fd(64 * mib, false), -1);
	ck_assert_int_eq(first_pool_fd(8 * mib, true), -1);
}
END_TEST

START_TEST(the_pool_takes_the_sizes_that_are_asked_for)
{
	const uint64_t mib = 1 << 20;
	uint32_t a;

	w->config.capacity = 4096 * mib;
	w->config.pool_max = 256 * mib;
	world_start(w);
	a = connect_as(w, 1000);
	for (int i = 0; i < 8; i++) { /* until it is full of smaller memfds */
		create(w, a, 1, 40 * mib);
		simple(w, a, WIRE_ABORT, 1);
	}
	world_settle(w);
	ck_assert_uint_eq(world_totals(w).pool_bytes, 6 * 40 * mib);
	for (int i = 0; i < 8; i++) {
		create(w, a, 1, 256 * mib);
		simple(w, a, WIRE_ABORT, 1);
	}
	for (int i = 0; i < 8; i++) /* a memfd is given back or filled at each event */
		put(w, a, 10 + i, 10);
	w->hold[CORE_MAKE] = true;
	create(w, a, 2, 256 * mib);
	ck_assert_int_ge(w->held[0].fd, 0);
	world_carry_out(w, CORE_MAKE);
	world_end(w);
}
END_TEST

START_TEST(an_idle_pool_is_given_back)
{
	w->config.capacity = UINT64_C(1) << 30;
	w->config.pool_max = UINT64_C(1) << 30;
	world_start(w);
	connect_as(w, 1000);
	ck_assert_uint_gt(world_totals(w).pool_bytes, 0);
	ck_assert_int_eq(core_deadline(w->core), w->now + 60 * SECOND);
	world_tick(w, 60 * SECOND);
	ck_assert_uint_eq(world_totals(w).pool_bytes, 0);
	ck_assert_int_eq(core_deadline(w->core), INT64_MAX);
	world_end(w);
}
END_TEST

START_TEST(a_failed_fill_is_not_repeated_at_once)
{
	uint32_t a;

	w->config.capacity = UINT64_C(1) << 30;
	w->config.pool_max = UINT64_C(1) << 30;
	w->fill_result = -ENOMEM;
	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	ck_assert_uint_eq(w->n_fills, 1);
	ck_assert_uint_eq(world_totals(w).pool_bytes, 0);
	ck_assert_uint_eq(world_totals(w).fds, 4);
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

/* ---- events ---- */

/* A reply's status, or PENDING. */
static int subscribe(uint32_t conn, uint64_t cursor, uint32_t limit, int64_t timeout)
{
	return ask(w, conn, (struct wire_request){ .type = WIRE_SUBSCRIBE, .cursor = cursor,
		.limit = limit, .timeout_ns = timeout }, -1);
}

static void check_event(const struct answer *answer, uint32_t i, uint64_t sequence,
	enum wire_event event, unsigned int number)
{
	const struct id128 id = id_of(number);

	ck_assert_uint_lt(i, answer->n_items);
	ck_assert_uint_eq(answer->items[i].sequence, sequence);
	ck_assert_uint_eq(answer->items[i].event, event);
	ck_assert(id128_equal(&answer->items[i].id, &id));
}

START_TEST(every_turn_of_an_objects_life_is_an_event)
{
	uint32_t a;

	w->config.capacity = 2 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	ck_assert_int_eq(subscribe(a, WIRE_EVENTS_KEPT, 0, 0), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 0);
	ck_assert_uint_eq(world_last(w)->cursor, 1);
	put(w, a, 1, 10);
	create(w, a, 2, 20);
	simple(w, a, WIRE_ABORT, 2);
	create(w, a, 3, 30);
	simple(w, a, WIRE_SEAL, 3);
	simple(w, a, WIRE_DELETE, 3);
	release(w, a, 1, 1, 0);
	create(w, a, 4, 2 * PAGE);
	ck_assert_int_eq(subscribe(a, WIRE_EVENTS_KEPT, 0, 0), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 9);
	check_event(world_last(w), 0, 1, WIRE_EVENT_CREATED, 1);
	check_event(world_last(w), 1, 2, WIRE_EVENT_SEALED, 1);
	check_event(world_last(w), 2, 3, WIRE_EVENT_CREATED, 2);
	check_event(world_last(w), 3, 4, WIRE_EVENT_ABORTED, 2);
	check_event(world_last(w), 4, 5, WIRE_EVENT_CREATED, 3);
	check_event(world_last(w), 5, 6, WIRE_EVENT_SEALED, 3);
	check_event(world_last(w), 6, 7, WIRE_EVENT_DELETED, 3);
	check_event(world_last(w), 7, 8, WIRE_EVENT_EVICTED, 1);
	check_event(world_last(w), 8, 9, WIRE_EVENT_CREATED, 4);
	ck_assert_uint_eq(world_last(w)->items[2].size, 20);
	ck_assert_uint_eq(world_last(w)->items[2].uid, 1000);
	ck_assert_int_gt(world_last(w)->items[2].time_ns, 0);
	ck_assert_uint_eq(world_last(w)->cursor, 10);
	ck_assert_uint_eq(world_last(w)->lost, 0);
	world_end(w);
}
END_TEST

START_TEST(events_are_read_from_a_number_on_and_in_portions)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 3; i++)
		put(w, a, i, 10);
	ck_assert_int_eq(subscribe(a, 2, 3, 0), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 3);
	check_event(world_last(w), 0, 2, WIRE_EVENT_SEALED, 1);
	ck_assert_uint_eq(world_last(w)->cursor, 5);
	ck_assert_int_eq(subscribe(a, 5, 3, SECOND), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 2);
	ck_assert_uint_eq(world_last(w)->cursor, 7);
	ck_assert_int_eq(subscribe(a, WIRE_EVENTS_NEW, 0, FOREVER_NS), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 0);
	ck_assert_uint_eq(world_last(w)->cursor, 7);
	ck_assert_int_eq(subscribe(a, 8, 0, FOREVER_NS), -EINVAL); /* there is no 7 yet */
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "7"));
	world_end(w);
}
END_TEST

START_TEST(a_subscriber_waits_for_the_next_event_or_its_deadline)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	ck_assert_int_eq(subscribe(b, 1, 0, SECOND), PENDING);
	put(w, a, 1, 10);
	ck_assert_int_eq(world_answer(w, b, last_serial(w) - 1)->status, 0);
	check_event(world_answer(w, b, last_serial(w) - 1), 1, 2, WIRE_EVENT_SEALED, 1);
	ck_assert_int_eq(subscribe(b, 3, 0, SECOND), PENDING);
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, 0);
	ck_assert_uint_eq(world_last(w)->n_items, 0);
	ck_assert_uint_eq(world_last(w)->cursor, 3);
	ck_assert_int_eq(subscribe(b, 3, 0, FOREVER_NS), PENDING);
	ask(w, b, (struct wire_request){ .type = WIRE_CANCEL, .cursor = last_serial(w) }, -1);
	ck_assert_int_eq(world_last(w)->status, -ECANCELED);
	for (unsigned int i = 0; i < CORE_SUBSCRIBE_MAX; i++)
		ck_assert_int_eq(subscribe(b, 3, 0, FOREVER_NS), PENDING);
	ck_assert_int_eq(subscribe(b, 3, 0, FOREVER_NS), -EBUSY);
	ck_assert_int_eq(subscribe(b, 1, 0, FOREVER_NS), 0); /* need not wait */
	core_disconnect(w->core, w->now, b); /* with all that waits */
	world_settle(w);
	put(w, a, 2, 10);
	world_end(w);
}
END_TEST

START_TEST(a_subscriber_sees_what_it_may_read_only)
{
	uint32_t a, b, root;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	root = connect_as(w, 0);
	ck_assert_int_eq(subscribe(b, 1, 0, FOREVER_NS), PENDING);
	put_mode(w, a, 1, 10, 0600);
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_ptr_null(world_answer(w, b, last_serial(w) - 2));
	put_mode(w, a, 1, 20, 0604);
	ck_assert_uint_eq(world_answer(w, b, last_serial(w) - 3)->n_items, 1);
	check_event(world_answer(w, b, last_serial(w) - 3), 0, 5, WIRE_EVENT_SEALED, 1);
	ck_assert_uint_eq(world_answer(w, b, last_serial(w) - 3)->lost, 0);
	subscribe(b, WIRE_EVENTS_KEPT, 0, 0);
	ck_assert_uint_eq(world_last(w)->n_items, 1); /* what it had been too */
	subscribe(root, WIRE_EVENTS_KEPT, 0, 0);
	ck_assert_uint_eq(world_last(w)->n_items, 5);
	world_end(w);
}
END_TEST

START_TEST(events_that_are_not_kept_any_more_are_counted)
{
	uint32_t a;

	w->config.max_events = 4;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 4; i++)
		put(w, a, i, 10);
	ck_assert_int_eq(subscribe(a, 2, 0, FOREVER_NS), 0);
	ck_assert_uint_eq(world_last(w)->lost, 3);
	ck_assert_uint_eq(world_last(w)->n_items, 4);
	check_event(world_last(w), 0, 5, WIRE_EVENT_CREATED, 3);
	subscribe(a, 5, 0, FOREVER_NS);
	ck_assert_uint_eq(world_last(w)->lost, 0);
	subscribe(a, WIRE_EVENTS_KEPT, 0, FOREVER_NS); /* not asked for: not missed */
	ck_assert_uint_eq(world_last(w)->lost, 0);
	ck_assert_uint_eq(world_last(w)->n_items, 4);
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
		get_waits_until_its_deadline,
		get_of_many_is_all_or_nothing,
		what_is_gone_is_answered_at_once,
		what_is_gone_of_others_was_never_there,
		getters_of_an_id_are_served_in_order,
		wait_ends_when_enough_are_ready_or_cannot_be,
		a_request_can_be_given_up,
		releasing_more_than_is_held_is_counted_and_harmless,
		a_dead_client_leaves_nothing_but_names_and_leases,
		names_are_per_uid_and_move,
		a_name_given_at_create_binds_when_sealed,
		an_object_held_without_a_name_stays_until_it_is_deleted,
		a_lease_ends_a_while_after_its_last_load,
		a_forked_child_holds_what_its_parent_held,
		deleted_memory_goes_with_the_last_pin,
		rights_are_those_of_a_file,
		the_longest_unreferenced_goes_first_and_only_if_it_helps,
		memory_is_free_only_when_it_is_closed,
		much_is_evicted_in_steps,
		what_can_never_fit_is_refused_at_once,
		a_quota_is_met_at_the_cost_of_the_uids_own_objects,
		the_full_error_names_who_holds_most_and_what_to_do,
		the_full_error_tells_what_is_kept_without_a_client,
		descriptors_are_a_second_capacity,
		the_full_error_says_which_limit_to_raise,
		an_offered_memfd_counts_from_its_arrival,
		connections_are_limited_per_uid_and_by_descriptors,
		the_queue_is_fifo_within_a_uid_and_takes_turns_between_them,
		a_waiting_create_is_passed_a_bounded_number_of_times,
		who_waits_for_a_quota_is_passed_without_end,
		data_that_waits_is_copied_and_bounded,
		waiting_requests_of_a_connection_are_bounded,
		a_smaller_capacity_evicts_then_waits,
		what_the_machine_lacks_is_waited_for,
		a_smaller_quota_refuses_what_waits_and_keeps_what_is_there,
		what_was_configured_is_noted_for_the_heir,
		the_pool_serves_big_creates_and_yields_to_need,
		the_first_pool_serves_big_creates_of_many_sizes,
		the_pool_takes_the_sizes_that_are_asked_for,
		an_idle_pool_is_given_back,
		a_failed_fill_is_not_repeated_at_once,
		list_pages_are_stable_under_changes,
		broken_protocol_ends_the_connection,
		every_turn_of_an_objects_life_is_an_event,
		events_are_read_from_a_number_on_and_in_portions,
		a_subscriber_waits_for_the_next_event_or_its_deadline,
		a_subscriber_sees_what_it_may_read_only,
		events_that_are_not_kept_any_more_are_counted,
	};

	return world_suite("core", tests, ARRAY_SIZE(tests), fresh_world);
}
