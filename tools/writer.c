/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree that a command writes: see writer.h. */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "writer.h"

#define DEPTH_MAX 8

struct writer {
	bool json;
	struct writer_node *top, *last;
	struct writer_node *open[DEPTH_MAX]; /* started and not ended */
	int depth;
};

struct writer *writer_new(bool json)
{
	struct writer *writer = xcalloc(1, sizeof *writer);

	writer->json = json;
	return writer;
}

static void node_free(struct writer_node *node)
{
	while (node) {
		struct writer_node *next = node->next;

		if (node->kind <= WRITER_LIST)
			node_free(node->children.first);
		else if (node->kind == WRITER_STRING)
			free(node->string);
		if (node->own_key)
			free((char *)node->key);
		free(node);
		node = next;
	}
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	node_free(writer->top);
	free(writer);
}

static struct writer_node *add(struct writer *writer, const char *key, enum writer_kind kind)
{
	struct writer_node *node = xcalloc(1, sizeof *node), *parent;

	node->key = key;
	node->kind = kind;
	writer->last = node;
	if (writer->depth == 0) {
		assert(!writer->top && !key);
		writer->top = node;
		return node;
	}
	parent = writer->open[writer->depth - 1];
	assert((parent->kind == WRITER_OBJECT) == (key != NULL));
	if (parent->children.last)
		parent->children.last->next = node;
	else
		parent->children.first = node;
	parent->children.last = node;
	return node;
}

static void start(struct writer *writer, const char *key, enum writer_kind kind,
	enum writer_style style)
{
	struct writer_node *node = add(writer, key, kind);

	node->style = style;
	assert(writer->depth < DEPTH_MAX);
	writer->open[writer->depth++] = node;
}

void writer_start_object(struct writer *writer, const char *key, enum writer_style style)
{
	start(writer, key, WRITER_OBJECT, style);
}

void writer_start_named(struct writer *writer, const char *key, enum writer_style style)
{
	start(writer, xstrdup(key), WRITER_OBJECT, style);
	writer->last->own_key = true;
}

void writer_start_list(struct writer *writer, const char *key)
{
	start(writer, key, WRITER_LIST, WRITER_PLAIN);
}

void writer_end(struct writer *writer)
{
	assert(writer->depth > 0);
	writer->depth--;
}

void writer_string(struct writer *writer, const char *key, const char *value)
{
	add(writer, key, WRITER_STRING)->string = xstrdup(value ? value : "");
}

void writer_below(struct writer *writer, const char *key, const char *value)
{
	writer_string(writer, key, value);
	writer->last->style = WRITER_BELOW;
}

void writer_text_only(struct writer *writer, const char *key, const char *value)
{
	writer_string(writer, key, value);
	writer->last->style = WRITER_TEXT;
}

void writer_pair(struct writer *writer, const char *key, size_t key_size, const char *value)
{
	char *copy = xcalloc(key_size + 1, 1);

	memcpy(copy, key, key_size);
	writer_string(writer, copy, value);
	writer->last->own_key = true;
}

void writer_aside(struct writer *writer)
{
	writer->last->style = WRITER_ASIDE;
}

void writer_integer(struct writer *writer, const char *key, int64_t value)
{
	add(writer, key, WRITER_INTEGER)->number = (uint64_t)value;
}

void writer_tone(struct writer *writer, enum writer_tone tone)
{
	writer->last->tone = tone;
}

void writer_bool(struct writer *writer, const char *key, bool value)
{
	add(writer, key, WRITER_BOOLEAN)->boolean = value;
}

void writer_count(struct writer *writer, const char *key, uint64_t value)
{
	add(writer, key, WRITER_COUNT)->number = value;
}

void writer_nothing(struct writer *writer, const char *key)
{
	add(writer, key, WRITER_NOTHING);
}

void writer_pid(struct writer *writer, const char *key, uint64_t pid)
{
	if (pid > 0)
		writer_count(writer, key, pid);
	else
		writer_nothing(writer, key);
}

void writer_size(struct writer *writer, const char *key, uint64_t bytes)
{
	add(writer, key, WRITER_SIZE)->number = bytes;
}

void writer_rate(struct writer *writer, const char *key, uint64_t bytes_per_s)
{
	add(writer, key, WRITER_RATE)->number = bytes_per_s;
}

void writer_time(struct writer *writer, const char *key, int64_t ns)
{
	add(writer, key, WRITER_TIME)->number = ns > 0 ? ns : 0;
}

/* https://no-color.org: any value but the empty one turns colour off. */
static bool colour_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no_color && no_color[0])
		return false;
	if (!term || strcmp(term, "dumb") == 0)
		return false;
	return isatty(STDOUT_FILENO);
}

enum status writer_finish(struct writer *writer)
{
	enum status status;

	assert(writer->depth == 0 && writer->top);
	status = writer->json ? writer_print_json(writer->top) :
				writer_print_text(writer->top, colour_wanted());
	writer_free(writer);
	return status;
}
