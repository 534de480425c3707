# SPDX-License-Identifier: LGPL-2.1-or-later
"""References to objects.

A reference made by put(), get() or a load holds a handle of the library, and
with it the object. One made from hex holds nothing until it is first used.

It also remembers how to make its value again (`_recent`), as long as the client
has it among the recently read ones: that is what makes a repeated get cheap.
See Client._remember().
"""

import re
import threading
import time
import weakref

from ._errors import Error

_HEX = re.compile("[0-9a-fA-F]{32}")


class ObjectRef:
    """ObjectRef(hex)

    A counted reference to an object: dropping the last one makes it evictable.

    hex is an id of 32 hexadecimal digits; the broker is not asked until the
    reference is used. References are equal when their ids are. Pickling one
    takes a lease, so that the object outlives the journey, even if the sender
    does not; the load gives its process a reference of its own. Loaded too
    late, it raises ObjectNotFoundError. Wraps ostore_export(3).
    """

    __slots__ = ("_id", "_client", "_object", "_recent", "__weakref__")

    def __init__(self, hex):
        if not isinstance(hex, str) or not _HEX.fullmatch(hex):
            raise ValueError(f"{hex!r} is not an object id: it takes 32 hexadecimal digits")
        self._id = bytes.fromhex(hex)
        self._client = self._object = self._recent = None

    @classmethod
    def _of(cls, client, object):
        self = cls.__new__(cls)
        self._id = object.id
        self._client = client
        self._object = object
        self._recent = None
        return self

    def hex(self):
        """hex() -> str

        The id as 32 lower-case hexadecimal digits.
        """
        return self._id.hex()

    @property
    def nbytes(self):
        """nbytes -> int

        How many bytes of data the object has. Asks the broker if this process does not know.
        """
        return self._counted().size

    def _counted(self):
        """The handle behind the reference; the first use of a bare id takes one."""
        if self._object is None:
            from . import _session

            client = _session.current()
            self._object = client._reference(self._id)
            self._client = client
        return self._object

    def __await__(self):
        from . import _session

        return (self._client or _session.current()).get_async(self).__await__()

    def future(self):
        """future() -> concurrent.futures.Future

        A future of the value, for concurrent.futures. Wraps ostore_get_begin(3).
        """
        from . import _async, _session

        return _async.future((self._client or _session.current()).get_async(self))

    def __eq__(self, other):
        return self._id == other._id if isinstance(other, ObjectRef) else NotImplemented

    def __hash__(self):
        return hash(self._id)

    def __repr__(self):
        return f"ObjectRef('{self._id.hex()}')"

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        journey = Journey.of(self._counted())
        return load_reference, (self._id, journey, self._client._address)


# journey: of the pickle that this thread is making; arrived: the token of the last one that it
# loaded, and until when it is not waited for again
_thread = threading.local()

# For so long after a load a lease is surely there: a load extends it.
_SURE_SECONDS = 0.1


class Journey:
    """The token of the references in one pickle, whose leases are asked for together.

    The pickler's memo keeps it, once for all of them, and with the pickler it goes:
    so the leases are on their way to the broker before dumps() returns, and thus
    before the pickle can leave the process. A pickler that is kept has them sent by
    the library's service thread. In the pickle it is the bytes of the token.
    """

    __slots__ = ("_connection", "_token", "__weakref__")

    @classmethod
    def of(cls, object):
        """Take a lease on an object; the journey that it is part of."""
        token = object.export_begin()
        weak = getattr(_thread, "journey", None)
        self = weak and weak()
        if self is None or self._token != token:
            self = cls.__new__(cls)
            self._connection = object.connection
            self._token = token
            _thread.journey = weakref.ref(self)
        return self

    def __reduce__(self):
        return bytes, (self._token,)

    def __del__(self):
        try:
            self._connection.flush()
        except Error:  # it was closed, and with it ended what was not on its way yet
            pass


def load_reference(id, token, address):
    """load_reference(id, token, address) -> ObjectRef

    What a pickled reference loads with: the process's client takes a reference,
    connecting first if there is none, to the sender's broker if no other is found.
    The first reference of a pickle waits for the answer, so that a pickle that is
    loaded too late raises here; the others, whose leases are as old, do not.
    """
    from . import _session

    client = _session._client or _session.current(hint=address)
    self = ObjectRef.__new__(ObjectRef)
    self._id = id
    self._client = client
    self._object = client._connection.import_(id, token)
    self._recent = None
    arrived, until = getattr(_thread, "arrived", (None, 0))
    if token != arrived or time.monotonic() > until:
        self._object.size  # waits for the answer
        _thread.arrived = token, time.monotonic() + _SURE_SECONDS
    return self
