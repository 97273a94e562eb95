"""Servers with audit logs, and what is in them."""

import json
import os
import time

from harness import processes, servers


def decoded(text):
    """The bytes behind a string of the log (docs/audit.md)."""
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


class Nodes:
    """One server, or two that take turns, each with an audit log of its own."""

    def __init__(self, kind, lattice, **environment):
        self.folder = processes.scratch_folder("audit")
        environment = {"LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_AUTH_BCRYPT_COST": "4",
                       "LATTICE_TENANTS_CREATE": "other", **environment}
        url = None
        if kind == "postgres":
            postgres = servers.shared_postgres()
            url = postgres.url(postgres.new_database())
            environment["LATTICE_CLUSTER_BIND"] = "127.0.0.1:0"
        self.servers = [servers.Lattice(lattice, kind, url, env={
            **environment, "LATTICE_AUDIT_OUTPUT": self.path(number), "LATTICE_CLUSTER_NAME": f"n{number}"})
                        for number in range(2 if url else 1)]
        self.all = servers.Cluster(self.servers)
        self.read = [0] * len(self.servers)
        self.turn = 0

    def path(self, number):
        return os.path.join(self.folder, f"audit-{number}.log")

    def next(self):
        self.turn = (self.turn + 1) % len(self.servers)
        return self.servers[self.turn]

    def lines(self, count=0, timeout_s=10):
        """What was written since the last call: (number of the node, line); waits until there are so many."""
        deadline = time.monotonic() + timeout_s
        found = []
        while True:
            for number in range(len(self.servers)):
                with open(self.path(number), encoding="ascii") as file:
                    file.seek(self.read[number])
                    text = file.read()
                whole = text[:text.rfind("\n") + 1]
                self.read[number] += len(whole)
                found += [(number, json.loads(line)) for line in whole.splitlines()]
            if len(found) >= count and (count or time.monotonic() > deadline):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} lines instead of {count}: {found}")
            time.sleep(0.01)
