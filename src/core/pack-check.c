/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core_check()'s part about the pack: frames, slots and classes agree with the objects. */
#include <stdio.h>
#include <stdlib.h>

#include "core/object.h"
#include "core/pack.h"
#include "core/state.h"

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(bool condition, const char *text, int line)
{
	if (condition)
		return;
	fprintf(stderr, "pack_check: line %d: not so: %s\n", line, text);
	abort();
}

struct class_sums {
	uint32_t n_slabs, n_used, n_free, n_victims;
};

static void check_slab(const struct core *core, uint32_t f, struct class_sums *sums)
{
	const struct frame *frame = &core->pack.frames[f];
	const struct pack_class *class = &core->pack.classes[frame->class];
	uint32_t n = 0, o;

	for (uint32_t slot = 0; slot < class->slots; slot++) {
		const struct object_record *record;

		if (!pack_slot_object(core, f, slot, &o))
			continue;
		record = object_record(core, o);
		CHECK(record->state && record->fd == OBJECT_IN_PACK);
		CHECK(record->place.frame == f && record->place.slot == slot);
		CHECK(pack_class_of(core, record->size) == frame->class);
		sums->n_victims += index_linked(&core->objects[o].victim_link);
		n++;
	}
	CHECK(n <= frame->n_used && frame->n_used <= class->slots);
	CHECK(frame->n_used > 0 || frame->state == FRAME_EVACUATING);
	CHECK((frame->state == FRAME_EVACUATING) == (class->evacuating == f));
	CHECK(index_linked(&frame->link) ==
		(frame->state == FRAME_SLAB && frame->n_used < class->slots));
	sums->n_slabs++;
	sums->n_used += frame->n_used;
	sums->n_free += frame->state == FRAME_SLAB ? class->slots - frame->n_used : 0;
}

void pack_check(const struct core *core)
{
	const struct pack *pack = &core->pack;
	struct class_sums sums[PACK_CLASSES] = { 0 };
	uint64_t slabs = 0, pages = 0, victim_pages = 0;
	uint32_t n_spare = 0, n_pages = 0, n_own = 0;

	for (uint32_t f = 0; f < pack->n_frames; f++) {
		const struct frame *frame = &pack->frames[f];

		if (frame->state == FRAME_SLAB || frame->state == FRAME_EVACUATING)
			check_slab(core, f, &sums[frame->class]);
		n_spare += frame->state == FRAME_SPARE;
		n_pages += frame->state == FRAME_PAGES;
	}
	for (uint32_t o = 0; o < core->tables.header->objects_high; o++) {
		const struct object_record *record = object_record(core, o);

		if (!record->state || record->fd != OBJECT_IN_PACK)
			continue;
		CHECK(record->place.frame < pack->n_frames);
		if (pack_class_of(core, record->size) != PACK_NO_CLASS)
			continue;
		CHECK(pack->frames[record->place.frame].state == FRAME_PAGES);
		pages += pack_charge(core, record->size);
		n_own++;
		if (index_linked(&core->objects[o].victim_link))
			victim_pages += pack_charge(core, record->size);
	}
	for (unsigned int c = 0; c < PACK_CLASSES; c++) {
		const struct pack_class *class = &pack->classes[c];

		CHECK(class->n_slabs == sums[c].n_slabs);
		CHECK(class->n_free == sums[c].n_free);
		CHECK(class->n_victims == sums[c].n_victims);
		CHECK(class->n_live <= sums[c].n_used);
		slabs += class->n_slabs;
	}
	CHECK(pack->n_spare == n_spare);
	CHECK(n_own <= n_pages && pages <= pack->bytes);
	CHECK(pack->victim_pages == victim_pages);
	slabs = (slabs + n_spare) * core->tables.header->slab_bytes;
	CHECK(n_own < n_pages ? slabs + pages < pack->bytes : slabs + pages == pack->bytes);
}
