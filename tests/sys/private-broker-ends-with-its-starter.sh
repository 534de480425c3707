#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A private broker that outlives its starter and its users holds their memory for
# ever; one whose socket lies in a guessable or open place can be impersonated.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

sleep 1000 &
starter=$!
XDG_RUNTIME_DIR=$TEST_DIR "$OSTORED" --private --starter=$starter --ready-fd=9 \
	9>"$TEST_DIR/ready" 2>"$TEST_DIR/log" </dev/null &
broker=$!
cleanup_fn kill -KILL $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "not ready: $(cat "$TEST_DIR/log")"
worker=$(worker_pid $broker)

read -r socket <"$TEST_DIR/ready"
place=$(dirname "$socket")
case $place in
"$TEST_DIR"/ostore-??????) ;;
*) fail "socket $socket is not in a fresh directory below XDG_RUNTIME_DIR" ;;
esac
[ -S "$socket" ] || fail "no socket at $socket"
[ "$(stat -c %a "$place")" = 700 ] || fail "$place is open to others"
[ "$(stat -c %a "$socket")" = 600 ] || fail "$socket is open to others"
session=$(sed 's/.*) //' /proc/$broker/stat | cut -d ' ' -f 4)
[ "$session" = $broker ] || fail "it has no session of its own, Ctrl-C would reach it"
grep -q . "$TEST_DIR/log" && fail "a private broker is not quiet: $(cat "$TEST_DIR/log")"

sleep 1.5
is_running $broker || fail "it ended before its starter"
kill $starter
wait_until 20 is_gone $broker || fail "it is still there after its starter"
wait $broker || fail "it ended with status $?"
is_gone "$worker" || fail "its worker is still there"
[ ! -e "$place" ] || fail "$place is still there"
