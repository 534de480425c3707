/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/async.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/connection.h"
#include "client/error.h"
#include "client/fork.h"
#include "client/objects.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define DIRECT_MAX   256 /* a quarter of what the broker lets wait */
#define GROUP_MAX    256 /* ids that are looked after together */
#define GROUPS_MANY  64  /* from here on small groups are put together */
#define LOOK_NS      NS_PER_S /* a group that tells of what is there looks for what is gone this often */

/* Ids that parked requests wait for. */
struct group {
	struct group *next;
	struct waiter waiter;
	struct call *call;   /* NULL: it is open */
	bool finished;
	size_t n, n_seen;
	struct ostore_request *members[GROUP_MAX]; /* NULL: given up */
	struct wire_item items[GROUP_MAX];
	int32_t statuses[GROUP_MAX];
};

void async_init(struct ostore *conn)
{
	struct async *async = &conn->async;

	async->poll_fd = async->event_fd = -1;
	async->finished_tail = &async->finished;
	async->done_tail = &async->done;
}

/* ---- whoever polls ---- */

static void signal_poller(struct ostore *conn)
{
	const uint64_t one = 1;

	if (conn->async.is_signalled || conn->async.event_fd < 0)
		return;
	conn->async.is_signalled = true;
	(void)!write(conn->async.event_fd, &one, sizeof one);
}

static void read_signal(struct ostore *conn)
{
	uint64_t count;

	if (!conn->async.is_signalled)
		return;
	conn->async.is_signalled = false;
	(void)!read(conn->async.event_fd, &count, sizeof count);
}

/* Watch the socket for what we wait for; not at all once the connection is dead, as it would
 * be readable for ever. */
static void watch_socket(struct ostore *conn, bool wants_room)
{
	struct async *async = &conn->async;
	struct epoll_event event = { .events = EPOLLIN | (wants_room ? EPOLLOUT : 0) };
	bool is_open = conn->state == CONNECTION_OPEN;

	if (async->poll_fd < 0 || (is_open == async->is_watched && wants_room == async->wants_room))
		return;
	if (!is_open && async->is_watched)
		(void)epoll_ctl(async->poll_fd, EPOLL_CTL_DEL, conn->call_fd, NULL);
	else if (is_open)
		(void)epoll_ctl(async->poll_fd, async->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
			conn->call_fd, &event);
	async->is_watched = is_open;
	async->wants_room = wants_room;
}

static int open_fds(struct ostore *conn)
{
	CLEANUP_CLOSE int poll_fd = epoll_create1(EPOLL_CLOEXEC);
	CLEANUP_CLOSE int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN };

	if (poll_fd < 0 || event_fd < 0 ||
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, event_fd, &event) < 0)
		return fail(-errno, "no descriptor to poll for the broker at %s: %s", conn->address,
			strerror(errno));
	conn->async.poll_fd = TAKE_FD(poll_fd);
	conn->async.event_fd = TAKE_FD(event_fd);
	watch_socket(conn, false);
	if (conn->async.finished || conn->async.done || conn->async.open)
		signal_poller(conn);
	return 0;
}

void async_close_fds(struct ostore *conn)
{
	struct async *async = &conn->async;

	cleanup_closep(&async->poll_fd);
	cleanup_closep(&async->event_fd);
	async->poll_fd = async->event_fd = -1;
	async->is_signalled = async->is_watched = async->wants_room = false;
}

int ostore_poll_fd(struct ostore *conn)
{
	int r = connection_enter(conn);

	if (r < 0)
		return r;
	if (conn->async.poll_fd < 0)
		r = open_fds(conn);
	if (r == 0)
		r = conn->async.poll_fd;
	connection_leave(conn);
	return r;
}

/* ---- a request's life ---- */

struct ostore_request *async_new(struct ostore *conn, enum request_kind kind, void *user,
	int64_t timeout)
{
	struct ostore_request *request = calloc(1, sizeof *request);

	if (!request)
		return NULL;
	request->conn = conn;
	request->kind = kind;
	request->user = user;
	request->deadline = timeout == OSTORE_FOREVER ? FOREVER_NS : deadline_ns(now_ns(), timeout);
	request->next_of_all = conn->async.requests;
	request->link_of_all = &conn->async.requests;
	if (request->next_of_all)
		request->next_of_all->link_of_all = &request->next_of_all;
	conn->async.requests = request;
	conn->n_handles++;
	return request;
}

void async_free(struct ostore_request *request)
{
	if (request->call)
		call_end(request->conn, request->call);
	*request->link_of_all = request->next_of_all;
	if (request->next_of_all)
		request->next_of_all->link_of_all = request->link_of_all;
	for (size_t i = 0; request->objects && i < request->n; i++)
		if (request->objects[i])
			objects_drop(request->objects[i]);
	request->conn->n_handles--;
	free(request->objects);
	free(request->items);
	free(request->places);
	free(request->ready);
	free(request);
}

static void append(struct ostore_request ***tailp, struct ostore_request *request)
{
	request->next = NULL;
	**tailp = request;
	*tailp = &request->next;
}

static struct ostore_request *take_first(struct ostore_request **headp, struct ostore_request ***tailp)
{
	struct ostore_request *request = *headp;

	*headp = request->next;
	if (!*headp)
		*tailp = headp;
	return request;
}

static void report(struct ostore_request *request)
{
	request->done = true;
	append(&request->conn->async.done_tail, request);
}

static void report_error(struct ostore_request *request, int status, const char *text)
{
	request->status = status;
	text_set(&request->text, "%s", text);
	report(request);
}

/* Its call is done.  No more than a mark: the caller goes through the calls. */
static void note_finished(struct ostore *conn, struct call *call)
{
	struct ostore_request *request = container_of(call->waiter, struct ostore_request, waiter);

	conn->async.n_direct--;
	append(&conn->async.finished_tail, request);
	signal_poller(conn);
}

void async_start(struct ostore_request *request)
{
	request->call->finished = note_finished;
	request->conn->async.n_direct++;
	call_start(request->conn, request->call);
}

/* ---- direct ---- */

static int collect_readiness(struct call *call, const struct wire_reply *reply)
{
	struct ostore_request *request = container_of(call->waiter, struct ostore_request, waiter);

	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (request->n_seen == request->n_items)
			return -EPROTO;
		request->ready[request->n_seen++] = reply->items[i].status == 0;
	}
	return 0;
}

static void restart_readiness(struct call *call)
{
	container_of(call->waiter, struct ostore_request, waiter)->n_seen = 0;
}

static int start_direct(struct ostore_request *request)
{
	bool is_get = request->kind == REQUEST_GET;
	int64_t left = FOREVER_NS;
	struct call *call;

	request->waiter = WAITER_INIT;
	call = call_new(is_get ? WIRE_GET : WIRE_WAIT, is_get ? request->n_items : 0, &request->waiter);
	if (!call)
		return -ENOMEM;
	call->request.items = request->items;
	call->request.n_items = (uint32_t)request->n_items;
	call->request.flags = request->flags & (unsigned int)~OSTORE_GET_COW;
	call->cow = request->flags & OSTORE_GET_COW;
	if (!is_get) {
		call->request.flags = 0;
		call->request.limit = (uint32_t)request->needed;
		call->collect = collect_readiness;
		call->restart = restart_readiness;
	}
	if (request->deadline != FOREVER_NS)
		left = MAX(request->deadline - now_ns(), INT64_C(0));
	/* what was to wait, and has waited, is late, not missing */
	call_set_timeout(call, left == 0 && request->n_members > 0 ? 1 : left);
	request->call = call;
	async_start(request);
	return 0;
}

/* ---- parked ---- */

static void note_group_finished(struct ostore *conn, struct call *call)
{
	container_of(call->waiter, struct group, waiter)->finished = true;
	signal_poller(conn);
}

static int collect_group(struct call *call, const struct wire_reply *reply)
{
	struct group *group = container_of(call->waiter, struct group, waiter);

	for (uint32_t i = 0; i < reply->n_items; i++) {
		if (group->n_seen == group->n)
			return -EPROTO;
		group->statuses[group->n_seen++] = reply->items[i].status;
	}
	return 0;
}

static void restart_group(struct call *call)
{
	container_of(call->waiter, struct group, waiter)->n_seen = 0;
}

static void free_group(struct ostore *conn, struct group *group)
{
	struct group **p = &conn->async.groups;

	while (*p && *p != group)
		p = &(*p)->next;
	if (*p) {
		*p = group->next;
		conn->async.n_groups--;
	}
	if (group->call)
		call_end(conn, group->call);
	free(group);
}

static int send_group(struct ostore *conn, struct group *group)
{
	int64_t earliest = FOREVER_NS;
	struct call *call;

	group->waiter = WAITER_INIT;
	group->n_seen = 0;
	call = call_new(WIRE_WAIT, 0, &group->waiter);
	if (!call)
		return -ENOMEM;
	for (size_t i = 0; i < group->n; i++)
		if (group->members[i])
			earliest = MIN(earliest, group->members[i]->deadline);
	call->request.items = group->items;
	call->request.n_items = (uint32_t)group->n;
	call->request.limit = 1;
	call->collect = collect_group;
	call->restart = restart_group;
	call->finished = note_group_finished;
	call_set_timeout(call, MAX(MIN(earliest - now_ns(), LOOK_NS), INT64_C(1)));
	group->call = call;
	group->next = conn->async.groups;
	conn->async.groups = group;
	conn->async.n_groups++;
	call_start(conn, call);
	return 0;
}

/* No memory for a group: all whose ids it was for are told. */
static void fail_group(struct group *group, int status, const char *text);

static void send_open(struct ostore *conn)
{
	struct group *group = TAKE_PTR(conn->async.open);

	if (group && send_group(conn, group) < 0) {
		fail_group(group, -ENOMEM, "no memory to wait for more objects");
		free(group);
	}
}

static int add_member(struct ostore *conn, struct ostore_request *request, const struct id128 *id)
{
	struct group *group = conn->async.open;

	if (group && group->n == GROUP_MAX) {
		send_open(conn);
		group = NULL;
	}
	if (!group) {
		group = conn->async.open = calloc(1, sizeof *group);
		if (!group)
			return -ENOMEM;
	}
	group->members[group->n] = request;
	group->items[group->n].id = *id;
	group->n++;
	return 0;
}

/* Nobody waits for its ids any more. */
static void leave_groups(struct ostore *conn, const struct ostore_request *request)
{
	struct group *group = conn->async.open;

	if (request->n_members == 0)
		return;
	for (size_t i = 0; group && i < group->n; i++)
		if (group->members[i] == request)
			group->members[i] = NULL;
	for (group = conn->async.groups; group; group = group->next)
		for (size_t i = 0; i < group->n; i++)
			if (group->members[i] == request)
				group->members[i] = NULL;
}

static void fail_group(struct group *group, int status, const char *text)
{
	for (size_t i = 0; i < group->n; i++) {
		struct ostore_request *request = group->members[i];

		if (!request)
			continue;
		leave_groups(request->conn, request);
		for (size_t k = i; k < group->n; k++) /* an open one is in no list any more */
			if (group->members[k] == request)
				group->members[k] = NULL;
		report_error(request, status, text);
	}
}

static void park(struct ostore *conn, struct ostore_request *request)
{
	request->n_ready = request->n_gone = 0;
	request->n_members = request->n_items;
	for (size_t i = 0; i < request->n_items; i++)
		if (add_member(conn, request, &request->items[i].id) < 0) {
			leave_groups(conn, request);
			report_error(request, -ENOMEM, "no memory to wait for more objects");
			return;
		}
	signal_poller(conn); /* so that what gathers is sent */
}

/* Can the broker answer it at once? */
static bool is_decided(const struct ostore_request *request)
{
	return request->n_ready >= request->needed ||
	       request->n_items - request->n_gone < request->needed ||
	       request->deadline <= now_ns();
}

static void unpark(struct ostore *conn, struct ostore_request *request)
{
	leave_groups(conn, request);
	if (start_direct(request) < 0)
		report_error(request, -ENOMEM, "no memory to ask for the objects");
}

/* What is left of a group gathers anew. */
static void gather_again(struct ostore *conn, struct group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		struct ostore_request *request = group->members[i];

		group->members[i] = NULL;
		if (request && add_member(conn, request, &group->items[i].id) < 0) {
			leave_groups(conn, request);
			report_error(request, -ENOMEM, "no memory to wait for more objects");
		}
	}
}

static void finish_group(struct ostore *conn, struct group *group)
{
	if (group->call->status < 0) {
		fail_group(group, group->call->status, group->call->text.bytes);
	} else {
		for (size_t i = 0; i < group->n_seen; i++) {
			struct ostore_request *request = group->members[i];

			if (!request || group->statuses[i] == -EAGAIN)
				continue;
			group->members[i] = NULL;
			if (group->statuses[i] == 0)
				request->n_ready++;
			else
				request->n_gone++;
			if (is_decided(request))
				unpark(conn, request);
		}
		for (size_t i = 0; i < group->n; i++)
			if (group->members[i] && is_decided(group->members[i]))
				unpark(conn, group->members[i]);
		gather_again(conn, group);
	}
	free_group(conn, group);
}

/* Lock held.  What follows from the replies that have come. */
static void follow_up(struct ostore *conn)
{
	struct async *async = &conn->async;
	struct group *next;

	while (async->finished) {
		struct ostore_request *request = take_first(&async->finished, &async->finished_tail);

		if (request->call->status == -EBUSY && request->kind != REQUEST_EVENT) {
			call_end(conn, TAKE_PTR(request->call));
			park(conn, request);
		} else {
			report(request);
		}
	}
	for (struct group *group = async->groups; group; group = next) {
		next = group->next;
		if (group->finished)
			finish_group(conn, group);
	}
	if (!async->open)
		return;
	if (async->n_groups >= GROUPS_MANY)
		for (struct group *group = async->groups; group; group = next) {
			next = group->next;
			if (group->finished || group->n + async->open->n > GROUP_MAX)
				continue;
			gather_again(conn, group);
			free_group(conn, group);
		}
	send_open(conn);
}

/* ---- the end of everything ---- */

void async_forget(struct ostore *conn, int status, const char *text)
{
	struct async *async = &conn->async;

	async->finished = NULL;
	async->finished_tail = &async->finished;
	async->n_direct = 0;
	for (struct ostore_request *request = async->requests; request; request = request->next_of_all) {
		bool was_done = request->done;

		request->call = NULL;
		request->n_members = 0;
		request->status = status;
		text_set(&request->text, "%s", text);
		if (!was_done)
			report(request);
	}
	while (async->groups) {
		async->groups->call = NULL;
		free_group(conn, async->groups);
	}
	free(TAKE_PTR(async->open));
}

void async_deinit(struct ostore *conn)
{
	async_close_fds(conn);
}

/* ---- public: begin ---- */

static int check(const ostore_id *ids, size_t n, int64_t timeout, struct ostore_request **requestp,
	const char *what)
{
	if (!requestp || !ids || n == 0 || n > CALL_ITEMS_MAX || timeout < 0)
		return fail(-EINVAL, "%s: no ids, more than %d, a negative timeout, or no place for the "
			"request", what, CALL_ITEMS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct id128 id;

		memcpy(&id, &ids[i], sizeof id);
		if (id128_is_zero(&id))
			return fail(-EINVAL, "%s: id %zu is all zeros", what, i);
	}
	return 0;
}

/* Lock held.  Begin to wait, in one way or the other.  Return: 0; -ENOMEM, with a sentence. */
static int begin(struct ostore *conn, struct ostore_request *request, int64_t timeout)
{
	if (conn->async.n_direct >= DIRECT_MAX && timeout > 0)
		park(conn, request);
	else if (start_direct(request) < 0)
		return fail_memory();
	return 0;
}

/* What is here already, and the items for the rest. */
static int look_here(struct ostore *conn, struct ostore_request *request, const ostore_id *ids)
{
	for (size_t i = 0; i < request->n; i++) {
		struct id128 id;
		int r;

		memcpy(&id, &ids[i], sizeof id);
		r = objects_find(conn, &id, request->flags, &request->objects[i]);
		if (r == -ENOENT) {
			request->places[request->n_items] = i;
			request->items[request->n_items++].id = id;
		} else if (r < 0) {
			return r;
		}
	}
	request->needed = request->n_items;
	return 0;
}

int ostore_get_begin(struct ostore *conn, const ostore_id *ids, size_t n, int64_t timeout,
	unsigned int flags, void *user, struct ostore_request **requestp)
{
	struct ostore_request *request;
	int r = check(ids, n, timeout, requestp, "get");

	if (r < 0)
		return r;
	if (flags & ~(unsigned int)(OSTORE_GET_REF | OSTORE_GET_MAP | OSTORE_GET_COW) ||
		(flags & OSTORE_GET_REF && flags & OSTORE_GET_COW))
		return fail(-EINVAL, "get: flags %#x are not allowed", flags);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	r = objects_await(conn, ids, n, &timeout);
	if (r < 0) {
		connection_leave(conn);
		return r;
	}
	request = async_new(conn, REQUEST_GET, user, timeout);
	if (request) {
		request->flags = flags;
		request->n = n;
		request->objects = calloc(n, sizeof(struct ostore_object *));
		request->items = calloc(n, sizeof *request->items);
		request->places = calloc(n, sizeof *request->places);
	}
	if (!request || !request->objects || !request->items || !request->places ||
		look_here(conn, request, ids) < 0) {
		r = fail_memory();
	} else if (request->n_items == 0) {
		request->done = true;
		r = 1;
	} else {
		r = begin(conn, request, timeout);
	}
	if (r < 0 && request)
		async_free(request);
	else
		*requestp = request;
	connection_leave(conn);
	return r;
}

int ostore_wait_begin(struct ostore *conn, const ostore_id *ids, size_t n, size_t num,
	int64_t timeout, void *user, struct ostore_request **requestp)
{
	struct ostore_request *request;
	int r = check(ids, n, timeout, requestp, "wait");

	if (r < 0)
		return r;
	if (num > n)
		return fail(-EINVAL, "wait for %zu of %zu objects: not possible", num, n);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	request = async_new(conn, REQUEST_WAIT, user, timeout);
	if (request) {
		request->n = request->n_items = n;
		request->needed = num;
		request->items = calloc(n, sizeof *request->items);
		request->ready = calloc(n, sizeof *request->ready);
	}
	if (!request || !request->items || !request->ready) {
		r = fail_memory();
	} else {
		for (size_t i = 0; i < n; i++)
			memcpy(&request->items[i].id, &ids[i], sizeof ids[i]);
		r = begin(conn, request, num > 0 ? timeout : 0);
	}
	if (r < 0 && request)
		async_free(request);
	else
		*requestp = request;
	connection_leave(conn);
	return r;
}

/* ---- public: what became of it ---- */

size_t ostore_dispatch(struct ostore *conn, struct ostore_request **requests, size_t room)
{
	struct async *async;
	bool is_full;
	size_t n = 0;

	if (!conn || !requests)
		return 0;
	async = &conn->async;
	connection_lock(conn);
	while (conn->state == CONNECTION_GREETING)
		pthread_cond_wait(&conn->changed, &conn->lock);
	read_signal(conn);
	call_poll(conn);
	follow_up(conn);
	is_full = call_flush(conn) == -EAGAIN;
	while (n < room && async->done)
		requests[n++] = take_first(&async->done, &async->done_tail);
	if (async->done || async->finished)
		signal_poller(conn);
	watch_socket(conn, is_full);
	connection_leave(conn);
	return n;
}

void *ostore_request_user(const struct ostore_request *request)
{
	return request ? request->user : NULL;
}

void async_cancel(struct ostore_request *request)
{
	struct ostore *conn = request->conn;

	if (request->done || (request->call && request->call->done))
		return;
	if (request->call) {
		conn->async.n_direct--;
		call_end(conn, TAKE_PTR(request->call));
	}
	leave_groups(conn, request);
	report_error(request, -ECANCELED, "given up by the caller");
	signal_poller(conn);
}

void ostore_cancel(struct ostore_request *request)
{
	struct ostore *conn;

	if (!request)
		return;
	conn = request->conn;
	connection_lock(conn);
	async_cancel(request);
	connection_leave(conn);
}

/* Lock held.  Return: 0, or why there is no result, with a sentence. */
static int outcome(const struct ostore_request *request, const char *what)
{
	char hex[ID128_TEXT_SIZE];

	if (request->status < 0)
		return fail(request->status, "%s of %s%s: %s", what,
			id128_format(&request->items[0].id, hex), request->n_items > 1 ? " and others" : "",
			request->text.bytes);
	if (request->call && request->call->status < 0)
		return call_fail(request->call, "%s of %s%s", what,
			id128_format(&request->items[0].id, hex), request->n_items > 1 ? " and others" : "");
	return 0;
}

static int take_granted(struct ostore_request *request)
{
	struct call *call = request->call;

	if (request->n_items == 0)
		return 0;
	if (call->n_grants != request->n_items)
		return fail(-EPROTO, "get: the broker's answer is incomplete");
	for (size_t i = 0; i < request->n_items; i++) {
		struct grant *grant = &call->grants[i];

		if (!id128_equal(&grant->entry->id, &request->items[i].id))
			return fail(-EPROTO, "get: the broker answered in another order");
		if (objects_take(request->conn, grant, &request->objects[request->places[i]]) < 0)
			return fail_memory();
	}
	return 0;
}

static int check_end(const struct ostore_request *request, enum request_kind kind, const void *place)
{
	if (!request || !place || request->kind != kind)
		return fail(-EINVAL, "end of a request: there is none of this kind, or no place for its "
			"result");
	return 0;
}

int ostore_get_end(struct ostore_request *request, struct ostore_object **objects)
{
	struct ostore *conn;
	int r = check_end(request, REQUEST_GET, objects);

	if (r < 0)
		return r;
	conn = request->conn;
	connection_lock(conn);
	if (!request->done) {
		r = fail(-EINVAL, "get: the request is under way; ostore_dispatch() reports its end");
		connection_leave(conn);
		return r;
	}
	r = outcome(request, "get");
	if (r == 0)
		r = take_granted(request);
	if (r == 0) {
		memcpy(objects, request->objects, request->n * sizeof *objects);
		memset(request->objects, 0, request->n * sizeof *objects);
	} else {
		memset(objects, 0, request->n * sizeof *objects);
	}
	async_free(request);
	connection_leave(conn);
	return r;
}

int ostore_wait_end(struct ostore_request *request, bool *ready)
{
	struct ostore *conn;
	int r = check_end(request, REQUEST_WAIT, ready);

	if (r < 0)
		return r;
	conn = request->conn;
	connection_lock(conn);
	if (!request->done) {
		r = fail(-EINVAL, "wait: the request is under way; ostore_dispatch() reports its end");
		connection_leave(conn);
		return r;
	}
	r = outcome(request, "wait");
	memcpy(ready, request->ready, request->n * sizeof *ready);
	for (size_t i = 0; i < request->n && r >= 0; i++)
		r += ready[i];
	async_free(request);
	connection_leave(conn);
	return r;
}
