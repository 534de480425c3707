/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several client processes that begin and end each phase of a measurement together.
 *
 * clients_run() forks them; in each, phase_begin() waits for all and phase_end()
 * too; the first client keeps the time, from the one to the other, and so the
 * rate of all.  A client that fails ends the program.
 */
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS   5
#define CLIENTS_MAX 64

struct clients {
	pthread_barrier_t barrier;
	unsigned int n;
	double began;
};

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static inline struct clients *clients_new(unsigned int n)
{
	struct clients *clients = mmap(NULL, sizeof *clients, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t shared;

	if (clients == MAP_FAILED || n == 0 || n > CLIENTS_MAX) {
		fprintf(stderr, "1 to %d clients\n", CLIENTS_MAX);
		exit(2);
	}
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&clients->barrier, &shared, n);
	clients->n = n;
	return clients;
}

/* main(client, argument) runs in n processes of its own; client 0 prints the results. */
static inline void clients_run(struct clients *clients,
	void (*main)(struct clients *clients, unsigned int client, void *argument), void *argument)
{
	pid_t pids[CLIENTS_MAX];
	int status;

	fflush(stdout);
	for (unsigned int i = 0; i < clients->n; i++) {
		pids[i] = fork();
		if (pids[i] < 0) {
			perror("fork");
			exit(1);
		}
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			main(clients, i, argument);
			fflush(stdout);
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < clients->n; i++)
		if (waitpid(pids[i], &status, 0) < 0 || status != 0)
			exit(1); /* the others go with us */
}

static inline void phase_begin(struct clients *clients, unsigned int client)
{
	pthread_barrier_wait(&clients->barrier);
	if (client == 0)
		clients->began = now();
}

/* Return: seconds since phase_begin(), when the last client is here. */
static inline double phase_end(struct clients *clients)
{
	pthread_barrier_wait(&clients->barrier);
	return now() - clients->began;
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, by_value);
	return values[ROUNDS / 2];
}

#endif
