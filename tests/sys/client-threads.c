/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads on one connection, signals, limits, and a broker that goes.
 *
 *	client-threads NAME...         one of the tests below
 *	client-threads torture SECONDS put, get and verify from several threads and
 *	                               connections until the time is over; then print
 *	                               how many rounds were made.  The broker may be
 *	                               killed meanwhile, its supervisor not.
 */
#undef NDEBUG
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "client-test.h"

#define N_THREADS 4

static struct ostore *shared;
static atomic_bool stop;
static atomic_ulong rounds;

/* ---- torture ---- */

struct player {
	pthread_t thread;
	struct ostore *conn;
	uint64_t seed;
};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void check_one(struct ostore *conn, const ostore_id *id, uint64_t size, uint64_t seed,
	unsigned int flags)
{
	struct ostore_object *got;

	CHECK_INT(ostore_get(conn, id, 1, 30 * SEC, flags, &got), 0);
	if (flags & OSTORE_GET_REF)
		CHECK_INT(ostore_map(got), 0);
	CHECK_INT(ostore_size(got), size);
	CHECK(pattern_is(ostore_data(got), size, seed));
	ostore_release(got);
}

static void play_put(struct player *player, uint64_t *state, unsigned char *scratch)
{
	static const uint64_t sizes[] = { 0, 1, 100, 4096, 65536, 70000, 300000, 2 * MIB };
	static const unsigned int flags[] = { 0, OSTORE_GET_REF, OSTORE_GET_MAP, OSTORE_GET_COW };
	uint64_t size = sizes[next_random(state) % 8], seed = next_random(state);
	struct ostore_object *object;
	ostore_id id;

	pattern_fill(scratch, size, seed);
	if (next_random(state) % 2) {
		CHECK_INT(ostore_put(player->conn, scratch, size, NULL, &object), 0);
	} else {
		CHECK_INT(ostore_create(player->conn, size, NULL, &object), 0);
		if (size > 0)
			memcpy(ostore_buffer(object), scratch, size);
		CHECK_INT(ostore_seal(object, next_random(state) % 2), 0);
	}
	id = *ostore_object_id(object);
	check_one(player->conn, &id, size, seed, flags[next_random(state) % 4]);
	if (next_random(state) % 4 == 0)
		CHECK_INT(ostore_delete(player->conn, &id, 1, NULL), 0);
	ostore_release(object);
}

/* More than a packet, and one that is too large for any. */
static void play_many(struct player *player, uint64_t *state, unsigned char *scratch)
{
	enum { N = 60, STEP = 5000, LARGE = 100000 };
	size_t large = next_random(state) % (2 * (size_t)N);
	uint64_t seed = next_random(state);
	struct ostore_object *puts[N];
	struct ostore_value values[N];
	struct iovec pieces[N];
	ostore_id ids[N];

	pattern_fill(scratch, N * STEP + LARGE, seed);
	for (size_t i = 0; i < N; i++) {
		pieces[i] = (struct iovec){ scratch + i * STEP, i == large ? LARGE : STEP };
		values[i] = (struct ostore_value){ .pieces = &pieces[i], .n_pieces = 1 };
	}
	CHECK_INT(ostore_put_many(player->conn, values, N, 0, puts, NULL), 0);
	for (size_t i = 0; i < N; i++)
		ids[i] = *ostore_object_id(puts[i]);
	for (size_t i = 0; i < N; i++) {
		struct ostore_object *got;

		CHECK_INT(ostore_get(player->conn, &ids[i], 1, 0, 0, &got), 0);
		CHECK_INT(ostore_size(got), pieces[i].iov_len);
		CHECK_INT(memcmp(ostore_data(got), pieces[i].iov_base, pieces[i].iov_len), 0);
		ostore_release(got);
		ostore_release(puts[i]);
	}
}

static void play_batch(struct player *player, uint64_t *state)
{
	struct ostore_object *puts[40], *gots[40];
	ostore_id ids[40];
	bool ready[40];
	size_t n = 1 + next_random(state) % 40;

	for (size_t i = 0; i < n; i++) {
		CHECK_INT(ostore_put(player->conn, &i, sizeof i, NULL, &puts[i]), 0);
		ids[i] = *ostore_object_id(puts[i]);
	}
	CHECK_INT(ostore_wait(player->conn, ids, n, n, 30 * SEC, ready), (long long)n);
	CHECK_INT(ostore_get(player->conn, ids, n, 30 * SEC,
			  next_random(state) % 2 ? OSTORE_GET_MAP : 0, gots), 0);
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(memcmp(ostore_data(gots[i]), &i, sizeof i), 0);
		ostore_release(gots[i]);
		ostore_release(puts[i]);
	}
}

static void play_name(struct player *player, uint64_t *state)
{
	struct ostore_object *object;
	struct ostore_stat *stat;
	ostore_token token;
	uint64_t value = next_random(state);
	char name[40];
	ostore_id id;

	(void)snprintf(name, sizeof name, "torture %p", (void *)player);
	CHECK_INT(ostore_put(player->conn, &value, sizeof value,
			  &(struct ostore_put_options){ .size = sizeof(struct ostore_put_options),
				  .name = name }, &object), 0);
	id = *ostore_object_id(object);
	CHECK_INT(ostore_export(object, &token), 0);
	ostore_release(object);
	CHECK_INT(ostore_lookup(player->conn, name, &object), 0);
	CHECK_INT(ostore_map(object), 0);
	CHECK_INT(memcmp(ostore_data(object), &value, sizeof value), 0);
	CHECK_INT(ostore_stat(player->conn, &id, &stat), 0);
	CHECK_INT(stat->info.refs >= 3, 1); /* ours, the name's, the lease's */
	ostore_stat_free(stat);
	ostore_release(object);
	CHECK_INT(ostore_unhold(player->conn, name), 0);
	CHECK_INT(ostore_import(player->conn, &id, &token, &object), 0);
	CHECK_INT(ostore_delete(player->conn, &id, 1, NULL), 0);
	ostore_release(object);
}

static void *play(void *argument)
{
	struct player *player = argument;
	unsigned char *scratch = malloc(2 * MIB);
	uint64_t state = player->seed;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		switch (next_random(&state) % 5) {
		case 0:
			play_batch(player, &state);
			break;
		case 1:
			play_name(player, &state);
			break;
		case 2:
			play_many(player, &state, scratch);
			break;
		default:
			play_put(player, &state, scratch);
		}
		atomic_fetch_add(&rounds, 1);
	}
	free(scratch);
	return NULL;
}

/* What is left when all is released: nothing that anybody refers to. */
static void nothing_is_left(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_info *infos;
	size_t n;

	CHECK_INT(ostore_list(conn, &infos, &n), 0);
	for (size_t i = 0; i < n; i++) {
		uint32_t refs = infos[i].refs;
		struct ostore_stat *stat;

		for (int tries = 0; refs > 0 && tries < 200; tries++) {
			if (ostore_stat(conn, &infos[i].id, &stat) < 0)
				break;
			refs = stat->info.refs + stat->info.pins;
			ostore_stat_free(stat);
			if (refs > 0)
				usleep(10000);
		}
		CHECK_INT(refs, 0);
	}
	ostore_list_free(infos);
	ostore_close(conn);
}

static int torture(double seconds)
{
	struct player players[N_THREADS + 2];
	size_t n = sizeof players / sizeof *players;
	int64_t end = monotonic_ns() + (int64_t)(seconds * 1e9);

	shared = connect_or_die();
	for (size_t i = 0; i < n; i++) {
		players[i].conn = i < N_THREADS ? shared : connect_or_die();
		players[i].seed = i * 7919 + 1;
		CHECK_INT(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
	}
	while (monotonic_ns() < end)
		usleep(20000);
	atomic_store(&stop, true);
	for (size_t i = 0; i < n; i++)
		pthread_join(players[i].thread, NULL);
	for (size_t i = N_THREADS; i < n; i++)
		ostore_close(players[i].conn);
	ostore_close(shared);
	nothing_is_left();
	printf("%lu rounds\n", atomic_load(&rounds));
	return 0;
}

/* ---- threads ---- */

static void *get_in_turn(void *argument)
{
	ostore_id *ids = argument;
	struct ostore_object *objects[8];

	for (int i = 0; i < 8; i++) {
		CHECK_INT(ostore_get(shared, &ids[i], 1, 30 * SEC, OSTORE_GET_MAP, &objects[i]), 0);
#ifndef __SANITIZE_THREAD__ /* which would end a process that asks for its arena addresses */
		CHECK(ostore_is_shared_address(objects[i]));
#endif
		CHECK_INT(*(const int *)ostore_data(objects[i]), i);
	}
	for (int i = 0; i < 8; i++)
		ostore_release(objects[i]);
	return NULL;
}

/* Threads that wait for different things do not hold each other up, and threads
 * that get the same object at once have one mapping of it. */
static void threads_wait_independently(void)
{
	struct ostore *conn = connect_or_die();
	ostore_id ids[8];
	pthread_t threads[N_THREADS];
	struct ostore_put_options options = { .size = sizeof options, .hold = true };

	shared = connect_or_die();
	for (int i = 0; i < 8; i++)
		CHECK_INT(ostore_id_random(&ids[i]), 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, get_in_turn, ids), 0);
	for (int i = 0; i < 8; i++) {
		struct ostore_object *object;

		usleep(5000);
		/* this thread's own request, while they wait on the same connection */
		CHECK_INT(ostore_put(shared, "x", 1, NULL, &object), 0);
		ostore_release(object);
		options.id = &ids[i];
		CHECK_INT(ostore_put(conn, &i, sizeof i, &options, NULL), 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(ostore_delete(conn, ids, 8, NULL), 0);
	ostore_close(shared);
	ostore_close(conn);
}

static void *get_what_never_comes(void *argument)
{
	struct ostore_object *object;
	ostore_id id;

	CHECK_INT(ostore_id_random(&id), 0);
	CHECK_INT(ostore_get(argument, &id, 1, OSTORE_FOREVER, 0, &object), -ECONNREFUSED);
	CHECK(strstr(ostore_strerror(argument), "was closed"));
	return NULL;
}

static void *wait_for_an_event(void *argument)
{
	struct ostore_event event;

	CHECK_INT(ostore_next_event(argument, OSTORE_FOREVER, &event), -ECONNREFUSED);
	return NULL;
}

/* In both ways that there are. */
static void closing_ends_the_waits_of_others(void)
{
	for (int way = 0; way < 2; way++) {
		struct ostore *conn = connect_or_die();
		struct ostore_subscription *subscription;
		struct ostore_request *request, *reported;
		struct ostore_object *object = NULL;
		pthread_t threads[N_THREADS];
		ostore_id id;

		CHECK_INT(ostore_subscribe(conn, OSTORE_EVENTS_NEW, &subscription), 0);
		CHECK_INT(ostore_id_random(&id), 0);
		CHECK_INT(ostore_get_begin(conn, &id, 1, OSTORE_FOREVER, 0, NULL, &request), 0);
		CHECK_INT(pthread_create(&threads[0], NULL, wait_for_an_event, subscription), 0);
		for (int i = 1; i < N_THREADS; i++)
			CHECK_INT(pthread_create(&threads[i], NULL, get_what_never_comes, conn), 0);
		usleep(100000);
		if (way == 0) {
			ostore_shutdown(conn);
			ostore_shutdown(conn);
			CHECK_INT(ostore_dispatch(conn, &reported, 1), 1);
			CHECK(reported == request);
			CHECK_INT(ostore_get(conn, &id, 1, 0, 0, &object), -ECONNREFUSED);
		}
		ostore_close(conn);
		for (int i = 0; i < N_THREADS; i++)
			pthread_join(threads[i], NULL);
		CHECK_INT(ostore_get_end(request, &object), -ECONNREFUSED);
		ostore_unsubscribe(subscription);
	}
}

static void *fork_once(void *argument)
{
	pid_t child = fork_child();
	int status;

	(void)argument;
	if (child == 0)
		_exit(0);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	return NULL;
}

/* A thread that forks waits for the references on their way, which a stopped worker does not
 * send: a close ends that wait too, and returns after it.  The second time another thread
 * reads for it. */
static void closing_ends_the_wait_before_a_fork(void)
{
	struct ostore_stats *stats;

	(void)alarm(30); /* instead of waiting for ever */
	for (int way = 0; way < 2; way++) {
		struct ostore *conn = connect_or_die();
		struct ostore_object *import;
		pthread_t forker, reader;
		ostore_token token;
		pid_t worker;
		ostore_id id;

		CHECK_INT(ostore_stats(conn, &stats), 0);
		worker = stats->worker_pid;
		ostore_stats_free(stats);
		CHECK_INT(ostore_id_random(&id), 0);
		memcpy(&token, &id, sizeof token); /* whatever the worker would say to it */
		CHECK_INT(kill(worker, SIGSTOP), 0);
		CHECK_INT(ostore_import_begin(conn, &id, &token, &import), 0);
		if (way == 1) {
			CHECK_INT(pthread_create(&reader, NULL, get_what_never_comes, conn), 0);
			usleep(100000);
		}
		CHECK_INT(pthread_create(&forker, NULL, fork_once, NULL), 0);
		usleep(100000);
		ostore_close(conn);
		pthread_join(forker, NULL);
		if (way == 1)
			pthread_join(reader, NULL);
		CHECK_INT(kill(worker, SIGCONT), 0);
		ostore_release(import);
	}
}

#define HUGE_BATCH 40000

struct batch {
	pthread_t thread;
	ostore_id few[100];
};

static void *get_a_huge_batch(void *argument)
{
	struct batch *batch = argument;
	struct ostore_object **objects = calloc(HUGE_BATCH, sizeof(struct ostore_object *));
	ostore_id *ids = calloc(HUGE_BATCH, sizeof *ids);
	bool *ready = calloc(HUGE_BATCH, sizeof *ready);

	for (int i = 0; i < HUGE_BATCH; i++)
		ids[i] = batch->few[i % 100];
	for (int round = 0; round < 3; round++) {
		CHECK_INT(ostore_wait(shared, ids, HUGE_BATCH, HUGE_BATCH, 30 * SEC, ready), HUGE_BATCH);
		CHECK_INT(ostore_get(shared, ids, HUGE_BATCH, 30 * SEC, 0, objects), 0);
		for (int i = 0; i < HUGE_BATCH; i++) {
			CHECK_INT(*(const int *)ostore_data(objects[i]), i % 100);
			ostore_release(objects[i]);
		}
	}
	free(objects);
	free(ids);
	free(ready);
	return NULL;
}

/* Requests of many packets, more than the socket holds, from several threads:
 * each goes out in one piece, and its answer comes in while others still go out. */
static void huge_batches_share_the_socket(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *puts[100];
	struct batch batches[N_THREADS];

	shared = connect_or_die();
	for (int i = 0; i < 100; i++) {
		CHECK_INT(ostore_put(conn, &i, sizeof i, NULL, &puts[i]), 0);
		batches[0].few[i] = *ostore_object_id(puts[i]);
	}
	for (int i = 0; i < N_THREADS; i++) {
		memcpy(batches[i].few, batches[0].few, sizeof batches[i].few);
		CHECK_INT(pthread_create(&batches[i].thread, NULL, get_a_huge_batch, &batches[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(batches[i].thread, NULL);
	for (int i = 0; i < 100; i++)
		ostore_release(puts[i]);
	ostore_close(shared);
	ostore_close(conn);
	nothing_is_left();
}

/* ---- signals ---- */

static void on_signal(int number)
{
	(void)number;
}

static void *interrupt(void *argument)
{
	usleep(100000);
	pthread_kill(*(pthread_t *)argument, SIGUSR1);
	return NULL;
}

struct waiting {
	ostore_id id;
	int result;
};

static void *wait_long(void *argument)
{
	struct waiting *waiting = argument;
	struct ostore_object *object;

	waiting->result = ostore_get(shared, &waiting->id, 1, 30 * SEC, 0, &object);
	if (waiting->result == 0)
		ostore_release(object);
	return NULL;
}

/* A handler ends the wait of its thread, be it the reader or a follower, with
 * and without SA_RESTART, and leaves the connection and the other thread alone. */
static void a_signal_ends_a_wait(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), other, interrupter;
	struct waiting waiting;
	struct ostore_object *object;

	shared = connect_or_die();
	for (int i = 0; i < 4; i++) {
		bool we_follow = i & 1;
		ostore_id id;
		bool ready;

		action.sa_flags = i & 2 ? SA_RESTART : 0;
		CHECK_INT(sigaction(SIGUSR1, &action, NULL), 0);
		CHECK_INT(ostore_id_random(&id), 0);
		if (we_follow) {
			CHECK_INT(ostore_id_random(&waiting.id), 0);
			CHECK_INT(pthread_create(&other, NULL, wait_long, &waiting), 0);
			usleep(50000);
		}
		CHECK_INT(pthread_create(&interrupter, NULL, interrupt, &self), 0);
		if (i < 2)
			CHECK_FAILS(ostore_get(shared, &id, 1, OSTORE_FOREVER, 0, &object), EINTR);
		else
			CHECK_FAILS(ostore_wait(shared, &id, 1, 1, OSTORE_FOREVER, &ready), EINTR);
		pthread_join(interrupter, NULL);
		/* what comes late for the cancelled request is given back */
		CHECK_INT(ostore_put(shared, "x", 1,
				  &(struct ostore_put_options){ .size = sizeof(struct ostore_put_options), .id = &id },
				  &object), 0);
		ostore_release(object);
		if (we_follow) {
			CHECK_INT(ostore_put(shared, "y", 1,
					  &(struct ostore_put_options){ .size = sizeof(struct ostore_put_options),
						  .id = &waiting.id, .hold = true }, NULL), 0);
			pthread_join(other, NULL);
			CHECK_INT(waiting.result, 0);
			CHECK_INT(ostore_delete(shared, &waiting.id, 1, NULL), 0);
		}
	}
	ostore_close(shared);
	nothing_is_left();
}

/* ---- limits ---- */

/* More objects than the process may have descriptors, got and mapped at once. */
static void descriptors_are_closed_once_mapped(void)
{
	struct rlimit limit = { 64, 64 };
	static struct ostore_object *puts[500], *gots[500];
	static ostore_id ids[500];
	struct ostore *conn;

	CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	conn = connect_or_die();
	for (size_t i = 0; i < 500; i++) {
		CHECK_INT(ostore_put(conn, &i, sizeof i, NULL, &puts[i]), 0);
		ids[i] = *ostore_object_id(puts[i]);
	}
	CHECK_INT(ostore_get(conn, ids, 500, 0, OSTORE_GET_MAP, gots), 0);
	for (size_t i = 0; i < 500; i++)
		CHECK_INT(memcmp(ostore_data(gots[i]), &i, sizeof i), 0);
	for (size_t i = 0; i < 500; i++) {
		ostore_release(gots[i]);
		ostore_release(puts[i]);
	}
	ostore_close(conn);
	nothing_is_left();
}

/* When there is none at all, that is what the error says, and nothing is lost. */
static void no_descriptor_left_is_an_error_of_its_own(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object, *got;
	char *data = calloc(1, MIB);
	int fds[1100], n = 0;
	struct rlimit limit = { 100, 100 };

	CHECK_INT(ostore_put(conn, data, MIB, NULL, &object), 0);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fds[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	CHECK_FAILS(ostore_get(conn, ostore_object_id(object), 1, 0, 0, &got), EMFILE);
	close(fds[--n]);
	CHECK_INT(ostore_get(conn, ostore_object_id(object), 1, 0, 0, &got), 0);
	CHECK(memcmp(ostore_data(got), data, MIB) == 0);
	ostore_release(got);
	ostore_release(object);
	ostore_close(conn);
	free(data);
	nothing_is_left();
}

/* ---- no broker any more ---- */

/* Run with BROKER_PID: kills it.  What is mapped stays; everything else says so. */
static void a_broker_that_goes_leaves_the_mappings(void)
{
	struct ostore *conn = connect_or_die();
	static unsigned char bytes[MIB];
	struct ostore_object *mapped, *bare, *draft;
	struct waiting waiting;
	struct ostore_stats *stats;
	pthread_t thread;
	ostore_id id;
	bool ready;

	CHECK(getenv("BROKER_PID") != NULL);
	pattern_fill(bytes, sizeof bytes, 1);
	CHECK_INT(ostore_put(conn, bytes, sizeof bytes, NULL, &mapped), 0);
	CHECK_INT(ostore_put(conn, bytes, sizeof bytes, NULL, &bare), 0);
	CHECK_INT(ostore_create(conn, MIB, NULL, &draft), 0);
	CHECK_INT(ostore_map(mapped), 0);
	CHECK_INT(ostore_stats(conn, &stats), 0);
	shared = conn;
	CHECK_INT(ostore_id_random(&waiting.id), 0);
	CHECK_INT(pthread_create(&thread, NULL, wait_long, &waiting), 0);
	usleep(50000);
	CHECK_INT(kill((pid_t)atoi(getenv("BROKER_PID")), SIGKILL), 0);
	CHECK_INT(kill(stats->worker_pid, SIGKILL), 0);
	ostore_stats_free(stats);
	pthread_join(thread, NULL);
	CHECK_INT(waiting.result, -ECONNREFUSED);
	id = waiting.id;
	for (int i = 0; i < 2; i++) {
		CHECK_FAILS(ostore_put(conn, "x", 1, NULL, NULL), ECONNREFUSED);
		CHECK(strstr(ostore_strerror(conn), ostore_address(conn)) != NULL);
		CHECK_FAILS(ostore_get(conn, &id, 1, OSTORE_FOREVER, 0, &(struct ostore_object *){ NULL }), ECONNREFUSED);
		CHECK_FAILS(ostore_wait(conn, &id, 1, 1, OSTORE_FOREVER, &ready), ECONNREFUSED);
		CHECK_FAILS(ostore_map(bare), ECONNREFUSED);
		CHECK_FAILS(ostore_seal(draft, true), ECONNREFUSED);
		CHECK_FAILS(ostore_hold(conn, "x", &id), ECONNREFUSED);
		CHECK_FAILS(ostore_delete(conn, &id, 1, NULL), ECONNREFUSED);
		CHECK_FAILS(ostore_stats(conn, &stats), ECONNREFUSED);
	}
	CHECK(pattern_is(ostore_data(mapped), MIB, 1));
	if (fork_child() == 0) {
		CHECK(pattern_is(ostore_data(mapped), MIB, 1));
		CHECK_FAILS(ostore_put(conn, "x", 1, NULL, NULL), ECONNREFUSED);
		ostore_release(mapped);
		ostore_close(conn);
		_exit(0);
	}
	wait(NULL);
	ostore_release(draft);
	ostore_release(bare);
	ostore_close(conn);
	CHECK(pattern_is(ostore_data(mapped), MIB, 1));
	ostore_release(mapped);
}

/* A broker whose descriptors are all in use for objects that nobody needs makes
 * room for clients, however many come at once. */
static void a_burst_of_clients_finds_room(void)
{
	enum { CLIENTS = 60 };
	static const char bytes[68 << 10];
	struct ostore *conn = connect_or_die();
	struct ostore_stats *stats;
	int go[2], status;
	char byte;

	/* Too large for the pack: each has a descriptor. */
	for (int i = 0; i < 600; i++)
		CHECK_INT(ostore_put(conn, bytes, sizeof bytes, NULL, NULL), 0);
	CHECK_INT(ostore_stats(conn, &stats), 0);
	CHECK(stats->descriptors + 3 * CLIENTS > stats->max_descriptors);
	ostore_stats_free(stats);
	CHECK_INT(pipe(go), 0);
	for (int i = 0; i < CLIENTS; i++)
		if (fork_child() == 0) {
			struct ostore *client;

			(void)close(go[1]);
			CHECK_INT(read(go[0], &byte, 1), 0);
			CHECK_INT(ostore_connect(&client, NULL, NULL), 0);
			(void)poll(NULL, 0, 200); /* all are there at once */
			_exit(0);
		}
	(void)close(go[1]); /* now */
	for (int i = 0; i < CLIENTS; i++) {
		CHECK(wait(&status) > 0);
		CHECK_INT(status, 0);
	}
	ostore_close(conn);
}

static void *stop_and_interrupt(void *argument)
{
	usleep(100000); /* the broker has the request, and waits */
	CHECK_INT(system(getenv("STOP_WORKER")), 0);
	pthread_kill(*(pthread_t *)argument, SIGUSR1);
	return NULL;
}

static uint64_t n_gets(void)
{
	struct ostore_stats *stats;
	uint64_t n = UINT64_MAX;

	CHECK_INT(ostore_stats(shared, &stats), 0);
	for (size_t i = 0; i < stats->n_counters; i++)
		if (strcmp(stats->counters[i].name, "gets") == 0)
			n = stats->counters[i].value;
	ostore_stats_free(stats);
	CHECK(n != UINT64_MAX);
	return n;
}

/* A cancel that no worker read is not needed any more: the heir knows nothing of the
 * request, and nothing is granted for it later. */
static void a_cancel_dies_with_the_worker(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct ostore *witness = connect_or_die();
	pthread_t self = pthread_self(), interrupter;
	struct ostore_object *object;
	ostore_id id;
	uint64_t before;

	shared = connect_or_die();
	CHECK(getenv("STOP_WORKER") && getenv("KILL_WORKER"));
	CHECK_INT(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_INT(ostore_id_random(&id), 0);
	CHECK_INT(pthread_create(&interrupter, NULL, stop_and_interrupt, &self), 0);
	CHECK_FAILS(ostore_get(shared, &id, 1, OSTORE_FOREVER, 0, &object), EINTR);
	pthread_join(interrupter, NULL);
	CHECK_INT(system(getenv("KILL_WORKER")), 0);
	before = n_gets(); /* of an heir that this connection has told everything */
	CHECK_INT(ostore_put(witness, "x", 1,
			  &(struct ostore_put_options){ .size = sizeof(struct ostore_put_options), .id = &id },
			  &object), 0);
	refs_become(witness, &id, 1);
	CHECK_INT(n_gets(), before); /* not granted, nor given back */
	ostore_release(object);
	refs_become(shared, &id, 0);
	ostore_close(witness);
	ostore_close(shared);
}

static const struct test tests[] = {
#define TEST(name) { #name, name }
	TEST(threads_wait_independently),
	TEST(closing_ends_the_waits_of_others),
	TEST(closing_ends_the_wait_before_a_fork),
	TEST(huge_batches_share_the_socket),
	TEST(a_signal_ends_a_wait),
	TEST(descriptors_are_closed_once_mapped),
	TEST(no_descriptor_left_is_an_error_of_its_own),
	TEST(a_broker_that_goes_leaves_the_mappings),
};

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "torture") == 0)
		return torture(atof(argv[2]));
	if (argc == 2 && strcmp(argv[1], "a_cancel_dies_with_the_worker") == 0) {
		a_cancel_dies_with_the_worker();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "a_burst_of_clients_finds_room") == 0) {
		a_burst_of_clients_finds_room();
		return 0;
	}
	return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
