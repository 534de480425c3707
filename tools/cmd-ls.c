/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl ls`: the objects that the caller may read, by age unless told otherwise.
 *
 * A row's fields and the keys that --sort takes are the same words.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "report.h"
#include "util/cleanup.h"

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_id(const struct ostore_info *a, const struct ostore_info *b)
{
	return memcmp(&a->id, &b->id, sizeof a->id);
}

static int by_state(const struct ostore_info *a, const struct ostore_info *b)
{
	return strcmp(ostore_state_name(a->state), ostore_state_name(b->state));
}

static int by_created(const struct ostore_info *a, const struct ostore_info *b)
{
	return compare_numbers(a->created_ns, b->created_ns);
}

static int by_last_access(const struct ostore_info *a, const struct ostore_info *b)
{
	return compare_numbers(a->last_access_ns, b->last_access_ns);
}

/* By the first name; objects without one come first. */
static int by_names(const struct ostore_info *a, const struct ostore_info *b)
{
	const char *left = a->names ? a->names[0] : NULL, *right = b->names ? b->names[0] : NULL;

	return strcmp(left ? left : "", right ? right : "");
}

static int by_labels(const struct ostore_info *a, const struct ostore_info *b)
{
	const char *left = a->labels ? a->labels[0] : NULL, *right = b->labels ? b->labels[0] : NULL;

	return strcmp(left ? left : "", right ? right : "");
}

static int by_call_site(const struct ostore_info *a, const struct ostore_info *b)
{
	return strcmp(a->call_site ? a->call_site : "", b->call_site ? b->call_site : "");
}

static int by_expires(const struct ostore_info *a, const struct ostore_info *b)
{
	return compare_numbers((uint64_t)a->expires_ns, (uint64_t)b->expires_ns);
}

static int by_priority(const struct ostore_info *a, const struct ostore_info *b)
{
	return (a->priority > b->priority) - (a->priority < b->priority);
}

#define BY_NUMBER(field)                                                                      \
	static int by_##field(const struct ostore_info *a, const struct ostore_info *b)       \
	{                                                                                     \
		return compare_numbers(a->field, b->field);                                   \
	}
BY_NUMBER(accesses)
BY_NUMBER(gid)
BY_NUMBER(metadata_size)
BY_NUMBER(mode)
BY_NUMBER(held)
BY_NUMBER(pinned)
BY_NUMBER(pins)
BY_NUMBER(refs)
BY_NUMBER(size)
BY_NUMBER(uid)

struct sort_key {
	const char *name;
	int (*compare)(const struct ostore_info *a, const struct ostore_info *b);
};

static const struct sort_key sort_keys[] = {
	{ "id", by_id },
	{ "size", by_size },
	{ "metadata_size", by_metadata_size },
	{ "state", by_state },
	{ "refs", by_refs },
	{ "pins", by_pins },
	{ "uid", by_uid },
	{ "gid", by_gid },
	{ "mode", by_mode },
	{ "created_ns", by_created },
	{ "last_access_ns", by_last_access },
	{ "accesses", by_accesses },
	{ "names", by_names },
	{ "labels", by_labels },
	{ "expires_ns", by_expires },
	{ "priority", by_priority },
	{ "pinned", by_pinned },
	{ "held", by_held },
	{ "call_site", by_call_site },
};

struct order {
	const struct sort_key *key; /* NULL: as listed, by creation */
	bool descending;
};

/* Equal ones stay in the order of their creation: the row's place decides last. */
static int compare_rows(const void *left, const void *right, void *context)
{
	const struct ostore_info *const *a = left, *const *b = right;
	const struct order *order = context;
	int c = order->key ? order->key->compare(*a, *b) : 0;

	if (order->descending)
		c = -c;
	return c ? c : (*a > *b) - (*a < *b);
}

/* ---- the words ---- */

struct selection {
	enum ostore_state state; /* 0: any */
	struct order order;
	uint64_t limit;
};

static enum status parse_state(const struct invocation *inv, enum ostore_state *statep)
{
	const char *word = option_value(inv, "state");

	if (!word)
		return STATUS_DONE;
	for (int state = OSTORE_CREATED; state <= OSTORE_PAGING; state++)
		if (strcmp(ostore_state_name(state), word) == 0) {
			*statep = state;
			return STATUS_DONE;
		}
	return usage(inv->command, "--state %s: not one of created, resident, spilled, paging", word);
}

static enum status parse_order(const struct invocation *inv, struct order *order)
{
	const char *word = option_value(inv, "sort"), *name = word;
	CLEANUP_FREE char *known = xstrdup("");

	if (!word)
		return STATUS_DONE;
	order->descending = name[0] == '-';
	name += order->descending;
	for (size_t i = 0; i < ARRAY_SIZE(sort_keys); i++) {
		CLEANUP_FREE char *before = known;

		if (strcmp(sort_keys[i].name, name) == 0) {
			order->key = &sort_keys[i];
			known = xstrdup("");
			return STATUS_DONE;
		}
		known = xasprintf("%s%s%s", before, i ? ", " : "", sort_keys[i].name);
	}
	return usage(inv->command, "--sort %s: not one of %s", word, known);
}

/* ---- the command ---- */

static enum status print_list(bool json, const struct ostore_info *const *rows, size_t n)
{
	struct writer *writer = writer_new(json);

	writer_start_list(writer, NULL);
	for (size_t i = 0; i < n; i++) {
		writer_start_object(writer, NULL, WRITER_PLAIN);
		write_info(writer, rows[i]);
		writer_end(writer);
	}
	writer_end(writer);
	return writer_finish(writer);
}

enum status cmd_ls(struct invocation *inv)
{
	struct selection selection = { .limit = UINT64_MAX };
	CLEANUP_FREE const struct ostore_info **rows = NULL;
	struct ostore_filter filter;
	struct ostore_info *infos;
	size_t n, n_rows = 0;
	enum status status;
	int r;

	status = parse_state(inv, &selection.state);
	if (!status)
		status = parse_order(inv, &selection.order);
	if (!status)
		status = option_number(inv, "limit", UINT64_MAX, &selection.limit);
	if (!status)
		status = parse_filter(inv, &filter);
	if (!status)
		status = invocation_connect(inv);
	if (status)
		return status;
	r = ostore_list_matching(inv->conn, &filter, &infos, &n);
	if (r < 0)
		return fail_library(inv, r, NULL);
	rows = xcalloc(n, sizeof *rows);
	for (size_t i = 0; i < n; i++)
		if (!selection.state || infos[i].state == selection.state)
			rows[n_rows++] = &infos[i];
	qsort_r(rows, n_rows, sizeof *rows, compare_rows, &selection.order);
	status = print_list(inv->json, rows, MIN(n_rows, selection.limit));
	ostore_list_free(infos);
	return status;
}
