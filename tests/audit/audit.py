#!/usr/bin/python3
"""Exactly one line for each change, log-in and refusal, and no value or password anywhere:

    audit.py --server sqlite|postgres --lattice PATH

On PostgreSQL each step asks the other one of two replicas, so that half of the changes are forwarded to the leader.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, client, protos, tools  # noqa: E402
from nodes import Nodes, decoded  # noqa: E402

rpc = protos.rpc
_arguments = None
# In every value and password here; it must not be in any file.
_SECRET = "hush"
_CODES = {"OK": "ok", "PermissionDenied": "refused", "Unauthenticated": "refused", "ResourceExhausted": "refused"}


class Audit(unittest.TestCase):
    """In this order: each test finds what the one before has left."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = Nodes(_arguments.server, _arguments.lattice)
        cls.nodes.all.start()
        cls.etcdctl = tools.build_go("etcdctl")

    @classmethod
    def tearDownClass(cls):
        cls.nodes.all.remove()

    def connect(self, server):
        connection = client.Client(server.target)
        self.addCleanup(connection.close)
        return connection

    def ctl(self, *arguments, stdin="", fails=False):
        server = self.nodes.next()
        done = subprocess.run([self.etcdctl, "--endpoints", server.target, *arguments], capture_output=True, text=True,
                              check=False, timeout=30, input=stdin)
        self.assertEqual(done.returncode != 0, fails, done.stdout + done.stderr)
        return done.stdout

    def expect(self, *wanted):
        """The lines since the last call are these and no others: each has these fields, and came from the node asked."""
        found = self.nodes.lines(len(wanted))
        for (number, line), fields in zip(found, wanted):
            self.assertEqual({name: line.get(name) for name in fields}, fields, line)
            self.assertEqual((number, line["node"]), (self.nodes.turn, f"n{number}"))
            self.assertRegex(line["ts"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertRegex(line["remote"], r"^127\.0\.0\.1:\d+$")
            self.assertEqual(line["outcome"], _CODES.get(line["code"], "refused"), line)
            if line["event"] == "change" and line["outcome"] == "ok":
                self.assertIn("took_ms", line)
        self.assertEqual(len(found), len(wanted), found)
        return [line for _number, line in found]

    def change(self, op, **fields):
        return {"event": "change", "op": op, "code": "OK", "tenant": "default", **fields}

    def test_01_keys(self):
        self.ctl("put", "a", _SECRET)
        self.expect(self.change("put", key="a", revision=2, auth="none", method="/etcdserverpb.KV/Put"))
        self.ctl("get", "a")  # no line
        self.ctl("del", "a", "c")
        self.expect(self.change("delete", key="a", range_end="c", deleted=1, revision=3))
        self.ctl("txn", stdin=f'value("a") = "{_SECRET}"\n\nput yes {_SECRET}\n\nput no {_SECRET}\ndel x\n\n')
        self.expect(self.change("txn", branch="failure", revision=4,
                                ops=[{"op": "put", "key": "no"}, {"op": "delete", "key": "x"}]))
        self.ctl("txn", stdin='version("nothing") = "0"\n\nget a\n\nput b 1\n\n')  # changes nothing: no line
        self.ctl("compaction", "4")
        self.expect(self.change("compact", compact_revision=4, revision=4))

    def test_02_any_bytes(self):
        connection = self.connect(self.nodes.next())
        key = bytes(range(256)) + '\\x41 "ü" \u202e'.encode()
        connection.call("KV.Put", rpc.PutRequest(key=key, value=_SECRET.encode()), metadata=[("x-request-id", "r\"1")])
        line, = self.expect(self.change("put", request_id='r"1'))
        self.assertEqual(decoded(line["key"]), key)
        connection.call("KV.Put", rpc.PutRequest(key=b"k" * 100_000))
        line, = self.expect(self.change("put", key_bytes=100_000))
        self.assertEqual(line["key"], "k" * 1024)

    def test_03_transactions(self):
        connection = self.connect(self.nodes.next())
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=b"n", value=_SECRET.encode()))
        nested = rpc.TxnRequest(compare=[rpc.Compare(key=b"?", target="VERSION", version=7)], success=[put],
                                failure=[rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=b"m"))])
        connection.call("KV.Txn", rpc.TxnRequest(success=[rpc.RequestOp(request_txn=nested), rpc.RequestOp(
            request_put=rpc.PutRequest(key=b"o"))]))
        self.expect(self.change("txn", branch="success",
                                ops=[{"op": "delete", "key": "m"}, {"op": "put", "key": "o"}]))
        puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=b"p%d" % number)) for number in range(100)]
        connection.call("KV.Txn", rpc.TxnRequest(success=puts))
        line, = self.expect(self.change("txn", ops_total=100))
        self.assertEqual(len(line["ops"]), 64)

    def test_04_leases(self):
        lease = self.ctl("lease", "grant", "100").split()[1]
        self.expect(self.change("lease_grant", lease=lease, ttl=100))
        self.ctl("put", "leased", _SECRET, f"--lease={lease}")
        self.expect(self.change("put", key="leased", lease=lease))
        self.ctl("lease", "keep-alive", lease, "--once")  # no line
        self.ctl("lease", "revoke", lease)
        self.expect(self.change("lease_revoke", lease=lease))
        with self.assertRaises(grpc.RpcError):
            self.connect(self.nodes.next()).call("Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=5))
        number, line = self.nodes.lines(1)[0]
        self.assertEqual((number, line["op"], line["outcome"], line["code"], line["lease"]),
                         (self.nodes.turn, "lease_revoke", "failed", "NotFound", "%016x" % 5))

    def test_05_a_lock_is_three_changes(self):
        self.ctl("lock", "l", "true")
        key = self.expect(self.change("lease_grant", ttl=10), self.change("txn", method="/etcdserverpb.KV/Txn"),
                          self.change("delete", deleted=1))[2]["key"]
        self.assertTrue(key.startswith("l/"))
        # The service of the same name makes the same changes in one call.
        connection = self.connect(self.nodes.next())
        own = connection.call("Lock.Lock", protos.lock.LockRequest(name=b"m")).key.decode()
        _grant, txn = self.expect(self.change("lease_grant", ttl=60, method="/v3lockpb.Lock/Lock"),
                                  self.change("txn", method="/v3lockpb.Lock/Lock"))
        self.assertEqual([each["key"] for each in txn["ops"]], [own])
        connection.call("Lock.Unlock", protos.lock.UnlockRequest(key=own.encode()))
        self.expect(self.change("delete", key=own, method="/v3lockpb.Lock/Unlock"))

    def test_06_tenants(self):
        for tenant, code in (("other", "OK"), ("nobody", "PermissionDenied")):
            connection = self.connect(self.nodes.next())
            try:
                connection.call("KV.Put", rpc.PutRequest(key=b"t", value=_SECRET.encode()),
                                metadata=[("lattice-tenant", tenant)])
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.PERMISSION_DENIED)
            if code == "OK":
                self.expect({"event": "change", "op": "put", "key": "t", "tenant": "other", "code": code, "revision": 2})
            else:
                line, = self.expect({"event": "refusal", "key": "t", "code": code, "method": "/etcdserverpb.KV/Put"})
                self.assertNotIn("tenant", line)
                self.assertIn("nobody", line["error"])

    def test_07_maintenance(self):
        self.ctl("defrag")
        self.expect(self.change("defragment"))
        # A cleared alarm is a change even if there was none.
        self.connect(self.nodes.next()).call("Maintenance.Alarm", rpc.AlarmRequest(action="DEACTIVATE", alarm="NOSPACE"))
        self.expect(self.change("alarm_clear", alarm="NOSPACE"))

    def test_08_users_and_roles(self):
        for name in ("root", "bob"):
            self.ctl("user", "add", f"{name}:{_SECRET}{name}")
            self.expect(self.change("user_add", target_user=name))
        self.ctl("user", "passwd", "bob", "--interactive=false", stdin=f"{_SECRET}2")
        self.expect(self.change("user_change_password", target_user="bob"))
        self.ctl("user", "add", "nopass", "--no-password")
        self.expect(self.change("user_add", target_user="nopass", no_password=True))
        self.ctl("user", "delete", "nopass")
        self.expect(self.change("user_delete", target_user="nopass"))
        self.ctl("user", "grant-role", "root", "root")
        self.expect(self.change("user_grant_role", target_user="root", target_role="root"))
        self.ctl("role", "add", "app")
        self.expect(self.change("role_add", target_role="app"))
        self.ctl("role", "grant-permission", "app", "readwrite", "/app/", "/app0")
        self.expect(self.change("role_grant_permission", target_role="app", permission="readwrite", key="/app/",
                                range_end="/app0"))
        self.ctl("user", "grant-role", "bob", "app")
        self.expect(self.change("user_grant_role", target_user="bob", target_role="app"))
        self.ctl("auth", "enable")
        self.expect(self.change("auth_enable"))

    def login(self, name):
        return {"event": "login", "target_user": name, "code": "OK", "tenant": "default"}

    def refusal(self, code, **fields):
        return {"event": "refusal", "code": code, "tenant": "default", **fields}

    def test_09_who_may_and_who_may_not(self):
        bob = f"--user=bob:{_SECRET}2"
        self.ctl(bob, "put", "/app/1", _SECRET)
        self.expect(self.login("bob"), self.change("put", key="/app/1", auth="token", user="bob"))
        self.ctl(bob, "put", "/other", _SECRET, fails=True)
        self.expect(self.login("bob"), self.change("put", key="/other", code="PermissionDenied", user="bob"))
        self.ctl(bob, "get", "/other", "/z", fails=True)
        self.expect(self.login("bob"), self.refusal("PermissionDenied", key="/other", range_end="/z", user="bob",
                                                    method="/etcdserverpb.KV/Range"))
        self.ctl(bob, "user", "add", f"eve:{_SECRET}", fails=True)
        self.expect(self.login("bob"), self.refusal("PermissionDenied", target_user="eve", user="bob"))
        self.ctl(bob, "role", "delete", "app", fails=True)
        self.expect(self.login("bob"), self.change("role_delete", target_role="app", code="PermissionDenied"))
        self.ctl(f"--user=bob:{_SECRET}wrong", "get", "/app/1", fails=True)
        self.expect(self.refusal("InvalidArgument", method="/etcdserverpb.Auth/Authenticate", target_user="bob"))
        self.ctl("put", "/app/1", _SECRET, fails=True)
        self.expect(self.change("put", code="InvalidArgument", auth="none", error="etcdserver: user name is empty"))

    def test_10_tokens(self):
        connection = self.connect(self.nodes.next())
        with self.assertRaises(grpc.RpcError):
            connection.call("KV.Range", rpc.RangeRequest(key=b"/app/1"), metadata=[("token", f"{_SECRET}.7")])
        line, = self.expect(self.refusal("Unauthenticated", key="/app/1", auth="invalid_token"))
        self.assertNotIn("user", line)
        token = connection.call("Auth.Authenticate", rpc.AuthenticateRequest(name="bob", password=f"{_SECRET}2")).token
        self.expect(self.login("bob"))
        watch = connection.open("Watch.Watch", metadata=[("token", token)])
        self.addCleanup(watch.cancel)
        for key in (b"/app/1", b"/secret"):
            watch.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=key)))
            watch.receive()
        self.expect(self.refusal("PermissionDenied", key="/secret", user="bob", method="/etcdserverpb.Watch/Watch"))
        for path in (self.nodes.path(number) for number in range(len(self.nodes.servers))):
            with open(path, encoding="ascii") as file:
                self.assertNotIn(token, file.read())

    def test_11_a_client_that_leaves_is_told_of_all_the_same(self):
        connection = self.connect(self.nodes.next())
        token = connection.call("Auth.Authenticate", rpc.AuthenticateRequest(name="bob", password=f"{_SECRET}2")).token
        self.expect(self.login("bob"))
        for number in range(20):
            future = connection.start("KV.Put", rpc.PutRequest(key=b"/app/gone%d" % number, value=b"x" * 1000),
                                      metadata=[("token", token)])
            time.sleep(0.001)
            future.cancel()
        time.sleep(0.3)
        there = {each.key.decode() for each in connection.call(
            "KV.Range", rpc.RangeRequest(key=b"/app/gone", range_end=b"/app/gonf"), metadata=[("token", token)]).kvs}
        told = [line for _number, line in self.nodes.lines(timeout_s=0.1)]
        self.assertEqual({line["key"] for line in told}, there)
        self.assertEqual(len(told), len(there))

    def test_12_renamed(self):
        bob = f"--user=bob:{_SECRET}2"
        for number, server in enumerate(self.nodes.servers):
            os.rename(self.nodes.path(number), self.nodes.path(number) + ".1")
            self.nodes.read[number] = 0
            server.process.send(signal.SIGHUP)
            cases.eventually(lambda n=number: os.path.exists(self.nodes.path(n)), "a new file")
        self.ctl(bob, "put", "/app/1", _SECRET)
        self.expect(self.login("bob"), self.change("put", key="/app/1"))

    def test_13_no_value_and_no_password(self):
        self.assertEqual(self.nodes.lines(timeout_s=0.1), [])
        files = os.listdir(self.nodes.folder)
        self.assertEqual(len(files), 2 * len(self.nodes.servers))
        for name in files:
            with open(os.path.join(self.nodes.folder, name), encoding="ascii") as file:
                self.assertNotIn(_SECRET, file.read())


def main():
    global _arguments
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--server", choices=["sqlite", "postgres"], required=True)
    parser.add_argument("--lattice", required=True)
    _arguments, rest = parser.parse_known_args()
    tools.skip_without_go("the audit log with etcdctl")
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)


if __name__ == "__main__":
    main()
