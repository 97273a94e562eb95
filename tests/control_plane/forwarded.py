"""What tests share of requests that nodes pass on: what passes through, whatever lies between the nodes."""

import re
import threading
import time

import grpc

import routed
from harness import cases, protos

rpc, lock = protos.rpc, protos.lock
EPOCH, OF_A = routed.EPOCH, routed.OF_A


def rss_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024


class ForwardedTest(routed.RoutedTest):
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
                                     response_deserializer=method.response_type.FromString)(requests(), metadata=OF_A)
        self.assertTrue(next(call).created)
        before, count = rss_mib(edge), 64
        for number in range(count):
            self.put(self.n1, b"%08d" % number + b"x" * (1 << 20), b"slow", metadata=OF_A)
        self.assertLess(rss_mib(edge) - before, count / 4)
        seen = []
        while len(seen) < count:
            seen += [int(event.kv.value[:8]) for event in next(call).events]
        self.assertEqual(seen, list(range(count)))
        call.cancel()
