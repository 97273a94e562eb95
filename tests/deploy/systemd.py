#!/usr/bin/python3
"""The systemd unit: systemd's own opinion of it, and that what it expects of the server is so. systemd.py --lattice PATH."""

import collections
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, processes, tools  # noqa: E402

UNIT = os.path.join(paths.SOURCE, "deploy", "systemd", "lattice.service")
# Ten times what systemd-analyze prints; below 2 it says OK.
_EXPOSURE_MAX = 15


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

    def close(self):
        self._socket.close()
        os.unlink(self.path)


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

    def test_the_server_says_when_it_is_ready_and_when_it_goes(self):
        folder = processes.scratch_folder("unit")
        ready = NotifySocket(folder)
        self.addCleanup(ready.close)
        server = processes.Process("lattice", [self.lattice, "start", "--grpc-bind", "127.0.0.1:0", "--metrics-bind",
                                               "127.0.0.1:0", "--data-dir", os.path.join(folder, "data")],
                                   os.path.join(folder, "log"), env={**os.environ, "NOTIFY_SOCKET": ready.path})
        self.addCleanup(server.stop)
        self.assertEqual(ready.wait("READY=1", server), "READY=1")
        server.send(signal.SIGHUP)
        server.send(signal.SIGTERM)
        self.assertEqual(ready.wait("STOPPING=1", server), "STOPPING=1")


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        tools.skip("systemd-analyze is not installed (package systemd)")
    cases.main(__doc__)
