/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Least recently used: the object that has been without references longest. */
#include <stdlib.h>

#include "core/policy.h"
#include "ds/list.h"
#include "ds/memory.h"

struct policy {
	struct list oldest_first;
};

static struct policy *lru_new(void)
{
	struct policy *policy = must_alloc(1, sizeof *policy);

	list_init(&policy->oldest_first);
	return policy;
}

static void lru_free(struct policy *policy)
{
	free(policy);
}

static void lru_add(struct policy *policy, const struct policy_object *object)
{
	list_add_tail(&policy->oldest_first, object->link);
}

static void lru_remove(struct policy *policy, struct list *link)
{
	list_remove(link);
}

static struct list *lru_victim(const struct policy *policy)
{
	return list_empty(&policy->oldest_first) ? NULL : policy->oldest_first.next;
}

const struct policy_ops policy_lru = {
	.name = "lru",
	.new = lru_new,
	.free = lru_free,
	.add = lru_add,
	.remove = lru_remove,
	.victim = lru_victim,
};
