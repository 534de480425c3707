/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core wants done.  Small things are done here and now, slow ones by the
 * crew: the loop never seals what a client could have pinned, and never frees much
 * memory at once.  Objects of the pack are moved at once too, but each answer may bring
 * the next moves: once a turn has moved enough, answers wait for the next turn.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define CLOSE_HERE_BYTES (256U << 10) /* 50 us at the most */
#define CLOSES_A_TURN    64
#define TRIM_HERE_BYTES  (4U << 20) /* 1 ms */
#define MOVES_A_TURN     (256U << 10) /* bytes, of objects in the pack: 0.3 ms */
#define MOVE_BYTES       256 /* what moving an object costs, besides copying it */

/* The worker cannot go on without the answer that the core waits for, nor tell
 * anybody: its heir can. */
static void make_room(struct completions *list)
{
	struct completion *more;
	size_t room;

	if (list->n < list->room)
		return;
	room = list->room ? list->room * 2 : 256;
	more = reallocarray(list->all, room, sizeof *more);
	if (!more)
		abort();
	list->all = more;
	list->room = room;
}

static void append(struct completions *list, const struct completion *completion)
{
	make_room(list);
	list->all[list->n++] = *completion;
}

static void complete(struct broker *broker, const struct completion *completion)
{
	append(&broker->completions, completion);
}

static void deliver(struct broker *broker, const struct completion *done)
{
	struct core *core = broker->core;

	switch (done->effect) {
	case CORE_MAKE:
		core_made(core, broker->now, done->ticket, done->result, done->fd,
			done->identity.inode);
		return;
	case CORE_ADOPT:
		core_adopted(core, broker->now, done->ticket, done->result, done->identity.inode,
			done->identity.size);
		return;
	case CORE_SEAL:
		core_sealed(core, broker->now, done->ticket, done->result);
		return;
	case CORE_CLOSE:
		core_closed(core, broker->now, done->ticket);
		return;
	case CORE_POOL_FILL:
		core_pool_filled(core, broker->now, done->ticket, done->result, done->fd,
			done->identity.inode, done->identity.size);
		return;
	case CORE_PACK_OPEN:
		core_pack_opened(core, broker->now, done->ticket, done->result, done->fd,
			done->identity.inode);
		return;
	case CORE_PACK_WRITE:
	case CORE_PACK_PUNCH:
		core_packed(core, broker->now, done->ticket, done->result);
		return;
	case CORE_REPLY:
	case CORE_CLOSE_STRANGER:
	case CORE_DISCONNECT:
	case CORE_PACK_GIVE:
		break;
	}
	assert(!"an effect without an answer");
}

static struct connection *connection_at(const struct broker *broker, uint32_t index)
{
	return index < broker->options->core->max_connections ? broker->connections[index] : NULL;
}

static uid_t uid_of(const struct broker *broker, uint32_t index)
{
	const struct connection *c = connection_at(broker, index);

	return c ? c->uid : (uid_t)-1;
}

static void reply(struct broker *broker, const struct core_effect *effect)
{
	struct connection *c = connection_at(broker, effect->conn);
	struct wire_reply hello;

	if (!c)
		return;
	switch (effect->reply.type) {
	case WIRE_HELLO:
		hello = effect->reply;
		report_hello(broker, c, &hello);
		output_reply(broker, c, &hello, &c->client_service_fd,
			c->client_service_fd >= 0, NULL);
		return;
	case WIRE_STATUS:
		report_status(broker, c, &effect->reply);
		return;
	default:
		output_reply(broker, c, &effect->reply, effect->fds, effect->n_fds,
			effect->inline_places);
	}
}

/* Pool memory becomes an object.  Return: 0 or negative errno; 1: the crew does it. */
static int use_pool(struct broker *broker, const struct core_effect *effect,
	struct completion *done)
{
	struct crew_job job = {
		.type = CREW_TRIM,
		.ticket = effect->ticket,
		.key = uid_of(broker, effect->conn),
		.fd = effect->fd,
		.size = effect->size,
	};
	int r;

	if (effect->data || effect->seal)
		return memfd_write_sealed(effect->fd, &done->identity, effect->data,
			effect->data_size);
	r = memfd_identify(effect->fd, &done->identity);
	if (r == 0 && done->identity.size > effect->size + TRIM_HERE_BYTES &&
			crew_submit(broker->crew, &job) == 0)
		return 1;
	return r == 0 ? memfd_resize_draft(effect->fd, &done->identity, effect->size) : r;
}

static void make(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = {
		.effect = CORE_MAKE,
		.ticket = effect->ticket,
		.fd = effect->fd,
	};

	if (effect->fd >= 0) {
		done.result = use_pool(broker, effect, &done);
		if (done.result == 1)
			return;
	} else {
		const void *data = effect->from_pack ? broker->pack.bytes + effect->offset
						     : effect->data;

		done.fd = data || effect->seal
			? memfd_make_sealed(&done.identity, data, effect->data_size)
			: memfd_make(&done.identity, effect->size, true);
		done.result = done.fd < 0 ? done.fd : 0;
		if (done.fd < 0)
			done.fd = -1;
	}
	complete(broker, &done);
}

static void adopt(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = { .effect = CORE_ADOPT, .ticket = effect->ticket };

	done.result = memfd_adopt(effect->fd, &done.identity);
	complete(broker, &done);
}

/* A library that seals before it says so spares us the thread. */
static void seal(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = { .effect = CORE_SEAL, .ticket = effect->ticket };
	struct crew_job job = {
		.type = CREW_SEAL,
		.ticket = effect->ticket,
		.key = uid_of(broker, effect->conn),
		.fd = effect->fd,
	};

	done.result = memfd_is_sealed(effect->fd);
	if (done.result == 0) {
		if (crew_submit(broker->crew, &job) == 0)
			return;
		done.result = memfd_seal(effect->fd);
	} else if (done.result == 1) {
		done.result = 0;
	}
	complete(broker, &done);
}

static void close_memfd(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = { .effect = CORE_CLOSE, .ticket = effect->ticket };
	struct crew_job job = {
		.type = CREW_CLOSE,
		.ticket = effect->ticket,
		.fd = effect->fd,
	};

	output_closing(broker, effect->fd);
	if (effect->fd == broker->pack.fd)
		pack_file_unmap(&broker->pack);
	if ((effect->size > CLOSE_HERE_BYTES || broker->n_closed_here >= CLOSES_A_TURN) &&
			crew_submit(broker->crew, &job) == 0)
		return;
	broker->n_closed_here++;
	(void)close(effect->fd);
	complete(broker, &done);
}

static void fill_pool(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = {
		.effect = CORE_POOL_FILL,
		.ticket = effect->ticket,
		.fd = -1,
	};
	struct crew_job job = {
		.type = CREW_FILL,
		.ticket = effect->ticket,
		.size = effect->size,
		.huge = broker->huge_pages && effect->size % HUGE_PAGE_BYTES == 0,
		.fd = -1,
	};

	done.result = crew_submit(broker->crew, &job);
	if (done.result < 0)
		complete(broker, &done);
}

static void open_pack(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = { .effect = CORE_PACK_OPEN, .ticket = effect->ticket };

	done.fd = broker_pack_open(broker, effect->size, &done.identity);
	done.result = MIN(done.fd, 0);
	complete(broker, &done);
}

static void write_pack(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = { .effect = CORE_PACK_WRITE, .ticket = effect->ticket };
	bool is_move = false;

	done.result = broker_pack_write(broker, effect->writes, effect->n_writes);
	for (uint32_t i = 0; i < effect->n_writes; i++)
		if (effect->writes[i].from.fd != CORE_PLACE_NONE) {
			broker->moved_here += effect->writes[i].size + MOVE_BYTES;
			is_move = true;
		}
	append(is_move && broker->moved_here > MOVES_A_TURN ? &broker->later : &broker->completions,
		&done);
}

static void punch_pack(struct broker *broker, const struct core_effect *effect)
{
	struct completion done = { .effect = CORE_PACK_PUNCH, .ticket = effect->ticket };

	done.result = pack_file_punch(&broker->pack, effect->offset, effect->size);
	if (effect->ticket)
		complete(broker, &done);
}

static void disconnect(struct broker *broker, const struct core_effect *effect)
{
	struct connection *c = connection_at(broker, effect->conn);

	if (c)
		connection_fail(broker, c, "%s",
			effect->text ? effect->text : "it broke the protocol");
}

static void execute(struct broker *broker, const struct core_effect *effect)
{
	switch (effect->type) {
	case CORE_REPLY:
		reply(broker, effect);
		return;
	case CORE_MAKE:
		make(broker, effect);
		return;
	case CORE_ADOPT:
		adopt(broker, effect);
		return;
	case CORE_SEAL:
		seal(broker, effect);
		return;
	case CORE_CLOSE:
		close_memfd(broker, effect);
		return;
	case CORE_CLOSE_STRANGER:
		stranger_bury(broker, effect->fd, uid_of(broker, effect->conn));
		return;
	case CORE_DISCONNECT:
		disconnect(broker, effect);
		return;
	case CORE_POOL_FILL:
		fill_pool(broker, effect);
		return;
	case CORE_PACK_OPEN:
		open_pack(broker, effect);
		return;
	case CORE_PACK_WRITE:
		write_pack(broker, effect);
		return;
	case CORE_PACK_GIVE:
		output_giving(broker, effect->offset);
		return;
	case CORE_PACK_PUNCH:
		punch_pack(broker, effect);
		return;
	}
	assert(!"an effect that the worker does not know");
}

void broker_settle(struct broker *broker)
{
	struct connection *c;

	for (;;) {
		struct core_effect effect;

		while (core_next_effect(broker->core, &effect))
			execute(broker, &effect);
		if (broker->next_completion < broker->completions.n) {
			struct completion done = broker->completions.all[broker->next_completion++];

			deliver(broker, &done);
			continue;
		}
		broker->next_completion = broker->completions.n = 0;
		c = TAILQ_FIRST(&broker->doomed);
		if (!c)
			return;
		TAILQ_REMOVE(&broker->doomed, c, departing);
		connection_finish(broker, c);
	}
}

int64_t effects_due(const struct broker *broker)
{
	return broker->later.n > 0 ? broker->now : FOREVER_NS;
}

void effects_tick(struct broker *broker)
{
	broker->moved_here = 0;
	if (broker->later.n > 0) {
		for (size_t i = 0; i < broker->later.n; i++)
			complete(broker, &broker->later.all[i]);
		broker->later.n = 0;
		broker_settle(broker);
	}
}

void effects_collect(struct broker *broker)
{
	static const enum core_effect_type effects[] = {
		[CREW_SEAL] = CORE_SEAL,
		[CREW_TRIM] = CORE_MAKE,
		[CREW_CLOSE] = CORE_CLOSE,
		[CREW_FILL] = CORE_POOL_FILL,
	};
	struct crew_job job;

	while (crew_take(broker->crew, &job)) {
		struct completion done = {
			.effect = effects[job.type],
			.ticket = job.ticket,
			.result = job.result,
			.fd = job.fd,
			.identity = job.identity,
		};

		deliver(broker, &done);
		broker_settle(broker);
	}
}
