#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGTERM and SIGINT are a clean stop: status 0, no process and no socket left.  A
# socket left by a killed broker is replaced, that of a living one is not.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

for signal in TERM INT; do
	start_broker
	worker=$(worker_pid)
	"$OSTORED" --private --address="$OSTORE_ADDRESS" 2>"$TEST_DIR/second" && fail "a second broker took the address"
	grep -q "another broker serves there" "$TEST_DIR/second" || fail "$(cat "$TEST_DIR/second")"
	[ -S "$OSTORE_ADDRESS" ] || fail "the second broker removed the socket of the first"
	kill -$signal "$BROKER_PID"
	wait_until 20 is_gone "$BROKER_PID" || fail "SIG$signal not obeyed"
	wait "$BROKER_PID" || fail "status $? after SIG$signal"
	is_gone "$worker" || fail "the worker is still there"
	[ ! -e "$OSTORE_ADDRESS" ] || fail "the socket is still there"
done

start_broker
worker=$(worker_pid)
kill -KILL "$BROKER_PID"
wait "$BROKER_PID" 2>/dev/null
wait_until 20 is_gone "$worker" || fail "the worker outlives its supervisor"
[ -S "$OSTORE_ADDRESS" ] || fail "this test needs the socket of a killed broker"
"$OSTORED" --private --address="$OSTORE_ADDRESS" --starter=$$ --ready-fd=9 9>"$TEST_DIR/ready" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "a stale socket is not replaced"
kill $broker
wait $broker || fail "status $?"
