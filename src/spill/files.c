/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spill/format.h"
#include "spill/view.h"
#include "util/cleanup.h"

#define DEFAULT_FUSE_SIZE (UINT64_C(64) << 20)
#define ALONE_PART        4 /* of fuse_size: an object this large gets a file of its own */
#define ALLOCATE_LEAST    (UINT64_C(1) << 20) /* less is not worth a system call before it is written */

/* ---- the table; call with the lock held ---- */

static struct spill_file *find(struct files *files, uint16_t directory, uint32_t number)
{
	struct hash_node *node;

	hash_map_for_each(node, &files->files, hash_number(number)) {
		struct spill_file *file = container_of(node, struct spill_file, node);

		if (file->number == number && file->directory == directory)
			return file;
	}
	return NULL;
}

static void take(struct files *files, uint16_t directory, uint64_t bytes)
{
	files->directories[directory].used += bytes;
	files->taken += bytes;
}

static void give_back(struct files *files, uint16_t directory, uint64_t bytes)
{
	assert(files->directories[directory].used >= bytes);
	files->directories[directory].used -= bytes;
	files->taken -= bytes;
}

static struct spill_file *add(struct files *files, uint16_t directory, uint32_t number)
{
	struct spill_file *file = calloc(1, sizeof *file);

	if (!file)
		return NULL;
	file->number = number;
	file->directory = directory;
	file->fd = -1;
	hash_map_add(&files->files, &file->node, hash_number(number));
	list_add_tail(&files->all, &file->link);
	return file;
}

static void forget_file(struct files *files, struct spill_file *file)
{
	give_back(files, file->directory, file->end - file->gone);
	hash_map_remove(&files->files, &file->node);
	list_remove(&file->link);
	if (file->fd >= 0)
		(void)close(file->fd);
	free(file);
}

/* A file that nobody writes to nor reads from any more leaves the table. */
static struct chore drop_if_dead(struct files *files, struct spill_file *file)
{
	struct chore chore = { .type = CHORE_NONE };

	if (!file->complete || file->n_writers > 0)
		return chore;
	if (file->fd >= 0)
		(void)close(file->fd);
	file->fd = -1;
	if (file->n_live > 0)
		return chore;
	chore = (struct chore){ .type = CHORE_UNLINK, .directory = file->directory, .number = file->number };
	forget_file(files, file);
	return chore;
}

static struct chore punch(uint16_t directory, uint32_t number, uint64_t offset, uint64_t length)
{
	return (struct chore){
		.type = CHORE_PUNCH,
		.directory = directory,
		.number = number,
		.offset = offset,
		.length = length,
	};
}

/* ---- the life of the store ---- */

struct scan {
	struct files *files;
	uint16_t directory;
	unsigned int n_removed;
	int result;
};

static void scan_found(void *context, const char *name, uint32_t number, bool aside)
{
	struct scan *scan = context;
	struct files *files = scan->files;
	struct spill_file *file;
	struct stat st;

	if (number >= files->next_number && number < UINT32_MAX)
		files->next_number = number + 1;
	if (aside || fstatat(files->directories[scan->directory].fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISREG(st.st_mode))
		return;
	file = add(files, scan->directory, number);
	if (!file) {
		scan->result = -ENOMEM;
		return;
	}
	file->found = file->complete = true;
	file->end = (uint64_t)st.st_size;
	if ((uint64_t)st.st_blocks * 512 < file->end)
		file->gone = file->end - (uint64_t)st.st_blocks * 512;
	take(files, scan->directory, file->end - file->gone);
}

int files_init(struct files *files, const struct spill_options *options, struct text *errorp)
{
	*files = (struct files){
		.store = options->store,
		.fuse_size = options->fuse_size ? options->fuse_size : DEFAULT_FUSE_SIZE,
		.sync = options->sync == SPILL_SYNC_DATA,
		.faults = options->faults,
		.files = HASH_MAP_INIT,
		.next_number = 1,
	};
	list_init(&files->all);
	pthread_mutex_init(&files->append, NULL);
	pthread_mutex_init(&files->lock, NULL);
	if (options->n_directories == 0 || options->n_directories > SPILL_MAX_DIRECTORIES) {
		text_set(errorp, "between 1 and %d spill directories", SPILL_MAX_DIRECTORIES);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < options->n_directories; i++) {
		struct scan scan = { .files = files, .directory = (uint16_t)i };
		int r = directory_open(&files->directories[i], &options->directories[i],
			&options->store, options->is_private, errorp);

		if (r < 0)
			return r;
		files->n_directories++;
		r = directory_list(&files->directories[i], scan_found, &scan);
		if (r == 0)
			r = scan.result;
		if (r < 0) {
			text_set(errorp, "spill directory %s: %s", options->directories[i].path, strerror(-r));
			return r;
		}
	}
	return 0;
}

void files_deinit(struct files *files, bool remove)
{
	while (!list_empty(&files->all))
		forget_file(files, list_first(&files->all, struct spill_file, link));
	for (unsigned int i = 0; i < files->n_directories; i++)
		directory_close(&files->directories[i], remove);
	hash_map_deinit(&files->files);
	pthread_mutex_destroy(&files->append);
	pthread_mutex_destroy(&files->lock);
}

static int check_head(struct files *files, const struct spill_file *file)
{
	struct disk_place place = { .directory = file->directory, .file = file->number };
	struct format_head head;
	CLEANUP_CLOSE int fd = -1;
	char name[FILE_NAME_SIZE];
	int r;

	fd = openat(files->directories[place.directory].fd, file_name(name, place.file, false),
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = memory_read(fd, &head, sizeof head, 0);
	if (r < 0)
		return r == -EIO ? -EBADMSG : r; /* shorter */
	return format_head_check(&head, &files->store, file->number);
}

int files_claim(struct files *files, const struct disk_place *place)
{
	struct spill_file *file = NULL;
	bool fused = place->flags & DISK_PLACE_FUSED;
	int r;

	if (place->directory < files->n_directories)
		file = find(files, place->directory, place->file);
	if (!file)
		return -ENOENT;
	if (place->offset > file->end || place->stored > file->end - place->offset)
		return -EBADMSG;
	if (!file->checked) {
		r = check_head(files, file);
		if (r < 0)
			return r;
		file->checked = true;
		file->alone = !fused;
	}
	if (file->alone == fused || (file->alone && file->n_live > 0))
		return -EBADMSG;
	file->found = false;
	file->live += place->stored;
	file->n_live++;
	files->live += place->stored;
	files->n_live++;
	return 0;
}

static void sweep_found(void *context, const char *name, uint32_t number, bool aside)
{
	struct scan *scan = context;
	struct files *files = scan->files;
	struct spill_file *file = find(files, scan->directory, number);

	if (!aside && file && !file->found)
		return;
	if (unlinkat(files->directories[scan->directory].fd, name, 0) == 0)
		scan->n_removed++;
	if (!aside && file)
		forget_file(files, file);
}

unsigned int files_sweep(struct files *files)
{
	struct scan scan = { .files = files };

	for (; scan.directory < files->n_directories; scan.directory++)
		(void)directory_list(&files->directories[scan.directory], sweep_found, &scan);
	return scan.n_removed;
}

/* ---- writing ---- */

bool files_alone(const struct files *files, uint64_t size)
{
	return size >= files->fuse_size / ALONE_PART;
}

static int sync_file(struct files *files, int fd)
{
	int r = io_fault(files->faults, IO_SYNC, 0, 0);

	if (!files->sync || r < 0)
		return r;
	return fdatasync(fd) < 0 ? -errno : 0;
}

/* From NUMBER.new to NUMBER.spill, with what is in it.  Return: 0 or negative errno. */
static int publish(struct files *files, const struct spill_file *file)
{
	int directory = files->directories[file->directory].fd, r;
	char aside[FILE_NAME_SIZE], name[FILE_NAME_SIZE];

	r = sync_file(files, file->fd);
	if (r == 0)
		r = io_fault(files->faults, IO_RENAME, 0, 0);
	if (r == 0 && renameat(directory, file_name(aside, file->number, true), directory,
			      file_name(name, file->number, false)) < 0)
		r = -errno;
	if (r == 0 && files->sync && fsync(directory) < 0)
		r = -errno;
	return r;
}

static int write_head(struct files *files, const struct spill_file *file)
{
	CLEANUP_FREE void *block = NULL;
	int r;

	if (posix_memalign(&block, IO_ALIGNMENT, sizeof(struct format_head)) != 0)
		return -ENOMEM;
	format_head_make(block, &files->store, file->number);
	r = io_fault(files->faults, IO_WRITE, 0, sizeof(struct format_head));
	return r < 0 ? r : memory_write(file->fd, block, sizeof(struct format_head), 0);
}

/* A new file, aside, with a head.  Return: 0 or negative errno; *filep is in the table then. */
static int start_file(struct files *files, struct spill_file **filep, uint16_t directory, bool alone)
{
	const struct directory *in = &files->directories[directory];
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | (in->direct ? O_DIRECT : 0), r;
	struct spill_file *file;
	char name[FILE_NAME_SIZE];

	pthread_mutex_lock(&files->lock);
	file = add(files, directory, files->next_number);
	if (file) {
		files->next_number++;
		file->alone = alone;
		file->end = FORMAT_BLOCK;
		take(files, directory, FORMAT_BLOCK);
	}
	pthread_mutex_unlock(&files->lock);
	if (!file)
		return -ENOMEM;
	file_name(name, file->number, true);
	r = io_fault(files->faults, IO_CREATE, 0, 0);
	if (r == 0) {
		file->fd = openat(in->fd, name, flags, 0600);
		r = file->fd < 0 ? -errno : write_head(files, file);
	}
	if (r < 0) {
		(void)unlinkat(in->fd, name, 0);
		pthread_mutex_lock(&files->lock);
		forget_file(files, file);
		pthread_mutex_unlock(&files->lock);
		return r;
	}
	*filep = file;
	return 0;
}

static void give_region(struct files *files, struct region *region, struct spill_file *file, uint64_t length)
{
	pthread_mutex_lock(&files->lock);
	file->n_writers++;
	*region = (struct region){
		.file = file,
		.fd = file->fd,
		.direct = files->directories[file->directory].direct,
		.offset = file->end,
		.length = length,
	};
	file->end += length;
	take(files, file->directory, length);
	pthread_mutex_unlock(&files->lock);
}

/* Nothing is appended to it any more. */
static void complete(struct files *files, struct spill_file *file)
{
	struct chore chore;

	pthread_mutex_lock(&files->lock);
	file->complete = true;
	chore = drop_if_dead(files, file);
	pthread_mutex_unlock(&files->lock);
	files_do(files, &chore);
}

/* Return: 0 or negative errno. */
static int append(struct files *files, struct region *region, uint16_t directory, uint64_t length)
{
	struct spill_file **at = &files->appended[directory], *file;
	bool enough = false;
	int r = 0;

	pthread_mutex_lock(&files->append);
	if (*at) {
		pthread_mutex_lock(&files->lock);
		enough = (*at)->complete || (*at)->end + length > files->fuse_size + FORMAT_BLOCK;
		pthread_mutex_unlock(&files->lock);
	}
	if (enough) {
		file = *at;
		*at = NULL;
		complete(files, file);
	}
	if (!*at) {
		r = start_file(files, &file, directory, false);
		if (r == 0) {
			r = publish(files, file);
			*at = file;
		}
		if (r < 0 && *at) {
			struct disk_place place = { .directory = directory, .file = file->number };
			char name[FILE_NAME_SIZE];

			(void)unlinkat(files->directories[directory].fd,
				file_name(name, place.file, true), 0);
			*at = NULL;
			complete(files, file); /* unlinked, if it had got its name */
		}
	}
	if (r == 0)
		give_region(files, region, *at, length);
	pthread_mutex_unlock(&files->append);
	return r;
}

static int allocate(struct files *files, const struct region *region)
{
	int r = io_fault(files->faults, IO_ALLOCATE, region->offset, 0);

	if (r < 0 || region->length < ALLOCATE_LEAST)
		return r;
	do
		r = fallocate(region->fd, 0, (off_t)region->offset, (off_t)region->length) < 0 ? -errno : 0;
	while (r == -EINTR);
	return r == -EOPNOTSUPP || r == -ENOSYS ? 0 : r; /* then writing tells */
}

static int allot_in(struct files *files, struct region *region, uint16_t directory, uint64_t length,
	bool alone)
{
	struct spill_file *file;
	int r;

	if (alone) {
		r = start_file(files, &file, directory, true);
		if (r == 0)
			give_region(files, region, file, length);
	} else {
		r = append(files, region, directory, length);
	}
	if (r < 0)
		return r;
	r = allocate(files, region);
	if (r < 0)
		files_abandon(files, region, 0);
	return r;
}

int files_allot(struct files *files, struct region *region, uint64_t length, bool alone,
	struct text *errorp)
{
	uint64_t disk_free[SPILL_MAX_DIRECTORIES], refused = 0, need = length + FORMAT_BLOCK;

	for (;;) {
		int directory, r;

		for (unsigned int i = 0; i < files->n_directories; i++)
			disk_free[i] = directory_disk_free(&files->directories[i]);
		pthread_mutex_lock(&files->lock);
		directory = directories_choose(
			files->directories, files->n_directories, disk_free, need, refused);
		if (directory < 0)
			directories_say_full(
				files->directories, files->n_directories, disk_free, need, errorp);
		pthread_mutex_unlock(&files->lock);
		if (directory < 0)
			return -ENOSPC;
		r = allot_in(files, region, (uint16_t)directory, length, alone);
		if (r == 0)
			return 0;
		if (r != -ENOSPC && r != -EDQUOT) {
			text_set(errorp, "spill directory %s: a file cannot be written: %s",
				files->directories[directory].parent, strerror(-r));
			return r;
		}
		refused |= UINT64_C(1) << directory; /* it promised too much */
	}
}

static void remove_names(struct files *files, const struct spill_file *file)
{
	int directory = files->directories[file->directory].fd;
	char name[FILE_NAME_SIZE];

	(void)unlinkat(directory, file_name(name, file->number, true), 0);
	(void)unlinkat(directory, file_name(name, file->number, false), 0);
}

void files_abandon(struct files *files, struct region *region, int error)
{
	struct spill_file *file = region->file;
	struct chore chore;

	if (file->alone)
		remove_names(files, file);
	pthread_mutex_lock(&files->lock);
	file->n_writers--;
	if (file->alone || error) /* a disk that lost one write is not asked to keep the next */
		file->complete = true;
	give_back(files, file->directory, region->length);
	if (!file->complete && file->end == region->offset + region->length)
		file->end -= region->length;
	else
		file->gone += region->length;
	chore = drop_if_dead(files, file);
	if (chore.type == CHORE_NONE)
		chore = punch(file->directory, file->number, region->offset, region->length);
	pthread_mutex_unlock(&files->lock);
	files_do(files, &chore);
	region->file = NULL;
}

int files_commit(struct files *files, struct region *region, uint64_t used, uint64_t live,
	uint64_t n_live, struct text *errorp)
{
	struct spill_file *file = region->file;
	uint64_t rest = region->length - used;
	int r = 0;

	if (file->alone) {
		if (rest > 0 && ftruncate(file->fd, (off_t)(region->offset + used)) < 0)
			r = -errno;
		if (r == 0)
			r = publish(files, file);
	} else {
		r = sync_file(files, file->fd);
	}
	if (r < 0) {
		struct disk_place place = { .directory = file->directory, .file = file->number };

		files_say_where(files, &place, errorp);
		text_add(errorp, ": %s", strerror(-r));
		files_abandon(files, region, r);
		return r;
	}
	pthread_mutex_lock(&files->lock);
	file->n_writers--;
	file->live += live;
	file->n_live += n_live;
	files->live += live;
	files->n_live += n_live;
	if (file->alone)
		file->complete = true;
	if (file->end == region->offset + region->length) {
		file->end -= rest;
		give_back(files, file->directory, rest);
	}
	(void)drop_if_dead(files, file); /* not dead; but nobody writes to it any more, perhaps */
	pthread_mutex_unlock(&files->lock);
	region->file = NULL;
	return 0;
}

/* ---- reading and forgetting ---- */

int files_open(struct files *files, const struct disk_place *place, bool *directp)
{
	const struct directory *directory;
	char name[FILE_NAME_SIZE];
	int fd, r;

	if (place->directory >= files->n_directories)
		return -ENOENT;
	directory = &files->directories[place->directory];
	r = io_fault(files->faults, IO_OPEN, 0, 0);
	if (r < 0)
		return r;
	fd = openat(directory->fd, file_name(name, place->file, false),
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (directory->direct ? O_DIRECT : 0));
	*directp = directory->direct;
	return fd < 0 ? -errno : fd;
}

struct chore files_forget(struct files *files, const struct disk_place *place)
{
	struct chore chore = { .type = CHORE_NONE };
	struct spill_file *file = NULL;

	pthread_mutex_lock(&files->lock);
	if (place->directory < files->n_directories)
		file = find(files, place->directory, place->file);
	if (file && file->n_live > 0 && file->live >= place->stored) {
		file->live -= place->stored;
		file->n_live--;
		files->live -= place->stored;
		files->n_live--;
		chore = drop_if_dead(files, file);
		if (chore.type == CHORE_NONE && !(place->flags & DISK_PLACE_PACKED)) {
			file->gone += place->stored;
			give_back(files, file->directory, place->stored);
			chore = punch(place->directory, place->file, place->offset, place->stored);
		}
	}
	pthread_mutex_unlock(&files->lock);
	return chore;
}

void files_do(struct files *files, const struct chore *chore)
{
	int directory = files->directories[chore->directory].fd, fd;
	char name[FILE_NAME_SIZE];

	file_name(name, chore->number, false);
	switch (chore->type) {
	case CHORE_NONE:
		break;
	case CHORE_UNLINK:
		if (io_fault(files->faults, IO_UNLINK, 0, 0) == 0)
			(void)unlinkat(directory, name, 0); /* what stays is swept at the next start */
		break;
	case CHORE_PUNCH:
		fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			break; /* unlinked since */
		if (io_fault(files->faults, IO_PUNCH, chore->offset, 0) == 0)
			(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)chore->offset, (off_t)chore->length);
		(void)close(fd);
		break;
	}
}

bool files_fullest_of_dead(struct files *files, uint16_t *directoryp, uint32_t *filep)
{
	uint64_t most = 0;
	struct list *node;

	pthread_mutex_lock(&files->lock);
	list_for_each(node, &files->all) {
		const struct spill_file *file = container_of(node, struct spill_file, link);
		uint64_t takes = file->end - file->gone, dead = takes - MIN(takes, FORMAT_BLOCK + file->live);

		if (!file->complete || file->alone || file->n_live == 0 || dead <= takes / 2 || dead <= most)
			continue;
		most = dead;
		*directoryp = file->directory;
		*filep = file->number;
	}
	pthread_mutex_unlock(&files->lock);
	return most > 0;
}

void files_statistics(struct files *files, struct spill_statistics *statistics)
{
	uint64_t disk_free[SPILL_MAX_DIRECTORIES];

	for (unsigned int i = 0; i < files->n_directories; i++)
		disk_free[i] = directory_disk_free(&files->directories[i]);
	pthread_mutex_lock(&files->lock);
	statistics->objects = files->n_live;
	statistics->live_bytes = files->live;
	statistics->file_bytes = files->taken;
	statistics->files = (uint32_t)files->files.n;
	statistics->direct = true;
	for (unsigned int i = 0; i < files->n_directories; i++) {
		statistics->free_bytes += directory_free(&files->directories[i], disk_free[i]);
		if (!files->directories[i].direct)
			statistics->direct = false;
	}
	pthread_mutex_unlock(&files->lock);
}

void files_say_where(const struct files *files, const struct disk_place *place, struct text *text)
{
	char name[FILE_NAME_SIZE];

	text_set(text, "%s/%s",
		place->directory < files->n_directories ? files->directories[place->directory].path
							 : "(no such directory)",
		file_name(name, place->file, false));
}
