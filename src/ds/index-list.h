/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doubly linked lists of elements of one array, linked by index: a link costs 8
 * bytes and a list 4, where pointers cost 16 each.  For what exists by the million.
 *
 * Functions take the links of the array, INDEX_LINKS(array, member), which the
 * compiler sees through.  The first element's prev is the last element; the
 * last one's next is INDEX_NONE; an element that is in no list has INDEX_NONE as
 * its prev.  Not thread-safe.
 */
#ifndef DS_INDEX_LIST_H
#define DS_INDEX_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index_link {
	uint32_t next, prev;
};

struct index_list {
	uint32_t first; /* INDEX_NONE: empty */
};

/* The link of each element of an array. */
struct index_links {
	char *links;
	size_t stride;
};

#define INDEX_LINKS(array, member) \
	((struct index_links){ (char *)&(array)->member, sizeof *(array) })

static inline struct index_link *index_link(struct index_links links, uint32_t i)
{
	return (struct index_link *)(links.links + i * links.stride);
}

static inline void index_link_init(struct index_link *link)
{
	link->next = link->prev = INDEX_NONE;
}

static inline void index_list_init(struct index_list *list)
{
	list->first = INDEX_NONE;
}

static inline bool index_list_empty(const struct index_list *list)
{
	return list->first == INDEX_NONE;
}

/* Is this element in a list? */
static inline bool index_linked(const struct index_link *link)
{
	return link->prev != INDEX_NONE;
}

static inline void index_list_add_tail(struct index_links links, struct index_list *list,
	uint32_t i)
{
	struct index_link *link = index_link(links, i);

	link->next = INDEX_NONE;
	if (list->first == INDEX_NONE) {
		list->first = link->prev = i;
	} else {
		struct index_link *first = index_link(links, list->first);

		index_link(links, first->prev)->next = i;
		link->prev = first->prev;
		first->prev = i;
	}
}

/* The element must be in this list. */
static inline void index_list_remove(struct index_links links, struct index_list *list, uint32_t i)
{
	struct index_link *link = index_link(links, i);

	if (list->first == i)
		list->first = link->next;
	else
		index_link(links, link->prev)->next = link->next;
	if (link->next != INDEX_NONE)
		index_link(links, link->next)->prev = link->prev;
	else if (list->first != INDEX_NONE)
		index_link(links, list->first)->prev = link->prev;
	index_link_init(link);
}

#define index_list_for_each(i, links, list) \
	for ((i) = (list)->first; (i) != INDEX_NONE; (i) = index_link((links), (i))->next)

/* The body may remove i (and no other). */
#define index_list_for_each_safe(i, following, links, list)                              \
	for ((i) = (list)->first;                                                        \
		(i) != INDEX_NONE && ((following) = index_link((links), (i))->next, true); \
		(i) = (following))

#endif
