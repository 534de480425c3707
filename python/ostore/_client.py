# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection to a broker, and everything that is asked over it."""

import collections
import collections.abc
import operator
import os
import pwd
import weakref

from . import _attributes, _format, _ostore
from ._async import Requests
from ._draft import Draft
from ._errors import ObjectNotFoundError, PermissionDenied
from ._events import Events
from ._ref import ObjectRef

# How many values a client can make again without asking, see _remember().
_N_RECENT = 16

# What is larger, or at the address that all processes share, is no copy but a mapping.
_COPY_MAX = 64 << 10


def _nanoseconds(timeout):
    """Seconds to wait as the library counts them; None waits without end."""
    if timeout is None:
        return _ostore.FOREVER
    try:
        nanoseconds = timeout * 1e9
    except TypeError:
        raise TypeError(f"a timeout is a number of seconds, or None: not {timeout!r}") from None
    if not nanoseconds >= 0:
        raise ValueError(f"a timeout is a number of seconds, or None: not {timeout!r}")
    return int(min(nanoseconds, _ostore.FOREVER))


def _room_nanoseconds(timeout):
    """The same for the wait for room, where None means the broker's queue_deadline, and so does 0."""
    return 0 if timeout is None else max(1, _nanoseconds(timeout))


def _mode(mode):
    """Permission bits as the library takes them, where 0 means that none are given."""
    if mode == 0:
        raise ValueError("mode 0: nobody could read the object; leave mode out for 0o600, or give bits such as 0o400")
    return mode or 0


def _id(hex):
    return None if hex is None else ObjectRef(hex)._id


def _checked(refs):
    """A list of references, out of one or several."""
    if isinstance(refs, ObjectRef):
        return [refs]
    if isinstance(refs, (str, bytes)):
        raise TypeError(f"{refs!r} is not an ObjectRef; ObjectRef(hex) makes one of an id, lookup(name) of a name")
    try:
        refs = [*refs]
    except TypeError:
        raise TypeError(f"{refs!r} is neither an ObjectRef nor a list of them") from None
    for ref in refs:
        if not isinstance(ref, ObjectRef):
            raise TypeError(f"{ref!r} is not an ObjectRef")
    return refs


def _checked_for_wait(refs, num_returns):
    if isinstance(refs, ObjectRef):
        raise TypeError("wait() takes a list of references")
    refs = _checked(refs)
    if len(set(refs)) != len(refs):
        raise ValueError("wait() takes each reference once")
    if not 1 <= num_returns <= len(refs):
        raise ValueError(f"num_returns is {num_returns}, but there are {len(refs)} references")
    return refs


def _sort(refs, num_returns, there):
    """The first num_returns references whose byte tells that they are there, and the others."""
    ready, pending = [], []
    for ref, is_there in zip(refs, there):
        (ready if is_there and len(ready) < num_returns else pending).append(ref)
    return ready, pending


def _contiguous(strided):
    """The elements of a strided array in C order, as something that exports a plain buffer."""
    import numpy

    return numpy.ascontiguousarray(strided).reshape(-1).view(numpy.uint8)


def _ids(refs):
    return b"".join([ref._id for ref in refs])


def _user(uid):
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"


class Client:
    """Client(address=None, *, trust_uids=())

    A connection to the broker at a socket path, or at the one that is found as
    ostore(7) says; it starts none. ostore.init() makes the process's default
    client, which the functions of the module use; a client of your own has the
    same methods. It may be used by all threads, and in forked children.

    trust_uids: users whose pickled objects may be loaded, besides your own and
    root's. Wraps ostore_connect(3).
    """

    def __init__(self, address=None, *, trust_uids=()):
        self._connection = _ostore.Connection(None if address is None else os.fspath(address))
        self._address = self._connection.address
        self._requests = Requests(self._connection)
        self._trusted = frozenset(trust_uids)
        # References that remember their value, oldest first: see _remember().
        self._recent = collections.deque()
        self._record = _attributes.record_call_sites()

    @property
    def address(self):
        """address -> str

        The socket path of the broker.
        """
        return self._address

    def __repr__(self):
        return f"<ostore.Client of {self._address}{', closed' if self._connection.closed else ''}>"

    def __enter__(self):
        return self

    def __exit__(self, type, value, traceback):
        self.close()

    def close(self):
        """close() -> None

        End the connection. Views of objects stay valid; whoever waits on it, in any
        thread, is told BrokerUnavailable. Wraps ostore_close(3).
        """
        while self._recent:
            self._forget(self._recent.popleft())
        self._requests.close()
        self._connection.close()

    # ---- creating

    def put(self, value, *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False):
        """put(value, *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False) -> ObjectRef

        Store a value. Arrays in it are stored as they are, and are read without
        a copy by every process.

        id: 32 hexadecimal digits, instead of a random id. name: hold the object
        under this name too; a name that is taken moves. mode: permission bits,
        0o600 if not given. timeout: seconds to wait for room, else
        ObjectStoreFullError; None leaves that to the broker.

        labels: a dict of str to str. ttl: seconds after which the object is
        deleted. priority: from -15 to 15; of what may be evicted, the lowest goes
        first. pin: never evict it. Wraps ostore_put(3).
        """
        metadata, pieces, strided = _format.encode(value)
        attributes = self._attributes(labels, ttl, priority, pin)
        options = (_id(id), name, metadata, _mode(mode), _room_nanoseconds(timeout), attributes)
        if strided is None:
            return ObjectRef._of(self, self._connection.put(pieces, *options))
        draft = self._connection.create(strided.nbytes, *options)
        return self._copy_and_seal(draft, strided)

    def put_many(self, values, *, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False):
        """put_many(values, *, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False) -> list[ObjectRef]

        Store each of many values, as put() does, but with many small ones in
        one request. If one cannot be stored, its exception is raised, and
        nothing refers to the others. Wraps ostore_put_many(3).
        """
        encoded = []
        for value in values:
            metadata, pieces, strided = _format.encode(value)
            encoded.append((metadata, pieces if strided is None else [_contiguous(strided)]))
        of = ObjectRef._of
        options = _mode(mode), _room_nanoseconds(timeout), self._attributes(labels, ttl, priority, pin)
        return [of(self, object) for object in self._connection.put_many(encoded, *options)]

    def _attributes(self, labels, ttl, priority, pin):
        return _attributes.encode(labels, ttl, priority, pin, _attributes.call_site() if self._record else None)

    def _copy_and_seal(self, draft, strided):
        import numpy

        array = numpy.ndarray(strided.shape, strided.dtype, draft)
        try:
            array[...] = strided
            del array
            return ObjectRef._of(self, draft.seal(_ostore.FOREVER))
        except BaseException:
            draft.abort()
            raise

    def empty(
        self, shape, dtype=float, *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False
    ):
        """empty(shape, dtype=float, *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False) -> Draft

        Begin an array that is written in place: fill draft.array, then
        draft.seal() publishes it without a copy. Options as put().
        Wraps ostore_create(3).
        """
        import numpy

        dtype = numpy.dtype(dtype)
        shape = tuple(map(operator.index, shape if isinstance(shape, collections.abc.Iterable) else (shape,)))
        if any(size < 0 for size in shape):
            raise ValueError(f"negative dimensions are not allowed: {shape}")
        nbytes = dtype.itemsize
        for size in shape:
            nbytes *= size
        metadata = _format.array_metadata(shape, dtype)
        attributes = self._attributes(labels, ttl, priority, pin)
        draft = self._create(nbytes, metadata, id, name, mode, timeout, attributes)
        return Draft._of(self, draft, shape, dtype)

    def create(
        self, nbytes, metadata=b"", *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False
    ):
        """create(nbytes, metadata=b"", *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False) -> Draft

        Begin an object of raw bytes that is written in place: fill draft.buffer,
        then draft.seal() publishes it. Options as put(). Wraps ostore_create(3).
        """
        attributes = self._attributes(labels, ttl, priority, pin)
        return Draft._of(self, self._create(nbytes, bytes(metadata), id, name, mode, timeout, attributes))

    def open_draft(self, shared):
        """open_draft(shared) -> Draft

        A draft that another process has shared, over the same memory: write
        array or buffer, then close() it. Only its creator can seal it. What is
        written to one that was aborted meanwhile is lost. Wraps ostore_join(3).
        """
        draft = self._connection.join(bytes.fromhex(shared._id), shared._token)
        return Draft._of(self, draft, shared._shape, shared._dtype, joined=True)

    def _create(self, nbytes, metadata, id, name, mode, timeout, attributes):
        if not 0 <= nbytes < 1 << 63:
            raise ValueError(f"an object cannot have {nbytes} bytes")
        options = _id(id), name, metadata, _mode(mode), _room_nanoseconds(timeout), attributes
        return self._connection.create(nbytes, *options)

    # ---- reading

    def get(self, refs, *, writable=False, timeout=None):
        """get(refs, *, writable=False, timeout=None) -> object

        The value of a reference, or the list of values of several, which are
        asked for in one request. Arrays are read-only views of the shared pages;
        they keep their object in memory.

        writable: arrays are copy-on-write views instead: each page that is
        written to is copied, for this value alone, and the object stays as it is.

        Waits until the objects are sealed, at most timeout seconds, then raises
        GetTimeoutError. 0 does not wait, and raises ObjectNotFoundError.
        PermissionDenied, if a value was pickled by a user who is not trusted.
        Wraps ostore_get(3).
        """
        if type(refs) is ObjectRef:
            recent = refs._recent
            if recent is not None and refs._client is self and not writable and timeout is None:
                find, make = recent
                source = find()
                if source is not None:
                    return make(source)
            return self._get([refs], writable, timeout)[0]
        return self._get(_checked(refs), writable, timeout)

    async def get_async(self, refs, *, writable=False, timeout=None):
        """get_async(refs, *, writable=False, timeout=None) -> object

        get() for coroutines: the event loop runs on meanwhile, and thousands may
        wait at once. Cancelling the task gives the request up. `await ref` does
        the same. Wraps ostore_get_begin(3).
        """
        checked = _checked(refs)
        if not checked:
            return []
        ids, flags = _ids(checked), _ostore.GET_COW if writable else 0
        nanoseconds = _nanoseconds(timeout)
        objects = await self._requests.result(lambda user: self._connection.get_begin(ids, nanoseconds, flags, user))
        values = [self._value(ref, object, writable) for ref, object in zip(checked, objects)]
        return values[0] if isinstance(refs, ObjectRef) else values

    def _get(self, refs, writable, timeout):
        if not refs:
            return []
        objects = self._connection.get(_ids(refs), _nanoseconds(timeout), _ostore.GET_COW if writable else 0)
        # Nothing refers to `objects` but the values: dropping them unmaps.
        return [self._value(ref, object, writable) for ref, object in zip(refs, objects)]

    def _value(self, ref, object, writable):
        owner = object.owner

        def check_trust(type):
            if owner in self._trusted or owner in (0, os.geteuid()):
                return
            raise PermissionDenied(
                f"object {ref.hex()} was sealed by {_user(owner)} and holds a pickled {type}: unpickling"
                f" would run that user's code. If you trust the user, ostore.init(trust_uids=[{owner}]);"
                f" get_buffer() gives the bytes"
            )

        source, make = _format.decoder(object, check_trust)
        value = make(source)
        if ref._client is None:
            self._bind(ref)
        if ref._client is self and not writable:  # a writable view is of one value alone
            self._remember(ref, source, make, object)
        return value

    def _remember(self, ref, source, make, object):
        """Let a reference make its value again without asking, while it is among the last few.

        A mapping is a pin: nobody else gets the memory, even if the object is deleted.
        So it is found again only while a view of it lives. A small object is a copy in
        this process, which costs nobody else anything; it is kept.
        """
        if object.size > _COPY_MAX or object.shared_address:
            find = weakref.ref(source)
        else:
            find = lambda: source  # noqa: E731
        known = ref._recent is not None
        ref._recent = find, make
        if not known:
            self._recent.append(weakref.ref(ref))
            if len(self._recent) > _N_RECENT:
                self._forget(self._recent.popleft())

    def _bind(self, ref):
        """Make a bare id that was found here a counted reference."""
        try:
            ref._object = self._reference(ref._id)
        except ObjectNotFoundError:  # deleted meanwhile; the value is good
            return
        ref._client = self

    @staticmethod
    def _forget(weak):
        ref = weak()
        if ref is not None:
            ref._recent = None

    def _reference(self, id):
        """A handle that counts as a reference and maps nothing."""
        return self._connection.get(id, 0, _ostore.GET_REF)[0]

    def get_buffer(self, ref, *, timeout=None):
        """get_buffer(ref, *, timeout=None) -> memoryview

        The bytes of an object, read-only, without a copy, and without looking at
        what they mean. Waits as get() does. Wraps ostore_get(3).
        """
        return memoryview(self._object(ref, timeout, 0))

    def get_metadata(self, ref, *, timeout=None):
        """get_metadata(ref, *, timeout=None) -> bytes

        The metadata of an object. Waits as get() does. Wraps ostore_metadata(3).
        """
        return self._object(ref, timeout, _ostore.GET_REF).metadata

    def _object(self, ref, timeout, flags):
        (ref,) = _checked(ref)
        return self._connection.get(ref._id, _nanoseconds(timeout), flags)[0]

    def wait(self, refs, *, num_returns=1, timeout=None):
        """wait(refs, *, num_returns=1, timeout=None) -> (list, list)

        Wait until num_returns of the objects are sealed, or timeout seconds.
        Returns the first num_returns references that are ready, and the others.
        Wraps ostore_wait(3).
        """
        refs = _checked_for_wait(refs, num_returns)
        return _sort(refs, num_returns, self._connection.wait(_ids(refs), num_returns, _nanoseconds(timeout)))

    async def wait_async(self, refs, *, num_returns=1, timeout=None):
        """wait_async(refs, *, num_returns=1, timeout=None) -> (list, list)

        wait() for coroutines. Wraps ostore_wait_begin(3).
        """
        refs = _checked_for_wait(refs, num_returns)
        ids, nanoseconds = _ids(refs), _nanoseconds(timeout)
        there = await self._requests.result(lambda user: self._connection.wait_begin(ids, num_returns, nanoseconds, user))
        return _sort(refs, num_returns, there)

    def contains(self, ref):
        """contains(ref) -> bool

        Is the object there, sealed, and readable for the caller? Does not wait.
        Wraps ostore_wait(3).
        """
        (ref,) = _checked(ref)
        return self._connection.wait(ref._id, 1, 0) == b"\1"

    # ---- names, deletion

    def hold(self, name, ref):
        """hold(name, ref) -> None

        Keep an object under a name, which outlives this process; a name that is
        taken moves. Names are your user's own. Wraps ostore_hold(3).
        """
        (ref,) = _checked(ref)
        self._connection.hold(name, ref._id)

    def lookup(self, name):
        """lookup(name) -> ObjectRef

        A reference to the object under a name. Wraps ostore_lookup(3).
        """
        return ObjectRef._of(self, self._connection.lookup(name))

    def unhold(self, name):
        """unhold(name) -> None

        Give a name up; the object goes when nobody else refers to it.
        Wraps ostore_unhold(3).
        """
        self._connection.unhold(name)

    def delete(self, refs):
        """delete(refs) -> None

        Remove an object, or several: ids and names are gone at once, the memory
        when nobody maps it any more. Wraps ostore_delete(3).
        """
        refs = _checked(refs)
        if not refs:
            return
        ids = {ref._id for ref in refs}
        for weak in [*self._recent]:
            ref = weak()
            if ref is not None and ref._id in ids:
                ref._recent = None
        self._connection.delete(_ids(refs))

    def set_attributes(self, ref, *, labels=None, ttl=None, priority=None, pin=None):
        """set_attributes(ref, *, labels=None, ttl=None, priority=None, pin=None) -> None

        Change attributes of an object of yours; what is None stays as it is.

        labels: a dict; those of other keys stay, and None as a value removes one.
        ttl: seconds from now, after which the object is deleted; math.inf: never.
        Wraps ostore_set(3).
        """
        (ref,) = _checked(ref)
        given, removed = _attributes.encode_changes(labels or {})
        self._connection.set(
            ref._id,
            given,
            removed,
            None if ttl is None else _attributes.nanoseconds(ttl),
            None if priority is None else _attributes.encode_priority(priority),
            None if pin is None else bool(pin),
        )

    # ---- looking

    def events(self, since=None, *, timeout=None):
        """events(since=None, *, timeout=None) -> Events

        Iterate over what happens to objects that the caller may read, from event
        number since on: None begins with what happens from now on, 0 with the
        oldest event that is kept. The iteration ends when nothing happens for
        timeout seconds; timeout=0 gives what has happened so far.
        Wraps ostore_subscribe(3).
        """
        if since is None:
            since = _ostore.EVENTS_NEW
        elif not 0 <= operator.index(since) < _ostore.EVENTS_NEW:
            raise ValueError(f"the number of an event is 0 or more, or None: not {since}")
        subscription = self._connection.subscribe(operator.index(since))
        return Events._of(self, subscription, _nanoseconds(timeout))

    def list(self, *, pattern=None, label=None):
        """list(*, pattern=None, label=None) -> list[dict]

        What the caller may read, ordered by creation: id, size, metadata_size,
        state, refs, pins, uid, gid, mode, created_ns, last_access_ns, accesses,
        names, labels, expires_ns, priority, pinned, held and call_site of each
        object, as `osctl --json ls`.

        pattern: only objects of which a name, or the id, matches it as in a
        shell: * ? [a-z]. label: only objects that have this label, "key" or
        "key=value", or all of several, as a list or a dict. Wraps ostore_list(3).
        """
        return self._connection.list(pattern, _attributes.encode_filter(label))

    def memory(self, *, group_by=None, sort_by="-size", stats_only=False, pattern=None, label=None):
        """memory(*, group_by=None, sort_by='-size', stats_only=False, pattern=None, label=None) -> dict

        Each reference and mapping of what the caller may read, who has it, and
        totals, as `osctl --json memory`.

        group_by: "pid", "uid", "callsite" or "label:KEY". sort_by: "size", "refs",
        "pins", "pid", "uid", "kind" or "created_ns", with a "-" the largest first.
        pattern, label: as list(). Wraps ostore_memory(3).
        """
        stats = self._connection.memory(pattern, _attributes.encode_filter(label))
        return _attributes.report(stats, group_by, sort_by, stats_only)

    def stats(self):
        """stats() -> dict

        The state of the store: capacity_bytes, resident_bytes, objects, clients,
        counters, features and more, as `osctl --json status`.
        Wraps ostore_stats(3).
        """
        return self._connection.stats()

    def configure(self, key, value):
        """configure(key, value) -> None

        Change a value of the broker's configuration while it runs, as
        `osctl config set`: configure("capacity", "2GiB"). Keys and values are
        those of ostored.conf(5). The caller must be root or the broker's user.
        Wraps ostore_configure(3).
        """
        self._connection.configure(key, str(value))
