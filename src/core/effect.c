/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/effect.h"
#include "core/state.h"
#include "ds/memory.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SCRATCH_CHUNK 65536
#define QUEUE_KEPT    4096 /* effects; a longer queue is freed when it is empty */

struct scratch_chunk {
	struct scratch_chunk *older;
	size_t size;
	_Alignas(16) uint8_t bytes[];
};

void effects_deinit(struct effects *effects)
{
	struct scratch_chunk *chunk;

	while ((chunk = effects->scratch)) {
		effects->scratch = chunk->older;
		free(chunk);
	}
	free(effects->queue);
}

bool effects_begin(struct effects *effects)
{
	struct scratch_chunk *chunk;

	if (effects->taken < effects->n)
		return false;
	effects->n = effects->taken = 0;
	if (effects->room > QUEUE_KEPT) {
		free(effects->queue);
		effects->queue = NULL;
		effects->room = 0;
	}
	while ((chunk = effects->scratch) && chunk->older) {
		effects->scratch = chunk->older;
		free(chunk);
	}
	effects->scratch_used = 0;
	return true;
}

void *scratch_alloc(struct core *core, size_t n, size_t size)
{
	struct effects *effects = &core->effects;
	struct scratch_chunk *chunk = effects->scratch;
	const size_t bytes = (n * size + 15) & ~(size_t)15;
	void *memory;

	if (!chunk || bytes > chunk->size - effects->scratch_used) {
		const size_t room = MAX(bytes, SCRATCH_CHUNK);

		chunk = must(malloc(sizeof *chunk + room));
		chunk->size = room;
		chunk->older = effects->scratch;
		effects->scratch = chunk;
		effects->scratch_used = 0;
	}
	memory = chunk->bytes + effects->scratch_used;
	effects->scratch_used += bytes;
	return memset(memory, 0, bytes);
}

const char *scratch_text(struct core *core, const char *format, ...)
{
	char line[TEXT_SIZE];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	length = strlen(line) + 1;
	return memcpy(scratch_alloc(core, length, 1), line, length);
}

/* ---- effects ---- */

struct core_effect *effect_add(struct core *core, enum core_effect_type type)
{
	struct effects *effects = &core->effects;
	struct core_effect *effect;

	if (type != CORE_PACK_WRITE)
		pack_send(core); /* in order */
	must_grow(&effects->queue, &effects->room, effects->n + 1, sizeof *effects->queue);
	effect = &effects->queue[effects->n++];
	memset(effect, 0, sizeof *effect);
	effect->type = type;
	effect->fd = -1;
	effect->conn = CORE_NO_CONN;
	return effect;
}

struct wire_reply *effect_reply(struct core *core, uint32_t conn, uint16_t type, uint64_t serial)
{
	struct core_effect *effect = effect_add(core, CORE_REPLY);

	effect->conn = conn;
	effect->reply.type = type;
	effect->reply.serial = serial;
	return &effect->reply;
}

void effect_refuse(struct core *core, uint32_t conn, uint16_t type, uint64_t serial, int status,
	const char *text)
{
	struct wire_reply *reply = effect_reply(core, conn, type, serial);

	assert(status < 0);
	reply->status = status;
	reply->text = text;
}

void effect_condemn(struct core *core, uint32_t conn, const char *text)
{
	struct core_effect *effect;

	if (core->connections[conn].condemned)
		return;
	core->connections[conn].condemned = true;
	effect = effect_add(core, CORE_DISCONNECT);
	effect->conn = conn;
	effect->text = text;
}

bool core_next_effect(struct core *core, struct core_effect *effect)
{
	struct effects *effects = &core->effects;

	if (effects->taken == effects->n)
		return false;
	*effect = effects->queue[effects->taken++];
	return true;
}

/* ---- operations ---- */

uint32_t operation_new(struct core *core, int kind, struct operation **operationp)
{
	struct operation *operation;
	uint32_t ticket = core->free_operation;

	if (ticket) {
		operation = &core->operations[ticket - 1];
		core->free_operation = operation->next_free;
	} else {
		must_grow(&core->operations, &core->operations_room, core->n_operations + 1,
			sizeof *core->operations);
		operation = &core->operations[core->n_operations];
		ticket = ++core->n_operations;
	}
	*operation = (struct operation){ .kind = kind, .object = TABLES_NONE, .fd = -1 };
	*operationp = operation;
	return ticket;
}

struct operation *operation_get(struct core *core, uint32_t ticket, int kind)
{
	struct operation *operation;

	assert(ticket > 0 && ticket <= core->n_operations);
	operation = &core->operations[ticket - 1];
	assert((int)operation->kind == kind);
	return operation;
}

void operation_end(struct core *core, uint32_t ticket)
{
	struct operation *operation = &core->operations[ticket - 1];

	operation->kind = OPERATION_FREE;
	operation->next_free = core->free_operation;
	core->free_operation = ticket;
}

void effect_close(struct core *core, int fd, uint64_t bytes)
{
	struct operation *operation;
	struct core_effect *effect;

	if (!core->resumed) { /* the caller of core_open() closes what no table names */
		core->n_fds--;
		return;
	}
	effect = effect_add(core, CORE_CLOSE);
	effect->ticket = operation_new(core, OPERATION_CLOSE, &operation);
	effect->fd = fd;
	effect->size = bytes;
	operation->bytes = bytes;
	core->freeing_bytes += bytes;
	core->n_freeing_fds++;
}
