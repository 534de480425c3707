#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first thing that a new user types is the README's transcript: it must do
# what the README says.  So must its Python lines.
# shellcheck source=tests/lib/functions.sh
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker
mkdir "$TEST_DIR/bin"
ln -s "$OSCTL" "$TEST_DIR/bin/osctl"
PATH=$TEST_DIR/bin:$PATH

command='' expected='' ran=0
check()
{
	local output
	[ -n "$command" ] || return 0
	output=$(eval "$command") || fail "the README's command failed: $command"
	[ "$output" = "$expected" ] || fail "'$command' printed '$output', the README says '$expected'"
	ran=$((ran + 1))
}

while IFS= read -r line; do
	case $line in
	'$ ./quickstart'* | '$ ostored '* | '$ export '*) ;; # this script's business
	'$ '*)
		check
		command=${line#\$ } expected=''
		;;
	*) expected=${expected:+$expected$'\n'}$line ;;
	esac
done < <(sed -n '/^```console/,/^```$/p' "$top_srcdir/README.md" | sed '1d;/^```/,$d')
check
[ $ran -ge 2 ] || fail "the README's transcript has only $ran commands"

[ -e "$top_builddir/python/ostore/_ostore.abi3.so" ] || exit 0
sed -n '/^```python/,/^```$/p' "$top_srcdir/README.md" | sed '1d;/^```/,$d' >"$TEST_DIR/readme.py"
[ -s "$TEST_DIR/readme.py" ] || fail "the README has no Python lines"
echo 'assert ostore.get(ref)[-1] == 9_999_999' >>"$TEST_DIR/readme.py"
PYTHONPATH=$top_builddir/python "$PYTHON" "$TEST_DIR/readme.py" || fail "the README's Python lines failed"
