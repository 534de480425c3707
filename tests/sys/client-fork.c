/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a forked child may do with its parent's connection and handles. */
#undef NDEBUG
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "client-test.h"

static void wait_for(pid_t child)
{
	int status;

	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
}

static struct ostore_object *put_pattern(struct ostore *conn, uint64_t size, uint64_t seed)
{
	struct ostore_object *object;
	void *data = malloc(size + 1);

	pattern_fill(data, size, seed);
	CHECK_INT(ostore_put(conn, data, size, NULL, &object), 0);
	free(data);
	return object;
}

/* The parent drops its references right after the fork; the child's still count. */
static void a_child_has_references_of_its_own(void)
{
	struct ostore *conn = connect_or_die(), *witness = connect_or_die();
	struct ostore_object *bare = put_pattern(conn, 100000, 1), *mapped = put_pattern(conn, MIB, 2);
	struct ostore_object *small = put_pattern(conn, 100, 3);
	ostore_id ids[3] = { *ostore_object_id(bare), *ostore_object_id(mapped), *ostore_object_id(small) };
	int go[2];
	char byte;
	pid_t child;

	CHECK_INT(ostore_map(mapped), 0);
	CHECK_INT(pipe(go), 0);
	child = fork_child();
	if (child == 0) {
		CHECK_INT(read(go[0], &byte, 1), 1);
		CHECK(pattern_is(ostore_data(mapped), MIB, 2));
		CHECK_INT(ostore_map(bare), 0);
		CHECK(pattern_is(ostore_data(bare), 100000, 1));
		CHECK_INT(ostore_map(small), 0);
		CHECK(pattern_is(ostore_data(small), 100, 3));
		ostore_release(bare);
		refs_become(conn, &ids[0], 0);
		_exit(0); /* the rest is given back by dying */
	}
	ostore_release(bare);
	ostore_release(mapped);
	ostore_release(small);
	for (int i = 0; i < 3; i++)
		refs_become(witness, &ids[i], HELD);
	CHECK_INT(write(go[1], "g", 1), 1);
	wait_for(child);
	for (int i = 0; i < 3; i++)
		refs_become(witness, &ids[i], 0);
	ostore_close(conn);
	ostore_close(witness);
}

/* A child that never touches the library gives everything back as well. */
static void a_silent_child_gives_back_when_it_ends(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 10, 1);
	pid_t child = fork_child();

	if (child == 0) {
		pause();
		_exit(0);
	}
	refs_become(conn, ostore_object_id(object), 2);
	CHECK_INT(kill(child, SIGKILL), 0);
	refs_become(conn, ostore_object_id(object), 1);
	waitpid(child, NULL, 0);
	ostore_release(object);
	ostore_close(conn);
}

static void a_child_can_do_everything(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object, *got;
	ostore_id id;
	pid_t child;

	CHECK_INT(ostore_id_random(&id), 0);
	child = fork_child();
	if (child == 0) {
		struct ostore_put_options options = { .size = sizeof options, .id = &id, .hold = true };
		struct ostore_object *draft;

		CHECK_INT(ostore_create(conn, MIB, &options, &draft), 0);
		pattern_fill(ostore_buffer(draft), MIB, 6);
		CHECK_INT(ostore_seal(draft, false), 0);
		_exit(0);
	}
	wait_for(child);
	CHECK_INT(ostore_get(conn, &id, 1, 0, 0, &got), 0);
	CHECK(pattern_is(ostore_data(got), MIB, 6));
	object = put_pattern(conn, 10, 1); /* the parent's connection is what it was */
	ostore_release(object);
	ostore_release(got);
	CHECK_INT(ostore_delete(conn, &id, 1, NULL), 0);
	ostore_close(conn);
}

static void a_grandchild_too(void)
{
	struct ostore *conn = connect_or_die(), *witness = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 300000, 1);
	ostore_id id = *ostore_object_id(object);
	int go[2], done[2];
	char byte;
	pid_t child;

	CHECK_INT(pipe(go), 0);
	CHECK_INT(pipe(done), 0);
	child = fork_child();
	if (child == 0) {
		if (fork() == 0) { /* as daemons do */
			alarm(60);
			CHECK_INT(read(go[0], &byte, 1), 1);
			CHECK_INT(ostore_map(object), 0);
			CHECK(pattern_is(ostore_data(object), 300000, 1));
			CHECK_INT(write(done[1], "d", 1), 1);
			_exit(0);
		}
		_exit(0);
	}
	wait_for(child);
	ostore_release(object);
	refs_become(witness, &id, 1);
	CHECK_INT(write(go[1], "g", 1), 1);
	close(done[1]);
	CHECK_INT(read(done[0], &byte, 1), 1);
	refs_become(witness, &id, 0);
	ostore_close(conn);
	ostore_close(witness);
}

static void drafts_stay_the_parents(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *draft;
	unsigned char *bytes;
	int status;
	pid_t child;

	CHECK_INT(ostore_create(conn, MIB, NULL, &draft), 0);
	bytes = ostore_buffer(draft);
	pattern_fill(bytes, MIB, 8);
	child = fork_child();
	if (child == 0) {
		CHECK(ostore_buffer(draft) == NULL);
		CHECK_FAILS(ostore_seal(draft, false), EINVAL);
		ostore_release(draft);
		struct ostore_object *own = put_pattern(conn, 10, 1);
		ostore_release(own);
		_exit(0);
	}
	wait_for(child);
	child = fork_child();
	if (child == 0) {
		bytes[0] = 0xff; /* not there */
		_exit(0);
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	CHECK_INT(ostore_seal(draft, true), 0);
	CHECK_INT(ostore_map(draft), 0);
	CHECK(pattern_is(ostore_data(draft), MIB, 8));
	child = fork_child();
	if (child == 0) { /* the view that is left after the seal is inherited */
		CHECK(pattern_is(bytes, MIB, 8));
		ostore_release(draft);
		_exit(0);
	}
	wait_for(child);
	ostore_release(draft);
	ostore_close(conn);
}

/* The library lets go of its sockets when the child becomes another program. */
static void an_exec_closes_everything(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 10, 1);
	pid_t child = fork_child();

	if (child == 0) {
		execlp("sleep", "sleep", "60", NULL);
		_exit(1);
	}
	refs_become(conn, ostore_object_id(object), 1);
	CHECK_INT(kill(child, SIGKILL), 0);
	waitpid(child, NULL, 0);
	ostore_release(object);
	ostore_close(conn);
}

static atomic_bool stop;

static void *worker(void *argument)
{
	struct ostore *conn = argument;

	while (!atomic_load(&stop)) {
		struct ostore_object *object = put_pattern(conn, 3000, 1), *got;

		CHECK_INT(ostore_get(conn, ostore_object_id(object), 1, 0, 0, &got), 0);
		CHECK(pattern_is(ostore_data(got), 3000, 1));
		ostore_release(object);
		ostore_release(got);
	}
	return NULL;
}

/* Threads are in the middle of calls when another one forks. */
static void threads_may_be_busy(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object = put_pattern(conn, MIB, 1);
	pthread_t threads[3];

	CHECK_INT(ostore_map(object), 0);
	for (int i = 0; i < 3; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, worker, conn), 0);
	for (int i = 0; i < 40; i++) {
		pid_t child = fork_child();

		if (child == 0) {
			struct ostore_object *own = put_pattern(conn, 100000, i);

			CHECK_INT(ostore_map(own), 0);
			CHECK(pattern_is(ostore_data(own), 100000, i));
			CHECK(pattern_is(ostore_data(object), MIB, 1));
			ostore_release(own);
			ostore_release(object);
			ostore_close(conn);
			_exit(0);
		}
		wait_for(child);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	refs_become(conn, ostore_object_id(object), 2); /* the put's and the map's */
	ostore_release(object);
	ostore_close(conn);
}

/* With the broker's worker killed just before the fork (argument: a command that
 * does it), the child's socket may never have been heard of. */
static void a_child_of_a_crash(void)
{
	const char *command = getenv("KILL_WORKER");
	struct ostore *conn = connect_or_die();

	CHECK(command != NULL);
	for (int i = 0; i < 5; i++) {
		struct ostore_object *object = put_pattern(conn, 200000, i), *mapped = put_pattern(conn, MIB, i);
		pid_t child;

		CHECK_INT(ostore_map(mapped), 0);
		CHECK_INT(system(command), 0);
		child = fork_child();
		if (child == 0) {
			CHECK(pattern_is(ostore_data(mapped), MIB, i));
			CHECK_INT(ostore_map(object), 0);
			CHECK(pattern_is(ostore_data(object), 200000, i));
			ostore_release(object);
			ostore_release(mapped);
			_exit(0);
		}
		wait_for(child);
		CHECK(pattern_is(ostore_data(mapped), MIB, i));
		refs_become(conn, ostore_object_id(object), 1);
		ostore_release(object);
		ostore_release(mapped);
	}
	ostore_close(conn);
}

/* The same with a worker that died while the parent asked nothing of it. */
static void a_child_of_an_idle_parent(void)
{
	const char *command = getenv("KILL_WORKER");
	struct ostore *conn = connect_or_die(), *witness = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 200000, 1);
	ostore_id id = *ostore_object_id(object);
	int go[2];
	char byte;
	pid_t child;

	CHECK(command != NULL);
	CHECK_INT(system(command), 0);
	refs_become(witness, &id, 1); /* there is an heir, and it has told everybody */
	CHECK_INT(pipe(go), 0);
	child = fork_child();
	if (child == 0) {
		CHECK_INT(read(go[0], &byte, 1), 1);
		CHECK_INT(ostore_map(object), 0);
		CHECK(pattern_is(ostore_data(object), 200000, 1));
		_exit(0);
	}
	ostore_release(object);
	usleep(200000); /* the release has been heard of: it must not have been the last */
	refs_become(witness, &id, HELD);
	CHECK_INT(write(go[1], "g", 1), 1);
	wait_for(child);
	refs_become(witness, &id, 0);
	ostore_close(conn);
	ostore_close(witness);
}

/* The same with a fork and a release before there is an heir: both wait in the socket. */
static void a_child_before_the_heir(void)
{
	const char *kill_worker = getenv("KILL_WORKER"), *let_heir = getenv("LET_HEIR_COME");
	struct ostore *conn = connect_or_die(), *witness = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 200000, 1);
	ostore_id id = *ostore_object_id(object);
	int go[2];
	char byte;
	pid_t child;

	CHECK(kill_worker != NULL && let_heir != NULL);
	CHECK_INT(system(kill_worker), 0);
	CHECK_INT(pipe(go), 0);
	child = fork_child();
	if (child == 0) {
		CHECK_INT(read(go[0], &byte, 1), 1);
		CHECK_INT(ostore_map(object), 0);
		CHECK(pattern_is(ostore_data(object), 200000, 1));
		_exit(0);
	}
	ostore_release(object);
	CHECK_INT(system(let_heir), 0);
	refs_become(conn, &id, HELD); /* the parent has reconciled, and holds nothing */
	CHECK_INT(write(go[1], "g", 1), 1);
	wait_for(child);
	refs_become(witness, &id, 0);
	ostore_close(conn);
	ostore_close(witness);
}

static const struct test tests[] = {
#define TEST(name) { #name, name }
	TEST(a_child_has_references_of_its_own),
	TEST(a_silent_child_gives_back_when_it_ends),
	TEST(a_child_can_do_everything),
	TEST(a_grandchild_too),
	TEST(drafts_stay_the_parents),
	TEST(an_exec_closes_everything),
	TEST(threads_may_be_busy),
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "a_child_of_a_crash") == 0) {
		a_child_of_a_crash();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "a_child_of_an_idle_parent") == 0) {
		a_child_of_an_idle_parent();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "a_child_before_the_heir") == 0) {
		a_child_before_the_heir();
		return 0;
	}
	return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
