/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/memfd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define HARD_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define MEMFD_NAME "ostore" /* /proc/PID/maps says /memfd:ostore */

#define POPULATE_STEP (UINT64_C(32) << 20) /* 1.4 ms with huge pages */
#define ZEROS_STEP    (UINT64_C(1) << 20)

static int memfd_new(void)
{
	/* Sealing against execution is new; where the kernel does not know it, ask once.
	 * Relaxed: asking twice does no harm. */
	static atomic_bool without_noexec;
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	if (!atomic_load_explicit(&without_noexec, memory_order_relaxed)) {
		fd = memfd_create(MEMFD_NAME, flags | MFD_NOEXEC_SEAL);
		if (fd >= 0)
			return fd;
		if (errno != EINVAL)
			return -errno;
		atomic_store_explicit(&without_noexec, true, memory_order_relaxed);
	}
	fd = memfd_create(MEMFD_NAME, flags);
	return fd >= 0 ? fd : -errno;
}

static int identify(int fd, struct memfd_identity *identity, dev_t *devicep)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*identity = (struct memfd_identity){ .inode = st.st_ino, .size = (uint64_t)st.st_size };
	if (devicep)
		*devicep = st.st_dev;
	return 0;
}

/* The device that all memfds of ordinary pages are on; hugetlb's are on another. */
static int memfd_device(dev_t *devicep)
{
	static _Atomic dev_t known; /* 0 is no device.  Relaxed: all writers write the same */
	struct memfd_identity identity;
	CLEANUP_CLOSE int fd = -1;
	int r;

	*devicep = atomic_load_explicit(&known, memory_order_relaxed);
	if (*devicep != 0)
		return 0;
	fd = memfd_new();
	r = fd < 0 ? fd : identify(fd, &identity, devicep);
	if (r == 0)
		atomic_store_explicit(&known, *devicep, memory_order_relaxed);
	return r;
}

int memfd_make(struct memfd_identity *identity, uint64_t size, bool draft)
{
	CLEANUP_CLOSE int fd = -1;
	int r;

	if (size > INT64_MAX)
		return -EFBIG;
	fd = memfd_new();
	if (fd < 0)
		return fd;
	if (draft)
		r = memfd_resize_draft(fd, identity, size);
	else
		r = ftruncate(fd, (off_t)size) < 0 ? -errno : identify(fd, identity, NULL);
	return r < 0 ? r : TAKE_FD(fd);
}

static int write_and_seal(int fd, struct memfd_identity *identity, const void *data, size_t size)
{
	const char *bytes = data;
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, bytes + done, size - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, HARD_SEALS) < 0)
		return -errno;
	return identify(fd, identity, NULL);
}

int memfd_make_sealed(struct memfd_identity *identity, const void *data, size_t size)
{
	CLEANUP_CLOSE int fd = memfd_new();
	int r = fd < 0 ? fd : write_and_seal(fd, identity, data, size);

	return r < 0 ? r : TAKE_FD(fd);
}

int memfd_write_sealed(int fd, struct memfd_identity *identity, const void *data, size_t size)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	return write_and_seal(fd, identity, data, size);
}

int memfd_resize_draft(int fd, struct memfd_identity *identity, uint64_t size)
{
	if (size > INT64_MAX)
		return -EFBIG;
	if (ftruncate(fd, (off_t)size) < 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -errno;
	return identify(fd, identity, NULL);
}

int memfd_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return -errno;
	return (seals & HARD_SEALS) == HARD_SEALS;
}

int memfd_seal(int fd)
{
	int r = memfd_is_sealed(fd);

	if (r != 0)
		return r < 0 ? r : 0;
	return fcntl(fd, F_ADD_SEALS, HARD_SEALS) < 0 ? -errno : 0;
}

int memfd_adopt(int fd, struct memfd_identity *identity)
{
	struct memfd_identity found;
	dev_t device = 0, ours = 0;
	int r, flags;

	r = memfd_is_sealed(fd);
	if (r < 0)
		return r;
	if (r == 0)
		return -EPERM;
	/* A memfd can be reopened through /proc/self/fd with any access mode. */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if ((flags & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	r = identify(fd, &found, &device);
	if (r == 0)
		r = memfd_device(&ours);
	if (r < 0)
		return r;
	if (device != ours)
		return -EOPNOTSUPP;
	*identity = found;
	return 0;
}

int memfd_identify(int fd, struct memfd_identity *identity)
{
	if (fcntl(fd, F_GET_SEALS) < 0)
		return -errno;
	return identify(fd, identity, NULL);
}

/* With 4 KiB pages a later pwrite() into populated memory is the fast way (8 GiB/s
 * against 3 through a mapping), so page tables would be of no use.  Zeros are
 * written because fallocate() only reserves pages: whoever writes to them first
 * pays for memory that a hypervisor has to bring back (0.4 GiB/s, measured). */
static int populate_small(int fd, uint64_t size, const atomic_bool *stop)
{
	CLEANUP_FREE void *zeros = calloc(1, ZEROS_STEP);
	uint64_t at = 0;

	if (!zeros)
		return -ENOMEM;
	while (at < size) {
		ssize_t n;

		if (atomic_load_explicit(stop, memory_order_relaxed))
			return -ECANCELED;
		n = pwrite(fd, zeros, (size_t)MIN(ZEROS_STEP, size - at), (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (uint64_t)n;
	}
	return 0;
}

/* shmem_enabled=advise gives huge pages to faults in mappings that ask for them.
 * A child process (memory/crew.h's strangers) must not inherit the mapping: a
 * writable one that outlives us would make every later seal EBUSY. */
static int populate_huge(int fd, uint64_t offset, uint64_t size, const atomic_bool *stop)
{
	size_t span = (size_t)(size + HUGE_PAGE_BYTES);
	char *reserved, *at;
	int r = 0;

	reserved = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return -errno;
	at = reserved + (-(uintptr_t)reserved & (HUGE_PAGE_BYTES - 1));
	if (mmap(at, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		    (off_t)offset) == MAP_FAILED ||
			madvise(at, (size_t)size, MADV_DONTFORK) < 0 ||
			madvise(at, (size_t)size, MADV_HUGEPAGE) < 0)
		r = -errno;
	for (uint64_t done = 0; r == 0 && done < size;) {
		if (stop && atomic_load_explicit(stop, memory_order_relaxed))
			r = -ECANCELED;
		else if (madvise(at + done, (size_t)MIN(POPULATE_STEP, size - done),
				 MADV_POPULATE_WRITE) == 0)
			done += POPULATE_STEP;
		else if (errno != EINTR)
			r = -errno;
	}
	(void)munmap(reserved, span);
	return r;
}

int memfd_populate(int fd, uint64_t size, bool huge, const atomic_bool *stop)
{
	if (size == 0)
		return 0;
	if (!huge)
		return populate_small(fd, size, stop);
	assert(size % HUGE_PAGE_BYTES == 0);
	return populate_huge(fd, 0, size, stop);
}

int memfd_populate_huge(int fd, uint64_t offset, uint64_t size)
{
	return populate_huge(fd, offset, size, NULL);
}

/* The word in brackets of a file such as "always within_size advise [never] deny force". */
static bool chosen_word(const char *path, char *word, size_t room)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[128];
	const char *begin, *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	begin = strchr(text, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (!end || (size_t)(end - begin) > room)
		return false;
	memcpy(word, begin + 1, (size_t)(end - begin - 1));
	word[end - begin - 1] = '\0';
	return true;
}

bool memfd_huge_pages(const char **reasonp)
{
	static const char directory[] = "/sys/kernel/mm/transparent_hugepage/";
	char path[sizeof directory + 40], all[16], size[16];

	memcpy(path, directory, sizeof directory);
	strcpy(path + sizeof directory - 1, "shmem_enabled");
	if (!chosen_word(path, all, sizeof all)) {
		*reasonp = "this kernel has no huge pages for shared memory";
		return false;
	}
	if (strcmp(all, "deny") == 0) {
		*reasonp = "shmem_enabled is deny";
		return false;
	}
	/* Since Linux 6.11 each size has a switch; "inherit" follows the common one. */
	strcpy(path + sizeof directory - 1, "hugepages-2048kB/shmem_enabled");
	if (strcmp(all, "force") != 0 && chosen_word(path, size, sizeof size) &&
			strcmp(size, "inherit") != 0)
		strcpy(all, size);
	if (strcmp(all, "never") == 0) {
		*reasonp = "shmem_enabled is never: "
			   "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled";
		return false;
	}
	*reasonp = "2 MiB pages for objects of 2 MiB and more";
	return true;
}
