/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the C programs that test libostore share.  A check that fails prints
 * where, and what the library said, and ends the process. */
#ifndef TESTS_CLIENT_TEST_H
#define TESTS_CLIENT_TEST_H

#include <errno.h>
#include <inttypes.h>
#include <ostore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MS  INT64_C(1000000)
#define SEC INT64_C(1000000000)

#define CHECK(condition)                                                                     \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "%s:%d: %s: not so; the library's last words: %s\n", \
				__FILE__, __LINE__, #condition, ostore_strerror(NULL));      \
			_exit(1);                                                            \
		}                                                                            \
	} while (0)

#define CHECK_INT(expression, expected)                                                     \
	do {                                                                                \
		long long check_got = (expression), check_want = (expected);                \
		if (check_got != check_want) {                                              \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld; the library's last "  \
					"words: %s\n",                                      \
				__FILE__, __LINE__, #expression, check_got, check_want,     \
				ostore_strerror(NULL));                                     \
			_exit(1);                                                           \
		}                                                                           \
	} while (0)

/* The call fails with -error, and says why. */
#define CHECK_FAILS(expression, error)                                    \
	do {                                                              \
		CHECK_INT(expression, -(error));                          \
		CHECK(strlen(ostore_strerror(NULL)) > strlen("no error")); \
	} while (0)

struct test {
	const char *name;
	void (*run)(void);
};

static inline struct ostore *connect_or_die(void)
{
	struct ostore *conn;

	CHECK_INT(ostore_connect(&conn, NULL, NULL), 0);
	return conn;
}

static inline int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

/* Bytes that depend on the seed and on the place, and are quick to make and check. */
static inline uint64_t pattern_word(uint64_t seed, uint64_t i)
{
	return (seed + i) * UINT64_C(0x9e3779b97f4a7c15) + (i >> 3);
}

static inline void pattern_fill(void *to, uint64_t size, uint64_t seed)
{
	unsigned char *bytes = to;
	uint64_t i = 0, word;

	for (; i + 8 <= size; i += 8) {
		word = pattern_word(seed, i);
		memcpy(bytes + i, &word, 8);
	}
	word = pattern_word(seed, i);
	if (i < size)
		memcpy(bytes + i, &word, size - i);
}

static inline bool pattern_is(const void *from, uint64_t size, uint64_t seed)
{
	const unsigned char *bytes = from;
	uint64_t i = 0, word;

	for (; i + 8 <= size; i += 8) {
		word = pattern_word(seed, i);
		if (memcmp(bytes + i, &word, 8) != 0)
			return false;
	}
	word = pattern_word(seed, i);
	return i == size || memcmp(bytes + i, &word, size - i) == 0;
}

/* A child that does not survive its parent. */
static inline pid_t fork_child(void)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

#define HELD UINT32_MAX /* by somebody, as often as may be: each reply counts */

/* What one connection gives back, another sees a moment later. */
#define refs_become(conn, id, wanted) CHECK_INT(refs_after_a_while(conn, id, wanted), wanted)
static inline uint32_t refs_after_a_while(struct ostore *conn, const ostore_id *id, uint32_t wanted)
{
	uint32_t refs = 0;

	for (int i = 0; i < 500; i++) {
		struct ostore_stat *stat;

		CHECK_INT(ostore_stat(conn, id, &stat), 0);
		refs = stat->info.refs;
		ostore_stat_free(stat);
		if (refs == wanted || (wanted == HELD && refs > 0))
			return wanted;
		usleep(10000);
	}
	return refs;
}

/* Run the tests named on the command line, or all. */
static inline int run_tests(const struct test *tests, size_t n, int argc, char **argv)
{
	for (int a = 1; a < argc; a++) {
		size_t i = 0;

		while (i < n && strcmp(tests[i].name, argv[a]) != 0)
			i++;
		if (i == n) {
			fprintf(stderr, "no test \"%s\"\n", argv[a]);
			return 2;
		}
		tests[i].run();
		printf("ok %s\n", tests[i].name);
	}
	for (size_t i = 0; i < n && argc < 2; i++) {
		tests[i].run();
		printf("ok %s\n", tests[i].name);
	}
	return 0;
}

#endif
