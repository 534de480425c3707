/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pack's life, what is written into it, and objects on the move; see core/pack.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/make.h"
#include "core/object.h"
#include "core/pack.h"
#include "core/pool.h"
#include "core/room.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define RETRY_NS (10 * NS_PER_S)

/* ---- batches ---- */

struct batch *batch_new(struct core *core, int kind, uint32_t *ticketp)
{
	struct batch *batch = must_alloc(1, sizeof *batch);
	struct operation *operation;

	list_init(&batch->makes);
	batch->frame = TABLES_NONE;
	*ticketp = operation_new(core, kind, &operation);
	operation->batch = batch;
	return batch;
}

void batch_free(struct batch *batch)
{
	free(batch->moves);
	free(batch->writes);
	free(batch);
}

void batch_write(struct batch *batch, const struct core_pack_write *write)
{
	must_grow(&batch->writes, &batch->writes_room, batch->n_writes + 1, sizeof *batch->writes);
	batch->writes[batch->n_writes++] = *write;
}

void batch_move(struct batch *batch, const struct move *move)
{
	must_grow(&batch->moves, &batch->moves_room, batch->n_moves + 1, sizeof *batch->moves);
	batch->moves[batch->n_moves++] = *move;
}

/* The effect borrows the batch's writes, which live until it is answered. */
void batch_send(struct core *core, uint32_t ticket, const struct batch *batch)
{
	struct core_effect *effect = effect_add(core, CORE_PACK_WRITE);

	effect->ticket = ticket;
	effect->writes = batch->writes;
	effect->n_writes = batch->n_writes;
}

/* ---- makes ---- */

void pack_write_make(struct core *core, struct make *make, uint64_t fresh)
{
	const struct core_pack_write write = {
		.offset = pack_offset(core, make->place, make->size),
		.size = make->size,
		.fresh = fresh,
		.data = make->data,
		.from.fd = CORE_PLACE_NONE,
	};
	struct batch *batch;

	if (core->pack.ticket == 0)
		batch = batch_new(core, OPERATION_PACK_WRITE, &core->pack.ticket);
	else
		batch = operation_get(core, core->pack.ticket, OPERATION_PACK_WRITE)->batch;
	make->ticket = core->pack.ticket;
	core->pack.n_writing++;
	list_add_tail(&batch->makes, &make->batch_link);
	batch_write(batch, &write);
}

void pack_send(struct core *core)
{
	if (core->pack.ticket == 0)
		return;
	batch_send(core, core->pack.ticket,
		operation_get(core, core->pack.ticket, OPERATION_PACK_WRITE)->batch);
	core->pack.ticket = 0;
}

static void makes_done(struct core *core, struct batch *batch, int result)
{
	struct make *make;

	while ((make = list_first(&batch->makes, struct make, batch_link))) {
		list_remove(&make->batch_link);
		core->pack.n_writing--;
		make_packed(core, make, result);
		tables_breathe(&core->tables);
	}
}

/* ---- moving ---- */

void pack_evacuate(struct core *core, uint32_t f)
{
	const unsigned int class = core->pack.frames[f].class;
	const uint32_t slots = core->pack.classes[class].slots;
	uint32_t ticket, o;
	struct batch *batch = batch_new(core, OPERATION_PACK_MOVE, &ticket);

	batch->frame = f;
	for (uint32_t slot = 0; slot < slots; slot++) {
		struct move move = { .fd = OBJECT_IN_PACK, .from = { f, slot } };
		struct core_pack_write write = { .from.fd = CORE_PLACE_PACK };

		if (!pack_slot_object(core, f, slot, &o))
			continue;
		move.object = o;
		move.sequence = object_record(core, o)->sequence;
		move.to = pack_take_elsewhere(core, class);
		batch_move(batch, &move);
		write.size = object_record(core, o)->size;
		write.offset = pack_offset(core, move.to, write.size);
		write.from.offset = pack_offset(core, move.from, write.size);
		batch_write(batch, &write);
	}
	batch_send(core, ticket, batch);
	tables_count(&core->tables, COUNTER_COMPACTIONS, 1);
}

/* Is the object that was to be moved still where it was? */
static bool is_there(const struct core *core, const struct move *move)
{
	const struct object_record *record = object_record(core, move->object);

	return record->state && record->sequence == move->sequence &&
	       record->fd == OBJECT_IN_PACK && record->place.frame == move->from.frame &&
	       record->place.slot == move->from.slot;
}

static void moves_done(struct core *core, struct batch *batch, int result)
{
	for (size_t i = 0; i < batch->n_moves; i++) {
		const struct move *move = &batch->moves[i];

		if (move->fd >= 0)
			repack_done(core, move, result);
		else if (result < 0 || !is_there(core, move))
			pack_slot_give(core, move->to);
		else
			object_move(core, move->object, move->to);
		tables_breathe(&core->tables);
	}
	if (batch->frame != TABLES_NONE)
		pack_evacuated(core, batch->frame);
}

/* ---- the file ---- */


static bool is_wanted(const struct core *core)
{
	const struct tables_header *header = core->tables.header;

	return core->config.inline_max > 0 &&
	       header->slab_bytes <= core->config.capacity / CORE_SLABS_MIN &&
	       core->n_connections > 0 && !pool_is_idle(core) && core->now >= core->pack.retry_ns;
}

static void open_pack(struct core *core)
{
	struct operation *operation;
	struct core_effect *effect;

	if (!room_has_fds(core, 1))
		return;
	effect = effect_add(core, CORE_PACK_OPEN);
	effect->ticket = core->pack.opening = operation_new(core, OPERATION_PACK_OPEN, &operation);
	effect->size = core->tables.header->pack_bytes;
	core->n_fds++;
}

static void set_fd(struct core *core, int fd, uint64_t inode)
{
	struct tables_header *header = core->tables.header;

	tables_change(&core->tables, &header->pack_fd);
	tables_change(&core->tables, &header->pack_inode);
	header->pack_fd = fd;
	header->pack_inode = inode;
}

static void close_pack(struct core *core)
{
	const int fd = core->tables.header->pack_fd;

	set_fd(core, -1, 0);
	frames_forget(core);
	effect_close(core, fd, 0);
}

void pack_plan(struct core *core)
{
	struct pack *pack = &core->pack;
	const bool open = core->tables.header->pack_fd >= 0;

	if (!core->resumed)
		return;
	if (!open && !pack->opening && is_wanted(core))
		open_pack(core);
	if (open && pool_is_idle(core) && pack->n_objects == 0) {
		while (pack_shed(core))
			;
		if (pack->bytes == 0 && pack->n_punching == 0)
			close_pack(core);
	}
	pack_keep_dense(core);
}

int64_t pack_deadline(const struct core *core)
{
	if (core->in_haste)
		return core->now;
	if (core->tables.header->pack_fd >= 0 && core->pack.n_objects == 0 &&
		(core->pack.n_spare || (core->pack.bytes == 0 && core->pack.n_punching == 0)))
		return pool_idle_at(core);
	return FOREVER_NS;
}

void pack_opened(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode)
{
	operation_end(core, ticket);
	core->pack.opening = 0;
	if (result == 0) {
		set_fd(core, fd, inode);
		return;
	}
	core->n_fds--;
	core->pack.retry_ns = core->now + RETRY_NS;
}

void pack_punch(struct core *core, uint32_t f, uint64_t bytes)
{
	struct operation *operation;
	struct core_effect *effect;

	core->pack.bytes -= bytes;
	if (!core->resumed) { /* pack_resume() gives back what is in no use */
		frame_free(core, f);
		return;
	}
	core->pack.frames[f].state = FRAME_PUNCHED;
	effect = effect_add(core, CORE_PACK_PUNCH);
	effect->ticket = operation_new(core, OPERATION_PUNCH, &operation);
	effect->offset = (uint64_t)f * CORE_FRAME_BYTES;
	effect->size = bytes;
	operation->bytes = bytes;
	operation->frame = f;
	core->freeing_bytes += bytes;
	core->pack.n_punching++;
}

void pack_done(struct core *core, uint32_t ticket, int result)
{
	const struct operation operation = core->operations[ticket - 1];

	switch (operation.kind) {
	case OPERATION_PACK_WRITE:
		operation_end(core, ticket);
		makes_done(core, operation.batch, result);
		batch_free(operation.batch);
		break;
	case OPERATION_PACK_MOVE:
		moves_done(core, operation.batch, result);
		operation_end(core, ticket);
		batch_free(operation.batch);
		break;
	default:
		operation_get(core, ticket, OPERATION_PUNCH);
		operation_end(core, ticket);
		core->freeing_bytes -= operation.bytes;
		core->pack.n_punching--;
		frame_free(core, operation.frame);
	}
}

/* ---- recovery ---- */

void pack_resume(struct core *core)
{
	struct pack *pack = &core->pack;

	if (core->tables.header->pack_fd < 0)
		return;
	pack->loosened = true;
	for (uint32_t f = 0, end; f < pack->n_frames; f = end) {
		struct core_effect *effect;

		for (end = f + 1; end < pack->n_frames && pack->frames[f].state == FRAME_FREE &&
			pack->frames[end].state == FRAME_FREE;)
			end++;
		if (pack->frames[f].state != FRAME_FREE)
			continue;
		effect = effect_add(core, CORE_PACK_PUNCH);
		effect->offset = (uint64_t)f * CORE_FRAME_BYTES;
		effect->size = (uint64_t)(end - f) * CORE_FRAME_BYTES;
	}
}

void pack_forget(struct core *core)
{
	set_fd(core, -1, 0);
	core->n_fds--;
}
