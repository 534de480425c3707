/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spill layer as its callers use it: what was written is read, and what goes is gone. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spill-world.h"
#include "util/cleanup.h"

static const uint64_t sizes[] = { 0, 1, 63, 511, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 1048575, 1048576,
	1048577, 2 * 1048576 + 1, 17 * 1048576 + 4095 };

/* Every way in which the same has to come out. */
static const struct way {
	const char *where;
	enum spill_compression compression;
	bool synchronous, no_io_uring, no_checksum, sync;
} ways[] = {
	{ "/tmp", SPILL_COMPRESSION_NONE, .sync = true },
	{ "/tmp", SPILL_COMPRESSION_LZ4 },
	{ "/tmp", SPILL_COMPRESSION_ZSTD, .synchronous = true },
	{ "/tmp", SPILL_COMPRESSION_AUTO, .no_io_uring = true },
	{ "/tmp", SPILL_COMPRESSION_NONE, .no_io_uring = true, .synchronous = true },
	{ "/dev/shm", SPILL_COMPRESSION_NONE },
	{ "/dev/shm", SPILL_COMPRESSION_AUTO, .no_checksum = true },
};

static void init_way(struct world *world, const struct way *way)
{
	world_init(world, way->where);
	world->options.compression = way->compression;
	world->options.synchronous = way->synchronous;
	world->options.no_io_uring = way->no_io_uring;
	world->options.no_checksum = way->no_checksum;
	world->options.sync = way->sync ? SPILL_SYNC_DATA : SPILL_SYNC_NONE;
	world_open(world);
	(void)spill_sweep(world->spill);
}

START_TEST(what_was_written_is_read)
{
	struct object objects[2 * ARRAY_SIZE(sizes)];
	struct spill_statistics statistics;
	struct world world;

	init_way(&world, &ways[_i]);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = make_object(sizes[i / 2], (unsigned int)i);
		ck_assert_int_eq(world_write(&world, &objects[i]).result, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		struct spill_job verify = { .type = SPILL_VERIFY, .id = objects[i].id, .size = objects[i].size,
			.fd = -1, .place = objects[i].place };

		ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
		ck_assert_int_eq(world_do(&world, &verify).result, 0);
	}
	spill_statistics(world.spill, &statistics);
	ck_assert_uint_eq(statistics.objects, ARRAY_SIZE(objects));
	ck_assert_uint_eq(statistics.writes, ARRAY_SIZE(objects));
	ck_assert_uint_eq(statistics.reads, ARRAY_SIZE(objects));
	ck_assert_uint_eq(statistics.written_bytes, statistics.read_bytes);
	ck_assert_uint_ge(statistics.file_bytes, statistics.live_bytes);
	ck_assert_uint_eq(statistics.errors, 0);
	ck_assert_uint_eq(statistics.jobs, 0);
	if (ways[_i].no_io_uring)
		ck_assert(!statistics.io_uring);
	world_deinit(&world);
}
END_TEST

START_TEST(any_range_is_read_to_any_place_and_nothing_beside_it)
{
	static const uint64_t edges[] = { 0, 1, 4096, 65535, 65536, 100000, 131072, 196608 };
	struct object objects[] = { make_object(196608, 1), make_object(196608 + 77, 2), make_object(50000, 3),
		make_object(50000, 4), make_object(17 * MIB + 5, 6), make_object(17 * MIB + 5, 7) };
	struct world world;

	init_way(&world, &ways[_i]);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		struct object *object = &objects[i];

		ck_assert_int_eq(world_write(&world, object).result, 0);
		for (size_t from = 0; from < ARRAY_SIZE(edges); from++) {
			for (size_t to = from; to < ARRAY_SIZE(edges); to++) {
				uint64_t begin = MIN(edges[from], object->size), end = MIN(edges[to], object->size);

				/* as the memory lies to the disk, and otherwise */
				ck_assert_int_eq(world_read(&world, object, begin, end - begin, begin % 4096).result, 0);
				ck_assert_int_eq(world_read(&world, object, object->size - end, end - begin, 8).result, 0);
			}
		}
	}
	ck_assert_int_eq(world_read(&world, &objects[0], 196608, 1, 0).result, -EINVAL);
	ck_assert_int_eq(world_read(&world, &objects[4], 16 * MIB - 10, MIB + 15, 0).result, 0);
	ck_assert_int_eq(world_read(&world, &objects[5], 15 * MIB + 640 * KIB, 1, 4096).result, 0);
	world_deinit(&world);
}
END_TEST

START_TEST(the_source_may_lie_anywhere_in_its_memfd)
{
	static const uint64_t offsets[] = { 1, 64, 4096, 4160, 2 * MIB, 2 * MIB + 8 };
	struct world world;

	init_way(&world, &ways[_i]);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct object object = make_object(sizes[i], (unsigned int)i);
		uint64_t offset = offsets[i % ARRAY_SIZE(offsets)];
		CLEANUP_CLOSE int fd = object_memfd(&object, offset);
		struct spill_job job = { .type = SPILL_WRITE, .id = object.id, .size = object.size, .fd = fd,
			.fd_offset = offset };

		job = world_do(&world, &job);
		ck_assert_int_eq(job.result, 0);
		object.place = job.place;
		ck_assert_int_eq(world_read_whole(&world, &object).result, 0);
	}
	world_deinit(&world);
}
END_TEST

START_TEST(what_compresses_takes_less_and_what_does_not_takes_no_more)
{
	struct object numbers = make_object(8 * MIB, 2), noise = make_object(8 * MIB, 3);
	struct world world;

	world_init(&world, "/tmp");
	world.options.compression = (enum spill_compression)_i;
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &numbers).result, 0);
	ck_assert_int_eq(world_write(&world, &noise).result, 0);
	ck_assert_int_eq(!(numbers.place.flags & DISK_PLACE_COMPRESSED), _i == SPILL_COMPRESSION_NONE);
	ck_assert(!(noise.place.flags & DISK_PLACE_COMPRESSED));
	ck_assert_uint_eq(noise.place.stored, 8 * MIB + 4096);
	if (_i != SPILL_COMPRESSION_NONE)
		ck_assert_uint_lt(numbers.place.stored, 3 * MIB);
	world_deinit(&world);
}
END_TEST

START_TEST(many_at_once_are_all_done)
{
	enum { N = 300 };
	static struct object objects[N];
	static int fds[N];
	unsigned int n = 0;
	struct world world;
	struct spill_job job;

	world_init(&world, "/tmp");
	world.options.n_directories = 2;
	world_open(&world);
	for (unsigned int i = 0; i < N; i++) {
		objects[i] = make_object(i % 10 == 0 ? i * 4000 : i * 20, i);
		fds[i] = object_memfd(&objects[i], 0);
		job = (struct spill_job){ .type = SPILL_WRITE, .ticket = i, .id = objects[i].id,
			.size = objects[i].size, .fd = fds[i] };
		ck_assert_int_eq(spill_submit(world.spill, &job), 0);
	}
	while (n < N) {
		struct pollfd event = { .fd = spill_event(world.spill), .events = POLLIN };

		ck_assert_int_eq(poll(&event, 1, 60000), 1);
		while (spill_take(world.spill, &job)) {
			ck_assert_int_eq(job.result, 0);
			ck_assert(disk_place_is_none(&objects[job.ticket].place)); /* each once */
			objects[job.ticket].place = job.place;
			n++;
		}
	}
	for (unsigned int i = 0; i < N; i++) {
		ck_assert_int_eq(close(fds[i]), 0);
		ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
	}
	/* small ones share files, and blocks */
	ck_assert_uint_lt(count_files(&world, ".spill"), 20);
	world_deinit(&world);
}
END_TEST

/* ---- room ---- */

START_TEST(a_full_store_says_so_and_works_again_when_something_is_forgotten)
{
	struct object one = make_object(2 * MIB, 1), two = make_object(2 * MIB, 3), small = make_object(100, 5);
	struct spill_statistics statistics;
	struct spill_job job;
	struct world world;

	world_init(&world, "/tmp");
	world.directories[0].max_bytes = 3 * MIB;
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &one).result, 0);
	job = world_write(&world, &two);
	ck_assert_int_eq(job.result, -ENOSPC);
	ck_assert_ptr_nonnull(strstr(job.error.bytes, world.paths[0])); /* where */
	ck_assert_ptr_nonnull(strstr(job.error.bytes, "for 2 MiB")); /* need */
	ck_assert_ptr_nonnull(strstr(job.error.bytes, "of its 3 MiB used")); /* what is there */
	ck_assert_int_eq(world_write(&world, &small).result, 0); /* others go on */
	ck_assert_int_eq(world_read_whole(&world, &one).result, 0);
	spill_forget(world.spill, &one.place);
	ck_assert_int_eq(world_write(&world, &two).result, 0);
	ck_assert_int_eq(world_read_whole(&world, &two).result, 0);
	ck_assert_int_eq(world_read_whole(&world, &small).result, 0);
	spill_statistics(world.spill, &statistics);
	ck_assert_uint_eq(statistics.errors, 0);
	ck_assert_uint_lt(statistics.free_bytes, MIB);
	world_deinit(&world);
}
END_TEST

START_TEST(what_has_to_stay_free_on_the_disk_stays_free)
{
	struct object object = make_object(1000, 1);
	struct spill_job job;
	struct world world;

	world_init(&world, "/tmp");
	world.directories[0].min_free = UINT64_C(1) << 60;
	world.options.n_directories = 1;
	world_open(&world);
	job = world_write(&world, &object);
	ck_assert_int_eq(job.result, -ENOSPC);
	ck_assert_ptr_nonnull(strstr(job.error.bytes, "stay free"));
	world_close(&world, false);
	world.options.n_directories = 2; /* the other has no such rule */
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &object).result, 0);
	ck_assert_uint_eq(object.place.directory, 1);
	world_deinit(&world);
}
END_TEST

START_TEST(directories_take_turns_by_free_space)
{
	unsigned int n[2] = { 0, 0 };
	struct world world;

	world_init(&world, "/tmp");
	world.options.n_directories = 2;
	world.directories[0].max_bytes = 100 * MIB;
	world.directories[1].max_bytes = 300 * MIB;
	world_open(&world);
	for (unsigned int i = 0; i < 40; i++) {
		struct object object = make_object(2 * MIB, 1 + 2 * i);

		ck_assert_int_eq(world_write(&world, &object).result, 0);
		n[object.place.directory]++;
	}
	ck_assert_uint_ge(n[0], 6);
	ck_assert_uint_ge(n[1], 24);
	world_deinit(&world);
}
END_TEST

START_TEST(forgotten_bytes_go_back_to_the_disk)
{
	struct object large = make_object(3 * MIB, 1), middle[6];
	struct stat before, after;
	struct world world;
	char path[256];

	world_init(&world, "/tmp");
	world.options.synchronous = true;
	world.options.fuse_size = 8 * MIB; /* 2 MiB: alone */
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &large).result, 0);
	ck_assert(!(large.place.flags & DISK_PLACE_FUSED));
	ck_assert_uint_eq(count_files(&world, ".spill"), 1);
	spill_forget(world.spill, &large.place);
	ck_assert_uint_eq(count_files(&world, ".spill"), 0);
	for (unsigned int i = 0; i < 6; i++) {
		middle[i] = make_object(MIB + 512 * KIB, 1 + 2 * i);
		ck_assert_int_eq(world_write(&world, &middle[i]).result, 0);
		ck_assert(middle[i].place.flags & DISK_PLACE_FUSED);
	}
	ck_assert_uint_eq(count_files(&world, ".spill"), 2); /* five fit */
	place_path(&world, &middle[1].place, path);
	ck_assert_int_eq(stat(path, &before), 0);
	spill_forget(world.spill, &middle[1].place);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_ge((before.st_blocks - after.st_blocks) * 512, MIB + 512 * KIB);
	ck_assert_int_eq(world_read_whole(&world, &middle[0]).result, 0);
	ck_assert_int_eq(world_read_whole(&world, &middle[2]).result, 0);
	ck_assert_int_eq(world_read_whole(&world, &middle[1]).result, -EBADMSG); /* and not zeros */
	for (unsigned int i = 0; i < 5; i++)
		if (i != 1)
			spill_forget(world.spill, &middle[i].place);
	ck_assert_int_ne(stat(path, &after), 0);
	ck_assert_int_eq(world_read_whole(&world, &middle[5]).result, 0);
	world_deinit(&world);
}
END_TEST

START_TEST(files_of_little_life_can_be_emptied)
{
	enum { N = 90 };
	static struct object objects[N];
	struct spill_statistics before, after;
	uint16_t directory;
	struct world world;
	uint32_t file = 0;

	world_init(&world, "/tmp");
	world.options.fuse_size = 4 * MIB;
	world.options.synchronous = true;
	world_open(&world);
	for (unsigned int i = 0; i < N; i++) { /* the first file is complete then */
		objects[i] = make_object(60000 - i, 1 + 2 * i);
		ck_assert_int_eq(world_write(&world, &objects[i]).result, 0);
	}
	ck_assert(!spill_fullest_of_dead(world.spill, &directory, &file));
	for (unsigned int i = 0; i < N; i++)
		if (objects[i].place.file == objects[0].place.file && i % 4)
			spill_forget(world.spill, &objects[i].place);
	ck_assert(spill_fullest_of_dead(world.spill, &directory, &file));
	ck_assert_uint_eq(directory, 0);
	ck_assert_uint_eq(file, objects[0].place.file);
	spill_statistics(world.spill, &before);
	for (unsigned int i = 0; i < N; i += 4) {
		struct disk_place old = objects[i].place;

		if (old.file != file)
			continue;
		ck_assert_int_eq(world_move(&world, &objects[i]).result, 0);
		ck_assert_uint_ne(objects[i].place.file, file);
		spill_forget(world.spill, &old);
		ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
	}
	ck_assert(!spill_fullest_of_dead(world.spill, &directory, &file));
	spill_statistics(world.spill, &after);
	ck_assert_uint_eq(after.objects, before.objects);
	ck_assert_uint_lt(after.file_bytes + 2 * MIB, before.file_bytes);
	world_deinit(&world);
}
END_TEST

START_TEST(aligned_objects_are_moved_too)
{
	struct object object = make_object(500000, 2), alone = make_object(3 * MIB, 4);
	struct disk_place old;
	struct world world;

	world_init(&world, "/tmp");
	world.options.compression = SPILL_COMPRESSION_LZ4;
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &object).result, 0);
	old = object.place;
	ck_assert_int_eq(world_move(&world, &object).result, 0);
	ck_assert_uint_ne(object.place.offset, old.offset);
	spill_forget(world.spill, &old);
	ck_assert_int_eq(world_read_whole(&world, &object).result, 0);
	ck_assert_int_eq(world_write(&world, &alone).result, 0);
	ck_assert_int_eq(world_move(&world, &alone).result, -EINVAL);
	ck_assert_int_eq(world_read_whole(&world, &alone).result, 0);
	world_deinit(&world);
}
END_TEST

/* ---- one store after another ---- */

START_TEST(an_heir_finds_what_it_claims_and_sweeps_the_rest)
{
	struct object objects[] = { make_object(100, 1), make_object(50000, 2), make_object(900000, 3),
		make_object(5 * MIB, 4), make_object(6 * MIB, 5), make_object(200, 6) };
	struct disk_place wrong;
	struct world world;
	char path[256], aside[260], foreign[260];

	world_init(&world, "/tmp");
	world_open(&world);
	ck_assert_uint_eq(spill_sweep(world.spill), 0);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		ck_assert_int_eq(world_write(&world, &objects[i]).result, 0);
	place_path(&world, &objects[0].place, path);
	(void)snprintf(aside, sizeof aside, "%.*s/000000ff.new", (int)(strrchr(path, '/') - path), path);
	(void)snprintf(foreign, sizeof foreign, "%.*s/notes.txt", (int)(strrchr(path, '/') - path), path);
	ck_assert_int_eq(close(open(aside, O_CREAT | O_WRONLY, 0600)), 0);
	ck_assert_int_eq(close(open(foreign, O_CREAT | O_WRONLY, 0600)), 0);
	world_close(&world, true);

	world_open(&world);
	for (size_t i = 0; i < 4; i++) /* not the last two */
		ck_assert_int_eq(spill_claim(world.spill, &objects[i].place), 0);
	wrong = objects[3].place;
	wrong.file += 1000;
	ck_assert_int_eq(spill_claim(world.spill, &wrong), -ENOENT);
	wrong = objects[3].place;
	wrong.directory = 1;
	ck_assert_int_eq(spill_claim(world.spill, &wrong), -ENOENT);
	wrong = objects[2].place;
	wrong.stored = UINT64_MAX - 4095;
	ck_assert_int_eq(spill_claim(world.spill, &wrong), -EBADMSG);
	ck_assert_int_eq(spill_claim(world.spill, &objects[3].place), -EBADMSG); /* twice */
	ck_assert_uint_eq(spill_sweep(world.spill), 2); /* 6 MiB, and what was aside */
	ck_assert_int_ne(access(aside, F_OK), 0);
	ck_assert_int_eq(access(foreign, F_OK), 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
	ck_assert_int_eq(world_read_whole(&world, &objects[4]).result, -ENOENT);
	/* it writes to files of its own alone */
	objects[5] = make_object(300, 7);
	ck_assert_int_eq(world_write(&world, &objects[5]).result, 0);
	ck_assert_uint_gt(objects[5].place.file, 0xff);
	for (size_t i = 0; i < 4; i++)
		spill_forget(world.spill, &objects[i].place);
	world_close(&world, false);
	ck_assert_uint_eq(count_files(&world, ".spill"), 0);
	ck_assert_int_eq(unlink(foreign), 0);
	*strrchr(foreign, '/') = '\0';
	ck_assert_int_eq(rmdir(foreign), 0);
	world_deinit(&world);
}
END_TEST

START_TEST(a_file_that_is_not_of_this_store_is_not_claimed)
{
	struct object objects[] = { make_object(100, 1), make_object(5 * MIB, 3), make_object(5 * MIB, 5) };
	struct world world;
	char path[256];

	world_init(&world, "/tmp");
	world_open(&world);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		ck_assert_int_eq(world_write(&world, &objects[i]).result, 0);
	world_close(&world, true);
	place_path(&world, &objects[0].place, path);
	flip_byte(path, 30); /* the store's id in the head */
	place_path(&world, &objects[1].place, path);
	ck_assert_int_eq(truncate(path, 4 * MIB), 0);
	world_open(&world);
	ck_assert_int_eq(spill_claim(world.spill, &objects[0].place), -EBADMSG);
	ck_assert_int_eq(spill_claim(world.spill, &objects[1].place), -EBADMSG);
	ck_assert_int_eq(spill_claim(world.spill, &objects[2].place), 0);
	ck_assert_uint_eq(spill_sweep(world.spill), 2);
	ck_assert_int_eq(world_read_whole(&world, &objects[2]).result, 0);
	world_deinit(&world);
}
END_TEST

START_TEST(a_store_is_open_once)
{
	struct text error = TEXT_INIT;
	struct spill *second;
	struct world world;

	world_init(&world, "/tmp");
	world_open(&world);
	ck_assert_int_eq(spill_open(&second, &world.options, &error), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.bytes, world.paths[0]));
	world_deinit(&world);
}
END_TEST

START_TEST(a_private_store_leaves_nothing)
{
	struct object object = make_object(5 * MIB, 1);
	struct world world;

	world_init(&world, "/tmp");
	world.options.is_private = true;
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &object).result, 0);
	world_close(&world, true);
	ck_assert_uint_eq(count_files(&world, ""), 0);
	world_deinit(&world); /* the directory is empty */
}
END_TEST

/* Killed with everything: nobody has its tables, so its files are nobody's. */
START_TEST(what_a_dead_private_store_left_is_swept_by_the_next_and_a_living_ones_is_not)
{
	struct object object = make_object(5 * MIB, 1), livings = make_object(MIB, 3);
	struct world world, other;
	int status;
	pid_t pid;

	world_init(&world, "/tmp");
	world.options.is_private = true;
	pid = fork();
	if (pid == 0) {
		world_open(&world);
		(void)world_write(&world, &object);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_uint_eq(count_files(&world, ".spill"), 1);
	other = world;
	other.options.directories = other.directories;
	other.options.store.bytes[3] ^= 1;
	world_open(&other);
	ck_assert_uint_eq(count_files(&world, ""), 0);
	ck_assert_int_eq(world_write(&other, &livings).result, 0);
	world_open(&world);
	ck_assert_int_eq(world_read_whole(&other, &livings).result, 0);
	world_close(&other, false);
	world_deinit(&world);
}
END_TEST

/* The worker is gone, its descriptors are not; or they are, too. */
START_TEST(an_heir_takes_over_a_private_store)
{
	struct object *object = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static struct spill *volatile dead; /* its memory is lost, but to be found */
	struct world world, other;
	int status;
	pid_t pid;

	ck_assert_ptr_ne(object, MAP_FAILED);
	*object = make_object(5 * MIB, 1);
	world_init(&world, "/tmp");
	world.options.is_private = true;
	world.options.synchronous = true;
	if (_i == 0) {
		world_open(&world);
		ck_assert_int_eq(world_write(&world, object).result, 0);
		dead = world.spill;
		world.directories[0].inherited = spill_descriptor(dead, 0);
		/* meanwhile another begins */
		other = world;
		other.directories[0].inherited = 0;
		other.options.directories = other.directories;
		other.options.store.bytes[3] ^= 1;
		world_open(&other);
		world_close(&other, false);
	} else {
		pid = fork();
		if (pid == 0) {
			world_open(&world);
			(void)world_write(&world, object);
			kill(getpid(), SIGKILL);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	}
	world_open(&world);
	ck_assert_int_eq(spill_claim(world.spill, &object->place), 0);
	ck_assert_uint_eq(spill_sweep(world.spill), 0);
	ck_assert_int_eq(world_read_whole(&world, object).result, 0);
	world_deinit(&world);
	ck_assert_int_eq(munmap(object, 4096), 0);
}
END_TEST

START_TEST(a_directory_that_will_not_do_is_named)
{
	struct text error = TEXT_INIT;
	struct spill *spill;
	struct world world;
	char own[128], hex[ID128_TEXT_SIZE];

	world_init(&world, "/tmp");
	world.directories[0].path = "/nonexistent/spill";
	ck_assert_int_eq(spill_open(&spill, &world.options, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error.bytes, "/nonexistent/spill"));
	world.directories[0].path = world.paths[0];
	/* where anybody may make directories, somebody made ours */
	(void)snprintf(own, sizeof own, "%s/ostore-%s", world.paths[0], id128_format(&world.options.store, hex));
	ck_assert_int_eq(mkdir(own, 0700), 0);
	ck_assert_int_eq(chmod(own, 0777), 0);
	ck_assert_int_eq(spill_open(&spill, &world.options, &error), -EPERM);
	ck_assert_ptr_nonnull(strstr(error.bytes, own + strlen(world.paths[0]) + 1));
	ck_assert_int_eq(rmdir(own), 0);
	ck_assert_int_eq(symlink("/etc", own), 0);
	ck_assert_int_eq(spill_open(&spill, &world.options, &error), -EPERM);
	ck_assert_int_eq(unlink(own), 0);
	world.options.n_directories = 0;
	ck_assert_int_eq(spill_open(&spill, &world.options, &error), -EINVAL);
	world_deinit(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spill");
	TCase *tests = tcase_create("spill");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, what_was_written_is_read, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(tests, any_range_is_read_to_any_place_and_nothing_beside_it, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(tests, the_source_may_lie_anywhere_in_its_memfd, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(tests, what_compresses_takes_less_and_what_does_not_takes_no_more, 0,
		SPILL_COMPRESSION_AUTO + 1);
	tcase_add_test(tests, many_at_once_are_all_done);
	tcase_add_test(tests, a_full_store_says_so_and_works_again_when_something_is_forgotten);
	tcase_add_test(tests, what_has_to_stay_free_on_the_disk_stays_free);
	tcase_add_test(tests, directories_take_turns_by_free_space);
	tcase_add_test(tests, forgotten_bytes_go_back_to_the_disk);
	tcase_add_test(tests, files_of_little_life_can_be_emptied);
	tcase_add_test(tests, aligned_objects_are_moved_too);
	tcase_add_test(tests, an_heir_finds_what_it_claims_and_sweeps_the_rest);
	tcase_add_test(tests, a_file_that_is_not_of_this_store_is_not_claimed);
	tcase_add_test(tests, a_store_is_open_once);
	tcase_add_test(tests, a_private_store_leaves_nothing);
	tcase_add_test(tests, what_a_dead_private_store_left_is_swept_by_the_next_and_a_living_ones_is_not);
	tcase_add_loop_test(tests, an_heir_takes_over_a_private_store, 0, 2);
	tcase_add_test(tests, a_directory_that_will_not_do_is_named);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
