/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/tables.h - the records that outlive a worker, and transactions on them
 *
 * One piece of shared memory: a header, arrays of fixed-size records, the undo
 * journal, and the heap for metadata (core/blob.h).  It is sparse: records are
 * taken from the low end, and what was never used costs nothing.
 *
 * A transaction: call tables_write() on what is about to change, change it, and
 * so on; tables_commit() at the end.  The journal holds the old bytes.  Its one
 * commit mark is header.journal_used: an entry is complete before the mark
 * covers it, and the mark covers it before the record changes.  So whenever the
 * worker dies, undoing the covered entries, last first, gives the state of the
 * last commit.  (Killing a process loses no store that it had made, so the
 * compiler is the only one who must not reorder.)
 *
 * Fields marked (loose) are written without a transaction: they may be off by
 * the event in which a worker died, and nothing is decided on them that matters.
 */
#ifndef CORE_TABLES_H
#define CORE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "util/id.h"

#define TABLES_NONE     UINT32_MAX /* an index that is none */
#define TABLES_JOURNAL  (8 << 20)  /* bytes; the largest single step is a GET of CORE_BATCH_MAX ids */
#define TABLES_POOL_MAX 64         /* pool memfds */
#define TABLES_DONE_MAX 64         /* requests that a connection remembers as done */

enum object_flags {
	OBJECT_HELD = 1,    /* held without a name, until it is deleted */
	OBJECT_DELETED = 2, /* gone by id; kept for those who still hold it */
	OBJECT_PINNED = 4,  /* hard: never evicted, whoever holds it */
};

/* Where in the pack an object is (core/pack.h). */
struct pack_place {
	uint32_t frame, slot;
};

enum object_memory {
	OBJECT_NO_MEMORY = -1, /* instead of a descriptor: it is gone */
	OBJECT_IN_PACK = -2,
};

struct object_record {
	struct id128 id;
	uint64_t size;
	union {
		uint64_t inode;
		struct pack_place place; /* of an OBJECT_IN_PACK */
	};
	uint64_t sequence;      /* order of creation */
	uint64_t creator;       /* connection number */
	uint64_t serial;        /* its request that sealed the object (R11) */
	int64_t created_ns;     /* CLOCK_REALTIME */
	int64_t last_access_ns; /* CLOCK_REALTIME (loose) */
	uint64_t use;           /* header.uses when last used or last referenced (loose) */
	uint32_t accesses;      /* GETs granted (loose) */
	uint32_t metadata;      /* blob; 0: none */
	uint32_t metadata_size;
	uint32_t uid, gid;
	int32_t fd;             /* or an enum object_memory */
	uint32_t slot;          /* place in the arena; 0: none */
	uint32_t attributes;    /* blob; 0: none */
	uint16_t attributes_size;
	uint16_t mode;
	uint8_t state;          /* enum wire_object_state; 0: the record is free */
	uint8_t flags;
	int8_t priority;
};

/* A blob: what an object has besides, if it has any of it; see core/attribute.h. */
struct attributes_record {
	int64_t ttl_ns;      /* as asked for; 0: none */
	int64_t expires_ns;  /* CLOCK_MONOTONIC, from the seal on; 0: never */
	uint16_t labels_size, call_site_size; /* the latter with its NUL; 0: none */
	char bytes[];        /* labels (see wire/labels.h), call site */
};

enum connection_flags {
	CONNECTION_USED = 1,
	CONNECTION_DYING = 2,   /* its holdings are being given back */
	CONNECTION_FORKING = 4, /* its holdings are being copied from its parent */
};

/* A request that was carried out at once: a retry of it does nothing (R11). */
struct done_record {
	uint64_t serial;
	uint64_t items;   /* bit i: the i-th item was */
	uint64_t n_items; /* of more than 64 items, those below this were */
};

struct connection_record {
	uint64_t number; /* never used twice */
	int32_t call_fd, service_fd, pid_fd;
	int32_t pid;
	uint32_t uid, gid;
	uint32_t parent; /* FORKING: connection index */
	uint32_t flags;
	char comm[16];
	uint32_t done_next;
	struct done_record done[TABLES_DONE_MAX];
};

/* The record is used while it has either references or pins. */
struct holding_record {
	uint32_t connection;
	uint32_t object;
	uint32_t refs, pins;
};

static inline bool holding_is_used(const struct holding_record *record)
{
	return record->refs || record->pins;
}

struct name_record {
	uint32_t used;
	uint32_t uid;
	uint32_t object;
	uint32_t pending; /* of a draft: binds when it is sealed */
	char text[WIRE_NAME_MAX + 1];
};

struct lease_record {
	struct id128 token;
	uint32_t used;
	uint32_t object;
	uint32_t uid;
	int64_t expires_ns; /* CLOCK_MONOTONIC */
};

enum gone_reason { GONE_EVICTED = 1, GONE_DELETED, GONE_LOST, GONE_EXPIRED };

struct gone_record {
	struct id128 id; /* zero: nothing */
	uint64_t creator, serial;
	uint32_t uid, gid;
	uint16_t mode;
	uint16_t reason;
};

/* Written without the journal: a note of a number that was never committed does not count, and
 * the one whose place it took is lost. */
struct event_record {
	uint64_t sequence; /* 0: being written */
	struct id128 id;
	uint64_t size;
	int64_t time_ns;   /* CLOCK_REALTIME */
	uint32_t uid, gid;
	uint16_t mode;
	uint16_t event;    /* enum wire_event */
};

struct pool_record {
	int32_t fd;
	uint32_t used;
	uint64_t inode;
	uint64_t bytes;
};

/* A value that was changed at run time. */
struct setting_record {
	uint32_t used;
	uint32_t uid;  /* who changed it */
	uint64_t base; /* what a percentage in it is of */
	char key[CORE_KEY_MAX + 1];
	char value[WIRE_TEXT_MAX];
};

enum counter {
	COUNTER_PUTS,
	COUNTER_GETS,
	COUNTER_RESTORED_BYTES,
	COUNTER_RESTORES,
	COUNTER_SPILLED_BYTES,
	COUNTER_SPILLS,
	COUNTER_IN_USE_EVICTIONS,
	COUNTER_DROPPED,
	COUNTER_PULLS,
	COUNTER_PULLED_BYTES,
	COUNTER_FULL_ERRORS,
	COUNTER_FAULTS,
	COUNTER_BAD_RELEASES,
	COUNTER_COMPACTIONS,
	COUNTER_REPACKS,
	COUNTER_N,
};

struct tables_header {
	uint64_t magic;
	uint32_t version;
	uint16_t record_sizes[10]; /* another layout is not believed */
	uint32_t max_objects, max_connections, max_holdings, max_names, max_leases, max_events;
	uint64_t blob_bytes;
	uint64_t size; /* of the whole memory */
	uint64_t arena_base;
	uint8_t hash_key[16];
	uint64_t generation;
	uint64_t sequence;   /* last object's */
	uint64_t connection; /* last connection's number */
	uint64_t gone;       /* how many were ever noted */
	uint64_t events;     /* likewise: the last one's number */
	/* records at and above these were never used */
	uint32_t objects_high, connections_high, holdings_high, names_high, leases_high;
	uint32_t journal_used;      /* the commit mark: bytes of the journal that hold */
	int32_t pack_fd;     /* -1: none */
	uint32_t slab_bytes; /* see core/pack.h; chosen at first start */
	uint64_t pack_inode, pack_bytes; /* pack_bytes: of its sparse file; chosen at first start */
	uint32_t frames_high;
	uint64_t uses;              /* (loose) */
	uint64_t counters[COUNTER_N]; /* (loose) */
};

/* Free records of one kind: those below *high that were given back. */
struct record_pool {
	uint32_t *free;
	size_t n_free, room;
	uint32_t *high;
	uint32_t max;
};

struct tables {
	struct tables_header *header;
	struct object_record *objects;
	struct connection_record *connections;
	struct holding_record *holdings;
	struct name_record *names;
	struct lease_record *leases;
	struct gone_record *gone;
	struct event_record *events; /* number n is at n % max_events */
	struct pool_record *pool;
	struct setting_record *settings;
	uint8_t *journal;
	uint8_t *blobs;
	struct record_pool free_objects, free_connections, free_holdings, free_names, free_leases;
};

size_t tables_size(const struct core_config *config);

/* tables_open() - lay the tables out in this memory, or find them there and roll
 *   back what a dead worker left half done
 * @usedp: out: the memory held tables.  Their free records are the caller's to give back.
 * Return: 0, -EUCLEAN. */
int tables_open(struct tables *tables, const struct core_config *config, void *memory, size_t size,
	bool *usedp);
void tables_close(struct tables *tables);

/* tables_write() - the next stores change this record (or part of one): journal it
 * Return: record. */
void *tables_write(struct tables *tables, void *record, size_t size);
#define tables_change(tables, record) \
	((__typeof__(record))tables_write((tables), (record), sizeof *(record)))
void tables_commit(struct tables *tables);
/* The stores before this are made before the stores after it; a crash may come between. */
void tables_step(void);
/* Between two steps that each leave a valid state: commit if the journal fills up. */
void tables_breathe(struct tables *tables);

/* Take a free record's index, or TABLES_NONE; give one back. */
uint32_t record_take(struct tables *tables, struct record_pool *pool);
void record_give(struct record_pool *pool, uint32_t i);
uint32_t record_n_free(const struct record_pool *pool);

static inline void tables_count(struct tables *tables, enum counter counter, uint64_t n)
{
	tables->header->counters[counter] += n;
}

#endif
