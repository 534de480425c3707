/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl status`: the broker as a whole.
 *
 * Scripts rely on the keys: counters (and features, see fields.c) that the
 * manual names are always there, whatever the broker sends; others that it
 * sends follow them.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "report.h"
#include "util/cleanup.h"

static const char *const counter_names[] = {
	"puts", "gets", "restored_bytes", "restores", "spilled_bytes", "spills",
	"in_use_evictions", "dropped", "pulls", "pulled_bytes", "full_errors", "faults",
};

static void write_counter(struct writer *writer, const char *name, uint64_t value)
{
	size_t length = strlen(name);

	if (length > 6 && strcmp(name + length - 6, "_bytes") == 0)
		writer_size(writer, name, value);
	else
		writer_count(writer, name, value);
}

static void write_counters(struct writer *writer, const struct ostore_stats *stats)
{
	writer_start_object(writer, "counters", WRITER_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(counter_names); i++) {
		uint64_t value = 0;

		for (size_t j = 0; j < stats->n_counters; j++)
			if (strcmp(stats->counters[j].name, counter_names[i]) == 0)
				value = stats->counters[j].value;
		write_counter(writer, counter_names[i], value);
	}
	for (size_t j = 0; j < stats->n_counters; j++)
		if (!is_listed(counter_names, ARRAY_SIZE(counter_names), stats->counters[j].name))
			write_counter(writer, stats->counters[j].name, stats->counters[j].value);
	writer_end(writer);
}

static void write_objects(struct writer *writer, const struct ostore_stats *stats)
{
	writer_start_object(writer, "objects", WRITER_PLAIN);
	writer_count(writer, "created", stats->objects_created);
	writer_count(writer, "resident", stats->objects_resident);
	writer_count(writer, "spilled", stats->objects_spilled);
	writer_count(writer, "paging", stats->objects_paging);
	writer_end(writer);
}

static void write_rates(struct writer *writer, const struct ostore_stats *stats)
{
	writer_start_object(writer, "rates", WRITER_PLAIN);
	writer_rate(writer, "spill_bytes_per_s", stats->spill_bytes_per_s);
	writer_rate(writer, "restore_bytes_per_s", stats->restore_bytes_per_s);
	writer_end(writer);
}

static void write_users(struct writer *writer, const struct ostore_stats *stats)
{
	writer_start_object(writer, "users", WRITER_PLAIN);
	for (size_t i = 0; i < stats->n_users; i++) {
		const struct ostore_usage *user = &stats->users[i];
		char uid[16];

		snprintf(uid, sizeof uid, "%u", user->uid);
		writer_start_named(writer, uid, WRITER_PLAIN);
		writer_size(writer, "bytes", user->bytes);
		writer_count(writer, "objects", user->objects);
		writer_count(writer, "descriptors", user->descriptors);
		writer_count(writer, "connections", user->connections);
		writer_count(writer, "requests", user->requests);
		writer_count(writer, "references", user->references);
		writer_count(writer, "names", user->names);
		writer_end(writer);
	}
	writer_end(writer);
}

static void write_broker(struct writer *writer, const struct invocation *inv,
	const struct ostore_stats *stats)
{
	writer_start_object(writer, "broker", WRITER_PLAIN);
	writer_string(writer, "address", ostore_address(inv->conn));
	writer_string(writer, "version", stats->version);
	writer_count(writer, "supervisor_pid", stats->supervisor_pid);
	writer_count(writer, "worker_pid", stats->worker_pid);
	writer_count(writer, "generation", stats->generation);
	writer_count(writer, "descriptors", stats->descriptors);
	writer_count(writer, "max_descriptors", stats->max_descriptors);
	writer_end(writer);
}

enum status cmd_status(struct invocation *inv)
{
	enum status status = invocation_connect(inv);
	struct ostore_stats *stats;
	struct writer *writer;
	int r;

	if (status)
		return status;
	r = ostore_stats(inv->conn, &stats);
	if (r < 0)
		return fail_library(inv, r, NULL);
	writer = writer_new(inv->json);
	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_size(writer, "capacity_bytes", stats->capacity_bytes);
	writer_size(writer, "configured_capacity_bytes", stats->configured_capacity_bytes);
	writer_string(writer, "capacity_limited_by", stats->capacity_limited_by);
	writer_size(writer, "used_bytes", stats->used_bytes);
	writer_size(writer, "resident_bytes", stats->resident_bytes);
	writer_size(writer, "pinned_bytes", stats->pinned_bytes);
	writer_size(writer, "spilled_bytes", stats->spilled_bytes);
	writer_size(writer, "pool_bytes", stats->pool_bytes);
	writer_size(writer, "pack_bytes", stats->pack_bytes);
	writer_size(writer, "packed_bytes", stats->packed_bytes);
	writer_count(writer, "packed_objects", stats->packed_objects);
	write_objects(writer, stats);
	writer_count(writer, "clients", stats->clients);
	writer_count(writer, "queue_length", stats->queue_length);
	write_counters(writer, stats);
	write_rates(writer, stats);
	writer_bool(writer, "thrashing", stats->thrashing);
	write_features(writer, stats);
	write_users(writer, stats);
	write_broker(writer, inv, stats);
	writer_end(writer);
	status = writer_finish(writer);
	ostore_stats_free(stats);
	return status;
}
