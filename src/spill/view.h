/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spill/view.h - a part of a memfd, mapped, so that the disk can take from it and write to it
 *
 * Large ones at addresses that allow huge pages: the disk is twice as fast from them.
 * Any thread, each view for itself.
 */
#ifndef SPILL_VIEW_H
#define SPILL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view {
	char *bytes; /* of the part; NULL: none */
	void *mapping;
	size_t mapping_length;
};

#define VIEW_NONE ((struct view){ .bytes = NULL })

/* Return: 0 or negative errno. */
int view_map(struct view *view, int fd, uint64_t offset, uint64_t length, bool writable);
void view_unmap(struct view *view);

/* view_populate() - memory for a part of a writable view, as an error and not as a SIGBUS later
 * Return: 0 or negative errno (-ENOMEM). */
int view_populate(const struct view *view, uint64_t offset, uint64_t length);

/* All of it, or an error.  Return: 0 or negative errno (-EIO: the memfd is shorter). */
int memory_read(int fd, void *bytes, size_t length, uint64_t offset);
int memory_write(int fd, const void *bytes, size_t length, uint64_t offset);

#endif
