#!/usr/bin/python3
"""Requests at nodes that do not serve their tenant: three Lattice nodes on one PostgreSQL, governed by a real etcd.

    tests/control_plane/forwarding.py --lattice PATH
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import routed  # noqa: E402
from harness import cases, cutting_proxy, protos, servers, tools  # noqa: E402

rpc, lock = protos.rpc, protos.lock
_EPOCH, _OF_A = routed.EPOCH, routed.OF_A
_LOST = "etcdserver: request timed out, possibly due to connection lost"
_UNREACHABLE = "there is no connection available"


def rss_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024


class Forwarding(routed.RoutedTest):
    def watch(self, connection, key, revision=0, **options):
        stream = connection.open("Watch.Watch", **options)
        create = rpc.WatchCreateRequest(key=key, start_revision=revision)
        stream.send(rpc.WatchRequest(create_request=create))
        self.assertTrue(stream.receive(15).created)
        return stream

    def forwarded(self, server, service="KV", outcome="answered"):
        return self.metric(server, f'lattice_forwarded_requests_total{{service="{service}",outcome="{outcome}"}}') or 0

    def watchers(self, server):
        return self.metric(server, "etcd_debugging_mvcc_watcher_total")

    def keys(self, prefix):
        return self.n1.call("KV.Range", rpc.RangeRequest(key=prefix, range_end=prefix + b"\xff", count_only=True)).count

    # ---- The tests ----

    def test_calls_arrive(self):
        at, edge = self.nodes.servers[0], self.nodes.servers[2]
        serving = self.n1.call("Maintenance.Status", rpc.StatusRequest()).header.member_id
        before = self.forwarded(edge)
        self.assertEqual(self.put(self.n3, b"x" * 100000, compression=grpc.Compression.Gzip).header.member_id, serving)
        found = self.get(self.n3, compression=grpc.Compression.Gzip)
        self.assertEqual((found.header.member_id, found.kvs[0].value), (serving, b"x" * 100000))
        self.assertNotEqual(self.n2.call("Cluster.MemberList", rpc.MemberListRequest()).header.member_id, 0)
        compare = rpc.Compare(key=b"k", target=rpc.Compare.VERSION, result=rpc.Compare.GREATER, version=0)
        self.assertTrue(self.n3.call("KV.Txn", rpc.TxnRequest(compare=[compare])).succeeded)
        self.assertEqual(self.forwarded(edge), before + 3)
        self.assertEqual(self.forwarded(at), 0)
        cases.eventually(lambda: cases.http_status(edge.port, "/health") == 200, "the node's own health")
        self.check_streams()
        self.check_errors()

    def check_streams(self):
        lease = self.n3.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60)).ID
        alive = self.n3.open("Lease.LeaseKeepAlive")
        for _ in range(3):
            alive.send(rpc.LeaseKeepAliveRequest(ID=lease))
            self.assertEqual(alive.receive().TTL, 60)
        alive.half_close()
        self.assertEqual(alive.ended()[0], grpc.StatusCode.OK)
        stream = self.watch(self.n3, b"streamed")
        big = [bytes([byte]) * (1 << 20) for byte in b"abcdef"]
        for number, value in enumerate(big):
            self.put(self.n1, value, b"streamed")
            self.put(self.n3, value, b"big/%d" % number)
        got = []
        while len(got) < len(big):
            got += [event.kv.value for event in stream.receive(15).events]
        self.assertEqual(got, big)
        stream.cancel()
        everything = rpc.RangeRequest(key=b"big/", range_end=b"big0")
        self.assertEqual([kv.value for kv in self.n3.call("KV.Range", everything).kvs], big)
        parts = self.n3.open("KV.RangeStream", everything)
        kvs = []
        while (part := parts.receive()) is not None:
            kvs += part.range_response.kvs
        self.assertEqual([kv.value for kv in kvs], big)

    def check_errors(self):
        """What is refused there is refused here, to the byte."""
        future = rpc.RangeRequest(key=b"k", revision=1 << 40)
        for name, request in (("KV.Range", future), ("KV.Put", rpc.PutRequest()),
                              ("KV.Put", rpc.PutRequest(key=b"k", value=b"x" * (3 << 20))),
                              ("Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=404)),
                              ("Auth.AuthEnable", rpc.AuthEnableRequest())):
            direct, here = (self.refusal(node.call, name, request) for node in (self.n1, self.n3))
            self.assertIsNotNone(direct, name)
            self.assertEqual(here, direct, name)

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
        loads = [routed.Load(connection, b"load/%d" % number)
                 for number, connection in enumerate((self.n3, self.n1, self.n3))]
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

    def test_who_leaves_is_gone(self):
        at = self.nodes.servers[0]
        before = self.watchers(at)
        stream = self.watch(self.n3, b"left")
        self.assertEqual(self.watchers(at), before + 1)
        stream.cancel()
        cases.eventually(lambda: self.watchers(at) == before, "the watch to end where it is served")
        # Waiting for a lock: by leaving, and by a deadline.
        self.n1.call("Lock.Lock", lock.LockRequest(name=b"busy"))
        waiting = self.n3.start("Lock.Lock", lock.LockRequest(name=b"busy"))
        cases.eventually(lambda: self.keys(b"busy/") == 2, "a waiter")
        waiting.cancel()
        cases.eventually(lambda: self.keys(b"busy/") == 1, "the waiter to go")
        began = time.monotonic()
        code, _ = self.refusal(self.n3.call, "Lock.Lock", lock.LockRequest(name=b"busy"), timeout_s=0.7)
        self.assertEqual(code, grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertLess(time.monotonic() - began, 5)
        cases.eventually(lambda: self.keys(b"busy/") == 1, "the waiter's time to be over")

    def test_slow_client(self):
        """Between it and the server lies a node that has no replica of its tenant: what grows there, waits there."""
        edge = self.nodes.servers[2]
        self.route(["n1"], "a")
        method = protos.METHODS["Watch.Watch"]
        channel = grpc.insecure_channel(edge.target, [("grpc.max_receive_message_length", -1)])
        self.addCleanup(channel.close)
        create = rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"slow"))
        ending = threading.Event()

        def requests():
            yield create
            ending.wait()
        self.addCleanup(ending.set)
        call = channel.stream_stream(method.path, request_serializer=method.request_type.SerializeToString,
                                     response_deserializer=method.response_type.FromString)(requests(), metadata=_OF_A)
        self.assertTrue(next(call).created)
        before, count = rss_mib(edge), 64
        for number in range(count):
            self.put(self.n1, b"%08d" % number + b"x" * (1 << 20), b"slow", metadata=_OF_A)
        self.assertLess(rss_mib(edge) - before, count / 4)
        seen = []
        while len(seen) < count:
            seen += [int(event.kv.value[:8]) for event in next(call).events]
        self.assertEqual(seen, list(range(count)))
        call.cancel()

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
        self.assertGreater(load.end(), 10)
        self.assertEqual(load.problems, [])

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
