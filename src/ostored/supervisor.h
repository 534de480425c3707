/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ostored/supervisor.h - keep a worker alive
 *
 * The supervisor clones the worker with CLONE_FILES and no exec, so both have ONE
 * descriptor table: when the worker dies, every memfd, connection and listener
 * is still open under its number, and the next worker (the heir) goes on with
 * them and with the tables in shared memory.  The supervisor itself parses
 * nothing and, while a worker lives, opens nothing: an heir closes the
 * descriptors that it does not know, so a number that the supervisor gets in
 * between could be closed under its hands.
 */
#ifndef OSTORED_SUPERVISOR_H
#define OSTORED_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/broker.h"
#include "ostored/filter.h"

struct supervisor_options {
	struct broker_options broker; /* without ready_fd, keep_fds and supervisor_pid, which are set here */
	const char *address;          /* for ready_fd and the log */
	int ready_fd;                 /* address and newline go there once, then it is closed; -1: none */
	int notify_fd;                /* notify.h; -1: none */
	int64_t watchdog_ns;          /* tell the service manager this often; 0: it does not ask */
	const int *keep_fds;          /* further descriptors that must outlive workers; no more than
	                                 SUPERVISOR_KEEP_MAX */
	size_t n_keep_fds;
	const struct filter *filter;  /* of workers under a supervisor */
};

#define SUPERVISOR_KEEP_MAX 8

/* Block the signals that the functions below handle and ignore those that must not kill a broker:
 * before any thread, and before the first clone. */
void supervisor_signals(void);

/* supervisor_run() - workers until one ends cleanly, or SIGTERM or SIGINT
 * Logs.  Return: the exit status: 0 after a clean end, 1 otherwise. */
int supervisor_run(const struct supervisor_options *options);

/* supervisor_run_alone() - a worker in this process, without anybody to take over */
int supervisor_run_alone(const struct supervisor_options *options);

#endif
