/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ostore.h - client library of the ostore shared-memory object store
 *
 * A process stores bytes once; every other process on the node maps the same
 * pages, read-only by kernel seal (memfd_create(2), F_SEAL_WRITE).
 *
 * Return values: functions that return int give 0 (or a count where they say
 * so) on success and a negative errno on failure; ostore_strerror() then gives
 * the sentence: object, cause, what to do.  The errnos with a meaning of their
 * own are the OSTORE_E* macros below.
 *
 * Threads: every function may be called from any thread at any time, with two
 * exceptions: no call may begin on a connection once ostore_close() has (ostore_shutdown() has no
 * such rule), and one handle must not be released, nor one subscription used, by two threads at
 * once.  The library installs no signal handler.  It has one thread of its own, the service thread, while many releases follow each
 * other (see ostore_options.no_service_thread).
 *
 * Fork: after fork(2) the child may use its parent's connections and handles;
 * the references behind them are its own from the moment of the fork.  Drafts
 * (unsealed objects) stay the parent's alone.
 *
 * Times are nanoseconds, sizes bytes.  A timeout of OSTORE_FOREVER waits
 * without end, 0 does not wait.
 *
 * Signals: what may wait (create, put, get, map, wait, next_event) returns -EINTR when a
 * signal handler ran meanwhile and nothing was done; the caller decides whether
 * to call again with the time that is left.
 */
#ifndef OSTORE_H
#define OSTORE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define OSTORE_FOREVER      INT64_MAX
#define OSTORE_METADATA_MAX 65536 /* bytes of metadata an object may carry */
#define OSTORE_NAME_MAX     255   /* bytes of a name, without its NUL */
#define OSTORE_LABELS_MAX   16    /* labels of an object */
#define OSTORE_PRIORITY_MAX 15    /* priorities are from -15 to 15 */
#define OSTORE_DATA_ALIGN   64    /* every ostore_data() pointer is aligned to this at least */

/* Errors with a meaning of their own (returned negated). */
#define OSTORE_ENOTFOUND    ENOENT       /* no such object or name, or it is gone */
#define OSTORE_EEXISTS      EEXIST       /* the id is taken */
#define OSTORE_EFULL        ENOBUFS      /* the store is full and nothing can be evicted */
#define OSTORE_EQUOTA       EDQUOT       /* the uid's quota is used up */
#define OSTORE_ELOST        ENODATA      /* the object's bytes are corrupted or its node is gone */
#define OSTORE_ETIMEOUT     ETIMEDOUT    /* the deadline passed */
#define OSTORE_EDISK        ENOSPC       /* the spill directories are full */
#define OSTORE_EPERMISSION  EACCES       /* the object's owner does not allow it */
#define OSTORE_EUNAVAILABLE ECONNREFUSED /* no broker, or it went away */
#define OSTORE_EBUSY        EBUSY        /* somebody still maps the object writable */
#define OSTORE_EPROTOCOL    EPROTO       /* library and broker do not understand each other */

struct ostore;        /* a connection to a broker */
struct ostore_object; /* a handle: a reference, and the mapping if there is one */

/* The 128-bit name of an object.  All zero is not a valid id. */
typedef struct ostore_id {
	uint8_t bytes[16];
} ostore_id;

/* The claim to an object that travels in a pickle (see ostore_export). */
typedef struct ostore_token {
	uint8_t bytes[16];
} ostore_token;

enum ostore_state {
	OSTORE_CREATED = 1,  /* being written, seen by its creator alone */
	OSTORE_RESIDENT = 2, /* sealed, in memory */
	OSTORE_SPILLED = 3,  /* sealed, on disk */
	OSTORE_PAGING = 4,   /* sealed, on its way back to memory */
};

/* ---- connection ---- */

struct ostore_options {
	size_t size;             /* sizeof(struct ostore_options): room for later fields */
	bool no_service_thread;  /* decline the service thread: see ostore_connect(3) */
	int64_t connect_timeout; /* ns to wait for the broker's hello; 0 means 10 s */
};

/* ostore_connect() - connect to a broker
 * @connp:   out: the connection, to be ended with ostore_close()
 * @address: socket path, or NULL to look where ostore(7), "Finding a broker", says
 * @options: NULL for the defaults
 * Return: 0, -ECONNREFUSED (no broker; the text says where it looked), -EPROTO,
 * -EACCES, -EDQUOT (too many connections), -ETIMEDOUT, -ENOMEM, -EINVAL.
 * After a failure ostore_strerror(NULL) gives the calling thread's sentence. */
int ostore_connect(struct ostore **connp, const char *address, const struct ostore_options *options);

/* End a connection and return all that it holds.  Handles of it stay valid for
 * reading what they map until they are released.  Calls of other threads that wait on it end at
 * once, as by ostore_shutdown(), and it returns when they have. */
void ostore_close(struct ostore *conn);

/* The same, but conn stays valid, and ostore_close() is still to come: calls that wait on it, in
 * whatever thread, and all later ones, fail with -ECONNREFUSED.  Requests that were begun are
 * reported by ostore_dispatch() with it. */
void ostore_shutdown(struct ostore *conn);

/* The sentence for the last failure of the calling thread, never NULL.  Valid
 * until the thread's next call into the library.  conn is only a hint. */
const char *ostore_strerror(const struct ostore *conn);

/* The socket path this connection uses. */
const char *ostore_address(const struct ostore *conn);

/* ---- ids ---- */

int ostore_id_random(ostore_id *id);                   /* 0 or negative errno of getrandom(2) */
int ostore_id_parse(ostore_id *id, const char *hex);   /* 32 hex digits; else -EINVAL */
char *ostore_id_format(const ostore_id *id, char hex[33]);

/* ---- creating ---- */

struct ostore_put_options {
	size_t size;           /* sizeof(struct ostore_put_options) */
	const ostore_id *id;   /* NULL: random */
	const char *name;      /* NULL, or hold the object under this name too (a name that is taken moves) */
	const void *metadata;  /* copied; at most OSTORE_METADATA_MAX bytes */
	size_t metadata_size;
	mode_t mode;           /* permission bits; 0 means 0600 */
	bool hold;             /* hold it without a name, until ostore_delete() */
	int64_t timeout;       /* how long to wait for room; 0 means the broker's queue_deadline */
	/* Attributes, which ostore_set() changes later. */
	const char *const *labels; /* n_labels of "key=value" */
	size_t n_labels;
	int64_t ttl;           /* ns from the seal on; then it goes as by ostore_delete().  0: no end */
	int priority;          /* of what may be evicted, the lowest goes first */
	bool pin;              /* never evict it, until it is unpinned or deleted */
	const char *call_site; /* where in the program: the last 255 bytes are kept; NULL: not recorded */
};

/* ostore_create() - begin an object that the caller writes in place
 * The draft's bytes start as zeros.  Return: 0, -EEXIST, -ENOBUFS, -EDQUOT,
 * -EMSGSIZE (metadata too long), -EFBIG (more than the store can ever hold),
 * -ETIMEDOUT, -EINVAL, -ECONNREFUSED, -ENOMEM. */
int ostore_create(struct ostore *conn, uint64_t size, const struct ostore_put_options *options,
	struct ostore_object **draftp);

/* The writable bytes of a draft, or of a handle got with OSTORE_GET_COW (NULL for 0 bytes, and
 * for every other sealed object). */
void *ostore_buffer(struct ostore_object *draft);

/* ostore_seal() - publish a draft; on success the handle is a reference
 * @keep_view: leave a private (copy-on-write) mapping at ostore_buffer()'s
 *   address until the handle is released, so that old pointers stay valid;
 *   false unmaps it.
 * Return: 0, -EBUSY (somebody else still maps it writable), -EINVAL (sealed
 * already), -ENOENT (aborted), -ECONNREFUSED. */
int ostore_seal(struct ostore_object *draft, bool keep_view);

/* ostore_share() - let other processes write a draft as well
 * @token: out: who knows it, and the id, and may write the object (see mode), may join
 * The token is good while the draft is one, but for at most transit_lease (ostored.conf(5))
 * after it was made or last used.  ostore_seal() of a shared draft waits until no other process
 * maps it, however long that takes; a signal does not end the wait.
 * Return: 0, -EINVAL (sealed already, or not the caller's own), -ENOBUFS, -EDQUOT,
 * -ECONNREFUSED, -ENOMEM. */
int ostore_share(struct ostore_object *draft, ostore_token *token);

/* ostore_join() - map another process's draft, writable
 * @draftp: ostore_buffer() is the memory; ostore_release() ends it.  Only who created the draft
 *   can seal it.  What is written after it was aborted is lost.
 * Return: 0, -ENOENT (no such draft, not its token, or not writable for the caller), -EINVAL
 * (sealed already, or being sealed), -ECONNREFUSED, -ENOMEM. */
int ostore_join(struct ostore *conn, const ostore_id *id, const ostore_token *token,
	struct ostore_object **draftp);

/* ostore_seal_shared() - ostore_seal() that waits at most so long for other processes
 * Return: as ostore_seal(); -EBUSY: some still map it, and ostore_strerror() names them. */
int ostore_seal_shared(struct ostore_object *draft, bool keep_view, int64_t timeout);

/* Give up a draft and free the handle.  NULL is allowed. */
int ostore_abort(struct ostore_object *draft);

/* ostore_put() - copy bytes into a new sealed object
 * @objectp: out: a reference; NULL if the caller wants none (then pass a name or hold)
 * Return: as ostore_create(). */
int ostore_put(struct ostore *conn, const void *data, uint64_t size,
	const struct ostore_put_options *options, struct ostore_object **objectp);

/* ostore_putv() - ostore_put() of n pieces, one after the other
 * One copy, whatever the number of pieces; n may be 0.
 * Return: as ostore_create(); -EINVAL when the sizes overflow. */
int ostore_putv(struct ostore *conn, const struct iovec *pieces, size_t n,
	const struct ostore_put_options *options, struct ostore_object **objectp);

/* One of the values of ostore_put_many(). */
struct ostore_value {
	const struct iovec *pieces; /* one after the other, as ostore_putv() */
	size_t n_pieces;
	const struct ostore_put_options *options; /* NULL: the defaults; its timeout does not count */
};

/* ostore_put_many() - ostore_putv() of n values, many in one request
 * @timeout: how long each may wait for room; 0 means the broker's queue_deadline
 * @objects: out: n references, NULL for a value that was not stored; NULL if the caller wants none
 * @errors: NULL, or out: n negative errnos or 0
 * One value's failure does not stop the others.
 * Return: 0 when all were stored, else the first error, as ostore_create(); after -EINTR
 * there are no references. */
int ostore_put_many(struct ostore *conn, const struct ostore_value *values, size_t n,
	int64_t timeout, struct ostore_object **objects, int *errors);

/* ostore_put_fd() - offer a memfd that the caller made and sealed
 * @fd: a memfd with F_SEAL_WRITE|F_SEAL_GROW|F_SEAL_SHRINK|F_SEAL_SEAL; stays the caller's
 * Return: as ostore_create(), and -EBADF/-EINVAL (no memfd), -EPERM (seals are missing). */
int ostore_put_fd(struct ostore *conn, int fd, const struct ostore_put_options *options,
	struct ostore_object **objectp);

/* ---- reading ---- */

enum ostore_get_flags {
	OSTORE_GET_REF = 1, /* take references only; ostore_map() maps later */
	OSTORE_GET_MAP = 2, /* map even small objects, which otherwise arrive as a copy */
	OSTORE_GET_COW = 4, /* the bytes may be written, at ostore_buffer(): a copy of each page that
	                       is written to, for this handle alone; the object stays as it is */
};

/* ostore_get() - references to, and mappings of, n objects
 * @objects: out: n handles, all or none
 * Waits until every object is sealed.  An id never seen is waited for too.
 * What the process already has mapped asks nobody, but for OSTORE_GET_COW.
 * Return: 0, -ENOENT (known to be gone, or timeout 0 and not there),
 * -ETIMEDOUT, -ENODATA (lost), -EINTR (a signal came), -EMFILE (no descriptor to receive it
 * with), -EINVAL, -ECONNREFUSED, -ENOMEM. */
int ostore_get(struct ostore *conn, const ostore_id *ids, size_t n, int64_t timeout,
	unsigned int flags, struct ostore_object **objects);

/* Map a handle that is a bare reference.  0, or as ostore_get(). */
int ostore_map(struct ostore_object *object);

const void *ostore_data(const struct ostore_object *object);   /* NULL if not mapped or 0 bytes */
uint64_t ostore_size(const struct ostore_object *object);
const ostore_id *ostore_object_id(const struct ostore_object *object);
uid_t ostore_owner(const struct ostore_object *object);
/* Metadata, valid as long as the handle; *sizep may be NULL. */
const void *ostore_metadata(struct ostore_object *object, size_t *sizep);
/* Is ostore_data() the address that every process sees (true), or a copy or fallback (false)? */
bool ostore_is_shared_address(const struct ostore_object *object);

/* A second handle to the same object (bare reference or mapped, like the first). */
int ostore_dup(struct ostore_object *object, struct ostore_object **objectp);

/* Drop a handle: the mapping when no other handle of the process needs it, and
 * the reference.  A draft is aborted.  NULL is allowed.
 * The broker is told at once; but of small objects that are released one right after the
 * other, with the next request of the connection or after 10 ms, whichever is first. */
void ostore_release(struct ostore_object *object);

/* The same for n handles, many in one message, sent at once.  Each may be NULL. */
void ostore_release_many(struct ostore_object *const *objects, size_t n);

/* ostore_wait() - wait until at least num of n objects are sealed
 * @ready: out: n flags.  Takes no references.
 * Return: how many are ready (may be fewer than num when the timeout passed), or negative errno. */
int ostore_wait(struct ostore *conn, const ostore_id *ids, size_t n, size_t num, int64_t timeout,
	bool *ready);

/* ---- references that travel ---- */

/* ostore_export() - take a lease on an object for a reference that travels as bytes
 * The lease is charged to the uid and ends transit_lease seconds after it was
 * taken or last imported.  Return: 0, -ENOENT, -EDQUOT, -ECONNREFUSED. */
int ostore_export(struct ostore_object *object, ostore_token *token);

/* A reference from an exported one.  -ENOENT when the lease ran out and nothing
 * else kept the object. */
int ostore_import(struct ostore *conn, const ostore_id *id, const ostore_token *token,
	struct ostore_object **objectp);

/* ostore_export_begin(), ostore_import_begin() - the same for many, without waiting for each
 * Exports gather under one token, imports while their token stays the same; they are sent with
 * the next request of the connection, by ostore_flush(), when 256 have gathered, or after
 * 10 ms.  Until then an export does not outlive this process: flush before the token leaves it.
 * Return: as ostore_export(); what went wrong with an export is told by a later one. */
int ostore_export_begin(struct ostore_object *object, ostore_token *token);
int ostore_import_begin(struct ostore *conn, const ostore_id *id, const ostore_token *token,
	struct ostore_object **objectp);

/* Wait until an imported handle's reference is here; size, owner and metadata are known then.
 * Who gets or maps the object need not.  Return: 0, as ostore_import(). */
int ostore_import_end(struct ostore_object *object);

/* Send what was put off: releases, exports, imports.  Return: 0, -ECONNREFUSED. */
int ostore_flush(struct ostore *conn);

/* ---- names, deletion ---- */

/* Names are per uid and survive their creator and the broker's worker. */
int ostore_hold(struct ostore *conn, const char *name, const ostore_id *id);
int ostore_unhold(struct ostore *conn, const char *name);
int ostore_lookup(struct ostore *conn, const char *name, struct ostore_object **objectp);

/* ostore_delete() - remove objects: ids and names are gone at once, memory when
 * the last mapping is.  Needs ownership or write permission.
 * @errors: NULL, or out: n negative errnos or 0.
 * Return: 0 when all were deleted, else the first error. */
int ostore_delete(struct ostore *conn, const ostore_id *ids, size_t n, int *errors);

/* ---- attributes ---- */

/* What is to be changed, and nothing else is. */
struct ostore_changes {
	size_t size;               /* sizeof(struct ostore_changes) */
	const char *const *labels; /* n_labels of "key=value": set these, */
	size_t n_labels;
	const char *const *unlabel; /* and remove those of these n_unlabel keys */
	size_t n_unlabel;
	bool set_ttl, set_priority;
	int64_t ttl;               /* ns from now on; 0: no end */
	int priority;
	bool pin, unpin;
};

/* ostore_set() - change attributes of a sealed object
 * All of it is done, or nothing.  Needs the owner's uid, or root.
 * Return: 0, -ENOENT, -EACCES, -EINVAL, -EDQUOT (the uid has pinned half of the capacity, or
 * its quota has no room for labels), -ENOBUFS (nor has the store), -ECONNREFUSED, -ENOMEM. */
int ostore_set(struct ostore *conn, const ostore_id *id, const struct ostore_changes *changes);

/* ---- looking ---- */

struct ostore_info {
	ostore_id id;
	uint64_t size, metadata_size;
	enum ostore_state state;
	uint32_t refs; /* references: connections' (one for each answer that gave one), names', leases' */
	uint32_t pins; /* mappings: processes that map it */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t created_ns, last_access_ns; /* CLOCK_REALTIME */
	uint64_t accesses;
	const char *const *names; /* NULL-terminated */
	const void *metadata;
	const char *const *labels; /* "key=value", NULL-terminated, in order of their keys */
	int64_t expires_ns;        /* CLOCK_REALTIME; 0: never, or not sealed yet */
	int priority;
	bool pinned;               /* never evicted */
	bool held;                 /* without a name: counted in refs */
	const char *call_site;     /* where it was created; NULL: not recorded */
};

/* What a list is to show. */
struct ostore_filter {
	size_t size;               /* sizeof(struct ostore_filter) */
	const char *pattern;       /* of a name or the id: * ? [a-z] as in a shell; NULL: any */
	const char *const *labels; /* n_labels of "key" or "key=value": it has all of them */
	size_t n_labels;
};

enum ostore_holder_kind {
	OSTORE_HOLDER_CONNECTION = 1,
	OSTORE_HOLDER_NAME = 2,
	OSTORE_HOLDER_LEASE = 3,
};

struct ostore_holder {
	enum ostore_holder_kind kind;
	pid_t pid; /* connection */
	uid_t uid;
	uint32_t refs, pins;
	const char *comm;   /* connection */
	const char *name;   /* name */
	int64_t expires_ns; /* lease, CLOCK_REALTIME */
};

struct ostore_stat {
	struct ostore_info info;
	uint64_t address;        /* arena address, 0 if it has none */
	uint64_t charged_bytes;  /* what it counts against capacity */
	uint64_t resident_bytes; /* pages in memory now */
	bool deleted;            /* gone by name, kept by mappings */
	const struct ostore_holder *holders;
	size_t n_holders;
};

struct ostore_feature {
	const char *name;
	bool on;
	const char *reason; /* why it is off, "" when on */
};

struct ostore_counter {
	const char *name;
	uint64_t value;
};

/* What a uid is charged with, see ostored.conf(5), quota. */
struct ostore_usage {
	uid_t uid;
	uint64_t bytes, objects, descriptors, connections;
	uint64_t requests;   /* that wait */
	uint64_t references; /* objects that its connections refer to, each counted per connection */
	uint64_t names;
};

struct ostore_stats {
	uint64_t capacity_bytes, resident_bytes, pinned_bytes, spilled_bytes;
	uint64_t objects_created, objects_resident, objects_spilled, objects_paging;
	uint64_t clients, queue_length;
	uint64_t descriptors, max_descriptors;
	uint64_t pool_bytes;
	uint64_t spill_bytes_per_s, restore_bytes_per_s;
	bool thrashing;
	uint64_t generation; /* worker incarnation, from 1 */
	pid_t supervisor_pid, worker_pid;
	const char *version;
	const struct ostore_counter *counters;
	size_t n_counters;
	const struct ostore_feature *features;
	size_t n_features;
	uint64_t configured_capacity_bytes; /* more than capacity_bytes when the machine is short of memory */
	uint64_t used_bytes; /* of capacity_bytes, all that counts; more after that was lowered */
	const char *capacity_limited_by; /* why capacity_bytes is less than configured; "" when it is not */
	uint64_t pack_bytes;   /* of used_bytes, memory in which small objects live together; of it, */
	uint64_t packed_bytes; /* what these objects take up */
	uint64_t packed_objects;
	const struct ostore_usage *users; /* the caller's; to root, those of all (of 64 at the most) */
	size_t n_users;
};

struct ostore_setting {
	const char *key, *value, *origin; /* origin: "default", "FILE:LINE", "command line", ... */
	uint64_t number; /* what the value comes to: of "30%" or "auto" too.  Bytes, ns, a count, or 0 */
};

/* Everything the caller may read, ordered by creation.  Freed with ostore_list_free(). */
int ostore_list(struct ostore *conn, struct ostore_info **infosp, size_t *np);
/* The same of what a filter lets through; NULL: everything. */
int ostore_list_matching(struct ostore *conn, const struct ostore_filter *filter,
	struct ostore_info **infosp, size_t *np);
void ostore_list_free(struct ostore_info *infos);
int ostore_stat(struct ostore *conn, const ostore_id *id, struct ostore_stat **statp);
void ostore_stat_free(struct ostore_stat *stat);

/* ostore_memory() - who holds what: ostore_stat() of everything that the caller may read
 * Ordered by creation.  Also of deleted objects that are still in memory; without metadata.
 * It is no snapshot: objects and holders come and go while it is gathered. */
int ostore_memory(struct ostore *conn, const struct ostore_filter *filter,
	struct ostore_stat **statsp, size_t *np);
void ostore_memory_free(struct ostore_stat *stats);
int ostore_stats(struct ostore *conn, struct ostore_stats **statsp);
void ostore_stats_free(struct ostore_stats *stats);
int ostore_config(struct ostore *conn, struct ostore_setting **settingsp, size_t *np);
void ostore_config_free(struct ostore_setting *settings);

/* ostore_configure() - change a value of the broker's configuration while it runs
 * @value: as in a configuration file: "2GiB", "40%"
 * It counts at once, survives the broker's worker, and ends with the broker.  Less capacity than
 * is used: what nobody refers to goes, and creates wait until the rest fits.
 * Return: 0, -EACCES (the caller is neither root nor the broker's user), -EINVAL (no such key, or
 * not such a value), -EOPNOTSUPP (this key is looked at only when the broker starts),
 * -ECONNREFUSED, -ENOMEM. */
int ostore_configure(struct ostore *conn, const char *key, const char *value);

/* ---- events ---- */

enum ostore_event_type {
	OSTORE_EVENT_CREATED = 1, /* begun: a draft, or a put (told to its owner and root alone) */
	OSTORE_EVENT_SEALED = 2,  /* there for all who may read it */
	OSTORE_EVENT_ABORTED = 3, /* a draft that will not be sealed (likewise) */
	OSTORE_EVENT_EVICTED = 4, /* nothing referred to it, and room was needed */
	OSTORE_EVENT_DELETED = 5,
	OSTORE_EVENT_LOST = 6,    /* its bytes were not there after a crash */
	OSTORE_EVENT_EXPIRED = 7, /* its time to live ended */
	OSTORE_EVENT_OVERRUN = 1000, /* of the reader: events came and went before they were read */
};

struct ostore_event {
	uint64_t seq;    /* rises from 1; numbers left out are of objects that the caller may not read */
	enum ostore_event_type type; /* of a later broker perhaps one that is not listed above */
	ostore_id id;    /* OVERRUN: zeros, and so are the fields up to time_ns */
	uint64_t size;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t time_ns; /* CLOCK_REALTIME */
	uint64_t lost;   /* OVERRUN: how many numbers, from seq on, are not kept any more; else 0 */
};

#define OSTORE_EVENTS_KEPT UINT64_C(0) /* from the oldest that the broker keeps */
#define OSTORE_EVENTS_NEW  UINT64_MAX  /* from now on */

struct ostore_subscription;

/* ostore_subscribe() - begin to read what happens to objects that the caller may read
 * @since: the number of the first event wanted, OSTORE_EVENTS_KEPT or OSTORE_EVENTS_NEW
 * The broker keeps the last 65,536 events of all users.
 * Return: 0, -EINVAL (there is no such number yet), -EINTR, -ECONNREFUSED, -ENOMEM. */
int ostore_subscribe(struct ostore *conn, uint64_t since, struct ostore_subscription **subscriptionp);

/* ostore_next_event() - the next event, waiting for it
 * Nothing is left out silently: what was not read in time is one OSTORE_EVENT_OVERRUN.
 * Return: 0, -ETIMEDOUT, -EINTR, -EBUSY (four threads of this connection wait for events
 * already), -ECONNREFUSED, -ENOMEM. */
int ostore_next_event(struct ostore_subscription *subscription, int64_t timeout,
	struct ostore_event *event);

/* NULL is allowed. */
void ostore_unsubscribe(struct ostore_subscription *subscription);

/* "created", "sealed", ... */
const char *ostore_event_name(enum ostore_event_type type);

/* ---- without waiting ----
 *
 * For programs with an event loop.  A request is begun; ostore_dispatch(), called whenever
 * ostore_poll_fd() is readable, reports it once when it is done; then it is ended, by the
 * function that goes with its beginning, which gives the result as the waiting function would
 * (-ECANCELED after ostore_cancel(), and in a forked child).  Any number may be under way. */

struct ostore_request;

/* ostore_get_begin(), ostore_wait_begin(), ostore_next_event_begin() - ask, and do not wait
 * @n: 1 to 65,536
 * @user: handed back by ostore_request_user()
 * @requestp: out: to be ended, but on errors
 * Return: 0: ostore_dispatch() will report it; 1: it is done already, and is not reported;
 * -EINVAL, -ECONNREFUSED, -ENOMEM. */
int ostore_get_begin(struct ostore *conn, const ostore_id *ids, size_t n, int64_t timeout,
	unsigned int flags, void *user, struct ostore_request **requestp);
int ostore_wait_begin(struct ostore *conn, const ostore_id *ids, size_t n, size_t num,
	int64_t timeout, void *user, struct ostore_request **requestp);
/* One at a time for a subscription. */
int ostore_next_event_begin(struct ostore_subscription *subscription, int64_t timeout, void *user,
	struct ostore_request **requestp);

/* The result of a request that was reported or done at once; frees it, also on errors (but for
 * -EINVAL: it is not done yet, or of another kind). */
int ostore_get_end(struct ostore_request *request, struct ostore_object **objects);
int ostore_wait_end(struct ostore_request *request, bool *ready);
int ostore_next_event_end(struct ostore_request *request, struct ostore_event *event);

void *ostore_request_user(const struct ostore_request *request);

/* Give a request up that was not ended: if it is not done yet, it is reported soon, with -ECANCELED. */
void ostore_cancel(struct ostore_request *request);

/* A descriptor that is readable (poll(2), epoll(7)) when ostore_dispatch() has something to do.
 * The connection's; in a forked child ask for it again.  Or a negative errno. */
int ostore_poll_fd(struct ostore *conn);

/* ostore_dispatch() - read what the broker says, and report requests that are done
 * @requests: out: at most room of them; the descriptor stays readable while there are more
 * Never waits.  Return: how many. */
size_t ostore_dispatch(struct ostore *conn, struct ostore_request **requests, size_t room);

/* ---- words ---- */

/* "created", "resident", "spilled", "paging". */
const char *ostore_state_name(enum ostore_state state);
const char *ostore_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
