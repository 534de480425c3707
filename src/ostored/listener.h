/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket that clients connect to: made here, handed over by a service
 * manager, or made in a fresh directory that nobody else can guess.
 */
#ifndef OSTORED_LISTENER_H
#define OSTORED_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/text.h"

struct listener {
	int fd;
	char *path;      /* absolute */
	char *directory; /* made by us and to be removed; NULL: none */
	bool bound;      /* made by us: the socket is removed as well, if it is still ours */
	dev_t device;
	ino_t inode;
};

#define LISTENER_NULL ((struct listener){ .fd = -1 })

/* listener_bind() - make the socket; one that nobody serves any more is replaced
 * @mode: permission bits of the socket
 * Return: 0, -EADDRINUSE (another broker serves there), other negative errno; the sentence is in error. */
int listener_bind(struct listener *listener, const char *path, mode_t mode, struct text *error);

/* listener_bind_private() - the same in a fresh directory (0700) below runtime_dir, which may be NULL
 *   or unusable, or below /tmp */
int listener_bind_private(struct listener *listener, const char *runtime_dir, struct text *error);

/* listener_adopt() - take the listening socket that a service manager passed, fd
 * Return: 0, -EINVAL (it is something else; the sentence is in error), other negative errno. */
int listener_adopt(struct listener *listener, int fd, struct text *error);

/* Close, and remove what was made.  Keeps quiet: at the end there is nobody to tell. */
void listener_close(struct listener *listener);

#endif
