/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XXH3 over a chunk or an index block: finds what disks and people spoil, at memory speed;
 * no protection against who forges it. */
#ifndef SPILL_CHECKSUM_H
#define SPILL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum_of(const void *bytes, size_t n_bytes);

#endif
