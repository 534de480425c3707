/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* util/thread.h - threads of our own beside those of whom we serve */
#ifndef UTIL_THREAD_H
#define UTIL_THREAD_H

#include <pthread.h>

/* Start a thread that takes no signals: they are for the program's own (and for a signalfd).
 * @attributes: NULL: the default ones
 * Return: 0 or negative errno.  Any thread may call it. */
int thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
	void *argument);

#endif
