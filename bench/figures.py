#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One figure of one store, in a fresh process: figures.py FIGURE STORE [NUMBER] prints a JSON object.

Sources are filled with random numbers; times are of the calls alone.  "witness" is
a two-thread memcpy before and after, in GiB/s, the slower of them: where it is
lower than in other runs of the day, somebody else was using the machine.
Called by bench/run, which alternates the stores; can be run by hand too, with the
interpreter that has the store's module.
"""
import json
import os
import pickle
import re
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

from stores import stores

MIB = 1 << 20
GIB = 1 << 30
PAUSE = 1.2  # between warm puts: Ray needs as long to free
clock = time.perf_counter
median = statistics.median


def filled(nbytes):
    return np.random.default_rng(1).integers(0, 255, nbytes, np.uint8)


def touch(array):
    """Read a byte of every page."""
    return int(np.frombuffer(array, np.uint8)[::4096].sum()) if not isinstance(array, np.ndarray) else \
        int(array[::4096].sum())


def memcpy_rate(source, threads=1, rounds=5):
    """GiB/s into warm memory, the median."""
    target = np.empty_like(source)
    target[:] = 1
    times = []
    for _ in range(rounds):
        began = clock()
        half = len(source) // 2
        other = threading.Thread(target=np.copyto, args=(target[:half], source[:half])) if threads == 2 else None
        if other:
            other.start()
        np.copyto(target[half if other else 0:], source[half if other else 0:])
        if other:
            other.join()
        times.append(clock() - began)
    return source.nbytes / median(times) / GIB


def warm_up_machine(nbytes):
    """The host may have taken free memory back, and gives it at a tenth of the speed: use once
    what will be used."""
    nbytes = max(nbytes, 2 * GIB)
    block = np.empty(nbytes, np.uint8)
    block[::4096] = 1
    del block


def begin(store, capacity):
    store = stores[store](capacity)
    store.connect()
    return store


# ---- big ----

def put_cold(store, nbytes=256 * MIB):
    """The first put, into a store that was started a second ago."""
    warm_up_machine(4 * nbytes)
    source = filled(nbytes)
    store = begin(store, 4 * GIB)
    time.sleep(1)
    began = clock()
    reference = store.put(source)
    rate = nbytes / (clock() - began) / GIB
    assert np.array_equal(store.get(reference), source)
    copy = memcpy_rate(source)
    del reference
    store.stop()
    return {"gib_per_s": rate, "memcpy": copy, "ratio": rate / copy}


def put_warm(store, mib, rounds=4):
    """Puts with a pause before each, of which the first does not count."""
    nbytes = int(mib) * MIB
    warm_up_machine(4 * nbytes)
    source = filled(nbytes)
    store = begin(store, 8 * GIB)
    times, copies = [], []
    for turn in range(rounds):
        time.sleep(PAUSE)
        began = clock()
        reference = store.put(source)
        if turn:
            times.append(clock() - began)
        if turn == rounds - 1:
            assert np.array_equal(store.get(reference), source)
        copies.append(memcpy_rate(source, rounds=3))
        store.drop(reference)
        del reference
    rate = nbytes / median(times) / GIB
    copy2 = memcpy_rate(source, 2)
    store.stop()
    return {"gib_per_s": rate, "memcpy": median(copies), "memcpy2": copy2, "ratio": rate / median(copies)}


def put_on(store, nbytes=256 * MIB, seconds=10):
    """One put after the other, zeroing and freeing included."""
    warm_up_machine(24 * nbytes)
    source = filled(nbytes)
    store = begin(store, 4 * GIB)
    copy = memcpy_rate(source)
    time.sleep(1)
    count, began = 0, clock()
    while clock() - began < seconds:
        reference = store.put(source)
        store.drop(reference)
        del reference
        count += 1
    rate = count * nbytes / (clock() - began) / GIB
    store.stop()
    return {"gib_per_s": rate, "memcpy": copy, "ratio": rate / copy}


def seal(store, nbytes=GIB, rounds=3):
    """Written in place, then sealed: ostore alone."""
    warm_up_machine(2 * nbytes)
    store = begin(store, 4 * GIB)
    source, times = filled(64 * MIB), []
    for _ in range(rounds):
        draft = store.module.empty((nbytes,), np.uint8)
        for start in range(0, nbytes, len(source)):
            draft.array[start:start + len(source)] = source
        began = clock()
        reference = draft.seal()
        times.append(clock() - began)
        assert touch(store.get(reference)) == touch(source) * (nbytes // len(source))
        del reference, draft
        time.sleep(0.3)
    store.stop()
    return {"seal_ms": median(times) * 1e3}


# ---- get ----

def first_get(store, nbytes=64 * MIB, rounds=3):
    """get, then touching every page, each time in a fresh process that is connected already."""
    warm_up_machine(4 * nbytes)
    if store == "ray":
        return ray_first_get(nbytes, rounds)
    name, store = store, begin(store, GIB)
    reference = store.put(filled(nbytes))
    results = [child("first_get_child", name, store.address, store.name(reference)) for _ in range(rounds)]
    del reference
    store.stop()
    return {key: median(result[key] for result in results) for key in results[0]}


def first_get_child(store, address, name):
    store = stores[store](address=address)
    store.connect()
    result = timed_get(store, store.named(name))
    store.stop()
    return result


def timed_get(store, reference):
    began = clock()
    array = store.get(reference)
    got = clock()
    touch(array)
    done = clock()
    return {"get_us": (got - began) * 1e6, "touch_ms": (done - got) * 1e3, "both_ms": (done - began) * 1e3}


def ray_first_get(nbytes, rounds):
    store = begin("ray", GIB)

    @store.module.remote(num_cpus=0)
    class Reader:
        def ready(self):
            return True

        def read(self, references):
            return timed_get(store_of_worker(), references[0])

    def store_of_worker():
        return stores["ray"]()

    reference = store.put(filled(nbytes))
    results = []
    for _ in range(rounds):
        actor = Reader.remote()
        store.get(actor.ready.remote())
        results.append(store.get(actor.read.remote([reference])))
        store.module.kill(actor)
    store.stop()
    return {key: median(result[key] for result in results) for key in results[0]}


def per_call(function, count, rounds=5):
    times = []
    for _ in range(rounds):
        began = clock()
        for _ in range(count):
            function()
        times.append((clock() - began) / count)
    return median(times) * 1e6


def get_again(store, count=5000):
    """A new array object each time; containers apart, against pickle alone."""
    store = begin(store, GIB)
    array = filled(MIB)  # mapped, not inline
    container = {"name": "x", "parts": [filled(MIB // 4) for _ in range(4)], "numbers": list(range(20))}
    bare, boxed = store.put(array), store.put(container)
    keep = store.get(bare), store.get(boxed)
    buffers = []
    pickled = pickle.dumps(container, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    result = {"array_us": per_call(lambda: store.get(bare), count),
              "container_us": per_call(lambda: store.get(boxed), count),
              "pickle_us": per_call(lambda: pickle.loads(pickled, buffers=views), count),
              "call_us": per_call(lambda: len(keep), count)}
    del keep, bare, boxed
    store.stop()
    return result


# ---- small ----

def small(store, clients=1, size=4096, seconds=3):
    """Puts, then gets of each of them, per second, of clients that are processes of their own.
    Each goes on for `count` operations, or until `seconds` have passed."""
    clients = int(clients)
    count = 4000 if clients == 1 else 16000 // clients
    if store == "ray" and clients > 1:
        raise SystemExit("Ray's clients are workers of a cluster: only one is measured")
    warm_up_machine(GIB)
    name, store = store, begin(store, GIB)
    if clients == 1:
        results = [small_client(store, size, count, seconds, None)]
    else:
        go = [subprocess.Popen([sys.executable, __file__, "small_child", name, store.address, str(size), str(count),
                                str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
              for _ in range(clients)]
        for phase in range(3):  # connected, put, got: each begins when all are there
            for process in go:
                process.stdout.readline()
            for process in go:
                process.stdin.write("\n")
                process.stdin.flush()
        results = [json.loads(process.communicate()[0]) for process in go]
    store.stop()
    return {key: sum(result[key] for result in results) for key in ("put", "get")}


def small_child(store, address, size, count, seconds):
    store = stores[store](address=address)
    store.connect()

    def barrier():
        print(flush=True)
        sys.stdin.readline()

    result = small_client(store, int(size), int(count), float(seconds), barrier)
    store.stop()
    return result


def small_client(store, size, count, seconds, barrier):
    value = os.urandom(size)
    references = []
    warm = store.put_bytes(value)
    store.get_bytes(warm)
    if barrier:
        barrier()
    began = clock()
    while len(references) < count and (len(references) % 64 or clock() - began < seconds):
        references.append(store.put_bytes(value))
    put = len(references) / (clock() - began)
    if barrier:
        barrier()
    began, n = clock(), 0
    for reference in references:
        got = store.get_bytes(reference)
        n += 1
        if n % 64 == 0 and clock() - began > seconds:
            break
    get = n / (clock() - began)
    assert bytes(got) == value
    if barrier:
        barrier()
    for reference in references:
        store.drop(reference)
    store.drop(warm)
    return {"put": put, "get": get}


def small_many(store, size=4096, count=4000, many=100, rounds=3):
    """put_many() and get([...]) of bytes, by 100."""
    warm_up_machine(GIB)
    store = begin(store, GIB)
    puts, gets = [], []
    for _ in range(rounds + 1):
        value = os.urandom(size)
        values = [value] * many
        lists, began = [], clock()
        for _ in range(count // many):
            lists.append(store.module.put_many(values))
        puts.append(count / (clock() - began))
        began = clock()
        for references in lists:
            got = store.get(references)
        gets.append(count / (clock() - began))
        assert got == values
        del lists, references
    store.stop()
    return {"put": median(puts[1:]), "get": median(gets[1:])}


def many_puts(store, count=100000, size=1024, seconds=8):
    """1 KiB objects, one put after the other, all kept."""
    warm_up_machine(GIB)
    store = begin(store, 2 * GIB)
    value, references, began = os.urandom(size), [], clock()
    while len(references) < count and (len(references) % 64 or clock() - began < seconds):
        references.append(store.put_bytes(value))
    rate = len(references) / (clock() - began)
    for reference in references if hasattr(store, "drop") else ():
        store.drop(reference)
    del references
    store.stop()
    return {"put": rate}


# ---- from the start ----

def start(store, nbytes=MIB):
    """init (which starts the server) + first put + first get: the calls alone."""
    source = filled(nbytes)
    stores[store](GIB)  # to import its module is not what is measured
    began = clock()
    store = begin(store, GIB)
    started = clock()
    reference = store.put(source)
    array = store.get(reference)
    done = clock()
    assert np.array_equal(array, source)
    del array, reference
    store.stop()
    return {"init_ms": (started - began) * 1e3, "put_get_ms": (done - started) * 1e3, "all_ms": (done - began) * 1e3}


# ---- programs in C ----

def program(store, name, *arguments):
    """A program of bench/ that is a client of a fresh broker, or needs none."""
    warm_up_machine(GIB)
    client = begin("ostore", GIB) if store == "ostore" else None
    done = subprocess.run([os.path.join(os.environ["BENCH_PROGRAMS"], name), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()[-500:]}")
    if client:
        client.stop()
    return json.loads(done.stdout.splitlines()[-1])


def million(store, count=1000000):
    """1 KiB objects by the million (bench/million.c): what it prints, as numbers."""
    warm_up_machine(4 * GIB)
    client = begin(store, 6 * GIB)
    done = subprocess.run([os.path.join(os.environ["BENCH_PROGRAMS"], "million"), str(count)], capture_output=True, text=True)
    client.stop()
    if done.returncode:
        raise SystemExit(f"million: {done.stderr.strip()[-500:]}")
    puts = re.findall(r"put by \d+ at +\d+ objects: +([\d.]+)", done.stdout)
    gets = re.findall(r"get +at +\d+ objects: +([\d.]+) us; by \d+: +([\d.]+)", done.stdout)
    bytes, descriptors = re.search(r"([\d.]+) bytes of the broker.*; (\d+) descriptors", done.stdout).groups()
    return {"bytes": float(bytes), "descriptors": int(descriptors), "put_us": float(puts[1]),
            "put_ratio": float(puts[1]) / float(puts[0]), "get_us": float(gets[1][0]),
            "get_ratio": float(gets[1][0]) / float(gets[0][0]), "get_many_ratio": float(gets[1][1]) / float(gets[0][1])}


def child(figure, *arguments):
    done = subprocess.run([sys.executable, __file__, figure, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    figure, store, *arguments = sys.argv[1:]
    if figure.endswith("_child"):
        print(json.dumps(globals()[figure](store, *arguments)))
        return
    source = filled(128 * MIB)
    before = memcpy_rate(source, 2)
    result = globals()[figure](store, *arguments)
    result["witness"] = min(before, memcpy_rate(source, 2))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
