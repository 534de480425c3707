#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The default capacity is a part of what the memory cgroup leaves, or the OOM killer
# comes before the store is full.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_root

v1=$(sed -n 's/^[0-9]*:memory:\(.*\)$/\1/p' /proc/self/cgroup)
if [ -n "$v1" ]; then
	parent=/sys/fs/cgroup/memory$v1
	[ -d "$parent" ] || parent=/sys/fs/cgroup/memory
	limit=memory.limit_in_bytes
else
	parent=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
	limit=memory.max
fi
group=${parent%/}/ostore-test-$$
mkdir "$group" 2>/dev/null || skip "cannot make a cgroup in $parent"
cleanup_fn rmdir "$group"
[ -e "$group/$limit" ] || skip "no memory controller in $parent"
echo 536870912 >"$group/$limit" || skip "cannot limit $group"
# shellcheck disable=SC2016
capacity=$(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$1" --private --dump-config' "$group" "$OSTORED" |
	awk -F '\t' '$1 == "capacity" { print $3 }')
[ -n "$capacity" ] || fail "no capacity"
[ "$capacity" -le 161061273 ] || fail "capacity is $capacity, 30 % of the limit are 161061273"
[ "$capacity" -ge 80000000 ] || fail "capacity is $capacity, much less than 30 % of the limit"
