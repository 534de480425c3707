/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/model.h - what the store must do: the rules of core/core.h, said a second time
 *
 * The model is told of every event before the core is (model_request(),
 * model_made(), ...), then of every effect in the order in which the core gave
 * them (model_effect()), then that there are no more (model_settle()).  It knows
 * objects, holdings, names, leases, the queue and every outstanding request, all
 * in plain arrays that are searched from end to end.  It shares no code with the
 * core and believes nothing that the core says of itself.
 *
 * An effect that a rule forbids, and one that a rule demands and that did not
 * come, end the seed through broken().
 *
 * Where a rule leaves a choice to the core (which waiting request is served first
 * when several may be, when exactly a victim goes), the model takes what it sees
 * and checks that it was allowed.  A worker that dies takes effects with it that
 * the model has not seen: model_heir_fd() and model_heir_end() find out from the
 * descriptors that the tables name what became of the objects.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "coverage.h"
#include "kernel.h"
#include "request.h"

#define OBJECTS     224
#define CONNS       24
#define WAITS       1400
#define WANTS       256
#define LEASES      1024
#define MODEL_NAMES 128

enum object_state { OBJECT_DRAFT = 1, OBJECT_RESIDENT };

struct object {
	bool live;
	enum object_state state;
	bool deleted;      /* by name; kept by pins */
	bool doomed;       /* must be closed by the end of the event */
	bool hollow;       /* deleted, its memory is gone, but references are held */
	bool sealing;      /* SEAL was asked for, and the kernel may be at it */
	bool seal_due;     /* its last writer has gone: the kernel is asked now, come what may */
	uint32_t seal_ticket;
	int sealer;        /* the wait that asked for it; -1: is gone */
	uint32_t sealer_item;
	bool held;         /* without a name */
	bool vague;        /* idle since it is not known when: effects were lost */
	bool named, losing; /* what an heir finds */
	int id;
	uid_t uid;
	gid_t gid;
	uint32_t mode;
	uint64_t size, bytes; /* bytes: what it is charged, without metadata */
	uint64_t tag;
	uint32_t metadata_size;
	uint64_t metadata_tag;
	int fd;
	bool packed;       /* it is in the pack, */
	uint64_t place;    /* at this offset */
	uint64_t inode, address;
	uint64_t sealed_event;
	uint64_t idle_since; /* event since which it has neither reference nor pin; 0: it has */
	uint64_t order;      /* of creation */
	uint64_t sequence;   /* what the tables call it; 0: not known */
	uint32_t creator;    /* connection; CORE_NO_CONN when that ended */
	uint64_t life, serial; /* the request that made it, */
	uint64_t sealed_life, sealed_serial; /* and the one that sealed it */
	uint32_t item;
	int name;            /* that it gets when it is sealed */
	bool hold;
	struct attributes attributes; /* ttl_ns: as asked for */
	bool pinned;         /* hard */
	int64_t expires;     /* 0: never */
};

struct conn {
	bool live;
	bool condemned;  /* has violated the protocol: DISCONNECT is due */
	bool mute;       /* must not be sent anything more */
	bool resume_due; /* a worker died, and WIRE_RESUME has not been sent */
	bool resuming;   /* WIRE_RESUME was sent, WIRE_RECONCILE is due */
	bool named;      /* what an heir finds */
	bool child;      /* of a fork, has not said who it is */
	bool ending;     /* the client is dead, and the worker died when it was told */
	bool dying;      /* it is over, and some of what it held has not been given back, */
	bool stepped;    /* but the first of it has */
	uint64_t life;   /* never the same twice */
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t groups[4];
	size_t n_groups;
	uint32_t refs[OBJECTS], pins[OBJECTS];
	uint32_t listed_refs[OBJECTS], listed_pins[OBJECTS]; /* RECONCILE so far */
	int fds[3];      /* call, service, pidfd; -1 */
};

enum expect {
	EXPECT_LATER = 1, /* may wait */
	EXPECT_NOW,       /* its answer is known and due within this event */
};

/* A request that has not been answered. */
struct wait {
	bool used;
	bool asleep;         /* the worker that knew of it is dead; it will be sent again */
	uint32_t conn;
	uint64_t arrival;
	int64_t deadline;
	struct request request;
	enum expect expect;
	int status[ITEMS];   /* EXPECT_NOW: of each item */
	int object[ITEMS];   /* what the item is about; -1: nothing */
	bool granted;        /* LOOKUP, LOAD: the reference was added at the request */
	uint64_t done;       /* bits: items that were carried out, though the answer was lost */
	bool assembling;     /* more packets of it are to come */
	bool refused;        /* too many wait */
	bool canceled;
	bool waited;         /* it was there when an earlier event ended */
	bool unpacking;      /* a GET: memfds are made for its objects, */
	uint64_t orders[ITEMS]; /* which are these (object[]) */
	int failed;          /* how the first of them failed */
};

/* An item of a CREATE, PUT or PUT_FD on its way to being an object. */
enum want_state { WANT_QUEUED = 1, WANT_MAKING, WANT_ADOPTING, WANT_WRITING };

struct want {
	bool used;
	enum want_state state;
	int wait;       /* -1: whoever wanted it is gone */
	uint32_t item;
	int id;
	uid_t uid;
	uint64_t bytes, metadata_size, size, tag;
	struct attributes attributes;
	bool pin;
	uint32_t ticket;
	int fd;         /* pool memfd, or the one offered; -1 */
	uint32_t passes;
	uint64_t arrival;
	bool queued;    /* it was in the queue when an earlier event ended */
	bool small;     /* it may go into the pack, */
	uint64_t place, stamp, turn; /* and is being written there: what, and after which others */
	bool unpack;    /* a GET's: a memfd for this object, which is in the pack */
	int object;
	uint64_t order;
};

/* ---- the pack ---- */

#define FRAMES 512
#define MOVES  512
#define LEFT   512

struct frame {
	bool used, punched;
	uint64_t number, bytes;
	int class;       /* of the slots; -1: none */
	uint32_t ticket; /* of the PUNCH */
};

struct move {
	bool used;
	uint32_t ticket;
	int object;
	uint64_t order;
	int fd;          /* of the memfd that the object is in; -1: it is in the pack, */
	uint64_t from, to, size;
	uint64_t source; /* and this frame is being emptied */
};

/* A place that is nobody's, and is to be given back. */
struct left {
	bool used;
	uint64_t place, size;
};

struct model_pack {
	bool open, opening;
	int fd;
	uint64_t slab;
	struct frame frames[FRAMES];
	struct move moves[MOVES];
	struct left left[LEFT];
	uint32_t begun;  /* in this event: objects on their way from memfds */
	int64_t again;   /* none before this: one failed */
};

struct name {
	bool used;
	uid_t uid;
	int name, object;
};

struct lease {
	bool used;
	int token, object;
	uid_t uid;
	int64_t expires;
};

#define MODEL_QUOTAS (3 * CORE_N_RESOURCES + 2)

struct model {
	const struct kernel *kernel;
	struct coverage *coverage;
	struct core_config config;
	struct core_quota quotas[MODEL_QUOTAS];
	size_t n_quotas;
	uint64_t capacity; /* as configured */
	uint64_t limit;    /* what the machine has */
	uint32_t max_fds;
	int64_t now, realtime;
	uint64_t event;
	uint64_t generation;
	struct object objects[OBJECTS];
	struct conn conns[CONNS];
	struct wait waits[WAITS];
	uint32_t n_waits; /* none used at or above */
	struct want wants[WANTS];
	struct name names[MODEL_NAMES];
	struct lease leases[LEASES];
	uint64_t arrivals, orders, lives;
	struct gone {
		int reason; /* 0: not known to be gone; else -ENOENT or -ENODATA */
		uid_t uid;
		gid_t gid;
		uint32_t mode;
		uint64_t life, serial; /* who had sealed it */
		uint64_t event;        /* in which it went */
		uint64_t back;         /* event in which the id was there again */
	} gone[IDS];
	enum role {
		ROLE_NONE,
		ROLE_OBJECT,
		ROLE_POOL,
		ROLE_PACK,
		ROLE_WANT,    /* of the pool, being made into an object: charged as the want */
		ROLE_CLOSING, /* CLOSE was ordered */
		ROLE_ORPHAN,  /* CLOSE has to be ordered by the end of the event */
		ROLE_BROKEN,  /* a stranger's, that CLOSE_STRANGER has to end */
	} roles[KERNEL_FDS];
	uint64_t bad_releases;
	struct model_pack pack;
	uid_t ring[16];        /* uids with queued creates: whose turn it is, first */
	uint32_t n_ring;
	bool fd_wanted;        /* room for an offered descriptor is made in this event, */
	uid_t fd_wanted_uid;   /* which is of this uid */
	uint64_t closing[KERNEL_FDS]; /* ROLE_CLOSING: what it is charged */
	uint64_t fills_bytes;  /* pool memfds being filled */
	uint32_t fills;
	bool blurred[IDS];     /* somebody may hold a deleted object of this id and not know it */
	bool lossy;            /* effects were lost, and not every connection has reconciled, */
	uint32_t hidden;       /* and so many objects went meanwhile that the core may still know */
	struct request suspects[64]; /* GETs that were told of a gone id: it must be gone by the end */
	uint32_t suspect_conns[64], n_suspects;
	uint32_t deaths;
	uint64_t used_before;  /* bytes, when the last event ended */
	uint32_t fds_before;
	bool ticked;
	bool step_due;         /* connections were dying when this event began: if it is a tick, one
				  of them gives more back, */
	bool step_taken;       /* and has */
};

/* The seed ends here; see world.c. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

void model_init(struct model *model, const struct kernel *kernel, struct coverage *coverage,
	const struct core_config *config);

/* ---- events: before the core is told, unless they say otherwise ---- */

void model_begin(struct model *model, int64_t now, int64_t realtime);
/* After the core was asked. */
void model_connected(struct model *model, const struct core_peer *peer, int result, uint32_t conn);
void model_disconnect(struct model *model, uint32_t conn);
/* After the core was told of anything: what a dying connection still has, as the tables say. */
struct leftover {
	bool holds[OBJECTS];
	uint32_t n;
};
void model_given_back(struct model *model, uint32_t conn, const struct leftover *left);
void model_request(struct model *model, uint32_t conn, const struct request *request);
/* After a FORK. */
void model_forked(struct model *model, uint32_t parent, uint32_t child, int fd);
void model_identify(struct model *model, uint32_t conn, pid_t pid, int pid_fd, int service_fd);
void model_made(struct model *model, uint32_t ticket, int result, int fd);
void model_adopted(struct model *model, uint32_t ticket, int result);
void model_sealed(struct model *model, uint32_t ticket, int result);
void model_closed(struct model *model, int fd);
void model_pool_filled(struct model *model, uint64_t size, int result, int fd);
void model_pack_opened(struct model *model, int result, int fd);
void model_packed(struct model *model, uint32_t ticket, int result);
void model_tick(struct model *model);
/* The times to live that are over end: a tick does that, and each request before all else. */
void model_expire(struct model *model);
void model_configure(struct model *model, const struct core_config *config);
void model_limit(struct model *model, uint64_t bytes);

/* ---- effects ---- */

void model_effect(struct model *model, const struct core_effect *effect);
/* No more effects.  What was due must have come, and everything must add up. */
void model_settle(struct model *model, const struct core *core);

/* ---- what the auditor was told of events ---- */

/* The number that it has to ask for next. */
uint64_t model_events_next(void);
/* Was there something in the last answer? */
bool model_events_more(void);
/* It has read all: does that tell of the objects that there are? */
void model_events_compare(const struct model *model);

/* ---- the heir ---- */

/* A worker died.  @lossy: its last event happened, but not all its effects. */
void model_death(struct model *model, bool lossy);
/* It died before it had carried out this request. */
void model_unheard(struct model *model, uint32_t conn, const struct request *request);
void model_heir_begin(struct model *model);
/* A connection that the tables know, but that was never told so. */
void model_newborn(struct model *model, uint32_t conn);
void model_heir_fd(struct model *model, const struct core_fd *fd, bool lost);
/* An object that the tables have in the pack, and what is there. */
void model_heir_place(struct model *model, int id, uint64_t offset, uint64_t tag);
uint64_t model_pack_offset(const struct model *model, uint32_t frame, uint32_t slot, uint64_t size);
void model_heir_end(struct model *model);
/* What this connection believes to hold, as a RECONCILE. */
void model_reconcile(const struct model *model, uint32_t conn, struct request *request);
void model_reconciled(struct model *model, uint32_t conn, const struct request *request);

/* ---- questions ---- */

bool model_may_read(const struct model *model, uint32_t conn, const struct object *object);
bool model_may_write(const struct model *model, uint32_t conn, const struct object *object);
/* The object that has this id now, in whatever state; -1. */
int model_find(const struct model *model, int id);
/* The sealed object of this id that the connection may read; -1. */
int model_visible(const struct model *model, uint32_t conn, int id);
uint64_t model_charge(const struct model *model, uint64_t size);
/* What may be used now. */
uint64_t model_capacity(const struct model *model);
uint64_t model_used_bytes(const struct model *model);
uint32_t model_used_fds(const struct model *model);
/* When something must happen by itself; INT64_MAX: never. */
int64_t model_deadline(const struct model *model);
/* Is there a connection of which not all has been given back? */
bool model_is_giving_back(const struct model *model);
/* References and pins of all holders together. */
uint64_t model_refs(const struct model *model, int object);
uint64_t model_pins(const struct model *model, int object);

#endif
