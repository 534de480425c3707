/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <string.h>

#include "core/policy.h"
#include "util/cleanup.h"

static const struct policy_ops *const policies[] = {
	&policy_lru, /* the default */
};

const struct policy_ops *policy_find(const char *name)
{
	if (!name)
		return policies[0];
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	return NULL;
}
