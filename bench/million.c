/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small objects by the million: what they cost, and what a big store costs the next one.
 *
 *   million [count [size]]
 *
 * Puts 1,000 objects by 100 and gets them in random order one at a time and by 100, then as many
 * as count (1,000,000) of size (1,024) bytes and the same again; all stay held.  Prints a line
 * each: name, microseconds an object (median of the last hundred requests for puts), and at
 * the end bytes of the broker's memory beyond the objects' own, for each, and the
 * descriptors that it has.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ostore.h>

#define MANY   100
#define FEW    1000
#define ROUNDS 200 /* gets of MANY */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void must(int r, struct ostore *conn)
{
	if (r < 0) {
		fprintf(stderr, "million: %s\n", ostore_strerror(conn));
		exit(1);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, by_value);
	return values[n / 2];
}

/* Resident bytes of a process, all mappings shared and private. */
static uint64_t resident(pid_t pid)
{
	unsigned long long kib, sum = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Rss: %llu", &kib) == 1)
			sum = kib << 10;
	if (file)
		fclose(file);
	return sum;
}

static unsigned int descriptors(pid_t pid)
{
	unsigned int n = 0;
	char path[64];
	DIR *directory;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	while (directory && readdir(directory))
		n++;
	if (directory)
		closedir(directory);
	return n > 2 ? n - 2 : 0;
}

/* Median of the last requests, and the longest of all. */
static void put(struct ostore *conn, const char *bytes, size_t size, struct ostore_object **held,
	size_t from, size_t to)
{
	struct iovec piece = { .iov_base = (void *)bytes, .iov_len = size };
	struct ostore_value values[MANY];
	double last[MANY], began, longest = 0;
	size_t n = 0;

	for (size_t i = 0; i < MANY; i++)
		values[i] = (struct ostore_value){ .pieces = &piece, .n_pieces = 1 };
	for (size_t i = from; i < to; i += MANY) {
		double took;

		began = now();
		must(ostore_put_many(conn, values, MANY, 0, held + i, NULL), conn);
		took = now() - began;
		last[n++ % MANY] = took;
		longest = took > longest ? took : longest;
	}
	printf("put by %d at %8zu objects: %8.3f us an object, longest request %.0f us\n", MANY, to,
		median(last, n < MANY ? n : MANY) / MANY * 1e6, longest * 1e6);
}

/* Of objects that this process holds the library answers itself: ask as another client. */
static void get(struct ostore *other, struct ostore_object **held, size_t n, uint64_t *sum)
{
	double one[ROUNDS], many[ROUNDS], began;
	struct ostore_object *got[MANY];
	ostore_id ids[MANY];

	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < MANY; i++)
			ids[i] = *ostore_object_id(held[(size_t)random() % n]);
		began = now();
		must(ostore_get(other, ids, 1, 0, 0, got), other);
		one[round] = now() - began;
		*sum += *(const unsigned char *)ostore_data(got[0]);
		ostore_release(got[0]);
		began = now();
		must(ostore_get(other, ids, MANY, 0, 0, got), other);
		many[round] = now() - began;
		for (size_t i = 0; i < MANY; i++) {
			*sum += *(const unsigned char *)ostore_data(got[i]);
			ostore_release(got[i]);
		}
	}
	printf("get        at %8zu objects: %8.3f us; by %d: %8.3f us an object\n", n,
		median(one, ROUNDS) * 1e6, MANY, median(many, ROUNDS) / MANY * 1e6);
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 1024;
	struct ostore_object **held;
	struct ostore *conn, *other;
	struct ostore_stats *stats;
	uint64_t before, after, sum = 0;
	char *bytes;

	count = count / MANY * MANY;
	held = calloc(count + FEW, sizeof *held);
	bytes = malloc(size);
	if (!held || !bytes || count < FEW)
		return 1;
	memset(bytes, 1, size);
	must(ostore_connect(&conn, NULL, NULL), NULL);
	must(ostore_connect(&other, NULL, NULL), NULL);
	put(conn, bytes, size, held, 0, FEW);
	get(other, held, FEW, &sum);
	must(ostore_stats(conn, &stats), conn);
	before = resident(stats->worker_pid) - stats->pool_bytes;
	ostore_stats_free(stats);
	put(conn, bytes, size, held, FEW, count);
	get(other, held, count, &sum);
	must(ostore_stats(conn, &stats), conn);
	after = resident(stats->worker_pid) - stats->pool_bytes;
	printf("%zu objects of %zu bytes: %.1f bytes of the broker's memory each beyond their own; "
	       "%u descriptors\n", count, size,
		((double)(after - before) - (double)((count - FEW) * size)) / (double)(count - FEW),
		descriptors(stats->worker_pid));
	ostore_stats_free(stats);
	for (size_t i = 0; i < count; i++)
		ostore_release(held[i]);
	ostore_close(other);
	ostore_close(conn);
	free(held);
	free(bytes);
	return sum == 0;
}
