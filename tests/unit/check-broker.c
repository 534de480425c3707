/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker, from outside: broker_run() in a process of its own, spoken to with
 * raw packets.  A *rig* is a directory with a socket and a minimal supervisor, which
 * clones a worker on its descriptor table and, when it dies by a signal, another.
 */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/features.h"
#include "broker/worker.h"
#include "core/tables.h"
#include "memory/memfd.h"
#include "tests/sys/mute-fuse.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/socket.h"
#include "util/text.h"

#define PAGE       4096
#define PATIENCE   20000 /* ms */
#define ARENA      UINT64_C(0x200000000000)
#define INLINE_MAX 65536

/* ---- the rig ---- */

struct rig {
	char directory[32], path[64];
	int listener;
	pid_t supervisor;
	int ready; /* "r" from each worker that serves */
	int starter_pidfd;
	bool supervised;
	bool passed; /* the listener is somebody else's, who keeps it */
	bool spoils; /* heirs find that the first connection is not whose they thought */
	rlim_t max_files; /* RLIMIT_NOFILE of the worker; 0: as ours */
	struct core_config config;
	const struct broker_host *host;
	volatile pid_t *worker; /* shared with the supervisor */
};

static const struct wire_field settings[] = {
	{ .key = "capacity", .value = "64MiB", .origin = "test" },
	{ .key = "spill", .value = "none", .origin = "default" },
};

static void *run_worker(void *argument)
{
	return (void *)(intptr_t)broker_run(argument);
}

static void worker_main(struct broker_options *options)
{
	pthread_t thread;
	void *result = (void *)(intptr_t)-1;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, run_worker, options) == 0)
		pthread_join(thread, &result);
	_exit(result ? 1 : 0);
}

/* Nothing that a client can do: it stands for whatever goes wrong with one connection. */
static void spoil_first_connection(const struct rig *rig, const struct broker_options *options)
{
	struct tables tables;
	bool used;

	if (tables_open(&tables, &rig->config, options->tables, options->tables_size, &used) < 0 ||
			!used)
		_exit(3);
	tables.connections[0].uid ^= 1;
	tables_close(&tables);
}

static void supervise(struct rig *rig, int ready)
{
	struct wire_field features[N_FEATURES];
	size_t size = core_memory_size(&rig->config);
	int keep[] = { ready };
	struct broker_options options = {
		.core = &rig->config,
		.tables = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		.tables_size = size,
		.listener = rig->listener,
		.listener_passed = rig->passed,
		.keep_fds = keep,
		.n_keep_fds = 1,
		.ready_fd = ready,
		.supervisor_pid = rig->supervised ? getpid() : 0,
		.private_mode = rig->starter_pidfd >= 0,
		.starter_pidfd = rig->starter_pidfd,
		.idle_exit_ns = 100 * NS_PER_MS,
		.stop_timeout_ns = NS_PER_S,
		.settings = settings,
		.n_settings = ARRAY_SIZE(settings),
		.features = features,
		.n_features = N_FEATURES,
		.host = rig->host,
	};
	sigset_t signals;
	int status;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rig->max_files > 0 && setrlimit(RLIMIT_NOFILE,
			&(struct rlimit){ rig->max_files, rig->max_files }) < 0)
		_exit(4);
	for (int fd = 3; fd < 2048; fd++) /* what the test and its callers had open */
		if (fd != rig->listener && fd != ready && fd != rig->starter_pidfd)
			(void)close(fd);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	features_probe(features, true, "a test");
	for (;;) {
		pid_t pid = rig->supervised
			? (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0L, 0L, 0L, 0L)
			: fork();

		if (pid == 0) {
			*rig->worker = getpid(); /* before it says that it serves */
			worker_main(&options);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(2);
		if (WIFEXITED(status))
			_exit(WEXITSTATUS(status));
		if (rig->spoils)
			spoil_first_connection(rig, &options);
	}
}

static void rig_wait(struct rig *rig)
{
	struct pollfd ready = { .fd = rig->ready, .events = POLLIN };
	char c;

	ck_assert_int_eq(poll(&ready, 1, PATIENCE), 1);
	ck_assert_int_eq(read(rig->ready, &c, 1), 1);
	ck_assert_int_eq(c, 'r');
}

static struct rig rig_default(void)
{
	return (struct rig){
		.starter_pidfd = -1,
		.supervised = true,
		.config = {
			.capacity = 64 << 20,
			.max_fds = 1500,
			.max_objects = 4096,
			.max_connections = 128,
			.max_connections_per_uid = 64,
			.inline_max = INLINE_MAX,
			.queue_deadline_ns = 10 * NS_PER_S,
			.transit_lease_ns = 600 * NS_PER_S,
			.arena_base = ARENA,
			.hash_key = { 1, 2, 3 },
		},
	};
}

static void rig_start(struct rig *rig)
{
	struct sockaddr_un address;
	int ends[2];

	strcpy(rig->directory, "/tmp/check-broker-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig->directory));
	ck_assert_int_eq(chmod(rig->directory, 0755), 0);
	(void)snprintf(rig->path, sizeof rig->path, "%s/socket", rig->directory);
	ck_assert_int_eq(socket_address(&address, rig->path), 0);
	rig->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(rig->listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(chmod(rig->path, 0666), 0);
	ck_assert_int_eq(listen(rig->listener, 128), 0);
	rig->worker = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	rig->supervisor = fork();
	ck_assert_int_ge(rig->supervisor, 0);
	if (rig->supervisor == 0) {
		(void)close(ends[0]);
		supervise(rig, ends[1]);
	}
	(void)close(ends[1]);
	if (!rig->passed)
		(void)close(rig->listener);
	rig->ready = ends[0];
	rig_wait(rig);
}

static void rig_gone(struct rig *rig)
{
	int status = -1;

	for (int i = 0; i < PATIENCE && waitpid(rig->supervisor, &status, WNOHANG) == 0; i++)
		usleep(1000);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	(void)unlink(rig->path);
	(void)rmdir(rig->directory);
	(void)close(rig->ready);
}

/* A clean stop, which must succeed after whatever the test did. */
static void rig_stop(struct rig *rig)
{
	ck_assert_int_eq(kill(*rig->worker, SIGTERM), 0);
	rig_gone(rig);
}

static void kill_worker(struct rig *rig)
{
	ck_assert_int_eq(kill(*rig->worker, SIGKILL), 0);
	rig_wait(rig);
}

/* ---- a client ---- */

struct client {
	int call, service;
	uint64_t serial;
	uint32_t received;
	struct wire_reply reply; /* of the last receive; borrows from packet and scratch */
	int fds[SOCKET_FDS_MAX];
	size_t n_fds;
	void *packet;
	struct wire_scratch scratch;
};

static void client_connect(struct client *c, const struct rig *rig)
{
	struct sockaddr_un address;

	*c = (struct client){ .service = -1, .packet = aligned_alloc(8, WIRE_PACKET_MAX) };
	ck_assert_int_eq(socket_address(&address, rig->path), 0);
	c->call = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(c->call, (struct sockaddr *)&address, sizeof address), 0);
}

static void client_close(struct client *c)
{
	(void)close(c->call);
	if (c->service >= 0)
		(void)close(c->service);
	wire_scratch_deinit(&c->scratch);
	free(c->packet);
}

static void client_send(struct client *c, struct wire_request *request, const int *fds, size_t n_fds)
{
	static char packet[WIRE_PACKET_MAX] __attribute__((aligned(8)));
	ssize_t size;

	if (request->serial == 0)
		request->serial = ++c->serial;
	request->n_fds = (uint32_t)n_fds;
	request->acked_fds = c->received;
	size = wire_request_encode(request, packet, sizeof packet);
	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(socket_send(c->call, packet, (size_t)size, fds, n_fds, 0), 0);
}

/* Return: false when nothing comes in time. */
static bool client_receive_from(struct client *c, int socket, int patience)
{
	struct pollfd ready = { .fd = socket, .events = POLLIN };
	struct socket_packet packet = {
		.bytes = c->packet,
		.room = WIRE_PACKET_MAX,
		.want_fds = true,
	};

	if (poll(&ready, 1, patience) == 0)
		return false;
	ck_assert_int_eq(socket_receive(socket, &packet, 0), 0);
	ck_assert_int_eq(wire_reply_decode(&c->reply, &c->scratch, c->packet, packet.size), 0);
	ck_assert_uint_eq(c->reply.n_fds, packet.n_fds);
	c->n_fds = packet.n_fds;
	c->received += (uint32_t)packet.n_fds;
	memcpy(c->fds, packet.fds, packet.n_fds * sizeof(int));
	return true;
}

static void client_receive(struct client *c)
{
	ck_assert(client_receive_from(c, c->call, PATIENCE));
}

/* Has the broker hung up? */
static bool client_is_cut(struct client *c)
{
	struct socket_packet packet = { .bytes = c->packet, .room = WIRE_PACKET_MAX };
	struct pollfd ready = { .fd = c->call, .events = POLLIN };

	for (;;) {
		int r;

		if (poll(&ready, 1, PATIENCE) == 0)
			return false;
		r = socket_receive(c->call, &packet, 0);
		if (r == SOCKET_E_CLOSED)
			return true;
	}
}

/* A request and its whole first packet of a reply.  Return: its status. */
static int client_call(struct client *c, struct wire_request *request, const int *fds, size_t n_fds)
{
	client_send(c, request, fds, n_fds);
	client_receive(c);
	ck_assert_uint_eq(c->reply.serial, request->serial);
	ck_assert_uint_eq(c->reply.type, request->type);
	if (c->reply.status < 0)
		ck_assert_ptr_nonnull(c->reply.text);
	return c->reply.status;
}

static void client_greet(struct client *c, uint32_t flags)
{
	struct wire_request hello = {
		.type = WIRE_HELLO,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.flags = flags,
	};

	ck_assert_int_eq(client_call(c, &hello, NULL, 0), 0);
	if (flags & WIRE_HELLO_SERVICE) {
		ck_assert_uint_eq(c->n_fds, 1);
		c->service = c->fds[0];
	}
}

static void client_start(struct client *c, const struct rig *rig)
{
	client_connect(c, rig);
	client_greet(c, WIRE_HELLO_SERVICE);
}

static struct id128 id_of(unsigned int n)
{
	struct id128 id = { { 0xaa } };

	memcpy(id.bytes + 8, &n, sizeof n);
	return id;
}

static int client_put(struct client *c, unsigned int n, const void *data, uint32_t size)
{
	struct wire_item item = { .id = id_of(n), .mode = 0600, .data = data, .data_size = size };
	struct wire_request request = { .type = WIRE_PUT, .items = &item, .n_items = 1 };

	return client_call(c, &request, NULL, 0);
}

static void client_ask(struct client *c, uint16_t type, unsigned int n, uint32_t flags)
{
	struct wire_item item = { .id = id_of(n) };
	struct wire_request request = { .type = type, .items = &item, .n_items = 1, .flags = flags };

	client_send(c, &request, NULL, 0);
}

static int client_get(struct client *c, unsigned int n, uint32_t flags)
{
	client_ask(c, WIRE_GET, n, flags);
	client_receive(c);
	ck_assert_uint_eq(c->reply.type, WIRE_GET);
	return c->reply.status;
}

static int client_name(struct client *c, uint16_t type, unsigned int n)
{
	client_ask(c, type, n, 0);
	client_receive(c);
	ck_assert_uint_eq(c->reply.type, type);
	return c->reply.status;
}

static void client_release(struct client *c, unsigned int n, uint32_t refs, uint32_t pins)
{
	struct wire_item item = { .id = id_of(n), .refs = refs, .pins = pins };
	struct wire_request request = { .type = WIRE_RELEASE, .items = &item, .n_items = 1 };

	client_send(c, &request, NULL, 0);
}

static uint64_t number_of(const struct wire_reply *reply, const char *key)
{
	for (uint32_t i = 0; i < reply->n_fields; i++)
		if (strcmp(reply->fields[i].key, key) == 0)
			return reply->fields[i].number;
	ck_abort_msg("no %s in the status", key);
	return 0;
}

static uint64_t client_status(struct client *c, const char *key)
{
	struct wire_request request = { .type = WIRE_STATUS };

	ck_assert_int_eq(client_call(c, &request, NULL, 0), 0);
	return number_of(&c->reply, key);
}

/* Ask until it is so, because others end in their own time. */
static void client_await(struct client *c, const char *key, uint64_t value)
{
	for (int i = 0; i < PATIENCE; i++) {
		if (client_status(c, key) == value)
			return;
		usleep(1000);
	}
	ck_abort_msg("%s never became %llu", key, (unsigned long long)value);
}

/* What a client does in a process of its own.  Return: the process, which then waits. */
static pid_t elsewhere(const struct rig *rig, void (*act)(const struct rig *rig))
{
	int ends[2];
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		act(rig);
		(void)!write(ends[1], "d", 1);
		for (;;)
			pause();
	}
	(void)close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	(void)close(ends[0]);
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* ---- conversation ---- */

START_TEST(a_hello_opens_two_sockets)
{
	struct rig rig = rig_default();
	struct client c, plain;

	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_uint_eq(c.reply.version, WIRE_VERSION_MAX);
	ck_assert_uint_eq(c.reply.arena_base, ARENA);
	ck_assert_uint_eq(c.reply.inline_max, INLINE_MAX);
	ck_assert_uint_eq(c.reply.max_packet, WIRE_PACKET_MAX);
	ck_assert_uint_eq(c.reply.max_fds, WIRE_FDS_PER_PACKET);
	ck_assert_uint_eq(c.reply.max_items, WIRE_ITEMS_MAX);
	ck_assert_uint_eq(c.reply.flags, WIRE_HELLO_SERVICE);
	ck_assert_uint_gt(c.reply.generation, 0);
	client_connect(&plain, &rig);
	client_greet(&plain, 0);
	ck_assert_uint_eq(plain.n_fds, 0);
	ck_assert_uint_eq(plain.reply.flags, 0);
	client_close(&plain);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

START_TEST(a_client_of_another_age_hears_why_not)
{
	struct rig rig = rig_default();
	struct wire_request hello = { .type = WIRE_HELLO, .version_min = 77, .version_max = 99 };
	struct client c;

	rig_start(&rig);
	client_connect(&c, &rig);
	ck_assert_int_eq(client_call(&c, &hello, NULL, 0), -EPROTO);
	ck_assert_ptr_nonnull(strstr(c.reply.text, "77"));
	ck_assert(client_is_cut(&c));
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

static void check_bytes(const char *bytes, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(bytes[i], (char)(i * 31 + seed));
}

static const char *some_bytes(size_t size, unsigned int seed)
{
	static char bytes[1 << 20];

	ck_assert_uint_le(size, sizeof bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 31 + seed);
	return bytes;
}

START_TEST(what_is_put_is_got_inline_or_mapped)
{
	struct rig rig = rig_default();
	struct client a, b;
	const char *map;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	ck_assert_int_eq(client_put(&a, 1, some_bytes(PAGE, 1), PAGE), 0);
	ck_assert_int_eq(client_put(&a, 2, NULL, 0), 0);
	ck_assert_int_eq(client_put(&a, 1, some_bytes(PAGE, 1), PAGE), -EEXIST);
	ck_assert_int_eq(client_get(&b, 1, 0), 0);
	ck_assert_uint_eq(b.reply.items[0].flags & WIRE_ITEM_INLINE, WIRE_ITEM_INLINE);
	ck_assert_uint_eq(b.reply.items[0].data_size, PAGE);
	check_bytes(b.reply.items[0].data, PAGE, 1);
	ck_assert_int_eq(client_get(&b, 2, 0), 0);
	ck_assert_uint_eq(b.reply.items[0].data_size, 0);
	ck_assert_int_eq(client_get(&b, 1, WIRE_GET_MAP), 0);
	ck_assert_uint_eq(b.n_fds, 1);
	ck_assert_uint_ne(b.reply.items[0].address, 0);
	ck_assert_int_eq(memfd_is_sealed(b.fds[0]), 1);
	map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, b.fds[0], 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	check_bytes(map, PAGE, 1);
	ck_assert_int_eq(pwrite(b.fds[0], "x", 1, 0), -1);
	ck_assert_int_eq(client_get(&b, 3, 0), -ENOENT);
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

START_TEST(a_draft_is_written_in_place_and_sealed)
{
	struct rig rig = rig_default();
	struct wire_item item = { .id = id_of(1), .size = 300000, .mode = 0600 };
	struct wire_request create = { .type = WIRE_CREATE, .items = &item, .n_items = 1 };
	struct client a, b;
	char back[100];
	void *map;
	int fd;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	ck_assert_int_eq(client_call(&a, &create, NULL, 0), 0);
	ck_assert_uint_eq(a.n_fds, 1);
	fd = a.fds[0];
	map = mmap(NULL, 300000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	memcpy(map, some_bytes(300000, 9), 300000);
	ck_assert_int_eq(client_name(&a, WIRE_SEAL, 1), -EBUSY); /* it is mapped writable */
	ck_assert_int_eq(munmap(map, 300000), 0);
	ck_assert_int_eq(client_name(&a, WIRE_SEAL, 1), 0);
	ck_assert_int_eq(memfd_is_sealed(fd), 1);
	ck_assert_int_eq(client_get(&b, 1, 0), 0);
	ck_assert_uint_eq(b.reply.items[0].size, 300000);
	ck_assert_uint_eq(b.n_fds, 1);
	ck_assert_int_eq(pread(b.fds[0], back, sizeof back, 0), sizeof back);
	check_bytes(back, sizeof back, 9);
	(void)close(fd);
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

START_TEST(only_hard_sealed_memfds_can_be_put)
{
	struct rig rig = rig_default();
	struct wire_item item = { .id = id_of(1), .size = PAGE, .mode = 0600 };
	struct wire_request put = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1 };
	struct memfd_identity identity;
	struct client c;
	int ends[2], fd;

	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_lt(client_call(&c, &put, ends, 1), 0);
	fd = open("/dev/null", O_RDWR);
	put.serial = 0;
	ck_assert_int_lt(client_call(&c, &put, &fd, 1), 0);
	(void)close(fd);
	fd = memfd_make(&identity, PAGE, true);
	put.serial = 0;
	ck_assert_int_lt(client_call(&c, &put, &fd, 1), 0);
	ck_assert_int_eq(pwrite(fd, some_bytes(PAGE, 5), PAGE, 0), PAGE);
	ck_assert_int_eq(memfd_seal(fd), 0);
	put.serial = 0;
	ck_assert_int_eq(client_call(&c, &put, &fd, 1), 0);
	ck_assert_int_eq(client_get(&c, 1, 0), 0);
	check_bytes(c.reply.items[0].data, PAGE, 5);
	/* the pipe came back: nobody else has its writing end */
	(void)close(ends[1]);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, PATIENCE), 1);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

START_TEST(status_and_config_say_who_serves)
{
	struct rig rig = rig_default();
	struct wire_request config = { .type = WIRE_CONFIG };
	struct client c;
	unsigned int n_features = 0;

	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_uint_eq(client_status(&c, "worker_pid"), (uint64_t)*rig.worker);
	ck_assert_uint_eq(client_status(&c, "supervisor_pid"), (uint64_t)rig.supervisor);
	ck_assert_uint_eq(client_status(&c, "capacity_bytes"), 64 << 20);
	for (uint32_t i = 0; i < c.reply.n_fields; i++)
		if (strncmp(c.reply.fields[i].key, "feature.", 8) == 0) {
			ck_assert_str_ne(c.reply.fields[i].origin, "");
			n_features++;
		}
	ck_assert_uint_eq(n_features, N_FEATURES);
	ck_assert_int_eq(client_call(&c, &config, NULL, 0), 0);
	ck_assert_uint_eq(c.reply.n_fields, ARRAY_SIZE(settings));
	ck_assert_str_eq(c.reply.fields[1].value, "none");
	ck_assert_str_eq(c.reply.fields[1].origin, "default");
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* ---- what changes while it serves ---- */

/* A host that knows one key, whose value is a number, and a machine with as much room as the
 * test says. */
struct pretence {
	struct core_config *config;
	volatile int64_t room; /* shared with the worker */
	volatile unsigned int n_looks;
};

static int pretend_configure(void *user, struct core_setting *setting, bool is_inherited,
	uint64_t used, struct text *error)
{
	struct pretence *pretence = user;

	if (strcmp(setting->key, "capacity") != 0) {
		text_set(error, "no such key");
		return -EINVAL;
	}
	pretence->config->capacity = strtoull(setting->value, NULL, 10);
	if (!is_inherited)
		setting->base = used;
	return 0;
}

static int64_t pretend_look(void *user, struct text *why)
{
	struct pretence *pretence = user;

	pretence->n_looks++;
	text_set(why, "the test");
	return pretence->room;
}

static int client_configure(struct client *c, const char *key, const char *value)
{
	struct wire_request request = { .type = WIRE_CONFIGURE, .name = key, .value = value };

	return client_call(c, &request, NULL, 0);
}

START_TEST(capacity_changes_while_it_serves_and_for_the_heir)
{
	struct rig rig = rig_default();
	struct pretence *pretence =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct broker_host host = { pretence, pretend_configure, pretend_look };
	struct client c;

	*pretence = (struct pretence){ .config = &rig.config, .room = INT64_MAX };
	rig.host = &host;
	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_int_eq(client_configure(&c, "capacity", "20971520"), 0);
	ck_assert_uint_eq(client_status(&c, "capacity_bytes"), 20 << 20);
	ck_assert_int_eq(client_configure(&c, "colour", "20971520"), -EINVAL);
	ck_assert_str_eq(c.reply.text, "no such key");
	client_close(&c);
	kill_worker(&rig);
	client_start(&c, &rig);
	ck_assert_uint_eq(client_status(&c, "capacity_bytes"), 20 << 20);
	ck_assert_uint_eq(client_status(&c, "generation"), 2);

	/* The machine has less: seen at the next look, and told. */
	pretence->room = 10 << 20;
	client_await(&c, "capacity_limited_by", 1);
	ck_assert_uint_ge(client_status(&c, "capacity_bytes"), 10 << 20);
	ck_assert_uint_lt(client_status(&c, "capacity_bytes"), 11 << 20);
	ck_assert_uint_eq(client_status(&c, "configured_capacity_bytes"), 20 << 20);
	pretence->room = -1;
	client_await(&c, "capacity_bytes", 0);
	pretence->room = INT64_MAX;
	client_await(&c, "capacity_bytes", 20 << 20);
	ck_assert_uint_eq(client_status(&c, "capacity_limited_by"), 0);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* Of the largest file that the worker has open, which is its pack.  Return: the worker's number of it. */
static int largest_file(pid_t worker, uint64_t *bytesp)
{
	int largest = -1;

	*bytesp = 0;
	for (int fd = 3; fd < 256; fd++) {
		struct stat status;
		char path[64];

		(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)worker, fd);
		if (stat(path, &status) < 0 || !S_ISREG(status.st_mode) ||
				(uint64_t)status.st_blocks * 512 <= *bytesp)
			continue;
		*bytesp = (uint64_t)status.st_blocks * 512;
		largest = fd;
	}
	return largest;
}

/* The machine has less, and nobody says a word: what follows is done at once all the same, and not
 * at the next look.  (Every other object was in use last, so that the rest must be moved together.) */
START_TEST(room_is_made_while_nobody_speaks)
{
	enum { N = 4000, SIZE = 4096, LESS = 7 << 20, GIVEN = 5 << 20 };
	struct rig rig = rig_default();
	struct pretence *pretence =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct broker_host host = { pretence, pretend_configure, pretend_look };
	unsigned int n_looks;
	uint64_t before, now;
	struct client c;
	int pack;

	*pretence = (struct pretence){ .config = &rig.config, .room = INT64_MAX };
	rig.host = &host;
	rig_start(&rig);
	client_start(&c, &rig);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(client_put(&c, i, some_bytes(SIZE, i), SIZE), 0);
	for (unsigned int i = 0; i < N; i++) /* the odd ones first */
		client_release(&c, i < N / 2 ? 2 * i + 1 : 2 * i - N, 1, 0);
	ck_assert_uint_eq(client_status(&c, "clients"), 1);
	pack = largest_file(*rig.worker, &before);
	ck_assert_uint_ge(before, N * SIZE);
	n_looks = pretence->n_looks;
	pretence->room = -LESS;
	do {
		usleep(1000);
		ck_assert_uint_lt(pretence->n_looks - n_looks, 2);
		ck_assert_int_eq(largest_file(*rig.worker, &now), pack);
	} while (before - now < GIVEN);
	pretence->room = INT64_MAX;
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

START_TEST(without_a_host_nothing_changes)
{
	struct rig rig = rig_default();
	struct client c;

	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_int_eq(client_configure(&c, "capacity", "20971520"), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(c.reply.text, "cannot be changed"));
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* ---- pinned pages ---- */

enum { N_PINNED = 8 };

static int client_create(struct client *c, unsigned int n, uint64_t size)
{
	struct wire_item item = { .id = id_of(n), .size = size, .mode = 0600 };
	struct wire_request create = { .type = WIRE_CREATE, .items = &item, .n_items = 1 };

	ck_assert_int_eq(client_call(c, &create, NULL, 0), 0);
	ck_assert_uint_eq(c->n_fds, 1);
	return c->fds[0];
}

/* Drafts of which a page sits in a pipe: the kernel takes 161 ms to refuse each seal. */
static void pin_and_seal(const struct rig *rig, int ready, volatile int *n_answers)
{
	struct client c;
	int ends[2];

	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	client_connect(&c, rig);
	client_greet(&c, 0);
	for (unsigned int i = 0; i < N_PINNED; i++) {
		int fd = client_create(&c, 100 + i, PAGE);
		void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		struct iovec iov = { .iov_base = page, .iov_len = PAGE };

		ck_assert_int_eq(pipe(ends), 0);
		ck_assert_int_eq(vmsplice(ends[1], &iov, 1, 0), PAGE);
		ck_assert_int_eq(munmap(page, PAGE), 0);
	}
	for (unsigned int i = 0; i < N_PINNED; i++)
		client_ask(&c, WIRE_SEAL, 100 + i, 0);
	(void)!write(ready, "d", 1);
	for (*n_answers = 0; *n_answers < N_PINNED; (*n_answers)++) {
		client_receive(&c);
		ck_assert_int_eq(c.reply.status, -EBUSY);
	}
}

START_TEST(who_pins_pages_holds_up_no_other_uid)
{
	struct rig rig = rig_default();
	volatile int *n_answers;
	struct client c;
	int ends[2], fd;
	pid_t pid;

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: needs root to be two users\n");
		return;
	}
	n_answers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rig_start(&rig);
	client_start(&c, &rig);
	fd = client_create(&c, 1, PAGE);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin_and_seal(&rig, ends[1], n_answers);
		_exit(0);
	}
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, PATIENCE), 1);
	ck_assert_int_eq(client_name(&c, WIRE_SEAL, 1), 0);
	ck_assert_int_eq(memfd_is_sealed(fd), 1);
	ck_assert_int_lt(*n_answers, N_PINNED - 2);
	kill_and_reap(pid);
	client_await(&c, "clients", 1);
	client_await(&c, "objects.created", 0);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* ---- turns ---- */

#define N_FLOODS   16 /* connections */
#define N_FLOODING 60 /* requests on each */
#define N_ASKED    8
#define TURN_MAX   16 /* requests */

static void stop_worker(const struct rig *rig)
{
	char path[64], text[64], state = 'R';

	ck_assert_int_eq(kill(*rig->worker, SIGSTOP), 0);
	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)*rig->worker);
	for (int i = 0; i < PATIENCE && state != 'T'; i++) {
		FILE *file = fopen(path, "re");

		ck_assert_ptr_nonnull(file);
		ck_assert_int_eq(fscanf(file, "%*d %63s %c", text, &state), 2);
		(void)fclose(file);
		usleep(1000);
	}
	ck_assert_int_eq(state, 'T');
}

/* Between two requests of one uid another is served for a turn, however many of its
 * requests were there before.  What was served when is told by a counter: all of them
 * wait when the worker begins, so that it does not matter how fast anybody is. */
START_TEST(who_floods_is_served_a_turn_at_a_time)
{
	static struct client floods[N_FLOODS];
	struct wire_item item = { .mode = 0600, .data = "x", .data_size = 1 };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };
	struct wire_request status = { .type = WIRE_STATUS };
	struct rig rig = rig_default();
	uint64_t puts = 0, now;
	struct client c;

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: needs root to be two users\n");
		return;
	}
	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_int_eq(seteuid(65534), 0);
	for (size_t i = 0; i < N_FLOODS; i++) {
		client_connect(&floods[i], &rig);
		client_greet(&floods[i], 0);
	}
	ck_assert_int_eq(seteuid(0), 0);
	stop_worker(&rig);
	for (unsigned int i = 0; i < N_FLOODS * N_FLOODING; i++) {
		item.id = id_of(i);
		put.serial = 0;
		client_send(&floods[i % N_FLOODS], &put, NULL, 0);
	}
	for (int i = 0; i < N_ASKED; i++) {
		status.serial = 0;
		client_send(&c, &status, NULL, 0);
	}
	ck_assert_int_eq(kill(*rig.worker, SIGCONT), 0);
	for (int i = 0; i < N_ASKED; i++) {
		client_receive(&c);
		now = number_of(&c.reply, "counter.puts");
		ck_assert_uint_le(now - puts, 2 * TURN_MAX); /* one that it may spin for, and one */
		puts = now;
	}
	client_await(&c, "counter.puts", N_FLOODS * N_FLOODING);
	for (size_t i = 0; i < N_FLOODS; i++)
		client_close(&floods[i]);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* ---- the end of clients ---- */

static void put_and_draft(const struct rig *rig)
{
	struct client c;

	client_start(&c, rig);
	ck_assert_int_eq(client_put(&c, 1, some_bytes(PAGE, 1), PAGE), 0);
	(void)client_create(&c, 2, 8 << 20);
}

/* Its child, which knows nothing of the store, keeps the sockets open. */
static void put_draft_and_fork(const struct rig *rig)
{
	put_and_draft(rig);
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, 0);
		sleep(30);
		_exit(0);
	}
}

static void check_death(void (*act)(const struct rig *rig))
{
	struct rig rig = rig_default();
	struct client c;
	pid_t pid;

	rig_start(&rig);
	client_start(&c, &rig);
	pid = elsewhere(&rig, act);
	ck_assert_uint_eq(client_status(&c, "clients"), 2);
	ck_assert_uint_eq(client_status(&c, "objects.created"), 1);
	kill_and_reap(pid);
	client_await(&c, "clients", 1);
	client_await(&c, "objects.created", 0);
	ck_assert_int_eq(client_name(&c, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(c.reply.items[0].refs, 0);
	client_await(&c, "resident_bytes", c.reply.items[0].charged_bytes);
	client_close(&c);
	rig_stop(&rig);
}

START_TEST(a_killed_client_gives_everything_back)
{
	check_death(put_and_draft);
}
END_TEST

START_TEST(a_dead_client_is_dead_though_its_socket_is_open)
{
	check_death(put_draft_and_fork);
}
END_TEST

START_TEST(last_words_count)
{
	struct rig rig = rig_default();
	struct client a, b;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	ck_assert_int_eq(client_put(&a, 1, some_bytes(PAGE, 1), PAGE), 0);
	/* Both are in the socket before the broker sees its end. */
	ck_assert_int_eq(kill(*rig.worker, SIGSTOP), 0);
	client_ask(&a, WIRE_DELETE, 1, 0);
	client_close(&a);
	ck_assert_int_eq(kill(*rig.worker, SIGCONT), 0);
	client_await(&b, "clients", 1);
	ck_assert_int_eq(client_get(&b, 1, 0), -ENOENT);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* ---- misbehaviour ---- */

static void send_bytes(struct client *c, const void *bytes, size_t size, const int *fds, size_t n_fds)
{
	ck_assert_int_eq(socket_send(c->call, bytes, size, fds, n_fds, 0), 0);
}

static void send_garbage(struct client *c)
{
	send_bytes(c, "not a packet at all, is it?", 28, NULL, 0);
}

static void send_too_much(struct client *c)
{
	static char bytes[WIRE_PACKET_MAX + 8];

	send_bytes(c, bytes, sizeof bytes, NULL, 0);
}

static void send_unannounced(struct client *c)
{
	char packet[512] __attribute__((aligned(8)));
	struct wire_request request = { .type = WIRE_STATUS, .serial = 99, .acked_fds = c->received };
	ssize_t size = wire_request_encode(&request, packet, sizeof packet);
	int fds[3] = { STDERR_FILENO, STDERR_FILENO, STDERR_FILENO };

	send_bytes(c, packet, (size_t)size, fds, 3);
}

static void send_promise(struct client *c)
{
	char packet[512] __attribute__((aligned(8)));
	struct wire_item item = { .id = id_of(1), .size = PAGE, .mode = 0600 };
	struct wire_request request = {
		.type = WIRE_PUT_FD,
		.serial = 99,
		.acked_fds = c->received,
		.n_fds = 1,
		.items = &item,
		.n_items = 1,
	};
	ssize_t size = wire_request_encode(&request, packet, sizeof packet);

	ck_assert_int_gt(size, 0);
	send_bytes(c, packet, (size_t)size, NULL, 0);
}

static void send_two_for_one(struct client *c)
{
	char packet[512] __attribute__((aligned(8)));
	struct wire_item item = { .id = id_of(1), .size = PAGE, .mode = 0600 };
	struct wire_request request = {
		.type = WIRE_PUT_FD,
		.serial = 99,
		.acked_fds = c->received,
		.n_fds = 1,
		.items = &item,
		.n_items = 1,
	};
	ssize_t size = wire_request_encode(&request, packet, sizeof packet);
	int fds[2] = { STDERR_FILENO, STDERR_FILENO };

	send_bytes(c, packet, (size_t)size, fds, 2);
}

static void send_hello_again(struct client *c)
{
	struct wire_request hello = { .type = WIRE_HELLO, .version_min = 1, .version_max = 1 };

	client_send(c, &hello, NULL, 0);
}

static void send_too_many_acks(struct client *c)
{
	c->received += 3;
	client_ask(c, WIRE_GET, 1, 0);
}

static void send_no_socket_for_a_child(struct client *c)
{
	struct wire_request request = { .type = WIRE_FORK };
	int fd = memfd_create("no socket", MFD_CLOEXEC);

	client_send(c, &request, &fd, 1);
	(void)close(fd);
}

static void send_half_a_socket_for_a_child(struct client *c)
{
	struct wire_request request = { .type = WIRE_FORK };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	client_send(c, &request, &fd, 1);
	(void)close(fd);
}

static void (*const misdeeds[])(struct client *c) = {
	send_garbage,
	send_too_much,
	send_unannounced,
	send_promise,
	send_two_for_one,
	send_hello_again,
	send_too_many_acks,
	send_no_socket_for_a_child,
	send_half_a_socket_for_a_child,
};

START_TEST(a_misdeed_ends_that_connection_alone)
{
	struct rig rig = rig_default();
	struct client good, bad;

	rig_start(&rig);
	client_start(&good, &rig);
	for (int greeted = 0; greeted < 2; greeted++) {
		client_connect(&bad, &rig);
		if (greeted) {
			client_greet(&bad, WIRE_HELLO_SERVICE);
			ck_assert_int_eq(client_put(&bad, 7, some_bytes(PAGE, 1), PAGE), 0);
		}
		misdeeds[_i](&bad);
		if (greeted || misdeeds[_i] != send_hello_again) /* the first hello is none */
			ck_assert(client_is_cut(&bad));
		client_close(&bad);
	}
	client_await(&good, "clients", 1);
	ck_assert_int_eq(client_name(&good, WIRE_STAT, 7), 0);
	ck_assert_uint_eq(good.reply.items[0].refs, 0);
	client_close(&good);
	rig_stop(&rig);
}
END_TEST

START_TEST(who_only_connects_keeps_nobody_out)
{
	struct rig rig = rig_default();
	struct client silent[100], c;

	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		client_connect(&silent[i], &rig);
	client_start(&c, &rig);
	ck_assert(client_is_cut(&silent[0])); /* the oldest made room */
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		client_close(&silent[i]);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* ---- flow control ---- */

static void say_hello(struct client *c, const struct rig *rig)
{
	struct wire_request hello = { .type = WIRE_HELLO, .version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX };

	client_connect(c, rig);
	client_send(c, &hello, NULL, 0);
}

/* When no descriptor is left: not an error at once, nor silence for ever. */
START_TEST(a_hello_waits_for_descriptors)
{
	struct rig rig = rig_default();
	struct client a, others[4], late, later, gone;
	unsigned int n = 0;

	rig.config.max_fds = 100;
	rig.config.inline_max = 0; /* no pack: each object has a descriptor */
	rig.config.queue_deadline_ns = 10 * NS_PER_MS;
	rig_start(&rig);
	client_start(&a, &rig);
	while (client_put(&a, n + 1, some_bytes(PAGE, 1), PAGE) == 0)
		n++;
	ck_assert_uint_gt(n, 50);
	for (int i = 0; i < 4; i++) /* these have the reserve */
		client_start(&others[i], &rig);
	say_hello(&gone, &rig);
	say_hello(&late, &rig);
	ck_assert(!client_receive_from(&late, late.call, 100));
	client_close(&gone);
	for (unsigned int i = 1; i <= 4; i++)
		ck_assert_int_eq(client_name(&a, WIRE_DELETE, i), 0);
	client_receive(&late);
	ck_assert_int_eq(late.reply.status, 0);
	ck_assert_uint_eq(client_status(&late, "clients"), 6);
	say_hello(&later, &rig);
	client_receive(&later);
	ck_assert_int_eq(later.reply.status, -EMFILE);
	ck_assert_ptr_nonnull(strstr(later.reply.text, "max_descriptors"));
	ck_assert(client_is_cut(&later));
	client_close(&later);
	client_close(&late);
	for (int i = 0; i < 4; i++)
		client_close(&others[i]);
	client_close(&a);
	rig_stop(&rig);
}
END_TEST

START_TEST(descriptors_wait_for_acknowledgements)
{
	enum { N = 100 };
	struct rig rig = rig_default();
	struct wire_item items[N] = { 0 };
	struct wire_request get = {
		.type = WIRE_GET,
		.items = items,
		.n_items = N,
		.flags = WIRE_GET_MAP,
	};
	struct wire_request ack = { .type = WIRE_ACK };
	struct client c;
	unsigned int n = 0, n_fds = 0;

	rig_start(&rig);
	client_connect(&c, &rig);
	client_greet(&c, 0);
	for (unsigned int i = 0; i < N; i++) {
		items[i].id = id_of(i);
		ck_assert_int_eq(client_put(&c, i, some_bytes(100, i), 100), 0);
	}
	client_send(&c, &get, NULL, 0);
	while (n < N) {
		if (!client_receive_from(&c, c.call, n_fds < WIRE_FDS_UNACKED ? PATIENCE : 100)) {
			ck_assert_uint_eq(n_fds, WIRE_FDS_UNACKED);
			client_send(&c, &ack, NULL, 0);
			n_fds = 0;
			continue;
		}
		for (uint32_t i = 0; i < c.reply.n_items; i++, n++) {
			char back[100];

			ck_assert(id128_equal(&c.reply.items[i].id, &items[n].id));
			ck_assert_int_eq(pread(c.fds[i], back, 100, 0), 100);
			check_bytes(back, 100, n);
			(void)close(c.fds[i]);
		}
		ck_assert_uint_eq(c.reply.more, n < N);
		n_fds += (unsigned int)c.n_fds;
	}
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* Those of one uid share a part of the limit, a quarter or 64: none of them hangs for what it, or
 * another, has received and not acknowledged yet. */
static const struct {
	rlim_t max_files;
	uint32_t max_fds;
	unsigned int n_clients, n_silent; /* the latter come first, and acknowledge nothing */
} sharings[] = {
	{ 256, 200, 1, 0 },
	{ 1024, 900, 6, 0 },
	{ 256, 200, 5, 4 },
};

START_TEST(who_shares_a_window_is_not_stuck)
{
	enum { N = 100, N_SILENT = 15, N_CLIENTS = 6 };
	struct rig rig = rig_default();
	struct wire_item items[N];
	struct wire_request get = { .type = WIRE_GET, .items = items, .flags = WIRE_GET_MAP };
	struct wire_request ack = { .type = WIRE_ACK };
	struct client clients[N_CLIENTS], *c;
	const unsigned int n_clients = sharings[_i].n_clients, n_silent = sharings[_i].n_silent;
	const int64_t end = now_ns() + PATIENCE * NS_PER_MS;
	unsigned int n_left = n_silent * N_SILENT + (n_clients - n_silent) * N;
	unsigned int n_unacked[N_CLIENTS] = { 0 };

	rig.max_files = sharings[_i].max_files;
	rig.config.max_fds = sharings[_i].max_fds;
	rig_start(&rig);
	for (c = clients; c < clients + n_clients; c++) {
		client_connect(c, &rig);
		client_greet(c, 0);
	}
	for (unsigned int i = 0; i < N; i++) {
		items[i] = (struct wire_item){ .id = id_of(i) };
		ck_assert_int_eq(client_put(clients, i, some_bytes(100, i), 100), 0);
	}
	for (unsigned int i = 0; i < n_clients; i++) {
		get.serial = 0;
		get.n_items = i < n_silent ? N_SILENT : N;
		client_send(&clients[i], &get, NULL, 0);
	}
	for (unsigned int i = 0; n_left > 0; i = (i + 1) % n_clients) {
		c = &clients[i];
		ck_assert(now_ns() < end);
		if (!client_receive_from(c, c->call, 1))
			continue;
		n_left -= (unsigned int)c->n_fds;
		n_unacked[i] += (unsigned int)c->n_fds;
		for (size_t k = 0; k < c->n_fds; k++)
			(void)close(c->fds[k]);
		if (n_unacked[i] >= WIRE_FDS_PER_PACKET) {
			client_send(c, &ack, NULL, 0);
			n_unacked[i] = 0;
		}
	}
	for (c = clients; c < clients + n_clients; c++)
		client_close(c);
	rig_stop(&rig);
}
END_TEST

/* N requests of which no reply is read: more than a socket holds. */
START_TEST(replies_that_are_not_read_wait)
{
	enum { N = 40, SIZE = 60000 };
	struct rig rig = rig_default();
	struct client a, b;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(client_put(&b, i, some_bytes(SIZE, i), SIZE), 0);
	for (unsigned int i = 0; i < N; i++)
		client_ask(&a, WIRE_GET, i, 0);
	(void)client_status(&b, "clients"); /* others are served */
	for (unsigned int i = 0; i < N; i++) {
		client_receive(&a);
		ck_assert_uint_eq(a.reply.serial, a.serial - N + 1 + i);
		ck_assert_uint_eq(a.reply.items[0].data_size, SIZE);
		check_bytes(a.reply.items[0].data, SIZE, i);
	}
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* Who does not acknowledge descriptors and asks for ever more is not read, and not cut; and when he
 * reads at last, all is there, whether he acknowledges it or not. */
START_TEST(who_owes_acknowledgements_is_paused)
{
	enum { N_FDS = WIRE_FDS_UNACKED + 1, N_LISTED = 4000 };
	struct wire_item items[N_FDS];
	struct wire_request map = { .type = WIRE_GET, .items = items, .n_items = N_FDS,
		.flags = WIRE_GET_MAP };
	struct wire_request list = { .type = WIRE_LIST };
	struct wire_request ack = { .type = WIRE_ACK };
	struct rig rig = rig_default();
	unsigned int n_sent = 0, n_lists = 0;
	struct pollfd room = { .events = POLLOUT };
	uint32_t n_fds = 0, acked;
	struct client a, b;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	for (unsigned int i = 0; i < N_LISTED; i++)
		ck_assert_int_eq(client_put(&b, i, "x", 1), 0);
	for (unsigned int i = 0; i < N_FDS; i++)
		items[i] = (struct wire_item){ .id = id_of(i) };
	acked = a.received;
	client_send(&a, &map, NULL, 0);
	ck_assert_int_eq(setsockopt(a.call, SOL_SOCKET, SO_SNDBUF, &(int){ 8192 }, sizeof(int)), 0);
	room.fd = a.call;
	while (poll(&room, 1, 500) == 1) { /* until the broker reads no more */
		static char packet[WIRE_PACKET_MAX] __attribute__((aligned(8)));
		ssize_t size;
		int r;

		list.serial = ++a.serial;
		list.acked_fds = acked;
		size = wire_request_encode(&list, packet, sizeof packet);
		r = socket_send(a.call, packet, (size_t)size, NULL, 0, MSG_DONTWAIT);
		ck_assert(r == 0 || r == -EAGAIN);
		n_sent += r == 0;
		ck_assert_uint_lt(n_sent, 100);
	}
	ck_assert_uint_eq(client_status(&b, "clients"), 2);
	while (n_lists < n_sent) {
		client_receive(&a);
		n_fds += (uint32_t)a.n_fds;
		for (size_t i = 0; i < a.n_fds; i++)
			(void)close(a.fds[i]);
		if (_i == 0 && a.n_fds > 0)
			client_send(&a, &ack, NULL, 0);
		n_lists += a.reply.type == WIRE_LIST && !a.reply.more;
	}
	ck_assert_uint_eq(n_fds, N_FDS);
	client_send(&a, &ack, NULL, 0); /* late, and true */
	ck_assert_uint_eq(client_status(&a, "clients"), 2);
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* Who never acknowledges is known by the kernel's word to have received what he was sent, and may
 * come to owe any number.  The counters wrap. */
static const struct {
	uint32_t acked, owed;
} debts[] = {
	{ 0, 100 }, { 0, INT32_MAX }, { 0, UINT32_C(0x80000010) }, { 0, UINT32_MAX - 20 },
	{ UINT32_MAX - 50, 100 }, { UINT32_C(0x80000000), UINT32_C(0x80000010) },
};

START_TEST(late_acknowledgements_change_nothing)
{
	const uint32_t acked = debts[_i].acked, arrived = acked + debts[_i].owed;
	struct user user = { .n_flying = 10 };
	struct connection c = { .user = &user, .fds_acked = acked, .fds_arrived = arrived,
		.fds_sent = arrived + 10 };

	output_acked(&c, acked + 5);
	ck_assert_uint_eq(user.n_flying, 10);
	output_acked(&c, arrived);
	ck_assert_uint_eq(user.n_flying, 10);
	output_acked(&c, arrived + 4);
	ck_assert_uint_eq(user.n_flying, 6);
	output_arrived(&c);
	ck_assert_uint_eq(user.n_flying, 0);

	/* However much he owes. */
	user.n_flying = 10;
	c.fds_arrived = acked - 5;
	c.fds_acked = acked;
	c.fds_sent = acked + 5;
	output_acked(&c, acked + 1);
	ck_assert_uint_le(user.n_flying, 10);
	output_arrived(&c);
	ck_assert_uint_eq(user.n_flying, 0);
}
END_TEST

/* What waits for it grows without a request of its own, when bytes of objects that are deleted are
 * kept for it: that can be what pauses it. */
START_TEST(who_is_paused_by_others_goes_on)
{
	enum { N_FDS = WIRE_FDS_UNACKED + 1, N_SMALL = 3000, N_DELETED = 500, SIZE = 4096, N_GET = 500 };
	static struct wire_item items[N_SMALL];
	struct wire_item mapped[N_FDS];
	struct wire_request map = { .type = WIRE_GET, .items = mapped, .n_items = N_FDS,
		.flags = WIRE_GET_MAP };
	struct wire_request ack = { .type = WIRE_ACK };
	struct rig rig = rig_default();
	unsigned int n_fds = 0, n = 0;
	struct client a, b;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	for (unsigned int i = 0; i < N_SMALL; i++) {
		items[i] = (struct wire_item){ .id = id_of(i) };
		ck_assert_int_eq(client_put(&b, i, some_bytes(SIZE, i), SIZE), 0);
	}
	for (unsigned int i = 0; i < N_FDS; i++) {
		mapped[i] = (struct wire_item){ .id = id_of(N_SMALL + i) };
		ck_assert_int_eq(client_put(&b, N_SMALL + i, "x", 1), 0);
	}
	client_send(&a, &map, NULL, 0);
	for (unsigned int i = 0; i < N_SMALL; i += N_GET) {
		struct wire_request get = { .type = WIRE_GET, .items = items + i, .n_items = N_GET };

		client_send(&a, &get, NULL, 0);
	}
	client_await(&b, "counter.gets", N_FDS + N_SMALL);
	for (unsigned int i = 0; i < N_DELETED; i++)
		ck_assert_int_eq(client_name(&b, WIRE_DELETE, i), 0);
	while (n_fds < WIRE_FDS_UNACKED) {
		client_receive(&a);
		n_fds += (unsigned int)a.n_fds;
		for (size_t i = 0; i < a.n_fds; i++)
			(void)close(a.fds[i]);
	}
	client_send(&a, &ack, NULL, 0);
	while (n < N_SMALL) {
		client_receive(&a);
		for (size_t i = 0; i < a.n_fds; i++)
			(void)close(a.fds[i]);
		for (uint32_t i = 0; i < a.reply.n_items; i++)
			if (a.n_fds == 0)
				check_bytes(a.reply.items[i].data, SIZE, n++);
	}
	ck_assert_int_eq(client_status(&a, "clients"), 2);
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* Objects are moved together in many steps, each brought about by the one before: who speaks
 * meanwhile is heard between them. */
START_TEST(moving_objects_holds_up_nobody)
{
	enum { N = 4000, SIZE = 4096, KEPT = 4 };
	static struct wire_item items[N];
	struct wire_request delete = { .type = WIRE_DELETE, .items = items };
	struct rig rig = rig_default();
	uint64_t meanwhile, before, now = 0;
	struct client a, b;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	for (unsigned int i = 0; i < N; i++) {
		ck_assert_int_eq(client_put(&a, i, some_bytes(SIZE, i), SIZE), 0);
		if (i % KEPT != 0)
			items[delete.n_items++].id = id_of(i);
	}
	before = client_status(&b, "counter.compactions");
	ck_assert_int_eq(kill(*rig.worker, SIGSTOP), 0);
	client_send(&a, &delete, NULL, 0);
	client_send(&a, &(struct wire_request){ .type = WIRE_STATUS }, NULL, 0);
	ck_assert_int_eq(kill(*rig.worker, SIGCONT), 0);
	client_receive(&a);
	ck_assert_uint_eq(a.reply.type, WIRE_DELETE);
	client_receive(&a);
	meanwhile = number_of(&a.reply, "counter.compactions");
	for (uint64_t last = before; now != last || now == before; usleep(1000)) {
		last = now;
		now = client_status(&b, "counter.compactions");
	}
	ck_assert_uint_gt(now - before, 50);
	ck_assert_uint_lt(meanwhile - before, (now - before) / 2);
	for (unsigned int i = 0; i < N; i += KEPT) {
		ck_assert_int_eq(client_get(&b, i, 0), 0);
		check_bytes(b.reply.items[0].data, SIZE, i);
	}
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

START_TEST(bytes_of_a_deleted_object_still_arrive)
{
	enum { N = 40, SIZE = 60000 };
	struct rig rig = rig_default();
	struct wire_item items[N] = { 0 };
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = N };
	struct client a, b;
	unsigned int n = 0;

	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	for (unsigned int i = 0; i < N; i++) {
		items[i].id = id_of(i);
		ck_assert_int_eq(client_put(&b, i, some_bytes(SIZE, i), SIZE), 0);
	}
	client_send(&a, &get, NULL, 0);
	client_await(&b, "counter.gets", N);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(client_name(&b, WIRE_DELETE, i), 0);
	for (unsigned int i = N; i < 2 * N; i++) /* other objects get the numbers */
		ck_assert_int_eq(client_put(&b, i, some_bytes(SIZE, i), SIZE), 0);
	while (n < N) {
		client_receive(&a);
		for (uint32_t i = 0; i < a.reply.n_items; i++, n++)
			check_bytes(a.reply.items[i].data, SIZE, n);
	}
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

START_TEST(a_descriptor_given_back_unseen_never_becomes_another)
{
	enum { N = WIRE_FDS_UNACKED + 1 };
	struct rig rig = rig_default();
	struct client a, b;

	rig_start(&rig);
	client_connect(&a, &rig);
	client_greet(&a, 0);
	client_start(&b, &rig);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(client_put(&b, i, some_bytes(PAGE, i), PAGE), 0);
	for (unsigned int i = 0; i < N; i++) /* the last one waits for an acknowledgement */
		client_ask(&a, WIRE_GET, i, WIRE_GET_MAP);
	client_release(&a, N - 1, 1, 1);
	client_await(&b, "counter.gets", N);
	ck_assert_int_eq(client_name(&b, WIRE_DELETE, N - 1), 0);
	ck_assert(client_is_cut(&a));
	client_await(&b, "clients", 1);
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* ---- fork ---- */

static void child_says_hello(int socket, uint64_t *connection)
{
	struct client c = {
		.call = socket,
		.service = -1,
		.packet = aligned_alloc(8, WIRE_PACKET_MAX),
	};
	uint64_t number;

	client_receive(&c); /* the broker's first word, to whoever has the other end */
	ck_assert_uint_eq(c.reply.type, WIRE_FORK);
	client_greet(&c, WIRE_HELLO_CHILD | WIRE_HELLO_SERVICE);
	number = c.reply.connection;
	ck_assert_int_eq(client_get(&c, 1, 0), 0);
	*connection = number; /* last: then the worker is killed */
}

START_TEST(a_forked_child_has_its_parents_references)
{
	struct rig rig = rig_default();
	struct wire_request request = { .type = WIRE_FORK };
	struct client a, b;
	uint64_t *connection;
	int ends[2];
	pid_t child;

	connection = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*connection = UINT64_MAX;
	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	ck_assert_int_eq(client_put(&a, 1, some_bytes(PAGE, 1), PAGE), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	(void)setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
	client_send(&a, &request, &ends[1], 1);
	(void)close(ends[1]);
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(a.call);
		(void)close(a.service);
		child_says_hello(ends[0], connection);
		for (;;)
			pause();
	}
	(void)close(ends[0]);
	client_await(&b, "clients", 3);
	client_close(&a); /* the parent leaves; its child's reference stays */
	client_await(&b, "clients", 2);
	for (int i = 0; i < PATIENCE && *connection == UINT64_MAX; i++)
		usleep(1000);
	ck_assert_uint_ne(*connection, UINT64_MAX);
	ck_assert_int_eq(client_name(&b, WIRE_STAT, 1), 0);
	ck_assert_uint_ge(b.reply.items[0].refs, 1);
	ck_assert_uint_ge(b.reply.n_holders, 1);
	ck_assert_int_eq(b.reply.holders[0].pid, child);
	kill_worker(&rig); /* the heir knows whose it is */
	client_receive(&b);
	ck_assert_uint_eq(b.reply.type, WIRE_RESUME);
	client_close(&b);
	client_start(&b, &rig);
	ck_assert_int_eq(client_name(&b, WIRE_STAT, 1), 0);
	ck_assert_int_eq(b.reply.holders[0].pid, child);
	kill_and_reap(child);
	client_await(&b, "clients", 1);
	ck_assert_int_eq(client_name(&b, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(b.reply.items[0].refs, 0);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* ---- the heir ---- */

static void reconcile(struct client *c, uint64_t generation, unsigned int n, uint32_t refs)
{
	struct wire_item item = { .id = id_of(n), .refs = refs };
	struct wire_request request = {
		.type = WIRE_RECONCILE,
		.generation = generation,
		.items = &item,
		.n_items = 1,
	};

	client_send(c, &request, NULL, 0);
}

START_TEST(the_heir_serves_the_same_sockets_and_objects)
{
	struct rig rig = rig_default();
	struct client a, b, greeting;
	struct stat before, after;
	uint64_t generation;
	pid_t first;

	rig_start(&rig);
	first = *rig.worker;
	client_start(&a, &rig);
	generation = a.reply.generation;
	ck_assert_int_eq(client_put(&a, 1, some_bytes(PAGE, 1), PAGE), 0);
	ck_assert_int_eq(client_put(&a, 2, some_bytes(PAGE, 2), PAGE), 0);
	ck_assert_int_eq(client_get(&a, 1, WIRE_GET_MAP), 0);
	ck_assert_int_eq(fstat(a.fds[0], &before), 0);
	client_connect(&greeting, &rig);
	for (int round = 0; round < 3; round++) {
		kill_worker(&rig);
		ck_assert_int_ne(*rig.worker, first);
		ck_assert(client_receive_from(&a, a.service, PATIENCE));
		ck_assert_uint_eq(a.reply.type, WIRE_RESUME);
		client_receive(&a);
		ck_assert_uint_eq(a.reply.type, WIRE_RESUME);
		ck_assert_uint_gt(a.reply.generation, generation);
		generation = a.reply.generation;
		client_ask(&a, WIRE_GET, 2, 0); /* too early: dropped */
		reconcile(&a, generation, 1, 1);
		ck_assert_int_eq(client_get(&a, 1, WIRE_GET_MAP), 0);
		ck_assert_uint_eq(a.reply.serial, a.serial);
		ck_assert_int_eq(fstat(a.fds[0], &after), 0);
		ck_assert_uint_eq(before.st_ino, after.st_ino);
		ck_assert_int_eq(client_name(&a, WIRE_STAT, 2), 0);
		ck_assert_uint_eq(a.reply.items[0].refs, 0); /* it was not listed */
	}
	ck_assert(client_is_cut(&greeting)); /* it had said nothing: it connects again */
	client_start(&b, &rig);
	ck_assert_int_eq(client_get(&b, 2, 0), 0);
	check_bytes(b.reply.items[0].data, PAGE, 2);
	ck_assert_uint_eq(client_status(&b, "clients"), 2);
	client_close(&greeting);
	client_close(&a);
	client_await(&b, "clients", 1); /* hangups reach the heir */
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

/* It hung up when no worker was there to see it. */
START_TEST(the_heir_hears_of_deaths_that_it_missed)
{
	struct rig rig = rig_default();
	struct client c;
	pid_t pid;

	rig_start(&rig);
	pid = elsewhere(&rig, put_and_draft);
	client_start(&c, &rig);
	ck_assert_uint_eq(client_status(&c, "clients"), 2);
	ck_assert_int_eq(kill(*rig.worker, SIGSTOP), 0);
	kill_and_reap(pid);
	client_close(&c);
	kill_worker(&rig);
	client_start(&c, &rig);
	client_await(&c, "clients", 1);
	client_await(&c, "objects.created", 0);
	ck_assert_int_eq(client_name(&c, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(c.reply.items[0].refs, 0);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

START_TEST(a_connection_that_cannot_be_restored_ends_alone)
{
	struct rig rig = rig_default();
	struct client a, b;

	rig.spoils = true;
	rig_start(&rig);
	client_start(&a, &rig);
	client_start(&b, &rig);
	ck_assert_int_eq(client_put(&a, 1, some_bytes(PAGE, 1), PAGE), 0);
	ck_assert_int_ge(client_create(&a, 2, PAGE), 0);
	ck_assert_int_eq(client_get(&b, 1, WIRE_GET_REF), 0);
	kill_worker(&rig);
	ck_assert(client_is_cut(&a));
	client_receive(&b);
	ck_assert_uint_eq(b.reply.type, WIRE_RESUME);
	reconcile(&b, b.reply.generation, 1, 1);
	ck_assert_uint_eq(client_status(&b, "clients"), 1);
	client_await(&b, "objects.created", 0); /* its draft went with it */
	ck_assert_int_eq(client_name(&b, WIRE_STAT, 1), 0);
	ck_assert_uint_eq(b.reply.items[0].refs, 1);
	client_await(&b, "descriptors", 1 + 3); /* the object's, and b's */
	client_close(&a);
	client_close(&b);
	rig_stop(&rig);
}
END_TEST

static unsigned int count_fds(pid_t pid)
{
	char path[64], target[8];
	unsigned int n = 0;

	for (int fd = 0; fd < 2048; fd++) { /* not followed: one may be a mute file */
		(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
		n += readlink(path, target, sizeof target) > 0;
	}
	return n;
}

START_TEST(heirs_leave_no_rubbish_in_the_table)
{
	struct rig rig = rig_default();
	unsigned int n = 0;

	rig_start(&rig);
	for (int round = 0; round < 4; round++) {
		struct client c, silent;

		client_start(&c, &rig);
		client_connect(&silent, &rig);
		ck_assert_int_eq(client_put(&c, (unsigned int)round, some_bytes(PAGE, 1), PAGE), 0);
		ck_assert_int_eq(client_name(&c, WIRE_DELETE, (unsigned int)round), 0);
		kill_worker(&rig);
		client_close(&c);
		client_close(&silent);
		client_start(&c, &rig);
		client_await(&c, "clients", 1);
		if (round == 0)
			n = count_fds(rig.supervisor);
		else
			ck_assert_uint_eq(count_fds(rig.supervisor), n);
		client_close(&c);
	}
	rig_stop(&rig);
}
END_TEST

/* ---- strangers ---- */

static void offer_mute_file(struct client *c, int fd)
{
	struct wire_item item = { .id = id_of(50), .size = PAGE, .mode = 0600 };
	struct wire_request put = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1 };

	ck_assert_int_lt(client_call(c, &put, &fd, 1), 0);
}

START_TEST(a_file_that_cannot_be_closed_holds_up_nobody)
{
	struct rig rig = rig_default();
	struct mute_fuse fuse;
	struct client c;
	unsigned int before;
	int fd;

	rig.supervised = _i == 0;
	rig_start(&rig);
	fd = mute_fuse_start(&fuse);
	if (fd < 0) {
		fprintf(stderr, "skipped: no FUSE here (%s)\n", strerror(-fd));
		rig_stop(&rig);
		return;
	}
	fd = mute_fuse_open(&fuse);
	client_start(&c, &rig);
	before = rig.supervised ? count_fds(rig.supervisor) : 0;
	offer_mute_file(&c, fd);
	offer_mute_file(&c, fd);
	ck_assert_int_eq(client_put(&c, 1, some_bytes(PAGE, 1), PAGE), 0);
	if (rig.supervised) {
		/* The numbers are free again, though their close never ends. */
		for (int i = 0; i < PATIENCE && count_fds(rig.supervisor) > before + 2; i++)
			usleep(1000);
		ck_assert_uint_le(count_fds(rig.supervisor), before + 2); /* object 1, tombstone */
		kill_worker(&rig); /* the worker can die, and its heir does not hang either */
		client_receive(&c);
		ck_assert_uint_eq(c.reply.type, WIRE_RESUME);
		reconcile(&c, c.reply.generation, 1, 1);
		ck_assert_int_eq(client_get(&c, 1, 0), 0);
		check_bytes(c.reply.items[0].data, PAGE, 1);
	}
	mute_fuse_stop(&fuse);
	client_close(&c);
	rig_stop(&rig);
}
END_TEST

/* Processes that hang keep the descriptor table: what is in it must go by other means. */
START_TEST(a_clean_stop_leaves_nothing_to_those_who_hang)
{
	struct rig rig = rig_default();
	struct sockaddr_un address;
	struct mute_fuse fuse;
	struct client c;
	siginfo_t end;
	int fd;

	rig_start(&rig);
	fd = mute_fuse_start(&fuse);
	if (fd < 0) {
		fprintf(stderr, "skipped: no FUSE here (%s)\n", strerror(-fd));
		rig_stop(&rig);
		return;
	}
	client_start(&c, &rig);
	offer_mute_file(&c, mute_fuse_open(&fuse));
	ck_assert_int_eq(kill(*rig.worker, SIGTERM), 0);
	ck_assert(client_is_cut(&c));
	client_close(&c);
	ck_assert_int_eq(waitid(P_PID, (id_t)rig.supervisor, &end, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(socket_address(&address, rig.path), 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	rig_gone(&rig);
	mute_fuse_stop(&fuse);
}
END_TEST

/* The service manager's socket serves the next broker, whatever hangs in this one. */
START_TEST(a_clean_stop_leaves_a_passed_socket_listening)
{
	struct rig rig = rig_default();
	struct sockaddr_un address;
	struct mute_fuse fuse;
	struct client c;
	siginfo_t end;
	int fd;

	rig.passed = true;
	rig_start(&rig);
	fd = mute_fuse_start(&fuse);
	if (fd < 0) {
		fprintf(stderr, "skipped: no FUSE here (%s)\n", strerror(-fd));
		rig_stop(&rig);
		return;
	}
	client_start(&c, &rig);
	offer_mute_file(&c, mute_fuse_open(&fuse));
	ck_assert_int_eq(kill(*rig.worker, SIGTERM), 0);
	ck_assert(client_is_cut(&c));
	client_close(&c);
	ck_assert_int_eq(waitid(P_PID, (id_t)rig.supervisor, &end, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(socket_address(&address, rig.path), 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	(void)close(fd);
	(void)close(rig.listener);
	mute_fuse_stop(&fuse);
	rig_gone(&rig);
}
END_TEST

static bool is_served(const struct rig *rig)
{
	static const struct wire_request hello = {
		.type = WIRE_HELLO,
		.serial = 1,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
	};
	char bytes[512] __attribute__((aligned(8)));
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes };
	ssize_t size = wire_request_encode(&hello, bytes, sizeof bytes);
	struct client c;
	bool served;

	client_connect(&c, rig);
	served = socket_send(c.call, bytes, (size_t)size, NULL, 0, 0) == 0 &&
		poll(&(struct pollfd){ .fd = c.call, .events = POLLIN }, 1, PATIENCE) == 1 &&
		socket_receive(c.call, &packet, 0) == 0;
	client_close(&c);
	return served;
}

START_TEST(who_sends_many_such_files_is_not_served)
{
	struct rig rig = rig_default();
	struct mute_fuse fuse;
	struct client c;
	int fd;

	rig_start(&rig);
	fd = mute_fuse_start(&fuse);
	if (fd < 0) {
		fprintf(stderr, "skipped: no FUSE here (%s)\n", strerror(-fd));
		rig_stop(&rig);
		return;
	}
	fd = mute_fuse_open(&fuse);
	client_start(&c, &rig);
	for (int i = 0; i < 8; i++)
		offer_mute_file(&c, fd);
	client_close(&c);
	while (is_served(&rig)) /* until the broker has seen that they hang */
		usleep(10000);
	mute_fuse_stop(&fuse); /* they close at last */
	for (int i = 0; !is_served(&rig); i++) {
		ck_assert_int_lt(i, PATIENCE / 10);
		usleep(10000);
	}
	rig_stop(&rig);
}
END_TEST

/* ---- the end of the broker ---- */

START_TEST(a_private_broker_ends_after_its_last_user)
{
	struct rig rig = rig_default();
	struct client c;
	pid_t starter = fork();

	if (starter == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	rig.starter_pidfd = pidfd_open(starter, 0);
	rig_start(&rig);
	client_start(&c, &rig);
	kill_and_reap(starter);
	usleep(300000); /* longer than idle_exit_ns */
	ck_assert_int_eq(client_put(&c, 1, some_bytes(PAGE, 1), PAGE), 0);
	client_close(&c);
	rig_gone(&rig);
}
END_TEST

START_TEST(a_private_broker_without_users_ends_with_its_starter)
{
	struct rig rig = rig_default();
	pid_t starter = fork();

	if (starter == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	rig.starter_pidfd = pidfd_open(starter, 0);
	rig_start(&rig);
	kill_and_reap(starter);
	rig_gone(&rig);
}
END_TEST

START_TEST(a_clean_stop_hangs_up_on_everybody)
{
	struct rig rig = rig_default();
	struct client c;

	rig_start(&rig);
	client_start(&c, &rig);
	ck_assert_int_eq(client_put(&c, 1, some_bytes(PAGE, 1), PAGE), 0);
	ck_assert_int_eq(kill(*rig.worker, SIGTERM), 0);
	ck_assert(client_is_cut(&c));
	rig_gone(&rig);
	client_close(&c);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *talk = tcase_create("talk");
	TCase *end = tcase_create("end");

	tcase_set_timeout(talk, 40);
	tcase_add_test(talk, a_hello_opens_two_sockets);
	tcase_add_test(talk, a_client_of_another_age_hears_why_not);
	tcase_add_test(talk, what_is_put_is_got_inline_or_mapped);
	tcase_add_test(talk, a_draft_is_written_in_place_and_sealed);
	tcase_add_test(talk, only_hard_sealed_memfds_can_be_put);
	tcase_add_test(talk, status_and_config_say_who_serves);
	tcase_add_test(talk, capacity_changes_while_it_serves_and_for_the_heir);
	tcase_add_test(talk, room_is_made_while_nobody_speaks);
	tcase_add_test(talk, without_a_host_nothing_changes);
	tcase_add_test(talk, a_hello_waits_for_descriptors);
	tcase_add_test(talk, descriptors_wait_for_acknowledgements);
	tcase_add_test(talk, replies_that_are_not_read_wait);
	tcase_add_test(talk, moving_objects_holds_up_nobody);
	tcase_add_loop_test(talk, who_shares_a_window_is_not_stuck, 0, ARRAY_SIZE(sharings));
	tcase_add_loop_test(talk, who_owes_acknowledgements_is_paused, 0, 2);
	tcase_add_loop_test(talk, late_acknowledgements_change_nothing, 0, ARRAY_SIZE(debts));
	tcase_add_test(talk, who_is_paused_by_others_goes_on);
	tcase_add_test(talk, bytes_of_a_deleted_object_still_arrive);
	tcase_add_test(talk, a_descriptor_given_back_unseen_never_becomes_another);
	tcase_add_test(talk, who_pins_pages_holds_up_no_other_uid);
	tcase_add_test(talk, who_floods_is_served_a_turn_at_a_time);
	suite_add_tcase(suite, talk);
	tcase_set_timeout(end, 40);
	tcase_add_test(end, a_killed_client_gives_everything_back);
	tcase_add_test(end, a_dead_client_is_dead_though_its_socket_is_open);
	tcase_add_test(end, last_words_count);
	tcase_add_loop_test(end, a_misdeed_ends_that_connection_alone, 0, ARRAY_SIZE(misdeeds));
	tcase_add_test(end, who_only_connects_keeps_nobody_out);
	tcase_add_test(end, a_forked_child_has_its_parents_references);
	tcase_add_test(end, the_heir_serves_the_same_sockets_and_objects);
	tcase_add_test(end, the_heir_hears_of_deaths_that_it_missed);
	tcase_add_test(end, a_connection_that_cannot_be_restored_ends_alone);
	tcase_add_test(end, heirs_leave_no_rubbish_in_the_table);
	tcase_add_loop_test(end, a_file_that_cannot_be_closed_holds_up_nobody, 0, 2);
	tcase_add_test(end, a_clean_stop_leaves_nothing_to_those_who_hang);
	tcase_add_test(end, a_clean_stop_leaves_a_passed_socket_listening);
	tcase_add_test(end, who_sends_many_such_files_is_not_served);
	tcase_add_test(end, a_private_broker_ends_after_its_last_user);
	tcase_add_test(end, a_private_broker_without_users_ends_with_its_starter);
	tcase_add_test(end, a_clean_stop_hangs_up_on_everybody);
	suite_add_tcase(suite, end);
}

int main(void)
{
	Suite *suite = suite_create("broker");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* The complaints about misbehaving clients are expected. */
	log_set_level(getenv("VERBOSE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	add_tests(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
