/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker/worker.h - what the files of the worker share
 *
 * All of it lives on one thread, *main*; memory/crew.h's threads see nothing of
 * it.  How a request travels:
 *
 *   loop.c -> turns.c: whose turn it is
 *          -> connection.c: a packet is read, decoded, checked -> core_request()
 *          -> effects.c: broker_settle() takes the core's effects and carries them
 *             out: memfds made, sealed and closed (or handed to the crew), replies
 *             sent by output.c
 *
 * What an effect leads to (core_made() and the like) is itself an event, and an
 * event ends the life of what older effects point to.  So an executed effect only
 * leaves a completion; completions are delivered one by one, whenever no effect is
 * left.  For the same reason nothing ends a connection on the spot: it is doomed,
 * and broker_settle() ends it.
 *
 * A 4 KiB PUT or GET that finds the worker awake costs recvmsg and sendmsg: the
 * bytes are copied into or out of the pack, which is mapped.  One epoll_wait that does
 * not sleep comes with every 16 packets.  A release costs recvmsg.  When a small object
 * is mapped, that costs memfd_create, pwrite, F_ADD_SEALS and fstat (the inode, by which
 * the heir knows it again).
 */
#ifndef BROKER_WORKER_H
#define BROKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "broker/broker.h"
#include "core/core.h"
#include "ds/hash.h"
#include "memory/crew.h"
#include "memory/pack-file.h"
#include "util/socket.h"
#include "util/spin.h"
#include "util/text.h"
#include "wire/message.h"

#define HANDSHAKE_NS       (INT64_C(5) * 1000000000) /* from accept to the hello */
#define HOLD_NS            (INT64_C(1) * 1000000000) /* a hello waits for descriptors */
#define HOLD_AGAIN_NS      (INT64_C(5) * 1000000)
#define HANDSHAKES_MAX     256
#define HANDSHAKES_PER_UID 32
#define PACKETS_PER_TURN   16 /* of one connection, while others wait */
#define QUEUED_BYTES_MAX   (32U << 20) /* of replies that a connection does not read */
#define PAUSE_BYTES        (1U << 20) /* that wait for acknowledgements: no request is read */
#define QUEUED_BYTES_PER_UID (64U << 20) /* of those that all connections of a uid do not */
#define PACKED_USES        4096
#define N_HOT              4

struct broker;
struct connection;

/* ---- sources of events: what epoll's data points to ---- */

enum source_kind {
	SOURCE_LISTENER,
	SOURCE_SIGNAL,
	SOURCE_CREW,
	SOURCE_STARTER,
	SOURCE_CALL,
	SOURCE_PROCESS,
};

struct source {
	enum source_kind kind;
	struct connection *connection; /* CALL, PROCESS */
};

/* ---- connections ---- */

enum connection_state {
	CONNECTION_GREETING, /* accepted, no hello yet: the core does not know of it */
	CONNECTION_FORKED,   /* a forked child's, which has not said who it is */
	CONNECTION_SERVING,
	CONNECTION_ENDED,    /* nothing is open any more; freed at the end of the turn */
};

/* Why the first queued reply has not been sent. */
enum output_block {
	OUTPUT_FREE,
	OUTPUT_SOCKET, /* the peer does not read: EPOLLOUT tells */
	OUTPUT_WINDOW, /* WIRE_FDS_UNACKED descriptors are on their way: an ack tells, or when
	                  paused EPOLLOUT and the kernel */
	OUTPUT_KERNEL, /* too many descriptors are on their way to the uid, or of our own user
	                  (ETOOMANYREFS): tried again */
};

TAILQ_HEAD(connection_list, connection);

/* All connections of a uid together (user.c). */
struct user {
	struct hash_node by_uid;
	uid_t uid;
	uint32_t n_connections;
	size_t output_bytes; /* of replies that wait */
	uint32_t n_flying;   /* descriptors sent, of which we do not know that they arrived */
	int64_t look_again;  /* not before: at what the kernel says of them */

	/* turns.c */
	struct connection_list ready; /* packets may have come: whose turn it is, first */
	TAILQ_ENTRY(user) taker;      /* in broker.takers, while one is ready */
	int64_t served_at, pause_until;
	int64_t used;                 /* of the worker's time, by a clock that all users share */
	bool floods;                  /* had more to be served when its last turn ended */
	bool is_recent;
	TAILQ_ENTRY(user) recency;    /* in broker.recent */
};
TAILQ_HEAD(user_list, user);

struct outgoing;
TAILQ_HEAD(outgoing_queue, outgoing);

struct connection {
	enum connection_state state;
	uint32_t index; /* the core's */
	int call_fd, service_fd, pid_fd; /* -1: none */
	int client_service_fd; /* leaves with the reply to the hello; -1 */
	pid_t pid;
	uid_t uid;
	struct user *user; /* until ENDED */
	char comm[16];
	bool resuming; /* the heir waits for WIRE_RECONCILE */
	bool hung_up;  /* the peer is gone: what it sent still counts, replies go nowhere */
	bool doomed;   /* will be ended by broker_settle() */
	bool ready;    /* is in its user's list of the ready */
	bool muted;    /* epoll does not tell of packets: we know of some already */
	bool unread;   /* is ready, but not read before its replies are sent */
	bool leaving;  /* its last words are read, and then it is doomed */
	uint32_t n_last_words;
	uint32_t fds_sent, fds_acked; /* wrap */
	uint32_t fds_arrived; /* acknowledged, or received by the word of the kernel */
	uint32_t interest; /* what epoll watches for */
	int64_t deadline;  /* of the hello, or when held of its answer */
	bool held;         /* the hello waits for descriptors */
	struct wire_request hello; /* while held */
	struct source call_source, process_source;
	struct outgoing_queue output;
	size_t output_bytes;
	enum output_block block;
	TAILQ_ENTRY(connection) greeting;  /* in broker.greeting while GREETING, oldest first */
	TAILQ_ENTRY(connection) blocked;   /* in broker.blocked while output is not empty */
	TAILQ_ENTRY(connection) departing; /* in broker.doomed, then in broker.ended */
	TAILQ_ENTRY(connection) readiness; /* in its user's ready */
};

/* ---- the worker ---- */

struct completion {
	enum core_effect_type effect; /* MAKE ADOPT SEAL CLOSE POOL_FILL PACK_... */
	uint32_t ticket;
	int result;
	int fd;
	struct memfd_identity identity;
};

struct completions {
	struct completion *all;
	size_t n, room;
};

struct stranger;
TAILQ_HEAD(stranger_list, stranger);

struct broker {
	const struct broker_options *options;
	struct core *core;
	struct crew *crew;
	int64_t now; /* CLOCK_MONOTONIC when the turn, or the packet, began */
	bool stopping;
	bool huge_pages;

	/* loop.c */
	int epoll_fd, signal_fd;
	bool without_pwait2; /* Linux before 5.11 */
	struct source listener_source, signal_source, crew_source, starter_source;
	struct connection *hot[N_HOT]; /* read last, first tried when spinning; NULL: none */
	unsigned int next_hot;
	bool may_spin;
	bool busy; /* the last turn brought packets */
	struct spin spin;
	bool starter_gone;
	int64_t idle_since; /* nobody is connected since */

	/* turns.c */
	struct user_list takers; /* who has ready connections: whose turn it is, first */
	struct user door;        /* stands for those whom listener_accept() will let in */
	bool door_open;          /* somebody may be there */
	bool door_muted;         /* epoll does not tell of more of them */
	struct user_list recent; /* the last ones served, latest first; some may have left */
	unsigned int n_recent;
	int64_t ran;             /* how long the worker had, when it was last asked */
	int64_t used_most;       /* of all users' used */

	/* listener.c */
	struct connection_list greeting;
	uint32_t n_greeting;
	int64_t accept_again; /* INT64_MAX: accepting */
	int64_t pause_said;   /* not again before */
	uint32_t n_held;
	int64_t held_due;     /* when they are tried again; INT64_MAX */

	/* user.c */
	struct hash_map users;
	uint32_t n_users; /* who have connections */

	/* connection.c */
	struct connection **connections; /* by the core's index; NULL: none */
	uint32_t n_connections;
	struct connection_list doomed, ended;
	void *packet; /* WIRE_PACKET_MAX, read into */
	struct wire_scratch decoded;

	/* output.c */
	struct connection_list blocked;
	int64_t output_again; /* earliest OUTPUT_KERNEL goes on; INT64_MAX */
	void *outbound; /* WIRE_PACKET_MAX, encoded into */
	void **holes;   /* WIRE_ITEMS_MAX: where in it bytes of objects go */
	uint32_t *queued_uses; /* by descriptor: how many queued items name it */
	size_t n_queued_uses;
	uint32_t packed_uses[PACKED_USES]; /* likewise of the pack's places, by a hash of the offset */

	struct pack_file pack;

	/* effects.c */
	struct completions completions;
	size_t next_completion;
	struct completions later; /* for the next turn: of objects that were moved */
	size_t moved_here;        /* bytes of these, in this turn */
	unsigned int n_closed_here; /* descriptors closed on the loop in this turn */

	/* stranger.c */
	struct stranger_list strangers;
	int64_t strangers_due;
	int tombstone;

	/* limit.c */
	int64_t look_again;  /* at what the machine has */
	uint64_t limit;      /* UINT64_MAX: capacity is what counts */
	struct text limited; /* why it does not */
	bool was_active;     /* packets came since the last look */
	int64_t limit_logged;

	/* report.c */
	int64_t complaints_since;
	unsigned int n_complaints, n_unsaid;
};

/* loop.c */
int loop_init(struct broker *broker);
void loop_deinit(struct broker *broker);
/* Until broker->stopping.  Return: 0 or negative errno. */
int loop_run(struct broker *broker);
/* Once around: what is due, then wait for events, until `latest` at most, and take them.
 * Return: how many there were, or negative errno. */
int loop_turn(struct broker *broker, int64_t latest);
/* Watch for EPOLLIN and the like; events 0: no longer. */
int loop_watch(struct broker *broker, int fd, struct source *source, uint32_t events);
void loop_change(struct broker *broker, int fd, struct source *source, uint32_t events);
void loop_forget(struct broker *broker, int fd);
/* It is read when spinning, as long as others are not busier. */
void loop_make_hot(struct broker *broker, struct connection *connection);

/* turns.c */
void turns_init(struct broker *broker);
/* Packets may have come. */
void turns_add(struct broker *broker, struct connection *connection);
/* There are none, or they are not for us any more. */
void turns_remove(struct broker *broker, struct connection *connection);
/* Somebody may want to connect. */
void turns_open_door(struct broker *broker);
/* May the user be served now, or is there a reason to wait for somebody else? */
bool turns_may(const struct broker *broker, const struct user *user);
/* The user was served from then until now. */
void turns_took(struct broker *broker, struct user *user, int64_t began);
/* Forget who was served. */
void turns_deinit(struct broker *broker);
/* Is there one user at most? */
bool turns_alone(const struct broker *broker);
/* When a turn that begins now must end. */
int64_t turns_end(const struct broker *broker);
/* Let those who are ready have a few turns each.  Return: how many packets were read. */
unsigned int turns_serve(struct broker *broker);
/* When turns_serve() would serve somebody. */
int64_t turns_due(const struct broker *broker);

/* listener.c */
/* For a turn.  Return: may there be more? */
bool listener_accept(struct broker *broker);
/* Deadlines of hellos, and the end of a pause.  Return: when it is next due. */
int64_t listener_tick(struct broker *broker);

/* connection.c */
/* A connection for this socket, watched.  @index CORE_NO_CONN: the core does not know it.
 * Return: NULL when there is no memory; the socket stays the caller's. */
struct connection *connection_new(struct broker *broker, enum connection_state state, int call_fd,
	uid_t uid, uint32_t index);
/* Read and carry out packets, for a turn and at most so many.  Return: how many. */
unsigned int connection_serve(struct broker *broker, struct connection *connection,
	unsigned int max_packets);
/* The peer is gone: what it had sent will be carried out in its turns, and then it is doomed. */
void connection_hang_up(struct broker *broker, struct connection *connection);
/* Held, it may be let in now; or its time is over, and it is told so. */
void connection_greet_again(struct broker *broker, struct connection *connection);
/* It will be ended by the next broker_settle(); nothing is sent any more. */
void connection_doom(struct broker *broker, struct connection *connection);
/* Doom it, and say in the log why. */
void connection_fail(struct broker *broker, struct connection *connection, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Tell the core, close everything.  Only between effects. */
void connection_finish(struct broker *broker, struct connection *connection);
void connections_free_ended(struct broker *broker);
/* Watch for what it can do now. */
void connection_update(struct broker *broker, struct connection *connection);

/* Who sends while it is not its turn is not to wake us with every packet. */
void connection_mute(struct broker *broker, struct connection *connection, bool muted);

/* user.c */
/* The uid's user, for one connection more.  Return: NULL when there is no memory. */
struct user *user_get(struct broker *broker, uid_t uid);
void user_put(struct broker *broker, struct user *user);
/* It has no connection, and is not remembered. */
void user_free(struct broker *broker, struct user *user);
/* How many more descriptors may be on their way to it. */
uint32_t user_window(const struct broker *broker, const struct user *user);

/* output.c */
/* @fds, @places: as in struct core_effect.  Everything is borrowed for the call only. */
void output_reply(struct broker *broker, struct connection *connection,
	const struct wire_reply *reply, const int *fds, uint32_t n_fds,
	const struct core_place *places);
/* Go on with what is queued. */
void output_flush(struct broker *broker, struct connection *connection);
void output_clear(struct broker *broker, struct connection *connection);
/* This memfd of ours is about to be closed. */
void output_closing(struct broker *broker, int fd);
/* What is at this offset of the pack may change after this. */
void output_giving(struct broker *broker, uint64_t offset);
/* It owes acknowledgements, and so much waits for them that none of its requests is read. */
bool output_is_paused(const struct connection *connection);
/* The peer says that it has received so many descriptors in all. */
void output_acked(struct connection *connection, uint32_t fds_acked);
/* It has received all that was sent, or never will. */
void output_arrived(struct connection *connection);
int64_t output_tick(struct broker *broker);

/* pack.c */
/* Return: the pack's descriptor, or negative errno. */
int broker_pack_open(struct broker *broker, uint64_t size, struct memfd_identity *identity);
/* Let it grow by huge pages, where that is worth while, from this offset on. */
void broker_pack_grow_huge(struct broker *broker, uint64_t unused);
int broker_pack_write(struct broker *broker, const struct core_pack_write *writes, uint32_t n);
/* An object in the pack, to be read soon; until the next write to its place. */
const char *broker_pack_bytes(const struct broker *broker, const struct core_place *place,
	size_t size);
/* The bytes of an object, from the pack or a memfd.  Return: 0 or negative errno. */
int broker_pack_read(const struct broker *broker, const struct core_place *place, char *to,
	size_t size);

/* effects.c */
void broker_settle(struct broker *broker);
/* Go on with what was put off to this turn. */
void effects_tick(struct broker *broker);
/* When effects_tick() is next due; INT64_MAX. */
int64_t effects_due(const struct broker *broker);
/* Results of the crew. */
void effects_collect(struct broker *broker);

/* peer.c */
struct peer {
	struct core_peer core;
	gid_t *groups; /* owned; core.groups points to it */
};
/* Credentials at connect, from the socket.  Return: 0 or negative errno. */
int peer_read(struct peer *peer, int socket);
void peer_deinit(struct peer *peer);
/* A descriptor of the process that connected.  Return: it, or negative errno. */
int peer_pidfd(int socket, pid_t pid);
int pidfd_of(pid_t pid);
bool is_pidfd(int fd);
/* Which process?  -1: it is gone. */
pid_t pidfd_process(int pidfd);
/* Its name; "" when it cannot be had. */
void process_comm(pid_t pid, char comm[16]);
/* Is it one end of a connected AF_UNIX SOCK_SEQPACKET pair? Never blocks, whatever fd is. */
bool is_packet_socket(int fd);

/* report.c */
void report_hello(const struct broker *broker, const struct connection *connection,
	struct wire_reply *reply);
void report_config(struct broker *broker, struct connection *connection, uint64_t serial);
/* The core's fields and the worker's own. */
void report_status(struct broker *broker, struct connection *connection,
	const struct wire_reply *reply);
/* One line about a client that misbehaves, unless there were too many of late. */
void report_complaint(struct broker *broker, const struct connection *connection,
	const char *reason);

/* settings.c */
/* Carry out what a dead worker's clients had changed; before anything is recovered. */
void settings_inherit(struct broker *broker);
void settings_change(struct broker *broker, struct connection *connection,
	const struct wire_request *request);

/* limit.c */
/* Everything that is charged against capacity. */
uint64_t limit_used(const struct broker *broker);
/* Look at the machine now. */
void limit_look(struct broker *broker);
/* Look now and then.  Return: when it is next due. */
int64_t limit_tick(struct broker *broker);

/* stranger.c */
/* Takes fd.  @uid: who sent it */
void stranger_bury(struct broker *broker, int fd, uid_t uid);
/* The dead worker left it in the table. */
void stranger_inherit(struct broker *broker, int fd);
/* Has this uid sent so many that hang, that it is not served until they are gone? */
bool stranger_bars(const struct broker *broker, uid_t uid);
int64_t strangers_tick(struct broker *broker);
/* Wait until none is in our table any more, though their processes may hang. */
void strangers_finish(struct broker *broker, int64_t deadline);
void strangers_deinit(struct broker *broker);

/* worker.c */
/* Start serving, on new tables or on those of a dead worker; broker_end() also after an error.
 * Return: 0 or negative errno. */
int broker_begin(struct broker *broker, const struct broker_options *options);
/* Give back what a worker has of its own.  Connections that have not ended, and descriptors that
 * the tables name, stay as they are. */
void broker_end(struct broker *broker);
/* Open what every worker has of its own: crew, epoll, signals. */
int broker_open(struct broker *broker);

/* recover.c */
/* Make the descriptor table and the core's tables agree.  Calls broker_open(), at the one right moment.
 * Return: 0 or negative errno. */
int broker_recover(struct broker *broker);

#endif
