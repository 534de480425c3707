/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ostored/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ostored/machine.h"
#include "util/log.h"
#include "util/text.h"

/* The first of the complaints, without its place, which is the caller, and its line end. */
static void take_complaint(struct config *config, const char *origin, struct text *error)
{
	const char *at = config->errors;
	const size_t length = strlen(origin);

	if (at && strncmp(at, origin, length) == 0 && at[length] == ':')
		at += length + 2;
	if (at)
		text_set(error, "%.*s", (int)strcspn(at, "\n"), at);
	free(config->errors);
	config->errors = NULL;
}

/* What a percentage in this setting is of, where that is not another setting. */
static int find_base(struct core_setting *setting, bool is_inherited, uint64_t used,
	struct config_machine *machine)
{
	const bool is_capacity = strcmp(setting->key, config_infos[CONFIG_CAPACITY].name) == 0;
	uint64_t total, available;
	int r;

	machine->memory_left = UINT64_MAX;
	if (!is_inherited) {
		r = machine_memory("", &total, &available);
		if (r < 0)
			return r;
		setting->base = available + used;
		if (strcmp(setting->key, config_infos[CONFIG_MIN_FREE].name) == 0)
			machine->memory_left = setting->base;
	}
	if (is_capacity)
		machine->memory_available = setting->base;
	return 0;
}

static int configure(void *user, struct core_setting *setting, bool is_inherited, uint64_t used,
	struct text *error)
{
	struct host *host = user;
	struct config_machine machine = *host->machine;
	char origin[64];
	int r;

	r = find_base(setting, is_inherited, used, &machine);
	if (r < 0)
		return r;
	snprintf(origin, sizeof origin, "run time (uid %u)", setting->uid);
	r = config_change(host->config, host->machine, &machine, host->values, setting->key,
		setting->value, origin);
	if (r < 0) {
		take_complaint(host->config, origin, error);
		return r;
	}
	machine.memory_left = UINT64_MAX; /* is looked at once */
	*host->machine = machine;
	log_set_level(host->values->log_level);
	return 0;
}

static int64_t look(void *user, struct text *why)
{
	const struct host *host = user;

	return machine_room("", host->config->settings[CONFIG_MIN_FREE].number,
		host->values->core.capacity > host->machine->memory_total, why);
}

struct broker_host host_functions(struct host *host)
{
	host->machine->memory_left = UINT64_MAX;
	return (struct broker_host){ .user = host, .configure = configure, .look = look };
}
