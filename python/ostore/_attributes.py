# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is said of objects besides their values: checks, and the report on who keeps what."""

import collections.abc
import operator
import os
import sys

from . import _ostore

_INT_MAX = 2**31 - 1
_PACKAGE = os.path.dirname(__file__) + os.sep


def record_call_sites():
    """Are call sites to be recorded, as the environment says?"""
    return os.environ.get("OSTORE_RECORD_CALL_SITE", "") not in ("", "0")


def call_site():
    """file:line function of the code that called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}".encode(errors="replace").decode()


def nanoseconds(ttl):
    """Seconds to live as the library counts them: 0 for None, and for no end."""
    if ttl is None:
        return 0
    try:
        is_positive = ttl > 0
    except TypeError:
        raise TypeError(f"a ttl is a number of seconds, or None: not {ttl!r}") from None
    if not is_positive:
        raise ValueError(f"a ttl is a number of seconds greater than 0, or None: not {ttl!r}")
    ns = min(min(ttl, _ostore.FOREVER) * 1e9, _ostore.FOREVER)
    return 0 if ns == _ostore.FOREVER else max(1, int(ns))


def encode_label(key, value):
    if not isinstance(key, str) or not isinstance(value, str):
        raise TypeError(f"labels are a dict of str to str: not {key!r}: {value!r}")
    if "=" in key:
        raise ValueError(f"the key of a label has no '=': {key!r}")
    return f"{key}={value}".encode()


def encode_priority(priority):
    """The number that it is, as the library takes one; which of them are allowed, that says."""
    return max(-_INT_MAX, min(operator.index(priority), _INT_MAX))


def _items(labels):
    if not isinstance(labels, collections.abc.Mapping):
        raise TypeError(f"labels are a dict of str to str: not {labels!r}")
    return labels.items()


def encode_labels(labels):
    """The labels of a dict, each as the library takes it."""
    return tuple([encode_label(*label) for label in _items(labels)])


def encode_changes(labels):
    """The labels to set, and the keys of those to remove, whose value is None."""
    given = tuple([encode_label(*label) for label in _items(labels) if label[1] is not None])
    removed = tuple([encode_label(key, "")[:-1] for key, value in labels.items() if value is None])
    return given, removed


def encode(labels, ttl, priority, pin, site):
    """The attributes of a new object as the extension takes them; None for none."""
    if not labels and ttl is None and not priority and not pin and site is None:
        return None
    encoded = encode_labels(labels) if labels else ()
    return encoded, nanoseconds(ttl), encode_priority(priority), bool(pin), site


def encode_filter(label):
    """A label to look for, or several of them: "key", "key=value", {"key": "value"}."""
    if label is None:
        return ()
    if isinstance(label, str):
        return (label.encode(),)
    if isinstance(label, dict):
        return tuple([key.encode() if value is None else encode_label(key, value) for key, value in label.items()])
    return tuple([one.encode() for one in label])


# ---- memory

_SORT_KEYS = "size", "refs", "pins", "pid", "uid", "kind", "created_ns"


def _row(stat, kind, pid=None, uid=None, comm="", name="", refs=0, pins=0, expires_ns=0):
    return {
        "kind": kind,
        "pid": pid,
        "uid": stat["uid"] if uid is None else uid,
        "comm": comm,
        "name": name,
        "refs": refs,
        "pins": pins,
        "size": stat["size"],
        "id": stat["id"],
        "expires_ns": expires_ns,
        "deleted": stat["deleted"],
        "call_site": stat["call_site"],
    }


def _kind(stat, holder):
    if holder["kind"] != "connection":
        return holder["kind"]
    if stat["state"] == "created":
        return "draft"
    return "mapping" if holder["pins"] else "reference"


def _rows(stat):
    for holder in stat["holders"]:
        yield _row(stat, **{**holder, "kind": _kind(stat, holder)})
    if stat["held"]:
        yield _row(stat, "hold", refs=1)
    if stat["pinned"]:
        yield _row(stat, "pin")


def _group(by, stat, row):
    if by == "uid":
        return str(row["uid"])
    if by == "pid":
        return str(row["pid"] or "")
    if by == "callsite":
        return stat["call_site"]
    return stat["labels"].get(by.removeprefix("label:"), "")


def _sum_up(rows):
    groups = {}
    for stat, row in rows:
        group = groups.setdefault(row["group"], {"objects": {}, "refs": 0, "pins": 0})
        group["objects"][id(stat)] = stat["charged_bytes"]
        group["refs"] += row["refs"]
        group["pins"] += row["pins"]
    sums = [
        {
            "group": name,
            "objects": len(group["objects"]),
            "charged_bytes": sum(group["objects"].values()),
            "refs": group["refs"],
            "pins": group["pins"],
        }
        for name, group in groups.items()
    ]
    return sorted(sums, key=lambda group: (-group["charged_bytes"], group["group"]))


def report(stats, group_by, sort_by, stats_only):
    """The document of `osctl --json memory` out of what the broker tells of each object."""
    if group_by not in (None, "pid", "uid", "callsite") and not str(group_by).startswith("label:"):
        raise ValueError(f"group_by is 'pid', 'uid', 'callsite' or 'label:KEY': not {group_by!r}")
    key = sort_by.removeprefix("-")
    if key not in _SORT_KEYS:
        raise ValueError(f"sort_by is one of {', '.join(_SORT_KEYS)}: not {sort_by!r}")
    rows = [(stat, row) for stat in stats for row in _rows(stat)]
    if group_by is not None:
        rows = [(stat, {"group": _group(group_by, stat, row), **row}) for stat, row in rows]
    document = {
        "totals": {
            "objects": len(stats),
            "charged_bytes": sum(stat["charged_bytes"] for stat in stats),
            "pinned_bytes": sum(stat["charged_bytes"] for stat in stats if stat["pins"]),
            "evictable_bytes": sum(
                stat["charged_bytes"] for stat in stats if not stat["refs"] and not stat["pins"] and not stat["pinned"]
            ),
            "refs": sum(stat["refs"] for stat in stats),
            "pins": sum(stat["pins"] for stat in stats),
        }
    }
    if group_by is not None:
        document["groups"] = _sum_up(rows)
    if not stats_only:
        rows.sort(key=lambda row: row[0][key] if key == "created_ns" else row[1][key] or 0, reverse=sort_by.startswith("-"))
        rows.sort(key=lambda row: row[1].get("group", ""))
        document["references"] = [row for _, row in rows]
    return document
