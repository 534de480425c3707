#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A worker that crashes again and again must neither eat a CPU nor be given up:
# its objects can be saved only by an heir.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker
for _ in 1 2 3 4 5 6; do
	old=$(worker_pid) || fail "no worker"
	kill -ABRT "$old"
	wait_until 20 test_has_other_worker "$old" || fail "no heir after the abort of worker $old"
done
[ "$(grep -c 'starts now' "$BROKER_LOG")" = 4 ] || fail "four deaths before there is a delay"
grep -q 'starts in 0.1 s' "$BROKER_LOG" && grep -q 'starts in 0.2 s' "$BROKER_LOG" || fail "no growing delay"
stop_broker
