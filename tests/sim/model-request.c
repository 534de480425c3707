/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said: requests, connections, and the kernel's answers.
 *
 * A request whose outcome the rules fix is carried out here and its answer noted
 * (EXPECT_NOW); one that may wait is noted with what it waits for (EXPECT_LATER).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "model-private.h"
#include "util/clock.h"

bool model_is_create(uint16_t type)
{
	return type == WIRE_CREATE || type == WIRE_PUT || type == WIRE_PUT_FD;
}

/* ---- connections ---- */

static uint32_t conns_of(const struct model *m, uid_t uid, uint32_t *all)
{
	uint32_t n = 0;

	*all = 0;
	for (int i = 0; i < CONNS; i++) {
		*all += m->conns[i].live || m->conns[i].dying; /* its place is not free yet */
		n += m->conns[i].live && m->conns[i].uid == uid;
	}
	return n;
}

/* What a new connection of this uid has to be told; 0: welcome. */
static int conn_refusal(const struct model *m, uid_t uid)
{
	uint32_t all, mine = conns_of(m, uid, &all);

	if (mine >= model_quota(m, uid, CORE_CONNECTIONS))
		return -EDQUOT;
	if (all >= m->config.max_connections || model_used_fds(m) + 3 > m->max_fds)
		return -EMFILE;
	return 0;
}

static void new_conn(struct model *m, uint32_t conn, uint64_t life)
{
	struct conn *c = &m->conns[conn];

	if (conn >= CONNS || c->live || c->dying)
		broken("connection index %u is beyond max_connections, or taken", conn);
	memset(c, 0, sizeof *c);
	c->live = true;
	c->life = life;
}

void model_connected(struct model *m, const struct core_peer *peer, int result, uint32_t conn)
{
	int refusal = conn_refusal(m, peer->uid);
	struct conn *c;
	int w;

	if (result != refusal)
		broken("core_connect() of uid %u gives %s, not %s", peer->uid,
			result ? strerrorname_np(-result) : "0",
			refusal ? strerrorname_np(-refusal) : "0");
	if (result < 0) {
		COVER(m, CONNECTS_REFUSED);
		return;
	}
	COVER(m, CONNECTS);
	new_conn(m, conn, ++m->lives);
	c = &m->conns[conn];
	c->pid = peer->pid;
	c->uid = peer->uid;
	c->gid = peer->gid;
	memcpy(c->groups, peer->groups, peer->n_groups * sizeof c->groups[0]);
	c->n_groups = peer->n_groups;
	c->fds[0] = peer->call_fd;
	c->fds[1] = peer->service_fd;
	c->fds[2] = peer->pid_fd;
	w = model_new_wait(m, conn, 1);
	m->waits[w].request.type = WIRE_HELLO;
	m->waits[w].expect = EXPECT_NOW;
}

void model_disconnect(struct model *m, uint32_t conn)
{
	COVER(m, CLIENT_DEATHS);
	model_leave(m, conn);
}

void model_forked(struct model *m, uint32_t parent, uint32_t child, int fd)
{
	const struct conn *p = &m->conns[parent];
	struct conn *c;

	if (child == CORE_NO_CONN) {
		if (conn_refusal(m, p->uid) == 0)
			broken("a fork of connection %u is refused for no reason", parent);
		m->roles[fd] = ROLE_BROKEN;
		return;
	}
	if (conn_refusal(m, p->uid) != 0)
		broken("a fork of connection %u is let in beyond the limits", parent);
	COVER(m, FORKS);
	if (p->resuming)
		COVER(m, FORKS_BEFORE_RECONCILE);
	new_conn(m, child, ++m->lives);
	c = &m->conns[child];
	c->child = true;
	c->resume_due = p->resuming; /* R12 */
	c->pid = p->pid;
	c->uid = p->uid;
	c->gid = p->gid;
	memcpy(c->groups, p->groups, sizeof c->groups);
	c->n_groups = p->n_groups;
	c->fds[0] = fd;
	c->fds[1] = c->fds[2] = -1;
	for (int i = 0; i < OBJECTS; i++)
		if (m->objects[i].live && m->objects[i].state == OBJECT_RESIDENT) {
			c->refs[i] = p->refs[i];
			c->pins[i] = p->pins[i];
		}
}

void model_identify(struct model *m, uint32_t conn, pid_t pid, int pid_fd, int service_fd)
{
	struct conn *c = &m->conns[conn];

	COVER(m, IDENTIFIES);
	c->child = false;
	c->pid = pid;
	c->fds[1] = service_fd;
	c->fds[2] = pid_fd;
}

/* ---- requests without an answer ---- */

/* RELEASE of an id takes from deleted objects of that id first (R5), from the oldest on. */
static void request_release(struct model *m, uint32_t conn, const struct request *request)
{
	for (uint32_t i = 0; i < request->n_items; i++) {
		const struct request_item *item = &request->items[i];
		uint32_t refs = item->refs, pins = item->pins;

		uint64_t after = 0;
		int k;

		while ((k = model_next_deleted(m, item->id, after)) >= 0) {
			after = m->objects[k].order;
			model_release(m, conn, k, &refs, &pins);
		}
		k = model_find(m, item->id);
		if (k >= 0)
			model_release(m, conn, k, &refs, &pins);
		if (refs || pins) {
			m->bad_releases++;
			COVER(m, BAD_RELEASES);
		}
	}
}

static void request_cancel(struct model *m, uint32_t conn, const struct request *request)
{
	for (uint32_t i = 0; i < m->n_waits; i++) {
		struct wait *wait = &m->waits[i];

		if (!wait->used || wait->asleep || wait->assembling || wait->conn != conn ||
			wait->request.serial != request->cursor)
			continue;
		if (!model_is_create(wait->request.type)) {
			wait->canceled = wait->request.type != WIRE_SEAL;
			for (int k = 0; k < OBJECTS; k++)
				if (m->objects[k].live && m->objects[k].sealing &&
					m->objects[k].sealer == (int)i)
					model_stop_waiting(m, k, -ECANCELED);
			continue;
		}
		for (int k = 0; k < WANTS; k++)
			if (m->wants[k].used && m->wants[k].wait == (int)i &&
				m->wants[k].state == WANT_QUEUED) {
				wait->status[m->wants[k].item] = -ECANCELED;
				model_end_want(m, &m->wants[k]);
			}
	}
}

/* ---- requests that are carried out at once ---- */

/* Was this carried out by a worker that died before it could say so?  (R11) */
static bool is_done(const struct wait *wait, uint32_t item)
{
	return wait->request.retry && wait->done & UINT64_C(1) << item;
}

static int request_abort(struct model *m, struct wait *wait, uint32_t item, int id)
{
	int i = model_draft(m, wait->conn, id);

	if (is_done(wait, item))
		return 0;
	if (i < 0)
		return -ENOENT;
	model_abort(m, i);
	return 0;
}

static int request_delete(struct model *m, struct wait *wait, uint32_t item, int id)
{
	int i = model_draft(m, wait->conn, id);

	if (is_done(wait, item))
		return 0;
	if (i < 0)
		i = model_visible(m, wait->conn, id);
	if (i < 0)
		return -ENOENT;
	if (!model_may_write(m, wait->conn, &m->objects[i]))
		return -EACCES;
	model_delete(m, i);
	return 0;
}

/* -ENOENT, or -ENODATA of one that is known to be lost. */
static int not_there(const struct model *m, uint32_t conn, int id)
{
	int gone = model_gone(m, conn, id);

	if (model_draft(m, conn, id) >= 0)
		return -EINVAL; /* not sealed yet */
	return gone ? gone : -ENOENT;
}

static int request_hold(struct model *m, struct wait *wait, int id)
{
	int i = model_visible(m, wait->conn, id);

	if (is_done(wait, 0))
		return 0;
	if (i < 0)
		return not_there(m, wait->conn, id);
	model_set_name(m, m->conns[wait->conn].uid, wait->request.name, i);
	return 0;
}

static int request_unhold(struct model *m, struct wait *wait)
{
	int n = model_name(m, m->conns[wait->conn].uid, wait->request.name);

	if (is_done(wait, 0))
		return 0;
	if (n < 0)
		return -ENOENT;
	m->names[n].used = false;
	model_holders_changed(m, m->names[n].object);
	return 0;
}

static void add_reference(struct model *m, struct wait *wait, uint32_t item, int object)
{
	m->conns[wait->conn].refs[object]++;
	model_holders_changed(m, object);
	wait->object[item] = object;
	wait->granted = true;
}

static int request_lookup(struct model *m, struct wait *wait)
{
	int n = model_name(m, m->conns[wait->conn].uid, wait->request.name);

	if (n < 0)
		return -ENOENT;
	add_reference(m, wait, 0, m->names[n].object);
	return 0;
}

/* Leases have a table, of which a uid has half where others are served too. */
static int lease_refusal(const struct model *m, uid_t uid)
{
	uint32_t most = m->config.max_objects + 64, all = 0, own = 0;

	for (int i = 0; i < LEASES; i++) {
		all += m->leases[i].used;
		own += m->leases[i].used && m->leases[i].uid == uid;
	}
	if (m->config.shared && uid != 0 && own >= most / 2)
		return -EDQUOT;
	return all >= most ? -ENOBUFS : 0;
}

static int take_lease(struct model *m, struct wait *wait, int i)
{
	int l = model_lease(m, wait->request.token, i), status;

	if (l >= 0) {
		m->leases[l].expires = deadline_ns(m->now, m->config.transit_lease_ns);
		return 0;
	}
	status = lease_refusal(m, m->conns[wait->conn].uid);
	if (status < 0)
		return status;
	for (l = 0; m->leases[l].used; l++)
		assert(l < LEASES - 1);
	m->leases[l] = (struct lease){
		.used = true,
		.token = wait->request.token,
		.object = i,
		.uid = m->conns[wait->conn].uid,
		.expires = deadline_ns(m->now, m->config.transit_lease_ns),
	};
	model_holders_changed(m, i);
	return 0;
}

static int request_lease(struct model *m, struct wait *wait, int id)
{
	int i = model_visible(m, wait->conn, id);

	return i < 0 ? not_there(m, wait->conn, id) : take_lease(m, wait, i);
}

/* R18.  What can be neither shared nor joined. */
static int no_draft(const struct model *m, uint32_t conn, int id)
{
	int gone = model_gone(m, conn, id);

	if (model_visible(m, conn, id) >= 0)
		return -EINVAL; /* sealed already */
	return gone ? gone : -ENOENT;
}

static int request_share(struct model *m, struct wait *wait, int id)
{
	int i = model_draft(m, wait->conn, id);

	if (i < 0)
		return no_draft(m, wait->conn, id);
	return m->objects[i].sealing ? -EINVAL : take_lease(m, wait, i);
}

static int request_join(struct model *m, struct wait *wait, int id)
{
	int i = model_find(m, id);
	int l = i < 0 ? -1 : model_lease(m, wait->request.token, i);

	if (i < 0 || m->objects[i].state != OBJECT_DRAFT || l < 0 ||
		!model_may_write(m, wait->conn, &m->objects[i]))
		return no_draft(m, wait->conn, id);
	if (m->objects[i].sealing)
		return -EINVAL;
	m->leases[l].expires = deadline_ns(m->now, m->config.transit_lease_ns);
	m->conns[wait->conn].pins[i]++;
	add_reference(m, wait, 0, i);
	return 0;
}

static int request_load(struct model *m, struct wait *wait, uint32_t item, int id)
{
	int i = model_visible(m, wait->conn, id);
	int l = model_lease(m, wait->request.token, i);

	if (i < 0)
		return not_there(m, wait->conn, id);
	if (l >= 0)
		m->leases[l].expires = deadline_ns(m->now, m->config.transit_lease_ns);
	add_reference(m, wait, item, i);
	return 0;
}

static int request_stat(struct model *m, struct wait *wait, int id)
{
	int i = model_draft(m, wait->conn, id);

	if (i < 0)
		i = model_visible(m, wait->conn, id);
	for (int k = 0; i < 0 && k < OBJECTS; k++) /* deleted, but still held */
		if (m->objects[k].live && m->objects[k].deleted && m->objects[k].id == id &&
			(m->conns[wait->conn].refs[k] || m->conns[wait->conn].pins[k]))
			i = k;
	wait->object[0] = i;
	return i < 0 ? not_there(m, wait->conn, id) : 0;
}

/* Sealing may take the kernel a while; what cannot be sealed is told at once. */
static int request_seal(struct model *m, struct wait *wait, uint32_t item, int id)
{
	int i = model_draft(m, wait->conn, id);

	if (i < 0) {
		i = model_find(m, id);
		if (i >= 0 && m->objects[i].state == OBJECT_RESIDENT &&
			model_may_read(m, wait->conn, &m->objects[i]))
			return wait->request.retry && m->objects[i].sealed_life ==
				m->conns[wait->conn].life && m->objects[i].sealed_serial ==
				wait->request.serial ? 0 : -EINVAL;
		return -ENOENT;
	}
	if (m->objects[i].sealing)
		return -EINVAL;
	if (model_pins(m, i) > 0) { /* R18 */
		if (wait->request.timeout_ns == 0)
			return -EBUSY;
		wait->deadline = deadline_ns(m->now, wait->request.timeout_ns);
		COVER(m, SEALS_WAITED);
	}
	m->objects[i].sealing = true;
	m->objects[i].sealer = wait - m->waits;
	m->objects[i].sealer_item = item;
	wait->object[item] = i;
	return 0;
}

/* ---- attributes (R17) ---- */

static bool is_valid(const struct attributes *attributes)
{
	return attributes->labels[0] != LABEL_KEY_BAD && attributes->ttl_ns >= 0 &&
		attributes->priority >= -15 && attributes->priority <= 15;
}

static int request_set(struct model *m, struct wait *wait, const struct request_item *item)
{
	const int i = model_visible(m, wait->conn, item->id);
	const struct attributes *change = &item->attributes;
	struct object *o;
	struct attributes after;
	uint64_t bytes_before, bytes_after;

	if (is_done(wait, 0))
		return 0;
	if (i < 0)
		return not_there(m, wait->conn, item->id);
	o = &m->objects[i];
	if (m->conns[wait->conn].uid != 0 && m->conns[wait->conn].uid != o->uid)
		return -EACCES;
	if (!is_valid(change))
		return -EINVAL;
	after = o->attributes;
	for (int k = 0; k < LABEL_KEYS; k++) {
		if (change->unlabel & 1 << k)
			after.labels[k] = 0;
		if (change->labels[k])
			after.labels[k] = change->labels[k];
	}
	if (item->flags & WIRE_ITEM_TTL)
		after.ttl_ns = change->ttl_ns == FOREVER_NS ? 0 : change->ttl_ns;
	if (item->flags & WIRE_ITEM_PRIORITY)
		after.priority = change->priority;
	if (item->flags & WIRE_ITEM_PIN && !o->pinned &&
		!model_may_pin(m, o->uid, o->size, o->metadata_size)) {
		COVER(m, PINS_REFUSED);
		return -EDQUOT;
	}
	bytes_before = model_more_charge(0, &o->attributes);
	bytes_after = model_more_charge(0, &after);
	if (bytes_after > bytes_before) {
		if (!model_has_metadata_room(m, o->uid, bytes_after - bytes_before))
			return -EDQUOT;
		if (model_used_bytes(m) + bytes_after - bytes_before > model_capacity(m))
			return -ENOBUFS;
	}
	if (item->flags & WIRE_ITEM_TTL)
		o->expires = after.ttl_ns ? deadline_ns(m->now, after.ttl_ns) : 0;
	if (o->attributes.priority != after.priority ||
		(o->pinned && item->flags & WIRE_ITEM_UNPIN && !(item->flags & WIRE_ITEM_PIN))) {
		if (o->idle_since) {
			o->idle_since = m->event;
			o->vague = false;
		}
	}
	if (item->flags & WIRE_ITEM_PIN)
		o->pinned = true;
	else if (item->flags & WIRE_ITEM_UNPIN)
		o->pinned = false;
	o->attributes = after;
	return 0;
}

/* ---- creates ---- */

static bool id_is_wanted(const struct model *m, int id)
{
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && !m->wants[i].unpack && m->wants[i].wait >= 0 && m->wants[i].id == id)
			return true;
	return false;
}

uint64_t model_quota(const struct model *m, uid_t uid, enum core_resource of)
{
	uint64_t others = of == CORE_CONNECTIONS ? m->config.max_connections_per_uid : UINT64_MAX;

	for (size_t i = 0; i < m->n_quotas; i++) {
		if (m->quotas[i].of != of)
			continue;
		if (m->quotas[i].uid == uid)
			return m->quotas[i].limit;
		if (m->quotas[i].uid == (uid_t)-1)
			others = m->quotas[i].limit;
	}
	return others;
}

static void request_create(struct model *m, struct wait *wait, uint32_t item)
{
	const struct request_item *from = &wait->request.items[item];
	const struct conn *c = &m->conns[wait->conn];
	uint64_t size = wait->request.type == WIRE_PUT ? from->data_size : from->size;
	uint64_t charge = model_charge(m, size);
	uint64_t metadata = model_more_charge(from->metadata_size, &from->attributes);
	uint64_t bytes = charge > UINT64_MAX - metadata ? UINT64_MAX : charge + metadata;
	int there = model_find(m, from->id);

	wait->object[item] = -1;
	wait->status[item] = 0;
	if (wait->request.retry && there >= 0 && m->objects[there].life == c->life &&
		m->objects[there].serial == wait->request.serial) {
		/* R11: it was made, and nobody was told. */
		wait->object[item] = there;
		m->conns[wait->conn].refs[there]++;
		model_holders_changed(m, there);
		if (wait->request.fd >= 0)
			m->roles[wait->request.fd] = ROLE_BROKEN;
		return;
	}
	if (wait->request.retry && wait->request.type != WIRE_CREATE && there < 0 && from->id >= 0 &&
		from->id < IDS && m->gone[from->id].reason == -ENOENT &&
		m->gone[from->id].life == c->life &&
		m->gone[from->id].serial == wait->request.serial) {
		/* It was made, and somebody has deleted it. */
		if (wait->request.fd >= 0)
			m->roles[wait->request.fd] = ROLE_BROKEN;
		return;
	}
	if (from->id == ID_ZERO || !is_valid(&from->attributes))
		wait->status[item] = -EINVAL;
	else if (there >= 0 || id_is_wanted(m, from->id))
		wait->status[item] = -EEXIST;
	else if (bytes > m->capacity)
		wait->status[item] = -EFBIG;
	else if (bytes > model_quota(m, c->uid, CORE_BYTES) ||
			model_quota(m, c->uid, CORE_OBJECTS) == 0 ||
			model_quota(m, c->uid, CORE_DESCRIPTORS) == 0)
		wait->status[item] = -EDQUOT;
	else if (wait->request.fd >= 0 && !model_has_fd(m, c->uid))
		wait->status[item] = -ENOBUFS;
	else if (from->flags & WIRE_ITEM_PIN &&
		!model_may_pin(m, c->uid, size, from->metadata_size)) {
		wait->status[item] = -EDQUOT;
		COVER(m, PINS_REFUSED);
	}
	if (wait->status[item] < 0 && wait->request.fd >= 0)
		m->roles[wait->request.fd] = ROLE_BROKEN;
	if (wait->status[item] == 0) {
		int w = 0;

		model_join_queue(m, c->uid);
		while (m->wants[w].used)
			if (++w == WANTS)
				broken("the simulation has too few wants");
		m->wants[w] = (struct want){
			.used = true,
			.state = WANT_QUEUED,
			.wait = wait - m->waits,
			.item = item,
			.id = from->id,
			.uid = c->uid,
			.bytes = bytes,
			.metadata_size = from->metadata_size,
			.size = size,
			.tag = from->tag,
			.attributes = from->attributes,
			.small = wait->request.type == WIRE_PUT,
			.object = -1,
			.pin = from->flags & WIRE_ITEM_PIN,
			.fd = wait->request.fd,
			.arrival = ++m->arrivals,
		};
	}
}

/* ---- all of them ---- */

int model_find_wait(const struct model *m, uint32_t conn, uint64_t serial)
{
	for (uint32_t i = 0; i < m->n_waits; i++)
		if (m->waits[i].used && m->waits[i].conn == conn &&
			m->waits[i].request.serial == serial)
			return i;
	return -1;
}

int model_new_wait(struct model *m, uint32_t conn, uint64_t serial)
{
	int found = model_find_wait(m, conn, serial);
	uint32_t i = found;

	if (found < 0)
		for (i = 0; i < m->n_waits && m->waits[i].used; i++)
			;
	if (i == WAITS)
		broken("the simulation has too few waits");
	if (i == m->n_waits)
		m->n_waits++;
	if (!m->waits[i].used) {
		memset(&m->waits[i], 0, sizeof m->waits[i]);
		m->waits[i].request.serial = serial;
	}
	m->waits[i].used = true;
	m->waits[i].asleep = false;
	m->waits[i].conn = conn;
	m->waits[i].arrival = ++m->arrivals;
	m->waits[i].deadline = INT64_MAX;
	m->waits[i].waited = false;
	m->waits[i].refused = false; /* or the refusal died with a worker */
	for (int k = 0; k < ITEMS; k++) {
		m->waits[i].object[k] = -1;
		m->waits[i].status[k] = 0;
	}
	return i;
}

/* Does it take one of the requests that may wait?  Not if what ended at the beginning of this
 * event has answered it. */
static bool takes_its_place(const struct model *m, const struct wait *wait)
{
	const uint16_t type = wait->request.type;

	return wait->used && !wait->asleep &&
		(wait->assembling || wait->expect == EXPECT_NOW ||
			(type != WIRE_GET && type != WIRE_WAIT) || !model_get_over(m, wait));
}

static uint32_t waiting_of(const struct model *m, uint32_t conn)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_waits; i++)
		n += takes_its_place(m, &m->waits[i]) && m->waits[i].conn == conn;
	return n;
}

bool model_waits_too_many(struct model *m, uint32_t conn)
{
	uid_t uid = m->conns[conn].uid;
	uint64_t n = 0;

	for (uint32_t i = 0; i < m->n_waits; i++)
		n += takes_its_place(m, &m->waits[i]) && m->conns[m->waits[i].conn].live &&
			m->conns[m->waits[i].conn].uid == uid;
	if (n <= model_quota(m, uid, CORE_REQUESTS))
		return waiting_of(m, conn) > CORE_PENDING_MAX;
	COVER(m, REQUESTS_OVER_QUOTA);
	return true;
}

static bool has_answer(uint16_t type)
{
	return type != WIRE_RELEASE && type != WIRE_FORK && type != WIRE_RECONCILE &&
		type != WIRE_ACK && type != WIRE_CANCEL;
}

static bool is_one_packet(uint16_t type)
{
	return type == WIRE_HOLD || type == WIRE_STAT || type == WIRE_SET || type == WIRE_LIST ||
		type == WIRE_SHARE || type == WIRE_JOIN || type == WIRE_CREATE || type == WIRE_SUBSCRIBE;
}

void model_unheard(struct model *m, uint32_t conn, const struct request *request)
{
	int w;

	if (!has_answer(request->type))
		return;
	if (model_find_wait(m, conn, request->serial) >= 0)
		return; /* sent again, or a further packet: what came before is known */
	w = model_new_wait(m, conn, request->serial);
	m->waits[w].request = *request;
	m->waits[w].request.fd = -1;
	m->waits[w].asleep = true;
}

/* A GET or WAIT that need not wait, not even for its other packets, is never refused for those
 * that do. */
static bool is_answered_at_once(const struct model *m, const struct wait *wait)
{
	if (wait->assembling)
		return false;
	switch (wait->request.type) {
	case WIRE_GET:
	case WIRE_WAIT:
		return (wait->request.timeout_ns == 0 || model_get_over(m, wait)) &&
			!model_must_unpack(m, wait);
	}
	return false;
}

static void request_unanswered(struct model *m, uint32_t conn, const struct request *request)
{
	switch (request->type) {
	case WIRE_RELEASE:
		request_release(m, conn, request);
		break;
	case WIRE_RECONCILE:
		model_reconciled(m, conn, request);
		break;
	case WIRE_CANCEL:
		request_cancel(m, conn, request);
		break;
	default: /* ACK means nothing to the core; a FORK is told of in model_forked() */
		break;
	}
}

void model_request(struct model *m, uint32_t conn, const struct request *request)
{
	struct wait *wait;
	uint32_t first = 0; /* item of this packet */
	int w;

	if (request->fd >= 0)
		m->roles[request->fd] = ROLE_NONE;
	if (m->conns[conn].resuming && request->type != WIRE_RECONCILE &&
		request->type != WIRE_FORK) {
		COVER(m, DROPPED_BEFORE_RECONCILE);
		model_unheard(m, conn, request);
		if (request->fd >= 0)
			m->roles[request->fd] = ROLE_BROKEN;
		return;
	}
	if (request->more && is_one_packet(request->type)) {
		COVER(m, PROTOCOL_VIOLATIONS);
		m->conns[conn].condemned = true;
		w = model_new_wait(m, conn, request->serial);
		m->waits[w].used = false;
		return;
	}
	if (!has_answer(request->type)) {
		request_unanswered(m, conn, request);
		return;
	}
	if (request->retry)
		COVER(m, RETRIES);
	w = model_find_wait(m, conn, request->serial);
	if (w >= 0 && m->waits[w].assembling) {
		wait = &m->waits[w];
		first = wait->request.n_items;
		memcpy(wait->request.items + first, request->items,
			request->n_items * sizeof request->items[0]);
		wait->request.n_items += request->n_items;
		COVER(m, SEVERAL_PACKETS);
	} else {
		w = model_new_wait(m, conn, request->serial);
		wait = &m->waits[w];
		wait->request = *request;
	}
	wait->assembling = request->more;
	wait->expect = EXPECT_NOW;
	switch (request->type) {
	case WIRE_GET:
	case WIRE_WAIT:
	case WIRE_CREATE:
	case WIRE_PUT:
	case WIRE_PUT_FD:
	case WIRE_SEAL:
	case WIRE_ABORT:
	case WIRE_DELETE:
		if (first == 0 && !is_answered_at_once(m, wait) && model_waits_too_many(m, conn)) {
			wait->refused = true;
			if (request->fd >= 0)
				m->roles[request->fd] = ROLE_BROKEN;
			return;
		}
		if (request->type != WIRE_ABORT && request->type != WIRE_DELETE)
			wait->expect = EXPECT_LATER;
		break;
	}
	if (request->type == WIRE_GET && first)
		wait->arrival = ++m->arrivals; /* it counts from when it is whole */
	if ((request->type == WIRE_GET || request->type == WIRE_WAIT) && !request->more)
		wait->deadline = deadline_ns(m->now, request->timeout_ns);
	if (request->type == WIRE_SEAL && first == 0)
		wait->deadline = INT64_MAX; /* unless it has to wait */
	if (request->type == WIRE_SUBSCRIBE) {
		wait->expect = EXPECT_LATER;
		wait->deadline = deadline_ns(m->now, request->timeout_ns);
	}
	if (model_is_create(request->type) && (first == 0 || wait->deadline == INT64_MAX))
		wait->deadline = deadline_ns(m->now,
			request->timeout_ns ? request->timeout_ns : m->config.queue_deadline_ns);
	if (request->type == WIRE_UNHOLD)
		wait->status[0] = request_unhold(m, wait);
	else if (request->type == WIRE_LOOKUP)
		wait->status[0] = request_lookup(m, wait);
	for (uint32_t i = first; i < wait->request.n_items; i++) {
		int id = wait->request.items[i].id;

		switch (request->type) {
		case WIRE_SEAL:
			wait->status[i] = request_seal(m, wait, i, id);
			break;
		case WIRE_ABORT:
			wait->status[i] = request_abort(m, wait, i, id);
			break;
		case WIRE_DELETE:
			wait->status[i] = request_delete(m, wait, i, id);
			break;
		case WIRE_HOLD:
			wait->status[i] = request_hold(m, wait, id);
			break;
		case WIRE_LEASE:
			wait->status[i] = request_lease(m, wait, id);
			break;
		case WIRE_LOAD:
			wait->status[i] = request_load(m, wait, i, id);
			break;
		case WIRE_SHARE:
			wait->status[i] = request_share(m, wait, id);
			break;
		case WIRE_JOIN:
			wait->status[i] = request_join(m, wait, id);
			break;
		case WIRE_STAT:
			wait->status[i] = request_stat(m, wait, id);
			break;
		case WIRE_SET:
			wait->status[i] = request_set(m, wait, &wait->request.items[i]);
			break;
		case WIRE_CREATE:
		case WIRE_PUT:
		case WIRE_PUT_FD:
			request_create(m, wait, i);
			break;
		}
	}
}

/* ---- the kernel's answers ---- */

static struct want *want_of(struct model *m, uint32_t ticket)
{
	for (int i = 0; i < WANTS; i++)
		if (m->wants[i].used && m->wants[i].state != WANT_QUEUED &&
			m->wants[i].ticket == ticket)
			return &m->wants[i];
	broken("nobody wanted ticket %u", ticket);
}

/* The want is an object. */
static struct object *want_object(struct model *m, struct want *want, struct wait *wait)
{
	const struct request_item *item = &wait->request.items[want->item];
	int i = model_new_object(m);
	struct object *o = &m->objects[i];

	want->used = false;
	o->state = OBJECT_DRAFT;
	o->id = want->id;
	o->uid = want->uid;
	o->gid = m->conns[wait->conn].gid;
	o->mode = item->mode ? item->mode & 0777 : 0600;
	o->size = want->size;
	o->metadata_size = item->metadata_size;
	o->metadata_tag = ~item->tag;
	o->creator = wait->conn;
	o->life = m->conns[wait->conn].life;
	o->serial = wait->request.serial;
	o->name = item->name;
	o->hold = item->flags & WIRE_ITEM_HOLD;
	o->attributes = want->attributes;
	o->pinned = want->pin;
	if (o->id >= 0 && o->id < IDS && m->gone[o->id].reason) {
		m->gone[o->id].reason = 0;
		m->gone[o->id].back = m->event;
	}
	m->conns[wait->conn].refs[i] = 1;
	wait->object[want->item] = i;
	return o;
}

static void publish_put(struct model *m, struct object *o)
{
	o->sealed_life = o->life;
	o->sealed_serial = o->serial;
	model_publish(m, o - m->objects);
}

/* An object leaves the pack for this memfd, if it is still there and somebody wants it. */
static void unpack_done(struct model *m, struct want *want, int fd)
{
	struct object *o = &m->objects[want->object];

	want->used = false;
	if (want->wait < 0 || model_want_is_stale(m, want)) {
		COVER(m, MAKE_ABANDONED);
		m->roles[fd] = ROLE_ORPHAN;
		return;
	}
	COVER(m, UNPACKED);
	model_pack_leave(m, want->object);
	o->fd = fd;
	o->inode = kernel_inode(m->kernel, fd);
	o->bytes = model_charge(m, o->size);
	m->roles[fd] = ROLE_OBJECT;
}

/* The memfd of a want is there: it is an object, unless the client has lost interest. */
static void want_done(struct model *m, struct want *want, int fd)
{
	const struct kernel_memfd *file = kernel_file(m->kernel, fd);
	struct wait *wait = want->wait >= 0 ? &m->waits[want->wait] : NULL;
	struct object *o;

	if (want->unpack) {
		unpack_done(m, want, fd);
		return;
	}
	if (!wait) {
		COVER(m, MAKE_ABANDONED);
		want->used = false;
		m->roles[fd] = ROLE_ORPHAN;
		return;
	}
	o = want_object(m, want, wait);
	o->bytes = model_charge(m, want->size);
	o->tag = wait->request.type == WIRE_PUT ? file->tag : wait->request.items[want->item].tag;
	o->fd = fd;
	o->inode = kernel_inode(m->kernel, fd);
	m->roles[fd] = ROLE_OBJECT;
	if (wait->request.type != WIRE_CREATE)
		publish_put(m, o);
}

/* Its bytes are in the pack, or could not be written there. */
void model_want_written(struct model *m, struct want *want, int result)
{
	struct object *o;

	if (result < 0)
		COVER(m, MAKE_FAILED);
	if (result < 0 && want->wait >= 0)
		m->waits[want->wait].status[want->item] = result;
	if (result < 0 || want->wait < 0) {
		want->used = false;
		return;
	}
	o = want_object(m, want, &m->waits[want->wait]);
	o->bytes = model_pack_charge(m, want->size);
	o->tag = want->stamp;
	o->packed = true;
	o->place = want->place;
	publish_put(m, o);
}

/* It is no more: an offered memfd has to be closed. */
void model_end_want(struct model *m, struct want *want)
{
	if (kernel_is_open(m->kernel, want->fd))
		m->roles[want->fd] = ROLE_BROKEN;
	want->used = false;
	model_leave_queue(m, want->uid);
}

static void want_failed(struct model *m, struct want *want, int result)
{
	if (want->wait >= 0)
		m->waits[want->wait].status[want->item] = result;
	if (want->wait >= 0 && want->unpack && !m->waits[want->wait].failed)
		m->waits[want->wait].failed = result;
	want->used = false;
}

void model_made(struct model *m, uint32_t ticket, int result, int fd)
{
	struct want *want = want_of(m, ticket);

	if (result == 0) {
		want_done(m, want, fd);
		return;
	}
	COVER(m, MAKE_FAILED);
	want_failed(m, want, result);
	if (fd >= 0)
		m->roles[fd] = ROLE_ORPHAN;
}

void model_adopted(struct model *m, uint32_t ticket, int result)
{
	struct want *want = want_of(m, ticket);
	int fd = want->fd;

	if (result == 0 && kernel_file(m->kernel, fd)->size != want->size)
		result = -EINVAL;
	if (result == 0) {
		if (want->wait >= 0)
			COVER(m, ADOPTED);
		want_done(m, want, fd);
		if (m->roles[fd] == ROLE_ORPHAN)
			m->roles[fd] = ROLE_BROKEN;
		return;
	}
	COVER(m, ADOPT_FAILED);
	want_failed(m, want, result);
	m->roles[fd] = ROLE_BROKEN;
}

void model_sealed(struct model *m, uint32_t ticket, int result)
{
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &m->objects[i];
		struct wait *wait;

		if (!o->live || !o->sealing || o->seal_ticket != ticket)
			continue;
		o->sealing = false;
		o->seal_ticket = 0;
		wait = o->sealer >= 0 ? &m->waits[o->sealer] : NULL;
		if (o->doomed) {
			if (wait)
				wait->status[o->sealer_item] = -ENOENT;
			return;
		}
		if (result < 0) {
			COVER(m, SEAL_FAILED);
			if (wait)
				wait->status[o->sealer_item] = result;
			return;
		}
		o->sealed_life = m->conns[o->creator].life;
		o->sealed_serial = wait ? wait->request.serial : 0;
		model_publish(m, i);
		return;
	}
	broken("no object was sealed with ticket %u", ticket);
}

void model_closed(struct model *m, int fd)
{
	m->roles[fd] = ROLE_NONE;
}

void model_pool_filled(struct model *m, uint64_t size, int result, int fd)
{
	m->fills--;
	m->fills_bytes -= size;
	if (result < 0) {
		COVER(m, POOL_FILL_FAILED);
		return;
	}
	COVER(m, POOL_FILLS);
	m->roles[fd] = ROLE_POOL;
}
