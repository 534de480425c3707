/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/look.h - objects in order of creation, for LIST
 *
 * core.order has an entry per object, in order of its sequence number, and
 * stale entries of objects that are gone, until these are the majority.  So a
 * cursor is a sequence number, and stays good whatever happens between pages.
 */
#ifndef CORE_LOOK_H
#define CORE_LOOK_H

#include <stdint.h>

struct core;

void order_add(struct core *core, uint32_t o);
/* An object is gone. */
void order_forget(struct core *core);
/* Recovery: after order_add() of all, in any order. */
void order_sort(struct core *core);

#endif
