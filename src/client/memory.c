/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds what: ostore_stat() of everything that the caller may read.
 *
 * The broker tells objects and their holders page by page.  An object with very many
 * holders is told again in the next page, with the rest of them.
 */
#include <errno.h>
#include <ostore.h>
#include <stdlib.h>
#include <string.h>

#include "client/attributes.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/error.h"
#include "client/looking.h"
#include "util/cleanup.h"

#define PAGE 1024

struct memory {
	struct growing stats;   /* their n_holders are counted, */
	struct growing holders; /* which are here, in the order of the stats */
	/* When this page was asked for: */
	size_t n_stats, n_holders, n_of_last;
	/* Of this page: */
	size_t first;           /* the stat of its item 0 */
	size_t n_items;         /* told so far */
	uint64_t skip;          /* of the next page; of this one, when it is asked for */
	uint64_t next_skip;
};

static struct ostore_stat *stat_at(const struct memory *memory, size_t i)
{
	return growing_at(&memory->stats, i);
}

/* Does the page go on with the last object of the page before it? */
static bool goes_on(const struct memory *memory, const struct wire_item *item)
{
	return memory->skip && memory->n_items == 0 && memory->n_stats > 0 &&
		memcmp(&stat_at(memory, memory->n_stats - 1)->info.id, &item->id,
			sizeof item->id) == 0;
}

static int add_stat(struct memory *memory, const struct wire_item *item)
{
	struct growing *stats = &memory->stats;
	struct ostore_stat *stat;

	if (growing_reserve(stats, 1) < 0)
		return -ENOMEM;
	stat = growing_at(stats, stats->n);
	*stat = (struct ostore_stat){ .address = 0 };
	copy_stat(item, stat);
	if (copy_info(&stats->result->blocks, item, &stat->info) < 0)
		return -ENOMEM;
	stats->n++;
	return 0;
}

static int collect(struct call *call, const struct wire_reply *reply)
{
	struct memory *memory = call->user;
	struct growing *holders = &memory->holders;

	memory->next_skip = reply->skip;
	for (uint32_t i = 0; i < reply->n_items; i++, memory->n_items++) {
		if (goes_on(memory, &reply->items[i]))
			memory->first = memory->n_stats - 1;
		else if (add_stat(memory, &reply->items[i]) < 0)
			return -ENOMEM;
	}
	if (growing_reserve(holders, reply->n_holders) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < reply->n_holders; i++) {
		const size_t of = memory->first + reply->holders[i].item;

		if (of >= memory->stats.n)
			return -EPROTO;
		if (copy_holder(&memory->stats.result->blocks, &reply->holders[i],
			growing_at(holders, holders->n)) < 0)
			return -ENOMEM;
		holders->n++;
		stat_at(memory, of)->n_holders++;
	}
	return 0;
}

static void restart(struct call *call)
{
	struct memory *memory = call->user;

	memory->stats.n = memory->first = memory->n_stats;
	memory->holders.n = memory->n_holders;
	memory->n_items = 0;
	if (memory->n_stats > 0)
		stat_at(memory, memory->n_stats - 1)->n_holders = memory->n_of_last;
}

/* Lock held, dropped while waiting. */
static int get_page(struct ostore *conn, const struct wire_request *filter, struct memory *memory,
	uint64_t *cursorp)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call = call_new(WIRE_LIST, 0, &waiter);
	int r;

	if (!call)
		return fail_memory();
	memory->n_stats = memory->first = memory->stats.n;
	memory->n_holders = memory->holders.n;
	memory->n_items = 0;
	memory->skip = memory->next_skip;
	if (memory->n_stats > 0)
		memory->n_of_last = stat_at(memory, memory->n_stats - 1)->n_holders;
	call->request.name = filter->name;
	call->request.labels = filter->labels;
	call->request.labels_size = filter->labels_size;
	call->request.flags = WIRE_LIST_HOLDERS;
	call->request.cursor = *cursorp;
	call->request.skip = memory->skip;
	call->request.limit = PAGE;
	r = look(conn, call, memory, collect, restart, cursorp, "memory");
	return r;
}

/* The holders become a block of the result. */
static int join(struct memory *memory)
{
	struct ostore_holder *holders = block_copy(&memory->stats.result->blocks,
		memory->holders.n > 0 ? growing_at(&memory->holders, 0) : NULL,
		memory->holders.n * sizeof *holders);

	if (!holders)
		return fail_memory();
	for (size_t i = 0; i < memory->stats.n; i++) {
		stat_at(memory, i)->holders = holders;
		holders += stat_at(memory, i)->n_holders;
	}
	return 0;
}

int ostore_memory(struct ostore *conn, const struct ostore_filter *filter,
	struct ostore_stat **statsp, size_t *np)
{
	struct memory memory = {
		.stats = { .element_size = sizeof(struct ostore_stat) },
		.holders = { .element_size = sizeof(struct ostore_holder) },
	};
	CLEANUP_FREE char *labels = NULL;
	struct wire_request asked;
	uint64_t cursor = 0;
	int r;

	if (!statsp || !np)
		return fail(-EINVAL, "memory: no place for the result");
	r = filter_take(filter, &asked, &labels);
	if (r == 0)
		r = connection_enter(conn);
	if (r < 0)
		return r;
	if (growing_reserve(&memory.stats, PAGE) < 0)
		r = fail_memory();
	while (r == 0) {
		r = get_page(conn, &asked, &memory, &cursor);
		if (cursor == 0)
			break;
	}
	connection_leave(conn);
	if (r == 0)
		r = join(&memory);
	growing_deinit(&memory.holders);
	if (r < 0) {
		growing_deinit(&memory.stats);
		return r;
	}
	*statsp = growing_at(&memory.stats, 0);
	*np = memory.stats.n;
	return 0;
}

void ostore_memory_free(struct ostore_stat *stats)
{
	result_free(stats);
}
