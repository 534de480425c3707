#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 3,000 small objects are mapped and released under 1,100 descriptors, and 250 clients
# connect: nobody is told that there are none, and nothing is evicted.  The worker is killed.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=512MiB --max_descriptors=1100
kill_workers_under 3 0.1 "$top_builddir/tests/sys/idle-objects"
