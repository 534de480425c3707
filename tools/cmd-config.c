/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `osctl config`: every setting of the broker, and where its value came from; and setting one. */
#include "config.h"

#include <string.h>

#include "report.h"
#include "writer.h"

/* @only: the one key that is printed; NULL: all */
static enum status print_settings(struct invocation *inv, const char *only)
{
	struct ostore_setting *settings;
	enum status status;
	struct writer *writer;
	size_t n;
	int r;

	r = ostore_config(inv->conn, &settings, &n);
	if (r < 0)
		return fail_library(inv, r, NULL);
	writer = writer_new(inv->json);
	writer_start_list(writer, NULL);
	for (size_t i = 0; i < n; i++) {
		if (only && strcmp(settings[i].key, only) != 0)
			continue;
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
