#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Nobody would find out who keeps the store full.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog "$PYTHON"
start_broker --capacity=64MiB

[ "$("$OSCTL" --json memory | tr -d ' \n')" = \
	'{"totals":{"objects":0,"charged_bytes":0,"pinned_bytes":0,"evictable_bytes":0,"refs":0,"pins":0},"references":[]}' ] ||
	fail "of an empty store: $("$OSCTL" --json memory)"
head -c 100000 /dev/zero | "$OSCTL" put --name one --label job=7 - >/dev/null || fail "put"
head -c 200000 /dev/zero | "$OSCTL" put --label job=7 - >/dev/null || fail "put"
echo x | "$OSCTL" put --name two --label job=8 --pin - >/dev/null || fail "put"
id=$("$OSCTL" --json stat one | sed -n 's/^  "id": "\(.*\)",$/\1/p')
"$OSCTL" hold three "$id" || fail "hold"

# memory WORDS... -- PYTHON - a condition on "m", which is what memory prints
memory()
{
	local words=
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	set -f
	# shellcheck disable=SC2086 # words
	"$OSCTL" --json memory $words | "$PYTHON" -c "import json, sys; m = json.load(sys.stdin); assert $2, m" ||
		fail "memory$words: not $2"
	set +f
}

memory -- '[r["kind"] for r in m["references"]] == ["hold", "name", "name", "name", "pin"]'
memory -- 'sorted(r["name"] for r in m["references"]) == ["", "", "one", "three", "two"]'
memory -- '[r["size"] for r in m["references"]] == [200000, 100000, 100000, 2, 2]'
memory -- 'm["totals"]["objects"] == 3 and m["totals"]["refs"] == 4 and m["totals"]["evictable_bytes"] == 0'
memory --sort-by size -- 'm["references"][0]["size"] == 2'
memory --stats-only -- 'list(m) == ["totals"]'
memory --group-by uid --stats-only -- "len(m['groups']) == 1 and m['groups'][0]['group'] == '$(id -u)' and m['groups'][0]['objects'] == 3"
memory --group-by label:job -- '[(g["group"], g["objects"], g["refs"]) for g in m["groups"]] == [("7", 2, 3), ("8", 1, 1)]'
memory --group-by label:job -- '[r["group"] for r in m["references"]] == ["7", "7", "7", "8", "8"]'
memory --label job=8 -- 'm["totals"]["objects"] == 1'
memory --pattern 't*' -- '{r["name"] for r in m["references"]} == {"one", "two", "three", ""}'
memory -- '{r["pid"] for r in m["references"]} == {None}'
"$OSCTL" memory | grep -q '^  name  *-  ' || fail "a name has a process: $("$OSCTL" memory)"
"$OSCTL" --json stat one | "$PYTHON" -c 'import json, sys; assert json.load(sys.stdin)["holders"][0]["pid"] is None' ||
	fail "stat: $("$OSCTL" --json stat one)"
"$OSCTL" memory | grep -q '^  KIND ' || fail "no table: $("$OSCTL" memory)"
"$OSCTL" memory --group-by pid >/dev/null || fail "--group-by pid"
"$OSCTL" memory --group-by label: 2>/dev/null
[ $? -eq 2 ] || fail "--group-by label: is not refused"
"$OSCTL" memory --sort-by color 2>/dev/null
[ $? -eq 2 ] || fail "--sort-by color is not refused"
