#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Somebody could read, delete, list or guess what is not his; or would not learn
# that a socket is closed to him.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_root

start_broker
CLOSED_ADDRESS=$OSTORE_ADDRESS
export CLOSED_ADDRESS
start_broker --capacity=256MiB --quota=65534:1MiB
let_everybody_in
"$top_builddir/tests/sys/c-api" another_user_sees_what_the_mode_says || fail "c-api"
