#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A cache would show old values: the time of an object ends, also while its worker dies.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=64MiB
short=$(echo short | "$OSCTL" put --name short --ttl 100ms -) || fail "put"
echo long | "$OSCTL" put --name long --ttl 1h - >/dev/null || fail "put"
kill_worker_and_wait
echo again | "$OSCTL" put --name again --ttl 1h - >/dev/null || fail "put"
"$OSCTL" set again --ttl 100ms || fail "set"

# gone NAME
gone()
{
	"$OSCTL" get "$1" >/dev/null 2>"$TEST_DIR/error"
	[ $? -eq 4 ]
}
wait_until 10 gone short || fail "the object outlives its time"
wait_until 10 gone again || fail "the object outlives the time that was set later"
"$OSCTL" get "$short" 2>"$TEST_DIR/error"
grep -q 'time to live ended' "$TEST_DIR/error" || fail "the error does not say why: $(cat "$TEST_DIR/error")"
[ "$("$OSCTL" get long)" = long ] || fail "the other one is gone too"
"$OSCTL" --json events --no-follow | grep "\"event\": \"expired\", \"id\": \"$short\"" >/dev/null ||
	fail "no event: $("$OSCTL" events --no-follow)"
