/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/repack.h"

#include "core/account.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/state.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define RETRY_NS (10 * NS_PER_S)

/* ---- who is idle ---- */

static bool is_idle(const struct core *core, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	const struct object *object = &core->objects[o];

	return record->state == WIRE_RESIDENT && !(record->flags & OBJECT_DELETED) &&
	       record->fd >= 0 && record->size <= core->config.inline_max && object->pins == 0 &&
	       object->wanted == 0;
}

/* One more idle object, or one less, for all and for its owner. */
static void count(struct core *core, uint32_t o, int add)
{
	struct repack_hand *all = &core->repack.hand;
	struct repack_hand *own = &account_get(core, object_record(core, o)->uid)->repack;

	*(core->objects[o].repacking ? &all->n_moving : &all->n_idle) += add;
	*(core->objects[o].repacking ? &own->n_moving : &own->n_idle) += add;
}

void repack_reconsider(struct core *core, uint32_t o)
{
	struct object *object = &core->objects[o];
	const bool is = is_idle(core, o);

	if (is == object->idle)
		return;
	object->idle = is;
	count(core, o, is ? 1 : -1);
	if (is)
		repack_wake(core);
}

/* Its copy is on its way, or is no more.  A victim on its way is none that would give a
 * descriptor: it gives it anyway. */
static void set_repacking(struct core *core, uint32_t o, bool is)
{
	struct object *object = &core->objects[o];
	const int add = is ? 1 : -1;

	if (object->idle)
		count(core, o, -1);
	object->repacking = is;
	if (object->idle)
		count(core, o, 1);
	if (index_linked(&object->victim_link))
		core->n_victim_fds -= add;
	if (!is && object->idle)
		repack_wake(core);
}

/* ---- where there is a place ---- */

static uint64_t room_beside(const struct core *core, uint64_t keep)
{
	const uint64_t used = core_used_bytes(core), capacity = core_capacity(core);
	const uint64_t free = used < capacity ? capacity - used : 0;

	return MIN(keep < free ? free - keep : 0, CORE_FRAME_BYTES);
}

static bool has_place(const struct core *core, uint64_t size, uint64_t room)
{
	return pack_takes(core, size) && pack_fresh_bytes(core, size) <= room;
}

void repack_wake(struct core *core)
{
	core->repack.n_wakes++;
}

/* The hand whose objects are asked for. */
static struct repack_hand *hand_of(struct core *core, struct account *of)
{
	return of ? &of->repack : &core->repack.hand;
}

/* The next idle object that has a place; TABLES_NONE: not found so far, or there is none. */
static uint32_t find(struct core *core, struct account *of, uint64_t keep)
{
	struct repack_hand *hand = hand_of(core, of);
	const uint32_t high = core->tables.header->objects_high;
	const uint64_t room = room_beside(core, keep);

	if (hand->n_idle == 0)
		return TABLES_NONE;
	if (hand->event != core->repack.event) {
		hand->event = core->repack.event;
		hand->n_looked = 0;
	}
	while (hand->n_looked < REPACK_LOOK_MAX) {
		const uint32_t o = hand->at < high ? hand->at : 0;

		if (hand->n_fruitless == 0) { /* a round begins */
			hand->least_room = room;
			hand->n_wakes = core->repack.n_wakes;
		}
		hand->least_room = MIN(hand->least_room, room);
		if (hand->n_fruitless++ >= high) {
			hand->resting = true;
			return TABLES_NONE;
		}
		hand->at = o + 1;
		hand->n_looked++;
		if (core->objects[o].idle && !core->objects[o].repacking &&
			(!of || object_record(core, o)->uid == of->uid) &&
			has_place(core, object_record(core, o)->size, room)) {
			hand->n_fruitless = 0;
			return o;
		}
	}
	return TABLES_NONE;
}

/* ---- moving ---- */

static void add_move(struct core *core, struct batch *batch, uint32_t o)
{
	const struct object_record *record = object_record(core, o);
	struct move move = { .object = o, .sequence = record->sequence, .size = record->size,
		.fd = record->fd };
	struct core_pack_write write = { .size = record->size, .from.fd = record->fd };
	uint64_t fresh;

	move.to = pack_take(core, record->size, TABLES_NONE, &fresh);
	write.offset = pack_offset(core, move.to, record->size);
	write.fresh = fresh;
	core->pack.n_writing++;
	/* It has two places, and its owner pays for one. */
	core->object_bytes += pack_charge(core, record->size);
	set_repacking(core, o, true);
	batch_move(batch, &move);
	batch_write(batch, &write);
}

/* After a round in vain the hand rests, even if there were wakes meanwhile: whoever asks is told
 * so once, and need not wait for a round that others make longer all the time. */
static bool is_possible(const struct core *core, struct repack_hand *hand, uint64_t keep)
{
	if (hand->n_idle == 0 || !pack_takes(core, 0) || core->now < core->repack.retry_ns)
		return false;
	if (hand->resting && (hand->n_wakes != core->repack.n_wakes ||
				     room_beside(core, keep) > hand->least_room)) {
		hand->resting = false;
		hand->n_fruitless = 0;
	}
	return !hand->resting;
}

enum repack_result repack_begin(struct core *core, struct account *of, uint32_t n, uint64_t keep)
{
	struct repack *repack = &core->repack;
	struct repack_hand *hand = hand_of(core, of);
	struct batch *batch = NULL;
	uint32_t ticket, begun = 0, o;
	bool more;

	if (!is_possible(core, hand, keep))
		return REPACK_NONE;
	pack_send(core); /* what gives slabs their memory comes first */
	while (begun < n && repack->n_begun < REPACK_MAX) {
		o = find(core, of, keep);
		if (o == TABLES_NONE)
			break;
		if (!batch)
			batch = batch_new(core, OPERATION_PACK_MOVE, &ticket);
		add_move(core, batch, o);
		begun++;
		repack->n_begun++;
	}
	if (batch)
		batch_send(core, ticket, batch);
	more = begun < n && hand->n_idle;
	/* What has come behind the hand is for the next round. */
	if (more && (!hand->resting || hand->n_wakes != repack->n_wakes))
		core->in_haste = true;
	if (batch)
		return REPACK_BEGUN;
	return more && !hand->resting ? REPACK_LATER : REPACK_NONE;
}

void repack_done(struct core *core, const struct move *move, int result)
{
	const struct object_record *record = object_record(core, move->object);
	const bool same = record->state && record->sequence == move->sequence;
	const uint64_t charge = pack_charge(core, move->size);

	core->pack.n_writing--;
	core->object_bytes -= charge;
	if (same)
		set_repacking(core, move->object, false);
	if (result == 0 && same && core->objects[move->object].idle)
		object_repack(core, move->object, move->to);
	else
		pack_give(core, move->to, move->size);
	if (result < 0)
		core->repack.retry_ns = core->now + RETRY_NS;
}

/* ---- when ---- */

/* So many descriptors too many are in use. */
static uint32_t excess(const struct core *core)
{
	const uint32_t enough = (uint64_t)core->config.max_fds * 4 / 5;
	const uint32_t used = core->n_fds - core->n_freeing_fds - core->repack.hand.n_moving;

	return used > enough ? used - enough : 0;
}

void repack_plan(struct core *core)
{
	const uint32_t n = excess(core);

	/* Who waits for room comes first, and sees to descriptors too. */
	if (core->resumed && n && core->queue.n == 0)
		repack_begin(core, NULL, n, 0);
}

int64_t repack_deadline(const struct core *core)
{
	return core->repack.hand.n_idle && core->repack.retry_ns > core->now &&
		(excess(core) || core->queue.n) ?
		core->repack.retry_ns : FOREVER_NS;
}
