/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text printer: labels and values in two columns, lists of objects as
 * tables (libsmartcols).  Lines are never cut to the terminal's width: what is
 * printed does not depend on where it is printed, colour apart.
 */
#include "config.h"

#include <ctype.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/size.h"
#include "writer.h"

#define INDENT 2
#define GAP    2 /* between the columns */
#define BELOW_INDENT 6

struct printer {
	bool colour;
	int value_column;
};

static const char *const tone_names[] = { NULL, "green", "yellow", "red" }; /* of smartcols */
static const char *const tone_codes[] = { "", "\033[32m", "\033[33m", "\033[31m" };
#define CODE_BOLD  "\033[1m"
#define CODE_RESET "\033[0m"

static bool is_scalar(const struct writer_node *node)
{
	return node->kind > WRITER_LIST;
}

/* A list without elements, or of strings and numbers: its values fit in one line. */
static bool is_flat_list(const struct writer_node *node)
{
	return node->kind == WRITER_LIST &&
		(!node->children.first || is_scalar(node->children.first));
}

/* The key without its unit, with spaces for underscores. */
static char *label_of(const char *key)
{
	static const char *const units[] = { "_bytes_per_s", "_bytes", "_ns" };
	char *label = xstrdup(key);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t length = strlen(label), unit = strlen(units[i]);

		if (length > unit && strcmp(label + length - unit, units[i]) == 0) {
			label[length - unit] = '\0';
			break;
		}
	}
	for (char *p = label; *p; p++)
		if (*p == '_')
			*p = ' ';
	return label;
}

/* A length of time as one word: "0s", "59s", "12min", "3h", "5d". */
static char *age_format(int64_t ns, char *text, size_t text_size)
{
	int64_t s = ns / NS_PER_S;

	if (s < 60)
		snprintf(text, text_size, "%ds", (int)s);
	else if (s < 60 * 60)
		snprintf(text, text_size, "%dmin", (int)(s / 60));
	else if (s < 48 * 60 * 60)
		snprintf(text, text_size, "%dh", (int)(s / (60 * 60)));
	else
		snprintf(text, text_size, "%ldd", (long)(s / (24 * 60 * 60)));
	return text;
}

static char *time_text(int64_t ns, bool in_table)
{
	char text[64];
	time_t seconds = ns / NS_PER_S;
	struct tm tm;

	if (ns == 0)
		return xstrdup("-");
	if (in_table) {
		int64_t age = clock_now_ns(CLOCK_REALTIME) - ns;

		return xasprintf("%s%s", age < 0 ? "in " : "", age_format(llabs(age), text, sizeof text));
	}
	if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
		return xstrdup("-");
	return xstrdup(text);
}

static char *value_text(const struct writer_node *node, bool in_table);

static char *list_text(const struct writer_node *list)
{
	char *text = xstrdup("");

	for (const struct writer_node *child = list->children.first; child; child = child->next) {
		CLEANUP_FREE char *before = text;
		CLEANUP_FREE char *value = value_text(child, false);

		text = xasprintf("%s%s%s", before, before[0] ? "," : "", value);
	}
	return text;
}

/* "key=value,key=value" */
static char *pairs_text(const struct writer_node *object)
{
	char *text = xstrdup("");

	for (const struct writer_node *child = object->children.first; child; child = child->next) {
		CLEANUP_FREE char *before = text;
		CLEANUP_FREE char *value = value_text(child, false);

		text = xasprintf("%s%s%s=%s", before, before[0] ? "," : "", child->key, value);
	}
	return text;
}

static char *value_text(const struct writer_node *node, bool in_table)
{
	char text[32];

	switch ((enum writer_kind)node->kind) {
	case WRITER_OBJECT:
		return node->style == WRITER_PAIRS ? pairs_text(node) : xstrdup("");
	case WRITER_LIST:
		return list_text(node);
	case WRITER_STRING:
		return printable(node->string);
	case WRITER_BOOLEAN:
		return xstrdup(node->boolean ? "yes" : "no");
	case WRITER_INTEGER:
		return xasprintf("%lld", (long long)node->number);
	case WRITER_COUNT:
		return xasprintf("%llu", (unsigned long long)node->number);
	case WRITER_SIZE:
		return xstrdup(size_format(node->number, text, sizeof text));
	case WRITER_RATE:
		return xasprintf("%s/s", size_format(node->number, text, sizeof text));
	case WRITER_TIME:
		return time_text(node->number, in_table);
	case WRITER_NOTHING:
		return xstrdup("-");
	}
	return xstrdup("");
}

/* ---- tables ---- */

static bool is_number(const struct writer_node *node)
{
	return node->kind >= WRITER_COUNT;
}

/* Has it no column? */
static bool is_beside(const struct writer_node *cell)
{
	return cell->style == WRITER_BELOW || cell->style == WRITER_ASIDE;
}

/* The columns are the attributes of the first element. */
static int table_columns(struct libscols_table *table, const struct writer_node *element, bool colour)
{
	for (const struct writer_node *cell = element->children.first; cell; cell = cell->next) {
		CLEANUP_FREE char *label = label_of(cell->key);
		struct libscols_column *column;

		if (is_beside(cell))
			continue;
		for (char *p = label; *p; p++)
			*p = toupper((unsigned char)*p);
		column = scols_table_new_column(table, label, 0, is_number(cell) ? SCOLS_FL_RIGHT : 0);
		if (!column)
			return -1;
		if (colour)
			scols_cell_set_color(scols_column_get_header(column), "bold");
	}
	return 0;
}

static int table_line(struct libscols_table *table, const struct writer_node *element, bool colour)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	size_t i = 0;

	if (!line)
		return -1;
	for (const struct writer_node *cell = element->children.first; cell; cell = cell->next) {
		CLEANUP_FREE char *text = value_text(cell, true);

		if (is_beside(cell))
			continue;
		if (scols_line_set_data(line, i, text[0] ? text : "-") < 0)
			return -1;
		if (colour && cell->tone)
			scols_cell_set_color(scols_line_get_cell(line, i), tone_names[cell->tone]);
		i++;
	}
	return 0;
}

/* The table as text, or NULL when memory ran out. */
static char *table_text(const struct writer_node *list, bool colour)
{
	struct libscols_table *table = scols_new_table();
	char *text = NULL;
	int r = -1;

	if (!table)
		return NULL;
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_colors(table, colour);
	/* value_text() has already made everything printable. */
	scols_table_enable_noencoding(table, 1);
	if (table_columns(table, list->children.first, colour) == 0) {
		const struct writer_node *element = list->children.first;

		for (r = 0; element && r == 0; element = element->next)
			r = table_line(table, element, colour);
	}
	if (r == 0 && scols_print_table_to_string(table, &text) < 0)
		text = NULL;
	scols_unref_table(table);
	return text;
}

static void print_below(const struct writer_node *element, int indent)
{
	for (const struct writer_node *cell = element->children.first; cell; cell = cell->next) {
		CLEANUP_FREE char *label = label_of(cell->key), *text = NULL;

		if (cell->style != WRITER_BELOW || !cell->string[0])
			continue;
		text = printable(cell->string);
		printf("%*s%s: %s\n", indent, "", label, text);
	}
}

/* smartcols prints one line for the heading, then one for each element. */
static enum status print_table(const struct printer *printer, const struct writer_node *list,
	int indent)
{
	CLEANUP_FREE char *text = table_text(list, printer->colour);
	const struct writer_node *element = NULL;
	char *line, *rest = text;

	if (!text)
		return fail(STATUS_FAILED, "out of memory; the output is not complete");
	while ((line = strsep(&rest, "\n")) && *line) {
		size_t length = strlen(line);

		while (length && line[length - 1] == ' ')
			length--;
		printf("%*s%.*s\n", indent, "", (int)length, line);
		if (element)
			print_below(element, indent + BELOW_INDENT);
		element = element ? element->next : list->children.first;
	}
	return STATUS_DONE;
}

/* ---- labels and values ---- */

/* The widest label, with its indentation, of what is printed as label and value. */
static int widest_label(const struct writer_node *object, int indent)
{
	int widest = 0;

	for (const struct writer_node *child = object->children.first; child; child = child->next) {
		CLEANUP_FREE char *label = label_of(child->key);

		if (child->kind == WRITER_OBJECT && child->style != WRITER_LINE &&
			child->style != WRITER_PAIRS)
			widest = MAX(widest, widest_label(child, indent + INDENT));
		else if (child->kind != WRITER_LIST || is_flat_list(child))
			widest = MAX(widest, indent + (int)strlen(label));
	}
	return widest;
}

static void print_value(const struct printer *printer, const char *label, const char *value,
	enum writer_tone tone, int indent)
{
	bool toned = printer->colour && tone;

	printf("%*s%-*s%s%s%s\n", indent, "", printer->value_column - indent, label,
		toned ? tone_codes[tone] : "", value[0] ? value : "-", toned ? CODE_RESET : "");
}

/* The values of a WRITER_LINE object, empty ones left out; "no" is as wide as "yes". */
static char *line_text(const struct writer_node *object)
{
	char *text = xstrdup("");

	for (const struct writer_node *child = object->children.first; child; child = child->next) {
		CLEANUP_FREE char *value = value_text(child, false);

		if (value[0]) {
			CLEANUP_FREE char *before = text;
			bool more = child->next && child->kind == WRITER_BOOLEAN;

			text = xasprintf("%s%s%-*s", before, before[0] ? "  " : "", more ? 3 : 0, value);
		}
	}
	return text;
}

static void print_heading(const struct printer *printer, const char *heading, int indent)
{
	printf("%*s%s%s%s\n", indent, "", printer->colour ? CODE_BOLD : "", heading,
		printer->colour ? CODE_RESET : "");
}

static enum status print_object(const struct printer *printer, const struct writer_node *object,
	int indent);

static enum status print_child(const struct printer *printer, const struct writer_node *child,
	int indent)
{
	CLEANUP_FREE char *label = label_of(child->key);
	CLEANUP_FREE char *value = NULL;

	if (is_scalar(child) || is_flat_list(child) || child->style == WRITER_PAIRS) {
		value = value_text(child, false);
		print_value(printer, label, value, child->tone, indent);
		return STATUS_DONE;
	}
	if (child->kind == WRITER_OBJECT && child->style == WRITER_LINE) {
		value = line_text(child);
		print_value(printer, label, value, child->tone, indent);
		return STATUS_DONE;
	}
	print_heading(printer, label, indent);
	if (child->kind == WRITER_OBJECT)
		return print_object(printer, child, indent + INDENT);
	return print_table(printer, child, indent + INDENT);
}

static enum status print_object(const struct printer *printer, const struct writer_node *object,
	int indent)
{
	for (const struct writer_node *child = object->children.first; child; child = child->next) {
		enum status status = print_child(printer, child, indent);

		if (status)
			return status;
	}
	return STATUS_DONE;
}

enum status writer_print_text(const struct writer_node *top, bool colour)
{
	struct printer printer = { .colour = colour };

	if (top->kind == WRITER_OBJECT) {
		printer.value_column = widest_label(top, 0) + GAP;
		return print_object(&printer, top, 0);
	}
	if (!top->children.first)
		return STATUS_DONE;
	if (is_flat_list(top)) {
		for (const struct writer_node *child = top->children.first; child; child = child->next) {
			CLEANUP_FREE char *value = value_text(child, false);

			printf("%s\n", value);
		}
		return STATUS_DONE;
	}
	return print_table(&printer, top, 0);
}
