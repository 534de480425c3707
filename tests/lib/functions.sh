# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC3043,SC2119,SC2120,SC2086
#
# What every test script needs: a broker of its own that is gone afterwards, and
# reasons to skip.  Source it first:
#
#	. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
#
# The exit matters: a bash that does not find this file goes on, with TEST_DIR
# empty, and the script does to / what it means to do to its own directory.
#
# POSIX sh with local.  Set by `make check`, guessed otherwise:
#   top_srcdir, top_builddir   source and build tree
#   OSTORED, OSCTL             the built programs, never installed ones
#   OSTORE_WRAPPER             words in front of ostored, such as
#                              "valgrind --error-exitcode=99"; valgrind cannot
#                              clone a worker, so it gets --no-supervisor
# Exported for the test's programs:
#   OSTORE_ADDRESS             the broker's socket
# Set by start_broker:
#   BROKER_PID                 the supervisor (with --no-supervisor: the worker)
#   BROKER_DIR, BROKER_LOG     its directory (gone at exit), its stderr

set -u

top_srcdir=$(cd "${top_srcdir:-.}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir}" && pwd)
OSTORED=${OSTORED:-$top_builddir/src/ostored/ostored}
OSCTL=${OSCTL:-$top_builddir/tools/osctl}
PYTHON=${PYTHON:-python3}
OSTORE_WRAPPER=${OSTORE_WRAPPER:-}
TEST_NAME=$(basename "$0")
TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/ostore-test-XXXXXX") || exit 99
export top_srcdir top_builddir OSTORED OSCTL PYTHON
unset OSTORE_ADDRESS NOTIFY_SOCKET LISTEN_FDS LISTEN_PID WATCHDOG_USEC JOURNAL_STREAM

BROKER_PID=
BROKER_DIR=
BROKER_LOG=
test_brokers=
test_cleanups=
test_n_brokers=0

# ---- end of a test

# fail WORDS... - the test failed, for this reason
fail()
{
	echo "$TEST_NAME: FAIL: $*" >&2
	exit 1
}

# skip WORDS... - the test cannot run here, for this reason
skip()
{
	echo "$TEST_NAME: skipped: $*" >&2
	exit 77
}

# cleanup_fn COMMAND [ARG...] - run at exit, last registered first
cleanup_fn()
{
	test_cleanups="$*
$test_cleanups"
}

test_at_exit()
{
	test_status=$?
	trap - EXIT
	trap '' INT TERM HUP
	set +e
	while [ -n "$test_cleanups" ]; do
		test_next=${test_cleanups%%
*}
		test_cleanups=${test_cleanups#*
}
		[ -z "$test_next" ] || eval "$test_next"
	done
	for test_pid in $test_brokers; do
		is_running "$test_pid" || continue
		# in a subshell, because fail exits
		(stop_broker "$test_pid") || [ $test_status -ne 0 ] || test_status=1
	done
	if [ $test_status -ne 0 ] && [ $test_status -ne 77 ]; then
		for test_log in "$TEST_DIR"/broker-*/log; do
			[ -s "$test_log" ] || continue
			echo "--- $test_log" >&2
			cat "$test_log" >&2
		done
	fi
	rm -rf "$TEST_DIR"
	exit $test_status
}
trap test_at_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- reasons to skip

# requires COMMAND [ARG...] - skip unless the command succeeds
requires()
{
	"$@" >/dev/null 2>&1 || skip "needs: $*"
}

requires_prog()
{
	for test_prog; do
		command -v "$test_prog" >/dev/null 2>&1 || skip "needs the program $test_prog"
	done
}

requires_root()
{
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# requires_free_mem 2GiB
requires_free_mem()
{
	local wanted available
	case $1 in
	*G | *GiB) wanted=$((${1%%G*} * 1048576)) ;;
	*M | *MiB) wanted=$((${1%%M*} * 1024)) ;;
	*) wanted=$(($1 / 1024)) ;;
	esac
	available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
	[ "$available" -ge "$wanted" ] || skip "needs $1 of free memory, $((available / 1024)) MiB are there"
}

# requires_python_module NAME
requires_python_module()
{
	"$PYTHON" -c "import $1" 2>/dev/null || skip "needs the Python module $1"
}

# requires_no_wrapper - for tests of the supervisor, which valgrind cannot run
requires_no_wrapper()
{
	[ -z "$OSTORE_WRAPPER" ] || skip "does not run under $OSTORE_WRAPPER"
}

# requires_user UID - root, and this uid can run the built programs
requires_user()
{
	requires_root
	requires_prog setpriv
	as_user "$1" test -x "$OSTORED" ||
		skip "uid $1 cannot reach $OSTORED (a directory above it is closed)"
}

# ---- other users

# as_user UID COMMAND [ARG...] - as this uid and gid, no groups, no capability.
# Its broker must have been opened with let_everybody_in.
as_user()
{
	local uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups --inh-caps=-all -- "$@"
}

# let_everybody_in - the test broker's socket for other uids
let_everybody_in()
{
	chmod 0755 "$TEST_DIR" "$BROKER_DIR"
	chmod 0666 "$OSTORE_ADDRESS"
}

# ---- waiting

# is_running PID - exists and is no zombie
is_running()
{
	local state
	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 1
	[ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

# wait_until SECONDS COMMAND [ARG...] - poll the command until it succeeds
wait_until()
{
	local ticks=$(($1 * 50))
	shift
	while ! "$@"; do
		ticks=$((ticks - 1))
		[ $ticks -gt 0 ] || return 1
		sleep 0.02
	done
}

is_gone()
{
	! is_running "$1"
}

# ---- brokers

test_is_ready_or_gone()
{
	[ -s "$BROKER_DIR/ready" ] || ! is_running "$BROKER_PID"
}

# start_broker [OPTION...] - a private broker of this test: its own directory,
# no configuration file, ended with the test.  Returns when it serves.
# A broker that does not come up fails the test.
start_broker()
{
	try_broker "$@" || fail "ostored did not start: $(cat "$BROKER_LOG")"
}

# try_broker [OPTION...] - the same, but returns 1 when it does not come up
try_broker()
{
	local extra=--starter=$$
	test_n_brokers=$((test_n_brokers + 1))
	BROKER_DIR=$TEST_DIR/broker-$test_n_brokers
	BROKER_LOG=$BROKER_DIR/log
	OSTORE_ADDRESS=$BROKER_DIR/ostore.sock
	export OSTORE_ADDRESS
	mkdir "$BROKER_DIR" || exit 99
	# valgrind 3.19 knows no pidfds either, so there the script must end it
	case $OSTORE_WRAPPER in *valgrind*) extra=--no-supervisor ;; esac
	# shellcheck disable=SC2086 # the wrapper is words
	$OSTORE_WRAPPER "$OSTORED" --private --address="$OSTORE_ADDRESS" --ready-fd=9 \
		$extra "$@" 9>"$BROKER_DIR/ready" 2>"$BROKER_LOG" >/dev/null </dev/null &
	BROKER_PID=$!
	test_brokers="$test_brokers $BROKER_PID"
	wait_until 30 test_is_ready_or_gone || return 1
	[ -s "$BROKER_DIR/ready" ]
}

# stop_broker [PID] - SIGTERM; fails unless obeyed in time and with exit status 0
stop_broker()
{
	local pid=${1:-$BROKER_PID} status=0
	kill -TERM "$pid" 2>/dev/null || fail "broker $pid is gone already"
	if ! wait_until "${BROKER_STOP_SECONDS:-20}" is_gone "$pid"; then
		kill -KILL "$pid"
		fail "broker $pid did not obey SIGTERM"
	fi
	# A subshell cannot wait for it (127); the main shell can.
	wait "$pid" 2>/dev/null || status=$?
	[ $status -eq 0 ] || [ $status -eq 127 ] || fail "broker $pid ended with status $status"
}

# worker_pid [PID] - prints the worker of the supervisor; fails when there is none
worker_pid()
{
	test_worker=$(cat /proc/[0-9]*/stat 2>/dev/null |
		sed -n "s/^\([0-9]*\) (.*) [A-WYa-z] ${1:-$BROKER_PID} .*/\1/p" | tail -n 1)
	[ -n "$test_worker" ] && echo "$test_worker"
}

test_has_other_worker()
{
	test_new_worker=$(worker_pid) && [ "$test_new_worker" != "$1" ]
}

# kill_worker_and_wait - kill -9 of the worker; returns when there is an heir
# (clients need not wait: their packets do)
kill_worker_and_wait()
{
	local old
	old=$(worker_pid) || fail "broker $BROKER_PID has no worker"
	kill -KILL "$old"
	wait_until 20 test_has_other_worker "$old" || fail "no heir after kill -9 of worker $old"
}

# kill_workers_under N SECONDS PROGRAM - run the program, which says when it has put
# something; from then on kill N workers, one every SECONDS; the program must end well
kill_workers_under()
{
	local most=$1 every=$2 kills=0 player
	"$3" >"$TEST_DIR/out" 2>&1 &
	player=$!
	wait_until 60 test_has_put || fail "nothing was put: $(cat "$TEST_DIR/out")"
	while [ $kills -lt "$most" ] && is_running $player; do
		sleep "$every"
		kill_worker_and_wait
		kills=$((kills + 1))
	done
	wait $player || fail "after $kills kills: $(cat "$TEST_DIR/out")"
	cat "$TEST_DIR/out"
}

test_has_put()
{
	grep -q put "$TEST_DIR/out"
}
