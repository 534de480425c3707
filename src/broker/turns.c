/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn it is.
 *
 * epoll tells once that packets have come (EPOLLET); from then on the connection is
 * *ready*, in its user's list, until it is found empty.  A turn is a short time for
 * one connection of each user that has ready ones: users take turns with each other,
 * and each one's connections among themselves.  So a uid with a thousand busy
 * connections delays another's by one turn, not by a thousand.
 *
 * That alone gives little to a client that waits for each answer before it asks
 * again: it is never ready when the attacker's next turn begins, and waits a whole
 * turn each time.  So a user whose turn took time has to pause for as long while
 * somebody else is *eager*: has nothing ready, but was served less than EAGER_NS ago,
 * and may well be about to ask again.  And one who *floods*, who had more to be served
 * when his turn ended, pauses until the eager ones have had as much of the worker's
 * time as he, though three times as long as his turn at most.  Where nobody is eager
 * there is no pause: one user alone never pauses.
 *
 * Time is what the worker ran, not what passed: a client that is woken by its reply
 * may run on the worker's very CPU, and ask again before the worker runs on.
 *
 * The door - new connections, of whom nobody knows yet whose they are - takes its
 * turn as a user does, but nobody waits for it.
 *
 * The last RECENT_MAX users served are remembered even when they are gone: to hang up
 * and connect again is no way around a pause.
 */
#include <sys/epoll.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define TURN_NS    (30 * NS_PER_US)  /* while others are there */
#define EAGER_NS   (60 * NS_PER_US)
#define FLOOD_COST 3 /* turns that somebody who floods may have to pause */
#define CREDIT_NS  NS_PER_MS /* of time not used, that an eager one may have to use later */
#define RECENT_MAX 16
#define ROUNDS_MAX 4  /* before epoll is asked for news */
#define ALONE_MAX  64 /* where there is one user */

void turns_init(struct broker *broker)
{
	TAILQ_INIT(&broker->takers);
	TAILQ_INIT(&broker->recent);
	TAILQ_INIT(&broker->door.ready);
}

void turns_add(struct broker *broker, struct connection *c)
{
	struct user *user = c->user;

	if (c->ready || c->doomed)
		return;
	c->ready = true;
	if (TAILQ_EMPTY(&user->ready))
		TAILQ_INSERT_TAIL(&broker->takers, user, taker);
	TAILQ_INSERT_TAIL(&user->ready, c, readiness);
}

void turns_remove(struct broker *broker, struct connection *c)
{
	struct user *user = c->user;

	if (!c->ready)
		return;
	c->ready = false;
	TAILQ_REMOVE(&user->ready, c, readiness);
	if (TAILQ_EMPTY(&user->ready))
		TAILQ_REMOVE(&broker->takers, user, taker);
}

static void mute_door(struct broker *broker, bool muted)
{
	if (broker->door_muted == muted)
		return;
	broker->door_muted = muted;
	loop_change(broker, broker->options->listener, &broker->listener_source,
		EPOLLET | (muted ? 0 : EPOLLIN));
}

void turns_open_door(struct broker *broker)
{
	if (broker->door_open) {
		mute_door(broker, true);
		return;
	}
	broker->door_open = true;
	TAILQ_INSERT_TAIL(&broker->takers, &broker->door, taker);
}

static void close_door(struct broker *broker)
{
	broker->door_open = false;
	mute_door(broker, false); /* epoll tells at once if somebody came meanwhile */
	TAILQ_REMOVE(&broker->takers, &broker->door, taker);
}

static bool has_more(const struct broker *broker, const struct user *user)
{
	return user == &broker->door ? broker->door_open : !TAILQ_EMPTY(&user->ready);
}

/* Until when is there somebody for whom he has to wait? */
static int64_t others_are_eager_until(const struct broker *broker, const struct user *user)
{
	const struct user *other;

	TAILQ_FOREACH(other, &broker->recent, recency) {
		if (broker->now - other->served_at >= EAGER_NS)
			break;
		if (other != user && other->n_connections > 0 &&
				(user->floods ? other->used < user->used
					      : TAILQ_EMPTY(&other->ready)))
			return other->served_at + EAGER_NS;
	}
	return broker->now;
}

static int64_t pause_end(const struct broker *broker, const struct user *user)
{
	return broker->now >= user->pause_until
		? broker->now
		: MIN(user->pause_until, others_are_eager_until(broker, user));
}

bool turns_may(const struct broker *broker, const struct user *user)
{
	return pause_end(broker, user) <= broker->now;
}

static void forget(struct broker *broker, struct user *user)
{
	TAILQ_REMOVE(&broker->recent, user, recency);
	broker->n_recent--;
	user->is_recent = false;
	if (user->n_connections == 0)
		user_free(broker, user);
}

static void remember(struct broker *broker, struct user *user)
{
	if (user->is_recent) {
		TAILQ_REMOVE(&broker->recent, user, recency);
		broker->n_recent--;
	}
	user->is_recent = true;
	TAILQ_INSERT_HEAD(&broker->recent, user, recency);
	if (++broker->n_recent > RECENT_MAX)
		forget(broker, TAILQ_LAST(&broker->recent, user_list));
}

/* How long the worker ran since it was last asked; at most so long. */
static int64_t ran(struct broker *broker, int64_t most)
{
	int64_t now, before = broker->ran;

	if (turns_alone(broker))
		return most; /* it makes no difference, and asking is a system call */
	broker->ran = now = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	return MIN(now - before, most);
}

void turns_took(struct broker *broker, struct user *user, int64_t began)
{
	int64_t took;

	broker->now = now_ns();
	took = ran(broker, broker->now - began);
	user->floods = has_more(broker, user);
	user->pause_until = broker->now + (user->floods ? FLOOD_COST * took : took);
	/* Whoever used little has little credit: time that is over cannot be given back. */
	user->used = MAX(user->used, broker->used_most - CREDIT_NS) + took;
	broker->used_most = MAX(broker->used_most, user->used);
	user->served_at = broker->now;
	if (user != &broker->door)
		remember(broker, user);
}

void turns_deinit(struct broker *broker)
{
	while (!TAILQ_EMPTY(&broker->recent))
		forget(broker, TAILQ_FIRST(&broker->recent));
}

bool turns_alone(const struct broker *broker)
{
	return broker->n_users <= 1;
}

int64_t turns_end(const struct broker *broker)
{
	return turns_alone(broker) ? FOREVER_NS : deadline_ns(now_ns(), TURN_NS);
}

static size_t n_takers(const struct broker *broker)
{
	const struct user *user;
	size_t n = 0;

	TAILQ_FOREACH(user, &broker->takers, taker)
		n++;
	return n;
}

/* Return: how many packets it brought. */
static unsigned int take_turn(struct broker *broker, struct user *user)
{
	struct connection *c;
	int64_t began = broker->now;
	unsigned int n;

	if (user == &broker->door) {
		if (!listener_accept(broker))
			close_door(broker);
		turns_took(broker, user, began);
		return 0;
	}
	c = TAILQ_FIRST(&user->ready);
	TAILQ_REMOVE(&user->ready, c, readiness); /* its other ones come before it is here again */
	TAILQ_INSERT_TAIL(&user->ready, c, readiness);
	n = connection_serve(broker, c, PACKETS_PER_TURN);
	if (n > 0 && c->state == CONNECTION_SERVING)
		loop_make_hot(broker, c);
	return n;
}

unsigned int turns_serve(struct broker *broker)
{
	unsigned int n = 0, rounds = turns_alone(broker) ? ALONE_MAX : ROUNDS_MAX;
	bool any = true;

	for (; any && rounds > 0; rounds--) {
		any = false;
		for (size_t left = n_takers(broker); left > 0; left--) {
			struct user *user = TAILQ_FIRST(&broker->takers);

			if (!user)
				break;
			TAILQ_REMOVE(&broker->takers, user, taker);
			TAILQ_INSERT_TAIL(&broker->takers, user, taker);
			if (!turns_may(broker, user))
				continue;
			n += take_turn(broker, user);
			any = true;
		}
	}
	return n;
}

int64_t turns_due(const struct broker *broker)
{
	const struct user *user;
	int64_t due = FOREVER_NS;

	TAILQ_FOREACH(user, &broker->takers, taker) {
		int64_t end = pause_end(broker, user);

		due = MIN(due, end);
	}
	return due;
}
