#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job: several processes work on one copy of real data.

70,000 images of Fashion-MNIST as one float64 array (439 MB).  Four worker
processes (plain multiprocessing, spawn) compute eight sets of features from it
and evaluate a classifier on each.  The same work is done three times, with the
same results: the array passed by reference through ostore, passed by value, and
through multiprocessing.shared_memory.  Printed for each: seconds, bytes copied
between processes, peak memory of all processes together (PSS, so that a shared
page counts once).

    usage: main_job.py [--workers N] [--rows N] [--plot FILE.png] [--osctl PATH] [--data DIR]
"""
import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # a process a core is enough
    os.environ.setdefault(_name, "1")

import argparse
import gzip
import multiprocessing
import multiprocessing.connection
import multiprocessing.shared_memory
import subprocess
import sys
import threading
import time

import numpy as np

import ostore

DATA = "/usr/share/datasets/fashion-mnist"
TEST_ROWS = 1 / 7  # the last 10,000 of 70,000


# ---- the data ----

def read_idx(path):
    """An IDX file (http://yann.lecun.com/exdb/mnist/) as an array."""
    with gzip.open(path) as stream:
        raw = stream.read()
    dims = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(dims)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def read_part(directory, part, kind):
    return read_idx(os.path.join(directory, f"{part}-{kind}-ubyte.gz"))


def load(directory, rows):
    """(images, labels): float64 in 0..1 of shape (rows, 784), uint8 of shape (rows,)."""
    pixels = np.concatenate([read_part(directory, part, "images-idx3") for part in ("train", "t10k")])
    labels = np.concatenate([read_part(directory, part, "labels-idx1") for part in ("train", "t10k")])
    return pixels[-rows:].reshape(min(rows, len(pixels)), -1) / 255.0, labels[-rows:].copy()


# ---- the work: features of all images, and a classifier evaluated on them ----

def in_batches(images, function, size=5000):
    """function on some rows at a time: the features are small, what they are made from is not."""
    return np.vstack([function(images[start:start + size]) for start in range(0, len(images), size)])


def pixels(images):
    return images


def pooled(images):
    return in_batches(images, lambda rows: rows.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(len(rows), -1))


def profiles(images):
    def of(rows):
        square = rows.reshape(-1, 28, 28)
        return np.hstack([square.mean(1), square.mean(2)])
    return in_batches(images, of)


def principal(images, count=50):
    sample = images[::20]
    centre = sample.mean(0)
    _, vectors = np.linalg.eigh(np.cov(sample - centre, rowvar=False))
    return in_batches(images, lambda rows: (rows - centre) @ vectors[:, -count:])


def projected(images, count=150):
    weights = np.random.default_rng(7).standard_normal((images.shape[1], count)) / 28
    return in_batches(images, lambda rows: np.maximum(rows @ weights, 0))


def edges(images):
    def of(rows):
        square = rows.reshape(-1, 28, 28)
        down, right = np.diff(square, axis=1)[:, :, :27], np.diff(square, axis=2)[:, :27, :]
        blocks = [part.reshape(-1, 3, 9, 3, 9).sum((2, 4)).reshape(len(rows), -1)
                  for part in (np.maximum(down, 0), np.maximum(-down, 0),
                               np.maximum(right, 0), np.maximum(-right, 0))]
        return np.hstack(blocks)
    return in_batches(images, of)


def tasks():
    """(name, features, classifier) of each task."""
    from sklearn.discriminant_analysis import (LinearDiscriminantAnalysis,
                                               QuadraticDiscriminantAnalysis)
    from sklearn.linear_model import RidgeClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import NearestCentroid
    from sklearn.tree import DecisionTreeClassifier
    return [
        ("pixels, nearest centroid", pixels, NearestCentroid()),
        ("principal components, QDA", principal, QuadraticDiscriminantAnalysis(reg_param=0.01)),
        ("random projection, ridge", projected, RidgeClassifier()),
        ("row and column means, LDA", profiles, LinearDiscriminantAnalysis()),
        ("pooled 4 x 4, naive Bayes", pooled, GaussianNB()),
        ("pooled 4 x 4, LDA", pooled, LinearDiscriminantAnalysis()),
        ("edge directions, ridge", edges, RidgeClassifier()),
        ("row and column means, tree", profiles, DecisionTreeClassifier(max_depth=10, random_state=3)),
    ]


N_TASKS = 8


def evaluate(index, images, labels):
    """(name, accuracy on the test rows, checksum of the features)."""
    name, features, classifier = tasks()[index]
    values = features(images)
    train = int(len(labels) * (1 - TEST_ROWS))
    classifier.fit(values[:train], labels[:train])
    accuracy = float((classifier.predict(values[train:]) == labels[train:]).mean())
    return name, accuracy, float(values.sum())


# ---- three ways to hand the array to the workers ----

def work_on_reference(index, images, labels):
    """images and labels are ostore references: get() maps, nothing is copied."""
    images = ostore.get(images)
    return evaluate(index, images, ostore.get(labels)), os.getpid(), images.ctypes.data


def work_on_value(index, images, labels):
    return evaluate(index, images, labels), os.getpid(), images.ctypes.data


def work_on_shared_memory(index, block_name, shape, labels):
    block = multiprocessing.shared_memory.SharedMemory(block_name)
    images = np.ndarray(shape, np.float64, block.buf)
    result = evaluate(index, images, labels), os.getpid(), images.ctypes.data
    del images
    block.close()
    return result


def try_to_write(images):
    images = ostore.get(images)
    try:
        images[0, 0] = 1.0
    except ValueError as error:
        return f"ValueError: {error}"
    return "the write went through"


class Meter(threading.Thread):
    """Seconds, bytes sent to other processes, and the peak PSS of a process tree."""

    def __init__(self, extra_pids=()):
        super().__init__(daemon=True)
        self.extra_pids = list(extra_pids)
        self.peak_bytes = self.sent_bytes = 0
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.2):
            self.peak_bytes = max(self.peak_bytes, sum(map(pss, self.pids())))

    def pids(self):
        found = [os.getpid(), *self.extra_pids]
        for pid in found:
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as children:
                    found += [int(word) for word in children.read().split() if int(word) not in found]
            except OSError:
                pass
        return found

    def __enter__(self):
        connection = multiprocessing.connection.Connection
        self._send = connection._send_bytes

        def counting_send(this, data):
            self.sent_bytes += len(data)
            return self._send(this, data)

        connection._send_bytes = counting_send
        self.began = time.monotonic()
        self.start()
        return self

    def finish(self):
        """The work is done: what follows does not count."""
        self.seconds = time.monotonic() - self.began
        multiprocessing.connection.Connection._send_bytes = self._send
        self.done.set()
        self.join()

    def __exit__(self, *_):
        if not self.done.is_set():
            self.finish()


def pss(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            for line in rollup:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Progress:
    """One line a task; on a terminal it also counts up."""

    def __init__(self, title):
        self.began = time.monotonic()
        self.count = 0
        print(f"\n{title}", flush=True)

    def task(self, result):
        (name, accuracy, _), pid, _ = result
        self.count += 1
        print(f"  {time.monotonic() - self.began:5.1f} s  {self.count}/{N_TASKS}  "
              f"worker {pid}: {name}: {accuracy:.1%}", flush=True)


def run(workers, title, function, arguments, extra_pids=(), prepare=None, after=None):
    """The work once: (meter, results).  prepare() makes the arguments, and counts."""
    progress = Progress(title)
    with Meter(extra_pids) as meter:
        if prepare:
            arguments, copied = prepare()
            meter.sent_bytes += copied
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            waiting = [pool.apply_async(function, (index, *arguments)) for index in range(N_TASKS)]
            results = []
            for one in waiting:
                results.append(one.get())
                progress.task(results[-1])
            meter.finish()
            if after:
                after(pool, arguments, results)
    return meter, results


def warm_up(workers, nbytes):
    """So that no way pays for being the first: workers that load scikit-learn from disk, and
    memory that a hypervisor has to bring back when it is touched."""
    block = np.empty(nbytes * (workers + 2), np.uint8)
    block[::4096] = 1
    del block
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(work_on_value_of_a_few, range(N_TASKS))


def work_on_value_of_a_few(index):
    random = np.random.default_rng(index)
    evaluate(index, random.random((700, 784)), random.integers(0, 10, 700).astype(np.uint8))


def mebibytes(count):
    return f"{count / (1 << 20):,.1f} MiB"


def show(osctl, *arguments):
    print(f"\n$ osctl {' '.join(arguments)}", flush=True)
    subprocess.run([osctl, *arguments], check=True)


def draw(path, meters, results):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    names = list(meters)
    figure, axes = pyplot.subplots(1, 4, figsize=(15, 4), layout="constrained")
    for axis, title, values in (
            (axes[0], "seconds", [m.seconds for m in meters.values()]),
            (axes[1], "MiB copied between processes", [m.sent_bytes / (1 << 20) for m in meters.values()]),
            (axes[2], "peak MiB of all processes (PSS)", [m.peak_bytes / (1 << 20) for m in meters.values()])):
        bars = axis.bar([name.replace("_", "\n") for name in names], values, color=["#2a7f62", "#b0b0b0", "#7f9fbf"])
        axis.bar_label(bars, fmt="%.0f" if max(values) > 50 else "%.1f")
        axis.set_title(title, fontsize=10)
        axis.tick_params(axis="x", labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    order = sorted((result[0][1], result[0][0]) for result in results)
    axes[3].barh([name for _, name in order], [100 * accuracy for accuracy, _ in order], color="#2a7f62")
    axes[3].set_title("accuracy of the eight classifiers, %", fontsize=10)
    axes[3].tick_params(axis="y", labelsize=8)
    axes[3].spines[["top", "right"]].set_visible(False)
    figure.suptitle("Four processes, one array of 70,000 images: the same work three ways")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rows", type=int, default=70000)
    parser.add_argument("--plot", default="main-job.png")
    parser.add_argument("--osctl", default="osctl")
    parser.add_argument("--data", default=DATA)
    options = parser.parse_args()

    images, labels = load(options.data, options.rows)
    print(f"{len(images):,} images as one float64 array {images.shape}: {mebibytes(images.nbytes)}; "
          f"{options.workers} workers, {N_TASKS} tasks, each reads all of it")

    print("warming up ...", flush=True)
    warm_up(options.workers, images.nbytes)
    ostore.init()
    broker = ostore.stats()["broker"]
    meters, results = {}, {}

    def put_once():
        references = ostore.put(images, name="fashion-mnist"), ostore.put(labels)
        return references, images.nbytes + labels.nbytes

    def look(pool, references, results):
        addresses = {}
        for _, pid, address in results:
            addresses.setdefault(pid, set()).add(address)
        print("\naddress of the array in each worker:")
        for pid, seen in sorted(addresses.items()):
            print(f"  {pid}: {', '.join(map(hex, sorted(seen)))}")
        if len(set.union(*addresses.values())) == 1:
            print("  one address in all of them")
        print(f"a worker that writes to it: {pool.apply(try_to_write, references[:1])}")
        show(options.osctl, "status")
        show(options.osctl, "ls")
        show(options.osctl, "stat", "fashion-mnist")

    meters["ostore"], results["ostore"] = run(
        options.workers, "by reference, through ostore", work_on_reference, (),
        [broker["supervisor_pid"]], put_once, look)
    ostore.unhold("fashion-mnist")

    meters["by value"], results["by value"] = run(
        options.workers, "by value, as multiprocessing does", work_on_value, (images, labels))

    block = multiprocessing.shared_memory.SharedMemory(create=True, size=images.nbytes)

    def copy_once():
        shared = np.ndarray(images.shape, images.dtype, block.buf)
        shared[:] = images
        return (block.name, images.shape, labels), images.nbytes

    meters["shared_memory"], results["shared_memory"] = run(
        options.workers, "through multiprocessing.shared_memory", work_on_shared_memory, (), (), copy_once)
    block.close()
    block.unlink()

    print(f"\n{'':16}{'seconds':>10}{'copied':>16}{'peak PSS':>16}   writes by a reader")
    for name, meter in meters.items():
        danger = "refused by the kernel" if name == "ostore" else \
            "its own copy" if name == "by value" else "change everybody's data"
        print(f"{name:16}{meter.seconds:>10.1f}{mebibytes(meter.sent_bytes):>16}"
              f"{mebibytes(meter.peak_bytes):>16}   {danger}")
    same = all([r[0] for r in results[name]] == [r[0] for r in results["ostore"]] for name in results)
    print("results: the same three times" if same else "results: THEY DIFFER", flush=True)

    draw(options.plot, meters, results["ostore"])
    print(f"picture: {options.plot}")
    ostore.shutdown()
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
