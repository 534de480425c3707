/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/holding.h - what a connection holds of an object: references and pins (R3)
 *
 * A holding exists while it has either.
 */
#ifndef CORE_HOLDING_H
#define CORE_HOLDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;

/* Index, or TABLES_NONE. */
uint32_t holding_find(const struct core *core, uint32_t conn, uint32_t o);
/* Can n more holdings be recorded for this connection?  Ask before holding_add(). */
bool holding_room(const struct core *core, uint32_t conn, uint32_t n);
/* holding_add() will be called for each of these objects; as objects_prefetch(). */
void holdings_prefetch(const struct core *core, uint32_t conn, const uint32_t *objects, size_t n);
void holding_add(struct core *core, uint32_t conn, uint32_t o, uint32_t refs, uint32_t pins);
/* Subtract at most what is there.  The last reference of a draft aborts it.
 * Return: was all that there? */
bool holding_subtract(struct core *core, uint32_t h, uint32_t refs, uint32_t pins);
/* The same, of what is there, and without what may follow from it: see object_reconsider(). */
void holding_take(struct core *core, uint32_t h, uint32_t refs, uint32_t pins);
/* Is it the holding of a draft by who created it? */
bool holding_is_creators(const struct core *core, uint32_t h);
/* Give back all of it, without aborting a draft. */
void holding_end(struct core *core, uint32_t h);
/* The object's memory goes before the holding does. */
void holding_forget_bytes(struct core *core, uint32_t h, uint64_t bytes);
void holding_recover(struct core *core, uint32_t h);

#endif
