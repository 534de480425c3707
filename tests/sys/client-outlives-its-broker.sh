#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A broker that dies for good would take the bytes with it that clients still map.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=256MiB
BROKER_PID=$BROKER_PID "$top_builddir/tests/sys/client-threads" \
	a_broker_that_goes_leaves_the_mappings || fail "client"
test_brokers=
