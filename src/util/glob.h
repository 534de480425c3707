/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shell-like patterns: * stands for any bytes, ? for one byte, [abc], [a-z], [!a] for one of
 * some, \ takes the next byte as it is.  A [ without its ] is a [.
 *
 * The time is bounded by the product of the lengths, whatever the pattern.
 */
#ifndef UTIL_GLOB_H
#define UTIL_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* @steps: how many bytes were compared is added; NULL: not wanted */
bool glob_match(const char *pattern, const char *text, size_t *steps);

#endif
