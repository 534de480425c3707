/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and descriptors: who has them, who has to go, and the pool. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct world world, *const w = &world;

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

static void fresh_world(void)
{
	memset(w, 0, sizeof *w);
}

int main(void)
{
	const TTest *const tests[] = {
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
		the_pool_serves_big_creates_and_yields_to_need,
		the_first_pool_serves_big_creates_of_many_sizes,
		the_pool_takes_the_sizes_that_are_asked_for,
		an_idle_pool_is_given_back,
		a_failed_fill_is_not_repeated_at_once,
	};

	return world_suite("core-room", tests, ARRAY_SIZE(tests), fresh_world);
}
