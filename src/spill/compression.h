/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/compression.h - chunks made shorter by c-blosc: bytes of equal rank of numbers
 * put together (shuffled), then lz4 or zstd
 *
 * Each chunk stands for itself, so any of them can be read alone.  Whether an object is
 * worth it, and how wide its numbers are, is found by trying a few of its chunks.
 * Any thread.
 */
#ifndef SPILL_COMPRESSION_H
#define SPILL_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spill/spill.h"

struct compression {
	const char *compressor; /* blosc's name; NULL: none */
	uint8_t width;          /* of the numbers; 1: not shuffled */
	int level;
};

/* compression_choose() - by a sample of the object; none if that does not pay
 * @wish: LZ4 and ZSTD want a tenth saved; AUTO wants a third, because then reading is quicker, too */
struct compression compression_choose(
	enum spill_compression wish, const void *object, uint64_t size);

/* compression_pack() - @packed has room for @length bytes
 * Return: bytes of packed, less than length; or 0: it would not be shorter. */
uint32_t compression_pack(const struct compression *compression, const void *chunk, uint32_t length,
	void *packed);

/* compression_unpack() - bytes that a checksum was of; nothing else is believed of them
 * Return: 0, -EBADMSG (not a packed chunk of this length), -ENOMEM. */
int compression_unpack(const void *packed, uint32_t packed_length, void *chunk, uint32_t length);

#endif
