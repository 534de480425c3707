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
