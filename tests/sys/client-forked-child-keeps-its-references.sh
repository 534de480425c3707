#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A forked child that lost its parent's references when the parent drops them,
# or that kept them after its own end, would lose or leak objects.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --capacity=256MiB
"$top_builddir/tests/sys/client-fork" || fail "client-fork"
