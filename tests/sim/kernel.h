/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/kernel.h - what the simulated kernel knows: memfds, and the descriptor
 * table that workers inherit from each other
 *
 * A memfd has an inode, a size, seals and a tag that stands for its bytes.  It
 * lives as long as a descriptor in the worker's table refers to it.  Descriptors
 * are given lowest free first, as Linux does, so that a number that the core
 * uses after closing it soon means something else.
 *
 * Nothing here knows of objects, references or rules.
 */
#ifndef SIM_KERNEL_H
#define SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#define KERNEL_FDS 8192

enum kernel_kind { KERNEL_FREE, KERNEL_MEMFD, KERNEL_SOCKET, KERNEL_PIDFD };

struct kernel_fd {
	enum kernel_kind kind;
	uint32_t memfd; /* MEMFD: index */
	bool stranger;  /* came from a client and is not (yet) the store's */
	bool busy;      /* something is being done with it */
};

struct kernel_memfd {
	uint64_t size;
	uint64_t tag;      /* its bytes */
	uint32_t refs;     /* descriptors in the worker's table */
	bool sealed;       /* all four seals */
	bool given;        /* some client has had a descriptor of it */
	bool bad;          /* not a memfd at all, or one that never gets its seals */
};

struct kernel {
	struct kernel_fd fds[KERNEL_FDS];
	uint32_t top; /* no open descriptor at or above */
	uint32_t open;
	struct kernel_cell {
		uint32_t memfd;
		uint64_t offset, size, tag;
	} *cells; /* what is in packs */
	uint32_t n_cells, room_cells;
	struct kernel_memfd *memfds;
	uint32_t n_memfds, room_memfds;
};

void kernel_init(struct kernel *kernel);
void kernel_deinit(struct kernel *kernel);

int kernel_open(struct kernel *kernel, enum kernel_kind kind);
int kernel_memfd(struct kernel *kernel, uint64_t size, uint64_t tag);
/* Another descriptor of a memfd (by its index). */
int kernel_install(struct kernel *kernel, uint32_t memfd);
void kernel_close(struct kernel *kernel, int fd);
bool kernel_is_open(const struct kernel *kernel, int fd);
/* The memfd behind fd; NULL if it is none. */
struct kernel_memfd *kernel_file(const struct kernel *kernel, int fd);
/* Bytes in a memfd that has several things in it: what is written replaces all that it overlaps. */
void kernel_pack_write(struct kernel *kernel, int fd, uint64_t offset, uint64_t size, uint64_t tag);
void kernel_pack_punch(struct kernel *kernel, int fd, uint64_t offset, uint64_t size);
/* 0: not just this was written here. */
uint64_t kernel_pack_read(const struct kernel *kernel, int fd, uint64_t offset, uint64_t size);
/* Inode numbers are not indices, rise in jumps, and are never 0. */
uint64_t kernel_inode(const struct kernel *kernel, int fd);

#endif
