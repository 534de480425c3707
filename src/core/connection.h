/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/connection.h - clients: who they are, and what ends with them (R6) */
#ifndef CORE_CONNECTION_H
#define CORE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

struct core;

/* WIRE_FORK: a connection on this socket that holds what its parent holds, drafts excepted.
 * Return: its index, or CORE_NO_CONN: refused, the socket is closed. */
uint32_t connection_fork(struct core *core, uint32_t parent, int fd);
/* Give back everything that it holds, and its record. */
void connection_end(struct core *core, uint32_t conn);
/* Go on with those that ended and held more than was given back at once. */
void connections_give_back(struct core *core);

/* R11: was this item of the request carried out at once before?  (Exact for 64 items; of a longer
 * request, whatever was looked at counts.) */
bool connection_is_done(const struct core *core, uint32_t conn, uint64_t serial, uint32_t item);
/* It is now. */
void connection_note_done(struct core *core, uint32_t conn, uint64_t serial, uint32_t item);

/* Recovery: link the record; then, after all holdings, finish what a crash cut off. */
void connection_recover(struct core *core, uint32_t conn);
void connection_recover_end(struct core *core, uint32_t conn);

#endif
