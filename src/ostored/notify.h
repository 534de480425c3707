/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sd_notify(3)'s protocol over one socket that stays open.
 *
 * sd_notify() opens and closes a descriptor at every call.  The supervisor's
 * descriptor table is the worker's as well, and an heir begins by closing what it
 * does not know: it could close that descriptor, or get its number, in between.
 */
#ifndef OSTORED_NOTIFY_H
#define OSTORED_NOTIFY_H

#include <stdint.h>

/* Open what $NOTIFY_SOCKET names, and forget the variable.  Return: the descriptor, -1 if nobody
 * wants to know, or it cannot be reached. */
int notify_open(void);

/* State as in sd_notify(3), "READY=1\nSTATUS=...".  Nothing happens when fd is -1 or nobody listens. */
void notify_send(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
