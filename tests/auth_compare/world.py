"""The servers that the clients of clients.py meet, and what etcdctl and SQL say of them."""

import os
import sqlite3
import subprocess

from harness import servers, tools


class World:
    """One server, or two that take turns."""

    def __init__(self, server, lattice, env):
        self.database = None
        if server == "postgres":
            self._postgres = servers.shared_postgres()
            self.database = self._postgres.new_database()
            url = self._postgres.url(self.database)
            self.servers = servers.lattice_cluster(lattice, url, size=2, env=env).start().servers
        else:
            self.servers = [servers.make(server, lattice, env=env).start()]
        self._turn = 0

    def target(self):
        self._turn += 1
        return self.servers[self._turn % len(self.servers)].target

    def etcdctl(self, *arguments, user=None, token=None):
        """What it prints; raises with its complaint."""
        command = [tools.build_go("etcdctl"), "--endpoints", self.target()]
        if user:
            command += ["--user", user]
        if token:
            command += ["--auth-jwt-token", token]
        done = subprocess.run(command + list(arguments), capture_output=True, text=True, check=False, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def add_root(self):
        self.etcdctl("user", "add", "root:rootpw")
        self.etcdctl("user", "grant-role", "root", "root")

    def sql(self, statement):
        if self.database:
            return self._postgres.query(statement.replace("FROM ", "FROM lattice."), self.database)
        with sqlite3.connect(os.path.join(self.servers[0].folder, "data", "lattice.db")) as database:
            return [[str(value) for value in row] for row in database.execute(statement)]

    def remove(self):
        for server in self.servers:
            server.remove()
