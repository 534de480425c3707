#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What put stored and get returned would differ: for an object of 0 bytes, around the sizes
# where small objects end and where huge pages begin, and for a big one; from a file, from a
# pipe, and into a file, a pipe and a device.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_free_mem 1GiB
start_broker --capacity=512MiB

for size in 0 1 4095 65535 65536 65537 2097152 2097155 104857600; do
	file=$TEST_DIR/bytes
	head -c $size /dev/urandom >"$file"
	id=$("$OSCTL" put "$file") || fail "put of a file of $size bytes"
	"$OSCTL" get "$id" >"$TEST_DIR/out" || fail "get of $size bytes"
	cmp "$file" "$TEST_DIR/out" || fail "a file of $size bytes came back changed"
	"$OSCTL" get "$id" -o "$TEST_DIR/out2" || fail "get -o of $size bytes"
	cmp "$file" "$TEST_DIR/out2" || fail "get -o wrote other bytes, of $size"
	"$OSCTL" get "$id" | cmp "$file" - || fail "through a pipe $size bytes came out changed"
	"$OSCTL" get "$id" -o /dev/null || fail "get -o /dev/null"
	"$OSCTL" rm "$id" || fail "rm"

	id=$(cat "$file" | "$OSCTL" put -) || fail "put of a pipe with $size bytes"
	"$OSCTL" get "$id" | cmp "$file" - || fail "a pipe of $size bytes came back changed"
	"$OSCTL" rm "$id" || fail "rm"
done
