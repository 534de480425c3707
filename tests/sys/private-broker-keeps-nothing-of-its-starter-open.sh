#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A broker that inherits a pipe's end keeps the pipe's reader waiting for as long as
# it lives; and a soft limit of descriptors, from any shell, must not be its own.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

echo leak >"$TEST_DIR/leaked"
# shellcheck disable=SC3045 # dash and bash both know it
ulimit -Sn 256
exec 6<"$TEST_DIR/leaked"
start_broker
exec 6<&-
for fd in "/proc/$BROKER_PID/fd"/*; do
	case $(readlink "$fd") in
	"$TEST_DIR/leaked" | "$BROKER_DIR/ready") fail "descriptor ${fd##*/} is $(readlink "$fd")" ;;
	esac
done
[ "$(readlink "/proc/$BROKER_PID/fd/0")" = /dev/null ] || fail "it holds standard input"
[ "$(readlink "/proc/$BROKER_PID/fd/1")" = /dev/null ] || fail "it holds standard output"
[ "$(readlink "/proc/$BROKER_PID/cwd")" = / ] || fail "it holds its directory"
limit=$(awk '/^Max open files/ { print $4 }' "/proc/$(worker_pid)/limits")
[ "$limit" -gt 256 ] || fail "its limit of descriptors is still $limit"
# the table is grown before it is shared, not while clients wait
size=$(awk '/^FDSize:/ { print $2 }' "/proc/$BROKER_PID/status")
wanted=$limit
[ "$wanted" -le 65536 ] || wanted=65536
[ "$size" -ge "$wanted" ] || fail "its descriptor table has room for $size of $wanted"

# a reader of its standard output ends when the address is there
("$OSTORED" --private --starter=$$ & echo $! >"$TEST_DIR/pid") | timeout 20 cat >"$TEST_DIR/address" ||
	fail "the reader hangs"
cleanup_fn kill "$(cat "$TEST_DIR/pid")"
grep -q '/ostore.sock$' "$TEST_DIR/address" || fail "no address on standard output"
stop_broker
