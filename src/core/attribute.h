/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/attribute.h - what is said of an object besides its bytes (R17)
 *
 * Priority and hard pin are in the object's record.  Labels, time to live and call
 * site, which few objects have, are one blob (struct attributes_record in
 * core/tables.h) that is charged like metadata: an object without them pays
 * nothing for them.  Times to live are a heap of deadlines, rebuilt by core_open().
 */
#ifndef CORE_ATTRIBUTE_H
#define CORE_ATTRIBUTE_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct core;
struct make;
struct object_record;
struct pending;
struct wire_item;

/* Are those of a new object acceptable?  Return: 0, or -EINVAL with a sentence. */
int attributes_check(struct core *core, const struct wire_item *item, const char **textp);
/* What a new object's blob will be charged. */
uint64_t attributes_charge(const struct wire_item *item);
/* Keep them with a make.  Return: 0, -EBUSY, -ENOMEM, -EDQUOT: the uid has pinned too much. */
int attributes_keep(struct core *core, struct make *make, const struct wire_item *item);
/* The make is granted: give it its blob.  Return: 0, -ENOBUFS. */
int attributes_grant(struct core *core, struct make *make);
/* The make gives up its share of what its uid may pin. */
void attributes_unpin(struct core *core, struct make *make);
/* The make ends, and what became an object is not the make's any more. */
void attributes_release(struct core *core, struct make *make);

/* The object is sealed: its time begins. */
void attributes_sealed(struct core *core, uint32_t o);
/* The object is deleted, or was a draft that is aborted: no time, no pin. */
void attributes_end(struct core *core, uint32_t o);
/* Its memory goes: so does the blob.  Uncharged by the caller. */
void attributes_drop(struct core *core, uint32_t o);
/* Drop what has lived long enough; the rest of very many at the next tick. */
void attributes_expire(struct core *core);
/* When that is next due; INT64_MAX: never. */
int64_t attributes_deadline(const struct core *core);

void attributes_describe(const struct core *core, uint32_t o, struct wire_item *item);
/* Recovery: claim the blob, count pin and time.  Return: 0, -EUCLEAN. */
int attributes_recover(struct core *core, uint32_t o);
void attributes_deinit(struct core *core);
void attributes_check_object(const struct core *core, uint32_t o); /* for core_check() */

/* What a hard pin of this object counts in its uid's share, of which only root may have more
 * than half of the capacity. */
uint64_t pin_bytes(const struct core *core, uint64_t size, uint32_t metadata_size);

#endif
