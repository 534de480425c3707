/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/coverage.h - what a run has reached
 *
 * A simulation can lose its power without a test failing: a change in the core
 * or in the dice, and some class of event never happens again.  So every class
 * has a counter, every run prints them, and a run of COVERAGE_SEEDS seeds or more
 * fails when a class was never reached.
 */
#ifndef SIM_COVERAGE_H
#define SIM_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "wire/message.h"

#define COVERAGE_SEEDS    200
#define COVERAGE_STATUSES 136 /* errno numbers that fit */

#define COVERAGE_CLASSES(X)                                                                 \
	X(EVENTS, "events")                                                                 \
	X(CONNECTS, "connects")                                                             \
	X(CONNECTS_REFUSED, "connects refused")                                             \
	X(CLIENT_DEATHS, "client deaths")                                                   \
	X(CLIENT_DEATHS_WAITING, "client deaths with requests under way")                   \
	X(GIVEN_BACK_IN_STEPS, "holdings given back in several steps")                      \
	X(DRAFTS_IN_STEPS, "  of them drafts")                                              \
	X(FORKS, "forks")                                                                   \
	X(FORKS_BEFORE_RECONCILE, "forks of parents that had not reconciled")               \
	X(IDENTIFIES, "forked children identified")                                         \
	X(DEATHS_BETWEEN, "worker deaths between events")                                   \
	X(DEATHS_UNSENT, "worker deaths with effects lost")                                 \
	X(DEATHS_INSIDE, "worker deaths inside an event")                                   \
	X(DEATHS_BEFORE, "  of them before the commit, and undone")                                     \
	X(DEATHS_AFTER, "  of them after the commit")                    \
	X(DEATHS_HEIR, "deaths of an heir before its clients reconciled")                   \
	X(FDS_LOST, "descriptors lost under the tables")                                    \
	X(LOST_ANSWERS, "answers of -ENODATA for a lost object")                            \
	X(RETRIES, "requests sent again")                                                   \
	X(SEVERAL_PACKETS, "requests in more than one packet")                              \
	X(DROPPED_BEFORE_RECONCILE, "requests before RECONCILE dropped")                    \
	X(RECONCILE_CUTS, "reconciles that cut holdings")                                   \
	X(RECONCILE_LIES, "reconciles that claim too much")                                 \
	X(RECONCILE_SPLIT, "reconciles in more than one packet")                            \
	X(PROTOCOL_VIOLATIONS, "connections ended for a protocol violation")                \
	X(INLINE_READS, "objects answered inline")                                          \
	X(FD_READS, "objects answered with a descriptor")                                   \
	X(REF_READS, "objects answered as a reference")                                     \
	X(GETS_WAITED, "gets that waited and were granted")                                 \
	X(GETS_TIMED_OUT, "gets that timed out")                                            \
	X(GETS_GONE, "gets of ids known to be gone")                                        \
	X(GETS_UNREADABLE, "gets of what the uid may not read")                             \
	X(GETS_BY_GROUP, "gets allowed by group alone")                                     \
	X(GETS_BY_OTHERS, "gets allowed by the others' bits alone")                         \
	X(WAITS_PARTIAL, "waits answered with some ids missing")                            \
	X(EVICTIONS, "evictions")                                                           \
	X(QUEUED, "creates queued")                                                         \
	X(QUEUE_SERVED, "queued creates served")                                            \
	X(QUEUE_EXPIRED, "queued creates that expired")                                     \
	X(QUEUE_PASSES, "queued creates passed by smaller ones")                            \
	X(QUEUE_SEVERAL_UIDS, "queued creates served among several uids")                   \
	X(QUEUE_PASS_LIMIT, "queued creates passed as often as allowed")                    \
	X(DELETES_WHILE_PINNED, "deletes while pinned")                                     \
	X(PIN_ENDS_DELETED, "deleted objects that went with their last pin")                \
	X(LEASES_EXPIRED, "leases that ran out")                                            \
	X(CHARGED_TO_HOLDER, "deleted objects charged to who holds them")                   \
	X(OFFERS_OVER_QUOTA, "offered memfds beyond a quota of descriptors")                \
	X(METADATA_OVER_SHARE, "times that a uid's share of metadata held it up")          \
	X(REQUESTS_OVER_QUOTA, "requests refused beyond a quota")                           \
	X(NAMES_MOVED, "names moved to another object")                                     \
	X(BAD_RELEASES, "releases of more than is held")                                    \
	X(PENDING_LIMIT, "requests refused because too many wait")                          \
	X(MAKE_FAILED, "memfds that could not be made")                                     \
	X(MAKE_ABANDONED, "memfds made for somebody who is gone")                           \
	X(SEALS_WAITED, "seals that waited for writers of a shared draft")                  \
	X(SEALS_EXPIRED, "seals that waited too long for writers")                          \
	X(ABORTS_WHILE_WRITTEN, "drafts aborted while others wrote them")                   \
	X(SEAL_FAILED, "seals refused by the kernel")                                       \
	X(ADOPT_FAILED, "offered descriptors refused by the kernel")                        \
	X(ADOPTED, "offered memfds taken")                                                  \
	X(POOL_FILLS, "pool memfds filled")                                                 \
	X(POOL_FILL_FAILED, "pool fills that failed")                                       \
	X(POOL_USED, "creates served from the pool")                                        \
	X(POOL_GIVEN_BACK, "pool memfds given back")                                        \
	X(PACK_WRITES, "objects written into the pack")                                     \
	X(PACK_MOVES, "objects moved in the pack")                                          \
	X(PACK_MOVES_IN_VAIN, "objects that went, or could not be moved, meanwhile")        \
	X(PACK_PUNCHES, "memory of the pack given back")                                    \
	X(REPACKS, "idle small objects put back into the pack")                             \
	X(REPACKS_IN_VAIN, "  of them mapped, or gone, meanwhile")                          \
	X(REPACKS_OF_VICTIMS, "  of them such as might be evicted")                         \
	X(REPACKS_FOR_OTHERS, "  of them for who waited for a descriptor")                  \
	X(REPACKS_FOR_QUOTAS, "  of them for who waited for its quota of descriptors")      \
	X(PACK_EVICTIONS, "objects evicted from the pack")                                  \
	X(PACK_CLOSED, "packs closed when nothing was in them")                             \
	X(PACK_LOST, "packs lost under the tables")                                         \
	X(UNPACKED, "objects taken out of the pack to be mapped")                           \
	X(RESIZES_DOWN, "capacity made smaller than what was used")                         \
	X(LIMITS_DOWN, "limits of the machine below what was used")                         \
	X(LIMITS_WAITED, "queued creates larger than the machine's limit")                  \
	X(SETTINGS_INHERITED, "heirs that found a changed configuration")                   \
	X(CLOCK_BACK, "realtime set back")                                                  \
	X(CANCELED, "requests canceled")                                                    \
	X(EVENTS_TOLD, "notes of events told to subscribers")                               \
	X(EVENTS_WAITED, "subscribers that waited and were told")                           \
	X(EVENTS_OVERRUN, "subscribers told that they came too late")                       \
	X(EXPIRED, "objects whose time to live ended")                                      \
	X(EXPIRED_PINNED, "  of them while they were mapped")                               \
	X(EXPIRED_AFTER_DEATH, "  of them after a worker's death")                          \
	X(EVICTIONS_BY_PRIORITY, "evictions before an older object of higher priority")     \
	X(PINS_REFUSED, "hard pins refused")                                                \
	X(LISTED_HOLDERS, "holders told by LIST")                                           \
	X(LISTED_BY_LABEL, "objects found by label")                                        \
	X(LISTED_BY_NAME, "objects found by a pattern of their names")                      \
	X(AUDITS, "audits of everything by STAT and LIST")

enum coverage_class {
#define X(name, text) COVERAGE_##name,
	COVERAGE_CLASSES(X)
#undef X
		COVERAGE_N
};

struct coverage {
	uint64_t classes[COVERAGE_N];
	uint64_t requests[WIRE_REQUEST_LAST + 1];
	uint64_t statuses[WIRE_REQUEST_LAST + 1][COVERAGE_STATUSES]; /* by type and -status */
	uint64_t seeds;
};

void coverage_add(struct coverage *sum, const struct coverage *part);
void coverage_print(const struct coverage *coverage, FILE *file);
/* Print each class that was never reached.  Return: how many. */
unsigned int coverage_gaps(const struct coverage *coverage, FILE *file);

#endif
