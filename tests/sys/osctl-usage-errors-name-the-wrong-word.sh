#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A person would have to guess what osctl did not like, or a wrong value would pass for a right
# one. No broker is needed to be told.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
OSTORE_ADDRESS=$TEST_DIR/nobody.sock
export OSTORE_ADDRESS

# wrong WORD ARGUMENTS... - a usage error whose line contains WORD
wrong()
{
	local word=$1 status=0
	shift
	"$OSCTL" "$@" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" </dev/null || status=$?
	[ $status -eq 2 ] || fail "osctl $*: status $status: $(cat "$TEST_DIR/stderr")"
	grep -qF -e "$word" "$TEST_DIR/stderr" || fail "osctl $*: '$word' is not named: $(cat "$TEST_DIR/stderr")"
	[ -s "$TEST_DIR/stdout" ] && fail "osctl $*: printed on stdout"
	[ "$(wc -l <"$TEST_DIR/stderr")" -eq 1 ] || fail "osctl $*: not one line"
}

id=0123456789abcdef0123456789abcdef
wrong 'help' # no command: says where they are listed
wrong frobnicate frobnicate
wrong frobnicate help frobnicate
wrong --colour --colour ls
wrong --colour ls --colour
wrong --jso --jso ls # no abbreviations
wrong --json=yes --json=yes ls
wrong --address ls --address
wrong 'an empty path' --address '' ls
wrong 'longer than' --address "/$(printf '%0200d' 0)" ls
wrong -x put -x file
wrong --limit ls --limit
wrong extra ls extra
wrong second put first second
wrong ID get
wrong sizes ls --sort sizes
wrong -sizes ls --sort=-sizes
wrong residing ls --state residing
wrong -3 ls --limit -3
wrong 3x ls --limit 3x
wrong yesterday events --since yesterday
wrong -1 events --limit -1
wrong xyz put --id xyz file
wrong 0000 put --id 00000000000000000000000000000000 file
wrong 0888 put --mode 0888 file
wrong 01000 put --mode 01000 file
wrong u=rw put --mode u=rw file
wrong "$id" put --name $id file
wrong '""' put --name '' file
wrong '--metadata -' put --metadata - -
wrong soon get --timeout soon $id
wrong -1 get --timeout -1 $id
wrong --json get --json $id
wrong abc hold name abc
wrong "$id" hold $id $id
wrong "$id" unhold $id
