/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/effect.h - effects on their way out, and the memory they point to
 *
 * An event appends effects; whatever they point to is taken from scratch memory
 * that lives until an event begins with no effect left to take.
 */
#ifndef CORE_EFFECT_H
#define CORE_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

struct core;
struct scratch_chunk;

struct effects {
	struct core_effect *queue;
	size_t n, room;
	size_t taken;
	struct scratch_chunk *scratch; /* newest first; the first is kept */
	size_t scratch_used;
};

void effects_deinit(struct effects *effects);
/* An event begins: forget what was taken.  Return: true if nothing is left to take. */
bool effects_begin(struct effects *effects);

/* Zeroed memory, 16-aligned, that lives as long as the event's effects. */
void *scratch_alloc(struct core *core, size_t n, size_t size);
/* A sentence there. */
const char *scratch_text(struct core *core, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Append an effect. */
struct core_effect *effect_add(struct core *core, enum core_effect_type type);
/* A reply to the connection's request; the caller fills in the rest. */
struct wire_reply *effect_reply(struct core *core, uint32_t conn, uint16_t type, uint64_t serial);
/* A reply that is nothing but an error. */
void effect_refuse(struct core *core, uint32_t conn, uint16_t type, uint64_t serial, int status,
	const char *text);
/* End a connection that broke the protocol. */
void effect_condemn(struct core *core, uint32_t conn, const char *text);

/* ---- operations: effects that are answered ---- */

struct operation;

/* A new ticket for an operation of this kind (enum operation_kind). */
uint32_t operation_new(struct core *core, int kind, struct operation **operationp);
/* The operation of a ticket that the edge hands back; asserts its kind. */
struct operation *operation_get(struct core *core, uint32_t ticket, int kind);
void operation_end(struct core *core, uint32_t ticket);

/* Close one of our memfds: bytes count as being freed, and the descriptor as used, until
 * core_closed().  The caller has taken both out of where they were counted before. */
void effect_close(struct core *core, int fd, uint64_t bytes);

#endif
