#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ostored's options and keys, and what the manual says of them, must be the same:
# compared both ways, defaults too.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
options=$top_srcdir/man/ostored.8
keys=$top_srcdir/man/ostored.conf.5

"$OSTORED" --long-options | sort >"$TEST_DIR/program" || fail "--long-options"
{
	sed -n 's/^\.It Fl -\([a-z_-]*\).*/--\1/p' "$options"
	sed -n '/^Every key of/,/^\.Sh/s/^\.Fl -\([a-z_]*\) [,.]$/--\1/p' "$options"
} | sort >"$TEST_DIR/manual"
diff "$TEST_DIR/program" "$TEST_DIR/manual" || fail "ostored.8 (>) and ostored --long-options (<) differ"

"$OSTORED" --private --dump-config >"$TEST_DIR/dump" || fail "--dump-config"
cut -f 1 "$TEST_DIR/dump" | sort >"$TEST_DIR/program"
sed -n 's/^\.It Cm \([a-z_]*\) No = .*/\1/p' "$keys" | sort >"$TEST_DIR/manual"
diff "$TEST_DIR/program" "$TEST_DIR/manual" || fail "ostored.conf.5 (>) and ostored --dump-config (<) differ"

# each key's default: the word behind its last "Default"
tab=$(printf '\t')
while IFS=$tab read -r key value _; do
	case $key in
	state_directory | user) continue ;; # chosen by configure
	esac
	documented=$(sed -n "/^\.It Cm $key No = /,/^\.It\|^\.El/p" "$keys" |
		sed -n '/^Default$/{n;s/^\.[A-Z][a-z] \(.*\) \.$/\1/p;}')
	[ "$documented" = "$value" ] || fail "ostored.conf.5: default of $key is $value, not \"$documented\""
	"$OSTORED" --help | grep -q "^  --$key=.*(default $value)$" || fail "--help: $key"
done <"$TEST_DIR/dump"

# reserved keys are refused as such, and the manual's list is complete
for key in $(sed -n '/^The keys$/,/^are reserved/s/^\.Cm \([a-z_]*\).*/\1/p' "$keys"); do
	"$OSTORED" --private --check-config --"$key"=1 2>&1 | grep -q "$key: not supported by this version" ||
		fail "$key is not refused as the manual says"
done

if command -v mandoc >/dev/null; then
	mandoc -Tlint -Wwarning "$options" "$keys" || fail "mandoc -Tlint"
fi
