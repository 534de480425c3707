/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the broker is: the explicit argument; or else $OSTORE_ADDRESS,
 * $XDG_RUNTIME_DIR/ostore/ostore.sock and /run/ostore/ostore.sock, the first
 * that answers.  A path with nobody behind it (no file, or a socket that
 * refuses: its broker died) counts as absent, and the search goes on.  A path
 * that may not be used (EACCES) ends the search: to go on would quietly put the
 * caller's objects into another store.  When nothing is found, the sentence
 * lists what was looked at and why it was not it.
 *
 * A program with more rights than its user (set-user-ID) does not believe the
 * environment.
 */
#include "client/address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "client/error.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/socket.h"
#include "util/text.h"

#define SYSTEM_SOCKET "/run/ostore/ostore.sock"

static int connect_path(const char *path, int64_t timeout_ns)
{
	CLEANUP_CLOSE int fd = -1;
	struct sockaddr_un address;
	struct timeval patience = {
		.tv_sec = timeout_ns / NS_PER_S,
		.tv_usec = timeout_ns % NS_PER_S / NS_PER_US + 1,
	};
	struct timeval none = { 0 };
	int r;

	r = socket_address(&address, path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* connect(2) waits for room in the backlog as long as a send may take. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
	return TAKE_FD(fd);
}

static bool is_absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ECONNREFUSED;
}

static const char *cause(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		return "not there";
	case -ECONNREFUSED:
		return "nobody listens";
	case -EPROTOTYPE:
	case -ENOTSOCK:
		return "not a broker's socket";
	case -EACCES:
	case -EPERM:
		return "you may not connect to it; ask its administrator, or set OSTORE_ADDRESS to "
		       "another broker's socket";
	case -ENAMETOOLONG:
		return "longer than the 107 bytes that a socket's path may have";
	case -EINVAL:
		return "an empty path";
	case -ETIMEDOUT:
		return "the broker is alive but does not accept connections; look at its log";
	default:
		return strerror(-error);
	}
}

/* Try one; an absent one is added to the list of what was looked at. */
static int try_path(const char *path, const char *origin, int64_t timeout_ns, struct text *looked,
	char **pathp)
{
	int fd = connect_path(path, timeout_ns);

	if (fd >= 0) {
		*pathp = strdup(path);
		if (!*pathp) {
			cleanup_closep(&fd);
			return fail_memory();
		}
		return fd;
	}
	if (is_absent(fd)) {
		text_add(looked, "%s%s%s (%s)", looked->length ? ", " : "", origin, path, cause(fd));
		return -ECONNREFUSED;
	}
	if (fd == -ENAMETOOLONG || fd == -EPROTOTYPE)
		return fail(-EINVAL, "cannot connect to %s%s: %s", origin, path, cause(fd));
	return fail(fd == -EPERM ? -EACCES : fd, "cannot connect to %s%s: %s", origin, path,
		cause(fd));
}

int address_connect(const char *explicit_path, int64_t timeout_ns, char **pathp)
{
	struct text looked = TEXT_INIT;
	const char *variable;
	int fd;

	if (explicit_path) {
		fd = try_path(explicit_path, "", timeout_ns, &looked, pathp);
		if (fd == -ECONNREFUSED)
			return fail(-ECONNREFUSED,
				"no broker at %s: start one with: ostored --address=%s",
				looked.bytes, explicit_path);
		return fd;
	}
	variable = secure_getenv("OSTORE_ADDRESS");
	if (variable && *variable) {
		fd = try_path(variable, "$OSTORE_ADDRESS ", timeout_ns, &looked, pathp);
		if (fd != -ECONNREFUSED)
			return fd;
	} else {
		text_add(&looked, "$OSTORE_ADDRESS (not set)");
	}
	variable = secure_getenv("XDG_RUNTIME_DIR");
	if (variable && *variable) {
		CLEANUP_FREE char *path = NULL;

		if (asprintf(&path, "%s/ostore/ostore.sock", variable) < 0) {
			path = NULL;
			return fail_memory();
		}
		fd = try_path(path, "", timeout_ns, &looked, pathp);
		if (fd != -ECONNREFUSED)
			return fd;
	} else {
		text_add(&looked, ", $XDG_RUNTIME_DIR (not set)");
	}
	fd = try_path(SYSTEM_SOCKET, "", timeout_ns, &looked, pathp);
	if (fd != -ECONNREFUSED)
		return fd;
	return fail(-ECONNREFUSED,
		"no broker: looked at %s; start one with: ostored --address=PATH, then set "
		"OSTORE_ADDRESS=PATH (or: systemctl start ostored)",
		looked.bytes);
}
