#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The systemd units name no unknown directive, and the socket is the one that
# clients look for.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog systemd-analyze

grep -qx 'ListenSequentialPacket=/run/ostore/ostore.sock' "$top_srcdir/data/ostored.socket" || fail "socket"
mkdir "$TEST_DIR/units"
cp "$top_srcdir/data/ostored.socket" "$TEST_DIR/units"
sed "s|^ExecStart=.*|ExecStart=$OSTORED|" "$top_builddir/data/ostored.service" >"$TEST_DIR/units/ostored.service"
systemd-analyze verify --man=no "$TEST_DIR/units/ostored.service" "$TEST_DIR/units/ostored.socket" \
	>"$TEST_DIR/out" 2>&1
# Other units of the machine may be reported as well.
if grep -E 'ostored\.(service|socket)' "$TEST_DIR/out"; then
	fail "systemd-analyze verify"
fi
