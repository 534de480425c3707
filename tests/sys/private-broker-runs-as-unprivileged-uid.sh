#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Private mode needs no root and no capability, whatever uid starts it.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
uid=65534
requires_user $uid

mkdir "$TEST_DIR/run"
chmod 755 "$TEST_DIR"
chown $uid "$TEST_DIR/run"
chmod 700 "$TEST_DIR/run"
sleep 1000 &
starter=$!
cleanup_fn kill $starter "2>/dev/null"
(
	XDG_RUNTIME_DIR=$TEST_DIR/run
	export XDG_RUNTIME_DIR
	exec setpriv --reuid=$uid --regid=$uid --clear-groups --inh-caps=-all -- \
		"$OSTORED" --private --starter=$starter --ready-fd=9
) 9>"$TEST_DIR/ready" 2>"$TEST_DIR/log" </dev/null &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "not ready: $(cat "$TEST_DIR/log")"
for pid in $broker "$(worker_pid $broker)"; do
	grep -q "^Uid:.$uid.$uid.$uid.$uid$" "/proc/$pid/status" || fail "process $pid: $(grep Uid "/proc/$pid/status")"
	grep -q '^CapPrm:.0*$' "/proc/$pid/status" || fail "process $pid has capabilities"
	grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" || fail "process $pid could gain privileges"
done
kill $broker
wait_until 20 is_gone $broker || fail "SIGTERM not obeyed"
wait $broker || fail "it ended with status $?"
[ -z "$(ls "$TEST_DIR/run")" ] || fail "it left $(ls "$TEST_DIR/run")"
