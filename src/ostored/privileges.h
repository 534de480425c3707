/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up what is not needed.  Call before the first clone, with one thread. */
#ifndef OSTORED_PRIVILEGES_H
#define OSTORED_PRIVILEGES_H

#include <sys/types.h>

#include "util/text.h"

struct privileges_user {
	const char *name; /* borrowed */
	uid_t uid;
	gid_t gid;
};

/* Return: 0, -ENOENT (no such user), -EINVAL (root), other negative errno; the sentence is in error. */
int privileges_find_user(struct privileges_user *user, const char *name, struct text *error);

/* privileges_make_directory() - a directory that belongs to the user, with its parents (root's, 0755)
 * @path: one that is there already is given to the user, unless it is not a directory
 * Return: 0 or negative errno; the sentence is in error. */
int privileges_make_directory(const char *path, mode_t mode, const struct privileges_user *user,
	struct text *error);

/* privileges_become() - change to the user for good; keep only the capabilities of the table in
 *   privileges.c, in the bounding set too; nothing that is executed can gain any
 * Return: 0 or negative errno; the sentence is in error. */
int privileges_become(const struct privileges_user *user, struct text *error);

/* privileges_drop() - keep the uid, give up every capability
 * Return: 0 or negative errno; the sentence is in error. */
int privileges_drop(struct text *error);

#endif
