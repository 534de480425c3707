/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small operations from C, one client, one request at a time and 100 at a time.
 *
 *   small_ops [count]
 *
 * Prints a line each: name, operations a second, microseconds each (median of
 * five rounds).  The objects are 4 KiB of random bytes.  "get" reads objects
 * that the process does not hold; "get again" what it has mapped.  "... many"
 * are requests of 100 objects; an operation is one object.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <ostore.h>

#define ROUNDS 5
#define SIZE   4096
#define MANY   100

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, double *seconds, size_t count)
{
	qsort(seconds, ROUNDS, sizeof *seconds, by_value);
	printf("%-12s %12.0f /s %10.3f us\n", name, count / seconds[ROUNDS / 2],
		seconds[ROUNDS / 2] / count * 1e6);
}

static void must(int r, struct ostore *conn)
{
	if (r < 0) {
		fprintf(stderr, "small_ops: %s\n", ostore_strerror(conn));
		exit(1);
	}
}

/* Puts and gets by MANY: seconds each for count objects. */
static void batched(struct ostore *conn, const unsigned char *bytes, size_t count, double *put,
	double *get, uint64_t *sum)
{
	struct iovec piece = { .iov_base = (void *)bytes, .iov_len = SIZE };
	struct ostore_object **held = calloc(count, sizeof *held), *got[MANY];
	struct ostore_value values[MANY];
	ostore_id *ids = calloc(count, sizeof *ids);
	double began = now();

	for (size_t i = 0; i < MANY; i++)
		values[i] = (struct ostore_value){ .pieces = &piece, .n_pieces = 1 };
	for (size_t i = 0; i < count; i += MANY)
		must(ostore_put_many(conn, values, MANY, 0, held + i, NULL), conn);
	*put = now() - began;
	for (size_t i = 0; i < count; i++)
		ids[i] = *ostore_object_id(held[i]);
	began = now();
	for (size_t i = 0; i < count; i += MANY) {
		must(ostore_get(conn, ids + i, MANY, 0, 0, got), conn);
		for (size_t k = 0; k < MANY; k++) {
			*sum += *(const unsigned char *)ostore_data(got[k]);
			ostore_release(got[k]);
		}
	}
	*get = now() - began;
	for (size_t i = 0; i < count; i++)
		ostore_release(held[i]);
	free(held);
	free(ids);
}

int main(int argc, char **argv)
{
	size_t count = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4000) / MANY * MANY;
	double puts[ROUNDS], gets[ROUNDS], again[ROUNDS], puts_many[ROUNDS], gets_many[ROUNDS], began;
	struct ostore_object **held = calloc(count, sizeof *held), *object;
	ostore_id *ids = calloc(count, sizeof *ids);
	unsigned char bytes[SIZE];
	struct ostore *conn;
	uint64_t sum = 0;

	must(ostore_connect(&conn, NULL, NULL), NULL);
	for (int round = -1; round < ROUNDS; round++) { /* the first is a warm-up */
		must(getrandom(bytes, SIZE, 0) == SIZE ? 0 : -EIO, NULL);
		began = now();
		for (size_t i = 0; i < count; i++)
			must(ostore_put(conn, bytes, SIZE, NULL, &held[i]), conn);
		if (round >= 0)
			puts[round] = now() - began;
		for (size_t i = 0; i < count; i++)
			ids[i] = *ostore_object_id(held[i]);
		began = now();
		for (size_t i = 0; i < count; i++) {
			must(ostore_get(conn, &ids[i], 1, 0, 0, &object), conn);
			sum += *(const unsigned char *)ostore_data(object);
			ostore_release(object);
		}
		if (round >= 0)
			gets[round] = now() - began;
		must(ostore_get(conn, &ids[0], 1, 0, OSTORE_GET_MAP, &object), conn);
		began = now();
		for (size_t i = 0; i < 100 * count; i++) {
			struct ostore_object *second;

			must(ostore_get(conn, &ids[0], 1, 0, 0, &second), conn);
			sum += *(const unsigned char *)ostore_data(second);
			ostore_release(second);
		}
		if (round >= 0)
			again[round] = now() - began;
		ostore_release(object);
		for (size_t i = 0; i < count; i++)
			ostore_release(held[i]);
		batched(conn, bytes, count, &puts_many[round < 0 ? 0 : round], &gets_many[round < 0 ? 0 : round], &sum);
	}
	report("put", puts, count);
	report("get", gets, count);
	report("get again", again, 100 * count);
	report("put many", puts_many, count);
	report("get many", gets_many, count);
	ostore_close(conn);
	free(held);
	free(ids);
	return sum == 0;
}
