/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for room, in which order, and what a new configuration does to it. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <stdio.h>
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

static void fresh_world(void)
{
	memset(w, 0, sizeof *w);
}

int main(void)
{
	const TTest *const tests[] = {
		the_queue_is_fifo_within_a_uid_and_takes_turns_between_them,
		a_waiting_create_is_passed_a_bounded_number_of_times,
		who_waits_for_a_quota_is_passed_without_end,
		data_that_waits_is_copied_and_bounded,
		waiting_requests_of_a_connection_are_bounded,
		a_smaller_capacity_evicts_then_waits,
		what_the_machine_lacks_is_waited_for,
		a_smaller_quota_refuses_what_waits_and_keeps_what_is_there,
		what_was_configured_is_noted_for_the_heir,
	};

	return world_suite("core-queue", tests, ARRAY_SIZE(tests), fresh_world);
}
