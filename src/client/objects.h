/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/objects.h - what this process holds through one connection
 *
 *	handle (struct ostore_object)   the caller's; many per entry
 *	   |        \
 *	   v         v
 *	entry       view                one per object | its mapping, or its copy
 *
 * An entry counts what the broker counts for us (refs, pins) and what we count
 * ourselves (handles).  The broker may count more references than there are
 * handles: each reply adds one.  What is too many is given back with each mapping
 * or copy that ends, the others at once with the last handle; the pins with the
 * last handle that uses the mapping.
 *
 * Everything under conn->lock, except: an entry's id, size, uid and metadata and
 * a view's fields do not change while a handle that leads to them lives; a
 * handle's view is set once, by ostore_map(), and read without the lock.
 */
#ifndef CLIENT_OBJECTS_H
#define CLIENT_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/call.h"
#include "client/connection.h"
#include "util/id.h"

/* What the broker is to be told: first in entry and view, whose memory becomes
 * the message when they end.  So giving back never fails for want of memory. */
struct release {
	struct release *next;
	struct id128 id;
	uint32_t refs, pins;
};

struct view {
	struct release release;
	void *data;          /* NULL: 0 bytes */
	size_t size;
	bool mapped;         /* else a copy on the heap */
	bool writable;       /* one handle's own (and its duplicates'), not the entry's */
	bool shared_address; /* where every process sees it */
	uint32_t users;
};

struct entry {
	struct release release;
	struct entry *next;  /* in its bucket, or unlisted */
	struct id128 id;
	bool draft;          /* refs 1: the draft's own */
	bool listed;
	uint32_t refs, pins; /* that the broker counts for this connection */
	uint32_t handles;    /* and grants that nobody took yet */
	bool known;          /* the next five are */
	uint64_t size;
	uid_t uid;
	int64_t created_ns;  /* 0: ours, and the broker has not said */
	void *metadata;
	uint32_t metadata_size;
	struct view *map, *copy; /* NULL: none; alive while a handle uses it */
	uint32_t mappings;   /* map, and the handles' own */
	uint32_t arriving;   /* imports of it without an answer (travel.c) */
	bool absent;         /* it came too late */
};

struct draft;

#define OBJECTS_FRONT_ROOM 8192 /* bytes at conn->front */

struct ostore_object {
	struct ostore *conn;
	struct entry *entry;
	struct view *_Atomic view; /* NULL: a bare reference, or a draft */
	struct draft *draft;       /* draft.c; stays after the seal when its view does */
};

enum grant_kind {
	GRANT_VIEW,  /* of a sealed object: its mapping or copy, one for all handles */
	GRANT_COW,   /* of a sealed object: a writable mapping or copy of its own */
	GRANT_DRAFT, /* of a draft: the fd is its memfd */
	GRANT_JOIN,  /* of another's draft: likewise, and a pin */
};

/* objects_record() - a reply's item granted us a reference (and perhaps more)
 * @fd: of a WIRE_ITEM_FD item; -1 when the kernel could not deliver it.  Consumed
 * Return: 0, -ENOMEM, -EMFILE, or what mmap(2) said (the grant is recorded even
 *   so), -EPROTO. */
int objects_record(struct ostore *conn, const struct wire_item *item, int fd, enum grant_kind kind,
	struct grant *grant);

/* What a put or a draft is like; does nothing when the broker has said so already.
 * Return: 0, -ENOMEM. */
int objects_describe(struct entry *entry, uint64_t size, uid_t uid, int64_t created_ns,
	const void *metadata, uint32_t metadata_size);

/* The broker does not count this grant any more (its reply will come again). */
void objects_unrecord(struct ostore *conn, struct grant *grant);

/* Give back a grant that nobody takes.  Does nothing for one that was taken. */
void objects_put_back(struct ostore *conn, struct grant *grant);

/* Make the caller's handle of a grant.  Return: 0, -ENOMEM. */
int objects_take(struct ostore *conn, struct grant *grant, struct ostore_object **objectp);

/* objects_find() - a handle of what is held already, if it serves
 * @flags: enum ostore_get_flags
 * Return: 0, -ENOENT: ask the broker; -ENOMEM. */
int objects_find(struct ostore *conn, const struct id128 *id, unsigned int flags,
	struct ostore_object **objectp);

/* A handle of an object of which a reference is on its way.  Return: 0, -ENOMEM. */
int objects_expect(struct ostore *conn, const struct id128 *id, struct ostore_object **objectp);

/* objects_await() - before objects are asked for that this process refers to already
 * Waits for references that are on their way; drops the lock meanwhile.
 * @timeoutp: becomes 0 where one came too late: its object is not waited for
 * Return: 0, -EINTR and the like, with a sentence. */
int objects_await(struct ostore *conn, const ostore_id *ids, size_t n, int64_t *timeoutp);

/* A second handle like the first.  Return: 0, -ENOMEM. */
int objects_dup(struct ostore_object *object, struct ostore_object **objectp);

/* Its entry, if it is held and found by id. */
struct entry *objects_lookup(const struct ostore *conn, const struct id128 *id);

/* End a handle (its draft has been seen to). */
void objects_drop(struct ostore_object *object);

/* A draft was sealed: it is found by its id now. */
void objects_list(struct ostore *conn, struct entry *entry);

/* We saw it deleted: a new object may have its id. */
void objects_unlist(struct ostore *conn, const struct id128 *id);

/* Every entry that the broker counts.  Return: false when *cursor has seen them all.
 * Nothing may be added or removed meanwhile.  Start with *cursor = (struct objects_cursor){0}. */
struct objects_cursor {
	size_t bucket;
	struct entry *entry;
	bool unlisted;
};
bool objects_next(struct ostore *conn, struct objects_cursor *cursor, struct entry **entryp);

/* objects_flush_releases() - send what is queued for release
 * @follows: a packet is sent right after it: leave the last one in conn->front, to go with that
 * Return: 0, -EAGAIN. */
int objects_flush_releases(struct ostore *conn, bool follows);

/* Send the queue once the broker has waited long enough for it: now, if it is worth it. */
void objects_release_soon(struct ostore *conn);

/* The broker will hear what we hold in another way: forget what was queued. */
void objects_forget_releases(struct ostore *conn);

/* The connection is freed: so are its tables, empty by now. */
void objects_deinit(struct ostore *conn);

#endif
