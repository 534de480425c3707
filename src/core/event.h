/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/event.h - what every event begins and ends with */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdint.h>

struct core;

void event_begin(struct core *core, int64_t now);
/* Serve the queue, plan the pool, tell subscribers, commit. */
void event_end(struct core *core);

#endif
