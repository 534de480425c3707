/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many small objects of many sizes, most of them deleted again so that the rest is
 * moved together, while somebody kills the worker.  Their bytes are looked at all
 * the time, inline, and at the end mapped too.
 */
#include "client-test.h"

enum { N = 50000, MANY = 100, MAPPED = 300, MAX_SIZE = 3000 };

static struct ostore_object *held[N];
static ostore_id ids[N];

static uint64_t size_of(size_t i)
{
	return i * 7919 % MAX_SIZE;
}

static void put_all(struct ostore *conn)
{
	static char bytes[MANY][MAX_SIZE];
	struct iovec pieces[MANY];
	struct ostore_value values[MANY];

	for (size_t i = 0; i < N; i += MANY) {
		for (size_t k = 0; k < MANY; k++) {
			pattern_fill(bytes[k], size_of(i + k), i + k);
			pieces[k] = (struct iovec){ bytes[k], size_of(i + k) };
			values[k] = (struct ostore_value){ .pieces = &pieces[k], .n_pieces = 1 };
		}
		CHECK_INT(ostore_put_many(conn, values, MANY, 10 * SEC, held + i, NULL), 0);
	}
	for (size_t i = 0; i < N; i++)
		ids[i] = *ostore_object_id(held[i]);
}

static bool is_kept(size_t i)
{
	return i * 2654435761U >> 7 & 1 && i % 5 == 0;
}

static void check_one(struct ostore *conn, size_t i, unsigned int flags)
{
	struct ostore_object *object;

	CHECK_INT(ostore_get(conn, &ids[i], 1, 10 * SEC, flags, &object), 0);
	CHECK_INT(ostore_size(object), size_of(i));
	CHECK(pattern_is(ostore_data(object), size_of(i), i));
	ostore_release(object);
}

static uint64_t compactions(const struct ostore_stats *stats)
{
	for (size_t i = 0; i < stats->n_counters; i++)
		if (strcmp(stats->counters[i].name, "compactions") == 0)
			return stats->counters[i].value;
	return 0;
}

int main(void)
{
	struct ostore_object *mapped[MAPPED];
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_stats *stats;
	uint64_t full;
	size_t n = 0;

	put_all(conn);
	CHECK_INT(ostore_stats(conn, &stats), 0);
	full = stats->pack_bytes;
	ostore_stats_free(stats);
	printf("put\n"); /* the worker may be killed from now on */
	fflush(stdout);
	for (size_t i = 0; i < N; i++)
		if (!is_kept(i))
			CHECK_INT(ostore_delete(conn, &ids[i], 1, NULL), 0);
		else
			check_one(other, i, 0);
	for (size_t i = 0; i < N; i++)
		if (is_kept(i))
			check_one(other, i, 0);
	CHECK_INT(ostore_stats(conn, &stats), 0);
	printf("%llu bytes of packs for %llu in %llu objects, %llu compactions\n",
		(unsigned long long)stats->pack_bytes, (unsigned long long)stats->packed_bytes,
		(unsigned long long)stats->packed_objects,
		(unsigned long long)compactions(stats));
	/* Of each of 33 size classes, twice the slabs that its objects need and one more; 16 empty. */
	CHECK(stats->pack_bytes <= 2 * stats->packed_bytes + (3 * 33 + 16) * 65536);
	CHECK(stats->pack_bytes < full / 2);
	CHECK(compactions(stats) > 0);
	CHECK(stats->descriptors < 100);
	ostore_stats_free(stats);
	for (size_t i = 0; i < N && n < MAPPED; i++) {
		if (!is_kept(i) || size_of(i) == 0)
			continue;
		CHECK_INT(ostore_get(other, &ids[i], 1, 10 * SEC, OSTORE_GET_MAP, &mapped[n]), 0);
		CHECK(pattern_is(ostore_data(mapped[n++]), size_of(i), i));
	}
	CHECK_INT(n, MAPPED);
	CHECK_INT(ostore_stats(conn, &stats), 0);
	CHECK(stats->descriptors >= MAPPED);
	ostore_stats_free(stats);
	while (n)
		ostore_release(mapped[--n]);
	for (size_t i = 0; i < N; i++)
		ostore_release(held[i]);
	ostore_close(other);
	ostore_close(conn);
	return 0;
}
