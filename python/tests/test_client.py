#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a client does with objects, names and references, in one process."""

import asyncio
import copy
import dataclasses
import gc
import json
import os
import signal
import subprocess
import threading
import time
import unittest

import support
from support import MiB

import ostore

try:
    import numpy
except ImportError:
    numpy = None


class Objects(support.BrokerTest):
    def test_come_back_as_they_were_put(self):
        for value in (None, 1, "text", b"bytes", bytearray(b"x"), [1, {"a": (2.5, b"y" * 100000)}], b"", {1, 2}):
            with self.subTest(value=str(value)[:40]):
                ref = ostore.put(value)
                self.assertEqual(ostore.get(ref), value)
                self.assertEqual(ostore.get(ref), value)

    def test_of_many_sizes_come_back(self):
        for size in (0, 1, 63, 64, 4096, 65535, 65536, 65537, 2 * MiB - 1, 2 * MiB, 5 * MiB + 3, 40 * MiB):
            with self.subTest(size=size):
                value = os.urandom(min(size, 4096)) * (size // 4096 + 1)
                value = value[:size]
                ref = ostore.put(value)
                self.assertEqual(ref.nbytes, size)
                self.assertEqual(ostore.get(ref), value)
                self.assertEqual(ostore.get_buffer(ref), value)

    def test_with_many_pieces_come_back(self):
        value = [os.urandom(1024) for _ in range(3000)]
        self.assertEqual(ostore.get(ostore.put(value)), value)

    def test_many_are_one_request(self):
        refs = [ostore.put(i) for i in range(1000)]
        self.assertEqual(ostore.get(refs), list(range(1000)))
        self.assertEqual(ostore.get(iter(refs[:2])), [0, 1])
        self.assertEqual(ostore.get([refs[0], refs[0]]), [0, 0])
        self.assertEqual(ostore.get([]), [])

    def test_of_mode_0_are_refused_instead_of_getting_another_mode(self):
        for store in (
            lambda: ostore.put(1, mode=0), lambda: ostore.put_many([1], mode=0), lambda: ostore.create(1, mode=0)
        ):
            with self.assertRaisesRegex(ValueError, "mode 0"):
                store()

    def test_have_the_id_that_was_asked_for(self):
        id = "00112233445566778899aabbccddeeff"
        ref = ostore.put(1, id=id)
        self.assertEqual(ref.hex(), id)
        self.assertEqual(ref, ostore.ObjectRef(id.upper()))
        with self.assertRaises(ostore.ObjectExistsError):
            ostore.put(2, id=id)

    def test_show_their_bytes_and_metadata(self):
        ref = ostore.put(b"abc")
        buffer = ostore.get_buffer(ref)
        self.assertEqual(bytes(buffer), b"abc")
        self.assertTrue(buffer.readonly)
        self.assertEqual(ostore.get_metadata(ref), b'ostore-python/1 {"kind":"bytes"}')

    def test_are_listed(self):
        ref = ostore.put(b"x" * 100000, mode=0o640, name="listed")
        (info,) = [info for info in ostore.list() if info["id"] == ref.hex()]
        self.assertEqual(
            list(info),
            "id size metadata_size state refs pins uid gid mode created_ns last_access_ns accesses names".split()
            + "labels expires_ns priority pinned held call_site".split(),
        )
        self.assertEqual(info["size"], 100000)
        self.assertEqual(info["state"], "resident")
        self.assertEqual(info["mode"], "0640")
        self.assertEqual(info["uid"], os.geteuid())
        self.assertEqual(info["names"], ["listed"])
        self.assertLess(abs(info["created_ns"] - time.time_ns()), 60e9)
        ostore.unhold("listed")

    def test_are_gone_when_deleted_and_views_stay(self):
        ref = ostore.put(b"y" * 100000)
        other = ostore.ObjectRef(ref.hex())
        buffer = ostore.get_buffer(ref)
        self.assertEqual(len(ostore.get(other)), 100000)
        ostore.delete(ref)
        self.assertFalse(ostore.contains(ref))
        for gone in (ref, other):
            with self.assertRaises(ostore.ObjectNotFoundError):
                ostore.get(gone)
        self.assertEqual(bytes(buffer[:3]), b"yyy")

    def test_are_dropped_with_their_last_reference_when_room_is_needed(self):
        first = ostore.put(bytes(100 * MiB)).hex()  # no reference is left
        for _ in range(4):
            ostore.put(bytes(100 * MiB))
        self.assertFalse(ostore.contains(ostore.ObjectRef(first)))

    def test_that_find_no_room_raise_and_name_the_holders(self):
        refs = [ostore.put(bytes(100 * MiB)) for _ in range(2)]
        started = time.monotonic()
        with self.assertRaisesRegex(ostore.ObjectStoreFullError, str(os.getpid())):
            ostore.put(bytes(100 * MiB), timeout=0.1)
        self.assertLess(time.monotonic() - started, 5)
        del refs
        ostore.put(bytes(100 * MiB), timeout=5)
        with self.assertRaises(ostore.ObjectStoreFullError):
            ostore.put(bytes(300 * MiB))

    def test_wait_for_room_while_other_threads_run(self):
        refs = [ostore.put(bytes(100 * MiB)) for _ in range(2)]
        threading.Timer(0.2, refs.clear).start()
        ostore.put(bytes(100 * MiB), timeout=30)

    def test_reject_wrong_arguments(self):
        for call in (
            lambda: ostore.put(1, id="12"),
            lambda: ostore.put(1, timeout=-1),
            lambda: ostore.put(1, timeout=float("nan")),
            lambda: ostore.put(1, name="a" * 1000),
            lambda: ostore.put(1, name="a\0b"),
            lambda: ostore.create(-1),
            lambda: ostore.create(1 << 64),
            lambda: ostore.create(1, bytes(65537)),
            lambda: ostore.ObjectRef("x" * 32),
            lambda: ostore.wait([ostore.put(1)], num_returns=2),
            lambda: ostore.wait([]),
        ):
            with self.assertRaises(ValueError):
                call()
        for call in (
            lambda: ostore.get("0" * 32),
            lambda: ostore.get([1]),
            lambda: ostore.get(None),
            lambda: ostore.delete("name"),
            lambda: ostore.wait(ostore.put(1)),
            lambda: ostore.put(lambda: 1),
            lambda: ostore.Draft(),
        ):
            with self.assertRaises(Exception) as caught:
                call()
            self.assertIn(type(caught.exception).__name__, ("TypeError", "PicklingError", "AttributeError"))


@unittest.skipUnless(numpy, "needs NumPy")
class Arrays(support.BrokerTest):
    def test_are_read_only_views_of_one_memory(self):
        for value, take in ((numpy.arange(1e6), lambda v: v), ([numpy.arange(1e6)], lambda v: v[0])):
            ref = ostore.put(value)
            first, second = take(ostore.get(ref)), take(ostore.get(ref))
            self.assertIsNot(first, second)
            self.assertEqual(first.ctypes.data, second.ctypes.data)
            self.assertEqual(first.ctypes.data % 64, 0)
            self.assertEqual(first[12345], 12345)
            with self.assertRaisesRegex(ValueError, "assignment destination is read-only"):
                first[0] = 1
            with self.assertRaises(ValueError):
                first.flags.writeable = True
            with self.assertRaises(ValueError):
                numpy.add(first, 1, out=first)

    def test_keep_their_object_mapped(self):
        data = numpy.random.default_rng(1).random(1 << 18)
        piece = ostore.get(ostore.put([data]))[0][1000:2000]
        gc.collect()
        for _ in range(10):
            ostore.put(bytes(100 * MiB))
        self.assertTrue((piece == data[1000:2000]).all())

    def test_of_strided_memory_are_put_in_one_copy(self):
        array = numpy.arange(4 << 20).reshape(2048, 2048)[::2, 1::3]
        result = ostore.get(ostore.put(array))
        self.assertTrue(result.flags.c_contiguous)
        self.assertTrue((result == array).all())

    def test_of_no_bytes_and_no_dimensions_come_back(self):
        for array in (numpy.array(7.5), numpy.empty((0, 3)), numpy.array("NaT", "M8[s]"), numpy.empty(0, "i1")):
            result = ostore.get(ostore.put(array))
            self.assertEqual((result.shape, result.dtype, result.tobytes()), (array.shape, array.dtype, array.tobytes()))

    def test_are_read_again_without_asking_while_a_view_of_them_lives(self):
        for value in (numpy.arange(1 << 17), [numpy.arange(1 << 17)], {numpy.float64(1): numpy.arange(1 << 17), "set": {1}}):
            ref = ostore.put(value)
            first = ostore.get(ref)
            part = (first if isinstance(value, numpy.ndarray) else [*first][0] if isinstance(value, list) else first[1.0])[5:]
            del first
            asked = ostore.stats()["counters"]["gets"]
            for _ in range(100):
                ostore.get(ref)
            self.assertEqual(ostore.stats()["counters"]["gets"], asked, value)
            self.assertEqual(part[0], 5)

    def test_are_unmapped_with_their_last_view_though_the_reference_lives(self):
        pins = lambda: {info["id"]: info["pins"] for info in ostore.list()}  # noqa: E731
        array = numpy.arange(1 << 17)
        for value in (array, [array], {"a": array, "set": {1}}, bytes(1 << 20), bytearray(1 << 20), "x" * (1 << 20)):
            ref = ostore.put(value)
            first = ostore.get(ref)
            del first
            self.assertEqual(pins()[ref.hex()], 0, type(value))
        view = ostore.get(ostore.create(1 << 20).seal())
        self.assertEqual(sum(pins().values()), 1)
        del view
        self.assertEqual(sum(pins().values()), 0)
        self.assertEqual(ostore.stats()["pinned_bytes"], 0)

    def test_that_another_process_deleted_cost_nothing_when_their_last_view_is_gone(self):
        ref = ostore.put(numpy.arange(1 << 17))
        before = ostore.stats()["resident_bytes"]
        first = ostore.get(ref)
        with ostore.Client(os.environ["OSTORE_ADDRESS"]) as other:
            other.delete(ref)
        self.assertEqual(first[7], 7)
        self.assertEqual(ostore.stats()["resident_bytes"], before)
        del first
        self.assertLessEqual(ostore.stats()["resident_bytes"], before - (1 << 20))
        with self.assertRaisesRegex(ostore.ObjectNotFoundError, "gone"):
            ostore.get(ref)

    def test_that_are_small_are_kept_within_reach_for_the_last_references_only(self):
        refs = [ostore.put(i) for i in range(40)]
        for ref in refs:
            ostore.get(ref)
        asked = ostore.stats()["counters"]["gets"]
        for i in range(24, 40):
            self.assertEqual(ostore.get(refs[i]), i)
        self.assertEqual(ostore.stats()["counters"]["gets"], asked)
        self.assertEqual(ostore.get(refs[0]), 0)
        self.assertEqual(ostore.stats()["counters"]["gets"], asked + 1)


class WrongArguments(support.BrokerTest):
    def test_are_named(self):
        for call, named in (
            (lambda: ostore.get(None), "None is neither"),
            (lambda: ostore.get(5), "5 is neither"),
            (lambda: ostore.get([1]), "1 is not an ObjectRef"),
            (lambda: ostore.delete(7), "7 is neither"),
            (lambda: ostore.get(ostore.ObjectRef("ab" * 16), timeout="soon"), "number of seconds.*soon"),
            (lambda: ostore.put(1, timeout=[]), "number of seconds"),
        ):
            with self.assertRaisesRegex(TypeError, named):
                call()


class Waiting(support.BrokerTest):
    def test_for_an_object_ends_when_it_is_sealed(self):
        id = "ab" * 16
        threading.Timer(0.2, lambda: ostore.put("late", id=id, name="late")).start()
        self.assertEqual(ostore.get(ostore.ObjectRef(id), timeout=30), "late")
        ostore.unhold("late")

    def test_ends_with_the_timeout(self):
        ref = ostore.ObjectRef("cd" * 16)
        started = time.monotonic()
        with self.assertRaises(ostore.GetTimeoutError):
            ostore.get(ref, timeout=0.1)
        self.assertLess(time.monotonic() - started, 5)
        with self.assertRaises(TimeoutError):
            ostore.get([ref], timeout=0.01)
        with self.assertRaises(TimeoutError):
            ostore.get_buffer(ref, timeout=0.01)

    def test_does_not_happen_with_timeout_0(self):
        ref = ostore.ObjectRef("ef" * 16)
        for call in (ostore.get, ostore.get_buffer, ostore.get_metadata):
            with self.assertRaisesRegex(ostore.ObjectNotFoundError, ref.hex()):
                call(ref, timeout=0)
        with self.assertRaises(ostore.ObjectNotFoundError):
            ref.nbytes

    def test_tells_the_ready_from_the_pending(self):
        here = [ostore.put(i) for i in range(3)]
        late = ostore.ObjectRef("12" * 16)
        self.assertEqual(ostore.wait([late, *here], num_returns=2), (here[:2], [late, here[2]]))
        self.assertEqual(ostore.wait([late], timeout=0), ([], [late]))
        self.assertEqual(ostore.wait([late], timeout=0.05), ([], [late]))
        threading.Timer(0.1, lambda: ostore.put(1, id=late.hex(), name="w")).start()
        self.assertEqual(ostore.wait([late], timeout=30), ([late], []))
        ostore.unhold("w")
        with self.assertRaises(ValueError):
            ostore.wait([late, late])

    def test_lets_other_threads_run(self):
        ran = []
        thread = threading.Thread(target=lambda: ran.append(ostore.put("x", id="34" * 16, name="y")))
        threading.Timer(0.05, thread.start).start()
        self.assertEqual(ostore.get(ostore.ObjectRef("34" * 16), timeout=30), "x")
        thread.join()
        ostore.unhold("y")

    def test_is_interrupted_from_the_keyboard(self):
        for call in (
            lambda: ostore.get(ostore.ObjectRef("56" * 16)),
            lambda: ostore.wait([ostore.ObjectRef("56" * 16)]),
            lambda: ostore.get(ostore.ObjectRef("56" * 16), timeout=60),
        ):
            timer = threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
            timer.start()
            started = time.monotonic()
            with self.assertRaises(KeyboardInterrupt):
                call()
            self.assertLess(time.monotonic() - started, 20)
            timer.join()
        self.assertEqual(ostore.get(ostore.put(1)), 1)

    def test_goes_on_after_a_signal_that_raises_nothing(self):
        caught = []
        old = signal.signal(signal.SIGALRM, lambda *_: caught.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        try:
            with self.assertRaises(ostore.GetTimeoutError):
                ostore.get(ostore.ObjectRef("56" * 16), timeout=0.5)
            refs = [ostore.put(bytes(100 * MiB)) for _ in range(2)]
            with self.assertRaises(ostore.ObjectStoreFullError):
                ostore.put(bytes(100 * MiB), timeout=0.3)
            del refs
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        self.assertGreater(len(caught), 2)


class Crashes(support.BrokerTest):
    def test_of_the_worker_are_not_noticed(self):
        ref = ostore.put(b"w" * MiB, name="before the crash")
        view = ostore.get_buffer(ref)
        waiting = []
        thread = threading.Thread(
            target=lambda: waiting.append(ostore.get(ostore.ObjectRef("bc" * 16), timeout=60))
        )
        thread.start()
        draft = ostore.create(MiB)
        draft.buffer[:3] = b"abc"
        before = ostore.stats()
        os.kill(before["broker"]["worker_pid"], signal.SIGKILL)
        self.assertEqual(bytes(ostore.get_buffer(draft.seal())[:3]), b"abc")
        self.assertEqual(ostore.get(ostore.lookup("before the crash"))[:1], b"w")
        self.assertEqual(bytes(view[-1:]), b"w")
        late = ostore.put("late", id="bc" * 16)
        thread.join()
        self.assertEqual(waiting, ["late"])
        self.assertEqual(ostore.get(late), "late")
        after = ostore.stats()
        self.assertNotEqual(after["broker"]["worker_pid"], before["broker"]["worker_pid"])
        self.assertEqual(after["broker"]["generation"], before["broker"]["generation"] + 1)
        ostore.unhold("before the crash")


class Names(support.BrokerTest):
    def test_keep_an_object_that_nobody_refers_to(self):
        ref = ostore.put("kept")
        ostore.hold("a name", ref)
        hex = ref.hex()
        del ref
        for _ in range(4):
            ostore.put(bytes(100 * MiB))
        found = ostore.lookup("a name")
        self.assertEqual(found.hex(), hex)
        self.assertEqual(ostore.get(found), "kept")
        ostore.unhold("a name")
        with self.assertRaisesRegex(ostore.ObjectNotFoundError, "a name"):
            ostore.lookup("a name")
        with self.assertRaises(ostore.ObjectNotFoundError):
            ostore.unhold("a name")

    def test_move_when_they_are_taken(self):
        ostore.put(1, name="moving")
        ostore.put(2, name="moving")
        self.assertEqual(ostore.get(ostore.lookup("moving")), 2)
        ostore.delete(ostore.lookup("moving"))
        with self.assertRaises(ostore.ObjectNotFoundError):
            ostore.lookup("moving")


class References(support.BrokerTest):
    def test_compare_and_hash_by_id(self):
        ref = ostore.put(1)
        same = ostore.ObjectRef(ref.hex())
        self.assertEqual(ref, same)
        self.assertEqual(hash(ref), hash(same))
        self.assertNotEqual(ref, ostore.put(1))
        self.assertNotEqual(ref, ref.hex())
        self.assertEqual({ref: 1}[same], 1)
        self.assertEqual(eval(repr(ref), {"ObjectRef": ostore.ObjectRef}), ref)

    def test_made_from_an_id_count_once_they_were_used(self):
        ref = ostore.put(b"z" * MiB)
        other = ostore.ObjectRef(ref.hex())
        self.assertEqual(other.nbytes, MiB)
        del ref
        for _ in range(4):
            ostore.put(bytes(100 * MiB))
        self.assertEqual(len(ostore.get(other)), MiB)

    def test_are_copied_without_a_lease(self):
        ref = ostore.put(1)
        before = self.refs(ref)
        self.assertEqual(copy.copy(ref), ref)
        self.assertEqual(copy.deepcopy([ref]), [ref])
        self.assertEqual(self.refs(ref), before)

    def refs(self, ref):
        (info,) = [info for info in ostore.list() if info["id"] == ref.hex()]
        return info["refs"]


class Clients(support.BrokerTest):
    def test_of_ones_own_share_the_store_and_close(self):
        ref = ostore.put([1, 2])
        with ostore.Client(self.client.address) as other:
            self.assertEqual(other.get(ref), [1, 2])
            self.assertEqual(other.address, self.client.address)
            mine = other.put(b"m" * MiB)
            view = other.get_buffer(mine)
        self.assertEqual(bytes(view[:2]), b"mm")
        self.assertIn("closed", repr(other))
        with self.assertRaisesRegex(ostore.BrokerUnavailable, "closed"):
            other.get(ref)
        with self.assertRaises(ConnectionError):
            other.stats()

    def test_that_are_closed_end_the_calls_of_other_threads(self):
        other = ostore.Client(self.client.address)
        shared = other.create(64)
        writer = self.client.open_draft(shared.share())
        absent = ostore.ObjectRef("78" * 16)
        calls = [
            lambda: other.get(absent),
            lambda: other.wait([absent]),
            lambda: shared.seal(),
            lambda: next(other.events()),
            lambda: asyncio.run(other.get_async(absent)),
        ]
        results = []

        def call(wait):
            with self.assertRaisesRegex(ostore.BrokerUnavailable, "closed") as caught:
                wait()
            results.append(caught.exception)

        threads = [threading.Thread(target=call, args=[wait], daemon=True) for wait in calls]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        self.assertEqual(results, [])
        other.close()
        for thread in threads:
            thread.join(10)
        self.assertEqual(len(results), len(calls))
        writer.close()

    def test_report_the_state_of_the_store(self):
        before = ostore.stats()
        for key in (
            "capacity_bytes resident_bytes pinned_bytes spilled_bytes objects clients queue_length counters rates"
            " thrashing features"
        ).split():
            self.assertIn(key, before)
        self.assertEqual(before["capacity_bytes"], 256 * MiB)
        self.assertEqual(set(before["objects"]), {"created", "resident", "spilled", "paging"})
        self.assertEqual(set(before["rates"]), {"spill_bytes_per_s", "restore_bytes_per_s"})
        self.assertIn("huge_pages", before["features"])
        refs = [ostore.put(bytes(MiB)) for _ in range(3)]
        after = ostore.stats()
        self.assertEqual(after["counters"]["puts"] - before["counters"]["puts"], 3)
        self.assertGreaterEqual(after["objects"]["resident"], len(refs))

    @unittest.skipUnless(os.path.exists(support.OSCTL), "osctl is not built")
    def test_report_the_same_as_osctl(self):
        def keys(value):
            return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None

        ref = ostore.put(1)
        for command, here in (("status", ostore.stats()), ("ls", ostore.list())):
            output = subprocess.run([support.OSCTL, "--json", command], stdout=subprocess.PIPE, check=True).stdout
            there = json.loads(output)
            if command == "ls":
                here, there = here[-1], there[-1]
                self.assertEqual(here, there)
            self.assertEqual(keys(here), keys(there))
        del ref

    def test_are_used_by_many_threads_at_once(self):
        errors = []

        def work(seed):
            try:
                for i in range(50):
                    value = bytes([seed, i]) * (1 << (i % 18))
                    ref = self.client.put(value)
                    if self.client.get(ref) != value:
                        raise AssertionError("wrong bytes")
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])


@unittest.skipUnless(numpy, "needs NumPy")
class Batches(support.BrokerTest):
    def test_of_every_kind_come_back(self):
        array = numpy.arange(20000.0).reshape(100, 200)
        values = [b"", b"a" * 300, "text", None, {"a": [1, 2.5]}, array, array.T, array[::3, ::-2], b"big" * MiB]
        values += [numpy.arange(3), numpy.int8(3), {1}, [array[1], b"x"]]
        refs = ostore.put_many(values)
        self.assertEqual(len({*refs}), len(values))
        for value, got in zip(values, ostore.get(refs)):
            self.assertIs(type(got), type(value))
            self.assertEqual(repr(got), repr(value))
        self.assertTrue(numpy.array_equal(ostore.get(refs[7]), values[7]))

    def test_are_as_large_as_one_likes(self):
        values = [b"%d" % i for i in range(5000)]
        refs = ostore.put_many(iter(values), mode=0o640, timeout=5)
        self.assertEqual(ostore.get(refs), values)
        self.assertIn(0o640, {info["mode"] if isinstance(info["mode"], int) else int(info["mode"], 8) for info in ostore.list()})
        self.assertEqual(ostore.put_many([]), [])

    def test_leave_nothing_behind_when_one_fails(self):
        with self.assertRaises(ostore.ObjectStoreFullError):
            ostore.put_many([b"small", bytes(300 * MiB), b"other"])
        with self.assertRaisesRegex(TypeError, "pickle"):
            ostore.put_many([1, threading.Lock()])
        refs = ostore.put_many([b"r"] * 10)
        ids = {ref.hex() for ref in refs}
        self.assertEqual({info["refs"] for info in ostore.list() if info["id"] in ids}, {1})
        del refs
        self.assertTrue(
            support.wait_until(lambda: {info["refs"] for info in ostore.list() if info["id"] in ids} <= {0})
        )


@dataclasses.dataclass
class Record:
    array: object
    rest: dict


@unittest.skipUnless(numpy, "needs NumPy")
class WritableViews(support.BrokerTest):
    def check(self, value, arrays_of):
        ref = ostore.put(value)
        clean, mine, other = ostore.get(ref), ostore.get(ref, writable=True), ostore.get([ref], writable=True)[0]
        expected = [array.tolist() for array in arrays_of(value)]
        for array in arrays_of(mine):
            self.assertTrue(array.flags.writeable)
            array[...] = 0
            array += 1
        for view in (clean, other, ostore.get(ref), ostore.get(ostore.ObjectRef(ref.hex()))):
            self.assertEqual([array.tolist() for array in arrays_of(view)], expected)
        self.assertTrue(all((array == 1).all() for array in arrays_of(mine)))
        for array in arrays_of(ostore.get(ref)):
            self.assertFalse(array.flags.writeable)
            with self.assertRaisesRegex(ValueError, "read-only"):
                array[...] = 0

    def test_are_written_and_the_object_is_not(self):
        for size in (10, 300000):
            array = numpy.arange(float(size))
            self.check(array, lambda value: [value])
            self.check(array.reshape(2, -1).T, lambda value: [value])
            self.check({"a": array, "b": [array[1:]]}, lambda value: [value["a"], value["b"][0]])
            self.check(Record(array, {"more": array[2:]}), lambda value: [value.array, value.rest["more"]])

    def test_of_no_elements_and_of_other_programs_too(self):
        ostore.get(ostore.put(numpy.zeros((0, 3))), writable=True)[...] = 1
        with ostore.create(100000) as draft:
            ref = draft.seal()
        view = ostore.get(ref, writable=True)
        view[5] = 6
        self.assertEqual((view[5], ostore.get(ref)[5]), (6, 0))

    def test_do_not_come_from_what_was_read_before(self):
        ref = ostore.put(numpy.zeros(100000))
        first = ostore.get(ref, writable=True)
        first[:] = 7
        again = ostore.get(ref)
        self.assertEqual((again.sum(), again.ctypes.data == ostore.get(ref).ctypes.data), (0, True))
        self.assertNotEqual(first.ctypes.data, again.ctypes.data)
        self.assertEqual(ostore.get(ref, writable=True).sum(), 0)

    def test_go_with_their_last_array_and_keep_the_object_until_then(self):
        ref = ostore.put(numpy.ones(100000))
        slice = ostore.get(ref, writable=True)[5:]
        hex = ref.hex()
        del ref
        self.assertEqual([(info["refs"] > 0, info["pins"]) for info in ostore.list() if info["id"] == hex], [(True, 1)])
        slice += 1
        self.assertEqual(slice.sum(), 2 * len(slice))
        del slice
        self.assertTrue(support.wait_until(lambda: {info["refs"] for info in ostore.list() if info["id"] == hex} <= {0}))


class KnownValues(support.BrokerTest):
    settings = {"object_store_memory": 64 * MiB}

    def test_do_not_excuse_a_wrong_timeout(self):
        ref = ostore.put(1)
        for _ in range(2):
            self.assertEqual(ostore.get(ref, timeout=0), 1)
            with self.assertRaises(ValueError):
                ostore.get(ref, timeout=-1)


if __name__ == "__main__":
    support.main()
