/* SPDX-License-Identifier: GPL-2.0-or-later */
#undef NDEBUG
#include "spill-world.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ds/hash.h"
#include "util/cleanup.h"

void world_init(struct world *world, const char *where)
{
	*world = (struct world){ .spill = NULL };
	for (int i = 0; i < 2; i++) {
		(void)snprintf(world->paths[i], sizeof world->paths[i], "%s/spill-%d-XXXXXX", where, i);
		ck_assert_ptr_nonnull(mkdtemp(world->paths[i]));
		world->directories[i].path = world->paths[i];
	}
	world->options = (struct spill_options){
		.store = { .bytes = "a store for test" },
		.directories = world->directories,
		.n_directories = 1,
		.fuse_size = 4 * MIB,
	};
}

void world_open(struct world *world)
{
	struct text error = TEXT_INIT;
	int r = spill_open(&world->spill, &world->options, &error);

	ck_assert_msg(r == 0, "%s", error.bytes);
}

void world_close(struct world *world, bool keep)
{
	world->spill = spill_close(world->spill, keep);
}

void world_deinit(struct world *world)
{
	world_close(world, false);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(rmdir(world->paths[i]) == 0, "%s: %s", world->paths[i], strerror(errno));
}

struct object make_object(uint64_t size, unsigned int seed)
{
	struct object object = { .size = size, .seed = seed };

	memcpy(object.id.bytes, &seed, sizeof seed);
	memcpy(object.id.bytes + 8, &size, sizeof size);
	return object;
}

static uint64_t word(const struct object *object, uint64_t i)
{
	return object->seed % 2 ? hash_number(i * 1000003 + object->seed) : 1000000 + i + object->seed;
}

/* Bytes [offset, offset + length) of the object. */
static void fill(const struct object *object, char *bytes, uint64_t offset, uint64_t length)
{
	for (uint64_t at = offset; at < offset + length;) {
		uint64_t value = word(object, at / 8);
		uint64_t n = MIN(8 - at % 8, offset + length - at);

		memcpy(bytes + (at - offset), (char *)&value + at % 8, n);
		at += n;
	}
}

int object_memfd(const struct object *object, uint64_t offset)
{
	CLEANUP_FREE char *bytes = malloc(object->size + 1);
	int fd = memfd_create("object", MFD_CLOEXEC | MFD_ALLOW_SEALING), result;

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(bytes);
	fill(object, bytes, 0, object->size);
	ck_assert_int_eq(pwrite(fd, bytes, object->size, (off_t)offset), (ssize_t)object->size);
	do /* the kernel itself may hold a page for a moment */
		result = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
	while (result < 0 && errno == EBUSY);
	ck_assert_int_eq(result, 0);
	return fd;
}

struct spill_job world_do(struct world *world, const struct spill_job *job)
{
	struct pollfd event = { .fd = spill_event(world->spill), .events = POLLIN };
	struct spill_job done;

	ck_assert_int_eq(spill_submit(world->spill, job), 0);
	ck_assert_int_eq(poll(&event, 1, 60000), 1);
	ck_assert(spill_take(world->spill, &done));
	ck_assert(!spill_take(world->spill, &done));
	ck_assert_int_eq(poll(&event, 1, 0), 0);
	ck_assert_uint_eq(done.ticket, job->ticket);
	ck_assert_int_le(done.result, 0);
	ck_assert_msg((done.result == 0) == (done.error.length == 0), "%d: %s", done.result, done.error.bytes);
	return done;
}

struct spill_job world_write(struct world *world, struct object *object)
{
	CLEANUP_CLOSE int fd = object_memfd(object, 0);
	struct spill_job job = { .type = SPILL_WRITE, .ticket = 7, .id = object->id, .size = object->size, .fd = fd };

	job = world_do(world, &job);
	if (job.result == 0) {
		object->place = job.place;
		ck_assert(!disk_place_is_none(&object->place));
	}
	return job;
}

struct spill_job world_move(struct world *world, struct object *object)
{
	struct spill_job job = { .type = SPILL_MOVE, .ticket = 9, .id = object->id, .size = object->size, .fd = -1,
		.place = object->place };

	job = world_do(world, &job);
	if (job.result == 0)
		object->place = job.place;
	return job;
}

struct spill_job world_read(struct world *world, const struct object *object, uint64_t offset,
	uint64_t length, uint64_t target_offset)
{
	CLEANUP_FREE char *bytes = malloc(length + 1), *target = malloc(target_offset + length + 100);
	CLEANUP_CLOSE int fd = memfd_create("target", MFD_CLOEXEC);
	size_t n = target_offset + length + 100;
	struct spill_job job = { .type = SPILL_READ, .ticket = 8, .id = object->id, .size = object->size, .fd = fd,
		.fd_offset = target_offset, .offset = offset, .length = length, .place = object->place };

	ck_assert(bytes && target);
	memset(target, 0x5a, n);
	ck_assert_int_eq(pwrite(fd, target, n, 0), (ssize_t)n);
	job = world_do(world, &job);
	ck_assert_int_eq(pread(fd, target, n, 0), (ssize_t)n);
	if (job.result == 0) {
		fill(object, bytes, offset, length);
		ck_assert_msg(memcmp(target + target_offset, bytes, length) == 0,
			"wrong bytes: %lu + %lu of %lu", offset, length, object->size);
	}
	for (size_t i = 0; i < n; i += i == target_offset ? MAX(length, 1) : 1)
		if (i < target_offset || i >= target_offset + length)
			ck_assert_msg(target[i] == 0x5a, "byte %zu beside the range was changed", i);
	return job;
}

struct spill_job world_read_whole(struct world *world, const struct object *object)
{
	return world_read(world, object, 0, object->size, 0);
}

static void own_path(const struct world *world, int i, char path[256])
{
	char hex[ID128_TEXT_SIZE];

	(void)snprintf(path, 256, "%s/ostore-%s%s", world->paths[i], world->options.is_private ? "private-" : "",
		id128_format(&world->options.store, hex));
}

void place_path(const struct world *world, const struct disk_place *place, char path[256])
{
	char own[256];

	own_path(world, place->directory, own);
	ck_assert_int_lt(snprintf(path, 256, "%.230s/%08x.spill", own, place->file), 256);
}

unsigned int count_files(const struct world *world, const char *ending)
{
	unsigned int n = 0;

	for (int i = 0; i < 2; i++) {
		char own[256];
		struct dirent *entry;
		DIR *stream;

		own_path(world, i, own);
		stream = opendir(own);
		while (stream && (entry = readdir(stream)))
			n += strlen(entry->d_name) > strlen(ending) &&
				strcmp(entry->d_name + strlen(entry->d_name) - strlen(ending), ending) == 0;
		if (stream)
			closedir(stream);
	}
	return n;
}

void flip_byte(const char *path, uint64_t offset)
{
	CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 0x21;
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
}
