/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection's life: found, greeted, used, ended.
 *
 * It ends in one of three ways.  ostore_close() tells nobody: the socket's end
 * is message enough, and the broker takes back everything.  When the broker
 * hangs up, or cannot be understood, the connection is dead: its calls fail, now
 * and later, with one and the same sentence.  ostore_shutdown() is such a death,
 * wished for; ostore_close() dies it too where other threads are still inside, and
 * waits until they have left.  In all cases what is mapped stays
 * mapped, because the mapping itself keeps the pages alive, until the caller
 * releases its handles; the last handle of a closed connection frees it.
 */
#include "client/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/address.h"
#include "client/call.h"
#include "client/error.h"
#include "client/fork.h"
#include "client/map.h"
#include "client/objects.h"
#include "client/resume.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/cpu.h"
#include "util/socket.h"

#define CONNECT_TIMEOUT_NS (10 * NS_PER_S)
#define RETRY_MS           10 /* between hellos to a broker that hangs up on them */
#define ROOM_NS            NS_PER_S /* for a broker that closes idle objects to have descriptors for us */

/* ---- hello ---- */

/* Send, with our credentials: a forked child is known by them, and the kernel
 * vouches for them even when the broker has not asked for any yet. */
static int send_hello(int fd, const void *packet, size_t size)
{
	struct ucred credentials = { .pid = getpid(), .uid = geteuid(), .gid = getegid() };
	struct iovec iov = { .iov_base = (void *)packet, .iov_len = size };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof credentials)];
	} control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control.bytes,
	};

	memset(&control, 0, sizeof control);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_CREDENTIALS;
	control.header.cmsg_len = CMSG_LEN(sizeof credentials);
	memcpy(CMSG_DATA(&control.header), &credentials, sizeof credentials);
	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return errno == EPIPE || errno == ENOTCONN ? -ECONNRESET : -errno;
	return 0;
}

static int receive_before(int fd, struct socket_packet *packet, int64_t deadline)
{
	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ns();
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&poller, 1, (int)MIN(left / NS_PER_MS + 1, INT64_C(60000))) <= 0)
			continue;
		r = socket_receive(fd, packet, MSG_DONTWAIT);
		if (r == SOCKET_E_CLOSED)
			return -ECONNRESET;
		if (r != -EAGAIN)
			return r;
	}
}

/* The broker's limits, none of which may be more than this library can handle. */
static int accept_hello(struct ostore *conn, const struct wire_reply *reply, int service_fd)
{
	if (reply->version < WIRE_VERSION_MIN || reply->version > WIRE_VERSION_MAX ||
		reply->max_packet < 4096 || reply->max_items == 0)
		return -EPROTO;
	conn->generation = reply->generation;
	conn->inline_max = MIN(reply->inline_max, (uint32_t)WIRE_INLINE_MAX);
	conn->max_items = MIN(reply->max_items, (uint32_t)WIRE_ITEMS_MAX);
	conn->max_packet = MIN(reply->max_packet, (uint32_t)WIRE_PACKET_MAX);
	cleanup_closep(&conn->service_fd);
	conn->service_fd = service_fd;
	conn->received_fds += reply->n_fds;
	return 0;
}

/* One packet while greeting.  Return: 0: greeted; 1: WIRE_RESUME came; 2: the answer to
 * the parent's WIRE_FORK, which comes first; negative errno with a sentence (-ECONNRESET
 * without). */
static int read_hello(struct ostore *conn, int fd, int64_t deadline)
{
	struct socket_packet packet = {
		.bytes = conn->receive_buffer,
		.room = WIRE_PACKET_MAX,
		.want_fds = true,
	};
	struct wire_reply reply;
	int r = receive_before(fd, &packet, deadline);

	if (r == -ETIMEDOUT)
		return fail(r, "the broker at %s does not answer; look whether it is stopped or busy",
			conn->address);
	if (r == -ECONNRESET)
		return r;
	if (r == 0)
		r = wire_reply_decode(&reply, &conn->scratch, packet.bytes, packet.size);
	else if (r == SOCKET_E_FDS_LOST)
		r = fail(-EMFILE, "no descriptor is left for the broker at %s: close some, or raise "
			"the limit (ulimit -n)", conn->address);
	if (r == 0 && reply.type == WIRE_RESUME) {
		conn->generation = reply.generation;
		return 1;
	}
	if (r == 0 && reply.type == WIRE_FORK && reply.n_fds == 0)
		return 2;
	if (r == 0 && reply.type == WIRE_HELLO && reply.status < 0)
		r = fail(reply.status, "the broker at %s: %s", conn->address,
			reply.text ? reply.text : error_cause(reply.status));
	else if (r == 0 && reply.type == WIRE_HELLO && packet.n_fds == reply.n_fds &&
		 accept_hello(conn, &reply, packet.n_fds > 0 ? packet.fds[0] : -1) == 0)
		return 0;
	else if (r >= 0)
		r = fail(-EPROTO, "what answers at %s is no broker that library %s understands",
			conn->address, ostore_version());
	for (size_t i = 0; i < packet.n_fds; i++)
		(void)close(packet.fds[i]);
	return r;
}

int connection_greet(struct ostore *conn, int fd, uint32_t flags)
{
	int64_t deadline = deadline_ns(now_ns(), conn->connect_timeout_ns);
	struct wire_request hello = {
		.type = WIRE_HELLO,
		.serial = ++conn->last_serial,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.flags = flags,
	};
	ssize_t size = wire_request_encode(&hello, conn->send_buffer, WIRE_PACKET_MAX);
	int r;

	if (size < 0)
		return fail((int)size, "cannot say hello to the broker at %s", conn->address);
	r = send_hello(fd, conn->send_buffer, (size_t)size);
	if (r == 0)
		do
			r = read_hello(conn, fd, deadline);
		while (r == 2);
	/* A worker died while we were introducing ourselves.  A fresh connection is
	 * simply made again; that of a forked child has its references to lose. */
	return r == 1 ? -ECONNRESET : r;
}

int connection_dial(struct ostore *conn, const char *address)
{
	int64_t deadline = deadline_ns(now_ns(), conn->connect_timeout_ns);
	int64_t until_room = MIN(deadline, deadline_ns(now_ns(), ROOM_NS));
	bool again;
	int r;

	do {
		CLEANUP_CLOSE int fd = -1;
		char *path = NULL;

		fd = address_connect(address, conn->connect_timeout_ns, &path);
		if (fd < 0)
			return fd;
		free(conn->address);
		conn->address = path;
		address = path;
		r = connection_greet(conn, fd, 0);
		if (r == 0)
			conn->call_fd = TAKE_FD(fd);
		again = (r == -ECONNRESET && now_ns() < deadline) ||
			(r == -EMFILE && now_ns() < until_room);
		if (again)
			(void)poll(NULL, 0, RETRY_MS);
	} while (again);
	if (r == -ECONNRESET)
		return fail(-ECONNREFUSED, "the broker at %s hangs up on us; look at its log",
			conn->address);
	return r;
}

/* ---- birth and death ---- */

static struct ostore *connection_free(struct ostore *conn)
{
	if (!conn)
		return NULL;
	cleanup_closep(&conn->call_fd);
	cleanup_closep(&conn->service_fd);
	cleanup_closep(&conn->fork_fd);
	async_deinit(conn);
	resume_forget(conn);
	objects_deinit(conn);
	wire_scratch_deinit(&conn->scratch);
	free(conn->send_buffer);
	free(conn->receive_buffer);
	free(conn->front.iov_base);
	free(conn->address);
	(void)pthread_cond_destroy(&conn->changed);
	(void)pthread_mutex_destroy(&conn->lock);
	free(conn);
	return NULL;
}

static struct ostore *connection_new(int64_t timeout)
{
	struct ostore *conn = calloc(1, sizeof *conn);

	if (!conn)
		return NULL;
	(void)pthread_mutex_init(&conn->lock, NULL);
	(void)pthread_cond_init(&conn->changed, NULL);
	conn->state = CONNECTION_GREETING;
	conn->call_fd = conn->service_fd = conn->fork_fd = -1;
	async_init(conn);
	conn->connect_timeout_ns = timeout;
	conn->uid = geteuid();
	conn->huge_pages = map_huge_pages_allowed();
	conn->may_spin = cpu_count() > 1;
	conn->send_buffer = aligned_alloc(8, WIRE_PACKET_MAX);
	conn->receive_buffer = aligned_alloc(8, WIRE_PACKET_MAX);
	conn->front.iov_base = aligned_alloc(8, OBJECTS_FRONT_ROOM);
	if (!conn->send_buffer || !conn->receive_buffer || !conn->front.iov_base)
		return connection_free(conn);
	return conn;
}

void connection_die(struct ostore *conn, int error, const char *format, ...)
{
	va_list args;

	if (conn->state == CONNECTION_DEAD || conn->state == CONNECTION_CLOSED)
		return;
	conn->state = CONNECTION_DEAD;
	conn->death = error;
	va_start(args, format);
	(void)vsnprintf(conn->obituary.bytes, sizeof conn->obituary.bytes, format, args);
	va_end(args);
	conn->obituary.length = strlen(conn->obituary.bytes);
	/* Not close(): another thread may be polling it.  This wakes that one. */
	(void)shutdown(conn->call_fd, SHUT_RDWR);
	conn->partial = NULL;
	resume_forget(conn);
	objects_forget_releases(conn);
	call_fail_all(conn, conn->death, conn->obituary.bytes);
}

void connection_lost(struct ostore *conn)
{
	connection_die(conn, -ECONNREFUSED,
		"the broker at %s is gone; what is mapped stays readable; to go on, start it again "
		"and connect anew",
		conn->address);
}

void connection_lock(struct ostore *conn)
{
	pthread_mutex_lock(&conn->lock);
	conn->n_inside++;
}

int connection_enter(struct ostore *conn)
{
	int r;

	if (!conn)
		return fail(-EINVAL, "no connection: ostore_connect() comes first");
	connection_lock(conn);
	if (conn->state == CONNECTION_OPEN)
		return 0;
	while (conn->state == CONNECTION_GREETING)
		pthread_cond_wait(&conn->changed, &conn->lock);
	if (conn->state == CONNECTION_CHILD)
		fork_introduce_child(conn);
	if (conn->state == CONNECTION_OPEN)
		return 0;
	if (conn->state == CONNECTION_DEAD)
		r = fail(conn->death, "%s", conn->obituary.bytes);
	else
		r = fail(-ECONNREFUSED, "the connection to the broker at %s was closed", conn->address);
	connection_leave(conn);
	return r;
}

void connection_unlock(struct ostore *conn)
{
	if (--conn->n_inside == 1)
		pthread_cond_broadcast(&conn->changed); /* for who closes */
	pthread_mutex_unlock(&conn->lock);
}

void connection_leave(struct ostore *conn)
{
	bool last = conn->state == CONNECTION_CLOSED && conn->n_handles == 0;

	connection_unlock(conn);
	if (last) {
		fork_forget(conn);
		connection_free(conn);
	}
}

/* ---- public ---- */

int ostore_connect(struct ostore **connp, const char *address, const struct ostore_options *options)
{
	int64_t timeout = CONNECT_TIMEOUT_NS;
	struct ostore *conn;
	int r;

	if (!connp)
		return fail(-EINVAL, "ostore_connect: no place for the connection");
	if (options && options->size < sizeof options->size + sizeof(bool))
		return fail(-EINVAL, "ostore_connect: options.size is not set");
	if (options && options->size >= offsetof(struct ostore_options, connect_timeout) +
						sizeof options->connect_timeout &&
		options->connect_timeout > 0)
		timeout = options->connect_timeout;
	conn = connection_new(timeout);
	if (!conn)
		return fail_memory();
	conn->no_service_thread = options && options->no_service_thread;
	r = connection_dial(conn, address);
	if (r == 0) {
		conn->state = CONNECTION_OPEN;
		r = fork_remember(conn);
	}
	if (r < 0) {
		connection_free(conn);
		return r;
	}
	*connp = conn;
	return 0;
}

/* Lock held, dropped while another thread greets. */
static void shut_down(struct ostore *conn)
{
	while (conn->state == CONNECTION_GREETING)
		pthread_cond_wait(&conn->changed, &conn->lock);
	connection_die(conn, -ECONNREFUSED, "the connection to the broker at %s was closed",
		conn->address);
}

void ostore_shutdown(struct ostore *conn)
{
	if (!conn)
		return;
	connection_lock(conn);
	shut_down(conn);
	connection_leave(conn);
}

void ostore_close(struct ostore *conn)
{
	if (!conn)
		return;
	connection_lock(conn);
	if (conn->n_inside > 1)
		shut_down(conn);
	while (conn->n_inside > 1)
		pthread_cond_wait(&conn->changed, &conn->lock);
	conn->state = CONNECTION_CLOSED;
	cleanup_closep(&conn->call_fd);
	cleanup_closep(&conn->service_fd);
	conn->call_fd = conn->service_fd = -1;
	async_close_fds(conn);
	async_forget(conn, -ECONNREFUSED, "the connection was closed");
	travel_forget(conn);
	call_forget_all(conn);
	objects_forget_releases(conn);
	resume_forget(conn);
	connection_leave(conn);
}

const char *ostore_address(const struct ostore *conn)
{
	return conn ? conn->address : "";
}
