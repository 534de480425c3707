#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The installed ostored.conf changes nothing, and shows each key with its default.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
conf=$top_builddir/data/ostored.conf

"$OSTORED" --private --dump-config | cut -f 1-2 >"$TEST_DIR/defaults" || fail "--dump-config"
"$OSTORED" --private --config="$conf" --dump-config | cut -f 1-2 >"$TEST_DIR/as-installed" || fail "refused"
diff "$TEST_DIR/defaults" "$TEST_DIR/as-installed" || fail "the installed file changes something"
sort "$TEST_DIR/defaults" >"$TEST_DIR/defaults-sorted"
sed -n 's/^#\([a-z_]*\) = \(.*\)$/\1	\2/p' "$conf" | sort >"$TEST_DIR/shown"
diff "$TEST_DIR/defaults-sorted" "$TEST_DIR/shown" || fail "ostored.conf (>) and the defaults (<) differ"
# and with every line switched on it is still a good file
sed 's/^#\([a-z_]* = \)/\1/' "$conf" >"$TEST_DIR/all.conf"
"$OSTORED" --private --config="$TEST_DIR/all.conf" --check-config || fail "all lines switched on: refused"
