/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* A cut must not leave half a UTF-8 character: readers of the text may be strict. */
static size_t cut_length(const char *bytes, size_t length)
{
	size_t start = length;

	while (start > 0 && length - start < 3 && ((unsigned char)bytes[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)bytes[start - 1] >= 0xc0) {
		unsigned char lead = (unsigned char)bytes[start - 1];
		size_t need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

		if (length - start < need)
			return start - 1;
	}
	return length;
}

__attribute__((format(printf, 2, 0)))
static void text_append(struct text *text, const char *format, va_list arguments)
{
	int saved = errno;
	size_t room = sizeof text->bytes - text->length;
	int n = vsnprintf(text->bytes + text->length, room, format, arguments);

	if (n < 0)
		text->bytes[text->length] = '\0';
	else if ((size_t)n < room)
		text->length += (size_t)n;
	else
		text->length = cut_length(text->bytes, sizeof text->bytes - 1);
	text->bytes[text->length] = '\0';
	errno = saved;
}

void text_set(struct text *text, const char *format, ...)
{
	va_list arguments;

	text->length = 0;
	va_start(arguments, format);
	text_append(text, format, arguments);
	va_end(arguments);
}

void text_add(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_append(text, format, arguments);
	va_end(arguments);
}
