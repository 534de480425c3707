/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/looking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/attributes.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/error.h"
#include "util/cleanup.h"

/* ---- memory of a result ---- */

struct block {
	struct block *next;
	_Alignas(16) char bytes[];
};

void *block_take(struct block **blocks, size_t size)
{
	struct block *block = calloc(1, sizeof *block + size);

	if (!block)
		return NULL;
	block->next = *blocks;
	*blocks = block;
	return block->bytes;
}

void *block_copy(struct block **blocks, const void *bytes, size_t size)
{
	void *copy = block_take(blocks, size + 1); /* the last byte ends a text */

	if (copy && size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

static void blocks_free(struct block *blocks)
{
	while (blocks) {
		struct block *next = blocks->next;

		free(blocks);
		blocks = next;
	}
}

static struct result *result_of(void *array)
{
	return (struct result *)((char *)array - offsetof(struct result, array));
}

void result_free(void *array)
{
	if (!array)
		return;
	blocks_free(result_of(array)->blocks);
	free(result_of(array));
}

int growing_reserve(struct growing *growing, size_t n)
{
	size_t room = MAX(growing->n + n, 2 * growing->room);
	struct result *result;

	if (growing->result && growing->n + n <= growing->room)
		return 0;
	room = MAX(room, (size_t)1);
	result = realloc(growing->result, sizeof *result + room * growing->element_size);
	if (!result)
		return -ENOMEM;
	if (!growing->result)
		result->blocks = NULL;
	growing->result = result;
	growing->room = room;
	return 0;
}

void *growing_at(const struct growing *growing, size_t i)
{
	return growing->result->array + i * growing->element_size;
}

void growing_deinit(struct growing *growing)
{
	if (growing->result)
		result_free(growing->result->array);
	growing->result = NULL;
}

/* ---- items to infos ---- */

static const char *const *copy_texts(struct block **blocks, const char *names, size_t size)
{
	const char **list;
	char *texts;
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += names[i] == '\0';
	list = block_take(blocks, (n + 1) * sizeof *list);
	texts = block_copy(blocks, names, size);
	if (!list || !texts)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		list[i] = texts;
		texts += strlen(texts) + 1;
	}
	return list;
}

int copy_info(struct block **blocks, const struct wire_item *item, struct ostore_info *info)
{
	*info = (struct ostore_info){
		.size = item->size,
		.metadata_size = item->metadata_size,
		.state = (enum ostore_state)item->state,
		.refs = item->refs,
		.pins = item->pins,
		.uid = item->uid,
		.gid = item->gid,
		.mode = item->mode,
		.created_ns = item->created_ns,
		.last_access_ns = item->last_access_ns,
		.accesses = item->accesses,
		.expires_ns = item->expires_ns,
		.priority = item->priority,
		.pinned = item->flags & WIRE_ITEM_PIN,
		.held = item->flags & WIRE_ITEM_HOLD,
	};
	memcpy(&info->id, &item->id, sizeof info->id);
	info->names = copy_texts(blocks, item->names, item->names_size);
	info->labels = copy_texts(blocks, item->labels, item->labels_size);
	info->metadata = block_copy(blocks, item->metadata, item->metadata_size);
	if (item->call_site) {
		info->call_site = block_copy(blocks, item->call_site, strlen(item->call_site));
		if (!info->call_site)
			return -ENOMEM;
	}
	return info->names && info->labels && info->metadata ? 0 : -ENOMEM;
}

int copy_holder(struct block **blocks, const struct wire_holder *from, struct ostore_holder *holder)
{
	const char *text = block_copy(blocks, from->text, strlen(from->text));

	if (!text)
		return -ENOMEM;
	*holder = (struct ostore_holder){
		.kind = (enum ostore_holder_kind)from->kind,
		.pid = (pid_t)from->pid,
		.uid = from->uid,
		.refs = from->refs,
		.pins = from->pins,
		.comm = from->kind == OSTORE_HOLDER_CONNECTION ? text : NULL,
		.name = from->kind == OSTORE_HOLDER_NAME ? text : NULL,
		.expires_ns = from->expires_ns,
	};
	return 0;
}

void copy_stat(const struct wire_item *item, struct ostore_stat *stat)
{
	stat->address = item->address;
	stat->charged_bytes = item->charged_bytes;
	stat->resident_bytes = item->resident_bytes;
	stat->deleted = item->flags & WIRE_ITEM_DELETED;
}

/* ---- filters ---- */

int filter_take(const struct ostore_filter *filter, struct wire_request *request, char **labelsp)
{
	struct ostore_filter known = { .size = 0 };
	int r;

	*request = (struct wire_request){ .type = WIRE_LIST };
	if (!filter)
		return 0;
	if (filter->size < sizeof filter->size)
		return fail(-EINVAL, "filter: size is not set");
	memcpy(&known, filter, MIN(filter->size, sizeof known));
	if (known.pattern && strlen(known.pattern) > OSTORE_NAME_MAX)
		return fail(-EINVAL, "a pattern has at most %d bytes", OSTORE_NAME_MAX);
	r = texts_join(known.labels, known.n_labels, labelsp, &request->labels_size);
	request->name = known.pattern;
	request->labels = *labelsp;
	return r;
}

/* ---- one call whose packets are collected ---- */

int look(struct ostore *conn, struct call *call, void *user,
	int (*collect)(struct call *, const struct wire_reply *), void (*restart)(struct call *),
	uint64_t *cursorp, const char *what)
{
	int r;

	call->user = user;
	call->collect = collect;
	call->restart = restart;
	r = call_one(conn, call, CALL_PATIENT, "%s", what);
	*cursorp = call->cursor;
	call_end(conn, call);
	return r;
}
