/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/events.h - notes of what happened to objects, and who waits for them (R15)
 *
 * The notes are a ring in the tables.  Only its end, header.events, is
 * journalled: a note is written into its place first, and counts from the
 * moment at which the end passes it.  A worker that dies before its event is
 * committed has spoiled some places; these held the oldest notes, which are then
 * not kept any more.  Every note carries its number, so that shows.
 *
 * To note costs some stores, no allocation, and no look at subscribers: they are
 * told at the event's end.
 */
#ifndef CORE_EVENTS_H
#define CORE_EVENTS_H

#include "wire/message.h"

struct core;
struct object_record;
struct pending;

void events_note(struct core *core, const struct object_record *object, enum wire_event event);
/* The event ends: answer the subscribers that have something to read. */
void events_publish(struct core *core);
/* A waiting SUBSCRIBE reached its deadline; ends (in whatever way). */
void events_expire(struct core *core, struct pending *pending);
void events_unsubscribe(struct core *core, struct pending *pending);
/* core_open(): which notes are kept? */
void events_recover(struct core *core);
void events_check(const struct core *core); /* for core_check() */

#endif
