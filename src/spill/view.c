/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/view.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define HUGE (UINT64_C(2) << 20)

int view_map(struct view *view, int fd, uint64_t offset, uint64_t length, bool writable)
{
	uint64_t before = offset % PAGE;
	size_t mapped = (size_t)(length + before);
	bool huge = length >= HUGE && offset % HUGE == 0;
	int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	/* a sealed memfd may be mapped shared only by recent kernels */
	int sharing = writable ? MAP_SHARED : MAP_PRIVATE;
	void *reserved = NULL, *bytes;

	*view = VIEW_NONE;
	if (length == 0)
		return 0;
	if (huge) { /* where a huge page may be */
		uintptr_t start;

		reserved = mmap(NULL, mapped + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (reserved == MAP_FAILED)
			return -errno;
		start = ((uintptr_t)reserved + HUGE - 1) / HUGE * HUGE;
		bytes = mmap((void *)start, mapped, protection, sharing | MAP_FIXED, fd, (off_t)offset);
	} else {
		bytes = mmap(NULL, mapped, protection, sharing, fd, (off_t)(offset - before));
	}
	if (bytes == MAP_FAILED) {
		int r = -errno;

		if (huge)
			(void)munmap(reserved, mapped + HUGE);
		return r;
	}
	if (huge && writable)
		(void)madvise(bytes, mapped, MADV_HUGEPAGE); /* where the system gives them when asked */
	view->bytes = (char *)bytes + before;
	view->mapping = huge ? reserved : bytes;
	view->mapping_length = huge ? mapped + HUGE : mapped;
	return 0;
}

void view_unmap(struct view *view)
{
	if (view->mapping)
		(void)munmap(view->mapping, view->mapping_length);
	*view = VIEW_NONE;
}

int view_populate(const struct view *view, uint64_t offset, uint64_t length)
{
	uintptr_t start = (uintptr_t)view->bytes + offset, end = start + length;

	start -= start % PAGE;
	end = (end + PAGE - 1) / PAGE * PAGE;
	if (madvise((void *)start, end - start, MADV_POPULATE_WRITE) < 0)
		return errno == EFAULT ? -ENOMEM : -errno; /* there is no page to be had */
	return 0;
}

int memory_read(int fd, void *bytes, size_t length, uint64_t offset)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pread(fd, (char *)bytes + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int memory_write(int fd, const void *bytes, size_t length, uint64_t offset)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}
