/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mute-fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NODE 2

static void answer(int device, uint64_t unique, int error, const void *body, size_t size)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof header + size),
		.error = error,
		.unique = unique,
	};
	struct iovec parts[] = { { &header, sizeof header }, { (void *)body, size } };

	(void)!writev(device, parts, 2);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0777,
		.nlink = 1,
		.size = 4096,
	};
}

static void serve(int device, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = 4096,
	};
	struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
	struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
	struct fuse_open_out opened = { .fh = 1 };

	switch (in->opcode) {
	case FUSE_INIT:
		answer(device, in->unique, 0, &init, sizeof init);
		return;
	case FUSE_LOOKUP:
		answer(device, in->unique, 0, &entry, sizeof entry);
		return;
	case FUSE_GETATTR:
		if (in->nodeid != FILE_NODE)
			answer(device, in->unique, 0, &attr, sizeof attr);
		return; /* of the file: mute */
	case FUSE_OPEN:
		answer(device, in->unique, 0, &opened, sizeof opened);
		return;
	case FUSE_FLUSH:
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FORGET:
	case FUSE_RELEASE:
	case FUSE_INTERRUPT:
		return; /* mute */
	default:
		answer(device, in->unique, -ENOSYS, NULL, 0);
	}
}

static void server(int device)
{
	static char buffer[256 * 1024] __attribute__((aligned(8)));

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t n = read(device, buffer, sizeof buffer);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			_exit(0);
		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			serve(device, (const struct fuse_in_header *)buffer);
	}
}

int mute_fuse_start(struct mute_fuse *fuse)
{
	char options[100], path[80];
	int device, fd;

	strcpy(fuse->directory, "/tmp/ostore-mute-XXXXXX");
	fuse->server = -1;
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -errno;
	if (!mkdtemp(fuse->directory)) {
		fd = -errno;
		(void)close(device);
		return fd;
	}
	(void)snprintf(options, sizeof options,
		"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (mount("mute", fuse->directory, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		fd = -errno;
		(void)rmdir(fuse->directory);
		(void)close(device);
		return fd;
	}
	fuse->server = fork();
	if (fuse->server == 0)
		server(device);
	/* The server's is the only one: a test that dies takes the server with it, and
	 * then nothing hangs any more. */
	(void)close(device);
	(void)snprintf(path, sizeof path, "%s/file", fuse->directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		mute_fuse_stop(fuse);
	}
	return fd;
}

void mute_fuse_stop(struct mute_fuse *fuse)
{
	(void)umount2(fuse->directory, MNT_FORCE | MNT_DETACH); /* FORCE aborts what waits */
	if (fuse->server > 0) {
		(void)kill(fuse->server, SIGKILL);
		(void)waitpid(fuse->server, NULL, 0);
	}
	(void)rmdir(fuse->directory);
}
