/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory layer: which memfds are made, believed and refused, and the crew that
 * does what is slow. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ds/memory.h"
#include "memory/advice.h"
#include "memory/crew.h"
#include "memory/memfd.h"
#include "memory/pack-file.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define HARD_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define PAGE       4096

static const atomic_bool never;

static uint64_t blocks_bytes(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* A memfd like those that clients make. */
static int clients_memfd(off_t size, unsigned int flags, int seals)
{
	int fd = memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	if (seals)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int reopen(int fd, int flags)
{
	char path[40];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* One page of the memfd sits in a pipe by reference, as io_uring or RDMA would pin it.
 * Return: the pipe's reading end, which lets go of it when it is closed. */
static int pin_page(int fd)
{
	int ends[2];
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct iovec iov = { .iov_base = page, .iov_len = PAGE };

	ck_assert_ptr_ne(page, MAP_FAILED);
	memset(page, 1, PAGE);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(vmsplice(ends[1], &iov, 1, 0), PAGE);
	ck_assert_int_eq(munmap(page, PAGE), 0);
	ck_assert_int_eq(close(ends[1]), 0);
	return ends[0];
}

/* ---- memfds ---- */

START_TEST(a_draft_is_writable_and_keeps_its_size)
{
	struct memfd_identity identity;
	struct stat st;
	int fd = memfd_make(&identity, 3 * PAGE, true);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(identity.inode, st.st_ino);
	ck_assert_uint_eq(identity.size, 3 * PAGE);
	ck_assert_int_eq(st.st_size, 3 * PAGE);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "x", 1, 3 * PAGE - 1), 1);
	ck_assert_int_eq(pwrite(fd, "x", 1, 3 * PAGE), -1);
	ck_assert_int_eq(ftruncate(fd, PAGE), -1);
	ck_assert_int_eq(ftruncate(fd, 4 * PAGE), -1);
	ck_assert_int_eq(memfd_is_sealed(fd), 0);
	ck_assert_int_eq(memfd_seal(fd), 0);
	ck_assert_int_eq(memfd_is_sealed(fd), 1);
	ck_assert_int_eq(memfd_seal(fd), 0); /* again: nothing to do */
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_ptr_eq(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(memfd_make(&identity, UINT64_MAX, true), -EFBIG);
	ck_assert_int_eq(memfd_make(&identity, (uint64_t)INT64_MAX + 1, false), -EFBIG);
	fd = memfd_make(&identity, 0, true);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(memfd_seal(fd), 0);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(sealed_bytes_are_there_and_stay)
{
	static char bytes[100000], back[sizeof bytes];
	struct memfd_identity identity, again;
	int fd;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7);
	fd = memfd_make_sealed(&identity, bytes, sizeof bytes);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & HARD_SEALS, HARD_SEALS);
	ck_assert_int_eq(pread(fd, back, sizeof back, 0), sizeof back);
	ck_assert_mem_eq(bytes, back, sizeof bytes);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(memfd_identify(fd, &again), 0);
	ck_assert_uint_eq(identity.inode, again.inode);
	ck_assert_uint_eq(identity.size, sizeof bytes);
	ck_assert_int_eq(close(fd), 0);
	fd = memfd_make_sealed(&identity, NULL, 0);
	ck_assert_int_eq(memfd_is_sealed(fd), 1);
	ck_assert_uint_eq(identity.size, 0);
	ck_assert_int_eq(close(fd), 0);
	fd = memfd_make(&identity, 5 * PAGE, false);
	ck_assert_int_eq(memfd_write_sealed(fd, &identity, bytes, PAGE), 0);
	ck_assert_uint_eq(identity.size, PAGE);
	ck_assert_int_eq(memfd_is_sealed(fd), 1);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(what_somebody_can_still_write_is_not_sealed)
{
	struct memfd_identity identity;
	int fd = memfd_make(&identity, PAGE, true), pipe_end;
	void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_int_eq(memfd_seal(fd), -EBUSY);
	ck_assert_int_eq(munmap(map, PAGE), 0);
	pipe_end = pin_page(fd);
	ck_assert_int_eq(memfd_seal(fd), -EBUSY);
	ck_assert_int_eq(close(pipe_end), 0);
	ck_assert_int_eq(memfd_seal(fd), 0);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(memfd_seal(STDIN_FILENO), -EINVAL);
}
END_TEST

START_TEST(pool_memory_is_trimmed_to_its_object)
{
	struct memfd_identity identity;
	int fd = memfd_make(&identity, 64 * PAGE, false);

	ck_assert_int_eq(memfd_populate(fd, 64 * PAGE, false, &never), 0);
	ck_assert_uint_eq(blocks_bytes(fd), 64 * PAGE);
	ck_assert_int_eq(memfd_resize_draft(fd, &identity, 3 * PAGE + 1), 0);
	ck_assert_uint_eq(identity.size, 3 * PAGE + 1);
	ck_assert_uint_eq(blocks_bytes(fd), 4 * PAGE);
	ck_assert_int_eq(ftruncate(fd, 64 * PAGE), -1);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	ck_assert_int_eq(close(fd), 0);
	fd = memfd_make(&identity, PAGE, false);
	ck_assert_int_eq(memfd_resize_draft(fd, &identity, 10 * PAGE), 0); /* or grown */
	ck_assert_uint_eq(identity.size, 10 * PAGE);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(only_hard_sealed_memfds_are_believed)
{
	static const int partly[] = {
		0,
		F_SEAL_WRITE,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL,
		F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL,
		F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE,
	};
	struct memfd_identity identity = { .inode = 1, .size = 2 };
	char path[] = "/tmp/check-memory-XXXXXX";
	int ends[2], fd;

	for (size_t i = 0; i < ARRAY_SIZE(partly); i++) {
		fd = clients_memfd(PAGE, 0, partly[i]);
		ck_assert_int_eq(memfd_adopt(fd, &identity), -EPERM);
		ck_assert_int_eq(close(fd), 0);
	}
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(memfd_adopt(ends[0], &identity), -EINVAL);
	ck_assert_int_eq(memfd_identify(ends[0], &identity), -EINVAL);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(memfd_adopt(ends[0], &identity), -EINVAL);
	fd = open("/dev/null", O_RDWR);
	ck_assert_int_eq(memfd_adopt(fd, &identity), -EINVAL);
	ck_assert_int_eq(close(fd), 0);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_ne(memfd_adopt(fd, &identity), 0); /* of tmpfs: -EPERM, it has F_SEAL_SEAL */
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(memfd_adopt(fd, &identity), -EBADF);
	ck_assert_uint_eq(identity.inode, 1); /* untouched */
	ck_assert_uint_eq(identity.size, 2);

	fd = clients_memfd(PAGE, 0, HARD_SEALS);
	ck_assert_int_eq(memfd_adopt(fd, &identity), 0);
	ck_assert_uint_eq(identity.size, PAGE);
	ends[0] = reopen(fd, O_RDONLY);
	ck_assert_int_eq(memfd_adopt(ends[0], &identity), 0);
	ends[1] = reopen(fd, O_WRONLY); /* no reader could map it */
	ck_assert_int_ge(ends[1], 0);
	ck_assert_int_eq(memfd_adopt(ends[1], &identity), -EACCES);
}
END_TEST

START_TEST(a_sparse_memfd_counts_with_its_whole_size)
{
	struct memfd_identity identity;
	int fd = clients_memfd((off_t)1 << 40, 0, HARD_SEALS);

	ck_assert_int_eq(memfd_adopt(fd, &identity), 0);
	ck_assert_uint_eq(identity.size, UINT64_C(1) << 40);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(memfds_of_the_hugetlb_pool_are_refused)
{
	struct memfd_identity identity;
	int fd = memfd_create("hugetlb", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

	if (fd < 0) {
		fprintf(stderr, "skipped: no hugetlb memfds here (%s)\n", strerror(errno));
		return;
	}
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, HARD_SEALS), 0);
	ck_assert_int_eq(memfd_adopt(fd, &identity), -EOPNOTSUPP);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(populated_memory_is_all_there)
{
	const uint64_t size = 33 * HUGE_PAGE_BYTES;
	struct memfd_identity identity;
	atomic_bool stop = true;
	const char *reason = NULL;
	int fd = memfd_make(&identity, size, false);

	ck_assert_int_eq(memfd_populate(fd, size, false, &stop), -ECANCELED);
	ck_assert_uint_eq(blocks_bytes(fd), 0);
	ck_assert_int_eq(memfd_populate(fd, size, false, &never), 0);
	ck_assert_uint_eq(blocks_bytes(fd), size);
	ck_assert_int_eq(close(fd), 0);
	/* Through a mapping it works everywhere; 2 MiB pages it gets where they are allowed. */
	fd = memfd_make(&identity, size, false);
	ck_assert_int_eq(memfd_populate(fd, size, true, &stop), -ECANCELED);
	ck_assert_int_eq(memfd_populate(fd, size, true, &never), 0);
	ck_assert_uint_eq(blocks_bytes(fd), size);
	ck_assert_int_eq(memfd_seal(fd), 0); /* no mapping is left */
	ck_assert_int_eq(close(fd), 0);
	(void)memfd_huge_pages(&reason);
	ck_assert_ptr_nonnull(reason);
}
END_TEST

/* ---- crew ---- */

static struct crew_job take(struct crew *crew)
{
	struct pollfd ready = { .fd = crew_event(crew), .events = POLLIN };
	struct crew_job job;

	if (!crew_take(crew, &job)) {
		ck_assert_int_eq(poll(&ready, 1, 20000), 1);
		ck_assert(crew_take(crew, &job));
	}
	return job;
}

static void submit(struct crew *crew, enum crew_job_type type, uint32_t ticket, uint32_t key, int fd,
	uint64_t size)
{
	struct crew_job job = {
		.type = type,
		.ticket = ticket,
		.key = key,
		.fd = fd,
		.size = size,
	};

	ck_assert_int_eq(crew_submit(crew, &job), 0);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(the_crew_seals_trims_fills_and_closes)
{
	struct memfd_identity identity;
	struct crew_job job;
	struct crew *crew;
	int fd;

	ck_assert_int_eq(crew_new(&crew), 0);
	ck_assert(!crew_take(crew, &job));
	submit(crew, CREW_FILL, 1, 0, -1, 16 * PAGE);
	job = take(crew);
	ck_assert_int_eq(job.type, CREW_FILL);
	ck_assert_int_eq(job.ticket, 1);
	ck_assert_int_eq(job.result, 0);
	ck_assert_uint_eq(job.identity.size, 16 * PAGE);
	ck_assert_uint_eq(blocks_bytes(job.fd), 16 * PAGE);
	fd = job.fd;
	submit(crew, CREW_TRIM, 2, 0, fd, 5 * PAGE);
	job = take(crew);
	ck_assert_int_eq(job.result, 0);
	ck_assert_int_eq(job.fd, fd);
	ck_assert_uint_eq(job.identity.size, 5 * PAGE);
	ck_assert_int_eq(memfd_identify(fd, &identity), 0);
	ck_assert_uint_eq(identity.inode, job.identity.inode);
	submit(crew, CREW_SEAL, 3, 0, fd, 0);
	job = take(crew);
	ck_assert_int_eq(job.result, 0);
	ck_assert_int_eq(memfd_is_sealed(fd), 1);
	submit(crew, CREW_CLOSE, 4, 0, fd, 0);
	job = take(crew);
	ck_assert_int_eq(job.ticket, 4);
	ck_assert(!is_open(fd));
	ck_assert(!crew_take(crew, &job));
	submit(crew, CREW_FILL, 5, 0, -1, UINT64_MAX);
	job = take(crew);
	ck_assert_int_eq(job.result, -EFBIG);
	ck_assert_int_eq(job.fd, -1);
	ck_assert_ptr_null(crew_free(crew));
}
END_TEST

/* Each of these seals waits 161 ms in the kernel, one after the other. */
START_TEST(who_pins_pages_delays_only_himself)
{
	enum { N_PINNED = 6, HOSTILE = 1000, HONEST = 1001 };
	int fds[N_PINNED], pipes[N_PINNED], n_pinned = 0, honest;
	struct memfd_identity identity;
	struct crew *crew;
	bool honest_done = false;

	ck_assert_int_eq(crew_new(&crew), 0);
	for (uint32_t i = 0; i < N_PINNED; i++) {
		fds[i] = memfd_make(&identity, PAGE, true);
		pipes[i] = pin_page(fds[i]);
		submit(crew, CREW_SEAL, i, HOSTILE, fds[i], 0);
	}
	honest = memfd_make(&identity, PAGE, true);
	submit(crew, CREW_SEAL, N_PINNED, HONEST, honest, 0);
	while (n_pinned < N_PINNED || !honest_done) {
		struct crew_job job = take(crew);

		if (job.key == HONEST) {
			ck_assert_int_eq(job.result, 0);
			if (!getenv("OSTORE_VALGRIND")) /* runs one thread at a time */
				ck_assert_int_lt(n_pinned, N_PINNED - 2);
			honest_done = true;
		} else {
			ck_assert_int_eq(job.result, -EBUSY);
			ck_assert_uint_eq(job.ticket, (uint32_t)n_pinned); /* in their order */
			n_pinned++;
		}
	}
	for (int i = 0; i < N_PINNED; i++) {
		(void)close(pipes[i]);
		(void)close(fds[i]);
	}
	(void)close(honest);
	ck_assert_ptr_null(crew_free(crew));
}
END_TEST

START_TEST(nobody_hears_of_a_silent_close)
{
	struct memfd_identity identity;
	struct crew_job job = { .type = CREW_CLOSE, .silent = true };
	struct crew *crew;

	ck_assert_int_eq(crew_new(&crew), 0);
	job.fd = memfd_make(&identity, PAGE, true);
	ck_assert_int_eq(crew_submit(crew, &job), 0);
	submit(crew, CREW_CLOSE, 1, 0, memfd_make(&identity, PAGE, true), 0);
	ck_assert_int_eq(take(crew).ticket, 1);
	ck_assert(!is_open(job.fd));
	ck_assert(!crew_take(crew, &job));
	ck_assert_ptr_null(crew_free(crew));
}
END_TEST

/* The heir's worker, and a clean stop, must not wait for a pool of gigabytes. */
START_TEST(the_crew_ends_in_the_middle_of_its_work)
{
	struct memfd_identity identity;
	struct crew *crew;
	int64_t began;

	ck_assert_int_eq(crew_new(&crew), 0);
	submit(crew, CREW_FILL, 1, 0, -1, UINT64_C(1) << 33);
	for (uint32_t i = 0; i < 100; i++)
		submit(crew, CREW_CLOSE, 2 + i, 0, memfd_make(&identity, PAGE, true), 0);
	(void)take(crew);
	began = now_ns();
	ck_assert_ptr_null(crew_free(crew));
	ck_assert_int_lt(now_ns() - began, 5 * NS_PER_S); /* the fill would take far longer, or all memory */
	ck_assert_ptr_null(crew_free(NULL));
}
END_TEST

static uint64_t blocks_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

START_TEST(a_pack_has_the_memory_that_it_is_given)
{
	struct pack_file pack = PACK_FILE_NONE, again = PACK_FILE_NONE;
	struct memfd_identity identity, sealed;
	int fd;

	ck_assert_int_eq(pack_file_make(&pack, UINT64_C(4) << 30, &identity), 0);
	ck_assert_uint_eq(identity.size, UINT64_C(4) << 30);
	ck_assert_uint_eq(blocks_of(pack.fd), 0);
	ck_assert_int_eq(pack_file_populate(&pack, 65536, 16384), 0);
	ck_assert_uint_eq(blocks_of(pack.fd), 16384);
	memset(pack.bytes + 65536, 7, 100);
	fd = memfd_make_sealed(&sealed, "from a memfd", 12);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pack_file_read(&pack, 65536 + 128, fd, 12), 0);
	ck_assert_int_eq(memcmp(pack.bytes + 65536 + 128, "from a memfd", 12), 0);
	ck_assert_int_eq(pack_file_read(&pack, 65536 + 128, fd, 13), -EIO);
	close(fd);

	/* As an heir finds it. */
	fd = pack.fd;
	pack_file_unmap(&pack);
	ck_assert_int_eq(pack.fd, -1);
	ck_assert_int_eq(pack_file_map(&again, fd, identity.size), 0);
	ck_assert_int_eq(again.bytes[65536 + 99], 7);
	ck_assert_int_eq(pack_file_punch(&again, 65536, 65536), 0);
	ck_assert_uint_eq(blocks_of(fd), 0);
	ck_assert_int_eq(again.bytes[65536 + 99], 0);
	pack_file_unmap(&again);
	close(fd);
}
END_TEST

START_TEST(a_pack_gets_memory_by_writing)
{
	struct pack_file pack = PACK_FILE_NONE;
	struct memfd_identity identity;
	struct iovec pieces[] = { { (char[]){ "one, " }, 5 }, { (char[]){ "two" }, 3 } };
	char large[10000] = "";
	struct iovec piece = { large, sizeof large };

	memset(large, 5, sizeof large);
	ck_assert_int_eq(pack_file_make(&pack, UINT64_C(4) << 30, &identity), 0);
	ck_assert_int_eq(pack_file_write(&pack, 65536, pieces, 2), 0);
	ck_assert_int_eq(memcmp(pack.bytes + 65536, "one, two", 9), 0);
	ck_assert_uint_eq(blocks_of(pack.fd), 4096);
	ck_assert_int_eq(pack_file_write(&pack, 131072, &piece, 1), 0);
	ck_assert_int_eq(memcmp(pack.bytes + 131072, large, sizeof large), 0);
	ck_assert_uint_eq(blocks_of(pack.fd), 4096 + 12288);
	close(pack.fd);
	pack_file_unmap(&pack);
}
END_TEST

START_TEST(a_pack_with_frames_left_out_has_no_huge_page_for_each)
{
	const uint64_t frame = 65536;
	struct pack_file pack = PACK_FILE_NONE;
	struct memfd_identity identity;

	ck_assert_int_eq(pack_file_make(&pack, UINT64_C(4) << 30, &identity), 0);
	pack_file_grow_huge(&pack, 0);
	for (unsigned int i = 0; i < 8; i++)
		if (!pack_file_claim(&pack, i * HUGE_PAGE_BYTES, frame, frame))
			ck_assert_int_eq(pack_file_populate(&pack, i * HUGE_PAGE_BYTES, frame), 0);
	ck_assert_uint_le(blocks_of(pack.fd), HUGE_PAGE_BYTES + 7 * frame);
	close(pack.fd);
	pack_file_unmap(&pack);
}
END_TEST

/* Nobody needs huge pages for this: what is ahead has memory of either kind. */
START_TEST(a_pack_grows_by_huge_pages)
{
	const uint64_t frame = 65536;
	struct pack_file pack = PACK_FILE_NONE, again = PACK_FILE_NONE;
	struct memfd_identity identity;
	uint64_t blocks = HUGE_PAGE_BYTES;

	ck_assert_int_eq(pack_file_make(&pack, UINT64_C(4) << 30, &identity), 0);
	ck_assert(!pack_file_claim(&pack, 0, frame, frame));
	pack_file_grow_huge(&pack, 0);
	ck_assert(pack_file_claim(&pack, 0, frame, frame));
	ck_assert_uint_eq(blocks_of(pack.fd), blocks);
	memset(pack.bytes, 3, frame);

	/* What a frame does not need goes back at once. */
	ck_assert(pack_file_claim(&pack, frame, 20480, frame));
	blocks -= frame - 20480;
	ck_assert_uint_eq(blocks_of(pack.fd), blocks);

	/* A frame that was used before may have been punched. */
	ck_assert_int_eq(pack_file_punch(&pack, 0, frame), 0);
	blocks -= frame;
	ck_assert_uint_eq(blocks_of(pack.fd), blocks);
	ck_assert(!pack_file_claim(&pack, 0, frame, frame));
	ck_assert_uint_eq(blocks_of(pack.fd), blocks);

	/* No huge page for a frame that needs but a part of itself. */
	ck_assert(!pack_file_claim(&pack, HUGE_PAGE_BYTES, 20480, frame));
	ck_assert(!pack_file_claim(&pack, HUGE_PAGE_BYTES + frame, frame, frame));
	ck_assert_uint_eq(blocks_of(pack.fd), blocks);

	/* The heir believes in no memory that the dead worker may have given back. */
	ck_assert_int_eq(pack_file_map(&again, pack.fd, identity.size), 0);
	pack_file_grow_huge(&again, HUGE_PAGE_BYTES + 2 * frame);
	ck_assert(!pack_file_claim(&again, HUGE_PAGE_BYTES + 2 * frame, frame, frame));
	ck_assert(pack_file_claim(&again, 2 * HUGE_PAGE_BYTES, frame, frame));
	ck_assert_uint_eq(blocks_of(pack.fd), blocks + HUGE_PAGE_BYTES);
	pack_file_unmap(&again);
	close(pack.fd);
	pack_file_unmap(&pack);
}
END_TEST

/* Is it one mapping to the kernel, as mremap() wants it? */
static bool is_one_mapping(const void *memory, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t begin, end;
	bool found = false;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (!found && fgets(line, sizeof line, maps))
		found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &begin, &end) == 2 &&
			begin <= (uintptr_t)memory && end >= (uintptr_t)memory + size;
	(void)fclose(maps);
	return found;
}

/* Where it is several, each doubling copies it. */
START_TEST(an_array_that_grows_is_moved_uncopied)
{
	size_t room = 0;
	char *array = NULL;

	memory_is_large = advise_array;
	for (size_t n = MEMORY_LARGE; n <= 16 * MEMORY_LARGE; n *= 2) {
		must_grow(&array, &room, n, 1);
		array[n / 2] = array[n - 1] = 'x';
		ck_assert(is_one_mapping(array, n));
	}
	free(array);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *memfds = tcase_create("memfds");
	TCase *crew = tcase_create("crew");
	SRunner *runner;
	int failed;

	tcase_add_test(memfds, a_draft_is_writable_and_keeps_its_size);
	tcase_add_test(memfds, sealed_bytes_are_there_and_stay);
	tcase_add_test(memfds, what_somebody_can_still_write_is_not_sealed);
	tcase_add_test(memfds, pool_memory_is_trimmed_to_its_object);
	tcase_add_test(memfds, only_hard_sealed_memfds_are_believed);
	tcase_add_test(memfds, a_sparse_memfd_counts_with_its_whole_size);
	tcase_add_test(memfds, memfds_of_the_hugetlb_pool_are_refused);
	tcase_add_test(memfds, populated_memory_is_all_there);
	tcase_add_test(memfds, an_array_that_grows_is_moved_uncopied);
	tcase_set_timeout(memfds, 30);
	tcase_add_test(crew, the_crew_seals_trims_fills_and_closes);
	tcase_add_test(crew, who_pins_pages_delays_only_himself);
	tcase_add_test(crew, nobody_hears_of_a_silent_close);
	tcase_add_test(crew, the_crew_ends_in_the_middle_of_its_work);
	tcase_add_test(crew, a_pack_has_the_memory_that_it_is_given);
	tcase_add_test(crew, a_pack_gets_memory_by_writing);
	tcase_add_test(crew, a_pack_grows_by_huge_pages);
	tcase_add_test(crew, a_pack_with_frames_left_out_has_no_huge_page_for_each);
	tcase_set_timeout(crew, 30);
	suite_add_tcase(suite, memfds);
	suite_add_tcase(suite, crew);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
