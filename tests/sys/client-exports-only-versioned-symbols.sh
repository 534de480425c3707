#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A symbol that escapes becomes ABI that nobody meant; one that is missing breaks
# whoever uses it.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog nm sed

library=$top_builddir/src/client/.libs/libostore.so.0
[ -e "$library" ] || skip "no shared library was built"
nm -D --defined-only --with-symbol-versions "$library" | sed -n 's/.* [A-Z] \(.*\)/\1/p' |
	grep -v '^OSTORE_0\.1$' | grep -v '^OSTORE_0\.1@' | sort >"$TEST_DIR/exported"
sed 's,//.*,,; s,/\*.*\*/,,' "$top_srcdir/include/ostore.h" |
	sed '/\/\*/,/\*\//d' | grep -o '\bostore_[a-z_]*(' | sed 's/($/@@OSTORE_0.1/' | sort -u >"$TEST_DIR/declared"
[ -s "$TEST_DIR/declared" ] || fail "no declarations found in ostore.h"
diff "$TEST_DIR/declared" "$TEST_DIR/exported" >&2 || fail "exported (>) and declared (<) functions differ"
