/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding a broker and opening a socket to it. */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include <stdint.h>

/* address_connect() - a connected call socket, close-on-exec, blocking
 * @explicit_path: NULL: look where ostore(7), "Finding a broker", says
 * @timeout_ns: how long a broker with a full backlog is waited for
 * @pathp: out: the path that answered, to be freed
 * Return: the descriptor, or a negative errno with a sentence: -ECONNREFUSED
 *   (no broker), -EACCES, -EINVAL (no possible path), -ETIMEDOUT, -ENOMEM, other. */
int address_connect(const char *explicit_path, int64_t timeout_ns, char **pathp);

#endif
