/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that a client sent and that are not ours to keep.
 *
 * close() can hang.  Closing a file of a FUSE server calls its flush operation and
 * waits for the answer, deaf to SIGKILL, each time a descriptor is closed and not
 * only the last; dup2() over it and exit of the process do the same.  A worker, or
 * a thread of it, that hangs there can neither serve nor die.  So memfds, pipes
 * and AF_UNIX sockets (each told apart without a call that can block) are closed
 * on the spot, and everything else by a *disposable* process that shares our
 * descriptor table (CLONE_FILES): the kernel takes the number out of the table
 * before it flushes, so that only that process hangs.
 *
 * It must not be able to hit another descriptor if the worker dies in the meantime
 * and its heir gives the number to somebody else:
 *  - it does not close the number but dup2()s the *tombstone*, an empty memfd, over
 *    it.  The number stays taken; the worker closes it when it sees the tombstone
 *    there (F_GET_SEALS, which never blocks);
 *  - it is killed when the worker dies (PR_SET_PDEATHSIG);
 *  - an heir that finds a stranger in the table buries it in the same way, but
 *    keeps the number for another INHERITED_NS, in which the dead worker's
 *    process, if it had been about to start, has got its SIGKILL or done its work.
 *
 * A process that hangs keeps the table, with all that is in it, until the FUSE server
 * answers or ends.  So a clean stop that finds one closes everything by itself
 * (worker.c), but not before the last stranger is out of the table: else the last
 * process to leave it, the supervisor, would hang at its exit.  After a SIGKILL of
 * the supervisor the memory comes back only when the FUSE server lets it.
 *
 * What hangs is bounded: CHILDREN_MAX processes; further strangers wait, open.  A uid
 * of which HANGING_MAX hang, or STRANGERS_MAX are under way, is not served until they
 * are gone: its next stranger ends the connection that brings it, and new connections
 * are refused.
 *
 * Without a supervisor nobody waits for our death and nobody inherits, so a thread
 * will do; debuggers and valgrind do not follow a CLONE_FILES process.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define CHILDREN_MAX  64
#define HANGING_MAX   8  /* of a uid */
#define STRANGERS_MAX 32 /* of a uid */
#define HANGING_NS    (200 * NS_PER_MS) /* what is not closed after this hangs */
#define SOON_NS       (1 * NS_PER_MS)
#define LATER_NS      (1 * NS_PER_S)
#define INHERITED_NS  (3 * NS_PER_S)

struct stranger {
	TAILQ_ENTRY(stranger) link;
	int fd;      /* -1: its number is free again, but its process still hangs */
	uid_t uid;
	pid_t child; /* 0: none yet */
	int64_t arrived;
	int64_t keep_until; /* the number is not given back before */
};

/* Is it of a kind whose close() cannot wait for anybody?  None of these calls can. */
static bool closes_at_once(int fd)
{
	int domain;
	socklen_t size = sizeof domain;

	return fcntl(fd, F_GET_SEALS) >= 0 || fcntl(fd, F_GETPIPE_SZ) >= 0 ||
		(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX);
}

static void close_at_once(struct broker *broker, int fd)
{
	struct crew_job job = { .type = CREW_CLOSE, .fd = fd, .silent = true };

	/* The last descriptor of a big memfd frees its pages. */
	if (fcntl(fd, F_GET_SEALS) < 0 || !broker->crew ||
			crew_submit(broker->crew, &job) < 0)
		(void)close(fd);
}

static void *close_in_thread(void *argument)
{
	(void)close((int)(intptr_t)argument);
	return NULL;
}

static bool start_thread(int fd)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, close_in_thread, (void *)(intptr_t)fd);
	pthread_attr_destroy(&attributes);
	return r == 0;
}

/* In the disposable process: system calls alone, of which only dup3() can hang. */
static void dispose(int tombstone, int fd, pid_t worker)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == worker)
		(void)dup3(tombstone, fd, O_CLOEXEC);
	_exit(0);
}

/* A raw clone: fork() would run the atfork handlers and take malloc's locks for
 * nothing.  Not CLONE_VM: a hanging process must not keep our memory alive.  No
 * signal at its end: it is asked after. */
static void start_child(struct broker *broker, struct stranger *s)
{
	pid_t worker = getpid();
	long pid;

	if (broker->tombstone < 0) {
		struct memfd_identity identity;

		broker->tombstone = memfd_make_sealed(&identity, NULL, 0);
		if (broker->tombstone < 0)
			return; /* tried again */
	}
	pid = syscall(SYS_clone, (unsigned long)CLONE_FILES, 0L, 0L, 0L, 0L);
	if (pid == 0)
		dispose(broker->tombstone, s->fd, worker);
	s->child = pid > 0 ? (pid_t)pid : 0;
}

static unsigned int n_children(const struct broker *broker)
{
	const struct stranger *s;
	unsigned int n = 0;

	TAILQ_FOREACH(s, &broker->strangers, link)
		n += s->child > 0;
	return n;
}

static void bury(struct broker *broker, int fd, uid_t uid, int64_t keep)
{
	struct stranger *s;

	if (broker->options->supervisor_pid == 0 && start_thread(fd))
		return;
	s = calloc(1, sizeof *s);
	if (!s) {
		log_warning("no memory to close a client's descriptor, leaving it open");
		return;
	}
	s->fd = fd;
	s->uid = uid;
	s->arrived = broker->now;
	s->keep_until = deadline_ns(broker->now, keep);
	TAILQ_INSERT_TAIL(&broker->strangers, s, link);
	if (n_children(broker) < CHILDREN_MAX)
		start_child(broker, s);
	broker->strangers_due = MIN(broker->strangers_due, deadline_ns(broker->now, SOON_NS));
}

void stranger_bury(struct broker *broker, int fd, uid_t uid)
{
	if (closes_at_once(fd))
		close_at_once(broker, fd);
	else
		bury(broker, fd, uid, 0);
}

void stranger_inherit(struct broker *broker, int fd)
{
	if (closes_at_once(fd))
		close_at_once(broker, fd);
	else
		bury(broker, fd, (uid_t)-1, INHERITED_NS);
}

bool stranger_bars(const struct broker *broker, uid_t uid)
{
	const struct stranger *s;
	unsigned int n = 0, n_hanging = 0;

	TAILQ_FOREACH(s, &broker->strangers, link) {
		if (s->uid != uid)
			continue;
		n++;
		n_hanging += broker->now - s->arrived > HANGING_NS;
	}
	return n >= STRANGERS_MAX || n_hanging >= HANGING_MAX;
}

/* Return: is it over? */
static bool look_after(struct broker *broker, struct stranger *s)
{
	if (s->child > 0) {
		pid_t pid = waitpid(s->child, NULL, WNOHANG | __WALL);

		if (pid == s->child || (pid < 0 && errno == ECHILD))
			s->child = 0;
	}
	if (s->fd >= 0 && s->keep_until <= broker->now && fcntl(s->fd, F_GET_SEALS) >= 0) {
		(void)close(s->fd); /* the tombstone */
		s->fd = -1;
	}
	if (s->fd >= 0 && s->child == 0 && fcntl(s->fd, F_GET_SEALS) < 0 &&
			n_children(broker) < CHILDREN_MAX)
		start_child(broker, s);
	return s->fd < 0 && s->child == 0;
}

int64_t strangers_tick(struct broker *broker)
{
	struct stranger *s, *next;
	bool young = false;

	if (broker->strangers_due > broker->now)
		return broker->strangers_due;
	for (s = TAILQ_FIRST(&broker->strangers); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (look_after(broker, s)) {
			TAILQ_REMOVE(&broker->strangers, s, link);
			free(s);
		} else {
			young |= broker->now - s->arrived < HANGING_NS;
		}
	}
	broker->strangers_due = TAILQ_EMPTY(&broker->strangers)
		? FOREVER_NS
		: deadline_ns(broker->now, young ? SOON_NS : LATER_NS);
	return broker->strangers_due;
}

void strangers_finish(struct broker *broker, int64_t deadline)
{
	const struct stranger *s;

	for (;;) {
		bool unburied = false;

		broker->now = now_ns();
		broker->strangers_due = broker->now;
		(void)strangers_tick(broker);
		TAILQ_FOREACH(s, &broker->strangers, link)
			unburied |= s->fd >= 0 && fcntl(s->fd, F_GET_SEALS) < 0;
		if (!unburied || broker->now >= deadline)
			return;
		(void)poll(NULL, 0, 1); /* nothing tells when the tombstone is in place */
	}
}

void strangers_deinit(struct broker *broker)
{
	struct stranger *s;

	while ((s = TAILQ_FIRST(&broker->strangers))) {
		TAILQ_REMOVE(&broker->strangers, s, link);
		free(s);
	}
	if (broker->tombstone >= 0)
		(void)close(broker->tombstone);
}
