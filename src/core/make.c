/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/attribute.h"
#include "core/claim.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/make.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/pool.h"
#include "core/queue.h"
#include "core/room.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/size.h"
#include "util/text.h"

#define MODE_DEFAULT 0600

uint64_t make_bytes(const struct make *make)
{
	return make->charge + make_metadata_bytes(make);
}

uint64_t make_metadata_bytes(const struct make *make)
{
	return blob_charge(make->metadata_size) + blob_charge(make->attributes_size);
}

struct cost make_cost(const struct make *make)
{
	return (struct cost){
		.bytes = make_bytes(make),
		.metadata = make_metadata_bytes(make),
		.objects = 1,
		.fds = make->fd < 0, /* an offered memfd's is charged already */
	};
}

/* What an offered memfd costs from its arrival on. */
static const struct cost offered_cost = { .fds = 1 };

void stranger_close(struct core *core, uint32_t conn, int fd)
{
	struct core_effect *effect;

	if (fd < 0)
		return;
	effect = effect_add(core, CORE_CLOSE_STRANGER);
	effect->conn = conn;
	effect->fd = fd;
}

static bool id_is_making(const struct core *core, const struct id128 *id)
{
	struct hash_node *node;

	if (core->makes_by_id.n == 0)
		return false;
	hash_map_for_each(node, &core->makes_by_id, object_id_hash(core, id))
		if (id128_equal(&container_of(node, struct make, by_id)->id, id))
			return true;
	return false;
}

/* ---- charges ---- */

static void charge(struct core *core, struct make *make)
{
	const struct cost cost = make_cost(make);

	core->object_bytes += make->charge;
	core->metadata_bytes += cost.metadata;
	account_charge(make->account, &cost);
	core->n_making++;
}

static void uncharge(struct core *core, struct make *make)
{
	const struct cost cost = make_cost(make);

	core->object_bytes -= make->charge;
	core->metadata_bytes -= cost.metadata;
	account_return(core, make->account, &cost);
	core->n_making--;
}

/* ---- the end of a make ---- */

static void unlink_make(struct core *core, struct make *make)
{
	if (list_linked(&make->queue_link))
		queue_remove(core, make);
	if (make->pending) {
		hash_map_remove(&core->makes_by_id, &make->by_id);
		list_remove(&make->pending_link);
	}
	list_remove(&make->fresh_link);
}

static void make_free(struct core *core, struct make *make)
{
	unlink_make(core, make);
	if (make->fd >= 0) {
		stranger_close(core, make->pending ? make->pending->connection : CORE_NO_CONN,
			make->fd);
		core->n_fds--;
		account_return(core, make->account, &offered_cost);
	}
	blob_free(&core->blobs, make->blob, make->metadata_size);
	attributes_release(core, make);
	free(make->copy);
	free(make);
}

void make_fail(struct core *core, struct make *make, int status, const char *text)
{
	if (make->pending)
		pending_outcome(make->pending, make->item, status, text, TABLES_NONE);
	make_free(core, make);
}

void make_fail_full(struct core *core, struct make *make)
{
	struct text text = TEXT_INIT;

	text_add(&text, "no room for object %s: ", object_id_text(core, &make->id));
	room_explain(core, make->account, make_cost(make), &text);
	tables_count(&core->tables, COUNTER_FULL_ERRORS, 1);
	make_fail(core, make, -ENOBUFS, text.bytes);
}

void make_give_up(struct core *core, struct make *make)
{
	if (!make->ticket) {
		make_free(core, make);
		return;
	}
	/* An edge still works on it.  The id is free again. */
	unlink_make(core, make);
	make->pending = NULL;
}

/* ---- requests ---- */

/* Was this done before the worker died (R11)?  Then its reference is due again. */
static bool was_done(struct core *core, uint32_t conn, const struct pending *pending,
	const struct id128 *id)
{
	const uint64_t creator = connection_record(core, conn)->number;
	const uint32_t o = object_find(core, id);
	const struct gone_record *gone;

	if (o != TABLES_NONE) {
		const struct object_record *record = object_record(core, o);

		if (record->state == WIRE_CREATED || record->creator != creator ||
			record->serial != pending->serial || !holding_room(core, conn, 1))
			return false;
		holding_add(core, conn, o, 1, 0);
		return true;
	}
	gone = gone_find(core, id);
	return gone && (gone->reason == GONE_DELETED || gone->reason == GONE_EXPIRED) &&
	       gone->creator == creator && gone->serial == pending->serial;
}

/* The size of a PUT is that of its data: it does not travel. */
static uint64_t item_size(uint16_t type, const struct wire_item *item)
{
	return type == WIRE_PUT ? item->data_size : item->size;
}

/* Is the item acceptable?  Return: 0 or the status, with its sentence. */
static int check_item(struct core *core, uint32_t conn, const struct wire_item *item,
	const struct wire_request *request, const char **textp)
{
	const struct account *account = core->connections[conn].account;
	const char *id = object_id_text(core, &item->id);
	char size[32], limit[32];
	uint64_t bytes;
	int r;

	if (id128_is_zero(&item->id)) {
		*textp = "an id of zeros is not valid: choose another";
		return -EINVAL;
	}
	if (item->name && (!*item->name || strlen(item->name) > WIRE_NAME_MAX)) {
		*textp = scratch_text(core, "object %s: a name has 1 to %d bytes", id, WIRE_NAME_MAX);
		return -EINVAL;
	}
	if (item->metadata_size > WIRE_METADATA_MAX) {
		*textp = scratch_text(core, "object %s: %u bytes of metadata, but %d are allowed: "
			"move some into the data", id, item->metadata_size, WIRE_METADATA_MAX);
		return -EMSGSIZE;
	}
	r = attributes_check(core, item, textp);
	if (r < 0)
		return r;
	if (object_find(core, &item->id) != TABLES_NONE || id_is_making(core, &item->id)) {
		*textp = scratch_text(core, "object %s exists already: choose another id, or delete it",
			id);
		return -EEXIST;
	}
	size_format(item_size(request->type, item), size, sizeof size);
	size_format(core->config.capacity, limit, sizeof limit);
	bytes = item_size(request->type, item) > core->config.capacity ? UINT64_MAX :
		core_charge(core, item_size(request->type, item)) +
		blob_charge(item->metadata_size) + attributes_charge(item);
	if (bytes > core->config.capacity) {
		*textp = scratch_text(core, "object %s: %s is more than the store's capacity of %s: "
			"make it smaller, or raise capacity", id, size, limit);
		return -EFBIG;
	}
	if (bytes > account->limits[CORE_BYTES]) {
		size_format(account->limits[CORE_BYTES], limit, sizeof limit);
		*textp = scratch_text(core, "object %s: %s is more than the quota of %s of uid %u: "
			"make it smaller, or raise quota", id, size, limit, account->uid);
		return -EDQUOT;
	}
	if (account->limits[CORE_OBJECTS] == 0 || account->limits[CORE_DESCRIPTORS] == 0) {
		*textp = scratch_text(core, "object %s: the quota of uid %u is 0 %s: raise %s", id,
			account->uid, account->limits[CORE_OBJECTS] == 0 ? "objects" : "descriptors",
			account->limits[CORE_OBJECTS] == 0 ? "quota_objects" : "quota_descriptors");
		return -EDQUOT;
	}
	if (item->name) {
		r = name_room(core, account);
		if (r < 0) {
			*textp = scratch_text(core, "object %s: no room for another name: "
				"remove some with unhold", id);
			return r;
		}
	}
	return 0;
}

static const char *keep_text(struct core *core, const struct make *make, int status)
{
	const char *id = object_id_text(core, &make->id);
	char size[32];

	switch (status) {
	case -EBUSY:
		return PENDING_TOO_MUCH;
	case -EDQUOT:
		size_format(make->account->hard_pin_bytes, size, sizeof size);
		return scratch_text(core, "object %s: uid %u has pinned %s, and may pin half of the "
			"capacity: unpin or delete some", id, make->account->uid, size);
	default:
		return scratch_text(core, "object %s: the broker has no memory for its attributes", id);
	}
}

static void make_new(struct core *core, uint32_t conn, struct pending *pending, uint32_t number,
	const struct wire_item *item, int fd)
{
	const struct connection_record *creator = connection_record(core, conn);
	struct make *make = must_alloc(1, sizeof *make);
	int r;

	make->pending = pending;
	make->item = number;
	make->account = core->connections[conn].account;
	make->id = item->id;
	make->size = item_size(pending->type, item);
	make->charge = core_charge(core, make->size);
	make->uid = creator->uid;
	make->gid = creator->gid;
	make->mode = item->mode ? item->mode & 0777 : MODE_DEFAULT;
	make->hold = item->flags & WIRE_ITEM_HOLD;
	make->seal = pending->type == WIRE_PUT;
	make->fd = fd;
	make->metadata = item->metadata;
	make->metadata_size = item->metadata ? item->metadata_size : 0;
	make->data = item->data;
	make->data_size = item->data_size;
	make->name = item->name;
	list_init(&make->queue_link);
	list_init(&make->fresh_link);
	list_add_tail(&pending->makes, &make->pending_link);
	list_add_tail(&core->fresh, &make->fresh_link);
	hash_map_add(&core->makes_by_id, &make->by_id, object_id_hash(core, &make->id));
	r = attributes_keep(core, make, item);
	if (r < 0)
		make_fail(core, make, r, keep_text(core, make, r));
	else
		queue_add(core, make);
}

static void add_item(struct core *core, uint32_t conn, struct pending *pending,
	const struct wire_item *item, const struct wire_request *request, int fd)
{
	const uint32_t number = pending_add(pending, &item->id);
	const char *text;
	int r;

	if (request->retry && pending->type != WIRE_CREATE &&
		was_done(core, conn, pending, &item->id)) {
		pending_outcome(pending, number, 0, NULL, TABLES_NONE);
		stranger_close(core, conn, fd);
		return;
	}
	r = check_item(core, conn, item, request, &text);
	if (r == 0 && fd >= 0 && !room_quota_for_offered(core, core->connections[conn].account)) {
		const struct account *account = core->connections[conn].account;

		text = scratch_text(core, "object %s: uid %u uses all %" PRIu64 " descriptors of its "
			"quota: release references, delete objects, or raise quota_descriptors",
			object_id_text(core, &item->id), account->uid,
			account->limits[CORE_DESCRIPTORS]);
		tables_count(&core->tables, COUNTER_FULL_ERRORS, 1);
		r = -ENOBUFS;
	}
	if (r == 0 && fd >= 0 && !room_for_offered(core)) {
		text = scratch_text(core, "object %s: all of the broker's %u descriptors are in use: "
			"release references, or raise max_descriptors", object_id_text(core, &item->id),
			core->config.max_fds);
		tables_count(&core->tables, COUNTER_FULL_ERRORS, 1);
		r = -ENOBUFS;
	}
	if (r < 0) {
		pending_outcome(pending, number, r, text, TABLES_NONE);
		stranger_close(core, conn, fd);
		return;
	}
	if (fd >= 0) {
		core->n_fds++;
		account_charge(core->connections[conn].account, &offered_cost);
	}
	make_new(core, conn, pending, number, item, fd);
}

void request_make(struct core *core, uint32_t conn, const struct wire_request *request, int fd)
{
	struct pending *pending = pending_for(core, conn, request);

	if (!pending) {
		stranger_close(core, conn, fd);
		return;
	}
	pending_set_deadline(core, pending, deadline_ns(core->now,
		request->timeout_ns ? request->timeout_ns : core->config.queue_deadline_ns));
	for (uint32_t i = 0; i < request->n_items; i++)
		add_item(core, conn, pending, &request->items[i], request, fd);
	pending_packet_end(core, pending, request->more);
}

/* ---- waiting ---- */

static void *append(void *at, const void **pointerp, size_t size)
{
	if (!*pointerp)
		return at;
	memcpy(at, *pointerp, size);
	*pointerp = at;
	return (char *)at + size;
}

/* Copy what the make borrows.  Return: 0, -EBUSY, -ENOMEM. */
static int keep(struct core *core, struct make *make)
{
	const size_t name_size = make->name ? strlen(make->name) + 1 : 0;
	const size_t size = make->data_size + make->metadata_size + name_size;
	const void *name = make->name;
	void *at;

	if (pending_charge(core, make->pending, size + sizeof *make) < 0)
		return -EBUSY;
	if (size == 0)
		return 0;
	at = make->copy = malloc(size);
	if (!at)
		return -ENOMEM;
	at = append(at, &make->data, make->data_size);
	at = append(at, &make->metadata, make->metadata_size);
	append(at, &name, name_size);
	make->name = name;
	return 0;
}

void makes_keep(struct core *core)
{
	struct make *make;

	while ((make = list_first(&core->fresh, struct make, fresh_link))) {
		struct pending *pending = make->pending;
		int r;

		list_remove(&make->fresh_link);
		if (make->ticket) { /* its data is the MAKE effect's, its name is still needed */
			if (make->name)
				make->name = make->copy = must(strdup(make->name));
			continue;
		}
		r = keep(core, make);
		if (r < 0) {
			make_fail(core, make, r, PENDING_TOO_MUCH);
			pending_settle(core, pending);
		}
	}
}

/* ---- room is there ---- */

static int store_metadata(struct core *core, struct make *make)
{
	if (attributes_grant(core, make) < 0)
		return -ENOBUFS;
	if (make->metadata_size == 0)
		return 0;
	make->blob = blob_alloc(&core->blobs, make->metadata_size);
	if (make->blob == BLOB_NONE)
		return -ENOBUFS;
	memcpy(blob_bytes(&core->blobs, make->blob), make->metadata, make->metadata_size);
	return 0;
}

void make_grant(struct core *core, struct make *make)
{
	const bool adopt = make->fd >= 0;
	struct operation *operation;
	struct core_effect *effect;
	struct pool_memfd memfd;

	queue_remove(core, make);
	if (store_metadata(core, make) < 0) {
		struct pending *pending = make->pending;

		make_fail(core, make, -ENOBUFS,
			scratch_text(core, "object %s: the broker's area for metadata is full: delete "
				"objects, or move metadata into the data",
				object_id_text(core, &make->id)));
		pending_settle(core, pending);
		return;
	}
	memfd = pool_take(core, make);
	if (memfd.fd >= 0)
		make->charge = MAX(make->charge, memfd.bytes);
	else if (!adopt)
		core->n_fds++;
	charge(core, make);
	effect = effect_add(core, adopt ? CORE_ADOPT : CORE_MAKE);
	effect->ticket = make->ticket = operation_new(core,
		adopt ? OPERATION_ADOPT : OPERATION_MAKE, &operation);
	operation->make = make;
	effect->conn = make->pending->connection;
	effect->size = make->size;
	effect->fd = adopt ? make->fd : memfd.fd;
	effect->seal = make->seal;
	effect->data = make->data;
	effect->data_size = make->data_size;
}

/* The memfd is ours and has its size: the make becomes an object.  Return: 0, -EDQUOT, -ENOBUFS,
 * -ENOMEM: no record for its name or its reference. */
static int become_object(struct core *core, struct make *make, int fd, uint64_t inode)
{
	const uint32_t conn = make->pending->connection;
	uint32_t o;
	int r;

	if (!holding_room(core, conn, 1))
		return -ENOMEM;
	if (make->name) {
		r = name_room(core, make->account);
		if (r < 0)
			return r;
	}
	o = object_new(core, make, fd, inode);
	make->blob = make->attributes_blob = BLOB_NONE;
	make->pin = false;
	holding_add(core, conn, o, 1, 0);
	if (make->name)
		name_pend(core, make->uid, make->name, o);
	if (make->pending->type != WIRE_CREATE)
		object_seal(core, o, make->pending->serial);
	pending_outcome(make->pending, make->item, 0, NULL,
		make->pending->type == WIRE_CREATE ? o : TABLES_NONE);
	return 0;
}

static struct make *take_back(struct core *core, uint32_t ticket, int kind)
{
	struct make *make = operation_get(core, ticket, kind)->make;

	operation_end(core, ticket);
	uncharge(core, make);
	make->ticket = 0;
	return make;
}

void make_done(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode)
{
	struct make *make = take_back(core, ticket, OPERATION_MAKE);
	struct pending *pending = make->pending;
	bool kept = false;

	if (result == 0 && pending) {
		result = become_object(core, make, fd, inode);
		kept = result == 0;
	}
	if (!kept && fd >= 0)
		effect_close(core, fd, make->charge);
	else if (!kept)
		core->n_fds--;
	if (result < 0)
		make_fail(core, make, result, scratch_text(core, "object %s: its memory could not be "
			"made: %s; the broker's machine or its limits are short of something",
			object_id_text(core, &make->id), strerror(-result)));
	else
		make_free(core, make);
	if (pending)
		pending_settle(core, pending);
}

static const char *adoption_text(struct core *core, const struct make *make, int status)
{
	const char *id = object_id_text(core, &make->id);

	switch (status) {
	case -EPERM:
		return scratch_text(core, "object %s: the memfd lacks seals: it needs F_SEAL_WRITE, "
			"F_SEAL_GROW, F_SEAL_SHRINK and F_SEAL_SEAL", id);
	case -EINVAL:
	case -EBADF:
		return scratch_text(core, "object %s: the descriptor is not a memfd of the size named",
			id);
	default:
		return scratch_text(core, "object %s: taking the memfd: %s", id, strerror(-status));
	}
}

void make_adopted(struct core *core, uint32_t ticket, int result, uint64_t inode, uint64_t size)
{
	struct make *make = take_back(core, ticket, OPERATION_ADOPT);
	struct pending *pending = make->pending;

	if (result == 0 && size != make->size)
		result = -EINVAL;
	if (result == 0 && pending) {
		result = become_object(core, make, make->fd, inode);
		if (result == 0) { /* the object's now */
			make->fd = -1;
			account_return(core, make->account, &offered_cost);
		}
	}
	if (result < 0)
		make_fail(core, make, result, adoption_text(core, make, result));
	else
		make_free(core, make);
	if (pending)
		pending_settle(core, pending);
}
