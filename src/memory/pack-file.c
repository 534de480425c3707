/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/pack-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

int pack_file_map(struct pack_file *file, int fd, uint64_t size)
{
	char *bytes = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		fd, 0);

	if (bytes == MAP_FAILED)
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
