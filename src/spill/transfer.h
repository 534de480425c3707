/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/transfer.h - objects between memory and files, by one thread
 *
 * Copies of a byte: none where the memory is aligned and the chunk is not compressed (the
 * disk takes it from the memfd, or puts it there, by DMA); one, into a bounce buffer,
 * otherwise.  Its checksum is one pass over it, while other requests are in flight.
 */
#ifndef SPILL_TRANSFER_H
#define SPILL_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "spill/files.h"
#include "spill/format.h"
#include "spill/io.h"
#include "spill/spill.h"

#define TRANSFER_DEPTH  4                       /* requests in flight */
#define TRANSFER_SLOTS  (TRANSFER_DEPTH + 2)    /* and finished ones that are being checked */
#define TRANSFER_RUN    (UINT32_C(4) << 20)     /* of memory, in one request */
#define TRANSFER_BUFFER (UINT32_C(1) << 20)     /* of a bounce buffer */
#define TRANSFER_BATCH  (TRANSFER_BUFFER / 2)   /* packed objects that are written by one request */

/* A request, and what is to be done when it is finished. */
struct slot {
	struct io_request request; /* first */
	char *buffer;   /* TRANSFER_BUFFER, aligned; made when it is needed */
	uint64_t chunk; /* the first one that is read */
	uint32_t n_chunks, before; /* before: bytes ahead of the first chunk, for alignment */
	bool bounced, read; /* read: to be checked, when the index is there */
};

struct transfer {
	struct files *files;
	enum spill_compression compression;
	bool no_checksum;
	struct io *io;
	char *scratch; /* a chunk; made when it is needed */
	struct slot slots[TRANSFER_SLOTS];
};

/* @reasonp: of io_new() */
void transfer_init(struct transfer *transfer, struct files *files, const struct spill_options *options,
	const char **reasonp);
void transfer_deinit(struct transfer *transfer);

/* Each does a job of its type; job->result and job->error tell. */
void transfer_write(struct transfer *transfer, struct spill_job *job);
void transfer_read(struct transfer *transfer, struct spill_job *job); /* READ and VERIFY */
/* The same for WRITE and MOVE of many that are packed, at most TRANSFER_BATCH together. */
void transfer_write_packed(struct transfer *transfer, struct spill_job *const *jobs, unsigned int n);
void transfer_move(struct transfer *transfer, struct spill_job *job); /* of one that is not */

/* Is it to be written packed, and how many bytes may it take then?  Return: 0: no. */
uint32_t transfer_packed_length(const struct spill_job *job);

/* ---- for the parts of it ---- */

/* Return: 0 or -ENOMEM. */
int slot_need_buffer(struct slot *slot);
int transfer_need_scratch(struct transfer *transfer);
/* Wait until nothing is in flight; results do not matter. */
void transfer_drain(struct transfer *transfer);
void job_fail(struct spill_job *job, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The result of a job that could not read its place. */
void job_fail_reading(struct transfer *transfer, struct spill_job *job, int result, const char *what);
/* Reads a whole packed or fused object as it is stored, and checks it; the head of it is at
 * *startp in buffer.  @buffer: aligned, stored + 2 blocks
 * Return: 0 or negative errno. */
int transfer_read_stored(struct transfer *transfer, const struct spill_job *job, char *buffer,
	const char **startp);

#endif
