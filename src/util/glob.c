/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/glob.h"

#include <string.h>

/* The end of the set that begins here, behind its ]; or NULL: it is not one.
 * @last: the pattern's last ], so that nothing is searched for in vain again and again */
static const char *set_end(const char *set, const char *last)
{
	const char *at = set + 1 + (set[1] == '!' || set[1] == '^');

	if (*at == ']') /* the first of a set is one of it */
		at++;
	if (!last || at > last)
		return NULL;
	at = strchr(at, ']');
	return at + 1;
}

static bool set_has(const char *set, const char *end, unsigned char c)
{
	const bool others = set[1] == '!' || set[1] == '^';
	bool has = false;

	for (const char *at = set + 1 + others; at < end - 1; at++) {
		const unsigned char low = (unsigned char)at[0];

		if (at[1] == '-' && at + 2 < end - 1) {
			has |= c >= low && c <= (unsigned char)at[2];
			at += 2;
		} else {
			has |= c == low;
		}
	}
	return has != others;
}

/* Does what the pattern begins with, which is no *, stand for this byte?  Return: the pattern
 * behind it, or NULL. */
static const char *match_one(const char *pattern, const char *last, char c, size_t *n)
{
	const char *end;

	switch (*pattern) {
	case '\0':
		return NULL;
	case '?':
		return pattern + 1;
	case '[':
		end = set_end(pattern, last);
		if (!end)
			break;
		*n += (size_t)(end - pattern);
		return set_has(pattern, end, (unsigned char)c) ? end : NULL;
	case '\\':
		if (pattern[1])
			pattern++;
		break;
	}
	return *pattern == c ? pattern + 1 : NULL;
}

bool glob_match(const char *pattern, const char *text, size_t *steps)
{
	const char *star = NULL, *star_text = NULL, *last = strrchr(pattern, ']');
	size_t n = 0;

	while (*text) {
		const char *next;

		n++;
		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
			continue;
		}
		next = match_one(pattern, last, *text, &n);
		if (next) {
			pattern = next;
			text++;
		} else if (star) { /* the last * takes one byte more; an earlier one need not */
			pattern = star;
			text = ++star_text;
		} else {
			break;
		}
	}
	while (*pattern == '*')
		pattern++;
	if (steps)
		*steps += n;
	return !*text && !*pattern;
}
