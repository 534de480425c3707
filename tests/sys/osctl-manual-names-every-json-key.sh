#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A key that scripts may rely on would be documented nowhere.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=8MiB
page=$(sed 's/[,.()]/ /g' "$top_srcdir/man/osctl.1" | tr '\n' ' ')
id=$(echo x | "$OSCTL" put --name x -) || fail "put"

for words in ls "memory --group-by uid" "set $id --pin" "events --no-follow" "stat $id" status config doctor "put $top_srcdir/man/osctl.1" "get x -o $TEST_DIR/out" \
	"hold y $id" "unhold y" "rm $id"; do
	# shellcheck disable=SC2086 # words
	for key in $("$OSCTL" --json $words | tr ',{' '\n\n' | sed -n 's/^ *"\([a-z_]*\)":.*/\1/p' | sort -u); do
		case $page in
		*" $key "*) ;;
		*) fail "osctl --json $words prints $key, which osctl(1) does not mention" ;;
		esac
	done
done
