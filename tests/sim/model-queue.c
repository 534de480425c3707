/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets room, and who has to make it: R2, R4, R9.
 */
#include <string.h>

#include "model-private.h"

/* ---- what a uid uses ---- */

/* Who is charged for an object: its owner, until it is deleted; then whoever keeps it. */
static uid_t payer(struct model *m, int object)
{
	const struct object *o = &m->objects[object];
	bool memory = !o->hollow && !o->doomed;
	const struct conn *oldest = NULL;

	if (!o->deleted)
		return o->uid;
	for (int i = 0; i < CONNS; i++) {
		const struct conn *c = &m->conns[i];

		if (!(c->live || c->dying) || !(c->pins[object] || (!memory && c->refs[object])))
			continue;
		if (c->uid == o->uid)
			return o->uid;
		if (!oldest || c->life < oldest->life)
			oldest = c;
	}
	if (!oldest)
		return o->uid;
	COVER(m, CHARGED_TO_HOLDER);
	return oldest->uid;
}

struct usage {
	uint64_t bytes, metadata, objects, fds;
};

static uint64_t metadata_of(const struct object *o)
{
	return model_more_charge(o->metadata_size, &o->attributes);
}

static bool has_record(const struct model *m, int object)
{
	const struct object *o = &m->objects[object];

	return o->live && (!o->doomed || (o->deleted && model_refs(m, object)));
}

static struct usage uid_usage(struct model *m, uid_t uid)
{
	struct usage usage = { 0 };

	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];

		if (!o->live || payer(m, i) != uid)
			continue;
		usage.objects += has_record(m, i);
		if (o->hollow || o->doomed)
			continue;
		usage.bytes += o->bytes + metadata_of(o);
		usage.metadata += metadata_of(o);
		usage.fds += !o->packed;
	}
	for (int i = 0; i < WANTS; i++) {
		const struct want *want = &m->wants[i];

		if (!want->used || want->uid != uid)
			continue;
		usage.fds += want->state != WANT_WRITING &&
			(want->state != WANT_QUEUED || want->fd >= 0);
		if (want->state == WANT_QUEUED)
			continue;
		usage.bytes += want->bytes;
		usage.metadata += model_more_charge(want->metadata_size, &want->attributes);
		usage.objects += !want->unpack;
	}
	return usage;
}

/* What it may have of the area for metadata. */
static uint64_t metadata_share(const struct model *m, uid_t uid)
{
	if (uid == 0 || !m->config.shared)
		return UINT64_MAX;
	return m->config.metadata_share ? m->config.metadata_share : 32 << 20;
}

bool model_has_metadata_room(struct model *m, uid_t uid, uint64_t more)
{
	struct usage usage = uid_usage(m, uid);

	if (usage.metadata + more > metadata_share(m, uid)) {
		COVER(m, METADATA_OVER_SHARE);
		return false;
	}
	return usage.bytes + more <= model_quota(m, uid, CORE_BYTES);
}

/* What it would still use if all of its own that may go were gone. */
static struct usage least_usage(struct model *m, uid_t uid)
{
	struct usage usage = uid_usage(m, uid);

	for (int i = 0; i < OBJECTS; i++)
		if (model_evictable(m, i) && m->objects[i].uid == uid) {
			usage.bytes -= m->objects[i].bytes + metadata_of(&m->objects[i]);
			usage.metadata -= metadata_of(&m->objects[i]);
			usage.objects--;
			usage.fds -= !m->objects[i].packed;
		}
	return usage;
}

static bool below(uint64_t used, uint64_t more, uint64_t limit)
{
	return more == 0 || used + more <= limit;
}

static bool is_packable(const struct model *m, const struct want *want)
{
	return want->small && model_pack_takes(m, want->size);
}

static uint64_t quota_bytes(const struct model *m, const struct want *want)
{
	if (is_packable(m, want))
		return model_more_charge(want->metadata_size, &want->attributes) +
			model_pack_charge(m, want->size);
	return want->bytes;
}

/* Who maps an object is not refused for what its owner may have. */
static bool usage_allows(const struct model *m, const struct usage *usage, const struct want *want)
{
	uint32_t fds = want->fd < 0 && !is_packable(m, want);

	return want->unpack ||
		(below(usage->bytes, quota_bytes(m, want), model_quota(m, want->uid, CORE_BYTES)) &&
		below(usage->metadata, model_more_charge(want->metadata_size, &want->attributes),
			metadata_share(m, want->uid)) &&
		below(usage->objects, 1, model_quota(m, want->uid, CORE_OBJECTS)) &&
		below(usage->fds, fds, model_quota(m, want->uid, CORE_DESCRIPTORS)));
}

bool model_quota_may_ever(const struct model *m, const struct want *want)
{
	const struct usage none = { 0 };

	return usage_allows(m, &none, want);
}

bool model_may_ever_fit(const struct model *m, const struct want *want)
{
	return is_packable(m, want) || want->bytes <= m->capacity;
}

static bool quota_allows(struct model *m, const struct want *want)
{
	struct usage usage = uid_usage(m, want->uid);

	if (usage.metadata + model_more_charge(want->metadata_size, &want->attributes) >
		metadata_share(m, want->uid))
		COVER(m, METADATA_OVER_SHARE);
	return usage_allows(m, &usage, want);
}

/* Would it be allowed with so many descriptors less in use? */
static bool quota_allows_with(struct model *m, const struct want *want, uint32_t fds)
{
	struct usage usage = uid_usage(m, want->uid);

	usage.fds -= fds < usage.fds ? fds : usage.fds;
	return usage_allows(m, &usage, want);
}

/* Its uid's quota of descriptors holds it up, nothing else does, and no object on its way into the
 * pack will help. */
static bool is_held_up_by_fds(struct model *m, const struct want *want)
{
	return want->used && want->state == WANT_QUEUED &&
		!quota_allows_with(m, want, model_n_repacking(m, want->uid)) &&
		quota_allows_with(m, want, UINT32_MAX);
}

bool model_quota_needs_repacking(struct model *m, uid_t uid)
{
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].uid == uid && is_held_up_by_fds(m, &m->wants[i]))
			return true;
	return false;
}

/* Must it take descriptors of its uid's idle objects before anything is evicted for it? */
static bool quota_repacks(struct model *m, const struct want *want)
{
	return quota_allows_with(m, want, UINT32_MAX) &&
		(quota_allows_with(m, want, model_n_repacking(m, want->uid)) ||
			model_repackable(m, want->uid, quota_bytes(m, want)) >= 0);
}

/* When its uid has nothing left that could be evicted for it. */
static bool quota_allows_at_best(struct model *m, const struct want *want)
{
	struct usage usage = least_usage(m, want->uid);

	return usage_allows(m, &usage, want);
}

/* ---- what there is for all ---- */

/* Descriptors that objects leave to connections. */
static uint32_t fd_reserve(const struct model *m)
{
	uint32_t reserve = m->max_fds / 8;

	if (reserve > 48)
		reserve = 48;
	return reserve < 3 ? 3 : reserve;
}

static uint32_t used_records(const struct model *m)
{
	uint32_t n = 0;

	for (int i = 0; i < OBJECTS; i++)
		n += has_record(m, i);
	for (int i = 0; i < WANTS; i++)
		n += m->wants[i].used && m->wants[i].state != WANT_QUEUED;
	return n;
}

struct space {
	enum when when;
	int64_t bytes, fds, records;
};

static void add_evictable(const struct model *m, struct space *space);
static uint32_t idle_pool(const struct model *m, uint64_t *bytes);

/* What is free; SOON: when all that was ordered closed is closed, and objects in the pack are moved
 * together; AT_BEST: when, besides, all is dropped that may be. */
static struct space free_space(const struct model *m, enum when when)
{
	uint64_t pool_bytes;
	struct space space = {
		.when = when,
		.bytes = (int64_t)model_capacity(m) - (int64_t)model_used_bytes(m),
		.fds = (int64_t)m->max_fds - fd_reserve(m) - model_used_fds(m),
		.records = (int64_t)m->config.max_objects - used_records(m),
	};

	if (when == NOW)
		return space;
	space.bytes += model_pack_gain(m, when == AT_BEST);
	space.fds += model_n_repacking(m, ANYBODY);
	for (int fd = 0; fd < (int)m->kernel->top; fd++)
		if (m->roles[fd] == ROLE_CLOSING && kernel_file(m->kernel, fd)) {
			space.bytes += m->closing[fd];
			space.fds++;
		}
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].doomed && m->objects[i].fd >= 0) {
			space.bytes += m->objects[i].bytes;
			space.fds++;
		}
	if (when == AT_BEST) {
		add_evictable(m, &space);
		space.fds += idle_pool(m, &pool_bytes);
		space.bytes += pool_bytes;
	}
	return space;
}

static uint64_t need_bytes(const struct model *m, const struct want *want, enum when when)
{
	if (!is_packable(m, want))
		return want->bytes;
	return model_more_charge(want->metadata_size, &want->attributes) +
		model_pack_need(m, want->size, when);
}

static bool fits_but_for_fds(const struct model *m, const struct space *space,
	const struct want *want)
{
	uint64_t bytes = need_bytes(m, want, space->when);

	return (bytes == 0 || (int64_t)bytes <= space->bytes) && space->records >= 1;
}

static bool fits(const struct model *m, const struct space *space, const struct want *want)
{
	/* An offered memfd has its descriptor, and the pack its own. */
	return fits_but_for_fds(m, space, want) &&
		(want->fd >= 0 || is_packable(m, want) || space->fds >= 1);
}

static void add_evictable(const struct model *m, struct space *space)
{
	for (int i = 0; i < OBJECTS; i++)
		if (model_evictable(m, i)) {
			space->bytes += model_more_charge(m->objects[i].metadata_size,
				&m->objects[i].attributes);
			if (!m->objects[i].packed) { /* else see model_pack_gain() */
				space->bytes += m->objects[i].bytes;
				space->fds += !model_is_repacking(m, i);
			}
			space->records++;
		}
}

static uint32_t idle_pool(const struct model *m, uint64_t *bytes)
{
	uint32_t n = 0;

	*bytes = 0;
	for (int fd = 0; fd < (int)m->kernel->top; fd++)
		if (kernel_is_open(m->kernel, fd) && m->roles[fd] == ROLE_POOL) {
			*bytes += model_charge(m, kernel_file(m->kernel, fd)->size);
			n++;
		}
	return n;
}

/* Is there a descriptor for an offered memfd, at the latest when what can be evicted is closed? */
bool model_has_fd(struct model *m, uid_t uid)
{
	struct space best = free_space(m, AT_BEST);
	struct usage usage = least_usage(m, uid);

	if (!below(usage.fds, 1, model_quota(m, uid, CORE_DESCRIPTORS))) {
		COVER(m, OFFERS_OVER_QUOTA);
		return false;
	}
	m->fd_wanted = true;
	m->fd_wanted_uid = uid;
	return best.fds >= 1 && model_used_fds(m) < m->max_fds;
}

/* ---- R4 ---- */

/* Is it the oldest that may go (of this uid, if one_uid; of those with a descriptor)? */
static bool is_oldest(const struct model *m, int object, bool one_uid, bool with_fd)
{
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *other = &m->objects[i];

		if (i == object || !model_evictable(m, i) || other->vague)
			continue;
		if (with_fd && (other->packed || model_is_repacking(m, i)))
			continue;
		if (one_uid && other->uid != m->objects[object].uid)
			continue;
		if (other->attributes.priority != m->objects[object].attributes.priority) {
			if (other->attributes.priority < m->objects[object].attributes.priority)
				return false;
			continue;
		}
		if (other->idle_since < m->objects[object].idle_since)
			return false;
	}
	return true;
}

/* No want needs more bytes than this, at present. */
static uint64_t most_wanted(const struct model *m)
{
	uint64_t most = 0;

	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_QUEUED &&
			need_bytes(m, &m->wants[i], NOW) > most)
			most = need_bytes(m, &m->wants[i], NOW);
	return most;
}

/* Somebody lacks a descriptor, and nothing else. */
bool model_needs_repacking(struct model *m)
{
	struct space soon = free_space(m, SOON);

	for (int i = 0; i < WANTS; i++) {
		const struct want *want = &m->wants[i];

		if (want->used && want->state == WANT_QUEUED && quota_allows(m, want) &&
			!fits(m, &soon, want) && fits_but_for_fds(m, &soon, want))
			return true;
	}
	return soon.fds < 0 || (m->fd_wanted && soon.fds < 1);
}

void model_check_victim(struct model *m, int object)
{
	const struct object *o = &m->objects[object];
	struct space soon = free_space(m, SOON), best = free_space(m, AT_BEST);
	bool by_quota = false, by_space = false, by_fd = false;
	uint64_t pool_bytes;
	uint32_t pool = idle_pool(m, &pool_bytes);

	if (!model_evictable(m, object))
		broken("R4: object %d is dropped, and has %llu references and %llu pins", o->id,
			(unsigned long long)model_refs(m, object),
			(unsigned long long)model_pins(m, object));
	for (int i = 0; i < WANTS; i++) {
		const struct want *want = &m->wants[i];

		if (!want->used || want->state != WANT_QUEUED)
			continue;
		if (!quota_allows(m, want)) {
			by_quota |= want->uid == o->uid && quota_allows_at_best(m, want) &&
				!quota_repacks(m, want);
			continue;
		}
		if (fits(m, &soon, want) || !fits(m, &best, want))
			continue;
		by_space |= !fits_but_for_fds(m, &soon, want);
		by_fd |= fits_but_for_fds(m, &soon, want);
	}
	by_quota |= m->fd_wanted && m->fd_wanted_uid == o->uid &&
		uid_usage(m, o->uid).fds >= model_quota(m, o->uid, CORE_DESCRIPTORS);
	by_space |= soon.bytes < 0;
	by_fd |= soon.fds < 0 || (m->fd_wanted && soon.fds < 1);
	if (m->lossy)
		return;
	if (!by_quota && !by_space && (!by_fd || o->packed))
		broken("R4: object %d is evicted though nobody needs the room, or not even that "
		       "would make enough", o->id);
	if (!by_quota && !by_space && m->pack.begun < 16 &&
		model_repackable(m, ANYBODY, most_wanted(m)) >= 0)
		broken("R19: object %d is evicted for its descriptor, and object %d could give one",
			o->id, m->objects[model_repackable(m, ANYBODY, most_wanted(m))].id);
	if (o->vague)
		return;
	if (!(by_space && is_oldest(m, object, false, false)) &&
		!(by_fd && !o->packed && !model_is_repacking(m, object) && is_oldest(m, object, false, true)) &&
		!(by_quota && is_oldest(m, object, true, false)))
		broken("R4: object %d is evicted before an older one", o->id);
	for (int i = 0; i < OBJECTS; i++)
		if (model_evictable(m, i) && m->objects[i].idle_since < o->idle_since &&
			m->objects[i].attributes.priority > o->attributes.priority)
			COVER(m, EVICTIONS_BY_PRIORITY);
	if (!by_quota && pool)
		broken("R4: object %d is evicted while the pool has memory", o->id);
}

/* The pool takes what nobody asks for. */
void model_check_fill(const struct model *m)
{
	struct space now = free_space(m, NOW);
	uint64_t bytes;

	(void)idle_pool(m, &bytes);
	if (now.bytes < 0 || now.fds < 0)
		broken("R2: the pool is filled beyond what there is");
	if (bytes + m->fills_bytes > m->config.pool_max)
		broken("the pool is filled beyond pool_max");
}

/* ---- R9: the queue ---- */

void model_join_queue(struct model *m, uid_t uid)
{
	for (uint32_t i = 0; i < m->n_ring; i++)
		if (m->ring[i] == uid)
			return;
	m->ring[m->n_ring++] = uid;
}

static struct want *first_of(struct model *m, uid_t uid)
{
	struct want *first = NULL;

	for (int i = 0; i < WANTS; i++) {
		struct want *want = &m->wants[i];

		if (want->used && want->state == WANT_QUEUED && want->uid == uid &&
			(!first || want->arrival < first->arrival))
			first = want;
	}
	return first;
}

void model_leave_queue(struct model *m, uid_t uid)
{
	if (first_of(m, uid))
		return;
	for (uint32_t i = 0; i < m->n_ring; i++)
		if (m->ring[i] == uid) {
			memmove(&m->ring[i], &m->ring[i + 1],
				(--m->n_ring - i) * sizeof m->ring[0]);
			return;
		}
}

/* While holders are not known that the core may know (model.h: lossy), may it count so many more
 * deleted objects to this uid, and at all, that it finds no room? */
static bool may_be_held_up(struct model *m, const struct want *want, const struct space *now)
{
	struct usage usage = uid_usage(m, want->uid);
	struct space least = *now;

	if (!m->lossy)
		return false;
	usage.objects += m->hidden;
	least.records -= m->hidden;
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];

		if (!o->live || !o->deleted)
			continue;
		usage.objects++;
		usage.fds++;
		usage.bytes += o->bytes + metadata_of(o);
		usage.metadata += metadata_of(o);
		least.records -= !has_record(m, i);
	}
	return !usage_allows(m, &usage, want) || !fits(m, &least, want);
}

static void pass(struct model *m, struct want *ahead, const struct want *want,
	const struct space *now)
{
	bool vague = may_be_held_up(m, ahead, now);
	bool quota = quota_allows(m, ahead);

	/* It has failed in this tick, and what was evicted then was not for it. */
	if (m->ticked && ahead->wait >= 0 && m->waits[ahead->wait].deadline <= m->now)
		return;
	if ((!quota || vague) && ahead->uid != want->uid)
		return; /* one that its quota holds up holds up nobody else */
	if (quota && !vague) {
		if (fits(m, now, ahead))
			broken("R9: a create of uid %u (%llu bytes) is begun before one of uid %u "
			       "(%llu bytes), whose turn it is and for which there is room", want->uid,
				(unsigned long long)want->bytes, ahead->uid,
				(unsigned long long)ahead->bytes);
		if (ahead->passes >= CORE_PASS_MAX)
			broken("R9: a create of uid %u is passed more than %d times", ahead->uid,
				CORE_PASS_MAX);
	}
	if (++ahead->passes == CORE_PASS_MAX)
		COVER(m, QUEUE_PASS_LIMIT);
	COVER(m, QUEUE_PASSES);
}

/* Everybody ahead of it: earlier ones of its uid, and the first of each uid before it. */
static void check_turn(struct model *m, const struct want *want)
{
	struct space now = free_space(m, NOW);
	uint32_t place = 0;

	for (; place < m->n_ring && m->ring[place] != want->uid; place++) {
		struct want *ahead = first_of(m, m->ring[place]);

		if (ahead)
			pass(m, ahead, want, &now);
	}
	for (int i = 0; i < WANTS; i++) {
		struct want *ahead = &m->wants[i];

		if (ahead->used && ahead->state == WANT_QUEUED && ahead->uid == want->uid &&
			ahead->arrival < want->arrival)
			pass(m, ahead, want, &now);
	}
	if (want->queued) {
		COVER(m, QUEUE_SERVED);
		if (m->n_ring > 1)
			COVER(m, QUEUE_SEVERAL_UIDS);
	}
}

static void end_turn(struct model *m, uid_t uid)
{
	uint32_t place = 0;

	while (place < m->n_ring && m->ring[place] != uid)
		place++;
	if (place == m->n_ring)
		return;
	memmove(&m->ring[place], &m->ring[place + 1], (--m->n_ring - place) * sizeof m->ring[0]);
	if (first_of(m, uid))
		m->ring[m->n_ring++] = uid;
}

/* It was begun: does its uid stay within its quotas?  Of an offered memfd, the descriptor was
 * charged when it came.  (In the core's eyes somebody else may pay, as long as it knows of
 * holders that the model does not.) */
static void check_usage(struct model *m, const struct want *want)
{
	struct usage usage = uid_usage(m, want->uid);

	if (m->lossy)
		return;
	if (usage.bytes > model_quota(m, want->uid, CORE_BYTES))
		broken("R9: uid %u gets more bytes than its quota", want->uid);
	if (usage.metadata > metadata_share(m, want->uid) &&
		model_more_charge(want->metadata_size, &want->attributes))
		broken("R9: uid %u gets more metadata than its share", want->uid);
	if (usage.objects > model_quota(m, want->uid, CORE_OBJECTS))
		broken("R9: uid %u gets more objects than its quota", want->uid);
	if (want->state == WANT_MAKING && usage.fds > model_quota(m, want->uid, CORE_DESCRIPTORS))
		broken("R9: uid %u gets more descriptors than its quota", want->uid);
}

void model_want_starts(struct model *m, struct want *want, enum want_state state)
{
	struct space before = free_space(m, NOW), now;

	check_turn(m, want);
	if (state == WANT_MAKING && want->fd >= 0) {
		uint64_t brought = model_charge(m, kernel_file(m->kernel, want->fd)->size) +
			model_more_charge(want->metadata_size, &want->attributes);

		if (want->bytes < brought)
			want->bytes = brought;
		m->roles[want->fd] = ROLE_WANT;
	}
	if (state == WANT_WRITING)
		want->bytes = quota_bytes(m, want);
	want->state = state;
	end_turn(m, want->uid);
	now = free_space(m, NOW);
	if (now.bytes < 0 && now.bytes < before.bytes) /* what the pool had takes no more */
		broken("R2: a create of %llu bytes is begun, %lld too many",
			(unsigned long long)want->size, (long long)-now.bytes);
	if (now.fds < 0 && want->fd < 0 && state != WANT_WRITING)
		broken("R2: a create is begun without a descriptor for it");
	if (now.records < 0)
		broken("R2: a create is begun without a record for it");
	if (!want->unpack)
		check_usage(m, want);
}

/* Is something under way that will give room? */
static bool is_busy(const struct model *m)
{
	bool busy = model_pack_is_busy(m);

	for (int fd = 0; fd < (int)m->kernel->top; fd++)
		busy |= m->roles[fd] == ROLE_CLOSING;
	for (int i = 0; i < OBJECTS; i++)
		busy |= m->objects[i].live && m->objects[i].doomed;
	for (int i = 0; i < WANTS; i++)
		busy |= m->wants[i].used && m->wants[i].state == WANT_WRITING;
	return busy;
}

/* Whoever has the turn, and could be served if something were evicted, has it evicted. */
static void check_room_is_made(struct model *m)
{
	struct space now = free_space(m, NOW), soon = free_space(m, SOON);
	struct space best = free_space(m, AT_BEST);

	for (uint32_t i = 0; i < m->n_ring; i++) {
		const struct want *want = first_of(m, m->ring[i]);

		if (!quota_allows(m, want)) {
			if (is_held_up_by_fds(m, want) && m->pack.begun < 16 &&
				model_repackable(m, want->uid, quota_bytes(m, want)) >= 0)
				broken("R19: uid %u waits for its quota of descriptors, and an idle "
				       "object of its own could give one", want->uid);
			if (quota_allows_at_best(m, want) && !quota_repacks(m, want))
				broken("R9: uid %u waits for its quota, and nothing of its own is "
				       "evicted", want->uid);
			continue;
		}
		if (!fits(m, &soon, want) && fits_but_for_fds(m, &soon, want) &&
			model_repackable(m, ANYBODY, need_bytes(m, want, NOW)) >= 0) {
			if (m->pack.begun < 16)
				broken("R19: a create of uid %u waits for a descriptor that an idle "
				       "object could give", want->uid);
			return; /* the next event goes on */
		}
		if (fits(m, &best, want) && !fits(m, &soon, want))
			broken("R9: a create of uid %u waits, and nothing is evicted for it",
				want->uid);
		if (fits(m, &soon, want) && !fits(m, &now, want) && !is_busy(m))
			broken("R9: a create of uid %u waits, and nothing is done for it", want->uid);
		return;
	}
}

void model_check_queue(struct model *m)
{
	struct space now = free_space(m, NOW);
	bool blocked = false;

	if (m->lossy) /* the core may count holders that the model does not know */
		return;
	for (int i = 0; i < WANTS; i++)
		blocked |= m->wants[i].used && m->wants[i].state == WANT_QUEUED &&
			m->wants[i].passes >= CORE_PASS_MAX;
	for (int i = 0; i < WANTS; i++) {
		const struct want *want = &m->wants[i];

		if (!want->used || want->state != WANT_QUEUED || blocked)
			continue;
		if (fits(m, &now, want) && quota_allows(m, want))
			broken("R9: a create of %llu bytes waits though there is room (%lld bytes, %lld "
			       "descriptors, %lld records)", (unsigned long long)want->size,
				(long long)now.bytes, (long long)now.fds, (long long)now.records);
	}
	check_room_is_made(m);
}
