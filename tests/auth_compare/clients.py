#!/usr/bin/python3
"""Users and tokens as an operator meets them: etcdctl from `auth enable` on, tokens that end, restarts, and what SQL shows.

    clients.py --server sqlite|postgres --lattice PATH [--all]

On PostgreSQL each step asks the other one of two replicas. With --all JWTs are signed by three methods, without it by one.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, processes, protos, servers, tools  # noqa: E402
from world import World  # noqa: E402

rpc = protos.rpc
_TTL_S = 2
_ENV = {"LATTICE_AUTH_BCRYPT_COST": "4", "LATTICE_AUTH_TOKEN_TTL_SECONDS": str(_TTL_S)}
_arguments = None


class Auth(unittest.TestCase):
    """In this order: each test finds what the one before has left."""

    @classmethod
    def setUpClass(cls):
        cls.world = World(_arguments.server, _arguments.lattice, _ENV)
        ctl = cls.world.etcdctl
        cls.world.add_root()
        ctl("user", "add", "alice:alicepw")
        ctl("role", "add", "app")
        ctl("role", "grant-permission", "app", "--prefix=true", "readwrite", "/app/")
        ctl("user", "grant-role", "alice", "app")
        ctl("auth", "enable")

    @classmethod
    def tearDownClass(cls):
        cls.world.remove()

    def refused(self, text, *arguments, user=None):
        with self.assertRaises(RuntimeError) as caught:
            self.world.etcdctl(*arguments, user=user)
        self.assertIn(text, str(caught.exception))

    def log_in(self, name="alice", password="alicepw"):
        one = client.Client(self.world.target())
        try:
            return one.call("Auth.Authenticate", rpc.AuthenticateRequest(name=name, password=password)).token
        finally:
            one.close()

    def read(self, token, key=b"/app/1"):
        """The code with which a read by this token ends."""
        one = client.Client(self.world.target())
        try:
            one.call("KV.Range", rpc.RangeRequest(key=key), metadata=[("token", token)])
            return "OK"
        except grpc.RpcError as error:
            return error.code().name
        finally:
            one.close()

    def test_1_users_may_what_they_were_granted(self):
        ctl = self.world.etcdctl
        for _ in range(2):
            ctl("put", "/app/1", "value", user="alice:alicepw")
            self.assertIn("value", ctl("get", "/app/1", user="alice:alicepw"))
            self.refused("permission denied", "put", "/other", "value", user="alice:alicepw")
            self.refused("permission denied", "user", "list", user="alice:alicepw")
            self.refused("user name is empty", "get", "/app/1")
            self.refused("invalid user ID or password", "get", "/app/1", user="alice:wrong")
            self.assertIn("alice", ctl("user", "list", user="root:rootpw"))
        self.assertIn("/app/", ctl("role", "get", "app", user="alice:alicepw"))

    def test_2_tokens_slide_and_end(self):
        token = self.log_in()
        deadline = time.monotonic() + 1.5 * _TTL_S
        while time.monotonic() < deadline:
            for _ in self.world.servers:
                self.assertEqual(self.read(token), "OK")
            time.sleep(0.2)
        time.sleep(_TTL_S + 1)
        self.assertEqual(self.read(token), "UNAUTHENTICATED")

    def test_3_sql_shows_users_and_no_passwords(self):
        rows = self.world.sql("SELECT name, roles FROM users ORDER BY name")
        self.assertEqual([name for name, _roles in rows], ["alice", "root"])
        self.assertIn("app", rows[0][1])
        self.assertNotIn("$2a$", str(rows))
        rows = self.world.sql("SELECT name, permissions FROM roles")
        self.assertIn("readwrite /app/ /app0", rows[0][1])
        self.assertEqual(len(self.world.sql("SELECT enabled, auth_revision FROM auth")), 1)

    def test_4_compaction_and_restarts_keep_them(self):
        ctl = self.world.etcdctl
        for i in range(5):
            ctl("role", "add", f"gone{i}", user="root:rootpw")
            ctl("role", "delete", f"gone{i}", user="root:rootpw")
            ctl("put", "/app/1", str(i), user="alice:alicepw")
        ctl("compact", "6", "--physical=true", user="root:rootpw")
        before = ctl("role", "list", user="root:rootpw")
        for server in self.world.servers:
            server.kill()
        for server in self.world.servers:
            server.start()
        self.assertEqual(ctl("role", "list", user="root:rootpw"), before)
        self.refused("user name is empty", "get", "/app/1")
        self.assertIn("4", ctl("get", "/app/1", user="alice:alicepw"))
        # No password in a log (CVE-2021-28235).
        for server in self.world.servers:
            with open(server.log_path, encoding="utf-8") as file:
                log = file.read()
            self.assertNotIn("rootpw", log)
            self.assertNotIn("$2a$", log)

    def test_5_guessing_is_slowed_down(self):
        one = client.Client(self.world.servers[0].target)
        took = []
        for _ in range(8):
            began = time.monotonic()
            with self.assertRaises(grpc.RpcError):
                one.call("Auth.Authenticate", rpc.AuthenticateRequest(name="alice", password="guess"))
            took.append(time.monotonic() - began)
        one.close()
        self.assertGreater(took[-1], 0.3)

    def test_6_off_again(self):
        self.world.etcdctl("auth", "disable", user="root:rootpw")
        self.assertIn("4", self.world.etcdctl("get", "/app/1"))


class ApiTokens(unittest.TestCase):
    """Tokens of machines, made by `lattice token`. In this order, like the tests above."""

    clients = ()

    @classmethod
    def setUpClass(cls):
        cls.world = World(_arguments.server, _arguments.lattice, _ENV)
        ctl = cls.world.etcdctl
        cls.world.add_root()
        ctl("user", "add", "ci", "--no-password")
        for role in ("build", "deploy"):
            ctl("role", "add", role)
            ctl("role", "grant-permission", role, "--prefix=true", "readwrite", f"/{role}/")
            ctl("user", "grant-role", "ci", role)
        ctl("auth", "enable")
        cls.connect()

    @classmethod
    def connect(cls):
        for one in cls.clients:
            one.close()
        cls.clients = [client.Client(server.target) for server in cls.world.servers]

    @classmethod
    def tearDownClass(cls):
        for one in cls.clients:
            one.close()
        cls.world.remove()

    def command(self, *arguments, user="root:rootpw", target=None):
        """`lattice token ...`: (status, standard output, standard error)."""
        command = [_arguments.lattice, "token", *arguments, "--endpoint", target or self.world.target()]
        env = {**os.environ, "ETCDCTL_USER": user}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=env)
        return done.returncode, done.stdout, done.stderr

    def make(self, *arguments):
        """(id, token)"""
        status, output, complaint = self.command("create", "ci", "--output", "json", *arguments)
        self.assertEqual(status, 0, complaint)
        made = json.loads(output)
        return made["id"], made["token"]

    def listed(self):
        status, output, complaint = self.command("list", "--output", "json")
        self.assertEqual(status, 0, complaint)
        return {token["id"]: token for token in json.loads(output)["tokens"]}

    def ends(self, token, name="KV.Range", request=rpc.RangeRequest(key=b"/build/1"), field="token"):
        """How a call by it ends; a list where the servers do not agree."""
        found = []
        for one in self.clients:
            try:
                one.call(name, request, metadata=[(field, token)])
                found.append("OK")
            except grpc.RpcError as error:
                found.append(error.code().name)
        return found[0] if len(set(found)) == 1 else found

    def watch(self, token):
        watch = self.clients[-1].open("Watch.Watch", metadata=[("token", token)])
        watch.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"/build/1")))
        self.assertTrue(watch.receive().created)
        return watch

    def test_1_act_for_their_user_or_for_less(self):
        _id, token = self.make("--comment", "a test")
        self.assertTrue(token.startswith("lat_"))
        self.assertEqual(self.ends(token), "OK")
        self.assertEqual(self.ends("Bearer " + token, field="authorization"), "OK")
        self.assertEqual(self.ends(token, "KV.Put", rpc.PutRequest(key=b"/build/1")), "OK")
        self.assertEqual(self.ends(token, "KV.Put", rpc.PutRequest(key=b"/other")), "PERMISSION_DENIED")
        self.assertEqual(self.ends(token[:-1] + ("A" if token[-1] != "A" else "B")), "UNAUTHENTICATED")
        _id, confined = self.make("--role", "deploy")
        self.assertEqual(self.ends(confined), "PERMISSION_DENIED")
        self.assertEqual(self.ends(confined, "KV.Put", rpc.PutRequest(key=b"/deploy/1")), "OK")
        _id, reader = self.make("--read-only", "--expires", "never")
        self.assertEqual(self.ends(reader), "OK")
        self.assertEqual(self.ends(reader, "KV.Put", rpc.PutRequest(key=b"/build/1")), "PERMISSION_DENIED")
        self.assertEqual(self.ends(reader, "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=10)), "PERMISSION_DENIED")
        self.world.etcdctl("put", "/build/1", "by a real client", token=token)
        self.assertIn("by a real client", self.world.etcdctl("get", "/build/1", token=reader))

    def test_2_a_revocation_holds_at_once_everywhere(self):
        for _ in range(5):
            number, token = self.make()
            self.assertEqual(self.ends(token), "OK")
            watches = [self.watch(token) for _ in self.clients]
            self.assertEqual(self.command("revoke", number)[:2], (0, "revoked\n"))
            self.assertEqual(self.ends(token), "UNAUTHENTICATED")
            for watch in watches:
                self.assertEqual((watch.ended() or ["open"])[0], grpc.StatusCode.UNAUTHENTICATED)
        self.assertEqual(self.command("revoke", number)[0], 1)
        _id, token = self.make()
        self.assertEqual(self.command("revoke", token)[0], 0)
        self.assertEqual(self.ends(token), "UNAUTHENTICATED")

    def test_3_they_end_in_time(self):
        _id, token = self.make("--expires", "2s")
        watch = self.watch(token)
        self.assertEqual(self.ends(token), "OK")
        time.sleep(2.5)
        self.assertEqual(self.ends(token), "UNAUTHENTICATED")
        self.assertEqual((watch.ended() or ["open"])[0], grpc.StatusCode.UNAUTHENTICATED)

    def test_4_what_is_shown_of_them(self):
        number, token = self.make("--comment", "shown", "--role", "build", "--expires", "1d")
        shown = self.listed()[number]
        self.assertEqual((shown["user"], shown["roles"], shown["comment"], shown["read_only"]),
                         ("ci", ["build"], "shown", False))
        rows = self.world.sql(f"SELECT user_name, comment, roles FROM tokens WHERE id = '{number}'")
        self.assertEqual([rows[0][0], rows[0][1]], ["ci", "shown"])
        self.assertIn("build", rows[0][2])
        everything = str(self.world.sql("SELECT * FROM tokens")) + self.command("list")[1]
        self.assertNotIn(hashlib.sha256(token.encode()).hexdigest(), everything)
        self.assertNotIn(token, everything)
        for server in self.world.servers:
            with open(server.log_path, encoding="utf-8") as file:
                self.assertNotIn("lat_", file.read())

    def test_5_compaction_and_restarts_keep_them(self):
        _id, token = self.make()
        before = self.listed()
        self.world.etcdctl("compact", "2", "--physical=true", user="root:rootpw")
        for server in self.world.servers:
            server.kill()
        for server in self.world.servers:
            server.start()
        self.connect()
        self.assertEqual(self.listed(), before)
        self.assertEqual(self.ends(token), "OK")

    def test_6_who_may_manage_them(self):
        self.assertEqual(self.command("list", user="")[0], 1)
        self.assertIn("invalid user ID or password", self.command("list", user="root:wrong")[2])
        _id, token = self.make()
        self.assertIn("permission denied", self.command("list", "--token", token, user="")[2])
        _status, roots, _text = self.command("create", "root")
        self.assertEqual(self.command("list", "--token", roots.strip(), user="")[0], 0)
        self.assertIn("user name not found", self.command("create", "nobody")[2])
        self.assertIn("role is not granted", self.command("create", "ci", "--role", "root")[2])
        self.assertEqual(self.command("list", target="127.0.0.1:1")[0], 69)

    def test_7_while_authentication_is_off(self):
        _id, token = self.make()
        _id, other = self.make()
        self.world.etcdctl("auth", "disable", user="root:rootpw")
        self.assertEqual(self.ends(token, "KV.Put", rpc.PutRequest(key=b"/other")), "OK")
        self.assertEqual(self.command("revoke", other)[0], 0)
        self.world.etcdctl("auth", "enable")
        self.assertEqual(self.ends(token), "OK")
        self.assertEqual(self.ends(other), "UNAUTHENTICATED")
        self.world.etcdctl("user", "delete", "ci", user="root:rootpw")
        self.assertEqual(self.ends(token), "UNAUTHENTICATED")
        self.world.etcdctl("user", "add", "ci", "--no-password", user="root:rootpw")
        self.assertEqual(self.ends(token), "UNAUTHENTICATED")


class Jwt(unittest.TestCase):
    """Tokens of a real etcd with the same keys are good here, and ours there."""

    def setUp(self):
        if _arguments.server != "sqlite":
            self.skipTest("the store makes no difference to JWTs: tested on SQLite")
        self.folder = processes.scratch_folder("jwt")
        self.addCleanup(processes.remove_folder, self.folder)

    def make_keys(self, *algorithm):
        paths = [os.path.join(self.folder, name) for name in ("key.pem", "pub.pem")]
        subprocess.run(["openssl", "genpkey", "-out", paths[0], "-algorithm", *algorithm], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", paths[0], "-pubout", "-out", paths[1]], check=True)
        return f"pub-key={paths[1]},priv-key={paths[0]}"

    def start(self, kind, option):
        server = servers.make(kind, _arguments.lattice, durable=False,
                              extra=["--auth-token", option, "--bcrypt-cost", "4"] if kind == "etcd" else (),
                              env={"LATTICE_AUTH_TOKEN": option, "LATTICE_AUTH_BCRYPT_COST": "4"}).start()
        self.addCleanup(server.remove)
        one = client.Client(server.target)
        self.addCleanup(one.close)
        one.call("Auth.UserAdd", rpc.AuthUserAddRequest(name="root", password="pw"))
        one.call("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="root", role="root"))
        one.call("Auth.AuthEnable", rpc.AuthEnableRequest())
        return one

    def code(self, one, token):
        try:
            one.call("KV.Range", rpc.RangeRequest(key=b"a"), metadata=[("token", token)])
            return "OK"
        except grpc.RpcError as error:
            return error.details()

    def test_tokens_are_etcds(self):
        methods = (("ES384", ("EC", "-pkeyopt", "ec_paramgen_curve:P-384")), ("PS256", ("RSA",)), ("EdDSA", ("ED25519",)))
        for method, algorithm in methods if _arguments.all else methods[:1]:
            option = f"jwt,{self.make_keys(*algorithm)},sign-method={method},ttl=1m"
            etcd, mine = self.start("etcd", option), self.start(_arguments.server, option)
            for maker in (etcd, mine):
                token = maker.call("Auth.Authenticate", rpc.AuthenticateRequest(name="root", password="pw")).token
                self.assertEqual([self.code(etcd, token), self.code(mine, token)], ["OK", "OK"], method)
                bad = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
                self.assertEqual([self.code(etcd, bad), self.code(mine, bad)], ["etcdserver: invalid auth token"] * 2)
            for one in (etcd, mine):
                one.call("Auth.RoleAdd", rpc.AuthRoleAddRequest(name="r"), metadata=[("token", token)])
                self.assertEqual(self.code(one, token), "etcdserver: revision of auth store is old")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("sqlite", "postgres"), required=True)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--all", action="store_true")
    _arguments, rest = parser.parse_known_args()
    tools.skip_without_go("etcdctl")
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)
