/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/state.h - what a worker knows besides the tables: struct core
 *
 * Derived from the tables by core_open(): objects[], connections[], holdings[],
 * names[], leases[] run parallel to the record arrays there (same index), and
 * link the records to each other; accounts sum them up by uid.
 *
 * Of this worker alone: requests that wait (struct pending), objects on their
 * way (struct make), effects that the edges are carrying out (struct operation).
 *
 * Private to src/core.  Everything *main*.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/blob.h"
#include "core/core.h"
#include "core/effect.h"
#include "core/pack.h"
#include "core/repack.h"
#include "core/tables.h"
#include "core/victims.h"
#include "ds/hash.h"
#include "ds/heap.h"
#include "ds/index-map.h"
#include "ds/list.h"

#define CORE_CONNECTION_FDS 3 /* call socket, service socket, pidfd */

/* ---- derived, parallel to the tables ---- */

/* Objects and holdings exist by the million: every byte of these two counts. */
struct object {
	struct index_node by_id; /* in core.objects_by_id, or core.deleted_by_id */
	struct index_list holdings, names, leases;
	struct index_link victim_link; /* the policy's, while it may be evicted */
	union {
		struct index_link own_link; /* in its account's victims, likewise */
		uint32_t payer; /* of a deleted one: the holding it is charged to; NONE: its owner */
	};
	uint32_t sealing;        /* ticket of the SEAL in flight; 0: none */
	uint32_t wanted : 30;    /* GETs that wait for its memfd */
	uint32_t idle : 1;       /* see core/repack.h, */
	uint32_t repacking : 1;  /* and a copy of it is on its way into the pack */
	uint64_t refs, pins;     /* sums over its holdings */
};

struct connection {
	struct index_list holdings;
	struct list pendings;    /* waiting requests, oldest first */
	struct account *account;
	gid_t *groups;
	size_t n_groups;
	uint32_t n_pendings, n_assembling, n_holdings, n_subscribers;
	uint64_t held_bytes;     /* charges of what it holds: who is a large holder */
	bool reconciling;        /* WIRE_RESUME was sent, RECONCILE is awaited */
	bool condemned;          /* CORE_DISCONNECT was sent */
	struct list dying_link;  /* in core.dying, while it is being given back in steps */
};

struct holding {
	struct index_node by_pair;
	struct index_link connection_link, object_link;
	uint32_t listed_refs, listed_pins; /* by RECONCILE so far */
};

struct name {
	struct hash_node by_text; /* not while it is a draft's */
	struct index_link object_link;
};

struct lease {
	struct hash_node by_token;
	struct index_link object_link;
	struct heap_node deadline;
};

/* ---- by uid ---- */

/* What objects cost their uid. */
struct cost {
	uint64_t bytes, metadata; /* bytes: with the metadata's */
	uint64_t objects, fds;
};

struct account {
	struct list link;         /* in core.accounts */
	struct hash_node by_uid;
	uid_t uid;
	uint64_t limits[CORE_N_RESOURCES]; /* UINT64_MAX: none */
	struct cost charged;      /* for its objects, makes and offered memfds */
	struct cost evictable;    /* of it, what its victims would give back */
	struct index_list victims[PRIORITY_LEVELS]; /* its objects that may be evicted, longest first */
	struct repack_hand repack; /* its idle objects */
	uint64_t hard_pin_bytes;  /* of its objects and makes that are pinned hard: see pin_bytes() */
	uint32_t n_hard_pins;
	uint32_t n_connections, n_holdings, n_names, n_leases, n_pendings;
	uint64_t pending_bytes;   /* kept for its waiting requests */
	struct list idle_link;    /* in core.idle_accounts: perhaps nothing is charged any more */
	struct list ring_link;    /* in core.queue.ring, while creates of it wait */
	struct list waiting;      /* those makes */
	uint64_t smallest;        /* none of them needs less than this */
};

/* ---- requests that wait ---- */

enum deadline_kind { DEADLINE_PENDING, DEADLINE_LEASE };

/* One item's part of the answer. */
struct outcome {
	struct id128 id;
	int32_t status;
	uint32_t object; /* of a CREATE: where its descriptor is */
};

/* A GET or WAIT looks at an id. */
struct watch {
	struct list link;    /* in watched.watches, in order of arrival */
	struct watched *watched;
	struct pending *pending;
	int32_t status;      /* -EAGAIN: not there; 0; -ENOENT, -ENODATA: gone */
};

struct watched {
	struct hash_node by_id;
	struct id128 id;
	struct list watches;
};

/* An object that a GET wants mapped. */
struct wanted {
	uint32_t object;
	uint64_t sequence;
};

struct pending {
	struct list link;         /* in its connection's pendings */
	struct list done_link;    /* while the watches of one id are gone through */
	struct list subscriber_link; /* in core.subscribers, while a SUBSCRIBE waits */
	struct heap_node deadline;
	uint32_t connection;
	uint16_t type;
	bool assembling;          /* more packets of the request are to come */
	bool retry;
	uint64_t serial;
	uint32_t flags, limit;    /* GET, WAIT, SUBSCRIBE */
	uint64_t cursor;          /* SUBSCRIBE: nothing before this is for it */
	int64_t timeout_ns;
	size_t bytes;             /* charged to the account's pending_bytes */
	struct outcome *outcomes; /* one per item */
	size_t n_items, room;
	uint32_t n_unfinished;    /* items without an outcome */
	int32_t status;           /* of the first item that failed */
	char *text;
	struct list makes;        /* CREATE, PUT, PUT_FD */
	struct list sealings;     /* SEAL: items that wait for writers (core/share.c) */
	struct watch *watches;    /* GET, WAIT; n_items of them */
	uint32_t n_ready, n_gone;
	bool unpacking;           /* GET: its makes get memfds for objects in the pack */
	struct wanted *wanted;    /* those objects */
	uint32_t n_wanted;
};

/* ---- objects on their way ---- */

struct make {
	struct hash_node by_id;     /* the id is taken */
	struct list pending_link;
	struct list queue_link;     /* in its account's waiting */
	struct list fresh_link;     /* in core.fresh: still borrows from the request's packet */
	struct pending *pending;    /* NULL: nobody wants it any more */
	uint32_t item;              /* of the pending */
	uint32_t ticket;            /* of the MAKE, ADOPT in flight; 0: waits */
	struct account *account;
	struct id128 id;
	uint64_t size;
	uint64_t charge;            /* data; at least what a pool memfd brings */
	uint32_t uid, gid;
	uint16_t mode;
	bool hold, seal;
	int fd;                     /* PUT_FD: the offered memfd; else -1 */
	struct pack_place place;    /* in the pack, from make_grant() on; frame TABLES_NONE: not there */
	struct list batch_link;     /* in the batch that writes it there */
	uint32_t object;            /* of a GET: that gets this memfd; TABLES_NONE: a new one */
	uint64_t sequence;          /* likewise: which object that is */
	uint32_t passes;            /* how often it was passed (R9) */
	uint32_t metadata_size;
	uint32_t blob;              /* metadata, once it is granted */
	uint32_t data_size;
	const void *metadata, *data; /* borrowed, or in copy */
	const char *name;            /* likewise; NULL: none */
	void *copy;
	size_t copy_size;
	int8_t priority;
	bool pin;                    /* hard, and counted so in its account */
	struct attributes_record *attributes; /* its own; NULL: none */
	uint32_t attributes_size;
	uint32_t attributes_blob;    /* them, once it is granted */
};

/* ---- effects in flight ---- */

enum operation_kind {
	OPERATION_FREE,
	OPERATION_MAKE,
	OPERATION_ADOPT,
	OPERATION_SEAL,
	OPERATION_CLOSE,
	OPERATION_FILL,
	OPERATION_PACK_OPEN,
	OPERATION_PACK_WRITE, /* of makes */
	OPERATION_PACK_MOVE,  /* of objects */
	OPERATION_PUNCH,
};

/* An object on its way to another place. */
struct move {
	uint32_t object;
	uint64_t sequence;
	uint64_t size;
	int fd;                 /* it comes from a memfd; OBJECT_IN_PACK: from the pack, */
	struct pack_place from; /* from here */
	struct pack_place to;
};

/* What one CORE_PACK_WRITE carries. */
struct batch {
	struct list makes;
	struct move *moves;
	size_t n_moves, moves_room;
	uint32_t frame;         /* that is being emptied; TABLES_NONE: none */
	struct core_pack_write *writes;
	size_t n_writes, writes_room;
};

struct operation {
	enum operation_kind kind;
	uint32_t next_free;
	struct make *make;       /* MAKE, ADOPT */
	struct pending *pending; /* SEAL; NULL: nobody waits */
	uint32_t item;           /* SEAL */
	uint32_t object;         /* SEAL; TABLES_NONE: it is gone, close fd when done */
	uint64_t bytes;          /* CLOSE, PUNCH: being freed; FILL: asked for; SEAL of a gone object:
	                            its charge */
	uint32_t frame;          /* PUNCH */
	struct batch *batch;     /* PACK_WRITE, PACK_MOVE */
	int fd;                  /* SEAL */
};

/* ---- the rest ---- */

struct queue {
	struct list ring;  /* accounts with waiting makes: whose turn it is, first */
	uint32_t n;        /* waiting makes */
	uint64_t smallest; /* no waiting make needs less than this */
};

/* What big creates of late asked for. */
#define POOL_RECENT 8
struct pool {
	uint64_t bytes;             /* of entries and of fills in flight */
	uint32_t n_filling;
	bool started;               /* the first client came */
	uint64_t recent[POOL_RECENT];
	uint32_t next_recent, next_fill;
	int64_t window_start_ns;
	uint64_t window_bytes, last_window_bytes;
	int64_t last_create_ns;
	int64_t last_big_ns;        /* of those that the pool is for */
	int64_t retry_ns;           /* no fill before this: one failed */
};

/* ---- the pack ---- */

enum frame_state {
	FRAME_FREE,
	FRAME_SLAB,
	FRAME_EVACUATING, /* a slab that gives no slots any more */
	FRAME_PAGES,      /* one object's */
	FRAME_SPARE,      /* an empty slab that is kept */
	FRAME_PUNCHED,    /* its memory is being given back */
};

struct frame {
	struct index_link link; /* among the free, the spare, or slabs of its class and fill */
	uint32_t *objects;      /* by slot; see pack.c */
	uint32_t free;          /* first free slot */
	uint16_t n_used;
	uint8_t class;
	uint8_t state;          /* enum frame_state */
};

struct pack_class {
	struct index_list partial[8]; /* slabs with a free slot, by how full they are */
	uint32_t slots;               /* of a slab */
	uint32_t n_slabs;
	uint32_t n_live;              /* objects, and writes in flight but for moves in the pack */
	uint32_t n_free;              /* slots to be had */
	uint32_t n_victims;           /* objects that may be evicted */
	uint32_t evacuating;          /* frame; TABLES_NONE: none */
};

struct pack {
	struct frame *frames;
	size_t n_frames, frames_room; /* those above n_frames were never used */
	uint32_t max_frames;
	struct index_list free, spare;
	uint32_t n_spare;
	struct pack_class classes[PACK_CLASSES];
	uint64_t bytes;             /* of frames in use; those being punched are being freed */
	uint64_t live_bytes;        /* charges of what is in it */
	uint64_t victim_pages;      /* of objects with pages of their own that may be evicted */
	uint32_t n_objects;         /* and writes in flight, */
	uint32_t n_punching;
	uint32_t n_writing;         /* which are these: of makes, and from memfds */
	uint32_t opening;           /* ticket of the PACK_OPEN in flight; 0: none */
	int64_t retry_ns;           /* it could not be opened: not before this */
	uint32_t ticket;            /* of the batch of this event's makes; 0: none */
	bool loosened;              /* slots were given back: a class may leave too much empty */
};

struct core {
	struct core_config config;
	struct core_quota *quotas;
	uint64_t limit;             /* what the machine allows at present; UINT64_MAX: enough */
	struct tables tables;
	int64_t now;
	int64_t realtime_offset;    /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	bool resumed;               /* descriptors are closed by effects */

	struct object *objects;
	struct connection *connections;
	struct holding *holdings;
	struct name *names;
	struct lease *leases;
	struct index_map objects_by_id, deleted_by_id, holdings_by_pair;
	struct hash_map names_by_text, leases_by_token, gone_by_id, accounts_by_uid, makes_by_id,
		watched_by_id, sealings_by_object;
	struct hash_node *gone;     /* parallel to tables.gone */
	struct list accounts, idle_accounts;
	struct list dying;          /* connections that ended, and hold something yet */
	struct heap deadlines, lease_deadlines, expiry_deadlines;
	struct hash_map expiries;   /* objects with a time to live: see core/attribute.c */

	struct arena arena;
	struct blob_heap blobs;
	struct victims victims;

	/* R2: used by whom */
	uint64_t object_bytes, metadata_bytes, freeing_bytes, pinned_bytes;
	uint64_t victim_bytes;      /* what is not in the pack; metadata of all */
	uint32_t n_fds;             /* in use, all kinds */
	uint32_t n_freeing_fds, n_victims, n_pool;
	uint32_t n_victim_fds;      /* but for those on their way into the pack */
	uint32_t n_evicted;         /* in this event */
	bool in_haste;              /* the event did not finish what it could: come back at once */
	uint32_t n_unpacks;         /* makes of GETs that wait for room */
	uint32_t n_created, n_resident, n_deleted, n_making, n_connections, n_names, n_leases,
		n_pendings;

	struct list subscribers;    /* waiting SUBSCRIBEs, oldest first */
	uint64_t oldest_event;      /* no note before this number is kept */
	uint64_t published_events;  /* subscribers have been told up to this number */
	struct queue queue;
	struct list fresh;          /* makes of this event */
	struct pool pool;
	struct pack pack;
	struct repack repack;

	/* objects in order of creation, with gaps; see core/look.c */
	struct order_entry {
		uint32_t sequence[2]; /* low and high half: 12 bytes, not 16 */
		uint32_t object;
	} *order;
	size_t n_order, order_room;

	struct operation *operations; /* ticket - 1 */
	size_t n_operations, operations_room;
	uint32_t free_operation;

	struct effects effects;
};

/* ---- from index to record, and back ---- */

static inline struct object_record *object_record(const struct core *core, uint32_t o)
{
	return &core->tables.objects[o];
}

static inline struct connection_record *connection_record(const struct core *core, uint32_t c)
{
	return &core->tables.connections[c];
}

static inline struct holding_record *holding_record(const struct core *core, uint32_t h)
{
	return &core->tables.holdings[h];
}

/* ---- the links of what is linked by index ---- */

static inline struct index_nodes objects_by_id(const struct core *core)
{
	return INDEX_NODES(core->objects, by_id);
}

static inline struct index_nodes holdings_by_pair(const struct core *core)
{
	return INDEX_NODES(core->holdings, by_pair);
}

static inline struct index_links object_holdings(const struct core *core)
{
	return INDEX_LINKS(core->holdings, object_link);
}

static inline struct index_links connection_holdings(const struct core *core)
{
	return INDEX_LINKS(core->holdings, connection_link);
}

static inline struct index_links object_names(const struct core *core)
{
	return INDEX_LINKS(core->names, object_link);
}

static inline struct index_links object_leases(const struct core *core)
{
	return INDEX_LINKS(core->leases, object_link);
}

static inline struct index_links policy_victims(const struct core *core)
{
	return INDEX_LINKS(core->objects, victim_link);
}

static inline struct index_links account_victims(const struct core *core)
{
	return INDEX_LINKS(core->objects, own_link);
}

/* Everything that is charged against capacity. */
static inline uint64_t core_used_bytes(const struct core *core)
{
	return core->object_bytes - core->pack.live_bytes + core->pack.bytes +
	       core->metadata_bytes + core->freeing_bytes + core->pool.bytes;
}

/* How much of that there may be now. */
static inline uint64_t core_capacity(const struct core *core)
{
	return core->limit < core->config.capacity ? core->limit : core->config.capacity;
}

#endif
