#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several processes on one store: fork, spawn, pools, references that travel."""

import concurrent.futures
import multiprocessing
import os
import pickle
import signal
import threading
import unittest

import support
from support import MiB

import ostore

try:
    import numpy
except ImportError:
    numpy = None


def address_and_sum(ref):
    """Runs in workers: where the array is, and what is in it."""
    array = ostore.get(ref)
    try:
        array[0] = 1
    except ValueError as error:
        return array.ctypes.data, int(array.sum()), str(error)
    return None


def store_square(number):
    """Runs in workers: a reference as a result."""
    return ostore.put([number * number] * 1000)


def nested(job):
    return sum(ostore.get(job["refs"][1]))


class Worker(multiprocessing.get_context("spawn").Process):
    """A spawned process gets its reference as an attribute."""

    def __init__(self, ref, queue):
        super().__init__()
        self.ref, self.queue = ref, queue

    def run(self):
        self.queue.put(ostore.get(self.ref))


@unittest.skipUnless(numpy, "needs NumPy")
class Workers(support.BrokerTest):
    def check(self, run):
        array = numpy.arange(3 * MiB // 8)
        ref = ostore.put(array)
        mine = ostore.get(ref)
        expected = (mine.ctypes.data, int(array.sum()), "assignment destination is read-only")
        self.assertEqual(run(address_and_sum, [ref] * 4), [expected] * 4)
        self.assertEqual(run(nested, [{"refs": [ref, ostore.put([1, 2])]}]), [3])
        results = run(store_square, range(10))
        self.assertEqual([value[0] for value in ostore.get(results)], [n * n for n in range(10)])

    def pool(self, method):
        with multiprocessing.get_context(method).Pool(2) as pool:
            self.check(pool.map)

    def test_forked_see_the_same_memory_at_one_address(self):
        self.pool("fork")

    def test_spawned_see_the_same_memory_at_one_address(self):
        self.pool("spawn")

    def test_from_a_fork_server_see_the_same_memory_at_one_address(self):
        self.pool("forkserver")

    def test_of_an_executor_see_the_same_memory_at_one_address(self):
        with concurrent.futures.ProcessPoolExecutor(2) as executor:
            self.check(lambda function, jobs: [*executor.map(function, jobs)])

    def test_that_are_threads_share_the_client(self):
        with concurrent.futures.ThreadPoolExecutor(4) as executor:
            self.check(lambda function, jobs: [*executor.map(function, jobs)])

    def test_get_references_as_attributes(self):
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        worker = Worker(ostore.put({"a": 1}), queue)
        worker.start()
        self.assertEqual(queue.get(timeout=60), {"a": 1})
        worker.join()


class Forks(support.BrokerTest):
    def in_child(self, function):
        """Run it in a forked child; returns what it returns, as text."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(write, str(function()).encode())
            except BaseException as error:
                os.write(write, repr(error).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            result = pipe.read()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        return result

    def test_read_what_the_parent_had_mapped_and_what_it_had_not(self):
        mapped, other = ostore.put(b"m" * MiB), ostore.put(b"o" * MiB)
        view = ostore.get_buffer(mapped)
        self.assertEqual(
            self.in_child(lambda: bytes(view[:2]) + ostore.get(mapped)[:2] + ostore.get(other)[:2]), "b'mmmmoo'"
        )
        self.assertEqual(ostore.get(other)[:1], b"o")

    def test_keep_objects_that_the_parent_gives_up(self):
        def child():
            os.write(ready[1], b"x")
            os.read(gone[0], 1)
            return len(ostore.get(kept[0]))

        kept = [ostore.put(b"k" * MiB)]
        ready, gone = os.pipe(), os.pipe()
        parent = threading.Thread(target=self.give_up, args=(kept, ready, gone))
        hex = kept[0].hex()
        # The thread exists in the parent only, and gives up when the child is there.
        parent.start()
        self.assertEqual(self.in_child(child), str(MiB))
        parent.join()
        self.assertTrue(support.wait_until(lambda: self.refs(hex) == 0))

    def give_up(self, kept, ready, gone):
        os.read(ready[0], 1)
        kept[:] = []
        for _ in range(4):
            ostore.put(bytes(100 * MiB))
        os.write(gone[1], b"x")

    def refs(self, hex):
        return sum(info["refs"] for info in ostore.list() if info["id"] == hex)

    def test_in_forks_have_objects_of_their_own(self):
        def child():
            ref = ostore.put("grandchild's", name="from a fork")
            return self.in_child(lambda: ostore.get(ref))

        self.assertEqual(self.in_child(child), "grandchild's")
        self.assertEqual(ostore.get(ostore.lookup("from a fork")), "grandchild's")
        ostore.unhold("from a fork")

    def test_may_shut_down_without_harm_to_the_parent(self):
        ref = ostore.put([1])
        self.assertEqual(self.in_child(ostore.shutdown), "None")
        self.assertEqual(ostore.get(ref), [1])
        self.assertEqual(ostore.get(ostore.put(2)), 2)

    def test_happen_while_other_threads_use_the_store(self):
        stop = threading.Event()

        def work():
            while not stop.is_set():
                ostore.get(ostore.put(b"t" * 100000))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for i in range(10):
                self.assertEqual(self.in_child(lambda: ostore.get(ostore.put(i))), str(i))
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_that_die_leave_nothing_behind(self):
        before = ostore.stats()["clients"]
        self.in_child(lambda: [ostore.put(b"d" * MiB), ostore.create(MiB)])
        self.assertTrue(support.wait_until(lambda: ostore.stats()["clients"] == before))
        self.assertEqual(ostore.stats()["objects"]["created"], 0)


SEND = """
import base64, pickle, sys, ostore
sys.stdout.write(base64.b64encode(pickle.dumps(ostore.put(b"s" * 1000000))).decode())
"""
LOAD = """
import base64, pickle, sys, ostore
ref = pickle.loads(base64.b64decode(sys.argv[1]))
print(len(ostore.get(ref)), ref.nbytes)
"""


DIE = """
import os, pickle, signal, sys, ostore
refs = ostore.put_many([i for i in range(int(sys.argv[1]))])
data = pickle.dumps(refs)
os.write(1, data.hex().encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


class Pickles(support.BrokerTest):
    settings = {"object_store_memory": 256 * MiB, "config": {"transit_lease": 2}}

    def fill(self):
        for _ in range(4):
            ostore.put(bytes(100 * MiB))

    def test_outlive_their_sender_and_load_more_than_once(self):
        sent = support.run_python(SEND)
        self.fill()
        for _ in range(2):
            self.assertEqual(support.run_python(LOAD, sent), "1000000 1000000")

    def test_outlive_a_sender_that_is_killed(self):
        for n in (1, 1000):
            refs = pickle.loads(bytes.fromhex(support.run_python(DIE, n, status=-signal.SIGKILL)))
            self.assertEqual(ostore.get(refs), [*range(n)])

    def test_of_thousands_take_few_requests(self):
        refs = ostore.put_many([*range(5000)])
        copies = pickle.loads(pickle.dumps(refs))
        self.assertEqual(ostore.get(copies), [*range(5000)])
        self.assertTrue(support.wait_until(lambda: self.refs(refs[0]) >= 3))
        hex, kept = refs[7].hex(), copies[7]
        del refs, copies
        self.assertEqual(kept.nbytes, self.client.get_buffer(kept).nbytes)
        del kept
        self.assertTrue(support.wait_until(lambda: self.refs(ostore.ObjectRef(hex)) == 0))  # the lease ended too

    def test_of_thousands_survive_the_worker(self):
        refs = ostore.put_many([*range(3000)])
        pickles = []
        for begin in range(0, 3000, 1000):
            pickles.append(pickle.dumps(refs[begin : begin + 1000]))
            os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)
        del refs
        copies = []
        for data in pickles:
            copies += pickle.loads(data)
            os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)
        self.assertEqual(ostore.get(copies), [*range(3000)])

    def test_by_a_pickler_that_is_kept_are_sent_soon(self):
        import io

        ref = ostore.put(b"k" * MiB)
        pickler = pickle.Pickler(io.BytesIO())
        pickler.dump(ref)
        self.assertTrue(support.wait_until(lambda: self.refs(ref) == 2))
        pickle.dumps(ref)
        self.assertEqual(self.refs(ref), 3)

    def test_in_threads_are_apart(self):
        refs = [ostore.put(i) for i in range(64)]

        def travel(ref):
            return [pickle.loads(pickle.dumps(ref)) for _ in range(50)]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for ref, copies in zip(refs, pool.map(travel, refs)):
                self.assertEqual({*copies}, {ref})
                self.assertEqual(copies[-1].nbytes, ref.nbytes)

    def test_loaded_before_a_fork_are_good_after_it(self):
        ref = ostore.put(b"f" * MiB)
        copies = pickle.loads(pickle.dumps([ref] * 3)), pickle.loads(pickle.dumps(ref))
        child = os.fork()
        if child == 0:
            os._exit(copies[1].nbytes != ref.nbytes or len(ostore.get(copies[0][2])) != MiB)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(len(ostore.get(copies[1])), MiB)

    def test_copies_take_no_lease(self):
        import copy

        ref = ostore.put(1)
        self.assertIs(copy.deepcopy([ref])[0], ref)
        self.assertEqual(self.refs(ref), 1)

    def test_give_the_loader_a_reference_of_its_own(self):
        sent = support.run_python(SEND)
        import base64

        ref = pickle.loads(base64.b64decode(sent))
        self.assertTrue(support.wait_until(lambda: self.refs(ref) == 1))  # the lease ended
        self.fill()
        self.assertEqual(len(ostore.get(ref)), 1000000)

    def test_loaded_too_late_raise(self):
        data = pickle.dumps(ostore.put(b"l" * MiB))
        pickle.loads(data)
        hex = pickle.loads(data).hex()
        self.assertTrue(support.wait_until(lambda: self.refs(ostore.ObjectRef(hex)) == 0))
        self.fill()
        for _ in range(2):
            with self.assertRaisesRegex(ostore.ObjectNotFoundError, hex):
                pickle.loads(data)

    def test_of_which_one_is_gone_raise_for_that_one(self):
        refs = [ostore.put(b"l" * MiB) for _ in range(3)]
        data = pickle.dumps(refs)
        hex = refs[1].hex()
        ostore.delete(refs[1])
        del refs
        first, gone, last = pickle.loads(data)
        self.assertEqual((ostore.get(first), ostore.get(last)), (b"l" * MiB,) * 2)
        for use in (ostore.get, lambda ref: ref.nbytes, ostore.get_buffer, pickle.dumps):
            with self.assertRaisesRegex(ostore.ObjectNotFoundError, hex):
                use(gone)

    def test_loaded_late_find_an_object_that_something_else_keeps(self):
        ref = ostore.put([5])
        data = pickle.dumps(ref)
        self.assertTrue(support.wait_until(lambda: self.refs(ref) == 1))
        self.assertEqual(ostore.get(pickle.loads(data)), [5])

    def test_reach_processes_that_know_no_broker(self):
        sent = support.run_python(SEND)
        code = "import os; del os.environ['OSTORE_ADDRESS']\n" + LOAD
        self.assertEqual(support.run_python(code, sent), "1000000 1000000")

    def test_of_deleted_objects_raise(self):
        ref = ostore.put(1)
        ostore.delete(ref)
        with self.assertRaises(ostore.ObjectNotFoundError):
            pickle.dumps(ref)
        with self.assertRaises(ostore.ObjectNotFoundError):
            pickle.dumps(ostore.ObjectRef("9a" * 16))

    def refs(self, ref):
        return sum(info["refs"] for info in ostore.list() if info["id"] == ref.hex())


class Leases(support.BrokerTest):
    settings = {"object_store_memory": 64 * MiB, "config": {"max_objects": 100}}

    def test_that_have_no_room_are_an_error(self):
        ref = ostore.put(b"r" * MiB)
        with self.assertRaisesRegex(ostore.ObjectStoreFullError, f"uid {os.getuid()} has 164"):
            for _ in range(1000):
                pickle.dumps(ref)
        leases = ostore.list()[0]["refs"] - 1
        self.assertEqual(leases, 164)
        self.assertEqual(len(ostore.get(ref)), MiB)


if __name__ == "__main__":
    support.main()
