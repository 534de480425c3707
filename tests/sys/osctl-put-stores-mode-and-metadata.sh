#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# --mode and --metadata would be accepted and forgotten, or metadata cut at the limit.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB
head -c 65536 /dev/zero >"$TEST_DIR/most"
head -c 65537 /dev/zero >"$TEST_DIR/more"

for size in 10 3000000; do
	id=$(head -c $size /dev/zero | "$OSCTL" put --mode 0640 --metadata "$TEST_DIR/most" -) || fail "put"
	"$OSCTL" --json stat "$id" >"$TEST_DIR/stat" || fail "stat"
	grep -q '"mode": "0640"' "$TEST_DIR/stat" || fail "the mode: $(cat "$TEST_DIR/stat")"
	grep -q '"metadata_size": 65536' "$TEST_DIR/stat" || fail "the metadata: $(cat "$TEST_DIR/stat")"
	"$OSCTL" rm "$id" || fail "rm"
done
echo x | "$OSCTL" put --metadata "$TEST_DIR/more" - 2>"$TEST_DIR/stderr" && fail "metadata beyond the limit"
grep -q '65536' "$TEST_DIR/stderr" || fail "the line: $(cat "$TEST_DIR/stderr")"
[ "$("$OSCTL" --json ls | tr -d ' \n')" = "[]" ] || fail "an object is left"
