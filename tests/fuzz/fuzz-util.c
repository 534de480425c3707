/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, durations and ids as people type them. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "util/id.h"
#include "util/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), formatted[64], hex[ID128_TEXT_SIZE];
	uint64_t bytes, part, again;
	struct id128 id, same;
	int64_t ns;
	int r;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';

	r = size_parse(&bytes, text, 0);
	assert(r == 0 || r == -EINVAL || r == -ERANGE);
	if (r == 0) {
		/* what is written for people can be read back; it is off by at most a 20th */
		r = size_parse(&again, size_format(bytes, formatted, sizeof formatted), 0);
		assert(r == 0 || strstr(formatted, "EiB"));
		assert(r != 0 || (again >= bytes - bytes / 20 && again - again / 20 <= bytes));
	}
	r = size_parse(&part, text, 1000000);
	assert(r == 0 || r == -EINVAL || r == -ERANGE);
	assert(r != 0 || !strchr(text, '%') || part <= 1000000);
	r = seconds_parse(&ns, text);
	assert(r == 0 || r == -EINVAL || r == -ERANGE);
	assert(r != 0 || ns >= 0);
	if (id128_parse(&id, text) == 0) {
		assert(strlen(text) == 32);
		assert(id128_parse(&same, id128_format(&id, hex)) == 0);
		assert(id128_equal(&id, &same) && strcasecmp(hex, text) == 0);
	}
	free(text);
	return 0;
}
