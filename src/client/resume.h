/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The broker's worker died and its heir asks what we hold.  All under conn->lock. */
#ifndef CLIENT_RESUME_H
#define CLIENT_RESUME_H

#include <stdint.h>

struct ostore;

/* WIRE_RESUME has come: tell the heir what we hold, and ask everything again. */
void resume_begin(struct ostore *conn, uint64_t generation);

/* Send what is left of the answer.  Return: 0, -EAGAIN: the socket is full. */
int resume_flush(struct ostore *conn);

/* Forget the answer. */
void resume_forget(struct ostore *conn);

#endif
