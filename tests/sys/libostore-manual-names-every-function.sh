#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every function, option and flag that libostore offers is described on one of its
# pages, and no page describes a function that is not there.
cd "${top_srcdir:-.}" || exit 1

status=0
complain()
{
	echo "$*"
	status=1
}

functions=$(sed -n 's/^[[:space:]]*\(ostore_[a-z_]*\);.*/\1/p' src/client/libostore.map)
[ -n "$functions" ] || complain "src/client/libostore.map lists nothing"
for function in $functions; do
	grep -qE "^\.(Fo|Fn) $function( |$)" man/libostore.3 man/ostore_*.3 ||
		complain "no SYNOPSIS shows $function"
	grep -qE "^\.Nm $function( |$)" man/ostore_*.3 || complain "no NAME lists $function"
done
for function in $(sed -nE 's/^\.(Fo|Fn) (ostore_[a-z_]*).*/\2/p' man/ostore_*.3 | sort -u); do
	echo "$functions" | grep -qx "$function" || complain "$function is described, but not there"
done
for word in $(sed -nE 's/^[[:space:]]*(OSTORE_[A-Z_]+) *=.*/\1/p; s/^#define (OSTORE_[A-Z_]+) .*/\1/p' include/ostore.h); do
	[ "$word" = OSTORE_PUBLIC ] || grep -q "\b$word\b" man/*.3 man/ostore.7 || complain "no page names $word"
done
for field in $(sed -n '/^struct ostore_[a-z_]*options {/,/^};/s/^[[:space:]][^;]*[ *]\([a-z_]*\);.*/\1/p' include/ostore.h | sort -u); do
	grep -qE "^\.It (Va|Fa|Li|Dv).* $field\b|^\.Fa .*\b$field\b|\b(Va|Fa) $field\b" man/*.3 || complain "no page describes the option $field"
done
exit $status
