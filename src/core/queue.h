/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/queue.h - makes that wait for room (R9)
 *
 * Every make goes through here; mostly it stays for the length of one event.
 * Accounts with waiting makes stand in a ring; the first make of the first one
 * has its turn, and only for it is anything evicted.  While it waits, makes that
 * fit as it is may pass it.
 */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

struct core;
struct make;

void queue_init(struct core *core);
void queue_add(struct core *core, struct make *make);
void queue_remove(struct core *core, struct make *make);
/* Grant whatever can be. */
void queue_pump(struct core *core);
/* Capacity or quotas were changed: refuse what can never be granted. */
void queue_refuse_too_big(struct core *core);

#endif
