/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/spill.h - objects on disk: written, read whole or by range, forgotten
 *
 * An edge: it is told which object to write and decides where (directory by free
 * space, file, offset), says that in a struct disk_place, and reads it back from
 * nothing but that, the object's id and its size.
 *
 *  - What was written is whole, checksummed and, with SPILL_SYNC_DATA, on the disk
 *    before its job is reported.  Until then nobody's place names it.
 *  - A byte is reported as read only after the checksum of its chunk held.
 *  - Only files of this store are ever deleted, and what private stores of the same
 *    user left behind that are dead (killed with their supervisor).
 *
 * Jobs run on threads of the store's own and are reported through a descriptor
 * (spill_event()), or, with `synchronous`, inside spill_submit().
 *
 *   function                               may be called from
 *   spill_open, _descriptor, _claim,       main
 *   _sweep, _close
 *   spill_submit, _take, _forget, _fullest main
 *   spill_statistics                       main
 *
 * A worker that dies loses its jobs.  The heir opens the store anew with the directories
 * that the dead one had open (spill_descriptor(); their lock keeps others from taking
 * the store for dead), claims every place that its tables name, and sweeps.
 */
#ifndef SPILL_SPILL_H
#define SPILL_SPILL_H

#include <stdbool.h>
#include <stdint.h>

#include "util/id.h"
#include "util/place.h"
#include "util/text.h"

enum spill_sync {
	SPILL_SYNC_NONE, /* survives the broker, not the machine */
	SPILL_SYNC_DATA, /* survives power loss: fdatasync() before a job is reported */
};

enum spill_compression {
	SPILL_COMPRESSION_NONE,
	SPILL_COMPRESSION_LZ4,  /* shuffled, where a sample gets shorter by a tenth */
	SPILL_COMPRESSION_ZSTD, /* the same */
	SPILL_COMPRESSION_AUTO, /* lz4 or none, whichever is quicker to read back */
};

struct spill_directory {
	const char *path;    /* must exist; the store makes a directory of its own in it */
	uint64_t max_bytes;  /* 0: as much as there is */
	uint64_t min_free;   /* bytes that must stay free on that file system */
	int inherited;       /* spill_descriptor() of the dead one, still open; 0: none */
};

#define SPILL_MAX_DIRECTORIES 64

struct spill_faults; /* spill/io.h; for tests */

struct spill_options {
	struct id128 store; /* names the store's files; an heir gives the same one */
	const struct spill_directory *directories;
	unsigned int n_directories; /* at most SPILL_MAX_DIRECTORIES */
	bool is_private;        /* nothing survives spill_close(), and a stranger may sweep it once we are dead */
	uint64_t fuse_size;     /* smaller objects share files of about this size; 0: 64 MiB */
	enum spill_sync sync;
	enum spill_compression compression;
	bool no_checksum;       /* of data; indexes always have one */
	bool no_io_uring;
	bool synchronous;       /* no threads */
	unsigned int max_readers; /* threads; 0: 4 */
	const struct spill_faults *faults; /* NULL */
};

struct spill;

/* spill_open() - find or make the store's directories and lock them
 * @options: copied, paths too
 * @errorp: which directory, what is wrong with it, and what to do; set on failure
 * Files that are there belong to nobody until spill_claim() and are removed by
 * spill_sweep(), which must be called before the first job.
 * Return: 0 or negative errno (-EBUSY: another process has this store open). */
int spill_open(struct spill **spillp, const struct spill_options *options, struct text *errorp);

/* spill_descriptor() - of directory i, which is locked by it as long as it is open: for an heir */
int spill_descriptor(const struct spill *spill, unsigned int i);

/* spill_claim() - the tables name this place
 * Looks at the file's head, once a file, and at its length; not at the bytes.
 * Return: 0, -ENOENT (no such file), -EBADMSG (not a file of this store, or too short),
 * other negative errno.  After a failure the object is lost, and its place not claimed. */
int spill_claim(struct spill *spill, const struct disk_place *place);

/* spill_sweep() - remove what nobody claimed
 * Return: how many files. */
unsigned int spill_sweep(struct spill *spill);

/* spill_close() - ends the threads when they have finished the jobs that they began
 * @keep: leave the files for a later spill_open() with the same id; otherwise, and
 * always for a private store, they are removed
 * Jobs that were not taken are lost; their descriptors stay the caller's.  Return: NULL. */
struct spill *spill_close(struct spill *spill, bool keep);

enum spill_job_type {
	SPILL_WRITE = 1, /* the object's bytes, from fd at fd_offset -> place */
	SPILL_READ,      /* place, bytes [offset, offset + length) of the object -> fd at fd_offset */
	SPILL_MOVE,      /* place -> place: of a fused object, to a younger file.  The old one is still to be forgotten */
	SPILL_VERIFY,    /* place: read and check all of it */
};

struct spill_job {
	enum spill_job_type type;
	uint32_t ticket;   /* the caller's */
	struct id128 id;   /* of the object; it is in the index, and checked */
	uint64_t size;     /* of the whole object */
	int fd;            /* a memfd, open until the job was taken; READ: writable, not sealed for writing */
	uint64_t fd_offset;
	uint64_t offset, length; /* READ */
	struct disk_place place;
	int result;        /* 0, or negative errno:
			    *   WRITE  -ENOSPC no directory has room; -EIO and others of the disk
			    *   READ   -EBADMSG a checksum, or a file that is too short; -ENOENT the file
			    *          vanished; -EIO; what fd holds is undefined then
			    *   both   -ENOMEM, -EMFILE: nothing is wrong with the copy, try again */
	struct text error; /* set on failure: directory, cause, need and what is there */
};

/* spill_submit() - begin a job
 * @job: copied; result and error are not read
 * Return: 0, or negative errno (-ENOMEM, -EAGAIN: no thread): it was not begun. */
int spill_submit(struct spill *spill, const struct spill_job *job);

/* A descriptor that is readable while results wait; spill_take() makes it not so. */
int spill_event(const struct spill *spill);

/* The next finished job.  Return: false when there is none. */
bool spill_take(struct spill *spill, struct spill_job *job);

/* spill_forget() - this copy is not needed any more
 * Not before the jobs that read the place are taken.  Does not wait for the disk: files
 * are unlinked and holes punched behind. */
void spill_forget(struct spill *spill, const struct disk_place *place);

/* spill_fullest_of_dead() - which shared file is most worth emptying (by SPILL_MOVE of what
 * lives in it, or by forgetting it): the one with the largest dead part, if that is more than half
 * Return: false when there is none. */
bool spill_fullest_of_dead(struct spill *spill, uint16_t *directoryp, uint32_t *filep);

struct spill_statistics {
	uint64_t objects, live_bytes; /* what places name */
	uint64_t file_bytes;          /* what the files take on disk */
	uint64_t free_bytes;          /* what could be written yet, by caps, min_free and the file systems */
	uint64_t writes, written_bytes, reads, read_bytes; /* finished jobs; bytes of objects */
	uint64_t errors;              /* jobs that failed, but for -ENOSPC */
	uint32_t files, jobs;         /* jobs: not taken yet */
	bool io_uring, direct;        /* whether they are used; direct: in every directory */
	const char *io_uring_reason;  /* why it is or is not, static */
};

void spill_statistics(struct spill *spill, struct spill_statistics *statistics);

#endif
