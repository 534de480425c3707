/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New connections.  Until its hello came a connection is the broker's alone: it
 * has HANDSHAKE_NS, and each uid has HANDSHAKES_PER_UID of them.  One more takes
 * the place of that uid's oldest, so that a client that only connects delays
 * nobody, not even others of the same uid, who say hello at once.
 *
 * Descriptors: the core's capacity leaves a reserve below the limit, which
 * HANDSHAKES_MAX cannot use up.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define ACCEPTS_PER_TURN 32
#define PAUSE_NS         (100 * NS_PER_MS)
#define COMPLAIN_NS      (10 * NS_PER_S) /* a pause is worth a line no more often */

static void make_room(struct broker *broker, uid_t uid)
{
	struct connection *oldest = NULL, *c;
	uint32_t n = 0;

	TAILQ_FOREACH(c, &broker->greeting, greeting) {
		if (c->doomed || c->uid != uid)
			continue;
		if (!oldest)
			oldest = c;
		n++;
	}
	if (n < HANDSHAKES_PER_UID) {
		if (broker->n_greeting < HANDSHAKES_MAX)
			return;
		TAILQ_FOREACH(oldest, &broker->greeting, greeting)
			if (!oldest->doomed)
				break;
	}
	if (oldest)
		connection_doom(broker, oldest);
}

static void pause_accepting(struct broker *broker, int error)
{
	if (broker->now >= broker->pause_said) {
		errno = error;
		log_warning("cannot accept connections: %m; trying again every 0.1 s");
		broker->pause_said = deadline_ns(broker->now, COMPLAIN_NS);
	}
	loop_forget(broker, broker->options->listener);
	broker->accept_again = deadline_ns(broker->now, PAUSE_NS);
}

void listener_accept(struct broker *broker)
{
	for (int i = 0; i < ACCEPTS_PER_TURN && !broker->stopping; i++) {
		CLEANUP_CLOSE int fd = accept4(broker->options->listener, NULL, NULL,
			SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct ucred credentials;
		socklen_t size = sizeof credentials;
		struct connection *connection;

		if (fd < 0) {
			/* EMFILE, ENFILE, ENOBUFS, ENOMEM: level-triggered, so a pause or a
			 * busy loop.  Others belong to the connection that failed. */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
					errno == ENOMEM)
				pause_accepting(broker, errno);
			if (errno == ECONNABORTED || errno == EINTR || errno == EPERM)
				continue;
			return;
		}
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
			continue;
		/* Who makes us close what cannot be closed waits until it is. */
		if (stranger_bars(broker, credentials.uid))
			continue;
		make_room(broker, credentials.uid);
		broker_settle(broker);
		connection = connection_new(broker, CONNECTION_GREETING, fd, credentials.uid,
			CORE_NO_CONN);
		if (!connection) {
			pause_accepting(broker, ENOMEM);
			return;
		}
		(void)TAKE_FD(fd);
		connection->pid = credentials.pid;
		connection->deadline = deadline_ns(broker->now, HANDSHAKE_NS);
	}
}

int64_t listener_tick(struct broker *broker)
{
	struct connection *c;
	int64_t due;

	TAILQ_FOREACH(c, &broker->greeting, greeting) {
		if (c->deadline > broker->now)
			break;
		if (!c->doomed)
			connection_doom(broker, c);
	}
	broker_settle(broker);
	if (broker->accept_again <= broker->now) {
		broker->accept_again = loop_watch(broker, broker->options->listener,
			&broker->listener_source, EPOLLIN) < 0
			? deadline_ns(broker->now, PAUSE_NS)
			: FOREVER_NS;
	}
	c = TAILQ_FIRST(&broker->greeting);
	due = c ? c->deadline : FOREVER_NS;
	return MIN(due, broker->accept_again);
}
