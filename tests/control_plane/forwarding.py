#!/usr/bin/python3
"""Requests at nodes that do not serve their tenant: three Lattice nodes on one PostgreSQL, governed by a real etcd.

    tests/control_plane/forwarding.py --lattice PATH
"""

import os
import subprocess
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import forwarded  # noqa: E402
import routed  # noqa: E402
from harness import cases, cutting_proxy, protos, servers, tools  # noqa: E402

rpc, lock = protos.rpc, protos.lock
_EPOCH, _OF_A = forwarded.EPOCH, forwarded.OF_A
_LOST = "etcdserver: request timed out, possibly due to connection lost"
_UNREACHABLE = "there is no connection available"


class Forwarding(forwarded.ForwardedTest):
    def test_tenants_go_their_own_ways(self):
        self.route(["n2"], "a")
        self.put(self.n3, b"of a", metadata=_OF_A)
        self.put(self.n3, b"of default")
        ids = {self.get(node, metadata=_OF_A).header.member_id for node in (self.n1, self.n2, self.n3)}
        self.assertEqual(ids, {self.get(self.n2, metadata=_OF_A).header.member_id})
        self.assertNotIn(self.get(self.n3).header.member_id, ids)
        self.assertEqual(self.get(self.n1, metadata=_OF_A).kvs[0].value, b"of a")
        self.assertEqual(self.get(self.n2).kvs[0].value, b"of default")
        # A client cannot say that it was passed on.
        forged = (("lattice-tenant", "a"), ("lattice-forwarded-bin", b"\x08\x01\x10\x05"))
        self.assertEqual(self.get(self.n3, metadata=forged).kvs[0].value, b"of a")

    def test_etcdctl(self):
        if not (tools.have_go() or tools.is_built("etcdctl")):
            self.skipTest("needs Go to build etcdctl")
        etcdctl = tools.build_go("etcdctl")

        def run(*arguments):
            return subprocess.run([etcdctl, f"--endpoints={self.nodes.servers[2].target}", *arguments], check=True,
                                  capture_output=True, text=True, timeout=30).stdout
        self.assertEqual(run("put", "ctl", "value"), "OK\n")
        self.assertEqual(run("get", "ctl", "--print-value-only"), "value\n")
        self.assertEqual(run("lock", "ctl-lock", "echo", "held").strip(), "held")

    def test_routing_changes_under_load(self):
        revision = self.put(self.n3, b"0", b"load/0").header.revision
        loads = [routed.Load(connection, b"load/%d" % number) for number, connection in enumerate((self.n3, self.n1, self.n3))]
        watches = [self.watch(node, b"load/0", revision + 1) for node in (self.n3, self.n1)]
        for load in loads:
            load.start()
        for nodes in (["n2"], ["n1", "n3"], ["n3"], ["n2", "n1"], ["n1"], ["n2"], ["n1", "n2"]):
            time.sleep(0.4)
            self.route(nodes, wait=False)
            late = self.watch(self.n3, b"load/0", revision + 1)  # from before all of it, wherever it comes to
            watches.append(late)
        counts = [load.end() for load in loads]
        self.assertEqual([load.problems for load in loads], [[], [], []])
        self.assertGreater(min(counts), 20)
        for stream in watches:
            seen = []
            while len(seen) < counts[0]:
                response = stream.receive(15)
                self.assertIsNotNone(response, f"{len(seen)} of {counts[0]} events; {stream.status}")
                seen += [int(event.kv.value) for event in response.events]
            self.assertEqual(seen, list(range(1, counts[0] + 1)))
            stream.cancel()
        self.assertGreater(self.forwarded(self.nodes.servers[2]), 0)

    def test_epochs(self):
        self.route(["n1", "n3"])
        epoch = self.epoch
        for node in (self.n1, self.n2):  # served where it comes, and passed on
            call = node.start("KV.Range", rpc.RangeRequest(key=b"k"))
            self.assertEqual(dict(call.initial_metadata())[_EPOCH], str(epoch))
            self.assertIsNone(self.refusal(self.get, node, metadata=((_EPOCH, str(epoch)),)))
            code, text = self.refusal(self.get, node, metadata=((_EPOCH, str(epoch - 1)),))
            self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION)
            self.assertEqual(text, f"routing epoch changed (expected: {epoch - 1}, observed: {epoch})")
            code, text = self.refusal(self.put, node, metadata=((_EPOCH, str(epoch + 5)),))
            self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(text, f"routing epoch not known here yet (expected: {epoch + 5}, observed: {epoch})")
            code, _ = self.refusal(self.get, node, metadata=((_EPOCH, "x"),))
            self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        # A client that knows more than this node, which asks and then knows it, too.
        for _ in range(10):
            self.route(["n1"], wait=False)
            self.assertIsNone(self.refusal(self.put, self.n2, metadata=((_EPOCH, str(self.epoch)),)))

    def test_node_that_has_not_heard(self):
        proxy = cutting_proxy.CuttingProxy(self.plane.servers[0].port)
        self.addCleanup(proxy.close)
        env = {**self.env, "LATTICE_CLUSTER_NAME": "n4", "LATTICE_CLUSTER_BIND": "127.0.0.1:0",
               "LATTICE_CONTROL_PLANE_ENDPOINTS": f"http://127.0.0.1:{proxy.port}"}
        late = servers.Lattice(self.lattice, "postgres", self.url, env=env)
        self.addCleanup(late.remove)
        late.start()
        self.route(["n4"])
        known = self.epoch
        self.put(self.n3, b"v")
        proxy.stall(True)
        self.route(["n4"], wait=False)

        def is_closed():
            refused = self.refusal(self.get, self.n3)
            return refused is not None and "the routing epoch is" in refused[1]
        cases.eventually(is_closed, "LIN-BOUND to close")
        code, text = self.refusal(self.get, self.n3)
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(text, f"linearizability unavailable: the routing epoch is {known}, and another node knows of "
                               f"{self.epoch}")
        self.put(self.n3, b"w")
        self.assertEqual(self.get(self.n3, serializable=True).kvs[0].value, b"w")
        proxy.stall(False)
        cases.eventually(lambda: self.refusal(self.get, self.n3) is None, "LIN-BOUND to open")
        self.route(["n1"])

    def test_leadership_goes_where_it_should(self):
        self.route(["n1", "n2"], leader="n2")
        cases.eventually(lambda: self.leads(self.n2), "n2 to lead")
        load = routed.Load(self.n3, b"led")
        load.start()
        self.route(["n1", "n2"], leader="n1")
        cases.eventually(lambda: self.leads(self.n1), "n1 to lead")
        self.nodes.servers[0].stop()
        cases.eventually(lambda: self.leads(self.n2), "who is left to lead")
        self.nodes.servers[0].start()
        self.n1 = self.connect(self.nodes.servers[0])
        cases.eventually(lambda: self.leads(self.n1), "n1 to lead again")
        acknowledged = load.end()
        self.assertEqual(load.problems, [])
        self.assertGreater(acknowledged, 10)

    def test_serving_node_goes(self):
        at, edge = self.nodes.servers[0], self.nodes.servers[2]
        self.n1.call("Lock.Lock", lock.LockRequest(name=b"held"))
        stream = self.watch(self.n3, b"k")
        waiting = self.n3.start("Lock.Lock", lock.LockRequest(name=b"held"))
        cases.eventually(lambda: self.keys(b"held/") == 2, "a waiter")
        lost = self.forwarded(edge, "Lock", "lost")
        at.kill()
        self.assertEqual((waiting.exception(10).code(), waiting.exception(10).details()),
                         (grpc.StatusCode.UNAVAILABLE, _LOST))
        self.assertEqual(stream.ended(10), (grpc.StatusCode.UNAVAILABLE, _LOST))
        self.assertEqual(self.forwarded(edge, "Lock", "lost"), lost + 1)
        self.assertEqual(self.refusal(self.put, self.n3), (grpc.StatusCode.UNAVAILABLE, _UNREACHABLE))
        self.route(["n1", "n2"], wait=False)
        cases.eventually(lambda: self.refusal(self.put, self.n3) is None, "the other node")
        at.start()
        self.n1 = self.connect(at)
        self.route(["n1"])
        self.put(self.n3)


if __name__ == "__main__":
    cases.main(__doc__)
