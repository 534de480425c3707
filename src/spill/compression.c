/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/compression.h"

#include <blosc.h>
#include <errno.h>

#include "spill/format.h"
#include "util/cleanup.h"

#define N_SAMPLES 4 /* chunks: a quarter of a millisecond each way */

uint32_t compression_pack(const struct compression *compression, const void *chunk, uint32_t length,
	void *packed)
{
	int n = blosc_compress_ctx(compression->level,
		compression->width > 1 ? BLOSC_SHUFFLE : BLOSC_NOSHUFFLE, compression->width, length,
		chunk, packed, length, compression->compressor, 0, 1);

	return n > 0 && (uint32_t)n < length ? (uint32_t)n : 0;
}

int compression_unpack(const void *packed, uint32_t packed_length, void *chunk, uint32_t length)
{
	size_t n;
	int r;

	if (packed_length < BLOSC_MIN_HEADER_LENGTH ||
		blosc_cbuffer_validate(packed, packed_length, &n) != 0 || n != length)
		return -EBADMSG;
	r = blosc_decompress_ctx(packed, chunk, length, 1);
	return r == (int)length ? 0 : -EBADMSG;
}

/* Bytes that the sample's chunks would take. */
static uint64_t try_sample(const struct compression *compression, const char *object, uint64_t size,
	uint64_t *wholep, void *packed)
{
	uint64_t chunks = (size + FORMAT_CHUNK - 1) / FORMAT_CHUNK, taken = 0;
	unsigned int n = (unsigned int)MIN(chunks, N_SAMPLES);

	*wholep = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t at = chunks * i / n * FORMAT_CHUNK;
		uint32_t length = (uint32_t)MIN(size - at, FORMAT_CHUNK);
		uint32_t shorter = compression_pack(compression, object + at, length, packed);

		*wholep += length;
		taken += shorter ? shorter : length;
	}
	return taken;
}

struct compression compression_choose(enum spill_compression wish, const void *object, uint64_t size)
{
	static const uint8_t widths[] = { 8, 4, 2, 1 };
	struct compression best = { .compressor = NULL }, trial = { .compressor = BLOSC_LZ4_COMPNAME, .level = 5 };
	CLEANUP_FREE void *packed = NULL;
	uint64_t least = UINT64_MAX, whole = 0;

	if (wish == SPILL_COMPRESSION_NONE || size < FORMAT_BLOCK)
		return best;
	packed = malloc(FORMAT_CHUNK);
	if (!packed)
		return best;
	if (wish == SPILL_COMPRESSION_ZSTD) {
		trial.compressor = BLOSC_ZSTD_COMPNAME;
		trial.level = 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		uint64_t taken;

		/* lz4 of numbers as they lie is slower to read back than a disk */
		if (wish == SPILL_COMPRESSION_AUTO && widths[i] == 1)
			continue;
		trial.width = widths[i];
		taken = try_sample(&trial, object, size, &whole, packed);
		if (taken < least) {
			least = taken;
			best = trial;
		}
	}
	if (least > (wish == SPILL_COMPRESSION_AUTO ? whole / 3 * 2 : whole / 10 * 9))
		best.compressor = NULL;
	return best;
}
