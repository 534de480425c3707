/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/pack-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/clock.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* At a multiple of a huge page, so that huge ones can be mapped as such, and others by the dozen. */
static char *map_aligned(int fd, uint64_t size)
{
	const size_t span = (size_t)(size + HUGE_PAGE_BYTES);
	char *reserved, *bytes;
	int error;

	reserved = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return NULL;
	bytes = reserved + (-(uintptr_t)reserved & (HUGE_PAGE_BYTES - 1));
	if (mmap(bytes, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		    fd, 0) == MAP_FAILED) {
		error = errno;
		(void)munmap(reserved, span);
		errno = error;
		return NULL;
	}
	if (bytes > reserved)
		(void)munmap(reserved, (size_t)(bytes - reserved));
	(void)munmap(bytes + size, (size_t)(reserved + span - (bytes + size)));
	return bytes;
}

#define SLOW_NS (2 * NS_PER_MS) /* for a huge page, which takes 0.1 ms */

int pack_file_map(struct pack_file *file, int fd, uint64_t size)
{
	char *bytes = map_aligned(fd, size);

	if (!bytes)
		return -errno;
	/* Nobody that we fork has business with it, and a core dump neither. */
	(void)madvise(bytes, (size_t)size, MADV_DONTFORK);
	(void)madvise(bytes, (size_t)size, MADV_DONTDUMP);
	*file = (struct pack_file){ .fd = fd, .bytes = bytes, .size = size };
	return 0;
}

int pack_file_make(struct pack_file *file, uint64_t size, struct memfd_identity *identity)
{
	int fd = memfd_make(identity, size, false);
	int r = fd < 0 ? fd : pack_file_map(file, fd, size);

	if (r < 0 && fd >= 0)
		(void)close(fd);
	return r;
}

void pack_file_unmap(struct pack_file *file)
{
	if (file->bytes)
		(void)munmap(file->bytes, (size_t)file->size);
	*file = PACK_FILE_NONE;
}

int pack_file_populate(const struct pack_file *file, uint64_t offset, uint64_t size)
{
	int r;

	do
		r = madvise(file->bytes + offset, (size_t)size, MADV_POPULATE_WRITE);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT ? -ENOMEM : -errno;
	do
		r = fallocate(file->fd, 0, (off_t)offset, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

void pack_file_grow_huge(struct pack_file *file, uint64_t unused)
{
	file->huge = true;
	file->unused = file->ahead = (unused + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
}

/* A read maps what is there around it too (a huge page, or 64 KiB), and for writing; a write would
 * be a fault for each page. */
static void map_around(const struct pack_file *file, uint64_t offset)
{
	(void)*(volatile const char *)(file->bytes + offset);
}

/* Memory that a hypervisor had taken back comes at a fiftieth of the speed, and whole huge pages are
 * what it takes: then ordinary pages are better, of which some are always warm. */
static void grow_ahead(struct pack_file *file, uint64_t offset)
{
	const int64_t began = now_ns();

	if (memfd_populate_huge(file->fd, offset, HUGE_PAGE_BYTES) == 0)
		file->ahead = offset + HUGE_PAGE_BYTES;
	file->slow = now_ns() - began > SLOW_NS;
}

bool pack_file_claim(struct pack_file *file, uint64_t offset, uint64_t size, uint64_t room)
{
	bool next;

	if (!file->huge || offset < file->unused)
		return false;
	next = offset == file->unused;
	file->unused = offset + room;
	if (next && !file->slow && offset >= file->ahead && offset % HUGE_PAGE_BYTES == 0 && size == room &&
		file->size - offset >= HUGE_PAGE_BYTES)
		grow_ahead(file, offset);
	if (offset >= file->ahead)
		return false;
	if (size < room)
		(void)pack_file_punch(file, offset + size, room - size);
	map_around(file, offset);
	return true;
}

int pack_file_write(const struct pack_file *file, uint64_t offset, struct iovec *pieces, size_t n)
{
	const uint64_t begin = offset;

	while (n > 0) {
		ssize_t done = pwritev(file->fd, pieces, (int)n, (off_t)offset);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done < 0)
			continue;
		offset += (uint64_t)done;
		for (; n > 0 && (size_t)done >= pieces->iov_len; pieces++, n--)
			done -= (ssize_t)pieces->iov_len;
		if (n > 0) {
			pieces->iov_base = (char *)pieces->iov_base + done;
			pieces->iov_len -= (size_t)done;
		}
	}
	map_around(file, begin);
	return 0;
}

int pack_file_punch(const struct pack_file *file, uint64_t offset, uint64_t size)
{
	int r;

	do
		r = fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			(off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int pack_file_read(const struct pack_file *file, uint64_t offset, int fd, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, file->bytes + offset + done, size - done, (off_t)done);

		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}
