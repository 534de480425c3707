/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/checksum.h"

#include <xxhash.h>

uint64_t checksum_of(const void *bytes, size_t n_bytes)
{
	return XXH3_64bits(bytes, n_bytes);
}
