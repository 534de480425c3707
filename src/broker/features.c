/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "broker/features.h"

#include "memory/memfd.h"

/* What the machine allows is osctl doctor's to say; here stands what the broker uses. */
#define UNUSED "this version does not use it; osctl doctor says whether the machine allows it"

static struct wire_field feature(const char *key, bool on, const char *reason)
{
	return (struct wire_field){
		.key = key,
		.value = on ? "on" : "off",
		.origin = reason,
		.number = on,
	};
}

static struct wire_field huge_pages_feature(bool wanted)
{
	const char *reason;
	bool allowed = memfd_huge_pages(&reason);

	if (!wanted)
		reason = "the configuration says huge_pages=no";
	return feature("feature.huge_pages", allowed && wanted, reason);
}

void features_probe(struct wire_field fields[N_FEATURES], bool huge_pages,
	const char *without_seccomp)
{
	fields[0] = feature("feature.bpf", false, UNUSED);
	fields[1] = huge_pages_feature(huge_pages);
	fields[2] = feature("feature.io_uring", false, UNUSED);
	fields[3] = feature("feature.kernel_faults", false, UNUSED);
	fields[4] = feature("feature.seccomp", !without_seccomp,
		without_seccomp ? without_seccomp : "the worker may make no other system calls "
			"than it needs");
	fields[5] = feature("feature.userfaultfd", false, UNUSED);
}
