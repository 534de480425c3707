/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/core.h - the store as a pure state machine
 *
 * Events go in (the functions core_*), effects come out (core_next_effect).
 * The core makes no system call, reads no clock, draws no random number and
 * starts no thread; it may allocate.  All on one thread (*main*).
 *
 * Its lasting state is tables of records in memory that it is given
 * (core/tables.h).  Every event is one transaction on them: before a record is
 * changed, its old bytes are appended to an undo journal in the same memory; at
 * the event's end the journal is emptied by one store; only then can the event's
 * effects be taken.  So a worker killed at any instruction leaves tables that
 * core_open() rolls back to before the event, or that are after it, and no reply
 * was sent that the tables do not know of.  (Mass changes are committed in
 * steps that each leave a valid state, and finished by core_open().)  What is
 * derived (indices, queues, charges, LRU order) lives on the heap and is rebuilt
 * by core_open().
 *
 * Memory: an allocation whose size a client chooses fails that request with
 * -ENOMEM.  Any other that fails ends the process: the tables are whole, and the
 * heir has a fresh heap.
 *
 * What is NOT in the tables, because the client says it again after WIRE_RESUME:
 * waiting requests, makes / seals / adoptions in flight.
 *
 * RULES (the simulation's model checks each)
 *  R1  An object is CREATED (its creator's draft), then RESIDENT (sealed).  Only
 *      RESIDENT objects are seen by anybody but their creator (and R18).
 *  R2  resident + created + being freed + pool + metadata bytes <= capacity, and
 *      descriptors <= max_fds, always.  Charge of an object: see core_charge().
 *      A memfd being made is charged from the moment of the MAKE effect; one
 *      being closed until core_closed().  A connection is charged 3 descriptors.
 *      Objects and pool leave core_fd_reserve() descriptors to connections.
 *  R3  A holding (connection, object) has refs and pins.  PUT, SEAL, CREATE
 *      (its draft), GET, LOOKUP and LOAD add a reference; GET that is answered
 *      with a descriptor adds a pin too.  RELEASE subtracts; to subtract more
 *      than is held is answered by nothing, is counted (counter
 *      "bad_releases", once an item) and subtracts what is there.  A draft of
 *      which the last reference is released is aborted.
 *  R4  An object with no reference (connection, name, lease) and no pin may be
 *      evicted (dropped), and is, oldest by policy first, when a create needs
 *      room; but none is dropped for a create that would not fit even then.
 *      Nothing else is ever dropped, except drafts of dead clients and
 *      aborted ones (at once) and deleted objects.  A draft is never a victim.
 *      "Oldest" for lru: the object that has been without references longest.
 *      For a uid's quota only that uid's objects are dropped, its oldest first.
 *  R5  DELETE: the id, names and leases are gone at once (get: -ENOENT); the
 *      memory goes when the last pin does.  Needs owner uid, uid 0, or write
 *      permission (else -EACCES).  The id may be created again right away;
 *      RELEASE of an id then takes from the deleted object first.  Deleting
 *      one's own draft aborts it.
 *  R6  A connection that ends gives back its holdings, drafts, waiting requests.
 *      More than config.give_back holdings go in steps of so many, each of them a core_tick().
 *      Names and leases stay.  A lease (of a token, on an object) ends transit_lease after
 *      LEASE or LOAD last named it; an item of these that fails stops no other.
 *  R7  GET waits until all its ids are sealed and readable, in order of arrival
 *      at each id, or its deadline passes (-ETIMEDOUT; with timeout 0: -ENOENT).
 *      An id known to be gone (the last CORE_GONE_MAX) answers -ENOENT at once.
 *      Gone is what was once sealed (an aborted draft was never there).
 *      All or nothing: a GET that fails adds no reference.  An object that is
 *      part of a waiting GET is not reserved while it waits: when it goes, the
 *      GET fails.  WAIT ends when `limit` ids are sealed, or can no longer
 *      be because others are gone, or at its deadline; always with status 0.
 *  R8  What a uid may not read does not exist for it: GET, WAIT, STAT, LIST,
 *      DELETE, LEASE, HOLD, SET answer as for an id never seen.  uid 0 and the owner
 *      uid always may; else mode bits by gid and groups, then others (a
 *      permission class as in the file system: owner, group, other).
 *  R9  A CREATE/PUT that finds no room waits in the fair queue: first come
 *      first served within a uid, round robin between uids; one that fits now
 *      may pass larger ones, each of which is passed at most CORE_PASS_MAX
 *      times (within a uid by those behind it, between uids only the first of
 *      each counts).  One that only its uid's quota holds up holds up no other
 *      uid (a quota of bytes, objects or descriptors).  An id is taken (-EEXIST) from the moment that its CREATE/PUT is
 *      accepted, the wait included.  Larger than capacity (or the uid's quota):
 *      -EFBIG (-EDQUOT) at once.  At its deadline (its own timeout or queue_deadline): -ENOBUFS,
 *      with a sentence that names the largest holders and what to do.
 *      A PUT_FD brings a descriptor that counts from its arrival: while it can be
 *      made good by evicting, it may stand on the connections' reserve until what
 *      is being closed is closed; else -ENOBUFS at once.
 *  R10 A slot address belongs to one object until the object is gone; sizes up
 *      to 1 TiB have one.  See core/arena.h.
 *  R11 Retries (WIRE_FLAG_RETRY) of what was done before the worker died answer
 *      as the first time would have, and change nothing twice.  References that
 *      the first time added were cut by R12, and are added again.
 *  R12 After WIRE_RESUME a connection's holdings are cut to what WIRE_RECONCILE
 *      lists (never raised); drafts count as refs 1, one not listed is aborted.
 *      Requests before it are dropped, and so is a RECONCILE of another generation.
 *      Not a FORK: the child gets copies of the uncut holdings, and a RESUME of its own.
 *  R13 (the broker's) At most WIRE_FDS_UNACKED descriptors are on their way to a
 *      connection, and a quarter of RLIMIT_NOFILE to a uid; packets that carry more
 *      wait for acknowledgements, or, where too much waits to read on, for the kernel's
 *      word that all were received.
 *  R14 Per connection at most CORE_PENDING_MAX requests wait; one more: -EBUSY.
 *      Per uid at most as many as its quota of requests, and CORE_PENDING_BYTES kept
 *      for them (-EBUSY); at most as many connections as its quota (-EDQUOT).  A uid
 *      with which nothing is charged is forgotten.
 *  R15 What happens to an object (enum wire_event) is noted in the same transaction,
 *      under the next number; so a worker's death neither skips a number nor uses
 *      one twice.  The last config.max_events notes are kept.  SUBSCRIBE answers
 *      with those from its cursor on whose objects the connection may read (R8: by
 *      the owner, group and mode that they have or had), as many as `limit` and a
 *      reply take; while there is none it waits, and at its deadline is answered
 *      with none.  How many numbers from the cursor on are not kept any more is
 *      told, whoever's they were.  A cursor that is no number yet: -EINVAL.  CREATED
 *      and ABORTED, of objects that others may not know of (R1), are told to their
 *      uid and to uid 0 alone.  At most CORE_SUBSCRIBE_MAX SUBSCRIBEs of a connection
 *      wait; one more: -EBUSY.
 *  R16 Capacity may change at run time (core_configure()), and the machine may have less
 *      (core_limit()); the smaller one counts.  Below what is used: pool memory and
 *      objects without references go until it fits, and nothing is granted until it
 *      does.  What waits and is larger than a new capacity: -EFBIG; larger than a new
 *      quota: -EDQUOT; larger than what the machine has at present: goes on waiting.
 *      What was configured at run time is noted for the heir; a limit is not.
 *  R17 Attributes are given at the creation, and changed by SET of the owner uid
 *      or uid 0 (else -EACCES).  Of objects that may be evicted, those of the lowest
 *      priority go first; R4's order holds within one.  A SET of the priority, and
 *      an unpin, count as a use.  An object that is pinned hard is never a victim;
 *      what a uid other than 0 pins so is at most half of the capacity (-EDQUOT),
 *      looked at when it is pinned or its creation asked for.  A time to live begins
 *      with the seal (SET: with it); when it ends, the object goes as by DELETE,
 *      whatever holds or pins it: it is a promise to those who must not see old
 *      values, so each request looks at the time first.  Labels and call site are
 *      told to those who may read the object.
 *      SET evicts nothing: labels for which there is no room are refused (-ENOBUFS,
 *      -EDQUOT), and then nothing of the SET is done.
 *  R18 SHARE of one's draft takes a lease on it; who knows its token and may write the
 *      object may JOIN: gets the draft's descriptor, a reference and a pin.  The pins
 *      of a draft are its writers.  A SEAL (the creator's alone) waits until there is
 *      none; at its deadline (timeout 0: at once) -EBUSY, with a sentence that names
 *      them.  While it waits nobody joins (-EINVAL).  An aborted draft that is written is
 *      gone by its id at once, and its memory goes with the last pin, as in R5.
 *  R19 What is PUT and has at most inline_max bytes lives in the pack, a memfd that only
 *      the broker has, unless there is none or capacity is less than CORE_SLABS_MIN slabs.
 *      A slab (64 KiB; 16 or 4 in a store begun with less than 64 or 4 MiB) has slots of
 *      one size class: 64, 80, 96, 112, 128, 160 bytes and so on, up to a quarter of it;
 *      a larger object has whole pages.  An object is charged its slot or pages to its
 *      owner, and no descriptor; capacity is charged all slabs and pages, whole.
 *      A PUT needs a slab when its class has no free slot.  Who needs room gets first
 *      what moving objects together gives, until each class has no more slabs than its
 *      objects need; moving takes no memory.  R4's eviction counts with that.  Unasked,
 *      objects are moved when a class has more than twice the slabs that it needs, and
 *      one.  At most 16 empty slabs (1/256 of the capacity) are kept, until anybody
 *      needs room.  Nobody has anything evicted without a descriptor who needs but that.
 *      An object is there when its bytes are, and has moved when they have.
 *      A GET that maps it takes an object out of the pack, into a memfd of its own, which
 *      waits for its room as a create of the getter's would (R9), but not for a quota;
 *      at the GET's timeout, or if it has none queue_deadline: -ENOBUFS.  Until the GET
 *      is answered its objects are not evicted.
 *      However it came to its memfd: an object of at most inline_max bytes that is RESIDENT,
 *      has no pin, and is wanted mapped by no GET, moves into the pack, and its memfd is
 *      closed, while more than four fifths of max_fds are in use and nobody waits for
 *      room; and when somebody needs but a descriptor: then nothing is evicted for it as long
 *      as one such object is left for which the pack has a free slot, or capacity another slab
 *      or pages beside what is needed.  16 such objects begin to move in an event, and the next
 *      goes on at once; when a copy failed, none does for ten seconds.  What is mapped, wanted,
 *      or gone before its copy is there stays where it is.  A uid that its quota of
 *      descriptors alone holds up has its own such objects moved so before any of its
 *      objects is evicted for it (but for a PUT_FD, which cannot wait for a copy); meanwhile it
 *      holds up no other uid.
 *
 * Replies: status is that of the first item that failed, text its sentence; each
 * item has its own.  A request in several packets (MORE) is one request: it is
 * answered once, after its last packet.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/id.h"
#include "wire/message.h"

#define CORE_GONE_MAX    65536
#define CORE_PASS_MAX    64   /* times that a waiting create may be passed by smaller ones */
#define CORE_PENDING_MAX 1024 /* waiting requests of one connection */
#define CORE_PENDING_BYTES (16 << 20) /* copied for waiting requests of one uid */
#define CORE_BATCH_MAX   65536 /* items of one request in several packets; more: violation */
#define CORE_EVENTS_MAX 65536 /* notes of events that are kept, unless configured */
#define CORE_SUBSCRIBE_MAX 4  /* waiting SUBSCRIBEs of one connection */
#define CORE_GIVE_BACK 2048   /* holdings that one event gives back, unless configured: about half
                                 a millisecond */
#define CORE_FRAME_BYTES 65536 /* of the pack (R19); a multiple of every page size that counts */
#define CORE_SLABS_MIN   64 /* no pack while capacity is less than so many slabs */
#define CORE_NO_CONN     UINT32_MAX

struct core;

/* What a uid uses of the store.  An object that was deleted and is still held is charged to who
 * holds it: see core/account.h. */
enum core_resource {
	CORE_BYTES,       /* of its objects, drafts and makes, metadata included */
	CORE_OBJECTS,     /* these, by number */
	CORE_DESCRIPTORS, /* that these have in the broker; an offered memfd's from its arrival */
	CORE_CONNECTIONS,
	CORE_REQUESTS,    /* that wait */
	CORE_N_RESOURCES,
};

struct core_quota {
	uid_t uid; /* (uid_t)-1: everybody else */
	uint64_t limit;
	enum core_resource of;
};

struct core_config {
	uint64_t capacity;         /* bytes */
	uint32_t max_fds;          /* descriptors that objects, connections and pool may use */
	uint32_t max_objects;      /* size of the object table (first start only) */
	uint32_t max_events;       /* notes of events that are kept (first start only); 0: the default */
	uint32_t max_connections;
	uint32_t max_connections_per_uid; /* where no quota says otherwise */
	uint32_t inline_max;       /* objects up to this size are answered inline; <= WIRE_INLINE_MAX */
	bool huge_pages;           /* objects of 2 MiB and more are charged in whole 2 MiB pages */
	int64_t queue_deadline_ns;
	int64_t transit_lease_ns;
	uint64_t pool_max;         /* bytes the pool may hold; 0: no pool */
	const char *policy;        /* eviction policy by name; NULL: the default */
	bool shared;               /* by several uids: none but root may fill a table alone */
	const struct core_quota *quotas;
	size_t n_quotas;
	uint64_t arena_base;       /* first start only */
	uint8_t hash_key[16];      /* first start only */
	uint32_t give_back;        /* holdings that one event gives back; 0: CORE_GIVE_BACK */
	uint64_t metadata_share;   /* bytes of metadata that a uid may have where it is shared, and
	                              no less than an object can have; 0: half of the area for it */
};

/* ---- life ---- */

/* Bytes of memory that core_open() needs for this configuration (sparse: only
 * what is used is touched). */
size_t core_memory_size(const struct core_config *config);

/* core_open() - a core on this memory: empty if the memory is zeros, else the
 *   one that the dead worker left (what its journal holds is undone)
 * @now, @realtime: CLOCK_MONOTONIC and CLOCK_REALTIME, ns
 * After used memory, and until core_resume(), descriptors are not closed by
 *   effects: the caller closes those that core_next_fd() does not name.
 * Return: 0, -ENOMEM, -EUCLEAN (the memory holds something else), -EINVAL (unknown policy). */
int core_open(struct core **corep, const struct core_config *config, void *memory, size_t size,
	int64_t now, int64_t realtime);
/* Where in the memory the records of very many objects are, beyond the first MiBs: there huge pages
 * are worth while.  Iterate from *cursor = 0 until false. */
bool core_next_large(const struct core *core, uint32_t *cursor, void **memoryp, size_t *sizep);
struct core *core_close(struct core *core); /* frees the heap part only; returns NULL */

/* ---- after core_open() on used memory: the heir's questions ---- */

enum core_fd_kind { CORE_FD_DRAFT = 1, CORE_FD_OBJECT, CORE_FD_POOL, CORE_FD_PACK, CORE_FD_CALL,
	CORE_FD_SERVICE, CORE_FD_PIDFD };
struct core_fd {
	enum core_fd_kind kind;
	int fd;
	uint64_t inode;  /* DRAFT, OBJECT, POOL, PACK */
	uint64_t size;
	uint32_t owner;  /* object or connection index; PACK: frames that were ever used */
};
/* Every descriptor that the tables name.  Iterate from *cursor = 0 until false. */
bool core_next_fd(const struct core *core, uint64_t *cursor, struct core_fd *fd);
/* The descriptor behind a table entry is not what the table says: the object is
 * lost (-ENODATA for whoever asks), the connection ended, the pool entry forgotten; the
 * pack: all objects in it are lost. */
void core_fd_lost(struct core *core, int64_t now, const struct core_fd *fd);
/* Credentials are those at connect; the broker reads them from the socket again. */
struct core_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* copied */
	size_t n_groups;
	char comm[16];
	int call_fd, service_fd, pid_fd; /* -1: none */
};
int core_restore_peer(struct core *core, uint32_t conn, const struct core_peer *peer);
/* All is restored: the generation rises and every connection gets WIRE_RESUME. */
void core_resume(struct core *core, int64_t now, int64_t realtime);
uint64_t core_generation(const struct core *core);

/* ---- events ---- */

/* A client said WIRE_HELLO (versions checked by the caller).  The reply to the hello is an effect.
 * Return: 0, -EDQUOT (connections of this uid), -EMFILE (connections or descriptors at all). */
int core_connect(struct core *core, int64_t now, const struct core_peer *peer,
	const struct wire_request *hello, uint32_t *connp);
/* The connection is over (hangup, pidfd, or after DISCONNECT: the broker always calls this once,
 * before it closes the connection's descriptors). */
void core_disconnect(struct core *core, int64_t now, uint32_t conn);
/* WIRE_HELLO_CHILD on a WIRE_FORK socket: from now on the holder is this process.  The reply to
 * the hello is the caller's to send.
 * @pid_fd, service_fd: -1: none; owned by the connection from here, named by core_next_fd() */
void core_identify(struct core *core, int64_t now, uint32_t conn, pid_t pid, int pid_fd,
	int service_fd, const char comm[16]);

/* core_request() - one decoded request
 * @fd: PUT_FD: the offered memfd; FORK: the child's socket; else -1.  Owned by the core from here:
 *   it ends in the tables or in an effect CLOSE_STRANGER.
 * @child: FORK only: the new connection's index, or CORE_NO_CONN
 * Borrowed pointers in the request must stay valid until all effects are taken. */
void core_request(struct core *core, int64_t now, uint32_t conn, const struct wire_request *request,
	int fd, uint32_t *child);

/* Answers to effects.  ticket as in the effect; result 0 or negative errno.  core_made() that
 * failed: fd is -1, or a memfd that is still to be closed (a CLOSE effect follows). */
void core_made(struct core *core, int64_t now, uint32_t ticket, int result, int fd, uint64_t inode);
void core_adopted(struct core *core, int64_t now, uint32_t ticket, int result, uint64_t inode,
	uint64_t size);
void core_sealed(struct core *core, int64_t now, uint32_t ticket, int result);
void core_closed(struct core *core, int64_t now, uint32_t ticket);
/* A pool memfd of this many populated bytes is there (result 0), or could not be made. */
void core_pool_filled(struct core *core, int64_t now, uint32_t ticket, int result, int fd,
	uint64_t inode, uint64_t bytes);

/* The pack is there (result 0), or could not be made. */
void core_pack_opened(struct core *core, int64_t now, uint32_t ticket, int result, int fd,
	uint64_t inode);
/* A CORE_PACK_WRITE or CORE_PACK_PUNCH has been carried out; a write of which any part failed,
 * with that error. */
void core_packed(struct core *core, int64_t now, uint32_t ticket, int result);

/* Time passes: deadlines, leases, pool.  Call at core_deadline(). */
void core_tick(struct core *core, int64_t now, int64_t realtime);
/* When core_tick() is next due; INT64_MAX: never. */
int64_t core_deadline(const struct core *core);
/* What the uid may have of it; UINT64_MAX: no quota. */
uint64_t core_quota_of(const struct core *core, uid_t uid, enum core_resource of);

/* ---- configuration at run time ---- */

#define CORE_SETTINGS_MAX 32 /* keys that can have been changed */
#define CORE_KEY_MAX      31 /* bytes of a key's name */

/* A value that was changed at run time, as the tables keep it for the heir, who starts with the
 * configuration of the first start.  To the core these are words. */
struct core_setting {
	const char *key;
	const char *value; /* shorter than WIRE_TEXT_MAX */
	uint64_t base;     /* what a percentage in it is of */
	uint32_t uid;      /* who changed it */
};

/* core_configure() - from now on these hold: capacity, max_fds, max_connections_per_uid,
 *   queue_deadline_ns, transit_lease_ns, pool_max and quotas of config; nothing else of it is looked at
 * Less capacity than is used: evicts what can be, then waits (R16).
 * @setting: noted in the tables in the same transaction; NULL: nothing is
 * Return: 0, -ENOBUFS (CORE_SETTINGS_MAX other keys are noted; nothing was changed). */
int core_configure(struct core *core, int64_t now, const struct core_config *config,
	const struct core_setting *setting);
/* What is noted.  Iterate from *cursor = 0 until false; borrowed until the next event. */
bool core_next_setting(const struct core *core, uint32_t *cursor, struct core_setting *setting);
/* The store may use this many bytes at present, because the machine has no more, whatever
 * capacity says; UINT64_MAX: capacity alone counts, as after core_open(). */
void core_limit(struct core *core, int64_t now, uint64_t bytes);

/* ---- effects ---- */

enum core_effect_type {
	CORE_REPLY = 1,    /* conn, reply, fds: send; on failure the broker ends the connection */
	CORE_MAKE,         /* ticket, size, fd = pool memfd to use or -1 (trim or grow it to size);
	                      data != NULL or seal: write data_size bytes and hard-seal -> core_made().
	                      from_pack: the bytes are at this offset of the pack; read them now */
	CORE_ADOPT,        /* ticket, fd: check that it is a hard-sealed memfd -> core_adopted() */
	CORE_SEAL,         /* ticket, fd: hard-seal (if it is not yet) -> core_sealed() */
	CORE_CLOSE,        /* ticket, fd, size: close our memfd, off the loop if big -> core_closed() */
	CORE_CLOSE_STRANGER, /* fd: a descriptor a client sent and we do not keep: close it in a
	                      disposable process, no answer */
	CORE_DISCONNECT,   /* conn: protocol violation; send nothing more, call core_disconnect().
	                      text: why, for the log */
	CORE_POOL_FILL,    /* ticket, size: make and populate a pool memfd, in the background
	                      -> core_pool_filled() */
	/* Those of the pack are carried out at once, in the order of all effects that read or
	 * write it; only their answers may come later. */
	CORE_PACK_OPEN,    /* ticket, size: make the pack, a sparse memfd -> core_pack_opened() */
	CORE_PACK_WRITE,   /* ticket, writes, n_writes -> core_packed() */
	CORE_PACK_GIVE,    /* offset, size: no object is here any more, and effects after this one may
	                      write something else here.  No answer */
	CORE_PACK_PUNCH,   /* ticket, offset, size: free this memory -> core_packed(); ticket 0: no
	                      answer */
};

/* Where bytes are: in a memfd from its beginning, or in the pack. */
#define CORE_PLACE_NONE -1
#define CORE_PLACE_PACK -2
struct core_place {
	int fd; /* or one of these */
	uint64_t offset;
};

struct core_pack_write {
	uint64_t offset;    /* in the pack */
	uint32_t size;
	uint32_t fresh;     /* so many bytes of the frame, from its beginning, have no memory yet */
	const void *data;
	struct core_place from; /* what to write; CORE_PLACE_NONE: data */
};

struct core_effect {
	enum core_effect_type type;
	uint32_t conn; /* REPLY, DISCONNECT; MAKE, ADOPT, SEAL, CLOSE_STRANGER: for whom, so that one
	                  client's delays are not another's; CORE_NO_CONN: nobody any more */
	uint32_t ticket;
	int fd;
	uint64_t size;
	bool seal;
	const void *data;
	size_t data_size;
	bool from_pack;
	uint64_t offset;
	const struct core_pack_write *writes;
	uint32_t n_writes;
	/* REPLY: reply.items[i] with WIRE_ITEM_FD take fds[] in order.  An item with
	 * WIRE_ITEM_INLINE has data == NULL and data_size set: the broker reads
	 * data_size bytes from inline_places[i].  Names, metadata: borrowed until the
	 * next event. */
	struct wire_reply reply;
	const int *fds;
	uint32_t n_fds;
	const struct core_place *inline_places; /* n_items of them; NULL if none is inline */
	const char *text;
};

/* The next effect of the events so far, oldest first.  Everything it points to
 * lives until the next event (not until the next effect).  Return: false when there is none. */
bool core_next_effect(struct core *core, struct core_effect *effect);

/* ---- for tests and STATUS ---- */

/* Bytes that an object of this size is charged (without metadata). */
uint64_t core_charge(const struct core *core, uint64_t size);

/* Descriptors that objects and pool leave free for connections. */
uint32_t core_fd_reserve(const struct core *core);

struct core_totals {
	/* R2: charged (memfds of objects and makes, and the pack; without metadata) + metadata +
	 * freeing + pool (fills in flight too) <= capacity; fds: everything <= max_fds */
	uint64_t charged_bytes, pinned_bytes, pool_bytes, metadata_bytes, freeing_bytes;
	uint64_t pack_bytes, packed_bytes; /* of charged: memory of the pack, and what is in use of it */
	uint32_t fds, created, resident, connections, names, leases, queued, waiting;
};
void core_totals(const struct core *core, struct core_totals *totals);
/* Check every invariant between tables and derived state; aborts with a line on stderr. */
void core_check(const struct core *core);

/* Crash test: hook(argument) runs before each step at which the tables in memory change in a
 * way that a crash there could tell: it may longjmp() out of the core, which must then be
 * abandoned (its heap leaks) and opened anew on the same memory.  Global; NULL: none. */
void core_set_store_hook(void (*hook)(void *argument), void *argument);

#endif
