/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/pending.h - requests that are not answered yet
 *
 * A pending collects one outcome per item, over all packets of the request, and
 * sends the reply when the last is there.  It belongs to its connection; a SEAL
 * outlives it while an edge works on it (connection CORE_NO_CONN: no reply).
 */
#ifndef CORE_PENDING_H
#define CORE_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "util/id.h"

#define PENDING_TOO_MUCH \
	"too much of this uid waits already: wait for replies before sending more"

struct core;
struct pending;
struct wire_request;

/* pending_for() - the pending of this packet: the one of the packets before it, or a new one
 * Return: NULL if the request was refused, or the connection condemned. */
struct pending *pending_for(struct core *core, uint32_t conn, const struct wire_request *request);
/* Are packets of this request here, and more to come? */
bool pending_is_assembling(const struct core *core, uint32_t conn, uint64_t serial);
/* Add an item.  Return: its number. */
uint32_t pending_add(struct pending *pending, const struct id128 *id);
/* An item has its outcome.  text: the sentence, copied; NULL when status is 0.  object: see
 * struct outcome. */
void pending_outcome(struct pending *pending, uint32_t item, int status, const char *text,
	uint32_t object);
/* All items of a packet are added: more packets follow, or not. */
void pending_packet_end(struct core *core, struct pending *pending, bool more);
/* Reply if everything is there.  The pending may be gone after this. */
void pending_settle(struct core *core, struct pending *pending);
void pending_set_deadline(struct core *core, struct pending *pending, int64_t at);
/* Charge copied bytes to the uid.  Return: 0, -EBUSY. */
int pending_charge(struct core *core, struct pending *pending, uint64_t bytes);
void pending_free(struct core *core, struct pending *pending);

/* The connection ends. */
void pending_abandon(struct core *core, struct pending *pending);
/* WIRE_CANCEL: what still waits ends with -ECANCELED. */
void pending_cancel(struct core *core, uint32_t conn, uint64_t serial);
void pendings_expire(struct core *core);

#endif
