/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/pack.h - places of small objects in the pack (R19)
 *
 * The pack is one sparse memfd that no client ever gets, cut into frames of
 * CORE_FRAME_BYTES.  Only the beginning of a frame has memory: a *slab* of
 * tables.header.slab_bytes, with slots of one size class, or the pages of one
 * object that is too large for slots.  So the pack needs one descriptor however
 * many objects there are, a slab costs what its objects need, and compaction moves
 * the objects of one slab into free slots of others of its class: that needs no
 * memory, and can be done even when every byte of the store is used.
 *
 * Which places are used is in the object records; the rest is derived.  A place
 * is free again as soon as it is given back: whatever is written there later is
 * an effect, and effects of the pack are carried out in order.
 */
#ifndef CORE_PACK_H
#define CORE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tables.h"

#define PACK_CLASSES  33  /* 64 bytes to 16 KiB, four for each doubling */
#define PACK_NO_CLASS PACK_CLASSES

struct batch;
struct core;
struct core_pack_write;
struct make;
struct move;

void pack_init(struct core *core);
void pack_deinit(struct core *core);

/* The size class of an object, or PACK_NO_CLASS: it gets pages of its own. */
unsigned int pack_class_of(const struct core *core, uint64_t size);
/* Do objects of this size go into the pack now? */
bool pack_takes(const struct core *core, uint64_t size);
/* What one is charged to its owner. */
uint64_t pack_charge(const struct core *core, uint64_t size);
/* How much more memory it needs now: 0 if a slot is free. */
uint64_t pack_need(const struct core *core, uint64_t size);
/* How much more capacity pack_take() would take: a slab that is kept is not asked for again. */
uint64_t pack_fresh_bytes(const struct core *core, uint64_t size);

/* A place for the object (TABLES_NONE: the write that fills it is in flight), or one with frame
 * TABLES_NONE: the pack's file has no frame left.
 * @freshp: out: so many bytes from the beginning of the frame need memory first */
struct pack_place pack_take(struct core *core, uint64_t size, uint32_t o, uint64_t *freshp);
/* Whose is it? */
void pack_set_object(struct core *core, struct pack_place place, uint64_t size, uint32_t o);
void pack_give(struct core *core, struct pack_place place, uint64_t size);
/* In the pack's file. */
uint64_t pack_offset(const struct core *core, struct pack_place place, uint64_t size);

/* An object in a slot became evictable, or is no longer (add -1). */
void pack_count_victim(struct core *core, uint64_t size, int add);

/* ---- room ---- */

/* What compaction can give back. */
uint64_t pack_compactable(const struct core *core);
/* ... and what it could if everything that may be evicted were. */
uint64_t pack_compactable_at_best(const struct core *core);
/* What one more object of this class will need then: 0, or a slab. */
uint64_t pack_need_soon(const struct core *core, unsigned int class);
uint64_t pack_need_at_best(const struct core *core, unsigned int class);
/* Give back an empty slab that was kept.  Return: false if there is none. */
bool pack_shed(struct core *core);
uint64_t pack_spare_bytes(const struct core *core);
/* Move objects together until so many bytes are given back, a bounded step of it at a time. */
void pack_squeeze(struct core *core, uint64_t bytes);

/* ---- life: core/pack-move.c ---- */

/* The event ends: open the pack, close it, move what leaves too much empty. */
void pack_plan(struct core *core);
int64_t pack_deadline(const struct core *core);
void pack_opened(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode);
/* A CORE_PACK_WRITE or CORE_PACK_PUNCH is done. */
void pack_done(struct core *core, uint32_t ticket, int result);
/* Let the batch of this event write the make's bytes to its place; then let an edge do it. */
void pack_write_make(struct core *core, struct make *make, uint64_t fresh);
void pack_send(struct core *core);
void batch_free(struct batch *batch);

/* A batch of another kind: begin it, add to it, let an edge carry it out. */
struct batch *batch_new(struct core *core, int kind, uint32_t *ticketp);
void batch_move(struct batch *batch, const struct move *move);
void batch_write(struct batch *batch, const struct core_pack_write *write);
void batch_send(struct core *core, uint32_t ticket, const struct batch *batch);

/* ---- between pack.c and pack-move.c ---- */

/* Begin to move the objects of a slab elsewhere; it gives no slots any more. */
void pack_evacuate(struct core *core, uint32_t frame);
/* ... that is done, as far as it could be. */
void pack_evacuated(struct core *core, uint32_t frame);
/* Move objects of classes that have more than twice the slabs that they need. */
void pack_keep_dense(struct core *core);
/* Give a frame's memory back, and when that is done: it is free. */
void pack_punch(struct core *core, uint32_t frame, uint64_t bytes);
void frame_free(struct core *core, uint32_t frame);
/* All are free, and the next file has used none of its own. */
void frames_forget(struct core *core);
/* A slot for an object that has one; giving back what pack_take_elsewhere() took, or what the
 * object had. */
struct pack_place pack_take_elsewhere(struct core *core, unsigned int class);
void pack_slot_give(struct core *core, struct pack_place place);
/* Which object is in the slot?  Return: false if none is. */
bool pack_slot_object(const struct core *core, uint32_t frame, uint32_t slot, uint32_t *op);

/* For core_check(). */
void pack_check(const struct core *core);

/* ---- recovery ---- */

/* Is it there?  Return: 0, -EUCLEAN (an impossible place, or taken twice). */
int pack_claim(struct core *core, uint32_t o);
/* All objects are claimed: the rest of the frames is free. */
void pack_claimed(struct core *core);
/* Effects are taken again: give back what no object is in. */
void pack_resume(struct core *core);
/* The pack's descriptor is not what the tables say, and its objects are gone. */
void pack_forget(struct core *core);

#endif
