/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small operations from C, one request at a time and 100 at a time.
 *
 *   small_ops [clients [count]]
 *
 * Prints a JSON object: operations a second of all clients together, the median of
 * five rounds after one that does not count.  The objects are 4 KiB of random bytes,
 * count of them a client; each client is a process.  "get" reads what the process
 * does not have yet; "get_again_us" is one client's time for what it has mapped.
 * "..._many" are requests of 100 objects; an operation is one object.
 * bench/echo.c sends the same packets, to nobody in particular.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <ostore.h>

#include "bench/clients.h"

#define SIZE 4096
#define MANY 100

struct figures {
	double put[ROUNDS], get[ROUNDS], again[ROUNDS], put_many[ROUNDS], get_many[ROUNDS];
};

struct work {
	struct ostore *conn;
	struct ostore_object **held;
	ostore_id *ids;
	size_t count;
	unsigned char bytes[SIZE];
	uint64_t sum;
};

static void must(int r, struct ostore *conn)
{
	if (r < 0) {
		fprintf(stderr, "small_ops: %s\n", ostore_strerror(conn));
		exit(1);
	}
}

static void put(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		must(ostore_put(work->conn, work->bytes, SIZE, NULL, &work->held[i]), work->conn);
}

static void get(struct work *work)
{
	struct ostore_object *object;

	for (size_t i = 0; i < work->count; i++) {
		must(ostore_get(work->conn, &work->ids[i], 1, 0, 0, &object), work->conn);
		work->sum += *(const unsigned char *)ostore_data(object);
		ostore_release(object);
	}
}

static void put_many(struct work *work)
{
	struct iovec piece = { .iov_base = work->bytes, .iov_len = SIZE };
	struct ostore_value values[MANY];

	for (size_t i = 0; i < MANY; i++)
		values[i] = (struct ostore_value){ .pieces = &piece, .n_pieces = 1 };
	for (size_t i = 0; i < work->count; i += MANY)
		must(ostore_put_many(work->conn, values, MANY, 0, work->held + i, NULL), work->conn);
}

static void get_many(struct work *work)
{
	struct ostore_object *got[MANY];

	for (size_t i = 0; i < work->count; i += MANY) {
		must(ostore_get(work->conn, work->ids + i, MANY, 0, 0, got), work->conn);
		for (size_t k = 0; k < MANY; k++) {
			work->sum += *(const unsigned char *)ostore_data(got[k]);
			ostore_release(got[k]);
		}
	}
}

/* What is mapped already: seconds for one. */
static double get_again(struct work *work)
{
	const size_t times = 100 * work->count;
	struct ostore_object *object, *second;
	double began, took;

	must(ostore_get(work->conn, &work->ids[0], 1, 0, OSTORE_GET_MAP, &object), work->conn);
	began = now();
	for (size_t i = 0; i < times; i++) {
		must(ostore_get(work->conn, &work->ids[0], 1, 0, 0, &second), work->conn);
		work->sum += *(const unsigned char *)ostore_data(second);
		ostore_release(second);
	}
	took = (now() - began) / times;
	ostore_release(object);
	return took;
}

static double phase(struct clients *clients, unsigned int client, struct work *work,
	void (*run)(struct work *work))
{
	phase_begin(clients, client);
	run(work);
	return phase_end(clients);
}

static void know_ids(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		work->ids[i] = *ostore_object_id(work->held[i]);
}

static void release(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		ostore_release(work->held[i]);
}

static void round_of(struct clients *clients, unsigned int client, struct work *work,
	struct figures *figures, int round)
{
	must(getrandom(work->bytes, SIZE, 0) == SIZE ? 0 : -EIO, NULL);
	figures->put[round] = phase(clients, client, work, put);
	know_ids(work);
	figures->get[round] = phase(clients, client, work, get);
	if (client == 0)
		figures->again[round] = get_again(work);
	phase(clients, client, work, release);
	figures->put_many[round] = phase(clients, client, work, put_many);
	know_ids(work);
	figures->get_many[round] = phase(clients, client, work, get_many);
	phase(clients, client, work, release);
}

static void client_main(struct clients *clients, unsigned int client, void *argument)
{
	struct work work = { .count = *(size_t *)argument };
	const double all = (double)(work.count * clients->n);
	struct figures figures;

	work.held = calloc(work.count, sizeof *work.held);
	work.ids = calloc(work.count, sizeof *work.ids);
	must(work.held && work.ids ? 0 : -ENOMEM, NULL);
	must(ostore_connect(&work.conn, NULL, NULL), NULL);
	round_of(clients, client, &work, &figures, 0);
	for (int round = 0; round < ROUNDS; round++)
		round_of(clients, client, &work, &figures, round);
	ostore_close(work.conn);
	if (client > 0 || work.sum == 0)
		return;
	printf("{\"clients\": %u, \"put\": %.0f, \"get\": %.0f, \"get_again_us\": %.4f, "
	       "\"put_many\": %.0f, \"get_many\": %.0f}\n", clients->n,
		all / median(figures.put), all / median(figures.get), median(figures.again) * 1e6,
		all / median(figures.put_many), all / median(figures.get_many));
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1;
	size_t count = (argc > 2 ? strtoul(argv[2], NULL, 10) : 4000) / MANY * MANY;

	clients_run(clients_new(n), client_main, &count);
	return 0;
}
