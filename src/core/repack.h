/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/repack.h - idle small objects give their descriptors back (R19)
 *
 * Whoever maps a small object gets a memfd of its own for it, and so does who
 * creates or offers one.  When descriptors are short, and nobody maps such an object
 * any more, its bytes are copied into the pack and the memfd is closed.
 *
 * An object is *idle* while it is sealed, small, has a memfd, and is neither mapped
 * nor about to be.  How many are is counted; which ones are, a hand finds out that
 * goes over the object table as that of a clock, so that an object costs no list.
 * In one event it looks at REPACK_LOOK_MAX objects at the most, and REPACK_MAX begin
 * to move; what is left is for the next, which comes at once.  When the hand has been
 * everywhere and found no object that has a place in the pack, it rests until there
 * is another idle one, a free slot, or room for a slab.  What of that comes while it
 * goes its round makes the round no longer: else clients could keep it going, and who
 * needs a descriptor waiting.  A uid that is short of its quota of descriptors has a
 * hand of its own, which takes its own objects alone.
 *
 * While the copy is on its way the object is where it was, and may be read, mapped,
 * evicted or deleted.  Mapped, wanted mapped, or gone when the answer comes: it does
 * not move, and the copy is given back.
 */
#ifndef CORE_REPACK_H
#define CORE_REPACK_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct core;
struct move;

#define REPACK_MAX      16
#define REPACK_LOOK_MAX 1024

/* What finds idle objects: of all uids, or of one. */
struct repack_hand {
	uint32_t at;           /* next object to look at */
	uint32_t n_idle;       /* idle objects, but for those that are */
	uint32_t n_moving;     /* on their way */
	uint32_t n_fruitless;  /* looked at in this round, which begins when something was found */
	uint64_t least_room;   /* that there was for a slab in this round, */
	bool resting;          /* which is over: with no more room nothing is to be found, */
	uint64_t n_wakes;      /* nor before there are more of these than when it began */
	uint32_t n_looked;     /* so many objects were looked at */
	uint64_t event;        /* in this event */
};

struct repack {
	struct repack_hand hand; /* of all uids */
	uint64_t event;        /* this one's number, */
	uint32_t n_begun;      /* and how many copies it began */
	uint64_t n_wakes;      /* times that there was a place, or an idle object, more */
	int64_t retry_ns;      /* a copy failed: none before this */
};

/* Its pins, state or memory changed: is it idle now? */
void repack_reconsider(struct core *core, uint32_t o);
/* There is a place in the pack where there was none. */
void repack_wake(struct core *core);

enum repack_result {
	REPACK_NONE,  /* nothing can be moved, or nothing was found in a whole round */
	REPACK_BEGUN, /* some are on their way: ask again whether that is enough */
	REPACK_LATER, /* this event has done enough: the next one goes on */
};

/* Begin to move idle objects until n descriptors come of it.
 * @of: this uid's alone; NULL: anybody's
 * @keep: so many bytes stay free beside a new slab */
enum repack_result repack_begin(struct core *core, struct account *of, uint32_t n, uint64_t keep);
/* The copy is there, or could not be made. */
void repack_done(struct core *core, const struct move *move, int result);

/* The event ends, and nobody waits for room: are more than four fifths of the descriptors in use? */
void repack_plan(struct core *core);
int64_t repack_deadline(const struct core *core);

#endif
