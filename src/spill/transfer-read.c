/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a range of an object.  Where chunks are not compressed, the index is read at the
 * same time as the first data, and chunks that the range covers go straight to the memory;
 * what it covers in part, and what is compressed, goes through a bounce buffer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spill/compression.h"
#include "spill/transfer.h"
#include "spill/view.h"
#include "util/cleanup.h"

struct reading {
	struct transfer *transfer;
	struct spill_job *job;
	struct format_expected expected;
	struct view view;      /* of the target; none: there is no target, or no whole chunk */
	int fd;
	bool direct, target;
	uint64_t begin, end;   /* the range */
	uint64_t chunk, last;  /* the next one to be asked for; the one after the last */
	struct format_index *blocks; /* from first_block on */
	uint32_t first_block, n_blocks;
	struct io_request index;
	bool index_checked;
	unsigned int n_flying; /* requests, that for the index included */
	int result;            /* the first error */
	const char *what;      /* was read then */
};

static void fail(struct reading *reading, int result, const char *what)
{
	if (reading->result < 0)
		return;
	reading->result = result;
	reading->what = what;
}

static const struct format_index *block_of(const struct reading *reading, uint64_t chunk)
{
	return &reading->blocks[chunk / FORMAT_ENTRIES - reading->first_block];
}

static const struct format_entry *entry_of(const struct reading *reading, uint64_t chunk)
{
	return &block_of(reading, chunk)->entries[chunk % FORMAT_ENTRIES];
}

/* Where it is, from the place's offset; of a compressed one the index must be there. */
static uint64_t chunk_offset(const struct reading *reading, uint64_t chunk)
{
	const struct format_shape *shape = &reading->expected.shape;

	if (!shape->compressed)
		return shape->data + chunk * FORMAT_CHUNK;
	return shape->data + block_of(reading, chunk)->offset + entry_of(reading, chunk)->offset;
}

/* Does the range cover all of it, in memory that the disk can write to? */
static bool goes_straight(const struct reading *reading, uint64_t chunk)
{
	uint64_t at = chunk * FORMAT_CHUNK, length = format_chunk_length(&reading->expected.shape, chunk);

	return reading->view.bytes && !reading->expected.shape.compressed && at >= reading->begin &&
		at + length <= reading->end && length % IO_ALIGNMENT == 0 &&
		(uintptr_t)(reading->view.bytes + (at - reading->begin)) % IO_ALIGNMENT == 0;
}

/* ---- what was read ---- */

/* The part of the chunk that is in the range.  Return: 0 or negative errno. */
static int deliver(struct reading *reading, uint64_t chunk, const char *bytes)
{
	uint64_t at = chunk * FORMAT_CHUNK;
	uint64_t from = MAX(at, reading->begin);
	uint64_t to = MIN(at + format_chunk_length(&reading->expected.shape, chunk), reading->end);

	if (!reading->target)
		return 0;
	return memory_write(reading->job->fd, bytes + (from - at), (size_t)(to - from),
		reading->job->fd_offset + (from - reading->begin));
}

static int deliver_packed(struct reading *reading, uint64_t chunk, const char *packed, uint32_t packed_length)
{
	uint64_t at = chunk * FORMAT_CHUNK;
	uint32_t length = format_chunk_length(&reading->expected.shape, chunk);
	int r;

	if (reading->view.bytes && at >= reading->begin && at + length <= reading->end) {
		r = view_populate(&reading->view, at - reading->begin, length);
		return r < 0 ? r
			     : compression_unpack(packed, packed_length,
				       reading->view.bytes + (at - reading->begin), length);
	}
	r = transfer_need_scratch(reading->transfer);
	if (r == 0)
		r = compression_unpack(packed, packed_length, reading->transfer->scratch, length);
	return r < 0 ? r : deliver(reading, chunk, reading->transfer->scratch);
}

/* Check the chunks of a finished request, and pass on what is not in its place yet. */
static void use(struct reading *reading, struct slot *slot)
{
	for (uint32_t i = 0; i < slot->n_chunks && reading->result == 0; i++) {
		uint64_t chunk = slot->chunk + i;
		const struct format_entry *entry = entry_of(reading, chunk);
		uint32_t length = format_chunk_length(&reading->expected.shape, chunk);
		const char *bytes = slot->bounced
			? (char *)slot->request.bytes + slot->before +
				(chunk_offset(reading, chunk) - chunk_offset(reading, slot->chunk))
			: reading->view.bytes + (chunk * FORMAT_CHUNK - reading->begin);
		int r = format_chunk_check(
			block_of(reading, chunk), (uint32_t)(chunk % FORMAT_ENTRIES), bytes);

		if (r < 0)
			fail(reading, r, "data of the object");
		else if (entry->length < length)
			r = deliver_packed(reading, chunk, bytes, entry->length);
		else if (slot->bounced)
			r = deliver(reading, chunk, bytes);
		if (r < 0)
			fail(reading, r, r == -EBADMSG ? "compressed data of the object" : "memory for the object");
	}
	slot->n_chunks = 0;
	slot->read = false;
}

static void check_index(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->n_blocks && reading->result == 0; i++)
		if (format_index_check(&reading->blocks[i], &reading->expected, reading->first_block + i) < 0)
			fail(reading, -EBADMSG, "index of the object");
	reading->index_checked = true;
}

/* One request comes back. */
static void come_back(struct reading *reading)
{
	struct io_request *request = io_finish(reading->transfer->io);
	struct slot *slot = container_of(request, struct slot, request);

	reading->n_flying--;
	if (request->result == -EFAULT) /* a page of the memfd could not be had */
		fail(reading, -ENOMEM, "memory for the object");
	else if (request->result < 0)
		fail(reading, request->result,
			request == &reading->index ? "index of the object" : "data of the object");
	if (request != &reading->index)
		slot->read = true;
	else if (reading->result == 0)
		check_index(reading);
}

/* ---- what is asked for ---- */

static uint32_t straight_run(const struct reading *reading)
{
	uint32_t n = 0;

	while (reading->chunk + n < reading->last && n < TRANSFER_RUN / FORMAT_CHUNK &&
		goes_straight(reading, reading->chunk + n))
		n++;
	return n;
}

/* Chunks that fit in a bounce buffer, and come from one index block. */
static uint32_t bounced_run(const struct reading *reading, uint64_t *bytesp)
{
	const struct format_shape *shape = &reading->expected.shape;
	uint64_t room = TRANSFER_BUFFER - 2 * IO_ALIGNMENT, bytes = 0;
	uint32_t n = 0;

	while (reading->chunk + n < reading->last) {
		uint64_t chunk = reading->chunk + n;
		uint32_t length = shape->compressed ? entry_of(reading, chunk)->length
						    : format_chunk_length(shape, chunk);

		if (n > 0 && (bytes + length > room || chunk % FORMAT_ENTRIES == 0 ||
				     goes_straight(reading, chunk)))
			break;
		bytes += length;
		n++;
	}
	*bytesp = bytes;
	return n;
}

static void ask(struct reading *reading, struct slot *slot)
{
	uint64_t offset = reading->job->place.offset + chunk_offset(reading, reading->chunk), length;
	char *bytes;
	int r = 0;

	slot->chunk = reading->chunk;
	slot->n_chunks = straight_run(reading);
	slot->bounced = slot->n_chunks == 0;
	slot->before = 0;
	if (slot->bounced) {
		r = slot_need_buffer(slot);
		slot->n_chunks = bounced_run(reading, &length);
		slot->before = (uint32_t)(offset % IO_ALIGNMENT);
		length = (slot->before + length + IO_ALIGNMENT - 1) / IO_ALIGNMENT * IO_ALIGNMENT;
		bytes = slot->buffer;
	} else {
		length = (uint64_t)(slot->n_chunks - 1) * FORMAT_CHUNK +
			format_chunk_length(&reading->expected.shape, slot->chunk + slot->n_chunks - 1);
		bytes = reading->view.bytes + (slot->chunk * FORMAT_CHUNK - reading->begin);
	}
	reading->chunk += slot->n_chunks;
	if (r < 0) {
		slot->n_chunks = 0;
		fail(reading, r, "memory for the object");
		return;
	}
	slot->request = (struct io_request){
		.fd = reading->fd,
		.direct = reading->direct,
		.length = (uint32_t)length,
		.offset = offset - slot->before,
		.bytes = bytes,
	};
	io_begin(reading->transfer->io, &slot->request);
	reading->n_flying++;
}

static struct slot *free_slot(struct reading *reading)
{
	for (int i = 0; i < TRANSFER_SLOTS; i++)
		if (reading->transfer->slots[i].n_chunks == 0)
			return &reading->transfer->slots[i];
	return NULL;
}

/* The first one that is read, of those that can be checked by now. */
static struct slot *read_slot(struct reading *reading)
{
	struct slot *first = NULL;

	for (int i = 0; i < TRANSFER_SLOTS && reading->index_checked; i++) {
		struct slot *slot = &reading->transfer->slots[i];

		if (slot->read && (!first || slot->chunk < first->chunk))
			first = slot;
	}
	return first;
}

/* The disk always has something to do, while what it did is checked. */
static void read_data(struct reading *reading)
{
	while (reading->result == 0) {
		bool more = reading->chunk < reading->last && reading->n_flying < TRANSFER_DEPTH;
		struct slot *unused = more ? free_slot(reading) : NULL, *slot;

		if (unused) {
			ask(reading, unused);
			continue;
		}
		slot = read_slot(reading);
		if (slot)
			use(reading, slot);
		else if (reading->n_flying > 0)
			come_back(reading);
		else
			break;
	}
	transfer_drain(reading->transfer);
	for (int i = 0; i < TRANSFER_SLOTS; i++) {
		reading->transfer->slots[i].n_chunks = 0;
		reading->transfer->slots[i].read = false;
	}
}

static void read_index(struct reading *reading)
{
	uint64_t length = (uint64_t)reading->n_blocks * FORMAT_BLOCK;
	uint64_t offset = reading->job->place.offset + (uint64_t)reading->first_block * FORMAT_BLOCK;
	bool wait = reading->expected.shape.compressed || length > TRANSFER_RUN;

	for (uint64_t done = 0; done < length && reading->result == 0; done += TRANSFER_RUN) {
		reading->index = (struct io_request){
			.fd = reading->fd,
			.direct = reading->direct,
			.length = (uint32_t)MIN(length - done, TRANSFER_RUN),
			.offset = offset + done,
			.bytes = (char *)reading->blocks + done,
		};
		if (!wait) {
			io_begin(reading->transfer->io, &reading->index);
			reading->n_flying++;
			return;
		}
		if (io_run(reading->transfer->io, &reading->index) < 0)
			fail(reading, reading->index.result, "index of the object");
	}
	if (reading->result == 0)
		check_index(reading);
}

static void read_aligned(struct reading *reading)
{
	struct spill_job *job = reading->job;
	void *blocks;
	int r = 0;

	reading->chunk = reading->begin / FORMAT_CHUNK;
	reading->last = (reading->end + FORMAT_CHUNK - 1) / FORMAT_CHUNK;
	reading->first_block = (uint32_t)(reading->chunk / FORMAT_ENTRIES);
	if (reading->begin == reading->end) /* nothing: the first block is looked at all the same */
		reading->first_block = 0, reading->chunk = reading->last = 0;
	reading->n_blocks = reading->last > 0
		? (uint32_t)((reading->last - 1) / FORMAT_ENTRIES) - reading->first_block + 1
		: 1;
	if (posix_memalign(&blocks, IO_ALIGNMENT, (size_t)reading->n_blocks * FORMAT_BLOCK) != 0) {
		fail(reading, -ENOMEM, "memory for the index");
		return;
	}
	reading->blocks = blocks;
	if (reading->target && reading->end - reading->begin >= FORMAT_CHUNK)
		r = view_map(&reading->view, job->fd, job->fd_offset, reading->end - reading->begin, true);
	if (r < 0)
		fail(reading, r, "mapping the memory for the object");
	else
		read_index(reading);
	read_data(reading);
	view_unmap(&reading->view);
	free(blocks);
}

static void read_packed(struct reading *reading)
{
	struct spill_job *job = reading->job;
	struct slot *slot = &reading->transfer->slots[0];
	uint32_t length = (uint32_t)job->size;
	struct format_index index;
	const char *stored;
	int r = slot_need_buffer(slot);

	if (r == 0)
		r = transfer_read_stored(reading->transfer, job, slot->buffer, &stored);
	if (r < 0) {
		fail(reading, r, "a small object");
		return;
	}
	if (length == 0)
		return;
	memcpy(&index, stored, format_block_bytes(&reading->expected.shape, 0));
	stored += reading->expected.shape.data;
	r = index.entries[0].length < length
		? deliver_packed(reading, 0, stored, index.entries[0].length)
		: deliver(reading, 0, stored);
	if (r < 0)
		fail(reading, r, "a small object");
}

void transfer_read(struct transfer *transfer, struct spill_job *job)
{
	struct reading reading = {
		.transfer = transfer,
		.job = job,
		.expected = { .store = transfer->files->store, .object = job->id,
			.stored = job->place.stored },
		.target = job->type == SPILL_READ,
		.begin = job->type == SPILL_READ ? job->offset : 0,
		.end = job->type == SPILL_READ ? job->offset + job->length : job->size,
		.fd = -1,
	};

	if (reading.end < reading.begin || reading.end > job->size) {
		job_fail(job, -EINVAL, "a range that is not in the object");
		return;
	}
	if (format_place_check(&job->place, job->size) < 0 ||
		format_shape(&reading.expected.shape, job->size, job->place.flags) < 0) {
		job_fail_reading(transfer, job, -EBADMSG, "an object that cannot be there");
		return;
	}
	if (reading.expected.shape.packed) {
		read_packed(&reading);
	} else {
		reading.fd = files_open(transfer->files, &job->place, &reading.direct);
		if (reading.fd < 0)
			fail(&reading, reading.fd, "an object");
		else
			read_aligned(&reading);
		if (reading.fd >= 0)
			(void)close(reading.fd);
	}
	job->result = 0;
	if (reading.result < 0)
		job_fail_reading(transfer, job, reading.result, reading.what);
}
