/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sockets alone can do: bench/small_ops's packets, without a store.
 *
 *   echo [--spin] [clients [count]]
 *
 * A server that only counts the bytes answers each request of put, get and their
 * batches with a packet of the same size as the broker's; requests and replies are
 * written by the wire layer itself.  It waits in epoll_wait(2), its clients in
 * recvmsg(2).  With --spin both ends look again for 50 us before they sleep.
 * Prints what small_ops prints.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/clients.h"
#include "wire/message.h"

#define SIZE    4096
#define MANY    100
#define SPIN_S  50e-6
#define PACKETS 8 /* of one request or reply */

/* What a request looks like on the wire, both ways: sizes of packets. */
struct shape {
	size_t requests[PACKETS], replies[PACKETS];
	unsigned int n_requests, n_replies, objects;
};

enum { PUT, GET, PUT_MANY, GET_MANY, N_SHAPES };

static struct shape shapes[N_SHAPES];
static bool spins;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- shapes ---- */

static void make_shape(struct shape *shape, uint16_t type, unsigned int objects)
{
	static char bytes[SIZE], packet[WIRE_PACKET_MAX] __attribute__((aligned(8)));
	static struct wire_item asked[MANY], answered[MANY];
	unsigned int fit = MANY;
	ssize_t size;

	for (unsigned int i = 0; i < MANY; i++) {
		struct id128 id = { .bytes = { 1 } };

		asked[i] = (struct wire_item){ .id = id, .mode = type == WIRE_PUT ? 0600 : 0 };
		answered[i] = (struct wire_item){ .id = id, .size = SIZE, .state = WIRE_RESIDENT };
		if (type == WIRE_PUT) {
			asked[i].data = bytes;
			asked[i].data_size = SIZE;
		} else {
			answered[i].flags = WIRE_ITEM_INLINE;
			answered[i].data = bytes;
			answered[i].data_size = SIZE;
		}
	}
	shape->objects = objects;
	fit = (WIRE_PACKET_MAX - 2048) / (SIZE + 256);
	for (unsigned int at = 0, n; at < objects; at += n) {
		struct wire_request request = { .type = type, .serial = 1, .items = asked + at };

		n = type == WIRE_PUT ? (objects - at < fit ? objects - at : fit) : objects;
		request.n_items = n;
		size = wire_request_encode(&request, packet, sizeof packet);
		if (size < 0)
			fail("a request");
		shape->requests[shape->n_requests++] = (size_t)size;
	}
	for (unsigned int at = 0, n; at < objects; at += n) {
		struct wire_reply reply = { .type = type, .serial = 1, .items = answered + at };

		n = objects - at < fit ? objects - at : fit;
		reply.n_items = n;
		size = wire_reply_encode(&reply, packet, sizeof packet);
		if (size < 0)
			fail("a reply");
		shape->replies[shape->n_replies++] = (size_t)size;
	}
}

/* ---- server ---- */

static char out[WIRE_PACKET_MAX], in[WIRE_PACKET_MAX];

/* recvmsg and sendmsg, as both ends of the store use them. */
static ssize_t take(int fd, int flags)
{
	struct iovec iov = { .iov_base = in, .iov_len = sizeof in };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return recvmsg(fd, &message, flags);
}

static void give(int fd, size_t size)
{
	struct iovec iov = { .iov_base = out, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		struct pollfd poller = { .fd = fd, .events = POLLOUT };

		if (errno != EAGAIN || poll(&poller, 1, -1) < 0)
			fail("sendmsg");
	}
}

/* The first byte of a request says of which shape it is; the second, which of its packets. */
static void answer(int fd)
{
	const struct shape *shape = &shapes[(unsigned char)in[0]];
	unsigned int packet = (unsigned char)in[1];

	if (shape->n_requests == shape->n_replies)
		give(fd, shape->replies[packet]);
	else if (packet + 1 == shape->n_requests)
		for (unsigned int i = 0; i < shape->n_replies; i++)
			give(fd, shape->replies[i]);
}

static int serve(int fd)
{
	ssize_t n;
	int served = 0;

	while (served < 16 && (n = take(fd, MSG_DONTWAIT)) > 0) {
		answer(fd);
		served++;
	}
	return served;
}

static void server_main(const int *fds, unsigned int n)
{
	int epoll = epoll_create1(0);
	struct epoll_event events[CLIENTS_MAX];
	double spin_until = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			fail("epoll_ctl");
	}
	for (;;) {
		int ready = epoll_wait(epoll, events, CLIENTS_MAX,
			spins && now() < spin_until ? 0 : -1);

		for (int i = 0; i < ready; i++)
			if (serve(events[i].data.fd) > 0)
				spin_until = now() + SPIN_S;
	}
}

/* ---- clients ---- */

static void wait_reply(int fd)
{
	double until = spins ? now() + SPIN_S : 0;

	while (spins && now() < until)
		if (take(fd, MSG_DONTWAIT) > 0)
			return;
	if (take(fd, 0) <= 0)
		fail("recvmsg");
}

static double exchange(struct clients *clients, unsigned int client, int fd, unsigned int s,
	size_t count)
{
	const struct shape *shape = &shapes[s];

	phase_begin(clients, client);
	for (size_t i = 0; i < count; i += shape->objects) {
		for (unsigned int k = 0; k < shape->n_requests; k++) {
			out[0] = (char)s;
			out[1] = (char)k;
			give(fd, shape->requests[k]);
		}
		for (unsigned int k = 0; k < shape->n_replies; k++)
			wait_reply(fd);
	}
	return phase_end(clients);
}

struct setup {
	int fds[CLIENTS_MAX];
	size_t count;
};

static void client_main(struct clients *clients, unsigned int client, void *argument)
{
	const struct setup *setup = argument;
	const double all = (double)(setup->count * clients->n);
	double seconds[N_SHAPES][ROUNDS];

	for (int round = -1; round < ROUNDS; round++)
		for (unsigned int s = 0; s < N_SHAPES; s++)
			seconds[s][round < 0 ? 0 : round] =
				exchange(clients, client, setup->fds[client], s, setup->count);
	if (client > 0)
		return;
	printf("{\"clients\": %u, \"put\": %.0f, \"get\": %.0f, \"put_many\": %.0f, "
	       "\"get_many\": %.0f}\n", clients->n, all / median(seconds[PUT]),
		all / median(seconds[GET]), all / median(seconds[PUT_MANY]),
		all / median(seconds[GET_MANY]));
}

int main(int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "--spin") == 0 ? 2 : 1;
	unsigned int n = argc > first ? (unsigned int)strtoul(argv[first], NULL, 10) : 1;
	struct clients *clients = clients_new(n);
	int server_fds[CLIENTS_MAX];
	struct setup setup;
	pid_t server;

	spins = first == 2;
	setup.count = (argc > first + 1 ? strtoul(argv[first + 1], NULL, 10) : 4000) / MANY * MANY;
	make_shape(&shapes[PUT], WIRE_PUT, 1);
	make_shape(&shapes[GET], WIRE_GET, 1);
	make_shape(&shapes[PUT_MANY], WIRE_PUT, MANY);
	make_shape(&shapes[GET_MANY], WIRE_GET, MANY);
	for (unsigned int i = 0; i < n; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			fail("socketpair");
		setup.fds[i] = pair[0];
		server_fds[i] = pair[1];
	}
	server = fork();
	if (server < 0)
		fail("fork");
	if (server == 0)
		server_main(server_fds, n);
	clients_run(clients, client_main, &setup);
	kill(server, SIGKILL);
	return 0;
}
