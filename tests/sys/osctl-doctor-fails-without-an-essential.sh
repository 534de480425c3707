#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# doctor would call a machine fit that cannot run a store at all.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
OSTORE_ADDRESS=$TEST_DIR/nobody.sock
export OSTORE_ADDRESS

# One descriptor besides the standard ones is enough to start a program, and not for a pair of
# sockets. The program itself, not libtool's script around it, which needs more.
requires_prog prlimit
program=$top_builddir/tools/.libs/osctl
[ -x "$program" ] || program=$OSCTL
LD_LIBRARY_PATH=$top_builddir/src/client/.libs ASAN_OPTIONS=detect_leaks=0
export LD_LIBRARY_PATH ASAN_OPTIONS

status=0
prlimit --nofile=4 "$program" doctor >"$TEST_DIR/out" 2>"$TEST_DIR/stderr" || status=$?
[ $status -eq 1 ] || fail "status $status: $(cat "$TEST_DIR/out" "$TEST_DIR/stderr")"
grep -q '^  sockets  *no  *yes ' "$TEST_DIR/out" || fail "the report: $(cat "$TEST_DIR/out")"
grep -q '^ok  *no$' "$TEST_DIR/out" || fail "ok: $(cat "$TEST_DIR/out")"
[ "$(wc -l <"$TEST_DIR/stderr")" -eq 1 ] || fail "not one line: $(cat "$TEST_DIR/stderr")"
