/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ostored/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"

int notify_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	CLEANUP_CLOSE int fd = -1;
	size_t length;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return -1;
	length = strlen(path);
	if (length >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	(void)unsetenv("NOTIFY_SOCKET");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		connect(fd, (struct sockaddr *)&address,
			offsetof(struct sockaddr_un, sun_path) + length) < 0)
		return -1;
	return TAKE_FD(fd);
}

void notify_send(int fd, const char *format, ...)
{
	char state[512];
	va_list args;
	int n;

	if (fd < 0)
		return;
	va_start(args, format);
	n = vsnprintf(state, sizeof state, format, args);
	va_end(args);
	if (n > 0)
		(void)send(fd, state, MIN((size_t)n, sizeof state - 1), MSG_NOSIGNAL);
}
