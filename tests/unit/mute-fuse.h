/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A FUSE file system with one file, whose server answers until the file is open
 * and then never again: fstat() and close() of the file hang.  A client sends such
 * a descriptor to make the broker hang with it.  Needs root.
 */
#ifndef TESTS_MUTE_FUSE_H
#define TESTS_MUTE_FUSE_H

#include <sys/types.h>

struct mute_fuse {
	char directory[64];
	pid_t server;
};

/* Return: a descriptor of the file, or negative errno when this machine does not
 * allow it (skip the test). */
int mute_fuse_start(struct mute_fuse *fuse);
/* Everybody who hangs wakes up. */
void mute_fuse_stop(struct mute_fuse *fuse);

#endif
