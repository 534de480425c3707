/* SPDX-License-Identifier: GPL-2.0-or-later */
#undef NDEBUG
#include "mute-fuse.h"

#include <assert.h>
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
	struct fuse_out_header header = { .len = (uint32_t)(sizeof header + size),
		.error = error, .unique = unique };
	struct iovec iov[] = { { &header, sizeof header }, { (void *)body, size } };

	(void)!writev(device, iov, 2);
}

static void serve(int device, const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT: {
		const struct fuse_init_in *theirs = (const void *)(in + 1);
		struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
			.minor = theirs->minor, .max_write = 4096 };

		answer(device, in->unique, 0, &init, sizeof init);
		return;
	}
	case FUSE_LOOKUP: {
		/* Attributes that are old at once: each stat() asks again. */
		struct fuse_entry_out entry = { .nodeid = FILE_NODE, .entry_valid = 1000,
			.attr = { .ino = FILE_NODE, .size = 4096, .mode = S_IFREG | 0666,
				.nlink = 1 } };

		answer(device, in->unique, 0, &entry, sizeof entry);
		return;
	}
	case FUSE_OPEN: {
		struct fuse_open_out opened = { .fh = 1, .open_flags = FOPEN_DIRECT_IO };

		answer(device, in->unique, 0, &opened, sizeof opened);
		return;
	}
	case FUSE_GETATTR:
		if (in->nodeid == FUSE_ROOT_ID) {
			struct fuse_attr_out attributes = { .attr_valid = 1000,
				.attr = { .ino = FUSE_ROOT_ID, .mode = S_IFDIR | 0777,
					.nlink = 2 } };

			answer(device, in->unique, 0, &attributes, sizeof attributes);
		}
		return;
	default: /* mute */
		return;
	}
}

static _Noreturn void serve_for_ever(int device)
{
	static _Alignas(8) char request[FUSE_MIN_READ_BUFFER + 4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t n = read(device, request, sizeof request);

		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			serve(device, (const void *)request);
		else if (n < 0 && errno != EINTR && errno != ENOENT)
			_exit(0);
	}
}

int mute_fuse_start(struct mute_fuse *fuse)
{
	const char *parent = getenv("TMPDIR");
	char path[64], options[128];
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC), r = 0;

	if (device < 0)
		return -errno;
	snprintf(path, sizeof path, "%.40s/mute-XXXXXX", parent ? parent : "/tmp");
	assert(mkdtemp(path));
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other",
		device, getuid(), getgid());
	fuse->directory = -1;
	if (mount("mute", path, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		r = -errno;
	} else {
		/* Unmounted at once: a test that fails leaves nothing behind. */
		fuse->directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert(umount2(path, MNT_DETACH) == 0 && fuse->directory >= 0);
	}
	(void)rmdir(path);
	if (r == 0) {
		fuse->server = fork();
		assert(fuse->server >= 0);
		if (fuse->server == 0)
			serve_for_ever(device);
	}
	close(device); /* the server's is the last one: it ends with it */
	return r;
}

int mute_fuse_open(const struct mute_fuse *fuse)
{
	int fd = openat(fuse->directory, "file", O_RDONLY | O_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

void mute_fuse_stop(struct mute_fuse *fuse)
{
	int status;

	(void)kill(fuse->server, SIGKILL);
	assert(waitpid(fuse->server, &status, 0) == fuse->server);
	(void)close(fuse->directory);
}
