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
		return "no such object or name, or it is gone";
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

/* The ids of the words; errors[] of those that name nothing.  Return: a failure of another kind. */
static enum status resolve_all(struct invocation *inv, ostore_id *ids, int *errors)
{
	for (int i = 0; i < inv->n_args; i++) {
		struct ostore_object *object;

		if (ostore_id_parse(&ids[i], inv->args[i]) == 0)
			continue;
		errors[i] = ostore_lookup(inv->conn, inv->args[i], &object);
		/* A single word: the library says it well. */
		if (errors[i] < 0 && (errors[i] != -OSTORE_ENOTFOUND || inv->n_args == 1))
			return fail_library(inv, errors[i], NULL);
		if (errors[i] < 0)
			continue;
		ids[i] = *ostore_object_id(object);
		ostore_release(object);
	}
	return STATUS_DONE;
}

/* Delete what has an id.  Return: 0, or the first error there was; errors[] has each. */
static int delete_all(struct invocation *inv, const ostore_id *ids, int *errors)
{
	CLEANUP_FREE ostore_id *found = xcalloc(inv->n_args, sizeof *found);
	CLEANUP_FREE int *found_errors = xcalloc(inv->n_args, sizeof *found_errors);
	int n = 0, r = 0, deleted = 0;

	for (int i = 0; i < inv->n_args; i++)
		if (errors[i] == 0)
			found[n++] = ids[i];
	if (n > 0)
		deleted = ostore_delete(inv->conn, found, n, found_errors);
	n = 0;
	for (int i = 0; i < inv->n_args; i++) {
		if (errors[i] == 0)
			errors[i] = found_errors[n++];
		if (r == 0)
			r = errors[i];
	}
	return deleted < 0 ? deleted : r;
}

enum status cmd_rm(struct invocation *inv)
{
	CLEANUP_FREE ostore_id *ids = xcalloc(inv->n_args, sizeof *ids);
	CLEANUP_FREE int *errors = xcalloc(inv->n_args, sizeof *errors);
	enum status status = invocation_connect(inv);
	int r;

	if (!status)
		status = resolve_all(inv, ids, errors);
	if (status)
		return status;
	r = delete_all(inv, ids, errors);
	if (r < 0)
		return report_errors(inv, r, errors);
	return inv->json ? print_deleted(ids, inv->n_args) : STATUS_DONE;
}
