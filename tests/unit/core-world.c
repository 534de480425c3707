/* SPDX-License-Identifier: GPL-2.0-or-later */
#undef NDEBUG
#include <assert.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core-world.h"
#include "util/cleanup.h"

#define FIRST_FD 10

static char zeros[WIRE_INLINE_MAX];

/* ---- descriptors ---- */

static int open_fd(struct world *world)
{
	ck_assert_int_lt(world->next_fd, WORLD_FDS);
	world->fd_open[world->next_fd] = true;
	return world->next_fd++;
}

static void close_fd(struct world *world, int fd)
{
	ck_assert_msg(fd >= 0 && world->fd_open[fd], "descriptor %d is closed twice", fd);
	world->fd_open[fd] = false;
}

/* ---- life ---- */

void world_start(struct world *world)
{
	struct core_config *config = &world->config;

	config->capacity = config->capacity ? config->capacity : 64 * PAGE;
	config->max_fds = config->max_fds ? config->max_fds : 1000;
	config->max_objects = config->max_objects ? config->max_objects : 500;
	config->max_connections = config->max_connections ? config->max_connections : 50;
	config->max_connections_per_uid =
		config->max_connections_per_uid ? config->max_connections_per_uid : 20;
	config->inline_max = 1024;
	config->queue_deadline_ns = 10 * SECOND;
	config->transit_lease_ns = 600 * SECOND;
	config->arena_base = UINT64_C(0x200000000000);
	world->adopt_size = UINT64_MAX;
	world->size = core_memory_size(config);
	world->memory = mmap(NULL, world->size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(world->memory, MAP_FAILED);
	world->now = SECOND;
	world->next_serial = 1;
	world->next_fd = FIRST_FD;
	ck_assert_int_eq(core_open(&world->core, config, world->memory, world->size, world->now,
		world->now), 0);
}

void world_end(struct world *world)
{
	bool named[WORLD_FDS] = { false };
	uint64_t cursor = 0;
	struct core_fd fd;

	memset(world->hold, 0, sizeof world->hold);
	for (int type = CORE_REPLY; type <= CORE_PACK_PUNCH; type++)
		world_carry_out(world, type);
	world_settle(world);
	while (core_next_fd(world->core, &cursor, &fd))
		named[fd.fd] = true;
	for (int i = FIRST_FD; i < world->next_fd; i++)
		ck_assert_msg(named[i] == world->fd_open[i], "descriptor %d is %s", i,
			named[i] ? "named but closed" : "leaked");
	world->core = core_close(world->core);
	munmap(world->memory, world->size);
	if (world->pack)
		munmap(world->pack, world->pack_size);
	world->pack = NULL;
}

void world_die(struct world *world)
{
	bool named[WORLD_FDS] = { false };
	uint64_t cursor = 0;
	struct core_fd fd;

	world->n_held = 0;
	core_close(world->core);
	ck_assert_int_eq(core_open(&world->core, &world->config, world->memory, world->size,
		world->now, world->now), 0);
	while (core_next_fd(world->core, &cursor, &fd)) {
		ck_assert_msg(world->fd_open[fd.fd], "descriptor %d is named but closed", fd.fd);
		named[fd.fd] = true;
	}
	for (int i = FIRST_FD; i < world->next_fd; i++)
		world->fd_open[i] = named[i];
}

void world_resume(struct world *world)
{
	core_resume(world->core, world->now, world->now);
	world_settle(world);
}

void world_crash(struct world *world)
{
	world_die(world);
	world_resume(world);
}

/* ---- effects ---- */

static void keep_reply(struct world *world, const struct core_effect *effect)
{
	struct answer *answer = &world->answers[world->n_answers++ % WORLD_REPLIES];
	const struct wire_reply *reply = &effect->reply;

	memset(answer, 0, sizeof *answer);
	answer->conn = effect->conn;
	answer->type = reply->type;
	answer->serial = reply->serial;
	answer->status = reply->status;
	answer->n_items = reply->n_items;
	answer->n_fds = effect->n_fds;
	answer->n_holders = reply->n_holders;
	answer->cursor = reply->cursor;
	answer->skip = reply->skip;
	answer->lost = reply->lost;
	answer->generation = reply->generation;
	ck_assert((reply->status < 0) == (reply->text != NULL));
	if (reply->text)
		snprintf(answer->text, sizeof answer->text, "%s", reply->text);
	ck_assert_uint_eq(reply->n_fds, effect->n_fds);
	for (uint32_t i = 0; i < effect->n_fds && i < ARRAY_SIZE(answer->fds); i++) {
		ck_assert(world->fd_open[effect->fds[i]]);
		answer->fds[i] = effect->fds[i];
	}
	for (uint32_t i = 0; i < reply->n_items && i < ARRAY_SIZE(answer->items); i++) {
		answer->items[i] = reply->items[i];
		answer->places[i] = effect->inline_places ? effect->inline_places[i] :
			(struct core_place){ .fd = CORE_PLACE_NONE };
		if (reply->items[i].names_size)
			snprintf(answer->names[i], sizeof answer->names[i], "%s",
				reply->items[i].names);
		ck_assert(reply->items[i].metadata_size == 0 || reply->items[i].metadata);
	}
	for (uint32_t i = 0; i < reply->n_holders && i < ARRAY_SIZE(answer->holders); i++) {
		answer->holders[i] = reply->holders[i];
		snprintf(answer->holder_texts[i], sizeof answer->holder_texts[i], "%s",
			reply->holders[i].text);
	}
	if (reply->n_items && reply->items[0].call_site)
		snprintf(answer->call_site, sizeof answer->call_site, "%s",
			reply->items[0].call_site);
	for (uint32_t i = 0; reply->n_items && i < reply->items[0].labels_size &&
		i < sizeof answer->labels - 1; i++)
		answer->labels[i] = reply->items[0].labels[i] ? reply->items[0].labels[i] : '/';
	if (reply->n_items && reply->items[0].metadata_size)
		memcpy(answer->metadata, reply->items[0].metadata,
			MIN(reply->items[0].metadata_size, sizeof answer->metadata));
}

/* At most eight bytes, and zeros. */
static uint64_t first_bytes(const char *from, size_t size)
{
	uint64_t bytes = 0;

	if (from)
		memcpy(&bytes, from, MIN(size, sizeof bytes));
	return bytes;
}

static void write_pack(struct world *world, const struct core_pack_write *write)
{
	char *to = world->pack + write->offset;

	if (write->from.fd == CORE_PLACE_NONE)
		memcpy(to, write->data, write->size);
	else if (write->from.fd == CORE_PLACE_PACK)
		memcpy(to, world->pack + write->from.offset, write->size);
	else
		memcpy(to, &world->fd_bytes[write->from.fd],
			MIN(write->size, sizeof world->fd_bytes[0]));
}

/* What is done before the answer.  Return: MAKE: what is written into the memfd. */
static uint64_t begin(struct world *world, const struct core_effect *effect)
{
	switch (effect->type) {
	case CORE_MAKE:
		return effect->from_pack ?
			first_bytes(world->pack + effect->offset, effect->size) :
			first_bytes(effect->data, effect->data_size);
	case CORE_PACK_WRITE:
		for (uint32_t i = 0; i < effect->n_writes && world->pack_result == 0; i++)
			write_pack(world, &effect->writes[i]);
		return 0;
	case CORE_PACK_PUNCH:
		ck_assert_int_eq(madvise(world->pack + effect->offset, effect->size, MADV_REMOVE), 0);
		return 0;
	default:
		return 0;
	}
}

static int open_pack(struct world *world, uint64_t size)
{
	if (!world->with_pack)
		return -1;
	world->pack_size = size;
	world->pack = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(world->pack, MAP_FAILED);
	return open_fd(world);
}

static void carry_out(struct world *world, const struct core_effect *effect, uint64_t bytes)
{
	struct core *core = world->core;
	int fd;

	switch (effect->type) {
	case CORE_REPLY:
		keep_reply(world, effect);
		break;
	case CORE_MAKE:
		fd = effect->fd >= 0 ? effect->fd : world->make_result ? -1 : open_fd(world);
		if (fd >= 0)
			world->fd_bytes[fd] = bytes;
		core_made(core, world->now, effect->ticket, world->make_result, fd,
			fd >= 0 ? fd + 1000 : 0);
		break;
	case CORE_ADOPT:
		core_adopted(core, world->now, effect->ticket, world->adopt_result,
			effect->fd + 1000,
			world->adopt_size == UINT64_MAX ? effect->size : world->adopt_size);
		break;
	case CORE_SEAL:
		ck_assert(world->fd_open[effect->fd]);
		core_sealed(core, world->now, effect->ticket, world->seal_result);
		break;
	case CORE_CLOSE:
		close_fd(world, effect->fd);
		world->n_closes++;
		core_closed(core, world->now, effect->ticket);
		break;
	case CORE_CLOSE_STRANGER:
		close_fd(world, effect->fd);
		world->n_strangers++;
		break;
	case CORE_DISCONNECT:
		ck_assert_ptr_nonnull(effect->text);
		world->n_disconnects++;
		break;
	case CORE_POOL_FILL:
		world->n_fills++;
		core_pool_filled(core, world->now, effect->ticket, world->fill_result,
			world->fill_result ? -1 : open_fd(world), 7, effect->size);
		break;
	case CORE_PACK_OPEN:
		fd = open_pack(world, effect->size);
		core_pack_opened(core, world->now, effect->ticket, fd < 0 ? -EMFILE : 0, fd,
			fd < 0 ? 0 : fd + 1000);
		break;
	case CORE_PACK_WRITE:
		core_packed(core, world->now, effect->ticket, world->pack_result);
		break;
	case CORE_PACK_PUNCH:
		if (effect->ticket)
			core_packed(core, world->now, effect->ticket, 0);
		break;
	case CORE_PACK_GIVE:
		break;
	}
}

static void check(struct world *world)
{
	const struct core_totals totals = world_totals(world);

	if (world->unchecked)
		return;
	core_check(world->core);
	ck_assert_uint_le(totals.charged_bytes + totals.metadata_bytes + totals.freeing_bytes +
		totals.pool_bytes, world->config.capacity);
	ck_assert_uint_le(totals.fds, world->config.max_fds);
}

void world_settle(struct world *world)
{
	struct core_effect effect;

	check(world);
	while (core_next_effect(world->core, &effect)) {
		const uint64_t bytes = begin(world, &effect);

		if (world->hold[effect.type]) {
			ck_assert_uint_lt(world->n_held, WORLD_HELD);
			world->held_bytes[world->n_held] = bytes;
			world->held[world->n_held++] = effect;
		} else {
			carry_out(world, &effect, bytes);
			check(world);
		}
	}
}

void world_carry_out(struct world *world, enum core_effect_type type)
{
	const unsigned int n = world->n_held;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct core_effect effect = world->held[i];
		const uint64_t bytes = world->held_bytes[i];

		if (effect.type == type) {
			carry_out(world, &effect, bytes);
		} else {
			world->held_bytes[kept] = bytes;
			world->held[kept++] = effect;
		}
	}
	world->n_held = kept;
	world_settle(world);
}

void world_tick(struct world *world, int64_t ns)
{
	world->now += ns;
	if (core_deadline(world->core) <= world->now)
		core_tick(world->core, world->now, world->now);
	world_settle(world);
}

const struct answer *world_answer(const struct world *world, uint32_t conn, uint64_t serial)
{
	for (unsigned int i = 0; i < MIN(world->n_answers, WORLD_REPLIES); i++)
		if (world->answers[i].conn == conn && world->answers[i].serial == serial)
			return &world->answers[i];
	return NULL;
}

const struct answer *world_last(const struct world *world)
{
	return &world->answers[(world->n_answers - 1) % WORLD_REPLIES];
}

struct core_totals world_totals(const struct world *world)
{
	struct core_totals totals;

	core_totals(world->core, &totals);
	return totals;
}

/* ---- requests ---- */

struct id128 id_of(unsigned int number)
{
	struct id128 id = { { 0 } };

	memcpy(id.bytes, &number, sizeof number);
	id.bytes[15] = 1;
	return id;
}

uint32_t connect_as(struct world *world, uid_t uid)
{
	const struct wire_request hello = {
		.type = WIRE_HELLO,
		.serial = world->next_serial++,
		.version_min = 1,
		.version_max = 1,
	};
	const struct core_peer peer = {
		.pid = 100 + world->next_serial,
		.uid = uid,
		.gid = uid,
		.comm = "tester",
		.call_fd = -1,
		.service_fd = -1,
		.pid_fd = -1,
	};
	uint32_t conn;

	ck_assert_int_eq(core_connect(world->core, world->now, &peer, &hello, &conn), 0);
	world_settle(world);
	return conn;
}

int ask(struct world *world, uint32_t conn, struct wire_request request, int fd)
{
	const struct answer *answer;

	if (!request.serial)
		request.serial = world->next_serial++;
	request.retry = world->retry;
	core_request(world->core, world->now, conn, &request, fd, NULL);
	world_settle(world);
	answer = world_answer(world, conn, request.serial);
	return answer ? answer->status : PENDING;
}

uint64_t last_serial(const struct world *world)
{
	return world->next_serial - 1;
}

int put_mode(struct world *world, uint32_t conn, unsigned int id, uint32_t size, uint32_t mode)
{
	const struct wire_item item = {
		.id = id_of(id), .size = size, .mode = mode, .data = zeros, .data_size = size
	};

	return ask(world, conn,
		(struct wire_request){ .type = WIRE_PUT, .items = &item, .n_items = 1 }, -1);
}

int put(struct world *world, uint32_t conn, unsigned int id, uint32_t size)
{
	return put_mode(world, conn, id, size, 0);
}

int create_until(struct world *world, uint32_t conn, unsigned int id, uint64_t size,
	int64_t timeout)
{
	const struct wire_item item = { .id = id_of(id), .size = size };

	return ask(world, conn, (struct wire_request){ .type = WIRE_CREATE, .items = &item,
		.n_items = 1, .timeout_ns = timeout }, -1);
}

int create(struct world *world, uint32_t conn, unsigned int id, uint64_t size)
{
	return create_until(world, conn, id, size, 0);
}

int simple(struct world *world, uint32_t conn, uint16_t type, unsigned int id)
{
	const struct wire_item item = { .id = id_of(id) };

	return ask(world, conn, (struct wire_request){ .type = type, .items = &item, .n_items = 1 },
		-1);
}

int get(struct world *world, uint32_t conn, unsigned int id, int64_t timeout, uint32_t flags)
{
	const struct wire_item item = { .id = id_of(id) };

	return ask(world, conn, (struct wire_request){ .type = WIRE_GET, .items = &item,
		.n_items = 1, .timeout_ns = timeout, .flags = flags }, -1);
}

int get_two(struct world *world, uint32_t conn, unsigned int a, unsigned int b, int64_t timeout)
{
	const struct wire_item items[] = { { .id = id_of(a) }, { .id = id_of(b) } };

	return ask(world, conn, (struct wire_request){ .type = WIRE_GET, .items = items,
		.n_items = 2, .timeout_ns = timeout, .flags = WIRE_GET_REF }, -1);
}

void release(struct world *world, uint32_t conn, unsigned int id, uint32_t refs, uint32_t pins)
{
	const struct wire_item item = { .id = id_of(id), .refs = refs, .pins = pins };

	ask(world, conn, (struct wire_request){ .type = WIRE_RELEASE, .items = &item, .n_items = 1 },
		-1);
}

int hold(struct world *world, uint32_t conn, const char *name, unsigned int id)
{
	const struct wire_item item = { .id = id_of(id) };

	return ask(world, conn, (struct wire_request){ .type = WIRE_HOLD, .items = &item,
		.n_items = 1, .name = name }, -1);
}

int named(struct world *world, uint32_t conn, uint16_t type, const char *name)
{
	return ask(world, conn, (struct wire_request){ .type = type, .name = name }, -1);
}

int lease(struct world *world, uint32_t conn, uint16_t type, unsigned int id, unsigned int token)
{
	const struct wire_item item = { .id = id_of(id) };

	return ask(world, conn, (struct wire_request){ .type = type, .items = &item, .n_items = 1,
		.token = id_of(token) }, -1);
}

void reconcile(struct world *world, uint32_t conn, const struct wire_item *items, uint32_t n)
{
	ask(world, conn, (struct wire_request){ .type = WIRE_RECONCILE, .items = items, .n_items = n,
		.generation = core_generation(world->core) }, -1);
}

bool exists(struct world *world, unsigned int id)
{
	const uint32_t root = connect_as(world, 0);
	const bool found = simple(world, root, WIRE_STAT, id) == 0;

	core_disconnect(world->core, world->now, root);
	world_settle(world);
	return found;
}

uint64_t bytes_of(const struct world *world, const struct answer *answer, unsigned int item)
{
	const struct core_place *place = &answer->places[item];
	unsigned int n_fds = 0;

	ck_assert_uint_lt(item, answer->n_items);
	if (answer->items[item].flags & WIRE_ITEM_INLINE)
		return place->fd == CORE_PLACE_PACK ? first_bytes(world->pack + place->offset,
			answer->items[item].data_size) : world->fd_bytes[place->fd];
	ck_assert(answer->items[item].flags & WIRE_ITEM_FD);
	for (unsigned int i = 0; i < item; i++)
		n_fds += (answer->items[i].flags & WIRE_ITEM_FD) != 0;
	return world->fd_bytes[answer->fds[n_fds]];
}

uint64_t counter_as(struct world *world, uint32_t conn, const char *key)
{
	const struct wire_request request = { .type = WIRE_STATUS, .serial = world->next_serial++ };
	uint64_t number = UINT64_MAX;
	struct core_effect effect;

	core_request(world->core, world->now, conn, &request, -1, NULL);
	ck_assert(core_next_effect(world->core, &effect));
	for (uint32_t i = 0; i < effect.reply.n_fields; i++)
		if (strcmp(effect.reply.fields[i].key, key) == 0)
			number = effect.reply.fields[i].number;
	ck_assert_msg(number != UINT64_MAX, "no field %s", key);
	world_settle(world);
	return number;
}

uint64_t counter(struct world *world, const char *key)
{
	const uint32_t root = connect_as(world, 0);
	const uint64_t number = counter_as(world, root, key);

	core_disconnect(world->core, world->now, root);
	world_settle(world);
	return number;
}

int world_suite_and_loop(const char *name, const TTest *const *tests, size_t n,
	void (*setup)(void), const TTest *loop, size_t n_loop)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, n_loop ? 120 : 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	if (n_loop)
		tcase_add_loop_test(tcase, loop, 0, (int)n_loop);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int world_suite(const char *name, const TTest *const *tests, size_t n, void (*setup)(void))
{
	return world_suite_and_loop(name, tests, n, setup, NULL, 0);
}
