/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/files.h - the store's files: what is in them, and their life
 *
 *   alone   a large object's: written as NUMBER.new, synced, renamed; unlinked when forgotten
 *   fused   of many objects: made and renamed with nothing but its head, then appended to by
 *           regions until it has about fuse_size; unlinked when the last object in it is
 *           forgotten.  What was forgotten before that is punched out, where it fills blocks;
 *           the rest is dead space
 *
 * Nothing is ever written twice at one place of a file, and a file that was there when the
 * store was opened is not appended to: so no late write of a dead process can spoil anything.
 *
 * Any thread; `lock` protects the table and is held for arithmetic alone, `append` is held
 * by a writer that begins a new fused file (1: append, 2: lock).
 */
#ifndef SPILL_FILES_H
#define SPILL_FILES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ds/hash.h"
#include "ds/list.h"
#include "spill/directory.h"
#include "spill/io.h"
#include "spill/spill.h"
#include "util/place.h"

struct spill_file {
	struct hash_node node;
	struct list link; /* in files.all */
	uint32_t number;
	uint16_t directory;
	bool alone;    /* one object; otherwise fused */
	bool complete; /* nothing is appended any more */
	bool found;    /* when the store was opened, and not claimed yet */
	bool checked;  /* its head, by the first claim */
	int fd;        /* while it is written; -1 */
	uint64_t end;  /* of what was given out */
	uint64_t gone; /* punched out */
	uint64_t live, n_live; /* what places name */
	uint32_t n_writers;
};

struct files {
	struct id128 store;
	struct directory directories[SPILL_MAX_DIRECTORIES];
	unsigned int n_directories;
	uint64_t fuse_size;
	bool sync;
	const struct spill_faults *faults;
	pthread_mutex_t append;
	struct spill_file *appended[SPILL_MAX_DIRECTORIES]; /* under `append` */
	pthread_mutex_t lock;
	struct hash_map files;
	struct list all;
	uint32_t next_number;
	uint64_t live, n_live, taken; /* sums */
};

/* Room in a file, to be written by one thread. */
struct region {
	struct spill_file *file;
	int fd;
	bool direct;
	uint64_t offset, length;
};

int files_init(struct files *files, const struct spill_options *options, struct text *errorp);
/* @remove: them and the directories.  A half-made one is fine. */
void files_deinit(struct files *files, bool remove);

int files_claim(struct files *files, const struct disk_place *place);
unsigned int files_sweep(struct files *files);

/* files_allot() - room for bytes, in a file of its own or in a fused one
 * @length: a multiple of 4 KiB
 * Return: 0, or negative errno with the sentence in errorp. */
int files_allot(struct files *files, struct region *region, uint64_t length, bool alone,
	struct text *errorp);
/* files_commit() - the region is written: make it durable and the file known by its name
 * @used: bytes of it, a multiple of 4 KiB; the rest is given back
 * @live, n_live: what places will name.  They may, from the return on.
 * Return: 0, or negative errno with the sentence in errorp; the region is gone then. */
int files_commit(struct files *files, struct region *region, uint64_t used, uint64_t live,
	uint64_t n_live, struct text *errorp);
/* files_abandon() - the region was not written, or not all of it
 * @error: negative errno of the disk: nothing more is written to this file; 0: it has done nothing wrong */
void files_abandon(struct files *files, struct region *region, int error);

/* Is it to be alone? */
bool files_alone(const struct files *files, uint64_t size);

/* files_open() - for reading.  Return: descriptor or negative errno. */
int files_open(struct files *files, const struct disk_place *place, bool *directp);

/* What is left to do on the disk for a forgotten place; it takes milliseconds. */
struct chore {
	enum { CHORE_NONE, CHORE_UNLINK, CHORE_PUNCH } type;
	uint16_t directory;
	uint32_t number;
	uint64_t offset, length;
};

struct chore files_forget(struct files *files, const struct disk_place *place);
void files_do(struct files *files, const struct chore *chore);

/* The fused, complete file with the largest dead part, if that is more than half of what it takes. */
bool files_fullest_of_dead(struct files *files, uint16_t *directoryp, uint32_t *filep);
void files_statistics(struct files *files, struct spill_statistics *statistics);

/* "/var/spill/ostore-.../0000002a.spill" */
void files_say_where(const struct files *files, const struct disk_place *place, struct text *text);

#endif
