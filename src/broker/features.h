/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker/features.h - which features of the machine the broker uses
 *
 * Looked at once, by the supervisor, before the first clone
 * (struct broker_options.features).
 */
#ifndef BROKER_FEATURES_H
#define BROKER_FEATURES_H

#include <stdbool.h>

#include "wire/message.h"

#define N_FEATURES 6

/* features_probe() - "feature.bpf", "feature.huge_pages", "feature.io_uring",
 *   "feature.kernel_faults", "feature.seccomp", "feature.userfaultfd"
 * key, value "on" or "off", and origin, the reason, are static, or @without_seccomp.
 * @huge_pages: the configuration wants them
 * @without_seccomp: why workers are not filtered; NULL: they are */
void features_probe(struct wire_field fields[N_FEATURES], bool huge_pages,
	const char *without_seccomp);

#endif
