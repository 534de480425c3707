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
 * turn each time.  So a user whose turn took time has to pause for as long, but only
 * while somebody else is *eager*: was served less than EAGER_NS ago, and may well be
 * about to ask again.  A pause costs nobody anything who would have used the time,
 * and where nobody is eager there is none: one user alone never pauses.
 *
 * The door - new connections, of whom nobody knows yet whose they are - takes its
 * turn as a user does.
 */
#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define TURN_NS    (30 * NS_PER_US)  /* while others are there */
#define EAGER_NS   (200 * NS_PER_US)
#define PAUSE_MAX  (200 * NS_PER_MS)
#define ROUNDS_MAX 4  /* before epoll is asked for news */
#define ALONE_MAX  64 /* where there is one user */

void turns_init(struct broker *broker)
{
	TAILQ_INIT(&broker->takers);
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

void turns_open_door(struct broker *broker)
{
	if (broker->door_open)
		return;
	broker->door_open = true;
	TAILQ_INSERT_TAIL(&broker->takers, &broker->door, taker);
}

static void close_door(struct broker *broker)
{
	broker->door_open = false;
	TAILQ_REMOVE(&broker->takers, &broker->door, taker);
}

/* Is somebody else likely to ask soon?  The last two who were served are remembered: one of
 * them is somebody else. */
static bool others_are_eager(const struct broker *broker, const struct user *user)
{
	for (size_t i = 0; i < 2; i++)
		if (broker->served[i].user && broker->served[i].user != user)
			return broker->now - broker->served[i].at < EAGER_NS;
	return false;
}

bool turns_may(const struct broker *broker, const struct user *user)
{
	return broker->now >= user->pause_until || !others_are_eager(broker, user);
}

void turns_took(struct broker *broker, struct user *user, int64_t began)
{
	broker->now = now_ns();
	user->pause_until = broker->now + MIN(broker->now - began, PAUSE_MAX);
	if (broker->served[0].user != user)
		broker->served[1] = broker->served[0];
	broker->served[0].user = user;
	broker->served[0].at = broker->now;
}

void turns_forget(struct broker *broker, const struct user *user)
{
	for (size_t i = 0; i < 2; i++)
		if (broker->served[i].user == user)
			broker->served[i].user = NULL;
}

bool turns_alone(const struct broker *broker)
{
	return broker->users.n <= 1;
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
		if (turns_may(broker, user))
			return broker->now;
		due = MIN(due, user->pause_until);
	}
	return due;
}
