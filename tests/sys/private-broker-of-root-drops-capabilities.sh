#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A private broker that root starts stays uid 0 but has no capability left.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_root

start_broker
for task in /proc/"$BROKER_PID"/task/* /proc/"$(worker_pid)"/task/*; do
	grep -q '^Uid:.0.0.0.0$' "$task/status" || fail "$task: $(grep Uid "$task/status")"
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		grep -q "^$set:.0*$" "$task/status" || fail "$task: $(grep "$set" "$task/status")"
	done
done
stop_broker
