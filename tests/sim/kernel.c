/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define FIRST_FD 3

void kernel_init(struct kernel *kernel)
{
	memset(kernel, 0, sizeof *kernel);
	kernel->top = FIRST_FD;
}

void kernel_deinit(struct kernel *kernel)
{
	free(kernel->memfds);
	free(kernel->cells);
	memset(kernel, 0, sizeof *kernel);
}

int kernel_open(struct kernel *kernel, enum kernel_kind kind)
{
	uint32_t fd = FIRST_FD;

	while (kernel->fds[fd].kind != KERNEL_FREE)
		fd++;
	assert(fd < KERNEL_FDS - 1);
	kernel->fds[fd] = (struct kernel_fd){ .kind = kind };
	if (fd >= kernel->top)
		kernel->top = fd + 1;
	kernel->open++;
	return fd;
}

int kernel_memfd(struct kernel *kernel, uint64_t size, uint64_t tag)
{
	int fd = kernel_open(kernel, KERNEL_MEMFD);

	if (kernel->n_memfds == kernel->room_memfds) {
		kernel->room_memfds = kernel->room_memfds * 2 + 256;
		kernel->memfds = realloc(
			kernel->memfds, kernel->room_memfds * sizeof kernel->memfds[0]);
		assert(kernel->memfds);
	}
	kernel->fds[fd].memfd = kernel->n_memfds;
	kernel->memfds[kernel->n_memfds++] =
		(struct kernel_memfd){ .size = size, .tag = tag, .refs = 1 };
	return fd;
}

int kernel_install(struct kernel *kernel, uint32_t memfd)
{
	int fd = kernel_open(kernel, KERNEL_MEMFD);

	kernel->fds[fd].memfd = memfd;
	kernel->memfds[memfd].refs++;
	return fd;
}

bool kernel_is_open(const struct kernel *kernel, int fd)
{
	return fd >= 0 && fd < KERNEL_FDS && kernel->fds[fd].kind != KERNEL_FREE;
}

void kernel_close(struct kernel *kernel, int fd)
{
	assert(kernel_is_open(kernel, fd));
	if (kernel->fds[fd].kind == KERNEL_MEMFD)
		kernel->memfds[kernel->fds[fd].memfd].refs--;
	kernel->fds[fd] = (struct kernel_fd){ .kind = KERNEL_FREE };
	kernel->open--;
	while (kernel->top > FIRST_FD && kernel->fds[kernel->top - 1].kind == KERNEL_FREE)
		kernel->top--;
}

struct kernel_memfd *kernel_file(const struct kernel *kernel, int fd)
{
	if (!kernel_is_open(kernel, fd) || kernel->fds[fd].kind != KERNEL_MEMFD)
		return NULL;
	return &kernel->memfds[kernel->fds[fd].memfd];
}

uint64_t kernel_inode(const struct kernel *kernel, int fd)
{
	return kernel_file(kernel, fd) ? 1000003 + (uint64_t)kernel->fds[fd].memfd * 37 : 0;
}

/* Nothing takes a byte at least. */
static uint64_t extent(uint64_t size)
{
	return size ? size : 1;
}

void kernel_pack_punch(struct kernel *kernel, int fd, uint64_t offset, uint64_t size)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < kernel->n_cells; i++) {
		const struct kernel_cell *cell = &kernel->cells[i];

		if (cell->memfd != kernel->fds[fd].memfd || cell->offset >= offset + extent(size) ||
			offset >= cell->offset + extent(cell->size))
			kernel->cells[n++] = *cell;
	}
	kernel->n_cells = n;
}

void kernel_pack_write(struct kernel *kernel, int fd, uint64_t offset, uint64_t size, uint64_t tag)
{
	assert(kernel_file(kernel, fd));
	kernel_pack_punch(kernel, fd, offset, size);
	if (kernel->n_cells == kernel->room_cells) {
		kernel->room_cells = kernel->room_cells * 2 + 256;
		kernel->cells = realloc(kernel->cells, kernel->room_cells * sizeof kernel->cells[0]);
		assert(kernel->cells);
	}
	kernel->cells[kernel->n_cells++] =
		(struct kernel_cell){ kernel->fds[fd].memfd, offset, size, tag };
}

uint64_t kernel_pack_read(const struct kernel *kernel, int fd, uint64_t offset, uint64_t size)
{
	for (uint32_t i = 0; kernel_file(kernel, fd) && i < kernel->n_cells; i++) {
		const struct kernel_cell *cell = &kernel->cells[i];

		if (cell->memfd == kernel->fds[fd].memfd && cell->offset == offset &&
			cell->size == size)
			return cell->tag;
	}
	return 0;
}
