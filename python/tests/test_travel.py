#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Views that are pickled for another process arrive as views of the same memory."""

import concurrent.futures
import multiprocessing
import multiprocessing.reduction
import pickle
import sys
import unittest

import support
from support import MiB

import ostore
from ostore import _ostore, _travel

try:
    import numpy
except ImportError:
    numpy = None
try:
    import joblib
except ImportError:
    joblib = None
try:
    import pyarrow
except ImportError:
    pyarrow = None
try:
    import distributed.protocol
except ImportError:
    distributed = None


def where(view):
    """Runs in workers: address, bytes, and whether the view is read-only."""
    readonly = view.readonly if isinstance(view, memoryview) else not view.flags.writeable
    return _ostore.buffer_address(view), view.tobytes(), readonly


def view_of(ref):
    """Runs in workers: a view as a result; the worker drops its own."""
    return ostore.get(ref)[10:20:3]


def send(value):
    return bytes(multiprocessing.reduction.ForkingPickler.dumps(value))


class Worker(multiprocessing.get_context("spawn").Process):
    """A spawned process gets its view as an attribute."""

    def __init__(self, view, queue):
        super().__init__()
        self.view, self.queue = view, queue

    def run(self):
        self.queue.put(where(self.view))


def shapes(array):
    """Views of a two-dimensional array of every kind."""
    return [
        array,
        array[3],
        array[5:50, 2:7],
        array[::-1, ::2],
        array.T,
        array[1:2].reshape(-1),
        array.view("u1")[7, 3:],
        array.reshape(10, 10, -1)[2:9:2, ::-3],
        array[7, 7:8],
    ]


@unittest.skipUnless(numpy, "needs NumPy")
class Arrays(support.BrokerTest):
    def setUp(self):
        self.ref = ostore.put(numpy.arange(300000.0).reshape(100, 3000))
        self.array = ostore.get(self.ref)

    def check(self, run):
        views = [*shapes(self.array), ostore.get(ostore.put({"a": self.array}))["a"][4:]]
        self.assertEqual(run(where, views), [where(view) for view in views])
        flat = ostore.put(numpy.arange(100000))
        (result,) = run(view_of, [flat])
        self.assertEqual(where(result), where(ostore.get(flat)[10:20:3]))

    def test_arrive_in_pools_at_the_same_address(self):
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method), multiprocessing.get_context(method).Pool(2) as pool:
                self.check(pool.map)

    def test_arrive_in_executors(self):
        with concurrent.futures.ProcessPoolExecutor(2) as executor:
            self.check(lambda function, jobs: [*executor.map(function, jobs)])

    def test_arrive_as_attributes_of_processes(self):
        queue = multiprocessing.get_context("spawn").Queue()
        worker = Worker(self.array[2:], queue)
        worker.start()
        self.assertEqual(queue.get(timeout=60), where(self.array[2:]))
        worker.join()

    @unittest.skipUnless(joblib, "needs joblib")
    def test_arrive_in_workers_of_joblib(self):
        for backend in ("loky", "multiprocessing"):
            with self.subTest(backend), joblib.Parallel(2, backend=backend, max_nbytes=1000) as parallel:
                self.check(lambda function, jobs: parallel(joblib.delayed(function)(job) for job in jobs))

    @unittest.skipUnless(joblib, "needs joblib")
    def test_that_are_not_ours_are_joblibs_affair(self):
        array = numpy.arange(100000)
        backed = joblib.Parallel(2, max_nbytes=1000)(joblib.delayed(type)(array) for _ in range(2))
        self.assertEqual(backed, [numpy.memmap] * 2)
        self.assertEqual(joblib.Parallel(2)(joblib.delayed(bytes)(memoryview(b"own")) for _ in range(2)), [b"own"] * 2)

    def test_are_small_on_their_way(self):
        for view in shapes(self.array):
            data = send(view)
            self.assertLess(len(data), 600)
            copy = pickle.loads(data)
            self.assertIs(type(copy), numpy.ndarray)
            self.assertEqual((copy.dtype, copy.shape, copy.strides), (view.dtype, view.shape, view.strides))
            self.assertEqual(where(copy), where(view))
            with self.assertRaisesRegex(ValueError, "read-only"):
                copy[...] = 0

    def test_of_every_type_arrive(self):
        for dtype in ("datetime64[us]", [("a", "<f4"), ("b", "i1", 3)], "S7", "complex128", "<u2", "?"):
            array = ostore.get(ostore.put(numpy.zeros(200000, dtype)))[7::5]
            copy = pickle.loads(send(array))
            self.assertEqual(copy.dtype, array.dtype)
            self.assertEqual(where(copy), where(array))

    def test_keep_their_object_on_the_way_and_afterwards(self):
        data = send(self.array[1:])
        expected = where(self.array[1:])[1]
        hex = self.ref.hex()
        del self.ref, self.array
        self.fill()
        copy = pickle.loads(data)
        self.assertEqual(copy.tobytes(), expected)
        self.fill()
        self.assertEqual(copy[3:].tobytes(), expected[3 * 24000 :])
        self.assertIn(hex, [info["id"] for info in ostore.list()])

    def fill(self):
        for _ in range(4):
            ostore.put(bytes(100 * MiB))

    def test_are_bytes_in_every_other_pickle(self):
        for data in (pickle.dumps(self.array), pickle.dumps(self.array, 5)):
            self.assertGreater(len(data), self.array.nbytes)
            self.assertTrue(numpy.array_equal(pickle.loads(data), self.array))

    def test_that_are_not_ours_are_bytes(self):
        for array in (numpy.arange(50000), self.array.view(numpy.recarray), numpy.array([None, {}])):
            copy = pickle.loads(send(array))
            self.assertIs(type(copy), type(array))
            self.assertTrue(numpy.array_equal(copy, array))

    def test_of_copies_and_of_nothing_are_bytes(self):
        for array in (ostore.get(ostore.put(numpy.arange(10))), self.array[:0], ostore.get(ostore.put(numpy.zeros(0)))):
            refs = sum(info["refs"] for info in ostore.list())
            copy = pickle.loads(send(array))
            self.assertEqual((copy.shape, copy.tobytes()), (array.shape, array.tobytes()))
            self.assertEqual(sum(info["refs"] for info in ostore.list()), refs)

    def test_of_deleted_objects_and_closed_clients_are_bytes(self):
        with ostore.Client(ostore.init().address) as other:
            theirs = other.get(other.put(numpy.arange(100000)))
        ostore.delete(self.ref)
        for array in (self.array, theirs):
            data = send(array)
            self.assertGreater(len(data), array.nbytes)
            self.assertTrue(numpy.array_equal(pickle.loads(data), array))

    def test_that_are_copy_on_write_are_bytes(self):
        mine = ostore.get(self.ref, writable=True)
        mine[5] = -1
        for array in (mine, mine[4:9]):
            array.flags.writeable = False
            copy = pickle.loads(send(array))
            self.assertTrue(numpy.array_equal(copy, array))
        self.assertNotEqual(self.array[5, 5], -1)

    def test_of_drafts_are_bytes(self):
        with ostore.empty(100000) as draft:
            draft.array[:] = 5
            self.assertGreater(len(send(draft.array)), 800000)
            draft.seal()
        self.assertEqual(pickle.loads(send(draft.array)).sum(), 500000)

    def test_loaded_too_late_raise(self):
        data = send(self.array)
        ostore.delete(self.ref)
        del self.ref, self.array
        with self.assertRaises(ostore.ObjectNotFoundError):
            pickle.loads(data)


class Memoryviews(support.BrokerTest):
    def setUp(self):
        self.ref = ostore.put(bytes(range(256)) * 1000)
        self.view = ostore.get_buffer(self.ref)

    def test_arrive_in_other_processes(self):
        views = [self.view, self.view[1000:1512], self.view[8:80].cast("d", [3, 3])]
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(1) as pool:
                self.assertEqual(pool.map(where, views), [where(view) for view in views])

    @unittest.skipUnless(joblib, "needs joblib")
    def test_arrive_in_workers_of_joblib(self):
        results = joblib.Parallel(2)(joblib.delayed(where)(self.view[i:]) for i in range(4))
        self.assertEqual(results, [where(self.view[i:]) for i in range(4)])

    def test_keep_their_shape(self):
        view = self.view[16:112].cast("i", [2, 3, 4])
        copy = pickle.loads(send(view))
        self.assertEqual((copy.format, copy.shape, copy.strides), (view.format, view.shape, view.strides))
        self.assertEqual(copy.tolist(), view.tolist())
        self.assertEqual(where(copy), where(view))

    def test_with_gaps_or_of_copies_are_bytes(self):
        for view in (self.view[::3], self.view[100:50:-1], ostore.get_buffer(ostore.put(b"small"))[1:], self.view[:0]):
            copy = pickle.loads(send(view))
            self.assertEqual((copy.tobytes(), copy.shape), (view.tobytes(), view.shape))

    def test_that_are_not_ours_raise_as_ever(self):
        with self.assertRaisesRegex(TypeError, "cannot pickle"):
            send(memoryview(b"not ours"))
        with self.assertRaisesRegex(TypeError, "cannot pickle"):
            pickle.dumps(self.view)


IMPORTS = """
import sys, ostore
assert not {"multiprocessing", "joblib"} & {*sys.modules}
assert len(sys.meta_path) >= 3
ostore.init()
view = ostore.get_buffer(ostore.put(bytes(200000)))
import multiprocessing.reduction
print(len(multiprocessing.reduction.ForkingPickler.dumps(view)) < 1000)
if sys.argv[1] == "numpy":
    import numpy
    array = ostore.get(ostore.put(numpy.zeros(100000)))
    print(len(multiprocessing.reduction.ForkingPickler.dumps(array)) < 1000)
"""


class Imports(support.BrokerTest):
    def test_may_come_in_any_order(self):
        self.assertEqual(support.run_python(IMPORTS, ""), "True")
        if numpy:
            self.assertEqual(support.run_python(IMPORTS, "numpy"), "True\nTrue")

    def test_of_modules_that_are_missing_fail_as_ever(self):
        called = []
        _travel.when_imported("ostore_no_such_module", called.append)
        with self.assertRaises(ModuleNotFoundError):
            __import__("ostore_no_such_module")
        _travel.when_imported("unittest", called.append)
        self.assertEqual(called, [sys.modules["unittest"]])


@unittest.skipUnless(numpy and pyarrow, "needs NumPy and pyarrow")
class Tables(support.BrokerTest):
    def test_arrive_at_the_same_place(self):
        table = pyarrow.table({"x": numpy.arange(100000.0), "y": [*map(str, range(100000))], "z": [None, True] * 50000})
        seen = ostore.get(ostore.put(table))
        picklers = [send]
        if distributed:
            picklers.append(lambda value: distributed.protocol.pickle.dumps(value, protocol=5))
        for dumps in picklers:
            for part in (seen, seen.slice(7, 9000), seen["x"]):
                data = dumps(part)
                self.assertLess(len(data), 64 << 10)
                copy = pickle.loads(data)
                self.assertTrue(copy.equals(part))
            self.assertEqual(self.address(pickle.loads(dumps(copy))), self.address(seen["x"]))

    def test_of_others_are_bytes(self):
        table = pyarrow.table({"x": numpy.arange(100000.0)})
        self.assertGreater(len(send(table)), 800000)
        seen = ostore.get(ostore.put(table))
        ostore.delete([ostore.ObjectRef(o["id"]) for o in ostore.list()])
        self.assertGreater(len(send(seen)), 800000)
        self.assertTrue(pickle.loads(send(seen)).equals(table))

    @staticmethod
    def address(column):
        return column.chunks[0].buffers()[1].address


@unittest.skipUnless(numpy and distributed, "needs NumPy and distributed")
class Dask(support.BrokerTest):
    def setUp(self):
        self.array = ostore.get(ostore.put(numpy.arange(300000.0).reshape(100, 3000)))

    def travel(self, value):
        header, frames = distributed.protocol.serialize(value)
        sent = sum(memoryview(frame).nbytes for frame in frames)
        return distributed.protocol.deserialize(header, frames), sent

    def test_views_arrive_at_the_same_place(self):
        for view in shapes(self.array):
            copy, sent = self.travel(view)
            self.assertEqual(where(copy), where(view))
            self.assertLess(sent, 1000)

    def test_views_within_tasks_do_too(self):
        value = {"a": [self.array, self.array[3:]], "b": (lambda: 7)}
        for dumps in (distributed.protocol.pickle.dumps, distributed.protocol.pickle.cloudpickle.dumps):
            data = dumps(value, protocol=5)
            copy = distributed.protocol.pickle.loads(data)
            self.assertEqual([where(view) for view in copy["a"]], [where(view) for view in value["a"]])
            self.assertEqual(copy["b"](), 7)
            self.assertLess(len(data), 3000)

    def test_other_arrays_are_bytes(self):
        for array in (numpy.arange(50000), ostore.get(ostore.put(numpy.arange(10))), self.array.copy()):
            copy, sent = self.travel(array)
            self.assertTrue(numpy.array_equal(copy, array))
            self.assertGreaterEqual(sent, array.nbytes)

    def test_references_travel(self):
        copy, _ = self.travel([ostore.put(5)])
        self.assertEqual(ostore.get(copy), [5])


if __name__ == "__main__":
    support.main()
