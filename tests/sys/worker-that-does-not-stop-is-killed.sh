#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stop ends within stop_timeout and a little, whatever the worker does.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --stop_timeout=1
worker=$(worker_pid)
kill -STOP "$worker"
kill -TERM "$BROKER_PID"
wait_until 20 is_gone "$BROKER_PID" || fail "it waits for a worker that does not answer"
wait "$BROKER_PID"
status=$?
[ $status = 1 ] || fail "status $status instead of 1"
grep -q "did not stop within 1 s" "$BROKER_LOG" || fail "log: $(cat "$BROKER_LOG")"
is_gone "$worker" || fail "the worker is still there"
[ ! -e "$OSTORE_ADDRESS" ] || fail "the socket is still there"
