/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "core/account.h"
#include "core/object.h"
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

/* So many memfds are being closed at a time to make room: this bounds the length of an event and
 * the effects of it.  When they are closed, more can be. */
#define CLOSING_MAX 1024

/* What is free, as if what is being freed were.  Negative: more is in use than the limits allow
 * (they were lowered, or connections took of the reserve). */
struct space {
	int64_t bytes, fds, records;
};

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct space free_space(const struct core *core, bool soon)
{
	const uint32_t objects = core->n_created + core->n_resident + core->n_deleted +
				 core->n_making;
	const uint64_t bytes = core_used_bytes(core) - (soon ? core->freeing_bytes : 0);
	const uint32_t fds = core->n_fds - (soon ? core->n_freeing_fds : 0);

	return (struct space){
		.bytes = (int64_t)MIN(core_capacity(core), (uint64_t)INT64_MAX) - (int64_t)bytes,
		.fds = (int64_t)core->config.max_fds - core_fd_reserve(core) - fds,
		.records = (int64_t)core->tables.header->max_objects - objects,
	};
}

/* Who needs nothing of one kind is not held up by its lack. */
static bool fits(const struct space *space, uint64_t bytes, uint32_t fds)
{
	return (bytes == 0 || (space->bytes > 0 && bytes <= (uint64_t)space->bytes)) &&
	       (fds == 0 || fds <= space->fds) && space->records > 0;
}

bool room_fits(const struct core *core, uint64_t bytes, uint32_t fds)
{
	const struct space now = free_space(core, false);

	return fits(&now, bytes, fds);
}

enum room room_make(struct core *core, uint64_t bytes, uint32_t fds)
{
	struct space space = free_space(core, true);
	const struct space at_best = {
		.bytes = space.bytes + (int64_t)(pool_idle_bytes(core) + core->victim_bytes),
		.fds = space.fds + core->n_pool + core->n_victims,
		.records = space.records + core->n_victims,
	};

	if (room_fits(core, bytes, fds))
		return ROOM_YES;
	if (!fits(&at_best, bytes, fds))
		return ROOM_NO;
	while (!fits(&space, bytes, fds)) {
		if (core->n_freeing_fds >= CLOSING_MAX)
			return ROOM_SOON;
		if (!pool_shed(core))
			object_evict(core, object_victim(core));
		space = free_space(core, true);
	}
	return room_fits(core, bytes, fds) ? ROOM_YES : ROOM_SOON;
}

bool room_for_offered(struct core *core)
{
	const int64_t at_best =
		free_space(core, true).fds + (int64_t)core->n_pool + (int64_t)core->n_victims;

	if (at_best < 1 || core->n_fds >= core->config.max_fds)
		return false;
	while (free_space(core, true).fds < 1 && core->n_freeing_fds < CLOSING_MAX)
		if (!pool_shed(core))
			object_evict(core, object_victim(core));
	return true;
}

/* What the uid may have in all; of the area for metadata, where others are served too, half. */
static struct cost limits_of(const struct core *core, const struct account *account)
{
	const uint64_t area = core->tables.header->blob_bytes;

	return (struct cost){
		.bytes = account->limits[CORE_BYTES],
		.metadata = account_share(core, account, area, area) ? UINT64_MAX : area / 2,
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

enum room room_quota(struct core *core, struct account *account, struct cost cost)
{
	const struct cost limits = limits_of(core, account);
	const struct cost at_least = {
		.bytes = account->charged.bytes - account->evictable.bytes,
		.metadata = account->charged.metadata - account->evictable.metadata,
		.objects = account->charged.objects - account->evictable.objects,
		.fds = account->charged.fds - account->evictable.fds,
	};

	if (fits_beside(&limits, &account->charged, &cost))
		return ROOM_YES;
	if (!fits_beside(&limits, &at_least, &cost))
		return ROOM_NO;
	while (!fits_beside(&limits, &account->charged, &cost)) {
		if (core->n_freeing_fds >= CLOSING_MAX)
			return ROOM_SOON;
		object_evict(core, account_victim(account));
	}
	return ROOM_YES;
}

bool room_quota_for_offered(struct core *core, struct account *account)
{
	return room_quota(core, account, (struct cost){ .fds = 1 }) == ROOM_YES;
}

void room_restore(struct core *core)
{
	while (core_used_bytes(core) - core->freeing_bytes > core_capacity(core) ||
		(uint64_t)core->n_fds - core->n_freeing_fds + core_fd_reserve(core) >
			core->config.max_fds) {
		if (core->n_freeing_fds >= CLOSING_MAX)
			break;
		if (pool_shed(core))
			continue;
		if (core->n_victims == 0)
			break;
		object_evict(core, object_victim(core));
	}
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
		text_add(text, "uid %u has %s of metadata, and may take half of the %s that there are "
			"for all", account->uid,
			size_format(account->charged.metadata, mine, sizeof mine),
			size_format(core->tables.header->blob_bytes, limit, sizeof limit));
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

void room_explain(const struct core *core, const struct account *account, struct cost cost,
	struct text *text)
{
	const struct space soon = free_space(core, true);
	char wanted[32], capacity[32], used[32], pinned[32];
	const char *limit = "capacity";

	size_format(cost.bytes, wanted, sizeof wanted);
	size_format(core_capacity(core), capacity, sizeof capacity);
	size_format(core_used_bytes(core), used, sizeof used);
	size_format(core->pinned_bytes, pinned, sizeof pinned);
	if (!room_quota_fits(core, account, cost)) {
		limit = explain_quota(core, account, &cost, text);
	} else if (soon.bytes < 0 || cost.bytes > (uint64_t)soon.bytes) {
		text_add(text, "%s asked for, but of the store's %s are %s in use (%s mapped)",
			wanted, capacity, used, pinned);
		if (core->limit < core->config.capacity) {
			size_format(core->config.capacity, capacity, sizeof capacity);
			text_add(text, "; %s are configured, but the machine is short of memory",
				capacity);
			limit = "the memory cgroup's limit, or lower min_free";
		}
	} else if (soon.fds <= 0) {
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
	account_name_holders(core, text);
	text_add(text, "; release references, delete objects, wait longer, or raise %s", limit);
}
