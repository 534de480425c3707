/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's tables outlive the worker: recovery, retries, and a crash at every store. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core-world.h"
#include "core/tables.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/siphash.h"

static struct world world, *const w = &world;

static int retry(uint32_t conn, struct wire_request request)
{
	int r;

	w->retry = true;
	r = ask(w, conn, request, -1);
	w->retry = false;
	return r;
}

/* ---- recovery ---- */

START_TEST(objects_names_leases_and_connections_survive_the_worker)
{
	uint64_t address;
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 3000);
	get(w, a, 1, 0, WIRE_GET_MAP);
	address = world_last(w)->items[0].address;
	hold(w, a, "name", 1);
	lease(w, a, WIRE_LEASE, 1, 7);
	create(w, a, 2, PAGE);
	put(w, a, 3, 10);
	simple(w, a, WIRE_DELETE, 3);
	world_crash(w);

	ck_assert_uint_eq(world_last(w)->type, WIRE_RESUME);
	ck_assert_uint_eq(world_last(w)->generation, 2);
	ck_assert_uint_eq(world_last(w)->conn, a);
	reconcile(w, a, (const struct wire_item[]){ { .id = id_of(1), .refs = 2, .pins = 1 },
		{ .id = id_of(2), .refs = 1 } }, 2);
	ck_assert_int_eq(simple(w, a, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 4);
	ck_assert_uint_eq(world_last(w)->items[0].pins, 1);
	ck_assert_uint_eq(world_last(w)->items[0].address, address);
	ck_assert_uint_eq(world_last(w)->n_holders, 3);
	ck_assert_int_eq(named(w, a, WIRE_LOOKUP, "name"), 0);
	ck_assert_int_eq(lease(w, a, WIRE_LOAD, 1, 7), 0);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 2), 0);
	ck_assert_int_eq(get(w, a, 3, FOREVER_NS, 0), -ENOENT); /* still known to be gone */
	ck_assert_uint_eq(core_generation(w->core), 2);
	world_end(w);
}
END_TEST

START_TEST(reconcile_cuts_to_what_the_client_lists)
{
	const struct wire_item lists[] = { { .id = id_of(1), .refs = 9, .pins = 9 },
		{ .id = id_of(2), .refs = 1 }, { .id = id_of(99), .refs = 1 } };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	put(w, a, 2, 10);
	get(w, a, 2, 0, WIRE_GET_MAP);
	put(w, a, 3, 10);
	create(w, a, 4, PAGE);
	world_crash(w);
	ck_assert_int_eq(put(w, a, 5, 10), PENDING); /* dropped: not reconciled yet */
	ask(w, a, (struct wire_request){ .type = WIRE_RECONCILE, .generation = 1 }, -1);
	ck_assert_uint_eq(world_totals(w).created, 1); /* of another generation: ignored */
	ask(w, a, (struct wire_request){ .type = WIRE_RECONCILE, .generation = 2, .more = true,
		.items = lists, .n_items = 1 }, -1);
	reconcile(w, a, lists + 1, 2);
	ck_assert_uint_eq(world_totals(w).created, 0);
	ck_assert_uint_eq(world_totals(w).pinned_bytes, 0);
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1); /* never raised */
	simple(w, a, WIRE_STAT, 2);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1);
	simple(w, a, WIRE_STAT, 3);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 0);
	ck_assert(!exists(w, 5));
	world_end(w);
}
END_TEST

START_TEST(the_order_of_eviction_survives)
{
	uint32_t a;

	w->config.capacity = 4 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 4; i++)
		put(w, a, i, 10);
	release(w, a, 3, 1, 0);
	release(w, a, 1, 1, 0);
	release(w, a, 4, 1, 0);
	world_crash(w);
	reconcile(w, a, (const struct wire_item[]){ { .id = id_of(2), .refs = 1 } }, 1);
	create(w, a, 5, PAGE);
	ck_assert(!exists(w, 3) && exists(w, 1));
	create(w, a, 6, PAGE);
	ck_assert(!exists(w, 1) && exists(w, 4));
	world_end(w);
}
END_TEST

START_TEST(a_lost_descriptor_is_told)
{
	struct core_fd fd;
	uint64_t cursor = 0;
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	get(w, a, 1, 0, WIRE_GET_MAP);
	hold(w, a, "name", 1);
	create(w, a, 2, PAGE);
	world_die(w);
	while (core_next_fd(w->core, &cursor, &fd)) {
		w->fd_open[fd.fd] = false; /* not ours any more */
		core_fd_lost(w->core, w->now, &fd);
	}
	world_resume(w);
	reconcile(w, a, (const struct wire_item[]){ { .id = id_of(1), .refs = 2, .pins = 1 } }, 1);
	ck_assert_int_eq(get(w, a, 1, FOREVER_NS, 0), -ENODATA);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "lost"));
	ck_assert_int_eq(named(w, a, WIRE_LOOKUP, "name"), -ENOENT);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 0);
	ck_assert_uint_eq(world_totals(w).created, 0);
	release(w, a, 1, 2, 1);
	ck_assert_uint_eq(counter(w, "counter.bad_releases"), 0);
	ck_assert_uint_eq(w->n_closes, 0);
	world_end(w);
}
END_TEST

START_TEST(a_connection_whose_socket_is_lost_ends)
{
	const struct core_fd fd = { .kind = CORE_FD_CALL, .fd = 3, .owner = 0 };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	ck_assert_uint_eq(a, 0);
	put(w, a, 1, 10);
	create(w, a, 2, PAGE);
	world_die(w);
	core_fd_lost(w->core, w->now, &fd);
	core_fd_lost(w->core, w->now, &fd); /* its other socket: nothing more to do */
	w->fd_open[11] = false;             /* the draft's, which no table names now */
	world_resume(w);
	ck_assert_uint_eq(world_totals(w).connections, 0);
	ck_assert_uint_eq(world_totals(w).created, 0);
	ck_assert(exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(foreign_memory_is_refused)
{
	static _Alignas(4096) uint8_t memory[1 << 16];
	struct core *core;

	memset(w, 0, sizeof *w);
	w->config.max_objects = 1;
	ck_assert_int_eq(core_open(&core, &w->config, memory, sizeof memory, 0, 0), -EUCLEAN);
	memset(memory, 'x', sizeof memory);
	ck_assert_int_eq(core_open(&core, &w->config, memory, sizeof memory, 0, 0), -EUCLEAN);
	w->config.policy = "clairvoyant";
	ck_assert_int_eq(core_open(&core, &w->config, memory, sizeof memory, 0, 0), -EINVAL);
}
END_TEST

START_TEST(memory_that_grew_beyond_a_smaller_capacity_is_evicted_on_resume)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10 * PAGE);
	put(w, a, 2, 10 * PAGE);
	release(w, a, 1, 1, 0);
	w->config.capacity = 12 * PAGE;
	world_die(w);
	w->unchecked = true;
	world_resume(w);
	w->unchecked = false;
	world_settle(w);
	ck_assert_uint_eq(world_totals(w).charged_bytes, 10 * PAGE);
	world_end(w);
}
END_TEST

START_TEST(events_go_on_where_the_dead_worker_stopped)
{
	const struct wire_request request = { .type = WIRE_SUBSCRIBE, .cursor = 4,
		.timeout_ns = FOREVER_NS, .serial = 500 };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	create(w, a, 2, PAGE);
	ck_assert_int_eq(ask(w, a, request, -1), PENDING);
	world_crash(w);
	reconcile(w, a, (const struct wire_item[]){ { .id = id_of(1), .refs = 1 } }, 1);
	ck_assert_int_eq(retry(a, request), 0); /* the draft was not listed */
	ck_assert_uint_eq(world_last(w)->n_items, 1);
	ck_assert_uint_eq(world_last(w)->lost, 0);
	ck_assert_uint_eq(world_last(w)->items[0].sequence, 4);
	ck_assert_uint_eq(world_last(w)->items[0].event, WIRE_EVENT_ABORTED);
	ask(w, a, (struct wire_request){ .type = WIRE_SUBSCRIBE, .cursor = 1 }, -1);
	ck_assert_uint_eq(world_last(w)->n_items, 4);
	ck_assert_uint_eq(world_last(w)->items[1].event, WIRE_EVENT_SEALED);
	world_end(w);
}
END_TEST

START_TEST(a_note_that_a_crash_spoiled_is_told_as_lost)
{
	struct tables tables;
	bool used;
	uint32_t a;

	w->config.max_events = 4;
	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	put(w, a, 2, 10);
	world_die(w);
	/* What is left of a worker that was writing number 5 over number 1. */
	ck_assert_int_eq(tables_open(&tables, &w->config, w->memory, w->size, &used), 0);
	tables.events[1].sequence = 5;
	tables_close(&tables);
	core_close(w->core);
	ck_assert_int_eq(core_open(&w->core, &w->config, w->memory, w->size, w->now, w->now), 0);
	world_resume(w);
	reconcile(w, a, (const struct wire_item[]){ { .id = id_of(1), .refs = 1 },
		{ .id = id_of(2), .refs = 1 } }, 2);
	ask(w, a, (struct wire_request){ .type = WIRE_SUBSCRIBE, .cursor = 1 }, -1);
	ck_assert_uint_eq(world_last(w)->lost, 1);
	ck_assert_uint_eq(world_last(w)->n_items, 3);
	ck_assert_uint_eq(world_last(w)->items[0].sequence, 2);
	put(w, a, 3, 10);
	ask(w, a, (struct wire_request){ .type = WIRE_SUBSCRIBE, .cursor = 3 }, -1);
	ck_assert_uint_eq(world_last(w)->lost, 0);
	ck_assert_uint_eq(world_last(w)->n_items, 4);
	world_end(w);
}
END_TEST

/* ---- retries ---- */

START_TEST(a_put_that_was_done_is_not_done_again)
{
	const struct wire_item item = { .id = id_of(1), .size = 3, .data = "abc", .data_size = 3 };
	const struct wire_request request = { .type = WIRE_PUT, .items = &item, .n_items = 1,
		.serial = 500 };
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0); /* the reply never came: it holds nothing */
	reconcile(w, b, NULL, 0);
	ck_assert_int_eq(retry(a, request), 0);
	simple(w, a, WIRE_STAT, 1);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1);
	ck_assert_uint_eq(counter(w, "counter.puts"), 1);
	ck_assert_int_eq(retry(b, request), -EEXIST); /* not b's */
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0);
	reconcile(w, b, NULL, 0);
	ck_assert_int_eq(simple(w, b, WIRE_DELETE, 1), 0);
	ck_assert_int_eq(retry(a, request), 0); /* it was put, then deleted */
	ck_assert(!exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(a_put_that_was_evicted_meanwhile_is_done_again)
{
	const struct wire_item item = { .id = id_of(1), .size = 3, .data = "abc", .data_size = 3 };
	const struct wire_request request = { .type = WIRE_PUT, .items = &item, .n_items = 1,
		.serial = 500 };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	ask(w, a, request, -1);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0);
	create(w, a, 2, w->config.capacity);
	ck_assert(!exists(w, 1));
	simple(w, a, WIRE_ABORT, 2);
	ck_assert_int_eq(retry(a, request), 0);
	ck_assert(exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(seal_and_create_can_be_sent_again)
{
	const struct wire_item item = { .id = id_of(1), .size = 10 };
	struct wire_request request = { .type = WIRE_CREATE, .items = &item, .n_items = 1,
		.serial = 500 };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	ask(w, a, request, -1);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0); /* the draft is not listed */
	ck_assert_int_eq(retry(a, request), 0);
	ck_assert_uint_eq(world_last(w)->n_fds, 1);
	request.type = WIRE_SEAL;
	request.serial = 501;
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, (const struct wire_item[]){ { .id = id_of(1), .refs = 1 } }, 1);
	ck_assert_int_eq(retry(a, request), 0);
	request.serial = 502;
	ck_assert_int_eq(retry(a, request), -EINVAL); /* another request did it */
	ck_assert_uint_eq(counter(w, "counter.puts"), 1);
	world_end(w);
}
END_TEST

START_TEST(what_came_later_is_not_undone_by_a_retry)
{
	const struct wire_item item = { .id = id_of(1) };
	const struct wire_request delete = { .type = WIRE_DELETE, .items = &item, .n_items = 1,
		.serial = 500 };
	const struct wire_request hold_it = { .type = WIRE_HOLD, .items = &item, .n_items = 1,
		.name = "x", .serial = 501 };
	const struct wire_request unhold = { .type = WIRE_UNHOLD, .name = "x", .serial = 502 };
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, b, 1, 10);
	ck_assert_int_eq(ask(w, a, delete, -1), 0);
	put(w, b, 1, 20);
	ck_assert_int_eq(ask(w, a, hold_it, -1), 0);
	ck_assert_int_eq(ask(w, a, unhold, -1), 0);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0);
	reconcile(w, b, (const struct wire_item[]){ { .id = id_of(1), .refs = 1 } }, 1);
	put(w, b, 2, 30);
	hold(w, b, "x", 2);
	ck_assert_int_eq(retry(a, delete), 0);
	ck_assert_int_eq(retry(a, hold_it), 0);
	ck_assert_int_eq(retry(a, unhold), 0);
	ck_assert(exists(w, 1));
	ck_assert_int_eq(named(w, b, WIRE_LOOKUP, "x"), 0);
	ck_assert_uint_eq(world_last(w)->items[0].size, 30);
	world_end(w);
}
END_TEST

START_TEST(an_item_that_failed_the_first_time_fails_again)
{
	const struct wire_item items[] = { { .id = id_of(1) }, { .id = id_of(2) } };
	const struct wire_request request = { .type = WIRE_DELETE, .items = items, .n_items = 2,
		.serial = 500 };
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put_mode(w, b, 1, 10, 0644);
	put(w, a, 2, 10);
	ck_assert_int_eq(ask(w, a, request, -1), -EACCES);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0);
	ck_assert_int_eq(retry(a, request), -EACCES);
	ck_assert_int_eq(world_last(w)->items[1].status, 0);
	world_end(w);
}
END_TEST

START_TEST(a_lease_can_be_taken_again)
{
	const struct wire_item item = { .id = id_of(1) };
	const struct wire_request request = { .type = WIRE_LEASE, .items = &item, .n_items = 1,
		.token = id_of(7), .serial = 500 };
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	ask(w, a, request, -1);
	world_crash(w);
	w->n_answers = 0;
	reconcile(w, a, NULL, 0);
	ck_assert_int_eq(retry(a, request), 0);
	ck_assert_uint_eq(world_totals(w).leases, 1);
	world_end(w);
}
END_TEST

/* ---- a crash at every store ---- */

static jmp_buf crash_point;
static unsigned int steps_left;
static struct core *abandoned[1000]; /* reachable, so no leak */
static size_t n_abandoned;

static void count_down(void *argument)
{
	if (steps_left-- == 0)
		longjmp(crash_point, 1);
}

#define MIX(array, high, size, used)                                                \
	for (uint32_t i = 0; i < (high); i++)                                       \
		if (tables.array[i].used)                                           \
	hash = hash * 31 + siphash(&tables.array[i], (size), zero_key) * (i + 1)

/* A number for all that the tables say, loose fields left out. */
static uint64_t digest(void)
{
	static const uint8_t zero_key[16];
	struct object_record objects[64];
	struct tables tables;
	uint64_t hash = 0;
	bool used;

	ck_assert_int_eq(tables_open(&tables, &w->config, w->memory, w->size, &used), 0);
	ck_assert_uint_le(tables.header->objects_high, ARRAY_SIZE(objects));
	memcpy(objects, tables.objects, tables.header->objects_high * sizeof *objects);
	for (uint32_t i = 0; i < tables.header->objects_high; i++) {
		objects[i].last_access_ns = 0;
		objects[i].accesses = objects[i].use = 0;
	}
	for (uint32_t i = 0; i < tables.header->objects_high; i++)
		if (objects[i].state && objects[i].attributes)
			hash = hash * 31 + siphash(tables.blobs + (objects[i].attributes - 1) * 64,
				objects[i].attributes_size, zero_key);
	tables.objects = objects;
	MIX(objects, tables.header->objects_high, sizeof *tables.objects, state);
	MIX(connections, tables.header->connections_high, sizeof *tables.connections, flags);
	MIX(holdings, tables.header->holdings_high, sizeof *tables.holdings,
		refs || tables.holdings[i].pins);
	MIX(names, tables.header->names_high, 64, used);
	MIX(leases, tables.header->leases_high, sizeof *tables.leases, used);
	MIX(gone, MIN(tables.header->gone, 100), sizeof *tables.gone, reason);
	MIX(pool, TABLES_POOL_MAX, sizeof *tables.pool, used);
	hash = hash * 31 + tables.header->events;
	tables_close(&tables);
	return hash;
}

/* Two clients, a bit of everything. */
static void set_the_scene(void)
{
	const struct wire_item attributed = { .id = id_of(7), .size = 2, .data = "ab", .data_size = 2,
		.labels = "a=1\0b=2", .labels_size = 8, .ttl_ns = 30 * SECOND, .priority = 2,
		.flags = WIRE_ITEM_PIN };
	uint32_t a, b;

	memset(w, 0, sizeof *w);
	w->config.capacity = 16 * PAGE;
	w->config.max_objects = 60;
	w->config.max_events = 8; /* a full ring */
	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1000);
	put(w, a, 1, 10);
	put(w, a, 2, 10);
	put(w, b, 3, 10);
	get(w, b, 1, 0, WIRE_GET_MAP);
	hold(w, a, "first", 1);
	lease(w, a, WIRE_LEASE, 2, 7);
	create(w, a, 4, PAGE);
	put(w, a, 5, 10);
	release(w, a, 5, 1, 0);
	put(w, a, 6, 10);
	simple(w, a, WIRE_DELETE, 6);
	ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &attributed, .n_items = 1 }, -1);
	world_settle(w);
}

static void event_make(void)
{
	const struct wire_item item = { .id = id_of(20), .size = 2, .data = "ab", .data_size = 2,
		.metadata = "m", .metadata_size = 1, .name = "first" };

	ask(w, 0, (struct wire_request){ .type = WIRE_PUT, .items = &item, .n_items = 1 }, -1);
}
static void event_make_with_eviction(void) { create(w, 1, 21, 10 * PAGE); }
static void event_seal(void) { simple(w, 0, WIRE_SEAL, 4); }
static void event_abort(void) { simple(w, 0, WIRE_ABORT, 4); }
static void event_get(void) { get_two(w, 0, 1, 3, 0); }
static void event_release(void) { release(w, 1, 1, 1, 1); }
static void event_delete_pinned(void) { simple(w, 0, WIRE_DELETE, 1); }
static void event_delete(void) { simple(w, 0, WIRE_DELETE, 2); }
static void event_hold(void) { hold(w, 1, "first", 3); }
static void event_unhold(void) { named(w, 0, WIRE_UNHOLD, "first"); }
static void event_lookup(void) { named(w, 1, WIRE_LOOKUP, "first"); }
static void event_lease(void) { lease(w, 1, WIRE_LEASE, 3, 8); }
static void event_load(void) { lease(w, 1, WIRE_LOAD, 2, 7); }
static void event_expire(void) { world_tick(w, 600 * SECOND); }
static void event_end_of_time(void) { world_tick(w, 40 * SECOND); }
static void event_connect(void) { connect_as(w, 1001); }
static void event_recreate(void) { put(w, 1, 6, 10); }

static void event_set(void)
{
	const struct wire_item item = { .id = id_of(7), .labels = "c=3", .labels_size = 4,
		.unlabel = "a", .unlabel_size = 2, .ttl_ns = 99 * SECOND, .priority = -1,
		.flags = WIRE_ITEM_TTL | WIRE_ITEM_PRIORITY | WIRE_ITEM_UNPIN };

	ask(w, 0, (struct wire_request){ .type = WIRE_SET, .items = &item, .n_items = 1 }, -1);
}

static void event_seal_with_attributes(void)
{
	const struct wire_item item = { .id = id_of(22), .size = PAGE, .labels = "c=3",
		.labels_size = 4, .ttl_ns = 99 * SECOND };

	ask(w, 0, (struct wire_request){ .type = WIRE_CREATE, .items = &item, .n_items = 1 }, -1);
	simple(w, 0, WIRE_SEAL, 22);
}

static void event_disconnect(void)
{
	core_disconnect(w->core, w->now, 0);
	world_settle(w);
}

static void event_fork(void)
{
	const struct wire_request request = { .type = WIRE_FORK };

	core_request(w->core, w->now, 1, &request, -1, NULL); /* without its socket: condemned */
	core_request(w->core, w->now, 0, &request, w->next_fd++, NULL);
	world_settle(w);
}

static void (*const events[])(void) = {
	event_make, event_make_with_eviction, event_seal, event_abort, event_get, event_release,
	event_delete_pinned, event_delete, event_hold, event_unhold, event_lookup, event_lease,
	event_load, event_expire, event_connect, event_recreate, event_disconnect, event_fork,
	event_end_of_time, event_set, event_seal_with_attributes,
};

/* Digests of the tables between the effects of an event: each is a state that may be found. */
#define STATES_MAX 16
static uint64_t states[STATES_MAX];
static size_t n_states;

static void note_commit(void *argument)
{
	const uint32_t *journal_used = argument;

	/* The step after a commit finds the journal empty. */
	if (*journal_used == 0) {
		const uint64_t state = digest();

		if (n_states == 0 || states[n_states - 1] != state) {
			ck_assert_uint_lt(n_states, STATES_MAX);
			states[n_states++] = state;
		}
	}
}

static bool is_known(uint64_t state)
{
	for (size_t i = 0; i < n_states; i++)
		if (states[i] == state)
			return true;
	return false;
}

START_TEST(a_crash_at_any_store_leaves_the_state_of_some_commit)
{
	struct tables_header *header;
	volatile unsigned int crashed = 1, k;

	set_the_scene();
	header = w->memory;
	n_states = 0;
	w->unchecked = true;
	core_set_store_hook(note_commit, &header->journal_used);
	events[_i]();
	core_set_store_hook(NULL, NULL);
	states[n_states++] = digest();
	ck_assert_uint_ge(n_states, 2); /* the event changed something */
	core_close(w->core);

	for (k = 0; crashed; k++) {
		set_the_scene();
		w->unchecked = true;
		steps_left = k;
		abandoned[n_abandoned++] = w->core;
		crashed = setjmp(crash_point);
		if (!crashed) {
			core_set_store_hook(count_down, NULL);
			events[_i]();
		}
		core_set_store_hook(NULL, NULL);
		ck_assert_int_eq(core_open(&w->core, &w->config, w->memory, w->size, w->now, w->now),
			0);
		core_check(w->core);
		ck_assert_msg(is_known(digest()), "event %d, crash at step %u", _i, k);
		/* And it goes on from there. */
		core_resume(w->core, w->now, w->now);
		core_check(w->core);
		core_close(w->core);
	}
	ck_assert_uint_gt(k, 3);
}
END_TEST

START_TEST(a_crash_during_the_roll_back_is_rolled_back_too)
{
	uint64_t before;
	unsigned int crashed;

	for (volatile unsigned int k = 0; k < 40; k++) {
		set_the_scene();
		before = digest();
		steps_left = 17; /* in the middle of it */
		abandoned[n_abandoned++] = w->core;
		if (setjmp(crash_point) == 0) {
			core_set_store_hook(count_down, NULL);
			event_delete_pinned();
			ck_abort_msg("the event is too short for this test");
		}
		steps_left = k;
		crashed = setjmp(crash_point);
		if (!crashed) {
			struct tables tables;
			bool used;

			tables_open(&tables, &w->config, w->memory, w->size, &used);
		}
		core_set_store_hook(NULL, NULL);
		ck_assert_int_eq(core_open(&w->core, &w->config, w->memory, w->size, w->now, w->now),
			0);
		core_check(w->core);
		ck_assert_uint_eq(digest(), before);
		core_close(w->core);
	}
}
END_TEST

/* The journal cannot hold the end of a client that holds this much: it ends in steps. */
#define MANY 100000

static void crowd(uint32_t *a)
{
	static struct wire_item items[4000];

	w->config.capacity = UINT64_C(1) << 40;
	w->config.max_objects = MANY + 10;
	w->config.max_fds = WORLD_FDS;
	w->unchecked = true;
	world_start(w);
	*a = connect_as(w, 1000);
	for (unsigned int i = 0; i < MANY; i++) {
		items[i % ARRAY_SIZE(items)] = (struct wire_item){ .id = id_of(i + 1), .data = "" };
		if ((i + 1) % ARRAY_SIZE(items) == 0)
			ck_assert_int_eq(ask(w, *a, (struct wire_request){ .type = WIRE_PUT,
				.items = items, .n_items = ARRAY_SIZE(items) }, -1), 0);
	}
}

static void crash_after(unsigned int steps, void (*event)(uint32_t a), uint32_t a)
{
	steps_left = steps;
	abandoned[n_abandoned++] = w->core;
	if (setjmp(crash_point) == 0) {
		core_set_store_hook(count_down, NULL);
		event(a);
		ck_abort_msg("the event is too short for this test");
	}
	core_set_store_hook(NULL, NULL);
	ck_assert_int_eq(core_open(&w->core, &w->config, w->memory, w->size, w->now, w->now), 0);
	core_check(w->core);
}

/* Return: how many events it took besides. */
static unsigned int give_back_all(void)
{
	unsigned int n = 0;

	for (; core_deadline(w->core) <= w->now; n++) {
		core_tick(w->core, w->now, w->now);
		world_settle(w);
	}
	return n;
}

static void disconnect_it(uint32_t a)
{
	core_disconnect(w->core, w->now, a);
	(void)give_back_all();
}

static void fork_it(uint32_t a)
{
	const struct wire_request request = { .type = WIRE_FORK };

	core_request(w->core, w->now, a, &request, 9, NULL);
}

START_TEST(the_end_of_a_client_is_finished_by_the_heir)
{
	uint32_t a;

	crowd(&a);
	crash_after(2 * MANY, disconnect_it, a);
	ck_assert_uint_eq(world_totals(w).connections, 0);
	ck_assert_uint_eq(world_totals(w).resident, MANY);
	core_close(w->core);
}
END_TEST

/* Its end is no long event: others are served in between, and none of it is forgotten. */
START_TEST(the_end_of_a_client_lets_others_be_served)
{
	uint32_t a, b, c;

	crowd(&a);
	b = connect_as(w, 0);
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	core_check(w->core);
	ck_assert_uint_eq(world_totals(w).connections, 1);
	ck_assert_int_eq(simple(w, b, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 0);
	ck_assert_int_eq(simple(w, b, WIRE_STAT, MANY), 0);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 1); /* later */
	c = connect_as(w, 1000);
	ck_assert_uint_ne(a, c); /* its place is not free yet */
	core_disconnect(w->core, w->now, c);
	world_settle(w);
	ck_assert_uint_eq(give_back_all(), MANY / CORE_GIVE_BACK);
	core_check(w->core);
	ck_assert_int_eq(simple(w, b, WIRE_STAT, MANY), 0);
	ck_assert_uint_eq(world_last(w)->items[0].refs, 0);
	core_close(w->core);
}
END_TEST

START_TEST(a_worker_that_dies_between_the_steps_of_an_end_leaves_the_rest_to_its_heir)
{
	uint32_t a;

	crowd(&a);
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	abandoned[n_abandoned++] = w->core;
	ck_assert_int_eq(core_open(&w->core, &w->config, w->memory, w->size, w->now, w->now), 0);
	core_check(w->core);
	ck_assert_uint_eq(world_totals(w).connections, 0);
	core_resume(w->core, w->now, w->now);
	world_settle(w);
	ck_assert_uint_eq(give_back_all(), 0);
	ck_assert_uint_eq(world_totals(w).resident, MANY);
	core_close(w->core);
}
END_TEST

START_TEST(the_fork_of_a_client_is_finished_by_the_heir)
{
	uint32_t a, root;

	crowd(&a);
	crash_after(4 * MANY, fork_it, a);
	ck_assert_uint_eq(world_totals(w).connections, 2);
	core_resume(w->core, w->now, w->now);
	world_settle(w);
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	(void)give_back_all();
	root = connect_as(w, 0);
	for (unsigned int i = 1; i <= MANY; i += 997) {
		ck_assert_int_eq(simple(w, root, WIRE_STAT, i), 0);
		ck_assert_uint_eq(world_last(w)->items[0].refs, 1);
	}
	core_close(w->core);
}
END_TEST

static void fresh_world(void)
{
	memset(w, 0, sizeof *w);
}

int main(void)
{
	const TTest *const tests[] = {
		objects_names_leases_and_connections_survive_the_worker,
		reconcile_cuts_to_what_the_client_lists,
		the_order_of_eviction_survives,
		a_lost_descriptor_is_told,
		a_connection_whose_socket_is_lost_ends,
		events_go_on_where_the_dead_worker_stopped,
		a_note_that_a_crash_spoiled_is_told_as_lost,
		foreign_memory_is_refused,
		memory_that_grew_beyond_a_smaller_capacity_is_evicted_on_resume,
		a_put_that_was_done_is_not_done_again,
		a_put_that_was_evicted_meanwhile_is_done_again,
		seal_and_create_can_be_sent_again,
		what_came_later_is_not_undone_by_a_retry,
		an_item_that_failed_the_first_time_fails_again,
		a_lease_can_be_taken_again,
		a_crash_during_the_roll_back_is_rolled_back_too,
		the_end_of_a_client_is_finished_by_the_heir,
		the_end_of_a_client_lets_others_be_served,
		a_worker_that_dies_between_the_steps_of_an_end_leaves_the_rest_to_its_heir,
		the_fork_of_a_client_is_finished_by_the_heir,
	};

	return world_suite_and_loop("core-crash", tests, ARRAY_SIZE(tests), fresh_world,
		a_crash_at_any_store_leaves_the_state_of_some_commit, ARRAY_SIZE(events));
}
