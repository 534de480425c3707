/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/object.h"
#include "core/pack.h"
#include "core/room.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"

#define PAGE             4096
#define CLASS_MIN_SHIFT  6
#define SPARE_MAX        16 /* empty slabs that are kept */
#define SQUEEZE_MAX      16 /* slabs emptied by one event */

/* Entries of frame.objects that are no object's. */
#define SLOT_WRITTEN     0x7fffffffU /* taken; what is written there is nobody's yet */
#define SLOT_FREE        0x80000000U /* | next free slot; SLOT_END: none */
#define SLOT_END         0x7fffffffU

static_assert(PACK_CLASSES == 4 * (14 - CLASS_MIN_SHIFT) + 1, "the largest class is 16 KiB");

/* ---- sizes ---- */

static uint32_t class_bytes(unsigned int class)
{
	return (UINT32_C(64) << class / 4) + class % 4 * (UINT32_C(16) << class / 4);
}

unsigned int pack_class_of(const struct core *core, uint64_t size)
{
	const uint64_t last = size - 1;
	unsigned int doublings;

	if (size > core->tables.header->slab_bytes / 4)
		return PACK_NO_CLASS;
	if (size <= 64)
		return 0;
	doublings = 63 - __builtin_clzll(last) - CLASS_MIN_SHIFT;
	return 4 * doublings + ((last - (UINT64_C(64) << doublings)) >> (doublings + 4)) + 1;
}

static uint64_t pages(uint64_t size)
{
	return (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

uint64_t pack_charge(const struct core *core, uint64_t size)
{
	const unsigned int class = pack_class_of(core, size);

	return class == PACK_NO_CLASS ? pages(size) : class_bytes(class);
}

bool pack_takes(const struct core *core, uint64_t size)
{
	return core->tables.header->pack_fd >= 0 && size <= core->config.inline_max &&
	       core->tables.header->slab_bytes <= core->config.capacity / CORE_SLABS_MIN &&
	       (!index_list_empty(&core->pack.free) || core->pack.n_frames < core->pack.max_frames);
}

uint64_t pack_need(const struct core *core, uint64_t size)
{
	const unsigned int class = pack_class_of(core, size);

	if (class == PACK_NO_CLASS)
		return pages(size);
	return core->pack.classes[class].n_free ? 0 : core->tables.header->slab_bytes;
}

uint64_t pack_fresh_bytes(const struct core *core, uint64_t size)
{
	if (pack_class_of(core, size) != PACK_NO_CLASS && core->pack.n_spare)
		return 0;
	return pack_need(core, size);
}

uint64_t pack_offset(const struct core *core, struct pack_place place, uint64_t size)
{
	const unsigned int class = pack_class_of(core, size);

	return (uint64_t)place.frame * CORE_FRAME_BYTES +
	       (class == PACK_NO_CLASS ? 0 : (uint64_t)place.slot * class_bytes(class));
}

/* ---- frames ---- */

void pack_init(struct core *core)
{
	struct pack *pack = &core->pack;

	index_list_init(&pack->free);
	index_list_init(&pack->spare);
	pack->max_frames = core->tables.header->pack_bytes / CORE_FRAME_BYTES;
	for (unsigned int c = 0; c < PACK_CLASSES; c++) {
		struct pack_class *class = &pack->classes[c];

		class->slots = core->tables.header->slab_bytes / class_bytes(c);
		class->evacuating = TABLES_NONE;
		for (unsigned int i = 0; i < ARRAY_SIZE(class->partial); i++)
			index_list_init(&class->partial[i]);
	}
}

void pack_deinit(struct core *core)
{
	for (size_t f = 0; f < core->pack.n_frames; f++)
		free(core->pack.frames[f].objects);
	free(core->pack.frames);
}

static struct index_links frame_links(const struct core *core)
{
	return INDEX_LINKS(core->pack.frames, link);
}

/* Frames up to this one exist from now on; they are in no list. */
static void frames_extend(struct core *core, uint32_t f)
{
	struct pack *pack = &core->pack;

	must_grow(&pack->frames, &pack->frames_room, (size_t)f + 1, sizeof *pack->frames);
	for (; pack->n_frames <= f; pack->n_frames++) {
		struct frame *frame = &pack->frames[pack->n_frames];

		*frame = (struct frame){ .class = PACK_NO_CLASS };
		index_link_init(&frame->link);
	}
}

static uint32_t frame_take(struct core *core)
{
	struct tables_header *header = core->tables.header;
	struct pack *pack = &core->pack;
	uint32_t f = pack->free.first;

	if (f != INDEX_NONE) {
		index_list_remove(frame_links(core), &pack->free, f);
		return f;
	}
	if (pack->n_frames == pack->max_frames)
		return TABLES_NONE;
	f = pack->n_frames;
	frames_extend(core, f);
	if (pack->n_frames > header->frames_high) {
		tables_change(&core->tables, &header->frames_high);
		header->frames_high = pack->n_frames;
	}
	return f;
}

void frame_free(struct core *core, uint32_t f)
{
	struct frame *frame = &core->pack.frames[f];

	free(frame->objects);
	frame->objects = NULL;
	frame->state = FRAME_FREE;
	frame->class = PACK_NO_CLASS;
	frame->n_used = 0;
	if (index_list_empty(&core->pack.free))
		repack_wake(core);
	index_list_add_tail(frame_links(core), &core->pack.free, f);
}

void frames_forget(struct core *core)
{
	struct tables_header *header = core->tables.header;
	struct pack *pack = &core->pack;

	assert(pack->bytes == 0 && pack->n_spare == 0 && pack->n_punching == 0);
	index_list_init(&pack->free);
	pack->n_frames = 0;
	tables_change(&core->tables, &header->frames_high);
	header->frames_high = 0;
}

static struct index_list *partial_list(struct core *core, const struct frame *frame)
{
	struct pack_class *class = &core->pack.classes[frame->class];

	return &class->partial[(uint32_t)frame->n_used * ARRAY_SIZE(class->partial) / class->slots];
}

/* A slab with a free slot is in the list for its fill, unless it is being emptied. */
static void list_slab(struct core *core, uint32_t f)
{
	const struct frame *frame = &core->pack.frames[f];

	if (frame->state == FRAME_SLAB && frame->n_used < core->pack.classes[frame->class].slots)
		index_list_add_tail(frame_links(core), partial_list(core, frame), f);
}

static void unlist_slab(struct core *core, uint32_t f)
{
	const struct frame *frame = &core->pack.frames[f];

	if (index_linked(&frame->link))
		index_list_remove(frame_links(core), partial_list(core, frame), f);
}

static void slab_cut(struct core *core, uint32_t f, unsigned int c)
{
	struct pack_class *class = &core->pack.classes[c];
	struct frame *frame = &core->pack.frames[f];

	frame->state = FRAME_SLAB;
	frame->class = c;
	frame->n_used = 0;
	frame->objects = must(malloc(class->slots * sizeof *frame->objects));
	for (uint32_t i = 0; i < class->slots; i++)
		frame->objects[i] = SLOT_FREE | (i + 1 == class->slots ? SLOT_END : i + 1);
	frame->free = 0;
	class->n_slabs++;
	class->n_free += class->slots;
	repack_wake(core);
}

/* A new slab for the class.  Return: TABLES_NONE if the file has no frame left. */
static uint32_t slab_new(struct core *core, unsigned int c, uint64_t *freshp)
{
	const uint32_t slab_bytes = core->tables.header->slab_bytes;
	struct pack *pack = &core->pack;
	uint32_t f = pack->spare.first;

	if (f != INDEX_NONE) {
		index_list_remove(frame_links(core), &pack->spare, f);
		pack->n_spare--;
	} else {
		f = frame_take(core);
		if (f == TABLES_NONE)
			return f;
		pack->bytes += slab_bytes;
		*freshp = slab_bytes;
	}
	slab_cut(core, f, c);
	list_slab(core, f);
	return f;
}

/* Nothing is in the slab any more. */
static void slab_end(struct core *core, uint32_t f)
{
	const uint32_t slab_bytes = core->tables.header->slab_bytes;
	struct pack *pack = &core->pack;
	struct frame *frame = &pack->frames[f];
	struct pack_class *class = &pack->classes[frame->class];

	class->n_free -= class->slots;
	class->n_slabs--;
	free(frame->objects);
	frame->objects = NULL;
	frame->class = PACK_NO_CLASS;
	if (core->resumed && core->queue.n == 0 &&
		pack->n_spare < MIN(SPARE_MAX, core->config.capacity / 256 / slab_bytes)) {
		frame->state = FRAME_SPARE;
		index_list_add_tail(frame_links(core), &pack->spare, f);
		pack->n_spare++;
		repack_wake(core);
	} else {
		pack_punch(core, f, slab_bytes);
	}
}

/* ---- places ---- */

/* The fullest slab that has a free slot: the others may become empty. */
static uint32_t fullest_slab(const struct pack_class *class)
{
	for (unsigned int i = ARRAY_SIZE(class->partial); i-- > 0;)
		if (!index_list_empty(&class->partial[i]))
			return class->partial[i].first;
	return TABLES_NONE;
}

/* Take the slab's first free slot.  Where an object moves to is no new place. */
static struct pack_place slot_take(struct core *core, uint32_t f, uint32_t o)
{
	struct pack_place place = { .frame = f, .slot = core->pack.frames[f].free };
	struct frame *frame = &core->pack.frames[f];

	unlist_slab(core, f);
	frame->free = frame->objects[place.slot] & ~SLOT_FREE;
	frame->objects[place.slot] = o == TABLES_NONE ? SLOT_WRITTEN : o;
	frame->n_used++;
	core->pack.classes[frame->class].n_free--;
	list_slab(core, f);
	return place;
}

/* Nobody reads these bytes after this. */
static void tell_given(struct core *core, uint64_t offset, uint64_t size)
{
	struct core_effect *effect;

	if (!core->resumed)
		return;
	effect = effect_add(core, CORE_PACK_GIVE);
	effect->offset = offset;
	effect->size = size;
}

static void slot_give(struct core *core, struct pack_place place)
{
	struct frame *frame = &core->pack.frames[place.frame];

	tell_given(core, (uint64_t)place.frame * CORE_FRAME_BYTES +
		(uint64_t)place.slot * class_bytes(frame->class), class_bytes(frame->class));
	unlist_slab(core, place.frame);
	frame->objects[place.slot] = SLOT_FREE | frame->free;
	frame->free = place.slot;
	frame->n_used--;
	core->pack.loosened = true;
	if (frame->state == FRAME_SLAB && core->pack.classes[frame->class].n_free++ == 0)
		repack_wake(core);
	if (frame->n_used || frame->state == FRAME_EVACUATING)
		list_slab(core, place.frame);
	else
		slab_end(core, place.frame);
}

static struct pack_place take_pages(struct core *core, uint64_t size, uint64_t *freshp)
{
	const struct pack_place place = { .frame = frame_take(core) };

	if (place.frame == TABLES_NONE)
		return place;
	core->pack.frames[place.frame].state = FRAME_PAGES;
	core->pack.frames[place.frame].n_used = 1;
	core->pack.bytes += pages(size);
	*freshp = pages(size);
	return place;
}

struct pack_place pack_take(struct core *core, uint64_t size, uint32_t o, uint64_t *freshp)
{
	const unsigned int c = pack_class_of(core, size);
	struct pack_place place = { .frame = TABLES_NONE };

	*freshp = 0;
	if (c == PACK_NO_CLASS) {
		place = take_pages(core, size, freshp);
	} else {
		uint32_t f = fullest_slab(&core->pack.classes[c]);

		if (f == TABLES_NONE)
			f = slab_new(core, c, freshp);
		if (f != TABLES_NONE) {
			place = slot_take(core, f, o);
			core->pack.classes[c].n_live++;
		}
	}
	if (place.frame != TABLES_NONE) {
		core->pack.live_bytes += pack_charge(core, size);
		core->pack.n_objects++;
	}
	return place;
}

void pack_set_object(struct core *core, struct pack_place place, uint64_t size, uint32_t o)
{
	if (pack_class_of(core, size) != PACK_NO_CLASS)
		core->pack.frames[place.frame].objects[place.slot] = o;
}

void pack_give(struct core *core, struct pack_place place, uint64_t size)
{
	const unsigned int c = pack_class_of(core, size);

	core->pack.live_bytes -= pack_charge(core, size);
	core->pack.n_objects--;
	if (c == PACK_NO_CLASS) {
		tell_given(core, (uint64_t)place.frame * CORE_FRAME_BYTES, pages(size));
		pack_punch(core, place.frame, pages(size));
	} else {
		core->pack.classes[c].n_live--;
		slot_give(core, place);
	}
}

void pack_count_victim(struct core *core, uint64_t size, int add)
{
	const unsigned int c = pack_class_of(core, size);

	if (c == PACK_NO_CLASS)
		core->pack.victim_pages += add * (int64_t)pages(size);
	else
		core->pack.classes[c].n_victims += add;
}

/* ---- room ---- */

/* Slabs of the class that are not needed when n objects of it are left. */
static uint32_t slabs_above(const struct pack_class *class, uint32_t n)
{
	return class->n_slabs - (n + class->slots - 1) / class->slots;
}

uint64_t pack_compactable(const struct core *core)
{
	uint64_t slabs = 0;

	for (unsigned int c = 0; c < PACK_CLASSES; c++)
		if (core->pack.classes[c].n_slabs)
			slabs += slabs_above(&core->pack.classes[c], core->pack.classes[c].n_live);
	return slabs * core->tables.header->slab_bytes;
}

uint64_t pack_compactable_at_best(const struct core *core)
{
	uint64_t slabs = 0;

	for (unsigned int c = 0; c < PACK_CLASSES; c++) {
		const struct pack_class *class = &core->pack.classes[c];

		if (class->n_slabs)
			slabs += slabs_above(class, class->n_live - class->n_victims);
	}
	return slabs * core->tables.header->slab_bytes + core->pack.victim_pages;
}

uint64_t pack_need_soon(const struct core *core, unsigned int class)
{
	return core->pack.classes[class].n_live % core->pack.classes[class].slots ? 0 :
		core->tables.header->slab_bytes;
}

uint64_t pack_need_at_best(const struct core *core, unsigned int class)
{
	const uint32_t n = core->pack.classes[class].n_live - core->pack.classes[class].n_victims;

	return n % core->pack.classes[class].slots ? 0 : core->tables.header->slab_bytes;
}

uint64_t pack_spare_bytes(const struct core *core)
{
	return (uint64_t)core->pack.n_spare * core->tables.header->slab_bytes;
}

bool pack_shed(struct core *core)
{
	const uint32_t f = core->pack.spare.first;

	if (f == INDEX_NONE)
		return false;
	index_list_remove(frame_links(core), &core->pack.spare, f);
	core->pack.n_spare--;
	pack_punch(core, f, core->tables.header->slab_bytes);
	return true;
}

/* ---- moving objects together ---- */

/* The emptiest slab of the class stops giving slots. */
static uint32_t set_apart(struct core *core, struct pack_class *class)
{
	uint32_t f = TABLES_NONE;

	for (unsigned int i = 0; f == TABLES_NONE && i < ARRAY_SIZE(class->partial); i++)
		f = class->partial[i].first;
	assert(f != TABLES_NONE);
	unlist_slab(core, f);
	core->pack.frames[f].state = FRAME_EVACUATING;
	class->n_free -= class->slots - core->pack.frames[f].n_used;
	class->evacuating = f;
	return f;
}

struct pack_place pack_take_elsewhere(struct core *core, unsigned int class)
{
	return slot_take(core, fullest_slab(&core->pack.classes[class]), TABLES_NONE);
}

void pack_slot_give(struct core *core, struct pack_place place)
{
	slot_give(core, place);
}

bool pack_slot_object(const struct core *core, uint32_t f, uint32_t slot, uint32_t *op)
{
	*op = core->pack.frames[f].objects[slot];
	return !(*op & SLOT_FREE) && *op != SLOT_WRITTEN;
}

void pack_evacuated(struct core *core, uint32_t f)
{
	struct frame *frame = &core->pack.frames[f];
	struct pack_class *class = &core->pack.classes[frame->class];

	core->pack.loosened = true;
	class->evacuating = TABLES_NONE;
	class->n_free += class->slots - frame->n_used;
	repack_wake(core);
	frame->state = FRAME_SLAB;
	if (frame->n_used)
		list_slab(core, f);
	else
		slab_end(core, f);
}

static bool may_evacuate(const struct core *core, const struct pack_class *class)
{
	/* What is being written is nobody's yet, and cannot be moved. */
	return class->n_slabs && class->evacuating == TABLES_NONE && core->pack.n_writing == 0 &&
	       slabs_above(class, class->n_live) > 0;
}

void pack_squeeze(struct core *core, uint64_t bytes)
{
	unsigned int n = 0;
	uint64_t given = 0;

	for (unsigned int c = 0; c < PACK_CLASSES && given < bytes && n < SQUEEZE_MAX; c++) {
		struct pack_class *class = &core->pack.classes[c];

		if (may_evacuate(core, class)) {
			pack_evacuate(core, set_apart(core, class));
			n++;
		}
		if (class->evacuating != TABLES_NONE)
			given += core->tables.header->slab_bytes;
	}
}

void pack_keep_dense(struct core *core)
{
	if (!core->pack.loosened || core->pack.n_writing)
		return;
	core->pack.loosened = false;
	for (unsigned int c = 0; c < PACK_CLASSES; c++) {
		struct pack_class *class = &core->pack.classes[c];

		if (may_evacuate(core, class) && class->n_slabs >
			2 * (class->n_slabs - slabs_above(class, class->n_live)) + 1)
			pack_evacuate(core, set_apart(core, class));
	}
}

/* ---- recovery ---- */

static int claim_slot(struct core *core, uint32_t o, unsigned int c)
{
	const struct object_record *record = object_record(core, o);
	const struct pack_place place = record->place;
	struct pack_class *class = &core->pack.classes[c];
	struct frame *frame = &core->pack.frames[place.frame];

	if (frame->state == FRAME_FREE) {
		slab_cut(core, place.frame, c);
		core->pack.bytes += core->tables.header->slab_bytes;
	}
	if (frame->state != FRAME_SLAB || frame->class != c || place.slot >= class->slots ||
		!(frame->objects[place.slot] & SLOT_FREE))
		return -EUCLEAN;
	frame->objects[place.slot] = o; /* pack_claimed() links the free ones anew */
	frame->n_used++;
	class->n_free--;
	class->n_live++;
	return 0;
}

int pack_claim(struct core *core, uint32_t o)
{
	const struct tables_header *header = core->tables.header;
	const struct object_record *record = object_record(core, o);
	const unsigned int c = pack_class_of(core, record->size);
	struct pack *pack = &core->pack;
	int r = 0;

	if (record->place.frame >= header->frames_high || header->frames_high > pack->max_frames ||
		header->pack_fd < 0)
		return -EUCLEAN;
	frames_extend(core, record->place.frame);
	if (c != PACK_NO_CLASS) {
		r = claim_slot(core, o, c);
	} else if (pack->frames[record->place.frame].state != FRAME_FREE) {
		r = -EUCLEAN;
	} else {
		pack->frames[record->place.frame].state = FRAME_PAGES;
		pack->frames[record->place.frame].n_used = 1;
		pack->bytes += pages(record->size);
	}
	pack->live_bytes += pack_charge(core, record->size);
	pack->n_objects++;
	return r;
}

static void link_free_slots(struct frame *frame, uint32_t slots)
{
	uint32_t *link = &frame->free;

	for (uint32_t i = 0; i < slots; i++)
		if (frame->objects[i] & SLOT_FREE) {
			*link = (link == &frame->free ? 0 : SLOT_FREE) | i;
			link = &frame->objects[i];
		}
	*link = (link == &frame->free ? 0 : SLOT_FREE) | SLOT_END;
}

void pack_claimed(struct core *core)
{
	if (core->tables.header->frames_high)
		frames_extend(core, core->tables.header->frames_high - 1);
	for (uint32_t f = 0; f < core->pack.n_frames; f++) {
		struct frame *frame = &core->pack.frames[f];

		if (frame->state == FRAME_FREE) {
			index_list_add_tail(frame_links(core), &core->pack.free, f);
		} else if (frame->state == FRAME_SLAB) {
			link_free_slots(frame, core->pack.classes[frame->class].slots);
			list_slab(core, f);
		}
	}
}
