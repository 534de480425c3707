#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stream without an end would take all memory of the machine: it is collected outside the
# store before it is offered.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB

status=0
timeout 60 "$OSCTL" put - </dev/zero >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
[ $status -eq 5 ] || fail "status $status: $(cat "$TEST_DIR/stderr")"
grep -q 'standard input: longer than the store' "$TEST_DIR/stderr" || fail "$(cat "$TEST_DIR/stderr")"
[ "$("$OSCTL" --json ls | tr -d ' \n')" = "[]" ] || fail "an object is left"
