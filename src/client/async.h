/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/async.h - requests that nobody waits for in a call
 *
 * A request is begun, done, reported by ostore_dispatch() and ended, each once:
 *
 *	        window has room            the reply
 *	begun ------------------> direct ------------> done -> reported -> ended
 *	   |                        ^  |                ^
 *	   | window is full         |  | -EBUSY         | ostore_cancel(), fork, close
 *	   v          its ids are   |  v                |
 *	parked ---------------------+ parked -----------+
 *
 * A direct request is a request of the broker's too, of which it lets a connection
 * have only so many wait.  So beyond a window they are parked: their ids are looked
 * after in groups of many, one WIRE_WAIT each, and a request whose ids are there (or
 * whose time is over) becomes direct, to be answered at once.
 *
 * Who reads the socket: whoever does (call.c).  A reply only marks its request; what
 * follows from it is done in ostore_dispatch().  The descriptor to poll is an epoll of
 * the call socket and of an eventfd, which tells what another thread has read.
 *
 * Everything under conn->lock.
 */
#ifndef CLIENT_ASYNC_H
#define CLIENT_ASYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/call.h"
#include "util/text.h"

struct group;
struct ostore;
struct ostore_object;
struct ostore_request;

struct async {
	int poll_fd, event_fd;          /* -1: nobody polls yet */
	bool is_signalled;              /* event_fd was written and not read */
	bool is_watched, wants_room;    /* how call_fd is watched by poll_fd */
	struct ostore_request *requests; /* all that were not ended */
	struct ostore_request *finished, **finished_tail; /* answered; ostore_dispatch() looks at them */
	struct ostore_request *done, **done_tail; /* to be reported */
	struct group *groups, *open;    /* open: gathers, and is sent by ostore_dispatch() */
	size_t n_direct, n_groups;
};

enum request_kind { REQUEST_GET, REQUEST_WAIT, REQUEST_EVENT };

struct ostore_request {
	struct ostore *conn;            /* counted there as a handle */
	struct ostore_request *next_of_all, **link_of_all;
	struct ostore_request *next;    /* finished, or done */
	enum request_kind kind;
	void *user;
	struct waiter waiter;           /* of its call */
	struct call *call;              /* NULL: parked, or there is no answer */
	bool done;
	int status;                     /* where there is no answer */
	struct text text;
	int64_t deadline;
	void *subject;                  /* EVENT: the subscription */

	/* GET, WAIT */
	unsigned int flags;
	size_t n, needed;
	struct ostore_object **objects; /* GET: those that were found at once; else NULL */
	struct wire_item *items;        /* n_items ids to ask for */
	size_t *places;                 /* of each in objects */
	size_t n_items, n_seen;
	bool *ready;                    /* WAIT */
	size_t n_ready, n_gone, n_members; /* parked */
};

void async_init(struct ostore *conn);
void async_deinit(struct ostore *conn);

/* A new request, which holds the connection.  NULL: no memory. */
struct ostore_request *async_new(struct ostore *conn, enum request_kind kind, void *user,
	int64_t timeout);

/* Send its call, which is set. */
void async_start(struct ostore_request *request);

/* Give it up: ostore_dispatch() reports -ECANCELED.  Does nothing when it has its answer. */
void async_cancel(struct ostore_request *request);

/* Its end, with whatever it still has. */
void async_free(struct ostore_request *request);

/* Requests are over without an answer: their calls are about to be forgotten. */
void async_forget(struct ostore *conn, int status, const char *text);

/* The descriptors are shared with the parent. */
void async_close_fds(struct ostore *conn);

#endif
