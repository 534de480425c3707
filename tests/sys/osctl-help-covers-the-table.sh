#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A command or an option would work and be in no help.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
commands=$("$OSCTL" --commands) || fail "--commands"
[ -n "$commands" ] || fail "no commands"
echo "$commands" | LC_ALL=C sort -c || fail "the table is not sorted"
help=$("$OSCTL" help) || fail "help"

for option in $("$OSCTL" --long-options) $("$OSCTL" --short-options); do
	echo "$help" | grep -q -e "${option%=}[ ,]" || fail "help does not mention $option"
done
for command in $commands; do
	echo "$help" | grep -q "^  $command " || fail "help does not mention $command"
	text=$("$OSCTL" help "$command") || fail "help $command"
	echo "$text" | grep -q "^Usage: osctl $command" || fail "help $command: $text"
	for option in $("$OSCTL" --long-options "$command") $("$OSCTL" --short-options "$command"); do
		echo "$text" | grep -q -e "${option%=}[ ,]" || fail "help $command does not mention $option"
	done
	# A command understands the options that it says it has.
	for option in $("$OSCTL" --long-options "$command"); do
		"$OSCTL" "$command" "${option}" 2>&1 | grep -q 'no such option' && fail "$command $option"
	done
done
exit 0
