/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash, so that ids chosen by a
 * hostile client do not pile up in one bucket. */
#ifndef UTIL_SIPHASH_H
#define UTIL_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const void *data, size_t size, const uint8_t key[16]);

#endif
