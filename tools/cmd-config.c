/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `osctl config`: every setting of the broker, and where its value came from. */
#include "config.h"

#include "report.h"
#include "writer.h"

enum status cmd_config(struct invocation *inv)
{
	enum status status = invocation_connect(inv);
	struct ostore_setting *settings;
	struct writer *writer;
	size_t n;
	int r;

	if (status)
		return status;
	r = ostore_config(inv->conn, &settings, &n);
	if (r < 0)
		return fail_library(inv, r, NULL);
	writer = writer_new(inv->json);
	writer_start_list(writer, NULL);
	for (size_t i = 0; i < n; i++) {
		writer_start_object(writer, NULL, WRITER_PLAIN);
		writer_string(writer, "key", settings[i].key);
		writer_string(writer, "value", settings[i].value);
		writer_string(writer, "origin", settings[i].origin);
		writer_end(writer);
	}
	writer_end(writer);
	status = writer_finish(writer);
	ostore_config_free(settings);
	return status;
}
