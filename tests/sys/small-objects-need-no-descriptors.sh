#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 50,000 small objects under 400 descriptors; they keep their bytes while most of them
# are deleted, the others moved together, and the worker killed.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=512MiB --max_descriptors=500
kill_workers_under 5 0.2 "$top_builddir/tests/sys/small-objects"
