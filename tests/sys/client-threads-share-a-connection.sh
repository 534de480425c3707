#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# One thread that waits would hold up the others of its connection.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --capacity=256MiB
"$top_builddir/tests/sys/client-threads" threads_wait_independently || fail "threads"
"$top_builddir/tests/sys/client-threads" closing_ends_the_waits_of_others || fail "closing"
"$top_builddir/tests/sys/client-threads" closing_ends_the_wait_before_a_fork || fail "forking"
"$top_builddir/tests/sys/client-threads" huge_batches_share_the_socket || fail "batches"
"$top_builddir/tests/sys/client-threads" torture 2 || fail "torture"
