/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/claim.h"
#include "core/connection.h"
#include "core/event.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/look.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/pool.h"
#include "core/recover.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"

/* ---- core_open() on used memory ---- */

static int compare_slots(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Find the arena's free slots between the used ones. */
static void recover_arena(struct core *core)
{
	const uint32_t high = core->tables.header->objects_high;
	uint32_t *slots = must_alloc(high + 1, sizeof *slots);

	for (unsigned int class = 0; class < ARENA_CLASSES; class++) {
		size_t n = 0;

		if (core->arena.classes[class].high == 0)
			continue;
		for (uint32_t o = 0; o < high; o++)
			if (object_record(core, o)->state && object_record(core, o)->slot &&
				arena_class_of(object_record(core, o)->size) == class)
				slots[n++] = object_record(core, o)->slot;
		qsort(slots, n, sizeof *slots, compare_slots);
		arena_claimed(&core->arena, class, slots, n);
	}
	free(slots);
}

static int recover_objects(struct core *core)
{
	const uint32_t high = core->tables.header->objects_high;
	int r;

	for (uint32_t o = high; o-- > 0;)
		if (!object_record(core, o)->state)
			record_give(&core->tables.free_objects, o);
	for (uint32_t o = 0; o < high; o++) {
		if (!object_record(core, o)->state)
			continue;
		r = object_recover(core, o);
		if (r < 0)
			return r;
		order_add(core, o);
	}
	blob_claimed(&core->blobs);
	pack_claimed(core);
	core->n_fds += core->tables.header->pack_fd >= 0;
	recover_arena(core);
	order_sort(core);
	return 0;
}

static bool object_exists(const struct core *core, uint32_t o)
{
	return o < core->tables.header->objects_high && object_record(core, o)->state;
}

static int recover_holdings(struct core *core)
{
	const struct tables_header *header = core->tables.header;

	for (uint32_t h = header->holdings_high; h-- > 0;) {
		const struct holding_record *record = holding_record(core, h);

		if (!holding_is_used(record)) {
			record_give(&core->tables.free_holdings, h);
			continue;
		}
		if (!object_exists(core, record->object) ||
			record->connection >= header->connections_high ||
			!(connection_record(core, record->connection)->flags & CONNECTION_USED))
			return -EUCLEAN;
		holding_recover(core, h);
	}
	return 0;
}

static int recover_claims(struct core *core)
{
	const struct tables_header *header = core->tables.header;

	for (uint32_t n = header->names_high; n-- > 0;) {
		if (!core->tables.names[n].used)
			record_give(&core->tables.free_names, n);
		else if (!object_exists(core, core->tables.names[n].object))
			return -EUCLEAN;
		else
			name_recover(core, n);
	}
	for (uint32_t l = header->leases_high; l-- > 0;) {
		if (!core->tables.leases[l].used)
			record_give(&core->tables.free_leases, l);
		else if (!object_exists(core, core->tables.leases[l].object))
			return -EUCLEAN;
		else
			lease_recover(core, l);
	}
	return 0;
}

int recover(struct core *core)
{
	const struct tables_header *header = core->tables.header;
	int r;

	for (uint32_t c = header->connections_high; c-- > 0;) {
		if (connection_record(core, c)->flags & CONNECTION_USED)
			connection_recover(core, c);
		else
			record_give(&core->tables.free_connections, c);
	}
	r = recover_objects(core);
	if (r == 0)
		r = recover_holdings(core);
	if (r == 0)
		r = recover_claims(core);
	if (r < 0)
		return r;
	gone_recover(core);
	pool_recover(core);
	objects_recover_victims(core);
	core->pool.started = core->n_connections > 0;
	core->pool.last_create_ns = core->now;

	/* All is linked: what a crash cut off can be finished as it would have been. */
	for (uint32_t c = 0; c < header->connections_high; c++)
		if (connection_record(core, c)->flags & CONNECTION_USED)
			connection_recover_end(core, c);
	for (uint32_t o = 0; o < header->objects_high; o++)
		if (object_record(core, o)->state)
			object_recover_end(core, o);
	accounts_forget_idle(core);
	tables_commit(&core->tables);
	return 0;
}

/* ---- the heir's questions ---- */

enum { FDS_OF_OBJECTS, FDS_OF_POOL, FDS_OF_PACK, FDS_OF_CONNECTIONS, FDS_END };

static bool object_fd(const struct core *core, uint32_t o, struct core_fd *fd)
{
	const struct object_record *record = object_record(core, o);

	if (!record->state || record->fd < 0)
		return false;
	*fd = (struct core_fd){
		.kind = record->state == WIRE_CREATED ? CORE_FD_DRAFT : CORE_FD_OBJECT,
		.fd = record->fd,
		.inode = record->inode,
		.size = record->size,
		.owner = o,
	};
	return true;
}

static bool pool_fd(const struct core *core, uint32_t e, struct core_fd *fd)
{
	const struct pool_record *record = &core->tables.pool[e];

	if (!record->used)
		return false;
	*fd = (struct core_fd){
		.kind = CORE_FD_POOL,
		.fd = record->fd,
		.inode = record->inode,
		.size = record->bytes,
		.owner = e,
	};
	return true;
}

static bool pack_fd(const struct core *core, uint32_t i, struct core_fd *fd)
{
	const struct tables_header *header = core->tables.header;

	if (header->pack_fd < 0)
		return false;
	*fd = (struct core_fd){
		.kind = CORE_FD_PACK,
		.fd = header->pack_fd,
		.inode = header->pack_inode,
		.size = header->pack_bytes,
		.owner = header->frames_high,
	};
	return true;
}

static bool connection_fd(const struct core *core, uint32_t i, struct core_fd *fd)
{
	const uint32_t c = i / CORE_CONNECTION_FDS;
	const struct connection_record *record = connection_record(core, c);
	const struct {
		enum core_fd_kind kind;
		int fd;
	} fds[CORE_CONNECTION_FDS] = {
		{ CORE_FD_CALL, record->call_fd },
		{ CORE_FD_SERVICE, record->service_fd },
		{ CORE_FD_PIDFD, record->pid_fd },
	};
	const uint32_t k = i % CORE_CONNECTION_FDS;

	if (!(record->flags & CONNECTION_USED) || fds[k].fd < 0)
		return false;
	*fd = (struct core_fd){ .kind = fds[k].kind, .fd = fds[k].fd, .owner = c };
	return true;
}

bool core_next_fd(const struct core *core, uint64_t *cursor, struct core_fd *fd)
{
	const uint32_t n[FDS_END] = {
		[FDS_OF_OBJECTS] = core->tables.header->objects_high,
		[FDS_OF_POOL] = TABLES_POOL_MAX,
		[FDS_OF_PACK] = 1,
		[FDS_OF_CONNECTIONS] = core->tables.header->connections_high * CORE_CONNECTION_FDS,
	};
	bool (*const look[FDS_END])(const struct core *core, uint32_t i, struct core_fd *fd) = {
		object_fd, pool_fd, pack_fd, connection_fd,
	};
	uint32_t of = *cursor >> 32, i = *cursor;

	for (; of < FDS_END; of++, i = 0)
		while (i < n[of])
			if (look[of](core, i++, fd)) {
				*cursor = (uint64_t)of << 32 | i;
				return true;
			}
	return false;
}

static void pack_lost(struct core *core)
{
	for (uint32_t o = 0; o < core->tables.header->objects_high; o++) {
		const struct object_record *record = object_record(core, o);

		if (record->state && record->fd == OBJECT_IN_PACK)
			object_delete(core, o, GONE_LOST);
		tables_breathe(&core->tables);
	}
	pack_forget(core);
}

void core_fd_lost(struct core *core, int64_t now, const struct core_fd *fd)
{
	event_begin(core, now);
	switch (fd->kind) {
	case CORE_FD_DRAFT:
		if (object_record(core, fd->owner)->state == WIRE_CREATED &&
			!(object_record(core, fd->owner)->flags & OBJECT_DELETED))
			object_abort(core, fd->owner);
		/* who wrote it holds it still */
		if (object_record(core, fd->owner)->state == WIRE_CREATED)
			object_lose_memory(core, fd->owner);
		break;
	case CORE_FD_OBJECT:
		if (object_record(core, fd->owner)->flags & OBJECT_DELETED)
			object_lose_memory(core, fd->owner);
		else
			object_delete(core, fd->owner, GONE_LOST);
		break;
	case CORE_FD_POOL:
		pool_forget(core, fd->owner);
		break;
	case CORE_FD_PACK:
		pack_lost(core);
		break;
	case CORE_FD_CALL:
	case CORE_FD_SERVICE:
	case CORE_FD_PIDFD:
		if (connection_record(core, fd->owner)->flags & CONNECTION_USED)
			connection_end(core, fd->owner);
		break;
	}
	event_end(core);
}

void core_resume(struct core *core, int64_t now, int64_t realtime)
{
	struct tables_header *header = core->tables.header;

	event_begin(core, now);
	core->realtime_offset = realtime - now;
	core->resumed = true;
	pack_resume(core);
	tables_change(&core->tables, &header->generation);
	header->generation++;
	for (uint32_t c = 0; c < header->connections_high; c++) {
		if (!(connection_record(core, c)->flags & CONNECTION_USED))
			continue;
		core->connections[c].reconciling = true;
		effect_reply(core, c, WIRE_RESUME, 0)->generation = header->generation;
	}
	event_end(core);
}

uint64_t core_generation(const struct core *core)
{
	return core->tables.header->generation;
}
