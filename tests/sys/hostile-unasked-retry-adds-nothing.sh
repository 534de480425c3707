#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request that is repeated as a retry without a reason is not charged twice.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile unasked-retry
