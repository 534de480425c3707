#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ctrl-C would not reach a program that waits for an object.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --capacity=256MiB
"$top_builddir/tests/sys/client-threads" a_signal_ends_a_wait || fail "signals"
