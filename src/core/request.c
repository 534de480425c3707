/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core_request(): checks that hold for every request, and who carries it out. */
#include "core/attribute.h"
#include "core/connection.h"
#include "core/core.h"
#include "core/event.h"
#include "core/get.h"
#include "core/make.h"
#include "core/pending.h"
#include "core/request.h"
#include "core/seal.h"
#include "core/share.h"
#include "core/state.h"
#include "util/cleanup.h"

static void request_create(struct core *core, uint32_t conn, const struct wire_request *request)
{
	request_make(core, conn, request, -1);
}

static void request_cancel(struct core *core, uint32_t conn, const struct wire_request *request)
{
	pending_cancel(core, conn, request->cursor);
}

static void request_ack(struct core *core, uint32_t conn, const struct wire_request *request)
{
	/* R13 is the broker's. */
}

enum shape {
	ONE_ITEM = 1, /* exactly one */
	MANY = 2,     /* any number of items, in any number of packets */
	WITH_FD = 4,  /* exactly one descriptor */
	SILENT = 8,   /* no reply: the serial does not matter */
};

static const struct {
	request_function *carry_out; /* NULL: takes the descriptor too, see below */
	unsigned int shape;
} kinds[WIRE_REQUEST_LAST + 1] = {
	[WIRE_CREATE] = { request_create, ONE_ITEM },
	[WIRE_SEAL] = { request_seal, MANY },
	[WIRE_ABORT] = { request_abort, MANY },
	[WIRE_PUT] = { request_create, MANY },
	[WIRE_PUT_FD] = { NULL, ONE_ITEM | WITH_FD },
	[WIRE_GET] = { request_get, MANY },
	[WIRE_RELEASE] = { request_release, MANY | SILENT },
	[WIRE_DELETE] = { request_delete, MANY },
	[WIRE_HOLD] = { request_hold, ONE_ITEM },
	[WIRE_UNHOLD] = { request_unhold },
	[WIRE_LOOKUP] = { request_lookup },
	[WIRE_LEASE] = { request_lease },
	[WIRE_LOAD] = { request_load },
	[WIRE_FORK] = { NULL, WITH_FD | SILENT },
	[WIRE_RECONCILE] = { request_reconcile, MANY | SILENT },
	[WIRE_ACK] = { request_ack, SILENT },
	[WIRE_CANCEL] = { request_cancel, SILENT },
	[WIRE_WAIT] = { request_get, MANY },
	[WIRE_LIST] = { request_list },
	[WIRE_STAT] = { request_stat, ONE_ITEM },
	[WIRE_STATUS] = { request_status },
	[WIRE_SHARE] = { request_share, ONE_ITEM },
	[WIRE_JOIN] = { request_join, ONE_ITEM },
	[WIRE_SUBSCRIBE] = { request_subscribe },
	[WIRE_SET] = { request_set, ONE_ITEM },
};

/* What is wrong with the request's shape, or NULL. */
static const char *check_shape(const struct wire_request *request, int fd)
{
	const unsigned int type = request->type;

	if (type > WIRE_REQUEST_LAST || (!kinds[type].carry_out && !(kinds[type].shape & WITH_FD)))
		return "a request that is not the core's";
	if (kinds[type].shape & ONE_ITEM && request->n_items != 1)
		return "a request of one item has another number";
	if (request->more && !(kinds[type].shape & MANY))
		return "a request that fits in one packet comes in several";
	if ((fd >= 0) != !!(kinds[type].shape & WITH_FD))
		return "a request has a descriptor too many, or none";
	if (request->serial == 0 && !(kinds[type].shape & SILENT))
		return "a request has no serial";
	return NULL;
}

/* What counts before WIRE_RECONCILE.  A WIRE_FORK is sent once, by a process that may not
 * know yet that the worker died. */
static bool is_for_the_heir(unsigned int type)
{
	return type == WIRE_RECONCILE || type == WIRE_FORK;
}

static void carry_out(struct core *core, uint32_t conn, const struct wire_request *request, int fd,
	uint32_t *childp)
{
	const struct connection *connection = &core->connections[conn];
	const char *fault = check_shape(request, fd);

	if (connection->condemned || (connection->reconciling && !is_for_the_heir(request->type))) {
		stranger_close(core, conn, fd);
	} else if (fault) {
		stranger_close(core, conn, fd);
		effect_condemn(core, conn, fault);
	} else if (request->type == WIRE_PUT_FD) {
		request_make(core, conn, request, fd);
	} else if (request->type == WIRE_FORK) {
		*childp = connection_fork(core, conn, fd);
	} else {
		kinds[request->type].carry_out(core, conn, request);
	}
}

void core_request(struct core *core, int64_t now, uint32_t conn, const struct wire_request *request,
	int fd, uint32_t *child)
{
	uint32_t made = CORE_NO_CONN;

	event_begin(core, now);
	attributes_expire(core); /* its tick may come after this, and nobody shall see what is over */
	carry_out(core, conn, request, fd, &made);
	if (child)
		*child = made;
	event_end(core);
}
