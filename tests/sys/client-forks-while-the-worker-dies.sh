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

# A supervisor that is stopped makes no heir before it is told to go on.
cat >"$TEST_DIR/kill-and-wait" <<END
#!/bin/sh
kill -STOP $BROKER_PID
exec "$TEST_DIR/kill"
END
chmod +x "$TEST_DIR/kill-and-wait"
KILL_WORKER=$TEST_DIR/kill-and-wait LET_HEIR_COME="kill -CONT $BROKER_PID" \
	"$top_builddir/tests/sys/client-fork" a_child_before_the_heir ||
	fail "client-fork: a_child_before_the_heir"
