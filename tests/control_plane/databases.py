#!/usr/bin/python3
"""Tenants of a further database under a control plane: three nodes, two databases, one port between nodes for both.

    tests/control_plane/databases.py --lattice PATH
"""

import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import governed  # noqa: E402
from harness import cases, processes, protos, servers  # noqa: E402

rpc = protos.rpc
_TTL_S = 30
_NAMES = ("n1", "n2", "n3")
_TENANTS = ("default", "a")  # in [backend], and in [backends.b]


def of(tenant):
    return (("lattice-tenant", tenant),)


class Databases(governed.GovernedTest):
    @classmethod
    def setUpClass(cls):
        plane = servers.etcd_cluster(servers.debian_etcd(), "etcd34", 1)
        cls.addClassCleanup(plane.remove)
        plane.start()
        cls.plane = plane.servers[0]
        cls.postgres = servers.shared_postgres()
        cls.names = [cls.postgres.new_database() for _ in range(2)]
        urls = [cls.postgres.url(name) for name in cls.names]
        folder = processes.scratch_folder("databases")
        cls.addClassCleanup(processes.remove_folder, folder)
        file = os.path.join(folder, "lattice.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f'[backends.b]\nurl = "{urls[1]}"\n')
        env = {**governed.governed_by(plane.servers, _TTL_S), "LATTICE_CLUSTER_BIND": "127.0.0.1:0"}
        cls.nodes = [servers.Lattice(cls.lattice, "postgres", urls[0], ["--config", file],
                                     {**env, "LATTICE_CLUSTER_NAME": name}) for name in _NAMES]
        for node in cls.nodes:
            cls.addClassCleanup(node.remove)
            node.start()
        subprocess.run([cls.lattice, "tenant", "create", "a", "--backend", "b", "--config", file, "--db-connection",
                        urls[0]], check=True, capture_output=True, timeout=30)

    def setUp(self):
        self.control = self.connect(self.plane)
        self.connections = dict(zip(_NAMES, map(self.connect, self.nodes)))
        for name in _NAMES:
            self.served(name)

    def put(self, name, tenant, value=b"v"):
        return self.connections[name].call("KV.Put", rpc.PutRequest(key=b"k", value=value), metadata=of(tenant))

    def served(self, name):
        """Waits until the node has both tenants in memory."""
        for tenant in _TENANTS:
            cases.eventually(lambda: self.refusal(self.put, name, tenant) is None, f"{tenant} at {name}")

    def name_leader(self, leader):
        for tenant in _TENANTS:
            self.document(self.control, f"routing/{tenant}", {"nodes": list(_NAMES), "leader": leader})

    def leads(self, name, tenant):
        status = self.connections[name].call("Maintenance.Status", rpc.StatusRequest(), metadata=of(tenant))
        return status.leader == status.header.member_id

    def wait_led(self, name):
        for tenant in _TENANTS:
            cases.eventually(lambda: self.leads(name, tenant), f"{name} to lead {tenant}")

    def sql(self, tenant, what):
        return self.postgres.query(what, self.names[_TENANTS.index(tenant)])

    def epoch(self, tenant):
        return int(self.sql(tenant, "SELECT max(epoch) FROM lattice.batch JOIN lattice.logs USING (log_no) "
                                    f"WHERE tenant = '{tenant}'")[0][0])

    def addresses(self, tenant):
        """At which its nodes say that they are reached."""
        rows = self.sql(tenant, "SELECT DISTINCT address FROM lattice.session WHERE NOT dead")
        return sorted(row[0] for row in rows)

    def test_leadership_goes_where_it_should(self):
        self.assertEqual(self.addresses("default"), self.addresses("a"))
        self.assertEqual(len(self.addresses("a")), len(_NAMES))
        problems, ending = [], threading.Event()

        def write():
            while not ending.is_set():
                problem = self.refusal(self.put, "n1", "a")
                if problem:
                    problems.append(problem)

        writer = threading.Thread(target=write)
        writer.start()
        for leader in ("n2", "n3", "n1"):
            self.name_leader(leader)
            self.wait_led(leader)
        ending.set()
        writer.join()
        self.assertEqual(problems, [])

    def test_who_is_named_is_first(self):
        for leader, named in (("n1", "n3"), ("n3", "n2")):
            with self.subTest(named=named):
                self.name_leader(leader)
                self.wait_led(leader)
                epochs = {tenant: self.epoch(tenant) for tenant in _TENANTS}
                dead = self.nodes[_NAMES.index(leader)]
                dead.kill()
                began = time.monotonic()
                self.name_leader(named)
                self.wait_led(named)
                print(f"{named} leads {time.monotonic() - began:.2f} s after the death of {leader}", flush=True)
                # Nobody else has led in between.
                self.assertEqual({tenant: self.epoch(tenant) for tenant in _TENANTS},
                                 {tenant: epoch + 1 for tenant, epoch in epochs.items()})
                dead.start()
                self.connections[leader] = self.connect(dead)
                self.served(leader)


if __name__ == "__main__":
    cases.main(__doc__)
