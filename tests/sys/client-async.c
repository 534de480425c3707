/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests without waiting, in an epoll loop, against a real broker ($OSTORE_ADDRESS):
 * each is reported once, with the right result, whatever goes on beside it.
 */
#undef NDEBUG
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "client-test.h"

#define MANY 3000 /* more than the broker lets a connection wait for */

/* ---- a loop ---- */

struct await {
	ostore_id id;
	struct ostore_request *request;
	struct ostore_object *object;
	int result;
	unsigned int n_reports;
};

static struct await *new_awaits(size_t n)
{
	struct await *awaits = calloc(n, sizeof *awaits);

	CHECK(awaits);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(ostore_id_random(&awaits[i].id), 0);
	return awaits;
}

static void begin(struct ostore *conn, struct await *await, int64_t timeout)
{
	CHECK_INT(ostore_get_begin(conn, &await->id, 1, timeout, 0, await, &await->request), 0);
}

/* Turn the loop until as many have been reported. */
static void turn_until(struct ostore *conn, size_t n_wanted)
{
	int loop = epoll_create1(0), fd = ostore_poll_fd(conn);
	struct epoll_event event = { .events = EPOLLIN };
	int64_t deadline = monotonic_ns() + 60 * SEC;
	struct ostore_request *requests[64];
	size_t n_seen = 0;

	CHECK(fd >= 0);
	CHECK_INT(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), 0);
	while (n_seen < n_wanted) {
		size_t n;

		CHECK(epoll_wait(loop, &event, 1, 10000) == 1);
		CHECK(monotonic_ns() < deadline);
		n = ostore_dispatch(conn, requests, 64);
		for (size_t i = 0; i < n; i++) {
			struct await *await = ostore_request_user(requests[i]);

			CHECK(await->request == requests[i]);
			await->n_reports++;
			await->result = ostore_get_end(requests[i], &await->object);
		}
		n_seen += n;
	}
	close(loop);
}

static void check_all(struct ostore *conn, struct await *awaits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(awaits[i].n_reports, 1);
		CHECK_INT(awaits[i].result, 0);
		CHECK_INT(ostore_size(awaits[i].object), 8);
		CHECK(memcmp(ostore_data(awaits[i].object), &awaits[i].id, 8) == 0);
		ostore_release(awaits[i].object);
	}
	(void)conn;
}

struct producer {
	struct await *awaits;
	size_t n;
	pthread_t thread;
};

static void put_one(struct ostore *conn, const ostore_id *id)
{
	CHECK_INT(ostore_put(conn, id, 8,
			  &(struct ostore_put_options){ .size = sizeof(struct ostore_put_options),
				  .id = id, .hold = true }, NULL), 0);
}

/* Puts them from the last to the first. */
static void *produce(void *argument)
{
	struct producer *producer = argument;
	struct ostore *conn = connect_or_die();

	for (size_t i = producer->n; i-- > 0;) {
		put_one(conn, &producer->awaits[i].id);
		if (i % 100 == 0)
			usleep(1000);
	}
	ostore_close(conn);
	return NULL;
}

static void delete_all(struct ostore *conn, const struct await *awaits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK_INT(ostore_delete(conn, &awaits[i].id, 1, NULL), 0);
}

/* ---- tests ---- */

static void thousands_are_awaited_at_once(void)
{
	struct ostore *conn = connect_or_die();
	struct producer producer = { .awaits = new_awaits(MANY), .n = MANY };

	for (size_t i = 0; i < MANY; i++)
		begin(conn, &producer.awaits[i], OSTORE_FOREVER);
	CHECK_INT(pthread_create(&producer.thread, NULL, produce, &producer), 0);
	turn_until(conn, MANY);
	pthread_join(producer.thread, NULL);
	check_all(conn, producer.awaits, MANY);
	delete_all(conn, producer.awaits, MANY);
	free(producer.awaits);
	ostore_close(conn);
}

static void *wait_for_one(void *argument)
{
	struct await *await = argument;
	struct ostore_object *object;

	CHECK_INT(ostore_get((struct ostore *)await->request, &await->id, 1, OSTORE_FOREVER, 0, &object), 0);
	ostore_release(object);
	return NULL;
}

/* Threads that wait on the same connection, one of which reads for all, and the loop. */
static void threads_wait_beside_the_loop(void)
{
	struct ostore *conn = connect_or_die();
	struct producer producer = { .awaits = new_awaits(MANY), .n = MANY };
	pthread_t threads[4];
	struct await blocking[4];

	for (size_t i = 0; i < 4; i++) {
		blocking[i] = producer.awaits[i * 700 + 1];
		blocking[i].request = (struct ostore_request *)conn;
		CHECK_INT(pthread_create(&threads[i], NULL, wait_for_one, &blocking[i]), 0);
	}
	for (size_t i = 0; i < MANY; i++)
		begin(conn, &producer.awaits[i], 50 * SEC);
	CHECK_INT(pthread_create(&producer.thread, NULL, produce, &producer), 0);
	turn_until(conn, MANY);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_join(producer.thread, NULL);
	check_all(conn, producer.awaits, MANY);
	delete_all(conn, producer.awaits, MANY);
	free(producer.awaits);
	ostore_close(conn);
}

/* Beyond the window, too, a thread may read what the loop waits for. */
static void two_loops_share_what_is_reported(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_request *requests[2] = { NULL };
	struct await *awaits = new_awaits(2);
	int64_t deadline = monotonic_ns() + 20 * SEC;
	size_t n = 0;

	begin(conn, &awaits[0], OSTORE_FOREVER);
	begin(conn, &awaits[1], OSTORE_FOREVER);
	put_one(other, &awaits[0].id);
	put_one(other, &awaits[1].id);
	/* with room for one, the descriptor stays readable for the other */
	while (n < 2) {
		struct epoll_event event = { .events = EPOLLIN };
		int loop = epoll_create1(0);

		CHECK_INT(epoll_ctl(loop, EPOLL_CTL_ADD, ostore_poll_fd(conn), &event), 0);
		CHECK_INT(epoll_wait(loop, &event, 1, 10000), 1);
		close(loop);
		n += ostore_dispatch(conn, requests + n, 1);
		CHECK(monotonic_ns() < deadline);
	}
	CHECK(requests[0] != requests[1]);
	for (size_t i = 0; i < 2; i++) {
		struct await *await = ostore_request_user(requests[i]);

		await->n_reports++;
		await->result = ostore_get_end(requests[i], &await->object);
	}
	check_all(conn, awaits, 2);
	delete_all(conn, awaits, 2);
	free(awaits);
	ostore_close(conn);
	ostore_close(other);
}

static void what_is_here_is_done_at_once(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object, *same = NULL;
	struct ostore_request *request;

	CHECK_INT(ostore_put(conn, "here", 4, NULL, &object), 0);
	CHECK_INT(ostore_map(object), 0);
	CHECK_INT(ostore_get_begin(conn, ostore_object_id(object), 1, 0, 0, NULL, &request), 1);
	CHECK_INT(ostore_get_end(request, &same), 0);
	CHECK(ostore_data(same) == ostore_data(object));
	ostore_release(same);
	ostore_release(object);
	ostore_close(conn);
}

static void who_is_late_is_told(void)
{
	struct ostore *conn = connect_or_die();
	struct await *awaits = new_awaits(MANY);

	/* nothing of them is there; the window is full after a while */
	for (size_t i = 0; i < MANY; i++)
		begin(conn, &awaits[i], 100 * MS);
	turn_until(conn, MANY);
	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(awaits[i].n_reports, 1);
		CHECK_INT(awaits[i].result, -ETIMEDOUT);
		CHECK(!awaits[i].object);
		awaits[i].n_reports = 0;
	}
	begin(conn, &awaits[0], 0);
	turn_until(conn, 1);
	CHECK_INT(awaits[0].result, -ENOENT);
	free(awaits);
	ostore_close(conn);
}

/* A reply that is nothing but a status is not lost where the socket is full. */
static void refusals_wait_for_a_reader(void)
{
	struct ostore *conn = connect_or_die();
	struct await *awaits = new_awaits(MANY);

	for (size_t i = 0; i < MANY; i++)
		begin(conn, &awaits[i], 0);
	turn_until(conn, MANY);
	for (size_t i = 0; i < MANY; i++)
		CHECK(awaits[i].n_reports == 1 && awaits[i].result == -ENOENT);
	free(awaits);
	ostore_close(conn);
}

/* What is given up brings no reference, and takes no place. */
static void what_is_given_up_is_reported_and_leaves_nothing(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct await *awaits = new_awaits(MANY);

	for (size_t i = 0; i < MANY; i++)
		begin(conn, &awaits[i], OSTORE_FOREVER);
	for (size_t i = 0; i < MANY; i += 2)
		ostore_cancel(awaits[i].request);
	turn_until(conn, MANY / 2);
	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(awaits[i].n_reports, i % 2 == 0);
		CHECK_INT(awaits[i].result, i % 2 == 0 ? -ECANCELED : 0);
	}
	for (size_t i = 0; i < MANY; i++)
		put_one(other, &awaits[i].id);
	turn_until(conn, MANY / 2);
	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(awaits[i].n_reports, 1);
		if (i % 2)
			ostore_release(awaits[i].object);
	}
	for (size_t i = 0; i < MANY; i += 97)
		refs_become(other, &awaits[i].id, 1); /* the hold of the put */
	delete_all(other, awaits, MANY);
	free(awaits);
	ostore_close(conn);
	ostore_close(other);
}

static void a_list_comes_as_a_whole_or_not_at_all(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct await *awaits = new_awaits(300);
	struct ostore_object *objects[4];
	struct ostore_request *request, *reported;
	struct await *hundreds = new_awaits(300);
	ostore_id ids[4];
	bool ready[4];

	for (size_t i = 0; i < 300; i++) /* fill the window */
		begin(conn, &hundreds[i], OSTORE_FOREVER);
	for (size_t i = 0; i < 4; i++)
		ids[i] = awaits[i].id;
	put_one(other, &ids[2]);
	CHECK_INT(ostore_get_begin(conn, ids, 4, OSTORE_FOREVER, 0, NULL, &request), 0);
	for (size_t i = 0; i < 4; i++)
		if (i != 2)
			put_one(other, &ids[i]);
	while (ostore_dispatch(conn, &reported, 1) == 0)
		usleep(1000);
	CHECK(reported == request);
	CHECK_INT(ostore_get_end(request, objects), 0);
	for (size_t i = 0; i < 4; i++) {
		CHECK(memcmp(ostore_data(objects[i]), &ids[i], 8) == 0);
		ostore_release(objects[i]);
	}
	/* one is gone: the whole fails, also from beyond the window */
	CHECK_INT(ostore_delete(other, &ids[3], 1, NULL), 0);
	CHECK_INT(ostore_get_begin(conn, ids, 4, OSTORE_FOREVER, OSTORE_GET_REF, NULL, &request), 0);
	while (ostore_dispatch(conn, &reported, 1) == 0)
		usleep(1000);
	CHECK(reported == request);
	CHECK_FAILS(ostore_get_end(request, objects), ENOENT);
	CHECK(!objects[0] && !objects[3]);
	/* and which are there */
	CHECK_INT(ostore_wait_begin(conn, ids, 4, 3, OSTORE_FOREVER, NULL, &request), 0);
	while (ostore_dispatch(conn, &reported, 1) == 0)
		usleep(1000);
	CHECK_INT(ostore_wait_end(reported, ready), 3);
	CHECK(ready[0] && ready[1] && ready[2] && !ready[3]);
	for (size_t i = 0; i < 300; i++)
		put_one(other, &hundreds[i].id);
	turn_until(conn, 300);
	check_all(conn, hundreds, 300);
	delete_all(other, hundreds, 300);
	CHECK_INT(ostore_delete(other, ids, 3, NULL), 0);
	free(hundreds);
	free(awaits);
	ostore_close(conn);
	ostore_close(other);
}

static void events_come_to_the_loop(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_subscription *events;
	struct ostore_request *request, *reported;
	struct ostore_event event;
	struct await *awaits = new_awaits(1);
	unsigned int n_sealed = 0;

	CHECK_INT(ostore_subscribe(conn, OSTORE_EVENTS_NEW, &events), 0);
	CHECK_INT(ostore_next_event_begin(events, OSTORE_FOREVER, NULL, &request), 0);
	CHECK_FAILS(ostore_next_event_begin(events, OSTORE_FOREVER, NULL, &reported), EINVAL);
	CHECK_FAILS(ostore_next_event(events, 0, &event), EINVAL);
	put_one(other, &awaits[0].id);
	while (n_sealed == 0) {
		while (ostore_dispatch(conn, &reported, 1) == 0)
			usleep(1000);
		CHECK(reported == request);
		CHECK_INT(ostore_next_event_end(request, &event), 0);
		CHECK(memcmp(&event.id, &awaits[0].id, sizeof event.id) == 0);
		n_sealed += event.type == OSTORE_EVENT_SEALED;
		while (n_sealed == 0 && ostore_next_event_begin(events, OSTORE_FOREVER, NULL, &request) == 1) {
			CHECK_INT(ostore_next_event_end(request, &event), 0);
			n_sealed += event.type == OSTORE_EVENT_SEALED;
		}
	}
	CHECK_INT(ostore_next_event_begin(events, 10 * MS, NULL, &request), 0);
	while (ostore_dispatch(conn, &reported, 1) == 0)
		usleep(1000);
	CHECK_FAILS(ostore_next_event_end(request, &event), ETIMEDOUT);
	/* the end of the subscription ends its request */
	CHECK_INT(ostore_next_event_begin(events, OSTORE_FOREVER, NULL, &request), 0);
	ostore_unsubscribe(events);
	CHECK_INT(ostore_dispatch(conn, &reported, 1), 1);
	CHECK_FAILS(ostore_next_event_end(reported, &event), ECANCELED);
	delete_all(other, awaits, 1);
	free(awaits);
	ostore_close(conn);
	ostore_close(other);
}

static void a_killed_worker_is_not_noticed(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct producer producer = { .awaits = new_awaits(MANY), .n = MANY };

	for (size_t i = 0; i < MANY; i++)
		begin(conn, &producer.awaits[i], 50 * SEC);
	CHECK_INT(pthread_create(&producer.thread, NULL, produce, &producer), 0);
	for (int i = 0; i < 3; i++) {
		struct ostore_stats *stats;

		usleep(20000);
		CHECK_INT(ostore_stats(other, &stats), 0);
		CHECK_INT(kill(stats->worker_pid, SIGKILL), 0);
		ostore_stats_free(stats);
	}
	turn_until(conn, MANY);
	pthread_join(producer.thread, NULL);
	check_all(conn, producer.awaits, MANY);
	for (size_t i = 0; i < MANY; i += 97)
		refs_become(other, &producer.awaits[i].id, 1);
	delete_all(conn, producer.awaits, MANY);
	free(producer.awaits);
	ostore_close(conn);
	ostore_close(other);
}

static void a_child_does_not_wait_for_its_parent_s_requests(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct await *awaits = new_awaits(400);
	int status;
	pid_t child;

	for (size_t i = 0; i < 400; i++)
		begin(conn, &awaits[i], OSTORE_FOREVER);
	CHECK(ostore_poll_fd(conn) >= 0);
	child = fork_child();
	if (child == 0) {
		turn_until(conn, 400);
		for (size_t i = 0; i < 400; i++)
			CHECK(awaits[i].n_reports == 1 && awaits[i].result == -ECANCELED);
		begin(conn, &awaits[0], OSTORE_FOREVER);
		put_one(other, &awaits[0].id);
		awaits[0].n_reports = 0;
		turn_until(conn, 1);
		check_all(conn, awaits, 1);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	for (size_t i = 1; i < 400; i++)
		put_one(other, &awaits[i].id);
	turn_until(conn, 400);
	check_all(conn, awaits, 400);
	delete_all(other, awaits, 400);
	free(awaits);
	ostore_close(conn);
	ostore_close(other);
}

static void a_closed_connection_ends_its_requests(void)
{
	struct ostore *conn = connect_or_die();
	struct await *awaits = new_awaits(400);

	for (size_t i = 0; i < 400; i++)
		begin(conn, &awaits[i], OSTORE_FOREVER);
	ostore_close(conn);
	for (size_t i = 0; i < 400; i++)
		CHECK_FAILS(ostore_get_end(awaits[i].request, &awaits[i].object), ECONNREFUSED);
	free(awaits);
}

static void bad_arguments_are_refused(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_request *request;
	struct await *await = new_awaits(1);
	struct ostore_object *object;
	ostore_id zero = { { 0 } };
	bool ready;

	CHECK_FAILS(ostore_get_begin(conn, &zero, 1, 0, 0, NULL, &request), EINVAL);
	CHECK_FAILS(ostore_get_begin(conn, &await->id, 0, 0, 0, NULL, &request), EINVAL);
	CHECK_FAILS(ostore_get_begin(conn, &await->id, 65537, 0, 0, NULL, &request), EINVAL);
	CHECK_FAILS(ostore_get_begin(conn, &await->id, 1, -1, 0, NULL, &request), EINVAL);
	CHECK_FAILS(ostore_get_begin(conn, &await->id, 1, 0, 64, NULL, &request), EINVAL);
	CHECK_FAILS(ostore_get_begin(conn, &await->id, 1, 0, 0, NULL, NULL), EINVAL);
	CHECK_FAILS(ostore_wait_begin(conn, &await->id, 1, 2, 0, NULL, &request), EINVAL);
	begin(conn, await, OSTORE_FOREVER);
	CHECK_FAILS(ostore_wait_end(await->request, &ready), EINVAL);
	CHECK_FAILS(ostore_get_end(await->request, &object), EINVAL); /* it is not done */
	ostore_cancel(await->request);
	turn_until(conn, 1);
	CHECK_INT(await->result, -ECANCELED);
	ostore_cancel(NULL);
	free(await);
	ostore_close(conn);
}

static const struct test tests[] = {
#define TEST(name) { #name, name }
	TEST(thousands_are_awaited_at_once),
	TEST(threads_wait_beside_the_loop),
	TEST(two_loops_share_what_is_reported),
	TEST(what_is_here_is_done_at_once),
	TEST(who_is_late_is_told),
	TEST(refusals_wait_for_a_reader),
	TEST(what_is_given_up_is_reported_and_leaves_nothing),
	TEST(a_list_comes_as_a_whole_or_not_at_all),
	TEST(events_come_to_the_loop),
	TEST(a_killed_worker_is_not_noticed),
	TEST(a_child_does_not_wait_for_its_parent_s_requests),
	TEST(a_closed_connection_ends_its_requests),
	TEST(bad_arguments_are_refused),
};

int main(int argc, char **argv)
{
	return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
