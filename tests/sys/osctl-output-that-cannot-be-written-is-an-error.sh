#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A full disk, a closed descriptor or a reader that went away would pass for success, or the
# bytes would go somewhere else.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
[ -w /dev/full ] || skip "needs /dev/full"
start_broker --capacity=64MiB
head -c 3000000 /dev/urandom >"$TEST_DIR/file"
id=$("$OSCTL" put "$TEST_DIR/file") || fail "put"

# fails WORDS... - with the caller's standard output; one line
fails()
{
	local status=0
	"$OSCTL" "$@" 2>"$TEST_DIR/stderr" || status=$?
	[ $status -eq 1 ] || fail "osctl $*: status $status"
	[ "$(wc -l <"$TEST_DIR/stderr")" -eq 1 ] || fail "osctl $*: $(cat "$TEST_DIR/stderr")"
	grep -q 'standard output' "$TEST_DIR/stderr" || fail "osctl $*: $(cat "$TEST_DIR/stderr")"
}

for words in ls "events --no-follow" status config doctor help --version "--json ls" "stat $id" "get $id" "put $TEST_DIR/file"; do
	# shellcheck disable=SC2086 # words
	fails $words >/dev/full
	# shellcheck disable=SC2086 # words
	fails $words >&-
	# shellcheck disable=SC2086,SC2261 # words; standard output is opened for reading
	fails $words >/dev/null 1</dev/null
done
# A put whose id nobody saw is taken back.
[ "$("$OSCTL" --json ls | grep -c '"id"')" -eq 1 ] || fail "an object is left that nobody knows: $("$OSCTL" ls)"

# The reader goes away early.
{ "$OSCTL" get "$id" 2>"$TEST_DIR/stderr"; echo $? >"$TEST_DIR/status"; } | head -c 10 >/dev/null
[ "$(cat "$TEST_DIR/status")" -eq 1 ] || fail "a closed pipe: status $(cat "$TEST_DIR/status")"
grep -q 'reader' "$TEST_DIR/stderr" || fail "a closed pipe: $(cat "$TEST_DIR/stderr")"

# Closed stdin and stderr do not become somebody else's.
"$OSCTL" get "$id" <&- 2>&- | cmp - "$TEST_DIR/file" || fail "without stdin and stderr"
"$OSCTL" put - <&- 2>/dev/null && fail "put of a closed standard input"
exit 0
