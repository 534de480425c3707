/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end: what the kernel says of a socket and a process.
 * Nothing here believes a word of the client's, and nothing blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif

static int read_groups(struct peer *peer, int socket)
{
	gid_t some[64];
	socklen_t size = sizeof some;
	int r = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, some, &size);

	if (r < 0 && errno != ERANGE)
		return errno == ENODATA ? 0 : -errno; /* ENODATA: no groups were recorded */
	if (size > 0) {
		peer->groups = malloc(size);
		if (!peer->groups)
			return -ENOMEM;
	}
	if (r == 0 && size > 0)
		memcpy(peer->groups, some, size);
	else if (r < 0 && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &size) < 0)
		return -errno;
	peer->core.groups = peer->groups;
	peer->core.n_groups = size / sizeof(gid_t);
	return 0;
}

int peer_read(struct peer *peer, int socket)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	int r;

	memset(peer, 0, sizeof *peer);
	peer->core.call_fd = peer->core.service_fd = peer->core.pid_fd = -1;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	peer->core.pid = credentials.pid;
	peer->core.uid = credentials.uid;
	peer->core.gid = credentials.gid;
	r = read_groups(peer, socket);
	if (r < 0)
		peer_deinit(peer);
	return r;
}

void peer_deinit(struct peer *peer)
{
	free(peer->groups);
	peer->groups = NULL;
	peer->core.groups = NULL;
	peer->core.n_groups = 0;
}

int pidfd_of(pid_t pid)
{
	int fd = pidfd_open(pid, 0); /* close-on-exec by itself */

	return fd >= 0 ? fd : -errno;
}

int peer_pidfd(int socket, pid_t pid)
{
	int fd = -1;
	socklen_t size = sizeof fd;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0 && fd >= 0)
		return fd;
	if (errno != ENOPROTOOPT)
		return -errno;
	return pidfd_of(pid);
}

bool is_pidfd(int fd)
{
	return pidfd_send_signal(fd, 0, NULL, 0) == 0 || errno == ESRCH || errno == EPERM;
}

pid_t pidfd_process(int pidfd)
{
	char path[40], text[512], *line;
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	line = strstr(text, "\nPid:");
	return line ? (pid_t)strtol(line + 5, NULL, 10) : -1;
}

void process_comm(pid_t pid, char comm[16])
{
	char path[40];
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	memset(comm, 0, 16);
	(void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, comm, 15);
	comm[n > 0 && comm[n - 1] == '\n' ? n - 1 : MAX(n, 0)] = '\0';
}

static bool socket_option_is(int fd, int option, int wanted)
{
	int value;
	socklen_t size = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

bool is_packet_socket(int fd)
{
	struct sockaddr_un name;
	socklen_t size = sizeof name;

	return socket_option_is(fd, SO_DOMAIN, AF_UNIX) &&
		socket_option_is(fd, SO_TYPE, SOCK_SEQPACKET) &&
		getpeername(fd, (struct sockaddr *)&name, &size) == 0;
}
