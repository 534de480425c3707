/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One seed.  The world owns the clock, the simulated kernel, the clients'
 * sockets and the memory of the tables; it hands events to the core, carries out
 * the effects late and out of order, and kills the worker: between two events,
 * with some of an event's effects not carried out, or at any store to the tables
 * (core/tables.h lets a test look at each).  What is right or wrong is the
 * model's business.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client.h"
#include "core/core.h"
#include "core/tables.h"
#include "kernel.h"
#include "leftover.h"
#include "model.h"
#include "request.h"
#include "rng.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "world.h"

#define EVENTS_MIN   2000
#define JOBS         1024
#define AUDITOR      0 /* a client of uid 0 that never dies and only looks */
#define SEED_CLIENTS 14
#define OUTBOX       60 /* requests without an answer that one client lets grow */

enum event_type {
	EVENT_CONNECT,
	EVENT_DISCONNECT,
	EVENT_IDENTIFY,
	EVENT_REQUEST,
	EVENT_ANSWER, /* to an effect */
	EVENT_TICK,
	EVENT_CONFIGURE,
	EVENT_LIMIT,
};

/* An effect that was taken and is being carried out. */
struct job {
	enum core_effect_type type;
	uint32_t ticket;
	int fd;
	uint64_t size, tag;
	bool seal;
	int result; /* PACK_WRITE */
};

struct event {
	enum event_type type;
	uint32_t conn;
	struct job job;
	struct request *request;
};

/* The client's side of a connection; its index is the connection's. */
struct client {
	bool alive;
	uint64_t serial;
	bool must_reconcile, must_retry;
	bool doomed; /* the core wants it ended */
	bool has_tail;
	struct request tail; /* the second packet of a request */
};

struct world {
	struct rng rng;
	struct coverage *coverage;
	bool verbose;
	struct core_config config, first_config;
	struct core_quota quotas[MODEL_QUOTAS], first_quotas[MODEL_QUOTAS];
	uint64_t limit;
	void *memory;
	size_t memory_size;
	struct core *core;
	struct kernel kernel;
	struct model model, saved;
	struct habits habits;
	struct client clients[CONNS];
	struct job jobs[JOBS];
	unsigned int n_jobs;
	struct request_scratch scratch;
	int64_t now, realtime;
	pid_t next_pid;
	unsigned int patience; /* permille of steps that carry out an effect */
	unsigned int deadliness; /* 1/100000 of events in which the worker dies */
	unsigned int deaths;
	bool ending;
	uint64_t stores_left; /* until the worker dies; 0: it lives */
	uint64_t stores;      /* of this event */
	uint64_t orders;      /* so many objects of the model are known by their number */
	struct core_peer newborn; /* who is connecting, or being forked */
	uint32_t parent;          /* of the fork; CORE_NO_CONN */
};

/* Users that clients run as.  Their groups overlap. */
static const struct {
	uid_t uid;
	gid_t gid;
	gid_t groups[3];
	size_t n_groups;
} users[] = {
	{ 1000, 100, { 100, 200 }, 2 },
	{ 1001, 200, { 300 }, 1 },
	{ 1002, 100, { 0 }, 0 },
	{ 1003, 300, { 100, 200, 300 }, 3 },
	{ 1004, 400, { 0 }, 0 },
	{ 0, 0, { 0 }, 1 },
};

static struct world *world; /* the one that runs, for broken() and the store hook */
static uint64_t event_number;
static jmp_buf on_broken, on_death;
static char *broken_text;
static size_t broken_size;

uint64_t world_event_number(void)
{
	return event_number;
}

void broken(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(broken_text, broken_size, format, args);
	va_end(args);
	longjmp(on_broken, 1);
}

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void trace(const char *format, ...)
{
	va_list args;

	if (!world->verbose)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

/* ---- effects, and carrying them out ---- */

static void add_job(struct world *w, const struct core_effect *effect, uint64_t tag)
{
	if (w->n_jobs == JOBS)
		broken("%u effects are under way at once", JOBS);
	w->jobs[w->n_jobs++] = (struct job){
		.type = effect->type,
		.ticket = effect->ticket,
		.fd = effect->fd,
		.size = effect->size,
		.seal = effect->seal || effect->data,
		.tag = tag,
	};
	if (effect->fd >= 0) {
		if (!kernel_is_open(&w->kernel, effect->fd))
			broken("effect %d names descriptor %d, which is not open", effect->type,
				effect->fd);
		if (w->kernel.fds[effect->fd].busy)
			broken("effect %d names descriptor %d, with which another effect is busy",
				effect->type, effect->fd);
		w->kernel.fds[effect->fd].busy = true;
	}
}

static void deliver(struct world *w, const struct core_effect *effect)
{
	const struct wire_reply *reply = &effect->reply;
	uint32_t fd = 0;

	for (uint32_t i = 0; i < reply->n_items; i++) {
		struct kernel_memfd *file;

		if (!(reply->items[i].flags & WIRE_ITEM_FD))
			continue;
		file = kernel_file(&w->kernel, effect->fds[fd++]);
		file->given = true;
		if (reply->type == WIRE_CREATE) /* the client fills its draft */
			for (int k = 0; k < OBJECTS; k++)
				if (w->model.objects[k].live &&
					w->model.objects[k].fd == effect->fds[fd - 1])
					file->tag = w->model.objects[k].tag;
	}
}

static void trace_effect(const struct core_effect *e)
{
	static const char *const names[] = { "?", "REPLY", "MAKE", "ADOPT", "SEAL", "CLOSE",
		"CLOSE_STRANGER", "DISCONNECT", "POOL_FILL", "PACK_OPEN", "PACK_WRITE",
		"PACK_GIVE", "PACK_PUNCH" };

	if (!world->verbose)
		return;
	printf("    %s", names[e->type]);
	if (e->type == CORE_REPLY) {
		const char *type = wire_type_name(e->reply.type);

		printf(" to %u: %s serial %" PRIu64 " status %d%s", e->conn,
			type ? type : e->reply.type == WIRE_RESUME ? "RESUME" : "?",
			e->reply.serial, e->reply.status, e->reply.more ? " more" : "");
		for (uint32_t i = 0; i < e->reply.n_items; i++)
			printf(" [id %d status %d flags %u]",
				request_id_number(&e->reply.items[i].id), e->reply.items[i].status,
				e->reply.items[i].flags);
		for (uint32_t i = 0; i < e->reply.n_holders; i++)
			printf(" (kind %u pid %u refs %u pins %u)", e->reply.holders[i].kind,
				e->reply.holders[i].pid, e->reply.holders[i].refs,
				e->reply.holders[i].pins);
		if (e->reply.text)
			printf(" \"%s\"", e->reply.text);
		putchar('\n');
		return;
	}
	printf(" ticket %u conn %d fd %d size %" PRIu64 "%s%s", e->ticket, (int)e->conn, e->fd,
		e->size, e->seal ? " seal" : "", e->text ? e->text : "");
	if (e->type >= CORE_PACK_GIVE || e->from_pack)
		printf(" at %" PRIx64, e->offset);
	for (uint32_t i = 0; i < e->n_writes; i++)
		printf(" [%u bytes from %d %" PRIx64 " to %" PRIx64 " fresh %u]", e->writes[i].size,
			e->writes[i].from.fd, e->writes[i].from.offset, e->writes[i].offset,
			e->writes[i].fresh);
	putchar('\n');
}

/* The pack is written to at once.  Sometimes that fails halfway. */
static int write_pack(struct world *w, const struct core_effect *effect)
{
	int fd = w->model.pack.fd;

	for (uint32_t i = 0; i < effect->n_writes; i++) {
		const struct core_pack_write *write = &effect->writes[i];
		uint64_t tag;

		if (!w->ending && rng_chance(&w->rng, 10))
			return -ENOMEM;
		tag = write->from.fd == CORE_PLACE_NONE ? request_hash(write->data, write->size) :
			write->from.fd >= 0 ? kernel_file(&w->kernel, write->from.fd)->tag :
			kernel_pack_read(&w->kernel, fd, write->from.offset, write->size);
		kernel_pack_write(&w->kernel, fd, write->offset, write->size, tag);
	}
	return 0;
}

static void take_effect(struct world *w, const struct core_effect *effect)
{
	trace_effect(effect);
	model_effect(&w->model, effect);
	switch (effect->type) {
	case CORE_REPLY:
		deliver(w, effect);
		break;
	case CORE_MAKE:
		if (effect->from_pack)
			add_job(w, effect, kernel_pack_read(&w->kernel, w->model.pack.fd,
				effect->offset, effect->size));
		else
			add_job(w, effect, effect->data || effect->seal
					? request_hash(effect->data, effect->data_size) : 0);
		break;
	case CORE_PACK_WRITE:
		add_job(w, effect, 0);
		w->jobs[w->n_jobs - 1].result = write_pack(w, effect);
		break;
	case CORE_PACK_PUNCH:
		kernel_pack_punch(&w->kernel, w->model.pack.fd, effect->offset, effect->size);
		if (effect->ticket)
			add_job(w, effect, 0);
		break;
	case CORE_PACK_GIVE:
		break;
	case CORE_PACK_OPEN:
	case CORE_ADOPT:
	case CORE_SEAL:
	case CORE_CLOSE:
	case CORE_POOL_FILL:
		add_job(w, effect, 0);
		break;
	case CORE_CLOSE_STRANGER:
		if (!kernel_is_open(&w->kernel, effect->fd))
			broken("CLOSE_STRANGER of descriptor %d, which is not open", effect->fd);
		kernel_close(&w->kernel, effect->fd);
		break;
	case CORE_DISCONNECT:
		w->clients[effect->conn].doomed = true;
		break;
	}
}

/* What the kernel makes of a job.  Return: 0 or negative errno. */
static int carry_out(struct world *w, struct job *job)
{
	struct kernel_memfd *file = kernel_file(&w->kernel, job->fd);
	int result = 0;

	if (job->fd >= 0)
		w->kernel.fds[job->fd].busy = false;
	switch (job->type) {
	case CORE_MAKE:
		if (!w->ending && rng_chance(&w->rng, 30))
			return rng_chance(&w->rng, 500) ? -ENOMEM : -EMFILE;
		if (job->fd < 0) {
			job->fd = kernel_memfd(&w->kernel, job->size, job->tag);
			file = kernel_file(&w->kernel, job->fd);
		}
		file->size = job->size;
		file->tag = job->tag;
		file->sealed = job->seal;
		break;
	case CORE_ADOPT:
		if (file->bad)
			return rng_chance(&w->rng, 500) ? -EPERM : -EINVAL;
		file->sealed = true;
		break;
	case CORE_SEAL:
		if (!w->ending && rng_chance(&w->rng, 100))
			return -EBUSY;
		file->sealed = true;
		break;
	case CORE_CLOSE:
		kernel_close(&w->kernel, job->fd);
		break;
	case CORE_POOL_FILL:
		if (rng_chance(&w->rng, 100))
			return -ENOMEM;
		job->fd = kernel_memfd(&w->kernel, job->size, 0);
		break;
	case CORE_PACK_OPEN:
		if (!w->ending && rng_chance(&w->rng, 100))
			return -EMFILE;
		job->fd = kernel_memfd(&w->kernel, job->size, 0);
		break;
	case CORE_PACK_WRITE:
		return job->result;
	case CORE_PACK_PUNCH:
		break;
	default:
		assert(false);
	}
	return result;
}

static void answer(struct world *w, struct job *job)
{
	int result = carry_out(w, job);
	struct kernel_memfd *file = kernel_file(&w->kernel, job->fd);
	uint64_t inode = kernel_inode(&w->kernel, job->fd);

	trace("answer ticket %u type %d fd %d: %d\n", job->ticket, job->type, job->fd, result);
	switch (job->type) {
	case CORE_MAKE:
		model_made(&w->model, job->ticket, result, job->fd);
		core_made(w->core, w->now, job->ticket, result, job->fd, inode);
		break;
	case CORE_ADOPT:
		if (result == 0)
			w->kernel.fds[job->fd].stranger = false;
		model_adopted(&w->model, job->ticket, result);
		core_adopted(w->core, w->now, job->ticket, result, inode, file->size);
		break;
	case CORE_SEAL:
		model_sealed(&w->model, job->ticket, result);
		core_sealed(w->core, w->now, job->ticket, result);
		break;
	case CORE_CLOSE:
		model_closed(&w->model, job->fd);
		core_closed(w->core, w->now, job->ticket);
		break;
	case CORE_PACK_OPEN:
		model_pack_opened(&w->model, result, job->fd);
		core_pack_opened(w->core, w->now, job->ticket, result, job->fd, inode);
		break;
	case CORE_PACK_WRITE:
	case CORE_PACK_PUNCH:
		model_packed(&w->model, job->ticket, result);
		core_packed(w->core, w->now, job->ticket, result);
		break;
	default:
		model_pool_filled(&w->model, job->size, result, job->fd);
		core_pool_filled(w->core, w->now, job->ticket, result, job->fd, inode, job->size);
		break;
	}
}

/* ---- connections ---- */

static void connect_client(struct world *w, struct event *event)
{
	unsigned int user = event->conn == AUDITOR ? 5 : rng_below(&w->rng, 5);
	struct core_peer peer = {
		.pid = w->next_pid++,
		.uid = users[user].uid,
		.gid = users[user].gid,
		.groups = users[user].groups,
		.n_groups = users[user].n_groups,
		.comm = "sim",
		.call_fd = kernel_open(&w->kernel, KERNEL_SOCKET),
		.service_fd = kernel_open(&w->kernel, KERNEL_SOCKET),
		.pid_fd = kernel_open(&w->kernel, KERNEL_PIDFD),
	};
	struct request hello = { .type = WIRE_HELLO, .serial = 1, .token = -1, .name = NAME_NONE,
		.fd = -1 };
	uint32_t conn = CORE_NO_CONN;
	int result;

	trace("connect uid %u pid %d\n", peer.uid, peer.pid);
	w->newborn = peer;
	w->parent = CORE_NO_CONN;
	result = core_connect(w->core, w->now, &peer, request_encode(&w->scratch, &hello), &conn);
	model_connected(&w->model, &peer, result, conn);
	if (result < 0) {
		kernel_close(&w->kernel, peer.call_fd);
		kernel_close(&w->kernel, peer.service_fd);
		kernel_close(&w->kernel, peer.pid_fd);
		return;
	}
	w->clients[conn] = (struct client){ .alive = true, .serial = 1 };
}

static void close_sockets(struct world *w, uint32_t conn)
{
	for (int i = 0; i < 3; i++)
		if (kernel_is_open(&w->kernel, w->model.conns[conn].fds[i]))
			kernel_close(&w->kernel, w->model.conns[conn].fds[i]);
	w->clients[conn].alive = false;
}

static void send_request(struct world *w, struct event *event)
{
	struct request *request = event->request;
	uint32_t child = CORE_NO_CONN;

	if (request->type == WIRE_FORK) {
		request->fd = kernel_open(&w->kernel, KERNEL_SOCKET);
		w->newborn.call_fd = request->fd;
		w->parent = event->conn;
	} else if (request->type == WIRE_PUT_FD) {
		request->fd = kernel_install(&w->kernel, request->memfd);
	}
	if (request->fd >= 0)
		w->kernel.fds[request->fd].stranger = true;
	if (w->verbose) {
		printf("%u: ", event->conn);
		request_print(request);
	}
	w->coverage->requests[request->type]++;
	model_expire(&w->model);
	model_request(&w->model, event->conn, request);
	core_request(w->core, w->now, event->conn, request_encode(&w->scratch, request),
		request->fd, &child);
	if (request->type == WIRE_FORK) {
		model_forked(&w->model, event->conn, child, request->fd);
		if (child != CORE_NO_CONN) {
			w->kernel.fds[request->fd].stranger = false;
			w->clients[child] = (struct client){
				.alive = true,
				.must_reconcile = w->model.conns[event->conn].resuming,
			};
		}
	}
}

static void identify(struct world *w, struct event *event)
{
	const char comm[16] = "child";
	pid_t pid = w->next_pid++;
	int pid_fd = kernel_open(&w->kernel, KERNEL_PIDFD);
	int service_fd = kernel_open(&w->kernel, KERNEL_SOCKET);

	trace("%u: identify pid %d\n", event->conn, pid);
	model_identify(&w->model, event->conn, pid, pid_fd, service_fd);
	core_identify(w->core, w->now, event->conn, pid, pid_fd, service_fd, comm);
}

/* ---- the heir ---- */

static void on_store(void *argument)
{
	struct world *w = argument;

	w->stores++;
	if (w->stores_left && --w->stores_left == 0)
		longjmp(on_death, 1);
}

/* The worker died at a store: was its event committed before?  The journal's mark says so (and
 * it is not set yet at the first two). */
static bool is_committed(const struct world *w)
{
	const struct tables_header *header = w->memory;

	return w->stores > 2 && header->journal_used == 0;
}

/* A connection was in the making when the worker died, and the tables know of it. */
static void meet_newborn(struct world *w, const struct core_fd *fd)
{
	if (fd->kind != CORE_FD_CALL || fd->owner >= CONNS || w->model.conns[fd->owner].live ||
		fd->fd != w->newborn.call_fd)
		return;
	if (w->parent == CORE_NO_CONN)
		model_connected(&w->model, &w->newborn, 0, fd->owner);
	else
		model_forked(&w->model, w->parent, fd->owner, fd->fd);
	model_newborn(&w->model, fd->owner);
	w->clients[fd->owner] = (struct client){
		.alive = true,
		.doomed = w->parent == CORE_NO_CONN, /* it gives up waiting for the hello */
	};
}

/* The worker's table is what its heir finds; of what was under way, some has happened. */
static void lose_jobs(struct world *w)
{
	for (unsigned int i = 0; i < w->n_jobs; i++) {
		struct job *job = &w->jobs[i];

		if (job->fd >= 0)
			w->kernel.fds[job->fd].busy = false;
		if (rng_chance(&w->rng, 500))
			(void)carry_out(w, job);
	}
	w->n_jobs = 0;
	for (uint32_t fd = 0; fd < w->kernel.top; fd++)
		w->kernel.fds[fd].busy = false;
}

/* Sometimes a descriptor of an object is gone, though nothing that we do takes it. */
static void lose_descriptors(struct world *w)
{
	if (!rng_chance(&w->rng, 60))
		return;
	if (w->model.pack.open && rng_chance(&w->rng, 100)) {
		trace("the pack is lost\n");
		w->coverage->classes[COVERAGE_PACK_LOST]++;
		kernel_close(&w->kernel, w->model.pack.fd);
		for (int i = 0; i < OBJECTS; i++)
			w->model.objects[i].losing |= w->model.objects[i].live &&
				w->model.objects[i].packed && !w->model.objects[i].doomed;
	}
	for (int i = 0; i < OBJECTS; i++) {
		struct object *object = &w->model.objects[i];

		if (object->live && !object->doomed && kernel_is_open(&w->kernel, object->fd) &&
			rng_chance(&w->rng, 200)) {
			trace("descriptor %d of object %d is lost\n", object->fd, object->id);
			object->losing = true;
			kernel_close(&w->kernel, object->fd);
		}
	}
}

static void restore_peer(struct world *w, uint32_t conn)
{
	const struct conn *c = &w->model.conns[conn];
	struct core_peer peer = {
		.pid = c->pid,
		.uid = c->uid,
		.gid = c->gid,
		.groups = c->groups,
		.n_groups = c->n_groups,
		.comm = "restored",
		.call_fd = c->fds[0],
		.service_fd = c->fds[1],
		.pid_fd = c->fds[2],
	};
	int result = core_restore_peer(w->core, conn, &peer);

	if (result < 0)
		broken("core_restore_peer(%u) fails: %s", conn, strerror(-result));
}

/* ---- the tables ---- */

static void look_at_tables(struct world *w, struct tables *tables)
{
	bool used;

	if (tables_open(tables, &w->config, w->memory, w->memory_size, &used) < 0)
		broken("the tables cannot be read");
}

static void learn_objects(struct world *w)
{
	struct tables tables;

	if (w->orders == w->model.orders)
		return;
	w->orders = w->model.orders;
	look_at_tables(w, &tables);
	leftover_learn(&w->model, &tables);
	tables_close(&tables);
}

/* What is left of those who are gone. */
static void see_leftovers(struct world *w)
{
	struct tables tables;

	if (!model_is_giving_back(&w->model))
		return;
	look_at_tables(w, &tables);
	for (uint32_t i = 0; i < CONNS; i++) {
		struct leftover left;

		if (!w->model.conns[i].dying)
			continue;
		leftover_read(&left, &w->model, &tables, i);
		if (left.n)
			trace("    %u objects are still held by %u, who is gone\n", left.n, i);
		model_given_back(&w->model, i, &left);
	}
	tables_close(&tables);
}

/* What the tables have in the pack. */
static void heir_places(struct world *w)
{
	struct tables tables;

	look_at_tables(w, &tables);
	for (uint32_t o = 0; o < tables.header->objects_high; o++) {
		const struct object_record *record = &tables.objects[o];
		uint64_t offset;

		if (!record->state || record->fd != OBJECT_IN_PACK)
			continue;
		offset = model_pack_offset(&w->model, record->place.frame, record->place.slot,
			record->size);
		model_heir_place(&w->model, request_id_number(&record->id), offset,
			kernel_pack_read(&w->kernel, w->model.pack.fd, offset, record->size));
	}
	tables_close(&tables);
}

static void heir_compare(struct world *w)
{
	static struct core_fd lost[KERNEL_FDS];
	static bool named[KERNEL_FDS];
	uint32_t n_lost = 0;
	uint64_t cursor = 0;
	struct core_fd fd;

	memset(named, 0, sizeof named);
	model_heir_begin(&w->model);
	while (core_next_fd(w->core, &cursor, &fd)) {
		bool good = kernel_is_open(&w->kernel, fd.fd);

		if (fd.kind <= CORE_FD_PACK)
			good = good && kernel_inode(&w->kernel, fd.fd) == fd.inode;
		trace("heir: kind %d fd %d owner %u size %" PRIu64 "%s\n", fd.kind, fd.fd, fd.owner,
			fd.size, good ? "" : " LOST");
		meet_newborn(w, &fd);
		model_heir_fd(&w->model, &fd, !good);
		if (!good)
			lost[n_lost++] = fd;
		else if (named[fd.fd])
			broken("the tables name descriptor %d twice", fd.fd);
		else
			named[fd.fd] = true;
	}
	heir_places(w);
	for (int i = w->kernel.top - 1; i >= 0; i--)
		if (kernel_is_open(&w->kernel, i) && !named[i])
			kernel_close(&w->kernel, i);
	for (uint32_t i = 0; i < n_lost; i++) {
		w->coverage->classes[COVERAGE_FDS_LOST]++;
		core_fd_lost(w->core, w->now, &lost[i]);
	}
	model_heir_end(&w->model);
}

static void take_effects(struct world *w, unsigned int most, bool *lossy)
{
	struct core_effect effect;

	*lossy = false;
	while (core_next_effect(w->core, &effect)) {
		if (most-- == 0) {
			*lossy = true;
			return;
		}
		take_effect(w, &effect);
	}
}

static bool same_quotas(const struct core_quota *a, const struct core_quota *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].uid != b[i].uid || a[i].of != b[i].of || a[i].limit != b[i].limit)
			return false;
	return true;
}

/* As configure() writes them. */
static bool read_limits(struct world *w, const char *text)
{
	size_t n = 0;
	int used, of;

	if (sscanf(text, "%" SCNu64 " %u%n", &w->config.capacity, &w->config.max_fds, &used) != 2)
		return false;
	for (text += used; *text && n < MODEL_QUOTAS; text += used, n++) {
		struct core_quota *quota = &w->quotas[n];

		if (sscanf(text, " %u:%d:%" SCNu64 "%n", &quota->uid, &of, &quota->limit, &used) != 3)
			return false;
		quota->of = of;
	}
	w->config.n_quotas = n;
	return true;
}

/* What the heir has to go by is what the tables say. */
static void heir_configure(struct world *w)
{
	struct core_setting setting;
	uint32_t cursor = 0;

	w->config = w->first_config;
	w->config.quotas = w->quotas;
	memcpy(w->quotas, w->first_quotas, sizeof w->quotas);
	while (core_next_setting(w->core, &cursor, &setting)) {
		w->coverage->classes[COVERAGE_SETTINGS_INHERITED]++;
		if (strcmp(setting.key, "limits") != 0 || setting.uid != 7 ||
			!read_limits(w, setting.value))
			broken("R16: the heir finds the setting %s = %s", setting.key, setting.value);
	}
	if (w->config.capacity != w->model.capacity || w->config.max_fds != w->model.max_fds ||
		w->config.n_quotas != w->model.n_quotas ||
		!same_quotas(w->quotas, w->model.quotas, w->model.n_quotas))
		broken("R16: the heir finds a capacity of %" PRIu64 ", not of %" PRIu64,
			w->config.capacity, w->model.capacity);
	(void)core_configure(w->core, w->now, &w->config, NULL);
}

static void heir_once(struct world *w)
{
	int result;

	result = core_open(&w->core, &w->first_config, w->memory, w->memory_size, w->now,
		w->realtime);
	if (result < 0)
		broken("core_open() for the heir: %s", strerror(-result));
	heir_configure(w);
	heir_compare(w);
	for (uint32_t i = 0; i < CONNS; i++)
		if (w->model.conns[i].live)
			restore_peer(w, i);
	model_begin(&w->model, w->now, w->realtime);
	core_resume(w->core, w->now, w->realtime);
	w->model.generation++;
	if (core_generation(w->core) <= w->model.generation - 1)
		broken("the generation did not rise");
	w->model.generation = core_generation(w->core);
}

/* The worker is dead.  @lossy: some effects of the last event were not carried out. */
static void heir(struct world *w, bool lossy)
{
	bool again = true;

	w->deaths++;
	lose_jobs(w);
	if (!lossy)
		lose_descriptors(w);
	model_death(&w->model, lossy);
	w->model.limit = UINT64_MAX;
	w->saved = w->model;
	while (again) {
		w->core = NULL;
		w->stores_left = !w->ending && rng_chance(&w->rng, 150) ? 1 + rng_bits(&w->rng, 6) : 0;
		if (setjmp(on_death)) {
			trace("the heir dies as well\n");
			w->coverage->classes[COVERAGE_DEATHS_HEIR]++;
			w->model = w->saved;
			continue;
		}
		heir_once(w);
		w->stores_left = 0;
		again = false;
	}
	for (uint32_t i = 0; i < CONNS; i++) {
		struct client *client = &w->clients[i];

		if (client->alive && !w->model.conns[i].live)
			client->alive = false;
		client->must_reconcile = client->alive;
		client->has_tail = false;
	}
	take_effects(w, UINT32_MAX, &lossy);
	learn_objects(w);
	model_settle(&w->model, w->core);
	core_check(w->core);
}

/* ---- events ---- */

static void configure(struct world *w)
{
	char value[1024];
	const struct core_setting setting = { .key = "limits", .value = value, .base = w->now,
		.uid = 7 };
	int n = snprintf(value, sizeof value, "%" PRIu64 " %u", w->config.capacity,
		w->config.max_fds);

	for (size_t i = 0; i < w->config.n_quotas; i++)
		n += snprintf(value + n, sizeof value - n, " %u:%d:%" PRIu64, w->quotas[i].uid,
			(int)w->quotas[i].of, w->quotas[i].limit);
	trace("configure %s\n", value);
	model_configure(&w->model, &w->config);
	if (core_configure(w->core, w->now, &w->config, &setting) < 0)
		broken("one key cannot be configured");
}

static void dispatch(struct world *w, struct event *event)
{
	switch (event->type) {
	case EVENT_CONNECT:
		connect_client(w, event);
		break;
	case EVENT_DISCONNECT:
		trace("%u: disconnect\n", event->conn);
		model_disconnect(&w->model, event->conn);
		core_disconnect(w->core, w->now, event->conn);
		close_sockets(w, event->conn);
		break;
	case EVENT_IDENTIFY:
		identify(w, event);
		break;
	case EVENT_REQUEST:
		send_request(w, event);
		break;
	case EVENT_ANSWER:
		answer(w, &event->job);
		break;
	case EVENT_TICK:
		trace("tick\n");
		model_tick(&w->model);
		core_tick(w->core, w->now, w->realtime);
		break;
	case EVENT_CONFIGURE:
		configure(w);
		break;
	case EVENT_LIMIT:
		trace("the machine has %" PRIu64 " bytes\n", w->limit);
		model_limit(&w->model, w->limit);
		core_limit(w->core, w->now, w->limit);
		break;
	}
}

/* The worker died inside an event.  If the event did not happen, whoever caused it is still
 * there (or is not), and will be heard again. */
static void die_inside(struct world *w, struct event *event)
{
	bool committed = is_committed(w);

	trace("the worker dies inside the event, %s\n", committed ? "which happened" : "undone");
	w->coverage->classes[COVERAGE_DEATHS_INSIDE]++;
	w->coverage->classes[committed ? COVERAGE_DEATHS_AFTER : COVERAGE_DEATHS_BEFORE]++;
	if (!committed) {
		w->model = w->saved;
		if (event->type == EVENT_REQUEST)
			model_unheard(&w->model, event->conn, event->request);
		else if (event->type == EVENT_DISCONNECT)
			w->model.conns[event->conn].ending = w->clients[event->conn].doomed = true;
	}
	heir(w, committed);
}

static void run_event(struct world *w, struct event *event)
{
	volatile unsigned int most = UINT32_MAX;
	bool lossy;

	event_number++;
	w->coverage->classes[COVERAGE_EVENTS]++;
	w->now += 1 + rng_bits(&w->rng, 12);
	trace("%" PRIu64 " @%" PRId64 " ", event_number, w->now);
	if (!w->ending && rng_below(&w->rng, 100000) < w->deadliness) {
		switch (rng_below(&w->rng, 4)) {
		case 0:
			most = rng_below(&w->rng, 3);
			break;
		case 1:
			most = UINT32_MAX - 1;
			break;
		default:
			w->stores_left = 1 + rng_bits(&w->rng, 5);
			w->saved = w->model;
			break;
		}
	}
	if (setjmp(on_death)) {
		die_inside(w, event);
		return;
	}
	w->stores = 0;
	w->newborn.call_fd = -1;
	model_begin(&w->model, w->now, w->realtime);
	dispatch(w, event);
	w->stores_left = 0;
	w->newborn.call_fd = -1;
	see_leftovers(w);
	take_effects(w, most, &lossy);
	request_spoil(&w->scratch);
	if (most != UINT32_MAX) {
		trace("the worker dies, %s\n", lossy ? "and effects with it" : "between events");
		w->coverage->classes[lossy ? COVERAGE_DEATHS_UNSENT : COVERAGE_DEATHS_BETWEEN]++;
		w->core = core_close(w->core);
		heir(w, lossy);
		return;
	}
	learn_objects(w);
	model_settle(&w->model, w->core);
	core_check(w->core);
}

static void run_request(struct world *w, uint32_t conn, struct request *request)
{
	struct event event = { .type = EVENT_REQUEST, .conn = conn, .request = request };

	run_event(w, &event);
}

static void run_simple(struct world *w, enum event_type type, uint32_t conn)
{
	struct event event = { .type = type, .conn = conn };

	run_event(w, &event);
}

static void run_answer(struct world *w, unsigned int i)
{
	struct event event = { .type = EVENT_ANSWER, .job = w->jobs[i] };

	w->jobs[i] = w->jobs[--w->n_jobs];
	run_event(w, &event);
}

/* ---- what happens next ---- */

static struct request *outstanding(struct world *w, uint32_t conn)
{
	struct wait *first = NULL;

	for (uint32_t i = 0; i < w->model.n_waits; i++) {
		struct wait *wait = &w->model.waits[i];

		if (wait->used && wait->asleep && wait->conn == conn &&
			(!first || wait->request.serial < first->request.serial))
			first = wait;
	}
	return first ? &first->request : NULL;
}

static unsigned int n_outstanding(const struct world *w, uint32_t conn)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < w->model.n_waits; i++)
		n += w->model.waits[i].used && w->model.waits[i].conn == conn;
	return n;
}

static void send_in_parts(struct world *w, uint32_t conn, struct request *request)
{
	struct request part = *request;

	if (request->n_items > 1 && rng_chance(&w->rng, 300)) {
		w->coverage->classes[COVERAGE_RECONCILE_SPLIT]++;
		part.n_items = 1 + rng_below(&w->rng, request->n_items - 1);
		part.more = true;
		run_request(w, conn, &part);
		if (!w->clients[conn].must_reconcile || !w->model.conns[conn].resuming ||
			w->model.generation != request->generation)
			return;
		memmove(part.items, request->items + part.n_items,
			(request->n_items - part.n_items) * sizeof part.items[0]);
		part.n_items = request->n_items - part.n_items;
		part.more = false;
	}
	run_request(w, conn, &part);
}

static bool has_namesake(const struct world *w, int object)
{
	for (int i = 0; i < OBJECTS; i++)
		if (i != object && w->model.objects[i].live &&
			w->model.objects[i].id == w->model.objects[object].id)
			return true;
	return false;
}

/* It holds a deleted object, and perhaps, without knowing, another one of the same id: nobody
 * can tell which one it lists.  Or it holds too much for one of our requests. */
static bool cannot_reconcile(const struct world *w, uint32_t conn)
{
	const struct conn *c = &w->model.conns[conn];
	uint32_t n = 0;

	for (int i = 0; i < OBJECTS; i++) {
		const struct object *object = &w->model.objects[i];

		if (!object->live || (!c->refs[i] && !c->pins[i]))
			continue;
		if (++n == ITEMS || (w->model.lossy && object->deleted && has_namesake(w, i)) ||
			(object->deleted && object->id >= 0 && object->id < IDS &&
				w->model.blurred[object->id]))
			return true;
	}
	return false;
}

static void reconcile(struct world *w, uint32_t conn)
{
	struct request request;
	struct client *client = &w->clients[conn];

	if (cannot_reconcile(w, conn)) {
		run_simple(w, EVENT_DISCONNECT, conn);
		return;
	}
	model_reconcile(&w->model, conn, &request);
	request.serial = ++client->serial;
	if (conn != AUDITOR && rng_chance(&w->rng, 60))
		request.generation--; /* from before another death: must not be listened to */
	for (uint32_t i = 0; i < request.n_items; i++) {
		struct request_item *item = &request.items[i];

		if (rng_chance(&w->rng, 20)) {
			item->refs = rng_below(&w->rng, item->refs + 1);
			item->pins = rng_below(&w->rng, item->pins + 1);
		} else if (!w->model.lossy && rng_chance(&w->rng, 20)) {
			w->coverage->classes[COVERAGE_RECONCILE_LIES]++;
			item->refs += rng_bits(&w->rng, 31);
			item->pins += rng_bits(&w->rng, 31);
		}
	}
	if (!w->model.lossy && request.n_items < ITEMS && rng_chance(&w->rng, 50)) {
		/* Something that it does not hold. */
		request.items[request.n_items++] = (struct request_item){
			.id = ID_ALIEN, .refs = 1, .name = NAME_NONE };
	}
	send_in_parts(w, conn, &request);
	if (client->alive && w->model.conns[conn].live && !w->model.conns[conn].resuming &&
		!w->model.conns[conn].resume_due) {
		client->must_reconcile = false;
		client->must_retry = true;
	}
}

static void retry(struct world *w, uint32_t conn)
{
	struct request *found = outstanding(w, conn), request;

	if (!found) {
		w->clients[conn].must_retry = false;
		return;
	}
	request = *found;
	request.retry = true;
	request.more = false;
	request.fd = -1;
	run_request(w, conn, &request);
}

static bool has_size(const struct request *request, uint64_t size)
{
	for (uint32_t k = 0; k < request->n_items; k++)
		if (request->items[k].size + request->items[k].data_size == size)
			return true;
	return false;
}

/* MAKE effects are told apart by their size: no two creates without an answer, or to come, have the
 * same. */
static bool is_unique_size(const struct world *w, uint64_t size)
{
	for (uint32_t i = 0; i < w->model.n_waits; i++) {
		const struct wait *wait = &w->model.waits[i];

		if (!wait->used || (wait->request.type != WIRE_CREATE && wait->request.type != WIRE_PUT))
			continue;
		if (has_size(&wait->request, size))
			return false;
	}
	for (int i = 0; i < CONNS; i++)
		if (w->clients[i].has_tail && has_size(&w->clients[i].tail, size))
			return false;
	return true;
}

/* Of a PUT the data tells, unless there is too little of it. */
static void distinguish(const struct world *w, struct request *request)
{
	for (uint32_t i = 0; i < request->n_items; i++) {
		uint32_t size = request->items[i].data_size;
		bool unique = false;

		while (!unique && size < 16) {
			unique = is_unique_size(w, size);
			for (uint32_t k = 0; k < i; k++)
				unique &= request->items[k].data_size != size;
			size += !unique;
		}
		request->items[i].data_size = size;
	}
}

static void offer_memfd(struct world *w, struct request *request)
{
	struct request_item *item = &request->items[0];
	uint64_t size = item->size;
	int fd;

	if (rng_chance(&w->rng, 30))
		size += 1 + rng_bits(&w->rng, 12); /* not what it claims to be */
	fd = kernel_memfd(&w->kernel, size, item->tag);
	request->memfd = w->kernel.fds[fd].memfd;
	w->kernel.memfds[request->memfd].bad = rng_chance(&w->rng, 150);
	kernel_close(&w->kernel, fd);
}

static bool may_be_split(uint16_t type)
{
	return type == WIRE_GET || type == WIRE_WAIT || type == WIRE_PUT || type == WIRE_SEAL ||
		type == WIRE_ABORT || type == WIRE_DELETE;
}

/* Leave some items to a second packet, which the client sends when it comes to it. */
static void split(struct world *w, uint32_t conn, struct request *request)
{
	struct client *client = &w->clients[conn];
	uint32_t n = request->n_items;

	if (n < 2 || !may_be_split(request->type) || client->has_tail ||
		w->model.conns[conn].resuming || !rng_chance(&w->rng, 100))
		return;
	request->n_items = 1 + rng_below(&w->rng, n - 1);
	client->tail = *request;
	client->tail.n_items = n - request->n_items;
	memmove(client->tail.items, request->items + request->n_items,
		client->tail.n_items * sizeof request->items[0]);
	client->has_tail = true;
	request->more = true;
}

static void send_tail(struct world *w, uint32_t conn)
{
	struct client *client = &w->clients[conn];
	struct request tail = client->tail;

	client->has_tail = false;
	run_request(w, conn, &tail);
}

static void new_request(struct world *w, uint32_t conn)
{
	struct client *client = &w->clients[conn];
	struct request request;

	client_draw(&request, &w->habits, &w->rng, &w->model, conn);
	if (w->model.conns[conn].resuming && (request.type == WIRE_RELEASE ||
		request.type == WIRE_CANCEL))
		return;
	if (n_outstanding(w, conn) >= OUTBOX && request.type != WIRE_RELEASE &&
		request.type != WIRE_CANCEL)
		return;
	if (request.type == WIRE_CREATE)
		while (!is_unique_size(w, request.items[0].size))
			request.items[0].size++;
	if (request.type == WIRE_PUT)
		distinguish(w, &request);
	if (request.type == WIRE_PUT_FD)
		offer_memfd(w, &request);
	request.serial = ++client->serial;
	if (conn != AUDITOR && !request.more && rng_chance(&w->rng, 1) &&
		(request.type == WIRE_HOLD || request.type == WIRE_STAT ||
			request.type == WIRE_LIST || request.type == WIRE_CREATE ||
			request.type == WIRE_SUBSCRIBE || request.type == WIRE_SET))
		request.more = true; /* against the protocol: these are one packet */
	if (request.type == WIRE_FORK || request.type == WIRE_PUT_FD)
		request.fd = 0; /* so that it is counted */
	if (!request_encode(&w->scratch, &request))
		return;
	request.fd = -1;
	split(w, conn, &request);
	run_request(w, conn, &request);
}

/* Let one client wait for more than it may. */
static void flood(struct world *w, uint32_t conn)
{
	for (int i = 0; i < CORE_PENDING_MAX + 8; i++) {
		struct request request;

		if (!w->clients[conn].alive || w->clients[conn].must_reconcile ||
			w->clients[conn].must_retry || w->clients[conn].doomed)
			return;
		client_draw(&request, &w->habits, &w->rng, &w->model, conn);
		request = (struct request){
			.type = WIRE_GET,
			.serial = ++w->clients[conn].serial,
			.timeout_ns = FOREVER_NS,
			.token = -1,
			.name = NAME_NONE,
			.fd = -1,
			.n_items = 1,
			.items = { { .id = ID_ALIEN + (int)rng_below(&w->rng, 4), .name = NAME_NONE } },
		};
		run_request(w, conn, &request);
	}
}

static bool auditor_is_up(const struct world *w)
{
	return !w->clients[AUDITOR].must_reconcile && !w->clients[AUDITOR].must_retry;
}

/* The auditor catches up with the events. */
static void read_events(struct world *w)
{
	struct request request = { .type = WIRE_SUBSCRIBE, .token = -1, .name = NAME_NONE, .fd = -1 };

	do {
		if (!auditor_is_up(w))
			return;
		request.serial = ++w->clients[AUDITOR].serial;
		request.cursor = model_events_next();
		run_request(w, AUDITOR, &request);
	} while (model_events_more());
	if (auditor_is_up(w))
		model_events_compare(&w->model);
}

static bool is_ready(const struct world *w, uint32_t conn)
{
	const struct client *client = &w->clients[conn];

	return client->alive && !client->must_reconcile && !client->must_retry && !client->doomed;
}

/* One client waits for the next event in every way that it may, and once more. */
static void subscribe_often(struct world *w, uint32_t conn)
{
	read_events(w);
	for (int i = 0; i <= CORE_SUBSCRIBE_MAX; i++) {
		struct request request = { .type = WIRE_SUBSCRIBE, .timeout_ns = FOREVER_NS,
			.token = -1, .name = NAME_NONE, .fd = -1, .cursor = model_events_next() };

		if (!is_ready(w, conn))
			return;
		request.serial = ++w->clients[conn].serial;
		run_request(w, conn, &request);
	}
}

static bool is_free_id(const struct world *w, int id)
{
	for (int i = 0; i < WANTS; i++)
		if (w->model.wants[i].used && w->model.wants[i].wait >= 0 &&
			w->model.wants[i].id == id)
			return false;
	return model_find(&w->model, id) < 0;
}

static int free_id(const struct world *w)
{
	for (int id = IDS - 1; id >= 0; id--)
		if (is_free_id(w, id))
			return id;
	return ID_ALIEN;
}

/* One waits for nearly all the room that there is, and small ones pass it, again and again. */
static void crowd(struct world *w, uint32_t conn)
{
	struct request request = { .type = WIRE_CREATE, .timeout_ns = FOREVER_NS, .token = -1,
		.name = NAME_NONE, .fd = -1, .n_items = 1 };
	uint32_t deaths = w->deaths;

	if (w->model.limit < 16384)
		return;
	for (int i = 0; i < CORE_PASS_MAX + 20 && w->deaths == deaths; i++) {
		const int id = free_id(w);

		if (!is_ready(w, conn) || !is_ready(w, AUDITOR) || id == ID_ALIEN)
			return;
		request.serial = ++w->clients[conn].serial;
		request.items[0] = (struct request_item){ .id = id, .name = NAME_NONE };
		if (i == 0)
			request.items[0].size =
				MIN(w->model.capacity, w->model.limit) - 8192;
		else
			request.items[0].data_size = 16 + rng_below(&w->rng, 4000);
		run_request(w, conn, &request);
		request.type = WIRE_PUT;
		request.timeout_ns = 1000;
		while (w->n_jobs)
			run_answer(w, 0);
		if (i > 0 && w->deaths == deaths && is_ready(w, AUDITOR)) {
			struct request delete = request;

			delete.type = WIRE_DELETE;
			delete.serial = ++w->clients[AUDITOR].serial;
			delete.items[0].data_size = 0;
			run_request(w, AUDITOR, &delete);
		}
		while (w->n_jobs)
			run_answer(w, 0);
		if (core_deadline(w->core) <= w->now)
			run_simple(w, EVENT_TICK, 0);
	}
}

static void answer_some(struct world *w, unsigned int permille)
{
	while (w->n_jobs && rng_chance(&w->rng, permille))
		run_answer(w, rng_below(&w->rng, w->n_jobs));
}

/* One puts objects of about one size, so that they share slabs; most of them are deleted again, and
 * somebody asks for more room than is left. */
static void cram(struct world *w, uint32_t conn)
{
	struct request put = { .type = WIRE_PUT, .timeout_ns = 1000, .token = -1, .name = NAME_NONE,
		.fd = -1, .n_items = 1 }, delete = put, create = put;
	uint32_t size = w->model.pack.slab / rng_range(&w->rng, 5, 9), deaths = w->deaths;
	int ids[24], n;

	if (size > w->config.inline_max)
		return;
	for (n = 0; n < 24; n++) {
		if (!is_ready(w, conn) || w->deaths != deaths)
			return;
		ids[n] = free_id(w);
		if (ids[n] == ID_ALIEN)
			break;
		put.serial = ++w->clients[conn].serial;
		put.items[0] = (struct request_item){ .id = ids[n], .name = NAME_NONE,
			.tag = rng_next(&w->rng), .data_size = size - rng_below(&w->rng, size / 16) };
		run_request(w, conn, &put);
		answer_some(w, 950);
	}
	for (int i = 0; i < n; i++) {
		if (!is_ready(w, AUDITOR) || w->deaths != deaths)
			return;
		if (rng_chance(&w->rng, 250))
			continue;
		delete.type = WIRE_DELETE;
		delete.serial = ++w->clients[AUDITOR].serial;
		delete.items[0] = (struct request_item){ .id = ids[i], .name = NAME_NONE };
		run_request(w, AUDITOR, &delete);
		answer_some(w, 400);
	}
	if (!is_ready(w, conn) || w->deaths != deaths || free_id(w) == ID_ALIEN ||
		model_used_bytes(&w->model) + 2 * w->model.pack.slab > model_capacity(&w->model))
		return;
	create.type = WIRE_CREATE;
	create.serial = ++w->clients[conn].serial;
	create.items[0] = (struct request_item){ .id = free_id(w), .name = NAME_NONE,
		.size = model_capacity(&w->model) - model_used_bytes(&w->model) +
			rng_below(&w->rng, 2 * w->model.pack.slab) };
	while (!is_unique_size(w, create.items[0].size))
		create.items[0].size++;
	run_request(w, conn, &create);
}

static void jump_clock(struct world *w)
{
	switch (rng_below(&w->rng, 4)) {
	case 0: /* somebody sets the time back */
		w->coverage->classes[COVERAGE_CLOCK_BACK]++;
		w->realtime -= rng_bits(&w->rng, 52);
		break;
	case 1:
		w->realtime += rng_bits(&w->rng, 52);
		break;
	default:
		w->now += rng_bits(&w->rng, 36);
	}
}

static void draw_quotas(struct world *w)
{
	static const uid_t uids[] = { 1000, 1002, (uid_t)-1 };
	struct rng *rng = &w->rng;

	w->config.n_quotas = 0;
	/* The auditor is always let in and heard. */
	w->quotas[w->config.n_quotas++] = (struct core_quota){ 0, UINT64_MAX, CORE_CONNECTIONS };
	w->quotas[w->config.n_quotas++] = (struct core_quota){ 0, UINT64_MAX, CORE_REQUESTS };
	for (int of = 0; of < CORE_N_RESOURCES; of++)
		for (int i = 0; i < 3; i++) {
			struct core_quota *quota = &w->quotas[w->config.n_quotas];

			if (!rng_chance(rng, of == CORE_BYTES ? 500 : 200))
				continue;
			*quota = (struct core_quota){ .uid = uids[i], .of = of };
			if (of == CORE_BYTES)
				quota->limit = w->config.capacity / rng_range(rng, 1, 8);
			else if (of == CORE_REQUESTS)
				quota->limit = rng_range(rng, 1, 40);
			else
				quota->limit = rng_chance(rng, 30) && of != CORE_CONNECTIONS ? 0 :
					rng_range(rng, 1, 30);
			w->config.n_quotas++;
		}
}

static void resize(struct world *w, uint64_t capacity)
{
	if (rng_chance(&w->rng, 250)) { /* the machine's other users take, and give back */
		w->limit = rng_chance(&w->rng, 400) ? UINT64_MAX : capacity;
		run_simple(w, EVENT_LIMIT, 0);
		return;
	}
	if (rng_chance(&w->rng, 500))
		w->config.max_fds = rng_range(&w->rng, 60, 200);
	w->config.capacity = capacity;
	if (rng_chance(&w->rng, 300))
		draw_quotas(w);
	run_simple(w, EVENT_CONFIGURE, 0);
}

static void audit(struct world *w)
{
	struct request request = { .type = WIRE_LIST, .token = -1, .name = NAME_NONE, .fd = -1,
		.label = -1 };

	read_events(w);
	if (!auditor_is_up(w))
		return;
	w->coverage->classes[COVERAGE_AUDITS]++;
	request.serial = ++w->clients[AUDITOR].serial;
	run_request(w, AUDITOR, &request);
	for (unsigned int id = 0; id < w->habits.ids; id++) {
		if (w->clients[AUDITOR].must_reconcile)
			return;
		request.type = WIRE_STAT;
		request.serial = ++w->clients[AUDITOR].serial;
		request.n_items = 1;
		request.items[0].id = id;
		request.items[0].name = NAME_NONE;
		run_request(w, AUDITOR, &request);
	}
}

static int random_client(struct world *w)
{
	uint32_t n = 0;
	int chosen = -1;

	for (int i = 1; i < CONNS; i++)
		if (w->clients[i].alive && !w->clients[i].doomed && rng_below(&w->rng, ++n) == 0)
			chosen = i;
	return chosen;
}

/* Its parent has not heard of the worker's death. */
static void fork_early(struct world *w, uint32_t conn)
{
	struct request request = { .type = WIRE_FORK, .token = -1, .name = NAME_NONE, .fd = -1 };

	request.serial = ++w->clients[conn].serial;
	run_request(w, conn, &request);
}

static void client_step(struct world *w, uint32_t conn)
{
	struct client *client = &w->clients[conn];

	if (w->model.conns[conn].child && rng_chance(&w->rng, 300) && !client->must_reconcile) {
		run_simple(w, EVENT_IDENTIFY, conn);
		return;
	}
	if (client->has_tail && rng_chance(&w->rng, 600))
		send_tail(w, conn);
	else if (client->must_reconcile && rng_chance(&w->rng, 50))
		fork_early(w, conn);
	else if (client->must_reconcile && (conn == AUDITOR || rng_chance(&w->rng, 700)))
		reconcile(w, conn);
	else if (client->must_retry)
		retry(w, conn);
	else
		new_request(w, conn);
}

static bool ask_about(struct world *w, uint32_t conn, uint16_t type, int id)
{
	struct request request = { .type = type, .timeout_ns = 1000, .token = -1, .name = NAME_NONE,
		.fd = -1, .n_items = 1 };
	struct request_item *item = &request.items[0];

	if (!is_ready(w, conn))
		return false;
	*item = (struct request_item){ .id = id, .name = NAME_NONE, .tag = rng_next(&w->rng) };
	if (type == WIRE_PUT)
		item->data_size = 1 + rng_below(&w->rng, w->config.inline_max);
	if (type == WIRE_GET)
		request.flags = WIRE_GET_MAP;
	if (type == WIRE_RELEASE) {
		item->refs = rng_below(&w->rng, 3); /* of two */
		item->pins = 1;
	}
	request.serial = ++w->clients[conn].serial;
	run_request(w, conn, &request);
	return true;
}

static void set_max_fds(struct world *w, uint32_t max_fds)
{
	w->config.max_fds = max_fds;
	run_simple(w, EVENT_CONFIGURE, 0);
}

/* One maps small objects and lets go of them; then there are hardly more descriptors than are in
 * use, while these objects are mapped again, or go, and others come. */
static void hoard(struct world *w, uint32_t conn)
{
	const uint32_t deaths = w->deaths, before = w->config.max_fds;
	int ids[24], n = 0;

	while (n < 24 && w->config.inline_max && (ids[n] = free_id(w)) != ID_ALIEN) {
		if (!ask_about(w, conn, WIRE_PUT, ids[n]))
			return;
		answer_some(w, 950);
		if (w->deaths != deaths || !ask_about(w, conn, WIRE_GET, ids[n]))
			return;
		answer_some(w, 950);
		if (w->deaths != deaths || !ask_about(w, conn, WIRE_RELEASE, ids[n++]))
			return;
	}
	set_max_fds(w, model_used_fds(&w->model) + rng_range(&w->rng, 4, 12));
	for (int i = 0; i < 24 && n && w->deaths == deaths; i++) {
		int id = ids[rng_below(&w->rng, n)];

		switch (rng_below(&w->rng, 6)) {
		case 0:
			ask_about(w, AUDITOR, WIRE_DELETE, id);
			break;
		case 1:
			ask_about(w, conn, WIRE_RELEASE, id);
			break;
		case 2:
			run_simple(w, EVENT_CONNECT, CORE_NO_CONN);
			break;
		case 3:
		case 4:
			ask_about(w, conn, WIRE_GET, id);
			break;
		default:
			conn = random_client(w);
			if (conn == CORE_NO_CONN)
				return;
			client_step(w, conn);
			if (w->clients[conn].doomed)
				run_simple(w, EVENT_DISCONNECT, conn);
		}
		answer_some(w, 400);
	}
	if (w->deaths == deaths && rng_chance(&w->rng, 800))
		set_max_fds(w, before);
}

static void step(struct world *w)
{
	unsigned int dice = rng_below(&w->rng, 10000);
	int conn;

	for (int i = 0; i < CONNS; i++)
		if (w->clients[i].alive && w->clients[i].doomed) {
			run_simple(w, EVENT_DISCONNECT, i);
			return;
		}
	if (core_deadline(w->core) <= w->now &&
		!(model_is_giving_back(&w->model) && rng_chance(&w->rng, 600))) {
		run_simple(w, EVENT_TICK, 0);
		return;
	}
	if (!auditor_is_up(w)) {
		client_step(w, AUDITOR);
		return;
	}
	if (w->n_jobs && rng_chance(&w->rng, w->patience)) {
		run_answer(w, rng_below(&w->rng, w->n_jobs));
		return;
	}
	conn = random_client(w);
	if (dice < 40 || conn < 0) {
		run_simple(w, EVENT_CONNECT, CORE_NO_CONN);
	} else if (dice < 80) {
		run_simple(w, EVENT_DISCONNECT, conn);
	} else if (dice < 300) {
		if (rng_chance(&w->rng, 200))
			jump_clock(w);
		else
			w->now += rng_bits(&w->rng, 30);
		w->realtime += 1000;
		run_simple(w, EVENT_TICK, 0);
	} else if (dice < 330) {
		resize(w, w->habits.usual_size * rng_range(&w->rng, 1, 24) +
			rng_below(&w->rng, 100000));
	} else if (dice < 335) {
		audit(w);
	} else if (dice >= 9950) {
		read_events(w);
	} else if (dice >= 9945) {
		subscribe_often(w, conn);
	} else if (dice >= 9900 && dice < 9945 && is_ready(w, conn)) {
		cram(w, conn);
	} else if (dice >= 9870 && dice < 9900 && is_ready(w, conn)) {
		hoard(w, conn);
	} else if (dice < 336 && rng_chance(&w->rng, 100)) {
		flood(w, conn);
	} else if (dice < 337 && is_ready(w, conn)) {
		crowd(w, conn);
	} else {
		client_step(w, conn);
	}
}

/* ---- a life ---- */

static void draw_config(struct world *w)
{
	struct rng *rng = &w->rng;
	uint64_t capacity;

	switch (rng_below(rng, 3)) {
	case 0:
		capacity = 64 * 1024 + rng_below(rng, 2 << 20);
		break;
	case 1:
		capacity = rng_range(rng, 4 << 20, 64 << 20);
		break;
	default:
		capacity = UINT64_C(1) << rng_range(rng, 28, 36);
		break;
	}
	w->config = (struct core_config){
		.capacity = capacity,
		.max_fds = rng_chance(rng, 300) ? rng_range(rng, 50, 90) : 400,
		.max_objects = rng_chance(rng, 200) ? rng_range(rng, 16, 40) : 128,
		.max_events = rng_chance(rng, 300) ? rng_range(rng, 1, 200) : 0,
		.max_connections = rng_range(rng, 8, CONNS - 2),
		.max_connections_per_uid = rng_range(rng, 2, 6),
		.inline_max = rng_chance(rng, 200) ? 0 : rng_chance(rng, 500) ? WIRE_INLINE_MAX :
			rng_bits(rng, 16),
		.huge_pages = rng_chance(rng, 500),
		.queue_deadline_ns = rng_chance(rng, 300) ? FOREVER_NS : 1 + rng_bits(rng, 36),
		.transit_lease_ns = 1 + rng_bits(rng, 38),
		.pool_max = rng_chance(rng, 400) ? capacity / 4 : 0,
		.policy = rng_chance(rng, 500) ? "lru" : NULL,
		.quotas = w->quotas,
		.arena_base = UINT64_C(0x200000000000),
		.shared = rng_chance(rng, 500),
		.metadata_share = rng_chance(rng, 200) ? rng_range(rng, 80, 256) << 10 : 0,
		.give_back = rng_chance(rng, 500) ? rng_range(rng, 1, 4) : 0,
	};
	draw_quotas(w);
	for (int i = 0; i < 16; i++)
		w->config.hash_key[i] = rng_next(rng);
	w->first_config = w->config;
	memcpy(w->first_quotas, w->quotas, sizeof w->quotas);
	w->first_config.quotas = w->first_quotas;
}

static void begin(struct world *w)
{
	int result;

	draw_config(w);
	kernel_init(&w->kernel);
	habits_draw(&w->habits, &w->rng, w->config.capacity);
	if (w->config.metadata_share)
		w->habits.bulkiness = 200;
	w->patience = rng_chance(&w->rng, 300) ? 80 : rng_range(&w->rng, 200, 800);
	w->deadliness = rng_range(&w->rng, 50, 400);
	w->next_pid = 100;
	w->now = 1 + rng_bits(&w->rng, 50);
	w->realtime = INT64_C(1700000000) * NS_PER_S + rng_bits(&w->rng, 50);
	w->memory_size = core_memory_size(&w->config);
	w->memory = mmap(NULL, w->memory_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->memory == MAP_FAILED)
		broken("the simulation finds no memory: %s", strerror(errno));
	model_init(&w->model, &w->kernel, w->coverage, &w->config);
	result = core_open(&w->core, &w->config, w->memory, w->memory_size, w->now, w->realtime);
	if (result < 0)
		broken("core_open() of fresh memory: %s", strerror(-result));
	core_set_store_hook(on_store, w);
	w->model.generation = core_generation(w->core);
	w->ending = true; /* the auditor is there in any case */
	run_simple(w, EVENT_CONNECT, AUDITOR);
	w->ending = false;
	while (random_client(w) < 3)
		run_simple(w, EVENT_CONNECT, CORE_NO_CONN);
}

/* Finish what is under way, without deaths or failures. */
static void calm(struct world *w)
{
	w->ending = true;
	for (int i = 0; i < CONNS; i++) {
		while (w->clients[i].alive && w->clients[i].must_reconcile)
			reconcile(w, i);
		while (w->clients[i].alive && w->clients[i].must_retry)
			retry(w, i);
	}
	while (model_is_giving_back(&w->model))
		run_simple(w, EVENT_TICK, 0);
	while (w->n_jobs)
		run_answer(w, rng_below(&w->rng, w->n_jobs));
}

/* Everybody leaves, everything is deleted: nothing must be left. */
static void end(struct world *w)
{
	struct core_totals totals;
	struct request request = { .type = WIRE_DELETE, .token = -1, .name = NAME_NONE, .fd = -1,
		.n_items = 1 };

	calm(w);
	audit(w);
	for (int i = 1; i < CONNS; i++)
		if (w->clients[i].alive)
			run_simple(w, EVENT_DISCONNECT, i);
	calm(w);
	for (int i = 0; i < OBJECTS; i++) {
		if (!w->model.objects[i].live || w->model.objects[i].deleted)
			continue;
		request.serial = ++w->clients[AUDITOR].serial;
		request.items[0].id = w->model.objects[i].id;
		request.items[0].name = NAME_NONE;
		run_request(w, AUDITOR, &request);
	}
	w->now += 400 * NS_PER_S;
	run_simple(w, EVENT_TICK, 0);
	calm(w);
	read_events(w);
	run_simple(w, EVENT_DISCONNECT, AUDITOR);
	calm(w);
	w->now += 400 * NS_PER_S;
	run_simple(w, EVENT_TICK, 0);
	calm(w);
	core_totals(w->core, &totals);
	if (totals.charged_bytes || totals.metadata_bytes || totals.freeing_bytes ||
		totals.pinned_bytes || totals.names || totals.leases || totals.queued ||
		totals.waiting || totals.connections || totals.pool_bytes || totals.fds)
		broken("all is given back, and %llu bytes, %llu of metadata, %llu being freed, %llu "
		       "pinned, %llu in the pool, %u names, %u leases, %u descriptors are left",
			(unsigned long long)totals.charged_bytes,
			(unsigned long long)totals.metadata_bytes,
			(unsigned long long)totals.freeing_bytes,
			(unsigned long long)totals.pinned_bytes,
			(unsigned long long)totals.pool_bytes, totals.names, totals.leases,
			totals.fds);
	if (w->kernel.open)
		broken("%u descriptors are still open", w->kernel.open);
}

static void live(struct world *w, uint64_t events)
{
	uint64_t own = EVENTS_MIN + rng_bits(&w->rng, 10);

	begin(w);
	while (event_number < own || w->deaths == 0) {
		if (events && event_number >= events)
			return;
		if (event_number > own / 2 && w->deaths == 0 && w->deadliness < 5000)
			w->deadliness = 5000;
		step(w);
	}
	if (events == 0 || event_number < events)
		end(w);
}

bool world_run(uint64_t seed, uint64_t events, bool verbose, struct coverage *coverage, char *what,
	size_t what_size)
{
	struct world *w = calloc(1, sizeof *w);
	bool good;

	assert(w);
	world = w;
	event_number = 0;
	broken_text = what;
	broken_size = what_size;
	w->coverage = coverage;
	w->verbose = verbose;
	rng_seed(&w->rng, seed);
	good = setjmp(on_broken) == 0;
	if (good) {
		live(w, events);
		w->core = core_close(w->core);
	}
	core_set_store_hook(NULL, NULL);
	if (w->memory)
		(void)munmap(w->memory, w->memory_size);
	kernel_deinit(&w->kernel);
	request_scratch_deinit(&w->scratch);
	free(w);
	return good;
}
