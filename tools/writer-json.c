/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON printer: the tree as it stands.
 *
 * A name or a process's comm may be any bytes; JSON knows only UTF-8.  Bytes
 * that are not become U+FFFD, so that the document can always be read.
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "util/cleanup.h"
#include "writer.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static json_t *string_value(const char *text)
{
	json_t *value = json_string(text);
	CLEANUP_FREE char *copy = NULL;
	char *end;

	if (value)
		return value;
	/* Not UTF-8 as a whole: keep the ASCII, replace the rest byte by byte. */
	copy = end = xcalloc(strlen(text) * 3 + 1, 1);
	for (; *text; text++) {
		if ((unsigned char)*text < 0x80)
			*end++ = *text;
		else
			end = stpcpy(end, REPLACEMENT);
	}
	return json_string(copy);
}

/* NULL when memory runs out. */
static json_t *value_of(const struct writer_node *node)
{
	json_t *value = NULL;

	switch ((enum writer_kind)node->kind) {
	case WRITER_OBJECT:
		value = json_object();
		for (const struct writer_node *child = node->children.first; child; child = child->next)
			if (child->style != WRITER_TEXT &&
				json_object_set_new(value, child->key, value_of(child)) < 0)
				goto fail;
		return value;
	case WRITER_LIST:
		value = json_array();
		for (const struct writer_node *child = node->children.first; child; child = child->next)
			if (json_array_append_new(value, value_of(child)) < 0)
				goto fail;
		return value;
	case WRITER_NOTHING:
		return json_null();
	case WRITER_STRING:
		return string_value(node->string);
	case WRITER_BOOLEAN:
		return json_boolean(node->boolean);
	case WRITER_INTEGER:
		return json_integer((int64_t)node->number);
	case WRITER_COUNT:
	case WRITER_SIZE:
	case WRITER_RATE:
	case WRITER_TIME:
		/* jansson's integers are signed; no size or counter comes near 2^63. */
		return json_integer(MIN(node->number, (uint64_t)INT64_MAX));
	}
fail:
	json_decref(value);
	return NULL;
}

enum status writer_print_json(const struct writer_node *top)
{
	json_t *document = value_of(top);
	int r;

	if (!document)
		return fail(STATUS_FAILED, "out of memory; nothing was printed");
	r = json_dumpf(document, stdout, JSON_INDENT(2));
	json_decref(document);
	if (r == 0)
		putchar('\n');
	else if (!ferror(stdout))
		return fail(STATUS_FAILED, "out of memory while printing; the output is not complete");
	return STATUS_DONE;
}
