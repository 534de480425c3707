/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "core/access.h"
#include "core/get.h"
#include "core/gone.h"
#include "core/object.h"
#include "core/state.h"
#include "core/watch.h"
#include "ds/memory.h"

static struct watched *find(const struct core *core, const struct id128 *id)
{
	struct hash_node *node;

	if (core->watched_by_id.n == 0)
		return NULL;
	hash_map_for_each(node, &core->watched_by_id, object_id_hash(core, id)) {
		struct watched *watched = container_of(node, struct watched, by_id);

		if (id128_equal(&watched->id, id))
			return watched;
	}
	return NULL;
}

void watch_add(struct core *core, struct pending *pending, uint32_t i)
{
	struct watch *watch = &pending->watches[i];
	const struct id128 *id = &pending->outcomes[i].id;
	struct watched *watched = find(core, id);

	if (!watched) {
		watched = must_alloc(1, sizeof *watched);
		watched->id = *id;
		list_init(&watched->watches);
		hash_map_add(&core->watched_by_id, &watched->by_id, object_id_hash(core, id));
	}
	watch->pending = pending;
	watch->watched = watched;
	list_add_tail(&watched->watches, &watch->link);
}

void watches_remove(struct core *core, struct pending *pending)
{
	for (size_t i = 0; pending->watches && i < pending->n_items; i++) {
		struct watched *watched = pending->watches[i].watched;

		if (!watched)
			continue;
		list_remove(&pending->watches[i].link);
		if (list_empty(&watched->watches)) {
			hash_map_remove(&core->watched_by_id, &watched->by_id);
			free(watched);
		}
	}
}

/* Set the status of an id for everybody who watches it and can see the object. */
static void update(struct core *core, const struct object_record *record, bool gone)
{
	struct watched *watched = find(core, &record->id);
	struct list answered, *link;
	struct pending *pending;

	if (!watched)
		return;
	list_init(&answered);
	list_for_each(link, &watched->watches) {
		struct watch *watch = container_of(link, struct watch, link);

		pending = watch->pending;
		if (!access_may_read(core, pending->connection, record->uid, record->gid,
			    record->mode))
			continue;
		get_set_status(watch,
			gone ? gone_status(core, pending->connection, &record->id) : 0);
		if (get_is_decided(pending) && !list_linked(&pending->done_link))
			list_add_tail(&answered, &pending->done_link);
	}
	while ((pending = list_first(&answered, struct pending, done_link))) {
		list_remove(&pending->done_link);
		get_finish(core, pending);
		tables_breathe(&core->tables);
	}
}

void watch_sealed(struct core *core, uint32_t o)
{
	update(core, object_record(core, o), false);
}

void watch_gone(struct core *core, const struct object_record *record)
{
	update(core, record, true);
}
