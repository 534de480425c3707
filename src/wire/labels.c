/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/labels.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

/* One label in a list. */
struct label {
	const char *text; /* "key=value" or "key" */
	size_t size;      /* with its NUL */
	size_t key_size;
};

/* An empty list may be NULL. */
static const char *end_of(const char *list, size_t size)
{
	return size ? list + size : list;
}

/* The next one of a list.  Return: false at its end. */
static bool next(const char **at, const char *end, struct label *label)
{
	if (*at >= end)
		return false;
	label->text = *at;
	label->size = strlen(*at) + 1;
	label->key_size = strcspn(*at, "=");
	*at += label->size;
	return true;
}

static bool is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '.' || c == '_' || c == '/' || c == '-';
}

/* Bytes of the UTF-8 character here, or 0: none, or a control character. */
static size_t utf8_size(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0x20, 0x80, 0x800, 0x10000 };
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	if (n > 1)
		c &= 0x7f >> n;
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
		(c >= 0x7f && c < 0xa0))
		return 0;
	return n;
}

static bool is_value(const char *value)
{
	while (*value) {
		const size_t n = utf8_size((const unsigned char *)value);

		if (n == 0)
			return false;
		value += n;
	}
	return true;
}

static int compare(const struct label *a, const struct label *b)
{
	const int order = memcmp(a->text, b->text, MIN(a->key_size, b->key_size));

	return order ? order : a->key_size < b->key_size ? -1 : a->key_size > b->key_size;
}

const char *labels_check(const char *labels, size_t size)
{
	const char *at = labels, *end = end_of(labels, size);
	struct label seen[WIRE_LABELS_MAX];
	struct label label;
	size_t n = 0;

	if (size > WIRE_LABELS_SIZE_MAX)
		return "labels take at most 2048 bytes in all";
	while (next(&at, end, &label)) {
		if (label.key_size == 0 || label.key_size > WIRE_LABEL_KEY_MAX)
			return "the key of a label has 1 to 63 bytes";
		for (size_t i = 0; i < label.key_size; i++)
			if (!is_key_byte(label.text[i]))
				return "the key of a label is of letters, digits and . _ / -";
		if (label.text[label.key_size] != '=')
			return "a label is a key, = and a value";
		if (label.size - label.key_size - 2 > WIRE_LABEL_VALUE_MAX)
			return "the value of a label has at most 255 bytes";
		if (!is_value(label.text + label.key_size + 1))
			return "the value of a label is UTF-8 without control characters";
		for (size_t i = 0; i < n; i++)
			if (compare(&seen[i], &label) == 0)
				return "a label is given twice";
		if (n == WIRE_LABELS_MAX)
			return "an object has at most 16 labels";
		seen[n++] = label;
	}
	return NULL;
}

static bool has_key(const struct label *list, size_t n, const struct label *label)
{
	for (size_t i = 0; i < n; i++)
		if (compare(&list[i], label) == 0)
			return true;
	return false;
}

static bool is_unset(const char *unset, size_t size, const struct label *label)
{
	const char *at = unset, *end = end_of(unset, size);
	struct label key;

	while (next(&at, end, &key))
		if (key.key_size == label->key_size &&
			memcmp(key.text, label->text, key.key_size) == 0)
			return true;
	return false;
}

int labels_merge(const char *labels, size_t size, const char *set, size_t set_size,
	const char *unset, size_t unset_size, char merged[WIRE_LABELS_SIZE_MAX])
{
	struct label list[2 * WIRE_LABELS_MAX], label;
	const char *at = set, *end = end_of(set, set_size);
	size_t n = 0, n_set, used = 0;

	while (n < WIRE_LABELS_MAX && next(&at, end, &label))
		list[n++] = label;
	n_set = n;
	at = labels;
	end = end_of(labels, size);
	while (n < ARRAY_SIZE(list) && next(&at, end, &label))
		if (!has_key(list, n_set, &label) && !is_unset(unset, unset_size, &label))
			list[n++] = label;
	if (n > WIRE_LABELS_MAX)
		return -E2BIG;
	for (size_t i = 1; i < n; i++) /* few: by insertion */
		for (size_t k = i; k > 0 && compare(&list[k - 1], &list[k]) > 0; k--) {
			label = list[k];
			list[k] = list[k - 1];
			list[k - 1] = label;
		}
	for (size_t i = 0; i < n; i++) {
		if (list[i].size > WIRE_LABELS_SIZE_MAX - used)
			return -E2BIG;
		memcpy(merged + used, list[i].text, list[i].size);
		used += list[i].size;
	}
	return (int)used;
}

bool labels_match(const char *labels, size_t size, const char *wanted, size_t wanted_size)
{
	const char *wanted_at = wanted, *wanted_end = end_of(wanted, wanted_size);
	struct label want, label;

	while (next(&wanted_at, wanted_end, &want)) {
		const char *at = labels, *end = end_of(labels, size);
		bool found = false;

		while (!found && next(&at, end, &label))
			found = want.text[want.key_size] == '=' ? strcmp(label.text, want.text) == 0 :
				compare(&label, &want) == 0;
		if (!found)
			return false;
	}
	return true;
}
