/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/id.h"

#include <errno.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool id128_is_zero(const struct id128 *id)
{
	static const struct id128 zero;

	return id128_equal(id, &zero);
}

int id128_parse(struct id128 *id, const char *hex)
{
	struct id128 parsed;

	for (size_t i = 0; i < sizeof parsed.bytes; i++) {
		/* The NUL is no digit, so that a short text is never read past its end. */
		int high = hex_digit(hex[2 * i]);
		int low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);

		if (low < 0)
			return -EINVAL;
		parsed.bytes[i] = (uint8_t)(high << 4 | low);
	}
	if (hex[2 * sizeof parsed.bytes] != '\0')
		return -EINVAL;
	*id = parsed;
	return 0;
}

char *id128_format(const struct id128 *id, char text[ID128_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof id->bytes; i++) {
		text[2 * i] = digits[id->bytes[i] >> 4];
		text[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	text[2 * sizeof id->bytes] = '\0';
	return text;
}
