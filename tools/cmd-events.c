/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl events`: what happens to objects, a line for each event, until interrupted.
 *
 * Unlike the other commands it prints as it goes: a line is on its way before
 * the next event is waited for.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "report.h"
#include "util/clock.h"
#include "util/size.h"

struct choice {
	uint64_t since, limit;
	bool follow;
	bool json;
};

static void print_json(const struct ostore_event *event)
{
	char hex[33];

	printf("{\"seq\": %" PRIu64 ", \"event\": \"%s\", ", event->seq,
		ostore_event_name(event->type));
	if (event->type == OSTORE_EVENT_OVERRUN)
		printf("\"id\": null, \"size\": null, \"time_ns\": null, \"lost\": %" PRIu64 "}\n",
			event->lost);
	else
		printf("\"id\": \"%s\", \"size\": %" PRIu64 ", \"time_ns\": %" PRId64 "}\n",
			ostore_id_format(&event->id, hex), event->size, event->time_ns);
}

static void print_text(const struct ostore_event *event)
{
	const time_t seconds = event->time_ns / NS_PER_S;
	char hex[33], size[32], date[32] = "-";
	struct tm tm;

	if (event->type == OSTORE_EVENT_OVERRUN) {
		printf("%8" PRIu64 "  overrun: %" PRIu64 " events from here on are not kept any more\n",
			event->seq, event->lost);
		return;
	}
	if (localtime_r(&seconds, &tm))
		(void)strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
	printf("%8" PRIu64 "  %s  %-7s  %s  %s\n", event->seq, date,
		ostore_event_name(event->type), ostore_id_format(&event->id, hex),
		size_format(event->size, size, sizeof size));
}

/* The next event; what was printed is sent on its way before one is waited for.
 * Return: 0, -ETIMEDOUT: there is none, and none is waited for; other negative errno. */
static int next(struct ostore_subscription *subscription, bool follow, enum status *statusp,
	struct ostore_event *event)
{
	int r;

	do
		r = ostore_next_event(subscription, 0, event);
	while (r == -EINTR);
	if (r != -ETIMEDOUT)
		return r;
	*statusp = finish_output();
	if (*statusp || !follow)
		return r;
	do /* being stopped and continued interrupts too */
		r = ostore_next_event(subscription, OSTORE_FOREVER, event);
	while (r == -EINTR);
	return r;
}

static enum status print_events(const struct invocation *inv, const struct choice *choice)
{
	struct ostore_subscription *subscription;
	enum status status = STATUS_DONE;
	struct ostore_event event;
	int r;

	r = ostore_subscribe(inv->conn, choice->since, &subscription);
	if (r < 0)
		return fail_library(inv, r, NULL);
	for (uint64_t n = 0; n < choice->limit; n++) {
		r = next(subscription, choice->follow, &status, &event);
		if (r < 0)
			break;
		if (choice->json)
			print_json(&event);
		else
			print_text(&event);
	}
	ostore_unsubscribe(subscription);
	if (status)
		return status;
	if (r < 0 && r != -ETIMEDOUT) {
		status = fail_library(inv, r, NULL);
		(void)finish_output();
		return status;
	}
	return finish_output();
}

enum status cmd_events(struct invocation *inv)
{
	struct choice choice = {
		.follow = !option_value(inv, "no-follow"),
		.json = inv->json,
	};
	enum status status;

	status = option_number(inv, "since",
		choice.follow ? OSTORE_EVENTS_NEW : OSTORE_EVENTS_KEPT, &choice.since);
	if (!status)
		status = option_number(inv, "limit", UINT64_MAX, &choice.limit);
	if (!status)
		status = invocation_connect(inv);
	if (!status)
		status = print_events(inv, &choice);
	return status;
}
