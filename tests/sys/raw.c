/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/time.h>
#include <unistd.h>

#include "util/clock.h"

__attribute__((format(printf, 1, 0)))
static void say(const char *format, va_list arguments)
{
	fflush(stdout);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	_exit(1);
}

void skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	_exit(77);
}

struct id128 raw_id(void)
{
	struct id128 id;

	if (getrandom(&id, sizeof id, 0) != sizeof id)
		die("getrandom: %s", strerror(errno));
	return id;
}

struct raw *raw_new(int socket)
{
	const struct timeval patience = { .tv_sec = RAW_PATIENCE_MS / 1000 };
	struct raw *raw = calloc(1, sizeof *raw);

	assert(raw);
	raw->call = socket;
	raw->service = -1;
	raw->in.bytes = malloc(WIRE_PACKET_MAX);
	raw->in.room = WIRE_PACKET_MAX;
	raw->in.want_fds = true;
	raw->out = malloc(WIRE_PACKET_MAX);
	assert(raw->in.bytes && raw->out);
	assert(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0);
	return raw;
}

struct raw *raw_connect(void)
{
	const char *path = getenv("OSTORE_ADDRESS");
	struct sockaddr_un address;
	int fd;

	if (!path || socket_address(&address, path) < 0)
		die("OSTORE_ADDRESS does not name a socket");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("%s: %s", path, strerror(errno));
	return raw_new(fd);
}

struct raw *raw_open(void)
{
	struct raw *raw = raw_connect();
	int r = raw_hello(raw, 0);

	if (r != 0)
		die("the hello was answered with %d", r);
	return raw;
}

static void close_received(struct raw *raw)
{
	for (size_t i = 0; i < raw->in.n_fds; i++)
		if (raw->in.fds[i] >= 0)
			close(raw->in.fds[i]);
	raw->in.n_fds = 0;
}

struct raw *raw_close(struct raw *raw)
{
	if (!raw)
		return NULL;
	close_received(raw);
	close(raw->call);
	if (raw->service >= 0)
		close(raw->service);
	wire_scratch_deinit(&raw->scratch);
	free(raw->in.bytes);
	free(raw->out);
	free(raw);
	return NULL;
}

/* ---- sending ---- */

int raw_send_bytes(struct raw *raw, const void *bytes, size_t size, const int *fds, size_t n_fds)
{
	return socket_send(raw->call, bytes, size, fds, n_fds, 0);
}

size_t raw_encode(struct raw *raw, struct wire_request *request)
{
	ssize_t n;

	if (request->serial == 0)
		request->serial = raw->serial + 1;
	raw->serial = request->serial;
	request->acked_fds = raw->no_acks ? 0 : raw->acked;
	n = wire_request_encode(request, raw->out, WIRE_PACKET_MAX);
	if (n < 0)
		die("a %s cannot be encoded: %s", wire_type_name(request->type),
			strerror((int)-n));
	return (size_t)n;
}

int raw_send(struct raw *raw, struct wire_request *request, const int *fds, size_t n_fds)
{
	size_t size;

	request->n_fds = (uint32_t)n_fds;
	size = raw_encode(raw, request);
	return raw_send_bytes(raw, raw->out, size, fds, n_fds);
}

/* ---- receiving ---- */

int raw_receive(struct raw *raw, struct wire_reply *reply, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = raw->call, .events = POLLIN };
	int r;

	close_received(raw);
	do
		r = poll(&poll_fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return -EAGAIN;
	r = socket_receive(raw->call, &raw->in, MSG_DONTWAIT);
	if (r == -EAGAIN || r == SOCKET_E_CLOSED)
		return r < 0 ? r : RAW_CLOSED;
	if (r != 0)
		die("a packet of the broker cannot be received: %d", r);
	raw->acked += (uint32_t)raw->in.n_fds;
	r = wire_reply_decode(reply, &raw->scratch, raw->in.bytes, raw->in.size);
	if (r != 0)
		die("a packet of the broker is wrong: %s", wire_error_text((enum wire_error)r));
	if (reply->n_fds != raw->in.n_fds)
		die("%zu descriptors came, %u were announced", raw->in.n_fds, reply->n_fds);
	return 0;
}

int raw_take_fd(struct raw *raw)
{
	int fd;

	if (raw->in.n_fds == 0 || raw->in.fds[0] < 0)
		die("no descriptor came");
	fd = raw->in.fds[0];
	raw->in.fds[0] = -1;
	return fd;
}

int raw_call(struct raw *raw, struct wire_request *request, const int *fds, size_t n_fds,
	struct wire_reply *reply)
{
	int64_t deadline = now_ns() + RAW_PATIENCE_MS * NS_PER_MS;
	struct wire_reply ignored;
	int r = raw_send(raw, request, fds, n_fds);

	if (!reply)
		reply = &ignored;
	if (r == -EPIPE || r == -ECONNRESET)
		return RAW_CLOSED;
	if (r < 0)
		die("a %s cannot be sent: %s", wire_type_name(request->type), strerror(-r));
	do {
		int64_t left = (deadline - now_ns()) / NS_PER_MS;

		r = raw_receive(raw, reply, left > 0 ? (int)left : 0);
		if (r == RAW_CLOSED)
			return r;
		if (r < 0)
			die("a %s is not answered", wire_type_name(request->type));
	} while (reply->serial != request->serial || reply->type != request->type);
	return reply->status;
}

/* ---- one request each ---- */

int raw_hello(struct raw *raw, uint32_t flags)
{
	struct wire_request request = { .type = WIRE_HELLO, .version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX, .flags = flags };
	struct wire_reply reply;
	int r = raw_call(raw, &request, NULL, 0, &reply);

	if (r == 0) {
		raw->generation = reply.generation;
		if (reply.n_fds > 0)
			raw->service = raw_take_fd(raw);
	}
	return r;
}

int raw_put(struct raw *raw, struct id128 id, const void *data, size_t size)
{
	struct wire_item item = { .id = id, .mode = 0600, .data = data,
		.data_size = (uint32_t)size };
	struct wire_request request = { .type = WIRE_PUT, .items = &item, .n_items = 1 };

	return raw_call(raw, &request, NULL, 0, NULL);
}

int raw_create(struct raw *raw, struct id128 id, uint64_t size, int *fdp)
{
	struct wire_item item = { .id = id, .mode = 0600, .size = size };
	struct wire_request request = { .type = WIRE_CREATE, .items = &item, .n_items = 1 };
	int r = raw_call(raw, &request, NULL, 0, NULL);

	if (r == 0)
		*fdp = raw_take_fd(raw);
	return r;
}

static int call_id(struct raw *raw, uint16_t type, struct id128 id)
{
	struct wire_item item = { .id = id };
	struct wire_request request = { .type = type, .items = &item, .n_items = 1 };

	return raw_call(raw, &request, NULL, 0, NULL);
}

int raw_seal(struct raw *raw, struct id128 id)
{
	return call_id(raw, WIRE_SEAL, id);
}

int raw_delete(struct raw *raw, struct id128 id)
{
	return call_id(raw, WIRE_DELETE, id);
}

int raw_put_fd(struct raw *raw, struct id128 id, uint64_t size, int fd)
{
	struct wire_item item = { .id = id, .mode = 0600, .size = size };
	struct wire_request request = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1 };

	return raw_call(raw, &request, &fd, 1, NULL);
}

int raw_get(struct raw *raw, struct id128 id, uint32_t flags, int64_t timeout_ns,
	struct wire_reply *reply)
{
	struct wire_item item = { .id = id };
	struct wire_request request = { .type = WIRE_GET, .items = &item, .n_items = 1,
		.flags = flags, .timeout_ns = timeout_ns };

	return raw_call(raw, &request, NULL, 0, reply);
}

int raw_release(struct raw *raw, struct id128 id, uint32_t refs, uint32_t pins)
{
	struct wire_item item = { .id = id, .refs = refs, .pins = pins };
	struct wire_request request = { .type = WIRE_RELEASE, .items = &item, .n_items = 1 };

	return raw_send(raw, &request, NULL, 0);
}

int make_memfd(uint64_t size, int byte, int seals)
{
	int fd = memfd_create("offered", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		die("a memfd of %llu bytes: %s", (unsigned long long)size, strerror(errno));
	if (byte >= 0 && size > 0) {
		void *view = mmap(NULL, size, PROT_WRITE, MAP_SHARED, fd, 0);

		if (view == MAP_FAILED)
			die("mmap: %s", strerror(errno));
		memset(view, byte, size);
		munmap(view, size);
	}
	if (seals && fcntl(fd, F_ADD_SEALS, seals) < 0)
		die("F_ADD_SEALS: %s", strerror(errno));
	return fd;
}

/* ---- what must happen ---- */

void expect_closed(struct raw *raw, const char *what)
{
	struct wire_reply reply;
	int r;

	while ((r = raw_receive(raw, &reply, RAW_PATIENCE_MS)) == 0)
		;
	if (r != RAW_CLOSED)
		die("%s: the connection stays open", what);
}

void expect_refused(struct raw *raw, const char *what)
{
	struct wire_reply reply;
	int r = raw_receive(raw, &reply, RAW_PATIENCE_MS);

	if (r == -EAGAIN)
		die("%s: nothing happens", what);
	if (r == 0 && reply.status == 0)
		die("%s: the broker agrees", what);
}

void expect_status(int status, int expected, const char *what)
{
	if (status == expected)
		return;
	if (status == RAW_CLOSED)
		die("%s: the connection is closed, expected %s", what,
			expected ? strerror(-expected) : "success");
	die("%s: %s, expected %s", what, status ? strerror(-status) : "success",
		expected == RAW_CLOSED ? "a closed connection"
				       : expected ? strerror(-expected) : "success");
}

void expect_served(struct raw *raw, const char *what)
{
	struct id128 id = raw_id();
	struct wire_reply reply;

	expect_status(raw_put(raw, id, "alive", 5), 0, what);
	expect_status(raw_get(raw, id, 0, 0, &reply), 0, what);
	if (reply.n_items != 1 || reply.items[0].data_size != 5 ||
			memcmp(reply.items[0].data, "alive", 5) != 0)
		die("%s: the broker answers nonsense", what);
	expect_status(raw_release(raw, id, 2, 0), 0, what);
	expect_status(raw_delete(raw, id), 0, what);
}
