/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory/pack-file.h - the memfd that small objects live in together
 *
 * Sparse, never sealed, never given to anybody; mapped whole, so that reading and
 * writing an object is a copy and no system call.
 *
 * One thread.  What is written through the mapping was populated before: a page
 * that could not be had is an error there, and would be a SIGBUS later.
 *
 * Where huge pages are to be had, the file grows by them: a frame that is the first
 * of 2 MiB that never had memory gets all of it, and the frames after it are there
 * when their turn comes.  That is seven times as fast as page by page.  It is done
 * only for the frame behind the last one, as whoever leaves frames out would have a
 * huge page for each.  So up to one, at the end of what was ever used, is more than
 * the store counts; all that was in use once is given back by the page, as punching
 * splits it.
 */
#ifndef MEMORY_PACK_FILE_H
#define MEMORY_PACK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory/memfd.h"

struct pack_file {
	int fd;      /* -1: none */
	char *bytes;
	uint64_t size;
	bool huge;
	bool slow;       /* the last huge page came slowly: no more of them */
	uint64_t unused; /* no frame from here on was ever populated */
	uint64_t ahead;  /* but these bytes, up to here, have memory already */
};

#define PACK_FILE_NONE ((struct pack_file){ .fd = -1 })

/* pack_file_make() - a new one of this size, and none of its memory
 * Return: 0 or negative errno (-EMFILE, -ENFILE, -ENOMEM: no address space). */
int pack_file_make(struct pack_file *file, uint64_t size, struct memfd_identity *identity);
/* pack_file_map() - one that is there already; fd stays open when that fails
 * Return: 0 or negative errno. */
int pack_file_map(struct pack_file *file, int fd, uint64_t size);
/* Unmap it; the descriptor is the caller's to close. */
void pack_file_unmap(struct pack_file *file);

/* Let it grow by huge pages.
 * @unused: what is below may have been used already */
void pack_file_grow_huge(struct pack_file *file, uint64_t unused);

/* pack_file_claim() - a frame begins to be used
 * @size: of its bytes, from the beginning, which must have memory
 * @room: of the whole frame
 * Return: have they memory already? */
bool pack_file_claim(struct pack_file *file, uint64_t offset, uint64_t size, uint64_t room);
/* pack_file_populate() - give these pages memory: 35 us for 64 KiB
 * Return: 0 or negative errno (-ENOMEM, -ENOSPC). */
int pack_file_populate(const struct pack_file *file, uint64_t offset, uint64_t size);
/* pack_file_write() - give pages memory by writing to them, and map them: 25 us for 64 KiB, as
 *   what is overwritten at once is not zeroed first
 * Return: 0 or negative errno (-ENOMEM, -ENOSPC). */
int pack_file_write(const struct pack_file *file, uint64_t offset, struct iovec *pieces, size_t n);
/* pack_file_punch() - take these pages' memory back: 5 us for 64 KiB */
int pack_file_punch(const struct pack_file *file, uint64_t offset, uint64_t size);
/* pack_file_read() - the bytes of a memfd of this size into the file
 * Return: 0 or negative errno (-EIO: it is shorter). */
int pack_file_read(const struct pack_file *file, uint64_t offset, int fd, size_t size);

#endif
