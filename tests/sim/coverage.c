/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "coverage.h"

static const char *const class_texts[COVERAGE_N] = {
#define X(name, text) [COVERAGE_##name] = text,
	COVERAGE_CLASSES(X)
#undef X
};

/* What each type of request has to have been answered. */
static const struct {
	uint16_t type;
	int status;
} required[] = {
	{ WIRE_HELLO, 0 },
	{ WIRE_CREATE, 0 },
	{ WIRE_CREATE, EEXIST },
	{ WIRE_CREATE, EFBIG },
	{ WIRE_CREATE, EDQUOT },
	{ WIRE_CREATE, ENOBUFS },
	{ WIRE_CREATE, EINVAL },
	{ WIRE_CREATE, ENOMEM },
	{ WIRE_SEAL, 0 },
	{ WIRE_SEAL, EBUSY },
	{ WIRE_SEAL, ENOENT },
	{ WIRE_SEAL, EINVAL },
	{ WIRE_ABORT, 0 },
	{ WIRE_ABORT, ENOENT },
	{ WIRE_PUT, 0 },
	{ WIRE_PUT, EEXIST },
	{ WIRE_PUT, EDQUOT },
	{ WIRE_PUT, ENOBUFS },
	{ WIRE_PUT_FD, 0 },
	{ WIRE_PUT_FD, EEXIST },
	{ WIRE_PUT_FD, EPERM },
	{ WIRE_GET, 0 },
	{ WIRE_GET, ENOENT },
	{ WIRE_GET, ETIMEDOUT },
	{ WIRE_GET, ENODATA },
	{ WIRE_DELETE, 0 },
	{ WIRE_DELETE, ENOENT },
	{ WIRE_DELETE, EACCES },
	{ WIRE_HOLD, 0 },
	{ WIRE_HOLD, ENOENT },
	{ WIRE_UNHOLD, 0 },
	{ WIRE_UNHOLD, ENOENT },
	{ WIRE_LOOKUP, 0 },
	{ WIRE_LOOKUP, ENOENT },
	{ WIRE_LEASE, 0 },
	{ WIRE_LEASE, ENOENT },
	{ WIRE_LOAD, 0 },
	{ WIRE_LOAD, ENOENT },
	{ WIRE_SHARE, 0 },
	{ WIRE_SHARE, ENOENT },
	{ WIRE_SHARE, EINVAL },
	{ WIRE_JOIN, 0 },
	{ WIRE_JOIN, ENOENT },
	{ WIRE_JOIN, EINVAL },
	{ WIRE_WAIT, 0 },
	{ WIRE_LIST, 0 },
	{ WIRE_STAT, 0 },
	{ WIRE_STAT, ENOENT },
	{ WIRE_STATUS, 0 },
	{ WIRE_SUBSCRIBE, 0 },
	{ WIRE_SUBSCRIBE, EINVAL },
	{ WIRE_SUBSCRIBE, EBUSY },
	{ WIRE_SET, 0 },
	{ WIRE_SET, ENOENT },
	{ WIRE_SET, EACCES },
	{ WIRE_SET, EINVAL },
};

/* Types that have no reply, and so are only counted. */
static const uint16_t unanswered[] = { WIRE_RELEASE, WIRE_FORK, WIRE_RECONCILE, WIRE_ACK, WIRE_CANCEL };

void coverage_add(struct coverage *sum, const struct coverage *part)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)part;

	_Static_assert(sizeof *sum % sizeof *to == 0, "coverage is all counters");
	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += from[i];
}

void coverage_print(const struct coverage *coverage, FILE *file)
{
	fprintf(file, "%llu seeds\n", (unsigned long long)coverage->seeds);
	for (int i = 0; i < COVERAGE_N; i++)
		fprintf(file, "%12llu %s\n", (unsigned long long)coverage->classes[i],
			class_texts[i]);
	for (int type = 1; type <= WIRE_REQUEST_LAST; type++) {
		if (coverage->requests[type] == 0)
			continue;
		fprintf(file, "%12llu %s:", (unsigned long long)coverage->requests[type],
			wire_type_name(type));
		for (int status = 0; status < COVERAGE_STATUSES; status++)
			if (coverage->statuses[type][status])
				fprintf(file, " %s %llu",
					status ? strerrorname_np(status) : "ok",
					(unsigned long long)coverage->statuses[type][status]);
		fputc('\n', file);
	}
}

unsigned int coverage_gaps(const struct coverage *coverage, FILE *file)
{
	unsigned int gaps = 0;

	for (int i = 0; i < COVERAGE_N; i++)
		if (coverage->classes[i] == 0) {
			fprintf(file, "never reached: %s\n", class_texts[i]);
			gaps++;
		}
	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
		if (coverage->statuses[required[i].type][required[i].status] == 0) {
			fprintf(file, "never reached: %s answered %s\n",
				wire_type_name(required[i].type),
				required[i].status ? strerrorname_np(required[i].status) : "ok");
			gaps++;
		}
	for (size_t i = 0; i < sizeof unanswered / sizeof unanswered[0]; i++)
		if (coverage->requests[unanswered[i]] == 0) {
			fprintf(file, "never reached: %s\n", wire_type_name(unanswered[i]));
			gaps++;
		}
	return gaps;
}
