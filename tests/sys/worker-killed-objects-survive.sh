#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of the worker loses nothing: objects, names, leases, drafts and a blocked
# get go on with the next worker, on the same connection.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
survivor=$top_builddir/tests/sys/survivor

start_broker --capacity=256MiB
mkfifo "$TEST_DIR/in"
"$survivor" <"$TEST_DIR/in" >"$TEST_DIR/out" &
client=$!
cleanup_fn kill -KILL $client "2>/dev/null"
exec 8>"$TEST_DIR/in"
said() { [ "$(grep -c ready "$TEST_DIR/out")" -ge "$1" ] || ! is_running $client; }
for round in 1 2 3 4; do
	wait_until 30 said $round || fail "round $round: the client hangs"
	is_running $client || fail "round $round: the client ended"
	# the third time while it works, the others while it waits
	[ $round != 3 ] || echo go >&8
	kill_worker_and_wait
	[ $round = 3 ] || echo go >&8
done
exec 8>&-
wait $client || fail "the client ended with status $?"
grep -qx 'done' "$TEST_DIR/out" || fail "the client did not come to its end"
stop_broker
