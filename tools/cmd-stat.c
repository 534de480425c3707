/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `osctl stat`: all of one object. */
#include "config.h"

#include <stdio.h>

#include "fields.h"
#include "report.h"

static const char *kind_name(enum ostore_holder_kind kind)
{
	switch (kind) {
	case OSTORE_HOLDER_CONNECTION:
		return "connection";
	case OSTORE_HOLDER_NAME:
		return "name";
	case OSTORE_HOLDER_LEASE:
		return "lease";
	}
	return "other";
}

static void write_holders(struct writer *writer, const struct ostore_stat *stat)
{
	writer_start_list(writer, "holders");
	for (size_t i = 0; i < stat->n_holders; i++) {
		const struct ostore_holder *holder = &stat->holders[i];

		writer_start_object(writer, NULL, WRITER_PLAIN);
		writer_string(writer, "kind", kind_name(holder->kind));
		writer_pid(writer, "pid", (uint64_t)holder->pid);
		writer_count(writer, "uid", holder->uid);
		writer_string(writer, "comm", holder->comm);
		writer_string(writer, "name", holder->name);
		writer_count(writer, "refs", holder->refs);
		writer_count(writer, "pins", holder->pins);
		writer_time(writer, "expires_ns", holder->expires_ns);
		writer_end(writer);
	}
	writer_end(writer);
}

enum status cmd_stat(struct invocation *inv)
{
	enum status status = invocation_connect(inv);
	struct ostore_stat *stat;
	struct writer *writer;
	char address[32];
	ostore_id id;
	int r;

	if (!status)
		status = resolve(inv, inv->args[0], &id, NULL);
	if (status)
		return status;
	r = ostore_stat(inv->conn, &id, &stat);
	if (r < 0)
		return fail_library(inv, r, NULL);
	writer = writer_new(inv->json);
	writer_start_object(writer, NULL, WRITER_PLAIN);
	write_info(writer, &stat->info);
	snprintf(address, sizeof address, "0x%llx", (unsigned long long)stat->address);
	writer_string(writer, "address", stat->address ? address : "");
	writer_size(writer, "charged_bytes", stat->charged_bytes);
	writer_size(writer, "resident_bytes", stat->resident_bytes);
	writer_bool(writer, "deleted", stat->deleted);
	write_holders(writer, stat);
	writer_end(writer);
	status = writer_finish(writer);
	ostore_stat_free(stat);
	return status;
}
