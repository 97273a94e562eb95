#!/usr/bin/python3
"""curl against the one port: HTTP/1.1, HTTP/2 with prior knowledge, the metrics port; gzip on gRPC calls.

    tests/conformance/curl.py --server KIND --lattice PATH
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, protos, raw_h2, suite  # noqa: E402

rpc = protos.rpc


class Curl(unittest.TestCase):
    def curl(self, path, *options, port=None):
        done = subprocess.run(["curl", "-sS", "--max-time", "10", *options,
                               f"http://127.0.0.1:{port or suite.server.port}{path}"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_health(self):
        self.assertEqual(self.curl("/health"), b'{"health":"true","reason":""}')
        self.assertEqual(self.curl("/livez"), b"ok\n")
        self.assertEqual(self.curl("/readyz"), b"ok\n")
        self.assertIn(b"HTTP/1.1 405", self.curl("/health", "-i", "-X", "POST"))

    def test_healthz(self):
        if suite.server.is_etcd:
            self.skipTest("etcd has no /healthz")
        self.assertIn(b"200", self.curl("/healthz", "-i"))

    def test_version(self):
        version = json.loads(self.curl("/version"))
        self.assertLessEqual({"etcdserver", "etcdcluster"}, set(version))

    def test_metrics(self):
        self.assertIn(b"# TYPE etcd_server_has_leader gauge", self.curl("/metrics"))
        if not suite.server.is_etcd:
            self.assertIn(b"etcd_server_has_leader 1", self.curl("/metrics", port=suite.server.metrics_port))
            self.assertEqual(self.curl("/health", port=suite.server.metrics_port), self.curl("/health"))

    def test_several_requests_on_one_connection(self):
        url = f"http://127.0.0.1:{suite.server.port}"
        done = subprocess.run(["curl", "-sS", "-v", url + "/health", url + "/nothing", url + "/version"],
                              capture_output=True, check=True)
        self.assertIn(b"404", done.stderr + done.stdout)
        self.assertEqual(done.stderr.count(b"Re-using existing connection"), 2)

    def test_upgrade_is_passed_over(self):
        self.assertIn(b"HTTP/1.1 200", self.curl("/health", "-i", "--http2"))

    def test_grpc_by_curl(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(raw_h2.message_frame(rpc.PutRequest(key=b"curl", value=b"1").SerializeToString()))
            file.flush()
            answer = self.curl("/etcdserverpb.KV/Put", "--http2-prior-knowledge", "-H", "content-type: application/grpc",
                               "-H", "te: trailers", "--data-binary", "@" + file.name, "--raw", "-i")
        self.assertIn(b"HTTP/2 200", answer)
        self.assertIn(b"grpc-status: 0", answer)
        self.assertIn(b"content-type: application/grpc", answer)

    def test_gzip_calls(self):
        connection = client.Client(suite.server.target)
        self.addCleanup(connection.close)
        value = b"compress me " * 20_000
        connection.call("KV.Put", rpc.PutRequest(key=b"gzip", value=value), compression=grpc.Compression.Gzip)
        answer = connection.call("KV.Range", rpc.RangeRequest(key=b"gzip"), compression=grpc.Compression.Gzip)
        self.assertEqual(answer.kvs[0].value, value)

    def test_a_small_message_that_inflates_beyond_the_limit(self):
        bomb = gzip.compress(rpc.PutRequest(key=b"bomb", value=b"\0" * (64 << 20)).SerializeToString())
        answer = raw_h2.call(suite.server.target, "/etcdserverpb.KV/Put", raw_h2.message_frame(bomb, compressed=1),
                             headers={"grpc-encoding": "gzip"}, timeout_s=10)
        self.assertEqual(answer.code, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], answer)

    def test_services_of_later_are_unimplemented(self):
        if suite.server.is_etcd:
            self.skipTest("etcd has them all")
        connection = client.Client(suite.server.target)
        self.addCleanup(connection.close)
        for name in ("Cluster.MemberAdd", "Cluster.MemberUpdate", "Cluster.MemberRemove", "Maintenance.Downgrade"):
            with self.subTest(name), self.assertRaises(grpc.RpcError) as raised:
                connection.call(name, protos.METHODS[name].request_type())
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


if __name__ == "__main__":
    suite.main(__name__, __doc__)
