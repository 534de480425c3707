/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/blob.h"
#include "core/tables.h"
#include "ds/memory.h"
#include "util/cleanup.h"

#define MAGIC   UINT64_C(0x6f73746f72650001) /* "ostore", 1 */
#define VERSION 2
#define PAGE    4096

#define PACK_FILE_MIN (UINT64_C(4) << 30)
#define PACK_FILE_MAX (UINT64_C(4) << 40)

/* Follows the old bytes in the journal, which is read backwards. */
struct journal_entry {
	uint64_t offset; /* of the record in the memory */
	uint64_t size;   /* of the old bytes; they take this rounded up to 8 */
};

static void (*store_hook)(void *argument);
static void *store_hook_argument;

void core_set_store_hook(void (*hook)(void *argument), void *argument)
{
	store_hook = hook;
	store_hook_argument = argument;
}

static inline void step(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	if (store_hook)
		store_hook(store_hook_argument);
	atomic_signal_fence(memory_order_seq_cst);
}

void tables_step(void)
{
	step();
}

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* ---- layout ---- */

/* memory: NULL to compute sizes only. */
static void *place(uint8_t *memory, size_t *offset, uint64_t n, size_t size)
{
	void *array = memory ? memory + *offset : NULL;

	*offset = (*offset + n * size + PAGE - 1) & ~(size_t)(PAGE - 1);
	return array;
}

/* Point the arrays to their places, as the header's numbers say.  Return: bytes in all. */
static size_t lay_out(struct tables *t, const struct tables_header *numbers, uint8_t *memory)
{
	size_t offset = 0;

	t->header = place(memory, &offset, 1, sizeof *t->header);
	t->journal = place(memory, &offset, 1, TABLES_JOURNAL);
	t->pool = place(memory, &offset, TABLES_POOL_MAX, sizeof *t->pool);
	t->settings = place(memory, &offset, CORE_SETTINGS_MAX, sizeof *t->settings);
	t->connections = place(memory, &offset, numbers->max_connections, sizeof *t->connections);
	t->gone = place(memory, &offset, CORE_GONE_MAX, sizeof *t->gone);
	t->events = place(memory, &offset, numbers->max_events, sizeof *t->events);
	t->objects = place(memory, &offset, numbers->max_objects, sizeof *t->objects);
	t->holdings = place(memory, &offset, numbers->max_holdings, sizeof *t->holdings);
	t->names = place(memory, &offset, numbers->max_names, sizeof *t->names);
	t->leases = place(memory, &offset, numbers->max_leases, sizeof *t->leases);
	t->blobs = place(memory, &offset, numbers->blob_bytes, 1);
	return offset;
}

static const uint16_t record_sizes[10] = {
	sizeof(struct tables_header), sizeof(struct object_record),
	sizeof(struct connection_record), sizeof(struct holding_record),
	sizeof(struct name_record), sizeof(struct lease_record),
	sizeof(struct gone_record), sizeof(struct pool_record), sizeof(struct event_record),
	sizeof(struct setting_record),
};

/* Frames are cheap, and slabs of less than a frame need more of them than there are bytes. */
static uint64_t pack_file_bytes(uint64_t capacity)
{
	uint64_t bytes = PACK_FILE_MIN;

	while (bytes < PACK_FILE_MAX && bytes / 8 < capacity)
		bytes *= 2;
	return bytes;
}

static void choose_numbers(struct tables_header *numbers, const struct core_config *config)
{
	const uint64_t objects = MAX(config->max_objects, 1);
	const uint64_t connections = MAX(config->max_connections, 1);

	numbers->magic = MAGIC;
	numbers->version = VERSION;
	memcpy(numbers->record_sizes, record_sizes, sizeof record_sizes);
	numbers->max_objects = objects;
	numbers->max_connections = connections;
	numbers->max_holdings = MIN(4 * objects + 64 * connections, UINT32_MAX - 1);
	numbers->max_names = objects + 64;
	numbers->max_leases = objects + 64;
	numbers->max_events = config->max_events ? config->max_events : CORE_EVENTS_MAX;
	numbers->blob_bytes = blob_area_bytes(objects);
	numbers->pack_fd = -1;
	numbers->slab_bytes = config->capacity >= UINT64_C(64) << 20 ? 65536 :
		config->capacity >= UINT64_C(4) << 20 ? 16384 : 4096;
	numbers->pack_bytes = pack_file_bytes(config->capacity);
}

size_t tables_size(const struct core_config *config)
{
	struct tables_header numbers = { 0 };
	struct tables t;

	choose_numbers(&numbers, config);
	return lay_out(&t, &numbers, NULL);
}

static void start(struct tables *t, const struct core_config *config, uint8_t *memory, size_t size)
{
	struct tables_header numbers = { 0 };

	choose_numbers(&numbers, config);
	numbers.size = size;
	numbers.arena_base = config->arena_base;
	memcpy(numbers.hash_key, config->hash_key, sizeof numbers.hash_key);
	numbers.generation = 1;
	lay_out(t, &numbers, memory);
	numbers.magic = 0; /* last: memory without it counts as empty */
	*t->header = numbers;
	step();
	t->header->magic = MAGIC;
}

static int roll_back(struct tables *t)
{
	while (t->header->journal_used) {
		size_t used = t->header->journal_used;
		struct journal_entry entry;

		if (used > TABLES_JOURNAL || used % 8 || used < sizeof entry)
			return -EUCLEAN;
		used -= sizeof entry;
		memcpy(&entry, t->journal + used, sizeof entry);
		if (entry.size > used || padded(entry.size) > used ||
			entry.offset > t->header->size || entry.size > t->header->size - entry.offset)
			return -EUCLEAN;
		used -= padded(entry.size);
		step();
		memcpy((uint8_t *)t->header + entry.offset, t->journal + used, entry.size);
		step();
		t->header->journal_used = used;
	}
	return 0;
}

static void record_pool_init(struct record_pool *pool, uint32_t *high, uint32_t max)
{
	*pool = (struct record_pool){ .high = high, .max = max };
}

int tables_open(struct tables *t, const struct core_config *config, void *memory, size_t size,
	bool *usedp)
{
	struct tables_header *header = memory;
	bool used;
	int r;

	*t = (struct tables){ .header = header };
	if (size < sizeof *header || size < PAGE)
		return -EUCLEAN;
	used = header->magic != 0;
	if (!used) {
		if (size < tables_size(config))
			return -EUCLEAN;
		start(t, config, memory, size);
	} else {
		if (header->magic != MAGIC || header->version != VERSION || header->size != size ||
			memcmp(header->record_sizes, record_sizes, sizeof record_sizes) != 0 ||
			lay_out(t, header, memory) > size)
			return -EUCLEAN;
		r = roll_back(t);
		if (r < 0)
			return r;
		if (header->objects_high > header->max_objects ||
			header->connections_high > header->max_connections ||
			header->holdings_high > header->max_holdings ||
			header->names_high > header->max_names ||
			header->leases_high > header->max_leases)
			return -EUCLEAN;
	}
	record_pool_init(&t->free_objects, &header->objects_high, header->max_objects);
	record_pool_init(&t->free_connections, &header->connections_high, header->max_connections);
	record_pool_init(&t->free_holdings, &header->holdings_high, header->max_holdings);
	record_pool_init(&t->free_names, &header->names_high, header->max_names);
	record_pool_init(&t->free_leases, &header->leases_high, header->max_leases);
	*usedp = used;
	return 0;
}

void tables_close(struct tables *t)
{
	free(t->free_objects.free);
	free(t->free_connections.free);
	free(t->free_holdings.free);
	free(t->free_names.free);
	free(t->free_leases.free);
}

/* ---- transactions ---- */

void *tables_write(struct tables *t, void *record, size_t size)
{
	const struct journal_entry entry = {
		.offset = (uint8_t *)record - (uint8_t *)t->header,
		.size = size,
	};
	const size_t used = t->header->journal_used;
	const size_t bytes = padded(size);

	assert(entry.offset < t->header->size && size <= t->header->size - entry.offset);
	assert(bytes + sizeof entry <= TABLES_JOURNAL - used);
	step();
	memcpy(t->journal + used, record, size);
	memcpy(t->journal + used + bytes, &entry, sizeof entry);
	step();
	t->header->journal_used = used + bytes + sizeof entry;
	step();
	return record;
}

void tables_commit(struct tables *t)
{
	if (t->header->journal_used == 0)
		return;
	step();
	t->header->journal_used = 0;
	step();
}

void tables_breathe(struct tables *t)
{
	if (t->header->journal_used > TABLES_JOURNAL / 4)
		tables_commit(t);
}

/* ---- records ---- */

uint32_t record_take(struct tables *t, struct record_pool *pool)
{
	if (pool->n_free)
		return pool->free[--pool->n_free];
	if (*pool->high == pool->max)
		return TABLES_NONE;
	tables_change(t, pool->high);
	return (*pool->high)++;
}

void record_give(struct record_pool *pool, uint32_t i)
{
	must_grow(&pool->free, &pool->room, pool->n_free + 1, sizeof *pool->free);
	pool->free[pool->n_free++] = i;
}

uint32_t record_n_free(const struct record_pool *pool)
{
	return pool->n_free + (pool->max - *pool->high);
}
