/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a uid is charged with, and where that ends: rules R9 and R14 of core/core.h. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core-world.h"
#include "util/cleanup.h"
#include "util/clock.h"


static struct world world, *const w = &world;

static struct core_quota quotas[8];

static void set_quota(uid_t uid, enum core_resource of, uint64_t limit)
{
	quotas[w->config.n_quotas++] = (struct core_quota){ .uid = uid, .limit = limit, .of = of };
	w->config.quotas = quotas;
}

static uint64_t used(uid_t uid, const char *what)
{
	char key[64];

	(void)snprintf(key, sizeof key, "uids.%u.%s", uid, what);
	return counter(w, key);
}

static bool says(const char *words)
{
	return strstr(world_last(w)->text, words) != NULL;
}

static bool is_known(uid_t uid)
{
	const uint32_t root = connect_as(w, 0);
	const struct wire_request request = { .type = WIRE_STATUS, .serial = w->next_serial++ };
	struct core_effect effect;
	char key[64];
	bool known = false;

	(void)snprintf(key, sizeof key, "uids.%u.bytes", uid);
	core_request(w->core, w->now, root, &request, -1, NULL);
	ck_assert(core_next_effect(w->core, &effect));
	for (uint32_t i = 0; i < effect.reply.n_fields; i++)
		known |= strcmp(effect.reply.fields[i].key, key) == 0;
	core_disconnect(w->core, w->now, root);
	world_settle(w);
	return known;
}

/* Hold it up for its quota, and see that it is told so, that nobody else waits, and that its
 * own idle object goes for it. */
static void expect_quota(uint32_t a, uint32_t other, const char *sentence, const char *key)
{
	ck_assert_int_eq(create_until(w, a, 100, 1, SECOND), PENDING);
	ck_assert_int_eq(put(w, other, 101, 1), 0);
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_msg(says(sentence) && says(key), "%s", world_last(w)->text);
	ck_assert_int_eq(create_until(w, a, 100, 1, SECOND), PENDING);
	release(w, a, 1, 1, 0);
	ck_assert_int_eq(world_last(w)->status, 0);
	ck_assert(!exists(w, 1) && exists(w, 101));
}

START_TEST(objects_are_bounded_by_uid)
{
	uint32_t a, b;

	set_quota(1001, CORE_OBJECTS, 3);
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	for (unsigned int i = 1; i <= 3; i++)
		ck_assert_int_eq(put(w, a, i, 1), 0);
	ck_assert_uint_eq(used(1001, "objects"), 3);
	expect_quota(a, b, "uid 1001 has 3 objects, and its quota is 3", "quota_objects");
	world_end(w);
}
END_TEST

START_TEST(descriptors_are_bounded_by_uid)
{
	uint32_t a, b;

	set_quota((uid_t)-1, CORE_DESCRIPTORS, UINT64_MAX);
	set_quota(1001, CORE_DESCRIPTORS, 3);
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	for (unsigned int i = 1; i <= 3; i++)
		ck_assert_int_eq(create(w, a, i, 100), 0);
	ck_assert_uint_eq(used(1001, "descriptors"), 3);
	ck_assert_uint_eq(used(1001, "connections"), 1);
	ck_assert_int_eq(simple(w, a, WIRE_SEAL, 1), 0);
	expect_quota(a, b, "uid 1001 uses 3 descriptors, and its quota is 3", "quota_descriptors");
	world_end(w);
}
END_TEST

/* What others have is no help to who has used up a quota, and what was not granted is not pinned. */
START_TEST(the_sentence_tells_of_the_uid_whose_quota_it_is)
{
	const struct wire_item others = { .id = id_of(1), .size = PAGE, .data = "x", .data_size = 1,
		.flags = WIRE_ITEM_HOLD | WIRE_ITEM_PIN };
	const struct wire_item own = { .id = id_of(3), .size = 2 * PAGE, .flags = WIRE_ITEM_PIN };
	uint32_t a, b;

	set_quota(1001, CORE_BYTES, 2 * PAGE);
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	ck_assert_int_eq(ask(w, b, (struct wire_request){ .type = WIRE_PUT, .items = &others,
		.n_items = 1 }, -1), 0);
	ck_assert_int_eq(put(w, a, 2, 1), 0);
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_CREATE, .items = &own,
		.n_items = 1, .timeout_ns = 1 }, -1), PENDING);
	world_tick(w, SECOND);
	ck_assert_int_eq(world_last(w)->status, -ENOBUFS);
	ck_assert_msg(says("quota") && says("uid 1001 pid") && !says("uid 1002") &&
		!says("kept") && !says("pinned"), "%s", world_last(w)->text);
	world_end(w);
}
END_TEST

/* It is here when it is looked at, so it cannot wait for its quota. */
START_TEST(an_offered_memfd_counts_from_its_arrival)
{
	struct wire_item item = { .id = id_of(9), .size = PAGE };
	uint32_t a;

	set_quota(1001, CORE_DESCRIPTORS, 2);
	world_start(w);
	a = connect_as(w, 1001);
	ck_assert_int_eq(create(w, a, 1, 100), 0);
	ck_assert_int_eq(create(w, a, 2, 100), 0);
	w->fd_open[60] = true;
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_PUT_FD, .items = &item,
		.n_items = 1 }, 60), -ENOBUFS);
	ck_assert(says("uid 1001 uses all 2 descriptors of its quota"));
	ck_assert(says("quota_descriptors"));
	ck_assert_int_eq(simple(w, a, WIRE_ABORT, 1), 0);
	w->fd_open[61] = true;
	ck_assert_int_eq(ask(w, a, (struct wire_request){ .type = WIRE_PUT_FD, .items = &item,
		.n_items = 1 }, 61), 0);
	ck_assert_uint_eq(used(1001, "descriptors"), 2);
	world_end(w);
}
END_TEST

START_TEST(who_may_have_none_is_told_at_once)
{
	uint32_t a;

	set_quota(1001, CORE_OBJECTS, 0);
	set_quota(1002, CORE_DESCRIPTORS, 0);
	world_start(w);
	a = connect_as(w, 1001);
	ck_assert_int_eq(put(w, a, 1, 1), -EDQUOT);
	ck_assert(says("quota_objects"));
	a = connect_as(w, 1002);
	ck_assert_int_eq(put(w, a, 1, 1), -EDQUOT);
	ck_assert(says("quota_descriptors"));
	world_end(w);
}
END_TEST

START_TEST(waiting_requests_are_bounded_by_uid)
{
	uint32_t a, b, other;

	set_quota(1001, CORE_REQUESTS, 3);
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1001);
	other = connect_as(w, 1002);
	ck_assert_int_eq(get(w, a, 1, FOREVER_NS, 0), PENDING);
	ck_assert_int_eq(get(w, a, 2, FOREVER_NS, 0), PENDING);
	ck_assert_int_eq(get(w, b, 3, FOREVER_NS, 0), PENDING);
	ck_assert_uint_eq(used(1001, "requests"), 3);
	ck_assert_int_eq(get(w, b, 4, FOREVER_NS, 0), -EBUSY);
	ck_assert(says("3 requests of uid 1001 wait already") && says("quota_requests"));
	ck_assert_int_eq(get(w, other, 4, FOREVER_NS, 0), PENDING);
	ck_assert_int_eq(put(w, other, 5, 1), 0);
	ck_assert_int_eq(get(w, b, 5, 0, 0), -ENOENT); /* what need not wait is answered */
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	ck_assert_uint_eq(used(1001, "requests"), 1);
	ck_assert_int_eq(get(w, b, 4, FOREVER_NS, 0), PENDING);
	world_end(w);
}
END_TEST

START_TEST(connections_have_a_quota_besides_the_common_one)
{
	struct wire_request hello = { .type = WIRE_HELLO, .serial = 1, .version_min = 1,
		.version_max = 1 };
	struct core_peer peer = { .uid = 1001, .call_fd = -1, .service_fd = -1, .pid_fd = -1 };
	uint32_t conn;

	set_quota(1001, CORE_CONNECTIONS, 2);
	world_start(w);
	(void)connect_as(w, 1001);
	(void)connect_as(w, 1001);
	ck_assert_int_eq(core_connect(w->core, w->now, &peer, &hello, &conn), -EDQUOT);
	ck_assert_uint_eq(core_quota_of(w->core, 1001, CORE_CONNECTIONS), 2);
	ck_assert_uint_eq(core_quota_of(w->core, 1002, CORE_CONNECTIONS),
		w->config.max_connections_per_uid);
	(void)connect_as(w, 1002);
	(void)connect_as(w, 1002);
	(void)connect_as(w, 1002);
	world_end(w);
}
END_TEST

/* A reader must not use up the quota of who cannot do anything about it. */
START_TEST(what_is_deleted_is_charged_to_who_keeps_it)
{
	uint32_t owner, first, second;

	set_quota(1001, CORE_BYTES, 4 * PAGE);
	world_start(w);
	first = connect_as(w, 1002);
	second = connect_as(w, 1003);
	owner = connect_as(w, 1001);
	ck_assert_int_eq(put_mode(w, owner, 1, 3 * PAGE, 0644), 0);
	ck_assert_int_eq(get(w, second, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_int_eq(get(w, first, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_int_eq(get(w, owner, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_uint_eq(used(1001, "bytes"), 3 * PAGE);
	ck_assert_int_eq(simple(w, owner, WIRE_DELETE, 1), 0);
	ck_assert_uint_eq(used(1001, "bytes"), 3 * PAGE); /* its owner maps it yet */
	release(w, owner, 1, 2, 1);
	ck_assert_uint_eq(used(1001, "objects"), 0);
	ck_assert_uint_eq(used(1002, "bytes"), 3 * PAGE); /* the oldest connection's */
	ck_assert_uint_eq(used(1003, "bytes"), 0);
	ck_assert_int_eq(create(w, owner, 2, 4 * PAGE), 0);
	world_crash(w);
	ck_assert_uint_eq(used(1002, "bytes"), 3 * PAGE);
	reconcile(w, first, (struct wire_item[]){ { .id = id_of(1), .refs = 1 } }, 1);
	ck_assert_uint_eq(used(1002, "bytes"), 0);
	ck_assert_uint_eq(used(1003, "bytes"), 3 * PAGE);
	reconcile(w, second, NULL, 0);
	ck_assert_uint_eq(used(1003, "bytes"), 0);
	ck_assert_uint_eq(used(1002, "objects"), 1); /* it refers to what has no memory any more */
	world_end(w);
}
END_TEST

START_TEST(one_of_several_users_does_not_fill_the_area_for_metadata)
{
	static uint8_t metadata[WIRE_METADATA_MAX];
	struct wire_item item = { .metadata = metadata, .metadata_size = sizeof metadata };
	uint32_t a, b;
	unsigned int n = 0;
	int r = 0;

	w->config.shared = true;
	w->config.capacity = UINT64_C(1) << 32;
	w->config.max_objects = 2048; /* the area is 64 MiB at the least */
	w->config.max_fds = 1200;
	w->unchecked = true;
	world_start(w);
	a = connect_as(w, 1001);
	b = connect_as(w, 1002);
	while (r == 0 && n < 1024) {
		item.id = id_of(++n);
		r = ask(w, a, (struct wire_request){ .type = WIRE_PUT, .items = &item,
			.n_items = 1, .timeout_ns = 1 }, -1);
	}
	ck_assert_int_eq(r, PENDING);
	ck_assert_uint_eq(n, 512 + 1);
	world_tick(w, SECOND);
	ck_assert_msg(says("uid 1001 has 32 MiB of metadata") && says("may take 32 MiB of the 64 MiB"), "%s",
		world_last(w)->text);
	item.id = id_of(5000);
	ck_assert_int_eq(ask(w, b, (struct wire_request){ .type = WIRE_PUT, .items = &item,
		.n_items = 1 }, -1), 0);
	world_end(w);
}
END_TEST

START_TEST(an_account_without_charges_is_forgotten)
{
	uint32_t a, b;

	world_start(w);
	b = connect_as(w, 1002);
	a = connect_as(w, 1001);
	ck_assert_int_eq(put_mode(w, a, 1, 10, 0644), 0);
	ck_assert(is_known(1001));
	core_disconnect(w->core, w->now, a);
	world_settle(w);
	ck_assert(is_known(1001)); /* for its object */
	ck_assert_int_eq(get(w, b, 1, 0, WIRE_GET_MAP), 0);
	ck_assert_int_eq(simple(w, connect_as(w, 0), WIRE_DELETE, 1), 0);
	ck_assert(!is_known(1001)); /* uid 1002 is charged for what it maps */
	for (uid_t uid = 2000; uid < 2100; uid++) {
		core_disconnect(w->core, w->now, connect_as(w, uid));
		world_settle(w);
		ck_assert(!is_known(uid));
	}
	world_end(w);
}
END_TEST

START_TEST(others_are_not_told_what_a_uid_uses)
{
	struct wire_request request = { .type = WIRE_STATUS };
	struct core_effect effect;
	unsigned int n_own = 0;
	uint32_t a;

	world_start(w);
	(void)connect_as(w, 1002);
	a = connect_as(w, 1001);
	request.serial = w->next_serial++;
	core_request(w->core, w->now, a, &request, -1, NULL);
	ck_assert(core_next_effect(w->core, &effect));
	for (uint32_t i = 0; i < effect.reply.n_fields; i++) {
		if (strncmp(effect.reply.fields[i].key, "uids.", 5) != 0)
			continue;
		ck_assert_int_eq(strncmp(effect.reply.fields[i].key, "uids.1001.", 10), 0);
		n_own++;
	}
	ck_assert_uint_gt(n_own, 4);
	world_settle(w);
	world_end(w);
}
END_TEST

START_TEST(quotas_can_be_changed)
{
	struct core_config config;
	uint32_t a;

	world_start(w);
	a = connect_as(w, 1001);
	ck_assert_int_eq(put(w, a, 1, 1), 0);
	ck_assert_int_eq(put(w, a, 2, 1), 0);
	config = w->config;
	set_quota(1001, CORE_OBJECTS, 2);
	config.quotas = quotas;
	config.n_quotas = 1;
	ck_assert_int_eq(core_configure(w->core, w->now, &config, NULL), 0);
	ck_assert_int_eq(create_until(w, a, 3, 1, SECOND), PENDING);
	quotas[0].limit = 0;
	ck_assert_int_eq(core_configure(w->core, w->now, &config, NULL), 0);
	world_settle(w);
	ck_assert_int_eq(world_last(w)->status, -EDQUOT);
	quotas[0].limit = 3;
	ck_assert_int_eq(core_configure(w->core, w->now, &config, NULL), 0);
	ck_assert_int_eq(put(w, a, 3, 1), 0);
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
		objects_are_bounded_by_uid,
		descriptors_are_bounded_by_uid,
		the_sentence_tells_of_the_uid_whose_quota_it_is,
		an_offered_memfd_counts_from_its_arrival,
		who_may_have_none_is_told_at_once,
		waiting_requests_are_bounded_by_uid,
		connections_have_a_quota_besides_the_common_one,
		what_is_deleted_is_charged_to_who_keeps_it,
		one_of_several_users_does_not_fill_the_area_for_metadata,
		an_account_without_charges_is_forgotten,
		others_are_not_told_what_a_uid_uses,
		quotas_can_be_changed,
	};

	return world_suite("accounts", tests, ARRAY_SIZE(tests), fresh_world);
}
