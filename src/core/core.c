/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing a core; events that are not requests; the frame of all events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/attribute.h"
#include "core/claim.h"
#include "core/connection.h"
#include "core/event.h"
#include "core/events.h"
#include "core/make.h"
#include "core/pending.h"
#include "core/pool.h"
#include "core/queue.h"
#include "core/recover.h"
#include "core/room.h"
#include "core/seal.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* ---- life ---- */

size_t core_memory_size(const struct core_config *config)
{
	return tables_size(config);
}

static void alloc_derived(struct core *core)
{
	const struct tables_header *header = core->tables.header;

	core->objects = must_alloc(header->max_objects, sizeof *core->objects);
	core->connections = must_alloc(header->max_connections, sizeof *core->connections);
	core->holdings = must_alloc(header->max_holdings, sizeof *core->holdings);
	core->names = must_alloc(header->max_names, sizeof *core->names);
	core->leases = must_alloc(header->max_leases, sizeof *core->leases);
	core->gone = must_alloc(CORE_GONE_MAX, sizeof *core->gone);
	pack_init(core);
	blob_heap_init(&core->blobs, core->tables.blobs, header->blob_bytes);
	arena_init(&core->arena, header->arena_base);
}

int core_open(struct core **corep, const struct core_config *config, void *memory, size_t size,
	int64_t now, int64_t realtime)
{
	const struct policy_ops *ops = policy_find(config->policy);
	struct core *core;
	bool used;
	int r;

	if (!ops)
		return -EINVAL;
	core = calloc(1, sizeof *core);
	if (!core)
		return -ENOMEM;
	r = tables_open(&core->tables, config, memory, size, &used);
	if (r < 0) {
		free(core);
		return r;
	}
	core->config = *config;
	if (!core->config.give_back)
		core->config.give_back = CORE_GIVE_BACK;
	if (!core->config.metadata_share)
		core->config.metadata_share = core->tables.header->blob_bytes / 2;
	core->limit = UINT64_MAX;
	if (config->n_quotas) {
		core->quotas = must_alloc(config->n_quotas, sizeof *core->quotas);
		memcpy(core->quotas, config->quotas, config->n_quotas * sizeof *core->quotas);
	}
	core->config.quotas = core->quotas;
	core->now = now;
	core->realtime_offset = realtime - now;
	list_init(&core->accounts);
	list_init(&core->idle_accounts);
	list_init(&core->dying);
	list_init(&core->fresh);
	list_init(&core->subscribers);
	queue_init(core);
	alloc_derived(core);
	victims_init(&core->victims, ops, policy_victims(core));
	events_recover(core);
	if (used)
		r = recover(core);
	else
		core->resumed = true;
	if (r < 0) {
		core_close(core);
		return r;
	}
	*corep = core;
	return 0;
}

static void free_connections(struct core *core)
{
	for (uint32_t c = 0; c < core->tables.header->connections_high; c++) {
		struct connection *connection = &core->connections[c];
		struct pending *pending;

		if (!connection->account)
			continue;
		while ((pending = list_first(&connection->pendings, struct pending, link)))
			pending_abandon(core, pending);
		free(connection->groups);
	}
}

/* Makes and seals that nobody waits for, and that no edge will report any more. */
static void free_operations(struct core *core)
{
	for (uint32_t i = 0; i < core->n_operations; i++) {
		struct operation *operation = &core->operations[i];

		if (operation->kind == OPERATION_MAKE || operation->kind == OPERATION_ADOPT) {
			operation->make->fd = -1;
			make_fail(core, operation->make, -ECANCELED, "");
		} else if (operation->kind == OPERATION_PACK_WRITE ||
			operation->kind == OPERATION_PACK_MOVE) {
			struct make *make;

			while ((make = list_first(&operation->batch->makes, struct make, batch_link))) {
				list_remove(&make->batch_link);
				make_fail(core, make, -ECANCELED, "");
			}
			batch_free(operation->batch);
		} else if (operation->kind == OPERATION_SEAL) {
			struct pending *pending = operation->pending;

			pending_outcome(pending, operation->item, -ECANCELED, "", TABLES_NONE);
			if (pending->n_unfinished == 0)
				pending_free(core, pending);
		}
	}
	free(core->operations);
}

bool core_next_large(const struct core *core, uint32_t *cursor, void **memoryp, size_t *sizep)
{
	const struct tables *t = &core->tables;
	const struct {
		void *array;
		size_t size;
	} arrays[] = {
		{ t->objects, (size_t)t->header->max_objects * sizeof *t->objects },
		{ t->holdings, (size_t)t->header->max_holdings * sizeof *t->holdings },
	};

	while (*cursor < ARRAY_SIZE(arrays)) {
		const uint32_t i = (*cursor)++;

		if (arrays[i].size <= MEMORY_LARGE)
			continue;
		*memoryp = (char *)arrays[i].array + MEMORY_LARGE;
		*sizep = arrays[i].size - MEMORY_LARGE;
		return true;
	}
	return false;
}

struct core *core_close(struct core *core)
{
	if (!core)
		return NULL;
	free_connections(core);
	free_operations(core);
	accounts_deinit(core);
	victims_deinit(&core->victims);
	attributes_deinit(core);
	effects_deinit(&core->effects);
	pack_deinit(core);
	blob_heap_deinit(&core->blobs);
	arena_deinit(&core->arena);
	heap_deinit(&core->deadlines);
	heap_deinit(&core->lease_deadlines);
	index_map_deinit(&core->objects_by_id);
	index_map_deinit(&core->deleted_by_id);
	index_map_deinit(&core->holdings_by_pair);
	hash_map_deinit(&core->names_by_text);
	hash_map_deinit(&core->leases_by_token);
	hash_map_deinit(&core->gone_by_id);
	hash_map_deinit(&core->accounts_by_uid);
	hash_map_deinit(&core->makes_by_id);
	hash_map_deinit(&core->watched_by_id);
	hash_map_deinit(&core->sealings_by_object);
	free(core->objects);
	free(core->connections);
	free(core->holdings);
	free(core->names);
	free(core->leases);
	free(core->gone);
	free(core->order);
	free(core->quotas);
	tables_close(&core->tables);
	free(core);
	return NULL;
}

/* ---- the frame of an event ---- */

void event_begin(struct core *core, int64_t now)
{
	core->now = MAX(core->now, now);
	core->n_evicted = 0;
	core->repack.event++;
	core->repack.n_begun = 0;
	core->in_haste = false;
	if (effects_begin(&core->effects))
		blob_settle(&core->blobs);
}

void event_end(struct core *core)
{
	if (core->resumed) {
		room_restore(core);
		makes_drop_stale(core);
		queue_pump(core);
		pack_send(core);
	}
	makes_keep(core);
	pool_plan(core);
	pack_plan(core);
	repack_plan(core);
	events_publish(core);
	accounts_forget_idle(core);
	tables_commit(&core->tables);
}

/* ---- events ---- */

void core_made(struct core *core, int64_t now, uint32_t ticket, int result, int fd, uint64_t inode)
{
	event_begin(core, now);
	make_done(core, ticket, result, fd, inode);
	event_end(core);
}

void core_adopted(struct core *core, int64_t now, uint32_t ticket, int result, uint64_t inode,
	uint64_t size)
{
	event_begin(core, now);
	make_adopted(core, ticket, result, inode, size);
	event_end(core);
}

void core_sealed(struct core *core, int64_t now, uint32_t ticket, int result)
{
	event_begin(core, now);
	seal_done(core, ticket, result);
	event_end(core);
}

void core_closed(struct core *core, int64_t now, uint32_t ticket)
{
	const struct operation *operation;

	event_begin(core, now);
	operation = operation_get(core, ticket, OPERATION_CLOSE);
	core->freeing_bytes -= operation->bytes;
	core->n_freeing_fds--;
	core->n_fds--;
	operation_end(core, ticket);
	event_end(core);
}

void core_pool_filled(struct core *core, int64_t now, uint32_t ticket, int result, int fd,
	uint64_t inode, uint64_t bytes)
{
	event_begin(core, now);
	pool_filled(core, ticket, result, fd, inode, bytes);
	event_end(core);
}

void core_pack_opened(struct core *core, int64_t now, uint32_t ticket, int result, int fd,
	uint64_t inode)
{
	event_begin(core, now);
	pack_opened(core, ticket, result, fd, inode);
	event_end(core);
}

void core_packed(struct core *core, int64_t now, uint32_t ticket, int result)
{
	event_begin(core, now);
	pack_done(core, ticket, result);
	event_end(core);
}

void core_tick(struct core *core, int64_t now, int64_t realtime)
{
	event_begin(core, now);
	core->realtime_offset = realtime - now;
	connections_give_back(core);
	leases_expire(core);
	attributes_expire(core);
	queue_pump(core); /* what they held may be what a create waits for */
	pendings_expire(core);
	event_end(core);
}

int64_t core_deadline(const struct core *core)
{
	const struct heap_node *pending = heap_first(&core->deadlines);
	const struct heap_node *lease = heap_first(&core->lease_deadlines);
	const int64_t pack = MIN(pack_deadline(core), repack_deadline(core));
	int64_t at = MIN(MIN(pool_deadline(core), attributes_deadline(core)), pack);

	if (!list_empty(&core->dying))
		return core->now; /* there is always more to do */
	if (pending)
		at = MIN(at, pending->at);
	if (lease)
		at = MIN(at, lease->at);
	return at;
}

/* ---- for tests and STATUS ---- */

void core_totals(const struct core *core, struct core_totals *totals)
{
	*totals = (struct core_totals){
		.charged_bytes = core->object_bytes - core->pack.live_bytes + core->pack.bytes,
		.pack_bytes = core->pack.bytes,
		.packed_bytes = core->pack.live_bytes,
		.pinned_bytes = core->pinned_bytes,
		.pool_bytes = core->pool.bytes,
		.metadata_bytes = core->metadata_bytes,
		.freeing_bytes = core->freeing_bytes,
		.fds = core->n_fds,
		.created = core->n_created,
		.resident = core->n_resident,
		.connections = core->n_connections,
		.names = core->n_names,
		.leases = core->n_leases,
		.queued = core->queue.n,
		.waiting = core->n_pendings,
	};
}
