/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets and descriptors over AF_UNIX SOCK_SEQPACKET.
 *
 * Sends never raise SIGPIPE.  Received descriptors are close-on-exec, and are
 * the caller's on every return, errors too: what a stranger sent may not be
 * closed just anywhere (close() of a FUSE file can hang), so that nothing here
 * ever closes one; but pidfds that come as SCM_PIDFD, which nobody here asks for,
 * are (that never hangs).  EINTR is retried.  Any thread.
 */
#ifndef UTIL_SOCKET_H
#define UTIL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define SOCKET_FDS_MAX 16 /* a packet */

/* Return: 0, or -ENAMETOOLONG (a path has room for 107 bytes), -EINVAL (empty). */
int socket_address(struct sockaddr_un *address, const char *path);

/* socket_send() - send one whole packet
 * @fds: at most SOCKET_FDS_MAX; stay the caller's
 * @flags: MSG_DONTWAIT or 0
 * Return: 0; -EAGAIN: the peer does not read; -EPIPE, -ECONNRESET: it is gone;
 *   -EMSGSIZE: longer than the socket's buffer; -ETOOMANYREFS: this user has too
 *   many descriptors on their way; other negative errno. */
int socket_send(int socket, const void *bytes, size_t size, const int *fds, size_t n_fds,
	int flags);

/* The same of a packet in pieces. */
int socket_send_pieces(int socket, const struct iovec *pieces, size_t n_pieces, const int *fds,
	size_t n_fds, int flags);

/* The same behind another packet, in one system call: front->iov_len becomes 0 once that one is
 * sent, which it may be although the other could not be. */
int socket_send_behind(int socket, struct iovec *front, const void *bytes, size_t size,
	const int *fds, size_t n_fds, int flags);

/* Has the peer received all that was sent?  (False where the kernel does not tell.) */
bool socket_is_drained(int socket);

struct socket_packet {
	/* set by the caller */
	void *bytes;
	size_t room;
	bool want_fds;         /* false: no control buffer; what comes nevertheless never gets a number */
	size_t max_fds;        /* where they are wanted: no more get a number; 0: SOCKET_FDS_MAX */
	bool want_credentials; /* SO_PASSCRED is set on this socket */
	/* set by socket_receive(), on every return */
	size_t size;
	size_t n_fds; /* may exceed SOCKET_FDS_MAX where credentials were wanted but not sent */
	int fds[SOCKET_FDS_MAX + 8];
	bool has_credentials;
	struct ucred credentials; /* checked by the kernel */
};

enum socket_error {
	SOCKET_E_SUCCESS = 0,
	SOCKET_E_CLOSED = 1, /* the peer hung up (or sent an empty packet: the same to the kernel) */
	SOCKET_E_TRUNCATED,  /* the packet was longer than room */
	SOCKET_E_FDS_LOST,   /* descriptors were sent that did not arrive: none or not so many were
	                        wanted, the descriptor table is full, or a security module refused */
};

/* socket_receive() - receive one packet; what a peer sent before it ended comes first
 * @flags: MSG_DONTWAIT or 0
 * Return: 0, an enum socket_error, -EAGAIN, or other negative errno. */
int socket_receive(int socket, struct socket_packet *packet, int flags);

#endif
