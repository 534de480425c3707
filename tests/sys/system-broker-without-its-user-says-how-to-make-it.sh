#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A system broker never runs as root, and says what to do when its user is missing.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_root

"$OSTORED" --config=/dev/null --user=no-such-user --address="$TEST_DIR/o.sock" 2>"$TEST_DIR/error" && fail "it started"
grep -q "useradd --system .* no-such-user" "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
"$OSTORED" --config=/dev/null --user=root --address="$TEST_DIR/o.sock" 2>"$TEST_DIR/error" && fail "it runs as root"
grep -q "is root" "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
[ ! -e "$TEST_DIR/o.sock" ] || fail "it left a socket"
