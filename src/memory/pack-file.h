/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory/pack-file.h - the memfd that small objects live in together
 *
 * Sparse, never sealed, never given to anybody; mapped whole, so that reading and
 * writing an object is a copy and no system call.  Ordinary pages: with huge ones
 * the memory of one slab could not be given back, nor counted.
 *
 * One thread.  What is written was populated before: a page that could not be had
 * is an error there, and would be a SIGBUS later.
 */
#ifndef MEMORY_PACK_FILE_H
#define MEMORY_PACK_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "memory/memfd.h"

struct pack_file {
	int fd;      /* -1: none */
	char *bytes;
	uint64_t size;
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

/* pack_file_populate() - give these pages memory: 10 us for 64 KiB
 * Return: 0 or negative errno (-ENOMEM, -ENOSPC). */
int pack_file_populate(const struct pack_file *file, uint64_t offset, uint64_t size);
/* pack_file_punch() - take these pages' memory back: 5 us for 64 KiB */
int pack_file_punch(const struct pack_file *file, uint64_t offset, uint64_t size);
/* pack_file_read() - the bytes of a memfd of this size into the file
 * Return: 0 or negative errno (-EIO: it is shorter). */
int pack_file_read(const struct pack_file *file, uint64_t offset, int fd, size_t size);

#endif
