#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What people read would change unnoticed. Variable parts are replaced by what they are.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=64MiB
TZ=UTC
export TZ
id=0123456789abcdef0123456789abcdef
head -c 1572864 /dev/zero | "$OSCTL" put --id $id --name weights --mode 0644 - >/dev/null || fail "put"

# expect WORDS... - what osctl prints is what stands on stdin
expect()
{
	"$OSCTL" "$@" >"$TEST_DIR/out" || fail "osctl $*"
	sed -E -e "s/ +$(id -u) +$(id -g) 0644 +[0-9]+s +[0-9]+s / UID GID 0644 AGE AGE /" \
		-e 's/ +UID +GID MODE/ UID GID MODE/; s/^((u|g)id +)[0-9]+$/\1N/' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}/DATE/; s/^(address +)0x[0-9a-f]+$/\1ARENA/' \
		-e '/^  (KIND|name) /s/([^ ]) +/\1 /g; s/^  name - [0-9]+ /  name - UID /' \
		-e "s/^  $(id -u)\$/  UID/" -e 's/^((pool|used) +).*/\1SIZE/; s/^(  [a-z ]+  )(yes|no   .+)$/\1YES-OR-WHY-NOT/' \
		-e 's/^(  (address|version|worker pid|supervisor pid|descriptors|max descriptors) +).*/\1X/' \
		"$TEST_DIR/out" >"$TEST_DIR/got"
	diff -u - "$TEST_DIR/got" || fail "osctl $* prints something else"
}

expect events --no-follow <<'E1'
       1  DATE  created  0123456789abcdef0123456789abcdef  1.5 MiB
       2  DATE  sealed   0123456789abcdef0123456789abcdef  1.5 MiB
E1
expect ls <<'E2'
ID                                  SIZE METADATA SIZE STATE    REFS PINS UID GID MODE CREATED LAST ACCESS ACCESSES NAMES   LABELS TYPE
0123456789abcdef0123456789abcdef 1.5 MiB           0 B resident    1    0 UID GID 0644 AGE AGE        0 weights -      -
E2
expect stat weights <<'E2'
id             0123456789abcdef0123456789abcdef
size           1.5 MiB
metadata size  0 B
state          resident
refs           1
pins           0
uid            N
gid            N
mode           0644
created        DATE
last access    DATE
accesses       0
names          weights
labels         -
expires        -
priority       0
pinned         no
held           no
call site      -
type           -
address        ARENA
charged        1.5 MiB
resident       1.5 MiB
deleted        no
holders
  KIND PID UID COMM NAME REFS PINS EXPIRES
  name - UID - weights 1 0 -
E2
expect memory <<'E2'
totals
  objects    1
  charged    1.5 MiB
  pinned     0 B
  evictable  0 B
  refs       1
  pins       0
references
  KIND PID UID COMM NAME REFS PINS SIZE ID EXPIRES CALL SITE
  name - UID - weights 1 0 1.5 MiB 0123456789abcdef0123456789abcdef - -
E2
expect status <<'E2'
capacity             64 MiB
configured capacity  64 MiB
capacity limited by  -
used                 SIZE
resident             1.5 MiB
pinned               0 B
spilled              0 B
pool                 SIZE
pack                 0 B
packed               0 B
packed objects       0
objects
  created            0
  resident           1
  spilled            0
  paging             0
clients              1
queue length         0
counters
  puts               1
  gets               0
  restored           0 B
  restores           0
  spilled            0 B
  spills             0
  in use evictions   0
  dropped            0
  pulls              0
  pulled             0 B
  full errors        0
  faults             0
  bad releases       0
  compactions        0
  repacks            0
rates
  spill              0 B/s
  restore            0 B/s
thrashing            no
features
  bpf                YES-OR-WHY-NOT
  userfaultfd        YES-OR-WHY-NOT
  kernel faults      YES-OR-WHY-NOT
  huge pages         YES-OR-WHY-NOT
  io uring           YES-OR-WHY-NOT
  seccomp            YES-OR-WHY-NOT
users
  UID
    bytes            1.5 MiB
    objects          1
    descriptors      1
    connections      1
    requests         0
    references       0
    names            1
broker
  address            X
  version            X
  supervisor pid     X
  worker pid         X
  generation         1
  descriptors        X
  max descriptors    X
E2
"$OSCTL" config | grep -q '^capacity  *64MiB  *command line$' || fail "config: $("$OSCTL" config)"
expect hold other $id </dev/null
expect get --json other -o "$TEST_DIR/file" <<E2
{
  "id": "$id",
  "size": 1572864,
  "file": "$TEST_DIR/file"
}
E2
expect --json rm other <<E2
{
  "deleted": [
    "$id"
  ]
}
E2
expect ls </dev/null
expect --json ls <<'E2'
[]
E2
