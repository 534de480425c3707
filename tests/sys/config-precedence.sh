#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line stands above drop-ins, those above the file, that above the
# defaults; and each value says where it came from.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
conf=$TEST_DIR/ostored.conf

# origin KEY, value KEY: as the broker would use it
dump() { "$OSTORED" --private --config="$conf" --dump-config "$@"; }
origin() { awk -F '\t' -v key="$1" '$1 == key { print $4 }' "$TEST_DIR/dump"; }
value() { awk -F '\t' -v key="$1" '$1 == key { print $2 }' "$TEST_DIR/dump"; }

mkdir "$conf.d"
cat >"$conf" <<END
# the file
max_objects = 100
max_connections = 100
pool = 0
END
printf '[ostored]\nmax_connections = 200\npool = 1MiB\n' >"$conf.d/10-first.conf"
printf 'pool = 2MiB\n' >"$conf.d/20-second.conf"
dump --pool=3MiB >"$TEST_DIR/dump" || fail "refused"

[ "$(value inline_max)" = 64KiB ] && [ "$(origin inline_max)" = default ] || fail "default"
[ "$(value max_objects)" = 100 ] && [ "$(origin max_objects)" = "$conf:2" ] || fail "file"
[ "$(value max_connections)" = 200 ] || fail "drop-in value"
[ "$(origin max_connections)" = "$conf.d/10-first.conf:2" ] || fail "drop-in origin"
[ "$(value pool)" = 3MiB ] && [ "$(origin pool)" = "command line" ] || fail "command line"
dump >"$TEST_DIR/dump"
[ "$(value pool)" = 2MiB ] && [ "$(origin pool)" = "$conf.d/20-second.conf:1" ] || fail "order of drop-ins"
