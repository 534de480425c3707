/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Least recently used: the object that has been without references longest. */
#include <stdlib.h>

#include "core/policy.h"
#include "ds/memory.h"

struct policy {
	struct index_list oldest_first;
	struct index_links links;
};

static struct policy *lru_new(struct index_links links)
{
	struct policy *policy = must_alloc(1, sizeof *policy);

	index_list_init(&policy->oldest_first);
	policy->links = links;
	return policy;
}

static void lru_free(struct policy *policy)
{
	free(policy);
}

static void lru_add(struct policy *policy, const struct policy_object *object)
{
	index_list_add_tail(policy->links, &policy->oldest_first, object->object);
}

static void lru_remove(struct policy *policy, uint32_t object)
{
	index_list_remove(policy->links, &policy->oldest_first, object);
}

static uint32_t lru_victim(const struct policy *policy)
{
	return policy->oldest_first.first;
}

static uint32_t lru_next(const struct policy *policy, uint32_t object)
{
	return index_link(policy->links, object)->next;
}

const struct policy_ops policy_lru = {
	.name = "lru",
	.new = lru_new,
	.free = lru_free,
	.add = lru_add,
	.remove = lru_remove,
	.victim = lru_victim,
	.next = lru_next,
};
