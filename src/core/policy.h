/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/policy.h - which object is evicted first
 *
 * A policy orders the objects of one priority that may be evicted; the core tells it when one
 * becomes evictable, stops being so, or is used.  Each policy is a file
 * policy-NAME.c and one line in policy.c.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdint.h>

#include "ds/index-list.h"

struct policy;

/* What a policy may know of an object. */
struct policy_object {
	uint32_t object;
	uint64_t use;      /* number of its last use, rising over the store's life */
	uint64_t accesses;
	uint64_t bytes;
};

struct policy_ops {
	const char *name;
	/* links: one for each object, the policy's to use while the object is in it. */
	struct policy *(*new)(struct index_links links);
	void (*free)(struct policy *policy);
	/* The object may be evicted from now on.  On recovery they come in order of use. */
	void (*add)(struct policy *policy, const struct policy_object *object);
	void (*remove)(struct policy *policy, uint32_t object);
	/* The object to evict next, or INDEX_NONE. */
	uint32_t (*victim)(const struct policy *policy);
	/* ... and the one to evict after this one. */
	uint32_t (*next)(const struct policy *policy, uint32_t object);
};

extern const struct policy_ops policy_lru;

/* By name; NULL: the default.  Return: NULL if there is none. */
const struct policy_ops *policy_find(const char *name);

#endif
