/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "core/make.h"
#include "core/object.h"
#include "core/pending.h"
#include "core/pool.h"
#include "core/queue.h"
#include "core/room.h"
#include "core/state.h"
#include "util/cleanup.h"
#include "util/size.h"

void queue_init(struct core *core)
{
	list_init(&core->queue.ring);
	core->queue.smallest = UINT64_MAX;
}

void queue_add(struct core *core, struct make *make)
{
	struct account *account = make->account;

	if (list_empty(&account->waiting)) {
		list_add_tail(&core->queue.ring, &account->ring_link);
		account->smallest = UINT64_MAX;
	}
	account->smallest = MIN(account->smallest, make_least(core, make));
	list_add_tail(&account->waiting, &make->queue_link);
	core->queue.n++;
	core->queue.smallest = MIN(core->queue.smallest, make_least(core, make));
	core->n_unpacks += make->object != TABLES_NONE;
}

void queue_remove(struct core *core, struct make *make)
{
	struct account *account = make->account;

	list_remove(&make->queue_link);
	core->n_unpacks -= make->object != TABLES_NONE;
	if (list_empty(&account->waiting))
		list_remove(&account->ring_link);
	if (--core->queue.n == 0)
		core->queue.smallest = UINT64_MAX;
}

static struct make *first_of(const struct account *account)
{
	return list_first(&account->waiting, struct make, queue_link);
}

/* The uid's turn is over. */
static void grant(struct core *core, struct make *make)
{
	struct account *account = make->account;

	list_move_tail(&core->queue.ring, &account->ring_link);
	make_grant(core, make);
}

/* Does it fit as it is, with a pool memfd or without? */
static bool fits_now(const struct core *core, const struct make *make)
{
	const struct need need = make_need(core, make);

	return room_fits(core, &need) || pool_helps(core, make);
}

/* Give the turn to the first uid that its quota allows.
 * Return: was something granted?  Else nobody can have the turn, or whoever has it waits. */
static bool grant_turn(struct core *core)
{
	struct list *link;

	list_for_each(link, &core->queue.ring) {
		struct account *account = container_of(link, struct account, ring_link);
		struct make *make = first_of(account);
		const struct need need = make_need(core, make);

		if (room_quota(core, account, make_quota(core, make)) != ROOM_YES)
			continue; /* holds up nobody else */
		if (fits_now(core, make) || room_make(core, &need) == ROOM_YES) {
			grant(core, make);
			return true;
		}
		return false;
	}
	return false;
}

/* The make goes before those ahead of it: of its own uid, and the first ones of the uids ahead that
 * are not held up by their quota anyway. */
static void count_passed(struct core *core, const struct make *passing)
{
	struct list *link;

	list_for_each(link, &core->queue.ring) {
		struct account *account = container_of(link, struct account, ring_link);

		if (account == passing->account)
			break;
		if (room_quota_fits(core, account, make_quota(core, first_of(account))))
			first_of(account)->passes++;
	}
	list_for_each(link, &passing->account->waiting) {
		struct make *make = container_of(link, struct make, queue_link);

		if (make == passing)
			break;
		make->passes++;
	}
}

/* Do its quotas hold up all that waits of this uid?  (It may say no though they do.) */
static bool all_by_quota(const struct core *core, const struct account *account)
{
	const struct cost least = { .bytes = account->smallest, .objects = 1 };

	return core->n_unpacks == 0 && !room_quota_fits(core, account, least);
}

/* Grant the first make that fits as it is and that everybody ahead of it lets pass. */
static bool grant_passing(struct core *core)
{
	struct queue *queue = &core->queue;
	uint64_t smallest = UINT64_MAX, own;
	struct list *ring, *link;

	if (!room_has(core, queue->smallest))
		return false;
	list_for_each(ring, &queue->ring) {
		struct account *account = container_of(ring, struct account, ring_link);
		const bool by_quota =
			!room_quota_fits(core, account, make_quota(core, first_of(account)));

		if (all_by_quota(core, account)) {
			smallest = MIN(smallest, account->smallest);
			continue;
		}
		own = UINT64_MAX;
		list_for_each(link, &account->waiting) {
			struct make *make = container_of(link, struct make, queue_link);

			if (room_quota_fits(core, account, make_quota(core, make)) &&
				fits_now(core, make)) {
				count_passed(core, make);
				grant(core, make);
				return true;
			}
			own = MIN(own, make_least(core, make));
			if (make->passes >= CORE_PASS_MAX)
				break;
		}
		if (link == &account->waiting)
			account->smallest = own;
		smallest = MIN(smallest, own);
		if (link != &account->waiting || (!by_quota && first_of(account)->passes >= CORE_PASS_MAX))
			smallest = 0; /* not all were looked at */
		if (!by_quota && first_of(account)->passes >= CORE_PASS_MAX)
			return false;
	}
	if (smallest)
		queue->smallest = smallest;
	return false;
}

void queue_pump(struct core *core)
{
	while (core->queue.n && (grant_turn(core) || grant_passing(core)))
		tables_breathe(&core->tables);
}

void queue_refuse_too_big(struct core *core)
{
	struct list *ring, *next_ring, *link, *following;
	char size[32], limit[32];

	list_for_each_safe(ring, next_ring, &core->queue.ring) {
		struct account *account = container_of(ring, struct account, ring_link);

		list_for_each_safe(link, following, &account->waiting) {
			struct make *make = container_of(link, struct make, queue_link);
			struct pending *pending = make->pending;

			const struct cost cost = make_quota(core, make);

			if (make_need(core, make).bytes > core->config.capacity)
				make_fail(core, make, -EFBIG,
					scratch_text(core, "object %s: %s and its metadata are more "
						"than the store's new capacity of %s: make it smaller, or "
						"raise capacity",
						object_id_text(core, &make->id),
						size_format(make->size, size, sizeof size),
						size_format(core->config.capacity, limit,
							sizeof limit)));
			else if (cost.bytes > account->limits[CORE_BYTES] ||
				cost.objects > account->limits[CORE_OBJECTS] ||
				cost.fds > account->limits[CORE_DESCRIPTORS])
				make_fail(core, make, -EDQUOT,
					scratch_text(core, "object %s: the new quotas of uid %u have no "
						"room for it: make it smaller, or raise them",
						object_id_text(core, &make->id), account->uid));
			else
				continue;
			pending_settle(core, pending);
		}
	}
}
