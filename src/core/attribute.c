/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/attribute.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/connection.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/request.h"
#include "core/room.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/size.h"
#include "wire/labels.h"

#define EXPIRE_MAX 256 /* objects that one event drops */

/* An object that has a time to live and is sealed. */
struct expiry {
	struct hash_node by_object; /* in core.expiries */
	struct heap_node deadline;
	uint32_t object;
};

/* What a blob is made of. */
struct parts {
	const char *labels, *call_site;
	uint32_t labels_size, call_site_size;
	int64_t ttl_ns, expires_ns;
};

static struct attributes_record *attributes_of(const struct core *core, uint32_t o)
{
	return blob_bytes(&core->blobs, object_record(core, o)->attributes);
}

static uint32_t parts_size(const struct parts *parts)
{
	if (!parts->labels_size && !parts->call_site_size && !parts->ttl_ns && !parts->expires_ns)
		return 0;
	return offsetof(struct attributes_record, bytes) + parts->labels_size +
		parts->call_site_size;
}

static void parts_write(const struct parts *parts, struct attributes_record *to)
{
	to->ttl_ns = parts->ttl_ns;
	to->expires_ns = parts->expires_ns;
	to->labels_size = parts->labels_size;
	to->call_site_size = parts->call_site_size;
	if (parts->labels_size)
		memcpy(to->bytes, parts->labels, parts->labels_size);
	if (parts->call_site_size)
		memcpy(to->bytes + parts->labels_size, parts->call_site, parts->call_site_size);
}

static struct parts parts_of_item(const struct wire_item *item)
{
	return (struct parts){
		.labels = item->labels,
		.labels_size = item->labels_size,
		.call_site = item->call_site,
		.call_site_size = item->call_site ? strlen(item->call_site) + 1 : 0,
		.ttl_ns = item->ttl_ns,
	};
}

static struct parts parts_of_object(const struct core *core, uint32_t o)
{
	const struct attributes_record *from = attributes_of(core, o);

	if (!from)
		return (struct parts){ .labels = NULL };
	return (struct parts){
		.labels = from->bytes,
		.labels_size = from->labels_size,
		.call_site = from->bytes + from->labels_size,
		.call_site_size = from->call_site_size,
		.ttl_ns = from->ttl_ns,
		.expires_ns = from->expires_ns,
	};
}

/* ---- what may be asked for ---- */

/* What is wrong with them, or NULL. */
static const char *find_fault(struct core *core, const struct wire_item *item)
{
	if (item->priority < -WIRE_PRIORITY_MAX || item->priority > WIRE_PRIORITY_MAX)
		return scratch_text(core, "a priority of %d: it is from %d to %d", item->priority,
			-WIRE_PRIORITY_MAX, WIRE_PRIORITY_MAX);
	if (item->ttl_ns < 0)
		return "a time to live must not be negative";
	if (item->call_site && strlen(item->call_site) > WIRE_CALL_SITE_MAX)
		return scratch_text(core, "a call site has at most %d bytes", WIRE_CALL_SITE_MAX);
	return item->labels_size ? labels_check(item->labels, item->labels_size) : NULL;
}

int attributes_check(struct core *core, const struct wire_item *item, const char **textp)
{
	const char *fault = find_fault(core, item);

	if (!fault)
		return 0;
	*textp = scratch_text(core, "object %s: %s", object_id_text(core, &item->id), fault);
	return -EINVAL;
}

uint64_t attributes_charge(const struct wire_item *item)
{
	const struct parts parts = parts_of_item(item);

	return blob_charge(parts_size(&parts));
}

uint64_t pin_bytes(const struct core *core, uint64_t size, uint32_t metadata_size)
{
	return core_charge(core, size) + blob_charge(metadata_size);
}

static void count_pin(struct account *account, uint64_t bytes)
{
	account->hard_pin_bytes += bytes;
	account->n_hard_pins++;
}

static void uncount_pin(struct account *account, uint64_t bytes)
{
	account->hard_pin_bytes -= bytes;
	account->n_hard_pins--;
}

static bool pin_fits(const struct core *core, const struct account *account, uint64_t bytes)
{
	const uint64_t share = core->config.capacity / 2;

	return account->uid == 0 ||
	       (account->hard_pin_bytes <= share && bytes <= share - account->hard_pin_bytes);
}

/* ---- of a make ---- */

int attributes_keep(struct core *core, struct make *make, const struct wire_item *item)
{
	struct parts parts = parts_of_item(item);
	const uint32_t size = parts_size(&parts);
	char labels[WIRE_LABELS_SIZE_MAX];

	make->priority = item->priority;
	if (item->flags & WIRE_ITEM_PIN &&
		!pin_fits(core, make->account, pin_bytes(core, make->size, make->metadata_size)))
		return -EDQUOT;
	if (size) {
		const int sorted = labels_merge(NULL, 0, item->labels, item->labels_size, NULL, 0,
			labels);

		assert(sorted == (int)item->labels_size); /* they were checked */
		parts.labels = labels;
		if (pending_charge(core, make->pending, size) < 0)
			return -EBUSY;
		make->attributes = malloc(size);
		if (!make->attributes)
			return -ENOMEM;
		parts_write(&parts, make->attributes);
		make->attributes_size = size;
	}
	if (item->flags & WIRE_ITEM_PIN) {
		count_pin(make->account, pin_bytes(core, make->size, make->metadata_size));
		make->pin = true;
	}
	return 0;
}

int attributes_grant(struct core *core, struct make *make)
{
	if (make->attributes_size == 0)
		return 0;
	make->attributes_blob = blob_alloc(&core->blobs, make->attributes_size);
	if (make->attributes_blob == BLOB_NONE)
		return -ENOBUFS;
	memcpy(blob_bytes(&core->blobs, make->attributes_blob), make->attributes,
		make->attributes_size);
	return 0;
}

void attributes_unpin(struct core *core, struct make *make)
{
	if (make->pin)
		uncount_pin(make->account, pin_bytes(core, make->size, make->metadata_size));
	make->pin = false;
}

void attributes_release(struct core *core, struct make *make)
{
	attributes_unpin(core, make);
	blob_free(&core->blobs, make->attributes_blob, make->attributes_size);
	free(make->attributes);
}

/* ---- time ---- */

static struct expiry *expiry_find(const struct core *core, uint32_t o)
{
	struct hash_node *node;

	hash_map_for_each(node, &core->expiries, hash_number(o)) {
		struct expiry *expiry = container_of(node, struct expiry, by_object);

		if (expiry->object == o)
			return expiry;
	}
	return NULL;
}

static void expiry_end(struct core *core, struct expiry *expiry)
{
	hash_map_remove(&core->expiries, &expiry->by_object);
	heap_remove(&core->expiry_deadlines, &expiry->deadline);
	free(expiry);
}

/* at: 0: never. */
static void expiry_set(struct core *core, uint32_t o, int64_t at)
{
	struct expiry *expiry = core->expiries.n ? expiry_find(core, o) : NULL;

	if (expiry)
		expiry_end(core, expiry);
	if (at == 0)
		return;
	expiry = must_alloc(1, sizeof *expiry);
	expiry->object = o;
	hash_map_add(&core->expiries, &expiry->by_object, hash_number(o));
	heap_add(&core->expiry_deadlines, &expiry->deadline, at);
}

/* When a time that begins now ends; 0: never. */
static int64_t expires(const struct core *core, int64_t ttl_ns)
{
	const int64_t at = ttl_ns ? deadline_ns(core->now, ttl_ns) : FOREVER_NS;

	return at == FOREVER_NS ? 0 : MAX(at, 1);
}

void attributes_sealed(struct core *core, uint32_t o)
{
	struct attributes_record *record = attributes_of(core, o);

	if (!record || record->ttl_ns == 0)
		return;
	tables_change(&core->tables, &record->expires_ns);
	record->expires_ns = expires(core, record->ttl_ns);
	expiry_set(core, o, record->expires_ns);
}

void attributes_expire(struct core *core)
{
	struct heap_node *node;

	for (int i = 0; i < EXPIRE_MAX; i++) {
		node = heap_first(&core->expiry_deadlines);
		if (!node || node->at > core->now)
			return;
		object_delete(core, container_of(node, struct expiry, deadline)->object,
			GONE_EXPIRED);
		tables_breathe(&core->tables);
	}
}

int64_t attributes_deadline(const struct core *core)
{
	const struct heap_node *node = heap_first(&core->expiry_deadlines);

	return node ? node->at : FOREVER_NS;
}

/* ---- of an object ---- */

/* Its share is counted, and the flag not changed. */
static void unpin(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);

	if (record->flags & OBJECT_PINNED)
		uncount_pin(account_get(core, record->uid),
			pin_bytes(core, record->size, record->metadata_size));
}

void attributes_end(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);

	expiry_set(core, o, 0);
	if (!(record->flags & OBJECT_PINNED))
		return;
	unpin(core, o);
	tables_change(&core->tables, &record->flags);
	record->flags &= ~OBJECT_PINNED;
}

void attributes_drop(struct core *core, uint32_t o)
{
	struct object_record *record = object_record(core, o);

	attributes_end(core, o);
	if (record->attributes == BLOB_NONE)
		return;
	blob_free(&core->blobs, record->attributes, record->attributes_size);
	tables_change(&core->tables, record);
	record->attributes = BLOB_NONE;
	record->attributes_size = 0;
}

void attributes_describe(const struct core *core, uint32_t o, struct wire_item *item)
{
	const struct object_record *record = object_record(core, o);
	const struct parts parts = parts_of_object(core, o);

	item->priority = record->priority;
	if (record->flags & OBJECT_PINNED)
		item->flags |= WIRE_ITEM_PIN;
	item->labels = parts.labels_size ? parts.labels : NULL;
	item->labels_size = parts.labels_size;
	item->call_site = parts.call_site_size ? parts.call_site : NULL;
	item->expires_ns = parts.expires_ns ? parts.expires_ns + core->realtime_offset : 0;
}

int attributes_recover(struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	struct parts parts;
	int r;

	if (record->priority < -WIRE_PRIORITY_MAX || record->priority > WIRE_PRIORITY_MAX)
		return -EUCLEAN;
	if (record->flags & OBJECT_PINNED)
		count_pin(account_get(core, record->uid),
			pin_bytes(core, record->size, record->metadata_size));
	if (record->attributes == BLOB_NONE)
		return 0;
	r = blob_claim(&core->blobs, record->attributes, record->attributes_size);
	if (r < 0)
		return r;
	parts = parts_of_object(core, o);
	if (record->attributes_size < offsetof(struct attributes_record, bytes) ||
		parts_size(&parts) != record->attributes_size)
		return -EUCLEAN;
	if (!(record->flags & OBJECT_DELETED))
		expiry_set(core, o, parts.expires_ns);
	return 0;
}

void attributes_deinit(struct core *core)
{
	struct heap_node *node;

	while ((node = heap_first(&core->expiry_deadlines)))
		expiry_end(core, container_of(node, struct expiry, deadline));
	heap_deinit(&core->expiry_deadlines);
	hash_map_deinit(&core->expiries);
}

void attributes_check_object(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const struct attributes_record *attributes = attributes_of(core, o);
	const struct expiry *expiry = expiry_find(core, o);
	const bool lives = record->state == WIRE_RESIDENT && !(record->flags & OBJECT_DELETED);
	const int64_t at = attributes && lives ? attributes->expires_ns : 0;

	if ((expiry ? expiry->deadline.at : 0) == at &&
		(lives || !(record->flags & OBJECT_DELETED) || !(record->flags & OBJECT_PINNED)))
		return;
	fprintf(stderr, "core_check: object %u expires at %lld, and its deadline is %lld\n", o,
		(long long)at, expiry ? (long long)expiry->deadline.at : 0);
	abort();
}

/* ---- SET ---- */

/* Other labels, another end: what the blob will be. */
static int change_parts(struct core *core, uint32_t o, const struct wire_item *item,
	char merged[WIRE_LABELS_SIZE_MAX], struct parts *parts)
{
	const int64_t expires_ns = expires(core, item->ttl_ns);

	*parts = parts_of_object(core, o);
	if (item->labels_size || item->unlabel_size) {
		const int size = labels_merge(parts->labels, parts->labels_size, item->labels,
			item->labels_size, item->unlabel, item->unlabel_size, merged);

		if (size < 0)
			return size;
		parts->labels = merged;
		parts->labels_size = (uint32_t)size;
	}
	if (item->flags & WIRE_ITEM_TTL) {
		parts->ttl_ns = expires_ns ? item->ttl_ns : 0;
		parts->expires_ns = expires_ns;
	}
	return 0;
}

/* Is there room for a blob of this size in the place of the one that it has?  Nothing is evicted
 * for it. */
static int check_room(struct core *core, uint32_t o, uint32_t size, const char **textp)
{
	const struct object_record *record = object_record(core, o);
	const struct account *account = account_get(core, record->uid);
	const uint64_t before = blob_charge(record->attributes_size), after = blob_charge(size);
	const struct cost more = { .bytes = after - before, .metadata = after - before };
	const char *id = object_id_text(core, &record->id);

	if (after <= before)
		return 0;
	if (!room_quota_fits(core, account, more)) {
		*textp = scratch_text(core, "object %s: no room for more labels in the quota of uid %u: "
			"delete objects, or raise the quota", id, account->uid);
		return -EDQUOT;
	}
	if (core_used_bytes(core) + after - before > core_capacity(core)) {
		*textp = scratch_text(core, "object %s: the store is full, and has no room for more "
			"labels: delete objects, or raise capacity", id);
		return -ENOBUFS;
	}
	return 0;
}

static int check_pin(struct core *core, uint32_t o, const struct wire_item *item,
	const char **textp)
{
	const struct object_record *record = object_record(core, o);
	const struct account *account = account_get(core, record->uid);
	char size[32];

	if (!(item->flags & WIRE_ITEM_PIN) || record->flags & OBJECT_PINNED ||
		pin_fits(core, account, pin_bytes(core, record->size, record->metadata_size)))
		return 0;
	size_format(account->hard_pin_bytes, size, sizeof size);
	*textp = scratch_text(core, "object %s: uid %u has pinned %s, and may pin half of the "
		"capacity: unpin or delete some", object_id_text(core, &record->id), account->uid,
		size);
	return -EDQUOT;
}

/* Put the blob in the place of the one that there was. */
static int replace_blob(struct core *core, uint32_t o, const struct parts *parts)
{
	struct object_record *record = object_record(core, o);
	const uint32_t size = parts_size(parts);
	uint32_t blob = BLOB_NONE;

	if (size) {
		blob = blob_alloc(&core->blobs, size);
		if (blob == BLOB_NONE)
			return -ENOBUFS;
		parts_write(parts, blob_bytes(&core->blobs, blob));
	}
	object_uncharge_metadata(core, o);
	blob_free(&core->blobs, record->attributes, record->attributes_size);
	tables_change(&core->tables, record);
	record->attributes = blob;
	record->attributes_size = size;
	object_charge_metadata(core, o);
	expiry_set(core, o, parts->expires_ns);
	return 0;
}

static int set(struct core *core, uint32_t conn, const struct wire_item *item, uint32_t o,
	const char **textp)
{
	struct object_record *record = object_record(core, o);
	const uid_t caller = connection_record(core, conn)->uid;
	const char *id = object_id_text(core, &item->id);
	char merged[WIRE_LABELS_SIZE_MAX];
	uint8_t flags = record->flags;
	struct parts parts;
	int r;

	if (caller != 0 && caller != record->uid) {
		*textp = scratch_text(core, "object %s belongs to uid %u: only its owner and root may "
			"change its attributes", id, record->uid);
		return -EACCES;
	}
	r = attributes_check(core, item, textp);
	if (r < 0)
		return r;
	if (change_parts(core, o, item, merged, &parts) < 0) {
		*textp = scratch_text(core, "object %s: with these it has more than %d labels, or more "
			"than %d bytes of them: remove some", id, WIRE_LABELS_MAX,
			WIRE_LABELS_SIZE_MAX);
		return -EINVAL;
	}
	r = check_pin(core, o, item, textp);
	if (r == 0)
		r = check_room(core, o, parts_size(&parts), textp);
	if (r < 0)
		return r;
	if (item->labels_size || item->unlabel_size || item->flags & WIRE_ITEM_TTL) {
		if (replace_blob(core, o, &parts) < 0) {
			*textp = scratch_text(core, "object %s: the broker's area for metadata is full: "
				"delete objects", id);
			return -ENOBUFS;
		}
	}
	unpin(core, o);
	if (item->flags & WIRE_ITEM_PIN)
		flags |= OBJECT_PINNED;
	else if (item->flags & WIRE_ITEM_UNPIN)
		flags &= ~OBJECT_PINNED;
	if (flags & OBJECT_PINNED)
		count_pin(account_get(core, record->uid),
			pin_bytes(core, record->size, record->metadata_size));
	object_rank(core, o, item->flags & WIRE_ITEM_PRIORITY ? item->priority : record->priority,
		flags);
	return 0;
}

void request_set(struct core *core, uint32_t conn, const struct wire_request *request)
{
	const char *text = NULL;
	uint32_t o;
	int r;

	if (request->retry && connection_is_done(core, conn, request->serial, 0)) {
		effect_reply(core, conn, request->type, request->serial);
		return;
	}
	o = request_find_object(core, conn, request);
	if (o == TABLES_NONE)
		return;
	r = set(core, conn, &request->items[0], o, &text);
	if (r < 0) {
		effect_refuse(core, conn, request->type, request->serial, r, text);
		return;
	}
	connection_note_done(core, conn, request->serial, 0);
	effect_reply(core, conn, request->type, request->serial);
}
