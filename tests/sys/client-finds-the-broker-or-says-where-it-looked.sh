#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Somebody without a broker would not learn where one was looked for, or how to
# start one; or a dead socket would hide a living broker.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

put=$top_builddir/examples/put
dead=$TEST_DIR/dead.sock
mkdir -p "$TEST_DIR/run/ostore"

# says WORDS... - the last run said each of them
says()
{
	for word; do
		grep -qF -e "$word" "$TEST_DIR/said" || fail "does not say $word: $(cat "$TEST_DIR/said")"
	done
}

start_broker
socket=$OSTORE_ADDRESS
unset OSTORE_ADDRESS

if [ ! -e /run/ostore/ostore.sock ]; then
	env XDG_RUNTIME_DIR="$TEST_DIR/run" "$put" 2>"$TEST_DIR/said" && fail "found a broker"
	says OSTORE_ADDRESS "$TEST_DIR/run/ostore/ostore.sock" /run/ostore/ostore.sock 'ostored --address='
	env -u XDG_RUNTIME_DIR OSTORE_ADDRESS="$TEST_DIR/none.sock" "$put" 2>"$TEST_DIR/said" && fail "found a broker"
	says "$TEST_DIR/none.sock (not there)" 'XDG_RUNTIME_DIR' 'ostored --address='
fi

OSTORE_ADDRESS=$socket "$put" || fail "$OSTORE_ADDRESS is not used"
ln -s "$socket" "$TEST_DIR/run/ostore/ostore.sock"
XDG_RUNTIME_DIR=$TEST_DIR/run "$put" || fail "$XDG_RUNTIME_DIR is not used"

# A socket that refuses counts as absent.
"$PYTHON" -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(sys.argv[1])' "$dead" ||
	skip "needs python3"
OSTORE_ADDRESS=$dead XDG_RUNTIME_DIR=$TEST_DIR/run "$put" || fail "a dead socket hides the broker"

# A path that cannot be is refused, not passed over.
long=$TEST_DIR/$(printf %0110d 0)
OSTORE_ADDRESS=$long XDG_RUNTIME_DIR=$TEST_DIR/run "$put" 2>"$TEST_DIR/said" && fail "a path that is too long is passed over"
says 'longer than the 107 bytes'
exit 0
