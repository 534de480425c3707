/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#ifndef SCM_PIDFD /* Linux 6.5; missing in Debian 12's headers */
#define SCM_PIDFD 0x04
#endif

/* A peer that made both ends of a socketpair may have asked, for ours, that its pidfd
 * comes with every packet, and can ask again whenever we turn that off. */
static void close_pidfd(const struct cmsghdr *c)
{
	int fd;

	if (c->cmsg_len < CMSG_LEN(sizeof fd))
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (fd >= 0) /* else an error of the kernel's */
		(void)close(fd);
}

/* MSG_CTRUNC tells that descriptors were lost, but not whether some came. */
static void take_control(struct msghdr *message, struct socket_packet *packet)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			assert(packet->n_fds + n <= ARRAY_SIZE(packet->fds));
			memcpy(packet->fds + packet->n_fds, CMSG_DATA(c), n * sizeof(int));
			packet->n_fds += n;
		} else if (c->cmsg_type == SCM_CREDENTIALS &&
			   c->cmsg_len >= CMSG_LEN(sizeof packet->credentials)) {
			memcpy(&packet->credentials, CMSG_DATA(c), sizeof packet->credentials);
			packet->has_credentials = true;
		} else if (c->cmsg_type == SCM_PIDFD) {
			close_pidfd(c);
		}
	}
}

int socket_address(struct sockaddr_un *address, const char *path)
{
	size_t length = strlen(path);

	if (length == 0)
		return -EINVAL;
	if (length >= sizeof address->sun_path)
		return -ENAMETOOLONG;
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	return 0;
}

/* @front: NULL: no packet before it */
static int send_packet(int socket, struct iovec *front, const struct iovec *pieces, size_t n_pieces,
	const int *fds, size_t n_fds, int flags)
{
	struct mmsghdr messages[2] = {
		{ .msg_hdr = { .msg_iov = front, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = n_pieces } },
	};
	struct msghdr *message = &messages[1].msg_hdr;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
	} control;

	assert(n_fds <= SOCKET_FDS_MAX);
	if (n_fds > 0) {
		memset(&control, 0, CMSG_SPACE(n_fds * sizeof(int)));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
		message->msg_control = &control;
		message->msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	for (;;) {
		if (front && front->iov_len > 0) {
			int n = sendmmsg(socket, messages, 2, MSG_NOSIGNAL | flags);

			if (n >= 1)
				front->iov_len = 0;
			if (n == 2)
				return 0;
			if (n == 1)
				continue; /* what is wrong with the second */
		} else if (sendmsg(socket, message, MSG_NOSIGNAL | flags) >= 0) {
			return 0;
		}
		if (errno != EINTR)
			return -errno;
	}
}

int socket_send(int socket, const void *bytes, size_t size, const int *fds, size_t n_fds, int flags)
{
	const struct iovec piece = { .iov_base = (void *)bytes, .iov_len = size };

	return send_packet(socket, NULL, &piece, 1, fds, n_fds, flags);
}

int socket_send_pieces(int socket, const struct iovec *pieces, size_t n_pieces, const int *fds,
	size_t n_fds, int flags)
{
	return send_packet(socket, NULL, pieces, n_pieces, fds, n_fds, flags);
}

int socket_send_behind(int socket, struct iovec *front, const void *bytes, size_t size,
	const int *fds, size_t n_fds, int flags)
{
	const struct iovec piece = { .iov_base = (void *)bytes, .iov_len = size };

	return send_packet(socket, front, &piece, 1, fds, n_fds, flags);
}

int socket_receive(int socket, struct socket_packet *packet, int flags)
{
	struct iovec iov = { .iov_base = packet->bytes, .iov_len = packet->room };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int)) +
			CMSG_SPACE(sizeof(struct ucred))];
	} control;
	int n_resets = 0;
	ssize_t n;

	packet->size = 0;
	packet->n_fds = 0;
	packet->has_credentials = false;
	if (packet->want_fds || packet->want_credentials) {
		/* Credentials come first.  The buffer ends where the last wanted
		 * descriptor does, so that one more is refused by the kernel. */
		message.msg_control = &control;
		if (packet->want_credentials)
			message.msg_controllen += CMSG_SPACE(sizeof(struct ucred));
		if (packet->want_fds)
			message.msg_controllen += CMSG_LEN(sizeof(int) *
				(packet->max_fds ? packet->max_fds : SOCKET_FDS_MAX));
	}
	/* A peer that closed with unread packets of ours leaves ECONNRESET, once, before
	 * the packets that it had sent. */
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && n_resets++ == 0)));
	if (n < 0)
		return errno == ECONNRESET ? SOCKET_E_CLOSED : -errno;
	if (message.msg_control)
		take_control(&message, packet);
	packet->size = (size_t)n;
	if (n == 0)
		return SOCKET_E_CLOSED;
	if (message.msg_flags & MSG_TRUNC)
		return SOCKET_E_TRUNCATED;
	if (message.msg_flags & MSG_CTRUNC)
		return SOCKET_E_FDS_LOST;
	return 0;
}

#define PACKET_CHARGE_MIN 256 /* less than any packet's; its last byte is given back late */

/* What was sent is charged to its sender until it is received. */
bool socket_is_drained(int socket)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t size = sizeof info;

	return getsockopt(socket, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
		size > SK_MEMINFO_WMEM_ALLOC * sizeof *info && info[SK_MEMINFO_WMEM_ALLOC] < PACKET_CHARGE_MIN;
}
