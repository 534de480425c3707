/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mappings of memfds.  Any thread; no lock. */
#ifndef CLIENT_MAP_H
#define CLIENT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* map_sealed() - a private, read-only mapping of a sealed object
 * @address: its slot in the arena; 0: it has none
 * @sharedp: out: is it in its slot?
 * Return: 0, -ENOMEM (address space or vm.max_map_count), other negative errno. */
int map_sealed(int fd, uint64_t size, uint64_t address, void **datap, bool *sharedp);

/* map_cow() - a private, writable mapping of a sealed object, anywhere */
int map_cow(int fd, uint64_t size, void **datap);

/* map_draft() - a shared, writable mapping, with huge pages if it is large
 *   enough for them; not inherited by forked children */
int map_draft(int fd, uint64_t size, void **datap);

/* map_over() - put a private mapping of fd where one of this size is
 * @prot: PROT_READ|PROT_WRITE: a copy-on-write view; PROT_NONE: a placeholder */
int map_over(int fd, uint64_t size, void *data, int prot);

/* map_draft_again() - undo map_over(): shared and writable */
int map_draft_again(int fd, uint64_t size, void *data);

void map_end(void *data, uint64_t size);

/* May memory of a memfd be huge pages when the mapping asks for them? */
bool map_huge_pages_allowed(void);

#define MAP_HUGE_SIZE (UINT64_C(2) << 20)

#endif
