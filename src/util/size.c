/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers with units.  A number is digits with an optional fraction after a
 * point, in every locale; it is kept as an integer of 10^-18ths so that no
 * rounding depends on floating point.  Digits of a fraction beyond the 18th
 * are checked and dropped.
 */
#include "util/size.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define FRACTION_ONE UINT64_C(1000000000000000000)

struct number {
	uint64_t whole;
	uint64_t fraction; /* of FRACTION_ONE */
	bool has_fraction;
	const char *unit; /* what follows the number and at most one space */
};

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "KB", 1000 },
	{ "M", UINT64_C(1) << 20 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "MB", 1000 * 1000 },
	{ "G", UINT64_C(1) << 30 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "GB", UINT64_C(1000000000) },
	{ "T", UINT64_C(1) << 40 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "TB", UINT64_C(1000000000000) },
	{ "P", UINT64_C(1) << 50 },
	{ "PiB", UINT64_C(1) << 50 },
	{ "PB", UINT64_C(1000000000000000) },
};

static const struct unit time_units[] = {
	{ "ns", 1 },
	{ "us", NS_PER_US },
	{ "ms", NS_PER_MS },
	{ "s", NS_PER_S },
	{ "min", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int number_parse(struct number *number, const char *text)
{
	struct number n = { .whole = 0 };
	uint64_t weight = FRACTION_ONE / 10;

	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++)
		if (__builtin_mul_overflow(n.whole, 10, &n.whole) ||
			__builtin_add_overflow(n.whole, (uint64_t)(*text - '0'), &n.whole))
			return -ERANGE;
	if (*text == '.') {
		n.has_fraction = true;
		if (!is_digit(*++text))
			return -EINVAL;
		for (; is_digit(*text); text++) {
			n.fraction += weight * (uint64_t)(*text - '0');
			weight /= 10;
		}
	}
	if (*text == ' ' && text[1] != '\0')
		text++;
	n.unit = text;
	*number = n;
	return 0;
}

/* number * factor / divisor, rounded down. */
static int number_scale(uint64_t *valuep, const struct number *n, uint64_t factor, uint64_t divisor)
{
	unsigned __int128 whole = (unsigned __int128)n->whole * factor;
	unsigned __int128 value = whole / divisor;

	/* what the division left over counts together with the fraction */
	value += ((unsigned __int128)(uint64_t)(whole % divisor) * FRACTION_ONE +
		(unsigned __int128)n->fraction * factor) / divisor / FRACTION_ONE;
	if (value > UINT64_MAX)
		return -ERANGE;
	*valuep = (uint64_t)value;
	return 0;
}

static const struct unit *unit_find(const struct unit *units, size_t n_units, const char *name,
	int (*compare)(const char *, const char *))
{
	for (size_t i = 0; i < n_units; i++)
		if (compare(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

int size_parse(uint64_t *bytesp, const char *text, uint64_t of)
{
	const struct unit *unit;
	struct number n;
	int r;

	r = number_parse(&n, text);
	if (r < 0)
		return r;
	if (strcmp(n.unit, "%") == 0) {
		if (of == 0)
			return -EINVAL;
		if (n.whole > 100 || (n.whole == 100 && n.fraction > 0))
			return -ERANGE;
		return number_scale(bytesp, &n, of, 100);
	}
	if (n.unit[0] == '\0')
		return n.has_fraction ? -EINVAL : number_scale(bytesp, &n, 1, 1);
	unit = unit_find(size_units, ARRAY_SIZE(size_units), n.unit, strcasecmp);
	if (!unit || (n.has_fraction && unit->factor == 1))
		return -EINVAL;
	return number_scale(bytesp, &n, unit->factor, 1);
}

char *size_format(uint64_t bytes, char *text, size_t text_size)
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int shift = 0, unit = 0;
	uint64_t tenths = 0;

	while (unit + 1 < ARRAY_SIZE(units) && (bytes >> shift >= 1024 || tenths >= 10240)) {
		unsigned __int128 half;

		unit++;
		shift += 10;
		half = (unsigned __int128)1 << (shift - 1);
		tenths = (uint64_t)(((unsigned __int128)bytes * 10 + half) >> shift);
	}
	if (unit == 0)
		(void)snprintf(text, text_size, "%llu B", (unsigned long long)bytes);
	else if (tenths % 10 == 0)
		(void)snprintf(text, text_size, "%llu %s", (unsigned long long)(tenths / 10),
			units[unit]);
	else
		(void)snprintf(text, text_size, "%llu.%llu %s", (unsigned long long)(tenths / 10),
			(unsigned long long)(tenths % 10), units[unit]);
	return text;
}

int seconds_parse(int64_t *nsp, const char *text)
{
	const struct unit *unit;
	struct number n;
	uint64_t ns;
	int r;

	r = number_parse(&n, text);
	if (r < 0)
		return r;
	unit = unit_find(time_units, ARRAY_SIZE(time_units), n.unit[0] == '\0' ? "s" : n.unit,
		strcmp);
	if (!unit)
		return -EINVAL;
	r = number_scale(&ns, &n, unit->factor, 1);
	if (r < 0)
		return r;
	if (ns > INT64_MAX)
		return -ERANGE;
	*nsp = (int64_t)ns;
	return 0;
}
