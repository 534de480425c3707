#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A worker alone serves ordinary requests, refused ones and a dying client
# without touching memory that is not its own, and leaks nothing.
# shellcheck source=tests/lib/functions.sh
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

requires_prog valgrind
[ -z "${OSTORE_SANITIZED:-}" ] || skip "a sanitized program does not run under valgrind"
OSTORE_WRAPPER="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"
BROKER_STOP_SECONDS=60

start_broker --capacity=64MiB
printf 'small' >"$TEST_DIR/small"
head -c 300000 /dev/urandom >"$TEST_DIR/big"
for file in small big; do
	"$OSCTL" put --name "$file" "$TEST_DIR/$file" >"$TEST_DIR/id" || fail "put of $file"
	"$OSCTL" get "$file" | cmp - "$TEST_DIR/$file" || fail "$file came back otherwise"
done
id=$(cat "$TEST_DIR/id")
"$OSCTL" stat "$id" >/dev/null || fail "stat"
"$OSCTL" ls >/dev/null || fail "ls"
"$OSCTL" status >/dev/null || fail "status"
"$OSCTL" config >/dev/null || fail "config"
head -c 100000000 /dev/zero | "$OSCTL" put - >/dev/null 2>&1 && fail "100 MB fitted into 64 MiB"
"$OSCTL" get --timeout 30 00000000000000000000000000000001 >/dev/null 2>&1 &
waiting=$!
sleep 0.5
kill -KILL $waiting
"$OSCTL" rm "$id" || fail "rm"
"$OSCTL" unhold small || fail "unhold"
stop_broker
