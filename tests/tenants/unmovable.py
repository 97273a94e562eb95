#!/usr/bin/python3
"""What `lattice tenant move` refuses to move, and what its refusals say to do instead, done.

    tests/tenants/unmovable.py --lattice PATH
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import moved  # noqa: E402
from harness import cases, paths, processes, protos, servers  # noqa: E402

rpc = protos.rpc
_STEPS = 'docs/guide.md, "What cannot be moved", '


class Unmovable(moved.MovingTest):
    @classmethod
    def setUpClass(cls):
        cls.clusters = [servers.shared_postgres(), servers.shared_postgres()]

    def run_lattice(self, *arguments, status=0):
        done = subprocess.run([self.lattice, *arguments], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_an_embedded_file(self):
        server = self.server("sqlite", extra=["--config", self.file])

        def tenant(*arguments, status=0):
            return self.run_lattice("tenant", *arguments, "--config", self.file, *server.where(), status=status)
        tenant("create", "a")
        tenant("create", "far", "--backend", "b")
        connection = self.connect(server)
        self.served(connection)
        before = tenant("list")
        for _ in range(2):  # beside the process that has the file, and without one
            for name, to in (("a", "b"), ("default", "b"), ("far", "default")):
                said = tenant("move", name, "--to", to, status=78)
                self.assertIn('only tenants in PostgreSQL can be moved, to another PostgreSQL; backend "default" is an '
                              "embedded file. `etcdctl make-mirror` copies keys", said)
                self.assertIn(_STEPS, said)
            self.assertEqual(tenant("list"), before)
            connection.close()
            server.stop()

    # ---- The steps ----

    def mirror(self, source, target):
        """etcdctl make-mirror between the two, until it is stopped."""
        log = os.path.join(self.folder, "mirror.log")
        mirror = processes.Process("make-mirror", [paths.find_program("etcdctl"), "--endpoints", source.target, "make-mirror",
                                                   target.target], log, env={**os.environ, "ETCDCTL_API": "3"})
        self.addCleanup(mirror.kill)
        return mirror

    def check_steps(self, source, target):
        """Of tenant "a", which clients name by metadata, from one server to the other."""
        envs = [{"LATTICE_TENANTS_TRUST_METADATA": "true"} for _ in range(2)]
        old, new = (self.server(kind, env=env) for kind, env in zip((source, target), envs))
        for server in (old, new):
            self.run_lattice("tenant", "create", "a", *server.where())
        client = self.connect(old)
        self.served(client)
        client.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=7, TTL=600), metadata=moved.OF_A)
        client.call("KV.Put", rpc.PutRequest(key=b"leased", value=b"v", lease=7), metadata=moved.OF_A)
        for number in range(100):
            self.put(client, b"k/%d" % number, b"%d" % number)
        client.call("KV.DeleteRange", rpc.DeleteRangeRequest(key=b"k/5"), metadata=moved.OF_A)
        client.close()  # or the server waits for it
        # etcdctl names no tenant: "a" is what it meets.
        for server, env in zip((old, new), envs):
            env["LATTICE_TENANTS_DEFAULT_TENANT"] = "a"
            server.restart()
        client, other = self.connect(old), self.connect(new)
        self.served(client)
        self.served(other)

        def content(connection):
            return {kv.key: kv.value for kv in self.kvs(connection)}
        self.assertEqual(len(content(client)), 100)
        mirror = self.mirror(old, new)
        cases.eventually(lambda: content(other) == content(client), "all keys to be copied")
        newest = self.put(client, b"written meanwhile")
        cases.eventually(lambda: content(other) == content(client), "what was written to follow")
        expected = content(client)
        mirror.kill()
        for connection in (client, other):
            connection.close()
        for server, env in zip((old, new), envs):
            del env["LATTICE_TENANTS_DEFAULT_TENANT"]
            server.stop()
        self.run_lattice("restore", "declare", "--yes", *new.where())
        new.start()
        other = self.connect(new)
        self.served(other)
        self.assertEqual(content(other), expected)
        # What is said not to come along does not, and no client takes the new revisions for old ones.
        self.assertEqual([kv.lease for kv in self.kvs(other) if kv.key == b"leased"], [0])
        self.assertGreater(self.put(other, b"k"), newest)
        stream = other.open("Watch.Watch", metadata=moved.OF_A)
        stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(start_revision=newest + 1, **moved.ALL)))
        response = stream.receive(15)
        while not response.canceled:
            response = stream.receive(15)
        self.assertGreater(response.compact_revision, newest)
        stream.cancel()

    def test_from_an_embedded_file_by_a_mirror(self):
        self.check_steps("sqlite", "postgres")

    def test_to_an_embedded_file_by_a_mirror(self):
        self.check_steps("postgres", "sqlite")

    def test_the_default_tenant(self):
        node = self.node().start()
        connection = self.connect(node)
        connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"of the default tenant"))
        for command in ("move", "remove"):
            said = self.command(command, "default", *(("--to", "b") if command == "move" else ("--yes",)), status=78)
            self.assertIn('"default" is the default tenant', said)
            self.assertIn("make another one [tenants] default_tenant on every process first", said)
        # Done: whoever names none is of the other tenant then, whoever names it still has it.
        with open(self.file, "r+", encoding="utf-8") as file:
            text = file.read()
            file.seek(0)
            file.write(text.replace("[tenants]\n", '[tenants]\ndefault_tenant = "main"\n'))
        connection.close()
        node.restart()
        self.assertIn("tenant default moved from default to b", self.command("move", "default", "--to", "b"))
        connection = self.connect(node)
        named = (("lattice-tenant", "default"),)
        cases.eventually(lambda: self.refusal(connection, named) is None, "the tenant is served")
        answer = connection.call("KV.Range", rpc.RangeRequest(key=b"k"), metadata=named)
        self.assertEqual([kv.value for kv in answer.kvs], [b"of the default tenant"])
        self.assertEqual(connection.call("KV.Range", rpc.RangeRequest(key=b"k")).count, 0)


if __name__ == "__main__":
    cases.main(__doc__)
