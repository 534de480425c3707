/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LIST, STAT, STATUS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/access.h"
#include "core/account.h"
#include "core/attribute.h"
#include "core/gone.h"
#include "core/look.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/request.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/glob.h"
#include "wire/labels.h"

#define LIST_MAX       1024        /* objects of a page */
#define LIST_BYTES_MAX (1 << 20)   /* of metadata and names in it */
#define LIST_LOOKS_MAX 65536       /* objects looked at for a page, readable or not */
#define NAMES_MAX      256         /* names told of one object */
#define HOLDERS_MAX    1024        /* holders told in one reply */
#define LIST_STEPS_MAX (1 << 20)   /* bytes compared with patterns for a page, but for its last object */

/* ---- order of creation ---- */

static uint64_t sequence_of(const struct order_entry *entry)
{
	return (uint64_t)entry->sequence[1] << 32 | entry->sequence[0];
}

static bool is_stale(const struct core *core, const struct order_entry *entry)
{
	const struct object_record *record = object_record(core, entry->object);

	return record->state == 0 || record->sequence != sequence_of(entry);
}

void order_add(struct core *core, uint32_t o)
{
	const uint64_t sequence = object_record(core, o)->sequence;

	must_grow(&core->order, &core->order_room, core->n_order + 1, sizeof *core->order);
	core->order[core->n_order++] = (struct order_entry){
		.sequence = { (uint32_t)sequence, sequence >> 32 },
		.object = o,
	};
}

void order_forget(struct core *core)
{
	const size_t n_objects = core->n_created + core->n_resident + core->n_deleted;
	size_t n = 0;

	if (core->n_order < 2 * n_objects + 64)
		return;
	for (size_t i = 0; i < core->n_order; i++)
		if (!is_stale(core, &core->order[i]))
			core->order[n++] = core->order[i];
	core->n_order = n;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = sequence_of(a), y = sequence_of(b);

	return x < y ? -1 : x > y;
}

void order_sort(struct core *core)
{
	if (core->n_order > 0) /* qsort() of NULL is undefined, of nothing too */
		qsort(core->order, core->n_order, sizeof *core->order, compare);
}

/* The first entry after this sequence number. */
static size_t order_after(const struct core *core, uint64_t sequence)
{
	size_t low = 0, high = core->n_order;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (sequence_of(&core->order[middle]) <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- items ---- */

static bool is_shown(const struct core *core, uint32_t conn, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	return access_sees(core, conn, record) || access_is_draft_of(core, conn, record);
}

/* The object's names, copied.  Return: bytes. */
static uint32_t copy_names(struct core *core, uint32_t o, const char **namesp)
{
	uint32_t size = 0, n = 0, i;
	char *names, *at;

	index_list_for_each(i, object_names(core), &core->objects[o].names) {
		size += strlen(core->tables.names[i].text) + 1;
		if (++n == NAMES_MAX)
			break;
	}
	if (n == 0)
		return 0;
	names = at = scratch_alloc(core, size, 1);
	index_list_for_each(i, object_names(core), &core->objects[o].names) {
		at = stpcpy(at, core->tables.names[i].text) + 1;
		if (--n == 0)
			break;
	}
	*namesp = names;
	return size;
}

static void describe_whole(struct core *core, uint32_t o, struct wire_item *item)
{
	const struct object *object = &core->objects[o];
	const struct object_record *record = object_record(core, o);
	uint64_t claims = record->flags & OBJECT_HELD ? 1 : 0;
	uint32_t i;

	object_describe(core, o, item);
	attributes_describe(core, o, item);
	index_list_for_each(i, object_names(core), &object->names)
		claims++;
	index_list_for_each(i, object_leases(core), &object->leases)
		claims++;
	item->refs = MIN(object->refs + claims, UINT32_MAX);
	item->pins = MIN(object->pins, UINT32_MAX);
	item->names_size = copy_names(core, o, &item->names);
	if (record->flags & OBJECT_DELETED)
		item->flags |= WIRE_ITEM_DELETED;
	if (record->flags & OBJECT_HELD)
		item->flags |= WIRE_ITEM_HOLD;
}

/* ---- holders ---- */

/* The holders of one object, told from the skip-th on. */
struct telling {
	struct wire_holder *holders; /* HOLDERS_MAX of them */
	uint32_t n, item;
	uint64_t skip;
};

/* Return: false: there is no room for it. */
static bool tell(struct telling *telling, const struct wire_holder *holder)
{
	if (telling->n == HOLDERS_MAX)
		return false;
	telling->holders[telling->n] = *holder;
	telling->holders[telling->n++].item = telling->item;
	return true;
}

static bool tell_connection(struct core *core, uint32_t h, struct telling *telling)
{
	const struct holding_record *record = holding_record(core, h);
	const struct connection_record *of = connection_record(core, record->connection);
	const struct wire_holder holder = {
		.kind = 1,
		.pid = of->pid,
		.uid = of->uid,
		.refs = record->refs,
		.pins = record->pins,
		.text = scratch_text(core, "%.16s", of->comm),
	};

	return tell(telling, &holder);
}

static bool tell_name(struct core *core, uint32_t n, struct telling *telling)
{
	const struct name_record *record = &core->tables.names[n];
	const struct wire_holder holder = {
		.kind = 2,
		.uid = record->uid,
		.refs = 1,
		.text = scratch_text(core, "%s", record->text),
	};

	return tell(telling, &holder);
}

static bool tell_lease(struct core *core, uint32_t l, struct telling *telling)
{
	const struct lease_record *record = &core->tables.leases[l];
	const struct wire_holder holder = {
		.kind = 3,
		.uid = record->uid,
		.refs = 1,
		.expires_ns = record->expires_ns == INT64_MAX ?
			INT64_MAX : record->expires_ns + core->realtime_offset,
		.text = "",
	};

	return tell(telling, &holder);
}

/* Return: 0: all were told; else how many were, the skipped ones included. */
static uint64_t list_holders(struct core *core, uint32_t o, struct telling *telling)
{
	const struct object *object = &core->objects[o];
	uint64_t n = 0;
	uint32_t i;

	index_list_for_each(i, object_holdings(core), &object->holdings)
		if (n++ >= telling->skip && !tell_connection(core, i, telling))
			return n - 1;
	index_list_for_each(i, object_names(core), &object->names)
		if (n++ >= telling->skip && !tell_name(core, i, telling))
			return n - 1;
	index_list_for_each(i, object_leases(core), &object->leases)
		if (n++ >= telling->skip && !tell_lease(core, i, telling))
			return n - 1;
	return 0;
}

/* ---- what is asked for ---- */

/* A deleted object still has memory, and whose it was may know of that. */
static bool is_kept(const struct core *core, uint32_t conn, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	return record->flags & OBJECT_DELETED && record->fd >= 0 &&
	       access_may_read(core, conn, record->uid, record->gid, record->mode);
}

/* Is it the id, or a name of it? */
static bool pattern_matches(const struct core *core, uint32_t o, const char *pattern, size_t *steps)
{
	char id[ID128_TEXT_SIZE];
	uint32_t n = 0, i;

	if (glob_match(pattern, id128_format(&object_record(core, o)->id, id), steps))
		return true;
	index_list_for_each(i, object_names(core), &core->objects[o].names) {
		if (glob_match(pattern, core->tables.names[i].text, steps))
			return true;
		if (++n == NAMES_MAX)
			break;
	}
	return false;
}

static bool is_asked_for(const struct core *core, uint32_t conn, uint32_t o,
	const struct wire_request *request, size_t *steps)
{
	if (!is_shown(core, conn, o) &&
		!(request->flags & WIRE_LIST_HOLDERS && is_kept(core, conn, o)))
		return false;
	if (request->labels_size) {
		struct wire_item item = { .size = 0 };

		attributes_describe(core, o, &item);
		*steps += item.labels_size;
		if (!labels_match(item.labels, item.labels_size, request->labels,
			request->labels_size))
			return false;
	}
	return !request->name || pattern_matches(core, o, request->name, steps);
}

/* ---- requests ---- */

void request_list(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const uint32_t limit = MIN(request->limit ? request->limit : LIST_MAX, LIST_MAX);
	const bool holders = request->flags & WIRE_LIST_HOLDERS;
	struct wire_item *items = scratch_alloc(core, limit, sizeof *items);
	struct telling telling = { .n = 0 };
	struct wire_reply *reply;
	size_t i = order_after(core, request->cursor - !!request->skip), looks = 0, bytes = 0, steps = 0;
	uint64_t cursor = request->cursor, skip = 0;
	uint32_t n = 0;

	if (holders) {
		telling.holders = scratch_alloc(core, HOLDERS_MAX, sizeof *telling.holders);
		if (i < core->n_order && sequence_of(&core->order[i]) == request->cursor)
			telling.skip = request->skip;
	}
	for (; i < core->n_order && n < limit && looks < LIST_LOOKS_MAX && bytes < LIST_BYTES_MAX &&
		steps < LIST_STEPS_MAX && telling.n < HOLDERS_MAX; i++, looks++) {
		const struct order_entry *entry = &core->order[i];

		cursor = sequence_of(entry);
		if (!is_stale(core, entry) &&
			is_asked_for(core, conn, entry->object, request, &steps)) {
			struct wire_item *item = &items[n];

			describe_whole(core, entry->object, item);
			if (holders) {
				item->metadata = NULL;
				item->metadata_size = 0;
				telling.item = n;
				skip = list_holders(core, entry->object, &telling);
			}
			bytes += item->metadata_size + item->names_size + item->labels_size;
			n++;
			if (skip) /* there are more of it: it comes first in the next page */
				break;
		}
		telling.skip = 0; /* it was the first one's */
	}
	reply = effect_reply(core, conn, request->type, request->serial);
	reply->cursor = i < core->n_order ? cursor : 0;
	reply->skip = skip;
	reply->items = items;
	reply->n_items = n;
	reply->holders = telling.holders;
	reply->n_holders = telling.n;
}

void request_stat(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const struct id128 *id = &request->items[0].id;
	uint32_t o = object_find(core, id);
	struct telling telling = { .n = 0 };
	struct wire_reply *reply;
	struct wire_item *item;
	int status;

	if (o == TABLES_NONE || !is_shown(core, conn, o))
		o = object_find_deleted(core, id, conn, 0);
	if (o == TABLES_NONE) {
		status = gone_status(core, conn, id);
		effect_refuse(core, conn, request->type, request->serial, status ? status : -ENOENT,
			gone_explain(core, conn, id));
		return;
	}
	item = scratch_alloc(core, 1, sizeof *item);
	telling.holders = scratch_alloc(core, HOLDERS_MAX, sizeof *telling.holders);
	describe_whole(core, o, item);
	(void)list_holders(core, o, &telling);
	reply = effect_reply(core, conn, request->type, request->serial);
	reply->items = item;
	reply->n_items = 1;
	reply->holders = telling.holders;
	reply->n_holders = telling.n;
}

static const char *const counter_keys[COUNTER_N] = {
	[COUNTER_PUTS] = "counter.puts",
	[COUNTER_GETS] = "counter.gets",
	[COUNTER_RESTORED_BYTES] = "counter.restored_bytes",
	[COUNTER_RESTORES] = "counter.restores",
	[COUNTER_SPILLED_BYTES] = "counter.spilled_bytes",
	[COUNTER_SPILLS] = "counter.spills",
	[COUNTER_IN_USE_EVICTIONS] = "counter.in_use_evictions",
	[COUNTER_DROPPED] = "counter.dropped",
	[COUNTER_PULLS] = "counter.pulls",
	[COUNTER_PULLED_BYTES] = "counter.pulled_bytes",
	[COUNTER_FULL_ERRORS] = "counter.full_errors",
	[COUNTER_FAULTS] = "counter.faults",
	[COUNTER_BAD_RELEASES] = "counter.bad_releases",
	[COUNTER_COMPACTIONS] = "counter.compactions",
	[COUNTER_REPACKS] = "counter.repacks",
};

void request_status(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const struct {
		const char *key;
		uint64_t number;
	} numbers[] = {
		{ "capacity_bytes", core_capacity(core) },
		{ "configured_capacity_bytes", core->config.capacity },
		{ "used_bytes", core_used_bytes(core) },
		{ "resident_bytes", core->object_bytes + core->metadata_bytes },
		{ "pinned_bytes", core->pinned_bytes },
		{ "spilled_bytes", 0 },
		{ "objects.created", core->n_created },
		{ "objects.resident", core->n_resident },
		{ "objects.spilled", 0 },
		{ "objects.paging", 0 },
		{ "clients", core->n_connections },
		{ "queue_length", core->queue.n },
		{ "descriptors", core->n_fds },
		{ "max_descriptors", core->config.max_fds },
		{ "pool_bytes", core->pool.bytes },
		{ "pack_bytes", core->pack.bytes },
		{ "pack_spare_bytes", pack_spare_bytes(core) },
		{ "packed_bytes", core->pack.live_bytes },
		{ "packed_objects", core->pack.n_objects },
		{ "generation", core_generation(core) },
		{ "thrashing", 0 },
		{ "rate.spill_bytes_per_s", 0 },
		{ "rate.restore_bytes_per_s", 0 },
	};
	struct wire_field *fields =
		scratch_alloc(core, ARRAY_SIZE(numbers) + COUNTER_N + ACCOUNT_FIELDS_MAX,
			sizeof *fields);
	struct wire_reply *reply = effect_reply(core, conn, request->type, request->serial);
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, n++)
		fields[n] = (struct wire_field){
			.key = numbers[i].key, .value = "", .origin = "", .number = numbers[i].number
		};
	for (size_t i = 0; i < COUNTER_N; i++, n++)
		fields[n] = (struct wire_field){
			.key = counter_keys[i], .value = "", .origin = "",
			.number = core->tables.header->counters[i]
		};
	n += accounts_describe(core, conn, fields + n);
	reply->fields = fields;
	reply->n_fields = n;
}
