/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: epoll, signals, deadlines, and how to wait.
 *
 * A client that waits for its answer sends the next request a few microseconds
 * after it; going to sleep and being woken costs 45.  So after a busy turn the loop
 * spins: it tries to read from the connections that were busy last (N_HOT), for as
 * long as pays (util/spin.h), before it sleeps.  With one CPU it would only keep the
 * client from running, and is off.
 *
 * A spinning loop looks at everything else, with an epoll_wait that does not sleep,
 * every PACKETS_PER_TURN packets.  Whose packets are read, when there are several who
 * send some, is said in turns.c.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define EVENTS_A_TURN 64

/* ---- sources ---- */

int loop_watch(struct broker *broker, int fd, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(broker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void loop_change(struct broker *broker, int fd, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	(void)epoll_ctl(broker->epoll_fd, EPOLL_CTL_MOD, fd, &event); /* it is there: cannot fail */
}

void loop_forget(struct broker *broker, int fd)
{
	(void)epoll_ctl(broker->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int open_signals(struct broker *broker)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	broker->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (broker->signal_fd < 0)
		return -errno;
	return loop_watch(broker, broker->signal_fd, &broker->signal_source, EPOLLIN);
}

int loop_init(struct broker *broker)
{
	cpu_set_t cpus;
	int r;

	broker->listener_source.kind = SOURCE_LISTENER;
	broker->signal_source.kind = SOURCE_SIGNAL;
	broker->crew_source.kind = SOURCE_CREW;
	broker->starter_source.kind = SOURCE_STARTER;
	broker->may_spin = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 1;
	broker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (broker->epoll_fd < 0)
		return -errno;
	r = open_signals(broker);
	if (r == 0)
		r = loop_watch(broker, crew_event(broker->crew), &broker->crew_source, EPOLLIN);
	if (r == 0)
		r = loop_watch(broker, broker->options->listener, &broker->listener_source,
			EPOLLIN | EPOLLET);
	if (r == 0 && broker->options->starter_pidfd >= 0)
		r = loop_watch(broker, broker->options->starter_pidfd, &broker->starter_source,
			EPOLLIN);
	return r;
}

void loop_deinit(struct broker *broker)
{
	if (broker->signal_fd >= 0)
		(void)close(broker->signal_fd);
	if (broker->epoll_fd >= 0)
		(void)close(broker->epoll_fd);
	broker->signal_fd = broker->epoll_fd = -1;
}

/* ---- events ---- */

static void take_signal(struct broker *broker)
{
	struct signalfd_siginfo info;

	if (read(broker->signal_fd, &info, sizeof info) == sizeof info)
		broker->stopping = true;
}

static void starter_ended(struct broker *broker)
{
	broker->starter_gone = true;
	loop_forget(broker, broker->options->starter_pidfd);
}

void loop_make_hot(struct broker *broker, struct connection *c)
{
	size_t own[N_HOT], n_own = 0;

	for (size_t i = 0; i < N_HOT; i++) {
		if (broker->hot[i] == c)
			return;
		if (broker->hot[i] && broker->hot[i]->user == c->user)
			own[n_own++] = i;
	}
	/* No user takes all the places while there are others. */
	if (n_own >= N_HOT / 2 && !turns_alone(broker))
		broker->hot[own[broker->next_hot++ % n_own]] = c;
	else
		broker->hot[broker->next_hot++ % N_HOT] = c;
}

static void call_event(struct broker *broker, struct connection *c, uint32_t events)
{
	if (c->doomed)
		return;
	if (events & (EPOLLHUP | EPOLLERR)) {
		connection_hang_up(broker, c);
		return;
	}
	if (events & EPOLLOUT)
		output_flush(broker, c);
	if (c->ready || c->unread)
		connection_mute(broker, c, true);
	turns_add(broker, c);
	broker_settle(broker);
}

static void dispatch(struct broker *broker, const struct epoll_event *event)
{
	struct source *source = event->data.ptr;

	switch (source->kind) {
	case SOURCE_LISTENER:
		turns_open_door(broker);
		return;
	case SOURCE_SIGNAL:
		take_signal(broker);
		return;
	case SOURCE_CREW:
		effects_collect(broker);
		return;
	case SOURCE_STARTER:
		starter_ended(broker);
		return;
	case SOURCE_CALL:
		call_event(broker, source->connection, event->events);
		return;
	case SOURCE_PROCESS:
		connection_hang_up(broker, source->connection);
		return;
	}
}

/* ---- waiting ---- */

/* Return: how many packets came; 0: none, within spin_ns. */
static unsigned int spin(struct broker *broker, int64_t spin_ns)
{
	int64_t until = deadline_ns(broker->now, spin_ns), end = turns_due(broker);
	unsigned int n = 0;

	do {
		bool hit = false;

		for (size_t i = 0; i < N_HOT; i++) {
			struct connection *c = broker->hot[i];

			if (c && turns_may(broker, c->user) &&
					connection_serve(broker, c, 1) > 0) {
				hit = true;
				n++;
			}
		}
		if (hit)
			until = deadline_ns(broker->now, spin_ns);
		else
			broker->now = now_ns();
	} while (n < PACKETS_PER_TURN && broker->now < MIN(until, end) && !broker->stopping);
	return n;
}

static int sleep_until(struct broker *broker, struct epoll_event *events, int64_t due)
{
	int64_t before = broker->now;
	int64_t left = due > before ? due - before : 0;
	struct timespec timeout = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
	int n = -1;

	if (left > 0 && due != FOREVER_NS && !broker->without_pwait2) {
		n = epoll_pwait2(broker->epoll_fd, events, EVENTS_A_TURN, &timeout, NULL);
		broker->without_pwait2 = n < 0 && errno == ENOSYS;
	}
	if (left == 0 || due == FOREVER_NS || broker->without_pwait2) /* ms, rounded up */
		n = epoll_wait(broker->epoll_fd, events, EVENTS_A_TURN,
			due == FOREVER_NS ? -1
			: left == 0	  ? 0
					  : (int)MIN(left / NS_PER_MS + 1, 60000));
	broker->now = now_ns();
	return n < 0 ? -errno : n;
}

/* ---- deadlines ---- */

static bool is_idle(const struct broker *broker)
{
	return broker->n_connections == 0 && broker->n_greeting == 0;
}

/* A private broker ends when its starter and the last connection are gone for a while. */
static int64_t idle_tick(struct broker *broker)
{
	int64_t end;

	if (!broker->starter_gone)
		return FOREVER_NS;
	if (!is_idle(broker)) {
		broker->idle_since = FOREVER_NS;
		return FOREVER_NS;
	}
	if (broker->idle_since == FOREVER_NS)
		broker->idle_since = broker->now;
	end = deadline_ns(broker->idle_since, broker->options->idle_exit_ns);
	if (end <= broker->now)
		broker->stopping = true;
	return end;
}

/* Return: when something is next due. */
static int64_t tick(struct broker *broker)
{
	int64_t due, other;

	effects_tick(broker);
	if (core_deadline(broker->core) <= broker->now) {
		core_tick(broker->core, broker->now, clock_now_ns(CLOCK_REALTIME));
		broker_settle(broker);
	}
	due = listener_tick(broker);
	other = output_tick(broker);
	due = MIN(due, other);
	other = strangers_tick(broker);
	due = MIN(due, other);
	other = limit_tick(broker);
	due = MIN(due, other);
	other = idle_tick(broker);
	due = MIN(due, other);
	/* Each of these may have given the core an event. */
	return MIN(due, MIN(core_deadline(broker->core), effects_due(broker)));
}

int loop_turn(struct broker *broker, int64_t latest)
{
	struct epoll_event events[EVENTS_A_TURN];
	int64_t due = tick(broker), turn = turns_due(broker), began = broker->now, spin_ns = 0;
	const bool may_spin = broker->may_spin && broker->busy && turn == FOREVER_NS;
	unsigned int packets = 0;
	int n;

	if (broker->stopping)
		return 0;
	if (may_spin)
		spin_ns = spin_begin(&broker->spin);
	if (spin_ns > 0) {
		packets = spin(broker, spin_ns);
		due = MIN(due, MIN(core_deadline(broker->core), effects_due(broker)));
		turn = turns_due(broker);
	}
	due = MIN(due, turn);
	n = sleep_until(broker, events, packets > 0 ? 0 : MIN(due, latest));
	if (may_spin)
		spin_end(&broker->spin, spin_ns, packets > 0, n > 0 ? broker->now - began : INT64_MAX);
	if (n < 0)
		return n == -EINTR ? 0 : n;
	broker->n_closed_here = 0;
	for (int i = 0; i < n; i++)
		dispatch(broker, &events[i]);
	packets += turns_serve(broker);
	connections_free_ended(broker);
	broker->busy = packets > 0;
	broker->was_active |= broker->busy;
	return n + !TAILQ_EMPTY(&broker->takers);
}

int loop_run(struct broker *broker)
{
	int r = 0;

	broker->now = now_ns();
	while (!broker->stopping && r >= 0)
		r = loop_turn(broker, FOREVER_NS);
	return MIN(r, 0);
}
