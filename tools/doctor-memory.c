/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes of memory and its limits: see doctor.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "doctor.h"
#include "util/cleanup.h"
#include "util/size.h"

#define HUGE_PAGE        (UINT64_C(2) << 20)
#define ARENA_BASE       UINT64_C(0x200000000000)
#define ALL_SEALS        (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define WANTED_FDS       65536 /* the broker's own default limit */
#define WANTED_MAPPINGS  65530 /* the kernel's default */
#define WANTED_DISK      (UINT64_C(1) << 30)
#define DEFAULT_PERCENT  30

/* ---- memfds ---- */

/* Is a memfd with these seals closed to every way of writing? */
static bool refuses_writes(int memfd)
{
	void *view = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	if (view != MAP_FAILED) {
		munmap(view, 1);
		return false;
	}
	return pwrite(memfd, "x", 1, 0) < 0 && errno == EPERM;
}

static const char *seal_and_try(int seals)
{
	CLEANUP_CLOSE int memfd = memfd_create("osctl-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0 || ftruncate(memfd, sysconf(_SC_PAGESIZE)) < 0 ||
		fcntl(memfd, F_ADD_SEALS, seals) < 0)
		return strerror(errno);
	return refuses_writes(memfd) ? NULL : "a sealed memfd can be written";
}

bool probe_seals(struct text *found)
{
	const char *hard = seal_and_try(ALL_SEALS);
	const char *soft = seal_and_try(F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);

	if (hard || soft)
		text_set(found, "%s: %s", hard ? "F_SEAL_WRITE" : "F_SEAL_FUTURE_WRITE", hard ? hard : soft);
	else
		text_set(found, "the kernel refuses writes to a sealed memfd");
	return !hard && !soft;
}

bool probe_arena(struct text *found)
{
	void *wanted = (void *)(uintptr_t)ARENA_BASE;
	void *view = mmap(wanted, HUGE_PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	int error = errno;

	if (view != MAP_FAILED)
		munmap(view, HUGE_PAGE);
	if (view == wanted)
		text_set(found, "objects can lie at %p", wanted);
	else
		text_set(found, "mmap at %p: %s", wanted, strerror(view == MAP_FAILED ? error : EEXIST));
	return view == wanted;
}

/* The KiB that smaps counts as huge pages of shared memory in the mapping at start. */
static unsigned long mapped_huge_kib(const void *start)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool inside = false;
	unsigned long kib = 0, from, to;
	char line[512];

	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from == (uintptr_t)start;
		else if (inside && sscanf(line, "ShmemPmdMapped: %lu kB", &kib) == 1)
			break;
	}
	if (file)
		fclose(file);
	return kib;
}

/* Write one aligned huge page of a memfd and look how it was mapped. */
static bool gets_huge_page(void)
{
	CLEANUP_CLOSE int memfd = memfd_create("osctl-doctor", MFD_CLOEXEC);
	char *room, *view;
	bool huge = false;

	if (memfd < 0 || ftruncate(memfd, HUGE_PAGE) < 0)
		return false;
	room = mmap(NULL, 2 * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return false;
	view = (char *)(((uintptr_t)room + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (mmap(view, HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd, 0) == view) {
		(void)madvise(view, HUGE_PAGE, MADV_HUGEPAGE);
		*(volatile char *)view = 1;
		huge = mapped_huge_kib(view) > 0;
	}
	munmap(room, 2 * HUGE_PAGE);
	return huge;
}

/* The word in brackets of "always within_size advise [never] deny force". */
static bool read_choice(const char *path, char *choice, size_t choice_size)
{
	char line[256], *start, *end;

	if (!read_line(path, line, sizeof line))
		return false;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end)
		return false;
	*end = '\0';
	snprintf(choice, choice_size, "%s", start + 1);
	return true;
}

bool probe_huge_pages(struct text *found)
{
	char all[32] = "", sized[32] = "";
	bool huge = gets_huge_page();

	text_set(found, "a memfd %s 2 MiB pages", huge ? "gets" : "gets no");
	if (read_choice("/sys/kernel/mm/transparent_hugepage/shmem_enabled", all, sizeof all))
		text_add(found, "; shmem_enabled is %s", all);
	if (read_choice("/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled", sized,
		    sizeof sized))
		text_add(found, " (2 MiB: %s)", sized);
	return huge;
}

/* ---- how much ---- */

static uint64_t meminfo_bytes(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[256];

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, key, strlen(key)) == 0) {
			kib = strtoull(line + strlen(key), NULL, 10);
			break;
		}
	if (file)
		fclose(file);
	return kib * 1024;
}

static void lower_to_file(uint64_t *limit, const char *path)
{
	char line[64], *end;
	unsigned long long value;

	if (!read_line(path, line, sizeof line))
		return;
	value = strtoull(line, &end, 10);
	if (end != line && *end == '\0')
		*limit = MIN(*limit, value);
}

/* The limits of a memory cgroup and of those above it. */
static void lower_to_cgroup(uint64_t *limit, const char *mount, char *group, const char *file)
{
	char path[1024];

	for (;;) {
		snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
		lower_to_file(limit, path);
		if (!strrchr(group, '/'))
			return;
		*strrchr(group, '/') = '\0';
	}
}

/* The smallest limit of the caller's memory cgroups, of either version; UINT64_MAX: none. */
static uint64_t cgroup_limit(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t limit = UINT64_MAX;
	char line[512];

	while (file && fgets(line, sizeof line, file)) {
		char *group = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (!group)
			continue;
		if (strncmp(line, "0::", 3) == 0)
			lower_to_cgroup(&limit, "/sys/fs/cgroup", group, "memory.max");
		else if (strstr(line, ":memory:"))
			lower_to_cgroup(&limit, "/sys/fs/cgroup/memory", group,
				"memory.limit_in_bytes");
	}
	if (file)
		fclose(file);
	return limit;
}

bool probe_memory(struct text *found)
{
	uint64_t available = meminfo_bytes("MemAvailable:"), total = meminfo_bytes("MemTotal:");
	uint64_t limit = cgroup_limit(), usable = MIN(available, limit);
	char a[32], b[32];

	text_set(found, "%s available, ", size_format(available, a, sizeof a));
	/* Version 1 writes "no limit" as a number larger than the machine. */
	if (limit < total)
		text_add(found, "cgroup limit %s", size_format(limit, a, sizeof a));
	else
		text_add(found, "no cgroup limit");
	text_add(found, ": default capacity %s",
		size_format(usable / 100 * DEFAULT_PERCENT, b, sizeof b));
	return usable / 100 * DEFAULT_PERCENT >= HUGE_PAGE;
}

bool probe_pressure(struct text *found)
{
	/* Without CAP_SYS_RESOURCE the window must be a multiple of 2 s. */
	static const char trigger[] = "some 50000 2000000";
	CLEANUP_CLOSE int fd = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	bool works = fd >= 0 && write(fd, trigger, sizeof trigger) == sizeof trigger;

	text_set(found, "/proc/pressure/memory: %s", works ? "can be watched" : strerror(errno));
	return works;
}

bool probe_descriptors(struct text *found)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		text_set(found, "getrlimit: %s", strerror(errno));
		return false;
	}
	text_set(found, "RLIMIT_NOFILE: soft %llu, hard %llu", (unsigned long long)limit.rlim_cur,
		(unsigned long long)limit.rlim_max);
	return limit.rlim_max >= WANTED_FDS;
}

bool probe_mappings(struct text *found)
{
	char line[32];

	if (!read_line("/proc/sys/vm/max_map_count", line, sizeof line)) {
		text_set(found, "cannot read vm.max_map_count");
		return false;
	}
	text_set(found, "vm.max_map_count is %s", line);
	return strtoul(line, NULL, 10) >= WANTED_MAPPINGS;
}

bool probe_disk(struct text *found)
{
	char path[sizeof OSTORE_STATEDIR] = OSTORE_STATEDIR, size[32];
	uint64_t free_bytes;
	struct statfs fs;
	bool memory;

	/* The directory may not be there yet: then what it would be made in. */
	while (statfs(path, &fs) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path) {
			text_set(found, "%s: %s", path, strerror(errno));
			return false;
		}
		*slash = '\0';
	}
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	memory = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
	text_set(found, "%s: %s free%s", path, size_format(free_bytes, size, sizeof size),
		memory ? ", but in memory" : "");
	return !memory && free_bytes >= WANTED_DISK;
}
