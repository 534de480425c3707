#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A private broker whose starter is gone goes on for those who are still connected,
# and ends when they are gone too.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

sleep 1000 &
starter=$!
OSTORE_ADDRESS=$TEST_DIR/o.sock
export OSTORE_ADDRESS
"$OSTORED" --private --address="$OSTORE_ADDRESS" --starter=$starter --ready-fd=9 \
	9>"$TEST_DIR/ready" 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill -KILL $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "not ready: $(cat "$TEST_DIR/log")"
mkfifo "$TEST_DIR/in"
"$top_builddir/tests/sys/survivor" <"$TEST_DIR/in" >"$TEST_DIR/out" &
client=$!
cleanup_fn kill -KILL $client "2>/dev/null"
exec 8>"$TEST_DIR/in"
wait_until 20 grep -q ready "$TEST_DIR/out" || fail "the client hangs"
kill $starter
sleep 1.6
is_running $broker || fail "it ended while a client was connected"
kill -KILL "$(worker_pid $broker)"
sleep 1.6
is_running $broker || fail "the next worker ended while a client was connected"
exec 8>&-
wait $client || fail "the client ended with status $?"
wait_until 20 is_gone $broker || fail "it is still there without starter and clients"
wait $broker || fail "it ended with status $?"
