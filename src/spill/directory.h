/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/directory.h - where the store keeps its files
 *
 * In each directory of the configuration the store has one of its own, ostore-ID or, for
 * a private store, ostore-private-ID: its user's alone (0700), and locked by flock() while
 * the store is open.  Names in it:
 *
 *   0000002a.spill   a file that places name
 *   0000002b.new     one that is being written
 *
 * Anything else in there is not ours and stays.  A private store's directory that nobody
 * has locked is of a dead one, and removed by the next store of that user.  An heir takes
 * over the dead one's descriptor, and so the lock, without a gap.
 */
#ifndef SPILL_DIRECTORY_H
#define SPILL_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "spill/io.h"
#include "spill/spill.h"
#include "util/id.h"
#include "util/text.h"

#define FILE_NAME_SIZE 24

struct directory {
	char *path, *parent; /* of the store's own; of the configuration's */
	int fd;              /* of the store's own; holds the lock */
	bool direct;         /* O_DIRECT works */
	uint64_t max_bytes;  /* UINT64_MAX: as much as there is */
	uint64_t min_free;
	uint64_t used;       /* by our files, and by what is being written; under the caller's lock */
	uint64_t credit;     /* directories take turns by free space */
};

#define DIRECTORY_NONE ((struct directory){ .fd = -1 })

/* directory_open() - make or find it, lock it, try O_DIRECT; dead private stores beside it go
 * Return: 0 or negative errno, with the sentence in errorp. */
int directory_open(struct directory *directory, const struct spill_directory *wish,
	const struct id128 *store, bool is_private, struct text *errorp);
/* @remove: our files.  The directory goes if nothing is in it. */
void directory_close(struct directory *directory, bool remove);

/* Return: name. */
char *file_name(char name[FILE_NAME_SIZE], uint32_t number, bool aside);

/* directory_list() - call back for each of our files
 * Return: 0 or negative errno. */
int directory_list(const struct directory *directory,
	void (*found)(void *context, const char *name, uint32_t number, bool aside), void *context);

/* Bytes of the file system that are free to us by now, min_free excluded; 0 if that cannot be told. */
uint64_t directory_disk_free(const struct directory *directory);
/* Bytes that may be written, given the former. */
uint64_t directory_free(const struct directory *directory, uint64_t disk_free);

/* directories_choose() - the directory whose turn it is, of those with room: each gets turns by
 * how much is free in it
 * @disk_free: directory_disk_free() of each
 * @refused: bit i: not directory i
 * Return: index, or -ENOSPC. */
int directories_choose(struct directory *directories, unsigned int n, const uint64_t *disk_free,
	uint64_t need, uint64_t refused);

/* Why none has room: need, and what is there in each. */
void directories_say_full(const struct directory *directories, unsigned int n,
	const uint64_t *disk_free, uint64_t need, struct text *text);

#endif
