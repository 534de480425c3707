/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New connections.  Until its hello came a connection is the broker's alone: it
 * has HANDSHAKE_NS, and each uid has HANDSHAKES_PER_UID of them.  One more takes
 * the place of that uid's oldest, so that a client that only connects delays
 * nobody, not even others of the same uid, who say hello at once.
 *
 * Descriptors: the core's capacity leaves a reserve below the limit, which
 * HANDSHAKES_MAX cannot use up.  A hello for which the core has none is *held* for
 * HOLD_NS: objects are dropped meanwhile, and others leave.  Only then it is told
 * that there is none.
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
	if (oldest && oldest->held) {
		oldest->deadline = broker->now;
		connection_greet_again(broker, oldest); /* now or never */
	} else if (oldest) {
		connection_doom(broker, oldest);
	}
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

bool listener_accept(struct broker *broker)
{
	int64_t end = turns_end(broker);

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
			return false;
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
			return false;
		}
		(void)TAKE_FD(fd);
		connection->pid = credentials.pid;
		connection->deadline = deadline_ns(broker->now, HANDSHAKE_NS);
		if (end != FOREVER_NS && now_ns() >= end)
			break;
	}
	return true;
}

/* Those whose hellos wait for descriptors: oldest first. */
static void greet_held(struct broker *broker)
{
	struct connection *c, *next;

	if (broker->held_due > broker->now)
		return;
	for (c = TAILQ_FIRST(&broker->greeting); c; c = next) {
		next = TAILQ_NEXT(c, greeting);
		if (c->held && !c->doomed)
			connection_greet_again(broker, c);
	}
	broker->held_due =
		broker->n_held > 0 ? deadline_ns(broker->now, HOLD_AGAIN_NS) : FOREVER_NS;
}

int64_t listener_tick(struct broker *broker)
{
	struct connection *c;
	int64_t due = FOREVER_NS;

	greet_held(broker);
	TAILQ_FOREACH(c, &broker->greeting, greeting) {
		if (c->held)
			continue;
		if (c->deadline > broker->now) {
			due = c->deadline;
			break;
		}
		if (!c->doomed)
			connection_doom(broker, c);
	}
	broker_settle(broker);
	if (broker->accept_again <= broker->now) {
		broker->accept_again = loop_watch(broker, broker->options->listener,
			&broker->listener_source, EPOLLIN | EPOLLET) < 0
			? deadline_ns(broker->now, PAUSE_NS)
			: FOREVER_NS;
	}
	due = MIN(due, broker->held_due);
	return MIN(due, broker->accept_again);
}
