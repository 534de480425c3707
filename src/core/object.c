/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/access.h"
#include "core/account.h"
#include "core/attribute.h"
#include "core/claim.h"
#include "core/events.h"
#include "core/gone.h"
#include "core/holding.h"
#include "core/look.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/share.h"
#include "core/state.h"
#include "core/watch.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/siphash.h"

#define PREFETCH_MAX 64 /* objects that are fetched together */
#define CACHE_LINE   64

uint64_t object_id_hash(const struct core *core, const struct id128 *id)
{
	return siphash(id->bytes, sizeof id->bytes, core->tables.header->hash_key);
}

const char *object_id_text(struct core *core, const struct id128 *id)
{
	return id128_format(id, scratch_alloc(core, ID128_TEXT_SIZE, 1));
}

uint32_t object_find(const struct core *core, const struct id128 *id)
{
	uint32_t o;

	index_map_for_each(o, &core->objects_by_id, objects_by_id(core), object_id_hash(core, id))
		if (id128_equal(&object_record(core, o)->id, id))
			break;
	return o;
}

static void prefetch_all_of(const void *p, size_t size)
{
	for (size_t at = 0; at < size; at += CACHE_LINE)
		__builtin_prefetch((const char *)p + at);
}

void objects_prefetch(const struct core *core, const struct id128 *ids, size_t stride, size_t n)
{
	uint64_t hashes[PREFETCH_MAX];

	for (size_t begin = 0, end; begin < n; begin = end) {
		end = MIN(begin + PREFETCH_MAX, n);
		for (size_t i = begin; i < end; i++) {
			const struct id128 *id = (const void *)((const char *)ids + i * stride);
			const uint64_t hash = object_id_hash(core, id);

			index_map_prefetch(&core->objects_by_id, hash);
			hash_map_prefetch(&core->gone_by_id, hash);
			hashes[i - begin] = hash;
		}
		for (size_t i = 0; i < end - begin; i++) {
			const uint32_t o = index_map_prefetch_first(&core->objects_by_id,
				objects_by_id(core), hashes[i]);

			hash_map_prefetch_first(&core->gone_by_id, hashes[i]);
			if (o == INDEX_NONE)
				continue;
			prefetch_all_of(&core->objects[o], sizeof core->objects[o]);
			prefetch_all_of(object_record(core, o), sizeof *object_record(core, o));
		}
	}
}

uint32_t object_find_seen(const struct core *core, const struct id128 *id, uint32_t conn)
{
	const uint32_t o = object_find(core, id);

	return o != TABLES_NONE && access_sees(core, conn, object_record(core, o)) ? o : TABLES_NONE;
}

uint32_t object_find_deleted(const struct core *core, const struct id128 *id, uint32_t conn,
	uint64_t after)
{
	uint32_t oldest = TABLES_NONE, o;

	if (core->deleted_by_id.n == 0)
		return TABLES_NONE;
	index_map_for_each(o, &core->deleted_by_id, objects_by_id(core), object_id_hash(core, id)) {
		const struct object_record *record = object_record(core, o);

		if (record->sequence > after && id128_equal(&record->id, id) &&
			(oldest == TABLES_NONE ||
				record->sequence < object_record(core, oldest)->sequence) &&
			holding_find(core, conn, o) != TABLES_NONE)
			oldest = o;
	}
	return oldest;
}

uint64_t object_bytes(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	if (record->fd == OBJECT_IN_PACK)
		return pack_charge(core, record->size);
	return record->fd < 0 ? 0 : core_charge(core, record->size);
}

struct account *object_account(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const uint32_t payer = core->objects[o].payer;

	if (record->flags & OBJECT_DELETED && payer != TABLES_NONE)
		return core->connections[holding_record(core, payer)->connection].account;
	return account_get(core, record->uid);
}

struct cost object_cost(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const uint64_t metadata = object_metadata_bytes(core, o);

	return (struct cost){
		.bytes = object_bytes(core, o) + metadata,
		.metadata = metadata,
		.objects = 1,
		.fds = record->fd >= 0,
	};
}

/* ---- eviction candidates ---- */

static bool may_be_evicted(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const struct object *object = &core->objects[o];

	return record->state == WIRE_RESIDENT && record->flags == 0 && object->refs == 0 &&
	       object->pins == 0 && object->wanted == 0 && index_list_empty(&object->names) &&
	       index_list_empty(&object->leases);
}

uint64_t object_metadata_bytes(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	return blob_charge(record->metadata_size) + blob_charge(record->attributes_size);
}

/* What its eviction would give back to its uid: wrap, as sums that are subtracted do. */
static void add_evictable(struct account *account, const struct cost *cost, uint64_t times)
{
	account->evictable.bytes += times * cost->bytes;
	account->evictable.metadata += times * cost->metadata;
	account->evictable.objects += times * cost->objects;
	account->evictable.fds += times * cost->fds;
}

/* What evicting it would give: add 1, or -1. */
static void victim_count(struct core *core, uint32_t o, int add)
{
	const struct object_record *record = object_record(core, o);
	const struct object *object = &core->objects[o];
	const struct cost cost = object_cost(core, o);

	add_evictable(account_get(core, record->uid), &cost, (uint64_t)(int64_t)add);
	core->n_victims += add;
	if (record->fd == OBJECT_IN_PACK) {
		core->victim_bytes += add * (int64_t)cost.metadata;
		pack_count_victim(core, record->size, add);
	} else {
		core->victim_bytes += add * (int64_t)cost.bytes;
		core->n_victim_fds += object->repacking ? 0 : add;
	}
}

static void victim_add(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	struct account *account = account_get(core, record->uid);
	const struct cost cost = object_cost(core, o);
	const struct policy_object view = {
		.object = o,
		.use = record->use,
		.accesses = record->accesses,
		.bytes = cost.bytes,
	};

	victims_add(&core->victims, record->priority, &view);
	index_list_add_tail(account_victims(core),
		&account->victims[priority_level(record->priority)], o);
	victim_count(core, o, 1);
}

static void victim_remove(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	struct account *account = account_get(core, record->uid);

	victims_remove(&core->victims, record->priority, o);
	index_list_remove(account_victims(core),
		&account->victims[priority_level(record->priority)], o);
	victim_count(core, o, -1);
}

uint32_t object_victim(const struct core *core)
{
	return victims_first(&core->victims);
}

uint32_t object_victim_with_fd(const struct core *core)
{
	uint32_t o = object_victim(core);

	while (object_record(core, o)->fd < 0 || core->objects[o].repacking)
		o = victims_next(&core->victims, object_record(core, o)->priority, o);
	return o;
}

/* ---- charges ---- */

static void count_memory(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const uint64_t data = object_bytes(core, o), metadata = object_metadata_bytes(core, o);
	const struct cost memory = { .bytes = data + metadata, .metadata = metadata,
		.fds = record->fd >= 0 };

	core->object_bytes += data;
	core->metadata_bytes += metadata;
	account_charge(account_get(core, record->uid), &memory);
}

void object_uncharge_metadata(struct core *core, uint32_t o)
{
	const uint64_t metadata = object_metadata_bytes(core, o);
	const struct cost cost = { .bytes = metadata, .metadata = metadata };
	struct account *account = account_get(core, object_record(core, o)->uid);

	core->metadata_bytes -= metadata;
	account_return(core, account, &cost);
	if (!index_linked(&core->objects[o].victim_link))
		return;
	core->victim_bytes -= metadata;
	add_evictable(account, &cost, (uint64_t)-1);
}

void object_charge_metadata(struct core *core, uint32_t o)
{
	const uint64_t metadata = object_metadata_bytes(core, o);
	const struct cost cost = { .bytes = metadata, .metadata = metadata };
	struct account *account = account_get(core, object_record(core, o)->uid);

	core->metadata_bytes += metadata;
	account_charge(account, &cost);
	if (!index_linked(&core->objects[o].victim_link))
		return;
	core->victim_bytes += metadata;
	add_evictable(account, &cost, 1);
}

/* Give the memory back.  foreign: the descriptor is not ours any more. */
static void drop_memory(struct core *core, uint32_t o, bool foreign)
{
	struct object_record *record = object_record(core, o);
	struct object *object = &core->objects[o];
	const uint64_t data = object_bytes(core, o), metadata = object_metadata_bytes(core, o);
	const struct cost memory = { .bytes = data + metadata, .metadata = metadata,
		.fds = record->fd >= 0 };
	const struct pack_place place = record->place;
	const int fd = record->fd;
	uint32_t h;

	if (!object_has_memory(record))
		return;
	index_list_for_each(h, object_holdings(core), &object->holdings)
		holding_forget_bytes(core, h, data);
	if (object->pins)
		core->pinned_bytes -= data;
	core->object_bytes -= data;
	core->metadata_bytes -= metadata;
	account_return(core, object_account(core, o), &memory);
	attributes_drop(core, o);
	blob_free(&core->blobs, record->metadata, record->metadata_size);
	tables_change(&core->tables, record);
	record->fd = OBJECT_NO_MEMORY;
	record->metadata = BLOB_NONE;
	record->metadata_size = 0;
	repack_reconsider(core, o);
	if (fd == OBJECT_IN_PACK) {
		pack_give(core, place, record->size);
	} else if (foreign) {
		core->n_fds--;
	} else if (object->sealing) { /* the edge still works on the descriptor */
		struct operation *operation = operation_get(core, object->sealing, OPERATION_SEAL);

		operation->object = TABLES_NONE;
		operation->bytes = data;
		core->freeing_bytes += data;
		core->n_freeing_fds++;
	} else {
		effect_close(core, fd, data);
	}
	object->sealing = 0;
}

/* Does this holding keep the deleted object as it is? */
static bool keeps(const struct core *core, uint32_t o, uint32_t h)
{
	const struct holding_record *holding = holding_record(core, h);

	return holding->object == o &&
		(holding->pins > 0 || (!object_has_memory(object_record(core, o)) && holding->refs > 0));
}

/* The holding that the deleted object is to be charged to (core/account.h). */
static uint32_t choose_payer(struct core *core, uint32_t o)
{
	uint32_t h, oldest = TABLES_NONE;
	uint64_t age = UINT64_MAX;

	index_list_for_each(h, object_holdings(core), &core->objects[o].holdings) {
		const struct connection_record *of =
			connection_record(core, holding_record(core, h)->connection);

		if (!keeps(core, o, h))
			continue;
		if (of->uid == object_record(core, o)->uid)
			return h;
		if (of->number < age) {
			age = of->number;
			oldest = h;
		}
	}
	return oldest;
}

/* Whoever it was charged to may hold it no longer.  New holders are children of old ones, and do
 * not come before them. */
static void charge_holder(struct core *core, uint32_t o, bool anew)
{
	struct object *object = &core->objects[o];
	struct account *before = object_account(core, o), *after;
	const struct cost cost = object_cost(core, o);

	if (!anew && object->payer != TABLES_NONE && keeps(core, o, object->payer))
		return;
	object->payer = choose_payer(core, o);
	after = object_account(core, o);
	if (after == before)
		return;
	account_charge(after, &cost);
	account_return(core, before, &cost);
}

/* The record ends: nobody knows the object any more. */
static void end(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);
	struct object *object = &core->objects[o];
	const struct cost cost = { .objects = 1 };

	assert(!object_has_memory(record) && index_list_empty(&object->holdings));
	assert(index_list_empty(&object->names) && index_list_empty(&object->leases));
	account_return(core, object_account(core, o), &cost);
	if (record->flags & OBJECT_DELETED) {
		index_map_remove(&core->deleted_by_id, objects_by_id(core), o);
		core->n_deleted--;
	} else {
		index_map_remove(&core->objects_by_id, objects_by_id(core), o);
		if (record->state == WIRE_CREATED)
			core->n_created--;
		else
			core->n_resident--;
	}
	arena_give(&core->arena, record->size, record->slot);
	tables_change(&core->tables, record);
	record->state = 0;
	record_give(&core->tables.free_objects, o);
	order_forget(core);
}

void object_reconsider(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);
	struct object *object = &core->objects[o];
	const bool was = index_linked(&object->victim_link), is = may_be_evicted(core, o);

	if (is && !was) {
		record->use = ++core->tables.header->uses;
		victim_add(core, o);
	} else if (was && !is) {
		victim_remove(core, o);
	}
	repack_reconsider(core, o);
	if (record->state == WIRE_CREATED && !(record->flags & OBJECT_DELETED))
		share_reconsider(core, o);
	if (record->flags & OBJECT_DELETED && index_list_empty(&object->names) &&
		index_list_empty(&object->leases)) {
		const bool drops = object->pins == 0 && object_has_memory(record);

		if (drops)
			drop_memory(core, o, false);
		if (index_list_empty(&object->holdings))
			end(core, o);
		else
			charge_holder(core, o, drops);
	}
}

void object_move(struct core *core, uint32_t o, struct pack_place to)
{
	struct object_record *record = object_record(core, o);
	const struct pack_place from = record->place;

	tables_change(&core->tables, &record->place);
	record->place = to;
	pack_set_object(core, to, record->size, o);
	pack_slot_give(core, from);
}

void object_repack(struct core *core, uint32_t o, struct pack_place to)
{
	struct object_record *record = object_record(core, o);
	const uint64_t before = object_bytes(core, o);
	const bool is_victim = index_linked(&core->objects[o].victim_link);
	struct cost less = { .fds = 1 };
	const int fd = record->fd;
	uint32_t h;

	assert(core->objects[o].idle && !core->objects[o].repacking);
	if (is_victim) /* and stays it, in its turn */
		victim_count(core, o, -1);
	tables_change(&core->tables, record);
	record->fd = OBJECT_IN_PACK;
	record->place = to;
	pack_set_object(core, to, record->size, o);
	less.bytes = before - object_bytes(core, o);
	core->object_bytes -= less.bytes;
	account_return(core, account_get(core, record->uid), &less);
	index_list_for_each(h, object_holdings(core), &core->objects[o].holdings)
		holding_forget_bytes(core, h, less.bytes);
	if (is_victim)
		victim_count(core, o, 1);
	repack_reconsider(core, o);
	effect_close(core, fd, before);
	tables_count(&core->tables, COUNTER_REPACKS, 1);
}

void object_unpack(struct core *core, uint32_t o, int fd, uint64_t inode)
{
	struct object_record *record = object_record(core, o);
	const struct pack_place from = record->place;
	const uint64_t before = object_bytes(core, o);
	struct cost more = { .fds = 1 };
	uint32_t h;

	assert(!index_linked(&core->objects[o].victim_link) && core->objects[o].pins == 0);
	tables_change(&core->tables, record);
	record->fd = fd;
	record->inode = inode;
	more.bytes = object_bytes(core, o) - before; /* may wrap, as sums do */
	core->object_bytes += more.bytes;
	account_charge(account_get(core, record->uid), &more);
	index_list_for_each(h, object_holdings(core), &core->objects[o].holdings)
		holding_forget_bytes(core, h, -more.bytes);
	pack_give(core, from, record->size);
}

void object_want(struct core *core, uint32_t o, int add)
{
	core->objects[o].wanted += add;
	object_reconsider(core, o);
}

void object_rank(struct core *core, uint32_t o, int priority, uint8_t flags)
{
	struct object_record *record = object_record(core, o);

	if (record->priority == priority && record->flags == flags)
		return;
	if (index_linked(&core->objects[o].victim_link))
		victim_remove(core, o);
	tables_change(&core->tables, record);
	record->priority = priority;
	record->flags = flags;
	object_reconsider(core, o);
}

void object_touch(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);

	record->last_access_ns = core->now + core->realtime_offset;
	record->accesses++;
}

/* ---- life ---- */

/* Derive what follows from the record alone. */
static void link_object(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	struct object *object = &core->objects[o];
	const struct cost cost = { .objects = 1 };

	account_charge(account_get(core, record->uid), &cost);
	*object = (struct object){ .refs = 0 };
	index_list_init(&object->holdings);
	index_list_init(&object->names);
	index_list_init(&object->leases);
	index_link_init(&object->victim_link);
	index_link_init(&object->own_link);
	if (record->flags & OBJECT_DELETED) {
		object->payer = TABLES_NONE; /* chosen when all is linked */
		index_map_add(&core->deleted_by_id, objects_by_id(core), o,
			object_id_hash(core, &record->id));
		core->n_deleted++;
		return;
	}
	index_map_add(&core->objects_by_id, objects_by_id(core), o,
		object_id_hash(core, &record->id));
	if (record->state == WIRE_CREATED)
		core->n_created++;
	else
		core->n_resident++;
}

uint32_t object_new(struct core *core, struct make *make, int fd, uint64_t inode)
{
	struct tables_header *header = core->tables.header;
	const uint32_t o = record_take(&core->tables, &core->tables.free_objects);
	struct object_record *record;

	assert(o != TABLES_NONE); /* room_fits() counted it */
	record = object_record(core, o);
	gone_clear(core, &make->id);
	if (fd == OBJECT_IN_PACK)
		pack_set_object(core, make->place, make->size, o);
	tables_change(&core->tables, &header->sequence);
	header->sequence++;
	tables_change(&core->tables, record);
	*record = (struct object_record){
		.id = make->id,
		.size = make->size,
		.inode = inode,
		.sequence = header->sequence,
		.creator = connection_record(core, make->pending->connection)->number,
		.created_ns = core->now + core->realtime_offset,
		.last_access_ns = core->now + core->realtime_offset,
		.metadata = make->blob,
		.metadata_size = make->metadata_size,
		.attributes = make->attributes_blob,
		.attributes_size = make->attributes_size,
		.priority = make->priority,
		.uid = make->uid,
		.gid = make->gid,
		.fd = fd,
		.slot = arena_take(&core->arena, make->size),
		.mode = make->mode,
		.state = WIRE_CREATED,
		.flags = (make->hold ? OBJECT_HELD : 0) | (make->pin ? OBJECT_PINNED : 0),
	};
	if (fd == OBJECT_IN_PACK)
		record->place = make->place;
	link_object(core, o);
	count_memory(core, o);
	order_add(core, o);
	events_note(core, record, WIRE_EVENT_CREATED);
	return o;
}

void object_seal(struct core *core, uint32_t o, uint64_t serial)
{
	struct object_record *record = object_record(core, o);

	tables_change(&core->tables, record);
	record->state = WIRE_RESIDENT;
	record->serial = serial;
	core->n_created--;
	core->n_resident++;
	attributes_sealed(core, o);
	names_bind_pending(core, o);
	repack_reconsider(core, o);
	events_note(core, record, WIRE_EVENT_SEALED);
	tables_count(&core->tables, COUNTER_PUTS, 1);
	watch_sealed(core, o);
}

/* It is gone by its id; what is held of it stays as long as it is held. */
static void hide(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);
	struct object *object = &core->objects[o];

	attributes_end(core, o);
	tables_change(&core->tables, record);
	record->flags |= OBJECT_DELETED;
	object->payer = TABLES_NONE;
	index_map_remove(&core->objects_by_id, objects_by_id(core), o);
	index_map_add(&core->deleted_by_id, objects_by_id(core), o,
		object_id_hash(core, &record->id));
	if (record->state == WIRE_CREATED)
		core->n_created--;
	else
		core->n_resident--;
	core->n_deleted++;
	repack_reconsider(core, o);
}

static void drop_claims(struct core *core, uint32_t o)
{
	const struct object *object = &core->objects[o];

	if (index_list_empty(&object->names) && index_list_empty(&object->leases))
		object_reconsider(core, o);
	else
		claims_drop_all(core, o); /* the last one reconsiders */
}

/* Take the reference that a draft is to its creator. */
static void take_creators(struct core *core, uint32_t o)
{
	uint32_t h;

	index_list_for_each(h, object_holdings(core), &core->objects[o].holdings)
		if (holding_is_creators(core, h)) {
			holding_take(core, h, 1, 0);
			return;
		}
}

void object_abort(struct core *core, uint32_t o)
{
	assert(object_record(core, o)->state == WIRE_CREATED);
	share_aborted(core, o);
	take_creators(core, o);
	events_note(core, object_record(core, o), WIRE_EVENT_ABORTED);
	hide(core, o);
	drop_claims(core, o);
}

static enum wire_event event_of(enum gone_reason reason)
{
	return reason == GONE_LOST ? WIRE_EVENT_LOST :
	       reason == GONE_EXPIRED ? WIRE_EVENT_EXPIRED : WIRE_EVENT_DELETED;
}

void object_delete(struct core *core, uint32_t o, enum gone_reason reason)
{
	struct object_record *record = object_record(core, o);
	struct object *object = &core->objects[o];

	if (index_linked(&object->victim_link))
		victim_remove(core, o);
	gone_note(core, record, reason);
	events_note(core, record, event_of(reason));
	hide(core, o);
	if (reason == GONE_LOST)
		drop_memory(core, o, true);
	watch_gone(core, record);
	drop_claims(core, o);
}

void object_lose_memory(struct core *core, uint32_t o)
{
	drop_memory(core, o, true);
	charge_holder(core, o, true);
}

void object_evict(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);

	victim_remove(core, o);
	gone_note(core, record, GONE_EVICTED);
	events_note(core, record, WIRE_EVENT_EVICTED);
	tables_count(&core->tables, COUNTER_DROPPED, 1);
	watch_gone(core, record);
	drop_memory(core, o, false);
	end(core, o);
	tables_breathe(&core->tables);
}

void object_describe(const struct core *core, uint32_t o, struct wire_item *item)
{
	const struct object_record *record = object_record(core, o);

	item->id = record->id;
	item->size = record->size;
	item->state = record->state;
	item->mode = record->mode;
	item->uid = record->uid;
	item->gid = record->gid;
	item->address = arena_address(&core->arena, record->size, record->slot);
	item->metadata = blob_bytes(&core->blobs, record->metadata);
	item->metadata_size = record->metadata_size;
	item->created_ns = record->created_ns;
	item->last_access_ns = record->last_access_ns;
	item->accesses = record->accesses;
	item->charged_bytes = object_bytes(core, o) + object_metadata_bytes(core, o);
	item->resident_bytes = object_has_memory(record) ? record->size : 0;
}

/* ---- recovery ---- */

int object_recover(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	int r;

	r = arena_claim(&core->arena, record->size, record->slot);
	if (r == 0 && record->metadata != BLOB_NONE)
		r = blob_claim(&core->blobs, record->metadata, record->metadata_size);
	if (r == 0 && record->fd == OBJECT_IN_PACK)
		r = pack_claim(core, o);
	if (r == 0)
		r = attributes_recover(core, o);
	if (r < 0)
		return r;
	link_object(core, o);
	if (object_has_memory(record))
		count_memory(core, o);
	if (record->fd >= 0)
		core->n_fds++;
	return 0;
}

static bool has_creator(const struct core *core, uint32_t o)
{
	uint32_t h;

	index_list_for_each(h, object_holdings(core), &core->objects[o].holdings)
		if (holding_is_creators(core, h))
			return true;
	return false;
}

void object_recover_end(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	if (record->flags & OBJECT_DELETED) {
		claims_drop_all(core, o);
		if (record->state)
			object_reconsider(core, o);
	} else if (record->state == WIRE_CREATED && !has_creator(core, o)) {
		object_abort(core, o);
	}
	tables_breathe(&core->tables);
}

static int compare_use(const void *a, const void *b, void *context)
{
	const struct core *core = context;
	const uint64_t x = object_record(core, *(const uint32_t *)a)->use;
	const uint64_t y = object_record(core, *(const uint32_t *)b)->use;

	return x < y ? -1 : x > y;
}

void objects_recover_victims(struct core *core)
{
	const uint32_t high = core->tables.header->objects_high;
	uint32_t *victims = must_alloc(high + 1, sizeof *victims);
	size_t n = 0;

	for (uint32_t o = 0; o < high; o++) {
		if (object_record(core, o)->state && may_be_evicted(core, o))
			victims[n++] = o;
		repack_reconsider(core, o);
	}
	qsort_r(victims, n, sizeof *victims, compare_use, core);
	for (size_t i = 0; i < n; i++)
		victim_add(core, victims[i]);
	free(victims);
}
