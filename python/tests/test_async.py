#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coroutines wait for objects: many at once, given up, late, in several loops, over crashes."""

import asyncio
import concurrent.futures
import os
import signal
import threading
import unittest

import support

import ostore

MANY = 2000


def missing(n):
    """References to objects that are not there yet."""
    return [ostore.ObjectRef(os.urandom(16).hex()) for _ in range(n)]


def put_all(refs):
    """Store a value under each id, the last first; returns what keeps them."""
    return [ostore.put(ref.hex(), id=ref.hex()) for ref in reversed(refs)]


def kill_worker():
    os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)


class Awaiting(support.BrokerTest):
    def test_gives_the_value(self):
        async def main():
            ref = ostore.put({"a": 1})
            self.assertEqual(await ref, {"a": 1})
            self.assertEqual(await ref, {"a": 1})
            self.assertEqual(await self.client.get_async([ref, ref]), [{"a": 1}] * 2)
            self.assertEqual(await ostore.get_async([]), [])
            return await ostore.ObjectRef(ref.hex())

        self.assertEqual(asyncio.run(main()), {"a": 1})

    def test_thousands_at_once_needs_no_thread(self):
        async def main():
            refs = missing(MANY)
            tasks = [asyncio.ensure_future(ostore.get_async(ref)) for ref in refs]
            await asyncio.sleep(0)
            n_threads = threading.active_count()
            kept = await asyncio.get_running_loop().run_in_executor(None, put_all, refs)
            values = await asyncio.gather(*tasks)
            self.assertEqual(values, [ref.hex() for ref in refs])
            self.assertEqual(n_threads, 1)
            return kept

        asyncio.run(main())

    def test_leaves_the_loop_running(self):
        async def main():
            (ref,) = missing(1)
            task = asyncio.ensure_future(ostore.get_async(ref))
            for _ in range(10):
                await asyncio.sleep(0.001)
            self.assertFalse(task.done())
            kept = ostore.put("there", id=ref.hex())
            self.assertEqual(await task, "there")
            del kept

        asyncio.run(main())

    def test_ends_with_the_timeout(self):
        async def main():
            refs = missing(400)
            results = await asyncio.gather(*[ostore.get_async(ref, timeout=0.05) for ref in refs], return_exceptions=True)
            self.assertEqual({type(result) for result in results}, {ostore.GetTimeoutError})
            self.assertIn(refs[0].hex(), str(results[0]))
            with self.assertRaises(ostore.ObjectNotFoundError):
                await ostore.get_async(refs[0], timeout=0)

        asyncio.run(main())

    def test_can_be_cancelled(self):
        async def main():
            refs = missing(600)
            tasks = [asyncio.ensure_future(ostore.get_async(ref)) for ref in refs]
            await asyncio.sleep(0.01)
            for task in tasks[::2]:
                task.cancel()
            kept = put_all(refs)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for i, result in enumerate(results):
                if i % 2:
                    self.assertEqual(result, refs[i].hex())
                else:
                    self.assertIsInstance(result, asyncio.CancelledError)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(ostore.get_async(missing(1)[0]), 0.02)
            self.assertEqual(self.client._requests._counts, {})
            self.assertEqual(self.client._requests._under_way, set())
            del kept, results, result, refs, tasks, task
            self.assertTrue(support.wait_until(lambda: all(o["refs"] == 0 for o in ostore.list())))

        asyncio.run(main())

    def test_of_what_is_deleted_fails(self):
        async def main():
            ref = ostore.put(1)
            ostore.delete(ref)
            with self.assertRaises(ostore.ObjectNotFoundError):
                await ref

        asyncio.run(main())

    def test_survives_the_worker(self):
        async def main():
            refs = missing(500)
            tasks = [asyncio.ensure_future(ostore.get_async(ref)) for ref in refs]
            await asyncio.sleep(0.01)
            kill_worker()
            kept = await asyncio.get_running_loop().run_in_executor(None, put_all, refs)
            self.assertEqual(await asyncio.gather(*tasks), [ref.hex() for ref in refs])
            return kept

        asyncio.run(main())

    def test_works_in_several_loops_beside_threads(self):
        refs = missing(300)

        async def main():
            return await asyncio.gather(*[ostore.get_async(ref) for ref in refs])

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            loops = [pool.submit(asyncio.run, main()) for _ in range(3)]
            blocking = [pool.submit(ostore.get, ref) for ref in refs[:4]]
            kept = put_all(refs)
            for loop in loops:
                self.assertEqual(loop.result(60), [ref.hex() for ref in refs])
            for ref, future in zip(refs, blocking):
                self.assertEqual(future.result(60), ref.hex())
        del kept

    def test_works_in_a_forked_child(self):
        async def main():
            (ref,) = missing(1)
            task = asyncio.ensure_future(ostore.get_async(ref))
            await asyncio.sleep(0.01)
            child = os.fork()
            if child == 0:
                os._exit(not self.child_gets(ref.hex()))
            status = await asyncio.get_running_loop().run_in_executor(None, lambda: os.waitpid(child, 0)[1])
            self.assertEqual(status, 0)
            kept = ostore.put("parent's", id=ref.hex())
            self.assertEqual(await task, "parent's")
            del kept

        asyncio.run(main())

    @staticmethod
    def child_gets(hex):
        async def main():
            refs = missing(300)
            tasks = [asyncio.ensure_future(ostore.get_async(ref)) for ref in refs]
            await asyncio.sleep(0.01)
            kept = put_all(refs)
            ok = await asyncio.gather(*tasks) == [ref.hex() for ref in refs]
            del kept
            return ok

        asyncio._set_running_loop(None)  # the parent's, which does not run here
        try:
            return asyncio.run(main())
        except BaseException as error:
            print(repr(error))
            return False

    def test_wait_tells_what_is_there(self):
        async def main():
            refs = missing(5)
            task = asyncio.ensure_future(ostore.wait_async(refs, num_returns=2))
            await asyncio.sleep(0.01)
            kept = put_all(refs[3:])
            self.assertEqual(await task, (refs[3:], refs[:3]))
            self.assertEqual(await ostore.wait_async(refs, num_returns=3, timeout=0.01), (refs[3:], refs[:3]))
            with self.assertRaises(ValueError):
                await ostore.wait_async(refs, num_returns=6)
            del kept

        asyncio.run(main())

    def test_of_a_closed_client_raises(self):
        async def main():
            client = ostore.Client(self.client.address)
            task = asyncio.ensure_future(client.get_async(missing(1)[0]))
            await asyncio.sleep(0.01)
            client.close()
            with self.assertRaises(ostore.BrokerUnavailable):
                await task
            with self.assertRaises(ostore.BrokerUnavailable):
                await client.get_async(missing(1)[0])

        asyncio.run(main())


class Futures(support.BrokerTest):
    def test_are_of_concurrent_futures(self):
        refs = missing(300)
        futures = [ref.future() for ref in refs]
        self.assertIsInstance(futures[0], concurrent.futures.Future)
        n_threads = threading.active_count()
        kept = put_all(refs)
        done, pending = concurrent.futures.wait(futures, 60)
        self.assertFalse(pending)
        self.assertEqual([future.result() for future in futures], [ref.hex() for ref in refs])
        self.assertEqual(n_threads, 2)
        del kept

    def test_are_cancelled_and_fail(self):
        (ref,) = missing(1)
        future = ref.future()
        self.assertTrue(future.cancel())
        gone = ostore.put(1)
        ostore.delete(gone)
        with self.assertRaises(ostore.ObjectNotFoundError):
            gone.future().result(60)

    def test_work_in_a_forked_child(self):
        ref = ostore.put("x")
        self.assertEqual(ref.future().result(60), "x")
        child = os.fork()
        if child == 0:
            os._exit(ref.future().result(60) != "x")
        self.assertEqual(os.waitpid(child, 0)[1], 0)


if __name__ == "__main__":
    support.main()
