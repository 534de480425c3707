/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the connections of one uid cost the worker together.
 *
 * A bound per connection bounds nobody who may have a thousand of them.  So the
 * replies that wait (output_bytes) and the descriptors that are on their way
 * (n_flying) are summed by uid as well; output.c keeps both sums below
 * QUEUED_BYTES_PER_UID and user_window().
 *
 * The second sum is there because the kernel counts the descriptors on their way
 * of the worker's own user, over all its sockets: once there are RLIMIT_NOFILE of
 * them, sendmsg() fails (ETOOMANYREFS) whoever the packet is for.
 *
 * A user is here while a connection of it is, or turns.c remembers it.
 */
#include <assert.h>
#include <stdlib.h>

#include "broker/worker.h"
#include "ds/list.h"
#include "util/cleanup.h"

#define WINDOW_SHARE 4 /* of RLIMIT_NOFILE: a uid's part of the descriptors on their way */

struct user *user_get(struct broker *broker, uid_t uid)
{
	struct hash_node *node;
	struct user *user;

	hash_map_for_each(node, &broker->users, hash_number(uid)) {
		user = container_of(node, struct user, by_uid);
		if (user->uid == uid) {
			broker->n_users += user->n_connections++ == 0;
			return user;
		}
	}
	user = calloc(1, sizeof *user);
	if (!user)
		return NULL;
	user->uid = uid;
	user->n_connections = 1;
	broker->n_users++;
	TAILQ_INIT(&user->ready);
	hash_map_add(&broker->users, &user->by_uid, hash_number(uid));
	return user;
}

void user_put(struct broker *broker, struct user *user)
{
	if (--user->n_connections > 0)
		return;
	assert(user->output_bytes == 0 && user->n_flying == 0 && TAILQ_EMPTY(&user->ready));
	broker->n_users--;
	if (!user->is_recent)
		user_free(broker, user);
}

void user_free(struct broker *broker, struct user *user)
{
	hash_map_remove(&broker->users, &user->by_uid);
	free(user);
}

uint32_t user_window(const struct broker *broker, const struct user *user)
{
	size_t share = MAX(broker->n_queued_uses / WINDOW_SHARE, (size_t)WIRE_FDS_UNACKED);

	return user->n_flying < share ? (uint32_t)MIN(share - user->n_flying, (size_t)UINT32_MAX)
				      : 0;
}
