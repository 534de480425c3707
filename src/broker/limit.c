/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine has, watched: the store must not be what makes the OOM killer
 * come, whatever capacity says.
 *
 * While clients are connected the host is asked how much room there is: each
 * second while they send requests, else every LOOK_IDLE_NS.  (Files of a cgroup tell
 * their limits, but not that these changed; nor does /proc/meminfo.)  What is used
 * now and that room are what the store may have in all (core_limit()), until the
 * next look.  With nobody connected nothing grows; the next look is when somebody
 * connects.
 */
#include <string.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/size.h"

#define LOOK_NS      NS_PER_S
#define LOOK_IDLE_NS (5 * NS_PER_S)
#define LOG_NS       (60 * NS_PER_S) /* who swings around the limit is told of once */

uint64_t limit_used(const struct broker *broker)
{
	struct core_totals totals;

	core_totals(broker->core, &totals);
	return totals.charged_bytes + totals.metadata_bytes + totals.pool_bytes +
		totals.freeing_bytes;
}

static void say(struct broker *broker, bool was_limited, bool is_limited)
{
	char limit[32], capacity[32];

	if (is_limited == was_limited ||
			(is_limited && broker->now - broker->limit_logged < LOG_NS &&
				broker->limit_logged > 0))
		return;
	size_format(broker->limit, limit, sizeof limit);
	size_format(broker->options->core->capacity, capacity, sizeof capacity);
	if (is_limited) {
		log_warning("capacity is %s at present instead of %s: %s", limit, capacity,
			broker->limited.bytes);
		broker->limit_logged = broker->now;
	} else {
		log_info("capacity is %s again", capacity);
	}
}

static void look(struct broker *broker)
{
	const struct broker_host *host = broker->options->host;
	const uint64_t capacity = broker->options->core->capacity, before = broker->limit;
	const uint64_t used = limit_used(broker);
	const int64_t room = host->look(host->user, &broker->limited);

	if (room >= 0)
		broker->limit = (uint64_t)room > UINT64_MAX - used ? UINT64_MAX : used + (uint64_t)room;
	else
		broker->limit = used > -(uint64_t)room ? used - -(uint64_t)room : 0;
	/* What does not count need not be told: the limit moves a little at every look. */
	if (broker->limit >= capacity)
		broker->limit = UINT64_MAX;
	if (broker->limit == before)
		return;
	core_limit(broker->core, broker->now, broker->limit);
	broker_settle(broker);
	say(broker, before != UINT64_MAX, broker->limit != UINT64_MAX);
}

void limit_look(struct broker *broker)
{
	if (!broker->options->host)
		return;
	look(broker);
	broker->look_again =
		deadline_ns(broker->now, broker->was_active ? LOOK_NS : LOOK_IDLE_NS);
	broker->was_active = false;
}

int64_t limit_tick(struct broker *broker)
{
	if (!broker->options->host || broker->n_connections == 0)
		return FOREVER_NS;
	if (broker->now >= broker->look_again)
		limit_look(broker);
	return broker->look_again;
}
