# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a Python value looks like in an object.

Metadata: the tag "ostore-python/1 " and a JSON object, which says with "kind"
how to read the data:

    array       the elements of a NumPy array: "dtype", "shape", "order" (C or F)
    bytes, bytearray, str   those bytes; text as UTF-8
    tree        segments; the first is the encoding of tree-encode.c, which builds None,
                bool, int, float, complex, str, bytes, bytearray, list, tuple and
                dict; the others are the bytes of arrays and of big strings
    pickle      segments; the first is a pickle of protocol 5, the others its
                out-of-band buffers; "type" names the class

Segments: a table of 64-bit little-endian numbers, first how many there are, then
offset and size of each; they do not overlap, rise, and begin at multiples of 64.

Everything but "pickle" is decoded without running anybody's code, so it is
decoded for anybody. Arrays and buffers are never copied: they are read-only
views of the object. Objects without the tag come from other programs: their
value is a memoryview of their bytes. ostore-python(7) documents all this.

NumPy is used only where a value has arrays, and imported only to make one.
"""

import functools
import io
import json
import pickle
import re
import struct
import sys
import weakref

from . import _ostore
from ._errors import Error

TAG = b"ostore-python/1 "
_ANY_VERSION = b"ostore-python/"
_ALIGN = _ostore.ALIGN
_ELEMENTS = "biufcmMSUV"  # kinds of dtypes whose elements are their bytes
_ELEMENT = re.compile(r"[<>|=][biufcmMSUV]\d*(\[\w+\])?")


@functools.lru_cache(maxsize=256)
def _metadata(**description):
    return TAG + json.dumps(description, separators=(",", ":")).encode()


# ---- dtypes


def describe_dtype(dtype):
    """describe_dtype(dtype) -> str | list | dict | None

    A NumPy dtype as JSON, or None if only pickle can carry it.
    """
    import numpy

    if dtype.hasobject or dtype.metadata or dtype.isbuiltin == 2 or dtype.itemsize == 0:
        return None
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        base = describe_dtype(base)
        return None if base is None else [base, list(shape)]
    if dtype.names is None:
        return dtype.str if dtype.kind in _ELEMENTS else None
    if dtype.type is not numpy.void:
        return None
    fields = [dtype.fields[name] for name in dtype.names]
    formats = [describe_dtype(field[0]) for field in fields]
    if None in formats:
        return None
    description = {
        "names": list(dtype.names),
        "formats": formats,
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
    }
    if any(len(field) > 2 for field in fields):
        description["titles"] = [field[2] if len(field) > 2 else None for field in fields]
        if not all(title is None or isinstance(title, str) for title in description["titles"]):
            return None
    if dtype.isalignedstruct:
        description["aligned"] = True
    return description


def make_dtype(description):
    """make_dtype(description) -> numpy.dtype

    The dtype that describe_dtype() described.
    """
    import numpy

    if isinstance(description, str):
        if not _ELEMENT.fullmatch(description):
            raise ValueError(f"{description!r} is no element type")
        dtype = numpy.dtype(description)
    elif isinstance(description, list):
        base, shape = description
        dtype = numpy.dtype((make_dtype(base), tuple(shape)))
    else:
        fields = {key: description[key] for key in ("names", "offsets", "itemsize")}
        fields["formats"] = [make_dtype(field) for field in description["formats"]]
        if "titles" in description:
            fields["titles"] = description["titles"]
        dtype = numpy.dtype(fields, align=description.get("aligned", False))
    if dtype.hasobject:
        raise ValueError("an array of Python objects has no bytes")
    return dtype


# ---- arrays


def _is_plain(array):
    """Can this value be stored as its elements? None where NumPy was never imported."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(array) is numpy.ndarray and describe_dtype(array.dtype) is not None


def _order(array):
    flags = array.flags
    return "C" if flags.c_contiguous else "F" if flags.f_contiguous else None


def _elements(array):
    """The bytes of a contiguous array, as something that exports a plain buffer."""
    import numpy

    if array.nbytes == 0:
        return b""
    if not array.flags.c_contiguous:
        array = array.T
    return array.reshape(-1).view(numpy.uint8)


def array_metadata(shape, dtype, order="C"):
    """array_metadata(shape, dtype, order="C") -> bytes

    The metadata of an object that is one array; ValueError if it cannot be.
    """
    description = describe_dtype(dtype)
    if description is None:
        raise ValueError(f"an array of {dtype} has no bytes of its own: use put(), which pickles it")
    make = _metadata if isinstance(description, str) else _metadata.__wrapped__  # the others have no hash
    return make(kind="array", dtype=description, shape=shape, order=order)


def _array(data, dtype, shape, order):
    """An array over all of a buffer; unlike NumPy, with every dimension checked."""
    import numpy

    nbytes = dtype.itemsize
    for size in shape:
        if type(size) is not int or size < 0:
            raise ValueError(f"{size!r} is no dimension of an array")
        nbytes *= size
    if dtype.subdtype or dtype.itemsize == 0 or nbytes != memoryview(data).nbytes:
        raise ValueError(f"{memoryview(data).nbytes} bytes are no array of {dtype} with shape {shape}")
    return numpy.ndarray(shape, dtype, data, order=order)


def view_array(data, dtype, shape, order):
    """view_array(data, dtype, shape, order) -> numpy.ndarray

    An array over a buffer, read-only if that is. Pickles of ostore call it: its
    name and arguments are part of the format.
    """
    return _array(data, make_dtype(dtype), tuple(shape), order)


def _leaf(value):
    """For the tree encoder: arrays and NumPy scalars; None for everything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    scalar = isinstance(value, numpy.generic)
    if scalar:
        value, type_ = numpy.asarray(value), type(value)
        if value.dtype.type is not type_:
            return None
    if not _is_plain(value):
        return None
    order = _order(value)
    if order is None:
        value, order = numpy.ascontiguousarray(value), "C"
    return _leaf_description(json.dumps(describe_dtype(value.dtype)), value.shape, order, scalar), _elements(value)


@functools.lru_cache(maxsize=256)
def _leaf_description(dtype, shape, order, scalar):
    # Cached so that equal arrays share one string, which the encoder writes once.
    description = {"dtype": json.loads(dtype), "shape": shape, "order": order}
    if scalar:
        description["scalar"] = True
    return json.dumps(description, separators=(",", ":"))


def _make_leaf(description, segment):
    if not isinstance(description, str):
        raise ValueError("an array without description")
    description = json.loads(description)
    array = view_array(segment, description["dtype"], description["shape"], description["order"])
    return array[()] if description.get("scalar") else array


# ---- segments


def _with_table(segments):
    """The pieces of an object of segments: put() aligns each, so offsets follow."""
    sizes = [memoryview(segment).nbytes for segment in segments]
    offset = 8 + 16 * len(sizes)
    table = [len(sizes)]
    for size in sizes:
        offset += -offset % _ALIGN
        table += (offset, size)
        offset += size
    return [struct.pack(f"<{len(table)}Q", *table), *segments]


def _segments(data):
    if data.nbytes < 8:
        raise ValueError("there is no table of segments")
    (count,) = struct.unpack_from("<Q", data)
    if not 1 <= count <= (data.nbytes - 8) // 16:
        raise ValueError("the table of segments is longer than the object")
    table = struct.unpack_from(f"<{2 * count}Q", data, 8)
    segments = []
    end = 8 + 16 * count
    for offset, size in zip(table[::2], table[1::2]):
        if offset < end or size > data.nbytes - offset:
            raise ValueError("a segment is outside of the object, or within another")
        end = offset + size
        segments.append(data[offset:end])
    return segments


# ---- values


class _Pickler(pickle.Pickler):
    """Protocol 5, with the elements of every plain array out of band.

    NumPy's own pickling copies arrays that are not contiguous or hold times.
    """

    def __init__(self, file, segments):
        super().__init__(file, protocol=5, buffer_callback=segments.append)

    def reducer_override(self, value):
        if not _is_plain(value):
            return NotImplemented
        order = _order(value)
        if order is None:
            value, order = sys.modules["numpy"].ascontiguousarray(value), "C"
        elements = pickle.PickleBuffer(_elements(value))
        return view_array, (elements, describe_dtype(value.dtype), value.shape, order)


def _type_name(value):
    type_ = type(value)
    name = type_.__qualname__ if type_.__module__ == "builtins" else f"{type_.__module__}.{type_.__qualname__}"
    return name[:1000]


def encode(value):
    """encode(value) -> (metadata, pieces, array)

    The metadata and the list of buffers of an object. Where array is not None,
    it is a strided array, to be copied in C order instead of pieces.
    """
    kind = type(value)
    if kind is bytes or kind is bytearray:
        return _metadata(kind=kind.__name__), [value], None
    if kind is str:
        return _metadata(kind="str"), [value.encode("utf-8", "surrogatepass")], None
    if _is_plain(value):
        order = _order(value)
        metadata = array_metadata(value.shape, value.dtype, order or "C")
        if len(metadata) <= _ostore.METADATA_MAX:
            return (metadata, [], value) if order is None else (metadata, [_elements(value)], None)
    tree = _ostore.tree_encode(value, _leaf)
    if tree is not None:
        head, segments = tree
        return _metadata(kind="tree", type=_type_name(value)), _with_table([head, *segments]), None
    file = io.BytesIO()
    buffers = []
    _Pickler(file, buffers).dump(value)
    segments = [file.getbuffer(), *(buffer.raw() for buffer in buffers)]
    return _metadata(kind="pickle", type=_type_name(value)), _with_table(segments), None


@functools.lru_cache(maxsize=256)
def _description(metadata):
    """What the metadata says: (kind, description), or None if it is not Python's."""
    if not metadata.startswith(TAG):
        if metadata.startswith(_ANY_VERSION):
            version = metadata[len(_ANY_VERSION):].split(b" ")[0][:20].decode(errors="replace")
            raise Error(f"its format is version {version}, newer than this ostore; get_buffer() gives its bytes")
        return None
    description = json.loads(metadata[len(TAG):])
    kind = description["kind"]
    if kind == "array":
        return kind, (tuple(description["shape"]), make_dtype(description["dtype"]), description["order"])
    return kind, description


def _make_tree(object):
    with _blaming(object):
        head, *others = _segments(memoryview(object))
        return _ostore.tree_decode(head, others, _make_leaf)


# Objects whose pickled values may still be there: Arrow's buffers do not say what they are
# slices of.
mapped = weakref.WeakSet()


def _pickle_maker(check_trust):
    def make(object):
        check_trust()
        with _blaming(object):
            head, *buffers = _segments(memoryview(object))
        if buffers and "pyarrow" in sys.modules:
            mapped.add(object)
        return pickle.loads(head, buffers=buffers)

    return make


def _make_bytes(object):
    return bytes(memoryview(object))


def _make_bytearray(object):
    return bytearray(memoryview(object))


def _make_str(object):
    with _blaming(object):
        return str(memoryview(object), "utf-8", "surrogatepass")


def _make_view(array):
    # Making a view of an array is faster than making an array of a buffer.
    return array.view()


class _blaming:
    """Say of an error while an object is decoded which object it was."""

    def __init__(self, object):
        self._object = object

    def __enter__(self):
        pass

    def __exit__(self, type, value, traceback):
        if type is None:
            return
        hex = self._object.id.hex()
        if issubclass(type, ImportError):
            raise Error(f"object {hex} holds NumPy arrays: install NumPy, or read its bytes with get_buffer()") from value
        if issubclass(type, (ValueError, TypeError, LookupError, OverflowError, RecursionError, AttributeError)):
            raise Error(f"object {hex} is not what its metadata says; get_buffer() gives its bytes: {value}") from value


def decoder(object, check_trust):
    """decoder(object, check_trust) -> (source, make)

    make(source) is the object's value, anew at each call. The source is the object
    itself, or an array over it; every view that is part of a value keeps it alive,
    and it keeps the mapping. check_trust(type) is called before anything is
    unpickled; it raises if the owner is not trusted.
    """
    metadata = object.metadata
    with _blaming(object):
        # Long metadata is rare: it shall not fill the cache.
        found = (_description if len(metadata) < 1024 else _description.__wrapped__)(metadata)
        if found is None:
            return object, memoryview
        kind, description = found
        if kind == "array":
            shape, dtype, order = description
            return _array(object, dtype, shape, order), _make_view
        if kind == "bytes":
            return object, _make_bytes
        if kind == "bytearray":
            return object, _make_bytearray
        if kind == "str":
            return object, _make_str
        if kind == "tree":
            return object, _make_tree
        if kind == "pickle":
            return object, _pickle_maker(functools.partial(check_trust, str(description.get("type"))))
        raise ValueError(f"unknown kind {kind!r}")
