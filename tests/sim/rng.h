/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/rng.h - the one source of chance in the simulation
 *
 * xoshiro256** (Blackman, Vigna 2018) seeded through splitmix64, so that a seed
 * means the same run on every machine and with every C library.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

static inline uint64_t rng_splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline void rng_seed(struct rng *rng, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		rng->s[i] = rng_splitmix(&seed);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t *s = rng->s, result = rng_rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rng_rotl(s[3], 45);
	return result;
}

/* 0 .. n-1 (n > 0). */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* low .. high, both included. */
static inline uint64_t rng_range(struct rng *rng, uint64_t low, uint64_t high)
{
	return low + rng_below(rng, high - low + 1);
}

/* True permille times of a thousand. */
static inline bool rng_chance(struct rng *rng, unsigned int permille)
{
	return rng_below(rng, 1000) < permille;
}

/* A number of 0 .. max bits, each number of bits as likely: small ones often, huge ones too. */
static inline uint64_t rng_bits(struct rng *rng, unsigned int max)
{
	unsigned int bits = rng_below(rng, max + 1);

	return bits == 0 ? 0 : rng_next(rng) >> (64 - bits);
}

#endif
