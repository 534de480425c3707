/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/connection.h"
#include "core/event.h"
#include "core/holding.h"
#include "core/make.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/pool.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"


/* ---- life ---- */

/* Derive what follows from the record. */
static void link_connection(struct core *core, uint32_t conn)
{
	struct connection *connection = &core->connections[conn];

	*connection = (struct connection){ .groups = NULL };
	index_list_init(&connection->holdings);
	list_init(&connection->pendings);
	list_init(&connection->dying_link);
	connection->account = account_get(core, connection_record(core, conn)->uid);
	connection->account->n_connections++;
	core->n_connections++;
	core->n_fds += CORE_CONNECTION_FDS;
}

static int set_groups(struct connection *connection, const gid_t *groups, size_t n)
{
	gid_t *copy = NULL;

	if (n) {
		copy = malloc(n * sizeof *copy);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, groups, n * sizeof *copy);
	}
	free(connection->groups);
	connection->groups = copy;
	connection->n_groups = n;
	return 0;
}

/* Is there room for one more of this uid?  0, -EDQUOT, -EMFILE. */
static int check_room(struct core *core, uid_t uid)
{
	struct account *account = account_get(core, uid);

	account_released(core, account); /* in case nothing comes of it */
	if (account->n_connections >= account->limits[CORE_CONNECTIONS])
		return -EDQUOT;
	if (core->n_connections >= core->config.max_connections ||
		record_n_free(&core->tables.free_connections) == 0 ||
		core->n_fds + CORE_CONNECTION_FDS > core->config.max_fds)
		return -EMFILE;
	return 0;
}

static uint32_t connection_new(struct core *core, const struct connection_record *image)
{
	struct tables_header *header = core->tables.header;
	const uint32_t conn = record_take(&core->tables, &core->tables.free_connections);
	struct connection_record *record = connection_record(core, conn);

	tables_change(&core->tables, &header->connection);
	header->connection++;
	tables_change(&core->tables, record);
	*record = *image;
	record->number = header->connection;
	record->flags |= CONNECTION_USED;
	link_connection(core, conn);
	return conn;
}

/* From here it counts as gone, and its descriptors are the caller's to close. */
static void leave(struct core *core, uint32_t conn)
{
	struct connection_record *record = connection_record(core, conn);
	struct connection *connection = &core->connections[conn];
	struct pending *pending;

	while ((pending = list_first(&connection->pendings, struct pending, link)))
		pending_abandon(core, pending);
	tables_write(&core->tables, record, offsetof(struct connection_record, done_next));
	record->flags |= CONNECTION_DYING;
	record->call_fd = record->service_fd = record->pid_fd = -1;
	connection->account->n_connections--;
	core->n_connections--;
	core->n_fds -= CORE_CONNECTION_FDS;
	free(connection->groups);
	connection->groups = NULL;
	connection->n_groups = 0;
}

/* Give back so many of its holdings at the most, and forget it when none is left. */
static void give_back(struct core *core, uint32_t conn, uint32_t most)
{
	struct connection_record *record = connection_record(core, conn);
	struct connection *connection = &core->connections[conn];

	for (; most > 0 && !index_list_empty(&connection->holdings); most--) {
		const uint32_t h = connection->holdings.first;

		holding_subtract(core, h, holding_record(core, h)->refs,
			holding_record(core, h)->pins);
		tables_breathe(&core->tables);
	}
	list_remove(&connection->dying_link);
	if (!index_list_empty(&connection->holdings)) {
		list_add_tail(&core->dying, &connection->dying_link);
		return;
	}
	tables_change(&core->tables, &record->flags);
	record->flags = 0;
	record_give(&core->tables.free_connections, conn);
	account_released(core, connection->account);
	*connection = (struct connection){ .groups = NULL };
}

void connection_end(struct core *core, uint32_t conn)
{
	leave(core, conn);
	give_back(core, conn, core->resumed ? core->config.give_back : UINT32_MAX);
}

void connections_give_back(struct core *core)
{
	struct connection *connection = list_first(&core->dying, struct connection, dying_link);

	if (connection)
		give_back(core, connection - core->connections, core->config.give_back);
}

/* ---- hello ---- */

int core_connect(struct core *core, int64_t now, const struct core_peer *peer,
	const struct wire_request *hello, uint32_t *connp)
{
	struct connection_record image = {
		.call_fd = peer->call_fd,
		.service_fd = peer->service_fd,
		.pid_fd = peer->pid_fd,
		.pid = peer->pid,
		.uid = peer->uid,
		.gid = peer->gid,
	};
	struct wire_reply *reply;
	uint32_t conn;
	int r;

	event_begin(core, now);
	r = check_room(core, peer->uid);
	if (r == 0) {
		memcpy(image.comm, peer->comm, sizeof image.comm);
		conn = connection_new(core, &image);
		r = set_groups(&core->connections[conn], peer->groups, peer->n_groups);
		if (r < 0)
			connection_end(core, conn);
	}
	if (r == 0) {
		pool_start(core);
		reply = effect_reply(core, conn, WIRE_HELLO, hello->serial);
		reply->version = MIN(hello->version_max, WIRE_VERSION_MAX);
		reply->connection = conn;
		reply->flags = hello->flags & WIRE_HELLO_SERVICE;
		reply->arena_base = core->arena.base;
		reply->inline_max = core->config.inline_max;
		reply->max_items = WIRE_ITEMS_MAX;
		reply->max_packet = WIRE_PACKET_MAX;
		reply->max_fds = WIRE_FDS_PER_PACKET;
		reply->generation = core_generation(core);
		*connp = conn;
	}
	event_end(core);
	return r;
}

void core_disconnect(struct core *core, int64_t now, uint32_t conn)
{
	event_begin(core, now);
	connection_end(core, conn);
	event_end(core);
}

void core_identify(struct core *core, int64_t now, uint32_t conn, pid_t pid, int pid_fd,
	int service_fd, const char comm[16])
{
	struct connection_record *record = connection_record(core, conn);

	event_begin(core, now);
	tables_write(&core->tables, record, offsetof(struct connection_record, done_next));
	record->pid = pid;
	record->pid_fd = pid_fd;
	record->service_fd = service_fd;
	memcpy(record->comm, comm, sizeof record->comm);
	event_end(core);
}

/* ---- fork ---- */

/* Give the child what the parent holds and it does not yet. */
static void copy_holdings(struct core *core, uint32_t parent, uint32_t child)
{
	struct connection_record *record = connection_record(core, child);
	uint32_t h;

	index_list_for_each(h, connection_holdings(core), &core->connections[parent].holdings) {
		const struct holding_record *theirs = holding_record(core, h);

		if (object_record(core, theirs->object)->state == WIRE_CREATED ||
			holding_find(core, child, theirs->object) != TABLES_NONE)
			continue;
		holding_add(core, child, theirs->object, theirs->refs, theirs->pins);
		tables_breathe(&core->tables);
	}
	tables_change(&core->tables, &record->flags);
	record->flags &= ~CONNECTION_FORKING;
}

uint32_t connection_fork(struct core *core, uint32_t parent, int fd)
{
	const struct connection *connection = &core->connections[parent];
	const struct connection_record *of = connection_record(core, parent);
	struct connection_record image = {
		.call_fd = fd,
		.service_fd = -1,
		.pid_fd = -1,
		.pid = of->pid,
		.uid = of->uid,
		.gid = of->gid,
		.parent = parent,
		.flags = CONNECTION_FORKING,
	};
	uint32_t child;

	if (check_room(core, of->uid) < 0 || !holding_room(core, parent, connection->n_holdings)) {
		stranger_close(core, parent, fd);
		return CORE_NO_CONN;
	}
	memcpy(image.comm, of->comm, sizeof image.comm);
	child = connection_new(core, &image);
	if (set_groups(&core->connections[child], connection->groups, connection->n_groups) < 0) {
		connection_end(core, child);
		stranger_close(core, parent, fd);
		return CORE_NO_CONN;
	}
	copy_holdings(core, parent, child);
	if (connection->reconciling) { /* the copies are as uncertain as the parent's */
		core->connections[child].reconciling = true;
		effect_reply(core, child, WIRE_RESUME, 0)->generation = core_generation(core);
	}
	return child;
}

/* ---- retries ---- */

static struct done_record *done_find(const struct core *core, uint32_t conn, uint64_t serial)
{
	struct connection_record *record = connection_record(core, conn);

	for (size_t i = 0; i < TABLES_DONE_MAX; i++)
		if (record->done[i].serial == serial)
			return &record->done[i];
	return NULL;
}

bool connection_is_done(const struct core *core, uint32_t conn, uint64_t serial, uint32_t item)
{
	const struct done_record *done = done_find(core, conn, serial);

	if (!done)
		return false;
	return item < 64 ? done->items >> item & 1 : item < done->n_items;
}

void connection_note_done(struct core *core, uint32_t conn, uint64_t serial, uint32_t item)
{
	struct connection_record *record = connection_record(core, conn);
	struct done_record *done = done_find(core, conn, serial);

	if (!done) {
		tables_change(&core->tables, &record->done_next);
		done = &record->done[record->done_next++ % TABLES_DONE_MAX];
		tables_change(&core->tables, done);
		*done = (struct done_record){ .serial = serial };
	} else {
		tables_change(&core->tables, done);
	}
	if (item < 64)
		done->items |= UINT64_C(1) << item;
	done->n_items = item + 1;
}

/* ---- recovery ---- */

void connection_recover(struct core *core, uint32_t conn)
{
	link_connection(core, conn);
}

void connection_recover_end(struct core *core, uint32_t conn)
{
	const struct connection_record *record = connection_record(core, conn);

	if (record->flags & CONNECTION_DYING)
		connection_end(core, conn);
	else if (record->flags & CONNECTION_FORKING)
		copy_holdings(core, record->parent, conn);
	tables_breathe(&core->tables);
}

int core_restore_peer(struct core *core, uint32_t conn, const struct core_peer *peer)
{
	const struct tables_header *header = core->tables.header;
	const struct connection_record *record;

	if (conn >= header->connections_high)
		return -EINVAL;
	record = connection_record(core, conn);
	if (!(record->flags & CONNECTION_USED))
		return -EINVAL;
	if (record->uid != peer->uid)
		return -EPERM;
	return set_groups(&core->connections[conn], peer->groups, peer->n_groups);
}
