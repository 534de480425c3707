/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The format of spill files: what is made is believed, and nothing else is. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spill/checksum.h"
#include "spill/format.h"
#include "util/cleanup.h"

#define MIB (UINT64_C(1) << 20)

static const struct id128 store = { .bytes = "a store's id..." }, object = { .bytes = "an object's id." };
static const uint64_t sizes[] = { 0, 1, 63, 4095, 4096, 4097, 65535, 65536, 65537, 2 * MIB + 1,
	250 * 65536, 250 * 65536 + 1, 100 * MIB + 3, UINT64_C(5) << 40 };

static struct format_expected expect(uint64_t size, uint16_t flags)
{
	struct format_expected expected = { .store = store, .object = object };

	ck_assert_int_eq(format_shape(&expected.shape, size, flags), 0);
	expected.stored = format_stored(&expected.shape);
	return expected;
}

/* Block `number`, with chunks that take `length` bytes where they are compressed. */
static void make(struct format_index *index, const struct format_expected *expected, uint32_t number,
	uint32_t length)
{
	uint64_t first = (uint64_t)number * FORMAT_ENTRIES;
	bool compressed = expected->shape.compressed;

	format_index_begin(index, expected, number, first * (compressed ? length : FORMAT_CHUNK), 0);
	for (uint32_t i = 0; i < format_block_entries(&expected->shape, number); i++)
		format_index_add(index, 77 + i,
			compressed ? length : format_chunk_length(&expected->shape, first + i));
	format_index_end(index);
}

START_TEST(a_head_is_believed_and_any_other_byte_is_not)
{
	struct id128 other = store;
	struct format_head head;

	format_head_make(&head, &store, 7);
	ck_assert_int_eq(format_head_check(&head, &store, 7), 0);
	ck_assert_int_eq(format_head_check(&head, &store, 8), -EBADMSG);
	other.bytes[15] ^= 1;
	ck_assert_int_eq(format_head_check(&head, &other, 7), -EBADMSG);
	for (size_t i = 0; i < sizeof head; i++) {
		((uint8_t *)&head)[i] ^= 0x40;
		ck_assert_msg(format_head_check(&head, &store, 7) == -EBADMSG, "byte %zu", i);
		((uint8_t *)&head)[i] ^= 0x40;
	}
	ck_assert_int_eq(format_head_check(&head, &store, 7), 0);
}
END_TEST

START_TEST(a_future_version_is_refused_though_its_checksum_holds)
{
	struct format_expected expected = expect(1, 0);
	struct format_head head;
	struct format_index index;

	format_head_make(&head, &store, 7);
	head.version++;
	head.checksum = 0;
	head.checksum = checksum_of(&head, sizeof head);
	ck_assert_int_eq(format_head_check(&head, &store, 7), -EBADMSG);
	make(&index, &expected, 0, 0);
	index.version++;
	index.checksum = format_index_checksum(&index, sizeof index);
	ck_assert_int_eq(format_index_check(&index, &expected, 0), -EBADMSG);
}
END_TEST

START_TEST(every_size_has_a_shape_that_holds_it)
{
	struct format_expected expected = expect(sizes[_i], 0);
	const struct format_shape *shape = &expected.shape;
	uint64_t bytes = 0, entries = 0;

	ck_assert_uint_ge(shape->n_blocks, 1);
	ck_assert_uint_eq(shape->data, (uint64_t)shape->n_blocks * FORMAT_BLOCK);
	for (uint32_t block = 0; block < shape->n_blocks; block++)
		entries += format_block_entries(shape, block);
	ck_assert_uint_eq(entries, shape->n_chunks);
	if (shape->n_chunks > 0)
		bytes = (shape->n_chunks - 1) * FORMAT_CHUNK +
			format_chunk_length(shape, shape->n_chunks - 1);
	ck_assert_uint_eq(bytes, sizes[_i]);
	ck_assert_uint_ge(expected.stored, shape->data + bytes);
	ck_assert_uint_lt(expected.stored, shape->data + bytes + FORMAT_BLOCK);
}
END_TEST

START_TEST(every_block_is_believed_and_no_other)
{
	for (int compressed = 0; compressed < 2; compressed++) {
		struct format_expected expected =
			expect(sizes[_i], compressed ? DISK_PLACE_COMPRESSED : 0), other;
		uint32_t last = expected.shape.n_blocks - 1;
		struct format_index index;

		make(&index, &expected, last, 1);
		ck_assert_int_eq(format_index_check(&index, &expected, last), 0);
		other = expected;
		other.object.bytes[0] ^= 1;
		ck_assert_int_eq(format_index_check(&index, &other, last), -EBADMSG);
		other = expected;
		other.store.bytes[0] ^= 1;
		ck_assert_int_eq(format_index_check(&index, &other, last), -EBADMSG);
		other = expect(sizes[_i] + 1, compressed ? DISK_PLACE_COMPRESSED : 0);
		if (other.shape.n_blocks == last + 1)
			ck_assert_int_eq(format_index_check(&index, &other, last), -EBADMSG);
		other = expect(sizes[_i], compressed ? 0 : DISK_PLACE_COMPRESSED);
		ck_assert_int_eq(format_index_check(&index, &other, last), -EBADMSG);
		if (last > 0)
			ck_assert_int_eq(format_index_check(&index, &expected, last - 1), -EBADMSG);
	}
}
END_TEST

START_TEST(any_changed_byte_of_a_block_is_found)
{
	struct format_expected aligned = expect(250 * 65536 + 5, 0),
			       packed = expect(5000, DISK_PLACE_FUSED | DISK_PLACE_PACKED);
	struct format_index index;

	make(&index, &aligned, 0, 0);
	for (size_t i = 0; i < sizeof index; i++) {
		((uint8_t *)&index)[i] ^= 0x10;
		ck_assert_msg(format_index_check(&index, &aligned, 0) == -EBADMSG, "byte %zu", i);
		((uint8_t *)&index)[i] ^= 0x10;
	}
	make(&index, &packed, 0, 0);
	ck_assert_int_eq(format_index_check(&index, &packed, 0), 0);
	for (size_t i = 0; i < format_block_bytes(&packed.shape, 0); i++) {
		((uint8_t *)&index)[i] ^= 0x10;
		ck_assert_msg(format_index_check(&index, &packed, 0) == -EBADMSG, "byte %zu", i);
		((uint8_t *)&index)[i] ^= 0x10;
	}
}
END_TEST

/* What a checksum cannot find: entries that were made wrong. */
START_TEST(entries_that_lead_out_of_the_place_are_refused)
{
	struct format_expected expected = expect(3 * 65536 + 9, DISK_PLACE_COMPRESSED);
	struct format_index index, good;
	struct {
		uint32_t entry, offset, length;
	} wrong[] = {
		{ 0, 1, 100 }, { 1, 99, 100 }, { 1, 101, 100 }, { 2, 200, 0 }, { 2, 200, 65537 },
		{ 3, 300, 10 }, { 3, 300, UINT32_MAX }, { 3, UINT32_MAX, 1 },
	};

	expected.stored = FORMAT_BLOCK * 2;
	format_index_begin(&good, &expected, 0, 0, 0);
	for (int i = 0; i < 4; i++)
		format_index_add(&good, 5, i < 3 ? 100 : 9);
	format_index_end(&good);
	ck_assert_int_eq(format_index_check(&good, &expected, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		index = good;
		index.entries[wrong[i].entry].offset = wrong[i].offset;
		index.entries[wrong[i].entry].length = wrong[i].length;
		format_index_end(&index);
		ck_assert_msg(format_index_check(&index, &expected, 0) == -EBADMSG, "case %zu", i);
	}
	for (uint64_t offset = FORMAT_BLOCK - 309 + 1; offset; offset <<= 1) {
		index = good;
		index.offset = offset;
		format_index_end(&index);
		ck_assert_int_eq(format_index_check(&index, &expected, 0), -EBADMSG);
	}
	index = good;
	index.offset = FORMAT_BLOCK - 309; /* ends where the place ends */
	format_index_end(&index);
	ck_assert_int_eq(format_index_check(&index, &expected, 0), 0);
}
END_TEST

START_TEST(places_that_cannot_be_are_refused)
{
	struct format_shape shape;
	struct disk_place good = { .offset = FORMAT_BLOCK, .stored = 3 * FORMAT_BLOCK }, place;

	ck_assert_int_eq(format_place_check(&good, 2 * FORMAT_BLOCK), 0);
	ck_assert_int_eq(format_place_check(&good, 2 * FORMAT_BLOCK + 1), -EBADMSG);
	ck_assert_int_eq(format_place_check(&good, FORMAT_BLOCK), -EBADMSG);
	ck_assert_int_eq(format_place_check(&good, UINT64_MAX), -EBADMSG);
#define REFUSED(member, value)                                                          \
	do {                                                                            \
		place = good;                                                           \
		place.member = value;                                                   \
		ck_assert_int_eq(format_place_check(&place, 2 * FORMAT_BLOCK), -EBADMSG); \
	} while (0)
	REFUSED(offset, 0);
	REFUSED(offset, FORMAT_BLOCK + 64);
	REFUSED(offset, UINT64_MAX - FORMAT_BLOCK + 1);
	REFUSED(stored, 0);
	REFUSED(stored, UINT64_MAX - FORMAT_BLOCK + 1);
	REFUSED(flags, 0x8000);
	REFUSED(flags, DISK_PLACE_PACKED);
#undef REFUSED
	ck_assert_int_eq(format_shape(&shape, FORMAT_CHUNK + 1, DISK_PLACE_FUSED | DISK_PLACE_PACKED),
		-EBADMSG);
}
END_TEST

START_TEST(a_chunk_is_checked_unless_the_index_says_that_it_has_no_checksums)
{
	struct format_expected expected = expect(100, 0);
	struct format_index index;
	uint8_t chunk[100];

	memset(chunk, 3, sizeof chunk);
	format_index_begin(&index, &expected, 0, 0, 0);
	format_index_add(&index, checksum_of(chunk, sizeof chunk), sizeof chunk);
	format_index_end(&index);
	ck_assert_int_eq(format_chunk_check(&index, 0, chunk), 0);
	for (size_t bit = 0; bit < sizeof chunk * 8; bit++) {
		chunk[bit / 8] ^= 1 << bit % 8;
		ck_assert_int_eq(format_chunk_check(&index, 0, chunk), -EBADMSG);
		chunk[bit / 8] ^= 1 << bit % 8;
	}
	format_index_begin(&index, &expected, 0, 0, FORMAT_UNCHECKED);
	format_index_add(&index, checksum_of(chunk, sizeof chunk), sizeof chunk);
	format_index_end(&index);
	ck_assert_int_eq(format_index_check(&index, &expected, 0), 0);
	chunk[50] = 9;
	ck_assert_int_eq(format_chunk_check(&index, 0, chunk), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spill format");
	TCase *tests = tcase_create("spill format");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, a_head_is_believed_and_any_other_byte_is_not);
	tcase_add_test(tests, a_future_version_is_refused_though_its_checksum_holds);
	tcase_add_loop_test(tests, every_size_has_a_shape_that_holds_it, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(tests, every_block_is_believed_and_no_other, 0, ARRAY_SIZE(sizes));
	tcase_add_test(tests, any_changed_byte_of_a_block_is_found);
	tcase_add_test(tests, entries_that_lead_out_of_the_place_are_refused);
	tcase_add_test(tests, places_that_cannot_be_are_refused);
	tcase_add_test(tests, a_chunk_is_checked_unless_the_index_says_that_it_has_no_checksums);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
