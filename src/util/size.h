/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes and durations as people write them: 2GiB, 500M, 1073741824, 30%. */
#ifndef UTIL_SIZE_H
#define UTIL_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* size_parse() - "1073741824", "2GiB", "2G", "500M", "500MB", "64k", "30%"
 * K M G T P (any case, with optional "iB") are powers of 1024; "KB MB GB TB" are powers of 1000.
 * A plain "B" suffix is allowed.  Fractions ("1.5GiB") are allowed with a unit.
 * @of: what a percentage is taken of; 0: percent is refused
 * Return: 0, -EINVAL (not a size), -ERANGE (beyond 64 bits). */
int size_parse(uint64_t *bytesp, const char *text, uint64_t of);

/* "1.5 GiB", "17 B".  Return: text. */
char *size_format(uint64_t bytes, char *text, size_t text_size);

/* seconds_parse() - "0.5", "600", "10s", "250ms", "5min" to nanoseconds.  0, -EINVAL, -ERANGE. */
int seconds_parse(int64_t *nsp, const char *text);

#endif
