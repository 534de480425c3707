/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A broker that talks nonsense.  Whatever it sends, the library gives an error
 * and goes on living; it never reads beyond a packet, never waits for ever, and
 * keeps no descriptor that it was sent.
 */
#undef NDEBUG
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client-test.h"
#include "util/socket.h"
#include "wire/message.h"

static char address[108];
static int listener;
static uint64_t buffer[WIRE_PACKET_MAX / 8], reply_buffer[WIRE_PACKET_MAX / 8];
static struct wire_scratch scratch;

/* Changes a good reply of size bytes in reply_buffer into a bad one.
 * Return: the size of what is sent; 0: hang up instead. */
typedef size_t spoil_function(size_t size, uint64_t seed);

struct play {
	spoil_function *spoil_hello, *spoil_reply;
	uint64_t seed;
	bool with_fd; /* the reply carries a pipe where a memfd is due */
};

static size_t receive_request(int fd, struct wire_request *request)
{
	struct socket_packet packet = { .bytes = buffer, .room = sizeof buffer };

	if (socket_receive(fd, &packet, 0) != 0)
		return 0;
	CHECK_INT(wire_request_decode(request, &scratch, buffer, packet.size), 0);
	return packet.size;
}

static bool answer(int fd, const struct wire_reply *reply, spoil_function *spoil, uint64_t seed,
	int fd_to_send)
{
	ssize_t size = wire_reply_encode(reply, reply_buffer, sizeof reply_buffer);

	CHECK(size > 0);
	if (spoil)
		size = (ssize_t)spoil((size_t)size, seed);
	if (size > 0)
		(void)socket_send(fd, reply_buffer, (size_t)size, &fd_to_send, fd_to_send >= 0, 0);
	return size > 0;
}

/* One client: hello, then one get of one object of 5 bytes. */
static void *broker(void *argument)
{
	struct play *play = argument;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct wire_request request;
	struct wire_reply hello = {
		.type = WIRE_HELLO,
		.version = 1,
		.generation = 1,
		.inline_max = 65536,
		.max_items = 4096,
		.max_packet = WIRE_PACKET_MAX,
		.max_fds = 16,
	};
	struct wire_item item = {
		.flags = WIRE_ITEM_INLINE,
		.size = 5,
		.state = WIRE_RESIDENT,
		.data = "12345",
		.data_size = 5,
		.metadata = "meta",
		.metadata_size = 4,
	};
	struct wire_reply get = { .type = WIRE_GET, .items = &item, .n_items = 1 };
	int pipe_fds[2] = { -1, -1 };

	if (receive_request(fd, &request)) {
		hello.serial = request.serial;
		if (answer(fd, &hello, play->spoil_hello, play->seed, -1) &&
			receive_request(fd, &request)) {
			get.serial = request.serial;
			item.id = request.items[0].id;
			if (play->with_fd) {
				CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
				item.flags = WIRE_ITEM_FD;
				item.data_size = 0;
				get.n_fds = 1;
			}
			(void)answer(fd, &get, play->spoil_reply, play->seed, pipe_fds[0]);
		}
	}
	if (pipe_fds[0] >= 0) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
	(void)shutdown(fd, SHUT_WR);
	while (receive_request(fd, &request))
		;
	close(fd);
	return NULL;
}

/* Connect and get.  Return: the first error, or 0. */
static int run(struct play *play)
{
	struct ostore_options options = { .size = sizeof options, .connect_timeout = 200 * MS };
	struct ostore_object *object = NULL;
	ostore_id id = { { 1, 2, 3 } };
	struct ostore *conn;
	pthread_t thread;
	int r, again;

	CHECK_INT(pthread_create(&thread, NULL, broker, play), 0);
	r = ostore_connect(&conn, address, &options);
	if (r == 0) {
		r = ostore_get(conn, &id, 1, 5 * SEC, 0, &object);
		if (r == 0) {
			CHECK_INT(memcmp(ostore_data(object), "12345", 5), 0);
			ostore_release(object);
		} else {
			CHECK(strlen(ostore_strerror(conn)) > 10);
			if (r == -EPROTO) {
				again = ostore_get(conn, &id, 1, 5 * SEC, 0, &object);
				CHECK_INT(again, -EPROTO);
			}
		}
		ostore_close(conn);
	}
	pthread_join(thread, NULL);
	return r;
}

/* ---- ways to spoil a packet ---- */

static size_t cut_off(size_t size, uint64_t seed)
{
	return seed % size / 8 * 8 + (seed % 2);
}

static size_t add_bytes(size_t size, uint64_t seed)
{
	memset((char *)reply_buffer + size, 0, 64);
	return size + seed % 64 + 1;
}

static size_t flip_bytes(size_t size, uint64_t seed)
{
	unsigned char *bytes = (unsigned char *)reply_buffer;

	for (uint64_t i = 0; i <= seed % 3; i++) {
		uint64_t random = pattern_word(seed, i);

		bytes[random % size] ^= (unsigned char)(random >> 32 | 1);
	}
	return size;
}

static size_t fill_with_garbage(size_t size, uint64_t seed)
{
	pattern_fill(reply_buffer, size, seed);
	return size;
}

static size_t send_most(size_t size, uint64_t seed)
{
	(void)size;
	pattern_fill(reply_buffer, sizeof reply_buffer, seed);
	return sizeof reply_buffer;
}

static size_t hang_up(size_t size, uint64_t seed)
{
	(void)size;
	(void)seed;
	return 0;
}

struct header { /* wire/message.h draws it */
	uint16_t type, flags;
	uint32_t length;
	uint64_t serial;
	uint32_t n_items, n_extras, n_fds, acked_fds;
};

static size_t change_serial(size_t size, uint64_t seed)
{
	((struct header *)reply_buffer)->serial += 1 + seed;
	return size;
}

static size_t change_type(size_t size, uint64_t seed)
{
	(void)seed;
	((struct header *)reply_buffer)->type = WIRE_SEAL | WIRE_REPLY;
	return size;
}

static size_t announce_descriptors(size_t size, uint64_t seed)
{
	((struct header *)reply_buffer)->n_fds += 1 + (uint32_t)seed;
	return size;
}

/* ---- tests ---- */

static size_t n_open_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t n = 0;

	CHECK(directory != NULL);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static void a_good_broker_is_understood(void)
{
	CHECK_INT(run(&(struct play){ .seed = 0 }), 0);
}

static void a_bad_reply_is_a_protocol_error(void)
{
	static spoil_function *const certain[] = { cut_off, add_bytes, fill_with_garbage, send_most,
		change_serial, change_type, announce_descriptors };

	for (size_t i = 0; i < sizeof certain / sizeof *certain; i++)
		for (uint64_t seed = 1; seed < 30; seed++) {
			struct play play = { .spoil_reply = certain[i], .seed = seed };

			if (certain[i] == cut_off && seed < 16)
				play.seed += 16; /* an empty packet is a hangup */
			CHECK_INT(run(&play), -EPROTO);
		}
	CHECK_INT(run(&(struct play){ .spoil_reply = hang_up }), -ECONNREFUSED);
}

static void a_bad_hello_is_no_broker(void)
{
	for (uint64_t seed = 17; seed < 50; seed++) {
		CHECK_INT(run(&(struct play){ .spoil_hello = cut_off, .seed = seed }), -EPROTO);
		CHECK_INT(run(&(struct play){ .spoil_hello = fill_with_garbage, .seed = seed }), -EPROTO);
	}
}

/* Some flips are harmless, or change what the object is; none may do harm. */
static void flipped_bytes_do_no_harm(void)
{
	for (uint64_t seed = 1; seed < 1500; seed++) {
		struct play play = { .spoil_reply = flip_bytes, .seed = seed };
		struct ostore_options options = { .size = sizeof options };
		struct ostore_object *object;
		ostore_id id = { { 1, 2, 3 } };
		struct ostore *conn;
		pthread_t thread;

		CHECK_INT(pthread_create(&thread, NULL, broker, &play), 0);
		CHECK_INT(ostore_connect(&conn, address, &options), 0);
		if (ostore_get(conn, &id, 1, 5 * SEC, 0, &object) == 0)
			ostore_release(object);
		ostore_close(conn);
		pthread_join(thread, NULL);
	}
}

static void a_pipe_is_no_object(void)
{
	size_t before = n_open_fds();

	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK(run(&(struct play){ .with_fd = true, .seed = seed }) < 0);
	CHECK_INT(n_open_fds(), before);
}

static void a_mute_broker_is_not_waited_for_for_ever(void)
{
	struct ostore_options options = { .size = sizeof options, .connect_timeout = 100 * MS };
	struct ostore *conn;

	CHECK_FAILS(ostore_connect(&conn, address, &options), ETIMEDOUT); /* nobody accepts */
	close(accept(listener, NULL, NULL));
}

static const struct test tests[] = {
#define TEST(name) { #name, name }
	TEST(a_good_broker_is_understood),
	TEST(a_bad_reply_is_a_protocol_error),
	TEST(a_bad_hello_is_no_broker),
	TEST(flipped_bytes_do_no_harm),
	TEST(a_pipe_is_no_object),
	TEST(a_mute_broker_is_not_waited_for_for_ever),
};

int main(int argc, char **argv)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/ostore-test-XXXXXX";
	int r;

	CHECK(mkdtemp(directory) != NULL);
	(void)snprintf(address, sizeof address, "%s/s", directory);
	strcpy(where.sun_path, address);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CHECK_INT(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
	CHECK_INT(listen(listener, 5), 0);
	r = run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
	wire_scratch_deinit(&scratch);
	(void)unlink(address);
	(void)rmdir(directory);
	return r;
}
