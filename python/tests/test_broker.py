#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""init() and shutdown(): finding a broker, starting a private one, its life and end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import support
from support import MiB, run_python, start_python

import ostore


class PrivateBroker(unittest.TestCase):
    def setUp(self):
        if support.is_system_broker_there():
            self.skipTest("there is a system broker; these tests start their own")
        self.addCleanup(ostore.shutdown)

    def test_is_started_where_there_is_none_and_ends_with_shutdown(self):
        client = ostore.init(object_store_memory="64MiB")
        self.assertEqual(os.environ["OSTORE_ADDRESS"], client.address)
        self.assertEqual(ostore.stats()["capacity_bytes"], 64 * MiB)
        self.assertIs(ostore.init(), client)
        pid = ostore.stats()["broker"]["supervisor_pid"]
        view = ostore.get_buffer(ostore.put(b"v" * MiB))
        ostore.shutdown()
        self.assertFalse(support.is_running(pid))
        self.assertFalse(os.path.exists(os.path.dirname(client.address)))
        self.assertNotIn("OSTORE_ADDRESS", os.environ)
        self.assertEqual(bytes(view[-2:]), b"vv")
        with self.assertRaises(ostore.BrokerUnavailable):
            client.stats()
        ostore.shutdown()

    def test_can_be_followed_by_another(self):
        for memory in (32 * MiB, "48MiB"):
            ostore.init(object_store_memory=memory)
            self.assertEqual(ostore.get(ostore.put(memory)), memory)
            ostore.shutdown()

    def test_leaves_old_references_that_say_what_is_wrong(self):
        ostore.init()
        ref, unread = ostore.put(b"x" * MiB), ostore.put(1)
        ostore.get(ref)
        ostore.shutdown()
        ostore.init()
        with self.assertRaises(ostore.Error):
            ostore.get(unread, timeout=0.1)
        with self.assertRaises(ostore.BrokerUnavailable):
            ref.__reduce__()

    def test_takes_settings_of_the_configuration(self):
        ostore.init(object_store_memory=64 * MiB, config={"transit_lease": 5, "max_objects": 100})
        ostore.shutdown()
        with self.assertRaisesRegex(ostore.Error, "no_such_key"):
            ostore.init(config={"no_such_key": 1})
        with self.assertRaisesRegex(ostore.Error, "capacity"):
            ostore.init(object_store_memory="lots")
        ostore.init()

    def test_has_a_private_directory_and_a_session_of_its_own(self):
        client = ostore.init()
        self.assertEqual(os.stat(os.path.dirname(client.address)).st_mode & 0o777, 0o700)
        self.assertNotEqual(os.getsid(ostore.stats()["broker"]["supervisor_pid"]), os.getsid(0))

    def test_ends_after_its_starter(self):
        code = "import ostore; ostore.init(); print(ostore.stats()['broker']['supervisor_pid'])"
        pid = int(run_python(code))
        self.assertTrue(support.wait_until(lambda: not support.is_running(pid), 10))
        code += "; import os, signal, sys; sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
        pid = int(run_python(code, status=-signal.SIGKILL))
        self.assertTrue(support.wait_until(lambda: not support.is_running(pid), 10))

    def test_outlives_its_starter_while_somebody_is_connected(self):
        code = """
import ostore
client = ostore.init()
print(client.address, ostore.stats()['broker']['supervisor_pid'], ostore.put("kept", name="n").hex(), flush=True)
input()
"""
        with start_python(code) as starter:
            address, pid, hex = starter.stdout.readline().split()
            client = ostore.Client(address)
            starter.communicate("\n")
        time.sleep(2)
        self.assertEqual(client.get(client.lookup("n")), "kept")
        client.close()
        self.assertTrue(support.wait_until(lambda: not support.is_running(int(pid)), 10))

    def test_does_not_get_the_terminals_interrupt(self):
        code = """
import ostore, time
ostore.init()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print(ostore.get(ostore.put("alive")))
"""
        with start_python(code, start_new_session=True) as child:
            child.stdout.readline()
            os.killpg(child.pid, signal.SIGINT)
            self.assertEqual(child.communicate()[0], "alive\n")

    def test_keeps_no_pipe_of_the_starter_open(self):
        started = time.monotonic()
        code = "import ostore, os; ostore.init(); os._exit(0)"
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
        self.assertLess(time.monotonic() - started, 20)

    @support.needs_nobody
    def test_needs_no_privilege(self):
        code = """
import os, ostore
ostore.init(object_store_memory="64MiB")
ref = ostore.put(b"n" * 3000000)
assert ostore.get(ref) == b"n" * 3000000
pid = os.fork()
if pid == 0:
    os._exit(ostore.get(ref) != b"n" * 3000000)
assert os.waitpid(pid, 0)[1] == 0
print(os.geteuid(), ostore.list()[0]["uid"])
ostore.shutdown()
"""
        self.assertEqual(run_python(code, uid=support.NOBODY), f"{support.NOBODY} {support.NOBODY}")

    def test_is_ended_by_nobody_but_its_starter(self):
        client = ostore.init()
        run_python("import ostore; ostore.init(); ostore.put(1); ostore.shutdown()")
        self.assertEqual(client.get(client.put(1)), 1)


class FindingOne(unittest.TestCase):
    def setUp(self):
        if support.is_system_broker_there():
            self.skipTest("there is a system broker; these tests start their own")
        self.addCleanup(ostore.shutdown)
        self.directory = tempfile.mkdtemp(prefix="ostore-test-")
        self.addCleanup(shutil.rmtree, self.directory)

    def stale_socket(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.bind(path)
        return path

    def test_with_settings_for_a_new_one_is_an_error_that_names_it(self):
        address = ostore.init().address
        for arguments in ("object_store_memory=1 << 26", "spill_directory='/tmp'", "config={'pool': 0}"):
            code = f"""
import ostore
try:
    ostore.init({arguments})
except ostore.Error as error:
    print(error)
"""
            self.assertIn(address, run_python(code))
        with self.assertRaisesRegex(ostore.Error, address):
            ostore.init(object_store_memory=1 << 26)
        with self.assertRaisesRegex(ostore.Error, address):
            ostore.init("/nowhere")

    def test_by_address_that_refuses_is_an_error(self):
        for path in (self.stale_socket("a.sock"), os.path.join(self.directory, "none")):
            with self.assertRaisesRegex(ostore.BrokerUnavailable, path):
                ostore.init(path)
            with self.assertRaises(ConnectionError):
                ostore.Client(path)

    def test_that_refuses_at_a_usual_place_counts_as_absent(self):
        self.stale_socket("ostore/ostore.sock")
        code = "import ostore; ostore.init(); print(ostore.get(ostore.put('ok'))); ostore.shutdown()"
        self.assertEqual(run_python(code, env={"XDG_RUNTIME_DIR": self.directory}), "ok")

    def test_that_serves_is_preferred_over_starting(self):
        address = ostore.init().address
        ostore.put("here", name="found")
        print_it = "import ostore; print(ostore.get(ostore.lookup('found')))"
        self.assertEqual(run_python(print_it), "here")
        self.assertEqual(run_python("import ostore; ostore.init()\n" + print_it), "here")
        code = f"import ostore; ostore.init({address!r})\n" + print_it
        self.assertEqual(run_python("import os; os.environ.pop('OSTORE_ADDRESS')\n" + code), "here")

    def test_is_not_started_by_anything_but_init(self):
        for call in ("put(1)", "get(ostore.ObjectRef('0' * 31 + '1'))", "lookup('x')", "stats()", "Client()"):
            code = f"""
import ostore
try:
    ostore.{call}
except ostore.BrokerUnavailable as error:
    print(error)
"""
            self.assertRegex(run_python(code), "/run/ostore/ostore.sock")

    def test_without_the_program_says_so(self):
        code = """
import ostore
try:
    ostore.init()
except ostore.BrokerUnavailable as error:
    print(error)
"""
        self.assertRegex(run_python(code, env={"OSTORED": "/no/such/ostored"}), r"/no/such/ostored.*\$OSTORED")


class EndOfTheInterpreter(unittest.TestCase):
    def test_with_everything_alive_is_quiet_and_quick(self):
        code = """
import threading, ostore
ostore.init()
class Late:
    def __init__(self):
        self.ref = ostore.put(b"x" * 100000)
        self.view = ostore.get_buffer(self.ref)
        self.draft = ostore.create(100000)
        self.buffer = self.draft.buffer
    def __del__(self):
        self.view = None
        self.ref = None
late = Late()
late.self = late
keep = [Late() for _ in range(20)]
threading.Thread(target=lambda: ostore.get(ostore.ObjectRef("1" * 32)), daemon=True).start()
print("end")
"""
        child = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((child.returncode, child.stdout, child.stderr), (0, "end\n", ""))


if __name__ == "__main__":
    support.main()
