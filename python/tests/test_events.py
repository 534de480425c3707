#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events: in order, from any number on, without a gap, in loops and over crashes."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import unittest

import support

import ostore


def story(id, events):
    return [event["event"] for event in events if event["id"] == id]


class Reading(support.BrokerTest):
    def test_tells_what_happens(self):
        events = ostore.events(timeout=0)
        self.assertEqual([*events], [])
        ref = ostore.put("x" * 100)
        ostore.delete(ref)
        with self.client.create(10) as draft:
            draft.abort()
        seen = [*events]
        self.assertEqual(story(ref.hex(), seen), ["created", "sealed", "deleted"])
        self.assertEqual([event["event"] for event in seen], ["created", "sealed", "deleted", "created", "aborted"])
        self.assertEqual([event["seq"] for event in seen], [*range(seen[0]["seq"], seen[0]["seq"] + 5)])
        self.assertEqual([*seen[0]], ["seq", "event", "id", "size", "time_ns"])
        self.assertGreaterEqual(seen[0]["size"], 100)

    def test_gives_the_same_as_osctl(self):
        ref = ostore.put(1)
        seen = [*self.client.events(0, timeout=0)]
        output = subprocess.run([support.OSCTL, "--json", "events", "--no-follow"], capture_output=True, text=True, check=True).stdout
        told = [json.loads(line) for line in output.splitlines()]
        self.assertEqual(seen, told)
        del ref

    def test_goes_on_from_a_number(self):
        ref = ostore.put(1)
        *_, last = ostore.events(0, timeout=0)
        ostore.delete(ref)
        (event,) = ostore.events(last["seq"] + 1, timeout=0)
        self.assertEqual((event["event"], event["id"]), ("deleted", ref.hex()))
        with self.assertRaises(ValueError):
            ostore.events(last["seq"] + 100)
        with self.assertRaises(TypeError):
            ostore.events("0")
        for wrong in -1, 2**64 - 1, 2**64:  # masked, they would be other numbers
            with self.assertRaises(ValueError):
                ostore.events(wrong)

    def test_waits(self):
        events = ostore.events()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(next(events)))
        thread.start()
        thread.join(0.05)
        self.assertTrue(thread.is_alive())
        ref = ostore.put(1)
        thread.join(60)
        self.assertEqual(seen[0]["id"], ref.hex())

    def test_ends_when_closed(self):
        with ostore.events(0, timeout=0) as events:
            pass
        with self.assertRaises(ValueError):
            next(events)
        with self.assertRaises(TypeError):
            ostore.Events()

    def test_has_no_gap_over_the_death_of_the_worker(self):
        events = ostore.events(timeout=1)
        first = ostore.put(1)
        self.assertEqual(next(events)["id"], first.hex())
        os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)
        second = ostore.put(2)
        seen = [*events]
        self.assertEqual(story(first.hex(), seen), ["sealed"])
        self.assertEqual(story(second.hex(), seen), ["created", "sealed"])
        self.assertEqual([event["seq"] for event in seen], [*range(seen[0]["seq"], seen[0]["seq"] + len(seen))])


class Looping(support.BrokerTest):
    def test_is_asynchronous(self):
        async def main():
            seen = []

            async def follow(events):
                async for event in events:
                    seen.append(event)
                    if event["event"] == "deleted":
                        return

            events = self.client.events()
            task = asyncio.ensure_future(follow(events))
            await asyncio.sleep(0.01)
            ref = ostore.put(1)
            os.kill(ostore.stats()["broker"]["worker_pid"], signal.SIGKILL)
            await asyncio.sleep(0.01)
            ostore.delete(ref)
            await asyncio.wait_for(task, 60)
            self.assertEqual(story(ref.hex(), seen), ["created", "sealed", "deleted"])

        asyncio.run(main())

    def test_ends_with_the_timeout_and_when_cancelled(self):
        async def main():
            self.assertEqual([event async for event in ostore.events(timeout=0.01)], [])
            events = ostore.events()
            task = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0.01)
            with self.assertRaises(ValueError):
                next(events)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            ref = ostore.put(1)  # nothing is lost by it
            self.assertEqual(((await events.__anext__())["event"], next(events)["id"]), ("created", ref.hex()))
            with self.assertRaises(ValueError):
                events.close()
                await events.__anext__()

        asyncio.run(main())

    def test_in_a_loop_is_over_when_closed(self):
        async def main():
            events = ostore.events()
            task = asyncio.ensure_future(events.__anext__())
            await asyncio.sleep(0.01)
            events.close()
            with self.assertRaises(ostore.Error):
                await task

        asyncio.run(main())


class Overrun(support.BrokerTest):
    def test_is_told(self):
        ostore.put(1)
        events = ostore.events(1, timeout=0)
        first = next(events)
        self.assertEqual(first["seq"], 1)
        for _ in range(500):
            ostore.put_many([b""] * 100)
        seen = [*ostore.events(1, timeout=0)]
        self.assertEqual(seen[0]["event"], "overrun")
        self.assertEqual([*seen[0]], ["seq", "event", "id", "size", "time_ns", "lost"])
        self.assertEqual(seen[0]["seq"], 1)
        self.assertEqual(seen[1]["seq"], 1 + seen[0]["lost"])
        self.assertEqual(seen[-1]["seq"] - seen[1]["seq"] + 1, 65536)


if __name__ == "__main__":
    support.main()
