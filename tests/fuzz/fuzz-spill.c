/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of spill files: a place, the size of its object, and what the disk says
 * is its index block.  The checksum is put right: otherwise nothing would get past it.
 *
 *   bytes 0..7 size, 8 flags of the place, 9 number of the block, 10 bit 0: expect the ids
 *   that the block has, 11..18 stored, then the block
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "spill/format.h"
#include "util/cleanup.h"

static void check_index(struct format_index *index, struct format_expected *expected, uint32_t number)
{
	uint64_t first = (uint64_t)number * FORMAT_ENTRIES;
	int r;

	index->checksum =
		format_index_checksum(index, format_block_bytes(&expected->shape, number));
	r = format_index_check(index, expected, number);
	assert(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	/* whoever reads by this index stays within the place, and within the chunk in memory */
	for (uint32_t i = 0; i < index->n_entries; i++) {
		const struct format_entry *entry = &index->entries[i];

		assert(first + i < expected->shape.n_chunks);
		assert(entry->length <= format_chunk_length(&expected->shape, first + i));
		assert(expected->shape.data + index->offset + entry->offset + entry->length <=
			expected->stored);
	}
	index->checksum ^= 1;
	assert(format_index_check(index, expected, number) == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct format_expected expected = { .store = { .bytes = "store" } };
	struct format_index index = { .n_entries = 0 };
	struct format_head head = { .version = 0 };
	struct disk_place place;
	uint64_t object_size;
	uint32_t number;

	if (size < 19)
		return 0;
	memcpy(&object_size, data, 8);
	memcpy(&expected.stored, data + 11, 8);
	place = (struct disk_place){
		.offset = FORMAT_BLOCK, .stored = expected.stored, .flags = data[8] & 0xf };
	number = data[9];
	memcpy(&index, data + 19, MIN(size - 19, sizeof index));
	memcpy(&head, data + 19, MIN(size - 19, sizeof head));
	assert(format_head_check(&head, &expected.store, number) == -EBADMSG ||
		memcmp(&head.store, &expected.store, sizeof head.store) == 0);
	if (format_shape(&expected.shape, object_size, place.flags) < 0 ||
		format_place_check(&place, object_size) < 0 || number >= expected.shape.n_blocks)
		return 0;
	if (data[10] & 1) {
		expected.store = index.store;
		expected.object = index.object;
	}
	check_index(&index, &expected, number);
	return 0;
}
