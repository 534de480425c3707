/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the worker says of itself: the hello, the configuration, its part of the
 * status, and the log's lines about clients.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/worker.h"
#include "config.h"
#include "util/clock.h"
#include "util/log.h"

#define COMPLAINTS_MAX 10 /* lines in COMPLAINTS_NS; the rest is counted */
#define COMPLAINTS_NS  (10 * NS_PER_S)

void report_hello(const struct broker *broker, const struct connection *c,
	struct wire_reply *reply)
{
	const struct core_config *config = broker->options->core;

	reply->version = WIRE_VERSION_MAX;
	reply->connection = c->index;
	reply->flags = c->client_service_fd >= 0 ? WIRE_HELLO_SERVICE : 0;
	reply->arena_base = config->arena_base;
	reply->inline_max = config->inline_max;
	reply->max_items = WIRE_ITEMS_MAX;
	reply->max_packet = WIRE_PACKET_MAX;
	reply->max_fds = WIRE_FDS_PER_PACKET;
	reply->generation = core_generation(broker->core);
}

void report_config(struct broker *broker, struct connection *c, uint64_t serial)
{
	struct wire_reply reply = {
		.type = WIRE_CONFIG,
		.serial = serial,
		.fields = broker->options->settings,
		.n_fields = (uint32_t)broker->options->n_settings,
	};

	output_reply(broker, c, &reply, NULL, 0, NULL);
}

/* The answer to `osctl status`: "why is it less than I configured?" */
static struct wire_field capacity_field(const struct broker *broker)
{
	const bool limited = broker->limit < broker->options->core->capacity;

	return (struct wire_field){
		.key = "capacity_limited_by",
		.value = limited ? broker->limited.bytes : "",
		.origin = "",
		.number = limited,
	};
}

void report_status(struct broker *broker, struct connection *c, const struct wire_reply *reply)
{
	const struct broker_options *options = broker->options;
	const struct wire_field own[] = {
		{ .key = "version", .value = PACKAGE_VERSION, .origin = "" },
		{ .key = "worker_pid", .value = "", .origin = "", .number = (uint64_t)getpid() },
		{
			.key = "supervisor_pid",
			.value = "",
			.origin = "",
			.number = (uint64_t)options->supervisor_pid,
		},
		capacity_field(broker),
	};
	size_t n_own = sizeof own / sizeof own[0];
	size_t n = reply->n_fields + n_own + options->n_features;
	struct wire_field *fields = calloc(n, sizeof *fields), *at = fields;
	struct wire_reply whole = *reply;

	if (fields && reply->status == 0) {
		if (reply->n_fields > 0)
			memcpy(at, reply->fields, reply->n_fields * sizeof *at);
		at += reply->n_fields;
		memcpy(at, own, sizeof own);
		at += n_own;
		if (options->n_features > 0)
			memcpy(at, options->features, options->n_features * sizeof *at);
		whole.fields = fields;
		whole.n_fields = (uint32_t)n;
	} /* else the core's fields must do */
	output_reply(broker, c, &whole, NULL, 0, NULL);
	free(fields);
}

void report_complaint(struct broker *broker, const struct connection *c, const char *reason)
{
	if (broker->now - broker->complaints_since >= COMPLAINTS_NS) {
		if (broker->n_unsaid > 0)
			log_notice("%u more clients misbehaved", broker->n_unsaid);
		broker->complaints_since = broker->now;
		broker->n_complaints = broker->n_unsaid = 0;
	}
	if (broker->n_complaints++ >= COMPLAINTS_MAX) {
		broker->n_unsaid++;
		return;
	}
	log_notice("client of uid %u, pid %d (%s), disconnected: %s", c->uid, (int)c->pid,
		c->comm[0] ? c->comm : "?", reason);
}
