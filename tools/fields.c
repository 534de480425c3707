/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of attributes: see fields.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "util/cleanup.h"

static const char *const feature_names[] = {
	"bpf", "userfaultfd", "kernel_faults", "huge_pages", "io_uring", "seccomp",
};

bool is_listed(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void write_info(struct writer *writer, const struct ostore_info *info)
{
	CLEANUP_FREE char *type = describe_type(info->metadata, info->metadata_size);
	char text[33];

	writer_string(writer, "id", ostore_id_format(&info->id, text));
	writer_size(writer, "size", info->size);
	writer_size(writer, "metadata_size", info->metadata_size);
	writer_string(writer, "state", ostore_state_name(info->state));
	writer_count(writer, "refs", info->refs);
	writer_count(writer, "pins", info->pins);
	writer_count(writer, "uid", info->uid);
	writer_count(writer, "gid", info->gid);
	snprintf(text, sizeof text, "%04o", (unsigned int)info->mode & 0777);
	writer_string(writer, "mode", text);
	writer_time(writer, "created_ns", info->created_ns);
	writer_time(writer, "last_access_ns", info->last_access_ns);
	writer_count(writer, "accesses", info->accesses);
	writer_start_list(writer, "names");
	for (const char *const *name = info->names; name && *name; name++)
		writer_string(writer, NULL, *name);
	writer_end(writer);
	writer_start_object(writer, "labels", WRITER_PAIRS);
	for (const char *const *label = info->labels; label && *label; label++) {
		const size_t key = strcspn(*label, "=");

		writer_pair(writer, *label, key, *label + key + ((*label)[key] == '='));
	}
	writer_end(writer);
	writer_time(writer, "expires_ns", info->expires_ns);
	writer_aside(writer);
	writer_integer(writer, "priority", info->priority);
	writer_aside(writer);
	writer_bool(writer, "pinned", info->pinned);
	writer_aside(writer);
	writer_bool(writer, "held", info->held);
	writer_aside(writer);
	writer_string(writer, "call_site", info->call_site);
	writer_aside(writer);
	writer_text_only(writer, "type", type);
}

static void write_feature(struct writer *writer, const char *name, bool on, const char *reason)
{
	writer_start_object(writer, name, WRITER_LINE);
	writer_bool(writer, "on", on);
	writer_string(writer, "reason", reason);
	writer_end(writer);
}

void write_features(struct writer *writer, const struct ostore_stats *stats)
{
	writer_start_object(writer, "features", WRITER_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++) {
		const struct ostore_feature *found = NULL;

		for (size_t j = 0; j < stats->n_features; j++)
			if (strcmp(stats->features[j].name, feature_names[i]) == 0)
				found = &stats->features[j];
		write_feature(writer, feature_names[i], found && found->on,
			found ? found->reason : "the broker does not use it");
	}
	for (size_t j = 0; j < stats->n_features; j++)
		if (!is_listed(feature_names, ARRAY_SIZE(feature_names), stats->features[j].name))
			write_feature(writer, stats->features[j].name, stats->features[j].on,
				stats->features[j].reason);
	writer_end(writer);
}

