#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A program that knows nothing but pkg-config ostore would not compile, in C or in
# C++, or would need headers that are not installed.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog pkg-config make
[ -z "${OSTORE_SANITIZED:-}" ] || skip "a plain program does not load a sanitized library"
CC=${CC:-cc}

root=$TEST_DIR/root
make -C "$top_builddir" install-includeHEADERS install-libLTLIBRARIES \
	install-nodist_pkgconfigDATA DESTDIR="$root" >"$TEST_DIR/log" 2>&1 || fail "make install: $(tail "$TEST_DIR/log")"
pc=$(find "$root" -name ostore.pc)
[ -n "$pc" ] || fail "ostore.pc is not installed"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
prefix=$(pkg-config --variable=prefix ostore)
flags=$(pkg-config --define-variable=prefix="$root$prefix" --cflags --libs ostore)

cat >"$TEST_DIR/program.c" <<END
#include <ostore.h>
#include <ostore.h>
int main(void)
{
	struct ostore *conn = 0;
	return ostore_connect(&conn, "/nonexistent/socket", 0) != -OSTORE_EUNAVAILABLE;
}
END
cp "$TEST_DIR/program.c" "$TEST_DIR/program.cc"
libdir=$(dirname "$pc")/..
# shellcheck disable=SC2086
$CC -std=c99 -Wall -Wextra -Wpedantic -Werror -o "$TEST_DIR/c" "$TEST_DIR/program.c" $flags || fail "C"
LD_LIBRARY_PATH=$libdir "$TEST_DIR/c" || fail "the C program runs otherwise"
if command -v c++ >/dev/null; then
	# shellcheck disable=SC2086
	c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -o "$TEST_DIR/cc" "$TEST_DIR/program.cc" $flags || fail "C++"
	LD_LIBRARY_PATH=$libdir "$TEST_DIR/cc" || fail "the C++ program runs otherwise"
fi
