#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each killed worker has an heir at once; neither descriptors nor processes pile up,
# and each death is one line in the log.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker
kill_worker_and_wait
count_fds() { ls "/proc/$BROKER_PID/fd" | wc -l; }
# The pool and the pack are made when the first client comes, in their own time.
"$OSCTL" status >/dev/null || fail "osctl status"
settled() { n=$(count_fds); sleep 0.5; [ "$(count_fds)" = "$n" ]; }
wait_until 10 settled || fail "the number of descriptors does not settle"
before=$(count_fds)
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
	kill_worker_and_wait
done
same_fds() { [ "$(count_fds)" -le "$before" ]; }
wait_until 5 same_fds || fail "$(count_fds) descriptors, $before before"
[ "$(grep -c 'was killed by signal 9' "$BROKER_LOG")" = 13 ] || fail "13 deaths in the log"
[ "$(wc -l <"$BROKER_LOG")" = 13 ] || fail "the log says more than the deaths: $(cat "$BROKER_LOG")"
stop_broker
