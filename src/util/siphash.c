/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/siphash.h"

#include <endian.h>
#include <string.h>

static inline uint64_t rotate_left(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t load_le64(const void *from)
{
	uint64_t x;

	memcpy(&x, from, sizeof x);
	return le64toh(x);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

uint64_t siphash(const void *data, size_t size, const uint8_t key[16])
{
	const uint8_t *bytes = data;
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t last = (uint64_t)size << 56;
	uint64_t v[4] = {
		k0 ^ UINT64_C(0x736f6d6570736575),
		k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573),
	};

	for (; size >= 8; size -= 8, bytes += 8) {
		uint64_t m = load_le64(bytes);

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < size; i++)
		last |= (uint64_t)bytes[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
