/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that are not what was promised, too few, too many, or never taken. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"
#include "mute-fuse.h"
#include "util/cleanup.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Refused, with an error: the client goes on. */
static void expect_no(struct raw *raw, int fd, uint64_t size, int status, const char *what)
{
	assert(fd >= 0);
	expect_status(raw_put_fd(raw, raw_id(), size, fd), status, what);
	close(fd);
}

static void wrong_kinds(void)
{
	struct raw *raw = raw_open();
	int ends[2];

	assert(pipe2(ends, O_CLOEXEC) == 0);
	expect_no(raw, ends[0], 4096, -EINVAL, "the reading end of a pipe");
	expect_no(raw, ends[1], 4096, -EINVAL, "the writing end of a pipe");
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	expect_no(raw, ends[0], 4096, -EINVAL, "a socket");
	close(ends[1]);
	expect_no(raw, open("/dev/zero", O_RDWR | O_CLOEXEC), 4096, -EINVAL, "a device");
	expect_no(raw, open("/", O_RDONLY | O_CLOEXEC), 4096, -EINVAL, "a directory");
	expect_no(raw, open("/", O_PATH | O_CLOEXEC), 4096, -EBADF, "a path");
	expect_no(raw, open("/proc/self/mem", O_RDWR | O_CLOEXEC), 4096, -EINVAL, "memory");
	expect_no(raw, epoll_create1(EPOLL_CLOEXEC), 4096, -EINVAL, "an epoll");
	expect_no(raw, eventfd(0, EFD_CLOEXEC), 4096, -EINVAL, "an eventfd");
	expect_no(raw, (int)syscall(SYS_pidfd_open, getpid(), 0), 4096, -EINVAL, "a pidfd");
	expect_served(raw, "who offered wrong kinds");
	raw_close(raw);
}

static void regular_files(void)
{
	struct raw *raw = raw_open();
	FILE *file = tmpfile();

	assert(file && ftruncate(fileno(file), 4096) == 0);
	expect_no(raw, dup(fileno(file)), 4096, -EINVAL, "a regular file");
	fclose(file);
	expect_no(raw, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 4096, -EINVAL, "a program");
	expect_served(raw, "who offered files");
	raw_close(raw);
}

static void missing_seals(void)
{
	static const struct {
		int seals;
		const char *what;
	} cases[] = {
		{ 0, "an unsealed memfd" },
		{ F_SEAL_SEAL, "a memfd sealed against sealing alone" },
		{ F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, "a memfd that can be written" },
		{ F_SEAL_WRITE | F_SEAL_SEAL, "a memfd that can be cut off" },
		{ F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL, "a memfd that can shrink" },
		{ F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL, "a memfd that can grow" },
		{ F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL,
			"a memfd that only the past can write" },
	};
	struct raw *raw = raw_open();
	struct wire_reply reply;
	int fd;
	void *view;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_no(raw, make_memfd(4096, 1, cases[i].seals), 4096, -EPERM, cases[i].what);
	/* sealed for the future while its maker still writes */
	fd = make_memfd(4096, 1, 0);
	view = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(view != MAP_FAILED);
	assert(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY);
	assert(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
		F_SEAL_SEAL) == 0);
	expect_no(raw, fd, 4096, -EPERM, "a memfd that is still being written");
	munmap(view, 4096);
	/* and one that is right is taken */
	{
		struct id128 id = raw_id();

		fd = make_memfd(4096, 7, HARD_SEALS);
		expect_status(raw_put_fd(raw, id, 4096, fd), 0, "a sealed memfd");
		close(fd);
		expect_status(raw_get(raw, id, 0, 0, &reply), 0, "get of a sealed memfd");
		assert(reply.items[0].data_size == 4096 &&
			((const char *)reply.items[0].data)[4095] == 7);
	}
	raw_close(raw);
}

static void wrong_sizes(void)
{
	struct raw *raw = raw_open();

	static const uint64_t said[] = { 0, 4095, 4097, 8192, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		int fd = make_memfd(4096, 1, HARD_SEALS);
		int r = raw_put_fd(raw, raw_id(), said[i], fd);

		close(fd);
		if (r == 0 || r == RAW_CLOSED)
			die("a memfd of 4096 bytes that was announced with %llu: %s",
				(unsigned long long)said[i], r ? "closed" : "taken");
	}
	expect_served(raw, "who announced wrong sizes");
	raw_close(raw);
}

/* It has no page, but whoever reads it would make some. */
static void sparse(void)
{
	struct raw *raw = raw_open();

	expect_no(raw, make_memfd(UINT64_C(1) << 40, -1, HARD_SEALS), UINT64_C(1) << 40, -EFBIG,
		"a sparse memfd of 1 TiB");
	expect_served(raw, "who offered 1 TiB");
	raw_close(raw);
}

static void write_only(void)
{
	struct raw *raw = raw_open();
	int fd = make_memfd(4096, 1, 0), again;
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_CLOEXEC);
	assert(again >= 0 && fcntl(fd, F_ADD_SEALS, HARD_SEALS) == 0);
	close(fd);
	expect_no(raw, again, 4096, -EACCES, "a memfd that nobody may read");
	raw_close(raw);
}

static void hugetlb(void)
{
	int fd = memfd_create("hugetlb", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	struct raw *raw;

	if (fd < 0)
		skip("no hugetlb memfd: %s", strerror(errno));
	if (ftruncate(fd, 2 << 20) < 0 || fcntl(fd, F_ADD_SEALS, HARD_SEALS) < 0)
		skip("no sealed hugetlb memfd of 2 MiB: %s", strerror(errno));
	raw = raw_open();
	expect_no(raw, fd, 2 << 20, -EOPNOTSUPP, "a hugetlb memfd");
	expect_served(raw, "who offered a hugetlb memfd");
	raw_close(raw);
}

/* Its server answers nothing more, so that stat() and close() of it wait for ever. */
static void mute_files(void)
{
	struct mute_fuse fuse;
	struct raw *raw = raw_open();
	int r = mute_fuse_start(&fuse);

	if (r < 0)
		skip("no FUSE file system: %s", strerror(-r));
	for (int i = 0; i < 4; i++) {
		int fd = mute_fuse_open(&fuse);

		expect_status(raw_put_fd(raw, raw_id(), 4096, fd), -EINVAL, "a mute file");
		/* kept open: our own close would wait as well */
	}
	expect_served(raw, "who offered mute files");
	{
		struct raw *other = raw_open();

		/* as the socket of a child; for a release; without an announcement */
		struct wire_request fork_it = { .type = WIRE_FORK };
		int fd = mute_fuse_open(&fuse);
		size_t n;

		assert(raw_send(other, &fork_it, &fd, 1) == 0);
		expect_closed(other, "a mute file as the socket of a child");
		raw_close(other);
		other = raw_open();
		n = raw_encode(other, &(struct wire_request){ .type = WIRE_STATUS });
		assert(raw_send_bytes(other, other->out, n, &fd, 1) == 0);
		expect_closed(other, "a mute file that nobody asked for");
		raw_close(other);
		other = raw_connect();
		assert(raw_send_bytes(other, "x", 1, &fd, 1) == 0);
		expect_closed(other, "a mute file in the first packet");
		raw_close(other);
	}
	expect_served(raw, "who offered mute files");
	mute_fuse_stop(&fuse); /* all that wait for it are woken */
	raw_close(raw);
}

/* ---- counts ---- */

static void send_with(uint16_t type, uint32_t announced, size_t sent, const char *what)
{
	struct wire_item item = { .id = raw_id(), .mode = 0600, .size = 4096 };
	struct wire_request request = { .type = type, .items = &item,
		.n_items = type == WIRE_PUT_FD || type == WIRE_GET, .n_fds = type == WIRE_PUT_FD };
	struct raw *raw = raw_open();
	int fds[SOCKET_FDS_MAX];
	size_t n = raw_encode(raw, &request);

	memcpy(raw->out + 24, &announced, sizeof announced);
	for (size_t i = 0; i < sent; i++)
		fds[i] = make_memfd(4096, 1, HARD_SEALS);
	assert(raw_send_bytes(raw, raw->out, n, fds, sent) == 0);
	for (size_t i = 0; i < sent; i++)
		close(fds[i]);
	expect_refused(raw, what);
	raw_close(raw);
}

static void wrong_counts(void)
{
	for (int i = 0; i < 20; i++) {
		send_with(WIRE_PUT_FD, 1, 0, "no descriptor instead of one");
		send_with(WIRE_PUT_FD, 0, 1, "one descriptor instead of none");
		send_with(WIRE_PUT_FD, 0, 0, "an offer of nothing");
		send_with(WIRE_PUT_FD, 1, 2, "two descriptors instead of one");
		send_with(WIRE_PUT_FD, 1, 16, "sixteen descriptors instead of one");
		send_with(WIRE_PUT_FD, 16, 16, "sixteen descriptors");
		send_with(WIRE_PUT_FD, UINT32_MAX, 1, "4294967295 descriptors");
		send_with(WIRE_GET, 0, 1, "a descriptor with a get");
		send_with(WIRE_GET, 1, 1, "an announced descriptor with a get");
		send_with(WIRE_GET, 0, 16, "sixteen descriptors with a get");
		send_with(WIRE_STATUS, 0, 1, "a descriptor with a status request");
	}
}

/* One packet may carry 253; the receiver must not be flooded. */
static void hundreds_in_a_packet(void)
{
	struct wire_item item = { .id = raw_id(), .size = 4096 };
	struct wire_request request = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1,
		.n_fds = 1 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(250 * sizeof(int))];
	} control;
	int memfd = make_memfd(4096, 1, HARD_SEALS), fds[250];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = memfd;
	for (int greet = 0; greet < 2; greet++) {
		struct raw *raw = greet ? raw_open() : raw_connect();
		size_t n = raw_encode(raw, &request);
		struct iovec iov = { .iov_base = raw->out, .iov_len = n };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof control };

		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
		assert(sendmsg(raw->call, &message, MSG_NOSIGNAL) == (ssize_t)n);
		expect_closed(raw, "250 descriptors in a packet");
		raw_close(raw);
		request.serial = 0;
	}
	close(memfd);
}

/* ---- drafts ---- */

static void writable_drafts(void)
{
	struct raw *raw = raw_open();
	struct id128 id = raw_id();
	struct iovec iov;
	int fd, ends[2];
	char *view;

	/* mapped writable when it is sealed */
	expect_status(raw_create(raw, id, 8192, &fd), 0, "create");
	assert(ftruncate(fd, 4096) < 0 && ftruncate(fd, 1 << 20) < 0);
	view = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(view != MAP_FAILED);
	expect_status(raw_seal(raw, id), -EBUSY, "a seal while it is mapped writable");
	munmap(view, 8192);
	expect_status(raw_seal(raw, id), 0, "a seal afterwards");
	assert(write(fd, "x", 1) < 0 && errno == EPERM);
	close(fd);

	/* pinned by a pipe when it is sealed: the kernel waits for it */
	id = raw_id();
	expect_status(raw_create(raw, id, 8192, &fd), 0, "create");
	view = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(view != MAP_FAILED && pipe(ends) == 0);
	memset(view, 1, 8192);
	iov = (struct iovec){ .iov_base = view, .iov_len = 8192 };
	assert(vmsplice(ends[1], &iov, 1, 0) == 8192);
	munmap(view, 8192);
	expect_status(raw_seal(raw, id), -EBUSY, "a seal while a pipe has its pages");
	close(ends[0]);
	close(ends[1]);
	expect_status(raw_seal(raw, id), 0, "a seal when the pipe is gone");
	close(fd);
	raw_close(raw);
}

static void spoiled_drafts(void)
{
	static const int seals[] = { F_SEAL_SEAL, F_SEAL_FUTURE_WRITE,
		F_SEAL_FUTURE_WRITE | F_SEAL_SEAL, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_SEAL };
	struct raw *raw = raw_open();

	for (size_t i = 0; i < ARRAY_SIZE(seals); i++) {
		struct id128 id = raw_id();
		struct wire_reply reply;
		int fd, r;

		expect_status(raw_create(raw, id, 8192, &fd), 0, "create");
		assert(fcntl(fd, F_ADD_SEALS, seals[i]) == 0);
		r = raw_seal(raw, id);
		if (seals[i] & F_SEAL_WRITE)
			expect_status(r, 0, "a draft that its creator has sealed");
		else if (seals[i] & F_SEAL_SEAL)
			expect_status(r, -EPERM, "a draft that cannot be sealed");
		if (r == 0)
			expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "get");
		if (r == 0 && (fcntl(raw->in.fds[0], F_GET_SEALS) & HARD_SEALS) != HARD_SEALS)
			die("an object has the seals 0x%x", fcntl(raw->in.fds[0], F_GET_SEALS));
		close(fd);
	}
	expect_served(raw, "who spoiled drafts");
	raw_close(raw);
}

/* ---- descriptors that nobody acknowledges ---- */

static void never_acknowledges(void)
{
	enum { N_OBJECTS = 200 };
	static struct wire_item items[N_OBJECTS];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = N_OBJECTS,
		.flags = WIRE_GET_MAP };
	struct wire_request ack = { .type = WIRE_ACK };
	struct raw *raw = raw_open();
	struct wire_reply reply;
	uint32_t n_fds = 0;

	for (size_t i = 0; i < N_OBJECTS; i++) {
		items[i].id = raw_id();
		expect_status(raw_put(raw, items[i].id, "x", 1), 0, "put");
	}
	raw->no_acks = true;
	assert(raw_send(raw, &get, NULL, 0) == 0);
	while (raw_receive(raw, &reply, 500) == 0)
		n_fds += reply.n_fds;
	if (n_fds == 0 || n_fds > WIRE_FDS_UNACKED)
		die("%u descriptors are on their way to one client", n_fds);
	/* who says that he has them gets the rest */
	raw->no_acks = false;
	while (n_fds < N_OBJECTS) {
		ack.serial = 0;
		assert(raw_send(raw, &ack, NULL, 0) == 0);
		if (raw_receive(raw, &reply, RAW_PATIENCE_MS) != 0)
			die("%u of %u descriptors came", n_fds, N_OBJECTS);
		n_fds += reply.n_fds;
	}
	expect_served(raw, "who acknowledges at last");

	/* and now for good: asked for, and dead */
	raw->no_acks = true;
	for (int i = 0; i < 20; i++) {
		get.serial = 0;
		if (raw_send(raw, &get, NULL, 0) != 0)
			break;
	}
	raw_close(raw);
}

const struct attack descriptor_attacks[] = {
	{ "wrong-kinds", wrong_kinds },
	{ "regular-files", regular_files },
	{ "mute-files", mute_files },
	{ "missing-seals", missing_seals },
	{ "hugetlb", hugetlb },
	{ "write-only", write_only },
	{ "sparse", sparse },
	{ "wrong-sizes", wrong_sizes },
	{ "wrong-counts", wrong_counts },
	{ "hundreds-in-a-packet", hundreds_in_a_packet },
	{ "writable-drafts", writable_drafts },
	{ "spoiled-drafts", spoiled_drafts },
	{ "never-acknowledges", never_acknowledges },
	{ NULL, NULL },
};
