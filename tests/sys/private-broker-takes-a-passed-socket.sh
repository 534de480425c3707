#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Socket activation: the service manager's socket is served and not removed, and one
# of a wrong kind is refused.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_prog systemd-socket-activate
requires_prog "$PYTHON"

connect()
{
	"$PYTHON" -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])' "$1"
}

systemd-socket-activate --seqpacket --listen="$TEST_DIR/a.sock" \
	"$OSTORED" --private >"$TEST_DIR/ready" 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -S "$TEST_DIR/a.sock" || skip "systemd-socket-activate made no socket: $(cat "$TEST_DIR/log")"
connect "$TEST_DIR/a.sock"
wait_until 20 test -s "$TEST_DIR/ready" || fail "not activated: $(cat "$TEST_DIR/log")"
[ "$(cat "$TEST_DIR/ready")" = "$TEST_DIR/a.sock" ] || fail "announced $(cat "$TEST_DIR/ready")"
connect "$TEST_DIR/a.sock" || fail "not served"
kill $broker
wait $broker || fail "status $?"
[ -S "$TEST_DIR/a.sock" ] || fail "it removed the service manager's socket"

systemd-socket-activate --listen="$TEST_DIR/b.sock" "$OSTORED" --private 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -S "$TEST_DIR/b.sock" || fail "no stream socket"
"$PYTHON" -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])' "$TEST_DIR/b.sock"
wait $broker && fail "a stream socket is accepted"
grep -q ListenSequentialPacket "$TEST_DIR/log" || fail "$(cat "$TEST_DIR/log")"
