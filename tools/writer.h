/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tools/writer.h - output, written once and printed as text or JSON
 *
 * A command says what there is: objects and lists are started and ended,
 * attributes go in between, each with its JSON key and its kind.  Nothing is
 * printed before writer_finish(), so a command that fails half-way has printed
 * nothing.
 *
 * JSON: the keys as given, in that order; sizes in bytes, times in nanoseconds
 * since the epoch; lists are lists at 0, 1 and n.
 *
 * Text is made from the same tree by these rules:
 *   - the label of an attribute is its key without the unit ("_bytes", "_ns",
 *     "_bytes_per_s"), with spaces for underscores;
 *   - sizes, rates and times are for people;
 *   - an object in an object is indented, unless WRITER_LINE;
 *   - a list of objects is a table.
 *
 * Keys are borrowed until writer_free(), unless a function says that it copies them; values are
 * copied.  Memory that runs out ends the program.
 */
#ifndef TOOLS_WRITER_H
#define TOOLS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osctl.h"

struct writer;

enum writer_style {
	WRITER_PLAIN,
	WRITER_LINE,   /* of an object in an object: its values on one line */
	WRITER_BELOW,  /* of a string in a table: under the row, when it is not empty */
	WRITER_TEXT,   /* of a string: for people only, not in JSON */
	WRITER_PAIRS,  /* of an object in an object: key=value,key=value, in tables too */
	WRITER_ASIDE,  /* of a scalar: not in tables, which are wide enough */
};

enum writer_tone { TONE_NONE, TONE_GOOD, TONE_WEAK, TONE_BAD };

enum writer_kind {
	WRITER_OBJECT,
	WRITER_LIST,
	WRITER_STRING,
	WRITER_BOOLEAN,
	WRITER_COUNT,
	WRITER_INTEGER, /* with a sign */
	WRITER_SIZE, /* bytes */
	WRITER_RATE, /* bytes a second */
	WRITER_TIME, /* ns since the epoch; 0: never */
	WRITER_NOTHING,
};

struct writer_node {
	struct writer_node *next; /* sibling */
	const char *key;          /* NULL in a list and at the top */
	uint8_t kind, style, tone;
	bool own_key;             /* freed with the node */
	union {
		struct {
			struct writer_node *first, *last;
		} children;
		char *string;
		bool boolean;
		uint64_t number;
	};
};

struct writer *writer_new(bool json);
void writer_free(struct writer *writer);

/* key: NULL for the top and for elements of a list. */
void writer_start_object(struct writer *writer, const char *key, enum writer_style style);
/* The same for a key that is copied. */
void writer_start_named(struct writer *writer, const char *key, enum writer_style style);
void writer_start_list(struct writer *writer, const char *key);
void writer_end(struct writer *writer);

void writer_string(struct writer *writer, const char *key, const char *value);
void writer_below(struct writer *writer, const char *key, const char *value);
void writer_text_only(struct writer *writer, const char *key, const char *value);
void writer_bool(struct writer *writer, const char *key, bool value);
void writer_count(struct writer *writer, const char *key, uint64_t value);
void writer_size(struct writer *writer, const char *key, uint64_t bytes);
/* Where there is no value: null, and "-". */
void writer_nothing(struct writer *writer, const char *key);
/* A number of which 0 says that there is none. */
void writer_pid(struct writer *writer, const char *key, uint64_t pid);
void writer_rate(struct writer *writer, const char *key, uint64_t bytes_per_s);
void writer_time(struct writer *writer, const char *key, int64_t ns);

void writer_integer(struct writer *writer, const char *key, int64_t value);
/* A string whose key (key_size bytes) is copied too. */
void writer_pair(struct writer *writer, const char *key, size_t key_size, const char *value);

/* The scalar that was written last is left out of tables. */
void writer_aside(struct writer *writer);
/* The colour of the attribute that was written last. */
void writer_tone(struct writer *writer, enum writer_tone tone);

/* Print what was written on standard output (see finish_output() for its failures) and free
 * the writer.  Return: STATUS_DONE, or STATUS_FAILED with the line printed. */
enum status writer_finish(struct writer *writer);

/* ---- the two printers ---- */

enum status writer_print_json(const struct writer_node *top);
/* colour: mark headings and tones with terminal sequences */
enum status writer_print_text(const struct writer_node *top, bool colour);

#endif
