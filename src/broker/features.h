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

#define N_FEATURES 5

/* features_probe() - "feature.bpf", "feature.huge_pages", "feature.io_uring",
 *   "feature.kernel_faults", "feature.userfaultfd"
 * key, value "on" or "off", and origin, the reason, are static.
 * @huge_pages: the configuration wants them */
void features_probe(struct wire_field fields[N_FEATURES], bool huge_pages);

#endif
