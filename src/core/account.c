/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/object.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/size.h"
#include "util/text.h"

#define HOLDERS_NAMED  3
#define FIELDS_OF_ONE  7     /* of a STATUS, for each uid */
#define KEPT_LOOKS_MAX 65536 /* objects looked at for a sentence */

/* ---- limits ---- */

uint64_t core_quota_of(const struct core *core, uid_t uid, enum core_resource of)
{
	uint64_t others =
		of == CORE_CONNECTIONS ? core->config.max_connections_per_uid : UINT64_MAX;

	for (size_t i = 0; i < core->config.n_quotas; i++) {
		const struct core_quota *quota = &core->quotas[i];

		if (quota->of != of)
			continue;
		if (quota->uid == uid)
			return quota->limit;
		if (quota->uid == (uid_t)-1)
			others = quota->limit;
	}
	return others;
}

static void set_limits(const struct core *core, struct account *account)
{
	for (int of = 0; of < CORE_N_RESOURCES; of++)
		account->limits[of] = core_quota_of(core, account->uid, of);
}

void accounts_renew(struct core *core)
{
	struct list *link;

	list_for_each(link, &core->accounts)
		set_limits(core, container_of(link, struct account, link));
}

bool account_share(const struct core *core, const struct account *account, uint64_t n, uint64_t max)
{
	return n < max / 2 || account->uid == 0 || !core->config.shared;
}

/* ---- life ---- */

struct account *account_get(struct core *core, uid_t uid)
{
	const uint64_t hash = hash_number(uid);
	struct hash_node *node;
	struct account *account;

	hash_map_for_each(node, &core->accounts_by_uid, hash) {
		account = container_of(node, struct account, by_uid);
		if (account->uid == uid)
			return account;
	}
	account = must_alloc(1, sizeof *account);
	account->uid = uid;
	set_limits(core, account);
	for (unsigned int i = 0; i < PRIORITY_LEVELS; i++)
		index_list_init(&account->victims[i]);
	list_init(&account->idle_link);
	list_init(&account->ring_link);
	list_init(&account->waiting);
	list_add_tail(&core->accounts, &account->link);
	hash_map_add(&core->accounts_by_uid, &account->by_uid, hash);
	return account;
}

void accounts_deinit(struct core *core)
{
	struct account *account;

	while ((account = list_first(&core->accounts, struct account, link))) {
		list_remove(&account->link);
		free(account);
	}
}

static bool is_idle(const struct account *account)
{
	return account->charged.objects == 0 && account->charged.fds == 0 &&
		account->n_connections == 0 && account->n_holdings == 0 && account->n_names == 0 && account->n_leases == 0 &&
		list_empty(&account->waiting);
}

uint32_t account_victim(const struct account *account)
{
	unsigned int level = 0;

	while (index_list_empty(&account->victims[level]))
		level++;
	return account->victims[level].first;
}

void account_released(struct core *core, struct account *account)
{
	if (is_idle(account) && !list_linked(&account->idle_link))
		list_add_tail(&core->idle_accounts, &account->idle_link);
}

void accounts_forget_idle(struct core *core)
{
	struct account *account;

	while ((account = list_first(&core->idle_accounts, struct account, idle_link))) {
		list_remove(&account->idle_link);
		if (!is_idle(account))
			continue;
		assert(account->charged.bytes == 0 && account->n_holdings == 0 &&
			account->n_pendings == 0 && account->pending_bytes == 0);
		hash_map_remove(&core->accounts_by_uid, &account->by_uid);
		list_remove(&account->link);
		free(account);
	}
}

/* ---- charges ---- */

void account_charge(struct account *account, const struct cost *cost)
{
	account->charged.bytes += cost->bytes;
	account->charged.metadata += cost->metadata;
	account->charged.objects += cost->objects;
	account->charged.fds += cost->fds;
}

void account_return(struct core *core, struct account *account, const struct cost *cost)
{
	assert(account->charged.bytes >= cost->bytes && account->charged.objects >= cost->objects &&
		account->charged.fds >= cost->fds);
	account->charged.bytes -= cost->bytes;
	account->charged.metadata -= cost->metadata;
	account->charged.objects -= cost->objects;
	account->charged.fds -= cost->fds;
	account_released(core, account);
}

/* ---- words ---- */

/* The connections that hold most, largest first.  Return: how many. */
static size_t find_largest(const struct core *core, const struct account *of,
	uint32_t largest[HOLDERS_NAMED])
{
	const uint32_t high = core->tables.header->connections_high;
	size_t n = 0;

	for (uint32_t c = 0; c < high; c++) {
		const uint64_t held = core->connections[c].held_bytes;
		size_t i;

		if (!(connection_record(core, c)->flags & CONNECTION_USED) || held == 0 ||
			(of && core->connections[c].account != of))
			continue;
		for (i = n; i > 0 && core->connections[largest[i - 1]].held_bytes < held; i--)
			if (i < HOLDERS_NAMED)
				largest[i] = largest[i - 1];
		if (i < HOLDERS_NAMED)
			largest[i] = c;
		if (n < HOLDERS_NAMED)
			n++;
	}
	return n;
}

/* What names, leases, and puts that hold without a name keep, whoever is connected. */
static void add_kept(const struct core *core, const struct account *of, struct text *text,
	bool is_first)
{
	const uint32_t n = MIN(core->tables.header->objects_high, (uint32_t)KEPT_LOOKS_MAX);
	uint64_t bytes = 0;
	uint32_t n_kept = 0;
	char size[32];

	for (uint32_t o = 0; o < n; o++) {
		const struct object_record *record = object_record(core, o);
		const struct object *object = &core->objects[o];

		if (record->state == 0 || (of && record->uid != of->uid) || (index_list_empty(&object->names) &&
			index_list_empty(&object->leases) && !(record->flags & OBJECT_HELD)))
			continue;
		bytes += object_bytes(core, o);
		n_kept++;
	}
	if (n_kept == 0)
		return;
	size_format(bytes, size, sizeof size);
	text_add(text, "%s %s in %u object%s kept by a name, a lease, or until deleted",
		is_first ? "; held:" : ", and", size, n_kept, n_kept == 1 ? "" : "s");
}

/* Who has pinned most, hard. */
static void add_pins(const struct core *core, const struct account *of, struct text *text)
{
	const struct account *most = NULL;
	uint64_t bytes = 0;
	struct list *link;
	char size[32];

	list_for_each(link, &core->accounts) {
		const struct account *account = container_of(link, struct account, link);

		if (of && account != of)
			continue;
		bytes += account->hard_pin_bytes;
		if (account->n_hard_pins &&
			(!most || account->hard_pin_bytes > most->hard_pin_bytes))
			most = account;
	}
	if (!most)
		return;
	size_format(bytes, size, sizeof size);
	text_add(text, "; pinned for good: %s,", size);
	size_format(most->hard_pin_bytes, size, sizeof size);
	text_add(text, " of which %s in %u object%s by uid %u: unpin some", size,
		most->n_hard_pins, most->n_hard_pins == 1 ? "" : "s", most->uid);
}

void account_name_holders(const struct core *core, const struct account *of, struct text *text)
{
	uint32_t largest[HOLDERS_NAMED];
	const size_t n = find_largest(core, of, largest);
	char size[32];

	for (size_t i = 0; i < n; i++) {
		const struct connection_record *record = connection_record(core, largest[i]);

		size_format(core->connections[largest[i]].held_bytes, size, sizeof size);
		text_add(text, "%s uid %u pid %d (%.16s) %s", i ? "," : "; largest holders:",
			record->uid, record->pid, record->comm, size);
	}
	add_kept(core, of, text, n == 0);
	add_pins(core, of, text);
}

static uint32_t describe(struct core *core, const struct account *account, struct wire_field *fields)
{
	const struct {
		const char *key;
		uint64_t number;
	} numbers[] = {
		{ "bytes", account->charged.bytes },
		{ "objects", account->charged.objects },
		{ "descriptors", account->charged.fds },
		{ "connections", account->n_connections },
		{ "requests", account->n_pendings },
		{ "references", account->n_holdings },
		{ "names", account->n_names },
	};

	static_assert(ARRAY_SIZE(numbers) == FIELDS_OF_ONE, "told by a constant");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		fields[i] = (struct wire_field){
			.key = scratch_text(core, "uids.%u.%s", account->uid, numbers[i].key),
			.value = "",
			.origin = "",
			.number = numbers[i].number,
		};
	return ARRAY_SIZE(numbers);
}

uint32_t accounts_describe(struct core *core, uint32_t conn, struct wire_field *fields)
{
	const struct account *own = core->connections[conn].account;
	uint32_t n = describe(core, own, fields);
	struct list *link;

	if (own->uid != 0)
		return n;
	list_for_each(link, &core->accounts) {
		const struct account *account = container_of(link, struct account, link);

		if (n + FIELDS_OF_ONE > ACCOUNT_FIELDS_MAX)
			break;
		if (account != own)
			n += describe(core, account, fields + n);
	}
	return n;
}
