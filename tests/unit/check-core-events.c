/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What subscribers are told. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct world world, *const w = &world;

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
		every_turn_of_an_objects_life_is_an_event,
		events_are_read_from_a_number_on_and_in_portions,
		a_subscriber_waits_for_the_next_event_or_its_deadline,
		a_subscriber_sees_what_it_may_read_only,
		events_that_are_not_kept_any_more_are_counted,
	};

	return world_suite("core-events", tests, ARRAY_SIZE(tests), fresh_world);
}
