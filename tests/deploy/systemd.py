#!/usr/bin/python3
"""The systemd unit: systemd's own opinion of it, and that what it expects of the server is so. systemd.py --lattice PATH."""

import collections
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, processes, tools  # noqa: E402

UNIT = os.path.join(paths.SOURCE, "deploy", "systemd", "lattice.service")
# Ten times what systemd-analyze prints; below 2 it says OK.
_EXPOSURE_MAX = 15

# ptrace, whose numbers Python does not know.
_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WAIT_FOR_THREADS = 0x40000000


def read_unit(path):
    """{section: {key: [values]}}"""
    unit = collections.defaultdict(lambda: collections.defaultdict(list))
    section = None
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                unit[section][key].append(value)
    return unit


class NotifySocket:
    """systemd's end of sd_notify: a datagram socket named `notify` in a folder."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self._socket.settimeout(0.2)

    def wait(self, what, process, attempts=150):
        """The first message that contains it, or why there is none."""
        for _ in range(attempts):
            try:
                message = self._socket.recv(4096).decode()
            except socket.timeout:
                if not process.alive():
                    return f"ended: {process.log_tail()}"
                continue
            if what in message:
                return message
        return "nothing in time"

    def count(self, what, seconds):
        """How many messages of this time contain it; those that have waited count, too."""
        found = 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found += what in self._socket.recv(4096).decode()
            except socket.timeout:
                pass
        return found

    def close(self):
        self._socket.close()
        os.unlink(self.path)


def ptrace(request, thread):
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if call(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {thread}")


@contextlib.contextmanager
def hanging(thread):
    """One thread of another process stands still, its others do not."""
    ptrace(_SEIZE, thread)
    ptrace(_INTERRUPT, thread)
    os.waitpid(thread, _WAIT_FOR_THREADS)
    try:
        yield
    finally:
        ptrace(_DETACH, thread)


def loops_of(process):
    """The threads that run its loops: the first one and those that are named so."""
    found = [process.pid]
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/comm", encoding="utf-8") as file:
            if file.read() == "loop\n":
                found.append(int(thread))
    return found


class Unit(cases.ServerTest):
    def with_binary(self):
        """A copy whose program is there, as systemd-analyze asks for."""
        folder = processes.scratch_folder("unit")
        with open(UNIT, encoding="utf-8") as file:
            text = file.read().replace("ExecStart=/usr/bin/lattice", "ExecStart=" + self.lattice)
        path = os.path.join(folder, "lattice.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def analyze(self, *arguments):
        done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_systemd_finds_nothing_wrong_with_it(self):
        status, output = self.analyze("verify", "--man=no", self.with_binary())
        mine = [line for line in output.splitlines() if "lattice" in line]
        self.assertEqual((status, mine), (0, []), output)

    def test_a_mistake_would_be_found(self):
        path = self.with_binary()
        with open(path, "a", encoding="utf-8") as file:
            file.write("[Service]\nRestartt=no\n")
        self.assertIn("Restartt", self.analyze("verify", "--man=no", path)[1])

    def test_it_is_closed(self):
        status, output = self.analyze("security", "--offline=true", "--no-pager", f"--threshold={_EXPOSURE_MAX}",
                                      self.with_binary())
        print(output.splitlines()[-1])
        self.assertEqual(status, 0, output)

    def test_its_times_and_statuses_fit_the_server(self):
        service = read_unit(UNIT)["Service"]
        reference = subprocess.run([self.lattice, "config", "reference", "--format", "toml"], capture_output=True, text=True,
                                   check=True).stdout

        def seconds(key):
            return int(re.search(rf"^{key} = (\d+)", reference, re.MULTILINE)[1]) / 1000
        self.assertGreater(int(service["TimeoutStopSec"][0]), seconds("shutdown_timeout_ms") + seconds("shutdown_delay_ms"))
        self.assertGreater(int(service["TimeoutStartSec"][0]), seconds("startup_timeout_ms"))
        folder = processes.scratch_folder("unit")
        done = subprocess.run([self.lattice, "start", "--grpc-bind", "nowhere"], cwd=folder, capture_output=True, check=False)
        self.assertEqual(str(done.returncode), service["RestartPreventExitStatus"][0])

    def start(self, environment=None):
        """A server as systemd starts it: (process, systemd's end)."""
        folder = processes.scratch_folder("unit")
        ready = NotifySocket(folder)
        self.addCleanup(ready.close)
        server = processes.Process("lattice", [self.lattice, "start", "--grpc-bind", "127.0.0.1:0", "--metrics-bind",
                                               "127.0.0.1:0", "--data-dir", os.path.join(folder, "data")],
                                   os.path.join(folder, "log"),
                                   env={**os.environ, "NOTIFY_SOCKET": ready.path, **(environment or {})})
        self.addCleanup(server.stop)
        self.assertEqual(ready.wait("READY=1", server), "READY=1")
        return server, ready

    def test_the_server_says_when_it_is_ready_and_when_it_goes(self):
        server, ready = self.start()
        server.send(signal.SIGHUP)
        server.send(signal.SIGTERM)
        self.assertEqual(ready.wait("STOPPING=1", server), "STOPPING=1")

    def test_it_gives_signs_of_life_until_one_of_its_loops_hangs(self):
        self.assertGreaterEqual(int(read_unit(UNIT)["Service"]["WatchdogSec"][0]), 10)
        server, ready = self.start({"WATCHDOG_USEC": "300000", "LATTICE_SERVER_THREADS": "2"})
        loops = loops_of(server)
        self.assertEqual(len(loops), 2, loops)
        for thread in loops:
            self.assertEqual(ready.wait("WATCHDOG=1", server), "WATCHDOG=1")
            with hanging(thread):
                # What was said before.
                ready.count("", 0.3)
                self.assertEqual(ready.count("WATCHDOG=1", 0.6), 0)
        self.assertGreaterEqual(ready.count("WATCHDOG=1", 1), 3)

    def test_it_gives_none_where_nobody_or_another_asked(self):
        for environment in ({}, {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}):
            _, ready = self.start(environment)
            self.assertEqual(ready.count("WATCHDOG=1", 0.4), 0, environment)


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        tools.skip("systemd-analyze is not installed (package systemd)")
    cases.main(__doc__)
