#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A script that reads a key by its name would break; and a list must be a list at 0, 1 and n.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
requires_prog "$PYTHON"
start_broker --capacity=64MiB

# The shape of the JSON document on stdin: a line for each key with the type of its value.
cat >"$TEST_DIR/keys.py" <<'PY'
import json, sys

def show(value, path):
    if isinstance(value, dict):
        for key in value:
            print(f"{path}.{key} {type(value[key]).__name__}")
            show(value[key], f"{path}.{key}")
    elif isinstance(value, list):
        print(f"{path}[] {len(value)}")
        for element in value[:1]:
            show(element, path + "[]")

show(json.load(sys.stdin), "")
PY

# keys_are WORDS... - compare the shape of what osctl prints with stdin
keys_are()
{
	"$OSCTL" --json "$@" >"$TEST_DIR/json" || fail "osctl --json $*"
	"$PYTHON" "$TEST_DIR/keys.py" <"$TEST_DIR/json" >"$TEST_DIR/got" || fail "osctl --json $* is no JSON"
	diff -u - "$TEST_DIR/got" || fail "osctl --json $* has other keys"
}

# The documented fields of an object, in their order.
info="id str
size int
metadata_size int
state str
refs int
pins int
uid int
gid int
mode str
created_ns int
last_access_ns int
accesses int"
attributes="labels dict
expires_ns int
priority int
pinned bool
held bool
call_site str"

keys_are ls <<EOF
[] 0
EOF
echo metadata >"$TEST_DIR/metadata"
id=$(echo hello | "$OSCTL" put --metadata "$TEST_DIR/metadata" --name first -) || fail "put"
keys_are ls <<EOF
[] 1
$(echo "$info" | sed 's/^/[]./')
[].names list
[].names[] 1
$(echo "$attributes" | sed 's/^/[]./')
EOF
echo hello | "$OSCTL" put - >/dev/null || fail "put"
"$OSCTL" ls --json | "$PYTHON" -c '
import json, re, sys
rows = json.load(sys.stdin)
assert len(rows) == 2, rows
row = rows[0]
assert row["names"] == ["first"] and rows[1]["names"] == [], rows
assert re.fullmatch("[0-9a-f]{32}", row["id"]), row
assert row["size"] == 6 and row["metadata_size"] == 9, row
assert row["mode"] == "0600" and row["state"] == "resident", row
assert 1.6e18 < row["created_ns"] < 1e19, row
' || fail "the values of ls"

keys_are stat "$id" <<EOF
$(echo "$info" | sed 's/^/./')
.names list
.names[] 1
$(echo "$attributes" | sed 's/^/./')
.address str
.charged_bytes int
.resident_bytes int
.deleted bool
.holders list
.holders[] 1
.holders[].kind str
.holders[].pid NoneType
.holders[].uid int
.holders[].comm str
.holders[].name str
.holders[].refs int
.holders[].pins int
.holders[].expires_ns int
EOF

"$OSCTL" --json status | "$PYTHON" -c '
import json, sys
status = json.load(sys.stdin)
def need(have, keys):
    missing = [key for key in keys.split() if key not in have]
    assert not missing, missing
need(status, "capacity_bytes configured_capacity_bytes capacity_limited_by used_bytes resident_bytes pinned_bytes spilled_bytes objects clients queue_length counters rates thrashing features")
need(status["objects"], "created resident spilled paging")
need(status["counters"], "puts gets restored_bytes restores spilled_bytes spills in_use_evictions dropped pulls pulled_bytes full_errors faults")
need(status["rates"], "spill_bytes_per_s restore_bytes_per_s")
for user in status["users"].values():
    need(user, "bytes objects descriptors connections requests references names")
assert sum(user["connections"] for user in status["users"].values()) == status["clients"], status
need(status["features"], "bpf userfaultfd kernel_faults huge_pages io_uring")
for name, feature in status["features"].items():
    assert isinstance(feature["on"], bool), name
    assert feature["on"] or feature["reason"], name + ": no reason"
assert status["capacity_bytes"] == 64 << 20, status
assert status["objects"]["resident"] == 2, status
assert status["counters"]["puts"] == 2, status
assert status["thrashing"] is False
' || fail "the keys of status"

"$OSCTL" --json config | "$PYTHON" -c '
import json, sys
settings = {s["key"]: s for s in json.load(sys.stdin)}
assert settings["capacity"]["origin"], settings
assert all(set(s) == {"key", "value", "effective", "origin"} for s in settings.values()), settings
' || fail "the keys of config"

keys_are put "$TEST_DIR/metadata" <<EOF
.id str
.size int
EOF
keys_are get first -o "$TEST_DIR/out" <<EOF
.id str
.size int
.file str
EOF
keys_are hold second "$id" <<EOF
.name str
.id str
EOF
keys_are unhold second <<EOF
.name str
EOF
"$OSCTL" --json events --no-follow | "$PYTHON" -c '
import json, re, sys
events = [json.loads(line) for line in sys.stdin]
assert [list(event) for event in events] == [["seq", "event", "id", "size", "time_ns"]] * len(events), events
assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), events
assert [event["event"] for event in events[:2]] == ["created", "sealed"], events
assert all(re.fullmatch("[0-9a-f]{32}", event["id"]) for event in events), events
assert events[0]["size"] == 6 and 1.6e18 < events[0]["time_ns"] < 1e19, events
' || fail "the keys of events"
keys_are set "$id" --label job=7 <<EOF
.id str
EOF
keys_are memory --group-by uid <<EOF
.totals dict
.totals.objects int
.totals.charged_bytes int
.totals.pinned_bytes int
.totals.evictable_bytes int
.totals.refs int
.totals.pins int
.groups list
.groups[] 1
.groups[].group str
.groups[].objects int
.groups[].charged_bytes int
.groups[].refs int
.groups[].pins int
.references list
.references[] 3
.references[].group str
.references[].kind str
.references[].pid NoneType
.references[].uid int
.references[].comm str
.references[].name str
.references[].refs int
.references[].pins int
.references[].size int
.references[].id str
.references[].expires_ns int
.references[].deleted bool
.references[].call_site str
EOF
keys_are rm "$id" <<EOF
.deleted list
.deleted[] 1
EOF
"$OSCTL" --json doctor | "$PYTHON" -c '
import json, sys
doctor = json.load(sys.stdin)
assert isinstance(doctor["ok"], bool) and isinstance(doctor["uid"], int), doctor
for check in doctor["checks"]:
    assert list(check) == ["name", "present", "essential", "found", "cost", "mend"], check
    assert check["found"] and bool(check["cost"]) == bool(check["mend"]) == (not check["present"]), check
assert doctor["broker"]["running"] is True, doctor
' || fail "the keys of doctor"
