#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Labels, time to live, priority and pin would not arrive, not be shown, or not survive the worker.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog "$PYTHON"
start_broker --capacity=64MiB

id=$(echo hello | "$OSCTL" put --label job=7 --label 'stage=train, first' --ttl 600 --priority -3 --pin --name m/one -) ||
	fail "put"
echo other | "$OSCTL" put --name m/two --label job=8 - >/dev/null || fail "put"
echo third | "$OSCTL" put - >/dev/null || fail "put"

# ids WORDS... - how many objects ls prints
count()
{
	"$OSCTL" --json ls "$@" | grep -c '^    "id"'
}

# check WORDS - python words about "o", which is what stat says of m/one
check()
{
	"$OSCTL" --json stat m/one | "$PYTHON" -c "import json, sys, time; o = json.load(sys.stdin); assert $1, o" ||
		fail "stat: not $1"
}

check 'o["labels"] == {"job": "7", "stage": "train, first"}'
check 'o["priority"] == -3 and o["pinned"] and not o["held"]'
check '590e9 < o["expires_ns"] - time.time_ns() <= 600e9'
[ "$(count --label job)" -eq 2 ] || fail "--label job"
[ "$(count --label job=7)" -eq 1 ] || fail "--label job=7"
[ "$(count --label job=7 --label stage)" -eq 1 ] || fail "two labels"
[ "$(count --label job=8 --label stage)" -eq 0 ] || fail "two labels that no object has"
[ "$(count --pattern 'm/*')" -eq 2 ] || fail "--pattern"
[ "$(count --pattern 'm/t?o')" -eq 1 ] || fail "--pattern with ?"
[ "$(count --pattern "${id%????????????????}*")" -eq 1 ] || fail "--pattern of an id"
[ "$(count --pattern 'm/*' --label job=8)" -eq 1 ] || fail "a pattern and a label"
[ "$("$OSCTL" ls --sort priority --limit 1 | tail -n 1 | cut -c 1-32)" = "$id" ] || fail "--sort priority"
"$OSCTL" ls | grep -q 'job=7,stage=train, first' || fail "ls does not show labels"
"$OSCTL" stat "$id" | grep -q '^priority  *-3$' || fail "stat does not show the priority"

kill_worker_and_wait
check 'o["labels"]["job"] == "7" and o["priority"] == -3 and o["pinned"] and o["expires_ns"]'
"$OSCTL" set m/one --label job=9 --unlabel stage --ttl none --priority 15 --unpin || fail "set"
check 'o["labels"] == {"job": "9"}'
check 'o["priority"] == 15 and not o["pinned"] and o["expires_ns"] == 0'
[ "$("$OSCTL" --json set "$id" --label a= | tr -d ' \n')" = "{\"id\":\"$id\"}" ] || fail "set --json"
check 'o["labels"] == {"a": "", "job": "9"}'

# What cannot be is refused, and names what is wrong.
refused()
{
	local status=$1 words=$2
	shift 2
	"$OSCTL" "$@" >/dev/null 2>"$TEST_DIR/error" </dev/null
	[ $? -eq "$status" ] || fail "osctl $*: not exit status $status: $(cat "$TEST_DIR/error")"
	grep -q -e "$words" "$TEST_DIR/error" || fail "osctl $*: $(cat "$TEST_DIR/error")"
}
refused 2 'nothing to set' set m/one
refused 2 '--priority 16' set m/one --priority 16
refused 2 'only one' set m/one --pin --unpin
refused 2 '--ttl soon' put --ttl soon -
refused 2 '--ttl 0' put --ttl 0 -
refused 2 '--ttl 0' set m/one --ttl 0
refused 1 'label "a b=c".*letters, digits' put --label 'a b=c' -
refused 1 'key, = and a value' set m/one --label job
refused 1 'given twice' put --label a=1 --label a=2 -
refused 4 'no object' set ffffffffffffffffffffffffffffffff --pin
[ "$(count)" -eq 3 ] || fail "a refused put has stored something"
