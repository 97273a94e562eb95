"""What test programs share that start servers of their own: a TestCase, waiting, HTTP statuses, main().

    class Something(cases.ServerTest):
        def test_it(self):
            connection = self.connect(self.server("postgres"))

    if __name__ == "__main__":
        cases.main(__doc__)
"""

import argparse
import os
import sys
import time
import unittest
import urllib.error
import urllib.request

from . import client, servers


class ServerTest(unittest.TestCase):
    """What it starts and connects ends with the test."""

    lattice = ""  # the binary under test

    def server(self, kind="sqlite", **options):
        """A running server; the options are those of servers.make()."""
        made = servers.make(kind, self.lattice, **options)
        self.addCleanup(made.remove)
        return made.start()

    def connect(self, server, credentials=None):
        connection = client.Client(server.target, credentials=credentials)
        self.addCleanup(connection.close)
        return connection


def http_status(port, path, timeout_s=10):
    """Of a GET; 0 when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout_s) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def eventually(condition, what, timeout_s=15):
    """Waits until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.01)


def main(description):
    """Runs the main program's test cases: --lattice PATH [unittest arguments]."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--lattice", required=True, help="the binary under test")
    arguments, rest = parser.parse_known_args()
    ServerTest.lattice = os.path.abspath(arguments.lattice)
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)
