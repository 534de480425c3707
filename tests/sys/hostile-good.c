/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The good neighbour: it puts, creates, seals, gets, reads, releases and deletes
 * objects of its own, and every answer and every byte must be right, whatever the
 * others do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

#define BIG_SIZE   (256 << 10)
#define SMALL_SIZE 3000

static void check_bytes(const void *bytes, size_t size, uint8_t byte, const char *what)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		if (at[i] != byte)
			die("the good client reads %u instead of %u at %zu of its %s", at[i], byte,
				i, what);
}

static void small_object(struct raw *raw, uint8_t byte)
{
	struct id128 id = raw_id();
	struct wire_reply reply;
	uint8_t bytes[SMALL_SIZE];

	memset(bytes, byte, sizeof bytes);
	expect_status(raw_put(raw, id, bytes, sizeof bytes), 0, "the good client's put");
	expect_status(raw_get(raw, id, 0, 0, &reply), 0, "the good client's get");
	assert(reply.n_items == 1 && reply.items[0].data_size == SMALL_SIZE);
	check_bytes(reply.items[0].data, SMALL_SIZE, byte, "small object");
	expect_status(raw_release(raw, id, 2, 0), 0, "the good client's release");
	expect_status(raw_delete(raw, id), 0, "the good client's delete");
	expect_status(raw_get(raw, id, 0, 0, &reply), -ENOENT, "the good client's get after delete");
}

static void big_object(struct raw *raw, uint8_t byte)
{
	struct id128 id = raw_id();
	struct wire_reply reply;
	void *view;
	int fd;

	expect_status(raw_create(raw, id, BIG_SIZE, &fd), 0, "the good client's create");
	view = mmap(NULL, BIG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(view != MAP_FAILED);
	memset(view, byte, BIG_SIZE);
	munmap(view, BIG_SIZE);
	close(fd);
	expect_status(raw_seal(raw, id), 0, "the good client's seal");
	expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "the good client's map");
	assert(reply.n_items == 1 && reply.items[0].size == BIG_SIZE);
	fd = raw_take_fd(raw);
	assert((fcntl(fd, F_GET_SEALS) & HARD_SEALS) == HARD_SEALS);
	view = mmap(NULL, BIG_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	assert(view != MAP_FAILED);
	close(fd);
	check_bytes(view, BIG_SIZE, byte, "big object");
	munmap(view, BIG_SIZE);
	expect_status(raw_release(raw, id, 2, 1), 0, "the good client's release");
	expect_status(raw_delete(raw, id), 0, "the good client's delete");
}

void good_client(int stop_fd, int round_fd)
{
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };
	struct raw *raw = raw_open();

	for (uint8_t round = 1; poll(&stop, 1, 0) == 0; round++) {
		small_object(raw, round);
		big_object(raw, round);
		(void)!write(round_fd, "", 1); /* full: nobody counts any more */
		usleep(1000); /* the attackers need the processor too */
	}
	raw_close(raw);
	_exit(0);
}
