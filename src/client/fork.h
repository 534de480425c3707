/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of this process's connections, and what happens to them at fork(2). */
#ifndef CLIENT_FORK_H
#define CLIENT_FORK_H

struct ostore;

/* Enter a connection into the list; the first one installs the fork handlers.
 * Return: 0, -ENOMEM with a sentence. */
int fork_remember(struct ostore *conn);

/* Take it out.  No lock held. */
void fork_forget(struct ostore *conn);

/* Lock held, state CHILD; drops the lock meanwhile: tell the broker that we
 * exist.  Afterwards the state is OPEN, or DEAD. */
void fork_introduce_child(struct ostore *conn);

/* Every connection of the process in turn, none of which ends meanwhile.  No lock held; visit()
 * takes the connection's. */
void fork_visit_all(void (*visit)(struct ostore *conn));

#endif
