/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that must not notice that the worker dies.  Makes objects of every kind
 * of claim (handles, names, a lease, a draft, a blocked get), says "ready" and
 * waits for a line on standard input; at each line, in between which somebody
 * killed the worker, it checks all of them and says "ready" again.  At the end of
 * its input it gives everything back and says "done".
 */
#undef NDEBUG
#include <ostore.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define N   (sizeof sizes / sizeof sizes[0])

static const uint64_t sizes[] = { 0, 1, 4096, 65536, 65537, 3 * MIB, 5 * MIB + 7 };

static struct ostore *conn;
static struct ostore_object *handles[N];
static ostore_id held_ids[N];
static int round_number;

#define EXPECT(condition)                                                                        \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			fprintf(stderr, "survivor: round %d, line %d: %s: %s\n", round_number,   \
				__LINE__, #condition, ostore_strerror(conn));                    \
			exit(1);                                                                 \
		}                                                                                \
	} while (0)

static unsigned char byte_at(size_t object, uint64_t offset)
{
	return (unsigned char)(object * 31 + offset * 7 + offset / 4096);
}

static void fill(unsigned char *bytes, size_t object, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		bytes[i] = byte_at(object, i);
}

static bool is_filled(const unsigned char *bytes, size_t object, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (bytes[i] != byte_at(object, i))
			return false;
	return true;
}

static void make_objects(void)
{
	unsigned char *bytes = malloc(8 * MIB);

	EXPECT(bytes != NULL);
	for (size_t i = 0; i < N; i++) {
		struct ostore_put_options options = { .size = sizeof options, .metadata = "m",
			.metadata_size = 1 };
		char name[32];

		fill(bytes, i, 0, sizes[i]);
		EXPECT(ostore_put(conn, bytes, sizes[i], &options, &handles[i]) == 0);
		/* and one that only a name holds */
		fill(bytes, N + i, 0, sizes[i]);
		EXPECT(ostore_id_random(&held_ids[i]) == 0);
		snprintf(name, sizeof name, "survivor-%zu", i);
		options.id = &held_ids[i];
		options.name = name;
		EXPECT(ostore_put(conn, bytes, sizes[i], &options, NULL) == 0);
	}
	free(bytes);
}

static void check_objects(void)
{
	for (size_t i = 0; i < N; i++) {
		struct ostore_object *object;
		char name[32];

		/* as every other process would get it */
		EXPECT(ostore_get(conn, ostore_object_id(handles[i]), 1, 0, OSTORE_GET_MAP, &object) == 0);
		EXPECT(ostore_size(object) == sizes[i]);
		EXPECT(is_filled(ostore_data(object), i, sizes[i]));
		ostore_release(object);
		snprintf(name, sizeof name, "survivor-%zu", i);
		EXPECT(ostore_lookup(conn, name, &object) == 0);
		EXPECT(memcmp(ostore_object_id(object), &held_ids[i], sizeof held_ids[i]) == 0);
		EXPECT(ostore_map(object) == 0);
		EXPECT(is_filled(ostore_data(object), N + i, sizes[i]));
		ostore_release(object);
	}
}

/* ---- a get that waits over the worker's death ---- */

static ostore_id awaited;

static void *wait_for_object(void *arg)
{
	struct ostore_object *object;
	int r = ostore_get(conn, &awaited, 1, OSTORE_FOREVER, 0, &object);

	EXPECT(r == 0 && ostore_size(object) == 5 && memcmp(ostore_data(object), "here!", 5) == 0);
	ostore_release(object);
	return arg;
}

static bool next(void)
{
	char line[64];

	puts("ready");
	fflush(stdout);
	round_number++;
	return fgets(line, sizeof line, stdin) != NULL;
}

/* One round: claims of all kinds before, the death, the same claims after. */
static bool one_round(void)
{
	struct ostore_put_options options = { .size = sizeof options };
	struct ostore_object *draft, *leased, *again, *object;
	ostore_token token;
	ostore_id id;
	pthread_t waiter;
	bool more;

	EXPECT(ostore_create(conn, 3 * MIB, NULL, &draft) == 0);
	id = *ostore_object_id(draft);
	fill(ostore_buffer(draft), 99, 0, 2 * MIB);
	EXPECT(ostore_put(conn, "leased", 6, NULL, &leased) == 0);
	EXPECT(ostore_export(leased, &token) == 0);
	EXPECT(ostore_id_random(&awaited) == 0);
	EXPECT(pthread_create(&waiter, NULL, wait_for_object, NULL) == 0);

	more = next();

	fill(ostore_buffer(draft), 99, 2 * MIB, 3 * MIB);
	EXPECT(ostore_seal(draft, false) == 0);
	EXPECT(ostore_get(conn, &id, 1, 0, 0, &object) == 0);
	EXPECT(is_filled(ostore_data(object), 99, 3 * MIB));
	ostore_release(object);
	ostore_release(draft);

	id = *ostore_object_id(leased);
	ostore_release(leased);
	EXPECT(ostore_import(conn, &id, &token, &again) == 0);
	EXPECT(ostore_map(again) == 0 && memcmp(ostore_data(again), "leased", 6) == 0);
	ostore_release(again);

	options.id = &awaited;
	options.hold = true;
	EXPECT(ostore_put(conn, "here!", 5, &options, NULL) == 0);
	EXPECT(pthread_join(waiter, NULL) == 0);
	EXPECT(ostore_delete(conn, &awaited, 1, NULL) == 0);

	check_objects();
	return more;
}

int main(void)
{
	if (ostore_connect(&conn, NULL, NULL) < 0) {
		fprintf(stderr, "survivor: %s\n", ostore_strerror(NULL));
		return 1;
	}
	make_objects();
	check_objects();
	while (one_round())
		;
	for (size_t i = 0; i < N; i++) {
		char name[32];

		ostore_release(handles[i]);
		snprintf(name, sizeof name, "survivor-%zu", i);
		EXPECT(ostore_unhold(conn, name) == 0);
	}
	ostore_close(conn);
	puts("done");
	return 0;
}
