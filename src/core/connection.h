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

/* R11: how many items of this request were carried out at once before. */
uint64_t connection_done(const struct core *core, uint32_t conn, uint64_t serial);
/* So many are now. */
void connection_note_done(struct core *core, uint32_t conn, uint64_t serial, uint64_t n_items);

/* Recovery: link the record; then, after all holdings, finish what a crash cut off. */
void connection_recover(struct core *core, uint32_t conn);
void connection_recover_end(struct core *core, uint32_t conn);

#endif
