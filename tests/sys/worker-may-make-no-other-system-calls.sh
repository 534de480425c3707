#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every worker, and each of its threads, is filtered; the supervisor, whose heirs must
# be able to load their filter, is not. check-filter.c says what that means.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog jq

# status KEY
status()
{
	"$OSCTL" --json status | jq -r ".$1"
}

# is_filtered PID MODE - all threads are in this mode of seccomp
is_filtered()
{
	for thread in /proc/"$1"/task/*/status; do
		grep -qx "Seccomp:[[:space:]]*$2" "$thread" || fail "$thread: $(grep Seccomp: "$thread"), not $2"
	done
}

start_broker --capacity=64MiB
[ "$(status features.seccomp.on)" = true ] || skip "$(status features.seccomp.reason)"
# a put that makes the crew's threads, and one that makes the pool's memory
head -c 9000000 /dev/zero | "$OSCTL" put --name nine - >/dev/null || fail "put"
is_filtered "$(status broker.worker_pid)" 2
is_filtered "$(status broker.supervisor_pid)" 0
set -- "/proc/$(status broker.worker_pid)/task/"*
[ $# -ge 3 ] || fail "where are its threads?"

for generation in 2 3; do
	kill -9 "$(status broker.worker_pid)"
	wait_until 10 test -n "$("$OSCTL" get nine | head -c 1 | od -An -c)" || fail "no heir"
	[ "$(status broker.generation)" = $generation ] || fail "generation $(status broker.generation)"
	is_filtered "$(status broker.worker_pid)" 2
done
stop_broker

start_broker --without=seccomp
[ "$(status features.seccomp.on)" = false ] || fail "--without=seccomp filters"
status features.seccomp.reason | grep -q 'without=seccomp' || fail "$(status features.seccomp.reason)"
is_filtered "$(status broker.worker_pid)" 0
stop_broker

"$OSTORED" --private --check-config --without=colours 2>"$TEST_DIR/error" && fail "without=colours is allowed"
grep -q 'names of features' "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
