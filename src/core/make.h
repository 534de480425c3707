/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/make.h - objects on their way: CREATE, PUT, PUT_FD
 *
 *   make_request() --> queue --> make_grant() --> MAKE or ADOPT --> core_made(),
 *                        |                                          core_adopted()
 *                        +--> make_fail(): deadline, cancelled
 *
 * A make is charged from make_grant() on, and takes its id from the beginning.
 * The offered descriptor of a PUT_FD is ours to count as soon as it arrives.
 */
#ifndef CORE_MAKE_H
#define CORE_MAKE_H

#include <stdint.h>

struct core;
struct cost;
struct make;
struct pending;
struct wire_item;
struct wire_request;

void request_make(struct core *core, uint32_t conn, const struct wire_request *request, int fd);
/* Close a descriptor that a client sent and we do not keep; fd -1: there is none.
 * @conn: whose; CORE_NO_CONN when it is gone */
void stranger_close(struct core *core, uint32_t conn, int fd);

struct need;

/* What it needs of the store now. */
struct need make_need(const struct core *core, const struct make *make);
/* ... whatever else happens, at least: for the queue's quick look. */
uint64_t make_least(const struct core *core, const struct make *make);
/* ... and of its uid's quota. */
struct cost make_quota(const struct core *core, const struct make *make);
/* Of both, metadata and attributes. */
uint64_t make_metadata_bytes(const struct make *make);
/* There is room: charge it and let an edge make it.  The make may be gone after this. */
struct cost make_cost(const struct core *core, const struct make *make);
void make_grant(struct core *core, struct make *make);
/* It ends with this error.  The make is gone; its pending is not settled yet. */
void make_fail(struct core *core, struct make *make, int status, const char *text);
/* ... because there was no room until its deadline. */
void make_fail_full(struct core *core, struct make *make);
/* Its pending ends before it. */
void make_give_up(struct core *core, struct make *make);
/* The edge is done: core_made(), core_adopted(). */
void make_done(struct core *core, uint32_t ticket, int result, int fd, uint64_t inode);
void make_adopted(struct core *core, uint32_t ticket, int result, uint64_t inode, uint64_t size);
/* Its bytes are in the pack, at its place, or could not be written there. */
void make_packed(struct core *core, struct make *make, int result);

/* A GET needs a memfd for an object in the pack. */
void make_unpack(struct core *core, struct pending *pending, uint32_t item, uint32_t o);
/* End those that wait for objects that are not in the pack any more. */
void makes_drop_stale(struct core *core);
/* The event ends: what the queued makes of this event borrow from its packet is copied. */
void makes_keep(struct core *core);

#endif
