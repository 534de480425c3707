/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/call.h - a request in flight, and waiting for its reply
 *
 * A public function makes calls, starts them, waits, reads their results and
 * ends them:
 *
 *	struct waiter waiter = WAITER_INIT;
 *	connection_enter(conn);
 *	call = call_new(WIRE_HOLD, 1, &waiter);
 *	call->request.name = name;  ...
 *	call_start(conn, call);
 *	r = call_wait(conn, &waiter, 1, CALL_PATIENT);
 *	... call->status, call->reply, call->grants ...
 *	call_end(conn, call);
 *	connection_leave(conn);
 *
 * Everything here is done under conn->lock; call_wait() drops it while it waits.
 * What a request points to (items, names, data, descriptor) must stay valid
 * until call_end(): the request is written anew when the broker's worker died.
 */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/text.h"
#include "wire/message.h"

struct call;
struct entry;
struct ostore;
struct view;

/* Where a thread waits for some of its calls. */
struct waiter {
	_Atomic uint32_t wakes; /* futex: rises when there is reason to look again */
	unsigned int n_done;    /* of its calls */
	struct waiter *next;    /* conn->followers */
};

#define WAITER_INIT ((struct waiter){ .n_done = 0 })

/* What an item of a reply gave us; recorded in the entry already. */
struct grant {
	struct entry *entry; /* counted as a handle of it; NULL once taken */
	struct view *view;   /* counted as a user of it; NULL: a bare reference */
	bool pinned;         /* it came with a pin */
	int fd;              /* CREATE: the draft's memfd, ours; else -1 */
};

struct call {
	struct call *next;
	struct waiter *waiter;     /* NULL: given up; nobody waits, the reply is undone */
	struct wire_request request; /* serial and acked_fds are set when it is sent */
	struct wire_item item;     /* for requests of one item: request.items may point here */
	uint32_t n_sent;           /* items sent so far, where they take several packets */
	int fd;                    /* sent along; -1: none.  Borrowed */
	int64_t deadline;          /* from request.timeout_ns; FOREVER_NS if it has none */
	bool sent, done, cancel;   /* sent: at least its first packet */
	bool early;                /* goes before releases that were queued after it */
	bool cow;                  /* what it grants is for writing, for one handle alone */

	/* the result */
	int status;
	struct text text;
	uint64_t cursor;
	struct grant *grants;      /* each good item of the reply is a reference for us */
	size_t n_grants, max_grants; /* max 0: this type of request grants nothing */
	/* Called for each packet of the reply, before it is gone: copies what it wants.
	 * Return: 0, or a negative errno that becomes the call's status. */
	int (*collect)(struct call *call, const struct wire_reply *reply);
	/* The worker died: forget what was collected. */
	void (*restart)(struct call *call);
	/* NULL, or called when it is done, instead of waking the waiter's thread: not to end this
	 * call or begin another. */
	void (*finished)(struct ostore *conn, struct call *call);
	void *user;
	struct grant grant_room[];
};

#define CALL_ITEMS_MAX 65536 /* items of one call: what the broker takes as one request */

enum call_patience {
	CALL_INTERRUPTIBLE, /* a signal handler ends the wait */
	CALL_PATIENT,       /* cancelling could not undo it, and it is answered at once */
};

/* Return: a call with no items, or NULL.  max_grants: 0, or how many objects it may be granted. */
struct call *call_new(uint16_t type, size_t max_grants, struct waiter *waiter);

/* The call has one item: call->item. */
void call_set_item(struct call *call);

/* timeout as in ostore.h; sets request.timeout_ns and the deadline. */
void call_set_timeout(struct call *call, int64_t timeout_ns);

/* Put it behind what is to be sent; call_flush() sends it. */
void call_queue(struct ostore *conn, struct call *call);

/* Send it, or queue it behind what waits for room in the socket. */
void call_start(struct ostore *conn, struct call *call);

/* call_wait() - wait until @needed calls of this waiter are done.  Drops the lock meanwhile.
 * Return: 0 (a dead connection ends every call), -EINTR, or -ETIMEDOUT when the
 *   broker let a deadline pass by more than a second. */
int call_wait(struct ostore *conn, struct waiter *waiter, unsigned int needed,
	enum call_patience patience);

/* End a call of this thread.  Done: frees it, and gives back the grants that
 * nobody took (objects_take()).  Not done: cancels it; what still comes is
 * undone by whoever receives it. */
void call_end(struct ostore *conn, struct call *call);

/* call_one() - start, wait for and judge a single call
 * @what: for the sentence: "get of 3f2a..."
 * Return: 0, or a negative errno with a sentence.  The call is still to be ended. */
int call_one(struct ostore *conn, struct call *call, enum call_patience patience, const char *what,
	...) __attribute__((format(printf, 4, 5)));

/* The sentence for a call's bad status.  Return: the status. */
int call_fail(const struct call *call, const char *what, ...) __attribute__((format(printf, 2, 3)));

/* call_flush() - send what is queued: releases, calls, cancellations, acknowledgements
 * Return: 0, or -EAGAIN: the socket is full. */
int call_flush(struct ostore *conn);

/* The same, for what nobody waits for: a full socket is given a moment, in which
 * the lock is dropped.  After that the next call takes it along. */
void call_flush_soon(struct ostore *conn);

/* Write and send one packet now.  Return: 0, -EAGAIN, -EMSGSIZE, other negative errno;
 * a dead peer also ends the connection. */
int call_transmit(struct ostore *conn, struct wire_request *request, int fd);

/* Send conn->front alone.  Return: as call_transmit(). */
int call_transmit_front(struct ostore *conn);

/* Every call in flight fails; used when the connection dies. */
void call_fail_all(struct ostore *conn, int error, const char *text);

/* A forked child's beginning: calls of threads that do not exist here. */
void call_forget_all(struct ostore *conn);

/* The worker that was answering is dead: forget what a call was granted so far. */
void call_restart(struct ostore *conn, struct call *call);

/* A call that nobody waits for and that will not be sent again. */
void call_discard(struct ostore *conn, struct call *call);

/* Be the reader for whatever has arrived, if nobody is; never waits. */
void call_poll(struct ostore *conn);

#endif
