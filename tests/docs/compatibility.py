#!/usr/bin/python3
"""The README's table of what works, asked of a running server: which methods are there, and which answer UNIMPLEMENTED.

    tests/docs/compatibility.py --lattice PATH
"""

import os
import re
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, protos  # noqa: E402

_OTHERS = "the others answer UNIMPLEMENTED"
_SERVICES = ("KV", "Watch", "Lease", "Lock", "Election", "Maintenance", "Cluster", "Auth")


def rows():
    """The table: each service that a row names first -> the row's two cells."""
    with open(os.path.join(paths.SOURCE, "README.md"), encoding="utf-8") as file:
        for first, second in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", file.read(), re.MULTILINE):
            for service in re.split(r"[,:]? ", first):
                if service in _SERVICES:
                    yield service, (first, second)


class Table(cases.ServerTest):
    def unimplemented(self, connection, name):
        """Whether the method is not there, by what an empty request is answered."""
        method = protos.METHODS[name]
        if method.client_streams or method.server_streams:
            stream = connection.open(name, method.request_type())
            status = stream.ended(0.3)
            stream.cancel()
            return status is not None and status[0] == grpc.StatusCode.UNIMPLEMENTED
        try:
            connection.call(name, method.request_type(), timeout_s=1)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNIMPLEMENTED
        return False

    def test_it_is_true(self):
        connection = self.connect(self.server("sqlite"))
        table = dict(rows())
        self.assertEqual(set(table), set(_SERVICES))
        for service, (first, second) in table.items():
            methods = {name.split(".")[1] for name in protos.METHODS if name.startswith(service + ".")}
            there = {method for method in methods if not self.unimplemented(connection, f"{service}.{method}")}
            with self.subTest(service):
                if _OTHERS in second:
                    self.assertEqual(there, methods & set(re.findall(r"\w+", second)))
                else:
                    self.assertTrue(second.startswith("complete"), second)
                    self.assertEqual(there, methods)
                named = set(re.findall(r"\w+", first.partition(":")[2]))
                self.assertTrue(named in (set(), methods), f"{named} are named, {methods} are there")


if __name__ == "__main__":
    cases.main(__doc__)
