# SPDX-License-Identifier: LGPL-2.1-or-later
"""References to objects.

A reference made by put(), get() or a load holds a handle of the library, and
with it the object. One made from hex holds nothing until it is first used.

It also remembers how to make its value again (`_recent`), as long as the client
has it among the recently read ones: that is what makes a repeated get cheap.
See Client._remember().
"""

import re

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
        token = self._counted().export()
        return load_reference, (self._id.hex(), token.hex(), self._client.address)


def load_reference(hex, token, address):
    """load_reference(hex, token, address) -> ObjectRef

    What a pickled reference loads with: the process's client takes a reference,
    connecting first if there is none, to the sender's broker if no other is found.
    """
    from . import _session

    client = _session.current(hint=address)
    return ObjectRef._of(client, client._connection.import_(bytes.fromhex(hex), bytes.fromhex(token)))
