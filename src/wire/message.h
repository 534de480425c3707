/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/message.h - what clients and the broker say to each other
 *
 * Transport: AF_UNIX SOCK_SEQPACKET, one message a packet, both ends on one
 * machine, so numbers are in host byte order.  This layer is pure: bytes in,
 * messages out; descriptors travel beside the packet and are only counted here.
 *
 * A packet (all sizes multiples of 8, every struct 8-aligned):
 *
 *   header   { u16 type; u16 flags; u32 length; u64 serial; u32 n_items;
 *              u32 n_extras; u32 n_fds; u32 acked_fds }           32 bytes
 *   part     the message's own fields
 *   parts    n_items times: the items'
 *   parts    n_extras times: holders' or fields' of a reply
 *
 *   a part   { u32 size; u32 numbers_size; numbers; blobs }
 *
 * size is the whole part's; the numbers end after numbers_size bytes, naturally
 * aligned; a blob has its size among the numbers, and follows them in the same
 * order, padded to 8.  wire/layout.c lists the fields of every message.
 *
 * A reader takes the fields that it knows, zeros those that a shorter sender
 * did not send, and skips those that it does not know.  So a field may be
 * appended to any part without a new version; a new meaning of an old field
 * needs one.  Strings are carried with their NUL, and checked to have exactly
 * one, at the end.
 *
 * Two sockets a client.  The *call* socket carries requests and their replies in
 * any order.  The serial of a request is chosen by the client: never 0, and never
 * the same for two requests of a connection, as the reply, WIRE_CANCEL and a retry
 * name the request by it.  A client that breaks this confuses itself alone.  The *service*
 * socket, handed over in the hello's reply, carries what the broker asks of the
 * client's service thread.
 *
 * When the worker died and its heir took over, the heir sends WIRE_RESUME on
 * both sockets of every connection.  From then on it drops every request of
 * that connection but WIRE_FORK (whose child gets a WIRE_RESUME of its own)
 * until WIRE_RECONCILE arrives, in which the client lists what
 * it holds, outstanding requests left out; then the client sends its
 * outstanding requests again, with their old serials and WIRE_FLAG_RETRY.  So
 * every request is carried out exactly once, though nobody logs requests.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/id.h"

#define WIRE_VERSION_MIN 1
#define WIRE_VERSION_MAX 1

#define WIRE_HEADER_SIZE   32
#define WIRE_PACKET_MAX    (128 * 1024 + 4096) /* default SO_SNDBUF allows about 208 KiB */
#define WIRE_FDS_PER_PACKET 16
#define WIRE_FDS_UNACKED    64  /* descriptors in flight are a shared kernel budget */
#define WIRE_ITEMS_MAX      4096
#define WIRE_METADATA_MAX   65536
#define WIRE_NAME_MAX       255
#define WIRE_NAMES_MAX      32768 /* names of one object in a reply, each with its NUL */
#define WIRE_TEXT_MAX       4096  /* sentences, keys and values, with their NUL */
#define WIRE_INLINE_MAX     65536 /* upper bound of the configured inline_max */
#define WIRE_LABELS_MAX     16    /* labels of one object */
#define WIRE_LABELS_SIZE_MAX 2048 /* and their bytes, "key=value" each with its NUL */
#define WIRE_LABEL_KEY_MAX  63
#define WIRE_LABEL_VALUE_MAX 255
#define WIRE_CALL_SITE_MAX  255   /* bytes of the place in a program, without the NUL */
#define WIRE_PRIORITY_MAX   15    /* priorities are from -15 to 15 */

enum wire_type {
	/* requests, client to broker, on the call socket */
	WIRE_HELLO = 1,   /* first packet of a connection: versions, flags */
	WIRE_CREATE,      /* one item: id size mode flags metadata, attributes; timeout; -> item: fd.
	                     Attributes, here and below: labels call_site priority ttl_ns */
	WIRE_SEAL,        /* items: id; timeout: for others that write it to end */
	WIRE_ABORT,       /* items: id */
	WIRE_PUT,         /* items: id mode flags metadata data, attributes; timeout */
	WIRE_PUT_FD,      /* one item: id size mode flags metadata, attributes; 1 fd; timeout */
	WIRE_GET,         /* items: id; flags; timeout -> items: size address metadata, fd or data */
	WIRE_RELEASE,     /* items: id refs pins; no reply */
	WIRE_DELETE,      /* items: id */
	WIRE_HOLD,        /* one item: id; name */
	WIRE_UNHOLD,      /* name */
	WIRE_LOOKUP,      /* name -> item: id, and a reference */
	WIRE_LEASE,       /* items: id; token: one for all of them */
	WIRE_LOAD,        /* items: id; token -> items, each a reference */
	WIRE_FORK,        /* 1 fd: a connection of its own for a child.  Replied to on that connection: so
	                     a broker that is given both ends of a pair hears itself, and ends both */
	WIRE_RECONCILE,   /* items: id refs pins; generation; MORE on all but the last; no reply */
	WIRE_ACK,         /* nothing but the header's acked_fds; no reply */
	WIRE_CANCEL,      /* cursor: the serial given up; no reply to this, -ECANCELED to that */
	WIRE_WAIT,        /* items: id; limit: how many; timeout -> items: id, status 0 or -EAGAIN */
	WIRE_LIST,        /* cursor skip limit flags; name: a pattern, or NULL; labels: all of them have to
	                     match -> items; holders, if asked for; cursor of the next page, 0 at the end;
	                     skip: not 0: the next page begins with more holders of the last item */
	WIRE_STAT,        /* one item: id -> item; holders */
	WIRE_STATUS,      /* -> fields */
	WIRE_CONFIG,      /* -> fields */
	WIRE_SUBSCRIBE,   /* cursor: the first event wanted; limit timeout -> items: events; cursor of the
	                     next, lost: how many from the first on are not kept any more */
	WIRE_SET,         /* one item: id flags labels unlabel priority ttl_ns: change what flags name */
	WIRE_CONFIGURE,   /* name: a key of the configuration; value: what it is from now on */
	WIRE_SHARE,       /* one item: id of a draft; token: who knows it may write too */
	WIRE_JOIN,        /* one item: id of a draft; token -> item: fd, a reference and a pin */
	WIRE_REQUEST_LAST = WIRE_JOIN,

	/* broker to client */
	WIRE_RESUME = 0x100, /* generation; call and service socket; serial 0 */
	WIRE_REPLY = 0x8000, /* or'ed to the request's type */
};

enum wire_flags { /* of the header */
	WIRE_FLAG_RETRY = 1, /* sent again after WIRE_RESUME: answer as the first time */
	WIRE_FLAG_MORE = 2,  /* another packet with the same type and serial follows */
};

enum wire_hello_flags {
	WIRE_HELLO_SERVICE = 1, /* the client will run a service thread */
	WIRE_HELLO_CHILD = 2,   /* a forked child says who it is, on its WIRE_FORK socket */
};

enum wire_get_flags {
	WIRE_GET_REF = 1,  /* a reference, no mapping: no fd, no data, no pin */
	WIRE_GET_MAP = 2,  /* never inline */
};

enum wire_list_flags {
	WIRE_LIST_HOLDERS = 1, /* tell who holds each, and of the deleted ones that still have memory;
	                          leave out the metadata */
};

enum wire_item_flags {
	WIRE_ITEM_HOLD = 1,   /* request: hold without a name; reply to LIST, STAT: it is held so */
	WIRE_ITEM_FD = 2,     /* reply: the packet's next descriptor is this item's (CREATE: the draft;
	                         GET: the object, and a pin was added) */
	WIRE_ITEM_INLINE = 4, /* reply: data is the object's bytes; a reference was added, no pin */
	WIRE_ITEM_DELETED = 8,/* reply to LIST, STAT: gone by name, kept by pins */
	WIRE_ITEM_PIN = 16,   /* CREATE, PUT, PUT_FD, SET: pin it hard; reply to LIST, STAT: it is pinned so */
	WIRE_ITEM_UNPIN = 32, /* SET */
	WIRE_ITEM_TTL = 64,   /* SET: ttl_ns counts */
	WIRE_ITEM_PRIORITY = 128, /* SET: priority counts */
};

/* Cursors of SUBSCRIBE that are no number of an event: those are from 1 on. */
#define WIRE_EVENTS_KEPT UINT64_C(0) /* all that is kept */
#define WIRE_EVENTS_NEW  UINT64_MAX  /* none: tell me at once where what is yet to come begins */

/* What happened to an object. */
enum wire_event {
	WIRE_EVENT_CREATED = 1, /* a draft, or a put about to be sealed */
	WIRE_EVENT_SEALED,
	WIRE_EVENT_ABORTED,     /* a draft that will not be sealed */
	WIRE_EVENT_EVICTED,     /* nobody referred to it, and room was needed */
	WIRE_EVENT_DELETED,
	WIRE_EVENT_LOST,        /* its memory is not what the broker left */
	WIRE_EVENT_EXPIRED,     /* its ttl ended */
};

enum wire_object_state { WIRE_CREATED = 1, WIRE_RESIDENT, WIRE_SPILLED, WIRE_PAGING };

/* An item of a request, and of a reply.  Fields that the message type does not
 * name above are neither sent nor read (they decode as zero). */
struct wire_item {
	struct id128 id;
	uint32_t flags;
	uint32_t mode;
	uint64_t size;
	uint32_t refs, pins;
	/* request: metadata <= WIRE_METADATA_MAX; all pointers borrow from the packet */
	const void *metadata;
	uint32_t metadata_size;
	const void *data;
	uint32_t data_size;
	/* CREATE, PUT, PUT_FD: hold it under this name as well; NULL: none */
	const char *name;
	/* Attributes; labels: see wire/labels.h; unlabel: keys of labels to remove, each with its NUL. */
	const char *labels, *unlabel;
	uint32_t labels_size, unlabel_size;
	const char *call_site; /* where in a program it was created; NULL: not known */
	int32_t priority;
	int64_t ttl_ns;        /* request: drop it so long after the seal (SET: from now on); 0: never */
	/* reply only */
	int32_t status; /* 0 or negative errno of this item */
	uint32_t state;
	uint64_t address;
	uint32_t uid, gid;
	int64_t created_ns, last_access_ns;
	uint64_t accesses;
	uint64_t charged_bytes, resident_bytes;
	const char *names; /* each NUL-terminated, one after the other */
	uint32_t names_size;
	int64_t expires_ns; /* CLOCK_REALTIME; 0: never, or not sealed yet */
	/* SUBSCRIBE */
	uint32_t event;    /* enum wire_event; of a later broker perhaps another */
	uint64_t sequence;
	int64_t time_ns;   /* CLOCK_REALTIME */
};

struct wire_request {
	uint16_t type;
	bool retry, more;
	uint64_t serial;
	uint32_t n_fds;     /* announced: the transport compares with what arrived */
	uint32_t acked_fds; /* descriptors received on this connection so far, wraps */
	uint32_t version_min, version_max;
	uint32_t flags;
	uint32_t limit;
	int64_t timeout_ns; /* relative; 0: do not wait; INT64_MAX: for ever; CREATE/PUT: 0 means the broker's */
	uint64_t generation;
	uint64_t cursor;
	uint64_t skip;      /* LIST: holders of the object before the cursor that were told already */
	struct id128 token;
	const char *name; /* NUL-terminated in the packet; NULL if none */
	const char *labels;
	uint32_t labels_size;
	const char *value; /* CONFIGURE, likewise */
	const struct wire_item *items;
	uint32_t n_items;
};

struct wire_holder {
	uint32_t kind; /* enum ostore_holder_kind's numbers: 1 connection, 2 name, 3 lease */
	uint32_t pid, uid, refs, pins;
	int64_t expires_ns;
	const char *text; /* comm or name */
	uint32_t item;    /* LIST: of which of the reply's items, counted over all its packets */
};

/* A named value: STATUS ("capacity_bytes" 1073741824; "counter.puts" 7;
 * "feature.bpf" "off" "no BTF"), CONFIG (key, value, origin). */
struct wire_field {
	const char *key;
	const char *value;  /* never NULL */
	const char *origin; /* never NULL */
	uint64_t number;
};

struct wire_reply {
	uint16_t type; /* of the request (without WIRE_REPLY), or WIRE_RESUME */
	bool more;
	uint64_t serial;
	uint32_t n_fds;
	int32_t status;   /* 0 or negative errno */
	const char *text; /* the sentence for the status; NULL when 0 */
	/* HELLO */
	uint32_t version;
	uint32_t connection;
	uint32_t flags;
	uint64_t arena_base;
	uint32_t inline_max, max_items, max_packet, max_fds;
	/* HELLO, RESUME */
	uint64_t generation;
	/* LIST, SUBSCRIBE */
	uint64_t cursor;
	uint64_t skip;
	uint64_t lost;
	const struct wire_item *items;
	uint32_t n_items;
	const struct wire_holder *holders;
	uint32_t n_holders;
	const struct wire_field *fields;
	uint32_t n_fields;
};

enum wire_error {
	WIRE_E_SUCCESS = 0,
	WIRE_E_TRUNCATED = 1, /* ends inside something */
	WIRE_E_LENGTH,        /* header length is not the packet's, or a size is off */
	WIRE_E_TYPE,          /* unknown type */
	WIRE_E_LIMIT,         /* over a WIRE_..._MAX */
	WIRE_E_VALUE,         /* a field has a value that no version allows */
	WIRE_E_TEXT,          /* a string without its NUL, or with one inside */
	WIRE_E_FDS,           /* announces a number of descriptors that its type does not carry */
};

const char *wire_error_text(enum wire_error error);
/* "GET", "PUT_FD", ...; "type 99" for an unknown one is the caller's to print: returns NULL. */
const char *wire_type_name(uint16_t type);

/* Scratch that a decoder keeps between packets: the decoded arrays live in it
 * until the next decode.  Zero-initialize; wire_scratch_deinit() frees. */
struct wire_scratch {
	struct wire_item *items;
	struct wire_holder *holders;
	struct wire_field *fields;
	size_t items_room, holders_room, fields_room;
};
void wire_scratch_deinit(struct wire_scratch *scratch);

/* wire_request_decode() / wire_reply_decode() - check a whole packet and take it apart
 * @packet: 8-aligned; everything decoded borrows from it and from scratch
 * What a decoded message is sure of: as many items as its type has (one, or 1 to
 * WIRE_ITEMS_MAX; RECONCILE 0 too), as many announced descriptors, a serial, a
 * name where the type needs one, timeouts >= 0, sizes within the limits above.
 * Return: 0, an enum wire_error (peer's fault), or -ENOMEM. */
int wire_request_decode(struct wire_request *request, struct wire_scratch *scratch,
	const void *packet, size_t size);
int wire_reply_decode(struct wire_reply *reply, struct wire_scratch *scratch,
	const void *packet, size_t size);

/* wire_request_encode() / wire_reply_encode() - write a packet
 * @buffer: 8-aligned, room bytes
 * Return: bytes written; -EMSGSIZE when it does not fit into room or a packet
 *   (the caller splits); -EINVAL when the decoder would refuse it. */
ssize_t wire_request_encode(const struct wire_request *request, void *buffer, size_t room);
ssize_t wire_reply_encode(const struct wire_reply *reply, void *buffer, size_t room);

/* wire_..._encode_holes() - the same, for data that is not in memory yet, or not in one piece
 * @holes: out: n_items pointers; where an item has data_size but data == NULL: the place in buffer
 *   that the caller has to fill with data_size bytes before it sends; else NULL */
ssize_t wire_request_encode_holes(const struct wire_request *request, void *buffer, size_t room,
	void **holes);
ssize_t wire_reply_encode_holes(const struct wire_reply *reply, void *buffer, size_t room,
	void **holes);

/* Bytes that the whole packet takes, and that one item takes in a packet of this
 * type: for splitting before encoding.  0 for an unknown type. */
size_t wire_request_size(const struct wire_request *request);
size_t wire_reply_size(const struct wire_reply *reply);
size_t wire_request_item_size(uint16_t type, const struct wire_item *item);
size_t wire_reply_item_size(uint16_t type, const struct wire_item *item);

#endif
