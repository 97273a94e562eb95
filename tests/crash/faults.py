"""The faults: each breaks something, and repairs what would not come back by itself."""

import time

from harness import cutting_proxy, servers


class Stand:
    """A server with what it stands on; `kind` as in harness.servers, `standbys` more processes on one PostgreSQL."""

    def __init__(self, kind, lattice, standbys=0):
        self.kind = kind
        self.postgres = None
        self.proxy = None
        if kind == "postgres":
            self.postgres = servers.shared_postgres()
            self.database = self.postgres.new_database()
            self.proxy = cutting_proxy.CuttingProxy(self.postgres.port)
            url = self.postgres.url(self.database, self.proxy.port)
            self.servers = [servers.Lattice(lattice, kind, url) for _ in range(1 + standbys)]
        else:
            self.servers = [servers.make(kind, lattice)]
        for server in self.servers:
            server.start()

    @property
    def targets(self):
        return [server.target for server in self.servers]

    def ended(self):
        """The log of a server that is not running although nobody killed it, or None."""
        return next((server.process.log_tail() for server in self.servers if not server.process.alive()), None)

    def log_tail(self):
        return "\n".join(server.process.log_tail() for server in self.servers)

    def faults(self):
        """name -> (share, action)."""
        found = {"kill -9 of the server": (3, self._kill_server)}
        if len(self.servers) > 1:
            found["kill -9, and only the standby is left for a while"] = (6, self._kill_for_a_while)
            found["clean end of the server"] = (3, self._end_server)
        if self.kind == "postgres":
            found["kill -9 of the postmaster"] = (1, self._kill_postmaster)
            found["pg_terminate_backend"] = (3, self._terminate_backend)
            found["connections cut"] = (1, self._cut)
            found["connections cut in a reply"] = (3, self._cut_in_a_reply)
            found["connections stalled"] = (1, self._stall)
            found["server and postmaster killed"] = (1, self._kill_both)
        return found

    def remove(self):
        for server in self.servers:
            server.remove()
        if self.proxy:
            self.proxy.close()

    def _kill_server(self, random):
        server = random.choice(self.servers)
        server.kill()
        server.start()

    def _kill_for_a_while(self, random):
        server = random.choice(self.servers)
        server.kill()
        time.sleep(random.random() * 3)
        server.start()

    def _end_server(self, random):
        random.choice(self.servers).restart()

    def _kill_postmaster(self, random):
        self.postgres.kill()
        time.sleep(random.random() * 0.5)
        self.postgres.start()

    def _kill_both(self, _random):
        for server in self.servers:
            server.kill()
        self.postgres.kill()
        self.postgres.start()
        for server in self.servers:
            server.start()

    def _terminate_backend(self, random):
        for _ in range(random.randint(1, 4)):
            backends = self.postgres.query("SELECT pid FROM pg_stat_activity WHERE datname = "
                                           f"'{self.database}' AND pid <> pg_backend_pid()")
            if backends:
                self.postgres.query(f"SELECT pg_terminate_backend({random.choice(backends)[0]})")
            time.sleep(random.random() * 0.3)

    def _cut(self, _random):
        self.proxy.cut()

    def _cut_in_a_reply(self, random):
        for _ in range(random.randint(1, 4)):
            self.proxy.cut_after(random.randint(0, 4000))
            time.sleep(random.random() * 0.3)

    def _stall(self, random):
        self.proxy.stall(True)
        time.sleep(random.random() * 2.5)
        self.proxy.stall(False)
