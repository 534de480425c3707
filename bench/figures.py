#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One figure a call, in a fresh process: figures.py NAME prints a JSON object.

Sources are filled with random numbers.  Times are seconds.  Called by bench/run,
which knows the peers and sets the machine up; every NAME can be run by hand too.
"""
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

MIB = 1 << 20
clock = time.perf_counter


def filled(nbytes):
    return np.random.default_rng(1).integers(0, 255, nbytes, np.uint8)


def touch(array):
    """Read a byte of every page."""
    return int(array[::4096].sum())


def median(values):
    return statistics.median(values)


def memcpy_rate(source, threads=1):
    """GiB/s into warm memory, the median of 5."""
    target = np.empty_like(source)
    target[:] = 1
    times = []
    for _ in range(5):
        began = clock()
        if threads == 1:
            np.copyto(target, source)
        else:
            half = len(source) // 2
            other = threading.Thread(target=np.copyto, args=(target[:half], source[:half]))
            other.start()
            np.copyto(target[half:], source[half:])
            other.join()
        times.append(clock() - began)
    return source.nbytes / median(times) / (1 << 30)


def warm_up_machine(nbytes):
    """The host may have taken free memory back: use once what will be used."""
    block = np.empty(nbytes, np.uint8)
    block[::4096] = 1
    del block


def put(nbytes=256 * MIB, rounds=9, pause=1.2):
    """Warm put of a filled array, against one-thread memcpy in the same run."""
    import ostore
    warm_up_machine(4 * nbytes)
    ostore.init(object_store_memory="4GiB")
    source = filled(nbytes)
    times, copies = [], []
    for turn in range(rounds + 1):
        time.sleep(pause)
        began = clock()
        reference = ostore.put(source)
        elapsed = clock() - began
        copies.append(memcpy_rate(source))
        if turn:
            times.append(elapsed)
        if turn == rounds:
            assert np.array_equal(ostore.get(reference), source)
        del reference
    rate = nbytes / median(times) / (1 << 30)
    return {"put_gib_per_s": rate, "memcpy_gib_per_s": median(copies), "ratio": rate / median(copies),
            "two_thread_memcpy_gib_per_s": memcpy_rate(source, 2)}


def seal(nbytes=1 << 30, rounds=5):
    import ostore
    warm_up_machine(2 * nbytes)
    ostore.init(object_store_memory="4GiB")
    times = []
    source = filled(64 * MIB)
    for _ in range(rounds):
        draft = ostore.empty((nbytes,), np.uint8)
        for start in range(0, nbytes, len(source)):
            draft.array[start:start + len(source)] = source
        began = clock()
        reference = draft.seal()
        times.append(clock() - began)
        assert touch(ostore.get(reference)) == touch(source) * (nbytes // len(source))
        del reference, draft
        time.sleep(0.3)
    return {"seal_ms": median(times) * 1e3}


def first_get(nbytes=64 * MIB, rounds=5):
    """get + touching every page, each round in a fresh process that is connected already."""
    import ostore
    warm_up_machine(4 * nbytes)
    ostore.init(object_store_memory="2GiB")
    reference = ostore.put(filled(nbytes))
    results = [json.loads(subprocess.run([sys.executable, __file__, "first_get_child", reference.hex()],
                                         check=True, capture_output=True, text=True).stdout)
               for _ in range(rounds)]
    return {key: median([result[key] for result in results]) for key in results[0]}


def first_get_child(name):
    import ostore
    ostore.init()
    began = clock()
    array = ostore.get(ostore.ObjectRef(name))
    got = clock()
    touch(array)
    return {"get_us": (got - began) * 1e6, "touch_ms": (clock() - got) * 1e3, "both_ms": (clock() - began) * 1e3}


def ray_first_get(nbytes=64 * MIB, rounds=5):
    import ray
    warm_up_machine(4 * nbytes)
    ray.init(num_cpus=2, object_store_memory=2 << 30, include_dashboard=False, logging_level="error", log_to_driver=False)

    @ray.remote(num_cpus=0)
    class Reader:
        def ready(self):
            return True

        def read(self, references):
            began = clock()
            array = ray.get(references[0])
            got = clock()
            touch(array)
            return {"get_us": (got - began) * 1e6, "touch_ms": (clock() - got) * 1e3,
                    "both_ms": (clock() - began) * 1e3}

    reference = ray.put(filled(nbytes))
    results = []
    for _ in range(rounds):
        actor = Reader.remote()
        ray.get(actor.ready.remote())
        results.append(ray.get(actor.read.remote([reference])))
        ray.kill(actor)
    began = clock()
    count = 2000
    array = ray.get(reference)
    for _ in range(count):
        array = ray.get(reference)
    again = (clock() - began) / count * 1e6
    del array
    ray.shutdown()
    return {**{key: median([result[key] for result in results]) for key in results[0]}, "get_again_us": again}


def get_again(rounds=5, count=20000):
    import ostore
    ostore.init(object_store_memory="1GiB")
    reference = ostore.put(filled(64 * MIB))
    array = ostore.get(reference)
    times = []
    for _ in range(rounds):
        began = clock()
        for _ in range(count):
            ostore.get(reference)
        times.append((clock() - began) / count)
    del array
    return {"get_again_us": median(times) * 1e6}


def start(rounds=5):
    """init (which starts the broker) + first put + first get: the calls alone."""
    results = [json.loads(subprocess.run([sys.executable, __file__, "start_child"], check=True,
                                         capture_output=True, text=True).stdout) for _ in range(rounds)]
    return {key: median([result[key] for result in results]) for key in results[0]}


def start_child():
    import ostore
    source = filled(MIB)
    began = clock()
    ostore.init()
    started = clock()
    reference = ostore.put(source)
    array = ostore.get(reference)
    done = clock()
    assert np.array_equal(array, source)
    return {"init_ms": (started - began) * 1e3, "put_get_ms": (done - started) * 1e3, "all_ms": (done - began) * 1e3}


def small_ops():
    """4 KiB operations from C (bench/small_ops.c)."""
    import ostore
    ostore.init(object_store_memory="1GiB")
    out = subprocess.run([os.environ["SMALL_OPS"]], check=True, capture_output=True, text=True).stdout
    values = {}
    for line in out.splitlines():
        name, rate, micros = line[:12].strip(), *[float(word) for word in line[12:].split() if word[0].isdigit()]
        values[name.replace(" ", "_")] = {"per_s": rate, "us": micros}
    return values


def main():
    name, *arguments = sys.argv[1:]
    print(json.dumps(globals()[name](*arguments)))


if __name__ == "__main__":
    main()
