/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/world.h - one seed: a store's whole life
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coverage.h"

/* world_run() - live through one seed
 * @events: stop after so many events (to shrink a failure); 0: the seed's own number
 * @verbose: print each event, effect and reply
 * @what: out: which rule was broken
 * Return: whether everything held. */
bool world_run(uint64_t seed, uint64_t events, bool verbose, struct coverage *coverage, char *what,
	size_t what_size);
/* How far the running (or failed) seed is. */
uint64_t world_event_number(void);

#endif
