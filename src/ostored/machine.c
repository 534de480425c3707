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

static void cut_to_room(const struct hierarchy *h, const char *directory, uint64_t *availablep)
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
	if (!read_number(limit_path, &limit) || !read_number(usage_path, &usage))
		return;
	if (read_keyed(stat_path, h->cache, &cache))
		usage -= MIN(cache, usage);
	*availablep = MIN(*availablep, limit > usage ? limit - usage : 0);
}

/* From the process's cgroup up to the mount.  In a container the path may name
 * what only the host sees; the mount itself is then the container's own group,
 * so climbing on when a directory is missing finds it. */
static void climb(const char *root, const struct hierarchy *h, const char *group,
	uint64_t *availablep)
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

		cut_to_room(h, directory, availablep);
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

int machine_memory(const char *root, uint64_t *totalp, uint64_t *availablep)
{
	CLEANUP_FREE char *meminfo = NULL, *cgroup = NULL, *line = NULL;
	CLEANUP_FILE FILE *file = NULL;
	uint64_t total, available;
	size_t room = 0;

	if (asprintf(&meminfo, "%s/proc/meminfo", root) < 0) {
		meminfo = NULL;
		return -ENOMEM;
	}
	if (asprintf(&cgroup, "%s/proc/self/cgroup", root) < 0) {
		cgroup = NULL;
		return -ENOMEM;
	}
	if (!read_keyed(meminfo, "MemTotal", &total) || !read_keyed(meminfo, "MemAvailable", &available))
		return -ENODATA;
	total *= 1024;
	available *= 1024;

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
				climb(root, &v2[i], group, &available);
		else if (names_memory(controllers, strlen(controllers)))
			climb(root, &v1, group, &available);
	}
	*totalp = total;
	*availablep = available;
	return 0;
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
