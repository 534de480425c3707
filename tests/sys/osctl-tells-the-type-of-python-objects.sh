#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ls and stat would not say what a Python object is, or stumble over metadata that only looks
# like it: it is anybody's.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB

# type_is TYPE METADATA
type_is()
{
	printf '%s' "$2" >"$TEST_DIR/metadata"
	id=$(echo x | "$OSCTL" put --metadata "$TEST_DIR/metadata" -) || fail "put"
	"$OSCTL" stat "$id" | sed -n 's/^type  *//p' >"$TEST_DIR/stat"
	[ "$(cat "$TEST_DIR/stat")" = "$1" ] || fail "stat of $2: $(cat "$TEST_DIR/stat")"
	row=$("$OSCTL" ls | tail -n 1)
	case $row in
	*" $1") ;;
	*) fail "ls of $2: $row" ;;
	esac
	"$OSCTL" --json ls | grep -q '"type"' && fail "JSON has a key that is for people"
	"$OSCTL" rm "$id" || fail "rm"
}

type_is '<f8[70000,784]' 'ostore-python/1 {"kind":"array","dtype":"<f8","shape":[70000,784],"order":"C"}'
type_is '<i4[]' 'ostore-python/1 {"kind":"array","dtype":"<i4","shape":[],"order":"C"}'
type_is 'struct[3]' 'ostore-python/1 {"kind":"array","dtype":{"names":["a"]},"shape":[3]}'
type_is 'bytes' 'ostore-python/1 {"kind":"bytes"}'
type_is 'dict' 'ostore-python/1 {"kind":"tree","type":"dict"}'
type_is 'mine.Model (pickle)' 'ostore-python/1 {"kind":"pickle","type":"mine.Model"}'
type_is - 'plain text'
type_is - 'ostore-python/1 '
type_is - 'ostore-python/1 {"kind":'
type_is - 'ostore-python/1 {"kind":7}'
type_is - 'ostore-python/1 []'
type_is - 'ostore-python/2 {"kind":"bytes"}'
type_is '<f8[0,0]' 'ostore-python/1 {"kind":"array","dtype":"<f8","shape":["x",null]}'
