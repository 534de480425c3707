#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The limit of the broker's memory cgroup sinks while it runs: the store makes do with
# less, drops what nobody needs, and says so; and grows again with it.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_root
requires_prog jq

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
echo 1073741824 >"$group/$limit" || skip "cannot limit $group"

# status KEY
status()
{
	"$OSCTL" --json status | jq -r ".$1"
}

start_broker --capacity=256MiB --pool=0 --queue_deadline=0.2
# The supervisor too, for the next workers.
for pid in "$BROKER_PID" "$(status broker.worker_pid)"; do
	echo "$pid" >"$group/cgroup.procs" || skip "cannot move into $group"
done
[ "$(status capacity_bytes)" = 268435456 ] || fail "with 1 GiB capacity is $(status capacity_bytes)"
head -c 67108864 /dev/zero >"$TEST_DIR/64M"
held=$("$OSCTL" put --name held "$TEST_DIR/64M") || fail "put"
"$OSCTL" put --name loose "$TEST_DIR/64M" >/dev/null || fail "put"
"$OSCTL" unhold loose || fail "unhold"

# 64 MiB were written by osctl, outside of the group: a limit that leaves no room beside the
# broker's own memory leaves the store what it has less what is too much.
# is [-lt|-ge] BYTES - capacity is so
is()
{
	test "$(status capacity_bytes)" "$1" "$2"
}
echo 20971520 >"$group/$limit" || skip "cannot lower the limit of $group"
wait_until 20 is -lt 150000000 || fail "with 20 MiB capacity is $(status capacity_bytes)"
status capacity_limited_by | grep -q "memory cgroup .*ostore-test-$$ is limited to 20 MiB" ||
	fail "limited by: $(status capacity_limited_by)"
[ "$(status configured_capacity_bytes)" = 268435456 ] || fail "configured: $(status configured_capacity_bytes)"
head -c 100663296 /dev/zero >"$TEST_DIR/96M"
"$OSCTL" put "$TEST_DIR/96M" >/dev/null 2>"$TEST_DIR/error"
[ $? -eq 5 ] || fail "96 MiB more fit"
grep -q 'the machine is short of memory' "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
"$OSCTL" get "$held" | cmp -s - "$TEST_DIR/64M" || fail "what was held is not there"
grep -c 'at present instead of 256 MiB' "$BROKER_LOG" | grep -qx 1 || fail "it is not logged once"

echo 1073741824 >"$group/$limit"
wait_until 20 is -ge 268435456 || fail "with 1 GiB again capacity is $(status capacity_bytes)"
[ "$(status capacity_limited_by)" = "" ] || fail "limited by: $(status capacity_limited_by)"
"$OSCTL" put "$TEST_DIR/96M" >/dev/null || fail "96 MiB do not fit again"
stop_broker
