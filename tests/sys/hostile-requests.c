/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Good packets that ask for what may not be had. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"
#include "util/cleanup.h"

#define STRANGER_UID 65534

static int ask_stat(struct raw *raw, struct id128 id, struct wire_item *item)
{
	struct wire_item wanted = { .id = id };
	struct wire_request stat = { .type = WIRE_STAT, .items = &wanted, .n_items = 1 };
	struct wire_reply reply;
	int r = raw_call(raw, &stat, NULL, 0, &reply);

	if (r == 0) {
		assert(reply.n_items == 1);
		*item = reply.items[0];
	}
	return r;
}

static void expect_counts(struct raw *raw, struct id128 id, uint32_t refs, uint32_t pins,
	const char *what)
{
	struct wire_item item = { .refs = 0 };

	expect_status(ask_stat(raw, id, &item), 0, what);
	if (item.refs != refs || item.pins != pins)
		die("%s: %u references and %u pins instead of %u and %u", what, item.refs,
			item.pins, refs, pins);
}

static void expect_error(int status, const char *what)
{
	if (status == 0)
		die("%s: the broker agrees", what);
	if (status == RAW_CLOSED)
		die("%s: the connection is closed, expected an error", what);
}

static void double_seal(void)
{
	struct raw *raw = raw_open();
	struct id128 id = raw_id();
	int fd;

	expect_status(raw_create(raw, id, 4096, &fd), 0, "create");
	close(fd);
	expect_status(raw_seal(raw, id), 0, "seal");
	expect_status(raw_seal(raw, id), -EINVAL, "a second seal");
	expect_counts(raw, id, 1, 0, "a second seal");
	expect_status(raw_seal(raw, raw_id()), -ENOENT, "a seal of nothing");
	raw_close(raw);
}

static void double_release(void)
{
	struct raw *owner = raw_open(), *raw = raw_open();
	struct id128 id = raw_id();
	struct wire_reply reply;

	expect_status(raw_put(owner, id, "mine", 4), 0, "put");
	expect_status(raw_get(raw, id, WIRE_GET_MAP, 0, &reply), 0, "get");
	expect_counts(owner, id, 2, 1, "a get");
	expect_status(raw_release(raw, id, 1, 1), 0, "release");
	expect_counts(raw, id, 1, 0, "a release");
	expect_status(raw_release(raw, id, 1, 1), 0, "release");
	expect_status(raw_release(raw, id, UINT32_MAX, UINT32_MAX), 0, "release");
	/* whose it is keeps it */
	expect_counts(raw, id, 1, 0, "releases of what was given back");
	expect_status(raw_get(owner, id, 0, 0, &reply), 0, "get of the owner");
	raw_close(raw);
	raw_close(owner);
}

static void release_of_nothing(void)
{
	static struct wire_item items[WIRE_ITEMS_MAX];
	struct wire_request release = { .type = WIRE_RELEASE, .items = items,
		.n_items = WIRE_ITEMS_MAX };
	struct raw *raw = raw_open();

	for (size_t i = 0; i < WIRE_ITEMS_MAX; i++)
		items[i] = (struct wire_item){ .id = raw_id(), .refs = 1, .pins = 1 };
	for (int i = 0; i < 10; i++) {
		release.serial = 0;
		assert(raw_send(raw, &release, NULL, 0) == 0);
	}
	expect_served(raw, "who released what was never there");
	raw_close(raw);
}

/* As if it had made them before a worker died: with each serial that the owner may have used. */
static void false_retries(struct raw *raw, struct id128 id, struct id128 draft)
{
	static const uint16_t types[] = { WIRE_CREATE, WIRE_PUT, WIRE_PUT_FD, WIRE_SEAL, WIRE_ABORT,
		WIRE_DELETE };
	int memfd = make_memfd(4096, 1, HARD_SEALS);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (uint64_t serial = 1; serial < 10; serial++)
			for (int which = 0; which < 2; which++) {
				struct wire_item item = { .id = which ? draft : id, .size = 4096,
					.data = "private", .data_size = 7 };
				struct wire_request request = { .type = types[i], .retry = true,
					.serial = serial, .items = &item, .n_items = 1 };
				struct wire_reply reply;

				if (raw_call(raw, &request, &memfd, types[i] == WIRE_PUT_FD,
						&reply) == 0)
					die("a false retry of %s succeeds",
						wire_type_name(types[i]));
			}
	close(memfd);
	raw->serial = 1000;
}

static void drafts_of_others(void)
{
	struct raw *owner = raw_open(), *raw = raw_open();
	struct wire_item item = { .id = raw_id() };
	struct wire_request abort_it = { .type = WIRE_ABORT, .items = &item, .n_items = 1 };
	struct wire_reply reply;
	int fd, none;

	expect_status(raw_create(owner, item.id, 4096, &fd), 0, "create");
	close(fd);
	expect_status(raw_get(raw, item.id, 0, 0, &reply), -ENOENT, "get of a draft");
	expect_status(raw_create(raw, item.id, 4096, &none), -EEXIST, "create of a draft");
	expect_error(raw_seal(raw, item.id), "seal of another's draft");
	false_retries(raw, item.id, item.id);
	expect_error(raw_call(raw, &abort_it, NULL, 0, NULL), "abort of another's draft");
	expect_status(raw_release(raw, item.id, 1, 0), 0, "release of another's draft");
	expect_served(raw, "who released another's draft");
	expect_status(raw_seal(owner, item.id), 0, "seal by its creator");
	abort_it.serial = 0;
	expect_error(raw_call(owner, &abort_it, NULL, 0, NULL), "abort of a sealed object");
	raw_close(raw);
	raw_close(owner);
}

static void impossible_ids_and_names(void)
{
	static const struct id128 zero;
	struct raw *raw = raw_open();
	struct wire_item item = { .id = raw_id() };
	struct wire_request hold = { .type = WIRE_HOLD, .name = "", .items = &item, .n_items = 1 };
	struct wire_request load = { .type = WIRE_LOAD, .items = &item, .n_items = 1,
		.token = raw_id() };
	int fd;

	expect_status(raw_create(raw, zero, 1, &fd), -EINVAL, "an id of zeros");
	expect_status(raw_put(raw, zero, "x", 1), -EINVAL, "an id of zeros");
	expect_status(raw_put(raw, item.id, "x", 1), 0, "a put");
	expect_error(raw_call(raw, &hold, NULL, 0, NULL), "a name without a character");
	item.id = raw_id();
	expect_status(raw_call(raw, &load, NULL, 0, NULL), -ENOENT, "a token nobody gave");
	hold.name = "nothing";
	hold.serial = 0;
	expect_status(raw_call(raw, &hold, NULL, 0, NULL), -ENOENT, "a name for nothing");
	raw_close(raw);
}

/* Write these many bytes of metadata or name into a PUT behind the encoder's back. */
static void send_long(size_t at, uint32_t size, const char *what)
{
	struct wire_item item = { .id = raw_id(), .mode = 0600 };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };
	struct raw *raw = raw_open();
	size_t n = raw_encode(raw, &put), more = (size + 7) & ~(size_t)7;
	uint32_t part;

	memset(raw->out + n, 0, more);
	memcpy(raw->out + 4, &(uint32_t){ (uint32_t)(n + more) }, sizeof(uint32_t));
	memcpy(&part, raw->out + 48, sizeof part);
	part += (uint32_t)more;
	memcpy(raw->out + 48, &part, sizeof part);
	memcpy(raw->out + at, &size, sizeof size);
	assert(raw_send_bytes(raw, raw->out, n + more, NULL, 0) == 0);
	expect_closed(raw, what);
	raw_close(raw);
}

static void too_long(void)
{
	/* where a PUT has the sizes of the name, the metadata and the data */
	send_long(80, WIRE_NAME_MAX + 2, "a name that is too long");
	send_long(84, WIRE_METADATA_MAX + 1, "metadata that are too long");
	send_long(88, WIRE_INLINE_MAX + 1, "data that are too long");
}

static void overflowing_sizes(void)
{
	static const uint64_t sizes[] = { UINT64_MAX, UINT64_MAX - 4095, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT64_MAX - (2 << 20) + 1, UINT64_C(1) << 62,
		UINT64_C(1) << 40, UINT64_C(1) << 32 };
	struct raw *raw = raw_open();
	int memfd = make_memfd(4096, 1, HARD_SEALS);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int fd;

		expect_status(raw_create(raw, raw_id(), sizes[i], &fd), -EFBIG, "a huge create");
		expect_error(raw_put_fd(raw, raw_id(), sizes[i], memfd),
			"a memfd of another size than announced");
	}
	close(memfd);
	expect_served(raw, "who asked for too much");
	raw_close(raw);
}

/* Names and leases outlive their client, so they are counted by uid. */
static void too_many_names_and_leases(void)
{
	enum { N = 1000 };
	struct raw *raw = raw_open();
	struct wire_item item = { .id = raw_id() };
	char name[WIRE_NAME_MAX + 1];
	struct wire_request hold = { .type = WIRE_HOLD, .name = name, .items = &item, .n_items = 1 };
	struct wire_request unhold = { .type = WIRE_UNHOLD, .name = name };
	struct wire_request lease = { .type = WIRE_LEASE, .items = &item, .n_items = 1 };
	int n_names = 0, n_leases = 0, r;

	expect_status(raw_put(raw, item.id, "x", 1), 0, "put");
	do {
		snprintf(name, sizeof name, "%0255d", n_names);
		hold.serial = 0;
		r = raw_call(raw, &hold, NULL, 0, NULL);
	} while (r == 0 && n_names++ < N);
	if (r != -EDQUOT && r != -ENOBUFS)
		expect_status(r, -EDQUOT, "one name too many");
	do {
		lease.serial = 0;
		lease.token = raw_id();
		r = raw_call(raw, &lease, NULL, 0, NULL);
	} while (r == 0 && n_leases++ < N);
	if (r != -EDQUOT && r != -ENOBUFS)
		expect_status(r, -EDQUOT, "one lease too many");
	expect_served(raw, "who has too many names and leases");
	while (n_names > 0) {
		snprintf(name, sizeof name, "%0255d", --n_names);
		unhold.serial = 0;
		expect_status(raw_call(raw, &unhold, NULL, 0, NULL), 0, "unhold");
	}
	raw_close(raw); /* the leases run out */
}

static void too_many_waiting(void)
{
	struct raw *raw = raw_open(), *other = raw_open();
	struct wire_item item = { .id = raw_id() };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1,
		.timeout_ns = INT64_MAX };
	struct wire_reply reply;
	unsigned int n_sent = 0;

	for (; n_sent < 1500; n_sent++) {
		item.id = raw_id();
		get.serial = 0;
		assert(raw_send(raw, &get, NULL, 0) == 0);
		if (raw_receive(raw, &reply, 0) == 0)
			break;
	}
	if (n_sent == 1500 && raw_receive(raw, &reply, RAW_PATIENCE_MS) != 0)
		die("1,500 requests of one client may wait");
	expect_status(reply.status, -EBUSY, "one request too many");
	expect_served(other, "the neighbour of many waiting requests");
	raw_close(other);
	raw_close(raw);
}

static void waiting_for_thousands(void)
{
	static struct wire_item items[WIRE_ITEMS_MAX];
	struct wire_request request = { .type = WIRE_WAIT, .items = items,
		.n_items = WIRE_ITEMS_MAX, .limit = UINT32_MAX, .timeout_ns = INT64_MAX };
	struct wire_reply reply;
	struct raw *raw = raw_open();

	for (size_t i = 0; i < WIRE_ITEMS_MAX; i++)
		items[i].id = raw_id();
	for (int i = 0; i < 100; i++) {
		request.serial = 0;
		request.type = i % 2 ? WIRE_GET : WIRE_WAIT;
		if (raw_send(raw, &request, NULL, 0) != 0)
			break;
		if (raw_receive(raw, &reply, 0) == 0 && reply.status == 0)
			die("waiting for thousands of objects that are not there succeeds");
	}
	raw_close(raw);
}

/* One request that asks for the same object as often as it can. */
static void one_object_thousands_of_times(void)
{
	static struct wire_item items[WIRE_ITEMS_MAX];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = WIRE_ITEMS_MAX };
	struct raw *raw = raw_open(), *other = raw_open();
	struct id128 id = raw_id();
	struct wire_reply reply;
	uint32_t n_items = 0;
	static uint8_t bytes[32 << 10];

	expect_status(raw_put(raw, id, bytes, sizeof bytes), 0, "put");
	for (size_t i = 0; i < WIRE_ITEMS_MAX; i++)
		items[i].id = id;
	/* 128 MiB of answers; first nothing is read of them */
	assert(raw_send(raw, &get, NULL, 0) == 0);
	expect_served(other, "the neighbour of a greedy client");
	do {
		if (raw_receive(raw, &reply, RAW_PATIENCE_MS) != 0)
			break;
		if (reply.status != 0)
			break;
		n_items += reply.n_items;
		for (uint32_t i = 0; i < reply.n_items; i++)
			assert(reply.items[i].data_size == sizeof bytes);
	} while (reply.more);
	if (n_items > 0 && reply.status == 0 && !reply.more)
		assert(n_items == WIRE_ITEMS_MAX);
	expect_served(other, "the neighbour of a greedy client");
	raw_close(other);
	raw_close(raw);
}

static void senseless_cancels(void)
{
	struct raw *raw = raw_open();
	struct wire_item item = { .id = raw_id() };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1,
		.timeout_ns = INT64_MAX };
	struct wire_request cancel = { .type = WIRE_CANCEL };
	struct wire_reply reply;
	static const uint64_t serials[] = { 0, 1, 12345, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		cancel.serial = 0;
		cancel.cursor = serials[i];
		assert(raw_send(raw, &cancel, NULL, 0) == 0);
	}
	expect_served(raw, "who cancels what was never asked");
	assert(raw_send(raw, &get, NULL, 0) == 0);
	cancel.cursor = get.serial;
	for (int i = 0; i < 3; i++) {
		cancel.serial = 0;
		assert(raw_send(raw, &cancel, NULL, 0) == 0);
	}
	assert(raw_receive(raw, &reply, RAW_PATIENCE_MS) == 0);
	assert(reply.serial == get.serial);
	expect_status(reply.status, -ECANCELED, "a cancelled get");
	expect_served(raw, "who cancels three times");
	raw_close(raw);
}

static void senseless_cursors(void)
{
	static const uint64_t cursors[] = { 1, 12345, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 63 };
	struct raw *raw = raw_open();

	for (size_t i = 0; i < ARRAY_SIZE(cursors); i++) {
		struct wire_request list = { .type = WIRE_LIST, .cursor = cursors[i],
			.limit = UINT32_MAX };
		struct wire_reply reply;

		(void)raw_call(raw, &list, NULL, 0, &reply);
	}
	expect_served(raw, "who lists from nowhere");
	raw_close(raw);
}

/* ---- objects of another user ---- */

void become_stranger(void)
{
	if (geteuid() != 0)
		skip("needs root, to be two users");
	if (setgroups(0, NULL) < 0 || setgid(STRANGER_UID) < 0 || setuid(STRANGER_UID) < 0)
		die("setuid: %s", strerror(errno));
}

static void as_a_stranger(struct id128 id, struct id128 draft)
{
	struct wire_item item = { .id = id };
	struct wire_request request = { .items = &item, .n_items = 1, .name = "stolen",
		.token = raw_id() };
	static const struct {
		uint16_t type;
		int status;
	} asked[] = { { WIRE_STAT, -ENOENT }, { WIRE_DELETE, -ENOENT }, { WIRE_HOLD, -ENOENT },
		{ WIRE_LEASE, -ENOENT }, { WIRE_LOAD, -ENOENT }, { WIRE_SEAL, -ENOENT },
		{ WIRE_ABORT, -ENOENT }, { WIRE_SET, -ENOENT } };
	struct wire_request list = { .type = WIRE_LIST, .limit = 1000, .flags = WIRE_LIST_HOLDERS };
	struct wire_reply reply;
	struct raw *raw = raw_open();

	for (int which = 0; which < 2; which++, item.id = draft) {
		expect_status(raw_get(raw, item.id, 0, 0, &reply), -ENOENT, "another's object");
		if (reply.text && (strstr(reply.text, "ermission") || strstr(reply.text, "uid 0")))
			die("the error betrays that the object is there: %s", reply.text);
		for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
			request.type = asked[i].type;
			request.serial = 0;
			expect_status(raw_call(raw, &request, NULL, 0, &reply), asked[i].status,
				wire_type_name(asked[i].type));
		}
		expect_status(raw_release(raw, item.id, 9, 9), 0, "release of another's object");
	}
	false_retries(raw, id, draft);
	expect_status(raw_call(raw, &list, NULL, 0, &reply), 0, "LIST");
	for (uint32_t i = 0; i < reply.n_items; i++)
		if (reply.items[i].uid != STRANGER_UID)
			die("another's object is listed");
	for (uint32_t i = 0; i < reply.n_holders; i++)
		if (reply.holders[i].item >= reply.n_items)
			die("a holder of another's object is listed");
	expect_served(raw, "a stranger");
	raw_close(raw);
}

static void objects_of_others(void)
{
	struct raw *raw;
	struct id128 id = raw_id(), draft = raw_id();
	struct wire_reply reply;
	int fd, status;
	pid_t pid;

	if (geteuid() != 0)
		skip("needs root, to be two users");
	raw = raw_open();
	expect_status(raw_put(raw, id, "private", 7), 0, "put");
	expect_status(raw_create(raw, draft, 4096, &fd), 0, "create");
	close(fd);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		become_stranger();
		as_a_stranger(id, draft);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		_exit(1); /* it said why */
	expect_counts(raw, id, 1, 0, "another's releases");
	expect_status(raw_get(raw, id, 0, 0, &reply), 0, "the owner's get");
	expect_status(raw_seal(raw, draft), 0, "the owner's seal");
	raw_close(raw);
}

/* All that its quota allows, and hundreds of requests for more that wait. */
static void hoarding(void)
{
	struct wire_item item = { .size = 4 << 20 };
	struct wire_request create = { .type = WIRE_CREATE, .items = &item, .n_items = 1,
		.timeout_ns = 100 * 1000 * 1000 };
	struct wire_reply reply;
	struct raw *raw;
	int n = 0, r;

	become_stranger();
	raw = raw_open();
	for (;; n++) {
		item.id = raw_id();
		create.serial = 0;
		r = raw_call(raw, &create, NULL, 0, &reply);
		if (r != 0)
			break;
		close(raw_take_fd(raw));
	}
	if (r != -ENOBUFS && r != -EDQUOT)
		expect_status(r, -ENOBUFS, "more than the quota");
	if (!reply.text || n < 4 || n > 16)
		die("%d objects of 4 MiB fit a quota of 64 MiB", n);
	item.id = raw_id();
	item.size = 65 << 20;
	create.serial = 0;
	expect_status(raw_call(raw, &create, NULL, 0, NULL), -EDQUOT, "an object beyond the quota");
	item.size = 4 << 20;
	create.timeout_ns = INT64_MAX;
	for (int i = 0; i < 500; i++) {
		item.id = raw_id();
		create.serial = 0;
		assert(raw_send(raw, &create, NULL, 0) == 0);
	}
	usleep(200000); /* the good client needs room meanwhile */
	raw_close(raw);
}

const struct attack request_attacks[] = {
	{ "double-seal", double_seal },
	{ "double-release", double_release },
	{ "release-of-nothing", release_of_nothing },
	{ "drafts-of-others", drafts_of_others },
	{ "objects-of-others", objects_of_others },
	{ "impossible-ids-and-names", impossible_ids_and_names },
	{ "too-long-metadata", too_long },
	{ "overflowing-sizes", overflowing_sizes },
	{ "hoarding", hoarding },
	{ "too-many-names-and-leases", too_many_names_and_leases },
	{ "too-many-waiting", too_many_waiting },
	{ "waiting-for-thousands", waiting_for_thousands },
	{ "one-object-thousands-of-times", one_object_thousands_of_times },
	{ "senseless-cancels", senseless_cancels },
	{ "senseless-cursors", senseless_cursors },
	{ NULL, NULL },
};
