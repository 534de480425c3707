#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An error of the public header would be explained nowhere, or ostore(7) would name another errno.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
page=$top_srcdir/man/ostore.7
sed -n 's/^#define \(OSTORE_E[A-Z]*\)  *\(E[A-Z]*\).*/\1 \2/p' "$top_srcdir/include/ostore.h" >"$TEST_DIR/errors"
[ -s "$TEST_DIR/errors" ] || fail "no errors in the header"
while read -r macro errno; do
	grep -q "^\.It Dv $macro Ta Er $errno Ta " "$page" || fail "the table lacks $macro ($errno)"
	grep -q "^\.It Dv $macro\$" "$page" || fail "$macro is not explained"
done <"$TEST_DIR/errors"
[ "$(grep -c '^\.It Dv OSTORE_E[A-Z]* Ta' "$page")" -eq "$(wc -l <"$TEST_DIR/errors")" ] ||
	fail "the table has an error that the header has not"
