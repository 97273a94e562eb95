#!/usr/bin/python3
"""Runs Node's etcd3 client against a server: node_etcd3.py --server KIND --lattice PATH."""

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import paths, suite, tools  # noqa: E402

_UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT")
_FILES = ("package.json", "package-lock.json")


def installed():
    """A folder in the tools' cache with the locked packages, installed when they changed."""
    folder = os.path.join(paths.TOOLS_CACHE, "node-etcd3")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = os.path.join(HERE, "node")
        done = os.path.join(folder, ".installed")
        if not os.path.exists(done) or not filecmp.cmp(os.path.join(source, _FILES[1]), done, shallow=False):
            for name in _FILES:
                shutil.copy(os.path.join(source, name), folder)
            done_npm = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder,
                                      capture_output=True, text=True, check=False)
            if any(word in done_npm.stderr for word in _UNREACHABLE):
                tools.skip(f"Node's client: no package registry in reach: {done_npm.stderr.splitlines()[0]}")
            if done_npm.returncode != 0:
                raise RuntimeError(done_npm.stderr)
            shutil.copy(os.path.join(source, _FILES[1]), done)
    return folder


class NodeClient(unittest.TestCase):
    def test_etcd3(self):
        folder = installed()
        shutil.copy(os.path.join(HERE, "node", "test.mjs"), folder)
        done = subprocess.run(["node", "--test", "test.mjs"], cwd=folder, capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, ENDPOINT=suite.server.target), check=False)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    if shutil.which("node") is None or shutil.which("npm") is None:
        tools.skip("Node's client: node and npm are not installed")
    suite.main(__name__, __doc__)
