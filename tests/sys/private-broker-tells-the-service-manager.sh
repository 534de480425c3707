#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Type=notify: READY only when clients can connect, STOPPING at the end, and
# WATCHDOG in between when it is asked for, a killed worker notwithstanding.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_prog "$PYTHON"

cat >"$TEST_DIR/listen.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while True:
    message = s.recv(4096).decode().replace("\n", " ")
    print(message, flush=True)
    if "STOPPING=1" in message:
        break
END
"$PYTHON" "$TEST_DIR/listen.py" "$TEST_DIR/notify" >"$TEST_DIR/heard" &
listener=$!
: >>"$TEST_DIR/heard"
cleanup_fn kill $listener "2>/dev/null"
wait_until 20 grep -q listening "$TEST_DIR/heard" || fail "no listener"
(
	NOTIFY_SOCKET=$TEST_DIR/notify WATCHDOG_USEC=200000
	export NOTIFY_SOCKET WATCHDOG_USEC
	exec "$OSTORED" --private --address="$TEST_DIR/o.sock" 2>"$TEST_DIR/log" >/dev/null
) &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 grep -q "^READY=1 STATUS=Serving at $TEST_DIR/o.sock" "$TEST_DIR/heard" ||
	fail "no READY: $(cat "$TEST_DIR/heard" "$TEST_DIR/log")"
[ -S "$TEST_DIR/o.sock" ] || fail "READY without a socket"
wait_until 20 grep -q '^WATCHDOG=1' "$TEST_DIR/heard" || fail "no WATCHDOG"
kill -KILL "$(worker_pid $broker)"
wait_until 20 grep -q '^STATUS=Worker died' "$TEST_DIR/heard" || fail "nothing about the dead worker"
wait_until 20 grep -q '^STATUS=Serving' "$TEST_DIR/heard" || fail "nothing about its heir"
[ "$(grep -c READY "$TEST_DIR/heard")" = 1 ] || fail "READY was said more than once"
kill $broker
wait $broker || fail "status $?"
wait $listener
grep -q '^STOPPING=1' "$TEST_DIR/heard" || fail "no STOPPING"
