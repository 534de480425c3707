/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 128-bit identifiers as 32 lower-case hex digits. */
#ifndef UTIL_ID_H
#define UTIL_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct id128 {
	uint8_t bytes[16];
};

#define ID128_TEXT_SIZE 33 /* with NUL */

static inline bool id128_equal(const struct id128 *a, const struct id128 *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool id128_is_zero(const struct id128 *id);
/* Exactly 32 hex digits, either case.  Return: 0 or -EINVAL. */
int id128_parse(struct id128 *id, const char *hex);
/* Return: text. */
char *id128_format(const struct id128 *id, char text[ID128_TEXT_SIZE]);

#endif
