# SPDX-License-Identifier: LGPL-2.1-or-later
"""Views in what Dask sends between its processes travel as references.

Dask pickles tasks and results by functions of its own, and arrays that stand alone
by a serializer for arrays. Here its picklers are given our reducers, and nobody
else's are; a view that stands alone is left to them. What arrives is a pickle that
any process can load which finds the module.
"""

import collections
import collections.abc
import copyreg
import io

from ._travel import is_worth_a_lease, reduce_buffer, reduce_view, when_imported


class _Library:
    """A pickle module whose dumps() sends views as references."""

    def __init__(self, library, ndarray):
        theirs = library.Pickler.dispatch_table
        table = theirs if isinstance(theirs, collections.abc.Mapping) else copyreg.dispatch_table

        ours = {ndarray: _reduce, memoryview: _reduce_memoryview}
        when_imported("pyarrow", lambda pyarrow: ours.update({pyarrow.Buffer: _reduce_buffer}))

        class Pickler(library.Pickler):
            dispatch_table = collections.ChainMap(ours, table)

        self._library = library
        self._pickler = Pickler

    def __getattr__(self, name):
        return getattr(self._library, name)

    def dumps(self, value, protocol=None, buffer_callback=None):
        if protocol is None or protocol < 5:
            return self._library.dumps(value, protocol=protocol, buffer_callback=buffer_callback)
        with io.BytesIO() as file:
            self._pickler(file, protocol=protocol, buffer_callback=buffer_callback).dump(value)
            return file.getvalue()


def _reduce(array):
    return reduce_view(array) or array.__reduce_ex__(5)


def _reduce_memoryview(view):
    return reduce_view(view) or view.__reduce_ex__(5)  # raises, as ever


def _reduce_buffer(buffer):
    return reduce_buffer(buffer) or buffer.__reduce_ex__(5)


def _teach_pickle(module):
    import numpy

    module.pickle = _Library(module.pickle, numpy.ndarray)
    module.cloudpickle = _Library(module.cloudpickle, numpy.ndarray)


def _leave_to_pickle(theirs):
    def serialize(array, context=None):
        if is_worth_a_lease(array):
            raise NotImplementedError("a view of an object of ostore")
        return theirs(array, context)

    return serialize


def _teach_numpy(module):
    import numpy
    from distributed.protocol.serialize import dask_serialize

    dask_serialize.register(numpy.ndarray)(_leave_to_pickle(module.serialize_numpy_ndarray))


when_imported("distributed.protocol.pickle", _teach_pickle)
when_imported("distributed.protocol.numpy", _teach_numpy)
