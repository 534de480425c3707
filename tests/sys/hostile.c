/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile ATTACK - attack the broker at $OSTORE_ADDRESS and see what happens
 *
 * An attack does wrong things and checks that each gets a typed error or a closed
 * connection.  The judge, who runs it, checks the rest:
 *  - a good client beside it is served all the while (ROUNDS_PER_S at the least, where it
 *    has hundreds alone), and afterwards;
 *  - all that was charged comes back: STATUS says the same as before (but for its
 *    counters), nobody refers to anything, and the worker has the same number of
 *    descriptors open;
 *  - the worker never took much more memory than before (but for its tables, whose size
 *    is the configuration's);
 *  - it is the same worker, unless it was the attack's part to kill it.
 * Exit status 77: the attack is impossible here.
 */
#include "hostile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define FIELDS_MAX   128
#define ROUNDS_PER_S 2
#ifdef __SANITIZE_ADDRESS__ /* keeps what was freed, and more of everything */
#define PEAK_MAX_KIB (1536 << 10)
#else
#define PEAK_MAX_KIB (256 << 10)
#endif

/* ---- what is charged ---- */

struct account {
	struct {
		char key[64];
		uint64_t number;
	} fields[FIELDS_MAX];
	size_t n_fields;
	unsigned int n_open;
	unsigned long peak_kib; /* of the worker's resident memory; 0: not known */
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* Counters only rise, and what is off stays off. */
static bool is_charge(const char *key)
{
	return !starts_with(key, "counter.") && !starts_with(key, "counters.") &&
		!starts_with(key, "feature") && !starts_with(key, "rate") &&
		!strstr(key, "_per_s") && strcmp(key, "thrashing") != 0 &&
		strcmp(key, "generation") != 0;
}

static uint64_t account_number(const struct account *account, const char *key)
{
	for (size_t i = 0; i < account->n_fields; i++)
		if (strcmp(account->fields[i].key, key) == 0)
			return account->fields[i].number;
	die("STATUS says nothing of %s", key);
}

static unsigned int count_open(pid_t pid)
{
	char path[64];
	unsigned int n = 0;
	DIR *directory;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	if (!directory)
		return 0; /* another user's */
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static unsigned long read_peak(pid_t pid)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file;

	snprintf(line, sizeof line, "/proc/%d/status", (int)pid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "VmHWM: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* Empty slabs that the pack keeps are nobody's. */
static void leave_out_spare(struct account *account)
{
	uint64_t spare = account_number(account, "pack_spare_bytes");

	for (size_t i = 0; i < account->n_fields; i++) {
		const char *key = account->fields[i].key;

		if (strcmp(key, "pack_spare_bytes") == 0 || strcmp(key, "pack_bytes") == 0 ||
			strcmp(key, "used_bytes") == 0)
			account->fields[i].number -= spare;
	}
}

static void account_read(struct account *account, struct raw *judge)
{
	struct wire_request request = { .type = WIRE_STATUS };
	struct wire_reply reply;

	memset(account, 0, sizeof *account);
	expect_status(raw_call(judge, &request, NULL, 0, &reply), 0, "STATUS");
	for (uint32_t i = 0; i < reply.n_fields; i++) {
		if (!is_charge(reply.fields[i].key))
			continue;
		assert(account->n_fields < FIELDS_MAX);
		snprintf(account->fields[account->n_fields].key,
			sizeof account->fields[0].key, "%s", reply.fields[i].key);
		account->fields[account->n_fields++].number = reply.fields[i].number;
	}
	leave_out_spare(account);
	account->n_open = count_open((pid_t)account_number(account, "worker_pid"));
	account->peak_kib = read_peak((pid_t)account_number(account, "worker_pid"));
}

/* Return: is all as it was?  @worker_too: and the worker; @say: name what is not
 * A descriptor less is no leak: on a busy machine the one that is closed for the warm-up
 * can be counted before. */
static bool account_equal(const struct account *before, const struct account *after,
	bool worker_too, bool say)
{
	bool equal = after->n_open <= before->n_open;

	if (!equal && say)
		fprintf(stderr, "descriptors open in the worker: %u before, %u after\n",
			before->n_open, after->n_open);
	for (size_t i = 0; i < before->n_fields; i++) {
		uint64_t number = account_number(after, before->fields[i].key);

		if (number == before->fields[i].number)
			continue;
		if (!worker_too && strcmp(before->fields[i].key, "worker_pid") == 0)
			continue;
		equal = false;
		if (say)
			fprintf(stderr, "%s: %llu before, %llu after\n", before->fields[i].key,
				(unsigned long long)before->fields[i].number,
				(unsigned long long)number);
	}
	return equal;
}

/* Who still refers to it? */
static void say_holders(struct raw *judge, struct id128 id)
{
	static const char *const kinds[] = { "nobody", "connection", "name", "lease" };
	struct wire_item item = { .id = id };
	struct wire_request stat = { .type = WIRE_STAT, .items = &item, .n_items = 1 };
	struct wire_reply reply;
	char text[ID128_TEXT_SIZE];

	if (raw_call(judge, &stat, NULL, 0, &reply) != 0)
		return;
	for (uint32_t i = 0; i < reply.n_holders; i++)
		fprintf(stderr, "object %s: %u references and %u pins of a %s (pid %u, \"%s\")\n",
			id128_format(&id, text), reply.holders[i].refs, reply.holders[i].pins,
			kinds[reply.holders[i].kind % ARRAY_SIZE(kinds)], reply.holders[i].pid,
			reply.holders[i].text);
}

/* Delete what nobody refers to; everything, when all references came back.
 * Return: how many objects are still referred to. */
static unsigned int sweep(struct raw *judge, bool say)
{
	static struct id128 ids[4096], held;
	unsigned int n_ids = 0, n_held = 0;
	struct wire_request request = { .type = WIRE_LIST, .limit = 1000 };
	struct wire_reply reply;

	do {
		request.serial = 0;
		expect_status(raw_call(judge, &request, NULL, 0, &reply), 0, "LIST");
		for (;;) {
			for (uint32_t i = 0; i < reply.n_items; i++) {
				if (reply.items[i].refs > 0 || reply.items[i].pins > 0) {
					held = reply.items[i].id;
					n_held++;
				}
				if (n_ids < ARRAY_SIZE(ids))
					ids[n_ids++] = reply.items[i].id;
			}
			if (!reply.more)
				break;
			if (raw_receive(judge, &reply, RAW_PATIENCE_MS) != 0)
				die("the rest of a LIST does not come");
		}
		request.cursor = reply.cursor;
	} while (reply.cursor != 0);
	for (unsigned int i = 0; n_held == 0 && i < n_ids; i++)
		(void)raw_delete(judge, ids[i]); /* it may be evicted meanwhile */
	if (n_held > 0 && say)
		say_holders(judge, held);
	return n_held;
}

/* ---- the judge ---- */

/* What the broker opens at its first need: threads, the process that closes strangers. */
static void warm_up(void)
{
	struct raw *raw = raw_open();
	struct id128 id = raw_id();
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), draft;

	assert(fd >= 0);
	(void)raw_put_fd(raw, raw_id(), 1, fd);
	close(fd);
	expect_status(raw_create(raw, id, 4 << 20, &draft), 0, "warming up");
	assert(ftruncate(draft, 4 << 20) == 0);
	close(draft);
	expect_status(raw_seal(raw, id), 0, "warming up");
	expect_status(raw_delete(raw, id), 0, "warming up");
	raw_close(raw);
}

static pid_t start_good_client(int stop[2], int rounds[2])
{
	pid_t pid;

	assert(pipe2(stop, O_CLOEXEC) == 0 && pipe2(rounds, O_CLOEXEC) == 0);
	assert(fcntl(rounds[1], F_SETFL, O_NONBLOCK) == 0);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		close(stop[1]);
		close(rounds[0]);
		good_client(stop[0], rounds[1]);
	}
	close(stop[0]);
	close(rounds[1]);
	return pid;
}

/* One whole round from now on. */
static void await_round(int rounds)
{
	char bytes[65536];

	assert(fcntl(rounds, F_SETFL, O_NONBLOCK) == 0);
	while (read(rounds, bytes, sizeof bytes) > 0)
		;
	for (int i = 0; i < 2; i++) { /* the first may have begun before */
		struct pollfd poll_fd = { .fd = rounds, .events = POLLIN };

		if (poll(&poll_fd, 1, 2 * RAW_PATIENCE_MS) != 1 || read(rounds, bytes, 1) != 1)
			die("the good client is disturbed");
	}
}

static int wait_exit(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool all_came_back(struct raw *judge, const struct account *before, bool worker_too,
	bool say)
{
	struct account after;
	unsigned int n_held = sweep(judge, say);

	if (n_held > 0 && say)
		fprintf(stderr, "%u objects are still referred to\n", n_held);
	account_read(&after, judge);
	if (worker_too && after.peak_kib > before->peak_kib + PEAK_MAX_KIB)
		die("the worker's memory grew from %lu MiB to %lu MiB", before->peak_kib >> 10,
			after.peak_kib >> 10);
	return account_equal(before, &after, worker_too, say) && n_held == 0;
}

/* A judge whose account is that of a broker with nothing in it. */
static struct raw *new_judge(struct account *account)
{
	struct account settled;
	struct raw *judge;

	warm_up();
	judge = raw_open();
	account_read(&settled, judge);
	do { /* until the warm-up is over */
		*account = settled;
		usleep(50000);
		(void)sweep(judge, false);
		account_read(&settled, judge);
	} while (!account_equal(account, &settled, true, false));
	return judge;
}

/* Return: exit status. */
static int run_attack(const struct attack *attack, const struct raw *judge)
{
	pid_t pid = fork();

	assert(pid >= 0);
	if (pid == 0) {
		close(judge->call);
		alarm(120);
		attack->run();
		_exit(0);
	}
	return wait_exit(pid);
}

static int64_t count_rounds(int rounds)
{
	char bytes[65536];
	int64_t n = 0;
	ssize_t r;

	while ((r = read(rounds, bytes, sizeof bytes)) > 0)
		n += r;
	return n;
}

static int run_beside_good_client(const struct attack *attack, const struct raw *judge)
{
	int stop[2], rounds[2], status;
	int64_t began, took, n;
	pid_t good = start_good_client(stop, rounds);

	await_round(rounds[0]);
	began = now_ns();
	status = run_attack(attack, judge);
	took = now_ns() - began;
	n = count_rounds(rounds[0]);
	printf("%lld rounds of the good client in %lld ms\n", (long long)n,
		(long long)(took / NS_PER_MS));
	if (status == 0 && n < took * ROUNDS_PER_S / NS_PER_S)
		die("the good client hardly comes to its turn beside \"%s\"", attack->name);
	if (status == 0)
		await_round(rounds[0]);
	close(stop[1]);
	if (wait_exit(good) != 0 && status == 0)
		die("the good client failed");
	close(rounds[0]);
	return status;
}

static int judge_attack(const struct attack *attack)
{
	struct account before;
	struct raw *judge = new_judge(&before);
	int64_t deadline;
	int status;

	if (attack->kills_worker) {
		status = run_attack(attack, judge);
		raw_close(judge); /* its worker is dead */
		warm_up();
		judge = raw_open();
	} else {
		status = run_beside_good_client(attack, judge);
	}
	deadline = now_ns() + RAW_PATIENCE_MS * NS_PER_MS;
	while (status == 0 && !all_came_back(judge, &before, !attack->kills_worker,
				       now_ns() > deadline)) {
		if (now_ns() > deadline)
			die("after the attack \"%s\" not all came back", attack->name);
		usleep(20000);
	}
	raw_close(judge);
	return status;
}

int main(int argc, char **argv)
{
	const struct attack *const lists[] = { packet_attacks, request_attacks, descriptor_attacks,
		fork_attacks, life_attacks, flood_attacks, crash_attacks };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct attack *attack = lists[i]; attack->name; attack++)
			if (argc == 2 && strcmp(argv[1], attack->name) == 0)
				return judge_attack(attack);
	fprintf(stderr, "usage: hostile ATTACK\nattacks:\n");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct attack *attack = lists[i]; attack->name; attack++)
			fprintf(stderr, "  %s\n", attack->name);
	return 2;
}
