#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# osctl(1) would miss a command, an option or an exit status, or describe one that is gone.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
page=$top_srcdir/man/osctl.1
requires_prog sed grep

# Commands: the items of the list in COMMANDS.
sed -n '/^\.Sh COMMANDS/,/^\.Sh OPTIONS/s/^\.It Cm \([a-z]*\).*/\1/p' "$page" |
	grep -v -x -e created >"$TEST_DIR/in-page"
"$OSCTL" --commands >"$TEST_DIR/in-table"
diff -u "$TEST_DIR/in-table" "$TEST_DIR/in-page" || fail "the manual has other commands"

# Options of a command: the items between it and the next command. Global ones: in OPTIONS.
options_of()
{
	sed -n "$1" "$page" | grep '^\.It Fl' | sed 's/ , /\n/g' |
		sed -n 's/^.*Fl -\([a-z-]*\).*/--\1/p; s/^.*Fl \([a-zA-Z]\)\( .*\)*$/-\1/p' | sort
}
table_options()
{
	{ "$OSCTL" --long-options "$@"; "$OSCTL" --short-options "$@"; } | tr -d = | sort
}
while read -r command; do
	next=$(grep -A 1 -x "$command" "$TEST_DIR/in-table" | tail -n 1) # the last one: itself
	options_of "/^\.It Cm $command/,/^\.\(It Cm $next\|Sh OPTIONS\)/p" >"$TEST_DIR/a"
	table_options "$command" >"$TEST_DIR/b"
	diff -u "$TEST_DIR/b" "$TEST_DIR/a" || fail "the manual has other options of $command"
	for option in $("$OSCTL" --long-options "$command"); do
		option=${option#--}
		grep -q "^\.It Cm $command .*Fl -${option%=}" "$page" || fail "$command: its line lacks --${option%=}"
	done
done <"$TEST_DIR/in-table"
options_of '/^\.Sh OPTIONS/,/^\.Sh OUTPUT/p' >"$TEST_DIR/a"
table_options >"$TEST_DIR/b"
diff -u "$TEST_DIR/b" "$TEST_DIR/a" || fail "the manual has other global options"

# Exit statuses.
sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/s/^\.It \([0-9]\)$/\1/p' "$page" | tr '\n' ' ' |
	grep -qx '0 1 2 3 4 5 6 ' || fail "the manual has other exit statuses"
if command -v mandoc >/dev/null; then
	for file in "$page" "$top_srcdir/man/ostore.7"; do
		mandoc -Tlint -W warning "$file" >"$TEST_DIR/lint" || fail "$(cat "$TEST_DIR/lint")"
	done
fi
