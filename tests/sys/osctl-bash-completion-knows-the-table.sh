#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion would offer what osctl does not have, or not offer what it has.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog bash
start_broker --capacity=8MiB
id=$(echo x | "$OSCTL" put --name weights -) || fail "put"
mkdir "$TEST_DIR/bin" && ln -s "$OSCTL" "$TEST_DIR/bin/osctl"
cat >"$TEST_DIR/complete" <<'EOF'
osctl() { "$OSCTL" "$@"; }
. "$top_srcdir/tools/bash-completion/osctl"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_osctl
printf '%s\n' "${COMPREPLY[@]}"
EOF

# offers WORDS... - what is offered for the last word, in one line
offers()
{
	bash "$TEST_DIR/complete" osctl "$@" | tr '\n' ' '
}

# is WANTED WORDS...
is()
{
	local wanted=$1
	shift
	[ "$(offers "$@")" = "$wanted " ] || fail "osctl $*: offers $(offers "$@")"
}

is "$("$OSCTL" --commands | tr '\n' ' ' | sed 's/ $//')" ''
is "$("$OSCTL" --commands | tr '\n' ' ' | sed 's/ $//')" --address /x ''
is "hold" ho
is "unhold" help un
is "--short-options --sort= --state=" ls --s
is "--json" --j
is "created" ls --state = c
is "created" ls --state c
is "$id" get "${id%????????????????????????????}"
is "weights" get --timeout 3 wei
is "weights" rm "$id" w
cd "$TEST_DIR/bin" && is "osctl" put os && is "osctl" get weights -o os

# The keys of --sort are those that osctl accepts.
known=$("$OSCTL" ls --sort '' 2>&1 | sed 's/.*not one of //; s/,//g')
is "$known" ls --sort ''
