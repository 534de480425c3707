#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The socket of a forked child may be lost with the worker that had not read of it:
# the child would be without its references.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper

start_broker --capacity=256MiB
cat >"$TEST_DIR/kill" <<END
#!/bin/sh
for stat in /proc/[0-9]*/stat; do
	worker=\$(sed -n "s/^\\([0-9]*\\) (.*) [A-WYa-z] $BROKER_PID .*/\\1/p" "\$stat" 2>/dev/null)
	[ -n "\$worker" ] && kill -KILL "\$worker"
done
exit 0
END
chmod +x "$TEST_DIR/kill"
for test in a_child_of_a_crash a_child_of_an_idle_parent; do
	KILL_WORKER=$TEST_DIR/kill "$top_builddir/tests/sys/client-fork" $test || fail "client-fork: $test"
done
