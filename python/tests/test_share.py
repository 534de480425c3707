#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drafts that several processes write: share(), open_draft(), and how they end."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import threading
import time
import unittest

import support
from support import MiB, run_python, start_python

import ostore

try:
    import numpy
except ImportError:
    numpy = None

# A process that opens the draft (pickled, in hex), writes its byte, and waits for a line.
WRITER = """
import pickle, sys, ostore
draft = ostore.open_draft(pickle.loads(bytes.fromhex(sys.argv[1])))
draft.buffer[int(sys.argv[2])] = 7
print("written", flush=True)
sys.stdin.readline()
draft.close()
print("closed", flush=True)
"""


def fill(job):
    """Runs in workers: one row of the array."""
    shared, row = job
    with ostore.open_draft(shared) as draft:
        draft.array[row] = row + 1
    return os.getpid()


def start_writer(shared, at=0, **options):
    writer = start_python(WRITER, pickle.dumps(shared).hex(), str(at), **options)
    assert writer.stdout.readline() == "written\n", writer.communicate()
    return writer


def end(writer):
    out, error = writer.communicate("go\n")
    assert out == "closed\n", (out, error)


class Shared(support.BrokerTest):
    def charged(self):
        return ostore.stats()["used_bytes"] - ostore.stats()["pool_bytes"]

    @unittest.skipUnless(numpy, "needs NumPy")
    def test_arrays_are_filled_by_many_processes(self):
        for method in ("spawn", "fork"):
            draft = ostore.empty((16, MiB // 8), "int64")
            shared = draft.share()
            with multiprocessing.get_context(method).Pool(4) as pool:
                pids = {*pool.map(fill, [(shared, row) for row in range(16)])}
                self.assertNotIn(os.getpid(), pids)
                ref = draft.seal(timeout=20)
            array = ostore.get(ref)
            self.assertEqual(ref.hex(), shared.id)
            self.assertTrue((array == numpy.arange(1, 17).reshape(16, 1)).all())
            with self.assertRaises(ValueError):
                draft.array[0] = 1

    def test_are_written_by_the_creator_as_well(self):
        draft = ostore.create(3 * MiB)
        with ostore.open_draft(draft.share()) as other:
            other.buffer[5] = 5
            self.assertEqual(draft.buffer[5], 5)
            draft.buffer[6] = 6
            self.assertEqual(other.buffer[6], 6)
            with self.assertRaisesRegex(ostore.Error, f"pid {os.getpid()} "):
                draft.seal(timeout=0)
        self.assertEqual(bytes(ostore.get_buffer(draft.seal())[5:7]), b"\5\6")

    def test_are_sealed_when_the_last_writer_has_closed_them(self):
        draft = ostore.create(2 * MiB)
        writers = [start_writer(draft.share(), i) for i in range(2)]
        began = time.monotonic()
        with self.assertRaises(ostore.Error) as caught:
            draft.seal(timeout=0.5)
        self.assertGreaterEqual(time.monotonic() - began, 0.5)
        for writer in writers:
            self.assertIn(f"pid {writer.pid} (python", str(caught.exception))
        draft.buffer[2] = 7  # it is a draft as before
        end(writers[0])
        sealed = []
        thread = threading.Thread(target=lambda: sealed.append(draft.seal()))
        thread.start()
        thread.join(0.3)
        self.assertTrue(thread.is_alive())
        end(writers[1])
        thread.join(20)
        self.assertEqual(bytes(ostore.get_buffer(sealed[0])[:4]), b"\7\7\7\0")

    def test_do_not_wait_for_the_dead(self):
        draft = ostore.create(2 * MiB)
        writer = start_writer(draft.share())
        writer.kill()
        writer.communicate()
        self.assertEqual(ostore.get_buffer(draft.seal(timeout=20))[0], 7)

    def test_survive_the_brokers_worker(self):
        draft = ostore.create(2 * MiB)
        shared = draft.share()
        writer = start_writer(shared)
        os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)
        with self.assertRaisesRegex(ostore.Error, f"pid {writer.pid} "):
            draft.seal(timeout=0.1)
        other = start_writer(shared, 1)  # the token is good for the heir as well
        threading.Timer(0.3, lambda: os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)).start()
        threading.Timer(0.8, lambda: (end(writer), end(other))).start()
        self.assertEqual(bytes(ostore.get_buffer(draft.seal(timeout=20))[:3]), b"\7\7\0")

    def test_that_are_aborted_go_with_the_last_writer(self):
        before = self.charged()
        draft = ostore.create(4 * MiB)
        shared = draft.share()
        writer = start_writer(shared)
        draft.abort()
        self.assertEqual(self.charged() - before, 4 * MiB)
        with self.assertRaises(ostore.ObjectNotFoundError):
            ostore.open_draft(shared)
        end(writer)
        self.assertTrue(support.wait_until(lambda: self.charged() == before))

    def test_die_with_their_creator(self):
        creator = start_python(
            "import ostore, pickle, sys\n"
            "draft = ostore.create(2 << 20)\n"
            "print(pickle.dumps(draft.share()).hex(), flush=True)\n"
            "sys.stdin.readline()",
        )
        shared = pickle.loads(bytes.fromhex(creator.stdout.readline()))
        draft = ostore.open_draft(shared)
        creator.kill()
        creator.communicate()
        draft.buffer[0] = 1  # lost, and no crash
        draft.close()
        support.wait_until(lambda: ostore.stats()["objects"]["created"] == 0)
        with self.assertRaises(ostore.ObjectNotFoundError):
            ostore.open_draft(shared)

    def test_are_their_creators_to_seal_and_to_share(self):
        draft = ostore.create(100)
        shared = draft.share()
        with ostore.open_draft(shared) as other:
            with self.assertRaisesRegex(ValueError, "the process that shared it"):
                other.seal()
            with self.assertRaisesRegex(ValueError, "another process"):
                other.share()
        with self.assertRaisesRegex(ValueError, "aborted"):
            other.buffer
        draft.seal()
        with self.assertRaisesRegex(ValueError, "sealed"):
            ostore.open_draft(shared)
        with self.assertRaisesRegex(ValueError, "sealed"):
            draft.share()
        self.assertRaises(TypeError, ostore.SharedDraft)
        self.assertEqual(repr(shared), f"SharedDraft({shared.id})")
        empty = ostore.create(0)
        ostore.open_draft(empty.share()).close()
        empty.seal(timeout=5)

    def test_cannot_be_opened_without_the_token(self):
        draft = ostore.create(100)
        draft.share()
        wrong = ostore.SharedDraft._of(draft.share().id, bytes(range(16)), None, None)
        with self.assertRaises(ostore.ObjectNotFoundError):
            ostore.open_draft(wrong)

    @support.needs_nobody
    def test_are_opened_by_users_that_the_mode_lets_write(self):
        code = "import pickle, sys, ostore; d = ostore.open_draft(pickle.loads(bytes.fromhex(sys.argv[1]))); d.buffer[0] = 9; d.close()"
        private, public = ostore.create(100), ostore.create(100, mode=0o666)
        support.let_everybody_in()
        out = start_python(code, pickle.dumps(private.share()).hex(), uid=65534, stderr=subprocess.PIPE)
        self.assertIn("ObjectNotFoundError", out.communicate()[1])
        run_python(code, pickle.dumps(public.share()).hex(), uid=65534)
        self.assertEqual(ostore.get_buffer(public.seal(timeout=20))[0], 9)

    def test_wait_can_be_interrupted(self):
        draft = ostore.create(MiB)
        other = ostore.open_draft(draft.share())
        old = signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
        signal.alarm(1)
        try:
            with self.assertRaises(ZeroDivisionError):
                draft.seal()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, old)
        other.close()
        draft.seal(timeout=20)


if __name__ == "__main__":
    support.main()
