/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/victims.h"

#include <assert.h>

_Static_assert(PRIORITY_LEVELS <= 32, "levels is a bitmap of 32");

void victims_init(struct victims *victims, const struct policy_ops *ops, struct index_links links)
{
	*victims = (struct victims){ .ops = ops, .links = links };
}

void victims_deinit(struct victims *victims)
{
	for (unsigned int i = 0; i < PRIORITY_LEVELS; i++)
		if (victims->policies[i])
			victims->ops->free(victims->policies[i]);
}

void victims_add(struct victims *victims, int priority, const struct policy_object *object)
{
	const unsigned int level = priority_level(priority);

	if (!victims->policies[level])
		victims->policies[level] = victims->ops->new(victims->links);
	victims->ops->add(victims->policies[level], object);
	victims->n[level]++;
	victims->levels |= UINT32_C(1) << level;
}

void victims_remove(struct victims *victims, int priority, uint32_t object)
{
	const unsigned int level = priority_level(priority);

	victims->ops->remove(victims->policies[level], object);
	if (--victims->n[level] == 0)
		victims->levels &= ~(UINT32_C(1) << level);
}

uint32_t victims_first(const struct victims *victims)
{
	assert(victims->levels);
	return victims->ops->victim(victims->policies[__builtin_ctz(victims->levels)]);
}

uint32_t victims_next(const struct victims *victims, int priority, uint32_t object)
{
	const unsigned int level = priority_level(priority);
	const uint32_t next = victims->ops->next(victims->policies[level], object);
	const uint32_t above = level + 1 < PRIORITY_LEVELS ?
		victims->levels & UINT32_MAX << (level + 1) : 0;

	if (next != INDEX_NONE || !above)
		return next;
	return victims->ops->victim(victims->policies[__builtin_ctz(above)]);
}
