#!/usr/bin/python3
"""What the audit log says of those who are turned away before anything else, and what it turns away itself:

    turned_away.py --lattice PATH
"""

import os
import shutil
import subprocess
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, processes, protos, tools  # noqa: E402
from nodes import Nodes  # noqa: E402

rpc = protos.rpc
_SECRET = "hush"


class TurnedAway(cases.ServerTest):
    def nodes(self, **environment):
        made = Nodes("sqlite", self.lattice, **environment)
        self.addCleanup(made.all.remove)
        return made

    def test_requests_over_the_rate(self):
        nodes = self.nodes(LATTICE_TENANTS_DEFAULT_QPS_LIMIT="1", LATTICE_TENANTS_DEFAULT_QPS_BURST="1",
                      LATTICE_TENANTS_LIMIT_GRACE_MS="0")
        nodes.all.start()
        connection = self.connect(nodes.servers[0])
        refused = 0
        for number in range(10):
            try:
                connection.call("KV.Put", rpc.PutRequest(key=b"k%d" % number, value=_SECRET.encode()))
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                refused += 1
        self.assertGreater(refused, 0)
        lines = [line for _number, line in nodes.lines(10)]
        self.assertEqual([line["key"] for line in lines], [f"k{number}" for number in range(10)])
        self.assertEqual(sum(line["event"] == "refusal" and line["code"] == "ResourceExhausted" for line in lines),
                         refused)

    def test_required(self):
        nodes = self.nodes(LATTICE_AUDIT_REQUIRED="true")
        os.symlink("/dev/full", nodes.path(0))
        nodes.all.start()
        server = nodes.servers[0]
        connection = self.connect(server)
        connection.call("KV.Put", rpc.PutRequest(key=b"a"))  # nobody knows of the disk yet
        server.process.wait_for_log(lambda line: "the audit log cannot be written" in line, 10)
        with self.assertRaises(grpc.RpcError) as caught:
            connection.call("KV.Put", rpc.PutRequest(key=b"b"))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("the audit log takes no more lines", caught.exception.details())
        kept = connection.call("KV.Range", rpc.RangeRequest(key=b"a", range_end=b"z"))
        self.assertEqual([each.key for each in kept.kvs], [b"a"])
        os.remove(nodes.path(0))
        server.process.wait_for_log(lambda line: "the audit log is written again" in line, 10)
        connection.call("KV.Put", rpc.PutRequest(key=b"c"))
        self.assertEqual([line["key"] for _number, line in nodes.lines(2)], ["a", "c"])

    def test_who_has_no_certificate(self):
        folder = processes.scratch_folder("audit-tls")
        subprocess.run([self.lattice, "certs", "init", "--dir", f"{folder}/pki", "--client", "alice"], check=True,
                       capture_output=True)
        nodes = self.nodes(LATTICE_LISTENERS_GRPC_TLS_CHAIN_PATH=f"{folder}/pki/server.crt",
                      LATTICE_LISTENERS_GRPC_TLS_KEY_PATH=f"{folder}/pki/server.key",
                      LATTICE_LISTENERS_GRPC_CLIENT_CA_PATH=f"{folder}/pki/ca.crt")
        nodes.all.start()
        server = nodes.servers[0]
        command = [tools.build_go("etcdctl"), f"--endpoints=https://127.0.0.1:{server.port}", "--cacert",
                   f"{folder}/pki/ca.crt", "--command-timeout=2s"]
        good = ["--cert", f"{folder}/pki/client.crt", "--key", f"{folder}/pki/client.key"]
        subprocess.run(command + good + ["put", "a", _SECRET], check=True, capture_output=True)
        self.assertNotEqual(subprocess.run(command + ["put", "b", _SECRET], check=False, capture_output=True).returncode, 0)
        lines = [line for _number, line in nodes.lines(2)]
        self.assertEqual((lines[0]["op"], lines[0]["certificate"], lines[0]["auth"], lines[0]["user"]),
                         ("put", "alice", "certificate", "alice"))
        self.assertEqual((lines[1]["event"], lines[1]["method"], lines[1]["code"]),
                         ("refusal", "/etcdserverpb.KV/Put", "Unauthenticated"))
        done = subprocess.run(["curl", "-sk", f"https://127.0.0.1:{server.port}/metrics"], check=True,
                              capture_output=True, text=True)
        self.assertIn("certificate", done.stdout)
        self.assertEqual(nodes.lines(1)[0][1]["method"], "/metrics")
        # One whose authority is another.
        subprocess.run([self.lattice, "certs", "init", "--dir", f"{folder}/evil"], check=True, capture_output=True)
        shutil.copy(f"{folder}/pki/ca.crt", f"{folder}/evil/ca.crt")
        subprocess.run(["curl", "-s", "--cacert", f"{folder}/pki/ca.crt", "--cert", f"{folder}/evil/client.crt", "--key",
                        f"{folder}/evil/client.key", f"https://127.0.0.1:{server.port}/version"], check=False,
                       capture_output=True)
        line = nodes.lines(1)[0][1]
        self.assertEqual((line["event"], line["reason"], line["outcome"]),
                         ("connection", "peer_certificate", "refused"))


if __name__ == "__main__":
    tools.skip_without_go("the audit log with etcdctl")
    cases.main(__doc__)
