/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl rm`: delete objects, in one request.
 *
 * All that can be deleted is, also when some cannot; then the line names the
 * first that could not, and how many there were.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util/cleanup.h"
#include "writer.h"

/* What is wrong with one object.  The library's own sentence tells of one only. */
static const char *reason_of(int r)
{
	switch (-r) {
	case OSTORE_ENOTFOUND:
		return "no such object, or it is gone";
	case OSTORE_EPERMISSION:
		return "its owner does not allow you to delete it";
	default:
		return strerror(-r);
	}
}

static enum status print_deleted(const ostore_id *ids, int n)
{
	struct writer *writer = writer_new(true);
	char hex[33];

	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_start_list(writer, "deleted");
	for (int i = 0; i < n; i++)
		writer_string(writer, NULL, ostore_id_format(&ids[i], hex));
	writer_end(writer);
	writer_end(writer);
	return writer_finish(writer);
}

/* The line for the objects that are still there, after r. */
static enum status report_errors(struct invocation *inv, int r, const int *errors)
{
	int failed = 0, first = -1;

	for (int i = 0; i < inv->n_args; i++)
		if (errors[i] < 0) {
			first = first < 0 ? i : first;
			failed++;
		}
	/* The request as a whole failed, or it was about one object: the library said it well. */
	if (failed == 0 || inv->n_args == 1)
		return fail_library(inv, r, NULL);
	return fail(status_of(errors[first]), "%s: %s (%d of %d could not be deleted)",
		inv->args[first], reason_of(errors[first]), failed, inv->n_args);
}

enum status cmd_rm(struct invocation *inv)
{
	CLEANUP_FREE ostore_id *ids = xcalloc(inv->n_args, sizeof *ids);
	CLEANUP_FREE int *errors = xcalloc(inv->n_args, sizeof *errors);
	enum status status = invocation_connect(inv);
	int r;

	/* Every word is looked at before anything is deleted. */
	for (int i = 0; i < inv->n_args && !status; i++)
		status = resolve(inv, inv->args[i], &ids[i], NULL);
	if (status)
		return status;
	r = ostore_delete(inv->conn, ids, inv->n_args, errors);
	if (r < 0)
		return report_errors(inv, r, errors);
	return inv->json ? print_deleted(ids, inv->n_args) : STATUS_DONE;
}
