/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pack: which frames have memory, what is in them, and what may be.
 *
 * A frame is known from the write that gives it memory until it is punched; what is
 * in it follows from where the objects, the writes of creates under way and the
 * moves under way are.
 */
#include <errno.h>
#include <string.h>

#include "model-private.h"
#include "util/clock.h"

#define NO_CLASS  (-1)
#define N_CLASSES 33
#define PAGE      4096

void model_pack_init(struct model *m)
{
	m->pack.fd = -1;
	m->pack.slab = m->config.capacity >= 64 << 20 ? 65536 :
		m->config.capacity >= 4 << 20 ? 16384 : 4096;
}

/* ---- sizes ---- */

/* 64, 80, 96, 112, 128, 160, ... */
static uint64_t class_size(int class)
{
	uint64_t size = 64;

	for (; class >= 4; class -= 4)
		size *= 2;
	return size + size / 4 * class;
}

static int class_of(const struct model *m, uint64_t size)
{
	int class = 0;

	if (size > m->pack.slab / 4)
		return NO_CLASS;
	while (class_size(class) < size)
		class++;
	return class;
}

static uint32_t slots(const struct model *m, int class)
{
	return m->pack.slab / class_size(class);
}

uint64_t model_pack_charge(const struct model *m, uint64_t size)
{
	int class = class_of(m, size);

	return class == NO_CLASS ? (size + PAGE - 1) / PAGE * PAGE : class_size(class);
}

bool model_pack_takes(const struct model *m, uint64_t size)
{
	return m->pack.open && size <= m->config.inline_max &&
		m->pack.slab <= m->capacity / CORE_SLABS_MIN;
}

/* ---- what is where ---- */

static struct frame *frame_at(struct model *m, uint64_t offset)
{
	for (int i = 0; i < FRAMES; i++)
		if (m->pack.frames[i].used && m->pack.frames[i].number == offset / CORE_FRAME_BYTES)
			return &m->pack.frames[i];
	return NULL;
}

/* Does a move out of this frame go on? */
static bool is_apart(const struct model *m, uint64_t number)
{
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used && m->pack.moves[i].source == number)
			return true;
	return false;
}

/* Whose bytes are, or will be, in this frame?  at: of these, those that begin there. */
static uint32_t n_in_frame(const struct model *m, uint64_t number, uint64_t at, uint64_t size)
{
	uint32_t n = 0;

#define COUNT(place, bytes)                                                                    \
	(n += (place) / CORE_FRAME_BYTES == number && (place) < at + size && at < (place) + (bytes))
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].packed)
			COUNT(m->objects[i].place, model_pack_charge(m, m->objects[i].size));
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_WRITING)
			COUNT(m->wants[i].place, model_pack_charge(m, m->wants[i].size));
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used)
			COUNT(m->pack.moves[i].to, model_pack_charge(m, m->pack.moves[i].size));
	for (int i = 0; i < LEFT; i++)
		if (m->pack.left[i].used)
			COUNT(m->pack.left[i].place, model_pack_charge(m, m->pack.left[i].size));
#undef COUNT
	return n;
}

static uint32_t n_in(const struct model *m, uint64_t number)
{
	return n_in_frame(m, number, number * CORE_FRAME_BYTES, CORE_FRAME_BYTES);
}

/* An empty slab that was kept. */
static bool is_spare(const struct model *m, const struct frame *frame)
{
	return !frame->punched && !is_apart(m, frame->number) && !n_in(m, frame->number);
}

struct class_counts {
	uint32_t slabs, live, free, victims;
};

/* All that is in the pack, counted in one pass, because every event asks for it. */
struct census {
	struct class_counts classes[N_CLASSES];
	uint32_t spares;
	uint64_t spare_bytes;
};

/* What n_in() says of each of these frames. */
static void count_frames(const struct model *m, const int *frames, uint32_t n, uint32_t *in)
{
	memset(in, 0, n * sizeof *in);
#define COUNT(place)                                                                           \
	do {                                                                                   \
		for (uint32_t k = 0; k < n; k++)                                               \
			in[k] += m->pack.frames[frames[k]].number == (place) / CORE_FRAME_BYTES; \
	} while (0)
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].packed)
			COUNT(m->objects[i].place);
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_WRITING)
			COUNT(m->wants[i].place);
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used)
			COUNT(m->pack.moves[i].to);
	for (int i = 0; i < LEFT; i++)
		if (m->pack.left[i].used)
			COUNT(m->pack.left[i].place);
#undef COUNT
}

/* The slabs of each class, and those that are kept empty. */
static void count_slabs(const struct model *m, struct census *census)
{
	int frames[FRAMES];
	uint32_t in[FRAMES], n = 0;

	for (int i = 0; i < FRAMES; i++)
		if (m->pack.frames[i].used && !m->pack.frames[i].punched)
			frames[n++] = i;
	count_frames(m, frames, n, in);
	for (uint32_t k = 0; k < n; k++) {
		const struct frame *frame = &m->pack.frames[frames[k]];
		bool apart = is_apart(m, frame->number);

		if (!apart && !in[k]) {
			census->spares++;
			census->spare_bytes += frame->bytes;
		} else if (frame->class != NO_CLASS) {
			census->classes[frame->class].slabs++;
			if (!apart)
				census->classes[frame->class].free += slots(m, frame->class) - in[k];
		}
	}
}

static void take_census(const struct model *m, struct census *census)
{
	memset(census, 0, sizeof *census);
	count_slabs(m, census);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];
		int class;

		if (!o->live || !o->packed || (class = class_of(m, o->size)) == NO_CLASS)
			continue;
		census->classes[class].live++;
		census->classes[class].victims += model_evictable(m, i);
	}
	for (int i = 0; i < WANTS; i++) {
		int class;

		if (m->wants[i].used && m->wants[i].state == WANT_WRITING &&
			(class = class_of(m, m->wants[i].size)) != NO_CLASS)
			census->classes[class].live++;
	}
	for (int i = 0; i < MOVES; i++) {
		int class;

		if (m->pack.moves[i].used && m->pack.moves[i].fd >= 0 &&
			(class = class_of(m, m->pack.moves[i].size)) != NO_CLASS)
			census->classes[class].live++;
	}
}

static uint32_t needed(const struct model *m, int class, uint32_t n)
{
	return (n + slots(m, class) - 1) / slots(m, class);
}

/* ---- room ---- */

uint64_t model_pack_bytes(const struct model *m)
{
	uint64_t bytes = 0;

	for (int i = 0; i < FRAMES; i++)
		if (m->pack.frames[i].used)
			bytes += m->pack.frames[i].bytes;
	return bytes;
}

/* What moving objects together gives; or if all that may be evicted is, and nothing is kept. */
uint64_t model_pack_gain(const struct model *m, bool at_best)
{
	struct census census;
	uint64_t bytes;

	take_census(m, &census);
	bytes = at_best ? census.spare_bytes : 0;
	for (int i = 0; i < FRAMES; i++)
		if (m->pack.frames[i].used && m->pack.frames[i].punched)
			bytes += m->pack.frames[i].bytes;
	for (int class = 0; class < N_CLASSES && m->pack.slab >= 4 * class_size(class); class++) {
		struct class_counts counts = census.classes[class];
		uint32_t left = counts.live - (at_best ? counts.victims : 0);

		bytes += (uint64_t)(counts.slabs - needed(m, class, left)) * m->pack.slab;
	}
	for (int i = 0; at_best && i < OBJECTS; i++)
		if (m->objects[i].packed && model_evictable(m, i) &&
			class_of(m, m->objects[i].size) == NO_CLASS)
			bytes += model_pack_charge(m, m->objects[i].size);
	return bytes;
}

uint64_t model_pack_need(const struct model *m, uint64_t size, enum when when)
{
	int class = class_of(m, size);
	struct class_counts counts;
	struct census census;
	uint32_t left;

	if (class == NO_CLASS)
		return model_pack_charge(m, size);
	take_census(m, &census);
	counts = census.classes[class];
	if (when == NOW)
		return counts.free ? 0 : m->pack.slab;
	left = counts.live - (when == AT_BEST ? counts.victims : 0);
	return left % slots(m, class) ? 0 : m->pack.slab;
}

bool model_pack_is_busy(const struct model *m)
{
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used)
			return true;
	for (int i = 0; i < FRAMES; i++)
		if (m->pack.frames[i].used && m->pack.frames[i].punched)
			return true;
	return m->pack.opening;
}

/* ---- idle objects in memfds ---- */

bool model_is_idle(const struct model *m, int object)
{
	const struct object *o = &m->objects[object];

	return o->live && o->state == OBJECT_RESIDENT && !o->deleted && !o->doomed && !o->hollow &&
		o->fd >= 0 && o->size <= m->config.inline_max && model_pins(m, object) == 0 &&
		!model_is_wanted(m, object);
}

/* Is a copy of its memfd on its way, whether it is idle or not? */
static bool has_copy(const struct model *m, int object)
{
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used && m->pack.moves[i].fd >= 0 &&
			m->pack.moves[i].object == object &&
			m->pack.moves[i].order == m->objects[object].order)
			return true;
	return false;
}

bool model_is_repacking(const struct model *m, int object)
{
	return model_is_idle(m, object) && has_copy(m, object);
}

uint32_t model_n_repacking(const struct model *m, uid_t uid)
{
	uint32_t n = 0;

	for (int i = 0; i < MOVES; i++) {
		const struct move *move = &m->pack.moves[i];

		n += move->used && move->fd >= 0 && move->order == m->objects[move->object].order &&
			(uid == ANYBODY || m->objects[move->object].uid == uid) &&
			model_is_idle(m, move->object);
	}
	return n;
}

int model_repackable(const struct model *m, uid_t uid, uint64_t keep)
{
	uint64_t used = model_used_bytes(m), capacity = model_capacity(m);
	uint64_t free = used < capacity ? capacity - used : 0;
	struct census census;

	if (m->now < m->pack.again)
		return -1;
	free = keep < free ? free - keep : 0;
	take_census(m, &census);
	for (int i = 0; i < OBJECTS; i++) {
		int class = class_of(m, m->objects[i].size);

		if (!model_is_idle(m, i) || has_copy(m, i) ||
			(uid != ANYBODY && m->objects[i].uid != uid) ||
			!model_pack_takes(m, m->objects[i].size))
			continue;
		if (class == NO_CLASS ? model_pack_charge(m, m->objects[i].size) <= free :
			census.spares || m->pack.slab <= free || census.classes[class].free)
			return i;
	}
	return -1;
}

/* Four fifths of the descriptors, but for those that are being given back. */
static uint32_t n_above(const struct model *m)
{
	uint32_t used = model_used_fds(m) - model_n_repacking(m, ANYBODY);

	for (int fd = 0; fd < (int)m->kernel->top; fd++)
		used -= m->roles[fd] == ROLE_CLOSING && kernel_file(m->kernel, fd);
	for (int i = 0; i < OBJECTS; i++) /* aborted, when the kernel has done with it */
		used -= m->objects[i].live && m->objects[i].doomed && m->objects[i].fd >= 0;
	return used > m->max_fds * 4 / 5 ? used - m->max_fds * 4 / 5 : 0;
}

void model_check_repacking(const struct model *m)
{
	int object;

	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_QUEUED)
			return;
	if (m->lossy || n_above(m) == 0 || m->pack.begun >= 16)
		return;
	object = model_repackable(m, ANYBODY, 0);
	if (object >= 0)
		broken("R19: %u of %u descriptors are in use, and object %d keeps its own",
			model_used_fds(m), m->max_fds, m->objects[object].id);
}

/* ---- effects ---- */

void model_effect_pack_open(struct model *m, const struct core_effect *effect)
{
	if (m->pack.open || m->pack.opening)
		broken("a second pack is made");
	m->pack.opening = true;
}

static void fresh_frame(struct model *m, const struct core_pack_write *write)
{
	int class = class_of(m, write->size), i = 0;

	if (frame_at(m, write->offset))
		broken("memory is given to a frame that has some");
	if (write->fresh != (class == NO_CLASS ? model_pack_charge(m, write->size) : m->pack.slab))
		broken("a frame for %u bytes is given %u", write->size, write->fresh);
	while (m->pack.frames[i].used)
		if (++i == FRAMES)
			broken("the simulation has too few frames");
	m->pack.frames[i] = (struct frame){
		.used = true,
		.number = write->offset / CORE_FRAME_BYTES,
		.bytes = write->fresh,
		.class = class,
	};
}

/* Something is to be written there: the place must be fit for it, and nobody's. */
static void check_place(struct model *m, const struct core_pack_write *write)
{
	int class = class_of(m, write->size);
	uint64_t inside = write->offset % CORE_FRAME_BYTES;
	struct frame *frame;

	if (write->fresh)
		fresh_frame(m, write);
	frame = frame_at(m, write->offset);
	if (!frame || frame->punched)
		broken("something is written to a frame without memory");
	if (is_apart(m, frame->number))
		broken("something is written to a slab that is being emptied");
	if (is_spare(m, frame))
		frame->class = class;
	if (frame->class != class)
		broken("%u bytes are written among others of another class", write->size);
	if (class == NO_CLASS ? inside != 0 || n_in(m, frame->number) :
		inside % class_size(class) || inside + class_size(class) > m->pack.slab)
		broken("%u bytes are written to no place", write->size);
	if (n_in_frame(m, frame->number, write->offset, model_pack_charge(m, write->size)))
		broken("what is written overwrites something");
}

static struct want *want_for(struct model *m, const struct core_pack_write *write)
{
	struct want *want = NULL;

	for (int i = 0; i < WANTS; i++) {
		struct want *w = &m->wants[i];

		if (!w->used || w->state != WANT_QUEUED || w->wait < 0 || w->size != write->size ||
			m->waits[w->wait].request.type != WIRE_PUT ||
			!request_is_filled(write->data, write->size, w->tag))
			continue;
		if (!want || w->arrival < want->arrival)
			want = w;
	}
	if (!want)
		broken("%u bytes are written to the pack, which nobody put", write->size);
	return want;
}

static void write_want(struct model *m, const struct core_effect *effect,
	const struct core_pack_write *write)
{
	struct want *want = want_for(m, write);

	if (!model_pack_takes(m, want->size))
		broken("R19: an object of %u bytes goes into the pack", write->size);
	want->ticket = effect->ticket;
	want->place = UINT64_MAX;
	want->stamp = request_hash(write->data, write->size);
	model_want_starts(m, want, WANT_WRITING);
	check_place(m, write);
	want->place = write->offset;
	want->turn = ++m->arrivals;
	COVER(m, PACK_WRITES);
}

static void write_move(struct model *m, const struct core_effect *effect,
	const struct core_pack_write *write, uint64_t *sourcep)
{
	int object = -1, i = 0;

	for (int k = 0; k < OBJECTS; k++)
		if (m->objects[k].live && m->objects[k].packed && !m->objects[k].doomed &&
			m->objects[k].place == write->from.offset)
			object = k;
	if (object < 0 || m->objects[object].size != write->size)
		broken("%u bytes are moved in the pack, which are no object", write->size);
	*sourcep = write->from.offset / CORE_FRAME_BYTES;
	check_place(m, write);
	while (m->pack.moves[i].used)
		if (++i == MOVES)
			broken("the simulation has too few moves");
	m->pack.moves[i] = (struct move){
		.used = true,
		.ticket = effect->ticket,
		.object = object,
		.order = m->objects[object].order,
		.fd = -1,
		.from = write->from.offset,
		.to = write->offset,
		.size = write->size,
		.source = UINT64_MAX,
	};
	COVER(m, PACK_MOVES);
}

static void write_repack(struct model *m, const struct core_effect *effect,
	const struct core_pack_write *write)
{
	int object = -1, i = 0;

	for (int k = 0; k < OBJECTS; k++)
		if (m->objects[k].live && !m->objects[k].packed && m->objects[k].fd == write->from.fd)
			object = k;
	if (object < 0 || m->objects[object].size != write->size || write->from.offset)
		broken("%u bytes are put back into the pack, which are no object", write->size);
	if (!m->lossy && !model_is_idle(m, object))
		broken("R19: object %d is put back into the pack while it is in use",
			m->objects[object].id);
	if (has_copy(m, object))
		broken("object %d is put back into the pack twice", m->objects[object].id);
	if (!model_pack_takes(m, write->size) || m->now < m->pack.again)
		broken("R19: object %d is put back into the pack, which takes none now",
			m->objects[object].id);
	if (++m->pack.begun > 16)
		broken("R19: one event puts back %u objects", m->pack.begun);
	check_place(m, write);
	if (write->fresh && model_used_bytes(m) > model_capacity(m))
		broken("R2: there is no room for the pack to take object %d",
			m->objects[object].id);
	while (m->pack.moves[i].used)
		if (++i == MOVES)
			broken("the simulation has too few moves");
	m->pack.moves[i] = (struct move){
		.used = true,
		.ticket = effect->ticket,
		.object = object,
		.order = m->objects[object].order,
		.fd = write->from.fd,
		.from = UINT64_MAX,
		.to = write->offset,
		.size = write->size,
		.source = UINT64_MAX,
	};
	COVER(m, REPACKS);
	if (model_evictable(m, object))
		COVER(m, REPACKS_OF_VICTIMS);
}

/* Are they all of a uid that its quota of descriptors holds up? */
static bool is_for_quota(struct model *m, struct move *const *moves, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!model_quota_needs_repacking(m, m->objects[moves[i]->object].uid))
			return false;
	return true;
}

/* Was there a need of it before these objects were on their way? */
static void check_need(struct model *m, const struct core_effect *effect)
{
	struct move *moves[MOVES];
	uint32_t n = 0;

	for (int i = 0; i < MOVES; i++) {
		struct move *move = &m->pack.moves[i];

		if (!move->used || move->ticket != effect->ticket || move->fd < 0)
			continue;
		move->used = false;
		moves[n++] = move;
	}
	if (n && model_needs_repacking(m))
		COVER(m, REPACKS_FOR_OTHERS);
	else if (n && is_for_quota(m, moves, n))
		COVER(m, REPACKS_FOR_QUOTAS);
	else if (n && n_above(m) == 0 && !m->lossy)
		broken("R19: objects are put back into the pack, and nobody needs a descriptor");
	while (n)
		moves[--n]->used = true;
}

void model_effect_pack_write(struct model *m, const struct core_effect *effect)
{
	uint64_t source = UINT64_MAX;

	if (!m->pack.open)
		broken("something is written to the pack, and there is none");
	if (effect->n_writes == 0)
		broken("nothing is written to the pack");
	for (uint32_t i = 0; i < effect->n_writes; i++) {
		const struct core_pack_write *write = &effect->writes[i];
		uint64_t of = UINT64_MAX;

		if (write->from.fd == CORE_PLACE_NONE)
			write_want(m, effect, write);
		else if (write->from.fd >= 0)
			write_repack(m, effect, write);
		else
			write_move(m, effect, write, &of);
		if (i > 0 && of != source)
			broken("objects of two slabs are moved at once");
		source = of;
	}
	check_need(m, effect);
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used && m->pack.moves[i].ticket == effect->ticket &&
			m->pack.moves[i].fd < 0) {
			if (m->pack.moves[i].to / CORE_FRAME_BYTES == source)
				broken("an object is moved within a slab that is being emptied");
			m->pack.moves[i].source = source;
		}
}

void model_effect_pack_give(struct model *m, const struct core_effect *effect)
{
	for (int i = 0; i < LEFT; i++)
		if (m->pack.left[i].used && m->pack.left[i].place == effect->offset) {
			m->pack.left[i].used = false;
			return;
		}
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &m->objects[i];

		if (!o->live || !o->packed || o->place != effect->offset)
			continue;
		if (effect->size != model_pack_charge(m, o->size))
			broken("object %d gives back %llu bytes of the pack", o->id,
				(unsigned long long)effect->size);
		if (!o->doomed) {
			model_check_victim(m, i);
			COVER(m, EVICTIONS);
			COVER(m, PACK_EVICTIONS);
		}
		model_drop(m, i);
		return;
	}
	broken("a place in the pack is given back that was nobody's");
}

void model_effect_pack_punch(struct model *m, const struct core_effect *effect)
{
	uint64_t first = effect->offset / CORE_FRAME_BYTES;
	uint64_t end = (effect->offset + effect->size + CORE_FRAME_BYTES - 1) / CORE_FRAME_BYTES;
	struct frame *frame = frame_at(m, effect->offset);

	for (uint64_t number = first; number < end; number++)
		if (n_in(m, number) || is_apart(m, number))
			broken("memory of the pack is given back in which something is");
	if (effect->ticket == 0) { /* an heir's, of frames that it does not know to have any */
		for (int i = 0; i < FRAMES; i++)
			if (m->pack.frames[i].used && m->pack.frames[i].number >= first &&
				m->pack.frames[i].number < end)
				broken("memory of the pack is given back without being counted");
		return;
	}
	if (!frame || frame->punched || frame->bytes != effect->size)
		broken("memory of the pack is given back that is not there");
	frame->punched = true;
	frame->ticket = effect->ticket;
	COVER(m, PACK_PUNCHES);
}

/* ---- answers ---- */

void model_pack_opened(struct model *m, int result, int fd)
{
	m->pack.opening = false;
	if (result < 0)
		return;
	m->pack.open = true;
	m->pack.fd = fd;
	m->roles[fd] = ROLE_PACK;
}

static void leave(struct model *m, uint64_t place, uint64_t size)
{
	int i = 0;

	while (m->pack.left[i].used)
		if (++i == LEFT)
			broken("the simulation has too few places");
	m->pack.left[i] = (struct left){ .used = true, .place = place, .size = size };
}

void model_pack_leave(struct model *m, int object)
{
	leave(m, m->objects[object].place, m->objects[object].size);
	m->objects[object].packed = false;
}

/* Its memfd is closed, if it is still idle; who counted as its holder keeps it so. */
static void repacked(struct model *m, const struct move *move, int result)
{
	struct object *o = &m->objects[move->object];

	if (result < 0)
		m->pack.again = m->now + 10 * NS_PER_S;
	if (result < 0 || o->order != move->order || !model_is_idle(m, move->object)) {
		leave(m, move->to, move->size);
		COVER(m, REPACKS_IN_VAIN);
		return;
	}
	m->roles[o->fd] = ROLE_ORPHAN;
	o->packed = true;
	o->place = move->to;
	o->fd = -1;
	o->bytes = model_pack_charge(m, o->size);
}

static void moved(struct model *m, struct move *move, int result)
{
	struct object *o = &m->objects[move->object];

	move->used = false;
	if (move->fd >= 0) {
		repacked(m, move, result);
		return;
	}
	if (result == 0 && o->live && o->order == move->order && o->packed && !o->doomed &&
		o->place == move->from) {
		leave(m, o->place, o->size);
		o->place = move->to;
		return;
	}
	leave(m, move->to, move->size);
	COVER(m, PACK_MOVES_IN_VAIN);
}

void model_packed(struct model *m, uint32_t ticket, int result)
{
	for (int i = 0; i < FRAMES; i++)
		if (m->pack.frames[i].used && m->pack.frames[i].punched &&
			m->pack.frames[i].ticket == ticket) {
			m->pack.frames[i].used = false;
			return;
		}
	for (int i = 0; i < MOVES; i++)
		if (m->pack.moves[i].used && m->pack.moves[i].ticket == ticket)
			moved(m, &m->pack.moves[i], result);
	for (;;) {
		struct want *want = NULL;

		for (int i = 0; i < WANTS; i++)
			if (m->wants[i].used && m->wants[i].state == WANT_WRITING &&
				m->wants[i].ticket == ticket &&
				(!want || m->wants[i].turn < want->turn))
				want = &m->wants[i];
		if (!want)
			return;
		if (result < 0 || want->wait < 0)
			leave(m, want->place, want->size);
		model_want_written(m, want, result);
	}
}

/* ---- the end of an event ---- */

void model_settle_pack(struct model *m)
{
	struct census census;
	bool moving[N_CLASSES] = { false };

	for (int i = 0; i < LEFT; i++)
		if (m->pack.left[i].used)
			broken("a place in the pack is nobody's, and not given back");
	take_census(m, &census);
	if (census.spares > 16)
		broken("R19: %u empty slabs are kept", census.spares);
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_WRITING)
			return;
	for (int i = 0; i < MOVES; i++) {
		int class = m->pack.moves[i].used ? class_of(m, m->pack.moves[i].size) : NO_CLASS;

		if (m->pack.moves[i].used && m->pack.moves[i].fd >= 0)
			return;
		if (class != NO_CLASS)
			moving[class] = true;
	}
	for (int class = 0; class < N_CLASSES && m->pack.slab >= 4 * class_size(class); class++) {
		struct class_counts counts = census.classes[class];

		if (!moving[class] && counts.slabs > 2 * needed(m, class, counts.live) + 1)
			broken("R19: %u slabs hold %u objects of up to %llu bytes", counts.slabs,
				counts.live, (unsigned long long)class_size(class));
	}
}

/* ---- the heir ---- */

/* What was under way is not known any more; what is in the tables is. */
void model_pack_death(struct model *m)
{
	memset(m->pack.moves, 0, sizeof m->pack.moves);
	memset(m->pack.left, 0, sizeof m->pack.left);
	m->pack.opening = false;
	m->pack.open = false;
	m->pack.again = 0;
}

uint64_t model_pack_offset(const struct model *m, uint32_t frame, uint32_t slot, uint64_t size)
{
	int class = class_of(m, size);

	return (uint64_t)frame * CORE_FRAME_BYTES + (class == NO_CLASS ? 0 : slot * class_size(class));
}

void model_heir_place(struct model *m, int id, uint64_t offset, uint64_t tag)
{
	struct object *o = NULL;

	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].packed && !m->objects[i].doomed &&
			m->objects[i].place == offset)
			o = &m->objects[i];
	if (!o || o->id != id)
		broken("the tables have an object %d in the pack that is none", id);
	if (o->named)
		broken("the tables name object %d twice", id);
	o->named = true;
	if (tag != o->tag && !o->losing)
		broken("object %d has other bytes after a death than were put there", id);
}

/* Frames have the memory that what is in them needs; the rest is given back. */
void model_heir_pack(struct model *m)
{
	memset(m->pack.frames, 0, sizeof m->pack.frames);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];
		int class = class_of(m, o->size), k = 0;

		if (!o->live || !o->packed || frame_at(m, o->place))
			continue;
		while (m->pack.frames[k].used)
			k++;
		m->pack.frames[k] = (struct frame){
			.used = true,
			.number = o->place / CORE_FRAME_BYTES,
			.bytes = class == NO_CLASS ? model_pack_charge(m, o->size) : m->pack.slab,
			.class = class,
		};
	}
}
