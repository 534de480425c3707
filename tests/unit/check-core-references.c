/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Getting and waiting for objects, and what keeps them. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct world world, *const w = &world;

/* Is this the object that the last reply is about? */
static bool last_is(unsigned int number)
{
	const struct id128 id = id_of(number);

	return id128_equal(&world_last(w)->items[0].id, &id);
}

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

static void fresh_world(void)
{
	memset(w, 0, sizeof *w);
}

int main(void)
{
	const TTest *const tests[] = {
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
	};

	return world_suite("core-references", tests, ARRAY_SIZE(tests), fresh_world);
}
