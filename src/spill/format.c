/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "spill/checksum.h"
#include "util/cleanup.h"

#define BLOCK_DATA ((uint64_t)FORMAT_ENTRIES * FORMAT_CHUNK)
/* Beyond this no sum of offsets could overflow, and no disk goes. */
#define MAX_SIZE (UINT64_C(1) << 60)

static const char head_magic[16] = "ostore spill\r\n";
static const char index_magic[4] = "oIDX";

static uint64_t round_up(uint64_t n, uint64_t step)
{
	return (n + step - 1) / step * step;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static uint64_t head_checksum(const struct format_head *head)
{
	struct format_head copy = *head;

	copy.checksum = 0;
	return checksum_of(&copy, sizeof copy);
}

void format_head_make(struct format_head *head, const struct id128 *store, uint32_t number)
{
	*head = (struct format_head){
		.store = *store,
		.version = FORMAT_VERSION,
		.number = number,
	};
	memcpy(head->magic, head_magic, sizeof head->magic);
	head->checksum = head_checksum(head);
}

int format_head_check(
	const struct format_head *head, const struct id128 *store, uint32_t number)
{
	if (memcmp(head->magic, head_magic, sizeof head->magic) != 0 ||
		head->checksum != head_checksum(head) || head->version != FORMAT_VERSION ||
		!id128_equal(&head->store, store) || head->number != number ||
		!all_zero(head->zero, sizeof head->zero))
		return -EBADMSG;
	return 0;
}

int format_shape(struct format_shape *shape, uint64_t size, uint16_t flags)
{
	bool packed = flags & DISK_PLACE_PACKED;
	uint64_t n_chunks;

	if (size > MAX_SIZE || (packed && size > FORMAT_CHUNK) ||
		(packed && !(flags & DISK_PLACE_FUSED)) ||
		(flags & ~(DISK_PLACE_FUSED | DISK_PLACE_PACKED | DISK_PLACE_COMPRESSED)))
		return -EBADMSG;
	n_chunks = (size + FORMAT_CHUNK - 1) / FORMAT_CHUNK;
	*shape = (struct format_shape){
		.size = size,
		.n_chunks = n_chunks,
		.packed = packed,
		.compressed = flags & DISK_PLACE_COMPRESSED,
		/* an object of nothing has an index, too */
		.n_blocks = (uint32_t)MAX((n_chunks + FORMAT_ENTRIES - 1) / FORMAT_ENTRIES, 1),
	};
	shape->data = packed ? format_block_bytes(shape, 0) : (uint64_t)shape->n_blocks * FORMAT_BLOCK;
	return 0;
}

uint64_t format_stored(const struct format_shape *shape)
{
	return round_up(shape->data + shape->size, shape->packed ? FORMAT_PACKED_STEP : FORMAT_BLOCK);
}

int format_place_check(const struct disk_place *place, uint64_t size)
{
	struct format_shape shape;
	uint32_t step;

	if (format_shape(&shape, size, place->flags) < 0)
		return -EBADMSG;
	step = shape.packed ? FORMAT_PACKED_STEP : FORMAT_BLOCK;
	if (place->offset < FORMAT_BLOCK || place->offset % step || place->stored % step ||
		place->offset > MAX_SIZE || place->stored > 2 * MAX_SIZE)
		return -EBADMSG;
	if (shape.compressed ? place->stored > format_stored(&shape) || place->stored < shape.data
			     : place->stored != format_stored(&shape))
		return -EBADMSG;
	return 0;
}

uint32_t format_chunk_length(const struct format_shape *shape, uint64_t chunk)
{
	return (uint32_t)MIN(shape->size - chunk * FORMAT_CHUNK, FORMAT_CHUNK);
}

uint32_t format_block_entries(const struct format_shape *shape, uint32_t block)
{
	return (uint32_t)MIN(shape->n_chunks - (uint64_t)block * FORMAT_ENTRIES, FORMAT_ENTRIES);
}

size_t format_block_bytes(const struct format_shape *shape, uint32_t block)
{
	if (!shape->packed)
		return FORMAT_BLOCK;
	return FORMAT_INDEX_HEAD + format_block_entries(shape, block) * sizeof(struct format_entry);
}

static uint16_t index_flags(const struct format_shape *shape)
{
	return (uint16_t)((shape->packed ? DISK_PLACE_PACKED : 0) |
		(shape->compressed ? DISK_PLACE_COMPRESSED : 0));
}

void format_index_begin(struct format_index *index, const struct format_expected *expected,
	uint32_t number, uint64_t offset, uint16_t flags)
{
	*index = (struct format_index){
		.version = FORMAT_VERSION,
		.flags = (uint16_t)(index_flags(&expected->shape) | flags),
		.store = expected->store,
		.object = expected->object,
		.size = expected->shape.size,
		.offset = offset,
		.number = number,
	};
	memcpy(index->magic, index_magic, sizeof index->magic);
}

void format_index_add(struct format_index *index, uint64_t checksum, uint32_t length)
{
	uint32_t n = index->n_entries++;
	const struct format_entry *before = n > 0 ? &index->entries[n - 1] : NULL;

	assert(n < FORMAT_ENTRIES);
	index->entries[n] = (struct format_entry){
		.checksum = index->flags & FORMAT_UNCHECKED ? 0 : checksum,
		.offset = before ? before->offset + before->length : 0,
		.length = length,
	};
}

uint64_t format_index_checksum(const struct format_index *index, size_t n_bytes)
{
	struct format_index copy;

	assert(n_bytes >= FORMAT_INDEX_HEAD && n_bytes <= sizeof copy);
	memcpy(&copy, index, n_bytes);
	copy.checksum = 0;
	return checksum_of(&copy, n_bytes);
}

void format_index_end(struct format_index *index)
{
	size_t n_bytes = sizeof *index;

	if (index->flags & DISK_PLACE_PACKED)
		n_bytes = FORMAT_INDEX_HEAD + index->n_entries * sizeof(struct format_entry);
	index->checksum = format_index_checksum(index, n_bytes);
}

static bool entries_make_sense(const struct format_index *index,
	const struct format_expected *expected)
{
	const struct format_shape *shape = &expected->shape;
	uint64_t first = (uint64_t)index->number * FORMAT_ENTRIES, offset = 0;

	for (uint32_t i = 0; i < index->n_entries; i++) {
		const struct format_entry *entry = &index->entries[i];
		uint32_t whole = format_chunk_length(shape, first + i);

		if (entry->offset != offset || entry->length == 0 || entry->length > whole ||
			(!shape->compressed && entry->length != whole) ||
			((index->flags & FORMAT_UNCHECKED) && entry->checksum))
			return false;
		offset += entry->length;
	}
	if (!shape->compressed && index->offset != index->number * BLOCK_DATA)
		return false;
	return index->offset <= expected->stored &&
		shape->data + index->offset + offset <= expected->stored;
}

int format_index_check(const struct format_index *index, const struct format_expected *expected,
	uint32_t number)
{
	const struct format_shape *shape = &expected->shape;
	size_t n_bytes = format_block_bytes(shape, number);

	if (memcmp(index->magic, index_magic, sizeof index->magic) != 0 ||
		index->version != FORMAT_VERSION ||
		index->checksum != format_index_checksum(index, n_bytes) ||
		!id128_equal(&index->store, &expected->store) ||
		!id128_equal(&index->object, &expected->object) || index->size != shape->size ||
		(index->flags & ~FORMAT_UNCHECKED) != index_flags(shape) ||
		index->number != number || index->n_entries != format_block_entries(shape, number) ||
		!all_zero(index->zero, sizeof index->zero) || !entries_make_sense(index, expected))
		return -EBADMSG;
	return 0;
}

int format_chunk_check(const struct format_index *index, uint32_t entry, const void *stored)
{
	if (index->flags & FORMAT_UNCHECKED)
		return 0;
	return checksum_of(stored, index->entries[entry].length) == index->entries[entry].checksum
		? 0
		: -EBADMSG;
}
