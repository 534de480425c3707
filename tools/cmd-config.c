/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl config`: every setting of the broker, and where its value came from; and setting one.
 *
 * A value is shown as it was configured, with what it came to behind it where the value
 * alone does not say that.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "report.h"
#include "util/cleanup.h"
#include "util/size.h"
#include "writer.h"

static bool is_capacity(const struct ostore_setting *setting)
{
	return strcmp(setting->key, "capacity") == 0;
}

static bool is_size(const struct ostore_setting *setting)
{
	return is_capacity(setting) || strcmp(setting->key, "min_free") == 0 ||
		strcmp(setting->key, "pool") == 0;
}

/* Is what it came to to be looked up elsewhere? */
static bool is_relative(const struct ostore_setting *setting)
{
	const size_t length = strlen(setting->value);

	return setting->number > 0 && (strcmp(setting->value, "auto") == 0 ||
		(length > 0 && setting->value[length - 1] == '%'));
}

static void write_setting(struct writer *writer, const struct ostore_setting *setting,
	const struct ostore_stats *stats)
{
	const bool limited = is_capacity(setting) && *stats->capacity_limited_by;
	const uint64_t number = limited ? stats->capacity_bytes : setting->number;
	CLEANUP_FREE char *shown = NULL;
	char size[32];

	if (!limited && !is_relative(setting))
		shown = xstrdup(setting->value);
	else if (is_size(setting))
		shown = xasprintf("%s (%s%s)", setting->value, size_format(number, size, sizeof size),
			limited ? " at present" : "");
	else
		shown = xasprintf("%s (%llu)", setting->value, (unsigned long long)number);
	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_string(writer, "key", setting->key);
	writer_text_only(writer, "value", shown);
	writer_string(writer, "value", setting->value);
	writer_aside(writer);
	if (limited || is_relative(setting))
		writer_count(writer, "effective", number);
	else
		writer_nothing(writer, "effective");
	writer_aside(writer);
	writer_string(writer, "origin", setting->origin);
	writer_end(writer);
}

static void warn_of_capacity(const struct ostore_setting *setting, const struct ostore_stats *stats)
{
	char size[32];

	if (is_capacity(setting) && *stats->capacity_limited_by)
		(void)fail(STATUS_DONE, "warning: capacity is %s, of which %s can be used at present: %s",
			setting->value, size_format(stats->capacity_bytes, size, sizeof size),
			stats->capacity_limited_by);
}

/* @only: the one key that is printed, having been set; NULL: all */
static enum status print_settings(struct invocation *inv, const char *only)
{
	struct ostore_setting *settings;
	struct ostore_stats *stats;
	enum status status;
	struct writer *writer;
	size_t n;
	int r;

	r = ostore_config(inv->conn, &settings, &n);
	if (r < 0)
		return fail_library(inv, r, NULL);
	r = ostore_stats(inv->conn, &stats);
	if (r < 0) {
		ostore_config_free(settings);
		return fail_library(inv, r, NULL);
	}
	writer = writer_new(inv->json);
	writer_start_list(writer, NULL);
	for (size_t i = 0; i < n; i++) {
		if (only && strcmp(settings[i].key, only) != 0)
			continue;
		write_setting(writer, &settings[i], stats);
		if (only)
			warn_of_capacity(&settings[i], stats);
	}
	writer_end(writer);
	status = writer_finish(writer);
	ostore_stats_free(stats);
	ostore_config_free(settings);
	return status;
}

enum status cmd_config(struct invocation *inv)
{
	enum status status;
	int r;

	if (inv->n_args > 0 && strcmp(inv->args[0], "set") != 0)
		return usage(inv->command, "\"%s\" is not known; config takes nothing, or set KEY VALUE",
			inv->args[0]);
	if (inv->n_args > 0 && inv->n_args != 3)
		return usage(inv->command, "set takes a key and a value");
	status = invocation_connect(inv);
	if (status || inv->n_args == 0)
		return status ? status : print_settings(inv, NULL);
	r = ostore_configure(inv->conn, inv->args[1], inv->args[2]);
	return r < 0 ? fail_library(inv, r, NULL) : print_settings(inv, inv->args[1]);
}
