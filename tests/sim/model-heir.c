/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an heir finds.  The tables are as after some event: the last one whose
 * effects were (partly) taken, or the one before it.  The model is there too, but
 * for what only effects tell: who was evicted, and who was granted what.
 *
 * Evicted: whatever the tables do not name, provided it could be.  Granted: the
 * core may count references that nobody was told of, until the connection says
 * what it knows of (R12); till then the model does not hold the core to what
 * depends on them ("lossy").
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "model-private.h"

/* The client was not told of a reference that the core has counted. */
static void untold(struct model *m, uint32_t conn, int object)
{
	const struct object *o = &m->objects[object];

	if (o->deleted && o->id >= 0 && o->id < IDS)
		m->blurred[o->id] = true;
	m->lossy = true;
	if (m->conns[conn].refs[object] > 0)
		m->conns[conn].refs[object]--;
	model_holders_changed(m, object);
	m->objects[object].vague = true;
}

static void death_of_wait(struct model *m, struct wait *wait)
{
	const uint32_t n_wanted = wait->unpacking ? wait->request.n_items : 0;
	int wanted[ITEMS];

	if (wait->asleep)
		return;
	memcpy(wanted, wait->object, sizeof wanted);
	model_unwant(m, wait);
	for (uint32_t i = 0; i < n_wanted; i++)
		if (wanted[i] >= 0) /* its age is what it was before it was wanted */
			m->objects[wanted[i]].vague = true;
	wait->failed = 0;
	if (wait->granted && wait->request.type == WIRE_JOIN &&
		m->conns[wait->conn].pins[wait->object[0]] > 0)
		m->conns[wait->conn].pins[wait->object[0]]--;
	if (wait->granted || model_is_create(wait->request.type))
		for (uint32_t i = 0; i < wait->request.n_items || i == 0; i++)
			if (wait->object[i] >= 0)
				untold(m, wait->conn, wait->object[i]);
	if (wait->expect == EXPECT_NOW && !wait->refused)
		for (uint32_t i = 0; i < wait->request.n_items || i == 0; i++)
			if (wait->status[i] == 0)
				wait->done |= UINT64_C(1) << i;
	wait->granted = wait->canceled = wait->assembling = false;
	wait->asleep = true;
	if (wait->request.type == WIRE_HELLO) /* such a client gives up, and begins anew */
		wait->used = false;
}

void model_death(struct model *m, bool lossy)
{
	m->deaths++;
	m->lossy |= lossy;
	model_pack_death(m);
	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used)
			death_of_wait(m, &m->waits[i]);
	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].live) {
			m->conns[i].resume_due = true;
			m->conns[i].resuming = false;
			m->conns[i].condemned = m->conns[i].mute = false;
			memset(m->conns[i].listed_refs, 0, sizeof m->conns[i].listed_refs);
			memset(m->conns[i].listed_pins, 0, sizeof m->conns[i].listed_pins);
		}
	for (int i = 0; i < OBJECTS; i++) {
		m->objects[i].sealing = m->objects[i].seal_due = false;
		m->objects[i].seal_ticket = 0;
		if (lossy)
			m->objects[i].vague = true;
	}
	memset(m->wants, 0, sizeof m->wants);
	m->n_ring = 0;
	m->fills = 0;
	m->fills_bytes = 0;
}

void model_heir_begin(struct model *m)
{
	memset(m->roles, 0, sizeof m->roles);
	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].dying) /* the heir gives back all at once */
			model_give_back(m, i);
	for (int i = 0; i < OBJECTS; i++)
		m->objects[i].named = false;
	for (int i = 0; i < CONNS; i++)
		m->conns[i].named = false;
}

void model_newborn(struct model *m, uint32_t conn)
{
	m->conns[conn].resume_due = true;
	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used && m->waits[i].conn == conn)
			m->waits[i].used = false;
}

void model_heir_fd(struct model *m, const struct core_fd *fd, bool lost)
{
	struct object *o;
	int i;

	switch (fd->kind) {
	case CORE_FD_DRAFT:
	case CORE_FD_OBJECT:
		for (i = 0; i < OBJECTS; i++)
			if (m->objects[i].live && m->objects[i].fd == fd->fd)
				break;
		if (i == OBJECTS)
			broken("the tables name descriptor %d of an object that is none", fd->fd);
		o = &m->objects[i];
		if (o->doomed && !(o->deleted && m->lossy))
			broken("the tables name object %d, which is gone", o->id);
		if (o->inode != fd->inode || o->size != fd->size)
			broken("the tables name object %d with another inode or size", o->id);
		if ((fd->kind == CORE_FD_DRAFT) != (o->state == OBJECT_DRAFT))
			broken("the tables confuse drafts and objects");
		if (o->named)
			broken("the tables name object %d twice", o->id);
		o->named = true;
		if (lost && !o->losing)
			broken("the tables name descriptor %d of object %d, which is not open", fd->fd,
				o->id);
		if (!lost)
			m->roles[fd->fd] = ROLE_OBJECT;
		break;
	case CORE_FD_POOL:
		if (!lost)
			m->roles[fd->fd] = ROLE_POOL;
		break;
	case CORE_FD_PACK:
		m->pack.open = !lost;
		m->pack.fd = fd->fd;
		if (!lost)
			m->roles[fd->fd] = ROLE_PACK;
		break;
	default:
		if (fd->owner >= CONNS || !m->conns[fd->owner].live)
			broken("the tables name a socket of connection %u, which is over", fd->owner);
		if (lost)
			broken("the tables name socket %d, which is not open", fd->fd);
		if (m->conns[fd->owner].fds[fd->kind - CORE_FD_CALL] != fd->fd)
			broken("the tables name socket %d, which is not connection %u's", fd->fd,
				fd->owner);
		m->conns[fd->owner].named = true;
		break;
	}
}

static void end_conns(struct model *m)
{
	for (int i = 0; i < CONNS; i++) {
		struct conn *c = &m->conns[i];

		if (!c->live || c->named)
			continue;
		if (!c->ending)
			broken("connection %d has not survived the worker", i);
		model_leave(m, i);
		model_give_back(m, i);
	}
}

void model_heir_end(struct model *m)
{
	end_conns(m);
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &m->objects[i];

		if (!o->live || o->hollow)
			continue;
		if (o->losing) {
			o->losing = false;
			model_lose(m, i);
		} else if (!o->named) {
			if (!o->doomed && (o->state != OBJECT_RESIDENT || o->deleted ||
				model_refs(m, i) || model_pins(m, i)))
				broken("R4: object %d, which is in use, has not survived the worker",
					o->id);
			model_drop(m, i);
		}
	}
	model_heir_pack(m);
}

void model_reconcile(const struct model *m, uint32_t conn, struct request *request)
{
	const struct conn *c = &m->conns[conn];

	memset(request, 0, sizeof *request);
	request->type = WIRE_RECONCILE;
	request->token = -1;
	request->name = NAME_NONE;
	request->fd = -1;
	request->generation = m->generation;
	for (int deleted = 1; deleted >= 0; deleted--)
		for (int i = 0; i < OBJECTS; i++) {
			const struct object *o = &m->objects[i];

			if (!o->live || o->deleted != deleted || (!c->refs[i] && !c->pins[i]))
				continue;
			if (request->n_items == ITEMS)
				broken("the simulation's RECONCILE is too small");
			request->items[request->n_items++] = (struct request_item){
				.id = o->id,
				.refs = c->refs[i],
				.pins = c->pins[i],
				.name = NAME_NONE,
			};
		}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void list_object(struct conn *c, int object, uint32_t *refs, uint32_t *pins)
{
	uint32_t r = least(*refs, c->refs[object] - c->listed_refs[object]);
	uint32_t p = least(*pins, c->pins[object] - c->listed_pins[object]);

	c->listed_refs[object] += r;
	c->listed_pins[object] += p;
	*refs -= r;
	*pins -= p;
}

/* What is listed is of the living object of that id first, then of deleted ones, oldest first. */
static void list_item(struct model *m, struct conn *c, const struct request_item *item)
{
	uint32_t refs = item->refs, pins = item->pins;
	uint64_t after = 0;
	int i = model_find(m, item->id);

	if (i >= 0)
		list_object(c, i, &refs, &pins);
	while ((i = model_next_deleted(m, item->id, after)) >= 0) {
		after = m->objects[i].order;
		list_object(c, i, &refs, &pins);
	}
}

void model_reconciled(struct model *m, uint32_t conn, const struct request *request)
{
	struct conn *c = &m->conns[conn];

	if (!c->resuming || request->generation != m->generation)
		return;
	for (uint32_t i = 0; i < request->n_items; i++)
		list_item(m, c, &request->items[i]);
	if (request->more)
		return;
	c->resuming = false;
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &m->objects[i];
		bool cut = c->listed_refs[i] < c->refs[i] || c->listed_pins[i] < c->pins[i];

		if (!o->live)
			continue;
		if (c->listed_refs[i] < c->refs[i])
			c->refs[i] = c->listed_refs[i];
		if (c->listed_pins[i] < c->pins[i])
			c->pins[i] = c->listed_pins[i];
		if (o->state == OBJECT_DRAFT && o->creator == conn && !o->deleted &&
			c->listed_refs[i] == 0)
			model_abort(m, i);
		if (!cut)
			continue;
		COVER(m, RECONCILE_CUTS);
		if (o->state == OBJECT_RESIDENT || o->deleted)
			model_holders_changed(m, i);
	}
}
