/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory/memfd.h - the memfds that objects live in: made, sealed, taken over
 *
 * Everything here is one or a few system calls in the calling thread, on no
 * state but the descriptor (any thread).  How long each can take is part of its
 * contract, because most are called from the event loop; what can be slow goes
 * to memory/crew.h.
 */
#ifndef MEMORY_MEMFD_H
#define MEMORY_MEMFD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

struct memfd_identity {
	uint64_t inode; /* unique among all memfds of this boot */
	uint64_t size;  /* st_size: what is charged; blocks lie, a sparse file has none */
};

/* memfd_make() - an empty memfd of this size
 * @draft: it is to be handed to a client: the size is sealed now.  Pool memory is
 *   made without, because it is trimmed later.
 * No page is touched: microseconds.
 * Return: descriptor (close-on-exec), or negative errno (-EFBIG, -EMFILE, -ENFILE, -ENOMEM). */
int memfd_make(struct memfd_identity *identity, uint64_t size, bool draft);

/* memfd_make_sealed() - a memfd with these bytes, hard-sealed
 * Nobody else ever had the descriptor, so no page can be pinned and the seal does
 * not wait: 5 us for 4 KiB, 20 us for 64 KiB.
 * Return: descriptor, or negative errno (-ENOMEM, -ENOSPC too: no memory for the pages). */
int memfd_make_sealed(struct memfd_identity *identity, const void *data, size_t size);
/* The same with a memfd that is there already and was never handed out.
 * Return: 0 or negative errno. */
int memfd_write_sealed(int fd, struct memfd_identity *identity, const void *data, size_t size);

/* memfd_resize_draft() - give pool memory its object's size, and seal that
 * Trimming frees pages: 100 ms for 512 MiB of 4 KiB pages.
 * Return: 0 or negative errno. */
int memfd_resize_draft(int fd, struct memfd_identity *identity, uint64_t size);

/* memfd_is_sealed() - does it carry all four hard seals?  Never blocks, whatever fd is.
 * Return: 1, 0, or -EINVAL (not a memfd), -EBADF. */
int memfd_is_sealed(int fd);

/* memfd_seal() - the hard seal: WRITE, GROW, SHRINK, SEAL
 * Sealed already is success.  Where a page is pinned (vmsplice, io_uring, RDMA)
 * the kernel waits 161 ms before it gives up; 512 MiB of 4 KiB pages take 3 ms.
 * Return: 0, -EBUSY (a writable shared mapping or a pinned page), -EINVAL, -EPERM
 *   (F_SEAL_SEAL is set without the others), other negative errno. */
int memfd_seal(int fd);

/* memfd_adopt() - believe that a stranger's descriptor is a hard-sealed memfd
 * Never blocks: F_GET_SEALS is asked first, which all other kinds of file answer
 * at once with EINVAL (fstat() of a FUSE file waits for its server).
 * Return: 0, -EINVAL (not a memfd), -EPERM (seals are missing), -EACCES (opened
 *   for writing alone: no reader could map it), -EOPNOTSUPP (huge pages of a
 *   hugetlb pool, which we cannot charge or spill), other negative errno. */
int memfd_adopt(int fd, struct memfd_identity *identity);

/* memfd_identify() - is this any memfd at all, and which?  Never blocks.
 * Return: 0 or negative errno (-EINVAL: another kind of file). */
int memfd_identify(int fd, struct memfd_identity *identity);

/* memfd_populate() - give every page of the memfd memory, in steps
 * @huge: with 2 MiB pages, through an aligned mapping (size must be a multiple)
 * @stop: looked at between steps
 * The preparing of the pool: 43 ms a GiB with huge pages, far more without.
 * Return: 0, -ECANCELED (stop was set), or negative errno (-ENOMEM, -ENOSPC). */
int memfd_populate(int fd, uint64_t size, bool huge, const atomic_bool *stop);
/* memfd_populate_huge() - give a part of it memory, by huge pages if there are any left
 * @offset, size: multiples of a huge page
 * Return: 0, or negative errno. */
int memfd_populate_huge(int fd, uint64_t offset, uint64_t size);

/* memfd_huge_pages() - does the system give shared memory 2 MiB pages when asked?
 * @reasonp: a sentence either way, static
 * Opens files in /sys: not before the heir has looked through its descriptors. */
bool memfd_huge_pages(const char **reasonp);

#endif
