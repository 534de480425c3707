#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How values become bytes and bytes become values, without a broker."""

import dataclasses
import enum
import json
import math
import pickle
import random
import struct
import unittest

import support
from ostore import Error, _format, _ostore

try:
    import numpy
except ImportError:
    numpy = None


class Bytes(bytes):
    """An object as the decoder sees one."""

    def __new__(cls, metadata, data):
        self = super().__new__(cls, data)
        self.metadata = metadata
        self.id = bytes(range(16))
        return self


def forbidden(type):
    raise AssertionError(f"{type} was unpickled")


def anybody(type):
    pass


def store(value):
    metadata, pieces, strided = _format.encode(value)
    data = bytearray()
    for piece in pieces:
        data += bytes(-len(data) % 64) + bytes(piece)
    return Bytes(metadata, strided.tobytes() if strided is not None else data)


def kind(object):
    return json.loads(object.metadata[len(_format.TAG):])["kind"]


def decode(object, check_trust):
    source, make = _format.decoder(object, check_trust)
    return make(source)


def round_trip(value, check_trust=forbidden):
    return decode(store(value), check_trust)


@dataclasses.dataclass
class Model:
    name: str
    weights: object


class Color(enum.IntEnum):
    RED = 1


class PlainValues(unittest.TestCase):
    VALUES = [
        None, True, False, 0, 1, -1, 127, 128, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 1 << 20000,
        0.0, -0.0, 1e300, math.inf, 1 + 2j, "", "text", "ä€\U0001f600", "\ud800", "a\0b", b"", b"\0\xff",
        bytearray(b"x"), b"x" * 5000, [], (), {}, [b"y" * 5000, bytearray(5000)], [1, [2, (3, {4: 5})]],
        {1: 2, "a": None, (1, 2): [True], b"k": 1.5, None: 0}, ["same"] * 3, [[]] * 2, ((1,),) * 3,
    ]

    def test_come_back_equal_and_of_the_same_type_without_pickle(self):
        for value in self.VALUES:
            with self.subTest(value=str(type(value))):
                result = round_trip(value)
                self.assertEqual(result, value)
                self.assertIs(type(result), type(value))
        self.assertEqual(math.copysign(1, round_trip([-0.0])[0]), -1)
        self.assertTrue(math.isnan(round_trip(math.nan)))

    def test_keep_which_objects_are_the_same(self):
        inner = []
        result = round_trip({"a": inner, "b": [inner, inner]})
        self.assertIs(result["a"], result["b"][0])
        loop = [1]
        loop.append(loop)
        result = round_trip(loop)
        self.assertIs(result[1], result)
        loop = ([],)
        loop[0].append(loop)
        result = round_trip(loop, anybody)
        self.assertIs(result[0][0], result)

    def test_of_subclasses_are_pickled_so_that_nothing_is_lost(self):
        for value in (Color.RED, [Color.RED], Model("a", [1]), {1, 2}, range(3)):
            with self.subTest(value=value):
                self.assertEqual(kind(store(value)), "pickle")
                result = round_trip(value, anybody)
                self.assertEqual(result, value)
                self.assertIs(type(result), type(value))

    def test_that_are_too_deep_raise(self):
        value = None
        for _ in range(100000):
            value = [value]
        with self.assertRaises(RecursionError):
            store(value)

    def test_do_not_grow_where_things_are_shared(self):
        value = (0,)
        for _ in range(200):
            value = (value, value)
        self.assertLess(len(store(value)), 2000)

    def test_are_small(self):
        self.assertLess(len(store([0, 1.0, "x", None])), 128)

    def test_are_readable_by_their_metadata(self):
        self.assertEqual(store(b"abc").metadata, b'ostore-python/1 {"kind":"bytes"}')
        self.assertEqual(bytes(store("ä")), "ä".encode())
        self.assertEqual(store([1]).metadata, b'ostore-python/1 {"kind":"tree","type":"list"}')
        self.assertIn(b"test_format.Model" if __name__ != "__main__" else b"__main__.Model", store(Model("a", 1)).metadata)

    def test_do_not_need_numpy(self):
        code = """
import sys
sys.modules["numpy"] = None
import ostore
from ostore import _format
assert _format.encode([1, "a"])[0].startswith(_format.TAG)
"""
        support.run_python(code)
        support.run_python("import sys, ostore; assert 'numpy' not in sys.modules")


class ForeignObjects(unittest.TestCase):
    def test_are_a_read_only_view_of_their_bytes(self):
        for metadata in (b"", b"text/plain", b"\xff\0"):
            value = decode(Bytes(metadata, b"abc"), forbidden)
            self.assertEqual(value, b"abc")
            self.assertTrue(value.readonly)

    def test_of_a_later_version_are_refused_with_a_word_about_it(self):
        with self.assertRaisesRegex(Error, "version 2, newer"):
            _format.decoder(Bytes(b"ostore-python/2 {}", b""), forbidden)


class DamagedObjects(unittest.TestCase):
    def test_raise_an_error_that_names_the_object(self):
        for metadata in (
            b"ostore-python/1 ", b"ostore-python/1 []", b"ostore-python/1 {}", b"ostore-python/1 \xff",
            b'ostore-python/1 {"kind":"new"}', b'ostore-python/1 {"kind":"tree"}', b'ostore-python/1 {"kind":1}',
            b'ostore-python/1 {"kind":"str"}', b"ostore-python/1 " + b"[" * 60000,
        ):
            with self.subTest(metadata=metadata[:60]), self.assertRaisesRegex(Error, "000102030405"):
                decode(Bytes(metadata, b"\xff"), forbidden)

    @unittest.skipUnless(numpy, "needs NumPy")
    def test_with_impossible_arrays_raise(self):
        for dtype, shape in (
            ('"<f8"', "[2]"), ('"<f8"', "[-1]"), ('"O"', "[1]"), ('"|O8"', "[1]"), ('"<f8"', "[1e9]"), ("[]", "[1]"),
            ('"<f8"', "[4611686018427387904,4]"), ('{"names":["a"],"formats":["|O8"],"offsets":[0],"itemsize":8}', "[1]"),
            ('{"names":["a"],"formats":["<f8"],"offsets":[4],"itemsize":8}', "[1]"), ('"<f8"', '"ab"'), ("null", "[1]"),
        ):
            metadata = f'ostore-python/1 {{"kind":"array","dtype":{dtype},"shape":{shape},"order":"C"}}'.encode()
            with self.subTest(metadata=metadata), self.assertRaises(Error):
                _format.decoder(Bytes(metadata, bytes(8)), forbidden)()

    def test_with_impossible_segments_raise(self):
        metadata = b'ostore-python/1 {"kind":"tree"}'
        for table in ((), (0,), (2**60,), (1, 0, 1), (1, 64, 2**63), (1, 2**63, 1), (1, 64, 65), (2, 64, 8, 70, 8)):
            data = struct.pack(f"<{len(table)}Q", *table).ljust(128, b"N")
            with self.subTest(table=table), self.assertRaises(Error):
                decode(Bytes(metadata, data if table else b"1234567"), forbidden)

    def test_at_random_raise_or_give_a_plain_value(self):
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)
        head, _ = _ostore.tree_encode(PlainValues.VALUES[-8:] + ["text", 2**70, b"b", (1, 2.5), {"k": 1j}], _format._leaf)
        for _ in range(3000):
            damaged = bytearray(head)
            for _ in range(rng.randrange(1, 4)):
                damaged[rng.randrange(len(damaged))] = rng.choice(b"NTFiIfcsbaBAltdnr\0\1\2\x7f\x80\xff")
            damaged = damaged[: rng.randrange(len(damaged) + 1)]
            try:
                _ostore.tree_decode(damaged, [memoryview(b"x" * 2000)], _format._make_leaf)
            except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
                pass
            except BaseException as error:
                raise AssertionError(f"seed {seed}: {damaged!r}") from error

    def test_cannot_use_a_segment_twice_to_fill_the_memory(self):
        with self.assertRaisesRegex(ValueError, "too few segments"):
            _ostore.tree_decode(b"l\2BB", [memoryview(b"x")], _format._make_leaf)

    def test_cannot_announce_more_than_they_have(self):
        for head in (b"l\xff\xff\xff\xff\x0f", b"t\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"s\x05ab", b"d\1i\0", b"f123", b"r\0"):
            with self.subTest(head=head), self.assertRaises(ValueError):
                _ostore.tree_decode(head, [], _format._make_leaf)


@unittest.skipUnless(numpy, "needs NumPy")
class Arrays(unittest.TestCase):
    def arrays(self):
        np = numpy
        for code in "?bhilqBHILQefdgFDG":
            yield np.arange(6).astype(code)
            yield np.arange(6).astype(np.dtype(code).newbyteorder()).reshape(2, 3)
        yield np.array(["a", "bcd"])
        yield np.array([b"a", b"bcd"])
        yield np.array([b"ab", b"cd"], "V2")
        yield np.array(["2020-01-01", "NaT"], "M8[ns]")
        yield np.array([1, 2], "m8[25s]")
        yield np.array([1, 2], "m8")
        yield np.zeros(3, [("a", "<f8"), ("b", "S3"), ("c", "M8[D]"), ("d", "<i2", (2, 2))])
        yield np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True))
        yield np.zeros(2, [("a", [("b", "u1"), ("c", ">f4")]), (("title", "e"), "i4")])
        yield np.zeros(2, {"names": ["x", "y"], "formats": ["f4", "f4"], "offsets": [8, 0], "itemsize": 16})
        yield np.zeros(2, [])
        yield np.array(5.0)
        yield np.array("NaT", "M8[us]")
        yield np.empty((0,))
        yield np.empty((3, 0, 2), "i2")
        yield np.asfortranarray(np.arange(12.0).reshape(3, 4))
        yield np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)
        yield np.arange(20)[::2]
        yield np.arange(20)[::-1]
        yield np.broadcast_to(np.arange(3), (4, 3))
        yield np.zeros(2, "M8[s]")[:0]

    def check_equal(self, result, array):
        self.assertIs(type(result), numpy.ndarray)
        self.assertEqual(result.dtype, array.dtype)
        self.assertEqual(repr(result.dtype), repr(array.dtype))
        self.assertEqual(result.shape, array.shape)
        self.assertEqual(result.tobytes(), array.tobytes())

    def test_of_every_dtype_come_back_without_pickle_and_read_only(self):
        for array in self.arrays():
            with self.subTest(dtype=array.dtype, shape=array.shape):
                for value, take in ((array, lambda v: v), ([array], lambda v: v[0]), ({"k": (array,)}, lambda v: v["k"][0])):
                    if array.dtype.itemsize == 0:
                        result = take(round_trip(value, anybody))
                    else:
                        result = take(round_trip(value))
                        self.assertFalse(result.flags.writeable)
                    self.check_equal(result, array)

    def test_in_classes_come_back_read_only_and_without_a_copy(self):
        for array in self.arrays():
            if array.dtype.itemsize == 0:
                continue
            with self.subTest(dtype=array.dtype, shape=array.shape):
                object = store(Model("m", [array]))
                result = decode(object, anybody).weights[0]
                self.check_equal(result, array)
                self.assertFalse(result.flags.writeable)
                if array.size:
                    self.assertTrue(numpy.shares_memory(result, numpy.frombuffer(object, "u1")))

    def test_keep_fortran_order(self):
        array = numpy.asfortranarray(numpy.ones((3, 4)))
        for result in (round_trip(array), round_trip([array])[0], round_trip(Model("", array), anybody).weights):
            self.assertTrue(result.flags.f_contiguous)

    def test_are_views_that_cannot_be_made_writable(self):
        array = numpy.arange(5)
        for result in (round_trip(array), round_trip([array])[0], round_trip(Model("", array), anybody).weights):
            with self.assertRaisesRegex(ValueError, "assignment destination is read-only"):
                result[0] = 1
            with self.assertRaises(ValueError):
                result.flags.writeable = True
            if isinstance(result.base, numpy.ndarray):
                with self.assertRaises(ValueError):
                    result.base.flags.writeable = True

    def test_lie_at_multiples_of_64(self):
        values = [numpy.arange(n, dtype="u1") for n in (1, 63, 64, 65)]
        object = store(values)
        start = numpy.frombuffer(object, "u1").ctypes.data
        for result in decode(object, forbidden):
            self.assertEqual((result.ctypes.data - start) % 64, 0)

    def test_that_are_one_object_stay_one(self):
        array = numpy.arange(1000)
        object = store([array, array])
        self.assertLess(len(object), 9000)
        result = decode(object, forbidden)
        self.assertIs(result[0], result[1])

    def test_that_only_pickle_can_carry_are_pickled(self):
        for array in (
            numpy.array([None, [1]], object), numpy.ma.masked_array([1, 2], [0, 1]),
            numpy.rec.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), numpy.zeros(2, numpy.dtype("f8", metadata={"a": 1})),
        ):
            with self.subTest(array=array):
                self.assertEqual(kind(store(array)), "pickle")
                result = round_trip(array, anybody)
                self.assertIs(type(result), type(array))
                self.assertEqual(repr(result), repr(array))
                self.assertEqual(result.dtype.metadata, array.dtype.metadata)

    def test_scalars_come_back_without_pickle(self):
        for value in (
            numpy.float64(1.5), numpy.int8(-1), numpy.bool_(True), numpy.str_("x"), numpy.bytes_(b"y"),
            numpy.datetime64("2020-01-01T00:00", "ns"), numpy.timedelta64(3, "D"), numpy.longdouble(1) / 3,
            numpy.array((1, 2.0), [("a", "i4"), ("b", "f8")])[()],
        ):
            with self.subTest(value=value):
                result = round_trip({"v": value})["v"]
                self.assertIs(type(result), type(value))
                self.assertEqual(result.dtype, value.dtype)
                self.assertEqual(result, value)

    def test_with_long_descriptions_do_not_overflow_the_metadata(self):
        dtype = numpy.dtype([(f"field number {i}", "f4") for i in range(5000)])
        object = store(numpy.ones(3, dtype))
        self.assertLessEqual(len(object.metadata), _ostore.METADATA_MAX)
        self.assertEqual(decode(object, forbidden)["field number 7"][2], 1)

    def test_of_other_libraries_buffers_stay_out_of_band(self):
        class Column:
            def __init__(self, data):
                self.data = data

            def __reduce_ex__(self, protocol):
                return bytes, (pickle.PickleBuffer(self.data),)

        object = store([Column(bytearray(b"z" * 100000))])
        self.assertIn(b"z" * 100000, bytes(object))


if __name__ == "__main__":
    support.main()
