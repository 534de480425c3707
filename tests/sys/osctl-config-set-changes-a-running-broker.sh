#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is configured while the broker runs counts at once, and for the next worker too.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog jq
start_broker --capacity=8MiB --pool=0 --queue_deadline=60 --max_objects=100

# value KEY - what osctl config shows, and where it is from
value()
{
	"$OSCTL" --json config | jq -r --arg key "$1" '.[] | select(.key == $key) | .value + " " + .origin'
}

# status KEY
status()
{
	"$OSCTL" --json status | jq -r ".$1"
}

# is KEY OPERATOR NUMBER
is()
{
	test "$(status "$1")" "$2" "$3"
}

# refused STATUS KEY VALUE WORDS - it fails, and says so in these words
refused()
{
	"$OSCTL" config set "$2" "$3" >"$TEST_DIR/out" 2>"$TEST_DIR/error"
	[ $? -eq "$1" ] || fail "config set $2 $3: another status than $1"
	grep -q -- "$4" "$TEST_DIR/error" || fail "config set $2 $3: $(cat "$TEST_DIR/error")"
	[ ! -s "$TEST_DIR/out" ] || fail "config set $2 $3 prints something"
}

origin="run time (uid $(id -u))"
head -c 12582912 /dev/zero >"$TEST_DIR/12M"
head -c 3145728 /dev/zero >"$TEST_DIR/3M"

# larger: what did not fit does
"$OSCTL" put "$TEST_DIR/12M" 2>/dev/null && fail "12 MiB fit into 8"
"$OSCTL" config set capacity 20MiB | grep -q "^capacity 20MiB *$origin\$" || fail "set prints something else"
[ "$(value capacity)" = "20MiB $origin" ] || fail "config shows $(value capacity)"
[ "$(status capacity_bytes)" = 20971520 ] || fail "capacity is $(status capacity_bytes)"
held=$("$OSCTL" put --name held "$TEST_DIR/12M") || fail "12 MiB do not fit into 20"

# smaller than what is held: it stays, and who wants more waits
"$OSCTL" config set capacity 4MiB >/dev/null || fail "set"
[ "$(status used_bytes)" -gt 12000000 ] || fail "what is used is $(status used_bytes)"
[ "$(status capacity_bytes)" = 4194304 ] || fail "capacity is $(status capacity_bytes)"
"$OSCTL" put --name small "$TEST_DIR/3M" >/dev/null &
waiting=$!
wait_until 10 is queue_length = 1 || fail "it does not wait"

# the next worker goes by it
kill -9 "$(status broker.worker_pid)"
wait_until 10 is broker.generation = 2 || fail "no heir"
[ "$(value capacity)" = "4MiB $origin" ] || fail "after a crash config shows $(value capacity)"
[ "$(status capacity_bytes)" = 4194304 ] || fail "after a crash capacity is $(status capacity_bytes)"
wait_until 10 is queue_length = 1 || fail "it does not wait again"
"$OSCTL" get "$held" | cmp -s - "$TEST_DIR/12M" || fail "the held object has changed"
"$OSCTL" rm "$held" || fail "rm"
wait $waiting || fail "there is room, and it was not granted"
"$OSCTL" put "$TEST_DIR/12M" 2>/dev/null && fail "12 MiB fit into 4"

# what else can be changed, and percentages
"$OSCTL" config set queue_deadline 0.1 >/dev/null || fail "queue_deadline"
"$OSCTL" put "$TEST_DIR/3M" 2>"$TEST_DIR/error" && fail "3 MiB and 3 MiB fit into 4"
grep -q 'largest holders\|held' "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
for setting in min_free=0 quota='*:50%' pool=1MiB transit_lease=5 max_connections_per_uid=100 log_level=info \
	capacity=40%; do
	"$OSCTL" config set "${setting%%=*}" "${setting#*=}" >/dev/null || fail "$setting"
	value "${setting%%=*}" | grep -q "$origin\$" || fail "$setting: $(value "${setting%%=*}")"
done
[ "$(status capacity_bytes)" -gt 67108864 ] || fail "40 % of memory are $(status capacity_bytes)"
before=$(status capacity_bytes)
kill -9 "$(status broker.worker_pid)"
wait_until 10 is broker.generation = 3 || fail "no second heir"
[ "$(status capacity_bytes)" = "$before" ] || fail "40 % were $before, and are $(status capacity_bytes)"

# every key either can be changed, and the manual says so, or asks for a restart
live=$(sed -n '/^.Sh CHANGES/,/^.Sh KEYS/s/^.Cm \([a-z_]*\).*/\1/p' "$top_srcdir/man/ostored.conf.5")
for key in $("$OSCTL" --json config | jq -r '.[].key'); do
	now=$("$OSCTL" --json config | jq -r --arg key "$key" '.[] | select(.key == $key) | .value')
	# shellcheck disable=SC2086,SC2116 # words
	case " $(echo $live) " in
	*" $key "*) "$OSCTL" config set "$key" "$now" >/dev/null || fail "$key cannot be set to $now" ;;
	*) refused 1 "$key" "$now" "restart the broker" ;;
	esac
done

# a percentage is shown with what it came to
"$OSCTL" config set capacity 40% | grep -q '^capacity 40% ([0-9.]* [GM]iB) ' || fail "40% are shown otherwise"
[ "$("$OSCTL" --json config | jq -r '.[] | select(.key == "capacity") | .value, .effective' | tr '\n' ' ')" = \
	"40% $(status capacity_bytes) " ] || fail "40% in JSON: $("$OSCTL" --json config)"
[ "$("$OSCTL" --json config | jq '.[] | select(.key == "queue_deadline") | .effective')" = null ] || fail "effective"

# more than the machine has is taken, and not without a word
"$OSCTL" config set capacity 400TiB >"$TEST_DIR/out" 2>"$TEST_DIR/error" || fail "400 TiB are refused"
grep -q 'warning: capacity is 400TiB, of which [0-9.]* [GMT]iB can be used at present: ' "$TEST_DIR/error" ||
	fail "not a word of 400 TiB: $(cat "$TEST_DIR/error")"
grep -q '^capacity 400TiB ([0-9.]* [GMT]iB at present) ' "$TEST_DIR/out" || fail "$(cat "$TEST_DIR/out")"
[ "$(status configured_capacity_bytes)" = 439804651110400 ] || fail "status: $("$OSCTL" --json status)"
[ "$(status capacity_bytes)" -lt 439804651110400 ] || fail "400 TiB are there"
grep -q 'capacity is .* at present instead of 400 TiB' "$BROKER_LOG" || fail "$(cat "$BROKER_LOG")"
"$OSCTL" config set capacity 8MiB 2>"$TEST_DIR/error" >/dev/null || fail "set"
[ ! -s "$TEST_DIR/error" ] || fail "8 MiB: $(cat "$TEST_DIR/error")"
before=8388608

refused 1 quota '1234:1MiB,7:1GiB,1234:2MiB' 'quota = .*: uid 1234 is given twice'
refused 1 quota '*:1MiB,*:1GiB' 'quota = .*: \* is given twice'
refused 1 capacity much 'allowed: a size such as 2GiB'
refused 1 capacity 1000 'at least 1MiB'
refused 1 colour red 'unknown key "colour"'
refused 1 pool 900GiB 'more than the capacity'
"$OSCTL" config set capacity 2>/dev/null
[ $? -eq 2 ] || fail "a missing value is no usage error"
"$OSCTL" config get capacity x 2>/dev/null
[ $? -eq 2 ] || fail "config get is no usage error"

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	let_everybody_in
	as_user 1234 "$OSCTL" config set capacity 1GiB 2>"$TEST_DIR/error" && fail "another user may"
	grep -q 'uid 1234 may not change' "$TEST_DIR/error" || fail "$(cat "$TEST_DIR/error")"
	[ "$(status capacity_bytes)" = "$before" ] || fail "and it counts"
fi
