#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A function of libostore that does not do what ostore.h says, or fails in
# another way than it says, would break programs.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --capacity=256MiB
"$top_builddir/tests/sys/c-api" || fail "c-api"
