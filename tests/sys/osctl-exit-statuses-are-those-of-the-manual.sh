#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Scripts could not tell one failure from another.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB

# expect STATUS WORDS... - osctl WORDS exits with STATUS; after a failure there is one line on
# stderr and nothing on stdout
expect()
{
	local wanted=$1 status=0
	shift
	"$OSCTL" "$@" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" </dev/null || status=$?
	[ $status -eq "$wanted" ] ||
		fail "osctl $*: status $status instead of $wanted: $(cat "$TEST_DIR/stderr")"
	[ "$wanted" -eq 0 ] && return
	[ -s "$TEST_DIR/stdout" ] && fail "osctl $*: printed on stdout and failed"
	[ "$(wc -l <"$TEST_DIR/stderr")" -eq 1 ] || fail "osctl $*: not one line: $(cat "$TEST_DIR/stderr")"
	grep -q '^osctl' "$TEST_DIR/stderr" || fail "osctl $*: the line does not say whose it is"
}

unknown=00000000000000000000000000000abc
echo hello >"$TEST_DIR/hello"
head -c 16777216 /dev/zero >"$TEST_DIR/big"

expect 0 put --id 11111111111111111111111111111111 "$TEST_DIR/hello"
expect 0 put --name hello "$TEST_DIR/hello"
expect 0 --json ls
expect 1 put --id 11111111111111111111111111111111 "$TEST_DIR/hello" # the id is taken
expect 1 put "$TEST_DIR/nothing-is-here"
expect 1 put "$TEST_DIR"
expect 1 get hello -o "$TEST_DIR/no-such-directory/file"
expect 2 put
expect 2 no-such-command
expect 0 events --no-follow
expect 1 events --since 1000000 # nothing has that number yet
expect 4 get $unknown
expect 4 get --timeout 60 no-such-name
expect 4 stat $unknown
expect 4 stat no-such-name
expect 4 rm $unknown
expect 4 rm hello $unknown
expect 4 hold name $unknown
expect 4 unhold no-such-name
expect 5 put "$TEST_DIR/big"
expect 6 get --timeout 0.2 $unknown
expect 0 rm 11111111111111111111111111111111
expect 4 get --timeout 60 11111111111111111111111111111111 # known to be gone

OSTORE_ADDRESS=$TEST_DIR/nobody-listens.sock
for words in "config" "events" "ls" "status" "stat hello" "get hello" "rm hello" "unhold hello" \
	"hold hello $unknown" "put $TEST_DIR/hello"; do
	# shellcheck disable=SC2086 # words
	expect 3 $words
	expect 3 --address "$TEST_DIR/not-here-either.sock" $words
done
expect 0 help
expect 0 --version
