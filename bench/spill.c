/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the spill layer leaves of the disk.
 *
 *   spill [--directory DIR] [--size MIB] [--rounds N] [--compression none|lz4|zstd|auto] [--pread]
 *
 * Writes and reads an object through the layer, and a file of the same size by plain
 * O_DIRECT io_uring requests of the same size and number in flight, with fdatasync(); in
 * turns, as disks and machines change.  Prints a line each: median of the layer, of the
 * plain file, their ratio, and the least that is wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spill/io.h"
#include "spill/spill.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define MIB        (UINT64_C(1) << 20)
#define RUN        (4 * MIB)
#define DEPTH      4
#define MAX_ROUNDS 64
#define N_SMALL    20000
#define SMALL      4096
#define N_RANDOM   300
#define CHUNK      65536

static const char *directory = "/var/tmp";
static uint64_t size = 512 * MIB;
static unsigned int rounds = 5;
static struct spill_options options = { .store = { .bytes = "bench" }, .is_private = true, .sync = SPILL_SYNC_DATA };

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static double median(double *values, unsigned int n)
{
	for (unsigned int i = 1; i < n; i++)
		for (unsigned int k = i; k > 0 && values[k] < values[k - 1]; k--) {
			double swap = values[k];

			values[k] = values[k - 1];
			values[k - 1] = swap;
		}
	return values[n / 2];
}

static double seconds_since(int64_t start)
{
	return (double)(now_ns() - start) / (double)NS_PER_S;
}

/* A memfd and its mapping, at an address for huge pages. */
static char *make_memory(int *fdp, uint64_t bytes)
{
	char *reserved = mmap(NULL, bytes + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *memory;

	*fdp = memfd_create("bench", MFD_CLOEXEC);
	must(*fdp >= 0 && reserved != MAP_FAILED && ftruncate(*fdp, (off_t)bytes) == 0, "memfd");
	memory = (char *)(((uintptr_t)reserved + 2 * MIB - 1) / (2 * MIB) * (2 * MIB));
	memory = mmap(memory, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, *fdp, 0);
	must(memory != MAP_FAILED, "mmap");
	(void)madvise(memory, bytes, MADV_HUGEPAGE);
	return memory;
}

/* ---- a plain file ---- */

/* Return: seconds. */
static double plain(struct io *io, const char *path, char *memory, bool write)
{
	int fd = open(path, (write ? O_WRONLY | O_CREAT | O_EXCL : O_RDONLY) | O_DIRECT | O_CLOEXEC, 0600);
	struct io_request requests[DEPTH] = { { .fd = -1 } };
	int64_t start = now_ns();
	uint64_t at = 0;

	must(fd >= 0, path);
	if (write)
		must(fallocate(fd, 0, 0, (off_t)size) == 0, "fallocate");
	for (unsigned int flying = 0; at < size || flying > 0;) {
		struct io_request *request = NULL;

		if (at < size && flying < DEPTH) {
			for (unsigned int i = 0; i < DEPTH && !request; i++)
				if (!requests[i].busy)
					request = &requests[i];
			*request = (struct io_request){ .fd = fd, .write = write, .direct = true,
				.length = (uint32_t)MIN(RUN, size - at), .offset = at, .bytes = memory + at };
			at += request->length;
			io_begin(io, request);
			flying++;
			continue;
		}
		request = io_finish(io);
		errno = -request->result;
		must(request->result == 0, path);
		flying--;
	}
	if (write)
		must(fdatasync(fd) == 0, "fdatasync");
	(void)close(fd);
	return seconds_since(start);
}

static double plain_random(const char *path, char *memory)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	static double values[N_RANDOM];

	must(fd >= 0, path);
	for (unsigned int i = 0; i < N_RANDOM; i++) {
		uint64_t chunk = (uint64_t)random() % (size / CHUNK);
		int64_t start = now_ns();

		must(pread(fd, memory, CHUNK, (off_t)(chunk * CHUNK)) == CHUNK, "pread");
		values[i] = seconds_since(start);
	}
	(void)close(fd);
	return median(values, N_RANDOM);
}

/* ---- the layer ---- */

static struct spill_job take(struct spill *spill)
{
	struct pollfd event = { .fd = spill_event(spill), .events = POLLIN };
	struct spill_job job;

	while (!spill_take(spill, &job))
		(void)poll(&event, 1, -1);
	if (job.result < 0) {
		fprintf(stderr, "%s\n", job.error.bytes);
		exit(1);
	}
	return job;
}

static double layer(struct spill *spill, struct spill_job *job)
{
	int64_t start = now_ns();

	errno = -spill_submit(spill, job);
	must(errno == 0, "spill_submit");
	*job = take(spill);
	return seconds_since(start);
}

static double layer_random(struct spill *spill, const struct spill_job *written, int fd)
{
	static double values[N_RANDOM];

	for (unsigned int i = 0; i < N_RANDOM; i++) {
		struct spill_job job = { .type = SPILL_READ, .id = written->id, .size = size, .fd = fd,
			.length = CHUNK, .place = written->place,
			.offset = (uint64_t)random() % (size / CHUNK) * CHUNK };

		values[i] = layer(spill, &job);
	}
	return median(values, N_RANDOM);
}

/* Many small ones, as fast as they are taken.  Return: seconds. */
static double layer_small(struct spill *spill, int fd)
{
	struct spill_job job = { .type = SPILL_WRITE, .size = SMALL, .fd = fd };
	static struct disk_place places[N_SMALL];
	int64_t start = now_ns();
	double seconds;

	for (unsigned int i = 0; i < N_SMALL; i++) {
		job.ticket = i;
		job.fd_offset = (uint64_t)i * SMALL % size;
		errno = -spill_submit(spill, &job);
		must(errno == 0, "spill_submit");
	}
	for (unsigned int i = 0; i < N_SMALL; i++) {
		job = take(spill);
		places[job.ticket] = job.place;
	}
	seconds = seconds_since(start);
	for (unsigned int i = 0; i < N_SMALL; i++)
		spill_forget(spill, &places[i]);
	return seconds;
}

/* ---- figures ---- */

static void print(const char *what, const char *unit, double ours, double theirs, double ratio, const char *wanted)
{
	printf("%-44s %9.2f %9.2f %-6s %6.2f  %s\n", what, ours, theirs, unit, ratio, wanted);
}

static void measure(void)
{
	double writes[2][MAX_ROUNDS], reads[2][MAX_ROUNDS], fresh[MAX_ROUNDS], firsts[2][MAX_ROUNDS], small[MAX_ROUNDS];
	double gib = (double)size / (double)(1024 * MIB);
	struct spill_directory in = { .path = directory };
	struct text error = TEXT_INIT;
	struct spill_statistics about;
	const char *reason;
	struct spill *spill;
	struct io *io = io_new(DEPTH, !options.no_io_uring, NULL, &reason);
	char path[512], *memory, *target;
	int fd, target_fd;

	options.directories = &in;
	options.n_directories = 1;
	if (spill_open(&spill, &options, &error) < 0) {
		fprintf(stderr, "%s\n", error.bytes);
		exit(1);
	}
	(void)snprintf(path, sizeof path, "%s/spill-bench-%d", directory, getpid());
	memory = make_memory(&fd, size);
	target = make_memory(&target_fd, size);
	for (uint64_t i = 0; i < size; i += 8) { /* numbers with some noise in the low bits */
		uint64_t word = (1000000 + i / 8) << 12 | (uint64_t)(random() & 0xfff);

		memcpy(memory + i, &word, 8);
	}
	memset(target, 1, size);
	for (unsigned int i = 0; i < rounds; i++) {
		struct spill_job job = { .type = SPILL_WRITE, .size = size, .fd = fd }, read;
		int fresh_fd;

		writes[1][i] = gib / plain(io, path, memory, true);
		writes[0][i] = gib / layer(spill, &job);
		reads[1][i] = gib / plain(io, path, target, false);
		read = job;
		read.type = SPILL_READ;
		read.fd = target_fd;
		read.length = size;
		reads[0][i] = gib / layer(spill, &read);
		must(memcmp(memory, target, size) == 0, "bytes differ");
		fresh_fd = memfd_create("fresh", MFD_CLOEXEC);
		must(fresh_fd >= 0 && ftruncate(fresh_fd, (off_t)size) == 0, "memfd");
		read.fd = fresh_fd;
		fresh[i] = gib / layer(spill, &read);
		(void)close(fresh_fd);
		firsts[1][i] = plain_random(path, target) * 1e6;
		firsts[0][i] = layer_random(spill, &job, target_fd) * 1e6;
		small[i] = N_SMALL / layer_small(spill, fd);
		must(unlink(path) == 0, path);
		spill_forget(spill, &job.place);
	}
	spill_statistics(spill, &about);
	printf("%llu MiB, %u rounds in %s; io_uring: %s; O_DIRECT: %s; medians\n",
		(unsigned long long)(size / MIB), rounds, directory, about.io_uring_reason, about.direct ? "yes" : "no");
	printf("%-44s %9s %9s %-6s %6s  %s\n", "", "layer", "plain", "", "ratio", "wanted");
	{
		double a = median(writes[0], rounds), b = median(writes[1], rounds);

		print("write", "GiB/s", a, b, a / b, ">= 0.85");
		a = median(reads[0], rounds);
		b = median(reads[1], rounds);
		print("read", "GiB/s", a, b, a / b, ">= 0.85");
		a = median(fresh, rounds);
		print("read, into memory that was never used", "GiB/s", a, b, a / b, "");
		a = median(firsts[0], rounds);
		b = median(firsts[1], rounds);
		print("64 KiB anywhere", "us", a, b, a / b, "(less is better)");
		a = median(small, rounds);
		printf("%-44s %9.0f objects a second\n", "write of 4 KiB objects", a);
	}
	(void)io_free(io);
	(void)spill_close(spill, false);
}

static bool parse_compression(const char *word)
{
	static const char *const words[] = { "none", "lz4", "zstd", "auto" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], word) == 0) {
			options.compression = (enum spill_compression)i;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "directory", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 's' }, { "rounds", required_argument, NULL, 'r' },
		{ "compression", required_argument, NULL, 'c' }, { "pread", no_argument, NULL, 'p' }, { NULL } };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		bool good = true;

		switch (c) {
		case 'd':
			directory = optarg;
			break;
		case 's':
			size = strtoull(optarg, NULL, 10) * MIB;
			good = size > 0;
			break;
		case 'r':
			rounds = (unsigned int)strtoul(optarg, NULL, 10);
			good = rounds > 0 && rounds <= MAX_ROUNDS;
			break;
		case 'c':
			good = parse_compression(optarg);
			break;
		case 'p':
			options.no_io_uring = true;
			break;
		default:
			good = false;
		}
		if (!good) {
			fprintf(stderr, "usage: spill [--directory DIR] [--size MIB] [--rounds N]"
					" [--compression none|lz4|zstd|auto] [--pread]\n");
			return 2;
		}
	}
	measure();
	return 0;
}
