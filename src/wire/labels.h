/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/labels.h - labels of an object, as they are carried and kept
 *
 * Texts "key=value", one after the other, each with its NUL.  A key has 1 to
 * WIRE_LABEL_KEY_MAX of the bytes A-Z a-z 0-9 . _ / -; a value is UTF-8 without
 * control characters, at most WIRE_LABEL_VALUE_MAX bytes, and may be empty.  An
 * object has at most WIRE_LABELS_MAX of them, with different keys, and
 * WIRE_LABELS_SIZE_MAX bytes in all.  Those that are kept are in order of their keys.
 *
 * Pure; sizes are those of whole lists, whose last byte is a NUL (as the codec
 * makes sure of lists that come in packets).
 */
#ifndef WIRE_LABELS_H
#define WIRE_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

/* What is wrong with a list, or NULL.  In any order. */
const char *labels_check(const char *labels, size_t size);

/* labels_merge() - some labels, with others set and some removed
 * @labels: kept ones, in order; @set: checked ones, in any order; @unset: keys, each with its NUL
 * What is set and removed is set.
 * @merged: out: in order; may not overlap the others
 * Return: its size, or -E2BIG: too many, or too many bytes. */
int labels_merge(const char *labels, size_t size, const char *set, size_t set_size,
	const char *unset, size_t unset_size, char merged[WIRE_LABELS_SIZE_MAX]);

/* Is each of these, "key" or "key=value", among the labels? */
bool labels_match(const char *labels, size_t size, const char *wanted, size_t wanted_size);

#endif
