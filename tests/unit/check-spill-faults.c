/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spill layer on a bad day: bytes that changed, files that went, disks that refuse. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spill/format.h"
#include "spill/io.h"
#include "spill-world.h"
#include "util/cleanup.h"

/* Packed, packed and compressed, aligned in a shared file, compressed there, alone, alone and compressed. */
enum { N = 6 };

static void make_objects(struct world *world, struct object objects[N])
{
	static const uint64_t sizes[N] = { 3000, 40000, 70000, 200000, MIB + 70001, MIB + 70001 };

	for (unsigned int i = 0; i < N; i++) {
		objects[i] = make_object(sizes[i], 1 + i);
		ck_assert_int_eq(world_write(world, &objects[i]).result, 0);
		ck_assert_int_eq(!!(objects[i].place.flags & DISK_PLACE_COMPRESSED), i % 2);
		ck_assert_int_eq(!!(objects[i].place.flags & DISK_PLACE_PACKED), i < 2);
		ck_assert_int_eq(!!(objects[i].place.flags & DISK_PLACE_FUSED), i < 4);
	}
}

static void init_in(struct world *world, const char *where)
{
	world_init(world, where);
	world->options.compression = SPILL_COMPRESSION_LZ4;
	world->options.synchronous = true;
}

static void init(struct world *world)
{
	init_in(world, "/tmp");
}

static bool covers(const struct object *object, uint16_t directory, uint32_t file, uint64_t at)
{
	return object->place.directory == directory && object->place.file == file && at >= object->place.offset &&
		at < object->place.offset + object->place.stored;
}

/* Is it a byte that the object needs?  The rest is padding. */
static bool is_needed(const struct object *object, uint64_t at)
{
	struct format_shape shape;
	uint64_t blocks_end, into = at - object->place.offset;

	ck_assert_int_eq(format_shape(&shape, object->size, object->place.flags), 0);
	blocks_end = (uint64_t)(shape.n_blocks - 1) * FORMAT_BLOCK + FORMAT_INDEX_HEAD +
		format_block_entries(&shape, shape.n_blocks - 1) * sizeof(struct format_entry);
	if (into < shape.data)
		return into < blocks_end;
	return !shape.compressed ? into < shape.data + shape.size : into < object->place.stored - FORMAT_BLOCK;
}

/* ---- the bytes on the disk ---- */

START_TEST(a_changed_byte_anywhere_is_found_and_spoils_no_other_object)
{
	unsigned int n_found = 0, n_files = 0;
	struct object objects[N];
	struct world world;

	init_in(&world, "/dev/shm"); /* thousands of small reads and writes */
	world.options.no_io_uring = true;
	world_open(&world);
	make_objects(&world, objects);
	for (unsigned int owner = 1; owner < N; owner++) { /* 1..3 are in one file */
		struct stat st;
		char path[256];

		if (owner > 1 && objects[owner].place.file == objects[owner - 1].place.file)
			continue;
		n_files++;
		place_path(&world, &objects[owner].place, path);
		ck_assert_int_eq(stat(path, &st), 0);
		for (uint64_t at = (uint64_t)_i; at < (uint64_t)st.st_size; at += at < 8192 ? 127 : 8209) {
			flip_byte(path, at);
			for (unsigned int i = 0; i < N; i++) {
				bool in = covers(&objects[i], objects[owner].place.directory,
					objects[owner].place.file, at);
				struct spill_job job;

				if (!in && at % 7) /* the others: now and then */
					continue;
				job = world_read_whole(&world, &objects[i]); /* compares, if it succeeds */
				ck_assert_msg(in || job.result == 0, "byte %lu spoils %u: %s", at, i, job.error.bytes);
				ck_assert_msg(job.result == 0 || job.result == -EBADMSG, "%s", job.error.bytes);
				if (!in || !is_needed(&objects[i], at))
					continue;
				ck_assert_msg(job.result == -EBADMSG, "byte %lu of %u was not missed", at, i);
				ck_assert_ptr_nonnull(strstr(job.error.bytes, path));
				n_found++;
			}
			flip_byte(path, at);
		}
	}
	ck_assert_uint_eq(n_files, 3);
	ck_assert_uint_gt(n_found, 100);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
	world_deinit(&world);
}
END_TEST

START_TEST(a_range_fails_only_where_its_own_chunks_are_spoilt)
{
	struct object object = make_object(3 * MIB, 1);
	struct world world;
	char path[256];

	init(&world);
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &object).result, 0);
	place_path(&world, &object.place, path);
	flip_byte(path, object.place.offset + FORMAT_BLOCK + MIB + 5);
	ck_assert_int_eq(world_read(&world, &object, 0, MIB, 0).result, 0);
	ck_assert_int_eq(world_read(&world, &object, MIB + 65536, MIB, 0).result, 0);
	ck_assert_int_eq(world_read(&world, &object, MIB + 65535, 1, 0).result, -EBADMSG);
	ck_assert_int_eq(world_read_whole(&world, &object).result, -EBADMSG);
	world_deinit(&world);
}
END_TEST

START_TEST(an_object_is_not_taken_for_another)
{
	struct object one = make_object(70000, 1), two = make_object(70000, 3), three = make_object(69999, 5);
	struct world world;

	init(&world);
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &one).result, 0);
	ck_assert_int_eq(world_write(&world, &two).result, 0);
	three.place = two.place = one.place;
	ck_assert_int_eq(world_read_whole(&world, &two).result, -EBADMSG);
	ck_assert_int_eq(world_read_whole(&world, &three).result, -EBADMSG);
	world_deinit(&world);
}
END_TEST

START_TEST(a_truncated_file_is_an_error_of_what_was_cut)
{
	struct object objects[N];
	struct world world;

	init(&world);
	world_open(&world);
	make_objects(&world, objects);
	for (int i = N; --i >= 0;) {
		uint64_t end = objects[i].place.offset + objects[i].place.stored;
		static const uint64_t cuts[] = { 1, 4096, 5000 };
		struct spill_job job;
		char path[256];

		place_path(&world, &objects[i].place, path);
		for (size_t k = 0; k < ARRAY_SIZE(cuts); k++) {
			/* behind the last byte of a packed one is padding */
			ck_assert_int_eq(truncate(path, (off_t)(i < 2 ? objects[i].place.offset : end - cuts[k])), 0);
			job = world_read_whole(&world, &objects[i]);
			ck_assert_int_eq(job.result, -EBADMSG);
			ck_assert_ptr_nonnull(strstr(job.error.bytes, path));
		}
		if (i > 0 && objects[i - 1].place.file == objects[i].place.file && i > 2)
			ck_assert_int_eq(world_read_whole(&world, &objects[i - 1]).result, 0);
	}
	world_deinit(&world);
}
END_TEST

START_TEST(a_vanished_file_is_an_error_of_what_was_in_it)
{
	struct object objects[N];
	struct world world;
	struct spill_job job;
	char path[256];

	init(&world);
	world_open(&world);
	make_objects(&world, objects);
	place_path(&world, &objects[2].place, path);
	ck_assert_int_eq(unlink(path), 0);
	job = world_read_whole(&world, &objects[2]);
	ck_assert_int_eq(job.result, -ENOENT);
	ck_assert_ptr_nonnull(strstr(job.error.bytes, path));
	ck_assert_int_eq(world_read_whole(&world, &objects[4]).result, 0);
	spill_forget(world.spill, &objects[2].place);
	world_deinit(&world);
}
END_TEST

START_TEST(places_that_nobody_wrote_are_refused)
{
	struct object object = make_object(70000, 1);
	struct disk_place good;
	struct world world;

	init(&world);
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &object).result, 0);
	good = object.place;
	object.place.offset += 4096;
	ck_assert_int_eq(world_read_whole(&world, &object).result, -EBADMSG);
	object.place = good;
	object.place.offset = UINT64_MAX - 4095;
	ck_assert_int_eq(world_read_whole(&world, &object).result, -EBADMSG);
	object.place = good;
	object.place.directory = 60000;
	ck_assert_int_eq(world_read_whole(&world, &object).result, -ENOENT);
	object.place = good;
	object.place.flags |= DISK_PLACE_PACKED;
	ck_assert_int_eq(world_read_whole(&world, &object).result, -EBADMSG);
	spill_forget(world.spill, &(struct disk_place){ .file = 9999, .stored = 4096 });
	spill_forget(world.spill, &(struct disk_place){ .directory = 60000, .stored = 4096 });
	object.place = good;
	ck_assert_int_eq(world_read_whole(&world, &object).result, 0);
	world_deinit(&world);
}
END_TEST

/* ---- a disk that refuses ---- */

struct fault {
	atomic_int left; /* operations until it happens */
	int result;
	int operation;   /* -1: any */
	atomic_uint n_happened;
	bool stays;      /* from then on always */
};

static int happen(void *context, enum io_operation operation, uint64_t offset, uint32_t length)
{
	struct fault *fault = context;
	int left;

	if (fault->operation >= 0 && (int)operation != fault->operation)
		return 0;
	left = atomic_fetch_sub(&fault->left, 1);
	if (left == 0 || (left < 0 && fault->stays)) {
		fault->n_happened++;
		return fault->result;
	}
	return 0;
}

static const int errors[] = { -EIO, -ENOSPC, -EROFS };

/* Whatever operation fails, in any order: an error or success, and as if nothing had been tried. */
START_TEST(whatever_fails_while_writing_leaves_nothing_behind)
{
	static const uint64_t sizes[] = { 3000, 200000, 2 * MIB + 1 };
	unsigned int n_faults = 0;

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (int k = 0;; k++) {
			struct fault fault = { .left = 1000000, .result = errors[_i], .operation = -1 };
			struct spill_faults faults = { .fault = happen, .context = &fault };
			struct object before = make_object(5000, 1), object = make_object(sizes[s], 3);
			struct spill_statistics was, is;
			struct spill_job job;
			struct world world;

			init_in(&world, "/dev/shm"); /* syncs would take their time */
			world.options.faults = &faults;
			world.options.sync = SPILL_SYNC_DATA;
			world_open(&world);
			ck_assert_int_eq(world_write(&world, &before).result, 0);
			spill_statistics(world.spill, &was);
			fault.left = k;
			job = world_write(&world, &object);
			fault.left = 1000000;
			ck_assert_int_eq(job.result, fault.n_happened ? errors[_i] : 0);
			spill_statistics(world.spill, &is);
			if (job.result < 0) {
				n_faults++;
				ck_assert_ptr_nonnull(strstr(job.error.bytes, world.paths[0]));
				ck_assert_uint_eq(is.objects, was.objects);
				ck_assert_uint_eq(is.live_bytes, was.live_bytes);
				ck_assert_uint_eq(is.file_bytes, was.file_bytes);
			}
			ck_assert_uint_eq(count_files(&world, ".new"), 0);
			ck_assert_uint_le(count_files(&world, ".spill"), 2);
			/* what was there is there, and the next one succeeds */
			ck_assert_int_eq(world_read_whole(&world, &before).result, 0);
			ck_assert_int_eq(world_write(&world, &object).result, 0);
			ck_assert_int_eq(world_read_whole(&world, &object).result, 0);
			world_deinit(&world);
			if (!fault.n_happened)
				break;
		}
	}
	ck_assert_uint_ge(n_faults, 9);
}
END_TEST

START_TEST(whatever_fails_while_reading_is_an_error_and_not_for_ever)
{
	struct fault fault = { .left = 1000000, .result = -EIO, .operation = -1 };
	struct spill_faults faults = { .fault = happen, .context = &fault };
	struct object objects[N];
	unsigned int n_faults = 0;
	struct world world;

	init(&world);
	world.options.faults = &faults;
	world.options.synchronous = _i;
	world_open(&world);
	make_objects(&world, objects);
	for (unsigned int i = 0; i < N; i++) {
		for (int k = 0;; k++) {
			struct spill_job job;

			fault.n_happened = 0;
			fault.left = k;
			job = world_read_whole(&world, &objects[i]);
			fault.left = 1000000;
			ck_assert_int_eq(job.result, fault.n_happened ? -EIO : 0);
			ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
			if (!fault.n_happened)
				break;
			n_faults++;
		}
	}
	ck_assert_uint_ge(n_faults, 2 * N);
	world_deinit(&world);
}
END_TEST

START_TEST(short_transfers_are_gone_on_with)
{
	struct fault fault = { .left = 0, .result = 4096, .operation = _i % 2 ? IO_READ : IO_WRITE, .stays = true };
	struct spill_faults faults = { .fault = happen, .context = &fault };
	struct object objects[N];
	struct world world;

	init(&world);
	world.options.faults = &faults;
	world.options.no_io_uring = _i >= 2;
	world_open(&world);
	make_objects(&world, objects);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(world_read_whole(&world, &objects[i]).result, 0);
	ck_assert_uint_gt(fault.n_happened, 100);
	world_deinit(&world);
}
END_TEST

START_TEST(a_disk_that_promised_too_much_is_passed_over)
{
	struct fault fault = { .left = 0, .result = -ENOSPC, .operation = IO_ALLOCATE };
	struct spill_faults faults = { .fault = happen, .context = &fault };
	struct object object = make_object(5 * MIB, 1);
	struct world world;

	init(&world);
	world.options.n_directories = 2;
	world.options.faults = &faults;
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &object).result, 0);
	ck_assert_uint_eq(fault.n_happened, 1);
	ck_assert_uint_eq(count_files(&world, ".new"), 0);
	ck_assert_int_eq(world_read_whole(&world, &object).result, 0);
	world_deinit(&world);
}
END_TEST

/* After a failed fsync nobody knows what the disk has: what is said to be safe is elsewhere. */
START_TEST(a_shared_file_whose_sync_failed_is_not_written_to_again)
{
	struct fault fault = { .left = 1000000, .result = -EIO, .operation = IO_SYNC };
	struct spill_faults faults = { .fault = happen, .context = &fault };
	struct object objects[] = { make_object(100, 1), make_object(200, 3), make_object(300, 5) };
	struct world world;

	init(&world);
	world.options.sync = SPILL_SYNC_DATA;
	world.options.faults = &faults;
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &objects[0]).result, 0);
	fault.left = 0;
	ck_assert_int_eq(world_write(&world, &objects[1]).result, -EIO);
	ck_assert_int_eq(world_write(&world, &objects[2]).result, 0);
	ck_assert_uint_ne(objects[2].place.file, objects[0].place.file);
	ck_assert_int_eq(world_read_whole(&world, &objects[0]).result, 0);
	ck_assert_int_eq(world_read_whole(&world, &objects[2]).result, 0);
	world_deinit(&world);
}
END_TEST

/* A file system that really is full, though nobody else told. */
START_TEST(a_full_file_system_is_an_error_and_nothing_is_lost)
{
	struct object fits = make_object(3 * MIB, 1), not = make_object(6 * MIB, 3), small = make_object(100, 5);
	struct spill_job job;
	struct world world;

	init(&world);
	if (mount("spill-test", world.paths[0], "tmpfs", 0, "size=8m") < 0) {
		world_deinit(&world); /* not root; the cap stands for it in check-spill */
		return;
	}
	world_open(&world);
	ck_assert_int_eq(world_write(&world, &fits).result, 0);
	job = world_write(&world, &not);
	ck_assert_int_eq(job.result, -ENOSPC);
	ck_assert_ptr_nonnull(strstr(job.error.bytes, world.paths[0]));
	ck_assert_uint_eq(count_files(&world, ".new"), 0);
	ck_assert_int_eq(world_read_whole(&world, &fits).result, 0);
	ck_assert_int_eq(world_write(&world, &small).result, 0);
	world_close(&world, false);
	ck_assert_int_eq(umount(world.paths[0]), 0);
	world_deinit(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spill faults");
	TCase *tests = tcase_create("spill faults");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, a_changed_byte_anywhere_is_found_and_spoils_no_other_object, 0, 2);
	tcase_add_test(tests, a_range_fails_only_where_its_own_chunks_are_spoilt);
	tcase_add_test(tests, an_object_is_not_taken_for_another);
	tcase_add_test(tests, a_truncated_file_is_an_error_of_what_was_cut);
	tcase_add_test(tests, a_vanished_file_is_an_error_of_what_was_in_it);
	tcase_add_test(tests, places_that_nobody_wrote_are_refused);
	tcase_add_loop_test(tests, whatever_fails_while_writing_leaves_nothing_behind, 0, ARRAY_SIZE(errors));
	tcase_add_loop_test(tests, whatever_fails_while_reading_is_an_error_and_not_for_ever, 0, 2);
	tcase_add_loop_test(tests, short_transfers_are_gone_on_with, 0, 4);
	tcase_add_test(tests, a_disk_that_promised_too_much_is_passed_over);
	tcase_add_test(tests, a_shared_file_whose_sync_failed_is_not_written_to_again);
	tcase_add_test(tests, a_full_file_system_is_an_error_and_nothing_is_lost);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
