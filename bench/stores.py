# SPDX-License-Identifier: GPL-2.0-or-later
"""The stores that bench/figures.py compares, behind one face.

A store is made with its capacity, which starts its server where it has one;
connect() makes a client of this process.  `address` is what another process
needs to become a client too.  Values are NumPy arrays; put_bytes() and
get_bytes() are the shortest way that the store's Python client has for small
ones.  Each import happens in the interpreter that has the module.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Server:
    """A server with a socket in a directory of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="bench-")
        self.address = os.path.join(self.directory, "socket")
        self.process = None

    def start(self, command):
        self.process = subprocess.Popen(command, **quiet)
        until = time.monotonic() + 20
        while not self.listens():
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"{command[0]} does not start")
            time.sleep(0.001)

    def listens(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.address) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Ostore:
    def __init__(self, capacity=None, address=None):
        import ostore
        self.module = ostore
        self.capacity, self.address = capacity, address

    def connect(self):
        self.module.init(self.address) if self.address else \
            self.module.init(object_store_memory=self.capacity)
        self.address = os.environ.get("OSTORE_ADDRESS", self.address)

    def put(self, value):
        return self.module.put(value)

    def get(self, reference):
        return self.module.get(reference)

    put_bytes, get_bytes = put, get

    def drop(self, reference):
        pass  # the last Python reference does it

    def name(self, reference):
        return reference.hex()

    def named(self, name):
        return self.module.ObjectRef(name)

    def stop(self):
        self.module.shutdown()


class Plasma:
    def __init__(self, capacity=None, address=None):
        import pyarrow.plasma
        self.module = pyarrow.plasma
        self.capacity, self.address, self.server = capacity, address, None

    def connect(self):
        if not self.address:
            self.server = Server()
            self.address = self.server.address
            self.server.start([os.path.join(os.path.dirname(sys.executable), "plasma_store"), "-m",
                               str(self.capacity), "-s", self.address])
        self.client = self.module.connect(self.address, num_retries=100)

    def put(self, value):
        return self.client.put(value)

    def get(self, reference):
        return self.client.get(reference)

    def put_bytes(self, value):
        return self.client.put_raw_buffer(value)

    def get_bytes(self, reference):
        return self.client.get_buffers([reference])[0]

    def drop(self, reference):
        self.client.delete([reference])

    def name(self, reference):
        return reference.binary().hex()

    def named(self, name):
        return self.module.ObjectID(bytes.fromhex(name))

    def stop(self):
        self.client.disconnect()
        if self.server:
            self.server.stop()


class Vineyard:
    def __init__(self, capacity=None, address=None):
        import vineyard
        self.module = vineyard
        self.capacity, self.address, self.server = capacity, address, None

    def connect(self):
        if not self.address:
            self.server = Server()
            self.address = self.server.address
            program, = glob.glob(os.path.join(os.path.dirname(self.module.__file__), "**/vineyardd"), recursive=True)
            self.server.start([program, "--socket", self.address, "--size", str(self.capacity), "--meta", "local",
                               "--rpc=false"])
        self.client = self.module.connect(self.address)

    def put(self, value):
        return self.client.put(value)

    def get(self, reference):
        return self.client.get(reference)

    def put_bytes(self, value):
        blob = self.client.create_blob(len(value))
        blob.copy(0, value)
        return blob.seal(self.client).id

    def get_bytes(self, reference):
        return self.client.get_blob(reference)

    def drop(self, reference):
        self.client.delete([reference])

    def name(self, reference):
        return repr(reference).strip('"')

    def named(self, name):
        return self.module.ObjectID(name)

    def stop(self):
        self.client.close()
        if self.server:
            self.server.stop()


class Ray:
    def __init__(self, capacity=None, address=None):
        import ray
        self.module = ray
        self.capacity, self.address = capacity, address

    def connect(self):
        self.module.init(num_cpus=2, object_store_memory=self.capacity, include_dashboard=False,
                         logging_level="error", log_to_driver=False)

    def put(self, value):
        return self.module.put(value)

    def get(self, reference):
        return self.module.get(reference)

    put_bytes, get_bytes = put, get

    def drop(self, reference):
        pass

    def stop(self):
        self.module.shutdown()


class SharedMemory:
    """multiprocessing.shared_memory: no server, no capacity, no immutability; small values only."""

    def __init__(self, capacity=None, address=None):
        from multiprocessing import resource_tracker, shared_memory
        self.module = shared_memory.SharedMemory
        self.address = "none"
        # The tracker is a process that removes what was forgotten; the others have no such cost.
        resource_tracker.register = resource_tracker.unregister = lambda *_: None

    def connect(self):
        pass

    def put_bytes(self, value):
        block = self.module(create=True, size=len(value))
        block.buf[:] = value
        block.close()
        return block

    def get_bytes(self, reference):
        block = self.module(reference.name)
        value = bytes(block.buf)
        block.close()
        return value

    def drop(self, reference):
        reference.unlink()

    def stop(self):
        pass


stores = {"ostore": Ostore, "plasma": Plasma, "vineyard": Vineyard, "ray": Ray, "shared_memory": SharedMemory}
modules = {"ostore": "ostore", "plasma": "pyarrow.plasma", "vineyard": "vineyard", "ray": "ray",
           "shared_memory": "multiprocessing.shared_memory"}

if __name__ == "__main__":  # can this interpreter be a client?
    __import__(modules[sys.argv[1]])
    import numpy
    print(json.dumps({"numpy": numpy.__version__}))
