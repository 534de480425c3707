/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/thread.h"

enum lane_id { LANE_SEAL, LANE_CLOSE, LANE_FILL, N_LANES };

#define SEAL_THREADS 4
#define FILL_NICE    10

struct node {
	struct node *next;
	struct crew_job job;
};

struct list {
	struct node *first, **end;
};

/* What waits of one key: jobs of a key that is busy are not gone through one by one. */
struct queue {
	struct queue *next;
	uint32_t key;
	struct list jobs; /* not empty */
};

struct lane {
	struct crew *crew;
	struct queue *queues; /* whose turn it is, first */
	pthread_cond_t wake; /* something waits, or the crew stops, or a key is free again */
	pthread_t threads[SEAL_THREADS];
	uint32_t busy_keys[SEAL_THREADS]; /* of the jobs that run, where busy[] */
	bool busy[SEAL_THREADS];
	unsigned int n_threads, max_threads, n_idle, n_waiting;
};

struct crew {
	/* Protects everything below but stop and event.  Held for list work alone. */
	pthread_mutex_t lock;
	struct lane lanes[N_LANES];
	struct list finished;
	struct node *taken; /* main's own: finished jobs that crew_take() hands out one by one */
	atomic_bool stop; /* relaxed where a fill looks at it; else under the lock */
	int event;
};

static enum lane_id lane_of(enum crew_job_type type)
{
	switch (type) {
	case CREW_SEAL:
	case CREW_TRIM:
		return LANE_SEAL;
	case CREW_CLOSE:
		return LANE_CLOSE;
	case CREW_FILL:
		return LANE_FILL;
	}
	abort();
}

static void list_init(struct list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_append(struct list *list, struct node *node)
{
	node->next = NULL;
	*list->end = node;
	list->end = &node->next;
}

static void nodes_free(struct node *node)
{
	while (node) {
		struct node *next = node->next;

		free(node);
		node = next;
	}
}

static bool key_is_busy(const struct lane *lane, uint32_t key)
{
	for (unsigned int i = 0; i < lane->n_threads; i++)
		if (lane->busy[i] && lane->busy_keys[i] == key)
			return true;
	return false;
}

/* The place of the key's queue, or that of a new one, at the end. */
static struct queue **find_queue(struct lane *lane, uint32_t key)
{
	struct queue **at = &lane->queues;

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

static struct queue **end_of_queues(struct lane *lane)
{
	struct queue **at = &lane->queues;

	while (*at)
		at = &(*at)->next;
	return at;
}

/* Takes a job that may run now off its lane: keys take turns, each one's jobs come in their order.
 * Call with the lock held. */
static struct node *next_job(struct lane *lane)
{
	for (struct queue **at = &lane->queues; *at; at = &(*at)->next) {
		struct queue *queue = *at;
		struct node *node = queue->jobs.first;

		if (lane->max_threads > 1 && key_is_busy(lane, queue->key))
			continue;
		*at = queue->next;
		queue->next = NULL;
		queue->jobs.first = node->next;
		if (node->next)
			*end_of_queues(lane) = queue;
		else
			free(queue);
		lane->n_waiting--;
		return node;
	}
	return NULL;
}

/* Return: 0, -ENOMEM.  Call with the lock held. */
static int enqueue(struct lane *lane, struct node *node)
{
	struct queue **at = find_queue(lane, node->job.key);

	if (!*at) {
		*at = calloc(1, sizeof **at);
		if (!*at)
			return -ENOMEM;
		(*at)->key = node->job.key;
		list_init(&(*at)->jobs);
	}
	list_append(&(*at)->jobs, node);
	lane->n_waiting++;
	return 0;
}

static void queues_free(struct queue *queue)
{
	while (queue) {
		struct queue *next = queue->next;

		nodes_free(queue->jobs.first);
		free(queue);
		queue = next;
	}
}

static void fill(struct crew_job *job, const atomic_bool *stop)
{
	CLEANUP_CLOSE int fd = memfd_make(&job->identity, job->size, false);

	job->result = fd < 0 ? fd : memfd_populate(fd, job->size, job->huge, stop);
	job->fd = job->result == 0 ? TAKE_FD(fd) : -1;
}

static void run(struct crew *crew, struct crew_job *job)
{
	switch (job->type) {
	case CREW_SEAL:
		job->result = memfd_seal(job->fd);
		break;
	case CREW_TRIM:
		job->result = memfd_resize_draft(job->fd, &job->identity, job->size);
		break;
	case CREW_CLOSE:
		(void)close(job->fd); /* a memfd: no error that would leave it open */
		job->result = 0;
		break;
	case CREW_FILL:
		fill(job, &crew->stop);
		break;
	}
}

/* Call with the lock held. */
static void report(struct crew *crew, struct node *node)
{
	bool first = !crew->finished.first;

	if (node->job.silent) {
		free(node);
		return;
	}
	list_append(&crew->finished, node);
	if (first) /* main takes the whole list after each signal, so one is enough */
		(void)!write(crew->event, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void *lane_main(void *argument)
{
	struct lane *lane = argument;
	struct crew *crew = lane->crew;
	struct node *node;
	unsigned int me;

	if (lane == &crew->lanes[LANE_FILL]) /* of this thread alone: who is 0 means that */
		(void)setpriority(PRIO_PROCESS, 0, FILL_NICE);
	pthread_mutex_lock(&crew->lock);
	for (me = 0; !pthread_equal(lane->threads[me], pthread_self());)
		me++;
	for (;;) {
		if (atomic_load_explicit(&crew->stop, memory_order_relaxed))
			break;
		node = next_job(lane);
		if (!node) {
			lane->n_idle++;
			pthread_cond_wait(&lane->wake, &crew->lock);
			lane->n_idle--;
			continue;
		}
		lane->busy[me] = true;
		lane->busy_keys[me] = node->job.key;
		pthread_mutex_unlock(&crew->lock);
		run(crew, &node->job);
		pthread_mutex_lock(&crew->lock);
		lane->busy[me] = false;
		if (lane->n_waiting > 0 && lane->n_idle > 0) /* this key may run again */
			pthread_cond_signal(&lane->wake);
		report(crew, node);
	}
	pthread_mutex_unlock(&crew->lock);
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

int crew_new(struct crew **crewp)
{
	struct crew *crew = calloc(1, sizeof *crew);

	if (!crew)
		return -ENOMEM;
	crew->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (crew->event < 0) {
		int r = -errno;

		free(crew);
		return r;
	}
	pthread_mutex_init(&crew->lock, NULL);
	list_init(&crew->finished);
	for (int i = 0; i < N_LANES; i++) {
		crew->lanes[i].crew = crew;
		crew->lanes[i].max_threads = i == LANE_SEAL ? SEAL_THREADS : 1;
		pthread_cond_init(&crew->lanes[i].wake, NULL);
	}
	*crewp = crew;
	return 0;
}

struct crew *crew_free(struct crew *crew)
{
	if (!crew)
		return NULL;
	pthread_mutex_lock(&crew->lock);
	atomic_store_explicit(&crew->stop, true, memory_order_relaxed);
	for (int i = 0; i < N_LANES; i++)
		pthread_cond_broadcast(&crew->lanes[i].wake);
	pthread_mutex_unlock(&crew->lock);
	for (int i = 0; i < N_LANES; i++) {
		for (unsigned int k = 0; k < crew->lanes[i].n_threads; k++)
			pthread_join(crew->lanes[i].threads[k], NULL);
		queues_free(crew->lanes[i].queues);
		pthread_cond_destroy(&crew->lanes[i].wake);
	}
	nodes_free(crew->finished.first);
	nodes_free(crew->taken);
	pthread_mutex_destroy(&crew->lock);
	(void)close(crew->event);
	free(crew);
	return NULL;
}

int crew_event(const struct crew *crew)
{
	return crew->event;
}

int crew_submit(struct crew *crew, const struct crew_job *job)
{
	struct lane *lane = &crew->lanes[lane_of(job->type)];
	struct node *node = malloc(sizeof *node);
	int r = 0;

	if (!node)
		return -ENOMEM;
	node->job = *job;
	pthread_mutex_lock(&crew->lock);
	if (lane->n_idle <= lane->n_waiting && lane->n_threads < lane->max_threads)
		r = lane_grow(lane);
	if (lane->n_threads > 0) { /* fewer than wished for is good enough */
		r = enqueue(lane, node);
		if (r == 0)
			pthread_cond_signal(&lane->wake);
	}
	pthread_mutex_unlock(&crew->lock);
	if (r < 0)
		free(node);
	return r;
}

bool crew_take(struct crew *crew, struct crew_job *job)
{
	struct node *node = crew->taken;

	if (!node) {
		pthread_mutex_lock(&crew->lock);
		node = crew->finished.first;
		list_init(&crew->finished);
		if (node)
			(void)!read(crew->event, &(uint64_t){ 0 }, sizeof(uint64_t));
		pthread_mutex_unlock(&crew->lock);
		if (!node)
			return false;
	}
	crew->taken = node->next;
	*job = node->job;
	free(node);
	return true;
}
