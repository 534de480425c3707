/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each message carries, as a table: the codec's one source.
 *
 * A layout lists the fields of one part in the order in which they are on the
 * wire.  To append a field to a type: append it to the list.  Lists that have
 * been released are never reordered or shortened.
 */
#ifndef WIRE_LAYOUT_H
#define WIRE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum layout_kind {
	LAYOUT_U32 = 1,
	LAYOUT_U64,
	LAYOUT_ID,
	LAYOUT_BYTES,           /* a pointer and a u32 size */
	LAYOUT_TEXT,            /* a string; NULL is size 0 on the wire, "" is size 1 */
	LAYOUT_TEXT_NEVER_NULL, /* NULL decodes as "" */
	LAYOUT_TEXTS,           /* pointer and size: strings, each with its NUL */
};

struct layout_field {
	uint8_t kind;
	uint16_t offset;      /* in the struct of values */
	uint16_t size_offset; /* BYTES, TEXTS */
	uint32_t max;         /* bytes of a blob, the NUL of a text included */
};

struct layout {
	const struct layout_field *fields;
	size_t n_fields;
};

enum layout_extra { LAYOUT_NO_EXTRA, LAYOUT_HOLDERS, LAYOUT_FIELDS };

struct layout_message {
	const char *name; /* NULL: no such type */
	bool is_request;
	bool has_reply;
	bool needs_name;
	uint8_t n_fds; /* that a request announces */
	uint16_t min_items, max_items; /* of a request */
	struct layout request;      /* of struct wire_request */
	struct layout request_item; /* of struct wire_item */
	struct layout reply;        /* of struct wire_reply */
	struct layout reply_item;   /* of struct wire_item */
	enum layout_extra extra;    /* of a reply */
};

extern const struct layout layout_holder; /* of struct wire_holder */
extern const struct layout layout_field;  /* of struct wire_field */

/* The message of this type (without WIRE_REPLY), or NULL. */
const struct layout_message *layout_find(uint16_t type);

#endif
