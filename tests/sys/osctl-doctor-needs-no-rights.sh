#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# doctor is for those whose store does not work: it must do without a broker, without root and
# in a small address space, and say of every lack what it costs and how to mend it.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
OSTORE_ADDRESS=$TEST_DIR/nobody.sock
export OSTORE_ADDRESS

run()
{
	"$@" >"$TEST_DIR/out" 2>"$TEST_DIR/stderr" || fail "$*: $(cat "$TEST_DIR/stderr")"
	[ -s "$TEST_DIR/stderr" ] && fail "$*: $(cat "$TEST_DIR/stderr")"
	grep -q '^ok  *yes' "$TEST_DIR/out" || fail "$*: $(cat "$TEST_DIR/out")"
	grep -q '^  running  *no' "$TEST_DIR/out" || fail "$*: a broker that nobody started"
	lacks=$(grep -c '^  [a-z_]*  *no  *\(yes\|no\) ' "$TEST_DIR/out")
	[ "$(grep -c '^ *cost: ' "$TEST_DIR/out")" -eq "$lacks" ] || fail "$*: a lack without its cost"
	[ "$(grep -c '^ *mend: ' "$TEST_DIR/out")" -eq "$lacks" ] || fail "$*: a lack without its cure"
}

run "$OSCTL" doctor
for check in kernel seals sockets arena huge_pages memory descriptors mappings pressure disk \
	userfaultfd kernel_faults fork_events poison leases bpf io_uring; do
	grep -q "^  $check  *\(yes\|no\) " "$TEST_DIR/out" || fail "no check of $check"
done
(ulimit -n 64; run "$OSCTL" doctor) || exit 1
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && as_user 65534 test -x "$OSCTL"; then
	run as_user 65534 "$OSCTL" doctor
	grep -q '^uid  *65534$' "$TEST_DIR/out" || fail "doctor does not speak of the caller"
	grep -q '^  bpf  *no ' "$TEST_DIR/out" || fail "eBPF for nobody"
fi
