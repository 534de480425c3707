# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to objects, one event after the other."""

from ._errors import GetTimeoutError


class Events:
    """Events()

    An iterator, and an asynchronous one, of what happens to objects, made by
    events(). Each event is a dict with the keys of `osctl --json events`: seq,
    event, id, size and time_ns. Nothing is left out silently: what was not read
    before the broker gave it up is one event "overrun", whose lost says how many.
    Wraps ostore_next_event(3).
    """

    __slots__ = ("_client", "_subscription", "_timeout")

    def __init__(self):
        raise TypeError("events() makes these")

    @classmethod
    def _of(cls, client, subscription, timeout):
        self = cls.__new__(cls)
        self._client = client
        self._subscription = subscription
        self._timeout = timeout
        return self

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._subscription.next(self._timeout)
        except GetTimeoutError:
            raise StopIteration from None

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self._client._requests.result(lambda user: self._subscription.next_begin(self._timeout, user))
        except GetTimeoutError:
            raise StopAsyncIteration from None

    def close(self):
        """close() -> None

        End it. Wraps ostore_unsubscribe(3).
        """
        self._subscription.close()

    def __enter__(self):
        return self

    def __exit__(self, type, value, traceback):
        self.close()
