#!/usr/bin/python3
"""Tenants that move to another database, governed by a real etcd: the command keeps their manifests true.

    tests/tenants/moving_governed.py --lattice PATH
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "control_plane")]

import governed  # noqa: E402
import moved  # noqa: E402
from harness import cases, protos, servers  # noqa: E402

rpc = protos.rpc
_TTL_S = 30
_LIMITS = {"limits": {"keys_max": 1000}, "policies": ["p"]}


class GovernedMoving(governed.GovernedTest, moved.MovingTest):
    @classmethod
    def setUpClass(cls):
        cls.clusters = [servers.shared_postgres(), servers.shared_postgres()]
        cls.plane = servers.etcd_cluster(servers.debian_etcd(), "etcd34", 1)
        cls.addClassCleanup(cls.plane.remove)
        cls.plane.start()
        cls.env = governed.governed_by(cls.plane.servers, _TTL_S)

    def setUp(self):
        super().setUp()
        self.control = self.connect(self.plane.servers[0])
        for kind in (b"tenants/a", b"routing/a"):
            self.control.call("KV.DeleteRange", rpc.DeleteRangeRequest(key=governed.PREFIX + kind))

    def manifest(self):
        kvs = self.control.call("KV.Range", rpc.RangeRequest(key=governed.PREFIX + b"tenants/a")).kvs
        return json.loads(kvs[0].value) if kvs else None

    def govern(self, **fields):
        self.document(self.control, "tenants/a", {**_LIMITS, **fields})

    def known(self, connection, epoch):
        """Waits until the server has heard of the manifest."""
        def epoch_there():
            call = connection.start("KV.Range", rpc.RangeRequest(key=b"k", serializable=True), metadata=moved.OF_A)
            return call.code().value[0] == 0 and dict(call.initial_metadata()).get("lattice-routing-epoch") == str(epoch)
        cases.eventually(epoch_there, f"the routing epoch {epoch}")

    def stays_served(self, connection):
        """Whatever the manifest says at the moment."""
        self.assertIsNone(self.refusal(connection, moved.OF_A))

    # The base classes have each a refusal() of their own: that of a call, that of the tenant.
    def refusal(self, connection, metadata=moved.OF_A):
        return moved.MovingTest.refusal(self, connection, metadata)

    def test_there_and_back(self):
        _, (connection,) = self.tenant()
        self.govern(backend="default", routing_epoch=7)
        self.known(connection, 7)
        revision = self.put(connection, b"k")
        there = self.move()
        self.assertEqual(there["manifest_epoch"], 8)
        self.assertEqual(self.manifest(), {"format": 1, "backend": "b", "routing_epoch": 8, **_LIMITS})
        self.known(connection, 8)
        self.assertEqual(self.put(connection, b"k"), revision + 1)
        output = self.command("move", "a", "--to", "default")
        self.assertIn("its manifest says so, with routing epoch 9", output)
        self.assertEqual(self.manifest()["backend"], "default")
        self.known(connection, 9)
        self.assertEqual(self.put(connection, b"k"), revision + 2)

    def test_without_a_manifest_there_is_nothing_to_write(self):
        _, (connection,) = self.tenant()
        self.assertEqual(self.move()["manifest_epoch"], 0)
        self.assertIsNone(self.manifest())
        self.put(connection, b"k")

    def test_killed_and_run_again(self):
        _, (connection,) = self.tenant()
        epoch = 20
        self.govern(backend="default", routing_epoch=epoch)
        self.known(connection, epoch)
        for index, state in ((0, "moving"), (1, "arriving"), (0, "sealing"), (1, "active")):
            with self.subTest(state=state):
                let_go = self.killed_move(index, state)
                if let_go:
                    # It may get a newer epoch meanwhile, and still speaks of the time before.
                    epoch += 5
                    self.govern(backend="default", routing_epoch=epoch)
                    self.known(connection, epoch)
                    self.stays_served(connection)
                    let_go()
                self.assertIn("moved", self.command("move", "a", "--to", "b"))
                self.assertEqual(self.manifest()["backend"], "b")
                self.assertGreater(self.manifest()["routing_epoch"], epoch)
                self.assertEqual(self.where(), {"b": "active"})
                self.served(connection)
                # Run once more there is nothing left to do.
                before = self.manifest()
                self.assertIn("moved", self.command("move", "a", "--to", "b"))
                self.assertEqual(self.manifest(), before)
                self.command("move", "a", "--to", "default")
                self.served(connection)
                epoch = self.manifest()["routing_epoch"]
                self.known(connection, epoch)
                self.stays_served(connection)

    def test_other_nodes_for_a_tenant_of_the_other_database(self):
        nodes = [self.node(LATTICE_CLUSTER_NAME=name).start() for name in ("n1", "n2")]
        connections = [self.connect(node) for node in nodes]
        self.command("create", "a", "--backend", "b")
        for connection in connections:
            self.served(connection)

        def status(connection):
            return connection.call("Maintenance.Status", rpc.StatusRequest(), metadata=moved.OF_A)
        ids = [status(connection).header.member_id for connection in connections]
        for name, wanted in (("n2", ids[1]), ("n1", ids[0]), ("n2", ids[1])):
            self.put(connections[0], b"k")
            done = json.loads(self.command("move", "a", "--to-nodes", name, "--leader", name, "--output", "json"))
            self.assertTrue(done["written"])
            for connection in connections:
                cases.eventually(lambda connection=connection: status(connection).leader == wanted, "the leader")
        self.assertEqual(self.kvs(connections[1])[0].version, 3)

    def test_the_control_plane_is_away(self):
        _, (connection,) = self.tenant()
        self.govern(backend="default", routing_epoch=3)
        self.known(connection, 3)
        member = self.plane.servers[0]
        member.stop()
        try:
            self.assertIn("the control plane at", self.command("move", "a", "--to", "b", status=69))
            self.assertEqual(self.where(), {"default": "active"})
        finally:
            member.start()
        self.control = self.connect(member)
        let_go = self.hold_copy()
        process = self.start_command("move", "a", "--to", "b")
        cases.eventually(lambda: self.state_in(1) == "arriving", "the copy has begun")
        member.stop()
        try:
            let_go()
            output, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 69, output)
            self.assertEqual(self.where()["default"], "moving")
            self.put(connection, b"k")
        finally:
            member.start()
        self.control = self.connect(member)
        self.assertIn("moved", self.command("move", "a", "--to", "b"))
        self.assertEqual(self.manifest()["backend"], "b")
        self.served(connection)

    def test_a_manifest_that_servers_refuse(self):
        self.tenant()
        self.document(self.control, "tenants/a", {"backend": "nowhere"})
        self.assertIn('tenants/a: backend: expected one of the configured "default", "b"',
                      self.command("move", "a", "--to", "b", status=78))
        self.assertEqual(self.where(), {"default": "active"})


if __name__ == "__main__":
    cases.main(__doc__)
