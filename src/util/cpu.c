/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread more than there are CPUs only gets in the way of the others, and in a
 * container whose time is used up it stands still with the work it has taken.
 * So a quota counts like an affinity: the smallest on the way from our cgroup to
 * the root.
 */
#include "util/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

static void cleanup_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}
#define CLEANUP_FILE __attribute__((cleanup(cleanup_file)))

/* "200000 100000" (v2), or the same numbers in two files (v1); "max" and -1: no limit. */
static bool read_quota(const char *directory, bool v2, long long *quotap, long long *periodp)
{
	char path[PATH_MAX];
	const char *names[] = { v2 ? "cpu.max" : "cpu.cfs_quota_us", "cpu.cfs_period_us" };
	long long *numbers[] = { quotap, periodp };

	for (int i = 0; i < (v2 ? 1 : 2); i++) {
		CLEANUP_FILE FILE *file = NULL;
		int n = snprintf(path, sizeof path, "%s/%s", directory, names[i]);

		if (n < 0 || (size_t)n >= sizeof path)
			return false;
		file = fopen(path, "re");
		if (!file)
			return false;
		if (v2)
			return fscanf(file, "%lld %lld", quotap, periodp) == 2;
		if (fscanf(file, "%lld", numbers[i]) != 1)
			return false;
	}
	return true;
}

/* In a container the path may name what only the host sees; the mount itself is then the
 * container's own group, so climbing on when a directory is missing finds it. */
static unsigned int climb(const char *mount, const char *group, bool v2)
{
	unsigned int least = UINT_MAX;
	char directory[PATH_MAX];
	size_t base = strlen(mount);
	int n = snprintf(directory, sizeof directory, "%s%s", mount, group);

	if (n < 0 || (size_t)n >= sizeof directory)
		return least;
	for (;;) {
		long long quota, period;
		char *slash;

		if (read_quota(directory, v2, &quota, &period) && quota > 0 && period > 0)
			least = (unsigned int)MIN((long long)least,
				MAX((quota + period - 1) / period, 1LL));
		slash = strrchr(directory + base, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Is "cpu" among "cpu,cpuacct"? */
static bool names_cpu(const char *controllers)
{
	for (;;) {
		size_t length = strcspn(controllers, ",");

		if (length == 3 && memcmp(controllers, "cpu", 3) == 0)
			return true;
		if (!controllers[length])
			return false;
		controllers += length + 1;
	}
}

unsigned int cpu_quota(const char *root)
{
	static const char *const v2[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	CLEANUP_FREE char *line = NULL;
	CLEANUP_FILE FILE *file = NULL;
	unsigned int least = UINT_MAX;
	char path[PATH_MAX];
	size_t room = 0;

	(void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
	file = fopen(path, "re");
	/* "4:cpu,cpuacct:/a/b" (v1) or "0::/a/b" (v2) */
	while (file && getline(&line, &room, file) > 0) {
		char *controllers = strchr(line, ':');
		char *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		controllers++;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		for (size_t i = 0; !*controllers && i < ARRAY_SIZE(v2); i++) {
			(void)snprintf(path, sizeof path, "%s%s", root, v2[i]);
			least = MIN(least, climb(path, group, true));
		}
		if (names_cpu(controllers)) {
			(void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu", root);
			least = MIN(least, climb(path, group, false));
		}
	}
	return least;
}

unsigned int cpu_count(void)
{
	static _Atomic unsigned int known; /* 0: not asked yet.  Relaxed: all writers agree */
	unsigned int quota = atomic_load_explicit(&known, memory_order_relaxed);
	cpu_set_t cpus;
	int n = 1;

	if (quota == 0) {
		quota = cpu_quota("");
		atomic_store_explicit(&known, quota, memory_order_relaxed);
	}
	if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
		n = CPU_COUNT(&cpus);
	return MIN(quota, (unsigned int)MAX(n, 1));
}
