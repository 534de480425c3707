# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects that are written in place."""

from ._ref import ObjectRef


class Draft:
    """Draft()

    An object being written: made by empty() and create(), published by seal().

    Used as a context manager it is aborted when the block raises; otherwise it
    stays as it is, to be sealed inside the block or after it. A draft that is
    dropped without a seal is aborted. Nobody else sees it before it is sealed.
    """

    __slots__ = ("_client", "_draft", "_shape", "_dtype", "_array", "_buffer", "_sealed")

    def __init__(self):
        raise TypeError("drafts come from ostore.empty() and ostore.create()")

    @classmethod
    def _of(cls, client, draft, shape=None, dtype=None):
        self = cls.__new__(cls)
        self._client = client
        self._draft = draft
        self._shape = shape
        self._dtype = dtype
        self._array = self._buffer = None
        self._sealed = False
        return self

    @property
    def array(self):
        """array -> numpy.ndarray

        The object's memory as an array, zeros at first. Writable until seal(),
        read-only afterwards. Only drafts made by empty() have one.
        """
        if self._array is None:
            if self._dtype is None:
                raise AttributeError("create() makes raw drafts: use .buffer, or empty() for an array")
            import numpy

            self._array = numpy.ndarray(self._shape, self._dtype, self._raw())
        return self._array

    @property
    def buffer(self):
        """buffer -> memoryview

        The object's memory as bytes, zeros at first. Writable until seal(); what
        is written through it later reaches a private copy, never the object.
        """
        if self._buffer is None:
            self._buffer = memoryview(self._raw())
        return self._buffer

    def _raw(self):
        if self._draft is None:
            raise ValueError("the draft is aborted")
        if self._sealed:
            raise ValueError("the draft is sealed")
        return self._draft

    def seal(self):
        """seal() -> ObjectRef

        Publish the object without a copy. array becomes read-only; slices taken
        before stay valid, and what they write goes to a private copy of the
        page, never to the object. Wraps ostore_seal(3).
        """
        object = self._raw().seal()
        self._sealed = True
        if self._array is not None:
            self._array.flags.writeable = False
        return ObjectRef._of(self._client, object)

    def abort(self):
        """abort() -> None

        Give the object up. Its memory is returned when no view of it is left.
        Does nothing after seal(). Wraps ostore_abort(3).
        """
        if self._draft is not None and not self._sealed:
            self._draft.abort()
            self._draft = self._array = self._buffer = None

    def __enter__(self):
        return self

    def __exit__(self, type, value, traceback):
        if type is not None:
            self.abort()
