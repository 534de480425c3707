#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The program in ostore(7), from which people start, would not compile or not do what it says.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
# make_variable NAME - as configure set it
make_variable()
{
	sed -n "s/^$1 = //p" "$top_builddir/Makefile"
}
CC=$(make_variable CC)
requires_prog "${CC%% *}"
start_broker --capacity=8MiB

# program NAME - the block that follows the comment with its name in the page
program()
{
	sed -n "/^\.\\\\\" $1\$/,/^\.\\\\\" end\$/p" "$top_srcdir/man/ostore.7" | sed '/^\./d; s/\\e/\\/g'
}

program hello.c >"$TEST_DIR/hello.c"
grep -q main "$TEST_DIR/hello.c" || fail "no program in the page"
# shellcheck disable=SC2086,SC2046 # CC and the flags are words
$CC -Wall -Wextra -Werror $(make_variable SANITIZE_CFLAGS) -I"$top_srcdir/include" -o "$TEST_DIR/hello" "$TEST_DIR/hello.c" \
	-L"$top_builddir/src/client/.libs" -lostore || fail "the program does not compile"
LD_LIBRARY_PATH=$top_builddir/src/client/.libs
export LD_LIBRARY_PATH
[ "$("$TEST_DIR/hello")" = "hello, other processes" ] || fail "the program prints something else"
[ "$("$OSCTL" get greeting)" = "hello, other processes" ] || fail "osctl get greeting"
"$OSCTL" rm greeting || fail "osctl rm greeting"
OSTORE_ADDRESS=/nonexistent "$TEST_DIR/hello" 2>/dev/null && fail "the program succeeds without a broker"

program hello.py >"$TEST_DIR/hello.py"
grep -q import "$TEST_DIR/hello.py" || fail "no Python program in the page"
PYTHONPATH=$top_builddir/python
export PYTHONPATH
"$PYTHON" -c 'import ostore' 2>/dev/null || exit 0 # built without Python
[ "$("$PYTHON" "$TEST_DIR/hello.py")" = "hello, other processes" ] || fail "the Python program prints something else"
"$OSCTL" stat greeting >/dev/null || fail "the Python program's object is not there"
