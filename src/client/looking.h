/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client/looking.h - what the functions that look into the store have in common
 *
 * A result is an array for the caller, with a header and a chain of blocks behind it
 * for everything that it points to.
 */
#ifndef CLIENT_LOOKING_H
#define CLIENT_LOOKING_H

#include <ostore.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct block;
struct call;
struct ostore_filter;

/* filter_take() - what a filter (NULL: none) asks of a LIST: its name and labels
 * @labelsp: out: to be freed after the LIST
 * Return: 0, or a negative errno with its sentence. */
int filter_take(const struct ostore_filter *filter, struct wire_request *request, char **labelsp);

void *block_take(struct block **blocks, size_t size);
/* A copy with a NUL behind it. */
void *block_copy(struct block **blocks, const void *bytes, size_t size);

/* Every result begins with this; the caller's pointer is to what follows. */
struct result {
	struct block *blocks;
	_Alignas(16) char array[];
};

void result_free(void *array);

/* An array that grows: elements of one size, in a result. */
struct growing {
	struct result *result;
	size_t element_size;
	size_t n, room;
};

int growing_reserve(struct growing *growing, size_t n);
void *growing_at(const struct growing *growing, size_t i);
void growing_deinit(struct growing *growing);

/* Return: 0, -ENOMEM. */
int copy_info(struct block **blocks, const struct wire_item *item, struct ostore_info *info);
int copy_holder(struct block **blocks, const struct wire_holder *from, struct ostore_holder *holder);
/* All of a stat but its info and its holders. */
void copy_stat(const struct wire_item *item, struct ostore_stat *stat);

/* Lock held, dropped while waiting.  One call whose packets are collected; it ends with that. */
int look(struct ostore *conn, struct call *call, void *user,
	int (*collect)(struct call *, const struct wire_reply *), void (*restart)(struct call *),
	uint64_t *cursorp, const char *what);

#endif
