/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attacks of hostile.c, by what they are made of. */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "raw.h"

struct attack {
	const char *name;
	/* Runs in a process of its own.  Dies unless each of its wrongs got what it deserves. */
	void (*run)(void);
	bool kills_worker; /* then no good client is beside it */
};

/* The end of each list has no name. */
extern const struct attack packet_attacks[];
extern const struct attack request_attacks[];
extern const struct attack descriptor_attacks[];
extern const struct attack fork_attacks[];
extern const struct attack life_attacks[];
extern const struct attack flood_attacks[];
extern const struct attack crash_attacks[];

/* Become uid 65534; skips where that cannot be. */
void become_stranger(void);

/* A client that does everything right, until stop_fd can be read; one byte to
 * round_fd after each round.  Dies when it is disturbed.  Does not return. */
_Noreturn void good_client(int stop_fd, int round_fd);

#endif
