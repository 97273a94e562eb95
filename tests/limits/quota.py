#!/usr/bin/python3
"""A storage quota that is used up, and every step of etcd's way out of it, with etcdctl. The same holds on a real etcd:

    tests/limits/quota.py --lattice PATH
    tests/limits/quota.py --server etcd
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, client, processes, protos, servers, tools  # noqa: E402

_QUOTA = 16 << 20
_VALUE = b"x" * (1 << 20)
_NO_SPACE = "etcdserver: mvcc: database space exceeded"

arguments = None


def make():
    if arguments.server == "etcd":
        return servers.make("etcd", durable=False, extra=["--quota-backend-bytes", str(_QUOTA)])
    return servers.make("sqlite", arguments.lattice, env={"LATTICE_TENANTS_DEFAULT_QUOTA_BYTES": str(_QUOTA)})


class Quota(unittest.TestCase):
    def setUp(self):
        self.server = make().start()
        self.addCleanup(self.server.remove)
        self.client = client.Client(self.server.target)
        self.addCleanup(self.client.close)

    def put(self, key, value):
        return self.client.call("KV.Put", protos.rpc.PutRequest(key=key, value=value))

    def refusal(self, method, message):
        with self.assertRaises(grpc.RpcError) as caught:
            self.client.call(method, message)
        return caught.exception.code(), caught.exception.details()

    def fill(self):
        """Puts until one is refused; how many were not."""
        for written in range(100):
            try:
                self.put(b"k%03d" % written, _VALUE)
            except grpc.RpcError as error:
                self.assertEqual((error.code(), error.details()), (grpc.StatusCode.RESOURCE_EXHAUSTED, _NO_SPACE))
                return written
        self.fail("nothing was refused")
        return None

    def ctl(self, *command, status=0):
        done = subprocess.run([shutil.which("etcdctl"), "--endpoints", self.server.target, *command],
                              capture_output=True, text=True, env=dict(os.environ, ETCDCTL_API="3"), timeout=60,
                              check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def health(self):
        try:
            with urllib.request.urlopen(f"http://{self.server.target}/health") as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def test_the_way_in_and_out(self):
        written = self.fill()
        # etcd counts when it has written, so a little more gets in.
        self.assertIn(written, range(8, 30) if self.server.is_etcd else [15])
        member = self.client.call("Maintenance.Status", protos.rpc.StatusRequest()).header.member_id
        alarm = f"memberID:{member} alarm:NOSPACE"
        self.assertEqual(self.ctl("alarm", "list").strip(), alarm)
        status = self.client.call("Maintenance.Status", protos.rpc.StatusRequest())
        self.assertEqual((list(status.errors), status.dbSizeQuota), ([alarm], _QUOTA))
        self.assertEqual(self.health(), {"health": "false", "reason": "ALARM NOSPACE"})
        self.assertEqual(self.refusal("KV.Put", protos.rpc.PutRequest(key=b"a")),
                         (grpc.StatusCode.RESOURCE_EXHAUSTED, _NO_SPACE))
        self.assertEqual(self.refusal("Lease.LeaseGrant", protos.rpc.LeaseGrantRequest(TTL=60)),
                         (grpc.StatusCode.RESOURCE_EXHAUSTED, _NO_SPACE))
        self.assertIn(_NO_SPACE, self.ctl("put", "a", "1", status=1))
        # A cleared alarm comes back while there is no room.
        self.ctl("alarm", "disarm")
        self.assertEqual(self.refusal("KV.Put", protos.rpc.PutRequest(key=b"a", value=_VALUE))[1], _NO_SPACE)
        self.assertEqual(self.ctl("alarm", "list").strip(), alarm)

        self.ctl("get", "k000")
        self.assertEqual(self.ctl("del", "k", "--prefix").strip(), str(written))
        revision = self.client.call("KV.Range", protos.rpc.RangeRequest(key=b"k")).header.revision
        self.ctl("compact", "--physical", str(revision))
        self.ctl("defrag")
        self.assertIn(_NO_SPACE, self.ctl("put", "a", "1", status=1))
        self.assertEqual(self.ctl("alarm", "disarm").strip(), alarm)
        self.assertEqual(self.ctl("alarm", "list").strip(), "")
        self.assertEqual(self.ctl("put", "a", "1").strip(), "OK")
        self.assertEqual(self.health(), {"health": "true", "reason": ""})
        again = self.fill()
        if not self.server.is_etcd:
            self.assertEqual(again, written)

    def test_it_survives_a_kill(self):
        self.fill()
        self.server.kill()
        self.server.start()
        self.assertIn("alarm:NOSPACE", self.ctl("alarm", "list"))
        self.assertIn(_NO_SPACE, self.ctl("put", "a", "1", status=1))


class Nodes(unittest.TestCase):
    def test_every_node_tells_and_clears_the_alarm(self):
        if arguments.server == "etcd":
            self.skipTest("about nodes on one PostgreSQL")
        database = servers.shared_postgres()
        nodes = servers.lattice_cluster(arguments.lattice, database.url(database.new_database()), 2,
                                        env={"LATTICE_TENANTS_DEFAULT_QUOTA_BYTES": "1000000"})
        self.addCleanup(nodes.remove)
        nodes.start()
        clients = [client.Client(node.target) for node in nodes.servers]
        for connection in clients:
            self.addCleanup(connection.close)
        put = protos.rpc.PutRequest(key=b"a", value=b"x" * 300_000)
        refused = []
        for i in range(8):
            try:
                clients[i % 2].call("KV.Put", put)
            except grpc.RpcError as error:
                refused.append(error.details())
        self.assertEqual(refused, [_NO_SPACE] * 5)
        # Each lists what it has applied, as etcd's members do.
        def alarms():
            return [list(connection.call("Maintenance.Alarm", protos.rpc.AlarmRequest()).alarms)
                    for connection in clients]

        cases.eventually(lambda: all(alarms()), "the alarm at each node", timeout_s=5)
        first, second = alarms()
        self.assertEqual(len(first), 1)
        self.assertEqual(first, second)
        leader = first[0].memberID
        # On a busy machine a node may for a moment not know who leads.
        cases.eventually(lambda: clients[0].call("Maintenance.Status", protos.rpc.StatusRequest()).leader == leader,
                         "the alarm's member leads")
        revision = clients[0].call("KV.Range", protos.rpc.RangeRequest(key=b"a")).header.revision
        clients[0].call("KV.Compact", protos.rpc.CompactionRequest(revision=revision, physical=True))
        for connection in clients:  # one of them does not lead; the second finds nothing to clear
            connection.call("Maintenance.Alarm", protos.rpc.AlarmRequest(
                action="DEACTIVATE", memberID=leader, alarm="NOSPACE"))
        for connection in clients:
            connection.call("KV.Put", put)


class Reload(unittest.TestCase):
    def test_the_quota_changes_without_a_restart(self):
        if arguments.server == "etcd":
            self.skipTest("etcd cannot")
        path = os.path.join(processes.scratch_folder("quota"), "lattice.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[tenants]\ndefault_quota_bytes = 1000\n")
        server = servers.make("sqlite", arguments.lattice, extra=["--config", path])
        self.addCleanup(server.remove)
        server.start()
        connection = client.Client(server.target)
        self.addCleanup(connection.close)
        put = protos.rpc.PutRequest(key=b"a", value=b"x" * 2000)
        with self.assertRaises(grpc.RpcError):
            connection.call("KV.Put", put)
        with open(path, "w", encoding="utf-8") as file:
            file.write("[tenants]\ndefault_quota_bytes = 1000000\n")
        server.process.send(signal.SIGHUP)
        server.process.wait_for_log(lambda line: "reloaded" in line and "default_quota_bytes" in line, 10)
        for alarm in connection.call("Maintenance.Alarm", protos.rpc.AlarmRequest()).alarms:
            connection.call("Maintenance.Alarm",
                            protos.rpc.AlarmRequest(action="DEACTIVATE", memberID=alarm.memberID, alarm=alarm.alarm))
        connection.call("KV.Put", put)
        status = connection.call("Maintenance.Status", protos.rpc.StatusRequest())
        self.assertEqual((status.dbSizeQuota, list(status.errors)), (1000000, []))


def main():
    global arguments
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", choices=["lattice", "etcd"], default="lattice")
    parser.add_argument("--lattice", help="the binary under test")
    arguments, rest = parser.parse_known_args()
    if shutil.which("etcdctl") is None:
        tools.skip("the way out of NOSPACE: needs etcdctl")
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)


if __name__ == "__main__":
    main()
