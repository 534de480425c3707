#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# One id that is gone, or one name that there is not, would save the others from being deleted, or the failure would go unseen.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB

ids=
for _ in $(seq 50); do
	ids="$ids $(echo x | "$OSCTL" put -)" || fail "put"
done
echo named | "$OSCTL" put --name here - >/dev/null || fail "put --name"
gone=0000000000000000000000000000dead
status=0
# shellcheck disable=SC2086 # words
"$OSCTL" rm $gone $ids not-here here >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
[ $status -eq 4 ] || fail "status $status: $(cat "$TEST_DIR/stderr")"
grep -q "$gone.*2 of 53" "$TEST_DIR/stderr" || fail "the line: $(cat "$TEST_DIR/stderr")"
[ -s "$TEST_DIR/stdout" ] && fail "printed on stdout and failed"
[ "$("$OSCTL" ls --json | tr -d ' \n')" = "[]" ] || fail "objects are left: $("$OSCTL" ls)"
