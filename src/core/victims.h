/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/victims.h - the objects that may be evicted, in the order in which they would be
 *
 * By priority, the lowest first, and within one as the policy says: each priority
 * has a policy of its own.
 */
#ifndef CORE_VICTIMS_H
#define CORE_VICTIMS_H

#include <stdint.h>

#include "core/policy.h"
#include "wire/message.h"

#define PRIORITY_LEVELS (2 * WIRE_PRIORITY_MAX + 1)

struct victims {
	const struct policy_ops *ops;
	struct index_links links;
	struct policy *policies[PRIORITY_LEVELS]; /* NULL: never had an object */
	uint32_t n[PRIORITY_LEVELS];
	uint32_t levels; /* bitmap: those with objects */
};

static inline unsigned int priority_level(int priority)
{
	return (unsigned int)(priority + WIRE_PRIORITY_MAX);
}

void victims_init(struct victims *victims, const struct policy_ops *ops, struct index_links links);
void victims_deinit(struct victims *victims);
void victims_add(struct victims *victims, int priority, const struct policy_object *object);
void victims_remove(struct victims *victims, int priority, uint32_t object);
/* The object to evict next; there must be one. */
uint32_t victims_first(const struct victims *victims);
/* ... and the one after this one, whose priority that is; INDEX_NONE: it is the last. */
uint32_t victims_next(const struct victims *victims, int priority, uint32_t object);

#endif
