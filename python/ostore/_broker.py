# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private broker for the calling process and its children.

The broker has a session of its own, so that Ctrl-C does not reach it, and makes
its socket in a fresh directory. It watches this process, and ends one second
after this process and the last connection are gone; shutdown() ends it earlier.
"""

import fcntl
import os
import select
import signal
import time

from . import _ostore
from ._errors import BrokerUnavailable, Error

_READY_FD = 3
_START_SECONDS = 30
_STOP_SECONDS = 15


def _program():
    return os.environ.get("OSTORED") or _ostore.OSTORED_PATH


def _log_text(log):
    """What the broker said before it gave up, on one line."""
    text = os.pread(log, 4096, 0).decode(errors="replace")
    return "; ".join(text.split("\n")).strip("; ") or "it said nothing"


class PrivateBroker:
    """PrivateBroker(settings)

    A broker started by this process; settings are keys of ostored.conf(5).
    """

    def __init__(self, settings):
        self._starter = os.getpid()
        self._pid = None
        ready, ready_for_broker = os.pipe2(os.O_CLOEXEC)
        # A file without a name takes its messages: it never blocks, and nobody waits for its end.
        log = os.memfd_create("ostored-log", os.MFD_CLOEXEC)
        try:
            try:
                self._pid = self._spawn(settings, ready_for_broker, log)
            finally:
                os.close(ready_for_broker)
            self.address = self._read_address(ready, log)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(ready)
            os.close(log)

    @staticmethod
    def _spawn(settings, ready, log):
        program = _program()
        arguments = [program, "--private", f"--starter={os.getpid()}", f"--ready-fd={_READY_FD}"]
        arguments += [f"--{key}={value}" for key, value in settings.items()]
        # Out of the way of the numbers that they will have there.
        ready = fcntl.fcntl(ready, fcntl.F_DUPFD_CLOEXEC, _READY_FD + 1)
        log = fcntl.fcntl(log, fcntl.F_DUPFD_CLOEXEC, _READY_FD + 1)
        try:
            return os.posix_spawn(
                program,
                arguments,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                    (os.POSIX_SPAWN_DUP2, ready, _READY_FD),
                ],
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            raise BrokerUnavailable(
                f"cannot start a private broker: {program}: {error.strerror}; install ostored,"
                f" or name it in $OSTORED"
            ) from error
        finally:
            os.close(ready)
            os.close(log)

    def _read_address(self, ready, log):
        deadline = time.monotonic() + _START_SECONDS
        line = b""
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        while not line.endswith(b"\n"):
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                raise BrokerUnavailable(f"{_program()} was not ready after {_START_SECONDS} seconds: {_log_text(log)}")
            more = os.read(ready, 4096)
            if not more:
                self._wait(_STOP_SECONDS)
                raise Error(f"the private broker did not start: {_log_text(log)}")
            line += more
        return os.fsdecode(line[:-1])

    def _wait(self, seconds):
        """Has the broker ended, or does it end within these seconds?"""
        deadline = time.monotonic() + seconds
        delay = 0.001
        while True:
            try:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    self._pid = None
            except ChildProcessError:  # somebody else waited for it
                self._pid = None
            if self._pid is None:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(delay)
            delay = min(2 * delay, 0.05)

    def stop(self):
        """stop() -> None

        End the broker, if this is the process that started it.
        """
        if self._pid is None or os.getpid() != self._starter or self._wait(0):
            return
        os.kill(self._pid, signal.SIGTERM)
        if not self._wait(_STOP_SECONDS):
            os.kill(self._pid, signal.SIGKILL)
            self._wait(_STOP_SECONDS)
