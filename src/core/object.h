/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/object.h - the life of an object
 *
 *                object_seal()
 *   CREATED ------------------> RESIDENT -- object_evict() ---------> gone
 *      |                           |
 *      | object_abort()            | object_delete(): gone by id
 *      v                           v
 *     gone                      DELETED -- last pin --> no memory -- last holding --> gone
 *
 * An object is an index into the tables' objects.  Its memory counts in
 * core.object_bytes and core.metadata_bytes while it has some: a memfd, or a
 * place in the pack.
 */
#ifndef CORE_OBJECT_H
#define CORE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tables.h"

struct account;
struct core;
struct cost;
struct make;
struct wire_item;

uint64_t object_id_hash(const struct core *core, const struct id128 *id);
/* "3f2a..." in scratch memory. */
const char *object_id_text(struct core *core, const struct id128 *id);
/* The object that has this id now, draft or sealed; or TABLES_NONE. */
uint32_t object_find(const struct core *core, const struct id128 *id);
/* They will be looked for: let the cache fetch what is needed for all of them at once. */
void objects_prefetch(const struct core *core, const struct id128 *ids, size_t stride, size_t n);
/* The same, if it is sealed and this connection may read it. */
uint32_t object_find_seen(const struct core *core, const struct id128 *id, uint32_t conn);
/* The oldest deleted object of this id that the connection still holds and that was created after
 * this one (sequence; 0: the first); or TABLES_NONE.  An id can be deleted more than once. */
uint32_t object_find_deleted(const struct core *core, const struct id128 *id, uint32_t conn,
	uint64_t after);
static inline bool object_has_memory(const struct object_record *record)
{
	return record->fd != OBJECT_NO_MEMORY;
}

/* What its data is charged now. */
uint64_t object_bytes(const struct core *core, uint32_t o);
/* Whom it is charged to. */
struct account *object_account(struct core *core, uint32_t o);
/* What it costs the one whom it is charged to. */
struct cost object_cost(const struct core *core, uint32_t o);

/* The memory of a make is there: a draft, not yet sealed nor held.  fd: OBJECT_IN_PACK: it is at
 * the make's place. */
uint32_t object_new(struct core *core, struct make *make, int fd, uint64_t inode);
/* Its bytes are at another place of its class in the pack now. */
void object_move(struct core *core, uint32_t o, struct pack_place to);
/* They are in the pack now, and its memfd is closed. */
void object_repack(struct core *core, uint32_t o, struct pack_place to);
/* They left the pack, and are in this memfd. */
void object_unpack(struct core *core, uint32_t o, int fd, uint64_t inode);
/* A GET waits for its memfd, or does no longer (add -1). */
void object_want(struct core *core, uint32_t o, int add);
/* The draft's memfd is sealed; serial: by which of its creator's requests. */
void object_seal(struct core *core, uint32_t o, uint64_t serial);
void object_abort(struct core *core, uint32_t o);
/* reason: GONE_DELETED, GONE_EXPIRED, or GONE_LOST (its descriptor is not ours: nothing is closed). */
void object_delete(struct core *core, uint32_t o, enum gone_reason reason);
/* A deleted object's descriptor is not ours any more. */
void object_lose_memory(struct core *core, uint32_t o);
void object_evict(struct core *core, uint32_t o);
/* The object that the policy would evict; only while core.n_victims > 0. */
uint32_t object_victim(const struct core *core);
/* ... of those that have a descriptor, and keep it; only while core.n_victim_fds > 0. */
uint32_t object_victim_with_fd(const struct core *core);

/* Bytes of metadata and attributes that it is charged now. */
uint64_t object_metadata_bytes(const struct core *core, uint32_t o);
/* These change: uncharge what there is, and charge what there is then. */
void object_uncharge_metadata(struct core *core, uint32_t o);
void object_charge_metadata(struct core *core, uint32_t o);
/* Another priority, or other flags: it counts as used now. */
void object_rank(struct core *core, uint32_t o, int priority, uint8_t flags);

/* References, pins or claims changed: may it be evicted now, has its memory or record an end? */
void object_reconsider(struct core *core, uint32_t o);
/* It was used: for the policy and for who looks. */
void object_touch(struct core *core, uint32_t o);

/* What replies tell of an object (no fd, no names). */
void object_describe(const struct core *core, uint32_t o, struct wire_item *item);

/* Recovery: link the record; then, after all holdings and claims, finish what a crash cut off. */
int object_recover(struct core *core, uint32_t o);
void object_recover_end(struct core *core, uint32_t o);
/* Recovery: objects by their last use, for the policy. */
void objects_recover_victims(struct core *core);

#endif
