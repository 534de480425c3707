#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A socket whose broker is dead, but which a process that cannot die keeps open,
# does not keep the next broker from its address; that of a living one does.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_prog "$PYTHON"

# Listens, leaves the socket to a child that accepts nothing, says its pid, and waits
# for a line before it ends.
"$PYTHON" -c 'import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
s.listen(100)
pid = os.fork()
if pid == 0:
    os.close(0)
    time.sleep(60)
    os._exit(0)
print(pid, flush=True)
while not os.path.exists(sys.argv[1] + ".end"):
    time.sleep(0.01)' "$TEST_DIR/a.sock" >"$TEST_DIR/holder" &
owner=$!
wait_until 20 test -s "$TEST_DIR/holder" || fail "no listener"
cleanup_fn kill "$(cat "$TEST_DIR/holder")" "2>/dev/null"
cleanup_fn kill $owner "2>/dev/null"

"$OSTORED" --private --address="$TEST_DIR/a.sock" >"$TEST_DIR/ready" 2>"$TEST_DIR/log" &&
	fail "it took the address of a living listener"
grep -q "another broker serves there" "$TEST_DIR/log" || fail "$(cat "$TEST_DIR/log")"

: >"$TEST_DIR/a.sock.end"
wait $owner || fail "the listener's status: $?"
"$OSTORED" --private --address="$TEST_DIR/a.sock" >"$TEST_DIR/ready" 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "it does not serve: $(cat "$TEST_DIR/log")"
kill $broker
wait $broker || fail "status $?"
