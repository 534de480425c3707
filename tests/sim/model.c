/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is: objects, holdings, names, leases, charges.  What is said of them
 * is in model-request.c, what the core does about it in model-effect.c, what an
 * heir finds in model-heir.c.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "model-private.h"
#include "util/clock.h"

#define PAGE      UINT64_C(4096)
#define HUGE_PAGE (UINT64_C(2) << 20)

static void take_config(struct model *m, const struct core_config *config)
{
	m->capacity = config->capacity;
	m->max_fds = config->max_fds;
	m->n_quotas = config->n_quotas;
	for (size_t i = 0; i < config->n_quotas; i++)
		m->quotas[i] = config->quotas[i];
}

uint64_t model_capacity(const struct model *m)
{
	return m->limit < m->capacity ? m->limit : m->capacity;
}

void model_init(struct model *m, const struct kernel *kernel, struct coverage *coverage,
	const struct core_config *config)
{
	memset(m, 0, sizeof *m);
	m->kernel = kernel;
	m->coverage = coverage;
	m->config = *config;
	m->limit = UINT64_MAX;
	m->generation = 1;
	take_config(m, config);
	model_pack_init(m);
	model_events_init();
}

/* ---- rights (R8) ---- */

uint32_t model_class_rights(const struct conn *c, uid_t uid, gid_t gid, uint32_t mode)
{
	if (c->uid == 0 || c->uid == uid)
		return 6;
	if (c->gid == gid)
		return mode >> 3 & 6;
	for (size_t i = 0; i < c->n_groups; i++)
		if (c->groups[i] == gid)
			return mode >> 3 & 6;
	return mode & 6;
}

static uint32_t rights(const struct model *m, uint32_t conn, const struct object *object)
{
	return model_class_rights(&m->conns[conn], object->uid, object->gid, object->mode);
}

/* What the connection is told of an id that is not there: 0 unless it is known to be gone. */
int model_gone(const struct model *m, uint32_t conn, int id)
{
	const struct gone *gone;

	if (id < 0 || id >= IDS)
		return 0;
	gone = &m->gone[id];
	if (gone->reason && model_class_rights(&m->conns[conn], gone->uid, gone->gid, gone->mode) & 4)
		return gone->reason;
	return 0;
}

static void note_gone(struct model *m, const struct object *o, int reason)
{
	if (o->id >= 0 && o->id < IDS)
		m->gone[o->id] = (struct gone){ reason, o->uid, o->gid, o->mode, 0, 0, m->event };
}

bool model_may_read(const struct model *m, uint32_t conn, const struct object *object)
{
	return rights(m, conn, object) & 4;
}

bool model_may_write(const struct model *m, uint32_t conn, const struct object *object)
{
	return rights(m, conn, object) & 2;
}

/* ---- looking ---- */

int model_find(const struct model *m, int id)
{
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *object = &m->objects[i];

		if (object->live && object->id == id && !object->deleted && !object->doomed)
			return i;
	}
	return -1;
}

int model_next_deleted(const struct model *m, int id, uint64_t after)
{
	int next = -1;

	for (int i = 0; i < OBJECTS; i++) {
		const struct object *object = &m->objects[i];

		if (object->live && object->id == id && object->deleted && object->order > after &&
			(next < 0 || object->order < m->objects[next].order))
			next = i;
	}
	return next;
}

int model_visible(const struct model *m, uint32_t conn, int id)
{
	int i = model_find(m, id);

	if (i < 0 || m->objects[i].state != OBJECT_RESIDENT ||
		!model_may_read(m, conn, &m->objects[i]))
		return -1;
	return i;
}

/* This connection's draft of this id; -1. */
int model_draft(const struct model *m, uint32_t conn, int id)
{
	int i = model_find(m, id);

	if (i < 0 || m->objects[i].state != OBJECT_DRAFT || m->objects[i].creator != conn)
		return -1;
	return i;
}

int model_name(const struct model *m, uid_t uid, int name)
{
	for (int i = 0; i < MODEL_NAMES; i++)
		if (m->names[i].used && m->names[i].uid == uid && m->names[i].name == name)
			return i;
	return -1;
}

int model_lease(const struct model *m, int token, int object)
{
	for (int i = 0; i < LEASES; i++)
		if (m->leases[i].used && m->leases[i].token == token &&
			m->leases[i].object == object)
			return i;
	return -1;
}

/* ---- references (R3, R4) ---- */

uint64_t model_refs(const struct model *m, int object)
{
	const struct object *o = &m->objects[object];
	uint64_t refs = o->held;

	if (o->state == OBJECT_DRAFT) /* what it will have is counted already */
		refs = o->hold + (o->name != NAME_NONE);

	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].live || m->conns[i].dying)
			refs += m->conns[i].refs[object];
	for (int i = 0; i < MODEL_NAMES; i++)
		refs += m->names[i].used && m->names[i].object == object;
	for (int i = 0; i < LEASES; i++)
		refs += m->leases[i].used && m->leases[i].object == object;
	return refs;
}

uint64_t model_pins(const struct model *m, int object)
{
	uint64_t pins = 0;

	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].live || m->conns[i].dying)
			pins += m->conns[i].pins[object];
	return pins;
}

bool model_evictable(const struct model *m, int object)
{
	const struct object *o = &m->objects[object];

	return o->live && o->state == OBJECT_RESIDENT && !o->deleted && !o->doomed &&
		!o->pinned && o->idle_since != 0 && !model_is_wanted(m, object);
}

/* Holders of it have changed. */
void model_holders_changed(struct model *m, int object)
{
	struct object *o = &m->objects[object];

	if (!o->live)
		return;
	if (o->hollow) {
		o->live = model_pins(m, object) > 0 || model_refs(m, object) > 0;
		m->hidden += !o->live && m->lossy;
		return;
	}
	if (o->deleted) {
		if (model_pins(m, object) == 0 && !o->doomed) {
			o->doomed = true;
			COVER(m, PIN_ENDS_DELETED);
		}
		return;
	}
	if (o->state != OBJECT_RESIDENT) {
		o->seal_due = o->sealing && o->seal_ticket == 0 && model_pins(m, object) == 0;
		return;
	}
	if (model_refs(m, object) == 0 && model_pins(m, object) == 0 && !model_is_wanted(m, object)) {
		if (o->idle_since == 0) {
			o->idle_since = m->event;
			o->vague = m->lossy; /* the core may know of another holder */
		}
	} else {
		o->idle_since = 0;
		o->vague = false;
	}
}

/* ---- the life of an object ---- */

int model_new_object(struct model *m)
{
	for (int i = 0; i < OBJECTS; i++)
		if (!m->objects[i].live) {
			m->objects[i] = (struct object){
				.live = true,
				.fd = -1,
				.name = NAME_NONE,
				.order = ++m->orders,
				.creator = CORE_NO_CONN,
			};
			for (int k = 0; k < CONNS; k++)
				m->conns[k].refs[i] = m->conns[k].pins[i] = 0;
			return i;
		}
	broken("more than %d objects: max_objects is not kept", OBJECTS);
}

static void forget_names_and_leases(struct model *m, int object)
{
	for (int i = 0; i < MODEL_NAMES; i++)
		if (m->names[i].object == object)
			m->names[i].used = false;
	for (int i = 0; i < LEASES; i++)
		if (m->leases[i].object == object)
			m->leases[i].used = false;
	m->objects[object].held = false;
}

void model_set_name(struct model *m, uid_t uid, int name, int object)
{
	int i = model_name(m, uid, name);

	if (i >= 0) {
		int before = m->names[i].object;

		m->names[i].object = object;
		if (before != object)
			COVER(m, NAMES_MOVED);
		model_holders_changed(m, before);
	} else {
		for (i = 0; i < MODEL_NAMES && m->names[i].used; i++)
			;
		assert(i < MODEL_NAMES);
		m->names[i] = (struct name){ .used = true, .uid = uid, .name = name, .object = object };
	}
	model_holders_changed(m, object);
}

/* A draft becomes an object for all. */
void model_publish(struct model *m, int object)
{
	struct object *o = &m->objects[object];

	o->state = OBJECT_RESIDENT;
	o->sealed_event = m->event;
	o->sealing = false;
	if (o->attributes.ttl_ns && o->attributes.ttl_ns != FOREVER_NS)
		o->expires = deadline_ns(m->now, o->attributes.ttl_ns);
	if (o->hold)
		o->held = true;
	if (o->name != NAME_NONE)
		model_set_name(m, o->uid, o->name, object);
	o->name = NAME_NONE;
	o->hold = false;
	model_holders_changed(m, object);
}

/* Its memory is being freed.  What is held of a deleted object is known until it is released. */
void model_drop(struct model *m, int object)
{
	struct object *o = &m->objects[object];

	o->fd = -1;
	o->packed = false;
	o->doomed = false;
	if (o->deleted) {
		o->hollow = true;
		model_holders_changed(m, object);
		return;
	}
	if (o->state == OBJECT_RESIDENT)
		note_gone(m, o, -ENOENT);
	for (int i = 0; i < CONNS; i++)
		m->conns[i].refs[object] = m->conns[i].pins[object] = 0;
	o->live = false;
}

/* A SEAL that waits for the draft's writers (R18) ends so. */
void model_stop_waiting(struct model *m, int object, int status)
{
	struct object *o = &m->objects[object];

	if (!o->sealing || o->seal_ticket || o->seal_due)
		return;
	o->sealing = false;
	if (o->sealer >= 0)
		m->waits[o->sealer].status[o->sealer_item] = status;
}

/* R18: the draft is gone; its memory goes with the last who writes it. */
void model_abort(struct model *m, int object)
{
	struct object *o = &m->objects[object];

	if (o->deleted || o->doomed)
		return;
	model_stop_waiting(m, object, -ENOENT);
	if (o->creator != CORE_NO_CONN && m->conns[o->creator].refs[object] > 0)
		m->conns[o->creator].refs[object]--;
	forget_names_and_leases(m, object);
	o->hold = o->pinned = false;
	o->name = NAME_NONE;
	o->deleted = true;
	if (model_pins(m, object) > 0)
		COVER(m, ABORTS_WHILE_WRITTEN);
	else
		o->doomed = true;
}

/* R5: gone by name at once; the memory goes with the last pin. */
void model_delete(struct model *m, int object)
{
	struct object *o = &m->objects[object];

	if (o->state == OBJECT_DRAFT) {
		model_abort(m, object);
		return;
	}
	note_gone(m, o, -ENOENT);
	o->pinned = false;
	o->expires = 0;
	if (o->id >= 0 && o->id < IDS) {
		m->gone[o->id].life = o->sealed_life;
		m->gone[o->id].serial = o->sealed_serial;
	}
	forget_names_and_leases(m, object);
	o->deleted = true;
	if (model_pins(m, object) > 0)
		COVER(m, DELETES_WHILE_PINNED);
	else
		o->doomed = true;
}

/* Its descriptor is not there: whoever asks is told so. */
void model_lose(struct model *m, int object)
{
	struct object *o = &m->objects[object];

	if (o->state == OBJECT_DRAFT)
		model_abort(m, object);
	o->fd = -1;
	o->packed = false;
	o->doomed = false;
	if (!o->deleted)
		note_gone(m, o, -ENODATA);
	forget_names_and_leases(m, object);
	o->pinned = false;
	o->expires = 0;
	o->deleted = o->hollow = true;
	model_holders_changed(m, object);
}

void model_release(struct model *m, uint32_t conn, int object, uint32_t *refs, uint32_t *pins)
{
	struct conn *c = &m->conns[conn];
	uint32_t r = *refs < c->refs[object] ? *refs : c->refs[object];
	uint32_t p = *pins < c->pins[object] ? *pins : c->pins[object];

	*refs -= r;
	*pins -= p;
	c->refs[object] -= r;
	c->pins[object] -= p;
	if (m->objects[object].state == OBJECT_DRAFT && !m->objects[object].deleted &&
		c->refs[object] == 0 && m->objects[object].creator == conn && r > 0)
		model_abort(m, object);
	else
		model_holders_changed(m, object);
}

/* ---- the end of a connection (R6) ---- */

/* It waits for nothing any more, but has what it held. */
void model_leave(struct model *m, uint32_t conn)
{
	m->conns[conn].live = false;
	m->conns[conn].dying = true;
	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used && m->waits[i].conn == conn) {
			if (!m->waits[i].asleep)
				COVER(m, CLIENT_DEATHS_WAITING);
			model_end_wait(m, i);
		}
}

static bool is_draft_of(const struct object *o, uint32_t conn)
{
	return o->live && o->state == OBJECT_DRAFT && o->creator == conn && !o->deleted;
}

static void give_back_one(struct model *m, uint32_t conn, int object)
{
	struct object *o = &m->objects[object];
	struct conn *c = &m->conns[conn];
	bool held = c->refs[object] || c->pins[object];

	c->refs[object] = c->pins[object] = 0;
	if (!o->live)
		return;
	if (is_draft_of(o, conn))
		model_abort(m, object);
	else if (held)
		model_holders_changed(m, object);
}

void model_give_back(struct model *m, uint32_t conn)
{
	m->conns[conn].live = m->conns[conn].dying = false;
	for (int i = 0; i < OBJECTS; i++) {
		give_back_one(m, conn, i);
		if (m->objects[i].creator == conn)
			m->objects[i].creator = CORE_NO_CONN;
	}
}

static uint32_t n_held(const struct conn *c)
{
	uint32_t n = 0;

	for (int i = 0; i < OBJECTS; i++)
		n += c->refs[i] || c->pins[i];
	return n;
}

/* Which of its holdings go first is the core's business, and in a tick, which connection's; how
 * many go is not. */
void model_given_back(struct model *m, uint32_t conn, const struct leftover *left)
{
	struct conn *c = &m->conns[conn];
	uint32_t before = n_held(c), due = 0;

	if (!c->stepped || (m->ticked && !m->step_taken && left->n < before))
		due = m->config.give_back ? m->config.give_back : CORE_GIVE_BACK;
	m->step_taken |= c->stepped && due;
	c->stepped = true;
	if (!m->lossy && left->n != (before > due ? before - due : 0))
		broken("R6: connection %u held %u objects and has ended, and holds %u after a step "
		       "of %u", conn, before, left->n, due);
	if (left->n == 0) {
		model_give_back(m, conn);
		return;
	}
	for (int i = 0; i < OBJECTS; i++) {
		/* It has its draft though it was never told. */
		bool draft = is_draft_of(&m->objects[i], conn);

		if (left->holds[i] || !(draft || c->refs[i] || c->pins[i]))
			continue;
		COVER(m, GIVEN_BACK_IN_STEPS);
		if (draft)
			COVER(m, DRAFTS_IN_STEPS);
		give_back_one(m, conn, i);
	}
}

bool model_is_giving_back(const struct model *m)
{
	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].dying)
			return true;
	return false;
}

void model_end_wait(struct model *m, int wait)
{
	m->waits[wait].used = false;
	model_unwant(m, &m->waits[wait]);
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].sealing && m->objects[i].sealer == wait) {
			m->objects[i].sealer = -1;
			model_stop_waiting(m, i, 0);
		}
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].wait == wait) {
			if (m->wants[i].state == WANT_QUEUED)
				model_end_want(m, &m->wants[i]);
			else
				m->wants[i].wait = -1;
		}
}

/* ---- charges (R2) ---- */

uint64_t model_charge(const struct model *m, uint64_t size)
{
	uint64_t unit = m->config.huge_pages && size >= HUGE_PAGE ? HUGE_PAGE : PAGE;

	if (size == 0)
		return PAGE;
	return size > UINT64_MAX - unit ? UINT64_MAX : (size + unit - 1) / unit * unit;
}

/* Metadata lives in chunks of a power of two from 64 bytes. */
uint64_t model_metadata_charge(uint32_t size)
{
	uint64_t chunk = 64;

	while (chunk < size)
		chunk *= 2;
	return size ? chunk : 0;
}

/* What goes with labels, a time or a call site takes 20 bytes more than they. */
uint64_t model_more_charge(uint32_t metadata_size, const struct attributes *attributes)
{
	const char *call_site = request_call_site(attributes->call_site);
	char labels[512];
	uint32_t size = request_labels(attributes, labels) + (call_site ? strlen(call_site) + 1 : 0);

	if (size || attributes->ttl_ns)
		size += 20;
	return model_metadata_charge(metadata_size) + model_metadata_charge(size);
}

static uint64_t pin_share(const struct model *m, uint64_t size, uint32_t metadata_size)
{
	return model_charge(m, size) + model_metadata_charge(metadata_size);
}

bool model_may_pin(const struct model *m, uid_t uid, uint64_t size, uint32_t metadata_size)
{
	uint64_t bytes = pin_share(m, size, metadata_size);

	if (uid == 0)
		return true;
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &m->objects[i];

		if (o->live && o->pinned && o->uid == uid && !o->doomed && !o->hollow)
			bytes += pin_share(m, o->size, o->metadata_size);
	}
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].pin && m->wants[i].uid == uid)
			bytes += pin_share(m, m->wants[i].size, m->wants[i].metadata_size);
	return bytes <= m->capacity / 2;
}

uint64_t model_used_bytes(const struct model *m)
{
	uint64_t bytes = m->fills_bytes + model_pack_bytes(m);

	for (uint32_t fd = 0; fd < m->kernel->top; fd++) {
		const struct kernel_memfd *file = kernel_file(m->kernel, fd);

		if (m->roles[fd] == ROLE_CLOSING)
			bytes += m->closing[fd];
		else if (m->roles[fd] == ROLE_PACK)
			continue;
		else if (file && !m->kernel->fds[fd].stranger && m->roles[fd] != ROLE_WANT)
			bytes += model_charge(m, file->size);
	}
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_WRITING) /* in the frames */
			bytes += model_more_charge(m->wants[i].metadata_size, &m->wants[i].attributes);
		else if (m->wants[i].used && m->wants[i].state != WANT_QUEUED)
			bytes += m->wants[i].bytes;
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && !m->objects[i].hollow && (!m->objects[i].doomed ||
			(m->lossy && m->objects[i].deleted && m->objects[i].fd >= 0 &&
				!m->objects[i].sealing)))
			bytes += model_more_charge(m->objects[i].metadata_size,
				&m->objects[i].attributes);
	return bytes;
}

uint32_t model_used_fds(const struct model *m)
{
	uint32_t fds = m->fills + m->pack.opening;

	for (int fd = 0; fd < (int)m->kernel->top; fd++)
		if (kernel_file(m->kernel, fd) && !m->kernel->fds[fd].stranger &&
			m->roles[fd] != ROLE_WANT)
			fds++;
	for (int i = 0; i < WANTS; i++) /* an offered memfd takes one from the start */
		fds += m->wants[i].used && m->wants[i].state != WANT_WRITING &&
			(m->wants[i].state != WANT_QUEUED || m->wants[i].fd >= 0);
	for (int i = 0; i < CONNS; i++)
		if (m->conns[i].live)
			fds += 3;
	return fds;
}

/* What the kernel is at work on is waited for. */
static bool has_deadline(const struct model *m, int wait)
{
	if (!model_is_create(m->waits[wait].request.type) && !m->waits[wait].unpacking)
		return true;
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].wait == wait && m->wants[i].state == WANT_QUEUED)
			return true;
	return false;
}

int64_t model_deadline(const struct model *m)
{
	int64_t deadline = model_is_giving_back(m) ? m->now : INT64_MAX;

	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used && !m->waits[i].asleep && m->waits[i].deadline < deadline &&
			has_deadline(m, i))
			deadline = m->waits[i].deadline;
	for (int i = 0; i < LEASES; i++)
		if (m->leases[i].used && m->leases[i].expires < deadline)
			deadline = m->leases[i].expires;
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].expires &&
			m->objects[i].expires < deadline)
			deadline = m->objects[i].expires;
	return deadline;
}

/* ---- time ---- */

void model_begin(struct model *m, int64_t now, int64_t realtime)
{
	m->now = now;
	m->realtime = realtime;
	m->event++;
	m->n_suspects = 0;
	m->fd_wanted = false;
	m->pack.begun = 0;
	m->step_due = model_is_giving_back(m);
	m->step_taken = false;
}

/* Those that write a draft have had time enough. */
static void expire_seals(struct model *m)
{
	for (uint32_t w = 0; w < m->n_waits; w++) {
		struct wait *wait = &m->waits[w];

		if (!wait->used || wait->asleep || wait->request.type != WIRE_SEAL ||
			wait->deadline > m->now)
			continue;
		wait->deadline = INT64_MAX;
		for (int i = 0; i < OBJECTS; i++)
			if (m->objects[i].live && m->objects[i].sealing && m->objects[i].sealer == (int)w) {
				model_stop_waiting(m, i, -EBUSY);
				COVER(m, SEALS_EXPIRED);
			}
	}
}

void model_tick(struct model *m)
{
	m->ticked = true;
	expire_seals(m);
	for (int i = 0; i < LEASES; i++)
		if (m->leases[i].used && m->leases[i].expires <= m->now) {
			COVER(m, LEASES_EXPIRED);
			m->leases[i].used = false;
			model_holders_changed(m, m->leases[i].object);
		}
	model_expire(m);
}

void model_expire(struct model *m)
{
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].expires &&
			m->objects[i].expires <= m->now) {
			COVER(m, EXPIRED);
			if (model_pins(m, i) > 0)
				COVER(m, EXPIRED_PINNED);
			if (m->deaths > 0)
				COVER(m, EXPIRED_AFTER_DEATH);
			model_delete(m, i);
		}
}

void model_configure(struct model *m, const struct core_config *config)
{
	take_config(m, config);
	for (int i = 0; i < WANTS; i++) {
		struct want *want = &m->wants[i];
		int status;

		if (!want->used || want->state != WANT_QUEUED)
			continue;
		status = !model_may_ever_fit(m, want) ? -EFBIG : !model_quota_may_ever(m, want) ?
			-EDQUOT : 0;
		if (status == 0)
			continue;
		m->waits[want->wait].status[want->item] = status;
		if (want->unpack && !m->waits[want->wait].failed)
			m->waits[want->wait].failed = status;
		model_end_want(m, want);
	}
	if (model_used_bytes(m) > model_capacity(m))
		COVER(m, RESIZES_DOWN);
}

void model_limit(struct model *m, uint64_t bytes)
{
	m->limit = bytes;
	if (model_used_bytes(m) > model_capacity(m))
		COVER(m, LIMITS_DOWN);
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state == WANT_QUEUED && m->wants[i].bytes > bytes)
			COVER(m, LIMITS_WAITED);
}
