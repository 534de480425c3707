/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded sentence: appended to with printf, cut (never overrun) at the end. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stddef.h>

#define TEXT_SIZE 512

struct text {
	size_t length;
	char bytes[TEXT_SIZE]; /* always NUL-terminated */
};

#define TEXT_INIT ((struct text){ .length = 0 })

/* Replace / append.  Keep errno. */
void text_set(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
