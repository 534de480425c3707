/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Too much of everything that is allowed, by another user than the good client, who
 * has to come to his turn all the while (the judge counts his rounds).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hostile.h"
#include "util/clock.h"

#define N_FLOODERS 32
#define FLOOD_NS   (1 * NS_PER_S)

static void become_stranger_if_possible(void)
{
	if (geteuid() == 0)
		become_stranger();
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void open_flooders(struct raw **raws, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		raws[i] = raw_open();
		assert(fcntl(raws[i]->call, F_SETFL, O_NONBLOCK) == 0);
	}
}

/* Send as fast as it goes, over many connections; what is answered is read, or not.  One that
 * is thrown out comes again. */
static void flood(struct wire_request *request, bool more, bool reads)
{
	struct raw *raws[N_FLOODERS];
	const int64_t end = now_ns() + FLOOD_NS;
	struct wire_reply reply;

	open_flooders(raws, N_FLOODERS);
	for (size_t i = 0; now_ns() < end; i = (i + 1) % N_FLOODERS) {
		size_t size;
		int r;

		request->serial = 0;
		size = raw_encode(raws[i], request);
		if (more)
			((uint16_t *)raws[i]->out)[1] |= WIRE_FLAG_MORE;
		r = raw_send_bytes(raws[i], raws[i]->out, size, NULL, 0);
		if (r == -EPIPE || r == -ECONNRESET) {
			raw_close(raws[i]);
			open_flooders(&raws[i], 1);
		}
		while (reads && raw_receive(raws[i], &reply, 0) == 0)
			;
	}
	for (size_t i = 0; i < N_FLOODERS; i++)
		raw_close(raws[i]);
}

static void put_some(struct wire_item *items, size_t n)
{
	struct raw *raw = raw_open();

	for (size_t i = 0; i < n; i++) {
		items[i].id = raw_id();
		expect_status(raw_put(raw, items[i].id, "x", 1), 0, "put");
	}
	raw_close(raw);
}

static void requests(void)
{
	struct wire_item item = { .id = raw_id() };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1 };
	struct wire_request status = { .type = WIRE_STATUS };

	become_stranger_if_possible();
	flood(&get, false, true);
	flood(&status, false, true);
}

static void cancels(void)
{
	struct wire_request cancel = { .type = WIRE_CANCEL, .cursor = 1 };

	become_stranger_if_possible();
	flood(&cancel, false, false);
}

static void batches(void)
{
	static struct wire_item items[4000];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 4000,
		.flags = WIRE_GET_REF };
	struct wire_request list = { .type = WIRE_LIST };

	become_stranger_if_possible();
	put_some(items, 1000);
	for (size_t i = 1000; i < 4000; i++)
		items[i].id = items[i % 1000].id;
	flood(&get, false, true);
	flood(&list, false, true);
}

/* First parts of requests whose last part never comes. */
static void partial_batches(void)
{
	static struct wire_item items[1000];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 1000 };
	struct wire_request put = { .type = WIRE_PUT, .items = items, .n_items = 1000 };

	become_stranger_if_possible();
	for (size_t i = 0; i < 1000; i++)
		items[i].id = raw_id();
	flood(&get, true, true);
	flood(&put, true, true);
}

static void connections(void)
{
	const int64_t end = now_ns() + FLOOD_NS;

	become_stranger_if_possible();
	for (int i = 0; now_ns() < end; i++) {
		struct raw *raw = raw_connect();

		if (i % 2)
			(void)raw_hello(raw, 0);
		raw_close(raw);
	}
}

static void forks(void)
{
	struct wire_request fork = { .type = WIRE_FORK };
	const int64_t end = now_ns() + FLOOD_NS;
	static struct wire_item items[500];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 500,
		.flags = WIRE_GET_REF };
	struct wire_reply reply;
	struct raw *raw;

	become_stranger_if_possible();
	put_some(items, 500);
	raw = raw_open();
	expect_status(raw_call(raw, &get, NULL, 0, &reply), 0, "get");
	while (now_ns() < end) { /* each child has all that its parent holds, and dies at once */
		int pair[2];

		assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
		fork.serial = 0;
		assert(raw_send(raw, &fork, &pair[0], 1) == 0);
		close(pair[0]);
		close(pair[1]);
	}
	expect_served(raw, "who forked thousands of times");
	raw_close(raw);
}

/* More descriptors than the kernel lets our user have on their way, asked for by connections
 * of which each stays within its own limit. */
static void descriptors_in_flight(void)
{
	enum { N = 450 };
	static struct wire_item items[64];
	static struct raw *raws[N];
	struct wire_request map = { .type = WIRE_GET, .items = items, .n_items = 64,
		.flags = WIRE_GET_MAP };
	struct raw *raw, *other = raw_open();
	struct id128 id = raw_id();
	struct wire_reply reply;

	expect_status(raw_put(other, id, "x", 1), 0, "put");
	become_stranger_if_possible();
	raise_descriptors();
	put_some(items, 64);
	open_flooders(raws, N);
	for (size_t i = 0; i < N; i++) {
		map.serial = 0;
		(void)raw_send(raws[i], &map, NULL, 0);
	}
	usleep(100000);
	expect_status(raw_get(other, id, WIRE_GET_MAP, 0, &reply), 0, "another user's map");
	raw_close(other);
	for (size_t i = 0; i < N; i++)
		raw_close(raws[i]);
	raw = raw_open();
	expect_served(raw, "who had thousands of descriptors on their way");
	raw_close(raw);
}

/* ---- what is granted is not to be written ---- */

static void expect_unwritable(int fd, const char *what)
{
	void *view;

	if (write(fd, "y", 1) >= 0 || pwrite(fd, "y", 1, 0) >= 0)
		die("%s can be written", what);
	if (ftruncate(fd, 0) == 0 || ftruncate(fd, 1 << 20) == 0)
		die("%s can be resized", what);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0)
		die("%s can be punched", what);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0)
		die("%s can be sealed once more", what);
	view = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (view != MAP_FAILED)
		die("%s can be mapped writable", what);
}

static void reopened(void)
{
	static uint8_t bytes[8192];
	struct raw *owner = raw_open(), *raw;
	struct id128 id = raw_id();
	struct wire_item item = { .id = id, .mode = 0644, .data = bytes, .data_size = sizeof bytes };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };
	struct wire_reply reply;
	char path[40];
	int fd, again;

	memset(bytes, 'x', sizeof bytes);
	expect_status(raw_call(owner, &put, NULL, 0, NULL), 0, "put");
	become_stranger_if_possible();
	raw = raw_open();
	expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "map");
	fd = raw_take_fd(raw);
	expect_unwritable(fd, "a grant");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0)
		expect_unwritable(again, "a grant that was opened anew");
	if (again < 0 && errno != EACCES && errno != EPERM)
		die("%s: %s", path, strerror(errno));
	expect_status(raw_get(raw, id, 0, 0, &reply), 0, "get");
	if (reply.items[0].data_size != sizeof bytes ||
			memcmp(reply.items[0].data, bytes, sizeof bytes) != 0)
		die("the object has changed");
	close(fd);
	raw_close(raw);
	raw_close(owner);
}

/* A page in a pipe could still be written through it: such a draft is not sealed. */
static void pinned_pages(void)
{
	enum { SIZE = 1 << 20 };
	struct id128 id = raw_id();
	struct iovec page;
	struct raw *raw;
	int fd, pipes[2];
	void *view;

	become_stranger_if_possible();
	raw = raw_open();
	expect_status(raw_create(raw, id, SIZE, &fd), 0, "create");
	assert(pipe(pipes) == 0);
	view = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(view != MAP_FAILED);
	memset(view, 'x', SIZE);
	page = (struct iovec){ view, 4096 };
	assert(vmsplice(pipes[1], &page, 1, 0) == 4096);
	munmap(view, SIZE);
	close(fd);
	for (int i = 0; i < 4; i++)
		expect_status(raw_seal(raw, id), -EBUSY, "the seal of a draft with a pinned page");
	close(pipes[0]);
	close(pipes[1]);
	expect_status(raw_seal(raw, id), 0, "the seal when the page is free");
	raw_close(raw);
}

const struct attack flood_attacks[] = {
	{ "flood-of-requests", requests },
	{ "flood-of-cancels", cancels },
	{ "flood-of-batches", batches },
	{ "flood-of-parts", partial_batches },
	{ "flood-of-connections", connections },
	{ "flood-of-forks", forks },
	{ "descriptors-in-flight", descriptors_in_flight },
	{ "reopened", reopened },
	{ "pinned-pages", pinned_pages },
	{ NULL, NULL },
};
