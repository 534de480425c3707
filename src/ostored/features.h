/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of this machine the broker uses, and why not: osctl status and doctor show it. */
#ifndef OSTORED_FEATURES_H
#define OSTORED_FEATURES_H

#include <stdbool.h>

#include "wire/message.h"

#define FEATURES_N 5

/* features_fill() - "feature.NAME" on or off, and the reason where it is off
 * @huge_pages: the effective setting; allowed: what the kernel says */
void features_fill(struct wire_field fields[FEATURES_N], bool huge_pages, bool huge_pages_allowed);

#endif
