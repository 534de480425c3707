# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the Python module share: the built module, brokers, children.

Import it first. It finds the build tree by $top_builddir (make check sets it),
else takes the source tree for it, and never uses an installed module or broker.
"""

import multiprocessing
import os
import re
import subprocess
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(TESTS))
BUILD = os.path.abspath(os.environ.get("top_builddir") or SOURCE)
OSCTL = os.path.join(BUILD, "tools/osctl")
NOBODY = 65534

_EXTENSION = os.path.join(BUILD, "python/ostore/_ostore.abi3.so")


def _reexec_with_sanitizer():
    """A sanitized extension needs its runtime loaded first."""
    with open(_EXTENSION, "rb") as extension:
        runtime = re.search(rb"libasan\.so[.\d]*", extension.read())
    if not runtime or "libasan" in os.environ.get("LD_PRELOAD", ""):
        return
    os.environ["LD_PRELOAD"] = runtime[0].decode()
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if not os.path.exists(_EXTENSION):
    print(f"skipped: {_EXTENSION} is not built")
    sys.exit(77)
_reexec_with_sanitizer()
sys.path.insert(0, os.path.join(BUILD, "python"))
os.environ["PYTHONPATH"] = os.pathsep.join([os.path.join(BUILD, "python"), TESTS])
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ.setdefault("OSTORED", os.path.join(BUILD, "src/ostored/ostored"))
if not getattr(multiprocessing.current_process(), "_inheriting", False):  # a spawned worker needs them
    for _name in ("OSTORE_ADDRESS", "XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LISTEN_FDS"):
        os.environ.pop(_name, None)

import ostore  # noqa: E402

MiB = 1 << 20


def is_system_broker_there():
    return os.path.exists("/run/ostore/ostore.sock")


class BrokerTest(unittest.TestCase):
    """Tests on a private broker, one for the class."""

    settings = {"object_store_memory": 256 * MiB}

    @classmethod
    def setUpClass(cls):
        if is_system_broker_there():
            raise unittest.SkipTest("there is a system broker; these tests start their own")
        cls.client = ostore.init(**cls.settings)

    @classmethod
    def tearDownClass(cls):
        ostore.shutdown()


def let_everybody_in():
    """Open the private broker's socket for other uids."""
    address = os.environ["OSTORE_ADDRESS"]
    os.chmod(os.path.dirname(address), 0o755)
    os.chmod(address, 0o666)


def needs_nobody(test):
    """Skip unless we can become another user who can run what was built."""

    def wrapper(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become another user")
        can_run = subprocess.run(["test", "-x", os.environ["OSTORED"], "-a", "-r", _EXTENSION], user=NOBODY, group=NOBODY, extra_groups=[])
        if can_run.returncode:
            self.skipTest(f"uid {NOBODY} cannot reach {BUILD}: a directory above it is closed")
        test(self)

    wrapper.__name__ = test.__name__
    wrapper.__doc__ = test.__doc__
    return wrapper


def start_python(code, *arguments, uid=None, env=None, **options):
    """A child that runs code; its standard output and input are pipes."""
    if uid is not None:
        options.update(user=uid, group=uid, extra_groups=[], cwd="/")
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        **options,
    )


def run_python(code, *arguments, status=0, **options):
    """Run code in a child until it ends; returns what it printed."""
    with start_python(code, *arguments, **options) as child:
        output = child.communicate(timeout=60)[0]
    if child.returncode != status:
        raise AssertionError(f"child ended with {child.returncode}, printed {output!r}")
    return output.strip()


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition, seconds=20):
    """Poll; returns whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def main():
    # A test that hangs says where, and does not stop the others for long.
    import faulthandler

    faulthandler.dump_traceback_later(300, exit=True)
    unittest.main()
