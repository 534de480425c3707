/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small objects in the pack (R19): in, out to be mapped, together, back, and over a crash. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "core-world.h"
#include "core/repack.h"
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

/* Objects that are not small, each with a descriptor. */
static void fill(uint32_t conn, unsigned int n)
{
	for (unsigned int id = 10000; id < 10000 + n; id++) {
		create(w, conn, id, 2000);
		ck_assert_int_eq(simple(w, conn, WIRE_SEAL, id), 0);
	}
}

/* A small one. */
static void make_small(uint32_t conn, unsigned int id)
{
	ck_assert_int_eq(create(w, conn, id, 100), 0);
	w->fd_bytes[world_last(w)->fds[0]] = contents[id][0] = 500 + id; /* the client writes */
	ck_assert_int_eq(simple(w, conn, WIRE_SEAL, id), 0);
}

static uint32_t fds(void)
{
	return world_totals(w).fds;
}

static unsigned int n_packed(uint32_t conn, unsigned int first, unsigned int n)
{
	unsigned int packed = 0;

	for (unsigned int id = first; id < first + n; id++)
		packed += is_packed(conn, id);
	return packed;
}

/* Time for what events left to the next ones. */
static void finish(void)
{
	for (int i = 0; i < 1000 && core_deadline(w->core) <= w->now; i++)
		world_tick(w, 0);
}

static void configure(uint32_t max_fds, uint64_t capacity)
{
	w->config.max_fds = max_fds;
	w->config.capacity = capacity;
	ck_assert_int_eq(core_configure(w->core, w->now, &w->config, NULL), 0);
	world_settle(w);
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

static uint64_t frame_of(uint32_t conn, unsigned int id)
{
	uint64_t frame;

	ck_assert_int_eq(get(w, conn, id, 0, 0), 0);
	ck_assert_int_eq(world_last(w)->places[0].fd, CORE_PLACE_PACK);
	frame = world_last(w)->places[0].offset / CORE_FRAME_BYTES;
	release(w, conn, id, 1, 0);
	return frame;
}

START_TEST(a_pack_made_anew_is_used_from_its_beginning)
{
	uint64_t frame, next = 0;
	uint32_t a;

	begin(100, 4096 * PAGE);
	a = connect_as(w, 1000);
	for (unsigned int id = 1; id <= 400; id++)
		ck_assert_int_eq(pack_in(a, id, 1000), 0);
	for (unsigned int i = 0; i < 400; i++) /* in quite another order */
		ck_assert_int_eq(simple(w, a, WIRE_DELETE, 1 + (i * 101 + 57) % 400), 0);
	world_tick(w, 61 * SECOND);
	finish();
	ck_assert_uint_eq(fds(), 3); /* the file is closed */
	for (unsigned int id = 401; id <= 408; id++)
		ck_assert_int_eq(pack_in(a, id, 1000), 0);
	for (unsigned int id = 409; id <= 800; id++) {
		ck_assert_int_eq(pack_in(a, id, 1000), 0);
		frame = frame_of(a, id);
		ck_assert_uint_le(frame, next);
		next = MAX(next, frame + 1);
	}
	ck_assert_uint_ge(next, 392 / 16);
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

/* ---- back ---- */

START_TEST(above_four_fifths_idle_objects_go_back)
{
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 36); /* 3 + 1 + 36 are four fifths */
	ck_assert_uint_eq(fds(), 40);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 0);
	map_and_release(a, 101, 60);
	ck_assert_uint_le(fds(), 40);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 60);
	ck_assert_uint_eq(counter_as(w, a, "counter.dropped"), 0);
	ck_assert_uint_eq(n_packed(a, 1, 36) + n_packed(a, 101, 60), 60);
	world_end(w);
}
END_TEST

START_TEST(creates_and_offers_go_there_too)
{
	const struct wire_item offer = { .id = id_of(2), .size = 300 };
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	fill(a, 34);
	make_small(a, 1);
	w->fd_open[w->next_fd] = true;
	w->fd_bytes[w->next_fd] = contents[2][0] = 78;
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_PUT_FD, .items = &offer,
		.n_items = 1 }, w->next_fd++), 0);
	ck_assert_uint_eq(fds(), 40);
	ck_assert(!is_packed(a, 1) && !is_packed(a, 2));
	ck_assert_int_eq(create(w, a, 3, 500), 0); /* a draft */
	ck_assert_uint_eq(n_packed(a, 1, 2), 1);
	ck_assert_int_eq(create(w, a, 4, 1025), 0); /* not small */
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 4), 0);
	ck_assert_uint_eq(n_packed(a, 1, 2), 2);
	ck_assert_uint_eq(fds(), 40);
	create(w, a, 5, 1025); /* a draft is not moved, and what is not small is not */
	ck_assert_uint_eq(fds(), 41);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 3), 0);
	ck_assert_uint_eq(fds(), 40);
	world_end(w);
}
END_TEST

START_TEST(what_is_mapped_stays)
{
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	for (unsigned int id = 1; id <= 38; id++) {
		pack_in(a, id, 100);
		ck_assert_int_eq(get(w, a, id, 0, WIRE_GET_MAP), 0);
	}
	ck_assert_uint_eq(fds(), 42);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 0);
	release(w, a, 5, 0, 1);
	release(w, a, 6, 1, 1);
	release(w, a, 7, 1, 1);
	ck_assert_uint_eq(fds(), 40); /* two were too many */
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 2);
	world_end(w);
}
END_TEST

static unsigned int n_held_writes(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_held; i++)
		n += w->held[i].n_writes;
	return n;
}

START_TEST(one_event_moves_sixteen_and_the_next_goes_on_at_once)
{
	uint32_t a;

	begin(400, 4096 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 118);
	w->hold[CORE_PACK_WRITE] = true;
	configure(128, w->config.capacity);
	ck_assert_uint_eq(n_held_writes(), REPACK_MAX);
	ck_assert_int_le(core_deadline(w->core), w->now);
	world_tick(w, 0);
	ck_assert_uint_eq(n_held_writes(), 122 - 102);
	ck_assert_int_gt(core_deadline(w->core), w->now);
	w->hold[CORE_PACK_WRITE] = false;
	world_carry_out(w, CORE_PACK_WRITE);
	ck_assert_uint_eq(fds(), 102);
	world_end(w);
}
END_TEST

START_TEST(who_needs_a_descriptor_has_nothing_evicted_while_one_is_idle)
{
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	w->hold[CORE_PACK_WRITE] = true;
	for (unsigned int id = 1; id <= 10; id++) {
		create(w, a, id, 2000);
		simple(w, a, WIRE_SEAL, id);
		release(w, a, id, 1, 0); /* these might be evicted, and are not small */
	}
	for (unsigned int id = 11; id <= 40; id++) { /* 3 + 1 + 40 are all but the reserve */
		create(w, a, id, 100);
		simple(w, a, WIRE_SEAL, id);
	}
	ck_assert_uint_eq(fds(), 44);
	ck_assert_int_eq(create(w, a, 50, 100), PENDING);
	w->hold[CORE_PACK_WRITE] = false;
	world_carry_out(w, CORE_PACK_WRITE);
	finish();
	ck_assert_int_eq(world_answer(w, a, last_serial(w))->status, 0);
	ck_assert_uint_eq(counter_as(w, a, "counter.dropped"), 0);
	ck_assert_uint_le(fds(), 41);
	world_end(w);
}
END_TEST

START_TEST(clients_get_the_descriptors_of_idle_objects)
{
	uint32_t a;

	w->config.max_connections_per_uid = 50;
	begin(128, 4096 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 200);
	for (int i = 0; i < 40; i++) /* 120 descriptors; connect_as() asserts that it may */
		connect_as(w, 1000);
	ck_assert_uint_eq(counter_as(w, a, "counter.dropped"), 0);
	ck_assert_uint_eq(n_packed(a, 1, 200), 200);
	world_end(w);
}
END_TEST

START_TEST(an_object_that_is_mapped_meanwhile_stays_where_it_is)
{
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	fill(a, 34);
	w->hold[CORE_PACK_WRITE] = true;
	for (unsigned int id = 1; id <= 3; id++)
		make_small(a, id);
	ck_assert_uint_eq(n_held_writes(), 1);
	for (unsigned int id = 1; id <= 3; id++) /* whichever it is */
		ck_assert_int_eq(get(w, a, id, 0, WIRE_GET_MAP), 0);
	ck_assert(has_its_bytes(3, world_last(w)));
	w->hold[CORE_PACK_WRITE] = false;
	world_carry_out(w, CORE_PACK_WRITE);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 0);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 0);
	ck_assert_uint_eq(fds(), 41);
	ck_assert_uint_eq(w->n_closes, 0);
	release(w, a, 2, 0, 1);
	ck_assert(is_packed(a, 2));
	ck_assert_uint_eq(fds(), 40);
	world_end(w);
}
END_TEST

START_TEST(an_object_that_goes_meanwhile_gives_its_place_back)
{
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	fill(a, 34);
	w->hold[CORE_PACK_WRITE] = true;
	make_small(a, 1);
	create(w, a, 2, 100);
	create(w, a, 3, 100);
	ck_assert_uint_eq(n_held_writes(), 1);
	ck_assert_int_eq(simple(w, a, WIRE_DELETE, 1), 0);
	ck_assert_uint_eq(w->n_closes, 1);
	make_small(a, 1); /* of the same id, and of the same record */
	ck_assert_uint_eq(n_held_writes(), 2);
	w->hold[CORE_PACK_WRITE] = false;
	world_carry_out(w, CORE_PACK_WRITE);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 112);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 1);
	ck_assert(is_packed(a, 1));
	world_end(w);
}
END_TEST

START_TEST(a_copy_that_failed_is_tried_again_later)
{
	uint32_t a;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	fill(a, 34);
	w->pack_result = -ENOMEM;
	for (unsigned int id = 1; id <= 3; id++)
		make_small(a, id);
	ck_assert_uint_eq(fds(), 41);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 0);
	ck_assert_int_gt(core_deadline(w->core), w->now);
	ck_assert_int_le(core_deadline(w->core), w->now + 10 * SECOND);
	w->pack_result = 0;
	world_tick(w, 10 * SECOND);
	ck_assert_uint_eq(fds(), 40);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 1);
	world_end(w);
}
END_TEST

START_TEST(a_full_store_takes_no_slab_for_it)
{
	uint32_t a;

	begin(50, 64 * PAGE); /* slabs of a page */
	a = connect_as(w, 1000);
	fill(a, 34);
	create(w, a, 1, 28 * PAGE);
	make_small(a, 2);
	make_small(a, 3);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 64 * PAGE);
	ck_assert_uint_eq(fds(), 41); /* nobody is evicted for it either */
	ck_assert_uint_eq(world_totals(w).pack_bytes, 0);
	ck_assert_int_gt(core_deadline(w->core), w->now);
	simple(w, a, WIRE_ABORT, 1);
	make_small(a, 4);
	ck_assert_uint_eq(fds(), 40);
	ck_assert_uint_eq(world_totals(w).packed_bytes, 112);
	world_end(w);
}
END_TEST

START_TEST(the_order_of_eviction_is_kept)
{
	uint32_t a;

	begin(50, 64 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 36);
	for (unsigned int id = 36; id > 0; id--) /* the last are the oldest now */
		release(w, a, id, 1, 0);
	configure(44, w->config.capacity);
	ck_assert_uint_eq(fds(), 35);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 5);
	ck_assert_uint_eq(counter_as(w, a, "counter.dropped"), 0);
	create(w, a, 100, 40 * PAGE);
	ck_assert_uint_gt(counter_as(w, a, "counter.dropped"), 0);
	ck_assert(exists(w, 1));
	ck_assert(!exists(w, 36));
	for (unsigned int id = 1; id < 36; id++)
		ck_assert(exists(w, id) || !exists(w, id + 1));
	world_end(w);
}
END_TEST

START_TEST(its_owner_is_charged_less_and_a_holder_counts_less)
{
	uint32_t a, b;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	fill(b, 32);
	make_small(a, 1);
	ck_assert_uint_eq(counter_as(w, a, "uids.1000.bytes"), PAGE);
	ck_assert_uint_eq(counter_as(w, a, "uids.1000.descriptors"), 1);
	create(w, b, 2, 100); /* 41 of 50 */
	ck_assert(is_packed(a, 1));
	ck_assert_uint_eq(counter_as(w, a, "uids.1000.bytes"), 112);
	ck_assert_uint_eq(counter_as(w, a, "uids.1000.descriptors"), 0);
	ck_assert_int_eq(simple(w, a, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(world_last(w)->items[0].charged_bytes, 112);
	world_end(w);
}
END_TEST

static struct core_quota quota = { .uid = 1000, .of = CORE_DESCRIPTORS };

static void set_quota(uint64_t limit)
{
	quota.limit = limit;
	w->config.quotas = &quota;
	w->config.n_quotas = 1;
}

START_TEST(a_uid_at_its_quota_has_nothing_evicted_while_one_of_its_own_is_idle)
{
	uint32_t a, b;

	set_quota(5);
	begin(400, 4096 * PAGE);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	map_and_release(b, 100, 1); /* idle, and another's */
	create(w, a, 1, 2000);
	simple(w, a, WIRE_SEAL, 1);
	release(w, a, 1, 1, 0); /* it might be evicted */
	for (unsigned int id = 2; id <= 5; id++)
		make_small(a, id);
	release(w, a, 2, 1, 0);
	ck_assert_uint_eq(counter_as(w, a, "uids.1000.descriptors"), 5);
	for (unsigned int id = 6; id <= 9; id++) {
		ck_assert_int_eq(create(w, a, id, 2000), 0);
		ck_assert_uint_eq(counter_as(w, a, "uids.1000.descriptors"), 5);
	}
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 4);
	ck_assert_uint_eq(counter_as(w, a, "counter.dropped"), 0);
	ck_assert_uint_eq(n_packed(a, 2, 4), 4);
	ck_assert(!is_packed(b, 100));
	ck_assert_int_eq(create(w, a, 10, 2000), 0); /* no other is left */
	ck_assert_uint_eq(counter_as(w, a, "counter.dropped"), 1);
	ck_assert(!exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(who_waits_for_a_copy_of_its_own_holds_up_no_other)
{
	uint32_t a, b, waiting;

	set_quota(2);
	begin(400, 4096 * PAGE);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	create(w, a, 1, 2000);
	make_small(a, 2);
	create(w, b, 5, 3000 * PAGE);
	simple(w, b, WIRE_SEAL, 5);
	release(w, b, 5, 1, 0);
	w->hold[CORE_PACK_WRITE] = true;
	ck_assert_int_eq(create(w, a, 3, 2000), PENDING);
	waiting = last_serial(w);
	ck_assert_uint_eq(n_held_writes(), 1);
	ck_assert_int_eq(create(w, b, 4, 4000 * PAGE), 0); /* that evicts */
	ck_assert(!exists(w, 5));
	w->hold[CORE_PACK_WRITE] = false;
	world_carry_out(w, CORE_PACK_WRITE);
	ck_assert_int_eq(world_answer(w, a, waiting)->status, 0);
	ck_assert_uint_eq(counter_as(w, a, "uids.1000.descriptors"), 2);
	world_end(w);
}
END_TEST

START_TEST(a_slab_of_others_wakes_the_hand_that_found_no_place)
{
	uint32_t a, b, waiting;

	set_quota(1);
	begin(400, 64 * PAGE); /* slabs of a page */
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	make_small(a, 1);
	create(w, b, 2, 61 * PAGE);
	ck_assert_int_eq(create(w, a, 3, 2 * PAGE), PENDING); /* leaves no room for a slab */
	waiting = last_serial(w);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 0);
	ck_assert_int_eq(pack_in(b, 4, 100), 0);
	finish();
	ck_assert_ptr_nonnull(world_answer(w, a, waiting));
	ck_assert_int_eq(world_answer(w, a, waiting)->status, 0);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 1);
	world_end(w);
}
END_TEST

START_TEST(the_hand_goes_over_a_big_table_in_steps)
{
	enum { MANY = 4 * REPACK_LOOK_MAX };
	unsigned int ticks = 0;
	uint32_t a;

	w->unchecked = true; /* else this takes long */
	begin(100, UINT64_C(1) << 30);
	a = connect_as(w, 1000);
	for (unsigned int id = 1; id <= MANY; id++)
		pack_in(a, id, 100);
	fill(a, 76); /* 80 of 100 */
	make_small(a, MANY + 1);
	while (core_deadline(w->core) <= w->now) {
		ck_assert_uint_lt(ticks++, 10);
		world_tick(w, 0);
	}
	ck_assert_uint_ge(ticks, 2);
	ck_assert_uint_eq(counter_as(w, a, "counter.repacks"), 1);
	ck_assert_uint_eq(fds(), 80);
	core_check(w->core);
	world_end(w);
}
END_TEST

static void let_go_again(uint32_t conn, unsigned int id)
{
	ck_assert_int_eq(get(w, conn, id, 0, WIRE_GET_MAP), 0);
	release(w, conn, id, 1, 1);
}

START_TEST(who_lets_objects_go_all_the_time_keeps_nobody_waiting)
{
	enum { MANY = 4 * REPACK_LOOK_MAX };
	const unsigned int idle[] = { MANY + 1, MANY + 2 };
	unsigned int times = 0, n;
	uint64_t waiting;
	uint32_t a, b;

	w->unchecked = true;
	begin(24, 4096 * PAGE);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	for (unsigned int id = 1; id <= MANY; id++)
		ck_assert_int_eq(pack_in(a, id, 100), 0);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(create(w, a, idle[i], 1000), 0);
		ck_assert_int_eq(simple(w, a, WIRE_SEAL, idle[i]), 0);
	}
	/* Neither has a place: there is no slab for their size, and no room for one. */
	n = 21 - fds() - 1;
	ck_assert_int_eq(create(w, a, 9000, (4096 - n - 1) * PAGE -
		world_totals(w).charged_bytes), 0);
	fill(a, n);
	ck_assert_uint_eq(fds(), 21); /* and 3 in reserve */
	ck_assert_uint_eq(world_totals(w).charged_bytes, 4095 * PAGE);
	release(w, a, 10000, 1, 0); /* might be evicted */
	finish();
	let_go_again(b, idle[0]);
	ck_assert_int_eq(create(w, a, 9001, 2000), PENDING);
	waiting = last_serial(w);
	while (!world_answer(w, a, waiting)) {
		ck_assert_uint_lt(times++, 5);
		let_go_again(b, idle[0]);
	}
	ck_assert_int_eq(world_answer(w, a, waiting)->status, 0);
	ck_assert(!exists(w, 10000));
	core_check(w->core);
	world_end(w);
}
END_TEST

START_TEST(the_hand_of_a_uid_keeps_no_other_waiting)
{
	enum { MANY = 4 * REPACK_LOOK_MAX };
	static struct core_quota quotas[] = {
		{ .uid = 1000, .of = CORE_DESCRIPTORS, .limit = 2 },
		{ .uid = 1001, .of = CORE_DESCRIPTORS, .limit = 2 },
	};
	uint64_t waiting[2];
	uint32_t root, conns[2];
	unsigned int ticks = 0;

	w->unchecked = true;
	w->config.quotas = quotas;
	w->config.n_quotas = ARRAY_SIZE(quotas);
	begin(100, 4096 * PAGE);
	root = connect_as(w, 0);
	for (unsigned int id = 1; id <= MANY; id++)
		ck_assert_int_eq(pack_in(root, id, 100), 0);
	for (unsigned int i = 0; i < 2; i++) {
		conns[i] = connect_as(w, 1000 + i);
		create(w, conns[i], 10000 + i, 2000);
		simple(w, conns[i], WIRE_SEAL, 10000 + i);
		release(w, conns[i], 10000 + i, 1, 0); /* might be evicted */
		create(w, conns[i], 10010 + i, 1000);
	}
	/* What is idle has no place. */
	ck_assert_int_eq(create(w, root, 9000, 4095 * PAGE - world_totals(w).charged_bytes), 0);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(simple(w, conns[i], WIRE_SEAL, 10010 + i), 0);
	finish();
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(create(w, conns[i], 10020 + i, 2000), PENDING);
		waiting[i] = last_serial(w);
	}
	while (!world_answer(w, conns[0], waiting[0]) || !world_answer(w, conns[1], waiting[1])) {
		ck_assert_uint_lt(ticks++, 4); /* they go on together */
		world_tick(w, 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(world_answer(w, conns[i], waiting[i])->status, 0);
		ck_assert(!exists(w, 10000 + i));
	}
	core_check(w->core);
	world_end(w);
}
END_TEST

/* ---- over a crash ---- */

START_TEST(an_heir_finds_small_objects_where_they_are)
{
	uint32_t a, root;

	begin(50, 4096 * PAGE);
	a = connect_as(w, 1000);
	map_and_release(a, 1, 60);
	ck_assert_uint_eq(fds(), 40);
	world_crash(w);
	reconcile(w, a, NULL, 0);
	root = connect_as(w, 0);
	for (unsigned int id = 1; id <= 60; id++)
		is_packed(root, id); /* and its bytes are right */
	finish();
	ck_assert_uint_le(fds(), 40);
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
static void event_repack(void) { configure(45, w->config.capacity); }

static void event_move_together(void)
{
	for (unsigned int id = 301; id <= 315; id++)
		simple(w, 0, WIRE_DELETE, id);
	create(w, 0, 91, w->config.capacity - 60 * PAGE);
}

static void (*const events[])(void) = {
	event_put, event_delete, event_map, event_repack, event_move_together,
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
		a_pack_made_anew_is_used_from_its_beginning,
		what_cannot_be_written_is_not_there,
		objects_are_moved_together_and_keep_their_bytes,
		an_object_that_goes_while_it_is_moved_takes_no_place,
		who_maps_an_object_takes_it_out_of_the_pack,
		above_four_fifths_idle_objects_go_back,
		creates_and_offers_go_there_too,
		what_is_mapped_stays,
		one_event_moves_sixteen_and_the_next_goes_on_at_once,
		who_needs_a_descriptor_has_nothing_evicted_while_one_is_idle,
		clients_get_the_descriptors_of_idle_objects,
		an_object_that_is_mapped_meanwhile_stays_where_it_is,
		an_object_that_goes_meanwhile_gives_its_place_back,
		a_copy_that_failed_is_tried_again_later,
		a_full_store_takes_no_slab_for_it,
		the_order_of_eviction_is_kept,
		its_owner_is_charged_less_and_a_holder_counts_less,
		a_uid_at_its_quota_has_nothing_evicted_while_one_of_its_own_is_idle,
		who_waits_for_a_copy_of_its_own_holds_up_no_other,
		a_slab_of_others_wakes_the_hand_that_found_no_place,
		the_hand_goes_over_a_big_table_in_steps,
		who_lets_objects_go_all_the_time_keeps_nobody_waiting,
		the_hand_of_a_uid_keeps_no_other_waiting,
		an_heir_finds_small_objects_where_they_are,
	};

	return world_suite_and_loop("pack", tests, ARRAY_SIZE(tests), fresh_world,
		a_crash_at_any_store_leaves_each_object_in_one_place, ARRAY_SIZE(events));
}
