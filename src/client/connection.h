/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/connection.h - struct ostore, and who may touch what of it
 *
 * LOCKS, by rank; a thread takes them in rising order only.
 *
 *   rank  lock          protects
 *   1     registry      the list of this process's connections (fork.c)
 *   2     conn->lock    everything below, of the connection and of its handles
 *
 * conn->lock is never held during a system call that may sleep: whoever waits
 * (call.c) drops it, as do the writing of a draft's bytes and the hello.  Functions that drop it say so.
 *
 * What is read without the lock: address, uid, huge_pages (never change after
 * connect); call_fd by the one thread that is the reader; the fields of a handle
 * that objects.h says.
 */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

#include <ostore.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/async.h"
#include "client/travel.h"
#include "util/spin.h"
#include "util/text.h"
#include "wire/message.h"

struct call;
struct draft;
struct entry;
struct packet;
struct release;
struct waiter;

enum connection_state {
	CONNECTION_OPEN = 1,
	CONNECTION_CHILD,     /* we are a forked child that the broker has not heard of yet */
	CONNECTION_GREETING,  /* one thread is introducing the child; others wait for changed */
	CONNECTION_DEAD,      /* the broker is gone, or not to be understood: see death */
	CONNECTION_CLOSED,    /* ostore_close() was called; handles keep it in memory */
};

struct ostore {
	pthread_mutex_t lock; /* rank 2 */
	pthread_cond_t changed; /* state left GREETING, or n_inside is 1 */
	struct ostore *next; /* in the registry; under its lock */
	char *address;
	uid_t uid;           /* that the broker sees */
	bool huge_pages;     /* shmem may use them when advised */
	int64_t connect_timeout_ns;

	enum connection_state state;
	int death;           /* DEAD: the negative errno for every call from now on */
	struct text obituary;
	size_t n_handles;    /* struct ostore_objects that point here */
	unsigned int n_inside; /* threads in a public function, or before a fork, from where they have
				* the lock */

	/* what the hello said */
	uint64_t generation;
	uint32_t inline_max;
	uint32_t max_items;
	uint32_t max_packet;

	/* transport */
	int call_fd, service_fd;
	int fork_fd;         /* between fork's prepare and its end: the child's socket */
	uint64_t last_serial;
	uint32_t received_fds; /* descriptors received so far, and said to be; both wrap */
	uint32_t acked_fds;
	void *send_buffer;   /* WIRE_PACKET_MAX bytes each */
	void *receive_buffer; /* the reader's */
	struct wire_scratch scratch;

	struct packet *outbox; /* goes out before anything else (resume.c) */
	struct iovec front;    /* releases, encoded: go out with the next packet, before it */

	/* calls in flight, oldest first */
	struct call *calls;
	struct call *partial; /* that one's remaining packets go out before anything else */
	bool reader;         /* a thread is receiving; its alone: call_fd's input, receive_buffer */
	struct waiter *followers; /* threads that sleep meanwhile */
	struct spin spin;    /* the reader's alone, while there is one */
	bool may_spin;       /* there is a CPU for the broker besides ours */

	struct async async;  /* requests that no thread waits for */
	struct travel travel; /* references on their way */

	/* what the process holds */
	struct entry **buckets;
	size_t n_buckets, n_entries;
	struct entry *unlisted;   /* held, but not found by id: drafts, and what we saw deleted */
	unsigned int helpless_puts; /* big puts until helpers are tried again */
	struct draft *drafts;     /* unsealed, or sealed with a view left (draft.c) */

	/* what the broker is to be told (objects.c), at once or soon (service.c) */
	struct release *releases;
	size_t n_releases;
	bool release_now;         /* one of them is worth not to wait */
	bool no_service_thread;   /* nobody would send what is put off */
	int64_t last_release_ns;  /* when a handle was last released */
};

/* connection_enter() - begin a public function
 * Introduces a forked child first (drops the lock while it does).
 * Return: 0 with conn->lock held, or a negative errno with a sentence and no lock. */
int connection_enter(struct ostore *conn);

/* Begin one that makes no request, whatever the state of the connection. */
void connection_lock(struct ostore *conn);

/* Lock held.  The broker is gone (-ECONNREFUSED) or talks nonsense (-EPROTO):
 * all calls in flight fail, all later ones will.  Only the first death counts. */
void connection_die(struct ostore *conn, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The usual death: nobody is at the other end. */
void connection_lost(struct ostore *conn);

/* End what connection_enter() or connection_lock() began: drops the lock for good, and frees a closed connection without handles. */
void connection_leave(struct ostore *conn);

/* The same for who holds the registry's lock, which keeps the connection: frees nothing. */
void connection_unlock(struct ostore *conn);

/* connection_greet() - say hello on a fresh socket, and wait for the answer
 * @flags: enum wire_hello_flags
 * Nobody else uses conn's transport meanwhile: it is not published yet, or GREETING.
 * No lock held (takes it to answer WIRE_RESUME).
 * Return: 0, negative errno with a sentence; -ECONNRESET when the broker hung
 *   up first (its worker died, or it does not know this socket). */
int connection_greet(struct ostore *conn, int fd, uint32_t flags);

/* connection_dial() - find a broker and greet it until one answers or the
 *   connection's timeout is over.  No lock held; as connection_greet().
 * @address: as address_connect(); on success conn->address and conn->call_fd are set */
int connection_dial(struct ostore *conn, const char *address);

#endif
