#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# HACKING.md sends whoever changes something to its tests: they must exist, and
# no script may be left out.
cd "${top_srcdir:-.}" || exit 1

named=$(sed -n '/^## What is promised/,$s/`\([^`]*\)`/\n\1\n/gp' HACKING.md | grep -E '\.(sh|c|py)$|/run$')
status=0
list=
for pattern in $named; do
	case $pattern in */*) ;; *) pattern=tests/sys/$pattern ;; esac
	# shellcheck disable=SC2086 # the pattern is one
	set -- $pattern
	[ -e "$1" ] || {
		echo "HACKING.md names $pattern, which does not exist"
		status=1
	}
	list="$list $* "
done
for script in tests/sys/*.sh; do
	case $script in
	tests/sys/hacking-names-real-tests.sh | tests/sys/hostile-functions.sh) continue ;;
	esac
	case $list in
	*" $script "*) ;;
	*)
		echo "HACKING.md does not say what $script is for"
		status=1
		;;
	esac
done
exit $status
