/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "core/access.h"
#include "core/gone.h"
#include "core/object.h"
#include "core/state.h"

static struct hash_node *find_node(const struct core *core, const struct id128 *id)
{
	struct hash_node *node;

	hash_map_for_each(node, &core->gone_by_id, object_id_hash(core, id))
		if (id128_equal(&core->tables.gone[node - core->gone].id, id))
			return node;
	return NULL;
}

static void forget(struct core *core, uint32_t g)
{
	struct gone_record *record = &core->tables.gone[g];

	if (id128_is_zero(&record->id))
		return;
	hash_map_remove(&core->gone_by_id, &core->gone[g]);
	tables_change(&core->tables, record);
	memset(record, 0, sizeof *record);
}

void gone_note(struct core *core, const struct object_record *object, enum gone_reason reason)
{
	struct tables_header *header = core->tables.header;
	const uint32_t g = header->gone % CORE_GONE_MAX;
	struct gone_record *record = &core->tables.gone[g];

	gone_clear(core, &object->id);
	forget(core, g);
	tables_change(&core->tables, &header->gone);
	header->gone++;
	tables_change(&core->tables, record);
	*record = (struct gone_record){
		.id = object->id,
		.creator = object->creator,
		.serial = object->serial,
		.uid = object->uid,
		.gid = object->gid,
		.mode = object->mode,
		.reason = reason,
	};
	hash_map_add(&core->gone_by_id, &core->gone[g], object_id_hash(core, &record->id));
}

void gone_clear(struct core *core, const struct id128 *id)
{
	struct hash_node *node = find_node(core, id);

	if (node)
		forget(core, node - core->gone);
}

const struct gone_record *gone_find(const struct core *core, const struct id128 *id)
{
	const struct hash_node *node = find_node(core, id);

	return node ? &core->tables.gone[node - core->gone] : NULL;
}

int gone_status(const struct core *core, uint32_t conn, const struct id128 *id)
{
	const struct gone_record *record = gone_find(core, id);

	if (!record || !access_may_read(core, conn, record->uid, record->gid, record->mode))
		return 0;
	return record->reason == GONE_LOST ? -ENODATA : -ENOENT;
}

const char *gone_explain(struct core *core, uint32_t conn, const struct id128 *id)
{
	const char *name = object_id_text(core, id);

	switch (gone_status(core, conn, id)) {
	case -ENODATA:
		return scratch_text(core, "object %s is lost: its memory went with the broker; "
			"put it again", name);
	case -ENOENT:
		if (gone_find(core, id)->reason == GONE_EXPIRED)
			return scratch_text(core, "object %s is gone: its time to live ended; put it "
				"again, or with a longer ttl", name);
		return scratch_text(core, "object %s is gone: it was deleted, or evicted when "
			"nothing referred to it; put it again, and keep a reference or a name", name);
	default:
		return scratch_text(core, "no object %s: nobody stored it yet, or you may not read it",
			name);
	}
}

void gone_recover(struct core *core)
{
	const uint64_t noted = core->tables.header->gone;
	const uint32_t n = noted < CORE_GONE_MAX ? noted : CORE_GONE_MAX;

	for (uint32_t g = 0; g < n; g++)
		if (!id128_is_zero(&core->tables.gone[g].id))
			hash_map_add(&core->gone_by_id, &core->gone[g],
				object_id_hash(core, &core->tables.gone[g].id));
}
