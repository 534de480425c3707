/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker is dead, its heir has the socket, and neither knows what the dead one
 * had read or was about to answer.  The heir begins with WIRE_RESUME and drops
 * whatever it reads until we have said what we hold:
 *
 *   - everything that a complete reply gave us, less what we released since.
 *     Releases are queued or sent without an answer, so they need no repeating:
 *     the heir cuts what it counts down to the list;
 *   - not what a request in flight may have been granted, not even the part of
 *     it whose packets have arrived: call_restart() forgets that, and the request
 *     is sent again, marked as a retry;
 *   - not the requests that nobody waits for any more.
 *
 * The list is a snapshot, encoded at once: what happens later (a release, say)
 * goes out behind it and means what it always means.  It carries how many
 * descriptors have arrived in all, from which the heir counts on.
 */
#include "client/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/objects.h"
#include "util/cleanup.h"
#include "util/socket.h"

struct packet {
	struct packet *next;
	size_t size;
	_Alignas(8) uint8_t bytes[];
};

#define ITEMS_PER_PACKET 1024 /* 40 bytes each: well within a packet */

void resume_forget(struct ostore *conn)
{
	while (conn->outbox) {
		struct packet *packet = conn->outbox;

		conn->outbox = packet->next;
		free(packet);
	}
}

/* The service socket had its WIRE_RESUME too; nothing else is sent there to a
 * client that runs no service thread. */
static void drain_service(struct ostore *conn)
{
	uint64_t bytes[32];
	ssize_t n;

	if (conn->service_fd < 0)
		return;
	do
		n = recv(conn->service_fd, bytes, sizeof bytes, MSG_DONTWAIT);
	while (n > 0);
}

static int append(struct ostore *conn, struct packet ***tailp, uint64_t serial,
	const struct wire_item *items, uint32_t n_items, bool more)
{
	struct wire_request request = {
		.type = WIRE_RECONCILE,
		.serial = serial,
		.generation = conn->generation,
		.acked_fds = conn->received_fds,
		.items = items,
		.n_items = n_items,
		.more = more,
	};
	size_t room = wire_request_size(&request);
	struct packet *packet = malloc(sizeof *packet + room);
	ssize_t size;

	if (!packet)
		return -ENOMEM;
	size = wire_request_encode(&request, packet->bytes, room);
	if (size < 0) {
		free(packet);
		return (int)size;
	}
	packet->size = (size_t)size;
	packet->next = NULL;
	**tailp = packet;
	*tailp = &packet->next;
	return 0;
}

static int snapshot(struct ostore *conn)
{
	CLEANUP_FREE struct wire_item *items = calloc(ITEMS_PER_PACKET, sizeof *items);
	struct packet **tail = &conn->outbox;
	struct objects_cursor cursor = { 0 };
	struct entry *entry;
	uint64_t serial = ++conn->last_serial;
	uint32_t n = 0;
	int r;

	if (!items)
		return -ENOMEM;
	while (objects_next(conn, &cursor, &entry)) {
		if (n == ITEMS_PER_PACKET) {
			r = append(conn, &tail, serial, items, n, true);
			if (r < 0)
				return r;
			n = 0;
		}
		items[n++] = (struct wire_item){
			.id = entry->id,
			.refs = entry->refs,
			.pins = entry->pins,
		};
	}
	return append(conn, &tail, serial, items, n, false);
}

void resume_begin(struct ostore *conn, uint64_t generation)
{
	struct call *next;
	int r;

	conn->generation = generation;
	conn->partial = NULL;
	drain_service(conn);
	objects_forget_releases(conn);
	resume_forget(conn);
	for (struct call *call = conn->calls; call; call = next) {
		next = call->next;
		if (!call->waiter)
			call_discard(conn, call);
		else if (!call->done)
			call_restart(conn, call);
	}
	r = snapshot(conn);
	if (r < 0) {
		connection_die(conn, r, "no memory to tell the broker at %s what is held",
			conn->address);
		return;
	}
	(void)call_flush(conn);
}

int resume_flush(struct ostore *conn)
{
	while (conn->outbox) {
		struct packet *packet = conn->outbox;
		int r = socket_send(conn->call_fd, packet->bytes, packet->size, NULL, 0,
			MSG_DONTWAIT);

		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM)
			return -EAGAIN;
		if (r < 0) {
			connection_lost(conn);
			return 0;
		}
		conn->outbox = packet->next;
		free(packet);
	}
	return 0;
}
