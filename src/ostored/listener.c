/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A socket whose broker was killed with its supervisor stays in the file system
 * and refuses connections.  It is replaced; one that a living process accepts at is not.  Two brokers
 * that start at once would each find the old one stale and the second would
 * remove the first one's new socket, so the check and the bind happen under a
 * lock on the directory (which leaves no lock file behind).
 */
#include "ostored/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/socket.h"

#define BACKLOG         1024
#define LOCK_TIMEOUT_NS NS_PER_S

/* Anybody who can read the directory could hold the lock for ever, so it is
 * waited for only so long: it guards against accidents, not against enemies. */
static int lock_directory_of(const char *path)
{
	CLEANUP_FREE char *copy = strdup(path);
	CLEANUP_CLOSE int fd = -1;
	int64_t give_up = deadline_ns(now_ns(), LOCK_TIMEOUT_NS);
	const struct timespec pause = { .tv_nsec = 10 * NS_PER_MS };

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK && now_ns() < give_up)
		nanosleep(&pause, NULL);
	return TAKE_FD(fd);
}

/* A killed broker's socket can outlive it, and take connections that nobody serves: a
 * process that hangs in closing a client's file keeps the descriptor table.  Whoever
 * called listen() is the peer of all who connect; a supervisor's end is its broker's. */
static bool listener_is_dead(int connected)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;

	return getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
		credentials.pid > 0 && kill(credentials.pid, 0) < 0 && errno == ESRCH;
}

/* true: a socket is there and its owner accepts, or is only slow to */
static bool is_served(const struct sockaddr_un *address)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
		return errno != ECONNREFUSED;
	return !listener_is_dead(fd);
}

static int bind_at(int fd, const struct sockaddr_un *address, mode_t mode)
{
	mode_t old = umask(~mode & 0777);
	int r = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;

	umask(old);
	return r;
}

int listener_bind(struct listener *listener, const char *path, mode_t mode, struct text *error)
{
	CLEANUP_CLOSE int fd = -1, lock = -1;
	CLEANUP_FREE char *own_path = strdup(path);
	struct sockaddr_un address;
	struct stat st;
	int r;

	if (!own_path)
		return -ENOMEM;
	r = socket_address(&address, path);
	if (r < 0) {
		text_set(error, "socket %s: %s", path, strerror(-r));
		return r;
	}
	lock = lock_directory_of(path);
	if (lock == -ENOENT || lock == -ENOTDIR) {
		text_set(error, "socket %s: its directory does not exist; make it first", path);
		return lock;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		r = -errno;
		text_set(error, "socket: %s", strerror(-r));
		return r;
	}
	r = bind_at(fd, &address, mode);
	if (r == -EADDRINUSE && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		if (is_served(&address)) {
			text_set(error, "socket %s: another broker serves there; stop it, or say another "
				"--address", path);
			return -EADDRINUSE;
		}
		if (unlink(path) == 0 || errno == ENOENT)
			r = bind_at(fd, &address, mode);
	}
	if (r < 0) {
		text_set(error, "socket %s: %s", path, strerror(-r));
		return r;
	}
	if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0) {
		r = -errno;
		text_set(error, "socket %s: %s", path, strerror(-r));
		(void)unlink(path);
		return r;
	}
	listener->bound = true;
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	listener->path = TAKE_PTR(own_path);
	listener->fd = TAKE_FD(fd);
	return 0;
}

int listener_bind_private(struct listener *listener, const char *runtime_dir, struct text *error)
{
	const char *const parents[] = { runtime_dir, "/tmp" };
	CLEANUP_FREE char *directory = NULL, *path = NULL;
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		if (!parents[i])
			continue;
		free(directory);
		if (asprintf(&directory, "%s/ostore-XXXXXX", parents[i]) < 0) {
			directory = NULL;
			return -ENOMEM;
		}
		r = mkdtemp(directory) ? 0 : -errno;
		if (r == 0)
			break;
	}
	if (r < 0) {
		text_set(error, "no directory for a private socket: %s: %s", directory, strerror(-r));
		return r;
	}
	if (asprintf(&path, "%s/ostore.sock", directory) < 0) {
		path = NULL;
		r = -ENOMEM;
	} else {
		r = listener_bind(listener, path, 0600, error);
	}
	if (r < 0) {
		(void)rmdir(directory);
		return r;
	}
	listener->directory = TAKE_PTR(directory);
	return 0;
}

int listener_adopt(struct listener *listener, int fd, struct text *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNSPEC };
	socklen_t size = sizeof address;
	int flags;

	if (sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) <= 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
		size <= offsetof(struct sockaddr_un, sun_path) || address.sun_path[0] != '/') {
		text_set(error, "the socket passed by the service manager is not a listening sequential-packet "
			"socket with a path (ListenSequentialPacket=/PATH)");
		return -EINVAL;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	listener->path = strndup(address.sun_path, sizeof address.sun_path);
	if (!listener->path)
		return -ENOMEM;
	listener->fd = fd;
	return 0;
}

void listener_close(struct listener *listener)
{
	struct stat st;

	/* The number is not reused meanwhile: the open socket holds its inode. */
	if (listener->bound && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
		st.st_ino == listener->inode)
		(void)unlink(listener->path);
	if (listener->directory)
		(void)rmdir(listener->directory);
	if (listener->fd >= 0)
		(void)close(listener->fd);
	free(listener->path);
	free(listener->directory);
	*listener = LISTENER_NULL;
}
