/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture: writers, verifying readers, forkers and killers against one broker.
 *
 * Every object's bytes follow from its id, so any process can verify any object
 * without being told.  Writers publish ids on a board in shared memory and keep
 * references to their last few; what they keep must always be there, whatever
 * dies meanwhile.  Readers take ids from the board: an object may be gone, but
 * what is there must be right in every byte, and stays right while it is mapped.
 * Forkers let a child read through its parent's references after the parent
 * dropped them.  The killer ends workers and clients with SIGKILL.  At the end
 * all clients are gone, and the broker must have everything back.
 *
 * Runs as a tree of processes; exit status 0: nothing wrong was seen.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ostore.h>

#define BOARD      256
#define KEEP       8
#define MAX_ROLES  32
#define MS         1000000
#define REQUEST_NS (10 * INT64_C(1000000000)) /* an answer later than this is a fault */

static struct board {
	_Atomic uint64_t next;
	struct {
		_Atomic uint32_t version; /* odd while it is written */
		ostore_id id;
		uint64_t size;
	} slot[BOARD];
	_Atomic uint64_t puts, gets, verified_bytes, gone, full, forks, worker_kills, client_kills, faults;
	_Atomic int stop;
} *board;

static uint64_t max_size = 4 << 20;
static uint64_t random_state;

static uint64_t random_next(void) /* splitmix64 */
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
	va_list args;

	atomic_fetch_add(&board->faults, 1);
	fprintf(stderr, "FAULT in process %d: ", getpid());
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* The 8-byte words of an object: a function of its id and the position. */
static uint64_t seed_of(const ostore_id *id)
{
	uint64_t half[2];

	memcpy(half, id->bytes, sizeof half);
	return half[0] ^ (half[1] << 1);
}

static void fill(void *data, uint64_t size, const ostore_id *id)
{
	uint64_t seed = seed_of(id), word;
	unsigned char *at = data;

	for (uint64_t i = 0; i < size; i += 8) {
		word = (seed + i) * 0x9e3779b97f4a7c15;
		memcpy(at + i, &word, size - i < 8 ? size - i : 8);
	}
}

static void verify(const void *data, uint64_t size, const ostore_id *id, const char *who)
{
	uint64_t seed = seed_of(id), word;
	const unsigned char *at = data;
	char hex[33];

	for (uint64_t i = 0; i < size; i += 8) {
		word = (seed + i) * 0x9e3779b97f4a7c15;
		if (memcmp(at + i, &word, size - i < 8 ? size - i : 8) != 0) {
			fault("%s: object %s of %" PRIu64 " bytes is wrong at %" PRIu64, who,
				ostore_id_format(id, hex), size, i);
			return;
		}
	}
	atomic_fetch_add(&board->verified_bytes, size);
}

static uint64_t random_size(void)
{
	switch (random_next() % 8) {
	case 0:
		return random_next() % 3; /* 0, 1, 2 */
	case 1:
	case 2:
	case 3:
		return random_next() % 65537;
	default:
		return random_next() % max_size;
	}
}

static struct ostore *connect_or_die(void)
{
	struct ostore *conn;

	for (int64_t until = now() + REQUEST_NS; now() < until; usleep(10000))
		if (ostore_connect(&conn, NULL, NULL) == 0)
			return conn;
	fault("cannot connect: %s", ostore_strerror(NULL));
	_exit(1);
}

static void publish(const ostore_id *id, uint64_t size)
{
	uint64_t i = atomic_fetch_add(&board->next, 1) % BOARD;

	atomic_fetch_add(&board->slot[i].version, 1);
	board->slot[i].id = *id;
	board->slot[i].size = size;
	atomic_fetch_add(&board->slot[i].version, 1);
}

/* An id from the board; false if there is none, or it is being written. */
static bool pick(ostore_id *id, uint64_t *size)
{
	uint64_t i = random_next() % BOARD;
	uint32_t version = atomic_load(&board->slot[i].version);

	if (version == 0 || version % 2)
		return false;
	*id = board->slot[i].id;
	*size = board->slot[i].size;
	return atomic_load(&board->slot[i].version) == version;
}

/* ---- roles ---- */

static struct ostore_object *write_one(struct ostore *conn)
{
	uint64_t size = random_size();
	ostore_id id;
	struct ostore_put_options options = { .size = sizeof options, .id = &id, .timeout = REQUEST_NS / 10 };
	struct ostore_object *object = NULL;
	bool in_place = random_next() % 2;
	void *bytes;
	int r;

	ostore_id_random(&id);
	options.metadata = &id;
	options.metadata_size = sizeof id;
	if (in_place) {
		r = ostore_create(conn, size, &options, &object);
		if (r == 0) {
			if (size)
				fill(ostore_buffer(object), size, &id);
			if (random_next() % 16 == 0) {
				ostore_abort(object);
				return NULL;
			}
			r = ostore_seal(object, random_next() % 4 == 0);
			if (r < 0)
				fault("seal: %s", ostore_strerror(conn));
		}
	} else {
		bytes = malloc(size + 1);
		fill(bytes, size, &id);
		r = ostore_put(conn, bytes, size, &options, &object);
		free(bytes);
	}
	if (r == -OSTORE_EFULL || r == -OSTORE_ETIMEOUT) {
		atomic_fetch_add(&board->full, 1);
		return NULL;
	}
	if (r < 0) {
		fault("write of %" PRIu64 " bytes: %s", size, ostore_strerror(conn));
		return NULL;
	}
	atomic_fetch_add(&board->puts, 1);
	publish(&id, size);
	return object;
}

static void check_kept(struct ostore *conn, struct ostore_object *kept)
{
	ostore_id id = *ostore_object_id(kept);
	struct ostore_object *again;
	int r = ostore_get(conn, &id, 1, REQUEST_NS, 0, &again);
	size_t metadata_size = 0;
	const void *metadata;

	if (r < 0) {
		fault("a referenced object: %s", ostore_strerror(conn));
		return;
	}
	metadata = ostore_metadata(again, &metadata_size);
	if (metadata_size != sizeof id || memcmp(metadata, &id, sizeof id) != 0)
		fault("metadata is wrong");
	verify(ostore_data(again), ostore_size(again), &id, "writer");
	ostore_release(again);
}

static void writer(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *kept[KEEP] = { 0 };

	for (unsigned int i = 0; !board->stop; i++) {
		struct ostore_object **slot = &kept[random_next() % KEEP];

		if (*slot) {
			check_kept(conn, *slot);
			ostore_release(*slot);
		}
		*slot = write_one(conn);
	}
	for (int i = 0; i < KEEP; i++)
		ostore_release(kept[i]);
	ostore_close(conn);
}

static void reader(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *mapped[KEEP] = { 0 };

	while (!board->stop) {
		int i = random_next() % KEEP;
		const int flags = random_next() % 3 ? 0 : OSTORE_GET_MAP;
		ostore_id id;
		uint64_t size;
		int r;

		if (mapped[i]) {
			verify(ostore_data(mapped[i]), ostore_size(mapped[i]), ostore_object_id(mapped[i]), "view");
			ostore_release(mapped[i]);
			mapped[i] = NULL;
		}
		if (!pick(&id, &size)) {
			usleep(1000);
			continue;
		}
		r = ostore_get(conn, &id, 1, random_next() % 2 ? 0 : 5 * MS, flags, &mapped[i]);
		if (r == -OSTORE_EFULL && flags) { /* a small object's mapping takes room of its own */
			atomic_fetch_add(&board->full, 1);
			mapped[i] = NULL;
			continue;
		}
		if (r == -OSTORE_ENOTFOUND || r == -OSTORE_ETIMEOUT) {
			atomic_fetch_add(&board->gone, 1);
			mapped[i] = NULL;
			continue;
		}
		if (r < 0) {
			fault("get: %s", ostore_strerror(conn));
			mapped[i] = NULL;
			continue;
		}
		atomic_fetch_add(&board->gets, 1);
		if (ostore_size(mapped[i]) != size)
			fault("size %" PRIu64 " instead of %" PRIu64, ostore_size(mapped[i]), size);
		verify(ostore_data(mapped[i]), ostore_size(mapped[i]), &id, "reader");
	}
	for (int i = 0; i < KEEP; i++)
		ostore_release(mapped[i]);
	ostore_close(conn);
}

static void forker(void)
{
	struct ostore *conn = connect_or_die();

	while (!board->stop) {
		struct ostore_object *object = write_one(conn);
		int status;
		pid_t child;

		if (!object)
			continue;
		child = fork();
		if (child == 0) {
			usleep(random_next() % 5000);
			check_kept(conn, object);
			_exit(0);
		}
		ostore_release(object);
		if (waitpid(child, &status, 0) == child && status != 0)
			fault("forked child ended with status %#x", status);
		atomic_fetch_add(&board->forks, 1);
	}
	ostore_close(conn);
}

static const struct role {
	const char *name;
	void (*run)(void);
} roles[] = { { "writer", writer }, { "reader", reader }, { "forker", forker } };

static pid_t start(int kind, uint64_t seed)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		random_state = seed;
		roles[kind].run();
		_exit(0);
	}
	return pid;
}

/* The connections of dead clients are gone, and with them all that they held. */
static int all_came_back(struct ostore *conn)
{
	struct ostore_stats *stats = NULL;
	struct ostore_info *infos = NULL;
	size_t n = 0;
	bool clean = false;

	for (int64_t until = now() + 2 * INT64_C(1000000000); !clean && now() < until; usleep(20000)) {
		ostore_stats_free(stats);
		if (ostore_stats(conn, &stats) < 0) {
			fault("stats: %s", ostore_strerror(conn));
			return 1;
		}
		clean = stats->clients == 1 && stats->pinned_bytes == 0 && stats->objects_created == 0 &&
			stats->queue_length == 0;
	}
	if (!clean)
		fault("left behind: %" PRIu64 " clients, %" PRIu64 " pinned bytes, %" PRIu64 " drafts, %" PRIu64
		      " queued", stats->clients, stats->pinned_bytes, stats->objects_created, stats->queue_length);
	if (stats->resident_bytes > stats->capacity_bytes)
		fault("%" PRIu64 " bytes resident of %" PRIu64, stats->resident_bytes, stats->capacity_bytes);
	printf("broker: generation %" PRIu64 ", %" PRIu64 " objects resident, %" PRIu64 " descriptors\n",
		stats->generation, stats->objects_resident, stats->descriptors);
	if (stats->generation != board->worker_kills + 1)
		fault("generation %" PRIu64 " after %" PRIu64 " killed workers", stats->generation,
			(uint64_t)board->worker_kills);
	ostore_stats_free(stats);
	if (ostore_list(conn, &infos, &n) < 0)
		fault("list: %s", ostore_strerror(conn));
	for (size_t i = 0; i < n; i++)
		if (infos[i].refs || infos[i].pins)
			fault("an object has %u references and %u pins of nobody", infos[i].refs, infos[i].pins);
	ostore_list_free(infos);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' }, { "writers", required_argument, NULL, 'w' },
		{ "readers", required_argument, NULL, 'r' }, { "forkers", required_argument, NULL, 'f' },
		{ "kill-worker-ms", required_argument, NULL, 'k' }, { "kill-client-ms", required_argument, NULL, 'c' },
		{ "max-size", required_argument, NULL, 'm' }, { "seed", required_argument, NULL, 'S' }, { 0 },
	};
	int counts[3] = { 3, 3, 1 }, kind_of[MAX_ROLES], n = 0, option;
	int64_t seconds = 10, worker_ms = 300, client_ms = 200, next_worker, next_client, end;
	pid_t pids[MAX_ROLES], worker = 0;
	struct ostore_stats *stats;
	struct ostore *conn;

	random_state = now();
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int64_t value = optarg ? strtoll(optarg, NULL, 10) : 0;

		switch (option) {
		case 's': seconds = value; break;
		case 'w': counts[0] = value; break;
		case 'r': counts[1] = value; break;
		case 'f': counts[2] = value; break;
		case 'k': worker_ms = value; break;
		case 'c': client_ms = value; break;
		case 'm': max_size = value; break;
		case 'S': random_state = value; break;
		default: return 2;
		}
	}
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return 1;
	printf("seed %" PRIu64 "\n", random_state);
	fflush(stdout);
	for (int kind = 0; kind < 3; kind++)
		for (int i = 0; i < counts[kind] && n < MAX_ROLES; i++, n++) {
			kind_of[n] = kind;
			pids[n] = start(kind, random_next());
		}
	conn = connect_or_die();
	end = now() + seconds * 1000 * MS;
	next_worker = now() + worker_ms * MS;
	next_client = now() + client_ms * MS;
	while (now() < end) {
		usleep(5000);
		if (worker_ms && now() >= next_worker) {
			if (ostore_stats(conn, &stats) < 0) {
				fault("stats: %s", ostore_strerror(conn));
				break;
			}
			if (stats->worker_pid != worker) { /* the last one is buried */
				worker = stats->worker_pid;
				if (kill(worker, SIGKILL) == 0)
					atomic_fetch_add(&board->worker_kills, 1);
			}
			ostore_stats_free(stats);
			next_worker = now() + worker_ms * MS / 2 + random_next() % (worker_ms * MS);
		}
		if (client_ms && now() >= next_client) {
			int i = random_next() % n;

			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
			atomic_fetch_add(&board->client_kills, 1);
			pids[i] = start(kind_of[i], random_next());
			next_client = now() + client_ms * MS / 2 + random_next() % (client_ms * MS);
		}
		for (int i = 0; i < n; i++) {
			int status;

			if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				fault("a %s ended by itself with status %#x", roles[kind_of[i]].name, status);
				pids[i] = start(kind_of[i], random_next());
			}
		}
	}
	board->stop = 1;
	for (int i = 0; i < n; i++) {
		int status;
		int64_t until = now() + 2 * REQUEST_NS;

		while (waitpid(pids[i], &status, WNOHANG) == 0 && now() < until)
			usleep(10000);
		if (now() >= until) {
			fault("a %s hangs", roles[kind_of[i]].name);
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		} else if (status != 0) {
			fault("a %s ended with status %#x", roles[kind_of[i]].name, status);
		}
	}
	all_came_back(conn);
	ostore_close(conn);
	printf("%" PRIu64 " puts, %" PRIu64 " gets, %" PRIu64 " MiB verified, %" PRIu64 " gone, %" PRIu64
	       " full, %" PRIu64 " forks, %" PRIu64 " workers and %" PRIu64 " clients killed, %" PRIu64 " faults\n",
		(uint64_t)board->puts, (uint64_t)board->gets, (uint64_t)board->verified_bytes >> 20,
		(uint64_t)board->gone, (uint64_t)board->full, (uint64_t)board->forks,
		(uint64_t)board->worker_kills, (uint64_t)board->client_kills, (uint64_t)board->faults);
	if (board->puts == 0 || board->gets == 0)
		fault("nothing was tried");
	return board->faults != 0;
}
