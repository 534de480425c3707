#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# --no-supervisor is one process, for valgrind and gdb, and starts and stops like any.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --no-supervisor
worker_pid >/dev/null && fail "it has a child"
[ "$(cat "$BROKER_DIR/ready")" = "$OSTORE_ADDRESS" ] || fail "it announced $(cat "$BROKER_DIR/ready")"
stop_broker
[ ! -e "$OSTORE_ADDRESS" ] || fail "the socket is still there"
