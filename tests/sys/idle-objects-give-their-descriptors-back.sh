#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 3,000 small objects are mapped and released under 1,100 descriptors, and 250 clients
# connect: nobody is told that there are none, and nothing is evicted.  The worker is killed.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=512MiB --max_descriptors=1100
"$top_builddir/tests/sys/idle-objects" >"$TEST_DIR/out" 2>&1 &
player=$!
has_put() { grep -q put "$TEST_DIR/out"; }
wait_until 60 has_put || fail "nothing was put: $(cat "$TEST_DIR/out")"
kills=0
while [ $kills -lt 3 ] && is_running $player; do
	sleep 0.1
	kill_worker_and_wait
	kills=$((kills + 1))
done
wait $player || fail "after $kills kills: $(cat "$TEST_DIR/out")"
cat "$TEST_DIR/out"
