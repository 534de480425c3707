/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/size.h"

#define PRIVATE_PREFIX "ostore-private-"
#define PREFIX         "ostore-"
#define OPEN_FLAGS     (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

char *file_name(char name[FILE_NAME_SIZE], uint32_t number, bool aside)
{
	(void)snprintf(name, FILE_NAME_SIZE, "%08x.%s", number, aside ? "new" : "spill");
	return name;
}

/* Is it the name of a file of ours? */
static bool parse_name(const char *name, uint32_t *numberp, bool *asidep)
{
	char again[FILE_NAME_SIZE], *end;
	unsigned long number;

	if (strlen(name) < 9 || name[8] != '.')
		return false;
	number = strtoul(name, &end, 16);
	*asidep = strcmp(name + 8, ".new") == 0;
	*numberp = (uint32_t)number;
	return end == name + 8 && strcmp(file_name(again, *numberp, *asidep), name) == 0;
}

static int list(int fd, void (*found)(void *context, const char *name, uint32_t number, bool aside),
	void *context)
{
	int again = openat(fd, ".", OPEN_FLAGS);
	DIR *stream = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *entry;

	if (!stream) {
		int r = -errno;

		if (again >= 0)
			(void)close(again);
		return r;
	}
	while ((entry = readdir(stream))) {
		uint32_t number;
		bool aside;

		if (parse_name(entry->d_name, &number, &aside))
			found(context, entry->d_name, number, aside);
	}
	(void)closedir(stream);
	return 0;
}

int directory_list(const struct directory *directory,
	void (*found)(void *context, const char *name, uint32_t number, bool aside), void *context)
{
	return list(directory->fd, found, context);
}

static void unlink_one(void *context, const char *name, uint32_t number, bool aside)
{
	(void)unlinkat(*(int *)context, name, 0);
}

/* Ours alone?  In /tmp anybody can make a directory of any name. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

/* Is it still in the file system?  One that removes dead stores may have been quicker than our lock. */
static bool is_linked(int fd, int parent, const char *name)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static void remove_if_dead(int parent, const char *name)
{
	CLEANUP_CLOSE int fd = openat(parent, name, OPEN_FLAGS);

	if (fd < 0 || !is_ours(fd) || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_linked(fd, parent, name))
		return;
	(void)list(fd, unlink_one, &fd);
	(void)unlinkat(parent, name, AT_REMOVEDIR); /* stays if somebody put something there */
}

/* @own: that may be of a dead one whose heir we are */
static void remove_dead(int parent, const char *own)
{
	int again = openat(parent, ".", OPEN_FLAGS);
	DIR *stream = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *entry;
	struct id128 id;

	if (!stream) {
		if (again >= 0)
			(void)close(again);
		return;
	}
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, own) != 0 &&
			strncmp(entry->d_name, PRIVATE_PREFIX, strlen(PRIVATE_PREFIX)) == 0 &&
			id128_parse(&id, entry->d_name + strlen(PRIVATE_PREFIX)) == 0)
			remove_if_dead(parent, entry->d_name);
	}
	(void)closedir(stream);
}

/* The store's own directory, locked.  Return: descriptor or negative errno. */
static int open_own(int parent, const char *name, struct text *errorp)
{
	for (;;) {
		CLEANUP_CLOSE int fd = -1;

		if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST) {
			int r = -errno;

			text_set(errorp, "cannot make a directory: %s", strerror(-r));
			return r;
		}
		fd = openat(parent, name, OPEN_FLAGS);
		if (fd < 0 && errno == ENOENT)
			continue; /* removed before it was locked */
		if (fd < 0 || !is_ours(fd)) {
			text_set(errorp, "%s is there, and not a directory of this user alone: remove it", name);
			return -EPERM;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int r = errno == EWOULDBLOCK ? -EBUSY : -errno;

			text_set(errorp, "%s is locked: another broker serves this store", name);
			if (r != -EBUSY)
				text_set(errorp, "%s cannot be locked: %s", name, strerror(-r));
			return r;
		}
		if (is_linked(fd, parent, name))
			return TAKE_FD(fd);
	}
}

/* Return: whether O_DIRECT is believed to work, or negative errno: no file can be made. */
static int try_direct(int fd, struct text *errorp)
{
	char name[FILE_NAME_SIZE];
	void *block = NULL;
	int file, r = 1;

	file_name(name, 0, true);
	file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file < 0) {
		r = -errno;
		text_set(errorp, "cannot make a file: %s", strerror(-r));
		return r;
	}
	(void)close(file);
	file = openat(fd, name, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (file < 0)
		r = 0;
	else if (posix_memalign(&block, IO_ALIGNMENT, IO_ALIGNMENT) == 0) {
		memset(block, 0, IO_ALIGNMENT);
		if (pwrite(file, block, IO_ALIGNMENT, 0) < 0 && errno == EINVAL)
			r = 0;
	}
	free(block);
	if (file >= 0)
		(void)close(file);
	(void)unlinkat(fd, name, 0);
	return r;
}

int directory_open(struct directory *directory, const struct spill_directory *wish,
	const struct id128 *store, bool is_private, struct text *errorp)
{
	char name[sizeof PRIVATE_PREFIX + ID128_TEXT_SIZE], hex[ID128_TEXT_SIZE];
	CLEANUP_CLOSE int parent = open(wish->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct text why = TEXT_INIT;
	int r;

	*directory = DIRECTORY_NONE;
	(void)snprintf(name, sizeof name, "%s%s", is_private ? PRIVATE_PREFIX : PREFIX,
		id128_format(store, hex));
	if (parent < 0) {
		r = -errno;
		text_set(errorp, "spill directory %s: %s%s", wish->path, strerror(-r),
			r == -ENOENT ? "; make it, and give it to the broker's user" : "");
		return r;
	}
	remove_dead(parent, name);
	if (wish->inherited > 0 && is_ours(wish->inherited) && is_linked(wish->inherited, parent, name))
		directory->fd = wish->inherited; /* with its lock */
	else
		directory->fd = open_own(parent, name, &why);
	r = directory->fd < 0 ? directory->fd : try_direct(directory->fd, &why);
	if (r < 0) {
		text_set(errorp, "spill directory %s: %s", wish->path, why.bytes);
		directory_close(directory, false);
		return r;
	}
	directory->direct = r;
	directory->max_bytes = wish->max_bytes ? wish->max_bytes : UINT64_MAX;
	directory->min_free = wish->min_free;
	directory->parent = strdup(wish->path);
	if (!directory->parent || asprintf(&directory->path, "%s/%s", wish->path, name) < 0) {
		directory->path = NULL;
		directory_close(directory, false);
		text_set(errorp, "spill directory %s: %s", wish->path, strerror(ENOMEM));
		return -ENOMEM;
	}
	return 0;
}

void directory_close(struct directory *directory, bool remove)
{
	if (remove && directory->fd >= 0)
		(void)list(directory->fd, unlink_one, &directory->fd);
	if (directory->path)
		(void)rmdir(directory->path); /* stays while anything is in it */
	if (directory->fd >= 0)
		(void)close(directory->fd);
	free(directory->path);
	free(directory->parent);
	*directory = DIRECTORY_NONE;
}

uint64_t directory_disk_free(const struct directory *directory)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (fstatvfs(directory->fd, &fs) < 0)
		return 0;
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return free_bytes > directory->min_free ? free_bytes - directory->min_free : 0;
}

uint64_t directory_free(const struct directory *directory, uint64_t disk_free)
{
	if (directory->used >= directory->max_bytes)
		return 0;
	return MIN(disk_free, directory->max_bytes - directory->used);
}

int directories_choose(struct directory *directories, unsigned int n, const uint64_t *disk_free,
	uint64_t need, uint64_t refused)
{
	uint64_t total = 0;
	int best = -ENOSPC;

	for (unsigned int i = 0; i < n; i++) {
		struct directory *directory = &directories[i];
		/* in MiB, so that no credit overflows */
		uint64_t free_bytes = directory_free(directory, disk_free[i]), weight = free_bytes >> 20;

		if (free_bytes < need || (refused & UINT64_C(1) << i))
			continue;
		directory->credit += weight;
		total += weight;
		if (best < 0 || directory->credit > directories[best].credit)
			best = (int)i;
	}
	if (best >= 0)
		directories[best].credit -= MIN(total, directories[best].credit);
	return best;
}

void directories_say_full(const struct directory *directories, unsigned int n,
	const uint64_t *disk_free, uint64_t need, struct text *text)
{
	char a[32], b[32];

	text_set(text, "no room on disk for %s:", size_format(need, a, sizeof a));
	for (unsigned int i = 0; i < n; i++) {
		const struct directory *directory = &directories[i];

		text_add(text, "%s %s has %s", i > 0 ? "," : "", directory->parent,
			size_format(directory_free(directory, disk_free[i]), a, sizeof a));
		if (directory->max_bytes != UINT64_MAX)
			text_add(text, " (%s of its %s used)", size_format(directory->used, a, sizeof a),
				size_format(directory->max_bytes, b, sizeof b));
		if (directory->min_free > 0)
			text_add(text, " besides the %s that stay free",
				size_format(directory->min_free, a, sizeof a));
	}
	text_add(text, "; delete objects, or give it more room (spill)");
}
