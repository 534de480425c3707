/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `osctl set`: change what is said of an object besides its bytes. */
#include "config.h"

#include <string.h>

#include "report.h"
#include "util/cleanup.h"
#include "writer.h"

static enum status parse_changes(struct invocation *inv, struct ostore_changes *changes)
{
	const char *ttl = option_value(inv, "ttl");
	int64_t priority;
	enum status status = STATUS_DONE;

	changes->set_ttl = ttl;
	if (ttl && strcmp(ttl, "none") != 0)
		status = option_seconds(inv, "ttl", 0, &changes->ttl);
	if (!status && ttl && changes->ttl == 0 && strcmp(ttl, "none") != 0)
		return usage(inv->command, "--ttl %s: an object must live longer than that; rm deletes it, "
					   "and none takes its time to live away", ttl);
	if (!status)
		status = option_integer(inv, "priority", -OSTORE_PRIORITY_MAX, OSTORE_PRIORITY_MAX, 0,
			&priority);
	if (status)
		return status;
	changes->set_priority = option_value(inv, "priority");
	changes->priority = (int)priority;
	changes->pin = option_value(inv, "pin");
	changes->unpin = option_value(inv, "unpin");
	changes->n_labels = option_values(inv, "label", &changes->labels);
	changes->n_unlabel = option_values(inv, "unlabel", &changes->unlabel);
	if (changes->pin && changes->unpin)
		return usage(inv->command, "--pin and --unpin: only one of them");
	if (!changes->set_ttl && !changes->set_priority && !changes->pin && !changes->unpin &&
		changes->n_labels + changes->n_unlabel == 0)
		return usage(inv->command, "nothing to set: give --label, --unlabel, --ttl, --priority, "
					   "--pin or --unpin");
	return STATUS_DONE;
}

enum status cmd_set(struct invocation *inv)
{
	struct ostore_changes changes = { .size = sizeof changes };
	enum status status = parse_changes(inv, &changes);
	struct writer *writer;
	char hex[33];
	ostore_id id;
	int r;

	if (!status)
		status = invocation_connect(inv);
	if (!status)
		status = resolve(inv, inv->args[0], &id, NULL);
	if (status)
		return status;
	r = ostore_set(inv->conn, &id, &changes);
	if (r < 0)
		return fail_library(inv, r, NULL);
	if (!inv->json)
		return STATUS_DONE;
	writer = writer_new(true);
	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_string(writer, "id", ostore_id_format(&id, hex));
	writer_end(writer);
	return writer_finish(writer);
}
