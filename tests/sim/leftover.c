/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tables say that a connection still holds, in the model's terms.  An
 * object is known by the number that the core gave it; which that is, is learnt
 * while it has bytes, by where these are.
 */
#include <string.h>

#include "leftover.h"

static bool is_at(const struct model *m, const struct object *o, const struct object_record *record)
{
	if (!o->live || o->id != request_id_number(&record->id))
		return false;
	if (record->fd != OBJECT_IN_PACK)
		return record->fd >= 0 && !o->packed && o->fd == record->fd;
	return o->packed && o->place == model_pack_offset(m, record->place.frame,
		record->place.slot, record->size);
}

void leftover_learn(struct model *m, const struct tables *t)
{
	for (uint32_t i = 0; i < t->header->objects_high; i++) {
		const struct object_record *record = &t->objects[i];

		for (int k = 0; record->state && k < OBJECTS; k++)
			if (m->objects[k].sequence == 0 && is_at(m, &m->objects[k], record))
				m->objects[k].sequence = record->sequence;
	}
}

void leftover_read(struct leftover *left, const struct model *m, const struct tables *t,
	uint32_t conn)
{
	memset(left, 0, sizeof *left);
	for (uint32_t h = 0; h < t->header->holdings_high; h++) {
		const struct holding_record *holding = &t->holdings[h];

		if (holding->connection != conn || (!holding->refs && !holding->pins))
			continue;
		left->n++;
		for (int i = 0; i < OBJECTS; i++)
			if (m->objects[i].live &&
				m->objects[i].sequence == t->objects[holding->object].sequence)
				left->holds[i] = true;
	}
}
