/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copying at the speed of the memory.
 *
 * A large copy into memory that nobody has in a cache is bound by what goes over
 * the memory bus, and an ordinary store first reads the line that it will
 * overwrite: a third of the traffic for nothing.  Non-temporal stores leave that
 * out (17.8 against 12.4 GiB/s, one thread, 256 MiB).  They also leave what is in
 * the caches there; so small objects, which somebody may read at once, are copied
 * with memcpy(3).
 *
 * One core often cannot keep the bus busy.  Helpers are threads that live within
 * the call: they and the caller take chunks, in order, until there is none left,
 * so that a helper which the machine gives no time holds up nobody but with the
 * chunk that it has.  Their stacks are small, all signals that another thread can
 * take are blocked in them.  Where no thread can be made, the caller copies alone.
 */
#include "client/pieces.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "client/error.h"
#include "util/cleanup.h"
#include "util/cpu.h"

#define MIB         (UINT64_C(1) << 20)
#define CHUNK       (4 * MIB)  /* 0.2 ms: a start costs 0.03 */
#define HELPED_MIN  (4 * CHUNK)
#define HELPERS_MAX 7          /* more do not make memory faster */
#define STREAM_MIN  (4 * MIB)  /* less fits into caches, and may be read from there */
#define STACK_SIZE  ((size_t)64 << 10)
#define WRITE_MAX   (UINT64_C(1) << 30) /* of one pwritev(2): Linux takes just under 2 GiB */
#define PIECES_PER_WRITE 64

int pieces_size(const struct iovec *pieces, size_t n, uint64_t *sizep)
{
	uint64_t size = 0;

	if (!pieces && n > 0)
		return fail(-EINVAL, "put: no pieces");
	for (size_t i = 0; i < n; i++) {
		if (!pieces[i].iov_base && pieces[i].iov_len > 0)
			return fail(-EINVAL, "put: %zu bytes at a null pointer", pieces[i].iov_len);
		if (__builtin_add_overflow(size, pieces[i].iov_len, &size))
			return fail(-EINVAL, "put: the sizes of the pieces overflow 64 bits");
	}
	*sizep = size;
	return 0;
}

void pieces_copy(void *to, const struct iovec *pieces, size_t n)
{
	for (; n > 0; n--, pieces++) {
		if (pieces->iov_len == 0)
			continue;
		memcpy(to, pieces->iov_base, pieces->iov_len);
		to = (char *)to + pieces->iov_len;
	}
}

/* ---- much ---- */

#if defined(__SSE2__)

#define LINE ((size_t)64)

/* The ends, which are no whole lines of the target, are copied the ordinary way. */
static void stream(char *to, const char *from, size_t size)
{
	size_t head = MIN(-(uintptr_t)to & (LINE - 1), size);

	memcpy(to, from, head);
	to += head;
	from += head;
	size -= head;
	for (; size >= LINE; size -= LINE, to += LINE, from += LINE) {
		const __m128i *source = (const __m128i *)(const void *)from;
		__m128i *target = (__m128i *)(void *)to;
		__m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
		__m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);

		_mm_stream_si128(target, a);
		_mm_stream_si128(target + 1, b);
		_mm_stream_si128(target + 2, c);
		_mm_stream_si128(target + 3, d);
	}
	memcpy(to, from, size);
}

/* Before anybody is told that the bytes are there. */
static void stream_end(void)
{
	_mm_sfence();
}

#else

static void stream(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
}

static void stream_end(void)
{
}

#endif

struct job {
	char *to;
	const struct iovec *pieces;
	size_t n;
	uint64_t size;
	_Atomic uint64_t next;      /* chunk's beginning.  Relaxed: who takes it is all that counts */
	atomic_uint n_helped;       /* helpers that had a chunk.  Relaxed: read after they ended */
};

/* Where a thread is in the pieces; its chunks only go forward. */
struct cursor {
	size_t piece;
	uint64_t begins; /* in the object */
};

static void copy_chunk(const struct job *job, struct cursor *cursor, uint64_t at, uint64_t size)
{
	while (size > 0) {
		const struct iovec *piece = &job->pieces[cursor->piece];
		const uint64_t skip = at - cursor->begins;
		uint64_t n;

		if (skip >= piece->iov_len) {
			cursor->begins += piece->iov_len;
			cursor->piece++;
			continue;
		}
		n = MIN(size, piece->iov_len - skip);
		if (job->size >= STREAM_MIN)
			stream(job->to + at, (const char *)piece->iov_base + skip, n);
		else
			memcpy(job->to + at, (const char *)piece->iov_base + skip, n);
		at += n;
		size -= n;
	}
}

/* Return: was there anything left to do? */
static bool work(struct job *job)
{
	struct cursor cursor = { 0, 0 };
	bool worked = false;

	for (;;) {
		const uint64_t at = atomic_fetch_add_explicit(&job->next, CHUNK,
			memory_order_relaxed);

		if (at >= job->size)
			break;
		copy_chunk(job, &cursor, at, MIN(CHUNK, job->size - at));
		worked = true;
	}
	stream_end();
	return worked;
}

static void *helper_main(void *argument)
{
	struct job *job = argument;

	if (work(job))
		atomic_fetch_add_explicit(&job->n_helped, 1, memory_order_relaxed);
	return NULL;
}

/* What a fault in the caller's memory raises must reach its handler from here too. */
static void signals_of_helpers(sigset_t *blocked)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

	sigfillset(blocked);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		sigdelset(blocked, own[i]);
}

/* Return: how many there are now. */
static unsigned int start_helpers(struct job *job, pthread_t *threads, unsigned int n)
{
	sigset_t blocked, before;
	pthread_attr_t attributes;
	unsigned int started = 0;

	if (pthread_attr_init(&attributes) != 0)
		return 0;
	(void)pthread_attr_setstacksize(&attributes, MAX(STACK_SIZE, (size_t)PTHREAD_STACK_MIN));
	signals_of_helpers(&blocked);
	(void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
	while (started < n &&
		pthread_create(&threads[started], &attributes, helper_main, job) == 0)
		started++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return started;
}

unsigned int pieces_copy_much(void *to, const struct iovec *pieces, size_t n, uint64_t size,
	unsigned int helpers)
{
	struct job job = { .to = to, .pieces = pieces, .n = n, .size = size };
	pthread_t threads[HELPERS_MAX];
	unsigned int started;
	int cancel;

	/* The helpers' work is on this stack: no canceled thread may leave it. */
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	started = helpers > 0 ? start_helpers(&job, threads, MIN(helpers, HELPERS_MAX)) : 0;
	(void)work(&job);
	for (unsigned int i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_setcancelstate(cancel, &cancel);
	return atomic_load_explicit(&job.n_helped, memory_order_relaxed);
}

unsigned int pieces_helpers(uint64_t size)
{
	const uint64_t useful = MIN(size / (2 * CHUNK), (uint64_t)HELPERS_MAX);
	unsigned int others;

	if (size < HELPED_MIN)
		return 0;
	others = cpu_count() - 1;
	return MIN(others, (unsigned int)useful);
}

/* ---- by system call ---- */

int pieces_write(int fd, const struct iovec *pieces, size_t n)
{
	uint64_t offset = 0;
	size_t done = 0; /* of pieces[0] */

	while (n > 0) {
		struct iovec batch[PIECES_PER_WRITE];
		size_t n_batch = 0, room = WRITE_MAX;
		ssize_t written;

		for (; n_batch < n && n_batch < PIECES_PER_WRITE && room > 0; n_batch++) {
			size_t skip = n_batch == 0 ? done : 0;
			size_t size = MIN(pieces[n_batch].iov_len - skip, room);

			batch[n_batch].iov_base = skip ? (char *)pieces[n_batch].iov_base + skip :
							 pieces[n_batch].iov_base;
			batch[n_batch].iov_len = size;
			room -= size;
		}
		written = room == WRITE_MAX ? 0 : pwritev(fd, batch, (int)n_batch, (off_t)offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		if (written == 0 && room < WRITE_MAX)
			return -EIO;
		offset += (uint64_t)written;
		done += (size_t)written;
		while (n > 0 && done >= pieces->iov_len) {
			done -= pieces->iov_len;
			pieces++;
			n--;
		}
	}
	return 0;
}
