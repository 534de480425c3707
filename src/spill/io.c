/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/io.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ds/memory.h"

struct io {
	struct io_uring ring;
	const struct spill_faults *faults;
	struct io_request *finished, **finished_end; /* not returned yet */
	unsigned int n_flying; /* given to the ring */
	bool uring;
};

int io_fault(const struct spill_faults *faults, enum io_operation operation, uint64_t offset,
	uint32_t length)
{
	return faults ? faults->fault(faults->context, operation, offset, length) : 0;
}

/* Return: 0 or negative errno. */
static int ring_init(struct io_uring *ring, unsigned int depth)
{
	/* one thread submits and waits: completions need not interrupt it */
	int r = io_uring_queue_init(depth, ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	if (r == -EINVAL) /* before Linux 6.1 */
		r = io_uring_queue_init(depth, ring, 0);
	return r;
}

static const char *why_not(int r)
{
	switch (r) {
	case -ENOSYS:
		return "the kernel has no io_uring";
	case -EPERM:
	case -EACCES:
		return "io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a seccomp filter)";
	case -ENOMEM:
		return "io_uring may not lock memory (RLIMIT_MEMLOCK)";
	case -EMFILE:
	case -ENFILE:
		return "no descriptor is free for io_uring";
	}
	return "io_uring_setup() fails";
}

struct io *io_new(unsigned int depth, bool use_uring, const struct spill_faults *faults,
	const char **reasonp)
{
	struct io *io = must_alloc(1, sizeof *io);
	int r;

	io->faults = faults;
	io->finished_end = &io->finished;
	*reasonp = "switched off";
	if (use_uring) {
		r = ring_init(&io->ring, depth);
		io->uring = r == 0;
		*reasonp = r == 0 ? "the kernel has it" : why_not(r);
	}
	return io;
}

struct io *io_free(struct io *io)
{
	if (!io)
		return NULL;
	assert(io->n_flying == 0 && !io->finished);
	if (io->uring)
		io_uring_queue_exit(&io->ring);
	free(io);
	return NULL;
}

bool io_uses_uring(const struct io *io)
{
	return io->uring;
}

static void finish(struct io *io, struct io_request *request, int result)
{
	request->result = result;
	request->next = NULL;
	*io->finished_end = request;
	io->finished_end = &request->next;
}

/* What is left to do after n bytes more, or an error.
 * Return: true: the request is finished. */
static bool advance(struct io *io, struct io_request *request, int n)
{
	if (n == -EINTR || n == -EAGAIN)
		return false;
	if (n >= 0) {
		request->done += (uint32_t)n;
		if (request->done == request->length) {
			finish(io, request, 0);
			return true;
		}
		if (request->direct) { /* go on where the disk can: at a block */
			uint32_t whole = request->done - request->done % IO_ALIGNMENT;

			n -= (int)(request->done - whole);
			request->done = whole;
		}
		if (n > 0)
			return false;
		n = request->write ? -EIO : -ENODATA;
	}
	finish(io, request, n);
	return true;
}

/* What of the rest is to be done, by the tests' leave.  Return: bytes or negative errno. */
static int allowed(const struct io *io, const struct io_request *request)
{
	uint32_t left = request->length - request->done;
	int r = io_fault(io->faults, request->write ? IO_WRITE : IO_READ, request->offset + request->done,
		left);

	return r == 0 || r > (int)left ? (int)left : r;
}

static void run_here(struct io *io, struct io_request *request)
{
	ssize_t n;

	do {
		char *bytes = (char *)request->bytes + request->done;
		off_t offset = (off_t)(request->offset + request->done);

		n = allowed(io, request);
		if (n > 0) {
			n = request->write ? pwrite(request->fd, bytes, (size_t)n, offset)
					   : pread(request->fd, bytes, (size_t)n, offset);
			if (n < 0)
				n = -errno;
		}
	} while (!advance(io, request, (int)n));
}

static void fly(struct io *io, struct io_request *request)
{
	char *bytes = (char *)request->bytes + request->done;
	uint64_t offset = request->offset + request->done;
	struct io_uring_sqe *sqe;
	int n = allowed(io, request);

	if (n < 0) {
		finish(io, request, n);
		return;
	}
	sqe = io_uring_get_sqe(&io->ring);
	if (!sqe) { /* what is queued has not been told yet */
		(void)io_uring_submit(&io->ring);
		sqe = io_uring_get_sqe(&io->ring);
	}
	if (!sqe) {
		run_here(io, request);
		return;
	}
	if (request->write)
		io_uring_prep_write(sqe, request->fd, bytes, (unsigned int)n, offset);
	else
		io_uring_prep_read(sqe, request->fd, bytes, (unsigned int)n, offset);
	io_uring_sqe_set_data(sqe, request);
	io->n_flying++;
}

void io_begin(struct io *io, struct io_request *request)
{
	assert(!request->busy);
	assert(!request->direct ||
		(request->offset | request->length | (uintptr_t)request->bytes) % IO_ALIGNMENT == 0);
	request->busy = true;
	request->done = 0;
	if (!io->uring || !request->direct) {
		run_here(io, request);
		return;
	}
	fly(io, request);
	(void)io_uring_submit(&io->ring); /* what could not be submitted is with the next one, or below */
}

/* Wait for one completion.  A ring that does not answer any more is a bug of ours. */
static void land(struct io *io)
{
	struct io_uring_cqe *cqe;
	struct io_request *request;
	int n, r;

	do
		r = io_uring_submit_and_wait(&io->ring, 1);
	while (r == -EINTR || r == -EAGAIN || r == -EBUSY);
	if (r < 0)
		abort();
	r = io_uring_peek_cqe(&io->ring, &cqe);
	if (r < 0)
		return;
	request = io_uring_cqe_get_data(cqe);
	n = cqe->res;
	io_uring_cqe_seen(&io->ring, cqe);
	io->n_flying--;
	if (!advance(io, request, n))
		fly(io, request);
}

struct io_request *io_finish(struct io *io)
{
	struct io_request *request;

	while (!io->finished && io->n_flying > 0)
		land(io);
	request = io->finished;
	if (!request)
		return NULL;
	io->finished = request->next;
	if (!io->finished)
		io->finished_end = &io->finished;
	request->busy = false;
	return request;
}

int io_run(struct io *io, struct io_request *request)
{
	struct io_request *finished;

	io_begin(io, request);
	finished = io_finish(io);
	assert(finished == request);
	return request->result;
}
