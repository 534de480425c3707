/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/pieces.h - the bytes of an object to be, in pieces, and copying them
 *
 * Functions here look at nothing but their arguments; any thread.
 */
#ifndef CLIENT_PIECES_H
#define CLIENT_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* How many bytes they have.  Return: 0, or -EINVAL with its sentence. */
int pieces_size(const struct iovec *pieces, size_t n, uint64_t *sizep);

/* One after the other, in this thread: for what is small, or will be read at once. */
void pieces_copy(void *to, const struct iovec *pieces, size_t n);

/* pieces_copy_much() - the same, past the caches, and with several threads where it pays
 * @size: of all pieces
 * @helpers: threads besides this one, at the most; they take no signals, and have ended
 *   when this returns
 * Return: how many helpers copied something. */
unsigned int pieces_copy_much(void *to, const struct iovec *pieces, size_t n, uint64_t size,
	unsigned int helpers);

/* How many helpers may be of use for so many bytes, on the CPUs that we may use; 0: none. */
unsigned int pieces_helpers(uint64_t size);

/* With pwritev(2).  Return: 0 or negative errno. */
int pieces_write(int fd, const struct iovec *pieces, size_t n);

#endif
