#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects that are written in place: empty(), create(), seal(), abort()."""

import gc
import os
import unittest

import support
from support import MiB

import ostore

try:
    import numpy
except ImportError:
    numpy = None


class Raw(support.BrokerTest):
    def test_are_written_and_sealed(self):
        draft = ostore.create(5, b"meta", id="0f" * 16)
        self.assertEqual(bytes(draft.buffer), bytes(5))
        draft.buffer[:] = b"hello"
        ref = draft.seal()
        self.assertEqual(ref.hex(), "0f" * 16)
        self.assertEqual(ostore.get(ref), b"hello")
        self.assertEqual(ostore.get_metadata(ref), b"meta")
        with self.assertRaisesRegex(ValueError, "sealed"):
            draft.seal()

    def test_of_no_bytes_are_sealed(self):
        draft = ostore.create(0)
        self.assertEqual(len(draft.buffer), 0)
        self.assertEqual(bytes(ostore.get_buffer(draft.seal())), b"")
        self.assertEqual(bytes(ostore.get_buffer(ostore.create(0).seal())), b"")

    def test_that_nobody_looked_at_are_sealed(self):
        draft = ostore.create(3 * MiB)
        ref = draft.seal()
        self.assertEqual(bytes(ostore.get_buffer(ref)), bytes(3 * MiB))
        with self.assertRaisesRegex(ValueError, "sealed"):
            draft.buffer

    def test_are_seen_by_nobody_before_the_seal(self):
        ref = ostore.ObjectRef("1f" * 16)
        draft = ostore.create(10, id=ref.hex())
        self.assertFalse(ostore.contains(ref))
        with self.assertRaises(ostore.Error):
            ostore.get(ref, timeout=0.05)
        draft.seal()
        self.assertTrue(ostore.contains(ref))

    def test_that_a_block_raises_out_of_are_aborted(self):
        id = "2f" * 16
        with self.assertRaises(ZeroDivisionError):
            with ostore.create(MiB, id=id) as draft:
                draft.buffer[0] = 1
                1 / 0
        with self.assertRaisesRegex(ValueError, "aborted"):
            draft.seal()
        with self.assertRaisesRegex(ValueError, "aborted"):
            draft.buffer
        ostore.create(MiB, id=id).seal()  # the id is free

    def test_sealed_in_a_block_that_raises_stay(self):
        with self.assertRaises(ZeroDivisionError):
            with ostore.create(4) as draft:
                draft.buffer[:] = b"abcd"
                ref = draft.seal()
                1 / 0
        self.assertEqual(ostore.get(ref), b"abcd")

    def test_that_are_dropped_give_their_memory_back(self):
        for keep in (False, True):
            draft = ostore.create(200 * MiB)
            if keep:
                draft.buffer[0] = 1
            del draft
            gc.collect()
        ostore.create(200 * MiB, timeout=5).abort()
        ostore.create(200 * MiB, timeout=5).abort()

    def test_aborted_under_a_view_keep_it_valid(self):
        draft = ostore.create(8 * MiB)
        view = draft.buffer
        draft.abort()
        draft.abort()
        view[-1] = 7
        self.assertEqual(view[-1], 7)

    def test_have_no_array(self):
        with self.assertRaises(AttributeError):
            ostore.create(4).array


@unittest.skipUnless(numpy, "needs NumPy")
class Arrays(support.BrokerTest):
    def test_are_filled_and_sealed_without_a_copy(self):
        with ostore.empty((1000, 500), "f4") as draft:
            self.assertEqual(draft.array.shape, (1000, 500))
            self.assertFalse(draft.array.any())
            draft.array[:] = numpy.arange(500)
        ref = draft.seal()
        result = ostore.get(ref)
        self.assertEqual(result.dtype, numpy.float32)
        self.assertTrue((result == numpy.arange(500)).all())
        self.assertEqual(ref.nbytes, 1000 * 500 * 4)

    def test_of_every_kind(self):
        for shape, dtype in (((), "f8"), (5, "M8[ns]"), ((0, 3), "i2"), ([2, 3], [("a", "i4"), ("b", "S3")]), (numpy.int64(4), bool)):
            draft = ostore.empty(shape, dtype)
            expected = numpy.zeros(shape, dtype)
            self.assertEqual(draft.array.tobytes(), expected.tobytes())
            result = ostore.get(draft.seal())
            self.assertEqual((result.shape, result.dtype), (expected.shape, expected.dtype))
        self.assertEqual(ostore.get(ostore.empty(3).seal()).dtype, float)
        for shape, dtype in ((3, object), (-1, "f8"), ((2, -1), "f8")):
            with self.assertRaises(ValueError):
                ostore.empty(shape, dtype)
        with self.assertRaises(TypeError):
            ostore.empty(2.5)

    def test_alive_at_the_seal_become_read_only_and_slices_copy_on_write(self):
        for size in (10, 100000, 3 * MiB):
            draft = ostore.empty(size, "u1")
            array = draft.array
            early = array[:5]
            array[:] = 3
            ref = draft.seal()
            with self.assertRaisesRegex(ValueError, "read-only"):
                array[0] = 1
            with self.assertRaises(ValueError):
                array.flags.writeable = True
            self.assertTrue((array == 3).all())
            result = ostore.get(ref)
            early[:] = 9  # its own copy of the page
            self.assertEqual(early[0], 9)
            self.assertEqual(array[0], 9)
            self.assertEqual(result[0], 3)
            self.assertEqual(ostore.get(ref)[0], 3)
            self.assertEqual(bytes(ostore.get_buffer(ref)[:2]), b"\3\3")
            address = os.environ["OSTORE_ADDRESS"]
            read = "import sys, ostore; print(ostore.get(ostore.ObjectRef(sys.argv[1]))[0])"
            self.assertEqual(support.run_python(read, ref.hex(), env={"OSTORE_ADDRESS": address}), "3")
            del draft, array, result
            self.assertEqual(early[4], 9)

    def test_views_of_a_draft_outlive_it_and_its_reference(self):
        draft = ostore.empty(MiB, "u1")
        draft.array[:] = 4
        tail = draft.array[-10:]
        draft.seal()
        del draft
        gc.collect()
        for _ in range(4):
            ostore.put(bytes(100 * MiB))
        self.assertTrue((tail == 4).all())

    def test_are_sealed_while_a_forked_child_lives(self):
        draft = ostore.empty(MiB, "u1")
        draft.array[:] = 5
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        try:
            self.assertEqual(ostore.get(draft.seal())[0], 5)
        finally:
            os.close(write)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    support.main()
