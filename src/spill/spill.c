/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spill/spill.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ds/list.h"
#include "spill/files.h"
#include "spill/io.h"
#include "spill/transfer.h"
#include "util/cleanup.h"
#include "util/thread.h"

/*
 *   lane    threads          jobs
 *   WRITE   1 a directory,   in their order; packed ones that follow each other go together
 *           at most 4
 *   READ    max_readers      in their order; long ones leave one thread to the short ones
 *   CHORE   1                unlinks and holes
 *
 * Threads start with the first job of their lane.
 */
enum lane_id { LANE_WRITE, LANE_READ, LANE_CHORE, N_LANES };

#define MAX_THREADS 16
#define MAX_WRITERS 4
#define MAX_BATCH   256
#define SHORT_READ  (UINT64_C(2) << 20)

struct node {
	struct list link;
	struct spill_job job;
	struct chore chore;
};

struct lane {
	struct spill *spill;
	struct list waiting;
	pthread_cond_t wake;
	pthread_t threads[MAX_THREADS];
	unsigned int n_threads, max_threads, n_idle, n_waiting;
	unsigned int n_long; /* READ: threads that are at a long job */
};

struct spill {
	struct files files;
	struct spill_options options; /* directories: NULL */
	struct transfer transfer;     /* of main: without threads */
	bool uring;
	const char *uring_reason;
	int event;
	/* Protects everything below; held for list work alone, and never together with files.lock. */
	pthread_mutex_t lock;
	struct lane lanes[N_LANES];
	struct list finished;
	bool stop;
	struct spill_statistics counters; /* of jobs */
};

static enum lane_id lane_of(const struct spill_job *job)
{
	return job->type == SPILL_WRITE || job->type == SPILL_MOVE ? LANE_WRITE : LANE_READ;
}

static bool is_long(const struct spill_job *job)
{
	return job->type == SPILL_VERIFY || job->length > SHORT_READ;
}

/* ---- one job, or many that are packed ---- */

static void run_write(struct transfer *transfer, struct spill_job *job)
{
	if (transfer_packed_length(job) > 0)
		transfer_write_packed(transfer, &(struct spill_job *){ job }, 1);
	else if (job->type == SPILL_MOVE)
		transfer_move(transfer, job);
	else
		transfer_write(transfer, job);
}

static void run(struct transfer *transfer, struct node *const *nodes, unsigned int n)
{
	struct spill_job *jobs[MAX_BATCH];

	for (unsigned int i = 0; i < n; i++)
		jobs[i] = &nodes[i]->job;
	if (n > 1)
		transfer_write_packed(transfer, jobs, n);
	else if (lane_of(jobs[0]) == LANE_WRITE)
		run_write(transfer, jobs[0]);
	else
		transfer_read(transfer, jobs[0]);
}

/* Call with the lock held. */
static void report(struct spill *spill, struct node *node)
{
	const struct spill_job *job = &node->job;
	struct spill_statistics *counters = &spill->counters;

	if (job->result < 0 && job->result != -ENOSPC) {
		counters->errors++;
	} else if (job->result == 0 && job->type == SPILL_WRITE) {
		counters->writes++;
		counters->written_bytes += job->size;
	} else if (job->result == 0 && job->type == SPILL_READ) {
		counters->reads++;
		counters->read_bytes += job->length;
	}
	if (list_empty(&spill->finished)) /* main takes them all after each signal, so one is enough */
		(void)!write(spill->event, &(uint64_t){ 1 }, sizeof(uint64_t));
	list_add_tail(&spill->finished, &node->link);
}

/* ---- threads ---- */

/* What one thread does next: a job, or packed jobs that follow each other.  Return: how many.
 * Call with the lock held. */
static unsigned int next_jobs(struct lane *lane, struct node *nodes[MAX_BATCH])
{
	bool only_short = lane == &lane->spill->lanes[LANE_READ] && lane->max_threads > 1 &&
		lane->n_long + 1 >= lane->max_threads;
	struct list *at, *following;
	uint32_t bytes = 0;
	unsigned int n = 0;

	list_for_each_safe(at, following, &lane->waiting) {
		struct node *node = container_of(at, struct node, link);
		uint32_t length = 0;

		if (only_short && is_long(&node->job))
			continue;
		if (lane == &lane->spill->lanes[LANE_WRITE])
			length = transfer_packed_length(&node->job);
		if (n > 0 && (length == 0 || bytes + length > TRANSFER_BATCH || n == MAX_BATCH))
			break;
		list_remove(&node->link);
		lane->n_waiting--;
		nodes[n++] = node;
		bytes += length;
		if (length == 0)
			break;
	}
	return n;
}

static void *lane_main(void *argument)
{
	struct lane *lane = argument;
	struct spill *spill = lane->spill;
	struct node *nodes[MAX_BATCH];
	struct transfer transfer;
	const char *reason;
	bool chores = lane == &spill->lanes[LANE_CHORE];

	transfer_init(&transfer, &spill->files, &spill->options, &reason);
	pthread_mutex_lock(&spill->lock);
	while (!spill->stop) {
		unsigned int n = next_jobs(lane, nodes);
		bool is_a_long_one = n > 0 && !chores && is_long(&nodes[0]->job);

		if (n == 0) {
			lane->n_idle++;
			pthread_cond_wait(&lane->wake, &spill->lock);
			lane->n_idle--;
			continue;
		}
		lane->n_long += is_a_long_one;
		pthread_mutex_unlock(&spill->lock);
		if (chores)
			files_do(&spill->files, &nodes[0]->chore);
		else
			run(&transfer, nodes, n);
		pthread_mutex_lock(&spill->lock);
		lane->n_long -= is_a_long_one;
		if (is_a_long_one) /* another may begin */
			pthread_cond_signal(&lane->wake);
		for (unsigned int i = 0; i < n; i++) {
			if (chores)
				free(nodes[i]);
			else
				report(spill, nodes[i]);
		}
	}
	pthread_mutex_unlock(&spill->lock);
	transfer_deinit(&transfer);
	return NULL;
}

/* Call with the lock held. */
static int lane_grow(struct lane *lane)
{
	int r = thread_start(&lane->threads[lane->n_threads], NULL, lane_main, lane);

	if (r == 0)
		lane->n_threads++;
	return r;
}

/* Return: 0 or negative errno; the node is still the caller's then. */
static int enqueue(struct spill *spill, enum lane_id id, struct node *node)
{
	struct lane *lane = &spill->lanes[id];
	int r = 0;

	pthread_mutex_lock(&spill->lock);
	if (lane->n_idle <= lane->n_waiting && lane->n_threads < lane->max_threads)
		r = lane_grow(lane);
	if (lane->n_threads > 0) { /* fewer than wished for is good enough */
		list_add_tail(&lane->waiting, &node->link);
		lane->n_waiting++;
		pthread_cond_signal(&lane->wake);
		r = 0;
	}
	pthread_mutex_unlock(&spill->lock);
	return r;
}

static void stop_threads(struct spill *spill)
{
	pthread_mutex_lock(&spill->lock);
	spill->stop = true;
	for (int i = 0; i < N_LANES; i++)
		pthread_cond_broadcast(&spill->lanes[i].wake);
	pthread_mutex_unlock(&spill->lock);
	for (int i = 0; i < N_LANES; i++)
		for (unsigned int k = 0; k < spill->lanes[i].n_threads; k++)
			pthread_join(spill->lanes[i].threads[k], NULL);
}

/* ---- the store ---- */

static void free_nodes(struct list *list)
{
	struct node *node;

	while ((node = list_first(list, struct node, link))) {
		list_remove(&node->link);
		free(node);
	}
}

/* Main's own, to learn whether io_uring works; kept where there are no threads. */
static void try_uring(struct spill *spill)
{
	transfer_init(&spill->transfer, &spill->files, &spill->options, &spill->uring_reason);
	spill->uring = io_uses_uring(spill->transfer.io);
	if (spill->options.synchronous)
		return;
	transfer_deinit(&spill->transfer);
	spill->transfer = (struct transfer){ .files = NULL };
}

int spill_open(struct spill **spillp, const struct spill_options *options, struct text *errorp)
{
	struct spill *spill = calloc(1, sizeof *spill);
	int r;

	if (!spill) {
		text_set(errorp, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	spill->options = *options;
	spill->options.directories = NULL;
	r = files_init(&spill->files, options, errorp);
	spill->event = r == 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	if (r == 0 && spill->event < 0) {
		r = -errno;
		text_set(errorp, "%s", strerror(-r));
	}
	if (r < 0) {
		files_deinit(&spill->files, false);
		free(spill);
		return r;
	}
	pthread_mutex_init(&spill->lock, NULL);
	list_init(&spill->finished);
	for (int i = 0; i < N_LANES; i++) {
		struct lane *lane = &spill->lanes[i];

		lane->spill = spill;
		lane->max_threads = 1;
		list_init(&lane->waiting);
		pthread_cond_init(&lane->wake, NULL);
	}
	spill->lanes[LANE_WRITE].max_threads = MIN(options->n_directories, MAX_WRITERS);
	spill->lanes[LANE_READ].max_threads =
		options->max_readers ? MIN(options->max_readers, MAX_THREADS) : 4;
	try_uring(spill);
	*spillp = spill;
	return 0;
}

int spill_descriptor(const struct spill *spill, unsigned int i)
{
	return spill->files.directories[i].fd;
}

int spill_claim(struct spill *spill, const struct disk_place *place)
{
	return files_claim(&spill->files, place);
}

unsigned int spill_sweep(struct spill *spill)
{
	return files_sweep(&spill->files);
}

struct spill *spill_close(struct spill *spill, bool keep)
{
	if (!spill)
		return NULL;
	stop_threads(spill);
	for (int i = 0; i < N_LANES; i++) {
		struct node *node;

		while (i == LANE_CHORE && (node = list_first(&spill->lanes[i].waiting, struct node, link))) {
			files_do(&spill->files, &node->chore);
			list_remove(&node->link);
			free(node);
		}
		free_nodes(&spill->lanes[i].waiting);
		pthread_cond_destroy(&spill->lanes[i].wake);
	}
	free_nodes(&spill->finished);
	transfer_deinit(&spill->transfer);
	files_deinit(&spill->files, !keep || spill->options.is_private);
	pthread_mutex_destroy(&spill->lock);
	(void)close(spill->event);
	free(spill);
	return NULL;
}

int spill_submit(struct spill *spill, const struct spill_job *job)
{
	struct node *node = malloc(sizeof *node);
	int r = 0;

	if (!node)
		return -ENOMEM;
	node->job = *job;
	node->job.result = 0;
	node->job.error = TEXT_INIT;
	if (spill->options.synchronous) {
		run(&spill->transfer, &node, 1);
		report(spill, node);
		spill->counters.jobs++;
		return 0;
	}
	r = enqueue(spill, lane_of(job), node);
	if (r < 0)
		free(node);
	else
		spill->counters.jobs++;
	return r;
}

int spill_event(const struct spill *spill)
{
	return spill->event;
}

bool spill_take(struct spill *spill, struct spill_job *job)
{
	struct node *node;

	pthread_mutex_lock(&spill->lock);
	node = list_first(&spill->finished, struct node, link);
	if (node)
		list_remove(&node->link);
	if (node && list_empty(&spill->finished))
		(void)!read(spill->event, &(uint64_t){ 0 }, sizeof(uint64_t));
	pthread_mutex_unlock(&spill->lock);
	if (!node)
		return false;
	spill->counters.jobs--;
	*job = node->job;
	free(node);
	return true;
}

void spill_forget(struct spill *spill, const struct disk_place *place)
{
	struct chore chore = files_forget(&spill->files, place);
	struct node *node = NULL;

	if (chore.type == CHORE_NONE)
		return;
	if (!spill->options.synchronous)
		node = malloc(sizeof *node);
	if (node) {
		node->chore = chore;
		node->job = (struct spill_job){ .type = SPILL_READ };
		if (enqueue(spill, LANE_CHORE, node) == 0)
			return;
		free(node);
	}
	files_do(&spill->files, &chore); /* slowly, but the disk's room is worth it */
}

bool spill_fullest_of_dead(struct spill *spill, uint16_t *directoryp, uint32_t *filep)
{
	return files_fullest_of_dead(&spill->files, directoryp, filep);
}

void spill_statistics(struct spill *spill, struct spill_statistics *statistics)
{
	pthread_mutex_lock(&spill->lock);
	*statistics = spill->counters;
	pthread_mutex_unlock(&spill->lock);
	statistics->io_uring = spill->uring;
	statistics->io_uring_reason = spill->uring_reason;
	files_statistics(&spill->files, statistics);
}
