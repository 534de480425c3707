#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Events would tell of objects that one may not read, or hide those that one may.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_user 1234
start_broker --capacity=64MiB
let_everybody_in

secret=$(echo secret | "$OSCTL" put --mode 0600 -) || fail "put"
open=$(echo open | "$OSCTL" put --mode 0644 -) || fail "put"
"$OSCTL" rm "$secret" "$open" || fail "rm"
as_user 1234 "$OSCTL" events --no-follow >"$TEST_DIR/theirs" || fail "events of another user"
"$OSCTL" events --no-follow >"$TEST_DIR/ours" || fail "events"
[ "$(wc -l <"$TEST_DIR/ours")" -eq 6 ] || fail "root does not see all: $(cat "$TEST_DIR/ours")"
grep -q "$secret" "$TEST_DIR/theirs" && fail "another user sees: $(cat "$TEST_DIR/theirs")"
[ "$(grep -c "$open" "$TEST_DIR/theirs")" -eq 2 ] || fail "another user misses: $(cat "$TEST_DIR/theirs")"
grep -q created "$TEST_DIR/theirs" && fail "another user hears of a draft: $(cat "$TEST_DIR/theirs")"
grep -q overrun "$TEST_DIR/theirs" && fail "what is not theirs passes for lost"
exit 0
