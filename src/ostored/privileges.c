/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A system broker starts as root to make its directories and its socket, to raise
 * RLIMIT_NOFILE, and then becomes its own user for good.
 *
 * It keeps the capabilities of the table below and no others.  Everything that the
 * store does now works without any: seals, credentials of peers and their pidfds
 * need none.  A private broker that root starts keeps none either; it stays uid 0,
 * which still owns root's files.
 *
 * PR_SET_DUMPABLE: changing uid clears it, which keeps the clients' drafts safe
 * from a process that runs as the same system user (no ptrace, no
 * /proc/PID/fd).  It is not cleared for private brokers: their user could read the
 * objects anyway, and wants gdb and core dumps.
 */
#include "ostored/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

struct kept_capability {
	cap_value_t capability;
	const char *reason; /* NULL ends the table */
};

static const struct kept_capability kept_capabilities[] = {
	{ .reason = NULL },
};
static const struct kept_capability no_capabilities[] = {
	{ .reason = NULL },
};

static void cleanup_cap(cap_t *cap)
{
	if (*cap)
		(void)cap_free(*cap);
}

static int failed(struct text *error, const char *what)
{
	int r = -errno;

	text_set(error, "%s: %s", what, strerror(-r));
	return r;
}

int privileges_find_user(struct privileges_user *user, const char *name, struct text *error)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name); /* one thread: the static buffer is ours */
	if (!entry && errno != 0 && errno != ENOENT)
		return failed(error, "looking up the broker's user");
	if (!entry) {
		text_set(error, "user \"%s\" does not exist; create it: useradd --system --user-group "
			"--no-create-home --shell /usr/sbin/nologin %s; or name another (user = NAME), or "
			"start a private broker (--private)", name, name);
		return -ENOENT;
	}
	if (entry->pw_uid == 0) {
		text_set(error, "user \"%s\" is root; a system broker must become somebody else", name);
		return -EINVAL;
	}
	*user = (struct privileges_user){ .name = name, .uid = entry->pw_uid, .gid = entry->pw_gid };
	return 0;
}

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*slash = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

int privileges_make_directory(const char *path, mode_t mode, const struct privileges_user *user,
	struct text *error)
{
	CLEANUP_FREE char *copy = strdup(path);
	struct stat st;
	mode_t old;
	int r;

	if (!copy)
		return -ENOMEM;
	old = umask(0022);
	r = make_parents(copy);
	if (r == 0 && mkdir(path, mode) < 0 && errno != EEXIST)
		r = -errno;
	umask(old);
	if (r == 0 && lstat(path, &st) < 0)
		r = -errno;
	if (r == 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (r == 0 && (st.st_uid != user->uid || st.st_gid != user->gid) &&
		lchown(path, user->uid, user->gid) < 0)
		r = -errno;
	if (r < 0)
		text_set(error, "directory %s for user %s: %s", path, user->name, strerror(-r));
	return r;
}

static bool is_kept(const struct kept_capability *table, cap_value_t capability)
{
	for (; table->reason; table++)
		if (table->capability == capability)
			return true;
	return false;
}

/* What may be gained later, by exec or otherwise: before the uid changes, while
 * CAP_SETPCAP is there.  Without it the bounding set cannot be changed, and
 * no_new_privs does the same. */
static int bound(const struct kept_capability *table, struct text *error)
{
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
		if (cap_get_bound(cap) == 1 && !is_kept(table, cap) && cap_drop_bound(cap) < 0 &&
			errno != EPERM)
			return failed(error, "dropping a capability from the bounding set");
	return 0;
}

static int limit(const struct kept_capability *table, struct text *error)
{
	__attribute__((cleanup(cleanup_cap))) cap_t caps = cap_init();

	if (!caps)
		return failed(error, "cap_init");
	for (; table->reason; table++)
		if (cap_set_flag(caps, CAP_PERMITTED, 1, &table->capability, CAP_SET) < 0 ||
			cap_set_flag(caps, CAP_EFFECTIVE, 1, &table->capability, CAP_SET) < 0)
			return failed(error, "cap_set_flag");
	if (cap_set_proc(caps) < 0)
		return failed(error, "dropping capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(error, "PR_SET_NO_NEW_PRIVS");
	return 0;
}

int privileges_become(const struct privileges_user *user, struct text *error)
{
	int r = bound(kept_capabilities, error);

	if (r < 0)
		return r;
	/* Capabilities survive the change of uid until limit() has chosen. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return failed(error, "PR_SET_KEEPCAPS");
	if (initgroups(user->name, user->gid) < 0)
		return failed(error, "initgroups");
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		return failed(error, "setresgid");
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return failed(error, "setresuid");
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return failed(error, "PR_SET_KEEPCAPS");
	return limit(kept_capabilities, error);
}

int privileges_drop(struct text *error)
{
	int r = bound(no_capabilities, error);

	return r < 0 ? r : limit(no_capabilities, error);
}
