/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system whose server opens files and then says nothing more: what asks
 * anything of such a file, stat() and close() included, waits.
 */
#ifndef TESTS_MUTE_FUSE_H
#define TESTS_MUTE_FUSE_H

#include <sys/types.h>

struct mute_fuse {
	int directory; /* all that is left of the mount, which nobody else can find */
	pid_t server;
};

/* Mount it, out of sight.  Needs root.
 * Return: 0, or negative errno where it is impossible (skip the test). */
int mute_fuse_start(struct mute_fuse *fuse);
/* A new descriptor of a file in it. */
int mute_fuse_open(const struct mute_fuse *fuse);
/* End the server: everybody who waits gets an error. */
void mute_fuse_stop(struct mute_fuse *fuse);

#endif
