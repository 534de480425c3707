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
#include "core/pack.h"
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

uint64_t make_metadata_bytes(const struct make *make)
{
	return blob_charge(make->metadata_size) + blob_charge(make->attributes_size);
}

static bool is_unpack(const struct make *make)
{
	return make->object != TABLES_NONE;
}

/* Will its object be in the pack, if it is granted now? */
static bool goes_into_pack(const struct core *core, const struct make *make)
{
	return make->seal && !is_unpack(make) && pack_takes(core, make->size);
}

struct cost make_cost(const struct core *core, const struct make *make)
{
	const bool has_place = make->place.frame != TABLES_NONE;
	const bool will = !has_place && !make->ticket && goes_into_pack(core, make);
	const uint64_t metadata = make_metadata_bytes(make);

	return (struct cost){
		.bytes = (will ? pack_charge(core, make->size) : make->charge) + metadata,
		.metadata = metadata,
		.objects = !is_unpack(make),
		.fds = make->fd < 0 && !has_place && !will, /* an offered memfd's is charged already */
	};
}

struct cost make_quota(const struct core *core, const struct make *make)
{
	return is_unpack(make) ? (struct cost){ .bytes = 0 } : make_cost(core, make);
}

struct need make_need(const struct core *core, const struct make *make)
{
	const uint64_t metadata = make_metadata_bytes(make);
	struct need need = { .bytes = make->charge + metadata, .fds = make->fd < 0,
		.pack_class = PACK_NO_CLASS };

	if (goes_into_pack(core, make)) {
		need.fds = 0;
		need.pack_class = pack_class_of(core, make->size);
		need.bytes = metadata;
		if (need.pack_class == PACK_NO_CLASS)
			need.bytes += pack_need(core, make->size);
	}
	return need;
}

uint64_t make_least(const struct core *core, const struct make *make)
{
	/* There may be a free slot in the pack, some time. */
	const bool small = make->seal && !is_unpack(make) && make->size <= core->config.inline_max;

	return make_metadata_bytes(make) + (small ? 0 : make->charge);
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
	const struct cost cost = make_cost(core, make);

	core->object_bytes += make->charge;
	core->metadata_bytes += cost.metadata;
	account_charge(make->account, &cost);
	core->n_making++;
}

static void uncharge(struct core *core, struct make *make)
{
	const struct cost cost = make_cost(core, make);

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
		if (!is_unpack(make))
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

	attributes_unpin(core, make); /* the sentence tells of what there is */
	text_add(&text, is_unpack(make) ? "no room to map object %s: " : "no room for object %s: ",
		object_id_text(core, &make->id));
	room_explain(core, make, &text);
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

/* How large a new object is, and if that is not all, what it counts. */
static const char *cost_text(struct core *core, uint64_t size, uint64_t bytes)
{
	char data[32], pages[32], rest[32];

	size_format(size, data, sizeof data);
	if (bytes < size || bytes == UINT64_MAX || size > core->config.capacity)
		return scratch_text(core, "%s", data);
	size_format(core_charge(core, size), pages, sizeof pages);
	size_format(bytes - core_charge(core, size), rest, sizeof rest);
	return scratch_text(core, "%s, in whole pages %s, and %s of metadata", data, pages, rest);
}

/* Is the item acceptable?  Return: 0 or the status, with its sentence. */
static int check_item(struct core *core, uint32_t conn, const struct wire_item *item,
	const struct wire_request *request, const char **textp)
{
	const struct account *account = core->connections[conn].account;
	const char *id = object_id_text(core, &item->id);
	char limit[32];
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
	bytes = item_size(request->type, item) > core->config.capacity ? UINT64_MAX :
		core_charge(core, item_size(request->type, item)) +
		blob_charge(item->metadata_size) + attributes_charge(item);
	if (bytes > core->config.capacity) {
		size_format(core->config.capacity, limit, sizeof limit);
		*textp = scratch_text(core, "object %s: %s are more than the store's capacity of %s: "
			"make it smaller, or raise capacity", id,
			cost_text(core, item_size(request->type, item), bytes), limit);
		return -EFBIG;
	}
	if (bytes > account->limits[CORE_BYTES]) {
		size_format(account->limits[CORE_BYTES], limit, sizeof limit);
		*textp = scratch_text(core, "object %s: %s are more than the quota of %s of uid %u: "
			"make it smaller, or raise quota", id,
			cost_text(core, item_size(request->type, item), bytes), limit,
			account->uid);
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
	make->place.frame = make->object = TABLES_NONE;
	make->metadata = item->metadata;
	make->metadata_size = item->metadata ? item->metadata_size : 0;
	make->data = item->data;
	make->data_size = item->data_size;
	make->name = item->name;
	list_init(&make->queue_link);
	list_init(&make->fresh_link);
	list_init(&make->batch_link);
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
	if (request->n_items > 1)
		objects_prefetch(core, &request->items->id, sizeof *request->items,
			request->n_items);
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

/* Let its bytes be written to a place in the pack. */
static void grant_place(struct core *core, struct make *make)
{
	uint64_t fresh;

	core->pool.last_create_ns = core->now;
	make->place = pack_take(core, make->size, TABLES_NONE, &fresh);
	assert(make->place.frame != TABLES_NONE); /* pack_takes() */
	make->charge = pack_charge(core, make->size);
	charge(core, make);
	pack_write_make(core, make, fresh);
}

/* Is the object that a GET wanted mapped still there, and in the pack? */
static bool is_stale(const struct core *core, const struct make *make)
{
	const struct object_record *record = object_record(core, make->object);

	return !record->state || record->sequence != make->sequence ||
	       record->fd != OBJECT_IN_PACK;
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
	if (goes_into_pack(core, make)) {
		grant_place(core, make);
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
	if (is_unpack(make)) {
		effect->from_pack = true;
		effect->offset = pack_offset(core, object_record(core, make->object)->place, make->size);
	}
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

static void fail(struct core *core, struct make *make, int result)
{
	make_fail(core, make, result, scratch_text(core, "object %s: its memory could not be made: "
		"%s; the broker's machine or its limits are short of something",
		object_id_text(core, &make->id), strerror(-result)));
}

void make_packed(struct core *core, struct make *make, int result)
{
	struct pending *pending = make->pending;

	uncharge(core, make);
	make->ticket = 0;
	if (result == 0 && pending)
		result = become_object(core, make, OBJECT_IN_PACK, 0);
	if (result < 0 || !pending)
		pack_give(core, make->place, make->size);
	if (result < 0)
		fail(core, make, result);
	else
		make_free(core, make);
	if (pending)
		pending_settle(core, pending);
}

void make_done(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode)
{
	struct make *make = take_back(core, ticket, OPERATION_MAKE);
	struct pending *pending = make->pending;
	bool kept = false;

	if (result == 0 && is_unpack(make)) {
		kept = pending && !is_stale(core, make);
		if (kept)
			object_unpack(core, make->object, fd, inode);
		if (pending)
			pending_outcome(pending, make->item, 0, NULL, TABLES_NONE);
	} else if (result == 0 && pending) {
		result = become_object(core, make, fd, inode);
		kept = result == 0;
	}
	if (!kept && fd >= 0)
		effect_close(core, fd, make->charge);
	else if (!kept)
		core->n_fds--;
	if (result < 0)
		fail(core, make, result);
	else
		make_free(core, make);
	if (pending)
		pending_settle(core, pending);
}

/* ---- out of the pack ---- */

void make_unpack(struct core *core, struct pending *pending, uint32_t item, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	struct make *make = must_alloc(1, sizeof *make);

	make->pending = pending;
	make->item = item;
	make->account = core->connections[pending->connection].account;
	make->id = record->id;
	make->size = make->data_size = record->size;
	make->charge = core_charge(core, record->size);
	make->seal = true;
	make->fd = -1;
	make->place.frame = TABLES_NONE;
	make->object = o;
	make->sequence = record->sequence;
	list_init(&make->queue_link);
	list_init(&make->fresh_link);
	list_init(&make->batch_link);
	list_add_tail(&pending->makes, &make->pending_link);
	pending->n_unfinished++;
	queue_add(core, make);
}

/* Return: was there one? */
static bool drop_stale(struct core *core)
{
	struct list *ring, *link;

	list_for_each(ring, &core->queue.ring) {
		struct account *account = container_of(ring, struct account, ring_link);

		list_for_each(link, &account->waiting) {
			struct make *make = container_of(link, struct make, queue_link);
			struct pending *pending = make->pending;

			if (!is_unpack(make) || !is_stale(core, make))
				continue;
			pending_outcome(pending, make->item, 0, NULL, TABLES_NONE);
			make_free(core, make);
			pending_settle(core, pending);
			return true;
		}
	}
	return false;
}

void makes_drop_stale(struct core *core)
{
	while (core->n_unpacks && drop_stale(core))
		tables_breathe(&core->tables);
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
