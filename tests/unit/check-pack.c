/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small objects in the pack (R19): in, out to be mapped, together, and over a crash. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct world world, *const w = &world;

/* Every object has bytes of its own: they begin with its number. */
static uint64_t contents[20000][128]; /* 1024 bytes, as inline_max */

static int pack_in(uint32_t conn, unsigned int id, uint32_t size)
{
	const struct wire_item item = { .id = id_of(id), .data = (char *)contents[id],
		.data_size = size };

	contents[id][0] = UINT64_C(0x1234567800000000) + id;
	return ask(w, conn, (struct wire_request){ .type = WIRE_PUT, .items = &item, .n_items = 1 },
		-1);
}

static bool has_its_bytes(unsigned int id, const struct answer *answer)
{
	return bytes_of(w, answer, 0) == contents[id][0];
}

static bool is_packed(uint32_t conn, unsigned int id)
{
	bool packed;

	ck_assert_int_eq(get(w, conn, id, 0, 0), 0);
	ck_assert(has_its_bytes(id, world_last(w)));
	packed = world_last(w)->places[0].fd == CORE_PLACE_PACK;
	release(w, conn, id, 1, 0);
	return packed;
}

/* Objects from first on, put by this connection, mapped, and let go of but for one reference. */
static void map_and_release(uint32_t conn, unsigned int first, unsigned int n)
{
	for (unsigned int id = first; id < first + n; id++) {
		ck_assert_int_eq(pack_in(conn, id, 100), 0);
		ck_assert_int_eq(get(w, conn, id, 0, WIRE_GET_MAP), 0);
		ck_assert(has_its_bytes(id, world_last(w)));
		release(w, conn, id, 1, 1);
	}
}

static void begin(uint32_t max_fds, uint64_t capacity)
{
	w->with_pack = true;
	w->config.max_fds = max_fds;
	w->config.capacity = capacity;
	w->config.max_objects = 15000;
	world_start(w);
}

static uint32_t fds(void)
{
	return world_totals(w).fds;
}

/* ---- in ---- */

START_TEST(small_objects_share_one_descriptor)
{
	uint32_t a;

	begin(100, 4096 * PAGE);
	a = connect_as(w, 1000);
	ck_assert_uint_eq(fds(), 3 + 1);
	for (unsigned int id = 1; id <= 300; id++)
		ck_assert_int_eq(pack_in(a, id, id), 0);
	ck_assert_uint_eq(fds(), 3 + 1);
	for (unsigned int id = 8; id <= 300; id++)
		ck_assert(is_packed(a, id));
	ck_assert_uint_eq(world_totals(w).packed_bytes % 16, 0);
	ck_assert_uint_ge(world_totals(w).pack_bytes, world_totals(w).packed_bytes);
	for (unsigned int id = 1; id <= 300; id++)
		ck_assert_int_eq(simple(w, a, WIRE_DELETE, id), 0);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 0);
	ck_assert_uint_le(world_totals(w).pack_bytes, 16 * 16384); /* empty slabs that are kept */
	ck_assert_int_eq(get(w, a, 1, 0, 0), -ENOENT);
	world_end(w);
}
END_TEST

START_TEST(what_cannot_be_written_is_not_there)
{
	uint32_t a;

	begin(100, 4096 * PAGE);
	a = connect_as(w, 1000);
	w->pack_result = -ENOMEM;
	ck_assert_int_eq(pack_in(a, 1, 100), -ENOMEM);
	w->pack_result = 0;
	ck_assert_int_eq(get(w, a, 1, 0, 0), -ENOENT);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 0);
	ck_assert_int_eq(pack_in(a, 1, 100), 0);
	ck_assert(is_packed(a, 1));
	world_end(w);
}
END_TEST

/* ---- together ---- */

START_TEST(objects_are_moved_together_and_keep_their_bytes)
{
	uint64_t full;
	uint32_t a;

	begin(100, 4096 * PAGE);
	a = connect_as(w, 1000);
	for (unsigned int id = 1; id <= 2000; id++)
		pack_in(a, id, 200);
	full = world_totals(w).pack_bytes;
	for (unsigned int id = 1; id <= 2000; id++)
		if (id % 20)
			simple(w, a, WIRE_DELETE, id);
	ck_assert_uint_lt(world_totals(w).pack_bytes, full / 2);
	ck_assert_uint_gt(counter_as(w, a, "counter.compactions"), 0);
	for (unsigned int id = 20; id <= 1000; id += 20)
		ck_assert(is_packed(a, id));
	world_end(w);
}
END_TEST

START_TEST(an_object_that_goes_while_it_is_moved_takes_no_place)
{
	uint64_t live;
	uint32_t a;

	begin(100, 4096 * PAGE);
	a = connect_as(w, 1000);
	for (unsigned int id = 1; id <= 1000; id++)
		pack_in(a, id, 200);
	w->hold[CORE_PACK_WRITE] = true;
	for (unsigned int id = 1; id <= 1000; id++)
		if (id % 20)
			simple(w, a, WIRE_DELETE, id);
	ck_assert_uint_gt(w->n_held, 0);
	for (unsigned int id = 20; id <= 500; id += 20)
		simple(w, a, WIRE_DELETE, id);
	live = world_totals(w).packed_bytes;
	w->hold[CORE_PACK_WRITE] = false;
	world_carry_out(w, CORE_PACK_WRITE);
	ck_assert_uint_eq(world_totals(w).packed_bytes, live);
	for (unsigned int id = 520; id <= 1000; id += 20)
		ck_assert(is_packed(a, id));
	world_end(w);
}
END_TEST

/* ---- out ---- */

START_TEST(who_maps_an_object_takes_it_out_of_the_pack)
{
	uint32_t a, b;

	begin(100, 4096 * PAGE);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	pack_in(a, 1, 100);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 112);
	ck_assert_int_eq(get(w, b, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_uint_eq(world_last(w)->n_fds, 1);
	ck_assert(has_its_bytes(1, world_last(w)));
	ck_assert_uint_eq(world_totals(w).packed_bytes, 0);
	ck_assert_uint_eq(world_totals(w).pinned_bytes, PAGE);
	ck_assert_uint_eq(fds(), 2 * 3 + 1 + 1);
	ck_assert(!is_packed(a, 1)); /* it is still answered inline */
	release(w, b, 1, 1, 1);
	ck_assert(!is_packed(a, 1)); /* nobody needs its descriptor */
	world_end(w);
}
END_TEST

/* ---- over a crash ---- */

START_TEST(an_heir_finds_small_objects_where_they_are)
{
	uint32_t a, root;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 30);
	for (unsigned int id = 31; id <= 60; id++)
		ck_assert_int_eq(pack_in(a, id, 100), 0);
	ck_assert_uint_eq(fds(), 3 + 1 + 30);
	world_crash(w);
	reconcile(w, a, NULL, 0);
	root = connect_as(w, 0);
	for (unsigned int id = 1; id <= 60; id++)
		ck_assert(is_packed(root, id) == (id > 30)); /* and its bytes are right */
	world_end(w);
}
END_TEST

static jmp_buf crash_point;
static unsigned int steps_left;
static struct core *abandoned[2000]; /* reachable, so no leak */
static size_t n_abandoned;

static void count_down(void *argument)
{
	if (steps_left-- == 0)
		longjmp(crash_point, 1);
}

/* Idle memfds, objects in slabs that are full and nearly empty. */
static void set_the_scene(void)
{
	uint32_t a;

	memset(w, 0, sizeof *w);
	w->unchecked = true;
	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 36);
	for (unsigned int id = 101; id <= 330; id++)
		pack_in(a, id, 200);
	for (unsigned int id = 101; id <= 300; id++)
		if (id % 64)
			simple(w, a, WIRE_DELETE, id);
}

static void event_put(void) { pack_in(0, 90, 100); }
static void event_delete(void) { simple(w, 0, WIRE_DELETE, 320); }
static void event_map(void) { get(w, 0, 321, 0, WIRE_GET_MAP); }

static void event_move_together(void)
{
	for (unsigned int id = 301; id <= 315; id++)
		simple(w, 0, WIRE_DELETE, id);
	create(w, 0, 91, w->config.capacity - 60 * PAGE);
}

static void (*const events[])(void) = {
	event_put, event_delete, event_map, event_move_together,
};

/* What an heir does with descriptors: those that the tables do not name are closed. */
static void inherit(void)
{
	static bool named[WORLD_FDS];
	uint64_t cursor = 0;
	struct core_fd fd;

	memset(named, 0, w->next_fd * sizeof *named);
	w->n_held = 0;
	ck_assert_int_eq(core_open(&w->core, &w->config, w->memory, w->size, w->now, w->now), 0);
	while (core_next_fd(w->core, &cursor, &fd)) {
		ck_assert_msg(w->fd_open[fd.fd], "descriptor %d is named but closed", fd.fd);
		ck_assert_msg(!named[fd.fd], "descriptor %d is named twice", fd.fd);
		named[fd.fd] = true;
	}
	memcpy(w->fd_open, named, w->next_fd * sizeof *named);
	core_check(w->core);
}

/* The heir goes on: every object that there is has its bytes.  Return: how many there are. */
static unsigned int look_at_all(void)
{
	unsigned int n = 0;
	uint32_t root;

	core_resume(w->core, w->now, w->now);
	world_settle(w);
	reconcile(w, 0, NULL, 0);
	root = connect_as(w, 0);
	for (unsigned int id = 1; id <= 330; id++) {
		if (get(w, root, id, 0, 0) < 0)
			continue;
		ck_assert(has_its_bytes(id, world_last(w)));
		n++;
	}
	return n;
}

START_TEST(a_crash_at_any_store_leaves_each_object_in_one_place)
{
	volatile unsigned int crashed = 1, k;

	for (k = 0; crashed; k++) {
		set_the_scene();
		steps_left = k;
		abandoned[n_abandoned++ % ARRAY_SIZE(abandoned)] = w->core;
		crashed = setjmp(crash_point);
		if (!crashed) {
			core_set_store_hook(count_down, NULL);
			events[_i]();
		}
		core_set_store_hook(NULL, NULL);
		inherit();
		w->unchecked = false;
		ck_assert_uint_ge(look_at_all(), 36 + 3 + 30 - 16);
		world_end(w);
	}
	ck_assert_uint_gt(k, 3);
}
END_TEST

static void fresh_world(void)
{
	memset(w, 0, sizeof *w);
}

int main(void)
{
	const TTest *const tests[] = {
		small_objects_share_one_descriptor,
		what_cannot_be_written_is_not_there,
		objects_are_moved_together_and_keep_their_bytes,
		an_object_that_goes_while_it_is_moved_takes_no_place,
		who_maps_an_object_takes_it_out_of_the_pack,
		an_heir_finds_small_objects_where_they_are,
	};
	Suite *suite = suite_create("pack");
	TCase *tcase = tcase_create("pack");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, fresh_world, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, a_crash_at_any_store_leaves_each_object_in_one_place, 0,
		ARRAY_SIZE(events));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
