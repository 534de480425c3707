# SPDX-License-Identifier: LGPL-2.1-or-later
"""Views that are pickled for another process travel as references.

An array that get() returned, any slice of it, and a memoryview of get_buffer()
are pickled as id, lease, offset, type and shape by the picklers that carry
arguments and results between processes: those of multiprocessing (which
concurrent.futures uses) and of joblib. The receiver maps the object, at the same
address, and its view keeps it. All other pickling, pickle.dumps() for one,
copies the bytes as ever: a file must not depend on a broker.

The bytes travel too where a reference would not do, or not pay: an object of
at most 64 KiB that this process has as a copy, views over writable memory,
and objects that are deleted or whose connection is closed.

Nothing is imported for this: the reducers are added when the program imports
what they are for.
"""

import importlib.util
import sys

from . import _format, _ostore
from ._errors import Error

_SMALL = 64 << 10


def when_imported(name, call):
    """when_imported(name, call) -> None

    Call it with the module of this name: now, or when somebody imports it.
    """
    if name in sys.modules and not getattr(sys.modules[name].__spec__, "_initializing", False):
        call(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Watch(name, call))


class _Watch:
    """Lets the other finders find one module, and calls when it is there."""

    def __init__(self, name, call):
        self._name = name
        self._call = call

    def find_spec(self, name, path=None, target=None):
        if name != self._name or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                self._call(module)

            spec.loader.exec_module = exec_module
        return spec


# ---- sending


def _object_of(view):
    """The object whose sealed bytes a view shows, or None."""
    numpy = sys.modules.get("numpy")
    while numpy is not None and type(view) is numpy.ndarray:
        view = view.base
    if type(view) is memoryview:
        view = view.obj
    return view if type(view) is _ostore.Object else None


def is_worth_a_lease(view):
    """Is this a view of an object that the receiver better maps?"""
    object = _object_of(view)
    if object is None or object.writable or view.nbytes == 0 or object.connection.closed:
        return False
    return object.size > _SMALL or object.shared_address


def _lease(view):
    """(id, token, address, offset) of a view that is worth a lease, or None."""
    if not is_worth_a_lease(view):
        return None
    return _lease_on(_object_of(view), _ostore.buffer_address(view))


def _lease_on(object, address):
    """The same of what is at an address in an object."""
    try:
        return object.id, object.export(), object.connection.address, address - object.address
    except Error:
        return None


def _reduce_array(array):
    """What an array is pickled as, or None: its bytes."""
    lease = _lease(array)
    return lease and (load_array, (*lease, array.dtype, array.shape, array.strides))


def reduce_view(view):
    """The same of an array or a memoryview that is contiguous."""
    if type(view) is not memoryview:
        return _reduce_array(view)
    lease = _lease(view) if view.c_contiguous else None
    return lease and (load_memoryview, (*lease, view.nbytes, view.format, view.shape))


def _reduce_memoryview(view, theirs=None):
    if _object_of(view) is None:
        return theirs(view) if theirs else view.__reduce_ex__(4)  # raises, as ever
    lease = _lease(view) if view.contiguous else None
    if lease is None or not view.c_contiguous:
        return load_bytes, (view.tobytes(), view.format, view.shape)
    return load_memoryview, (*lease, view.nbytes, view.format, view.shape)


def reduce_buffer(buffer):
    """What a buffer of Arrow is pickled as, or None: its bytes."""
    if buffer.size < _SMALL:
        return None
    for object in [*_format.mapped]:
        start = object.address
        if start <= buffer.address and buffer.address + buffer.size <= start + object.size:
            lease = None if object.writable or object.connection.closed else _lease_on(object, buffer.address)
            return lease and (load_buffer, (*lease, buffer.size))
    return None


# ---- receiving


def _load(id, token, address):
    """The object, mapped, with a reference of its own."""
    from . import _session

    connection = _session.current(hint=address)._connection
    reference = connection.import_(id, token)
    (object,) = connection.get(reference.id, _ostore.FOREVER, 0)
    return object


def load_array(id, token, address, offset, dtype, shape, strides):
    """load_array(id, token, address, offset, dtype, shape, strides) -> numpy.ndarray

    What the pickle of an array loads with; read-only, as the object is.
    """
    import numpy

    return numpy.ndarray(shape, dtype, _load(id, token, address), offset, strides)


def load_memoryview(id, token, address, offset, nbytes, format, shape):
    """load_memoryview(id, token, address, offset, nbytes, format, shape) -> memoryview

    The same for the bytes of an object.
    """
    return _cast(memoryview(_load(id, token, address))[offset : offset + nbytes], format, shape)


def load_buffer(id, token, address, offset, nbytes):
    """load_buffer(id, token, address, offset, nbytes) -> pyarrow.Buffer

    The same for a buffer of Arrow.
    """
    import pyarrow

    object = _load(id, token, address)
    _format.mapped.add(object)
    return pyarrow.py_buffer(memoryview(object)[offset : offset + nbytes])


def load_bytes(data, format, shape):
    """load_bytes(data, format, shape) -> memoryview

    The same where the bytes themselves were sent.
    """
    return _cast(memoryview(data), format, shape)


def _cast(view, format, shape):
    return view.cast("B").cast(format, shape) if view.nbytes else view.cast(format)


# ---- the picklers


def _teach_multiprocessing(reduction):
    reduction.ForkingPickler.register(memoryview, _reduce_memoryview)
    when_imported("numpy", lambda numpy: _teach_arrays(reduction.ForkingPickler, numpy.ndarray))
    when_imported("pyarrow", lambda pyarrow: reduction.ForkingPickler.register(pyarrow.Buffer, _reduce_buffer))


def _reduce_buffer(buffer):
    return reduce_buffer(buffer) or buffer.__reduce_ex__(4)


def _teach_arrays(pickler, ndarray):
    def reduce(array):
        return _reduce_array(array) or _bytes_of(array)

    pickler.register(ndarray, reduce)


_reduce_joblib_result = None  # joblib's own


def reduce_joblib_result(array):
    """reduce_joblib_result(array) -> tuple

    For joblib's workers, which get it by its name: how they pickle results.
    """
    return _reduce_array(array) or (_reduce_joblib_result or _bytes_of)(array)


def _bytes_of(array):
    return array.__reduce__()


def _teach_joblib(reducers):
    """joblib writes large arguments into files for its workers to map: not ours."""
    global _reduce_joblib_result
    theirs = reducers.ArrayMemmapForwardReducer.__call__

    def reduce(self, array):
        return _reduce_array(array) or theirs(self, array)

    reducers.ArrayMemmapForwardReducer.__call__ = reduce
    _reduce_joblib_result = reducers.reduce_array_memmap_backward
    reducers.reduce_array_memmap_backward = reduce_joblib_result


def _teach_loky(reduction):
    theirs = getattr(reduction.get_loky_pickler(), "dispatch_table", {}).get(memoryview)
    reduction.register(memoryview, lambda view: _reduce_memoryview(view, theirs))
    when_imported("pyarrow", lambda pyarrow: reduction.register(pyarrow.Buffer, _reduce_buffer))


when_imported("multiprocessing.reduction", _teach_multiprocessing)
when_imported("joblib._memmapping_reducer", _teach_joblib)
when_imported("joblib.externals.loky.backend.reduction", _teach_loky)
