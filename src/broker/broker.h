/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker/broker.h - the worker: connections, requests, effects
 *
 * Joins the core with its edges.  broker_run() is one worker's whole life; it
 * is called again, in a new process with the same descriptor table and the same
 * tables, when a worker died (see src/ostored/supervisor.c).
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/core.h"
#include "wire/message.h"

struct text;

/* What the program around the worker does for it: only that knows keys and the machine. */
struct broker_host {
	void *user;
	/* configure() - a setting changes: check it, and bring *broker_options.core and the
	 *   strings of broker_options.settings up to date
	 * @setting: base: out, unless is_inherited
	 * @is_inherited: noted by a worker that is dead now
	 * @used: bytes that the store has, so that a part of all memory is a part of more than is free
	 * Return: 0; -EINVAL (nothing was changed, the sentence is in error), -EOPNOTSUPP (this key is
	 * looked at only when the broker starts, likewise), -ENOMEM. */
	int (*configure)(void *user, struct core_setting *setting, bool is_inherited, uint64_t used,
		struct text *error);
	/* look() - how many bytes more the machine has for the store: room, which may be negative
	 *   (give some back) or INT64_MAX (no limit but the capacity)
	 * @why: out: what limits it, when something does */
	int64_t (*look)(void *user, struct text *why);
};

struct broker_options {
	const struct core_config *core;
	void *tables;            /* shared memory of core_memory_size() bytes, zeros at first start */
	size_t tables_size;
	int listener;            /* listening AF_UNIX SOCK_SEQPACKET socket, nonblocking */
	bool listener_passed;    /* it is the service manager's, and serves the next broker too */
	const int *keep_fds;     /* descriptors that belong to the supervisor, besides 0, 1, 2 and
	                            listener: the heir must not close them */
	size_t n_keep_fds;
	int ready_fd;            /* one byte "r" is written when the worker serves; -1: nobody waits */
	pid_t supervisor_pid;    /* 0: --no-supervisor */
	bool private_mode;
	int starter_pidfd;       /* private mode: end idle_exit_ns after this process and the last
	                            connection are gone; -1: only by signal */
	int64_t idle_exit_ns;
	int64_t stop_timeout_ns; /* how long a clean stop may take */
	const struct wire_field *settings; /* what WIRE_CONFIG answers */
	size_t n_settings;
	const struct broker_host *host; /* NULL: nothing changes at run time */
	const struct wire_field *features; /* what WIRE_STATUS says of the machine: key "feature.NAME",
	                            value on/off, origin: the reason */
	size_t n_features;
};

/* broker_run() - serve until SIGTERM or SIGINT (which the caller has blocked; the
 *   worker takes them from a signalfd), or the end of a private broker's users
 * Runs in the calling thread.  Logs what an administrator must know.
 * Return: 0 after a clean stop, negative errno when it could not start. */
int broker_run(const struct broker_options *options);

#endif
