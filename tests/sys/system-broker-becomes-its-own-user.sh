#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Started as root, the broker is another user for good before it serves anybody,
# with that user's groups, and keeps only the capabilities that privileges.c names.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_root
requires_prog capsh setpriv
uid=$(id -u nobody) && gid=$(id -g nobody) || skip "needs the user nobody"

mkdir "$TEST_DIR/run"
chown nobody "$TEST_DIR/run"
chmod 755 "$TEST_DIR"
setpriv --groups=0,4 -- "$OSTORED" --user=nobody --config=/dev/null --address="$TEST_DIR/run/o.sock" \
	--state_directory="$TEST_DIR/var/state" --ready-fd=9 9>"$TEST_DIR/ready" 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/ready" || fail "not ready: $(cat "$TEST_DIR/log")"
[ "$(stat -c %a "$TEST_DIR/run/o.sock")" = 666 ] || fail "the socket is not for everybody"
[ "$(stat -c %a:%u "$TEST_DIR/var/state")" = "700:$uid" ] || fail "state directory: $(stat -c %a:%u "$TEST_DIR/var/state")"

named=$(sed -n '/kept_capabilities\[\]/,/^};/s/.*\.capability = \(CAP_[A-Z_]*\).*/\1/p' \
	"$top_srcdir/src/ostored/privileges.c" | tr '[:upper:]' '[:lower:]' | sort | tr '\n' ' ')
for task in /proc/$broker/task/* /proc/"$(worker_pid $broker)"/task/*; do
	grep -q "^Uid:.$uid.$uid.$uid.$uid$" "$task/status" || fail "$task: $(grep Uid "$task/status")"
	grep -q "^Gid:.$gid.$gid.$gid.$gid$" "$task/status" || fail "$task: $(grep Gid "$task/status")"
	grep -q '^Groups:.*\<[04]\>' "$task/status" && fail "$task is still in root's groups"
	grep -q '^NoNewPrivs:.1$' "$task/status" || fail "$task could gain privileges"
	for set in CapPrm CapEff CapBnd; do
		mask=$(sed -n "s/^$set:.//p" "$task/status")
		has=$(capsh --decode="$mask" | sed 's/.*=//' | tr ',' '\n' | sort | tr '\n' ' ')
		[ "${has# }" = "$named" ] || fail "$task: $set is $has, named are: $named"
	done
done
kill -KILL "$(worker_pid $broker)"
wait_until 20 worker_pid $broker >/dev/null || fail "no heir"
kill $broker
wait $broker || fail "status $?"
[ ! -e "$TEST_DIR/run/o.sock" ] || fail "the socket is still there"

# The default places, seen by a broker that has a /run of its own.
unshare --mount true 2>/dev/null || exit 0
# shellcheck disable=SC2016
unshare --mount sh -c 'mount -t tmpfs tmpfs /run && exec "$@"' - \
	"$OSTORED" --user=nobody --config=/dev/null --state_directory="$TEST_DIR/var/state" \
	--ready-fd=9 9>"$TEST_DIR/default-ready" 2>"$TEST_DIR/log" &
broker=$!
cleanup_fn kill $broker "2>/dev/null"
wait_until 20 test -s "$TEST_DIR/default-ready" || fail "default address: $(cat "$TEST_DIR/log")"
[ "$(cat "$TEST_DIR/default-ready")" = /run/ostore/ostore.sock ] || fail "default address is $(cat "$TEST_DIR/default-ready")"
[ "$(stat -c %a:%u /proc/$broker/root/run/ostore)" = "755:$uid" ] || fail "/run/ostore"
kill $broker
wait $broker || fail "status $?"
