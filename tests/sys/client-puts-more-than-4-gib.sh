#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A size that was kept in 32 bits somewhere would come back smaller.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_free_mem 7GiB
requires_no_wrapper

start_broker --capacity=5GiB
"$top_builddir/tests/sys/c-api" more_than_4_gib || fail "c-api"
