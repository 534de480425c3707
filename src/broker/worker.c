/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "broker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ds/memory.h"
#include "memory/advice.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

static void *packet_buffer(void)
{
	return aligned_alloc(4096, (WIRE_PACKET_MAX + 4095) / 4096 * 4096);
}

/* The heap's part; opens nothing, as broker_recover() wants it. */
static int broker_init(struct broker *broker, const struct broker_options *options)
{
	struct rlimit limit;

	*broker = (struct broker){
		.options = options,
		.now = now_ns(),
		.epoll_fd = -1,
		.signal_fd = -1,
		.tombstone = -1,
		.pack = PACK_FILE_NONE,
		.accept_again = FOREVER_NS,
		.held_due = FOREVER_NS,
		.output_again = FOREVER_NS,
		.strangers_due = FOREVER_NS,
		.idle_since = FOREVER_NS,
		.limit = UINT64_MAX,
	};
	TAILQ_INIT(&broker->greeting);
	TAILQ_INIT(&broker->doomed);
	TAILQ_INIT(&broker->ended);
	TAILQ_INIT(&broker->blocked);
	turns_init(broker);
	TAILQ_INIT(&broker->strangers);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		broker->n_queued_uses = (size_t)limit.rlim_cur;
	broker->queued_uses = calloc(MAX(broker->n_queued_uses, 1), sizeof(uint32_t));
	broker->connections = calloc(options->core->max_connections, sizeof(struct connection *));
	broker->packet = packet_buffer();
	broker->outbound = packet_buffer();
	broker->holes = calloc(WIRE_ITEMS_MAX, sizeof(void *));
	return broker->queued_uses && broker->connections && broker->packet && broker->outbound &&
			broker->holes
		? 0
		: -ENOMEM;
}

int broker_open(struct broker *broker)
{
	const char *reason;
	int r;

	broker->huge_pages = broker->options->core->huge_pages && memfd_huge_pages(&reason);
	r = crew_new(&broker->crew);
	return r < 0 ? r : loop_init(broker);
}

void broker_end(struct broker *broker)
{
	broker->crew = crew_free(broker->crew);
	strangers_deinit(broker);
	loop_deinit(broker);
	connections_free_ended(broker);
	broker->core = core_close(broker->core);
	pack_file_unmap(&broker->pack);
	wire_scratch_deinit(&broker->decoded);
	free(broker->completions.all);
	free(broker->later.all);
	free(broker->holes);
	free(broker->outbound);
	free(broker->packet);
	free(broker->connections);
	free(broker->queued_uses);
	turns_deinit(broker);
	hash_map_deinit(&broker->users);
}

static void advise_tables(const struct core *core)
{
	uint32_t cursor = 0;
	void *memory;
	size_t size;

	while (core_next_large(core, &cursor, &memory, &size))
		advise_huge(memory, size);
}

/* Memory that nobody ever wrote to belongs to a first start. */
static bool is_used(const struct broker_options *options)
{
	const unsigned char *bytes = options->tables;
	size_t size = MIN(options->tables_size, (size_t)4096);

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return true;
	return false;
}

static int start(struct broker *broker)
{
	const struct broker_options *options = broker->options;
	bool heir = is_used(options);
	struct core_totals totals;
	int r;

	memory_is_large = advise_array;
	r = core_open(&broker->core, options->core, options->tables, options->tables_size,
		broker->now, clock_now_ns(CLOCK_REALTIME));
	if (r < 0)
		return r;
	advise_tables(broker->core);
	settings_inherit(broker);
	r = heir ? broker_recover(broker) : broker_open(broker);
	if (r < 0)
		return r;
	broker_settle(broker);
	if (heir) {
		core_totals(broker->core, &totals);
		log_info("serving again after %.1f ms: %u objects, %u clients",
			(double)(now_ns() - broker->now) / (double)NS_PER_MS, totals.resident,
			totals.connections);
	}
	if (options->ready_fd >= 0)
		(void)!write(options->ready_fd, "r", 1);
	return 0;
}

/* A process that hangs in closing a client's file shares our descriptor table, and
 * would keep open what the end of this process should close. */
static void close_everything(struct broker *broker)
{
	uint64_t cursor = 0;
	struct core_fd fd;

	while (core_next_fd(broker->core, &cursor, &fd))
		(void)close(fd.fd);
	if (!broker->options->listener_passed)
		(void)shutdown(broker->options->listener, SHUT_RDWR);
}

static void stop(struct broker *broker)
{
	int64_t deadline = deadline_ns(now_ns(), broker->options->stop_timeout_ns);
	struct connection *c;

	loop_forget(broker, broker->options->listener);
	TAILQ_FOREACH(c, &broker->greeting, greeting)
		connection_doom(broker, c);
	for (uint32_t i = 0; i < broker->options->core->max_connections; i++)
		if (broker->connections[i])
			connection_doom(broker, broker->connections[i]);
	broker_settle(broker);
	if (!TAILQ_EMPTY(&broker->strangers)) {
		strangers_finish(broker, deadline);
		close_everything(broker);
	}
}

int broker_begin(struct broker *broker, const struct broker_options *options)
{
	int r = broker_init(broker, options);

	return r < 0 ? r : start(broker);
}

int broker_run(const struct broker_options *options)
{
	struct broker broker;
	int r = broker_begin(&broker, options);

	if (r == 0)
		r = loop_run(&broker);
	if (r == 0)
		stop(&broker);
	broker_end(&broker);
	return r;
}
