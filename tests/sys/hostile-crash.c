/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker dies, and its heir asks everybody what they hold: the moment for lies.
 * These attacks kill the worker themselves, so there is no good client beside them.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"
#include "util/cleanup.h"

static void kill_worker(void)
{
	struct raw *raw = raw_open();
	struct wire_request request = { .type = WIRE_STATUS };
	struct wire_reply reply;
	uint64_t worker = 0, supervisor = 0;

	expect_status(raw_call(raw, &request, NULL, 0, &reply), 0, "STATUS");
	for (uint32_t i = 0; i < reply.n_fields; i++) {
		if (strcmp(reply.fields[i].key, "worker_pid") == 0)
			worker = reply.fields[i].number;
		if (strcmp(reply.fields[i].key, "supervisor_pid") == 0)
			supervisor = reply.fields[i].number;
	}
	if (supervisor == 0)
		skip("there is no supervisor, so nothing takes over");
	if (kill((pid_t)worker, SIGKILL) < 0)
		die("kill worker %llu: %s", (unsigned long long)worker, strerror(errno));
	raw_close(raw);
}

static void await_resume(struct raw *raw)
{
	struct wire_reply reply;

	do
		if (raw_receive(raw, &reply, RAW_PATIENCE_MS) != 0)
			die("no heir asks what is held");
	while (reply.type != WIRE_RESUME);
	raw->generation = reply.generation;
}

static int reconcile(struct raw *raw, uint64_t generation, const struct wire_item *items,
	uint32_t n_items)
{
	struct wire_request request = { .type = WIRE_RECONCILE, .generation = generation,
		.items = items, .n_items = n_items };

	return raw_send(raw, &request, NULL, 0);
}

static void expect_counts(struct raw *raw, struct id128 id, uint32_t refs, uint32_t pins,
	const char *what)
{
	struct wire_item item = { .id = id };
	struct wire_request stat = { .type = WIRE_STAT, .items = &item, .n_items = 1 };
	struct wire_reply reply;

	expect_status(raw_call(raw, &stat, NULL, 0, &reply), 0, what);
	if (reply.items[0].refs != refs || reply.items[0].pins != pins)
		die("%s: %u references and %u pins instead of %u and %u", what,
			reply.items[0].refs, reply.items[0].pins, refs, pins);
}

static void false_claims(void)
{
	struct raw *owner = raw_open(), *liar = raw_open();
	struct id128 theirs = raw_id(), ours = raw_id();
	struct wire_item claims[] = {
		{ .id = theirs, .refs = 1000, .pins = 1000 },
		{ .id = ours, .refs = UINT32_MAX, .pins = UINT32_MAX },
		{ .id = ours, .refs = UINT32_MAX, .pins = UINT32_MAX },
		{ .id = theirs, .refs = UINT32_MAX },
		{ .id = raw_id(), .refs = 1, .pins = 1 },
	};
	struct wire_item truth = { .id = theirs, .refs = 1 };
	struct wire_item wanted = { .id = theirs };
	struct wire_request get = { .type = WIRE_GET, .items = &wanted, .n_items = 1 };
	struct wire_reply reply;

	expect_status(raw_put(owner, theirs, "theirs", 6), 0, "put");
	expect_status(raw_put(liar, ours, "ours", 4), 0, "put");
	expect_status(raw_get(liar, ours, WIRE_GET_MAP, 0, &reply), 0, "get");
	kill_worker();
	await_resume(owner);
	await_resume(liar);
	assert(raw_send(liar, &get, NULL, 0) == 0); /* dropped: too early */
	assert(reconcile(liar, liar->generation - 1, claims, ARRAY_SIZE(claims)) == 0);
	assert(reconcile(liar, liar->generation + 1, claims, ARRAY_SIZE(claims)) == 0);
	assert(reconcile(liar, liar->generation, claims, ARRAY_SIZE(claims)) == 0);
	assert(reconcile(owner, owner->generation, &truth, 1) == 0);
	expect_counts(owner, theirs, 1, 0, "claims of what another holds");
	expect_counts(liar, ours, 2, 1, "claims of more than one holds");
	expect_served(liar, "who lied");
	/* and once more, when nobody asks */
	if (reconcile(liar, liar->generation, claims, ARRAY_SIZE(claims)) == 0)
		expect_counts(owner, ours, 2, 1, "claims when nobody asks");
	raw_close(liar);
	raw_close(owner);
}

static void silence_and_garbage(void)
{
	struct raw *silent = raw_open(), *babbler = raw_open(), *forgetful = raw_open();
	struct id128 id = raw_id(), draft = raw_id();
	struct raw *other;
	int fd;

	expect_status(raw_put(silent, id, "x", 1), 0, "put");
	expect_status(raw_create(silent, raw_id(), 4096, &fd), 0, "create");
	close(fd);
	expect_status(raw_create(forgetful, draft, 4096, &fd), 0, "create");
	close(fd);
	expect_status(raw_put(babbler, raw_id(), "x", 1), 0, "put");
	kill_worker();
	await_resume(silent);
	await_resume(babbler);
	await_resume(forgetful);
	assert(raw_send_bytes(babbler, "garbage", 7, NULL, 0) == 0);
	expect_closed(babbler, "garbage instead of a reconcile");
	/* a draft that is not listed was given up */
	assert(reconcile(forgetful, forgetful->generation, NULL, 0) == 0);
	expect_status(raw_seal(forgetful, draft), -ENOENT, "seal of a draft that was not listed");
	other = raw_open();
	expect_served(other, "the neighbour of who says nothing");
	raw_close(other);
	raw_close(forgetful);
	raw_close(babbler);
	raw_close(silent);
}

/* Dead while nobody looked, with everything in flight. */
static void dead_meanwhile(void)
{
	struct raw *raw = raw_open(), *other = raw_open();
	struct wire_item items[3];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 1,
		.timeout_ns = INT64_MAX };
	struct wire_request fork_it = { .type = WIRE_FORK };
	int fd, pair[2];

	for (int i = 0; i < 3; i++) {
		items[i] = (struct wire_item){ .id = raw_id() };
		expect_status(raw_put(raw, items[i].id, "x", 1), 0, "put");
	}
	expect_status(raw_create(raw, raw_id(), 1 << 20, &fd), 0, "create");
	close(fd);
	assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	assert(raw_send(raw, &fork_it, pair, 1) == 0);
	fork_it.serial = 0;
	assert(raw_send(raw, &fork_it, &pair[1], 1) == 0);
	close(pair[0]);
	close(pair[1]);
	items[0].id = raw_id();
	get.serial = 0;
	assert(raw_send(raw, &get, NULL, 0) == 0);
	kill_worker();
	raw_close(raw);
	await_resume(other);
	assert(reconcile(other, other->generation, NULL, 0) == 0);
	expect_served(other, "the neighbour of the dead");
	raw_close(other);
}

const struct attack crash_attacks[] = {
	{ "false-claims", false_claims, .kills_worker = true },
	{ "silence-and-garbage", silence_and_garbage, .kills_worker = true },
	{ "dead-meanwhile", dead_meanwhile, .kills_worker = true },
	{ NULL, NULL },
};
