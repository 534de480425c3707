/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl memory`: each reference and mapping, and who has it.
 *
 * A row is one holder of one object.  Groups and totals count an object once, with
 * all that it is charged, however many hold it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "report.h"
#include "util/cleanup.h"

struct row {
	const struct ostore_stat *stat;
	const struct ostore_holder *holder; /* NULL: the broker itself holds it */
	const char *kind;
	char *group; /* NULL: not grouped */
	size_t place; /* as told: objects by creation, holders by arrival, then the broker itself */
};

struct rows {
	struct row *rows;
	size_t n, room;
};

/* ---- rows ---- */

static const char *kind_of(const struct ostore_stat *stat, const struct ostore_holder *holder)
{
	switch (holder->kind) {
	case OSTORE_HOLDER_CONNECTION:
		return stat->info.state == OSTORE_CREATED ? "draft" :
		       holder->pins			  ? "mapping" :
							    "reference";
	case OSTORE_HOLDER_NAME:
		return "name";
	case OSTORE_HOLDER_LEASE:
		return "lease";
	}
	return "other";
}

static void add(struct rows *rows, const struct ostore_stat *stat, const struct ostore_holder *holder,
	const char *kind)
{
	if (rows->n == rows->room) {
		rows->room = rows->room ? 2 * rows->room : 64;
		rows->rows = reallocarray(rows->rows, rows->room, sizeof *rows->rows);
		if (!rows->rows)
			exit(fail(STATUS_FAILED, "out of memory"));
	}
	rows->rows[rows->n] = (struct row){
		.stat = stat,
		.holder = holder,
		.kind = kind,
		.place = rows->n,
	};
	rows->n++;
}

static void gather(struct rows *rows, const struct ostore_stat *stats, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < stats[i].n_holders; k++)
			add(rows, &stats[i], &stats[i].holders[k],
				kind_of(&stats[i], &stats[i].holders[k]));
		if (stats[i].info.held)
			add(rows, &stats[i], NULL, "hold");
		if (stats[i].info.pinned)
			add(rows, &stats[i], NULL, "pin");
	}
}

static uint32_t refs_of(const struct row *row)
{
	return row->holder ? row->holder->refs : strcmp(row->kind, "hold") == 0;
}

static uint32_t pins_of(const struct row *row)
{
	return row->holder ? row->holder->pins : 0;
}

static uint64_t uid_of(const struct row *row)
{
	return row->holder ? row->holder->uid : row->stat->info.uid;
}

static uint64_t pid_of(const struct row *row)
{
	return row->holder ? (uint64_t)row->holder->pid : 0;
}

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_size(const struct row *a, const struct row *b)
{
	return compare_numbers(a->stat->info.size, b->stat->info.size);
}

static int by_refs(const struct row *a, const struct row *b)
{
	return compare_numbers(refs_of(a), refs_of(b));
}

static int by_pins(const struct row *a, const struct row *b)
{
	return compare_numbers(pins_of(a), pins_of(b));
}

static int by_pid(const struct row *a, const struct row *b)
{
	return compare_numbers(pid_of(a), pid_of(b));
}

static int by_uid(const struct row *a, const struct row *b)
{
	return compare_numbers(uid_of(a), uid_of(b));
}

static int by_kind(const struct row *a, const struct row *b)
{
	return strcmp(a->kind, b->kind);
}

static int by_created(const struct row *a, const struct row *b)
{
	return compare_numbers(a->stat->info.created_ns, b->stat->info.created_ns);
}

static const struct sort_key {
	const char *name;
	int (*compare)(const struct row *a, const struct row *b);
} sort_keys[] = {
	{ "size", by_size },
	{ "refs", by_refs },
	{ "pins", by_pins },
	{ "pid", by_pid },
	{ "uid", by_uid },
	{ "kind", by_kind },
	{ "created_ns", by_created },
};

struct order {
	const struct sort_key *key;
	bool descending;
};

static int compare_rows(const void *left, const void *right, void *context)
{
	const struct row *a = left, *b = right;
	const struct order *order = context;
	int c = a->group ? strcmp(a->group, b->group) : 0;

	if (c)
		return c;
	c = order->key->compare(a, b);
	if (order->descending)
		c = -c;
	return c ? c : compare_numbers(a->place, b->place);
}

static enum status parse_order(const struct invocation *inv, struct order *order)
{
	const char *word = option_value(inv, "sort-by");
	const char *name = word ? word : "-size";

	order->descending = name[0] == '-';
	name += order->descending;
	for (size_t i = 0; i < ARRAY_SIZE(sort_keys); i++)
		if (strcmp(sort_keys[i].name, name) == 0) {
			order->key = &sort_keys[i];
			return STATUS_DONE;
		}
	return usage(inv->command,
		"--sort-by %s: not one of size, refs, pins, pid, uid, kind, created_ns", word);
}

/* ---- groups ---- */

static enum status check_group(const struct invocation *inv, const char *word)
{
	if (!word || strcmp(word, "pid") == 0 || strcmp(word, "uid") == 0 ||
		strcmp(word, "callsite") == 0 || (strncmp(word, "label:", 6) == 0 && word[6]))
		return STATUS_DONE;
	return usage(inv->command, "--group-by %s: not one of pid, uid, label:KEY, callsite", word);
}

/* The value of the object's label of this key, or NULL. */
static const char *label_value(const struct ostore_info *info, const char *key)
{
	const size_t length = strlen(key);

	for (const char *const *label = info->labels; label && *label; label++)
		if (strncmp(*label, key, length) == 0 && (*label)[length] == '=')
			return *label + length + 1;
	return NULL;
}

static char *group_of(const struct row *row, const char *by)
{
	const char *text = NULL;

	if (strcmp(by, "uid") == 0)
		return xasprintf("%llu", (unsigned long long)uid_of(row));
	if (strcmp(by, "pid") == 0)
		return pid_of(row) ? xasprintf("%llu", (unsigned long long)pid_of(row)) : xstrdup("");
	text = strcmp(by, "callsite") == 0 ? row->stat->info.call_site :
					     label_value(&row->stat->info, by + 6);
	return xstrdup(text ? text : "");
}

struct sum {
	const char *group;
	uint64_t objects, bytes, refs, pins;
};

/* Each object once: within a group, sort by object first. */
static int compare_objects(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int c = a->group ? strcmp(a->group, b->group) : 0;

	return c ? c : (a->stat > b->stat) - (a->stat < b->stat);
}

static int compare_sums(const void *left, const void *right)
{
	const struct sum *a = left, *b = right;
	int c = compare_numbers(b->bytes, a->bytes);

	return c ? c : strcmp(a->group, b->group);
}

static void write_groups(struct writer *writer, struct rows *rows)
{
	CLEANUP_FREE struct sum *sums = xcalloc(rows->n, sizeof *sums);
	size_t n = 0;

	if (rows->n)
		qsort(rows->rows, rows->n, sizeof *rows->rows, compare_objects);
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i];
		const bool begins = i == 0 || strcmp(row->group, row[-1].group) != 0;

		if (begins)
			sums[n++].group = row->group;
		if (begins || row->stat != row[-1].stat) {
			sums[n - 1].objects++;
			sums[n - 1].bytes += row->stat->charged_bytes;
		}
		sums[n - 1].refs += refs_of(row);
		sums[n - 1].pins += pins_of(row);
	}
	qsort(sums, n, sizeof *sums, compare_sums);
	writer_start_list(writer, "groups");
	for (size_t i = 0; i < n; i++) {
		writer_start_object(writer, NULL, WRITER_PLAIN);
		writer_string(writer, "group", sums[i].group);
		writer_count(writer, "objects", sums[i].objects);
		writer_size(writer, "charged_bytes", sums[i].bytes);
		writer_count(writer, "refs", sums[i].refs);
		writer_count(writer, "pins", sums[i].pins);
		writer_end(writer);
	}
	writer_end(writer);
}

/* ---- output ---- */

static void write_row(struct writer *writer, const struct row *row)
{
	const struct ostore_info *info = &row->stat->info;
	char hex[33];

	writer_start_object(writer, NULL, WRITER_PLAIN);
	if (row->group)
		writer_string(writer, "group", row->group);
	writer_string(writer, "kind", row->kind);
	writer_pid(writer, "pid", pid_of(row));
	writer_count(writer, "uid", uid_of(row));
	writer_string(writer, "comm", row->holder ? row->holder->comm : NULL);
	writer_string(writer, "name", row->holder ? row->holder->name : NULL);
	writer_count(writer, "refs", refs_of(row));
	writer_count(writer, "pins", pins_of(row));
	writer_size(writer, "size", info->size);
	writer_string(writer, "id", ostore_id_format(&info->id, hex));
	writer_time(writer, "expires_ns", row->holder ? row->holder->expires_ns : 0);
	writer_bool(writer, "deleted", row->stat->deleted);
	writer_aside(writer);
	writer_string(writer, "call_site", info->call_site);
	writer_end(writer);
}

static void write_totals(struct writer *writer, const struct ostore_stat *stats, size_t n)
{
	uint64_t bytes = 0, idle = 0, mapped = 0, refs = 0, pins = 0;

	for (size_t i = 0; i < n; i++) {
		const struct ostore_info *info = &stats[i].info;

		bytes += stats[i].charged_bytes;
		if (info->refs == 0 && info->pins == 0 && !info->pinned)
			idle += stats[i].charged_bytes;
		if (info->pins)
			mapped += stats[i].charged_bytes;
		refs += info->refs;
		pins += info->pins;
	}
	writer_start_object(writer, "totals", WRITER_PLAIN);
	writer_count(writer, "objects", n);
	writer_size(writer, "charged_bytes", bytes);
	writer_size(writer, "pinned_bytes", mapped);
	writer_size(writer, "evictable_bytes", idle);
	writer_count(writer, "refs", refs);
	writer_count(writer, "pins", pins);
	writer_end(writer);
}

enum status cmd_memory(struct invocation *inv)
{
	const char *by = option_value(inv, "group-by");
	struct ostore_filter filter;
	struct rows rows = { NULL, 0, 0 };
	struct ostore_stat *stats;
	struct writer *writer;
	struct order order;
	enum status status;
	size_t n;
	int r;

	status = check_group(inv, by);
	if (!status)
		status = parse_order(inv, &order);
	if (!status)
		status = parse_filter(inv, &filter);
	if (!status)
		status = invocation_connect(inv);
	if (status)
		return status;
	r = ostore_memory(inv->conn, &filter, &stats, &n);
	if (r < 0)
		return fail_library(inv, r, NULL);
	gather(&rows, stats, n);
	for (size_t i = 0; by && i < rows.n; i++)
		rows.rows[i].group = group_of(&rows.rows[i], by);
	writer = writer_new(inv->json);
	writer_start_object(writer, NULL, WRITER_PLAIN);
	write_totals(writer, stats, n);
	if (by)
		write_groups(writer, &rows);
	if (!option_value(inv, "stats-only")) {
		if (rows.n)
			qsort_r(rows.rows, rows.n, sizeof *rows.rows, compare_rows, &order);
		writer_start_list(writer, "references");
		for (size_t i = 0; i < rows.n; i++)
			write_row(writer, &rows.rows[i]);
		writer_end(writer);
	}
	writer_end(writer);
	status = writer_finish(writer);
	for (size_t i = 0; i < rows.n; i++)
		free(rows.rows[i].group);
	free(rows.rows);
	ostore_memory_free(stats);
	return status;
}
