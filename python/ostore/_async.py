# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting in event loops, and futures.

A request is begun, and its future is what the coroutine waits for. The loop polls
one descriptor of the connection while any request of the loop is under way; no
thread waits. Whichever loop polls first may report another loop's requests too:
each future is set in its own loop.
"""

import asyncio
import os
import threading
import weakref

from . import _ostore
from ._errors import BrokerUnavailable


class Requests:
    """The requests of one connection that are under way, and the loops that wait for them."""

    def __init__(self, connection):
        self._connection = connection
        self._lock = threading.Lock()
        self._closed = False
        self._forget()
        _all.add(self)

    def _forget(self):
        self._under_way = set()
        self._counts = {}  # by loop: how many it waits for
        self._watching = {}  # by loop: the descriptor that it polls

    async def result(self, begin):
        """The result of a request; begin(user) begins it, or has the result at once."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            self._counts[loop] = self._counts.get(loop, 0) + 1
        try:
            request = begin(future)
        except BaseException:
            self._leave(loop)
            raise
        if type(request) is not _ostore.Request:
            self._leave(loop)
            return request
        self._under_way.add(request)
        if self._closed:  # close() may not have seen it
            self._under_way.discard(request)
            self._leave(loop)
            raise BrokerUnavailable("the connection was closed")
        if loop not in self._watching:
            self._watching[loop] = descriptor = self._connection.poll_fd()
            loop.add_reader(descriptor, self._dispatch)
        try:
            return await future
        except asyncio.CancelledError:
            request.cancel()
            self._dispatch()
            raise

    def _leave(self, loop):
        with self._lock:
            n = self._counts.get(loop, 0) - 1
            if n > 0:
                self._counts[loop] = n
                return
            self._counts.pop(loop, None)
            descriptor = self._watching.pop(loop, None)
        if descriptor is not None and not loop.is_closed():
            loop.remove_reader(descriptor)

    def _dispatch(self):
        try:
            requests = self._connection.dispatch()
        except BrokerUnavailable:  # closed: close() has told all
            return
        if not requests:
            return
        running = asyncio._get_running_loop()
        for request in requests:
            future = request.user
            loop = future.get_loop()
            if loop is running:
                self._deliver(request, future, loop)
            elif loop in self._counts:  # else it is of the process that forked this one
                try:
                    loop.call_soon_threadsafe(self._deliver, request, future, loop)
                except RuntimeError:  # the loop was closed
                    self._under_way.discard(request)
                    self._leave(loop)

    def _deliver(self, request, future, loop):
        self._under_way.discard(request)
        self._leave(loop)
        if future.done():  # given up; what it was granted goes with the request
            return
        try:
            if self._closed:
                raise BrokerUnavailable("the connection was closed")
            future.set_result(request.end())
        except Exception as error:
            future.set_exception(error)

    def close(self):
        """End all requests: the connection is about to be closed."""
        self._closed = True
        for request in [*self._under_way]:
            request.cancel()
        self._dispatch()


_all = weakref.WeakSet()
_background = None  # the loop of futures, in a thread of its own
_background_lock = threading.Lock()


def _after_fork():
    # Loops and threads are the parent's; the lock may be held by one of them.
    global _background, _background_lock
    _background = None
    _background_lock = threading.Lock()
    for requests in _all:
        requests._lock = threading.Lock()
        requests._forget()


os.register_at_fork(after_in_child=_after_fork)


def future(coroutine):
    """A concurrent.futures.Future of what a coroutine returns."""
    global _background
    with _background_lock:
        if _background is None:
            _background = asyncio.new_event_loop()
            threading.Thread(target=_background.run_forever, name="ostore-futures", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, _background)
