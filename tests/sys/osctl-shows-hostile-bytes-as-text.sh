#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A name with terminal sequences, or bytes that are no characters, would drive the reader's
# terminal, hang the table printer, or make JSON that nobody can read.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog "$PYTHON"
start_broker --capacity=8MiB

for name in "$(printf 'esc\033[2Jape')" "$(printf 'inv\377\376alid')" "$(printf 'two\nlines')"; do
	# Refusing such a name is an answer too.
	echo x | "$OSCTL" put --name "$name" - >/dev/null 2>"$TEST_DIR/stderr" || {
		[ "$(wc -l <"$TEST_DIR/stderr")" -eq 1 ] || fail "not one line"
		continue
	}
	for locale in C C.UTF-8; do
		LC_ALL=$locale timeout 20 "$OSCTL" ls >"$TEST_DIR/ls" || fail "ls"
		LC_ALL=$locale timeout 20 "$OSCTL" stat "$name" >"$TEST_DIR/stat" || fail "stat"
		if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177\200-\377]')" "$TEST_DIR/ls" "$TEST_DIR/stat"; then
			fail "raw bytes: $(cat -v "$TEST_DIR/ls")"
		fi
		[ "$(wc -l <"$TEST_DIR/ls")" -eq 2 ] || fail "not one line an object: $(cat "$TEST_DIR/ls")"
	done
	"$OSCTL" --json ls | "$PYTHON" -c 'import json, sys; assert json.load(sys.stdin)[0]["names"]' || fail "JSON"
	"$OSCTL" rm "$name" || fail "rm"
done
"$OSCTL" stat "$(printf 'no\033[2J\nsuch')" 2>"$TEST_DIR/stderr" && fail "stat of nothing"
[ "$(wc -l <"$TEST_DIR/stderr")" -eq 1 ] || fail "not one line: $(cat -v "$TEST_DIR/stderr")"
grep -q "$(printf '\033')" "$TEST_DIR/stderr" && fail "an escape sequence in an error"
exit 0
