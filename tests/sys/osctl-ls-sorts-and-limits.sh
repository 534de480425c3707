#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# With hundreds of objects a person would not find the largest, the oldest or the named ones.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog seq sort awk
start_broker --capacity=64MiB

# Many runs: the program itself, not libtool's script around it.
if [ -x "$top_builddir/tools/.libs/osctl" ]; then
	OSCTL=$top_builddir/tools/.libs/osctl
	export LD_LIBRARY_PATH="$top_builddir/src/client/.libs"
fi

for i in $(seq 300); do
	size=$((i * 7919 % 1009)) # each size once
	name=
	[ $((i % 100)) -eq 0 ] && name="--name n$i"
	# shellcheck disable=SC2086 # words
	head -c $size /dev/zero | "$OSCTL" put $name --mode 06$((i % 5))0 - || fail "put $i"
done >"$TEST_DIR/ids"

# column NUMBER OPTIONS... - one column of the table
column()
{
	local number=$1
	shift
	"$OSCTL" ls "$@" | tail -n +2 | awk "{ print \$$number }"
}

# values KEY OPTIONS... - one field of each object, in the order of the list
values()
{
	local key=$1
	shift
	"$OSCTL" --json ls "$@" | sed -n "s/^    \"$key\": \"\{0,1\}\([^\",[]*\).*/\1/p"
}

column 1 | cmp - "$TEST_DIR/ids" || fail "without options: not in the order of creation"
[ "$(values id | wc -l)" -eq 300 ] || fail "ls does not list all"
values size --sort size | sort -n -c || fail "--sort size"
values size --sort -size | sort -n -r -c || fail "--sort -size"
values id --sort id | LC_ALL=C sort -c || fail "--sort id"
values mode --sort mode | sort -c || fail "--sort mode"
values created_ns --sort -created_ns | sort -n -r -c || fail "--sort -created_ns"
# Equal ones stay in the order of creation, also backwards.
values id --sort uid | cmp - "$TEST_DIR/ids" || fail "--sort uid changed the order of equals"
values id --sort -uid | cmp - "$TEST_DIR/ids" || fail "--sort -uid changed the order of equals"
for key in metadata_size state refs pins gid last_access_ns accesses names; do
	[ "$(values id --sort $key | wc -l)" -eq 300 ] || fail "--sort $key"
done
[ "$(column 1 --limit 10)" = "$(head -n 10 "$TEST_DIR/ids")" ] || fail "--limit 10"
[ "$("$OSCTL" ls --limit 0)" = "" ] || fail "--limit 0"
[ "$(values id --limit 1000 | wc -l)" -eq 300 ] || fail "--limit beyond the end"
[ "$(values size --sort -size --limit 1)" -eq "$(values size | sort -n | tail -n 1)" ] || fail "the largest"
[ "$("$OSCTL" ls --sort -names --limit 3 | grep -c ' n[123]00 ')" -eq 3 ] || fail "--sort -names"
[ "$(values id --state resident | wc -l)" -eq 300 ] || fail "--state resident"
[ "$(values id --state created | wc -l)" -eq 0 ] || fail "--state created"
