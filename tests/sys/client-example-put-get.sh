#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first program that somebody tries would not work.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker
"$top_builddir/examples/put" || fail "put"
"$top_builddir/examples/get" >"$TEST_DIR/said" || fail "get"
grep -q '^100000 squares at 0x2[0-9a-f]*, their sum is 333328333350000$' "$TEST_DIR/said" ||
	fail "get says: $(cat "$TEST_DIR/said")"
