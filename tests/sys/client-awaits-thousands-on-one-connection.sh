#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request of an event loop that is lost, reported twice, or starved by others beyond what
# the broker lets a connection wait for would leave a program waiting for ever.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=256MiB
"$top_builddir/tests/sys/client-async" || fail "client-async"
