/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client layer without a broker: copying what is large. */
#undef NDEBUG
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/pieces.h"
#include "util/cleanup.h"

#define MIB ((size_t)1 << 20)

/* Of size bytes, with a guard behind. */
static unsigned char *block(size_t size)
{
	const size_t page = (size_t)getpagesize(), space = (size + page - 1) & ~(page - 1);
	unsigned char *bytes = mmap(NULL, space + page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(bytes, MAP_FAILED);
	ck_assert_int_eq(mprotect(bytes + space, page, PROT_NONE), 0);
	return bytes + (space - size); /* its last byte is the page's */
}

static void unblock(unsigned char *bytes, size_t size)
{
	const size_t page = (size_t)getpagesize(), space = (size + page - 1) & ~(page - 1);

	ck_assert_int_eq(munmap(bytes - (space - size), space + page), 0);
}

/* Every 64 KiB differ from the others, and the bytes in them from their neighbours. */
static unsigned char *filled(size_t size)
{
	unsigned char *bytes = block(size), pattern[65521];

	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (unsigned char)(i * 31 + (i >> 8));
	for (size_t at = 0; at < size; at += sizeof pattern) {
		memcpy(bytes + at, pattern, MIN(size - at, sizeof pattern));
		bytes[at] = (unsigned char)(at / sizeof pattern);
	}
	return bytes;
}

/* Cut bytes into pieces of these sizes, over and over; sizes end with 0. */
static struct iovec *cut(unsigned char *bytes, size_t size, const size_t *sizes, size_t *n)
{
	struct iovec *pieces = NULL;
	size_t i = 0, room = 0;

	for (*n = 0; size > 0; (*n)++) {
		const size_t length = MIN(size, sizes[i]);

		if (*n + 2 > room) {
			room = 2 * room + 2;
			pieces = reallocarray(pieces, room, sizeof *pieces);
		}
		pieces[*n] = (struct iovec){ .iov_base = bytes, .iov_len = length };
		bytes += length;
		size -= length;
		i = sizes[i + 1] ? i + 1 : 0;
		if (i == 0) { /* and one of nothing */
			(*n)++;
			pieces[*n] = (struct iovec){ .iov_base = NULL };
		}
	}
	return pieces;
}

static void copy_and_compare(size_t size, const size_t *sizes, unsigned int helpers)
{
	unsigned char *from = filled(size), *to = block(size);
	size_t n;
	struct iovec *pieces = cut(from, size, sizes, &n);

	ck_assert_uint_le(pieces_copy_much(to, pieces, n, size, helpers), helpers);
	ck_assert_int_eq(memcmp(from, to, size), 0);
	memset(to, 0, size);
	pieces_copy(to, pieces, n);
	ck_assert_int_eq(memcmp(from, to, size), 0);
	free(pieces);
	unblock(from, size);
	unblock(to, size);
}

START_TEST(every_byte_is_copied_whatever_the_pieces)
{
	static const size_t whole[] = { SIZE_MAX, 0 }, odd[] = { 1, 63, 65, 4097, 1000003, 0 },
		small[] = { 7, 131, 0 };
	static const size_t sizes[] = { 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 17 * MIB + 12345 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (unsigned int helpers = 0; helpers < 4; helpers += 3) {
			copy_and_compare(sizes[i], whole, helpers);
			copy_and_compare(sizes[i], odd, helpers);
		}
	copy_and_compare(9 * MIB + 5, small, 2);
}
END_TEST

START_TEST(helpers_are_as_many_as_there_are_cpus_and_work)
{
	cpu_set_t all, one;

	ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
	ck_assert_uint_eq(pieces_helpers(4 * MIB), 0); /* not worth it */
	ck_assert_uint_lt(pieces_helpers(4096 * MIB), (unsigned int)CPU_COUNT(&all));
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
	ck_assert_uint_eq(pieces_helpers(4096 * MIB), 0);
	ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
}
END_TEST

/* ---- what else goes on in the process ---- */

static pthread_t copier;
static atomic_uint n_elsewhere, n_handled;

static void handle(int signal)
{
	(void)signal;
	atomic_fetch_add(&n_handled, 1);
	if (!pthread_equal(pthread_self(), copier))
		atomic_fetch_add(&n_elsewhere, 1);
}

struct disturbance {
	atomic_bool stop;
	unsigned int n_times;
};

static void *send_signals(void *argument)
{
	struct disturbance *disturbance = argument;
	sigset_t none;

	sigemptyset(&none);
	sigaddset(&none, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &none, NULL);
	while (!atomic_load(&disturbance->stop)) {
		(void)kill(getpid(), SIGUSR1);
		disturbance->n_times++;
		usleep(200);
	}
	return NULL;
}

static void *fork_children(void *argument)
{
	struct disturbance *disturbance = argument;
	int status;

	while (!atomic_load(&disturbance->stop)) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		disturbance->n_times++;
	}
	return NULL;
}

static void copy_disturbed(void *(*disturb)(void *))
{
	static const size_t odd[] = { 3 * MIB + 1, 0 };
	struct disturbance disturbance = { .n_times = 0 };
	pthread_t other;

	copier = pthread_self();
	ck_assert_int_eq(pthread_create(&other, NULL, disturb, &disturbance), 0);
	for (int i = 0; i < 10; i++)
		copy_and_compare(20 * MIB + 1, odd, 3);
	atomic_store(&disturbance.stop, true);
	pthread_join(other, NULL);
	ck_assert_uint_gt(disturbance.n_times, 0);
}

START_TEST(helpers_take_no_signals)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	copy_disturbed(send_signals);
	ck_assert_uint_gt(atomic_load(&n_handled), 0);
	ck_assert_uint_eq(atomic_load(&n_elsewhere), 0);
}
END_TEST

START_TEST(children_are_forked_meanwhile)
{
	copy_disturbed(fork_children);
}
END_TEST

/* The sanitizer mistakes the stack that a canceled thread has left for one in use. */
#if defined(__SANITIZE_ADDRESS__)
#define CAN_CANCEL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAN_CANCEL 0
#endif
#endif
#ifndef CAN_CANCEL
#define CAN_CANCEL 1
#endif

struct canceled {
	unsigned char *from, *to;
	bool finished;
};

static void *copy_canceled(void *argument)
{
	struct canceled *canceled = argument;
	struct iovec piece = { .iov_base = canceled->from, .iov_len = 32 * MIB };

	pthread_cancel(pthread_self()); /* pending: the next cancellation point would take it */
	(void)pieces_copy_much(canceled->to, &piece, 1, 32 * MIB, 3);
	canceled->finished = true;
	pthread_testcancel();
	return NULL;
}

START_TEST(a_canceled_thread_finishes_its_copy)
{
	struct canceled canceled = { .from = filled(32 * MIB), .to = block(32 * MIB) };
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, copy_canceled, &canceled), 0);
	pthread_join(thread, &result);
	ck_assert(canceled.finished);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_int_eq(memcmp(canceled.from, canceled.to, 32 * MIB), 0);
	unblock(canceled.from, 32 * MIB);
	unblock(canceled.to, 32 * MIB);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *copying = tcase_create("copying");
	SRunner *runner;
	int failed;

	tcase_set_timeout(copying, 120);
	tcase_add_test(copying, every_byte_is_copied_whatever_the_pieces);
	tcase_add_test(copying, helpers_are_as_many_as_there_are_cpus_and_work);
	tcase_add_test(copying, helpers_take_no_signals);
	tcase_add_test(copying, children_are_forked_meanwhile);
	if (CAN_CANCEL)
		tcase_add_test(copying, a_canceled_thread_finishes_its_copy);
	suite_add_tcase(suite, copying);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
