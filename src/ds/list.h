/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An intrusive, circular, doubly linked list.  A node that is in no list points
 * to itself, so that list_remove() may be called on it and list_linked() tells.
 * Not thread-safe.
 */
#ifndef DS_LIST_H
#define DS_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

/* Is this node in a list? */
static inline bool list_linked(const struct list *node)
{
	return node->next != node;
}

static inline void list_add_tail(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline void list_move_tail(struct list *list, struct list *node)
{
	list_remove(node);
	list_add_tail(list, node);
}

/* The first element, or NULL. */
#define list_first(list, type, member) \
	(list_empty(list) ? NULL : container_of((list)->next, type, member))

#define list_for_each(node, list) for ((node) = (list)->next; (node) != (list); (node) = (node)->next)

/* The body may remove node (and no other). */
#define list_for_each_safe(node, following, list)                                      \
	for ((node) = (list)->next, (following) = (node)->next; (node) != (list);      \
		(node) = (following), (following) = (node)->next)

#endif
