/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealed objects are mapped MAP_PRIVATE and PROT_READ.  Private, because only
 * such a mapping of a write-sealed memfd can be registered with userfaultfd; its
 * pages are the page cache's all the same, since nothing is ever written to
 * them.  They go to the address that the broker gave, the same in every process,
 * and elsewhere when something else is there.
 *
 * ThreadSanitizer ends a process that maps outside the ranges it knows, so under
 * it every mapping goes where the kernel likes.
 */
#include "client/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Defined by the sanitizer's runtime when the program is linked with it. */
extern void __tsan_init(void) __attribute__((weak)); /* NOLINT */

/* Address space for size bytes that begins at a huge page's boundary. */
static int reserve_aligned(uint64_t size, void **datap)
{
	uint64_t padded = size + MAP_HUGE_SIZE;
	uintptr_t start, data, end;
	void *space;

	if (padded < size)
		return -ENOMEM;
	space = mmap(NULL, padded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED)
		return -errno;
	start = (uintptr_t)space;
	data = (start + MAP_HUGE_SIZE - 1) & ~(uintptr_t)(MAP_HUGE_SIZE - 1);
	end = (data + size + (uintptr_t)getpagesize() - 1) & ~((uintptr_t)getpagesize() - 1);
	if (data > start)
		(void)munmap(space, data - start);
	if (start + padded > end)
		(void)munmap((void *)end, start + padded - end);
	*datap = (void *)data;
	return 0;
}

static int map_anywhere(int fd, uint64_t size, int prot, int flags, void **datap)
{
	void *data = NULL;
	int r;

	if (size >= MAP_HUGE_SIZE) {
		r = reserve_aligned(size, &data);
		if (r < 0)
			return r;
		if (mmap(data, size, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
			r = -errno;
			(void)munmap(data, size);
			return r;
		}
		(void)madvise(data, size, MADV_HUGEPAGE);
	} else {
		data = mmap(NULL, size, prot, flags, fd, 0);
		if (data == MAP_FAILED)
			return -errno;
	}
	*datap = data;
	return 0;
}

int map_sealed(int fd, uint64_t size, uint64_t address, void **datap, bool *sharedp)
{
	void *data;

	if (address && !__tsan_init) {
		data = mmap((void *)(uintptr_t)address, size, PROT_READ,
			MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
		if (data != MAP_FAILED && (uintptr_t)data != address) {
			(void)munmap(data, size); /* a kernel that does not know the flag */
		} else if (data != MAP_FAILED) {
			if (size >= MAP_HUGE_SIZE)
				(void)madvise(data, size, MADV_HUGEPAGE);
			*datap = data;
			*sharedp = true;
			return 0;
		}
	}
	*sharedp = false;
	return map_anywhere(fd, size, PROT_READ, MAP_PRIVATE, datap);
}

int map_cow(int fd, uint64_t size, void **datap)
{
	return map_anywhere(fd, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, datap);
}

int map_draft(int fd, uint64_t size, void **datap)
{
	int r = map_anywhere(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED, datap);

	if (r == 0)
		(void)madvise(*datap, size, MADV_DONTFORK);
	return r;
}

void map_end(void *data, uint64_t size)
{
	(void)munmap(data, size);
}

int map_over(int fd, uint64_t size, void *data, int prot)
{
	if (mmap(data, size, prot, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

int map_draft_again(int fd, uint64_t size, void *data)
{
	if (mmap(data, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	if (size >= MAP_HUGE_SIZE)
		(void)madvise(data, size, MADV_HUGEPAGE);
	(void)madvise(data, size, MADV_DONTFORK);
	return 0;
}

/* The word in brackets, as in "always [advise] never". */
static bool setting_is(const char *path, const char *const *words)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[128], *begin, *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	begin = strchr(text, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (!end)
		return false;
	*end = '\0';
	for (; *words; words++)
		if (strcmp(begin + 1, *words) == 0)
			return true;
	return false;
}

bool map_huge_pages_allowed(void)
{
	static const char *const yes[] = { "always", "within_size", "advise", "force", NULL };
	static const char *const inherit[] = { "inherit", NULL };
	const char *size = "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled";
	const char *all = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

	if (access(size, F_OK) == 0)
		return setting_is(size, yes) || (setting_is(size, inherit) && setting_is(all, yes));
	return setting_is(all, yes);
}
