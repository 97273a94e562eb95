#!/usr/bin/python3
"""`lattice tenant` beside running servers and without them, and what clients of the tenants see.

    tests/tenants/tenants.py --server sqlite|postgres --lattice PATH
"""

import argparse
import json
import os
import subprocess
import sys
import time
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, protos, servers  # noqa: E402

rpc = protos.rpc
_LATTICE = ""
_KIND = ""
_TRUST = {"LATTICE_TENANTS_TRUST_METADATA": "true"}


def of(tenant):
    return (("lattice-tenant", tenant),)


def until(condition, timeout_s=10):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Tenants(unittest.TestCase):
    def server(self, env=None):
        made = servers.make(_KIND, _LATTICE, env={**_TRUST, **(env or {})})
        self.addCleanup(made.remove)
        return made

    def connect(self, server):
        connection = client.Client(server.target)
        self.addCleanup(connection.close)
        return connection

    def command(self, server, *arguments):
        """`lattice tenant ...` on the server's store: (status, output)."""
        where = ["--data-dir", os.path.join(server.folder, "data")]
        if server.url:
            where = ["--db-connection", server.url]
        done = subprocess.run([_LATTICE, "tenant", *arguments, *where], capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def listed(self, server):
        status, output = self.command(server, "list", "--output", "json")
        self.assertEqual(status, 0, output)
        return {each["name"]: each for each in json.loads(output)["tenants"]}

    def put(self, connection, tenant, key, value):
        return connection.call("KV.Put", rpc.PutRequest(key=key, value=value), metadata=of(tenant)).header.revision

    def get(self, connection, tenant, key=b"\0", end=b"\0", **options):
        answer = connection.call("KV.Range", rpc.RangeRequest(key=key, range_end=end, **options), metadata=of(tenant))
        return [each.value for each in answer.kvs]

    def refusal(self, connection, tenant):
        try:
            self.get(connection, tenant)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return None

    def served(self, connection, tenant):
        return until(lambda: self.refusal(connection, tenant) is None)

    def test_life_of_a_tenant_beside_a_running_server(self):
        server = self.server().start()
        connection = self.connect(server)
        self.assertEqual(self.refusal(connection, "team-a"),
                         (grpc.StatusCode.PERMISSION_DENIED, 'tenant "team-a" is not known here'))
        self.assertEqual(self.command(server, "create", "team-a", "keys_max=10")[0], 0)
        self.assertTrue(self.served(connection, "team-a"))
        self.assertEqual(self.put(connection, "team-a", b"k", b"old"), 2)
        status, output = self.command(server, "create", "team-a")
        self.assertEqual((status, output), (1, 'error: there is a tenant "team-a" already\n'))
        self.assertEqual(self.command(server, "limit", "team-a", "quota_bytes=4096", "keys_max=")[0], 0)
        self.assertEqual(self.listed(server)["team-a"]["limits"], {"quota_bytes": 4096})

        watch = connection.open("Watch.Watch", metadata=of("team-a"))
        watch.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k")))
        self.assertTrue(watch.receive().created)
        status, output = self.command(server, "remove", "team-a")
        self.assertEqual(status, 2, output)
        self.assertIn("--yes", output)
        status, output = self.command(server, "remove", "team-a", "--yes")
        self.assertEqual(status, 0, output)
        self.assertEqual(watch.ended()[0], grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.refusal(connection, "team-a")[0], grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual(set(self.listed(server)), {"default"})

        # The same name again is another tenant.
        self.assertEqual(self.command(server, "create", "team-a")[0], 0)
        self.assertTrue(self.served(connection, "team-a"))
        self.assertEqual(self.get(connection, "team-a"), [])
        self.assertEqual(self.put(connection, "team-a", b"k", b"new"), 2)
        self.assertTrue(server.process.alive())
        self.assertNotIn("ACKNOWLEDGED", server.process.log_tail())

    def test_without_a_server(self):
        server = self.server().start()
        connection = self.connect(server)
        for tenant in ("a", "b"):
            self.assertEqual(self.command(server, "create", tenant)[0], 0)
            self.assertTrue(self.served(connection, tenant))
            for number in range(100):
                self.put(connection, tenant, b"k%d" % number, tenant.encode())
        before = self.listed(server)
        server.stop()
        self.assertEqual(self.command(server, "remove", "b", "--yes")[0], 0)
        self.assertEqual(self.command(server, "create", "b")[0], 0)
        self.assertEqual(set(self.listed(server)), {"default", "a", "b"})
        self.assertGreater(self.listed(server)["b"]["log"], before["b"]["log"])
        server.start()
        connection = self.connect(server)
        self.assertTrue(self.served(connection, "a"))
        self.assertEqual(self.get(connection, "a"), [b"a"] * 100)
        self.assertEqual(self.get(connection, "b"), [])

    def test_each_has_its_own_revisions_compaction_and_leases(self):
        server = self.server({"LATTICE_TENANTS_CREATE": "a,b"}).start()
        connection = self.connect(server)
        self.assertTrue(self.served(connection, "a") and self.served(connection, "b"))
        for _ in range(5):
            self.put(connection, "a", b"k", b"v")
        self.assertEqual(self.put(connection, "b", b"k", b"v"), 2)
        connection.call("KV.Compact", rpc.CompactionRequest(revision=6), metadata=of("a"))
        with self.assertRaises(grpc.RpcError) as caught:
            self.get(connection, "a", revision=3)
        self.assertEqual(caught.exception.details(), "etcdserver: mvcc: required revision has been compacted")
        self.assertEqual(self.get(connection, "b", revision=2), [b"v"])
        connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=7, TTL=60), metadata=of("a"))
        connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=7, TTL=60), metadata=of("b"))
        connection.call("Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=7), metadata=of("a"))
        left = connection.call("Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=7), metadata=of("b"))
        self.assertGreater(left.TTL, 0)

    def test_what_the_command_refuses(self):
        server = self.server().start()
        for arguments, status, text in (
                (("create", "-x"), 2, ""), (("create", "a b"), 78, "expected a name"),
                (("create", "~1~x"), 78, "expected a name"), (("create", "x", "speed=1"), 78, 'no limit "speed"'),
                (("create", "x", "keys_max=many"), 2, "expected limit=number"), (("show", "x"), 1, "no tenant"),
                (("limit", "x", "keys_max=1"), 1, "no tenant"), (("remove", "x", "--yes"), 1, "no tenant"),
                (("remove", "default", "--yes"), 78, "is the default tenant")):
            with self.subTest(arguments):
                got, output = self.command(server, *arguments)
                self.assertEqual(got, status, output)
                self.assertIn(text, output)

    def test_metrics_have_the_tenants(self):
        server = self.server({"LATTICE_TENANTS_CREATE": "a"}).start()
        connection = self.connect(server)
        self.assertTrue(self.served(connection, "a"))
        self.put(connection, "a", b"k", b"v")
        text = metrics(server)
        self.assertIn('lattice_tenant_revision{tenant="a"} 2\n', text)
        self.assertIn('lattice_tenant_keys{tenant="a"} 1\n', text)
        self.assertIn("lattice_tenants 2\n", text)


def metrics(server):
    import urllib.request
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
        return answer.read().decode()


class SharedTenants(unittest.TestCase):
    """Several nodes on one database."""

    def setUp(self):
        if _KIND != "postgres":
            self.skipTest("only nodes on PostgreSQL share a database")

    def test_all_nodes_serve_all_tenants(self):
        database = servers.shared_postgres()
        cluster = servers.lattice_cluster(_LATTICE, database.url(database.new_database()), 2,
                                          env={**_TRUST, "LATTICE_TENANTS_CREATE": "a,b",
                                               "LATTICE_TENANTS_IDLE_STOP_MS": "1000"})
        self.addCleanup(cluster.remove)
        cluster.start()
        connections = [client.Client(each.target) for each in cluster.servers]
        for connection in connections:
            self.addCleanup(connection.close)
        for number in range(3):
            for tenant in ("a", "b"):
                for index, connection in enumerate(connections):
                    def put():
                        try:
                            return connection.call("KV.Put", rpc.PutRequest(key=b"k", value=tenant.encode()),
                                                   metadata=of(tenant)).header.revision
                        except grpc.RpcError as error:
                            self.assertIn(error.code(), (grpc.StatusCode.PERMISSION_DENIED,
                                                         grpc.StatusCode.UNAVAILABLE), error.details())
                            return None
                    self.assertTrue(until(put), f"round {number}, {tenant}, node {index}")
                    self.assertEqual([each.value for each in connection.call(
                        "KV.Range", rpc.RangeRequest(key=b"k"), metadata=of(tenant)).kvs], [tenant.encode()])
            time.sleep(1.5)  # some are unloaded meanwhile
        members = connections[0].call("Cluster.MemberList", rpc.MemberListRequest(), metadata=of("a")).members
        self.assertEqual(sorted(each.name for each in members), ["n1", "n2"])


def main():
    global _LATTICE, _KIND
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("sqlite", "postgres"), required=True)
    parser.add_argument("--lattice", required=True)
    arguments, rest = parser.parse_known_args()
    _LATTICE, _KIND = arguments.lattice, arguments.server
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)


if __name__ == "__main__":
    main()
