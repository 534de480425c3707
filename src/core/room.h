/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/room.h - bytes, descriptors and records: is there room, and making some
 *
 * Room is made in this order: idle small objects that have but a descriptor to give
 * (core/repack.h); empty slabs of the pack; pool memory; objects of the pack moved
 * together; objects that nobody references, by policy.  What is
 * dropped counts as free only when it is closed (R2), so making room usually ends
 * in ROOM_SOON.
 */
#ifndef CORE_ROOM_H
#define CORE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct core;
struct cost;
struct make;
struct text;

enum room {
	ROOM_YES,  /* it fits now */
	ROOM_SOON, /* it fits when what is being freed is */
	ROOM_NO,   /* not before somebody releases something */
};

/* What a new object needs, besides a record. */
struct need {
	uint64_t bytes;          /* but for a slot in the pack */
	uint32_t fds;            /* 0 or 1 */
	unsigned int pack_class; /* of the slot; PACK_NO_CLASS: it needs none */
};

/* Does it fit without evicting anything? */
bool room_fits(const struct core *core, const struct need *need);
/* Are so many bytes, and a record, free? */
bool room_has(const struct core *core, uint64_t bytes);
bool room_has_fds(const struct core *core, uint32_t fds);
/* Evict what is needed, and nothing if that would not be enough. */
enum room room_make(struct core *core, const struct need *need);
/* Can a descriptor that is here already be counted?  Evicts for it; until that is closed, the
 * descriptor stands on the connections' reserve. */
bool room_for_offered(struct core *core);
/* room_make() for a uid's quotas, at the cost of its own objects.  ROOM_SOON: it holds up nobody else. */
enum room room_quota(struct core *core, struct account *account, struct cost cost);
/* Do the quotas leave room for this much?  Evicts nothing. */
bool room_quota_fits(const struct core *core, const struct account *account, struct cost cost);
/* room_for_offered() for a uid's quota of descriptors: evicts, for a copy is not there at once. */
bool room_quota_for_offered(struct core *core, struct account *account);
/* Give back what is above the limits, and the descriptors that connections took of the reserve. */
void room_restore(struct core *core);
/* Why there is no room, who has it, and what to do. */
void room_explain(const struct core *core, const struct make *make, struct text *text);

#endif
