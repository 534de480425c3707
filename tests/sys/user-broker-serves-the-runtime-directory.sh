#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Without --private, any user's ostored serves the place where that user's programs
# look, closed to others; without such a place it says what to do.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
uid=65534
requires_user $uid

mkdir "$TEST_DIR/run"
chmod 755 "$TEST_DIR"
chown $uid "$TEST_DIR/run"
chmod 700 "$TEST_DIR/run"
(
	XDG_RUNTIME_DIR=$TEST_DIR/run
	export XDG_RUNTIME_DIR
	exec setpriv --reuid=$uid --regid=$uid --clear-groups --inh-caps=-all -- "$OSTORED" --ready-fd=9
) 9>"$TEST_DIR/ready" 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "not ready: $(cat "$TEST_DIR/log")"
[ "$(cat "$TEST_DIR/ready")" = "$TEST_DIR/run/ostore/ostore.sock" ] || fail "it serves $(cat "$TEST_DIR/ready")"
[ "$(stat -c %a "$TEST_DIR/run/ostore")" = 700 ] || fail "its directory is open to others"
grep -q 'serving at' "$TEST_DIR/log" || fail "it does not say where it serves"
kill $broker
wait $broker || fail "status $?"
[ ! -e "$TEST_DIR/run/ostore/ostore.sock" ] || fail "the socket is still there"

unset XDG_RUNTIME_DIR
as_user $uid "$OSTORED" 2>"$TEST_DIR/error" && fail "it started without XDG_RUNTIME_DIR"
grep -q -- '--address=PATH or --private' "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
