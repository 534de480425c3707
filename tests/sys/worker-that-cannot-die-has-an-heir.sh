#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A thread of a dead worker that is stuck in the kernel (here: held at its exit by a
# tracer) must not keep the next worker from starting.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_root
requires_prog "$PYTHON"

start_broker
worker=$(worker_pid)
thread=
for task in "/proc/$worker/task"/*; do
	[ "${task##*/}" = "$worker" ] || [ "$(cat "$task/comm")" = ostored-canary ] || thread=${task##*/}
done
[ -n "$thread" ] || fail "the worker has no thread to hold"
cat >"$TEST_DIR/hold.py" <<'END'
import ctypes, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_SEIZE, PTRACE_O_TRACEEXIT = 0x4206, 0x40
if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, PTRACE_O_TRACEEXIT) != 0:
    sys.exit(77)
print("held", flush=True)
time.sleep(60)  # without ever waiting for it, so that it stays at its exit
END
"$PYTHON" "$TEST_DIR/hold.py" "$thread" >"$TEST_DIR/held" &
holder=$!
cleanup_fn kill -KILL $holder "2>/dev/null"
held_or_gone() { [ -s "$TEST_DIR/held" ] || ! is_running $holder; }
wait_until 20 held_or_gone
[ -s "$TEST_DIR/held" ] || skip "cannot trace a thread here"
kill -KILL "$worker"
leader_is_dead() { ! is_running "$worker"; }
wait_until 20 leader_is_dead || fail "the main thread lives on"
[ -e "/proc/$worker/task/$thread" ] || skip "this kernel does not hold a killed thread at its exit"
has_heir() { heir=$(worker_pid) && [ "$heir" != "$worker" ]; }
if ! wait_until 10 has_heir; then
	# pidfds of threads: Linux 6.9
	[ "$(uname -r | cut -d . -f 1)" -ge 7 ] || [ "$(printf '6.9\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.9 ] ||
		skip "this kernel has no pidfd of a thread"
	fail "no heir while thread $thread of worker $worker cannot die"
fi
[ -e "/proc/$worker/task/$thread" ] || fail "this test needs the old thread"
grep -q 'stuck in the kernel' "$BROKER_LOG" || fail "nothing in the log"
kill -KILL $holder
stop_broker
