/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration at run time (R16), and the notes of it in the tables.
 *
 * A note is rewritten in place when its key is changed again.  The heir's core is
 * opened with the configuration of the first start, and gets what was changed
 * since by core_configure(), before core_resume(): until then nothing is granted
 * or evicted, so the old numbers do no harm.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/core.h"
#include "core/event.h"
#include "core/queue.h"
#include "core/state.h"
#include "ds/memory.h"

/* The note of this key, or a free one, or NULL. */
static struct setting_record *find(const struct core *core, const char *key)
{
	struct setting_record *unused = NULL;

	for (uint32_t i = 0; i < CORE_SETTINGS_MAX; i++) {
		struct setting_record *record = &core->tables.settings[i];

		if (record->used && strcmp(record->key, key) == 0)
			return record;
		if (!record->used && !unused)
			unused = record;
	}
	return unused;
}

static int note(struct core *core, const struct core_setting *setting)
{
	struct setting_record *record = find(core, setting->key);

	assert(strlen(setting->key) < sizeof record->key);
	assert(strlen(setting->value) < sizeof record->value);
	if (!record)
		return -ENOBUFS;
	tables_change(&core->tables, record);
	record->used = 1;
	record->uid = setting->uid;
	record->base = setting->base;
	strcpy(record->key, setting->key);
	strcpy(record->value, setting->value);
	return 0;
}

static void take(struct core *core, const struct core_config *config)
{
	struct core_quota *quotas = NULL;

	if (config->n_quotas) {
		quotas = must_alloc(config->n_quotas, sizeof *quotas);
		memcpy(quotas, config->quotas, config->n_quotas * sizeof *quotas);
	}
	free(core->quotas);
	core->quotas = quotas;
	core->config.quotas = quotas;
	core->config.n_quotas = config->n_quotas;
	core->config.capacity = config->capacity;
	core->config.max_fds = config->max_fds;
	core->config.max_connections_per_uid = config->max_connections_per_uid;
	core->config.queue_deadline_ns = config->queue_deadline_ns;
	core->config.transit_lease_ns = config->transit_lease_ns;
	core->config.pool_max = config->pool_max;
	repack_wake(core);
	accounts_renew(core);
}

int core_configure(struct core *core, int64_t now, const struct core_config *config,
	const struct core_setting *setting)
{
	int r = 0;

	event_begin(core, now);
	if (setting)
		r = note(core, setting);
	if (r == 0) {
		take(core, config);
		queue_refuse_too_big(core);
	}
	event_end(core);
	return r;
}

bool core_next_setting(const struct core *core, uint32_t *cursor, struct core_setting *setting)
{
	while (*cursor < CORE_SETTINGS_MAX) {
		const struct setting_record *record = &core->tables.settings[(*cursor)++];

		if (!record->used)
			continue;
		*setting = (struct core_setting){
			.key = record->key,
			.value = record->value,
			.base = record->base,
			.uid = record->uid,
		};
		return true;
	}
	return false;
}

void core_limit(struct core *core, int64_t now, uint64_t bytes)
{
	event_begin(core, now);
	core->limit = bytes;
	event_end(core);
}
