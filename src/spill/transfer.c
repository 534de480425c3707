/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

void transfer_init(struct transfer *transfer, struct files *files, const struct spill_options *options,
	const char **reasonp)
{
	*transfer = (struct transfer){
		.files = files,
		.compression = options->compression,
		.no_checksum = options->no_checksum,
	};
	transfer->io = io_new(2 * TRANSFER_SLOTS, !options->no_io_uring, options->faults, reasonp);
}

void transfer_deinit(struct transfer *transfer)
{
	transfer->io = io_free(transfer->io);
	for (int i = 0; i < TRANSFER_SLOTS; i++)
		free(transfer->slots[i].buffer);
	free(transfer->scratch);
}

int slot_need_buffer(struct slot *slot)
{
	void *buffer;

	if (slot->buffer)
		return 0;
	if (posix_memalign(&buffer, IO_ALIGNMENT, TRANSFER_BUFFER) != 0)
		return -ENOMEM;
	slot->buffer = buffer;
	return 0;
}

int transfer_need_scratch(struct transfer *transfer)
{
	if (!transfer->scratch)
		transfer->scratch = malloc(FORMAT_CHUNK);
	return transfer->scratch ? 0 : -ENOMEM;
}

void transfer_drain(struct transfer *transfer)
{
	while (io_finish(transfer->io))
		;
}

void job_fail(struct spill_job *job, int result, const char *format, ...)
{
	char sentence[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	job->result = result;
	text_set(&job->error, "%s", sentence);
}

static const char *why_unreadable(int result)
{
	switch (result) {
	case -EBADMSG:
		return "its checksum does not hold: the disk, or somebody, changed it";
	case -ENODATA:
		return "the file is too short";
	case -ENOENT:
		return "the file has vanished";
	}
	return strerror(-result);
}

void job_fail_reading(struct transfer *transfer, struct spill_job *job, int result, const char *what)
{
	struct text where = TEXT_INIT;

	files_say_where(transfer->files, &job->place, &where);
	job_fail(job, result == -ENODATA ? -EBADMSG : result, "%s: %s at %llu: %s", where.bytes, what,
		(unsigned long long)job->place.offset, why_unreadable(result));
}

/* All that is stored of an object, whose bytes lie there as on disk.  Return: 0 or -EBADMSG. */
static int check_stored(const struct format_expected *expected, const char *bytes)
{
	const struct format_shape *shape = &expected->shape;
	struct format_index index;

	for (uint32_t block = 0; block < shape->n_blocks; block++) {
		memcpy(&index, bytes + (size_t)block * FORMAT_BLOCK, format_block_bytes(shape, block));
		if (format_index_check(&index, expected, block) < 0)
			return -EBADMSG;
		for (uint32_t i = 0; i < index.n_entries; i++)
			if (format_chunk_check(&index, i,
				    bytes + shape->data + index.offset + index.entries[i].offset) < 0)
				return -EBADMSG;
	}
	return 0;
}

int transfer_read_stored(struct transfer *transfer, const struct spill_job *job, char *buffer,
	const char **startp)
{
	struct format_expected expected = {
		.store = transfer->files->store, .object = job->id, .stored = job->place.stored };
	uint64_t start = job->place.offset - job->place.offset % FORMAT_BLOCK;
	uint64_t length = job->place.offset + job->place.stored - start;
	CLEANUP_CLOSE int fd = -1;
	bool direct;
	int r;

	length = (length + FORMAT_BLOCK - 1) / FORMAT_BLOCK * FORMAT_BLOCK;
	if (format_place_check(&job->place, job->size) < 0)
		return -EBADMSG;
	(void)format_shape(&expected.shape, job->size, job->place.flags);
	fd = files_open(transfer->files, &job->place, &direct);
	if (fd < 0)
		return fd;
	for (uint64_t done = 0; done < length; done += TRANSFER_RUN) {
		struct io_request request = {
			.fd = fd,
			.direct = direct,
			.bytes = buffer + done,
			.length = (uint32_t)MIN(length - done, TRANSFER_RUN),
			.offset = start + done,
		};

		r = io_run(transfer->io, &request);
		if (r < 0)
			return r;
	}
	*startp = buffer + (job->place.offset - start);
	return check_stored(&expected, *startp);
}
