#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request that was lost, or carried out twice, or a reference that was forgotten
# when the worker dies would show as a wrong result or as something left over.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=256MiB
"$top_builddir/tests/sys/client-threads" torture 6 >"$TEST_DIR/out" 2>&1 &
player=$!
kills=0
while [ $kills -lt 20 ] && is_running $player; do
	sleep 0.1
	kill_worker_and_wait
	kills=$((kills + 1))
done
wait $player || fail "after $kills kills: $(cat "$TEST_DIR/out")"
[ $kills -eq 20 ] || fail "ended after $kills kills: $(cat "$TEST_DIR/out")"
cat "$TEST_DIR/out"

worker=$(worker_pid) || fail "no worker"
STOP_WORKER="kill -STOP $worker" KILL_WORKER="kill -KILL $worker" \
	"$top_builddir/tests/sys/client-threads" a_cancel_dies_with_the_worker || fail "cancel"
