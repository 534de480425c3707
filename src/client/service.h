/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/service.h - the service thread: what was put off is sent soon
 *
 * One thread for all connections of a process.  It is started when something is put
 * off (objects.c), looks at all connections once in SERVICE_ROUND_NS, and ends by
 * itself after a while in which nothing was; so a program that never puts anything
 * off has no such thread, and one that does has none while it idles.
 */
#ifndef CLIENT_SERVICE_H
#define CLIENT_SERVICE_H

#include "util/clock.h"

#define SERVICE_ROUND_NS (5 * NS_PER_MS)

/* See to it that the thread runs.  Call it with the connection's lock held, after what is put
 * off can be seen.  Return: 0, or a negative errno: send it now. */
int service_start(void);

/* A forked child has no such thread. */
void service_forget(void);

#endif
