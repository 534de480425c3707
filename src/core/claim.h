/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/claim.h - references without a connection: names and leases
 *
 * Names are per uid.  A name given with a draft is in the tables from the start,
 * and binds (taking it from whoever has it) when the draft is sealed.
 * A lease is known by its token and its object: one token may stand for the leases on
 * many objects, that were taken together.  It ends transit_lease after it was taken,
 * taken again or loaded, is charged to the uid that took it, and does not end with
 * who took it.
 */
#ifndef CORE_CLAIM_H
#define CORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "util/id.h"

struct account;
struct core;
struct wire_request;

/* Index of the name, or TABLES_NONE. */
uint32_t name_find(const struct core *core, uint32_t uid, const char *text);
/* May this uid have another name?  0, -EDQUOT (its share), -ENOBUFS (all are used). */
int name_room(const struct core *core, const struct account *account);
/* Bind a name that is new or another object's.  Only with name_room(), or when it exists. */
void name_bind(struct core *core, uint32_t uid, const char *text, uint32_t o);
/* A name for a draft.  Only with name_room(). */
void name_pend(struct core *core, uint32_t uid, const char *text, uint32_t o);
void name_drop(struct core *core, uint32_t n);
/* The draft is sealed: its names bind. */
void names_bind_pending(struct core *core, uint32_t o);
/* Recovery. */
void name_recover(struct core *core, uint32_t n);

uint32_t lease_find(const struct core *core, const struct id128 *token, uint32_t o);
int lease_room(const struct core *core, const struct account *account);
void lease_take(struct core *core, uint32_t uid, const struct id128 *token, uint32_t o);
void lease_extend(struct core *core, uint32_t l);
void lease_drop(struct core *core, uint32_t l);
void leases_expire(struct core *core);
void lease_recover(struct core *core, uint32_t l);

/* A lease on this object with this token, or a longer one (core/request-claim.c).
 * Return: 0, or the item's status with its sentence. */
int claim_lease(struct core *core, uint32_t conn, const struct id128 *token, uint32_t o,
	const char **textp);

/* Drop all names and leases of an object.  In steps: the object must be marked DELETED before. */
void claims_drop_all(struct core *core, uint32_t o);

#endif
