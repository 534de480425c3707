/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing an object.  The data goes first, its checksums are taken while the disk works, and
 * the index follows; both are on the disk when the region is committed.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spill/checksum.h"
#include "spill/compression.h"
#include "spill/transfer.h"
#include "spill/view.h"
#include "util/cleanup.h"

struct writing {
	struct transfer *transfer;
	struct format_expected expected;
	struct view view;
	struct region region;
	struct compression compression;
	struct format_index *blocks;
	uint64_t chunk;      /* the next one for the index */
	uint64_t data;       /* bytes of data that are written, or begun */
	struct slot *slot;   /* that is being filled, by `filled` bytes; NULL */
	uint32_t filled;
	int result;          /* the first error of the disk */
};

static uint64_t round_up(uint64_t n)
{
	return (n + FORMAT_BLOCK - 1) / FORMAT_BLOCK * FORMAT_BLOCK;
}

static void come_back(struct writing *writing)
{
	struct io_request *request = io_finish(writing->transfer->io);

	if (request->result < 0 && writing->result == 0)
		writing->result = request->result == -EFAULT ? -ENOMEM : request->result;
}

static struct slot *free_slot(struct writing *writing)
{
	for (;;) {
		for (int i = 0; i < TRANSFER_SLOTS; i++)
			if (!writing->transfer->slots[i].request.busy)
				return &writing->transfer->slots[i];
		come_back(writing);
	}
}

static void wait_for_all(struct writing *writing)
{
	for (int i = 0; i < TRANSFER_SLOTS; i++)
		while (writing->transfer->slots[i].request.busy)
			come_back(writing);
}

/* @offset: from the region's */
static void begin(struct writing *writing, struct slot *slot, void *bytes, uint32_t length, uint64_t offset)
{
	slot->request = (struct io_request){
		.fd = writing->region.fd,
		.write = true,
		.direct = writing->region.direct,
		.bytes = bytes,
		.length = length,
		.offset = writing->region.offset + offset,
	};
	io_begin(writing->transfer->io, &slot->request);
}

/* Chunks come in their order. */
static void index_chunk(struct writing *writing, const void *stored, uint32_t length)
{
	uint32_t block = (uint32_t)(writing->chunk / FORMAT_ENTRIES);
	struct format_index *index = &writing->blocks[block];
	bool unchecked = writing->transfer->no_checksum;
	uint64_t before = 0;

	if (writing->chunk % FORMAT_ENTRIES == 0) {
		if (block > 0) {
			const struct format_index *former = index - 1;
			const struct format_entry *last = &former->entries[FORMAT_ENTRIES - 1];

			before = former->offset + last->offset + last->length;
		}
		format_index_begin(index, &writing->expected, block, before, unchecked ? FORMAT_UNCHECKED : 0);
	}
	format_index_add(index, unchecked ? 0 : checksum_of(stored, length), length);
	writing->chunk++;
}

/* ---- as it is ---- */

static void write_plain(struct writing *writing)
{
	const struct format_shape *shape = &writing->expected.shape;
	bool aligned = (uintptr_t)writing->view.bytes % IO_ALIGNMENT == 0;

	for (uint64_t at = 0; at < shape->size && writing->result == 0;) {
		struct slot *slot = free_slot(writing);
		uint32_t length = (uint32_t)MIN(shape->size - at, TRANSFER_RUN);
		char *bytes = writing->view.bytes + at;
		int r = 0;

		if (aligned && length >= IO_ALIGNMENT) {
			length -= length % IO_ALIGNMENT;
		} else { /* the last bytes of it, or memory that the disk does not take */
			r = slot_need_buffer(slot);
			length = MIN(length, TRANSFER_BUFFER);
			if (r == 0) {
				memcpy(slot->buffer, bytes, length);
				memset(slot->buffer + length, 0, round_up(length) - length);
			}
			bytes = slot->buffer;
		}
		if (r < 0) {
			writing->result = r;
			return;
		}
		begin(writing, slot, bytes, (uint32_t)round_up(length), shape->data + at);
		at += length;
		while (writing->chunk < shape->n_chunks && writing->chunk * FORMAT_CHUNK < at)
			index_chunk(writing, writing->view.bytes + writing->chunk * FORMAT_CHUNK,
				format_chunk_length(shape, writing->chunk));
	}
	writing->data = round_up(shape->size);
}

/* ---- compressed ---- */

static void flush(struct writing *writing)
{
	uint32_t length = (uint32_t)round_up(writing->filled);

	if (!writing->slot || length == 0)
		return;
	memset(writing->slot->buffer + writing->filled, 0, length - writing->filled);
	begin(writing, writing->slot, writing->slot->buffer, length,
		writing->expected.shape.data + writing->data);
	writing->data += length;
	writing->slot = NULL;
	writing->filled = 0;
}

static void put(struct writing *writing, const char *bytes, uint32_t length)
{
	while (length > 0 && writing->result == 0) {
		uint32_t n;

		if (!writing->slot) {
			struct slot *slot = free_slot(writing);
			int r = slot_need_buffer(slot);

			if (r < 0) {
				writing->result = r;
				return;
			}
			writing->slot = slot;
		}
		n = MIN(length, TRANSFER_BUFFER - writing->filled);
		memcpy(writing->slot->buffer + writing->filled, bytes, n);
		writing->filled += n;
		bytes += n;
		length -= n;
		if (writing->filled == TRANSFER_BUFFER)
			flush(writing);
	}
}

static void write_compressed(struct writing *writing)
{
	const struct format_shape *shape = &writing->expected.shape;

	if (transfer_need_scratch(writing->transfer) < 0)
		writing->result = -ENOMEM;
	while (writing->chunk < shape->n_chunks && writing->result == 0) {
		const char *chunk = writing->view.bytes + writing->chunk * FORMAT_CHUNK;
		uint32_t length = format_chunk_length(shape, writing->chunk);
		uint32_t packed = compression_pack(
			&writing->compression, chunk, length, writing->transfer->scratch);

		if (packed) {
			chunk = writing->transfer->scratch;
			length = packed;
		}
		index_chunk(writing, chunk, length);
		put(writing, chunk, length);
	}
	flush(writing);
}

/* ---- aligned objects ---- */

static void write_index(struct writing *writing)
{
	const struct format_shape *shape = &writing->expected.shape;

	if (shape->n_chunks == 0)
		format_index_begin(&writing->blocks[0], &writing->expected, 0, 0, 0);
	for (uint32_t block = 0; block < shape->n_blocks; block++)
		format_index_end(&writing->blocks[block]);
	for (uint64_t at = 0; at < shape->data && writing->result == 0; at += TRANSFER_RUN)
		begin(writing, free_slot(writing), (char *)writing->blocks + at,
			(uint32_t)MIN(shape->data - at, TRANSFER_RUN), at);
}

/* Nothing is in flight afterwards.  Return: 0 or negative errno. */
static int write_all(struct writing *writing)
{
	if (writing->compression.compressor)
		write_compressed(writing);
	else
		write_plain(writing);
	if (writing->result == 0)
		write_index(writing);
	wait_for_all(writing);
	return writing->result;
}

static void fail_writing(struct transfer *transfer, struct spill_job *job, const struct region *region,
	int result)
{
	struct disk_place place = { .directory = region->file->directory, .file = region->file->number };
	struct text where = TEXT_INIT;

	files_say_where(transfer->files, &place, &where);
	job_fail(job, result, "%s: writing an object of %llu bytes: %s", where.bytes,
		(unsigned long long)job->size, strerror(-result));
}

/* The disk's fault, or ours?  A full one tells nothing about what it keeps. */
static int disk_error(int result)
{
	return result == -ENOMEM || result == -ENOSPC || result == -EDQUOT ? 0 : result;
}

static void write_aligned(struct transfer *transfer, struct spill_job *job, struct writing *writing)
{
	bool alone = files_alone(transfer->files, job->size);
	uint16_t flags = (uint16_t)((alone ? 0 : DISK_PLACE_FUSED) |
		(writing->compression.compressor ? DISK_PLACE_COMPRESSED : 0));
	struct disk_place place;
	uint64_t used;
	int r;

	r = format_shape(&writing->expected.shape, job->size, flags);
	if (r < 0) {
		job_fail(job, -EFBIG, "an object of %llu bytes is too large for any file",
			(unsigned long long)job->size);
		return;
	}
	job->result = files_allot(transfer->files, &writing->region,
		format_stored(&writing->expected.shape), alone, &job->error);
	if (job->result < 0)
		return;
	r = posix_memalign((void **)&writing->blocks, IO_ALIGNMENT, writing->expected.shape.data)
		? -ENOMEM
		: 0;
	if (r == 0)
		r = write_all(writing);
	if (r < 0) {
		fail_writing(transfer, job, &writing->region, r);
		files_abandon(transfer->files, &writing->region, disk_error(r));
		return;
	}
	used = writing->expected.shape.data + writing->data;
	place = (struct disk_place){
		.offset = writing->region.offset,
		.stored = used,
		.file = writing->region.file->number,
		.directory = writing->region.file->directory,
		.flags = flags,
	};
	job->result = files_commit(transfer->files, &writing->region, used, used, 1, &job->error);
	if (job->result == 0)
		job->place = place;
}

void transfer_write(struct transfer *transfer, struct spill_job *job)
{
	struct writing writing = {
		.transfer = transfer,
		.expected = { .store = transfer->files->store, .object = job->id },
	};
	int r = view_map(&writing.view, job->fd, job->fd_offset, job->size, false);

	if (r < 0) {
		job_fail(job, r, "mapping the object to write it: %s", strerror(-r));
		return;
	}
	writing.compression = compression_choose(transfer->compression, writing.view.bytes, job->size);
	write_aligned(transfer, job, &writing);
	free(writing.blocks);
	view_unmap(&writing.view);
}

void transfer_move(struct transfer *transfer, struct spill_job *job)
{
	struct writing writing = { .transfer = transfer };
	struct disk_place place = job->place;
	CLEANUP_FREE char *buffer = NULL;
	const char *stored;
	int r = 0;

	if (!(place.flags & DISK_PLACE_FUSED)) {
		job_fail(job, -EINVAL, "only what shares its file with others is moved");
		return;
	}
	if (format_place_check(&place, job->size) < 0)
		r = -EBADMSG;
	else if (posix_memalign((void **)&buffer, IO_ALIGNMENT, place.stored) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = transfer_read_stored(transfer, job, buffer, &stored);
	if (r < 0) {
		job_fail_reading(transfer, job, r, "an object that was to be moved");
		return;
	}
	job->result = files_allot(transfer->files, &writing.region, place.stored, false, &job->error);
	if (job->result < 0)
		return;
	for (uint64_t at = 0; at < place.stored && writing.result == 0; at += TRANSFER_RUN)
		begin(&writing, free_slot(&writing), buffer + at,
			(uint32_t)MIN(place.stored - at, TRANSFER_RUN), at);
	wait_for_all(&writing);
	if (writing.result < 0) {
		fail_writing(transfer, job, &writing.region, writing.result);
		files_abandon(transfer->files, &writing.region, disk_error(writing.result));
		return;
	}
	place.offset = writing.region.offset;
	place.file = writing.region.file->number;
	place.directory = writing.region.file->directory;
	job->result = files_commit(
		transfer->files, &writing.region, place.stored, place.stored, 1, &job->error);
	if (job->result == 0)
		job->place = place;
}

/* ---- packed objects ---- */

uint32_t transfer_packed_length(const struct spill_job *job)
{
	struct format_shape shape;

	if (job->type == SPILL_MOVE && !(job->place.flags & DISK_PLACE_PACKED))
		return 0;
	if (format_shape(&shape, job->size, DISK_PLACE_FUSED | DISK_PLACE_PACKED) < 0)
		return 0;
	return (uint32_t)format_stored(&shape);
}

/* An object's index and chunk to the end of the buffer.  Return: bytes, or negative errno. */
static int pack_one(struct transfer *transfer, const struct spill_job *job, char *to, uint16_t *flagsp)
{
	uint16_t flags = DISK_PLACE_FUSED | DISK_PLACE_PACKED;
	struct format_expected expected = { .store = transfer->files->store, .object = job->id };
	uint32_t length = (uint32_t)job->size, stored = length;
	struct compression compression;
	struct format_index index;
	char *data;
	int r;

	(void)format_shape(&expected.shape, length, flags);
	data = to + expected.shape.data;
	r = memory_read(job->fd, data, length, job->fd_offset);
	if (r < 0)
		return r;
	compression = compression_choose(transfer->compression, data, length);
	if (compression.compressor && transfer_need_scratch(transfer) == 0) {
		uint32_t packed = compression_pack(&compression, data, length, transfer->scratch);

		if (packed) {
			memcpy(data, transfer->scratch, packed);
			stored = packed;
			flags |= DISK_PLACE_COMPRESSED;
			(void)format_shape(&expected.shape, length, flags);
		}
	}
	format_index_begin(&index, &expected, 0, 0, transfer->no_checksum ? FORMAT_UNCHECKED : 0);
	if (length > 0)
		format_index_add(&index, transfer->no_checksum ? 0 : checksum_of(data, stored), stored);
	format_index_end(&index);
	memcpy(to, &index, expected.shape.data);
	*flagsp = flags;
	return (int)(expected.shape.data + stored);
}

static int pack_moved(struct transfer *transfer, struct spill_job *job, char *to, uint16_t *flagsp)
{
	struct slot *slot = &transfer->slots[1];
	const char *stored;
	int r = slot_need_buffer(slot);

	if (r == 0)
		r = transfer_read_stored(transfer, job, slot->buffer, &stored);
	if (r < 0)
		return r;
	memcpy(to, stored, job->place.stored);
	*flagsp = job->place.flags;
	return (int)job->place.stored;
}

static void fail_all(struct spill_job *const *jobs, unsigned int n, const struct spill_job *like)
{
	for (unsigned int i = 0; i < n; i++) {
		if (jobs[i]->result == 1) {
			jobs[i]->result = like->result;
			jobs[i]->error = like->error;
		}
	}
}

void transfer_write_packed(struct transfer *transfer, struct spill_job *const *jobs, unsigned int n)
{
	struct writing writing = { .transfer = transfer };
	struct slot *slot = &transfer->slots[0];
	struct spill_job failed = { .size = 0 };
	uint64_t filled = 0, live = 0, n_live = 0;
	int r = slot_need_buffer(slot);

	for (unsigned int i = 0; i < n; i++) {
		struct spill_job *job = jobs[i];
		uint16_t flags = 0;
		int bytes = r;

		if (r == 0)
			bytes = job->type == SPILL_MOVE ? pack_moved(transfer, job, slot->buffer + filled, &flags)
							: pack_one(transfer, job, slot->buffer + filled, &flags);
		if (bytes < 0 && job->type == SPILL_MOVE) {
			job_fail_reading(transfer, job, bytes, "an object that was to be moved");
			continue;
		} else if (bytes < 0) {
			job_fail(job, bytes, "reading the object to write it: %s", strerror(-bytes));
			continue;
		}
		job->result = 1; /* not told yet */
		job->place = (struct disk_place){ .offset = filled, .flags = flags };
		job->place.stored = ((uint64_t)bytes + FORMAT_PACKED_STEP - 1) / FORMAT_PACKED_STEP *
			FORMAT_PACKED_STEP;
		memset(slot->buffer + filled + bytes, 0, job->place.stored - (uint64_t)bytes);
		filled += job->place.stored;
		live += job->place.stored;
		n_live++;
		failed.size += job->size;
	}
	if (n_live == 0)
		return;
	memset(slot->buffer + filled, 0, round_up(filled) - filled);
	failed.result = files_allot(transfer->files, &writing.region, round_up(filled), false, &failed.error);
	if (failed.result == 0) {
		const struct spill_file *file = writing.region.file;

		for (unsigned int i = 0; i < n; i++) {
			if (jobs[i]->result != 1)
				continue;
			jobs[i]->place.offset += writing.region.offset;
			jobs[i]->place.file = file->number;
			jobs[i]->place.directory = file->directory;
		}
		begin(&writing, slot, slot->buffer, (uint32_t)round_up(filled), 0);
		come_back(&writing);
		if (writing.result < 0) {
			fail_writing(transfer, &failed, &writing.region, writing.result);
			files_abandon(transfer->files, &writing.region, disk_error(writing.result));
		} else {
			failed.result = files_commit(transfer->files, &writing.region, round_up(filled),
				live, n_live, &failed.error);
		}
	}
	fail_all(jobs, n, &failed); /* or all succeed */
}
