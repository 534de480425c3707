/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of objects besides their bytes: rule R17 of core/core.h, and LIST by it. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct world world, *const w = &world;

/* A list of texts and its size. */
#define LIST(text) .labels = (text), .labels_size = sizeof(text)

static int ask_item(uint32_t conn, uint16_t type, unsigned int id, struct wire_item item)
{
	item.id = id_of(id);
	return ask(w, conn, (struct wire_request){ .type = type, .items = &item, .n_items = 1 }, -1);
}

/* A page without references to it, so that it may be evicted. */
static int put_idle(uint32_t conn, unsigned int id, struct wire_item item)
{
	int r;

	item.data = "x";
	item.data_size = 1;
	r = ask_item(conn, WIRE_PUT, id, item);
	if (r == 0)
		release(w, conn, id, 1, 0);
	return r;
}

static int set(uint32_t conn, unsigned int id, struct wire_item item)
{
	return ask_item(conn, WIRE_SET, id, item);
}

static int list(uint32_t conn, struct wire_request request)
{
	request.type = WIRE_LIST;
	return ask(w, conn, request, -1);
}

static const struct wire_item *stat_item(uint32_t conn, unsigned int id)
{
	ck_assert_int_eq(simple(w, conn, WIRE_STAT, id), 0);
	return &world_last(w)->items[0];
}

static uint64_t metadata_bytes(void)
{
	return world_totals(w).metadata_bytes;
}

/* ---- what is told and kept ---- */

START_TEST(attributes_are_told_and_survive_the_worker)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	ck_assert_int_eq(ask_item(a, WIRE_PUT, 1, (struct wire_item){ .data = "x", .data_size = 1,
		LIST("b=2\0a=1"), .call_site = "main.c:3 main", .priority = -5,
		.ttl_ns = 10 * SECOND, .flags = WIRE_ITEM_PIN }), 0);
	ck_assert_uint_eq(metadata_bytes(), 64);
	for (int i = 0; i < 2; i++) {
		const struct wire_item *item = stat_item(a, 1);

		ck_assert_str_eq(world_last(w)->labels, "a=1/b=2/");
		ck_assert_str_eq(world_last(w)->call_site, "main.c:3 main");
		ck_assert_int_eq(item->priority, -5);
		ck_assert(item->flags & WIRE_ITEM_PIN);
		ck_assert_int_gt(item->expires_ns, 9 * SECOND);
		world_crash(w);
		reconcile(w, a, &(struct wire_item){ .id = id_of(1), .refs = 1 }, 1);
	}
	ck_assert_uint_eq(metadata_bytes(), 64);
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_uint_eq(metadata_bytes(), 0);
	put(w, a, 2, 1); /* who has none pays nothing */
	ck_assert_uint_eq(metadata_bytes(), 0);
	ck_assert_int_eq(stat_item(a, 2)->expires_ns, 0);
	ck_assert_uint_eq(world_last(w)->items[0].labels_size, 0);
	world_end(w);
}
END_TEST

START_TEST(attributes_of_a_draft_are_kept_while_it_waits)
{
	const struct wire_item big = { .size = 2 * PAGE, LIST("a=1"), .ttl_ns = SECOND };
	uint32_t a;

	w->config.capacity = 3 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, PAGE + 1);
	ck_assert_int_eq(ask_item(a, WIRE_CREATE, 2, big), PENDING);
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_int_eq(stat_item(a, 2)->expires_ns, 0); /* its time has not begun */
	ck_assert_str_eq(world_last(w)->labels, "a=1/");
	world_tick(w, 2 * SECOND);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 2), 0);
	world_tick(w, SECOND / 2);
	ck_assert(exists(w, 2));
	world_tick(w, SECOND);
	ck_assert(!exists(w, 2));
	world_end(w);
}
END_TEST

START_TEST(attributes_that_cannot_be_are_refused_with_a_sentence)
{
	static const struct {
		struct wire_item item;
		const char *text;
	} cases[] = {
		{ { LIST("a b=1") }, "label" },
		{ { LIST("key") }, "label" },
		{ { LIST("a=1\0a=2") }, "twice" },
		{ { .priority = 16 }, "priority" },
		{ { .priority = -16 }, "priority" },
		{ { .priority = INT32_MIN }, "priority" },
		{ { .ttl_ns = -1, .flags = WIRE_ITEM_TTL }, "negative" },
	};
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(ask_item(a, WIRE_PUT, 2, cases[i].item), -EINVAL);
		ck_assert_ptr_nonnull(strstr(world_last(w)->text, cases[i].text));
		ck_assert_int_eq(ask_item(a, WIRE_CREATE, 2, cases[i].item), -EINVAL);
		ck_assert_int_eq(set(a, 1, cases[i].item), -EINVAL);
		ck_assert_ptr_nonnull(strstr(world_last(w)->text, cases[i].text));
	}
	world_end(w);
}
END_TEST

/* ---- SET ---- */

START_TEST(labels_are_set_and_removed_one_by_one)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put(w, a, 1, 10);
	ck_assert_int_eq(set(a, 1, (struct wire_item){ LIST("b=2\0a=1") }), 0);
	(void)stat_item(a, 1);
	ck_assert_str_eq(world_last(w)->labels, "a=1/b=2/");
	ck_assert_int_eq(set(a, 1, (struct wire_item){ LIST("a=one"), .unlabel = "b\0none",
		.unlabel_size = 7 }), 0);
	(void)stat_item(a, 1);
	ck_assert_str_eq(world_last(w)->labels, "a=one/");
	world_crash(w);
	reconcile(w, a, &(struct wire_item){ .id = id_of(1), .refs = 1 }, 1);
	(void)stat_item(a, 1);
	ck_assert_str_eq(world_last(w)->labels, "a=one/");
	ck_assert_int_eq(set(a, 1, (struct wire_item){ .unlabel = "a", .unlabel_size = 2 }), 0);
	ck_assert_uint_eq(stat_item(a, 1)->labels_size, 0);
	ck_assert_uint_eq(metadata_bytes(), 0);
	world_end(w);
}
END_TEST

START_TEST(only_the_owner_and_root_may_set)
{
	uint32_t a, b, root;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	root = connect_as(w, 0);
	put_mode(w, a, 1, 10, 0666);
	put_mode(w, a, 2, 10, 0600);
	ck_assert_int_eq(set(b, 1, (struct wire_item){ LIST("a=1") }), -EACCES);
	ck_assert_int_eq(set(b, 2, (struct wire_item){ LIST("a=1") }), -ENOENT);
	ck_assert_int_eq(set(root, 2, (struct wire_item){ LIST("a=1") }), 0);
	ck_assert_int_eq(set(a, 3, (struct wire_item){ LIST("a=1") }), -ENOENT);
	create(w, a, 3, 10);
	ck_assert_int_eq(set(a, 3, (struct wire_item){ LIST("a=1") }), -EINVAL); /* a draft */
	world_end(w);
}
END_TEST

START_TEST(labels_need_room_and_nothing_is_evicted_for_them)
{
	uint32_t a;

	w->config.capacity = 2 * PAGE + 64;
	world_start(w);
	a = connect_as(w, 1000);
	put_idle(a, 1, (struct wire_item){ .size = 0 });
	put(w, a, 2, 10);
	ck_assert_int_eq(set(a, 2, (struct wire_item){ LIST("a=1") }), 0);
	ck_assert_int_eq(set(a, 2, (struct wire_item){ LIST("a=0123456789"), .priority = 3,
		.flags = WIRE_ITEM_PRIORITY }), 0); /* no more than before */
	ck_assert_int_eq(set(a, 1, (struct wire_item){ LIST("a=1"), .priority = 3,
		.flags = WIRE_ITEM_PRIORITY }), -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "raise capacity"));
	ck_assert_int_eq(stat_item(a, 1)->priority, 0); /* nothing of it was done */
	world_end(w);
}
END_TEST

START_TEST(a_set_that_is_sent_again_changes_nothing_twice)
{
	const struct wire_item item = { .id = id_of(1), LIST("a=1") };
	struct wire_request request = { .type = WIRE_SET, .items = &item, .n_items = 1 };
	uint32_t a, root;

	world_start(w);
	a = connect_as(w, 1000);
	root = connect_as(w, 0);
	put(w, a, 1, 10);
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	request.serial = last_serial(w);
	world_crash(w);
	reconcile(w, root, NULL, 0);
	ck_assert_int_eq(set(root, 1, (struct wire_item){ LIST("a=root") }), 0);
	reconcile(w, a, &(struct wire_item){ .id = id_of(1), .refs = 1 }, 1);
	w->retry = true;
	ck_assert_int_eq(ask(w, a, request, -1), 0);
	w->retry = false;
	(void)stat_item(a, 1);
	ck_assert_str_eq(world_last(w)->labels, "a=root/");
	world_end(w);
}
END_TEST

/* ---- time to live ---- */

START_TEST(an_object_goes_when_its_time_ends_whoever_holds_it)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	ck_assert_int_eq(ask_item(a, WIRE_PUT, 1, (struct wire_item){ .data = "x", .data_size = 1,
		.mode = 0644, .ttl_ns = SECOND, .flags = WIRE_ITEM_PIN | WIRE_ITEM_HOLD,
		.name = "value" }), 0);
	ck_assert_int_eq(get(w, b, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_int_le(core_deadline(w->core), w->now + SECOND);
	world_tick(w, SECOND / 2);
	ck_assert_int_eq(get(w, b, 1, 0, WIRE_GET_MAP), 0);
	world_tick(w, SECOND / 2);
	ck_assert_int_eq(get(w, b, 1, SECOND, WIRE_GET_MAP), -ENOENT);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "time to live"));
	ck_assert_int_eq(named(w, a, WIRE_LOOKUP, "value"), -ENOENT);
	ck_assert_uint_eq(world_totals(w).charged_bytes, PAGE); /* b still maps it */
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_SUBSCRIBE, .cursor = 3 }, -1),
		0);
	ck_assert_uint_eq(world_last(w)->n_items, 1);
	ck_assert_uint_eq(world_last(w)->items[0].event, WIRE_EVENT_EXPIRED);
	put(w, a, 1, 10); /* the id is free */
	release(w, b, 1, 2, 2);
	ck_assert_uint_eq(world_totals(w).charged_bytes, PAGE);
	world_end(w);
}
END_TEST

START_TEST(a_time_that_ends_while_the_worker_is_dead_ends)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put_idle(a, 1, (struct wire_item){ .ttl_ns = SECOND });
	put_idle(a, 2, (struct wire_item){ .ttl_ns = 5 * SECOND });
	world_die(w);
	w->now += 2 * SECOND;
	world_resume(w);
	reconcile(w, a, NULL, 0);
	world_tick(w, 0);
	ck_assert(!exists(w, 1));
	ck_assert(exists(w, 2));
	world_tick(w, 4 * SECOND);
	ck_assert(!exists(w, 2));
	world_end(w);
}
END_TEST

/* A busy broker reads requests before it looks at the time. */
START_TEST(nobody_sees_what_is_over_though_no_tick_was)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	put_idle(a, 1, (struct wire_item){ .ttl_ns = SECOND });
	put_idle(a, 2, (struct wire_item){ .ttl_ns = SECOND });
	w->now += SECOND - 1;
	ck_assert(exists(w, 1));
	w->now += 1;
	ck_assert_int_eq(set(a, 1, (struct wire_item){ .flags = WIRE_ITEM_TTL }), -ENOENT);
	ck_assert(!exists(w, 1) && !exists(w, 2));
	put(w, a, 2, 10); /* the id is free */
	world_end(w);
}
END_TEST

START_TEST(a_time_is_set_anew_or_taken_away)
{
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 3; i++)
		put_idle(a, i, (struct wire_item){ .ttl_ns = i == 3 ? 0 : SECOND });
	ck_assert_int_eq(set(a, 1, (struct wire_item){ .flags = WIRE_ITEM_TTL,
		.ttl_ns = 3 * SECOND }), 0);
	ck_assert_int_eq(set(a, 2, (struct wire_item){ .flags = WIRE_ITEM_TTL }), 0);
	ck_assert_int_eq(set(a, 3, (struct wire_item){ .flags = WIRE_ITEM_TTL,
		.ttl_ns = SECOND }), 0);
	ck_assert_int_eq(set(a, 3, (struct wire_item){ .flags = WIRE_ITEM_TTL,
		.ttl_ns = FOREVER_NS }), 0);
	world_tick(w, 2 * SECOND);
	ck_assert(exists(w, 1) && exists(w, 2) && exists(w, 3));
	ck_assert_int_eq(stat_item(a, 2)->expires_ns, 0);
	ck_assert_uint_eq(metadata_bytes(), 64); /* the first one's */
	world_tick(w, SECOND);
	ck_assert(!exists(w, 1) && exists(w, 2));
	ck_assert_int_eq(core_deadline(w->core), INT64_MAX);
	world_end(w);
}
END_TEST

START_TEST(very_many_times_end_in_steps)
{
	uint32_t a;
	unsigned int left = 1000;

	w->config.capacity = 1 << 30;
	w->config.max_objects = w->config.max_fds = 10000;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 1000; i++)
		put_idle(a, i, (struct wire_item){ .ttl_ns = SECOND });
	world_tick(w, 2 * SECOND);
	ck_assert_uint_gt(world_totals(w).resident, 0); /* one event is not long */
	while (core_deadline(w->core) <= w->now) {
		world_tick(w, 0);
		ck_assert_uint_lt(world_totals(w).resident, left);
		left = world_totals(w).resident;
	}
	ck_assert_uint_eq(left, 0);
	world_end(w);
}
END_TEST

/* ---- priority ---- */

START_TEST(the_lowest_priority_goes_first)
{
	static const int priorities[] = { 0, 15, -15, 0, -1 };
	static const unsigned int order[] = { 3, 5, 1, 4, 2 };
	uint32_t a;

	w->config.capacity = 5 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 0; i < ARRAY_SIZE(priorities); i++)
		put_idle(a, i + 1, (struct wire_item){ .priority = priorities[i] });
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		if (i == 2) /* an heir knows them too */
			world_crash(w);
		if (i == 2)
			reconcile(w, a, (struct wire_item[]){ { .id = id_of(100), .refs = 1 },
				{ .id = id_of(101), .refs = 1 } }, 2);
		put(w, a, 100 + i, 10);
		for (unsigned int k = 0; k < ARRAY_SIZE(order); k++)
			ck_assert(exists(w, order[k]) == (k > i));
	}
	world_end(w);
}
END_TEST

START_TEST(a_quota_evicts_by_priority_too)
{
	const struct core_quota quota = { 1000, 3 * PAGE };
	uint32_t a, b;

	w->config.quotas = &quota;
	w->config.n_quotas = 1;
	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put_idle(a, 1, (struct wire_item){ .priority = 1 });
	put_idle(b, 2, (struct wire_item){ .priority = -9 });
	put_idle(a, 3, (struct wire_item){ .priority = 0 });
	put_idle(a, 4, (struct wire_item){ .priority = 2 });
	put(w, a, 5, 10);
	ck_assert(exists(w, 1) && exists(w, 2) && !exists(w, 3) && exists(w, 4));
	world_end(w);
}
END_TEST

START_TEST(another_priority_is_another_place)
{
	uint32_t a;

	w->config.capacity = 3 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 3; i++)
		put_idle(a, i, (struct wire_item){ .size = 0 });
	ck_assert_int_eq(set(a, 1, (struct wire_item){ .flags = WIRE_ITEM_PRIORITY,
		.priority = 1 }), 0);
	ck_assert_int_eq(set(a, 1, (struct wire_item){ .flags = WIRE_ITEM_PRIORITY }), 0);
	put(w, a, 11, 10); /* all have the same again, and 1 was used last */
	ck_assert(exists(w, 1) && !exists(w, 2) && exists(w, 3));
	ck_assert_int_eq(set(a, 1, (struct wire_item){ .flags = WIRE_ITEM_PRIORITY,
		.priority = -1 }), 0);
	put(w, a, 12, 10);
	ck_assert(!exists(w, 1) && exists(w, 3));
	world_end(w);
}
END_TEST

/* ---- hard pins ---- */

START_TEST(what_is_pinned_hard_stays_until_it_is_unpinned_or_deleted)
{
	uint32_t a, root;

	w->config.capacity = 4 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	root = connect_as(w, 0);
	put_idle(a, 1, (struct wire_item){ .flags = WIRE_ITEM_PIN });
	put_idle(a, 2, (struct wire_item){ .flags = WIRE_ITEM_PIN });
	ck_assert_int_eq(create_until(w, a, 3, 3 * PAGE, 1), PENDING);
	world_tick(w, 10);
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "by uid 1000: unpin some"));
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "2 objects"));
	world_crash(w);
	reconcile(w, a, NULL, 0);
	reconcile(w, root, NULL, 0);
	ck_assert_int_eq(set(root, 1, (struct wire_item){ .flags = WIRE_ITEM_UNPIN }), 0);
	ck_assert_int_eq(simple(w, a, WIRE_DELETE, 2), 0);
	ck_assert_int_eq(create(w, a, 3, 3 * PAGE + 1), 0);
	ck_assert(!exists(w, 1));
	world_end(w);
}
END_TEST

START_TEST(a_uid_pins_half_of_the_capacity_at_most)
{
	const struct wire_item pin = { .flags = WIRE_ITEM_PIN };
	uint32_t a, root;

	w->config.capacity = 8 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	root = connect_as(w, 0);
	for (unsigned int i = 1; i <= 3; i++)
		ck_assert_int_eq(put_idle(a, i, pin), 0);
	ck_assert_int_eq(ask_item(a, WIRE_CREATE, 4, (struct wire_item){ .size = 2 * PAGE,
		.flags = WIRE_ITEM_PIN }), -EDQUOT);
	ck_assert_ptr_nonnull(strstr(world_last(w)->text, "half"));
	put_idle(a, 5, (struct wire_item){ .size = 0 });
	ck_assert_int_eq(set(a, 5, pin), 0);
	put_idle(a, 6, (struct wire_item){ .size = 0 });
	ck_assert_int_eq(set(a, 6, pin), -EDQUOT);
	ck_assert_int_eq(set(a, 5, pin), 0); /* it is already */
	ck_assert_int_eq(put_idle(root, 7, pin), 0);
	world_crash(w);
	reconcile(w, a, NULL, 0);
	reconcile(w, root, NULL, 0);
	ck_assert_int_eq(set(a, 6, pin), -EDQUOT);
	ck_assert_int_eq(set(a, 5, (struct wire_item){ .flags = WIRE_ITEM_UNPIN }), 0);
	ck_assert_int_eq(set(a, 6, pin), 0);
	simple(w, a, WIRE_DELETE, 1);
	ck_assert_int_eq(put_idle(a, 8, pin), 0);
	ck_assert_int_eq(put_idle(a, 9, pin), -EDQUOT);
	world_end(w);
}
END_TEST

START_TEST(pins_of_creates_that_end_are_given_back)
{
	const struct wire_item pin = { .size = 2 * PAGE, .flags = WIRE_ITEM_PIN };
	uint32_t a;

	w->config.capacity = 4 * PAGE;
	world_start(w);
	a = connect_as(w, 1000);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ask_item(a, WIRE_CREATE, 1, pin), 0);
		ck_assert_int_eq(simple(w, a, WIRE_ABORT, 1), 0);
	}
	w->make_result = -ENOMEM;
	ck_assert_int_eq(ask_item(a, WIRE_CREATE, 1, pin), -ENOMEM);
	w->make_result = 0;
	put(w, a, 2, 3 * PAGE);
	ck_assert_int_eq(ask_item(a, WIRE_CREATE, 1, pin), PENDING);
	ask(w, a, (struct wire_request){ .type = WIRE_CANCEL, .cursor = last_serial(w) }, -1);
	ck_assert_int_eq(ask_item(a, WIRE_CREATE, 1, pin), PENDING); /* not refused */
	world_end(w);
}
END_TEST

/* ---- LIST ---- */

START_TEST(list_finds_by_label_and_name)
{
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put_idle(a, 1, (struct wire_item){ LIST("job=7\0step=1"), .mode = 0644, .name = "m/one" });
	put_idle(a, 2, (struct wire_item){ LIST("job=7"), .mode = 0600, .name = "m/two" });
	put_idle(a, 3, (struct wire_item){ LIST("job=8"), .mode = 0644, .name = "other" });
	put_idle(a, 4, (struct wire_item){ .mode = 0644, .flags = WIRE_ITEM_HOLD });
	ck_assert_int_eq(list(a, (struct wire_request){ LIST("job") }), 0);
	ck_assert_uint_eq(world_last(w)->n_items, 3);
	list(a, (struct wire_request){ LIST("job=7") });
	ck_assert_uint_eq(world_last(w)->n_items, 2);
	list(a, (struct wire_request){ LIST("job=7\0step=1") });
	ck_assert_uint_eq(world_last(w)->n_items, 1);
	list(a, (struct wire_request){ .name = "m/*" });
	ck_assert_uint_eq(world_last(w)->n_items, 2);
	list(a, (struct wire_request){ .name = "m/*", LIST("step") });
	ck_assert_uint_eq(world_last(w)->n_items, 1);
	ck_assert_str_eq(world_last(w)->names[0], "m/one");
	list(b, (struct wire_request){ LIST("job=7") });
	ck_assert_uint_eq(world_last(w)->n_items, 1);
	list(b, (struct wire_request){ .name = "*" });
	ck_assert_uint_eq(world_last(w)->n_items, 3); /* an id is matched as well */
	list(a, (struct wire_request){ .name = "none" });
	ck_assert_uint_eq(world_last(w)->n_items, 0);
	ck_assert_uint_eq(world_last(w)->cursor, 0);
	world_end(w);
}
END_TEST

START_TEST(a_costly_pattern_ends_the_page_and_not_the_broker)
{
	static char pattern[WIRE_NAME_MAX + 1], name[WIRE_NAME_MAX + 1];
	uint32_t a, pages = 0, found = 0;
	uint64_t cursor = 0;

	memset(name, 'a', WIRE_NAME_MAX);
	w->config.capacity = 1 << 30;
	w->config.max_objects = w->config.max_fds = 10000;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 200; i++) {
		memcpy(name, (const char[]){ (char)('a' + i % 26), (char)('a' + i / 26) }, 2);
		name[WIRE_NAME_MAX - 1] = i == 200 ? 'a' : 'b';
		put_idle(a, i, (struct wire_item){ .name = name });
	}
	pattern[0] = '*';
	memset(pattern + 1, 'a', 121);
	do {
		list(a, (struct wire_request){ .name = pattern, .cursor = cursor });
		cursor = world_last(w)->cursor;
		found += world_last(w)->n_items;
		pages++;
	} while (cursor);
	ck_assert_uint_eq(found, 1);
	ck_assert_uint_gt(pages, 1);
	world_end(w);
}
END_TEST

START_TEST(list_with_holders_tells_who_holds_what)
{
	const struct answer *answer;
	uint32_t a, b;

	world_start(w);
	a = connect_as(w, 1000);
	b = connect_as(w, 1001);
	put_mode(w, a, 1, 10, 0644);
	get(w, b, 1, 0, WIRE_GET_MAP);
	hold(w, a, "one", 1);
	put_idle(a, 2, (struct wire_item){ .flags = WIRE_ITEM_HOLD });
	put_mode(w, a, 3, 10, 0600);
	get(w, a, 3, 0, WIRE_GET_MAP);
	lease(w, a, WIRE_LEASE, 3, 77);
	simple(w, a, WIRE_DELETE, 3);
	list(a, (struct wire_request){ .flags = WIRE_LIST_HOLDERS });
	answer = world_last(w);
	ck_assert_uint_eq(answer->n_items, 3);
	ck_assert_uint_eq(answer->n_holders, 4);
	ck_assert_uint_eq(answer->holders[0].item, 0);
	ck_assert_uint_eq(answer->holders[0].kind, 1);
	ck_assert_uint_eq(answer->holders[1].uid, 1001);
	ck_assert_uint_eq(answer->holders[1].pins, 1);
	ck_assert_str_eq(answer->holder_texts[2], "one");
	ck_assert_uint_eq(answer->holders[3].item, 2);
	ck_assert_uint_eq(answer->holders[3].refs, 2);
	ck_assert(answer->items[1].flags & WIRE_ITEM_HOLD);
	ck_assert(answer->items[2].flags & WIRE_ITEM_DELETED);
	list(b, (struct wire_request){ .flags = WIRE_LIST_HOLDERS });
	ck_assert_uint_eq(world_last(w)->n_items, 1); /* of others' deleted ones not a word */
	list(a, (struct wire_request){ .flags = 0 });
	ck_assert_uint_eq(world_last(w)->n_items, 2);
	ck_assert_uint_eq(world_last(w)->n_holders, 0);
	world_end(w);
}
END_TEST

START_TEST(holders_of_one_object_come_in_pages)
{
	struct wire_request next = { .flags = WIRE_LIST_HOLDERS };
	uint32_t a, total = 0, pages = 0, items = 0;

	w->config.capacity = 1 << 30;
	w->config.max_objects = w->config.max_fds = 10000;
	world_start(w);
	a = connect_as(w, 1000);
	for (unsigned int i = 1; i <= 3; i++)
		put(w, a, i, 10);
	for (unsigned int i = 0; i < 2500; i++)
		ck_assert_int_eq(lease(w, a, WIRE_LEASE, 2, 1 + i), 0);
	do {
		list(a, next);
		next.cursor = world_last(w)->cursor;
		next.skip = world_last(w)->skip;
		total += world_last(w)->n_holders;
		items += world_last(w)->n_items;
		pages++;
	} while (next.cursor);
	ck_assert_uint_eq(total, 2500 + 3);
	ck_assert_uint_eq(pages, 3);
	ck_assert_uint_eq(items, 3 + 2); /* object 2 begins two pages again */
	list(a, (struct wire_request){ .flags = WIRE_LIST_HOLDERS });
	next.cursor = world_last(w)->cursor;
	next.skip = world_last(w)->skip;
	ck_assert_uint_gt(next.skip, 0);
	simple(w, a, WIRE_DELETE, 2); /* in between: what is skipped is its alone */
	release(w, a, 2, 1, 0);
	list(a, next);
	ck_assert_uint_eq(world_last(w)->n_items, 1);
	ck_assert_uint_eq(world_last(w)->n_holders, 1);
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
		attributes_are_told_and_survive_the_worker,
		attributes_of_a_draft_are_kept_while_it_waits,
		attributes_that_cannot_be_are_refused_with_a_sentence,
		labels_are_set_and_removed_one_by_one,
		only_the_owner_and_root_may_set,
		labels_need_room_and_nothing_is_evicted_for_them,
		a_set_that_is_sent_again_changes_nothing_twice,
		an_object_goes_when_its_time_ends_whoever_holds_it,
		a_time_that_ends_while_the_worker_is_dead_ends,
		nobody_sees_what_is_over_though_no_tick_was,
		a_time_is_set_anew_or_taken_away,
		very_many_times_end_in_steps,
		the_lowest_priority_goes_first,
		a_quota_evicts_by_priority_too,
		another_priority_is_another_place,
		what_is_pinned_hard_stays_until_it_is_unpinned_or_deleted,
		a_uid_pins_half_of_the_capacity_at_most,
		pins_of_creates_that_end_are_given_back,
		list_finds_by_label_and_name,
		a_costly_pattern_ends_the_page_and_not_the_broker,
		list_with_holders_tells_who_holds_what,
		holders_of_one_object_come_in_pages,
	};

	return world_suite("attributes", tests, ARRAY_SIZE(tests), fresh_world);
}
