#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 50,000 small objects under 400 descriptors; they keep their bytes while most of them
# are deleted, the others moved together, and the worker killed.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=512MiB --max_descriptors=500
"$top_builddir/tests/sys/small-objects" >"$TEST_DIR/out" 2>&1 &
player=$!
has_put() { grep -q put "$TEST_DIR/out"; }
wait_until 60 has_put || fail "nothing was put: $(cat "$TEST_DIR/out")"
kills=0
while [ $kills -lt 5 ] && is_running $player; do
	sleep 0.2
	kill_worker_and_wait
	kills=$((kills + 1))
done
wait $player || fail "after $kills kills: $(cat "$TEST_DIR/out")"
cat "$TEST_DIR/out"
