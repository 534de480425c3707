/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/io.h - several reads and writes in flight, by one thread
 *
 * O_DIRECT files through io_uring.  Where that is refused (by seccomp, a sysctl or the
 * kernel), and for files that are not O_DIRECT, each request is done by pread() or pwrite()
 * in io_begin(), and the rest is the same.
 *
 * A struct io belongs to the thread that made it.
 */
#ifndef SPILL_IO_H
#define SPILL_IO_H

#include <stdbool.h>
#include <stdint.h>

#define IO_ALIGNMENT 4096

enum io_operation {
	IO_READ,
	IO_WRITE,
	IO_SYNC,
	IO_CREATE,
	IO_OPEN,
	IO_RENAME,
	IO_UNLINK,
	IO_ALLOCATE,
	IO_PUNCH,
};

/* For tests: asked before each operation on a disk, by any thread.
 * Return: 0: do it; negative errno: fail with that; READ and WRITE, n > 0: do n bytes of it only. */
struct spill_faults {
	int (*fault)(void *context, enum io_operation operation, uint64_t offset, uint32_t length);
	void *context;
};

/* Return: what faults say, 0 without any. */
int io_fault(const struct spill_faults *faults, enum io_operation operation, uint64_t offset,
	uint32_t length);

struct io_request {
	int fd;
	bool write, direct;
	uint32_t length;   /* direct: this, bytes and offset are multiples of IO_ALIGNMENT */
	uint64_t offset;
	void *bytes;
	int result;        /* 0, -ENODATA (the file ends before), or another negative errno */
	uint32_t done;     /* private from here on */
	bool busy;         /* begun, and not returned yet */
	struct io_request *next;
};

struct io;

/* io_new() - never fails
 * @depth: requests in flight
 * @reasonp: why io_uring is or is not used; static */
struct io *io_new(unsigned int depth, bool use_uring, const struct spill_faults *faults,
	const char **reasonp);
/* Nothing may be in flight.  Return: NULL. */
struct io *io_free(struct io *io);
bool io_uses_uring(const struct io *io);

/* io_begin() - start a request; at most `depth` are in flight
 * The request and its bytes stay where they are until io_finish() returned it. */
void io_begin(struct io *io, struct io_request *request);
/* Wait until one request is done, whole or failed.  Return: NULL when none is in flight. */
struct io_request *io_finish(struct io *io);
/* io_run() - begin and finish one while no other is in flight.  Return: its result. */
int io_run(struct io *io, struct io_request *request);

#endif
