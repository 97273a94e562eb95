#!/usr/bin/python3
"""Runs the Go tests (clientv3 3.7 and its recipes) against a server: run_go.py --server KIND --lattice PATH."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import suite  # noqa: E402


class GoClient(unittest.TestCase):
    def test_clientv3(self):
        done = subprocess.run(["go", "test", "-count=1", "-v", "-timeout=240s", "./..."], cwd=os.path.join(HERE, "go"),
                              env=dict(os.environ, ENDPOINT=suite.server.target), capture_output=True, text=True,
                              check=False)
        for line in done.stdout.splitlines():
            if line.startswith("--- "):
                print(line)
        self.assertEqual(done.returncode, 0, done.stdout[-20000:] + done.stderr[-5000:])


if __name__ == "__main__":
    suite.main(__name__, __doc__, needs_go_for="the Go client's tests")
