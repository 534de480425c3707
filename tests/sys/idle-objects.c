/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many more small objects than the broker has descriptors are mapped and released, then
 * hundreds of clients connect, while somebody kills the worker.  All connect, nothing
 * is evicted, and every object has its bytes.
 */
#include <sys/resource.h>

#include "client-test.h"

enum { N = 3000, CLIENTS = 250, SIZE = 700 };

static struct ostore_object *held[N];

static void make_one(struct ostore *conn, size_t i)
{
	char bytes[SIZE];
	struct ostore_object *mapped;

	pattern_fill(bytes, SIZE, i);
	CHECK_INT(ostore_put(conn, bytes, SIZE, NULL, &held[i]), 0);
	CHECK_INT(ostore_get(conn, ostore_object_id(held[i]), 1, 10 * SEC, OSTORE_GET_MAP, &mapped),
		0);
	CHECK(pattern_is(ostore_data(mapped), SIZE, i));
	ostore_release(mapped);
}

static void check_all(struct ostore *conn, unsigned int flags)
{
	struct ostore_object *object;

	for (size_t i = 0; i < N; i++) {
		CHECK_INT(ostore_get(conn, ostore_object_id(held[i]), 1, 10 * SEC, flags, &object), 0);
		CHECK_INT(ostore_size(object), SIZE);
		CHECK(pattern_is(ostore_data(object), SIZE, i));
		ostore_release(object);
	}
}

static uint64_t counter(const struct ostore_stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->n_counters; i++)
		if (strcmp(stats->counters[i].name, name) == 0)
			return stats->counters[i].value;
	fprintf(stderr, "no counter %s\n", name);
	_exit(1);
}

static void look(struct ostore *conn)
{
	struct ostore_stats *stats;

	CHECK_INT(ostore_stats(conn, &stats), 0);
	printf("%llu of %llu descriptors, %llu repacks, %llu dropped\n",
		(unsigned long long)stats->descriptors,
		(unsigned long long)stats->max_descriptors,
		(unsigned long long)counter(stats, "repacks"),
		(unsigned long long)counter(stats, "dropped"));
	CHECK_INT(counter(stats, "dropped"), 0);
	CHECK(counter(stats, "repacks") > N / 2);
	ostore_stats_free(stats);
}

int main(void)
{
	const struct rlimit many = { 4096, 4096 };
	struct ostore *conn, *clients[CLIENTS];

	(void)setrlimit(RLIMIT_NOFILE, &many);
	conn = connect_or_die();
	for (size_t i = 0; i < N; i++)
		make_one(conn, i);
	look(conn);
	printf("put\n"); /* the worker may be killed from now on */
	fflush(stdout);
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i] = connect_or_die();
	look(conn);
	check_all(clients[0], 0);
	check_all(clients[CLIENTS - 1], OSTORE_GET_MAP);
	check_all(conn, 0);
	look(conn);
	for (size_t i = 0; i < CLIENTS; i++)
		ostore_close(clients[i]);
	for (size_t i = 0; i < N; i++)
		ostore_release(held[i]);
	ostore_close(conn);
	return 0;
}
