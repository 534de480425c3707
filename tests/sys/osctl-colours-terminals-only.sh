#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Escape sequences would end up in files and pipes, or NO_COLOR would not be obeyed.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog script
start_broker --capacity=8MiB
echo x | "$OSCTL" put - >/dev/null || fail "put"
escape=$(printf '\033')

TERM=xterm script -qec "'$OSCTL' ls" /dev/null </dev/null >"$TEST_DIR/terminal" || fail "script"
grep -q "$escape" "$TEST_DIR/terminal" || fail "no colour on a terminal"
NO_COLOR=1 TERM=xterm script -qec "'$OSCTL' ls" /dev/null </dev/null | grep -q "$escape" && fail "NO_COLOR"
TERM=dumb script -qec "'$OSCTL' ls" /dev/null </dev/null | grep -q "$escape" && fail "a dumb terminal"
TERM=xterm script -qec "'$OSCTL' --json ls" /dev/null </dev/null | grep -q "$escape" && fail "JSON"
TERM=xterm "$OSCTL" ls | grep -q "$escape" && fail "a pipe"
exit 0
