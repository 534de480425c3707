#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A file on standard input that somebody has read a part of, a file of /proc that says its
# length is 0, and a FIFO would be stored wrongly.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=64MiB
file=$TEST_DIR/file
head -c 300000 /dev/urandom >"$file"

id=$({ dd bs=1000 count=100 of=/dev/null 2>/dev/null; "$OSCTL" put -; } <"$file") || fail "put of the rest of a file"
tail -c +100001 "$file" >"$TEST_DIR/rest"
"$OSCTL" get "$id" | cmp "$TEST_DIR/rest" - || fail "the rest of a file came back changed"

id=$("$OSCTL" put /proc/self/limits) || fail "put of a file of /proc"
"$OSCTL" get "$id" | grep -q 'Max open files' || fail "a file of /proc was stored as nothing"

mkfifo "$TEST_DIR/fifo"
cat "$file" >"$TEST_DIR/fifo" &
id=$("$OSCTL" put "$TEST_DIR/fifo") || fail "put of a FIFO"
"$OSCTL" get "$id" | cmp "$file" - || fail "a FIFO came back changed"
