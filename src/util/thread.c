/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
	void *argument)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(thread, attributes, run, argument);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}
