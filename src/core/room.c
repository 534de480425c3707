/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "core/account.h"
#include "core/make.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/pool.h"
#include "core/room.h"
#include "core/state.h"
#include "util/cleanup.h"
#include "util/size.h"
#include "util/text.h"


uint32_t core_fd_reserve(const struct core *core)
{
	return MAX(MIN(core->config.max_fds / 8, 16 * CORE_CONNECTION_FDS), CORE_CONNECTION_FDS);
}

uint64_t core_charge(const struct core *core, uint64_t size)
{
	const uint64_t huge = UINT64_C(2) << 20;
	const uint64_t page = core->config.huge_pages && size >= huge ? huge : 4096;

	return size ? (size + page - 1) & ~(page - 1) : page;
}

/* So many memfds and frames are being given back at a time to make room, and so many objects
 * evicted by one event: this bounds the length of an event and the effects of it. */
#define CLOSING_MAX 1024

/* Is enough under way?  What was only evicted leads to no event: come back for more at once. */
static bool is_pausing(struct core *core)
{
	if (core->n_freeing_fds + core->pack.n_punching >= CLOSING_MAX)
		return true;
	if (core->n_evicted < CLOSING_MAX)
		return false;
	core->in_haste = true;
	return true;
}

/* What is free: now; soon, when what is being freed is, the objects of the pack are moved
 * together, and those on their way into it are there; at best, when in addition everything is
 * dropped that may be.  Negative: more is in use than the limits allow (they were lowered, or
 * connections took of the reserve). */
enum when { NOW, SOON, AT_BEST };

struct space {
	enum when when;
	int64_t bytes, fds, records;
};

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct space free_space(const struct core *core, enum when when)
{
	const uint32_t objects = core->n_created + core->n_resident + core->n_deleted +
				 core->n_making;
	struct space space = {
		.when = when,
		.bytes = (int64_t)MIN(core_capacity(core), (uint64_t)INT64_MAX) -
			 (int64_t)core_used_bytes(core),
		.fds = (int64_t)core->config.max_fds - core_fd_reserve(core) - core->n_fds,
		.records = (int64_t)core->tables.header->max_objects - objects,
	};

	if (when == NOW)
		return space;
	space.bytes += core->freeing_bytes;
	space.fds += core->n_freeing_fds + core->repack.hand.n_moving;
	if (when == SOON) {
		space.bytes += pack_compactable(core);
		return space;
	}
	space.bytes += pack_compactable_at_best(core) + pack_spare_bytes(core) +
		       pool_idle_bytes(core) + core->victim_bytes;
	space.fds += core->n_pool + core->n_victim_fds;
	space.records += core->n_victims;
	return space;
}

static uint64_t slot_bytes(const struct core *core, enum when when, unsigned int class)
{
	if (class == PACK_NO_CLASS)
		return 0;
	if (when == NOW)
		return core->pack.classes[class].n_free ? 0 : core->tables.header->slab_bytes;
	return when == SOON ? pack_need_soon(core, class) : pack_need_at_best(core, class);
}

/* Who needs nothing of one kind is not held up by its lack. */
static bool has(const struct space *space, uint64_t bytes, uint32_t fds)
{
	return (bytes == 0 || (space->bytes > 0 && bytes <= (uint64_t)space->bytes)) &&
	       (fds == 0 || fds <= space->fds) && space->records > 0;
}

static bool lacks_only_fds(const struct core *core, const struct space *space,
	const struct need *need)
{
	return has(space, need->bytes + slot_bytes(core, space->when, need->pack_class), 0);
}

static bool fits(const struct core *core, const struct space *space, const struct need *need)
{
	return has(space, need->bytes + slot_bytes(core, space->when, need->pack_class), need->fds);
}

bool room_fits(const struct core *core, const struct need *need)
{
	const struct space now = free_space(core, NOW);

	return fits(core, &now, need);
}

bool room_has(const struct core *core, uint64_t bytes)
{
	const struct space now = free_space(core, NOW);

	return has(&now, bytes, 0);
}

bool room_has_fds(const struct core *core, uint32_t fds)
{
	return fds <= free_space(core, NOW).fds;
}

/* Drop one thing: what nobody asks for first.  Who needs no more than a descriptor has nothing
 * dropped that has none.  Return: was there any? */
static bool drop_one(struct core *core, bool for_fd)
{
	if (pool_shed(core) || (!for_fd && pack_shed(core)))
		return true;
	if (for_fd ? core->n_victim_fds == 0 : core->n_victims == 0)
		return false;
	core->n_evicted++;
	object_evict(core, for_fd ? object_victim_with_fd(core) : object_victim(core));
	return true;
}

/* Who lacks nothing but descriptors has idle objects moved into the pack for them.
 * Return: wait for the next event, which goes on with that; else it is enough, or all there is. */
static bool repack_for(struct core *core, const struct need *need)
{
	for (;;) {
		const struct space soon = free_space(core, SOON);

		if (fits(core, &soon, need) || !lacks_only_fds(core, &soon, need))
			return false;
		switch (repack_begin(core, NULL, need->fds - soon.fds,
			need->bytes + slot_bytes(core, NOW, need->pack_class))) {
		case REPACK_NONE:
			return false;
		case REPACK_LATER:
			return true;
		case REPACK_BEGUN:
			break;
		}
	}
}

enum room room_make(struct core *core, const struct need *need)
{
	struct space at_best, space;
	uint64_t bytes;

	if (room_fits(core, need))
		return ROOM_YES;
	if (repack_for(core, need))
		return ROOM_SOON;
	at_best = free_space(core, AT_BEST);
	if (!fits(core, &at_best, need))
		return ROOM_NO;
	for (;;) {
		space = free_space(core, SOON);
		if (fits(core, &space, need))
			break;
		if (is_pausing(core))
			return ROOM_SOON;
		drop_one(core, lacks_only_fds(core, &space, need));
		if (repack_for(core, need)) /* there may be a place now */
			return ROOM_SOON;
	}
	if (room_fits(core, need))
		return ROOM_YES;
	/* What is being freed may be enough; else what can be moved together is. */
	space.bytes = free_space(core, NOW).bytes + (int64_t)core->freeing_bytes;
	bytes = need->bytes + slot_bytes(core, NOW, need->pack_class);
	if ((int64_t)bytes > space.bytes)
		pack_squeeze(core, bytes - space.bytes);
	return ROOM_SOON;
}

bool room_for_offered(struct core *core)
{
	struct space soon;

	if (free_space(core, AT_BEST).fds < 1 || core->n_fds >= core->config.max_fds)
		return false;
	while ((soon = free_space(core, SOON)).fds < 1 && !is_pausing(core)) {
		const enum repack_result result = repack_begin(core, NULL, 1 - soon.fds, 0);

		if (result == REPACK_LATER)
			break;
		if (result == REPACK_NONE)
			drop_one(core, true);
	}
	return true;
}

/* What the uid may have in all; of the area for metadata, where others are served too, a share. */
static struct cost limits_of(const struct core *core, const struct account *account)
{
	const bool alone = account->uid == 0 || !core->config.shared;

	return (struct cost){
		.bytes = account->limits[CORE_BYTES],
		.metadata = alone ? UINT64_MAX : core->config.metadata_share,
		.objects = account->limits[CORE_OBJECTS],
		.fds = account->limits[CORE_DESCRIPTORS],
	};
}

/* Does the cost fit in the limits beside what is charged?  What it needs nothing of is no matter. */
static bool fits_beside(const struct cost *limits, const struct cost *charged,
	const struct cost *cost)
{
	return cost->bytes <= minus(limits->bytes, charged->bytes) &&
	       cost->metadata <= minus(limits->metadata, charged->metadata) &&
	       cost->objects <= minus(limits->objects, charged->objects) &&
	       cost->fds <= minus(limits->fds, charged->fds);
}

bool room_quota_fits(const struct core *core, const struct account *account, struct cost cost)
{
	const struct cost limits = limits_of(core, account);

	return fits_beside(&limits, &account->charged, &cost);
}

/* repack_for() for who lacks but descriptors of its quota: its own idle objects. */
static bool repack_for_quota(struct core *core, struct account *account, const struct cost *limits,
	const struct cost *cost)
{
	struct cost rest = *cost;

	rest.fds = 0;
	for (;;) {
		struct cost soon = account->charged;

		if (!fits_beside(limits, &soon, &rest))
			return false;
		soon.fds -= account->repack.n_moving;
		if (fits_beside(limits, &soon, cost))
			return true;
		switch (repack_begin(core, account, soon.fds + cost->fds - limits->fds,
			cost->bytes)) {
		case REPACK_NONE:
			return false;
		case REPACK_LATER:
			return true;
		case REPACK_BEGUN:
			break;
		}
	}
}

/* Evict one of its objects, if that can help.  Return: ROOM_YES: it was. */
static enum room evict_for_quota(struct core *core, struct account *account,
	const struct cost *limits, const struct cost *cost)
{
	const struct cost at_least = {
		.bytes = account->charged.bytes - account->evictable.bytes,
		.metadata = account->charged.metadata - account->evictable.metadata,
		.objects = account->charged.objects - account->evictable.objects,
		.fds = account->charged.fds - account->evictable.fds,
	};

	if (!fits_beside(limits, &at_least, cost))
		return ROOM_NO;
	if (is_pausing(core))
		return ROOM_SOON;
	core->n_evicted++;
	object_evict(core, account_victim(account));
	return ROOM_YES;
}

enum room room_quota(struct core *core, struct account *account, struct cost cost)
{
	const struct cost limits = limits_of(core, account);
	enum room evicted;

	while (!fits_beside(&limits, &account->charged, &cost)) {
		if (repack_for_quota(core, account, &limits, &cost))
			return ROOM_SOON;
		evicted = evict_for_quota(core, account, &limits, &cost);
		if (evicted != ROOM_YES)
			return evicted;
	}
	return ROOM_YES;
}

bool room_quota_for_offered(struct core *core, struct account *account)
{
	const struct cost limits = limits_of(core, account), cost = { .fds = 1 };

	while (!fits_beside(&limits, &account->charged, &cost))
		if (evict_for_quota(core, account, &limits, &cost) != ROOM_YES)
			return false;
	return true;
}

void room_restore(struct core *core)
{
	struct space soon = free_space(core, SOON);
	enum repack_result result;

	while (soon.bytes < 0 || soon.fds < 0) {
		if (is_pausing(core))
			return;
		result = soon.bytes >= 0 ? repack_begin(core, NULL, -soon.fds, 0) : REPACK_NONE;
		if (result == REPACK_LATER)
			return;
		if (result == REPACK_NONE && !drop_one(core, soon.bytes >= 0))
			break;
		soon = free_space(core, SOON);
	}
	soon.bytes = free_space(core, NOW).bytes + (int64_t)core->freeing_bytes;
	if (soon.bytes < 0)
		pack_squeeze(core, -soon.bytes);
}

/* Which of its quotas holds the uid up.  Return: the key to raise. */
static const char *explain_quota(const struct core *core, const struct account *account,
	const struct cost *cost, struct text *text)
{
	const struct cost limits = limits_of(core, account);
	char limit[32], mine[32], wanted[32];

	if (cost->bytes > minus(limits.bytes, account->charged.bytes)) {
		text_add(text, "uid %u uses %s of its quota of %s and %s more were asked for",
			account->uid, size_format(account->charged.bytes, mine, sizeof mine),
			size_format(limits.bytes, limit, sizeof limit),
			size_format(cost->bytes, wanted, sizeof wanted));
		return "quota";
	}
	if (cost->metadata > minus(limits.metadata, account->charged.metadata)) {
		text_add(text, "uid %u has %s of metadata, and may take %s of the %s that there are "
			"for all", account->uid,
			size_format(account->charged.metadata, mine, sizeof mine),
			size_format(limits.metadata, limit, sizeof limit),
			size_format(core->tables.header->blob_bytes, wanted, sizeof wanted));
		return "max_objects";
	}
	if (cost->objects > minus(limits.objects, account->charged.objects)) {
		text_add(text, "uid %u has %" PRIu64 " objects, and its quota is %" PRIu64,
			account->uid, account->charged.objects, limits.objects);
		return "quota_objects";
	}
	text_add(text, "uid %u uses %" PRIu64 " descriptors, and its quota is %" PRIu64,
		account->uid, account->charged.fds, limits.fds);
	return "quota_descriptors";
}

void room_explain(const struct core *core, const struct make *make, struct text *text)
{
	const struct space soon = free_space(core, SOON);
	const struct account *account = make->account;
	const struct cost cost = make_quota(core, make);
	const struct need need = make_need(core, make);
	const uint64_t bytes = need.bytes + slot_bytes(core, SOON, need.pack_class);
	char wanted[32], capacity[32], used[32], pinned[32];
	const bool fits = room_quota_fits(core, account, cost);
	const char *limit = "capacity";

	size_format(make->size, wanted, sizeof wanted);
	size_format(core_capacity(core), capacity, sizeof capacity);
	size_format(core_used_bytes(core), used, sizeof used);
	size_format(core->pinned_bytes, pinned, sizeof pinned);
	if (!fits) {
		limit = explain_quota(core, account, &cost, text);
	} else if (soon.bytes < 0 || bytes > (uint64_t)soon.bytes) {
		text_add(text, "%s asked for, but of the store's %s are %s in use (%s mapped)",
			wanted, capacity, used, pinned);
		if (core->limit < core->config.capacity) {
			size_format(core->config.capacity, capacity, sizeof capacity);
			text_add(text, "; %s are configured, but the machine is short of memory",
				capacity);
			limit = "the memory cgroup's limit, or lower min_free";
		}
	} else if (soon.fds <= 0 && need.fds) {
		text_add(text, "%s asked for, but of %u descriptors are %u in use", wanted,
			core->config.max_fds, core->n_fds);
		limit = "max_descriptors, and the broker's RLIMIT_NOFILE";
	} else if (soon.records <= 0) {
		text_add(text, "%s asked for, but all %u object records are in use", wanted,
			core->tables.header->max_objects);
		limit = "max_objects";
	} else {
		text_add(text, "%s asked for, and other requests were first in the queue", wanted);
	}
	account_name_holders(core, fits ? NULL : account, text);
	text_add(text, "; release references, delete objects, wait longer, or raise %s", limit);
}
