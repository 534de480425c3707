#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A named object would go with its creator, or a name could not be moved or given up.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB

one=$(echo one | "$OSCTL" put --name first -) || fail "put --name"
two=$(echo two | "$OSCTL" put -) || fail "put"
three=$(head -c 100000 /dev/zero | "$OSCTL" put -) || fail "put of a stream"
head -c 100000 /dev/zero >"$TEST_DIR/file"
four=$("$OSCTL" put "$TEST_DIR/file") || fail "put of a file"
[ "$("$OSCTL" get first)" = one ] || fail "get by name"
"$OSCTL" hold second "$one" || fail "hold"
[ "$("$OSCTL" get second)" = one ] || fail "get by a second name"
"$OSCTL" hold second "$two" || fail "moving a name"
[ "$("$OSCTL" get second)" = two ] || fail "a name did not move"
"$OSCTL" stat second | grep -q "^id  *$two$" || fail "stat by name"

# Whatever is not held makes room for what comes: fill the store twice over.
for _ in 1 2 3 4 5 6 7 8; do
	id=$(head -c 2000000 /dev/zero | "$OSCTL" put --name filler -) || fail "put of a filler"
done
[ "$("$OSCTL" get "$id" | wc -c)" = 2000000 ] || fail "the last filler"
[ "$("$OSCTL" get first)" = one ] || fail "a named object was evicted"
for id in "$two" "$three" "$four"; do
	"$OSCTL" get "$id" >/dev/null || fail "an object that put holds was evicted"
done

"$OSCTL" unhold filler || fail "unhold"
"$OSCTL" get filler 2>/dev/null && fail "a name that was given up"
"$OSCTL" rm first || fail "rm by name"
"$OSCTL" get "$one" 2>/dev/null && fail "a deleted object"
"$OSCTL" rm "$two" || fail "rm of an object without a name"
"$OSCTL" get second 2>/dev/null && fail "the name of a deleted object"
exit 0
