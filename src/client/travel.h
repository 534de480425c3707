/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/travel.h - references that travel, by the thousand
 *
 * Exports and imports that nobody waits for gather in batches, one WIRE_LEASE or
 * WIRE_LOAD each: call_flush() sends what has gathered, before anything else, so
 * that a lease is taken before what follows it on the connection (the release of what
 * it is for), and a load before who asks for its object.  Of a batch of exports all
 * have one token; imports gather while their token stays the same.
 *
 * An imported handle is there at once; its entry has no reference yet, and is
 * *arriving* until the answer comes, in the next travel_settle() at the latest.  What
 * came too late is *absent*.  That there is no room for an export is told by the next one.
 *
 * Everything under conn->lock.
 */
#ifndef CLIENT_TRAVEL_H
#define CLIENT_TRAVEL_H

#include <stdbool.h>
#include <stddef.h>

#include "client/call.h"
#include "util/text.h"

struct batch;
struct entry;
struct ostore;

struct travel {
	struct batch *exports, *imports; /* gathering */
	struct batch *sent;              /* oldest first */
	struct waiter waiter;            /* of all their calls; nobody sleeps for each */
	unsigned int n_sent;             /* so many, ever: waiter.n_done of them are answered */
	size_t n_arriving;               /* items of imports without an answer */
	bool some_absent;                /* something came too late, once */
	bool early;                      /* some of their calls are not sent yet */
	bool is_answered;                /* some of them are, and nobody has looked */
	int error;                       /* of an export */
	struct text text;
};

/* Make calls of what has gathered: call_flush() sends them. */
void travel_gathered(struct ostore *conn);

/* travel_settle() - wait until this entry is not arriving any more; drops the lock meanwhile
 * @entry: NULL: nothing is
 * Return: 0, or as call_wait(), with a sentence. */
int travel_settle(struct ostore *conn, const struct entry *entry);

/* Take note of the answers that have come. */
void travel_reap(struct ostore *conn);

/* Is something waiting to be sent, or for an answer? */
bool travel_waits(const struct ostore *conn);

/* The calls are about to be forgotten. */
void travel_forget(struct ostore *conn);

#endif
