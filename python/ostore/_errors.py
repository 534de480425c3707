# SPDX-License-Identifier: LGPL-2.1-or-later
"""The exceptions of ostore. The extension module raises them by name."""


class Error(Exception):
    """Error(message)

    Base class of what ostore raises.
    """


class ObjectStoreFullError(Error):
    """ObjectStoreFullError(message)

    There is no room and nothing can be evicted; the message names the largest holders.
    """


class ObjectNotFoundError(Error):
    """ObjectNotFoundError(message)

    No object or name like this, or it is gone.
    """


class ObjectExistsError(Error):
    """ObjectExistsError(message)

    The id that was asked for is taken.
    """


class ObjectLostError(Error):
    """ObjectLostError(message)

    The object's bytes are corrupted, or its node is gone.
    """


class GetTimeoutError(Error, TimeoutError):
    """GetTimeoutError(message)

    The time to wait for an object passed.
    """


class OutOfDiskError(Error):
    """OutOfDiskError(message)

    The spill directories are full.
    """


class PermissionDenied(Error, PermissionError):
    """PermissionDenied(message)

    The object's owner does not allow it, or its owner is not trusted.
    """


class BrokerUnavailable(Error, ConnectionError):
    """BrokerUnavailable(message)

    There is no broker, or it went away.
    """
