/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/make.h"
#include "core/pool.h"
#include "core/room.h"
#include "core/state.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define MIB          (UINT64_C(1) << 20)
#define BIG          (1 * MIB)   /* smaller creates do not need the pool */
#define UNIT         (2 * MIB)   /* fills are multiples of this */
#define FIRST_TARGET (256 * MIB) /* in one piece, which serves what is smaller too */
#define WINDOW_NS    (10 * NS_PER_S)
#define IDLE_NS      (60 * NS_PER_S)
#define RETRY_NS     (10 * NS_PER_S)
#define FILLS_MAX    2           /* at a time */
#define WRITING_NS   (200 * NS_PER_MS)

static struct pool_record *entry_at(const struct core *core, uint32_t e)
{
	return &core->tables.pool[e];
}

/* ---- entries ---- */

static void entry_remove(struct core *core, uint32_t e)
{
	struct pool_record *record = entry_at(core, e);

	core->pool.bytes -= record->bytes;
	core->n_pool--;
	tables_change(&core->tables, &record->used);
	record->used = 0;
}

/* Would an entry of this many bytes do for an object of this size?  It may have to grow to
 * double.  And it may be trimmed: a huge page is freed forty times faster than it is copied
 * into, four pages of 4 KiB as fast as one is made. */
static bool serves(const struct core *core, uint64_t bytes, uint64_t size)
{
	return bytes >= size / 2 && bytes / (core->config.huge_pages ? 4 : 2) <= MAX(size, UNIT);
}

/* The smallest entry that is large enough, else the largest.  Return: TABLES_NONE if none serves. */
static uint32_t best_entry(const struct core *core, uint64_t size)
{
	uint32_t best = TABLES_NONE;

	if (size < BIG || core->n_pool == 0)
		return TABLES_NONE;
	for (uint32_t e = 0; e < TABLES_POOL_MAX; e++) {
		const struct pool_record *record = entry_at(core, e);
		const uint64_t bytes = record->bytes;
		uint64_t so_far;

		if (!record->used || !serves(core, bytes, size))
			continue;
		so_far = best == TABLES_NONE ? 0 : entry_at(core, best)->bytes;
		if (bytes >= size ? so_far < size || bytes < so_far : bytes > so_far)
			best = e;
	}
	return best;
}

static bool suits(const struct core *core, const struct make *make, uint32_t e)
{
	const uint64_t bytes = entry_at(core, e)->bytes;
	struct cost cost = make_cost(core, make);

	/* What is too much is charged until it is trimmed. */
	cost.bytes = cost.metadata + MAX(make->charge, bytes);
	return room_quota_fits(core, make->account, cost) && room_has(core, cost.bytes - bytes);
}

bool pool_helps(const struct core *core, const struct make *make)
{
	const uint32_t e = make->fd < 0 && make->object == TABLES_NONE ? best_entry(core, make->size) : TABLES_NONE;

	return e != TABLES_NONE && suits(core, make, e);
}

static void note_demand(struct core *core, uint64_t size)
{
	struct pool *pool = &core->pool;

	if (size < BIG)
		return;
	if (core->now - pool->window_start_ns > WINDOW_NS) {
		const bool adjacent = core->now - pool->window_start_ns <= 2 * WINDOW_NS;

		pool->last_window_bytes = adjacent ? pool->window_bytes : 0;
		pool->window_bytes = 0;
		pool->window_start_ns = core->now;
	}
	pool->window_bytes += size;
	pool->recent[pool->next_recent++ % POOL_RECENT] = (size + UNIT - 1) & ~(UNIT - 1);
}

struct pool_memfd pool_take(struct core *core, const struct make *make)
{
	struct pool_memfd memfd = { .fd = -1 };
	uint32_t e;

	core->pool.last_create_ns = core->now;
	if (make->fd >= 0 || make->object != TABLES_NONE)
		return memfd;
	if (make->size >= BIG)
		core->pool.last_big_ns = core->now;
	note_demand(core, make->size);
	e = best_entry(core, make->size);
	if (e == TABLES_NONE || !suits(core, make, e))
		return memfd;
	memfd.fd = entry_at(core, e)->fd;
	memfd.bytes = entry_at(core, e)->bytes;
	entry_remove(core, e);
	return memfd;
}

static void give_back(struct core *core, uint32_t e)
{
	const struct pool_record *record = entry_at(core, e);

	entry_remove(core, e);
	effect_close(core, record->fd, record->bytes);
}

bool pool_shed(struct core *core)
{
	for (uint32_t e = 0; core->n_pool && e < TABLES_POOL_MAX; e++)
		if (entry_at(core, e)->used) {
			give_back(core, e);
			return true;
		}
	return false;
}

uint64_t pool_idle_bytes(const struct core *core)
{
	uint64_t bytes = 0;

	for (uint32_t e = 0; core->n_pool && e < TABLES_POOL_MAX; e++)
		if (entry_at(core, e)->used)
			bytes += entry_at(core, e)->bytes;
	return bytes;
}

/* ---- plan ---- */

static uint64_t target(const struct core *core)
{
	const struct pool *pool = &core->pool;
	const uint64_t capacity = core_capacity(core);
	const uint64_t demand = MAX(pool->window_bytes, pool->last_window_bytes);
	const uint64_t first = MIN(FIRST_TARGET, capacity / 10);

	return MIN(MAX(first, MIN(demand, capacity / 4)), core->config.pool_max);
}

int64_t pool_idle_at(const struct core *core)
{
	return core->pool.last_create_ns + IDLE_NS;
}

bool pool_is_idle(const struct core *core)
{
	return core->now >= pool_idle_at(core);
}

/* Is somebody writing a big draft?  He needs the memory bus more than the next one does.
 * Who takes longer than WRITING_NS does not hold up the pool. */
static bool is_being_written(const struct core *core)
{
	return (core->n_created || core->n_making) &&
		core->now - core->pool.last_big_ns < WRITING_NS;
}

static bool has_entry_of(const struct core *core, uint64_t bytes)
{
	for (uint32_t e = 0; e < TABLES_POOL_MAX; e++)
		if (entry_at(core, e)->used && entry_at(core, e)->bytes == bytes)
			return true;
	return false;
}

/* Would an entry of this many bytes be taken for a size that was asked for of late? */
static bool is_wanted(const struct core *core, uint64_t bytes)
{
	for (uint32_t i = 0; i < POOL_RECENT; i++) {
		const uint64_t size = core->pool.recent[i];

		if (size && serves(core, bytes, size))
			return true;
	}
	return core->pool.next_recent == 0; /* nothing was asked for yet */
}

/* An entry that none of the recent creates would have taken; TABLES_NONE: there is none. */
static uint32_t unwanted_entry(const struct core *core)
{
	for (uint32_t e = 0; core->n_pool && e < TABLES_POOL_MAX; e++)
		if (entry_at(core, e)->used && !is_wanted(core, entry_at(core, e)->bytes))
			return e;
	return TABLES_NONE;
}

/* A size for the next fill that leaves the pool within its target; 0: none. */
static uint64_t next_size(struct core *core)
{
	struct pool *pool = &core->pool;
	const uint64_t goal = target(core), left = goal > pool->bytes ? goal - pool->bytes : 0;
	uint64_t smaller = 0;

	for (uint32_t i = 0; i < POOL_RECENT; i++) {
		const uint64_t size = pool->recent[(pool->next_fill + i) % POOL_RECENT];

		if (size && size <= left && (!has_entry_of(core, size) || i == POOL_RECENT - 1)) {
			pool->next_fill += i + 1;
			return size;
		}
		smaller = MAX(smaller, size <= left ? size : 0);
	}
	if (smaller)
		return smaller;
	if (pool->next_recent) /* half of what is asked for still helps: it can grow */
		return pool->recent[(pool->next_recent - 1) % POOL_RECENT] / 2 <= left ?
			left & ~(UNIT - 1) : 0;
	return left & ~(UNIT - 1);
}

static void fill(struct core *core)
{
	struct pool *pool = &core->pool;
	struct operation *operation;
	struct core_effect *effect;
	const uint64_t size = next_size(core);

	/* Never at anybody's cost: an eighth stays free beside it. */
	if (size == 0 || !room_has(core, size + core_capacity(core) / 8) || !room_has_fds(core, 1))
		return;
	effect = effect_add(core, CORE_POOL_FILL);
	effect->ticket = operation_new(core, OPERATION_FILL, &operation);
	effect->size = size;
	operation->bytes = size;
	pool->bytes += size;
	pool->n_filling++;
	core->n_fds++;
}

void pool_start(struct core *core)
{
	if (core->pool.started)
		return;
	core->pool.started = true;
	core->pool.last_create_ns = core->now;
}

void pool_plan(struct core *core)
{
	struct pool *pool = &core->pool;
	uint32_t e;

	if (!pool->started || core->config.pool_max == 0 || !core->resumed)
		return;
	if (pool_is_idle(core)) {
		while (pool_shed(core))
			;
		return;
	}
	/* Entries of sizes that nobody asks for make place for those that are. */
	e = unwanted_entry(core);
	if (e != TABLES_NONE)
		give_back(core, e);
	else if (core->n_pool && pool->bytes > target(core))
		pool_shed(core);
	if (core->queue.n == 0 && !is_being_written(core) && pool->n_filling < FILLS_MAX &&
		core->n_pool + pool->n_filling < TABLES_POOL_MAX && core->now >= pool->retry_ns)
		fill(core);
}

int64_t pool_deadline(const struct core *core)
{
	if (core->pool.started && is_being_written(core))
		return core->pool.last_big_ns + WRITING_NS;
	if (core->n_pool == 0)
		return FOREVER_NS;
	return pool_idle_at(core);
}

void pool_filled(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode,
	uint64_t bytes)
{
	struct pool *pool = &core->pool;
	const uint64_t asked = operation_get(core, ticket, OPERATION_FILL)->bytes;
	uint32_t e = 0;

	operation_end(core, ticket);
	pool->bytes -= asked;
	pool->n_filling--;
	if (result < 0 || fd < 0) {
		core->n_fds--;
		pool->retry_ns = core->now + RETRY_NS;
		return;
	}
	if (bytes > asked || pool_is_idle(core)) {
		effect_close(core, fd, asked);
		return;
	}
	while (entry_at(core, e)->used)
		e++;
	*tables_change(&core->tables, entry_at(core, e)) =
		(struct pool_record){ .fd = fd, .used = 1, .inode = inode, .bytes = bytes };
	pool->bytes += bytes;
	core->n_pool++;
}

/* ---- recovery ---- */

void pool_recover(struct core *core)
{
	for (uint32_t e = 0; e < TABLES_POOL_MAX; e++) {
		if (!entry_at(core, e)->used)
			continue;
		core->pool.bytes += entry_at(core, e)->bytes;
		core->n_pool++;
		core->n_fds++;
	}
}

void pool_forget(struct core *core, uint32_t e)
{
	entry_remove(core, e);
	core->n_fds--;
}
