/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WIRE_FORK: a socket that the broker takes for a child's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hostile.h"

#ifndef SO_PASSPIDFD /* Linux 6.5; missing in Debian 12's headers */
#define SO_PASSPIDFD 76
#endif

static int send_fork(struct raw *raw, int fd)
{
	struct wire_request request = { .type = WIRE_FORK };

	return raw_send(raw, &request, &fd, 1);
}

static void pair_of(int type, int pair[2])
{
	assert(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
	/* what the child sends before the broker has the socket shall say who sent it */
	assert(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) == 0);
}

static void expect_no_fork(int fd, const char *what)
{
	struct raw *raw = raw_open();

	assert(fd >= 0);
	assert(send_fork(raw, fd) == 0);
	close(fd);
	expect_closed(raw, what);
	raw_close(raw);
}

static void wrong_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int pair[2], fd;

	expect_no_fork(make_memfd(4096, 1, HARD_SEALS), "a memfd");
	expect_no_fork(open("/dev/null", O_RDWR | O_CLOEXEC), "a device");
	assert(pipe2(pair, O_CLOEXEC) == 0);
	expect_no_fork(pair[0], "a pipe");
	close(pair[1]);
	pair_of(SOCK_STREAM, pair);
	expect_no_fork(pair[0], "a stream socket");
	close(pair[1]);
	pair_of(SOCK_DGRAM, pair);
	expect_no_fork(pair[0], "a datagram socket");
	close(pair[1]);
	expect_no_fork(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "no connection");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	assert(listen(fd, 1) == 0);
	expect_no_fork(fd, "a socket that listens");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		expect_no_fork(fd, "an internet socket");
}

/* The broker holds both ends then, and must not talk to itself, or wait for ever. */
static void both_ends(void)
{
	struct raw *raw = raw_open();
	struct id128 id = raw_id();
	struct wire_reply reply;
	int pair[2];

	expect_status(raw_put(raw, id, "x", 1), 0, "put");
	expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "get");
	for (int i = 0; i < 3; i++) {
		pair_of(SOCK_SEQPACKET, pair);
		assert(send_fork(raw, pair[0]) == 0 && send_fork(raw, pair[1]) == 0);
		close(pair[0]);
		close(pair[1]);
	}
	raw_close(raw);
}

static void own_sockets(void)
{
	struct raw *raw = raw_open(), *other;

	assert(send_fork(raw, raw->call) == 0);
	(void)send_fork(raw, raw->call);
	raw_close(raw);
	/* the service socket, whose other end the broker holds too */
	raw = raw_connect();
	expect_status(raw_hello(raw, WIRE_HELLO_SERVICE), 0, "hello");
	if (raw->service >= 0)
		assert(send_fork(raw, raw->service) == 0);
	raw_close(raw);
	/* a connection of its own that has not said hello, and one that has */
	raw = raw_open();
	other = raw_connect();
	assert(send_fork(raw, other->call) == 0);
	raw_close(other);
	other = raw_open();
	(void)send_fork(raw, other->call);
	raw_close(other);
	raw_close(raw);
}

static void thousands(void)
{
	struct rlimit limit;
	struct raw *raw = raw_open(), *other = raw_open();
	struct id128 id = raw_id();
	struct wire_reply reply;
	unsigned int n_pairs = 0;
	int pair[2];

	assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	expect_status(raw_put(raw, id, "x", 1), 0, "put");
	expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "get");
	for (; n_pairs < 3000; n_pairs++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			break; /* our own limit */
		if (send_fork(raw, pair[1]) != 0)
			break; /* closed: right as well */
		close(pair[1]); /* pair[0] stays open, as a child that says nothing */
	}
	if (n_pairs < 100)
		die("only %u children could be announced", n_pairs);
	expect_served(other, "the neighbour of thousands of children");
	raw_close(other);
	raw_close(raw);
	/* the process ends, and with it all the children */
}

/* Children that do not behave. */
static void bad_children(void)
{
	struct raw *raw = raw_open();
	struct wire_request status = { .type = WIRE_STATUS };
	struct wire_request hello = { .type = WIRE_HELLO, .version_min = 1, .version_max = 1 };

	for (int kind = 0; kind < 5; kind++) {
		struct raw *child;
		int pair[2], memfd = -1, r;

		pair_of(SOCK_SEQPACKET, pair);
		assert(send_fork(raw, pair[1]) == 0);
		close(pair[1]);
		child = raw_new(pair[0]);
		switch (kind) {
		case 0:
			r = raw_send_bytes(child, "garbage", 7, NULL, 0);
			break;
		case 1:
			r = raw_send(child, &status, NULL, 0);
			break;
		case 2: /* an ordinary hello: without the flag */
			r = raw_send(child, &hello, NULL, 0);
			break;
		case 3: /* descriptors with the hello */
			memfd = make_memfd(4096, 1, HARD_SEALS);
			hello.flags = WIRE_HELLO_CHILD;
			hello.serial = 0;
			{
				size_t n = raw_encode(child, &hello);

				r = raw_send_bytes(child, child->out, n, &memfd, 1);
			}
			close(memfd);
			break;
		default:
			r = raw_send_bytes(child, "", 0, NULL, 0);
		}
		assert(r == 0);
		expect_closed(child, "a child that does not behave");
		raw_close(child);
	}
	expect_served(raw, "the parent of bad children");
	raw_close(raw);
}

/* A child has its parent's references, and gives them back; drafts it has not. */
static void children_of_children(void)
{
	struct raw *raw = raw_open();
	struct id128 id = raw_id(), draft = raw_id();
	struct wire_reply reply;
	int fd;

	expect_status(raw_put(raw, id, "x", 1), 0, "put");
	expect_status(raw_create(raw, draft, 4096, &fd), 0, "create");
	close(fd);
	for (int depth = 0; depth < 5; depth++) {
		struct raw *child;
		int pair[2], r;

		pair_of(SOCK_SEQPACKET, pair);
		assert(send_fork(raw, pair[1]) == 0);
		close(pair[1]);
		child = raw_new(pair[0]);
		expect_status(raw_hello(child, WIRE_HELLO_CHILD), 0, "a child's hello");
		r = raw_seal(child, draft);
		if (r == 0 || r == RAW_CLOSED)
			die("a child can seal its parent's draft");
		raw_close(raw);
		raw = child;
		expect_status(raw_get(raw, id, 0, 0, &reply), 0, "get of an orphan");
		expect_status(raw_release(raw, id, 1, 0), 0, "release");
	}
	raw_close(raw);
}

/* Whoever made a child's socket can set the options of the broker's end: here, that a
 * descriptor of the sender comes with each packet. */
static void senders_unasked(void)
{
	struct raw *raw = raw_open(), *child;
	int pair[2];

	pair_of(SOCK_SEQPACKET, pair);
	assert(send_fork(raw, pair[1]) == 0);
	child = raw_new(pair[0]);
	expect_status(raw_hello(child, WIRE_HELLO_CHILD), 0, "a child's hello");
	if (setsockopt(pair[1], SOL_SOCKET, SO_PASSPIDFD, &(int){ 1 }, sizeof(int)) < 0)
		skip("this kernel passes no pidfds");
	close(pair[1]);
	for (int i = 0; i < 200; i++)
		expect_served(child, "a child whose packets bring its pidfd");
	raw_close(child);
	raw_close(raw);
}

const struct attack fork_attacks[] = {
	{ "wrong-fork-sockets", wrong_sockets },
	{ "both-ends-of-a-fork", both_ends },
	{ "own-sockets-as-forks", own_sockets },
	{ "thousands-of-forks", thousands },
	{ "bad-children", bad_children },
	{ "children-of-children", children_of_children },
	{ "senders-unasked", senders_unasked },
	{ NULL, NULL },
};
