/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `osctl hold` and `osctl unhold`: names of objects. */
#include "config.h"

#include "report.h"
#include "writer.h"

static enum status print_name(const struct invocation *inv, const char *name, const ostore_id *id)
{
	struct writer *writer;
	char hex[33];

	if (!inv->json)
		return STATUS_DONE;
	writer = writer_new(true);
	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_string(writer, "name", name);
	if (id)
		writer_string(writer, "id", ostore_id_format(id, hex));
	writer_end(writer);
	return writer_finish(writer);
}

enum status cmd_hold(struct invocation *inv)
{
	const char *name = inv->args[0];
	enum status status;
	ostore_id id;
	int r;

	status = check_name(inv, name);
	if (!status)
		status = parse_id(inv, inv->args[1], &id);
	if (!status)
		status = invocation_connect(inv);
	if (status)
		return status;
	r = ostore_hold(inv->conn, name, &id);
	return r < 0 ? fail_library(inv, r, NULL) : print_name(inv, name, &id);
}

enum status cmd_unhold(struct invocation *inv)
{
	enum status status = check_name(inv, inv->args[0]);
	int r;

	if (!status)
		status = invocation_connect(inv);
	if (status)
		return status;
	r = ostore_unhold(inv->conn, inv->args[0]);
	return r < 0 ? fail_library(inv, r, NULL) : print_name(inv, inv->args[0], NULL);
}
