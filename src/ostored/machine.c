/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects are tmpfs pages: the kernel cannot drop them, and without swap a full
 * cgroup means its OOM killer.  So the room that counts is the smallest on the
 * way from our cgroup to the root.  Page cache that is counted as usage and is
 * inactive will be dropped before anybody is killed, so it counts as room
 * (memory.stat inactive_file, what the kubelet calls the working set).
 */
#include "ostored/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "util/cleanup.h"
#include "util/size.h"
#include "util/text.h"

static void cleanup_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}
#define CLEANUP_FILE __attribute__((cleanup(cleanup_file)))

/* "KEY 123": the number behind the key. */
static bool read_keyed(const char *path, const char *key, uint64_t *numberp)
{
	CLEANUP_FILE FILE *file = fopen(path, "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0, length = strlen(key);

	while (file && getline(&line, &room, file) > 0)
		if (strncmp(line, key, length) == 0 && (line[length] == ' ' || line[length] == ':'))
			return sscanf(line + length + 1, "%" SCNu64, numberp) == 1;
	return false;
}

/* "123", or "max" (false). */
static bool read_number(const char *path, uint64_t *numberp)
{
	CLEANUP_FILE FILE *file = fopen(path, "re");

	return file && fscanf(file, "%" SCNu64, numberp) == 1;
}

struct hierarchy {
	const char *mount, *limit, *usage, *cache;
};

static const struct hierarchy v2[] = {
	{ "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file" },
	{ "sys/fs/cgroup/unified", "memory.max", "memory.current", "inactive_file" },
};
static const struct hierarchy v1 = { "sys/fs/cgroup/memory", "memory.limit_in_bytes",
	"memory.usage_in_bytes", "total_inactive_file" };

/* The tightest of the groups seen so far. */
struct tightest {
	bool limits;
	int64_t room; /* negative: more is used than the limit allows */
	uint64_t limit, usage;
	char *group;
};

static void compare_group(const struct hierarchy *h, const char *directory, const char *group,
	struct tightest *tightest)
{
	CLEANUP_FREE char *limit_path = NULL, *usage_path = NULL, *stat_path = NULL;
	uint64_t limit, usage, cache;

	if (asprintf(&limit_path, "%s/%s", directory, h->limit) < 0)
		limit_path = NULL;
	if (asprintf(&usage_path, "%s/%s", directory, h->usage) < 0)
		usage_path = NULL;
	if (asprintf(&stat_path, "%s/memory.stat", directory) < 0)
		stat_path = NULL;
	if (!limit_path || !usage_path || !stat_path)
		return;
	if (!read_number(limit_path, &limit) || limit > INT64_MAX / 2 ||
		!read_number(usage_path, &usage) || usage > INT64_MAX / 2)
		return;
	if (read_keyed(stat_path, h->cache, &cache))
		usage -= MIN(cache, usage);
	if (tightest->limits && tightest->room <= (int64_t)limit - (int64_t)usage)
		return;
	tightest->limits = true;
	tightest->room = (int64_t)limit - (int64_t)usage;
	tightest->limit = limit;
	tightest->usage = usage;
	free(tightest->group);
	tightest->group = strdup(*group ? group : "/");
}

/* From the process's cgroup up to the mount.  In a container the path may name
 * what only the host sees; the mount itself is then the container's own group,
 * so climbing on when a directory is missing finds it. */
static void climb(const char *root, const struct hierarchy *h, const char *group,
	struct tightest *tightest)
{
	CLEANUP_FREE char *directory = NULL;
	size_t base;
	int n = asprintf(&directory, "%s/%s%s", root, h->mount, group);

	if (n < 0) {
		directory = NULL;
		return;
	}
	base = n - strlen(group);
	for (;;) {
		char *slash;

		compare_group(h, directory, directory + base, tightest);
		slash = strrchr(directory + base, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

static bool names_memory(const char *controllers, size_t length)
{
	while (length > 0) {
		const char *comma = memchr(controllers, ',', length);
		size_t word = comma ? (size_t)(comma - controllers) : length;

		if (word == 6 && memcmp(controllers, "memory", 6) == 0)
			return true;
		controllers += comma ? word + 1 : word;
		length -= comma ? word + 1 : word;
	}
	return false;
}

/* Its name is to be freed, also after an error. */
static int find_tightest(const char *root, struct tightest *tightest)
{
	CLEANUP_FREE char *cgroup = NULL, *line = NULL;
	CLEANUP_FILE FILE *file = NULL;
	size_t room = 0;

	if (asprintf(&cgroup, "%s/proc/self/cgroup", root) < 0) {
		cgroup = NULL;
		return -ENOMEM;
	}
	/* "4:memory:/a/b" (v1) or "0::/a/b" (v2) */
	file = fopen(cgroup, "re");
	while (file && getline(&line, &room, file) > 0) {
		char *controllers = strchr(line, ':');
		char *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		controllers++;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (strcmp(group, "/") == 0)
			*group = '\0';
		if (*controllers == '\0')
			for (size_t i = 0; i < ARRAY_SIZE(v2); i++)
				climb(root, &v2[i], group, tightest);
		else if (names_memory(controllers, strlen(controllers)))
			climb(root, &v1, group, tightest);
	}
	return 0;
}

static int read_meminfo(const char *root, uint64_t *totalp, uint64_t *availablep)
{
	CLEANUP_FREE char *meminfo = NULL;

	if (asprintf(&meminfo, "%s/proc/meminfo", root) < 0) {
		meminfo = NULL;
		return -ENOMEM;
	}
	if (!read_keyed(meminfo, "MemTotal", totalp) || !read_keyed(meminfo, "MemAvailable", availablep))
		return -ENODATA;
	*totalp *= 1024;
	*availablep *= 1024;
	return 0;
}

int machine_memory(const char *root, uint64_t *totalp, uint64_t *availablep)
{
	struct tightest tightest = { .limits = false };
	uint64_t total, available;
	int r = read_meminfo(root, &total, &available);

	if (r == 0)
		r = find_tightest(root, &tightest);
	free(tightest.group);
	if (r < 0)
		return r;
	if (tightest.limits)
		available = MIN(available, (uint64_t)MAX(tightest.room, 0));
	*totalp = total;
	*availablep = available;
	return 0;
}

int64_t machine_room(const char *root, uint64_t min_free, bool is_oversized, struct text *why)
{
	struct tightest tightest = { .limits = false };
	char size[2][32];
	int64_t room = INT64_MAX;
	uint64_t total, available;

	(void)find_tightest(root, &tightest);
	if (tightest.limits) {
		room = tightest.room - MACHINE_RESERVE;
		text_set(why, "memory cgroup %s is limited to %s, of which %s are used",
			tightest.group ? tightest.group : "",
			size_format(tightest.limit, size[0], sizeof size[0]),
			size_format(tightest.usage, size[1], sizeof size[1]));
	}
	free(tightest.group);
	if ((min_free > 0 || is_oversized) && read_meminfo(root, &total, &available) == 0 &&
		(int64_t)available - (int64_t)MIN(min_free, (uint64_t)INT64_MAX / 2) < room) {
		room = (int64_t)available - (int64_t)MIN(min_free, (uint64_t)INT64_MAX / 2);
		if (min_free > 0)
			text_set(why, "min_free: %s must stay free, and %s are available",
				size_format(min_free, size[0], sizeof size[0]),
				size_format(available, size[1], sizeof size[1]));
		else
			text_set(why, "the machine has %s in all, of which %s are available",
				size_format(total, size[0], sizeof size[0]),
				size_format(available, size[1], sizeof size[1]));
	}
	return room;
}

uint64_t machine_descriptors(uint64_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur >= wanted)
		return limit.rlim_cur;
	if (limit.rlim_max < wanted) {
		struct rlimit more = { .rlim_cur = wanted, .rlim_max = wanted };

		/* CAP_SYS_RESOURCE, below fs.nr_open */
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return wanted;
		wanted = limit.rlim_max;
	}
	limit.rlim_cur = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return wanted;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}
