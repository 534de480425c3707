# SPDX-License-Identifier: LGPL-2.1-or-later
"""ostore: objects in shared memory, stored once and mapped by every process.

>>> import numpy, ostore
>>> ostore.init()                         # a broker of its own, if there is none
>>> ref = ostore.put(numpy.arange(10.0))
>>> ostore.get(ref)[3]                    # a view of the shared pages, read-only
3.0

References travel: pass them to other processes, which get() the same memory.
ostore-python(7) is the manual.
"""

from . import _dask as _dask  # teach the picklers
from . import _travel as _travel
from ._client import Client
from ._draft import Draft, SharedDraft
from ._errors import (
    BrokerUnavailable,
    Error,
    GetTimeoutError,
    ObjectExistsError,
    ObjectLostError,
    ObjectNotFoundError,
    ObjectStoreFullError,
    OutOfDiskError,
    PermissionDenied,
)
from ._events import Events
from ._ostore import VERSION as __version__
from ._ref import ObjectRef
from ._session import (
    configure,
    contains,
    create,
    delete,
    empty,
    events,
    get,
    get_async,
    get_buffer,
    get_metadata,
    hold,
    init,
    list,
    lookup,
    memory,
    open_draft,
    put,
    put_many,
    set_attributes,
    shutdown,
    stats,
    unhold,
    wait,
    wait_async,
)

# All but list(), which shall not replace the builtin.
__all__ = [
    "BrokerUnavailable",
    "Client",
    "Draft",
    "Error",
    "Events",
    "GetTimeoutError",
    "ObjectExistsError",
    "ObjectLostError",
    "ObjectNotFoundError",
    "ObjectRef",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "PermissionDenied",
    "SharedDraft",
    "configure",
    "contains",
    "create",
    "delete",
    "empty",
    "events",
    "get",
    "get_async",
    "get_buffer",
    "get_metadata",
    "hold",
    "init",
    "lookup",
    "memory",
    "open_draft",
    "put",
    "put_many",
    "set_attributes",
    "shutdown",
    "stats",
    "unhold",
    "wait",
    "wait_async",
]
