/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client: its packets in, its life and its end.
 *
 *	            WIRE_HELLO
 *	GREETING --------------> SERVING ---+
 *	                           ^        |  hangup, death, protocol error,
 *	WIRE_FORK of the parent    |        |  output that nobody reads
 *	    |                      |        v
 *	    +------> FORKED -------+      ENDED
 *	               WIRE_HELLO with WIRE_HELLO_CHILD
 *
 * A packet carries at most one descriptor that we want, so no more get a number
 * here: what a stranger sent besides is dropped by the kernel, which never hangs.
 *
 * A client is gone when its socket hangs up or its pidfd fires (a child that it
 * forked without the library may hold the socket open).  What it had sent before
 * still counts: its last words may be WIRE_FORK or WIRE_RELEASE.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define LAST_WORDS_MAX 1024 /* packets read of a client that is gone: a socket holds fewer */

/* ---- life ---- */

struct connection *connection_new(struct broker *broker, enum connection_state state, int call_fd,
	uid_t uid, uint32_t index)
{
	struct connection *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->user = user_get(broker, uid);
	if (!c->user) {
		free(c);
		return NULL;
	}
	c->uid = uid;
	c->state = state;
	c->index = index;
	c->call_fd = call_fd;
	c->service_fd = c->pid_fd = c->client_service_fd = -1;
	c->deadline = FOREVER_NS;
	c->call_source = (struct source){ SOURCE_CALL, c };
	c->process_source = (struct source){ SOURCE_PROCESS, c };
	c->interest = EPOLLIN | EPOLLET;
	TAILQ_INIT(&c->output);
	if (loop_watch(broker, call_fd, &c->call_source, c->interest) < 0) {
		user_put(broker, c->user);
		free(c);
		return NULL;
	}
	if (state == CONNECTION_GREETING) {
		TAILQ_INSERT_TAIL(&broker->greeting, c, greeting);
		broker->n_greeting++;
	} else {
		assert(index < broker->options->core->max_connections);
		broker->connections[index] = c;
		broker->n_connections++;
	}
	return c;
}

void connection_doom(struct broker *broker, struct connection *c)
{
	if (c->doomed)
		return;
	c->doomed = true;
	turns_remove(broker, c);
	output_clear(broker, c);
	TAILQ_INSERT_TAIL(&broker->doomed, c, departing);
}

void connection_fail(struct broker *broker, struct connection *c, const char *format, ...)
{
	char reason[TEXT_SIZE];
	va_list arguments;

	if (c->doomed)
		return;
	va_start(arguments, format);
	(void)vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	report_complaint(broker, c, reason);
	connection_doom(broker, c);
}

static void unhold(struct broker *broker, struct connection *c)
{
	if (!c->held)
		return;
	c->held = false;
	broker->n_held--;
}

static void forget_and_close(struct broker *broker, int *fd, bool watched)
{
	if (*fd < 0)
		return;
	/* Not left to close(): whoever sent us his end of a socketpair may have kept
	 * a copy, which would keep it in the epoll set. */
	if (watched)
		loop_forget(broker, *fd);
	(void)close(*fd);
	*fd = -1;
}

void connection_finish(struct broker *broker, struct connection *c)
{
	assert(c->doomed && c->state != CONNECTION_ENDED);
	if (c->state == CONNECTION_GREETING) {
		TAILQ_REMOVE(&broker->greeting, c, greeting);
		broker->n_greeting--;
		unhold(broker, c);
	} else {
		core_disconnect(broker->core, broker->now, c->index);
		broker->connections[c->index] = NULL;
		broker->n_connections--;
	}
	forget_and_close(broker, &c->call_fd, true);
	forget_and_close(broker, &c->pid_fd, true);
	forget_and_close(broker, &c->service_fd, false);
	forget_and_close(broker, &c->client_service_fd, false);
	for (size_t i = 0; i < N_HOT; i++)
		if (broker->hot[i] == c)
			broker->hot[i] = NULL;
	output_arrived(c);
	user_put(broker, c->user);
	c->user = NULL;
	c->state = CONNECTION_ENDED;
	TAILQ_INSERT_TAIL(&broker->ended, c, departing);
}

void connections_free_ended(struct broker *broker)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&broker->ended))) {
		TAILQ_REMOVE(&broker->ended, c, departing);
		free(c);
	}
}

/* Who does not read his replies sends no more requests; but who only owes
 * acknowledgements must be able to send them, behind other requests, until much waits. */
static bool may_read(const struct connection *c)
{
	return !c->held && (c->block == OUTPUT_FREE ||
		(c->block != OUTPUT_SOCKET && !output_is_paused(c)));
}

void connection_update(struct broker *broker, struct connection *c)
{
	bool wants_room = c->block == OUTPUT_SOCKET || output_is_paused(c);
	uint32_t interest = EPOLLET | (c->muted ? 0 : EPOLLIN) | (wants_room ? EPOLLOUT : 0);

	if (c->doomed)
		return;
	if (interest != c->interest)
		loop_change(broker, c->call_fd, &c->call_source, interest);
	c->interest = interest;
	if (c->unread && may_read(c)) {
		c->unread = false;
		turns_add(broker, c);
	}
}

void connection_mute(struct broker *broker, struct connection *c, bool muted)
{
	if (c->muted == muted)
		return;
	c->muted = muted;
	connection_update(broker, c);
}

/* ---- hello ---- */

/* A service socket, if the client wants one: our end, and the one that leaves with
 * the reply. */
static int make_service(struct connection *c, const struct wire_request *hello)
{
	int ends[2];

	if (!(hello->flags & WIRE_HELLO_SERVICE))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	c->service_fd = ends[0];
	c->client_service_fd = ends[1];
	return 0;
}

static int watch_process(struct broker *broker, struct connection *c, int pid_fd)
{
	int r;

	if (pid_fd < 0)
		return pid_fd;
	r = loop_watch(broker, pid_fd, &c->process_source, EPOLLIN);
	if (r < 0) {
		(void)close(pid_fd);
		return r;
	}
	c->pid_fd = pid_fd;
	return 0;
}

/* Say no, with the reason, and end it: what was sent can be read after our end is closed. */
static void refuse_hello(struct broker *broker, struct connection *c,
	const struct wire_request *hello, int status, const char *text)
{
	struct wire_reply reply = {
		.type = WIRE_HELLO,
		.serial = hello->serial,
		.status = status,
		.text = text,
	};

	output_reply(broker, c, &reply, NULL, 0, NULL);
	connection_doom(broker, c);
}

static bool versions_meet(struct broker *broker, struct connection *c,
	const struct wire_request *hello)
{
	struct text text;

	if (hello->version_min <= WIRE_VERSION_MAX && hello->version_max >= WIRE_VERSION_MIN)
		return true;
	text_set(&text,
		"the client speaks protocol versions %u to %u, the broker %u to %u: "
		"use the library that was installed with the broker",
		hello->version_min, hello->version_max, WIRE_VERSION_MIN, WIRE_VERSION_MAX);
	refuse_hello(broker, c, hello, -EPROTO, text.bytes);
	return false;
}

/* No descriptor is left for it now: it is asked for again when some may be free. */
static void hold(struct broker *broker, struct connection *c, const struct wire_request *hello)
{
	if (!c->held) {
		c->held = true;
		c->deadline = deadline_ns(broker->now, HOLD_NS);
		c->hello = (struct wire_request){
			.type = hello->type,
			.serial = hello->serial,
			.version_min = hello->version_min,
			.version_max = hello->version_max,
			.flags = hello->flags,
		};
		broker->n_held++;
		broker->held_due = MIN(broker->held_due, deadline_ns(broker->now, HOLD_AGAIN_NS));
	}
	/* It takes one descriptor while it waits. */
	forget_and_close(broker, &c->pid_fd, true);
	forget_and_close(broker, &c->service_fd, false);
	forget_and_close(broker, &c->client_service_fd, false);
}

static void refuse_connect(struct broker *broker, struct connection *c,
	const struct wire_request *hello, int error)
{
	struct text text;

	if (error == -EDQUOT)
		text_set(&text,
			"uid %u has %llu connections already, its quota: close some, or raise "
			"max_connections_per_uid or quota_connections",
			c->uid,
			(unsigned long long)core_quota_of(broker->core, c->uid, CORE_CONNECTIONS));
	else if (error == -EMFILE)
		text_set(&text,
			"the broker has no descriptor or connection left for this client, nor got "
			"one in a while: close some, release objects, or raise max_descriptors or "
			"max_connections");
	else
		text_set(&text, "the broker cannot take the connection: %s", strerror(-error));
	refuse_hello(broker, c, hello, error, text.bytes);
}

static void greet(struct broker *broker, struct connection *c, const struct wire_request *hello)
{
	struct peer peer;
	int r;

	if (hello->type != WIRE_HELLO || (hello->flags & WIRE_HELLO_CHILD)) {
		connection_fail(broker, c, "the first packet was no hello");
		return;
	}
	if (!versions_meet(broker, c, hello))
		return;
	r = peer_read(&peer, c->call_fd);
	if (r == 0)
		r = watch_process(broker, c, peer_pidfd(c->call_fd, peer.core.pid));
	if (r == -ESRCH) { /* it connected, and died: somebody else has the socket */
		connection_doom(broker, c);
		peer_deinit(&peer);
		return;
	}
	if (r == 0)
		r = make_service(c, hello);
	if (r == 0) {
		if (broker->n_connections == 0)
			limit_look(broker);
		process_comm(peer.core.pid, peer.core.comm);
		peer.core.call_fd = c->call_fd;
		peer.core.service_fd = c->service_fd;
		peer.core.pid_fd = c->pid_fd;
		r = core_connect(broker->core, broker->now, &peer.core, hello, &c->index);
	}
	if ((r == -EMFILE || r == -ENFILE) && (!c->held || c->deadline > broker->now)) {
		hold(broker, c, hello);
		peer_deinit(&peer);
		return;
	}
	unhold(broker, c);
	if (r == 0) {
		memcpy(c->comm, peer.core.comm, sizeof c->comm);
		TAILQ_REMOVE(&broker->greeting, c, greeting);
		broker->n_greeting--;
		broker->connections[c->index] = c;
		broker->n_connections++;
		c->state = CONNECTION_SERVING; /* the reply is an effect */
	} else {
		refuse_connect(broker, c, hello, r == -ENFILE ? -EMFILE : r);
	}
	peer_deinit(&peer);
}

void connection_greet_again(struct broker *broker, struct connection *c)
{
	struct wire_request hello = c->hello;

	greet(broker, c, &hello);
	broker_settle(broker);
	connection_update(broker, c);
}

static void answer_hello(struct broker *broker, struct connection *c,
	const struct wire_request *hello)
{
	struct wire_reply reply = { .type = WIRE_HELLO, .serial = hello->serial };

	report_hello(broker, c, &reply);
	output_reply(broker, c, &reply, &c->client_service_fd, c->client_service_fd >= 0, NULL);
}

/* A forked child says who it is; the kernel says whether that is true. */
static void identify(struct broker *broker, struct connection *c, const struct wire_request *hello,
	const struct socket_packet *packet)
{
	int r;

	if (!(hello->flags & WIRE_HELLO_CHILD) || !packet->has_credentials ||
			packet->credentials.pid <= 0) {
		connection_fail(broker, c,
			"a forked child's hello lacks %s",
			hello->flags & WIRE_HELLO_CHILD ? "credentials" : "its flag");
		return;
	}
	if (!versions_meet(broker, c, hello))
		return;
	r = watch_process(broker, c, pidfd_of(packet->credentials.pid));
	if (r == -ESRCH) {
		connection_doom(broker, c);
		return;
	}
	if (r == 0)
		r = make_service(c, hello);
	if (r < 0) {
		refuse_connect(broker, c, hello, r == -ENFILE ? -EMFILE : r);
		return;
	}
	c->pid = packet->credentials.pid;
	process_comm(c->pid, c->comm);
	/* From now on descriptors may come, which need the place of the credentials. */
	(void)setsockopt(c->call_fd, SOL_SOCKET, SO_PASSCRED, &(int){ 0 }, sizeof(int));
	c->state = CONNECTION_SERVING;
	core_identify(broker->core, broker->now, c->index, c->pid, c->pid_fd, c->service_fd,
		c->comm);
	broker_settle(broker);
	answer_hello(broker, c, hello);
}

/* ---- requests ---- */

/* The end of a socketpair that the child will use: its other end must be of the
 * same user, or a client could make connections in somebody else's name. */
static bool is_childs_socket(const struct connection *parent, int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;

	return is_packet_socket(fd) &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
		credentials.uid == parent->uid;
}

static void fork_connection(struct broker *broker, struct connection *parent,
	const struct wire_request *request, int fd)
{
	const struct wire_reply greeting = { .type = WIRE_FORK, .serial = request->serial };
	struct connection *child;
	uint32_t index = CORE_NO_CONN;

	if (!is_childs_socket(parent, fd)) {
		stranger_bury(broker, fd, parent->uid);
		connection_fail(broker, parent,
			"what it sent for a forked child is no connected packet socket of uid %u",
			parent->uid);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
	core_request(broker->core, broker->now, parent->index, request, fd, &index);
	if (index == CORE_NO_CONN)
		return; /* closing it is an effect; the child sees the hangup */
	child = connection_new(broker, CONNECTION_FORKED, fd, parent->uid, index);
	if (!child) {
		broker_settle(broker);
		core_disconnect(broker->core, broker->now, index);
		(void)close(fd);
		return;
	}
	child->pid = parent->pid;
	child->resuming = parent->resuming;
	memcpy(child->comm, parent->comm, sizeof child->comm);
	/* Whoever has the other end gets this.  If it is ours too - a client sent both
	 * ends, and then nobody is left who could hang up - we refuse it as a request. */
	output_reply(broker, child, &greeting, NULL, 0, NULL);
}

/* The descriptor that was announced was lost on its way: our table is full, or a
 * security module refused it.  Nobody's fault that is in the conversation. */
static void answer_lost_fd(struct broker *broker, struct connection *c,
	const struct wire_request *request)
{
	struct wire_reply reply = {
		.type = request->type,
		.serial = request->serial,
		.status = -ENOBUFS,
		.text = "the descriptor did not reach the broker: its limit of open files is "
			"reached, or a security module refused it; raise the limit, or copy the "
			"bytes (put)",
	};

	if (request->type == WIRE_FORK)
		log_warning("the socket of a child of pid %d (%s) did not arrive: the limit of "
			    "open files is reached, or a security module refused it",
			(int)c->pid, c->comm);
	else if (!c->resuming)
		output_reply(broker, c, &reply, NULL, 0, NULL);
}

/* What is no memfd does not reach the core: it would wait for room there, and with
 * it the one who is to blame for it. */
static void refuse_stranger(struct broker *broker, struct connection *c,
	const struct wire_request *request, int fd, int status)
{
	char id[ID128_TEXT_SIZE];
	struct text text = TEXT_INIT;
	struct wire_reply reply = {
		.type = request->type,
		.serial = request->serial,
		.status = status,
		.text = text.bytes,
	};

	text_set(&text,
		"object %s: the descriptor is not a memfd: make one with memfd_create(2), and "
		"seal it",
		id128_format(&request->items[0].id, id));
	if (!c->resuming)
		output_reply(broker, c, &reply, NULL, 0, NULL);
	if (stranger_bars(broker, c->uid))
		connection_fail(broker, c, "it sends files that cannot be closed");
	stranger_bury(broker, fd, c->uid);
}

static void serve(struct broker *broker, struct connection *c, const struct wire_request *request,
	int fd)
{
	int r;

	switch (request->type) {
	case WIRE_HELLO:
		/* Asked again, because a worker died before it could answer. */
		if (request->retry)
			answer_hello(broker, c, request);
		else if (!c->resuming)
			connection_fail(broker, c, "a second hello");
		return;
	case WIRE_ACK:
		return;
	case WIRE_CONFIG:
		if (!c->resuming)
			report_config(broker, c, request->serial);
		return;
	case WIRE_CONFIGURE:
		if (!c->resuming)
			settings_change(broker, c, request);
		return;
	case WIRE_FORK:
		fork_connection(broker, c, request, fd);
		return;
	case WIRE_PUT_FD:
		r = memfd_is_sealed(fd);
		if (r < 0) {
			refuse_stranger(broker, c, request, fd, r);
			return;
		}
		__attribute__((fallthrough));
	default:
		core_request(broker->core, broker->now, c->index, request, fd, NULL);
	}
}

/* Every packet says how many descriptors its sender has received in all.  An heir
 * does not know how many were sent: when WIRE_RECONCILE comes, all had arrived. */
static bool take_acks(struct broker *broker, struct connection *c,
	const struct wire_request *request)
{
	if (c->resuming) {
		if (request->type != WIRE_RECONCILE ||
				request->generation != core_generation(broker->core))
			return true;
		output_arrived(c);
		c->fds_sent = c->fds_acked = c->fds_arrived = request->acked_fds;
		if (!request->more)
			c->resuming = false;
		return true;
	}
	if (request->acked_fds == c->fds_acked)
		return true;
	if (request->acked_fds - c->fds_acked > c->fds_sent - c->fds_acked) {
		connection_fail(broker, c, "it acknowledges %u descriptors of %u that were sent",
			request->acked_fds - c->fds_acked, c->fds_sent - c->fds_acked);
		return false;
	}
	output_acked(c, request->acked_fds);
	if (c->block == OUTPUT_WINDOW || c->block == OUTPUT_KERNEL)
		output_flush(broker, c);
	return true;
}

static bool wants_fd(const struct connection *c, const struct wire_request *request)
{
	return c->state == CONNECTION_SERVING &&
		(request->type == WIRE_PUT_FD || request->type == WIRE_FORK);
}

static void carry_out(struct broker *broker, struct connection *c, struct socket_packet *packet,
	bool fds_lost)
{
	struct wire_request request;
	int r = wire_request_decode(&request, &broker->decoded, packet->bytes, packet->size);
	int fd = -1;

	if (r < 0) {
		connection_fail(broker, c, "no memory for its request");
		return;
	}
	if (r > 0) {
		connection_fail(broker, c, "a packet of %zu bytes: %s", packet->size,
			wire_error_text((enum wire_error)r));
		return;
	}
	if (request.n_fds > (wants_fd(c, &request) ? 1U : 0U)) {
		connection_fail(broker, c, "a %s with %u descriptors",
			wire_type_name(request.type), request.n_fds);
		return;
	}
	if (packet->n_fds > request.n_fds || (fds_lost && packet->n_fds == request.n_fds)) {
		connection_fail(broker, c, "a %s with more descriptors than it announced",
			wire_type_name(request.type));
		return;
	}
	if (packet->n_fds < request.n_fds && !fds_lost) {
		connection_fail(broker, c, "a %s without the descriptor that it announced",
			wire_type_name(request.type));
		return;
	}
	if (wants_fd(c, &request) && request.n_fds == 0) {
		connection_fail(broker, c, "a %s without a descriptor",
			wire_type_name(request.type));
		return;
	}
	if (c->state != CONNECTION_GREETING && !take_acks(broker, c, &request))
		return;
	if (fds_lost) {
		answer_lost_fd(broker, c, &request);
		return;
	}
	if (packet->n_fds > 0) {
		fd = packet->fds[0];
		packet->n_fds = 0; /* the request's now */
	}
	if (c->state == CONNECTION_GREETING) {
		greet(broker, c, &request);
	} else if (c->state == CONNECTION_SERVING) {
		serve(broker, c, &request, fd);
	} else if (request.type == WIRE_HELLO) {
		identify(broker, c, &request, packet);
	} else if (request.type == WIRE_RECONCILE || c->resuming) {
		core_request(broker->core, broker->now, c->index, &request, -1, NULL);
	} else if (request.type != WIRE_ACK) {
		connection_fail(broker, c, "a forked child's first packet was no hello");
	}
}

/* Return: was there a packet? */
static bool read_packet(struct broker *broker, struct connection *c)
{
	struct socket_packet packet;
	int r;

	packet.bytes = broker->packet;
	packet.room = WIRE_PACKET_MAX;
	packet.want_fds = c->state == CONNECTION_SERVING;
	packet.max_fds = 1;
	packet.want_credentials = c->state == CONNECTION_FORKED;
	r = socket_receive(c->call_fd, &packet, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return false;
	broker->now = now_ns();
	if (r == 0 || r == SOCKET_E_FDS_LOST)
		carry_out(broker, c, &packet, r == SOCKET_E_FDS_LOST);
	else if (r == SOCKET_E_TRUNCATED)
		connection_fail(broker, c, "a packet of more than %u bytes", WIRE_PACKET_MAX);
	else /* it hung up; or the socket is broken, which is the same to us */
		connection_doom(broker, c);
	for (size_t i = 0; i < packet.n_fds; i++)
		stranger_bury(broker, packet.fds[i], c->uid);
	/* The request borrows from the packet until all its effects are carried out. */
	broker_settle(broker);
	return true;
}

/* One packet, or what follows from there being none.  Return: was there one? */
static bool serve_packet(struct broker *broker, struct connection *c)
{
	if (c->doomed)
		return false;
	if (!may_read(c)) {
		turns_remove(broker, c);
		c->unread = true;
		return false;
	}
	if (!read_packet(broker, c)) {
		turns_remove(broker, c);
		connection_mute(broker, c, false);
		if (c->leaving && !c->doomed)
			connection_doom(broker, c);
		return false;
	}
	if (c->leaving && !c->doomed && ++c->n_last_words == LAST_WORDS_MAX)
		connection_doom(broker, c);
	return true;
}

/* A turn that ended early has not found the connection empty, though it may be. */
static void look_for_more(struct broker *broker, struct connection *c)
{
	char byte;

	if (c->doomed || c->leaving || !c->ready || !may_read(c) ||
			recv(c->call_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		return;
	turns_remove(broker, c);
	connection_mute(broker, c, false);
}

unsigned int connection_serve(struct broker *broker, struct connection *c, unsigned int max_packets)
{
	struct user *user = c->user;
	int64_t began = broker->now, end = turns_end(broker);
	unsigned int n = 0;

	user->n_connections++; /* it is charged with the end of its last connection too */
	while (n < max_packets && serve_packet(broker, c)) {
		n++;
		if (end != FOREVER_NS && now_ns() >= end) {
			look_for_more(broker, c);
			break;
		}
	}
	broker_settle(broker);
	if (n > 0 || c->state == CONNECTION_ENDED)
		turns_took(broker, user, began);
	user_put(broker, user);
	return n;
}

void connection_hang_up(struct broker *broker, struct connection *c)
{
	if (c->doomed || c->leaving)
		return;
	if (c->held) {
		connection_doom(broker, c);
		broker_settle(broker);
		return;
	}
	c->leaving = c->hung_up = true;
	output_clear(broker, c);
	if (c->pid_fd >= 0)
		loop_forget(broker, c->pid_fd); /* it would tell us again and again */
	turns_add(broker, c);
}
