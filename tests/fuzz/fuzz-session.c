/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole sessions with a live worker: state, not only the parser.
 *
 * An input is a program for up to N_PARTIES clients of several users: connect, say
 * hello, send requests well formed and bent, with and without descriptors, in any
 * order, read or do not read, fork, hang up; and now and then the worker dies and an
 * heir goes on with its tables.  The worker is the real one, in this process, one
 * turn of its loop at a time.  Whatever the program was:
 *
 *  - the core's tables and indices agree after each step (core_check());
 *  - every packet that the worker sends decodes, and answers a request that was sent,
 *    once, in its kind;
 *  - bytes that come out are those that went in: all writers of an id write the same;
 *  - a memfd that is handed out as an object is sealed;
 *  - at the end a fresh client is served, can delete everything that is left, and
 *    then nothing is charged, nobody waits, and no descriptor is open that was not
 *    open before.
 */
#undef NDEBUG
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/worker.h"
#include "fuzz.h"
#include "memory/memfd.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/socket.h"
#include "util/text.h"

#define N_PARTIES   6
#define N_FDS       256 /* RLIMIT_NOFILE: an heir looks at every number */
#define N_SERIALS   512 /* of a party: more than it can send in N_STEPS_MAX */
#define N_STEPS_MAX 400
#define INLINE_MAX  4096
#define HARD_SEALS  (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* ---- the program ---- */

struct program {
	const uint8_t *at, *end;
};

static uint8_t next(struct program *program)
{
	return program->at < program->end ? *program->at++ : 0;
}

/* ---- the worker ---- */

static struct broker broker;
static struct broker_options options;
static const struct core_quota quotas[] = { { .uid = (uid_t)-1, .limit = 6 << 20, .of = CORE_BYTES } };
static const struct core_config config_first = {
	.capacity = 8 << 20,
	.max_fds = 96,
	.max_objects = 48,
	.max_connections = 10,
	.max_connections_per_uid = 6,
	.inline_max = INLINE_MAX,
	.queue_deadline_ns = 5 * NS_PER_MS,
	.transit_lease_ns = 5 * NS_PER_MS,
	.quotas = quotas,
	.n_quotas = ARRAY_SIZE(quotas),
	.arena_base = UINT64_C(0x200000000000),
};
static struct core_config config;
static struct sockaddr_un address;
static socklen_t address_size;
static int kept[N_FDS];
static size_t n_kept_always, n_own; /* n_own: a worker has of its own */

/* A machine whose memory the program takes away, and a capacity of "1" to "9" MiB. */
static int64_t machine_room;

static int configure(void *user, struct core_setting *setting, bool is_inherited, uint64_t used,
	struct text *error)
{
	(void)user, (void)used;
	if (strcmp(setting->key, "a") != 0 || setting->value[0] < '1' || setting->value[0] > '9') {
		text_set(error, "no such setting");
		return -EINVAL;
	}
	config.capacity = (uint64_t)(setting->value[0] - '0') << 20;
	if (!is_inherited)
		setting->base = 0;
	return 0;
}

static int64_t look(void *user, struct text *why)
{
	(void)user;
	text_set(why, "the program");
	return machine_room;
}

static const struct broker_host host = { .configure = configure, .look = look };

/* What is open in this process, apart from the directory that is read. */
static size_t list_open(int fds[N_FDS])
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t n = 0;

	assert(directory);
	while ((entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(directory)) {
			assert(n < N_FDS);
			fds[n++] = fd;
		}
	}
	closedir(directory);
	return n;
}

static void set_up(void)
{
	struct rlimit limit = { N_FDS, N_FDS };

	log_set_level(LOG_LEVEL_ERROR);
	assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	address.sun_family = AF_UNIX;
	address_size = sizeof address.sun_family; /* the kernel chooses a name */
	options.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert(options.listener >= 0);
	assert(bind(options.listener, (struct sockaddr *)&address, address_size) == 0);
	assert(listen(options.listener, 64) == 0);
	address_size = sizeof address;
	assert(getsockname(options.listener, (struct sockaddr *)&address, &address_size) == 0);
	options.listener_passed = true;
	options.ready_fd = options.starter_pidfd = -1;
	options.core = &config;
	options.host = &host;
	options.stop_timeout_ns = NS_PER_S;
}

/* ---- the clients ---- */

struct sent {
	uint64_t serial;
	uint16_t type;
	bool answered;
};

struct party {
	int call; /* -1: not there */
	uint32_t acked;
	uint64_t serial;
	bool bent;    /* it sent what nobody understands: what comes back is anything */
	bool resumed; /* WIRE_RESUME came, and is not answered yet */
	uint64_t generation;
	struct sent sent[N_SERIALS];
};

static struct party parties[N_PARTIES];
static bool drafted[256]; /* by id: was a CREATE, so its bytes may be zeros */
static bool bytes_known;  /* no packet with an object's bytes or id was bent */

static struct id128 id_of(uint8_t n)
{
	struct id128 id = { .bytes = { [0] = n ? 1 : 0, [15] = n } };

	return id;
}

static uint8_t byte_of(const struct id128 *id, size_t at)
{
	return (uint8_t)(id->bytes[15] * 37 + at * 7 + at / 251 + 1);
}

static void expect_bytes(const struct id128 *id, const uint8_t *bytes, size_t size)
{
	bool zeros = drafted[id->bytes[15]];

	if (!bytes_known)
		return;
	for (size_t i = 0; i < size && zeros; i++)
		zeros = bytes[i] == 0;
	for (size_t i = 0; i < size && !zeros; i++)
		assert(bytes[i] == byte_of(id, i));
}

static void party_close(struct party *party)
{
	if (party->call >= 0)
		close(party->call);
	*party = (struct party){ .call = -1 };
}

/* Credentials of the thread alone, as the kernel sees them: glibc would change all threads'. */
static void become(uid_t uid)
{
	if (getuid() == 0)
		assert(syscall(SYS_setresgid, -1, uid, -1) == 0 &&
			syscall(SYS_setresuid, -1, uid, -1) == 0);
}

static void party_connect(struct party *party, uid_t uid)
{
	party_close(party);
	party->call = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (party->call < 0)
		return;
	if (uid)
		become(uid);
	if (connect(party->call, (struct sockaddr *)&address, address_size) < 0)
		party_close(party);
	if (uid) {
		if (getuid() == 0)
			assert(syscall(SYS_setresuid, -1, 0, -1) == 0);
		become(0);
	}
}

/* A draft is written at once, whatever its creator does with it then. */
static void write_draft(const struct wire_item *item, int fd)
{
	uint8_t bytes[INLINE_MAX];
	struct stat stat;

	assert(fstat(fd, &stat) == 0 && (uint64_t)stat.st_size == item->size);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = byte_of(&item->id, i);
	(void)!pwrite(fd, bytes, MIN(sizeof bytes, (size_t)stat.st_size), 0);
}

static void check_object(const struct wire_item *item, int fd)
{
	uint8_t bytes[INLINE_MAX];
	struct stat stat;
	ssize_t n;

	assert((fcntl(fd, F_GET_SEALS) & HARD_SEALS) == HARD_SEALS);
	assert(fstat(fd, &stat) == 0 && (uint64_t)stat.st_size == item->size);
	n = pread(fd, bytes, sizeof bytes, 0);
	assert(n == (ssize_t)MIN(sizeof bytes, item->size));
	expect_bytes(&item->id, bytes, (size_t)n);
}

static void take_reply(struct party *party, const struct wire_reply *reply, const int *fds)
{
	size_t next_fd = 0;

	if (reply->type == WIRE_RESUME) {
		party->resumed = true;
		party->generation = reply->generation;
		return;
	}
	if (!party->bent && reply->type != WIRE_FORK) { /* which a child hears first */
		struct sent *sent = &party->sent[reply->serial % N_SERIALS];

		if (sent->serial != reply->serial || sent->type != reply->type || sent->answered) {
			fprintf(stderr, "a %s %llu is answered%s, sent was a %s %llu\n",
				wire_type_name(reply->type), (unsigned long long)reply->serial,
				sent->answered ? " again" : "", wire_type_name(sent->type),
				(unsigned long long)sent->serial);
			abort();
		}
		sent->answered = !reply->more;
	}
	for (uint32_t i = 0; i < reply->n_items; i++) {
		const struct wire_item *item = &reply->items[i];

		if ((reply->type == WIRE_CREATE || reply->type == WIRE_JOIN) &&
				(item->flags & WIRE_ITEM_FD))
			write_draft(item, fds[next_fd++]);
		else if (reply->type == WIRE_GET && (item->flags & WIRE_ITEM_FD))
			check_object(item, fds[next_fd++]);
		else if (reply->type == WIRE_GET && (item->flags & WIRE_ITEM_INLINE)) {
			assert(item->data_size == item->size);
			expect_bytes(&item->id, item->data, item->data_size);
		}
	}
}

/* Return: was there a packet? */
static bool party_receive(struct party *party, struct wire_reply *copy)
{
	static _Alignas(8) uint8_t bytes[WIRE_PACKET_MAX];
	static struct wire_scratch scratch;
	struct socket_packet in = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };
	struct wire_reply reply;
	int r;

	if (party->call < 0)
		return false;
	r = socket_receive(party->call, &in, MSG_DONTWAIT);
	if (r == 0) {
		r = wire_reply_decode(&reply, &scratch, in.bytes, in.size);
		assert(r == 0 && (reply.n_fds == in.n_fds || reply.type == WIRE_HELLO));
		party->acked += (uint32_t)in.n_fds;
		take_reply(party, &reply, in.fds);
		if (copy)
			*copy = reply;
	} else if (r != -EAGAIN) {
		party_close(party);
	}
	for (size_t i = 0; i < in.n_fds; i++)
		close(in.fds[i]);
	return r == 0;
}

/* ---- time ---- */

/* Until nothing happens any more without time passing. */
static void settle(void)
{
	for (int i = 0; i < 1000; i++) {
		int n = loop_turn(&broker, broker.now);

		assert(n >= 0);
		if (n == 0)
			break;
	}
	core_check(broker.core);
}

static void pass_time(void)
{
	assert(loop_turn(&broker, now_ns() + NS_PER_MS) >= 0);
	settle();
}

static void begin(void)
{
	size_t n = n_kept_always;

	for (size_t i = 0; i < N_PARTIES; i++)
		if (parties[i].call >= 0)
			kept[n++] = parties[i].call;
	options.keep_fds = kept;
	options.n_keep_fds = n;
	assert(broker_begin(&broker, &options) == 0);
	broker.may_spin = false;
	core_check(broker.core);
}

static void forget(struct connection *c)
{
	output_clear(&broker, c);
	output_acked(c, c->fds_sent);
	user_put(&broker, c->user);
	free(c);
}

/* The worker's heap goes as with its process; what the kernel keeps stays. */
static void abandon(void)
{
	struct connection *c;

	for (uint32_t i = 0; i < config.max_connections; i++)
		if (broker.connections[i])
			forget(broker.connections[i]);
	while ((c = TAILQ_FIRST(&broker.greeting))) {
		TAILQ_REMOVE(&broker.greeting, c, greeting);
		forget(c);
	}
	broker_end(&broker);
}

/* ---- requests ---- */

/* Append only: seeds name the types by their place here. */
static const uint16_t types[] = { WIRE_HELLO, WIRE_CREATE, WIRE_SEAL, WIRE_ABORT, WIRE_PUT,
	WIRE_PUT_FD, WIRE_GET, WIRE_RELEASE, WIRE_DELETE, WIRE_HOLD, WIRE_UNHOLD, WIRE_LOOKUP,
	WIRE_LEASE, WIRE_LOAD, WIRE_FORK, WIRE_RECONCILE, WIRE_ACK, WIRE_CANCEL, WIRE_WAIT,
	WIRE_LIST, WIRE_STAT, WIRE_STATUS, WIRE_CONFIG, WIRE_SUBSCRIBE, WIRE_PUT, WIRE_GET, WIRE_CREATE,
	WIRE_SEAL, WIRE_GET, WIRE_RELEASE, WIRE_PUT, WIRE_GET, WIRE_SET, WIRE_CONFIGURE,
	WIRE_SHARE, WIRE_JOIN };
static const char *const names[] = { NULL, NULL, NULL, NULL, "a", "b", "ab/c", "" };
static const uint64_t sizes[] = { 0, 1, 100, INLINE_MAX, INLINE_MAX + 1, 70000, 1 << 20, 3 << 20,
	7 << 20, 64 << 20, UINT64_C(1) << 40, UINT64_MAX };
static const int64_t timeouts[] = { 0, 1, NS_PER_MS, 3 * NS_PER_MS, INT64_MAX };
static const uint8_t id_numbers[16] = { 1, 2, 3, 1, 2, 3, 1, 2, 4, 5, 6, 7, 8, 9, 10, 0 };
static const char *const values[] = { "1", "2", "3", "8", "x" };
#define ONE_OF(list, byte) ((list)[(byte) % ARRAY_SIZE(list)])

/* A memfd with an object's bytes, sealed or not. */
static int offer(const struct wire_item *item, uint8_t how)
{
	uint64_t size = MIN(item->size, 64 << 20);
	uint8_t bytes[INLINE_MAX];
	int fd = memfd_create("offer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = byte_of(&item->id, i);
	(void)!pwrite(fd, bytes, MIN(sizeof bytes, size), 0);
	(void)!ftruncate(fd, (off_t)size);
	if (how != 1)
		fcntl(fd, F_ADD_SEALS, HARD_SEALS);
	return fd;
}

/* A FORK's socket: its other end becomes a party. */
static int fork_socket(uint8_t which)
{
	struct party *child = &parties[which % N_PARTIES];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	if (child->call >= 0) { /* nobody at the other end */
		close(ends[1]);
	} else {
		child->call = ends[1];
		child->serial = 1;
		child->bent = which & 0x80;
	}
	return ends[0];
}

static void set_attributes(struct program *program, struct wire_item *item)
{
	static const struct {
		const char *bytes;
		uint32_t size;
	} labels[] = { { "k=v", 4 }, { "a=\0k=w", 7 }, { "k=v\0k=v", 8 }, { "=", 2 } };
	uint8_t which = next(program);

	if (which & 1) { /* most have none */
		item->labels = labels[which >> 6].bytes;
		item->labels_size = labels[which >> 6].size;
		item->ttl_ns = which & 2 ? NS_PER_MS : 0;
		item->priority = (int32_t)(which >> 2 & 3) - 1;
		item->call_site = which & 0x10 ? "here" : NULL;
		item->flags |= which & 0x20 ? WIRE_ITEM_PIN : 0;
	}
}

static void fill_item(struct program *program, uint16_t type, struct wire_item *item, void *data)
{
	*item = (struct wire_item){ .id = id_of(id_numbers[next(program) % 16]) };
	switch (type) {
	case WIRE_CREATE:
	case WIRE_PUT_FD:
	case WIRE_PUT:
		item->size = ONE_OF(sizes, next(program));
		item->mode = next(program) & 1 ? 0644 : 0600;
		item->flags = next(program) & WIRE_ITEM_HOLD;
		item->name = ONE_OF(names, next(program));
		item->metadata_size = next(program) * 4;
		item->metadata = data;
		set_attributes(program, item);
		if (type == WIRE_PUT) {
			uint8_t *bytes = data;

			item->data = data;
			item->data_size = (uint32_t)MIN(item->size, INLINE_MAX);
			item->size = 0;
			for (size_t i = 0; i < item->data_size; i++)
				bytes[i] = byte_of(&item->id, i);
		}
		if (type == WIRE_CREATE)
			drafted[item->id.bytes[15]] = true;
		break;
	case WIRE_SET:
		set_attributes(program, item);
		item->unlabel = "k";
		item->unlabel_size = next(program) & 1 ? 2 : 0;
		item->flags = next(program) & (WIRE_ITEM_PIN | WIRE_ITEM_UNPIN | WIRE_ITEM_TTL |
			WIRE_ITEM_PRIORITY);
		break;
	case WIRE_RELEASE:
	case WIRE_RECONCILE:
		item->refs = next(program) % 4;
		item->pins = next(program) % 3;
		break;
	}
}

static void send_packet(struct party *party, const struct wire_request *request, void *packet,
	ssize_t n, int fd)
{
	struct sent *sent = &party->sent[request->serial % N_SERIALS];

	/* A serial for two requests, or parts of different ones, confuses its sender. */
	if (sent->serial == request->serial)
		party->bent = true;
	*sent = (struct sent){ .serial = request->serial, .type = request->type };
	(void)socket_send(party->call, packet, (size_t)n, &fd, fd >= 0, MSG_DONTWAIT);
}

static void say_hello(struct party *party)
{
	_Alignas(8) uint8_t packet[256];
	struct wire_request hello = { .type = WIRE_HELLO, .serial = ++party->serial,
		.version_min = WIRE_VERSION_MIN, .version_max = WIRE_VERSION_MAX };
	ssize_t n = wire_request_encode(&hello, packet, sizeof packet);

	assert(n > 0);
	send_packet(party, &hello, packet, n, -1);
}

static void send_request(struct party *party, struct program *program)
{
	static _Alignas(8) uint8_t packet[WIRE_PACKET_MAX], data[4][INLINE_MAX];
	struct wire_item items[4];
	struct wire_request request = { .type = ONE_OF(types, next(program)) };
	uint8_t how = next(program);
	uint8_t odd = next(program) & 3 ? 0 : next(program); /* most are as a library sends them */
	int fd = -1;
	ssize_t n;

	if (party->resumed && (how & 1)) {
		request.type = WIRE_RECONCILE;
		request.generation = party->generation;
		party->resumed = false;
	}
	request.serial = odd & 1 && party->serial > 0 ? party->serial : ++party->serial;
	request.retry = odd & 2;
	request.more = odd & 4;
	request.flags = request.type == WIRE_HELLO ? (odd >> 3) & 1 : how >> 6;
	request.version_min = WIRE_VERSION_MIN;
	request.version_max = WIRE_VERSION_MAX;
	request.acked_fds = party->acked - (odd >> 4 & 1);
	request.timeout_ns = ONE_OF(timeouts, next(program));
	request.items = items;
	request.n_items = request.type == WIRE_RECONCILE ? how % 4 : 1 + (how >> 4) % 4;
	switch (request.type) {
	case WIRE_CREATE:
	case WIRE_PUT_FD:
	case WIRE_HOLD:
	case WIRE_STAT:
	case WIRE_SET:
	case WIRE_SHARE:
	case WIRE_JOIN:
		request.n_items = 1;
		break;
	case WIRE_HELLO:
	case WIRE_UNHOLD:
	case WIRE_LOOKUP:
	case WIRE_FORK:
	case WIRE_ACK:
	case WIRE_CANCEL:
	case WIRE_LIST:
	case WIRE_STATUS:
	case WIRE_CONFIG:
	case WIRE_SUBSCRIBE:
	case WIRE_CONFIGURE:
		request.n_items = 0;
		break;
	}
	for (uint32_t i = 0; i < request.n_items; i++)
		fill_item(program, request.type, &items[i], data[i]);
	if (request.type >= WIRE_HOLD && request.type <= WIRE_LOOKUP)
		request.name = names[4 + next(program) % 4];
	if (request.type == WIRE_CONFIGURE) {
		request.name = "a";
		request.value = ONE_OF(values, next(program));
	}
	if (request.type == WIRE_LIST && odd & 1)
		request.name = "*";
	if (request.type == WIRE_SHARE || request.type == WIRE_JOIN)
		request.token = id_of(next(program) % 3);
	if (request.type == WIRE_LEASE || request.type == WIRE_LOAD)
		request.token = id_of(1 + next(program) % 4);
	if (request.type == WIRE_CANCEL || request.type == WIRE_LIST || request.type == WIRE_SUBSCRIBE) {
		request.cursor = next(program);
		request.limit = next(program);
	}
	if (request.type == WIRE_WAIT)
		request.limit = next(program) % 4;
	if (request.type == WIRE_PUT_FD)
		fd = offer(&items[0], odd >> 5 & 3);
	if (request.type == WIRE_FORK)
		fd = fork_socket(next(program));
	request.n_fds = fd >= 0;
	n = wire_request_encode(&request, packet, sizeof packet);
	if (n > 0 && odd & 0x80) { /* bend it */
		packet[next(program) * 8 % n] ^= next(program);
		party->bent = true;
		if (request.type == WIRE_PUT || request.type == WIRE_PUT_FD || request.type == WIRE_CREATE)
			bytes_known = false;
	}
	if (n > 0)
		send_packet(party, &request, packet, n, fd);
	if (fd >= 0)
		close(fd);
}

static void step(struct program *program)
{
	uint8_t what = next(program);
	struct party *party = &parties[next(program) % N_PARTIES];

	switch (what % 16) {
	case 0:
		if (what & 0x80) {
			abandon();
			begin();
		}
		break;
	case 1:
		party_close(party);
		break;
	case 2:
		if (what & 0x80)
			machine_room = what & 0x40 ? INT64_MAX : ((int64_t)next(program) - 128) * 65536;
		pass_time();
		break;
	case 3:
		while (party_receive(party, NULL))
			settle();
		break;
	default:
		if (party->call < 0) {
			party_connect(party, what & 0x40 ? 1000 + (what >> 7) : 0);
			if (party->call >= 0 && next(program) % 8)
				say_hello(party);
		} else {
			send_request(party, program);
		}
		break;
	}
	if (!(what & 0x20)) {
		settle();
		if (!(what & 0x10))
			(void)party_receive(party, NULL);
	}
}

/* ---- the end ---- */

static int call(struct party *party, struct wire_request *request, struct wire_reply *reply)
{
	_Alignas(8) static uint8_t packet[WIRE_PACKET_MAX];
	int64_t deadline = now_ns() + 3 * NS_PER_S;
	ssize_t n;

	request->serial = ++party->serial;
	request->acked_fds = party->acked;
	party->sent[request->serial % N_SERIALS] = (struct sent){ request->serial, request->type,
		false };
	n = wire_request_encode(request, packet, sizeof packet);
	assert(n > 0 && socket_send(party->call, packet, (size_t)n, NULL, 0, MSG_DONTWAIT) == 0);
	do {
		assert(now_ns() < deadline && party->call >= 0);
		pass_time();
	} while (!party_receive(party, reply));
	return reply->status;
}

/* A fresh client deletes all that there is. */
static void delete_all(struct party *survivor)
{
	struct wire_reply reply;
	struct wire_request list = { .type = WIRE_LIST, .limit = 16 };

	while (call(survivor, &list, &reply) == 0 && reply.n_items > 0) {
		struct wire_item items[16];
		uint32_t n = MIN(reply.n_items, 16u);
		int r;

		for (uint32_t i = 0; i < n; i++)
			items[i] = (struct wire_item){ .id = reply.items[i].id };
		r = call(survivor, &(struct wire_request){ .type = WIRE_DELETE, .items = items,
			.n_items = n }, &reply);
		assert(r == 0 || r == -ENOENT); /* one's time to live may have ended */
	}
}

static void expect_nothing_left(void)
{
	int64_t deadline = now_ns() + 3 * NS_PER_S;
	struct core_totals totals;

	for (;;) {
		core_totals(broker.core, &totals);
		/* a slab or two of the pack may wait for the next objects */
		if (totals.charged_bytes - totals.pack_bytes + totals.packed_bytes +
				totals.metadata_bytes + totals.pinned_bytes + totals.freeing_bytes +
				totals.created + totals.resident +
				totals.names + totals.leases + totals.queued + totals.waiting == 0)
			return;
		assert(now_ns() < deadline);
		pass_time();
	}
}

static void expect_kept(int fd)
{
	char path[40], target[80] = "";

	for (size_t i = 0; i < n_kept_always; i++)
		if (kept[i] == fd)
			return;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	(void)!readlink(path, target, sizeof target - 1);
	fprintf(stderr, "descriptor %d (%s) is left\n", fd, target);
	abort();
}

static void finish(void)
{
	struct party *survivor = &parties[0];
	int64_t deadline = now_ns() + 5 * NS_PER_S;
	struct wire_reply reply;
	int open_now[N_FDS];
	size_t n_open;
	uint64_t cursor = 0;
	struct core_fd fd;

	for (size_t i = 0; i < N_PARTIES; i++)
		party_close(&parties[i]);
	do {
		assert(now_ns() < deadline);
		pass_time();
	} while (broker.n_connections + broker.n_greeting > 0);
	party_connect(survivor, 0);
	assert(call(survivor, &(struct wire_request){ .type = WIRE_HELLO,
		.version_min = WIRE_VERSION_MIN, .version_max = WIRE_VERSION_MAX }, &reply) == 0);
	delete_all(survivor);
	expect_nothing_left();
	party_close(survivor);
	do {
		assert(now_ns() < deadline);
		pass_time();
	} while (broker.n_connections > 0);
	strangers_finish(&broker, now_ns() + NS_PER_S);
	while (core_next_fd(broker.core, &cursor, &fd))
		close(fd.fd); /* the pool's */
	while (list_open(open_now) > n_kept_always + n_own + (broker.tombstone >= 0) &&
			now_ns() < deadline)
		pass_time(); /* the crew closes something */
	broker_end(&broker);
	n_open = list_open(open_now);
	for (size_t i = 0; i < n_open; i++)
		expect_kept(open_now[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program program = { data, data + size };
	static bool ready;
	int open_now[N_FDS];

	if (!ready)
		set_up();
	ready = true;
	memset(drafted, 0, sizeof drafted);
	bytes_known = true;
	machine_room = INT64_MAX;
	for (size_t i = 0; i < N_PARTIES; i++)
		parties[i] = (struct party){ .call = -1 };
	n_kept_always = list_open(kept); /* libFuzzer opens something now and then */
	config = config_first;
	config.pool_max = next(&program) & 1 ? 1 << 20 : 0;
	options.tables_size = core_memory_size(&config);
	options.tables = mmap(NULL, options.tables_size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(options.tables != MAP_FAILED);
	begin();
	n_own = list_open(open_now) - n_kept_always;
	for (int i = 0; i < N_STEPS_MAX && program.at < program.end; i++)
		step(&program);
	finish();
	munmap(options.tables, options.tables_size);
	return 0;
}
