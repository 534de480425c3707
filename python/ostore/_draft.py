# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects that are written in place."""

from . import _ostore
from ._ref import ObjectRef


def _nanoseconds(timeout):
    """Seconds to wait as the library counts them; None waits without end."""
    if timeout is None:
        return _ostore.FOREVER
    if not timeout >= 0:
        raise ValueError(f"a timeout is a number of seconds, or None: not {timeout!r}")
    return int(min(timeout * 1e9, _ostore.FOREVER))


class SharedDraft:
    """SharedDraft()

    A draft on its way to another process that is to write it too: made by
    Draft.share(), pickled, and opened there by open_draft(). Who has it may
    write the draft, if the mode lets the user.
    """

    __slots__ = ("_id", "_token", "_shape", "_dtype")

    def __init__(self):
        raise TypeError("shared drafts come from Draft.share()")

    @classmethod
    def _of(cls, id, token, shape, dtype):
        self = cls.__new__(cls)
        self._id = id
        self._token = token
        self._shape = shape
        self._dtype = dtype
        return self

    @property
    def id(self):
        """id -> str

        What the object's id will be, 32 hex digits.
        """
        return self._id

    def __reduce__(self):
        return SharedDraft._of, (self._id, self._token, self._shape, self._dtype)

    def __repr__(self):
        return f"SharedDraft({self._id})"


class Draft:
    """Draft()

    An object being written: made by empty() and create(), published by seal().

    Used as a context manager it is aborted when the block raises; otherwise it
    stays as it is, to be sealed inside the block or after it. One that
    open_draft() gave is closed at the block's end in any case. A draft that is
    dropped without a seal is aborted. Nobody else sees it before it is sealed.
    """

    __slots__ = ("_client", "_draft", "_shape", "_dtype", "_array", "_buffer", "_sealed", "_joined")

    def __init__(self):
        raise TypeError("drafts come from ostore.empty() and ostore.create()")

    @classmethod
    def _of(cls, client, draft, shape=None, dtype=None, joined=False):
        self = cls.__new__(cls)
        self._client = client
        self._joined = joined
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

    def share(self):
        """share() -> SharedDraft

        Let other processes write the draft as well: what this returns can be
        pickled, and open_draft() of it gives a Draft over the same memory. It is
        a secret, and good while the draft is one. Wraps ostore_share(3).
        """
        id, token = self._raw().share()
        return SharedDraft._of(id.hex(), token, self._shape, self._dtype)

    def close(self):
        """close() -> None

        End a draft that open_draft() gave, when all is written: its creator can
        seal it when everybody has. array and buffer of it, and slices of them,
        must not be used any more; one that is still there keeps the draft open.
        Of a draft of one's own: abort(). Wraps ostore_release(3).
        """
        self.abort()

    def seal(self, *, timeout=None):
        """seal(*, timeout=None) -> ObjectRef

        Publish the object without a copy. array becomes read-only; slices taken
        before stay valid, and what they write goes to a private copy of the
        page, never to the object. One that was shared waits until every other
        process has closed it; after timeout seconds Error names those that have
        not. Wraps ostore_seal_shared(3).
        """
        object = self._raw().seal(_nanoseconds(timeout))
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
        if type is not None or self._joined:
            self.abort()
