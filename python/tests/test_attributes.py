#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels, times to live, priorities, pins, call sites, and who keeps what."""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import support

import ostore

try:
    import numpy
except ImportError:
    numpy = None


def one(ref):
    (info,) = ostore.list(pattern=ref.hex())
    return info


class Attributes(support.BrokerTest):
    def test_come_with_every_way_to_create(self):
        options = {"labels": {"job": "7", "name": "ä = b"}, "ttl": 600, "priority": -2, "pin": True}
        draft = ostore.create(10, **options)
        refs = [ostore.put("value", **options), *ostore.put_many(["a", b"b" * 100000], **options), draft.seal()]
        if numpy:
            refs.append(ostore.empty(3, **options).seal())
            refs.append(ostore.put(numpy.ones((500, 500))[::2, ::2], **options))
        for ref in refs:
            info = one(ref)
            self.assertEqual(info["labels"], options["labels"])
            self.assertEqual(info["priority"], -2)
            self.assertTrue(info["pinned"])
            self.assertAlmostEqual(info["expires_ns"] / 1e9, time.time() + 600, delta=60)
            self.assertEqual(info["call_site"], "")
        self.assertEqual(len(ostore.list(label="job=7")), len(refs))
        ostore.delete(refs)

    def test_are_none_where_none_are_given(self):
        ref = ostore.put("value")
        info = one(ref)
        self.assertEqual(info["labels"], {})
        self.assertEqual([info["priority"], info["pinned"], info["held"], info["expires_ns"]], [0, False, False, 0])
        self.assertEqual(one(ostore.put("value", ttl=math.inf))["expires_ns"], 0)

    def test_are_changed(self):
        ref = ostore.put("value", labels={"a": "1", "b": "2"}, ttl=600)
        ostore.set_attributes(ref, labels={"a": "one", "b": None, "c": "3"}, ttl=math.inf, priority=15, pin=True)
        info = one(ref)
        self.assertEqual(info["labels"], {"a": "one", "c": "3"})
        self.assertEqual([info["priority"], info["pinned"], info["expires_ns"]], [15, True, 0])
        ostore.set_attributes(ref, pin=False)
        self.assertEqual([one(ref)["priority"], one(ref)["pinned"]], [15, False])
        with self.assertRaises(ostore.ObjectNotFoundError):
            ostore.set_attributes(ostore.ObjectRef("f" * 32), pin=True)

    def test_that_cannot_be_are_refused(self):
        for error, options in (
            (TypeError, {"labels": {"a": 1}}),
            (TypeError, {"labels": {1: "a"}}),
            (ValueError, {"labels": {"a=b": "c"}}),
            (ValueError, {"labels": {"a b": "c"}}),
            (ValueError, {"labels": {"a": "x\0y"}}),
            (ValueError, {"labels": {"a": "x\n"}}),
            (ValueError, {"labels": {str(i): "" for i in range(17)}}),
            (ValueError, {"ttl": 0}),
            (ValueError, {"ttl": -1}),
            (ValueError, {"ttl": math.nan}),
            (TypeError, {"ttl": "soon"}),
            (TypeError, {"labels": ["a=b"]}),
            (ValueError, {"priority": 16}),
            (ValueError, {"priority": -(2**40)}),
            (TypeError, {"priority": 1.5}),
        ):
            with self.subTest(options=options):
                with self.assertRaises(error):
                    ostore.put("value", **options)
                with self.assertRaises(error):
                    ostore.put_many(["value"], **options)
                with self.assertRaises(error):
                    ostore.create(1, **options)

    def test_changes_are_checked(self):
        ref = ostore.put("value", ttl=10**400)  # as good as no end
        self.assertEqual(one(ref)["expires_ns"], 0)
        for error, options in (
            (TypeError, {"labels": ["a"]}),
            (TypeError, {"labels": {5: None}}),
            (ValueError, {"priority": 2**40}),
        ):
            with self.subTest(options=options), self.assertRaises(error):
                ostore.set_attributes(ref, **options)

    def test_lists_are_filtered(self):
        refs = [ostore.put(i, labels={"list": str(i % 2), "i": str(i)}, name=f"list/{i}") for i in range(4)]
        found = lambda **options: [info["id"] for info in ostore.list(**options)]  # noqa: E731
        ids = [ref.hex() for ref in refs]
        self.assertEqual(found(label="list"), ids)
        self.assertEqual(found(label="list=1"), ids[1::2])
        self.assertEqual(found(label=["list=1", "i=3"]), ids[3:])
        self.assertEqual(found(label={"list": None, "i": "2"}), ids[2:3])
        self.assertEqual(found(pattern="list/[01]"), ids[:2])
        self.assertEqual(found(pattern="list/*", label="list=0"), ids[::2])
        self.assertEqual(found(pattern="nothing"), [])

    def test_time_ends(self):
        ref = ostore.put(b"x" * 100000, ttl=0.05)
        view = ostore.get_buffer(ref)
        deadline = time.monotonic() + 20
        while ostore.contains(ref):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.assertEqual(view[-1:], b"x")  # what is mapped stays, until it is unmapped
        id = ref.hex()
        del view, ref
        with self.assertRaisesRegex(ostore.ObjectNotFoundError, "time to live"):
            ostore.get(ostore.ObjectRef(id))

    def test_pins_are_bounded(self):
        if os.geteuid() == 0:
            self.skipTest("root may pin all")
        with self.assertRaises(ostore.ObjectStoreFullError):
            ostore.create(int(ostore.stats()["capacity_bytes"] * 0.6), pin=True)


class Memory(support.BrokerTest):
    def test_is_that_of_osctl(self):
        refs = [ostore.put(b"m" * size, name=f"memory/{size}", labels={"memory": "yes"}) for size in (100000, 200000)]
        view = ostore.get_buffer(refs[0])
        held = ostore.put("small", labels={"memory": "no"}, pin=True)
        for options, words in (
            ({}, []),
            ({"group_by": "label:memory"}, ["--group-by", "label:memory"]),
            ({"group_by": "uid", "sort_by": "pins"}, ["--group-by", "uid", "--sort-by", "pins"]),
            ({"group_by": "callsite", "stats_only": True}, ["--group-by", "callsite", "--stats-only"]),
            ({"pattern": "memory/*", "label": "memory=yes"}, ["--pattern", "memory/*", "--label", "memory=yes"]),
        ):
            with self.subTest(words=words):
                output = subprocess.run(
                    [support.OSCTL, "--json", "memory", *words], stdout=subprocess.PIPE, check=True
                ).stdout
                self.assertEqual(ostore.memory(**options), json.loads(output))
        rows = ostore.memory(label="memory")["references"]
        kinds = {(row["kind"], row["id"]) for row in rows}
        self.assertIn(("mapping", refs[0].hex()), kinds)
        self.assertIn(("reference", refs[1].hex()), kinds)
        self.assertIn(("pin", held.hex()), kinds)
        self.assertEqual({row["pid"] for row in rows if row["kind"] in ("mapping", "reference")}, {os.getpid()})
        groups = ostore.memory(group_by="pid", label="memory=yes")["groups"]
        self.assertEqual({group["group"] for group in groups}, {"", str(os.getpid())})
        del view
        for options in ({"group_by": "color"}, {"sort_by": "color"}):
            with self.assertRaises(ValueError):
                ostore.memory(**options)

    def test_tells_call_sites_on_request(self):
        program = """
import ostore
def step():
    refs = [ostore.put(1), *ostore.put_many([2, 3]), ostore.create(4).seal()]
    return refs
refs = step()
for info in ostore.list(pattern=refs[0].hex()) + ostore.list(pattern=refs[1].hex()) + ostore.list(pattern=refs[3].hex()):
    print(info["call_site"])
groups = ostore.memory(group_by="callsite", sort_by="created_ns")["groups"]
print(*[group["group"] for group in groups if group["group"] and group["objects"] == 4])
"""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "program.py")
        with open(path, "w") as file:
            file.write(program)
        environment = {**os.environ, "OSTORE_RECORD_CALL_SITE": "1"}
        output = subprocess.run([sys.executable, "-B", path], env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
        self.assertEqual(output.split("\n")[:4], [f"{path}:4 step"] * 4)


if __name__ == "__main__":
    support.main()
