#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who follows the events would miss some, or see some twice, when the worker dies.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_no_wrapper
requires_prog awk
start_broker --capacity=64MiB

"$OSCTL" --json events --since 0 --limit 62 >"$TEST_DIR/followed" 2>"$TEST_DIR/stderr" &
follower=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
	for k in 1 2; do
		echo "$i $k" | "$OSCTL" put --name "n$i-$k" - >>"$TEST_DIR/ids" || fail "put $i $k"
	done
	kill_worker_and_wait
	"$OSCTL" rm "n$i-1" "n$i-2" || fail "rm $i"
done
echo last | "$OSCTL" put - >>"$TEST_DIR/ids" || fail "put"
wait $follower || fail "the follower: $(cat "$TEST_DIR/stderr")"

# Nothing is left out and nothing told twice: numbers, and the life of each object.
awk -F '[ ,:"{}]+' '$3 != NR { print "event " NR " is number " $3; exit 1 }' "$TEST_DIR/followed" ||
	fail "the sequence has a gap"
while read -r id; do
	grep "$id" "$TEST_DIR/followed" | sed 's/.*"event": "\([a-z]*\)".*/\1/' | tr '\n' ' '
	echo
done <"$TEST_DIR/ids" | uniq >"$TEST_DIR/lives"
diff -u - "$TEST_DIR/lives" <<'END' || fail "lives of objects are told wrongly"
created sealed deleted 
created sealed 
END

# What was followed, and what is kept, are the same; from the middle on too.
"$OSCTL" --json events --no-follow | diff -u "$TEST_DIR/followed" - || fail "other events are kept"
tail -n +40 "$TEST_DIR/followed" >"$TEST_DIR/tail"
"$OSCTL" --json events --no-follow --since 40 | diff -u "$TEST_DIR/tail" - || fail "--since 40"
[ "$("$OSCTL" events --since 1 --limit 3 | wc -l)" -eq 3 ] || fail "--limit 3"
