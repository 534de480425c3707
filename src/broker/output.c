/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies on their way out.
 *
 * A reply is cut into packets (WIRE_PACKET_MAX bytes, WIRE_FDS_PER_PACKET
 * descriptors) as it is sent, straight from the core's memory.  Only when the
 * socket is full, or WIRE_FDS_UNACKED descriptors are on their way, what is left
 * is copied and queued - not as packets, but as items: descriptors by number,
 * and bytes of objects not at all, so that a client that asks for much and reads
 * nothing costs us little.  A connection's queue is bounded by QUEUED_BYTES_MAX, the
 * queues of a uid together by QUEUED_BYTES_PER_UID; beyond that the longest of them
 * is cut, and its connection with it.  While the socket is full no request of the
 * connection is read, so a client that reads slowly is slowed down, and only what
 * was asked for before, or is answered late, can queue.  Who owes acknowledgements, or
 * whose uid does, is still read, as they come with requests, until PAUSE_BYTES wait: then
 * it is paused too, and goes on when the kernel says that it has received all that was
 * sent - so it loses nothing who filled his socket with requests before he began to receive.
 *
 * A queued item names a memfd by its number, and the core may close that memfd
 * before the item is sent.  The number could then mean another object, even one
 * that this client may not read.  So output_closing() comes before every close:
 *  - an item with a descriptor has a pin, which its client holds.  That it is
 *    gone means that the client gave back what it had not received (no correct
 *    one does), or deleted its own draft: its connection ends;
 *  - an item with bytes has no pin, and somebody else may delete the object: the
 *    bytes are read now, and kept with the item.
 * Both are found through a count per descriptor, so that a close costs nothing
 * while nobody is behind.  For an object in the pack it is the place that ends
 * (output_giving()): something else may be written there, or the object has moved.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define FIXED_ROOM       2048 /* header, numbers and text of a reply, with room to spare */
#define HOLDERS_A_PACKET 512
#define FIELDS_A_PACKET  256
#define GATHERED_MAX     256  /* objects of a packet that are not copied into it first, */
#define GATHER_MIN       512  /* which does not pay for smaller ones */
#define TRY_AGAIN_NS     (5 * NS_PER_MS)

struct rescued {
	struct rescued *next;
	char bytes[];
};

struct outgoing {
	TAILQ_ENTRY(outgoing) queue;
	struct wire_reply reply;
	const int *fds;
	const struct core_place *places;
	uint32_t n_fds;
	uint32_t next_item, next_fd, next_holder, next_field;
	bool begun;   /* a packet of it was sent: also one of nothing but a status is */
	bool service; /* for the service socket */
	bool queued;  /* counted in broker.queued_uses */
	struct rescued *rescued;
	size_t bytes; /* what it costs */
};

/* ---- a reply's copy ---- */

/* Writes into a block, or with at NULL only counts. */
struct bump {
	char *at;
	size_t used;
};

static void *bump_take(struct bump *bump, size_t size)
{
	void *p = bump->at ? bump->at + bump->used : NULL;

	bump->used += (size + 7) & ~(size_t)7;
	return p;
}

static const void *bump_copy(struct bump *bump, const void *from, size_t size)
{
	void *p = bump_take(bump, size);

	if (p && size > 0)
		memcpy(p, from, size);
	return p;
}

static const char *bump_string(struct bump *bump, const char *from)
{
	return from ? bump_copy(bump, from, strlen(from) + 1) : NULL;
}

static void bump_items(struct bump *bump, struct outgoing *to, const struct outgoing *from)
{
	uint32_t n = from->reply.n_items - from->next_item;
	struct wire_item *items = bump_take(bump, n * sizeof *items);

	for (uint32_t i = 0; i < n; i++) {
		struct wire_item item = from->reply.items[from->next_item + i];

		item.metadata = bump_copy(bump, item.metadata, item.metadata_size);
		if (item.data)
			item.data = bump_copy(bump, item.data, item.data_size);
		item.name = bump_string(bump, item.name);
		item.names = bump_copy(bump, item.names, item.names_size);
		if (items)
			items[i] = item;
	}
	to->reply.items = items;
	to->reply.n_items = n;
	to->n_fds = from->n_fds - from->next_fd;
	to->fds = bump_copy(bump, from->fds ? from->fds + from->next_fd : NULL,
		to->n_fds * sizeof(int));
	if (from->places)
		to->places = bump_copy(bump, from->places + from->next_item,
			n * sizeof(struct core_place));
}

static void bump_rest(struct bump *bump, struct outgoing *to, const struct outgoing *from)
{
	uint32_t n_holders = from->reply.n_holders - from->next_holder;
	uint32_t n_fields = from->reply.n_fields - from->next_field;
	struct wire_holder *holders = bump_take(bump, n_holders * sizeof *holders);
	struct wire_field *fields = bump_take(bump, n_fields * sizeof *fields);

	for (uint32_t i = 0; i < n_holders; i++) {
		struct wire_holder holder = from->reply.holders[from->next_holder + i];

		holder.text = bump_string(bump, holder.text);
		if (holders)
			holders[i] = holder;
	}
	for (uint32_t i = 0; i < n_fields; i++) {
		struct wire_field field = from->reply.fields[from->next_field + i];

		field.key = bump_string(bump, field.key);
		field.value = bump_string(bump, field.value);
		field.origin = bump_string(bump, field.origin);
		if (fields)
			fields[i] = field;
	}
	to->reply.holders = holders;
	to->reply.n_holders = n_holders;
	to->reply.fields = fields;
	to->reply.n_fields = n_fields;
	to->reply.text = bump_string(bump, from->reply.text);
}

/* What is left of a reply, in one block of memory.
 * Return: 0, -ENOMEM, -EMSGSIZE: more than max bytes. */
static int outgoing_copy(struct outgoing **outp, const struct outgoing *from, size_t max)
{
	struct bump bump = { .at = NULL };

	for (;;) {
		struct outgoing *to = bump_take(&bump, sizeof *to), scratch;
		struct outgoing *copy = to ? to : &scratch;

		*copy = (struct outgoing){ .reply = from->reply, .service = from->service };
		bump_items(&bump, copy, from);
		bump_rest(&bump, copy, from);
		if (to) {
			to->bytes = bump.used;
			*outp = to;
			return 0;
		}
		if (bump.used > max)
			return -EMSGSIZE;
		bump.at = malloc(bump.used);
		if (!bump.at)
			return -ENOMEM;
		bump.used = 0;
	}
}

static bool is_inline(const struct outgoing *out, uint32_t item)
{
	return (out->reply.items[item].flags & WIRE_ITEM_INLINE) && out->places &&
		!out->reply.items[item].data && out->places[item].fd != CORE_PLACE_NONE;
}

static uint32_t *packed_uses(struct broker *broker, uint64_t offset)
{
	return &broker->packed_uses[offset * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (PACKED_USES - 1)];
}

static void add_use(struct broker *broker, int fd, uint32_t add)
{
	if ((size_t)fd < broker->n_queued_uses)
		broker->queued_uses[fd] += add;
}

static void add_place_use(struct broker *broker, const struct core_place *place, uint32_t add)
{
	if (place->fd == CORE_PLACE_PACK)
		*packed_uses(broker, place->offset) += add;
	else
		add_use(broker, place->fd, add);
}

/* Of the next items and descriptors, so many. */
static void count_uses(struct broker *broker, const struct outgoing *out, uint32_t n_items,
	uint32_t n_fds, uint32_t add)
{
	for (uint32_t i = 0; i < n_fds; i++)
		add_use(broker, out->fds[out->next_fd + i], add);
	for (uint32_t i = 0; i < n_items; i++)
		if (is_inline(out, out->next_item + i))
			add_place_use(broker, &out->places[out->next_item + i], add);
}

static void count_all_uses(struct broker *broker, const struct outgoing *out, uint32_t add)
{
	count_uses(broker, out, out->reply.n_items - out->next_item, out->n_fds - out->next_fd,
		add);
}

static void outgoing_free(struct outgoing *out)
{
	while (out->rescued) {
		struct rescued *next = out->rescued->next;

		free(out->rescued);
		out->rescued = next;
	}
	free(out);
}

/* ---- sending ---- */

/* Chooses the items of the next packet. */
static void choose_items(const struct outgoing *out, uint32_t window, struct wire_reply *packet,
	uint32_t *n_fdsp)
{
	uint32_t n = 0, n_fds = 0, max_fds = MIN(window, (uint32_t)WIRE_FDS_PER_PACKET);
	size_t size = FIXED_ROOM;

	for (uint32_t i = out->next_item; i < out->reply.n_items && n < WIRE_ITEMS_MAX; i++, n++) {
		const struct wire_item *item = &out->reply.items[i];
		bool with_fd = item->flags & WIRE_ITEM_FD;

		size += wire_reply_item_size(out->reply.type, item);
		if (size > WIRE_PACKET_MAX || (with_fd && n_fds == max_fds))
			break;
		n_fds += with_fd;
	}
	packet->items = out->reply.items ? out->reply.items + out->next_item : NULL;
	packet->n_items = n;
	*n_fdsp = n_fds;
}

/* A packet as it is sent. */
struct pieces {
	struct iovec pieces[2 * GATHERED_MAX + 1];
	size_t n;
	char *at; /* in broker->outbound: what is before it is in pieces */
};

static void add_piece(struct pieces *pieces, const void *bytes, size_t size)
{
	pieces->pieces[pieces->n++] = (struct iovec){ (void *)bytes, size };
}

/* The bytes of objects go from where they are straight into the packet: those in the pack are left
 * to the kernel, which copies the packet anyway. */
static int gather(struct broker *broker, const struct outgoing *out, uint32_t n_items, size_t size,
	struct pieces *pieces)
{
	char *begin = broker->outbound;

	*pieces = (struct pieces){ .at = begin };
	for (uint32_t i = 0; i < n_items; i++) {
		const struct core_place *place;
		char *hole = broker->holes[i];
		size_t bytes;
		int r;

		if (!hole)
			continue;
		place = &out->places[out->next_item + i];
		bytes = out->reply.items[out->next_item + i].data_size;
		if (place->fd == CORE_PLACE_PACK && bytes >= GATHER_MIN &&
				pieces->n < 2 * GATHERED_MAX) {
			add_piece(pieces, pieces->at, (size_t)(hole - pieces->at));
			add_piece(pieces, broker_pack_bytes(broker, place, bytes), bytes);
			pieces->at = hole + bytes;
			continue;
		}
		r = broker_pack_read(broker, place, hole, bytes);
		if (r < 0)
			return r;
	}
	add_piece(pieces, pieces->at, (size_t)(begin + size - pieces->at));
	return 0;
}

static bool is_sent(const struct outgoing *out)
{
	return out->begun && out->next_item == out->reply.n_items && out->next_fd == out->n_fds &&
		out->next_holder == out->reply.n_holders && out->next_field == out->reply.n_fields;
}

/* Encode as much of the holders and fields as fits. */
static ssize_t encode(struct broker *broker, struct wire_reply *packet, const struct outgoing *out)
{
	bool last_items = out->next_item + packet->n_items == out->reply.n_items;
	uint32_t holders = out->reply.n_holders - out->next_holder;
	uint32_t fields = out->reply.n_fields - out->next_field;
	ssize_t size;

	packet->holders = out->reply.holders ? out->reply.holders + out->next_holder : NULL;
	packet->fields = out->reply.fields ? out->reply.fields + out->next_field : NULL;
	packet->n_holders = last_items ? MIN(holders, (uint32_t)HOLDERS_A_PACKET) : 0;
	packet->n_fields = last_items ? MIN(fields, (uint32_t)FIELDS_A_PACKET) : 0;
	for (;;) {
		packet->more = !last_items || packet->n_holders < holders ||
			packet->n_fields < fields;
		size = wire_reply_encode_holes(packet, broker->outbound, WIRE_PACKET_MAX,
			broker->holes);
		if (size != -EMSGSIZE || packet->n_holders + packet->n_fields == 0)
			return size;
		packet->n_holders /= 2;
		packet->n_fields /= 2;
	}
}

bool output_is_paused(const struct connection *c)
{
	return (c->block == OUTPUT_WINDOW || c->block == OUTPUT_KERNEL) &&
	       c->output_bytes >= PAUSE_BYTES;
}

static void arrived(struct connection *c, uint32_t fds)
{
	c->user->n_flying -= fds - c->fds_arrived;
	c->fds_arrived = fds;
}

/* A client acknowledges with its next request, which may never come; so before one connection of a
 * uid is held up for the others, the kernel is asked what these have received. */
static void look_what_arrived(struct broker *broker, struct user *user)
{
	if (user->look_again > broker->now)
		return;
	user->look_again = deadline_ns(broker->now, TRY_AGAIN_NS);
	for (uint32_t i = 0; i < broker->options->core->max_connections; i++) {
		struct connection *c = broker->connections[i];

		if (c && c->user == user && c->fds_sent != c->fds_arrived &&
				socket_is_drained(c->call_fd))
			arrived(c, c->fds_sent);
	}
}

static bool has_a_share(struct broker *broker, struct user *user)
{
	if (user_window(broker, user) < WIRE_FDS_PER_PACKET)
		look_what_arrived(broker, user);
	return user_window(broker, user) >= WIRE_FDS_PER_PACKET;
}

/* How many descriptors may be sent now. */
static uint32_t window_of(struct connection *c)
{
	if (output_is_paused(c) && socket_is_drained(c->call_fd))
		arrived(c, c->fds_sent);
	return WIRE_FDS_UNACKED - (c->fds_sent - c->fds_arrived);
}

/* Return: 1 sent; 0: the window is closed; negative errno. */
static int send_packet(struct broker *broker, struct connection *c, struct outgoing *out)
{
	uint32_t window = window_of(c);
	struct wire_reply packet = out->reply;
	struct pieces pieces;
	uint32_t n_fds;
	ssize_t size;
	int r;

	if (out->n_fds > out->next_fd && !has_a_share(broker, c->user))
		return -ETOOMANYREFS;
	choose_items(out, window, &packet, &n_fds);
	if (packet.n_items == 0 && out->next_item < out->reply.n_items)
		return window == 0 ? 0 : -EMSGSIZE;
	if (out->reply.n_items == 0 && out->n_fds > out->next_fd) { /* the hello's */
		n_fds = out->n_fds - out->next_fd;
		if (n_fds > window)
			return 0;
	}
	assert(out->next_fd + n_fds <= out->n_fds);
	assert(out->next_item + packet.n_items < out->reply.n_items ||
		out->next_fd + n_fds == out->n_fds);
	packet.n_fds = n_fds;
	size = encode(broker, &packet, out);
	if (size < 0)
		return (int)size;
	r = gather(broker, out, packet.n_items, (size_t)size, &pieces);
	if (r < 0)
		return r;
	r = socket_send_pieces(out->service ? c->service_fd : c->call_fd, pieces.pieces, pieces.n,
		n_fds > 0 ? out->fds + out->next_fd : NULL, n_fds, MSG_DONTWAIT);
	if (r < 0)
		return r;
	if (out->queued)
		count_uses(broker, out, packet.n_items, n_fds, (uint32_t)-1);
	out->begun = true;
	out->next_item += packet.n_items;
	out->next_fd += n_fds;
	out->next_holder += packet.n_holders;
	out->next_field += packet.n_fields;
	c->fds_sent += n_fds;
	c->user->n_flying += n_fds;
	return 1;
}

/* Send all of it, or as much as the connection takes; then block says why no more. */
static void send_reply(struct broker *broker, struct connection *c, struct outgoing *out)
{
	int r;

	do {
		r = send_packet(broker, c, out);
	} while (r == 1 && !is_sent(out));
	c->block = OUTPUT_FREE;
	switch (r) {
	case 1:
		if (out->reply.type == WIRE_HELLO && c->client_service_fd >= 0) {
			(void)close(c->client_service_fd); /* a socket of ours, its client has it */
			c->client_service_fd = -1;
		}
		break;
	case 0:
		c->block = OUTPUT_WINDOW;
		break;
	case -EAGAIN:
		c->block = OUTPUT_SOCKET;
		break;
	case -ETOOMANYREFS:
		c->block = OUTPUT_KERNEL;
		broker->output_again =
			MIN(broker->output_again, deadline_ns(broker->now, TRY_AGAIN_NS));
		break;
	case -EPIPE:
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ENOTCONN:
		/* What it had sent before still counts; epoll reports the hangup. */
		c->hung_up = true;
		break;
	default:
		connection_fail(broker, c, "a reply to its %s cannot be sent: %s",
			wire_type_name(out->reply.type), strerror(-r));
	}
}

static void add_bytes(struct connection *c, size_t bytes)
{
	c->output_bytes += bytes;
	c->user->output_bytes += bytes;
}

static bool is_too_long(const struct connection *c)
{
	return c->output_bytes > QUEUED_BYTES_MAX ||
		c->user->output_bytes > QUEUED_BYTES_PER_UID;
}

static void cut_longest(struct broker *broker, const struct user *user)
{
	struct connection *longest = NULL, *c;

	TAILQ_FOREACH(c, &broker->blocked, blocked)
		if (c->user == user && (!longest || c->output_bytes > longest->output_bytes))
			longest = c;
	connection_fail(broker, longest,
		"the connections of its uid do not read %zu MiB of replies, and it has the most",
		user->output_bytes >> 20);
}

static void queue(struct broker *broker, struct connection *c, const struct outgoing *rest)
{
	struct outgoing *out;
	int r = outgoing_copy(&out, rest, QUEUED_BYTES_MAX - c->output_bytes);

	if (r < 0) {
		connection_fail(broker, c,
			r == -ENOMEM ? "no memory for replies that it does not read"
				     : "it does not read its replies");
		return;
	}
	if (TAILQ_EMPTY(&c->output))
		TAILQ_INSERT_TAIL(&broker->blocked, c, blocked);
	TAILQ_INSERT_TAIL(&c->output, out, queue);
	out->queued = true;
	count_all_uses(broker, out, 1);
	add_bytes(c, out->bytes);
	while (c->user->output_bytes > QUEUED_BYTES_PER_UID)
		cut_longest(broker, c->user);
}

static void dequeue(struct broker *broker, struct connection *c, struct outgoing *out)
{
	add_bytes(c, -out->bytes);
	TAILQ_REMOVE(&c->output, out, queue);
	if (TAILQ_EMPTY(&c->output)) {
		TAILQ_REMOVE(&broker->blocked, c, blocked);
		c->block = OUTPUT_FREE;
	}
	outgoing_free(out);
}

void output_clear(struct broker *broker, struct connection *c)
{
	struct outgoing *out;

	while ((out = TAILQ_FIRST(&c->output))) {
		count_all_uses(broker, out, (uint32_t)-1);
		dequeue(broker, c, out);
	}
	c->block = OUTPUT_FREE;
}

void output_flush(struct broker *broker, struct connection *c)
{
	struct outgoing *out;

	while (!c->doomed && (out = TAILQ_FIRST(&c->output))) {
		send_reply(broker, c, out);
		if (c->doomed) /* out is freed */
			return;
		if (c->hung_up) {
			output_clear(broker, c);
			break;
		}
		if (!is_sent(out))
			break;
		dequeue(broker, c, out);
	}
	connection_update(broker, c);
}

static void send_or_queue(struct broker *broker, struct connection *c, struct outgoing *out)
{
	if (c->doomed || c->hung_up)
		return;
	if (TAILQ_EMPTY(&c->output)) {
		send_reply(broker, c, out);
		if (c->doomed || c->hung_up || is_sent(out))
			return;
	}
	queue(broker, c, out);
	connection_update(broker, c);
}

void output_reply(struct broker *broker, struct connection *c, const struct wire_reply *reply,
	const int *fds, uint32_t n_fds, const struct core_place *places)
{
	struct outgoing out = {
		.reply = *reply,
		.fds = fds,
		.n_fds = n_fds,
		.places = places,
	};

	send_or_queue(broker, c, &out);
	if (reply->type == WIRE_RESUME && c->service_fd >= 0) {
		/* A service socket that is full has a client that does not read it, and
		 * will learn of the heir from its call socket. */
		out = (struct outgoing){ .reply = *reply, .service = true };
		(void)send_packet(broker, c, &out);
	}
}

/* ---- descriptors that end before their replies are sent ---- */

static int rescue(struct broker *broker, struct connection *c, struct outgoing *out, uint32_t item)
{
	struct wire_item *items = (struct wire_item *)out->reply.items; /* our own copy */
	struct rescued *rescued = malloc(sizeof *rescued + items[item].data_size);
	int r;

	if (!rescued)
		return -ENOMEM;
	r = broker_pack_read(broker, &out->places[item], rescued->bytes, items[item].data_size);
	if (r < 0) {
		free(rescued);
		return r;
	}
	rescued->next = out->rescued;
	out->rescued = rescued;
	items[item].data = rescued->bytes;
	add_place_use(broker, &out->places[item], (uint32_t)-1);
	out->bytes += items[item].data_size;
	add_bytes(c, items[item].data_size);
	return 0;
}

static bool is_at(const struct core_place *place, const struct core_place *ends)
{
	return place->fd == ends->fd && place->offset == ends->offset;
}

static void connection_losing(struct broker *broker, struct connection *c,
	const struct core_place *ends)
{
	struct outgoing *out;

	TAILQ_FOREACH(out, &c->output, queue) {
		for (uint32_t i = out->next_fd; i < out->n_fds; i++)
			if (out->fds[i] == ends->fd) {
				connection_fail(broker, c,
					"it gave back an object before it had received it");
				return;
			}
		for (uint32_t i = out->next_item; i < out->reply.n_items; i++)
			if (is_inline(out, i) && is_at(&out->places[i], ends) &&
					(rescue(broker, c, out, i) < 0 ||
					is_too_long(c))) {
				connection_fail(broker, c, "it does not read its replies");
				return;
			}
	}
	connection_update(broker, c); /* this may have paused it */
}

static void place_ends(struct broker *broker, const struct core_place *place)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&broker->blocked); c; c = next) {
		next = TAILQ_NEXT(c, blocked);
		connection_losing(broker, c, place);
	}
}

void output_closing(struct broker *broker, int fd)
{
	const struct core_place place = { .fd = fd };

	if ((size_t)fd >= broker->n_queued_uses || broker->queued_uses[fd] > 0)
		place_ends(broker, &place);
}

void output_giving(struct broker *broker, uint64_t offset)
{
	const struct core_place place = { .fd = CORE_PLACE_PACK, .offset = offset };

	if (*packed_uses(broker, offset) > 0)
		place_ends(broker, &place);
}

void output_acked(struct connection *c, uint32_t fds_acked)
{
	const uint32_t before = c->fds_acked; /* neither of the two is behind it */
	const bool is_news = fds_acked - before > c->fds_arrived - before;

	c->fds_acked = fds_acked;
	if (is_news)
		arrived(c, fds_acked);
}

void output_arrived(struct connection *c)
{
	arrived(c, c->fds_sent);
}

int64_t output_tick(struct broker *broker)
{
	struct connection *c, *next;

	if (broker->output_again > broker->now)
		return broker->output_again;
	broker->output_again = FOREVER_NS;
	for (c = TAILQ_FIRST(&broker->blocked); c; c = next) {
		next = TAILQ_NEXT(c, blocked);
		if (c->block == OUTPUT_KERNEL)
			output_flush(broker, c);
	}
	broker_settle(broker);
	return broker->output_again;
}
