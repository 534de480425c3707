/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking: list, stat, stats, config; and changing the last.
 *
 * What the broker says is copied, packet by packet, into a result that is one
 * array (or struct) for the caller and a chain of blocks behind it for
 * everything that it points to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/error.h"
#include "client/looking.h"
#include "config.h"
#include "util/cleanup.h"

#define LIST_PAGE 256

/* ---- list ---- */

struct listing {
	struct growing infos;
	size_t n_before; /* when this page was asked for */
};

static int collect_list(struct call *call, const struct wire_reply *reply)
{
	struct listing *listing = call->user;
	struct growing *infos = &listing->infos;

	if (growing_reserve(infos, reply->n_items) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (copy_info(&infos->result->blocks, &reply->items[i], growing_at(infos, infos->n)) < 0)
			return -ENOMEM;
		infos->n++;
	}
	return 0;
}

/* What the page's blocks take is freed with the list. */
static void restart_list(struct call *call)
{
	struct listing *listing = call->user;

	listing->infos.n = listing->n_before;
}

int ostore_list(struct ostore *conn, struct ostore_info **infosp, size_t *np)
{
	return ostore_list_matching(conn, NULL, infosp, np);
}

int ostore_list_matching(struct ostore *conn, const struct ostore_filter *filter,
	struct ostore_info **infosp, size_t *np)
{
	CLEANUP_FREE char *labels = NULL;
	struct wire_request asked;
	struct listing listing = { .infos = { .element_size = sizeof(struct ostore_info) } };
	uint64_t cursor = 0;
	int r;

	if (!infosp || !np)
		return fail(-EINVAL, "list: no place for the result");
	r = filter_take(filter, &asked, &labels);
	if (r == 0)
		r = connection_enter(conn);
	if (r < 0)
		return r;
	if (growing_reserve(&listing.infos, LIST_PAGE) < 0)
		r = fail_memory();
	while (r == 0) {
		struct waiter waiter = WAITER_INIT;
		struct call *call = call_new(WIRE_LIST, 0, &waiter);

		if (!call) {
			r = fail_memory();
			break;
		}
		listing.n_before = listing.infos.n;
		call->request.name = asked.name;
		call->request.labels = asked.labels;
		call->request.labels_size = asked.labels_size;
		call->request.cursor = cursor;
		call->request.limit = LIST_PAGE;
		r = look(conn, call, &listing, collect_list, restart_list, &cursor, "list");
		if (cursor == 0)
			break;
	}
	connection_leave(conn);
	if (r < 0) {
		growing_deinit(&listing.infos);
		return r;
	}
	*infosp = growing_at(&listing.infos, 0);
	*np = listing.infos.n;
	return 0;
}

void ostore_list_free(struct ostore_info *infos)
{
	result_free(infos);
}

/* ---- stat ---- */

struct stat_result {
	struct result *result; /* its array is one struct ostore_stat */
	struct growing holders;
	bool seen;
};

static int collect_stat(struct call *call, const struct wire_reply *reply)
{
	struct stat_result *r = call->user;
	struct ostore_stat *stat = (struct ostore_stat *)r->result->array;
	const struct wire_item *item = reply->items;

	if (reply->n_items > 0 && !r->seen) {
		r->seen = true;
		if (copy_info(&r->result->blocks, item, &stat->info) < 0)
			return -ENOMEM;
		copy_stat(item, stat);
	}
	if (growing_reserve(&r->holders, reply->n_holders) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < reply->n_holders; i++) {
		if (copy_holder(&r->result->blocks, &reply->holders[i],
			growing_at(&r->holders, r->holders.n)) < 0)
			return -ENOMEM;
		r->holders.n++;
	}
	return 0;
}

static void restart_stat(struct call *call)
{
	struct stat_result *r = call->user;

	r->holders.n = 0;
	r->seen = false;
}

/* The holders become a block of the result. */
static int stat_end(struct stat_result *r)
{
	struct ostore_stat *stat = (struct ostore_stat *)r->result->array;
	size_t size = r->holders.n * sizeof *stat->holders;

	stat->n_holders = r->holders.n;
	stat->holders = block_copy(&r->result->blocks,
		r->holders.n > 0 ? growing_at(&r->holders, 0) : NULL, size);
	return stat->holders ? 0 : fail_memory();
}

int ostore_stat(struct ostore *conn, const ostore_id *id, struct ostore_stat **statp)
{
	struct stat_result result = { .holders = { .element_size = sizeof(struct ostore_holder) } };
	struct waiter waiter = WAITER_INIT;
	char hex[33], what[64];
	struct call *call;
	uint64_t cursor;
	int r;

	if (!id || !statp)
		return fail(-EINVAL, "stat: no id, or no place for the result");
	(void)snprintf(what, sizeof what, "stat of %s", ostore_id_format(id, hex));
	r = connection_enter(conn);
	if (r < 0)
		return r;
	result.result = calloc(1, sizeof *result.result + sizeof(struct ostore_stat));
	call = call_new(WIRE_STAT, 0, &waiter);
	if (result.result && call) {
		call_set_item(call);
		memcpy(&call->item.id, id, sizeof call->item.id);
		r = look(conn, call, &result, collect_stat, restart_stat, &cursor, what);
		if (r == 0 && !result.seen)
			r = fail(-EPROTO, "%s: the broker's answer lacks it", what);
	} else {
		free(call);
		r = fail_memory();
	}
	connection_leave(conn);
	if (r == 0)
		r = stat_end(&result);
	growing_deinit(&result.holders);
	if (r < 0) {
		if (result.result)
			result_free(result.result->array);
		return r;
	}
	*statp = (struct ostore_stat *)result.result->array;
	return 0;
}

void ostore_stat_free(struct ostore_stat *stat)
{
	result_free(stat);
}

/* ---- fields: stats and config ---- */

/* Into an array of struct wire_field, with texts of its own. */
static int collect_fields(struct call *call, const struct wire_reply *reply)
{
	struct growing *list = call->user;

	if (growing_reserve(list, reply->n_fields) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < reply->n_fields; i++) {
		const struct wire_field *from = &reply->fields[i];
		struct wire_field *field = growing_at(list, list->n);
		struct block **blocks = &list->result->blocks;

		*field = (struct wire_field){
			.key = block_copy(blocks, from->key, strlen(from->key)),
			.value = block_copy(blocks, from->value, strlen(from->value)),
			.origin = block_copy(blocks, from->origin, strlen(from->origin)),
			.number = from->number,
		};
		if (!field->key || !field->value || !field->origin)
			return -ENOMEM;
		list->n++;
	}
	return 0;
}

static void restart_fields(struct call *call)
{
	struct growing *list = call->user;

	list->n = 0;
}

/* All fields that the broker answers to this type of request. */
static int get_fields(struct ostore *conn, uint16_t type, const char *what, struct growing *list)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call;
	uint64_t cursor;
	int r;

	*list = (struct growing){ .element_size = sizeof(struct wire_field) };
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(type, 0, &waiter);
	if (call && growing_reserve(list, 1) == 0) {
		r = look(conn, call, list, collect_fields, restart_fields, &cursor, what);
	} else {
		free(call);
		r = fail_memory();
	}
	connection_leave(conn);
	if (r < 0)
		growing_deinit(list);
	return r;
}

static const struct {
	const char *key;
	size_t offset;
} stat_fields[] = {
#define NUMBER(key, name) { key, offsetof(struct ostore_stats, name) }
	NUMBER("capacity_bytes", capacity_bytes),
	NUMBER("resident_bytes", resident_bytes),
	NUMBER("pinned_bytes", pinned_bytes),
	NUMBER("spilled_bytes", spilled_bytes),
	NUMBER("objects.created", objects_created),
	NUMBER("objects.resident", objects_resident),
	NUMBER("objects.spilled", objects_spilled),
	NUMBER("objects.paging", objects_paging),
	NUMBER("clients", clients),
	NUMBER("queue_length", queue_length),
	NUMBER("descriptors", descriptors),
	NUMBER("max_descriptors", max_descriptors),
	NUMBER("pool_bytes", pool_bytes),
	NUMBER("rate.spill_bytes_per_s", spill_bytes_per_s),
	NUMBER("rate.restore_bytes_per_s", restore_bytes_per_s),
	NUMBER("generation", generation),
	NUMBER("configured_capacity_bytes", configured_capacity_bytes),
	NUMBER("used_bytes", used_bytes),
	NUMBER("pack_bytes", pack_bytes),
	NUMBER("packed_bytes", packed_bytes),
	NUMBER("packed_objects", packed_objects),
#undef NUMBER
};

static const struct {
	const char *key;
	size_t offset;
} usage_fields[] = {
#define NUMBER(name) { #name, offsetof(struct ostore_usage, name) }
	NUMBER(bytes),
	NUMBER(objects),
	NUMBER(descriptors),
	NUMBER(connections),
	NUMBER(requests),
	NUMBER(references),
	NUMBER(names),
#undef NUMBER
};

/* "1000.bytes": those of one uid come one after the other. */
static void take_usage(struct ostore_stats *stats, struct ostore_usage *users, const char *key,
	uint64_t number)
{
	struct ostore_usage *user;
	char *end;
	unsigned long uid = strtoul(key, &end, 10);

	if (end == key || *end != '.')
		return;
	if (stats->n_users == 0 || users[stats->n_users - 1].uid != uid)
		users[stats->n_users++] = (struct ostore_usage){ .uid = (uid_t)uid };
	user = &users[stats->n_users - 1];
	for (size_t i = 0; i < ARRAY_SIZE(usage_fields); i++)
		if (strcmp(end + 1, usage_fields[i].key) == 0)
			memcpy((char *)user + usage_fields[i].offset, &number, sizeof number);
}

/* What this release does not know is left out: a newer broker may say more. */
static void take_stat_field(struct ostore_stats *stats, struct ostore_counter *counters,
	struct ostore_feature *features, struct ostore_usage *users,
	const struct wire_field *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(stat_fields); i++)
		if (strcmp(field->key, stat_fields[i].key) == 0) {
			memcpy((char *)stats + stat_fields[i].offset, &field->number, sizeof field->number);
			return;
		}
	if (strcmp(field->key, "thrashing") == 0)
		stats->thrashing = field->number;
	else if (strcmp(field->key, "supervisor_pid") == 0)
		stats->supervisor_pid = (pid_t)field->number;
	else if (strcmp(field->key, "worker_pid") == 0)
		stats->worker_pid = (pid_t)field->number;
	else if (strcmp(field->key, "version") == 0)
		stats->version = field->value;
	else if (strcmp(field->key, "capacity_limited_by") == 0)
		stats->capacity_limited_by = field->value;
	else if (strncmp(field->key, "counter.", 8) == 0)
		counters[stats->n_counters++] = (struct ostore_counter){
			.name = field->key + 8,
			.value = field->number,
		};
	else if (strncmp(field->key, "feature.", 8) == 0)
		features[stats->n_features++] = (struct ostore_feature){
			.name = field->key + 8,
			.on = strcmp(field->value, "on") == 0,
			.reason = strcmp(field->value, "on") == 0 ? "" : field->origin,
		};
	else if (strncmp(field->key, "uids.", 5) == 0)
		take_usage(stats, users, field->key + 5, field->number);
}

int ostore_stats(struct ostore *conn, struct ostore_stats **statsp)
{
	struct growing list;
	struct ostore_counter *counters;
	struct ostore_feature *features;
	struct ostore_usage *users;
	struct ostore_stats *stats;
	struct result *result;
	int r;

	if (!statsp)
		return fail(-EINVAL, "stats: no place for the result");
	r = get_fields(conn, WIRE_STATUS, "stats", &list);
	if (r < 0)
		return r;
	result = calloc(1, sizeof *result + sizeof *stats);
	counters = block_take(&list.result->blocks, list.n * sizeof *counters);
	features = block_take(&list.result->blocks, list.n * sizeof *features);
	users = block_take(&list.result->blocks, list.n * sizeof *users);
	if (!result || !counters || !features || !users) {
		free(result);
		growing_deinit(&list);
		return fail_memory();
	}
	stats = (struct ostore_stats *)result->array;
	stats->version = stats->capacity_limited_by = "";
	for (size_t i = 0; i < list.n; i++)
		take_stat_field(stats, counters, features, users, growing_at(&list, i));
	stats->counters = counters;
	stats->features = features;
	stats->users = users;
	result->blocks = TAKE_PTR(list.result->blocks);
	growing_deinit(&list);
	*statsp = stats;
	return 0;
}

void ostore_stats_free(struct ostore_stats *stats)
{
	result_free(stats);
}

int ostore_config(struct ostore *conn, struct ostore_setting **settingsp, size_t *np)
{
	struct growing list;
	struct growing settings = { .element_size = sizeof(struct ostore_setting) };
	int r;

	if (!settingsp || !np)
		return fail(-EINVAL, "config: no place for the result");
	r = get_fields(conn, WIRE_CONFIG, "config", &list);
	if (r < 0)
		return r;
	if (growing_reserve(&settings, list.n) < 0) {
		growing_deinit(&list);
		return fail_memory();
	}
	for (; settings.n < list.n; settings.n++) {
		const struct wire_field *field = growing_at(&list, settings.n);
		struct ostore_setting *setting = growing_at(&settings, settings.n);

		*setting = (struct ostore_setting){
			.key = field->key,
			.value = field->value,
			.origin = field->origin,
			.number = field->number,
		};
	}
	settings.result->blocks = TAKE_PTR(list.result->blocks);
	growing_deinit(&list);
	*settingsp = growing_at(&settings, 0);
	*np = settings.n;
	return 0;
}

void ostore_config_free(struct ostore_setting *settings)
{
	result_free(settings);
}

int ostore_configure(struct ostore *conn, const char *key, const char *value)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call;
	int r;

	if (!key || !value)
		return fail(-EINVAL, "configure: no key, or no value");
	if (strlen(key) > WIRE_NAME_MAX || strlen(value) >= WIRE_TEXT_MAX)
		return fail(-EINVAL, "configure: a key has at most %d bytes, a value %d", WIRE_NAME_MAX,
			WIRE_TEXT_MAX - 1);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_CONFIGURE, 0, &waiter);
	if (call) {
		call->request.name = key;
		call->request.value = value;
		r = call_one(conn, call, CALL_PATIENT, "configure");
		call_end(conn, call);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}

/* ---- words ---- */

const char *ostore_state_name(enum ostore_state state)
{
	switch (state) {
	case OSTORE_CREATED:
		return "created";
	case OSTORE_RESIDENT:
		return "resident";
	case OSTORE_SPILLED:
		return "spilled";
	case OSTORE_PAGING:
		return "paging";
	}
	return "unknown";
}

const char *ostore_version(void)
{
	return PACKAGE_VERSION;
}
