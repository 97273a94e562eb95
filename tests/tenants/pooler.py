#!/usr/bin/python3
"""Databases behind a real PgBouncer, whose URLs a configuration names beside those of the databases themselves.

    tests/tenants/pooler.py --lattice PATH
"""

import os
import subprocess
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, processes, protos, servers  # noqa: E402

rpc = protos.rpc
_ACCOUNT = "postgres"  # it refuses to run as root


class PgBouncer(servers.Server):
    """In front of one PostgreSQL server."""

    kind = "pgbouncer"
    persistent = False

    def __init__(self, postgres, mode):
        super().__init__()
        self._postgres = postgres
        self._mode = mode

    def url(self, database):
        return self._postgres.url(database, self.port)

    def launch(self):
        self.port = processes.free_port()
        settings = os.path.join(self.folder, "pgbouncer.ini")
        users = os.path.join(self.folder, "users.txt")
        with open(users, "w", encoding="utf-8") as out:
            out.write('"lattice" ""\n')
        with open(settings, "w", encoding="utf-8") as out:
            out.write(f"[databases]\n* = host=127.0.0.1 port={self._postgres.port}\n[pgbouncer]\n"
                      f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = trust\n"
                      f"auth_file = {users}\npool_mode = {self._mode}\n")
        os.chmod(self.folder, 0o755)
        self.process = processes.Process("pgbouncer", [paths.find_program("pgbouncer"), settings], self.log_path,
                                         user=_ACCOUNT)

    def wait_until_ready(self, timeout_s=60):
        self.process.wait_for_log(lambda line: "process up" in line, timeout_s)
        return self


class Pooler(cases.ServerTest):
    def setUp(self):
        self.postgres = servers.shared_postgres()
        self.names = [self.postgres.new_database() for _ in range(2)]
        self.folder = processes.scratch_folder("pooler")
        self.addCleanup(processes.remove_folder, self.folder)

    def pooler(self, mode):
        made = PgBouncer(self.postgres, mode)
        self.addCleanup(made.remove)
        return made.start()

    def start(self, *sections):
        file = os.path.join(self.folder, "lattice.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write("[tenants]\ntrust_metadata = true\n" + "".join(sections))
        made = servers.Lattice(self.lattice, "postgres", extra=["--config", file])
        self.addCleanup(made.remove)
        return made.start(), file

    def put(self, server, tenant):
        return self.connect(server).call("KV.Put", rpc.PutRequest(key=b"k", value=b"v"),
                                         metadata=(("lattice-tenant", tenant),)).header.revision

    def is_served(self, server, tenant):
        try:
            self.put(server, tenant)
        except grpc.RpcError:
            return False
        return True

    def test_past_one_in_transaction_mode(self):
        pooler = self.pooler("transaction")
        server, file = self.start(*(f'[{section}]\nurl = "{pooler.url(name)}"\ndirect_url = "{self.postgres.url(name)}"\n'
                                    for section, name in zip(("backend", "backends.b"), self.names)))
        subprocess.run([self.lattice, "tenant", "create", "a", "--backend", "b", "--config", file], check=True,
                       capture_output=True, timeout=30)
        self.assertEqual(self.put(server, "default"), 2)
        cases.eventually(lambda: self.is_served(server, "a"), "the further database's tenant")
        for name in self.names:
            self.assertEqual(self.postgres.query("SELECT count(*) FROM lattice.record WHERE key = 'k'", name), [["1"]])
        self.assertNotIn("login attempt", pooler.process.log())
        self.assertNotIn("pooler", server.process.log())

    def test_one_in_session_mode_is_noticed(self):
        pooler = self.pooler("session")
        server, _ = self.start(f'[backend]\nurl = "{pooler.url(self.names[0])}"\n')
        self.assertEqual(self.put(server, "default"), 2)
        self.assertIn("login attempt", pooler.process.log())
        self.assertIn("is behind a pooler", server.process.log())


if __name__ == "__main__":
    cases.main(__doc__)
