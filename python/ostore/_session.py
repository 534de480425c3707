# SPDX-License-Identifier: LGPL-2.1-or-later
"""The process's default client, and the functions of the module, which use it."""

import os
import threading

from ._broker import PrivateBroker
from ._client import Client
from ._errors import BrokerUnavailable, Error

_ADDRESS = "OSTORE_ADDRESS"

_lock = threading.Lock()
_client = None
_broker = None  # the private broker, in the process that started it
_is_exported = False  # did init() set $OSTORE_ADDRESS?


def _after_fork():
    # The lock may have been held by a thread that is not here.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def init(address=None, *, object_store_memory=None, spill_directory=None, config=None, trust_uids=()):
    """init(address=None, *, object_store_memory=None, spill_directory=None, config=None, trust_uids=()) -> Client

    Connect the process to a broker, and return its default client, which the
    functions of this module use. Called again it returns the same client.

    Without an address the broker is found as ostore(7) says: $OSTORE_ADDRESS,
    $XDG_RUNTIME_DIR/ostore/ostore.sock, /run/ostore/ostore.sock. If there is
    none, a private one is started, and $OSTORE_ADDRESS is set for child
    processes; it ends one second after this process and the last connection.

    object_store_memory (bytes, or text such as "2GiB" or "30%"), spill_directory
    and config (keys of ostored.conf(5)) are for the broker that is started: it
    is an error to give them when one is there. trust_uids: users whose pickled
    objects may be loaded, besides your own and root's.
    """
    global _client
    settings = dict(config or {})
    if object_store_memory is not None:
        settings["capacity"] = object_store_memory
    if spill_directory is not None:
        settings["spill"] = os.fspath(spill_directory)
    with _lock:
        if _client is not None:
            _check_same(_client, address, settings, trust_uids)
        elif address is not None:
            _client = _refuse_settings(Client(address, trust_uids=trust_uids), settings)
        else:
            _client = _find_or_start(settings, trust_uids)
        return _client


def _find_or_start(settings, trust_uids):
    try:
        client = Client(trust_uids=trust_uids)
    except BrokerUnavailable:
        client = None
    return _refuse_settings(client, settings) if client else _start(settings, trust_uids)


def _start(settings, trust_uids):
    global _broker, _is_exported
    broker = PrivateBroker(settings)
    try:
        client = Client(broker.address, trust_uids=trust_uids)
    except BaseException:
        broker.stop()
        raise
    os.environ[_ADDRESS] = broker.address
    _broker = broker
    _is_exported = True
    return client


def _refuse_settings(client, settings):
    if not settings:
        return client
    client.close()
    raise Error(
        f"there is a broker already, at {client.address}, so {', '.join(settings)} cannot be set: leave that"
        f" out, or end that broker and unset ${_ADDRESS} to start one of your own"
    )


def _check_same(client, address, settings, trust_uids):
    if address is not None and os.fspath(address) != client.address:
        raise Error(f"this process is connected to {client.address}: shutdown() first, or use Client({address!r})")
    if settings:
        raise Error(
            f"this process is connected to the broker at {client.address} already, so {', '.join(settings)}"
            f" cannot be set: shutdown() first"
        )
    client._trusted |= frozenset(trust_uids)


def shutdown():
    """shutdown() -> None

    End the process's connection. In the process whose init() started a private
    broker, end the broker too. Views of objects stay valid; references do not.
    """
    global _client, _broker, _is_exported
    with _lock:
        if _client is not None:
            _client.close()
            _client = None
        if _broker is not None:
            _broker.stop()
            _broker = None
        if _is_exported:
            os.environ.pop(_ADDRESS, None)
            _is_exported = False


def current(hint=None):
    """current(hint=None) -> Client

    The process's client, connected now if init() was not called: to the broker
    that is found, else to the one at hint. Never starts one: what was asked for
    would not be there.
    """
    global _client
    with _lock:
        if _client is None:
            try:
                _client = Client()
            except BrokerUnavailable as error:
                if hint is None or not os.path.exists(hint):
                    raise BrokerUnavailable(f"{error}; ostore.init() starts one") from None
                _client = Client(hint)
        return _client


def put(value, *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False):
    return (_client or current()).put(
        value, id=id, name=name, mode=mode, timeout=timeout, labels=labels, ttl=ttl, priority=priority, pin=pin
    )


def put_many(values, *, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False):
    return (_client or current()).put_many(
        values, mode=mode, timeout=timeout, labels=labels, ttl=ttl, priority=priority, pin=pin
    )


def get(refs, *, writable=False, timeout=None):
    return (_client or current()).get(refs, writable=writable, timeout=timeout)


def wait(refs, *, num_returns=1, timeout=None):
    return (_client or current()).wait(refs, num_returns=num_returns, timeout=timeout)


async def get_async(refs, *, writable=False, timeout=None):
    return await (_client or current()).get_async(refs, writable=writable, timeout=timeout)


async def wait_async(refs, *, num_returns=1, timeout=None):
    return await (_client or current()).wait_async(refs, num_returns=num_returns, timeout=timeout)


def events(since=None, *, timeout=None):
    return (_client or current()).events(since, timeout=timeout)


def empty(
    shape, dtype=float, *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False
):
    return (_client or current()).empty(
        shape, dtype, id=id, name=name, mode=mode, timeout=timeout, labels=labels, ttl=ttl, priority=priority, pin=pin
    )


def create(
    nbytes, metadata=b"", *, id=None, name=None, mode=None, timeout=None, labels=None, ttl=None, priority=0, pin=False
):
    return (_client or current()).create(
        nbytes, metadata, id=id, name=name, mode=mode, timeout=timeout, labels=labels, ttl=ttl, priority=priority, pin=pin
    )


def open_draft(shared):
    return (_client or current()).open_draft(shared)


def get_buffer(ref, *, timeout=None):
    return (_client or current()).get_buffer(ref, timeout=timeout)


def get_metadata(ref, *, timeout=None):
    return (_client or current()).get_metadata(ref, timeout=timeout)


def contains(ref):
    return (_client or current()).contains(ref)


def hold(name, ref):
    return (_client or current()).hold(name, ref)


def lookup(name):
    return (_client or current()).lookup(name)


def unhold(name):
    return (_client or current()).unhold(name)


def delete(refs):
    return (_client or current()).delete(refs)


def set_attributes(ref, *, labels=None, ttl=None, priority=None, pin=None):
    return (_client or current()).set_attributes(ref, labels=labels, ttl=ttl, priority=priority, pin=pin)


def list(*, pattern=None, label=None):
    return (_client or current()).list(pattern=pattern, label=label)


def memory(*, group_by=None, sort_by="-size", stats_only=False, pattern=None, label=None):
    return (_client or current()).memory(
        group_by=group_by, sort_by=sort_by, stats_only=stats_only, pattern=pattern, label=label
    )


def stats():
    return (_client or current()).stats()


def configure(key, value):
    return (_client or current()).configure(key, value)


# What a function does is said once, by the method.
for _function in (put, put_many, get, get_async, wait, wait_async, events, empty, create, open_draft, get_buffer, get_metadata, contains, hold, lookup, unhold, delete,
                  set_attributes, list, memory, stats, configure):
    _function.__doc__ = getattr(Client, _function.__name__).__doc__
