#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job of the quickstart, on a few of the images: by reference, by value and
# through shared_memory it must find the same; all workers see one address, and a
# write raises.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

[ -d /usr/share/datasets/fashion-mnist ] || skip "needs the package dataset-fashion-mnist"
requires_python_module sklearn
requires_python_module matplotlib
[ -e "$top_builddir/python/ostore/_ostore.abi3.so" ] || skip "built without Python"

start_broker --capacity=256MiB
PYTHONPATH=$top_builddir/python "$PYTHON" -W ignore "$top_srcdir/examples/main_job.py" --rows 2800 --workers 2 \
	--osctl "$OSCTL" --plot "$TEST_DIR/plot.png" >"$TEST_DIR/out" 2>&1 || fail "main_job.py: $(cat "$TEST_DIR/out")"
for line in "results: the same three times" "one address in all of them" \
	"ValueError: assignment destination is read-only" "fashion-mnist"; do
	grep -q "$line" "$TEST_DIR/out" || fail "it does not say '$line': $(cat "$TEST_DIR/out")"
done
[ "$(head -c 4 "$TEST_DIR/plot.png" | tail -c 3)" = PNG ] || fail "no picture"
