/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/account.h"
#include "core/claim.h"
#include "core/object.h"
#include "core/state.h"
#include "util/clock.h"
#include "util/siphash.h"

/* ---- names ---- */

static uint64_t name_hash(const struct core *core, uint32_t uid, const char *text)
{
	return siphash(text, strlen(text), core->tables.header->hash_key) ^ hash_number(uid);
}

static struct name_record *name_record(const struct core *core, uint32_t n)
{
	return &core->tables.names[n];
}

uint32_t name_find(const struct core *core, uint32_t uid, const char *text)
{
	struct hash_node *node;

	hash_map_for_each(node, &core->names_by_text, name_hash(core, uid, text)) {
		const uint32_t n = container_of(node, struct name, by_text) - core->names;

		if (name_record(core, n)->uid == uid && strcmp(name_record(core, n)->text, text) == 0)
			return n;
	}
	return TABLES_NONE;
}

int name_room(const struct core *core, const struct account *account)
{
	if (!account_share(core, account, account->n_names, core->tables.header->max_names))
		return -EDQUOT;
	return record_n_free(&core->tables.free_names) ? 0 : -ENOBUFS;
}

/* Derive what follows from the record. */
static void name_link(struct core *core, uint32_t n)
{
	const struct name_record *record = name_record(core, n);
	struct name *name = &core->names[n];

	index_list_add_tail(object_names(core), &core->objects[record->object].names, n);
	if (!record->pending)
		hash_map_add(&core->names_by_text, &name->by_text,
			name_hash(core, record->uid, record->text));
	account_get(core, record->uid)->n_names++;
	core->n_names++;
}

static void name_new(struct core *core, uint32_t uid, const char *text, uint32_t o, bool pending)
{
	const uint32_t n = record_take(&core->tables, &core->tables.free_names);
	struct name_record *record = name_record(core, n);

	tables_write(&core->tables, record, offsetof(struct name_record, text) + strlen(text) + 1);
	record->used = 1;
	record->uid = uid;
	record->object = o;
	record->pending = pending;
	strcpy(record->text, text);
	name_link(core, n);
}

void name_bind(struct core *core, uint32_t uid, const char *text, uint32_t o)
{
	const uint32_t n = name_find(core, uid, text);

	if (n == TABLES_NONE) {
		name_new(core, uid, text, o, false);
	} else {
		struct name_record *record = name_record(core, n);
		const uint32_t before = record->object;

		tables_change(&core->tables, &record->object);
		record->object = o;
		index_list_remove(object_names(core), &core->objects[before].names, n);
		index_list_add_tail(object_names(core), &core->objects[o].names, n);
		object_reconsider(core, before);
	}
	object_reconsider(core, o);
}

void name_pend(struct core *core, uint32_t uid, const char *text, uint32_t o)
{
	name_new(core, uid, text, o, true);
}

void name_drop(struct core *core, uint32_t n)
{
	struct name_record *record = name_record(core, n);
	struct name *name = &core->names[n];
	const uint32_t o = record->object;
	struct account *account;

	if (!record->pending)
		hash_map_remove(&core->names_by_text, &name->by_text);
	index_list_remove(object_names(core), &core->objects[o].names, n);
	account = account_get(core, record->uid);
	account->n_names--;
	account_released(core, account);
	core->n_names--;
	tables_change(&core->tables, &record->used);
	record->used = 0;
	record_give(&core->tables.free_names, n);
	object_reconsider(core, o);
}

void names_bind_pending(struct core *core, uint32_t o)
{
	uint32_t n;

	index_list_for_each(n, object_names(core), &core->objects[o].names) {
		struct name_record *record = name_record(core, n);
		const uint32_t before = name_find(core, record->uid, record->text);

		if (!record->pending)
			continue;
		if (before != TABLES_NONE)
			name_drop(core, before);
		tables_change(&core->tables, &record->pending);
		record->pending = 0;
		hash_map_add(&core->names_by_text, &core->names[n].by_text,
			name_hash(core, record->uid, record->text));
	}
}

void name_recover(struct core *core, uint32_t n)
{
	name_link(core, n);
}

/* ---- leases ---- */

static struct lease_record *lease_record(const struct core *core, uint32_t l)
{
	return &core->tables.leases[l];
}

static uint64_t lease_hash(const struct core *core, const struct id128 *token, uint32_t o)
{
	return object_id_hash(core, token) ^ hash_number(o);
}

uint32_t lease_find(const struct core *core, const struct id128 *token, uint32_t o)
{
	struct hash_node *node;

	hash_map_for_each(node, &core->leases_by_token, lease_hash(core, token, o)) {
		const uint32_t l = container_of(node, struct lease, by_token) - core->leases;

		if (lease_record(core, l)->object == o &&
			id128_equal(&lease_record(core, l)->token, token))
			return l;
	}
	return TABLES_NONE;
}

int lease_room(const struct core *core, const struct account *account)
{
	if (!account_share(core, account, account->n_leases, core->tables.header->max_leases))
		return -EDQUOT;
	return record_n_free(&core->tables.free_leases) ? 0 : -ENOBUFS;
}

static void lease_link(struct core *core, uint32_t l)
{
	const struct lease_record *record = lease_record(core, l);
	struct lease *lease = &core->leases[l];

	index_list_add_tail(object_leases(core), &core->objects[record->object].leases, l);
	hash_map_add(&core->leases_by_token, &lease->by_token,
		lease_hash(core, &record->token, record->object));
	heap_add(&core->lease_deadlines, &lease->deadline, record->expires_ns);
	account_get(core, record->uid)->n_leases++;
	core->n_leases++;
}

void lease_take(struct core *core, uint32_t uid, const struct id128 *token, uint32_t o)
{
	const uint32_t l = record_take(&core->tables, &core->tables.free_leases);
	struct lease_record *record = tables_change(&core->tables, lease_record(core, l));

	*record = (struct lease_record){
		.token = *token,
		.used = 1,
		.object = o,
		.uid = uid,
		.expires_ns = deadline_ns(core->now, core->config.transit_lease_ns),
	};
	lease_link(core, l);
	object_reconsider(core, o);
}

void lease_extend(struct core *core, uint32_t l)
{
	struct lease_record *record = lease_record(core, l);

	tables_change(&core->tables, &record->expires_ns);
	record->expires_ns = deadline_ns(core->now, core->config.transit_lease_ns);
	heap_remove(&core->lease_deadlines, &core->leases[l].deadline);
	heap_add(&core->lease_deadlines, &core->leases[l].deadline, record->expires_ns);
}

void lease_drop(struct core *core, uint32_t l)
{
	struct lease_record *record = lease_record(core, l);
	struct lease *lease = &core->leases[l];
	const uint32_t o = record->object;
	struct account *account;

	hash_map_remove(&core->leases_by_token, &lease->by_token);
	heap_remove(&core->lease_deadlines, &lease->deadline);
	index_list_remove(object_leases(core), &core->objects[o].leases, l);
	account = account_get(core, record->uid);
	account->n_leases--;
	account_released(core, account);
	core->n_leases--;
	tables_change(&core->tables, &record->used);
	record->used = 0;
	record_give(&core->tables.free_leases, l);
	object_reconsider(core, o);
}

void leases_expire(struct core *core)
{
	struct heap_node *node;

	while ((node = heap_first(&core->lease_deadlines)) && node->at <= core->now) {
		lease_drop(core, container_of(node, struct lease, deadline) - core->leases);
		tables_breathe(&core->tables);
	}
}

void lease_recover(struct core *core, uint32_t l)
{
	lease_link(core, l);
}

void claims_drop_all(struct core *core, uint32_t o)
{
	struct object *object = &core->objects[o];

	while (!index_list_empty(&object->names)) {
		name_drop(core, object->names.first);
		tables_breathe(&core->tables);
	}
	while (!index_list_empty(&object->leases)) {
		lease_drop(core, object->leases.first);
		tables_breathe(&core->tables);
	}
}
