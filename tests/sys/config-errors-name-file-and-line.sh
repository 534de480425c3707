#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A wrong key or value is refused at start, with status 2, file, line and what is
# allowed; nothing is ignored, and all of it is reported at once.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
conf=$TEST_DIR/ostored.conf

# refused TEXT OPTION... - status 2, and TEXT is on stderr
refused()
{
	text=$1
	shift
	"$OSTORED" --private --address="$TEST_DIR/o.sock" "$@" 2>"$TEST_DIR/error" >/dev/null
	status=$?
	[ $status = 2 ] || fail "$*: status $status instead of 2"
	grep -qF -- "$text" "$TEST_DIR/error" || fail "$*: no \"$text\" in: $(cat "$TEST_DIR/error")"
	[ ! -e "$TEST_DIR/o.sock" ] || fail "$*: it made its socket"
}

cat >"$conf" <<END
# a comment
capacity = lots
capcity = 1GiB
[ostored]
tls = on
log_level = loud
END
refused "$conf:2: capacity = \"lots\" is not allowed; allowed: a size such as 2GiB" --config="$conf"
refused "$conf:3: unknown key \"capcity\"; keys are: address capacity" --config="$conf"
refused "$conf:5: tls: not supported by this version" --config="$conf"
refused "$conf:6: log_level = \"loud\" is not allowed; allowed: error warning notice info debug" --config="$conf"
refused "command line: pool = \"x\" is not allowed" --config="$conf" --pool=x
refused "command line: spill = \"/tmp\" is not allowed; allowed: none" --spill=/tmp
refused "/nowhere/o.conf: No such file or directory" --config=/nowhere/o.conf
refused "unexpected word \"start\"" start
echo "capacity 1GiB" >"$conf"
refused "$conf:1: Missing delimiter" --config="$conf"
mkdir "$conf.d"
echo "capacity = 1GiB" >"$conf"
echo "pool = x" >"$conf.d/1.conf"
refused "$conf.d/1.conf:1: pool" --config="$conf"
refused "$conf.d/1.conf:1: pool" --config="$conf" --check-config
rm "$conf.d/1.conf"
"$OSTORED" --private --config="$conf" --check-config || fail "a good file is refused"
