/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects being written, and what is left of them after the seal. */
#ifndef CLIENT_DRAFT_H
#define CLIENT_DRAFT_H

#include <ostore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "util/id.h"
#include "wire/message.h"

struct ostore;

/* What somebody who creates an object wants, checked.  Borrows from his options. */
struct order {
	struct id128 id;
	uint32_t mode, flags;
	int64_t timeout;
	const char *name; /* and so on: the caller's */
	const void *metadata;
	uint32_t metadata_size;
	char *labels; /* its own */
	uint32_t labels_size;
	const char *call_site;
	int priority;
	int64_t ttl;
	char hex[ID128_TEXT_SIZE]; /* for sentences */
};

#define ORDER_INIT ((struct order){ .labels = NULL })
void order_deinit(struct order *order);
/* An order that ends with its scope; initialize it with ORDER_INIT. */
#define CLEANUP_ORDER __attribute__((cleanup(order_deinit)))

/* Random ids for the orders of one call, which takes as many with a system call as come whole.
 * Zeros to begin with; must not outlive the call, as a forked child would draw the same. */
struct id_stock {
	ostore_id ids[256 / sizeof(ostore_id)];
	size_t n;
};

/* Return: 0, or negative errno of getrandom(2). */
int id_stock_take(struct id_stock *stock, ostore_id *id);

/* Check the options (NULL: the defaults), and draw an id if there is none.
 * @stock: where from; NULL: the kernel
 * Return: 0, or a negative errno with its sentence. */
int order_take(struct order *order, const struct ostore_put_options *options, uint64_t size,
	struct id_stock *stock);

/* The order as an item of a request. */
struct wire_item order_item(const struct order *order, uint64_t size);

/* order_put_draft() - store pieces by way of a draft, as large objects are
 * Lock held, dropped while waiting and while writing.
 * Return: 0, or a negative errno with its sentence. */
int order_put_draft(struct ostore *conn, const struct order *order, uint64_t size,
	const struct iovec *pieces, size_t n, struct ostore_object **objectp);

/* Private to draft.c and share.c.  Under conn->lock, but: data and size do not change while
 * the draft is open, and the caller must not seal and use it at once. */
struct draft {
	struct draft *next; /* conn->drafts */
	void *data;         /* NULL: 0 bytes, or nobody maps it */
	uint64_t size;
	int fd;             /* -1: sealed, joined, or the parent's */
	bool sealing;       /* a thread is at it */
	bool sealed;        /* data is a private view */
	bool foreign;       /* the parent's: nothing of it is here */
	bool shared;        /* others may map it: only the broker knows when they do not */
	bool joined;        /* another process's, which has shared it */
};

/* Is the handle an unsealed object (of this process or of its parent)? */
bool draft_is_open(const struct ostore_object *object);

/* Lock held.  The handle ends: so does its mapping. */
void draft_end(struct ostore_object *object);

/* Lock held, in a forked child: the drafts are the parent's alone. */
void draft_forget_all(struct ostore *conn);

#endif
