/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WIRE_CONFIGURE: a value of the configuration changes while clients work.
 *
 * Who may: root, and the user that the broker runs as.  What a key means is the
 * host's to say (struct broker_host); the core takes over what concerns it, and
 * notes the change in the tables, so that the heir, whose memory is a copy of the
 * supervisor's, begins with settings_inherit().  A change is its own repetition:
 * sent again after a worker's death it does no harm.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/log.h"

void settings_inherit(struct broker *broker)
{
	const struct broker_host *host = broker->options->host;
	struct core_setting setting;
	struct text error = TEXT_INIT;
	uint32_t cursor = 0;
	bool changed = false;

	while (host && core_next_setting(broker->core, &cursor, &setting)) {
		const int r = host->configure(host->user, &setting, true, 0, &error);

		if (r < 0) /* it was good when it was noted */
			log_error("the value of \"%s\" that was set at run time is lost: %s", setting.key,
				r == -EINVAL ? error.bytes : strerror(-r));
		changed = true;
	}
	if (changed)
		(void)core_configure(broker->core, broker->now, broker->options->core, NULL);
}

static int change(struct broker *broker, const struct connection *c,
	const struct wire_request *request, struct text *error)
{
	const struct broker_host *host = broker->options->host;
	struct core_setting setting = {
		.key = request->name,
		.value = request->value ? request->value : "",
		.uid = c->uid,
	};
	int r;

	if (c->uid != 0 && c->uid != geteuid()) {
		text_set(error,
			"uid %u may not change the configuration: root and uid %u, the broker's, may",
			c->uid, geteuid());
		return -EACCES;
	}
	if (!host) {
		text_set(error, "this broker's configuration cannot be changed while it runs");
		return -EOPNOTSUPP;
	}
	r = host->configure(host->user, &setting, false, limit_used(broker), error);
	if (r < 0)
		return r;
	r = core_configure(broker->core, broker->now, broker->options->core, &setting);
	if (r == 0)
		log_notice("uid %u, pid %d (%s) set %s to \"%s\"", c->uid, (int)c->pid, c->comm,
			setting.key, setting.value);
	return r;
}

void settings_change(struct broker *broker, struct connection *c,
	const struct wire_request *request)
{
	struct text error = TEXT_INIT;
	struct wire_reply reply = { .type = WIRE_CONFIGURE, .serial = request->serial };

	reply.status = change(broker, c, request, &error);
	if (reply.status < 0)
		reply.text = error.length > 0 ? error.bytes : strerror(-reply.status);
	broker->limit_logged = 0; /* what is larger than what the machine has is told at once */
	limit_look(broker);
	broker_settle(broker);
	output_reply(broker, c, &reply, NULL, 0, NULL);
}
