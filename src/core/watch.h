/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/watch.h - which waiting GETs and WAITs look at an id, in order of arrival (R7) */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include <stdint.h>

struct core;
struct id128;
struct object_record;
struct pending;

/* Item i of the pending looks at its id from now on. */
void watch_add(struct core *core, struct pending *pending, uint32_t i);
void watches_remove(struct core *core, struct pending *pending);
/* The object is sealed: answer those who waited for just that. */
void watch_sealed(struct core *core, uint32_t o);
/* The object of this id goes; the record says who could see it. */
void watch_gone(struct core *core, const struct object_record *record);

#endif
