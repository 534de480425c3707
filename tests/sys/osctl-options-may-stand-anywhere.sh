#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 'osctl ls --json' is what people type; a file called --help must have a way in; short and long
# forms must mean the same.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=64MiB
cd "$TEST_DIR" || exit 99
echo one >--help

id=$("$OSCTL" put -- --help) || fail "put -- --help"
[ "$("$OSCTL" get "$id")" = one ] || fail "the file called --help was not stored"
for words in "--json ls" "ls --json" "--address $OSTORE_ADDRESS --json ls" "ls --address=$OSTORE_ADDRESS --json"; do
	# shellcheck disable=SC2086 # words
	"$OSCTL" $words | grep -q "\"id\": \"$id\"" || fail "osctl $words"
done
"$OSCTL" get -o a "$id" && "$OSCTL" get "$id" -ob && "$OSCTL" get --output=c "$id" &&
	"$OSCTL" get "$id" --output d || fail "get -o in one of its forms"
for file in a b c d; do
	cmp -- --help $file || fail "file $file"
done
[ "$("$OSCTL" put --help)" = "$("$OSCTL" help put)" ] || fail "put --help is not help put"
[ "$("$OSCTL" -h)" = "$("$OSCTL" help)" ] || fail "-h is not help"
[ "$("$OSCTL" -V)" = "$("$OSCTL" --version)" ] || fail "-V is not --version"
