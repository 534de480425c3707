/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim - run seeds of the simulated store, and say what a failing one broke
 *
 *   sim [--seeds N] [--first S] [--seed S] [--events N] [--jobs J] [--verbose] [--quiet]
 *
 * Every seed is a whole life of a store (world.h).  Seeds run in child
 * processes, a batch each, because a worker that "dies" in the middle of an event
 * leaves its heap behind as a real one does, and because the core's own checks
 * end in abort().  The first failing seed ends the run; it is told with the event,
 * the rule that was broken and the command that replays it.
 *
 * Exit status: 0 all seeds hold; 1 one failed, or a class of events was never
 * reached; 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coverage.h"
#include "world.h"

#define BATCH        10 /* seeds in one child */
#define JOBS_MAX     64
#define SEED_TIMEOUT 60 /* seconds until a seed counts as hung */

struct options {
	uint64_t seeds, first, events;
	unsigned int jobs;
	bool verbose, quiet;
};

static struct options options = { .seeds = 100, .first = 1, .events = 0, .jobs = 1 };
static const char *program;
static uint64_t running_seed; /* for the signal handler */

/* The line that every failure ends in.  Async-signal-safe enough: the process ends here. */
static void tell_failure(uint64_t seed, uint64_t event, const char *what)
{
	fflush(stdout);
	fprintf(stderr, "sim: seed %" PRIu64 ", event %" PRIu64 ": %s\n", seed, event, what);
	fprintf(stderr, "sim: replay: %s --seed %" PRIu64 " --events %" PRIu64 " --verbose\n", program,
		seed, event);
}

static void on_signal(int signal_number)
{
	const char *what = "the core aborted (see the line above)";

	if (signal_number == SIGALRM)
		what = "hangs";
	else if (signal_number != SIGABRT)
		what = "crashed (SIGSEGV, SIGBUS, SIGFPE or SIGILL)";
	tell_failure(running_seed, world_event_number(), what);
	_exit(1);
}

static void catch_signals(void)
{
	static const int signals[] = { SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
#if defined(__SANITIZE_ADDRESS__)
		if (signals[i] == SIGSEGV || signals[i] == SIGBUS)
			continue; /* the sanitizer says more */
#endif
		signal(signals[i], on_signal);
	}
}

/* A child: seeds first .. first + n - 1.  Does not return. */
static void run_batch(uint64_t first, uint64_t n, struct coverage *coverage)
{
	catch_signals();
	for (uint64_t seed = first; seed < first + n; seed++) {
		char what[1024];

		running_seed = seed;
		alarm(options.verbose ? 0 : SEED_TIMEOUT);
		if (!world_run(seed, options.events, options.verbose, coverage, what, sizeof what)) {
			tell_failure(seed, world_event_number(), what);
			_exit(1);
		}
		coverage->seeds++;
	}
	fflush(NULL);
	_exit(0);
}

/* Run all batches, options.jobs at a time.  Return: 0, 1 when a seed failed. */
static int run_all(struct coverage *coverages, uint64_t n_batches)
{
	struct {
		pid_t pid;
	} jobs[JOBS_MAX] = { 0 };
	uint64_t next = 0;
	unsigned int running = 0;
	int result = 0;

	while (running > 0 || (next < n_batches && result == 0)) {
		unsigned int slot = 0;
		int status;
		pid_t pid;

		if (running < options.jobs && next < n_batches && result == 0) {
			uint64_t first = options.first + next * BATCH;
			uint64_t n = options.seeds - next * BATCH;

			while (jobs[slot].pid != 0)
				slot++;
			fflush(NULL);
			pid = fork();
			if (pid < 0) {
				perror("sim: fork");
				return 1;
			}
			if (pid == 0)
				run_batch(first, n < BATCH ? n : BATCH, &coverages[next]);
			jobs[slot].pid = pid;
			running++;
			next++;
			continue;
		}
		pid = wait(&status);
		while (slot < options.jobs && jobs[slot].pid != pid)
			slot++;
		if (slot == options.jobs)
			continue;
		jobs[slot].pid = 0;
		running--;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			if (result == 0)
				for (unsigned int i = 0; i < options.jobs; i++)
					if (jobs[i].pid != 0)
						(void)kill(jobs[i].pid, SIGKILL);
			result = 1;
		}
	}
	return result;
}

static uint64_t parse_number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end) {
		fprintf(stderr, "sim: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "events", required_argument, NULL, 'e' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 'n':
			options.seeds = parse_number(optarg);
			break;
		case 'f':
			options.first = parse_number(optarg);
			break;
		case 's':
			options.first = parse_number(optarg);
			options.seeds = 1;
			break;
		case 'e':
			options.events = parse_number(optarg);
			break;
		case 'j':
			options.jobs = parse_number(optarg);
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'q':
			options.quiet = true;
			break;
		default:
			exit(2);
		}
	if (optind < argc || options.jobs < 1 || options.jobs > JOBS_MAX || options.seeds < 1) {
		fprintf(stderr, "usage: sim [--seeds N] [--first S] [--seed S] [--events N] "
				"[--jobs J] [--verbose] [--quiet]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct coverage *coverages, sum = { 0 };
	uint64_t n_batches;
	unsigned int gaps = 0;

	program = argv[0];
	parse_options(argc, argv);
	n_batches = (options.seeds + BATCH - 1) / BATCH;
	coverages = mmap(NULL, n_batches * sizeof *coverages, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (coverages == MAP_FAILED) {
		perror("sim: mmap");
		return 1;
	}
	if (run_all(coverages, n_batches) != 0)
		return 1;
	for (uint64_t i = 0; i < n_batches; i++)
		coverage_add(&sum, &coverages[i]);
	if (!options.quiet)
		coverage_print(&sum, stdout);
	if (options.seeds >= COVERAGE_SEEDS && options.events == 0)
		gaps = coverage_gaps(&sum, stderr);
	printf("sim: %" PRIu64 " seeds hold, %" PRIu64 " events\n", sum.seeds,
		sum.classes[COVERAGE_EVENTS]);
	return gaps > 0;
}
