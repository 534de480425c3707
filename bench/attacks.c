/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left for a good client while another uid attacks the broker.
 *
 *   attacks [--seconds N] [ATTACK...]
 *
 * Starts a broker ($OSTORED) of its own, as root, and measures a client that puts
 * and gets 4 KiB, one at a time: alone, and while each attack runs in processes of
 * uid 65534.  Both are measured in turns, as machines change, and in between the
 * client beside as many processes of that uid that only burn a processor, and leave
 * the broker alone: what no broker can do anything about.  Prints a line each: the
 * attack, operations a second alone, beside the burning, beside the attack, what part
 * the last is of the first, the least that is wanted of that (0.8, or 0.45 where the
 * attack is to use up the processors), and what part it is of the second.
 *
 * The client waits as the library does: it looks again for as long as pays before it
 * sleeps (util/spin.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sys/raw.h"
#include "util/clock.h"
#include "util/spin.h"

#define ATTACKER_UID 65534
#define SIZE         4096
#define ROUNDS       3

static int64_t measured_ns = NS_PER_S / 2;

/* ---- the good client ---- */

static int answered(struct raw *raw, struct wire_request *request, struct wire_reply *reply)
{
	static struct spin spin;
	struct pollfd ready = { .fd = raw->call, .events = POLLIN };
	int64_t began, spin_ns;
	bool hit;

	request->serial = 0;
	if (raw_send(raw, request, NULL, 0) < 0)
		die("the good client cannot send");
	began = now_ns();
	spin_ns = spin_begin(&spin);
	do
		hit = poll(&ready, 1, 0) > 0;
	while (!hit && now_ns() < began + spin_ns);
	if (!hit)
		(void)poll(&ready, 1, RAW_PATIENCE_MS);
	if (!hit || spin_ns > 0)
		spin_end(&spin, spin_ns, hit, now_ns() - began);
	if (raw_receive(raw, reply, RAW_PATIENCE_MS) != 0)
		die("the good client is not answered");
	return reply->status;
}

/* Put, get, delete and release one object of 4 KiB: how many times a second? */
static double measure_good(struct raw *raw)
{
	static uint8_t bytes[SIZE];
	struct wire_item item = { .data = bytes, .data_size = SIZE }, given = { .refs = 2 };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };
	struct wire_request get = { .type = WIRE_GET, .items = &given, .n_items = 1 };
	struct wire_request release = { .type = WIRE_RELEASE, .items = &given, .n_items = 1 };
	const int64_t began = now_ns();
	struct wire_reply reply;
	uint64_t n = 0;

	while (now_ns() - began < measured_ns) {
		item.id = given.id = raw_id();
		if (answered(raw, &put, &reply) != 0)
			die("the good client's put: %s", reply.text);
		if (answered(raw, &get, &reply) != 0 || reply.items[0].data_size != SIZE)
			die("the good client's get fails");
		release.serial = 0;
		if (raw_send(raw, &release, NULL, 0) < 0)
			die("the good client cannot release");
		n += 2;
	}
	return (double)n / ((double)(now_ns() - began) / (double)NS_PER_S);
}

/* ---- attacks: each runs until it is killed ---- */

static void flood(struct raw **raws, size_t n, struct wire_request *request, bool reads)
{
	struct wire_reply reply;

	for (size_t i = 0;; i = (i + 1) % n) {
		request->serial = 0;
		(void)raw_send(raws[i], request, NULL, 0);
		while (reads && raw_receive(raws[i], &reply, 0) == 0)
			;
	}
}

static struct raw **open_many(size_t n)
{
	struct raw **raws = calloc(n, sizeof *raws);

	for (size_t i = 0; i < n; i++) {
		raws[i] = raw_open();
		(void)fcntl(raws[i]->call, F_SETFL, O_NONBLOCK);
	}
	return raws;
}

static void put_some(struct wire_item *items, size_t n)
{
	struct raw *raw = raw_open();

	for (size_t i = 0; i < n; i++) {
		items[i].id = raw_id();
		(void)raw_put(raw, items[i].id, "x", 1);
	}
}

static void burn(void)
{
	for (volatile unsigned int i = 0;; i++)
		;
}

static void connects(void)
{
	for (;;) {
		struct raw *raw = raw_connect();

		raw_close(raw);
	}
}

static void hellos(void)
{
	for (;;) {
		struct raw *raw = raw_connect();

		(void)raw_hello(raw, 0);
		raw_close(raw);
	}
}

static void crowds(void)
{
	(void)open_many(900);
	for (;;)
		pause();
}

static void gets(void)
{
	struct wire_item item = { .id = raw_id() };
	struct wire_request get = { .type = WIRE_GET, .items = &item, .n_items = 1 };

	flood(open_many(64), 64, &get, true);
}

static void batches(void)
{
	static struct wire_item items[4000];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 4000,
		.flags = WIRE_GET_REF };

	put_some(items, 4000);
	flood(open_many(16), 16, &get, true);
}

static void lists(void)
{
	static struct wire_item items[1000];
	struct wire_request list = { .type = WIRE_LIST };

	put_some(items, 1000);
	flood(open_many(16), 16, &list, true);
}

static void partial_batches(void)
{
	static struct wire_item items[1000];
	struct wire_request get = { .type = WIRE_GET, .items = items, .n_items = 1000 };
	struct raw **raws = open_many(64);

	for (size_t i = 0; i < 1000; i++)
		items[i].id = raw_id();
	for (size_t i = 0;; i++) { /* the first part of requests that never end */
		get.serial = 0;
		raws[i % 64]->serial = i;
		size_t size = raw_encode(raws[i % 64], &get);

		((uint16_t *)raws[i % 64]->out)[1] |= WIRE_FLAG_MORE;
		(void)raw_send_bytes(raws[i % 64], raws[i % 64]->out, size, NULL, 0);
	}
}

static void cancels(void)
{
	struct wire_request cancel = { .type = WIRE_CANCEL, .cursor = 77 };

	flood(open_many(16), 16, &cancel, false);
}

static void puts_and_deletes(void)
{
	static uint8_t bytes[SIZE];
	struct wire_item item = { .data = bytes, .data_size = SIZE };
	struct wire_request put = { .type = WIRE_PUT, .items = &item, .n_items = 1 };
	struct wire_request delete = { .type = WIRE_DELETE, .items = &item, .n_items = 1 };
	struct raw **raws = open_many(16);
	struct wire_reply reply;

	for (size_t i = 0;; i++) {
		struct raw *raw = raws[i % 16];

		item.id = raw_id();
		put.serial = delete.serial = 0;
		(void)raw_send(raw, &put, NULL, 0);
		(void)raw_send(raw, &delete, NULL, 0);
		while (raw_receive(raw, &reply, 0) == 0)
			;
	}
}

static void forks(void)
{
	struct raw *raw = raw_open();
	struct wire_request fork = { .type = WIRE_FORK };

	for (;;) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			die("socketpair: %s", strerror(errno));
		fork.serial = 0;
		(void)raw_send(raw, &fork, &pair[0], 1);
		close(pair[0]);
		close(pair[1]);
	}
}

static void deaf(void)
{
	static struct wire_item items[1000];
	struct wire_request list = { .type = WIRE_LIST };

	put_some(items, 1000);
	for (;;) { /* cut off, they come again */
		struct raw **raws = open_many(200);

		for (size_t i = 0; i < 200; i++)
			for (int k = 0; k < 3; k++) {
				list.serial = 0;
				(void)raw_send(raws[i], &list, NULL, 0);
			}
		sleep(1);
		for (size_t i = 0; i < 200; i++)
			raw_close(raws[i]);
		free(raws);
	}
}

static void never_acknowledges(void)
{
	static struct wire_item items[16];
	struct wire_request map = { .type = WIRE_GET, .items = items, .n_items = 16,
		.flags = WIRE_GET_MAP };
	struct raw **raws = open_many(200);

	put_some(items, 16);
	for (size_t i = 0; i < 200; i++) {
		raws[i]->no_acks = true;
		for (int k = 0; k < 8; k++) {
			map.serial = 0;
			(void)raw_send(raws[i], &map, NULL, 0);
		}
	}
	for (;;)
		pause();
}

static void hoards(void)
{
	struct wire_item item = { .size = 4 << 20 };
	struct wire_request create = { .type = WIRE_CREATE, .items = &item, .n_items = 1,
		.timeout_ns = INT64_MAX };
	struct raw **raws = open_many(8);

	for (size_t i = 0; i < 4000; i++) { /* its quota's and many more, that wait */
		create.serial = 0;
		item.id = raw_id();
		(void)raw_send(raws[i % 8], &create, NULL, 0);
	}
	for (;;)
		pause();
}

static void sparse(void)
{
	struct wire_item item = { .size = UINT64_C(1) << 40 };
	struct wire_request put = { .type = WIRE_PUT_FD, .items = &item, .n_items = 1 };
	struct raw *raw = raw_open();
	int fd = make_memfd(UINT64_C(1) << 40, -1, HARD_SEALS);
	struct wire_reply reply;

	for (;;) {
		put.serial = 0;
		item.id = raw_id();
		(void)raw_call(raw, &put, &fd, 1, &reply);
	}
}

/* The seal of a draft of which a page is held in a pipe waits for it, and fails. */
static void pinned_pages(void)
{
	struct raw *raw = raw_open();

	for (;;) {
		struct id128 id = raw_id();
		struct iovec page;
		int fd, pipes[2];
		void *view;

		if (raw_create(raw, id, 1 << 20, &fd) != 0 || pipe(pipes) < 0)
			die("the attacker gets no draft");
		view = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		memset(view, 1, 1 << 20);
		page = (struct iovec){ view, 4096 };
		(void)!vmsplice(pipes[1], &page, 1, 0);
		munmap(view, 1 << 20);
		(void)raw_seal(raw, id);
		close(pipes[0]);
		close(pipes[1]);
		close(fd);
		(void)raw_delete(raw, id);
	}
}

struct attack {
	const char *name;
	void (*run)(void);
	bool cpu; /* the processors are what is attacked */
};

static const struct attack burning = { "burning", burn, true };
static const struct attack attacks[] = {
	{ "connects", connects, true },
	{ "hellos", hellos, true },
	{ "crowds", crowds, false },
	{ "gets", gets, true },
	{ "batches", batches, true },
	{ "lists", lists, true },
	{ "partial-batches", partial_batches, true },
	{ "cancels", cancels, true },
	{ "puts", puts_and_deletes, true },
	{ "forks", forks, true },
	{ "deaf", deaf, false },
	{ "never-acknowledges", never_acknowledges, false },
	{ "hoards", hoards, false },
	{ "sparse", sparse, true },
	{ "pinned-pages", pinned_pages, true },
};

/* ---- the stage ---- */

static char directory[] = "/tmp/ostore-attacks-XXXXXX";
static pid_t broker = -1;

static void end_broker(void)
{
	char path[64];

	if (broker > 0) {
		kill(broker, SIGTERM);
		waitpid(broker, NULL, 0);
	}
	snprintf(path, sizeof path, "%s/socket", directory);
	unlink(path);
	rmdir(directory);
}

static void start_broker(void)
{
	const char *program = getenv("OSTORED");
	char address[80], path[64];

	if (!program || !mkdtemp(directory))
		die("OSTORED does not name a broker");
	chmod(directory, 0755);
	snprintf(path, sizeof path, "%s/socket", directory);
	snprintf(address, sizeof address, "--address=%s", path);
	broker = fork();
	if (broker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)!freopen("/dev/null", "w", stdout); /* it says its address */
		execl(program, program, "--private", address, "--capacity=512MiB", "--pool=0",
			"--quota=65534:256MiB", "--log_level=error", NULL);
		_exit(127);
	}
	setenv("OSTORE_ADDRESS", path, 1);
	for (int i = 0; i < 1000 && access(path, F_OK) < 0; i++)
		usleep(10000);
	chmod(path, 0666);
}

static pid_t start_attack(const struct attack *attack)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (setgroups(0, NULL) < 0 || setgid(ATTACKER_UID) < 0 || setuid(ATTACKER_UID) < 0)
		die("setuid: %s", strerror(errno));
	attack->run();
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double measure_beside(struct raw *good, const struct attack *attack)
{
	pid_t attacker = start_attack(attack);
	double rate;

	usleep(200000);
	rate = measure_good(good);
	kill(attacker, SIGKILL);
	waitpid(attacker, NULL, 0);
	usleep(200000);
	return rate;
}

static double median(double *rates)
{
	qsort(rates, ROUNDS, sizeof *rates, by_value);
	return rates[ROUNDS / 2];
}

static void judge(struct raw *good, const struct attack *attack)
{
	double rates[3][ROUNDS], alone, burnt, beside;

	for (int i = 0; i < ROUNDS; i++) {
		rates[0][i] = measure_good(good);
		rates[1][i] = measure_beside(good, &burning);
		rates[2][i] = measure_beside(good, attack);
	}
	alone = median(rates[0]);
	burnt = median(rates[1]);
	beside = median(rates[2]);
	printf("%-20s %8.0f /s %8.0f /s %8.0f /s %6.2f %6.2f %6.2f\n", attack->name, alone, burnt,
		beside, beside / alone, attack->cpu ? 0.45 : 0.8, beside / burnt);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	struct raw *good;
	int first = 1;

	if (geteuid() != 0)
		skip("needs root, to be two users");
	if (argc > 2 && strcmp(argv[1], "--seconds") == 0) {
		measured_ns = (int64_t)(strtod(argv[2], NULL) * (double)NS_PER_S);
		first = 3;
	}
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	start_broker();
	atexit(end_broker);
	good = raw_open();
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		bool wanted = first >= argc;

		for (int k = first; k < argc; k++)
			wanted |= strcmp(argv[k], attacks[i].name) == 0;
		if (wanted)
			judge(good, &attacks[i]);
	}
	raw_close(good);
	return 0;
}
