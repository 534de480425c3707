# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# For the scripts hostile-*.sh: a broker, and an attack on it (hostile.c).  Each
# script names one attack; the judge in hostile.c checks what all have in common:
# a good client is not disturbed, all that was charged comes back, and it is the
# same worker afterwards.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

# hostile ATTACK [OPTION_OF_OSTORED...]
hostile()
{
	attack=$1
	shift
	# no pool: it would come and go
	start_broker --capacity=256MiB --pool=0 "$@"
	if [ "$(id -u)" = 0 ]; then
		let_everybody_in
	fi
	status=0
	TMPDIR=$TEST_DIR "$top_builddir/tests/sys/hostile" "$attack" || status=$?
	case $status in
	0) ;;
	77) exit 77 ;;
	*) fail "attack $attack (status $status)" ;;
	esac
	stop_broker
}
