/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that stop reading, stop running, or stop living. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

/* In a process of its own, which dies with us. */
static pid_t start(void (*run)(int argument, int ready), int argument, int *readyp)
{
	int ends[2];
	pid_t pid;

	assert(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		run(argument, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	*readyp = ends[0];
	return pid;
}

static void await(int ready)
{
	char byte;

	if (read(ready, &byte, 1) != 1)
		_exit(1); /* it said why */
	close(ready);
}

static void finish(pid_t pid, int signal)
{
	int status;

	if (signal)
		assert(kill(pid, signal) == 0);
	assert(waitpid(pid, &status, 0) == pid);
}

static void be_ready(int ready)
{
	assert(write(ready, "", 1) == 1);
}

/* ---- never reads ---- */

static void never_reads(void)
{
	static uint8_t bytes[60 << 10];
	struct raw *raw = raw_open(), *other = raw_open();
	struct id128 id = raw_id();
	struct wire_item item = { .id = id };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1 };
	struct wire_request status = { .type = WIRE_STATUS };
	unsigned int n_sent = 0;

	expect_status(raw_put(raw, id, bytes, sizeof bytes), 0, "put");
	/* until the broker no longer reads us either, or ends it */
	assert(fcntl(raw->call, F_SETFL, O_NONBLOCK) == 0);
	for (int idle = 0; n_sent < 100000 && idle < 100;) {
		int r;

		get.serial = status.serial = 0;
		r = raw_send(raw, n_sent % 2 ? &status : &get, NULL, 0);
		if (r == -EPIPE || r == -ECONNRESET)
			break;
		if (r == 0) {
			n_sent++;
			idle = 0;
		} else {
			idle++;
			usleep(5000);
		}
	}
	if (n_sent == 100000)
		die("the broker answers without end to who does not read");
	expect_served(other, "the neighbour of who never reads");
	raw_close(other);
	raw_close(raw);
}

/* ---- never reads, a thousand times ---- */

enum { N_LISTED = 1000, N_DEAF = 900 };

static void put_with_metadata(struct raw *raw, struct id128 id)
{
	static const uint8_t metadata[900];
	struct wire_item item = { .id = id, .metadata = metadata, .metadata_size = sizeof metadata,
		.data = "x", .data_size = 1 };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };

	expect_status(raw_call(raw, &put, NULL, 0, NULL), 0, "put");
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* Each connection asks for more than a socket holds, and takes nothing: a MiB of replies that
 * none of them may queue alone, and a gigabyte together. */
static void thousands_never_read(void)
{
	static struct wire_item items[N_LISTED];
	static struct raw *raws[N_DEAF];
	struct wire_request list = { .type = WIRE_LIST };
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = N_LISTED,
		.flags = WIRE_GET_REF };
	struct wire_request map = { .type = WIRE_GET, .items = items, .n_items = N_LISTED,
		.flags = WIRE_GET_MAP };
	struct raw *raw;

	if (geteuid() == 0)
		become_stranger();
	raise_descriptors();
	raw = raw_open();
	for (int i = 0; i < N_LISTED; i++) {
		items[i].id = raw_id();
		put_with_metadata(raw, items[i].id);
	}
	for (int i = 0; i < N_DEAF; i++) {
		raws[i] = raw_open();
		assert(fcntl(raws[i]->call, F_SETFL, O_NONBLOCK) == 0);
		list.serial = get.serial = map.serial = 0;
		for (int k = 0; k < 3; k++) { /* refused or not */
			(void)raw_send(raws[i], i % 8 == 7 ? &map : i % 2 ? &get : &list, NULL, 0);
			list.serial = get.serial = map.serial = 0;
		}
	}
	sleep(1); /* the good client needs the broker meanwhile */
	for (int i = 0; i < N_DEAF; i++)
		raw_close(raws[i]);
	expect_served(raw, "whose thousand connections read nothing");
	raw_close(raw);
}

/* ---- stopped ---- */

static void ask_and_stop(int argument, int ready)
{
	static uint8_t bytes[60 << 10];
	struct raw *raw = raw_open();
	struct wire_item items[8];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 8 };
	int fd;

	for (int i = 0; i < 8; i++) {
		items[i] = (struct wire_item){ .id = raw_id() };
		expect_status(raw_put(raw, items[i].id, bytes, sizeof bytes), 0, "put");
	}
	expect_status(raw_create(raw, raw_id(), 1 << 20, &fd), 0, "create");
	for (int i = 0; i < 8; i++) {
		get.serial = 0;
		get.flags = i % 2 ? WIRE_GET_MAP : 0;
		get.n_items = i % 4 + 1;
		assert(raw_send(raw, &get, NULL, 0) == 0);
	}
	items[0].id = raw_id();
	get.serial = 0;
	get.n_items = 1;
	get.timeout_ns = INT64_MAX;
	assert(raw_send(raw, &get, NULL, 0) == 0);
	be_ready(ready);
	for (;;)
		pause();
}

static void stopped(void)
{
	struct raw *other = raw_open();
	pid_t pids[4];
	int ready;

	for (int i = 0; i < 4; i++) {
		pids[i] = start(ask_and_stop, 0, &ready);
		await(ready);
		assert(kill(pids[i], SIGSTOP) == 0);
	}
	for (int i = 0; i < 20; i++)
		expect_served(other, "the neighbour of stopped clients");
	/* killed as they stand */
	for (int i = 0; i < 4; i++)
		finish(pids[i], SIGKILL);
	expect_served(other, "the neighbour of killed clients");
	raw_close(other);
}

/* ---- dies at any point ---- */

#define N_TALK 15

/* A conversation with something of everything: its first n_packets packets, replies read
 * or not, and then nothing more. */
static void talk(int n_packets, bool read_replies)
{
	static uint8_t bytes[4096];
	struct raw *raw = raw_connect();
	struct id128 draft = raw_id(), small = raw_id(), offered = raw_id();
	struct wire_item draft_item = { .id = draft, .size = 1 << 20, .mode = 0600,
		.metadata = "about", .metadata_size = 5 };
	struct wire_item small_item = { .id = small, .data = bytes, .data_size = sizeof bytes };
	struct wire_item offered_item = { .id = offered, .size = 8192 };
	struct wire_item some[3] = { { .id = small }, { .id = draft }, { .id = offered } };
	struct wire_item absent = { .id = raw_id() };
	struct wire_item counts = { .id = small, .refs = 1, .pins = 1 };
	struct wire_request requests[] = {
		{ .type = WIRE_HELLO, .version_min = 1, .version_max = 1,
			.flags = WIRE_HELLO_SERVICE },
		{ .type = WIRE_CREATE, .items = &draft_item, .n_items = 1 },
		{ .type = WIRE_PUT, .items = &small_item, .n_items = 1 },
		{ .type = WIRE_PUT_FD, .items = &offered_item, .n_items = 1 },
		{ .type = WIRE_GET, .items = &some[1], .n_items = 1, .timeout_ns = INT64_MAX },
		{ .type = WIRE_SEAL, .items = &some[1], .n_items = 1 },
		{ .type = WIRE_GET, .items = some, .n_items = 3, .flags = WIRE_GET_MAP },
		{ .type = WIRE_FORK },
		{ .type = WIRE_LEASE, .items = some, .n_items = 1, .token = raw_id() },
		{ .type = WIRE_WAIT, .items = &absent, .n_items = 1, .limit = 1,
			.timeout_ns = INT64_MAX },
		{ .type = WIRE_RELEASE, .items = &counts, .n_items = 1 },
		{ .type = WIRE_LIST, .limit = 100 },
		{ .type = WIRE_STAT, .items = some, .n_items = 1 },
		/* no lease is left behind, which would stay for minutes */
		{ .type = WIRE_DELETE, .items = some, .n_items = 1 },
		{ .type = WIRE_GET, .items = &absent, .n_items = 1, .timeout_ns = INT64_MAX },
	};
	int pair[2] = { -1, -1 };
	struct wire_reply reply;

	_Static_assert(sizeof requests / sizeof requests[0] == N_TALK, "N_TALK is their number");
	for (int i = 0; i < n_packets; i++) {
		struct wire_request *request = &requests[i];
		int fd = -1;

		if (request->type == WIRE_LEASE && n_packets < N_TALK)
			continue;
		if (request->type == WIRE_PUT_FD) {
			fd = make_memfd(8192, 3, HARD_SEALS);
		} else if (request->type == WIRE_FORK) {
			assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
			fd = pair[1];
		}
		assert(raw_send(raw, request, &fd, fd >= 0) == 0);
		if (fd >= 0)
			close(fd);
		while (read_replies && raw_receive(raw, &reply, i == 0 ? RAW_PATIENCE_MS : 2) == 0)
			if (reply.serial == request->serial)
				break;
	}
	/* everything is left as it is */
}

static void talk_and_wait_for_death(int argument, int ready)
{
	talk(argument / 2, argument % 2);
	be_ready(ready);
	for (;;)
		pause();
}

static void dies_at_any_point(void)
{
	struct raw *other = raw_open();

	for (int argument = 0; argument < 2 * (N_TALK + 1); argument++) {
		int ready;
		pid_t pid = start(talk_and_wait_for_death, argument, &ready);

		await(ready);
		finish(pid, SIGKILL);
		expect_served(other, "the neighbour of the dying");
	}
	raw_close(other);
}

/* ---- last words ---- */

static struct id128 last_will;

static void say_last_words(int argument, int ready)
{
	struct raw *raw = raw_open();
	struct wire_item item = { .id = last_will };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1 };
	struct wire_request delete = { .type = WIRE_DELETE, .items = &item, .n_items = 1 };

	/* the replies to these find nobody */
	for (int i = 0; i < argument; i++) {
		get.serial = 0;
		assert(raw_send(raw, &get, NULL, 0) == 0);
	}
	assert(raw_send(raw, &delete, NULL, 0) == 0);
	be_ready(ready);
}

/* What a client sent before it died was sent: a release, or a fork. */
static void last_words(void)
{
	struct raw *other = raw_open();
	struct wire_reply reply;

	for (int i = 0; i < 60; i++) {
		int ready, r = 0;
		pid_t pid;

		last_will = raw_id();
		expect_status(raw_put(other, last_will, "x", 1), 0, "put");
		pid = start(say_last_words, i, &ready);
		await(ready);
		finish(pid, i % 2 ? SIGKILL : 0);
		for (int tries = 0; tries < RAW_PATIENCE_MS && r == 0; tries++) {
			usleep(1000);
			r = raw_get(other, last_will, WIRE_GET_REF, 0, &reply);
		}
		expect_status(r, -ENOENT, "get of what a dying client deleted");
	}
	raw_close(other);
}

/* ---- dies with everything that can be held ---- */

static void hold_everything(int argument, int ready)
{
	static uint8_t bytes[60 << 10];
	struct raw *raw = raw_open();
	struct wire_reply reply;
	struct id128 id;
	int fd;

	for (int i = 0; i < 20; i++) {
		id = raw_id();
		expect_status(raw_create(raw, id, 100000 + (uint64_t)i, &fd), 0, "create");
		if (i % 2)
			close(fd); /* some stay open, some mapped */
		else if (i % 4)
			(void)!mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		id = raw_id();
		expect_status(raw_put(raw, id, bytes, sizeof bytes), 0, "put");
		expect_status(raw_get(raw, id, i % 2 ? WIRE_GET_MAP : 0, 0, &reply), 0, "get");
		if (reply.n_fds > 0)
			(void)raw_take_fd(raw);
	}
	be_ready(ready);
	for (;;)
		pause();
}

static void dies_holding_everything(void)
{
	struct raw *other = raw_open();

	for (int i = 0; i < 5; i++) {
		int ready;
		pid_t pid = start(hold_everything, 0, &ready);

		await(ready);
		finish(pid, SIGKILL);
		expect_served(other, "the neighbour of the dead");
	}
	raw_close(other);
}

/* The socket does not hang up: a grandchild has it.  Only the process is gone. */
static void leave_socket_behind(int argument, int ready)
{
	struct raw *raw = raw_open();
	struct id128 id = raw_id();
	struct wire_reply reply;
	int fd;

	expect_status(raw_create(raw, raw_id(), 4096, &fd), 0, "create");
	expect_status(raw_put(raw, id, "x", 1), 0, "put");
	expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "get");
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, 0);
		be_ready(ready);
		alarm(60);
		expect_closed(raw, "the socket of a dead client in a stranger's hands");
		be_ready(ready);
		_exit(0);
	}
	for (;;)
		pause();
}

static void dies_with_its_socket_elsewhere(void)
{
	int ready;
	pid_t pid = start(leave_socket_behind, 0, &ready);
	char byte;

	if (read(ready, &byte, 1) != 1)
		die("no grandchild");
	finish(pid, SIGKILL);
	if (read(ready, &byte, 1) != 1)
		die("the grandchild goes on with a dead client's socket");
	close(ready);
}

/* ---- comes, and says nothing ---- */

static void thousands_without_a_word(void)
{
	raise_descriptors();
	for (int i = 0; i < 3000; i++) {
		(void)raw_connect(); /* kept to the end */
		if (i % 500 == 0) {
			struct raw *other = raw_open();

			expect_served(other, "who comes among thousands that say nothing");
			raw_close(other);
		}
	}
}

/* As many as one uid may have; then it is told so. */
static void too_many_connections(void)
{
	enum { N = 3000 };
	static struct raw *raws[N];
	int n = 0, r = 0;

	raise_descriptors();
	while (n < N && r == 0) {
		raws[n] = raw_connect();
		r = raw_hello(raws[n++], 0);
	}
	expect_status(r, -EDQUOT, "one connection too many");
	expect_served(raws[0], "the first of many connections");
	expect_served(raws[n - 2], "the last of many connections");
	for (int i = 0; i < n; i++)
		raw_close(raws[i]);
}

const struct attack life_attacks[] = {
	{ "never-reads", never_reads },
	{ "thousands-never-read", thousands_never_read },
	{ "stopped", stopped },
	{ "dies-at-any-point", dies_at_any_point },
	{ "last-words", last_words },
	{ "dies-holding-everything", dies_holding_everything },
	{ "dies-with-its-socket-elsewhere", dies_with_its_socket_elsewhere },
	{ "thousands-without-a-word", thousands_without_a_word },
	{ "too-many-connections", too_many_connections },
	{ NULL, NULL },
};
