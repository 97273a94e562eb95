"""What tests share whose tenants move between two PostgreSQL databases."""

import json
import os
import subprocess
import threading

import grpc

from harness import cases, processes, protos, servers

rpc = protos.rpc
OF_A = (("lattice-tenant", "a"),)
ALL = {"key": b"\0", "range_end": b"\0"}


class MovingTest(cases.ServerTest):
    clusters = []  # the PostgreSQL of the first database and of the second; set by the class
    env = {}  # more of it, for servers and commands

    def setUp(self):
        self.names = [cluster.new_database() for cluster in self.clusters]
        self.urls = [cluster.url(name) for cluster, name in zip(self.clusters, self.names)]
        self.folder = processes.scratch_folder("moving")
        self.addCleanup(processes.remove_folder, self.folder)
        self.configure(self.urls[1])

    def configure(self, url):
        self.file = os.path.join(self.folder, "lattice.toml")
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(f'[tenants]\ntrust_metadata = true\n\n[backends.b]\nurl = "{url}"\n')

    def node(self, url=None, **env):
        """A process, not started; `url`: where it finds the first database."""
        made = servers.Lattice(self.lattice, "postgres", url or self.urls[0], ["--config", self.file],
                               {"LATTICE_CLUSTER_BIND": "127.0.0.1:0", "LATTICE_SERVER_THREADS": "2", **self.env, **env})
        self.addCleanup(made.remove)
        return made

    def start_command(self, *arguments):
        return subprocess.Popen([self.lattice, "tenant", *arguments, "--config", self.file, "--db-connection",
                                 self.urls[0]], env={**os.environ, **self.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def command(self, *arguments, status=0):
        process = self.start_command(*arguments)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, status, output)
        return output

    def move(self):
        return json.loads(self.command("move", "a", "--to", "b", "--output", "json"))

    def where(self):
        listed = json.loads(self.command("list", "--output", "json"))["tenants"]
        return {each["backend"]: each["state"] for each in listed if each["name"] == "a"}

    def state_in(self, index):
        rows = self.clusters[index].query("SELECT state FROM lattice.logs WHERE tenant = 'a'",
                                          self.names[index])
        return rows[0][0] if rows else ""

    def put(self, connection, key, value=b"v"):
        return connection.call("KV.Put", rpc.PutRequest(key=key, value=value), metadata=OF_A).header.revision

    def refusal(self, connection, metadata=OF_A):
        try:
            connection.call("KV.Range", rpc.RangeRequest(key=b"k"), metadata=metadata)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return None

    def served(self, connection):
        cases.eventually(lambda: self.refusal(connection) is None, "the tenant is served")

    def hold_copy(self, table="lattice.record"):
        """Nothing is written to that table of the second database until the answer is called."""
        def hold():
            try:
                self.clusters[1].query(f"LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT pg_sleep(60)",
                                       self.names[1], timeout_s=70)
            except processes.ProcessFailed:
                pass  # let go

        def holders(what):
            return self.clusters[1].query(f"SELECT {what} FROM pg_locks WHERE mode = 'ExclusiveLock' AND granted"
                                          f" AND relation = '{table}'::regclass", self.names[1])

        holder = threading.Thread(target=hold)
        holder.start()

        def let_go():
            if holder.is_alive():
                holders("pg_terminate_backend(pid)")
            holder.join()

        self.addCleanup(let_go)
        cases.eventually(lambda: holders("1"), "the lock is held")
        return let_go

    def killed_move(self, index, state):
        """A move whose command is killed in that state of that database. Where the copy was held for it, the answer lets it go."""
        let_go = self.hold_copy() if state in ("moving", "arriving") else None
        process = self.start_command("move", "a", "--to", "b")
        cases.eventually(lambda: self.state_in(index) == state or process.poll() is not None, state)
        process.kill()
        process.communicate()
        return let_go

    def kill_move(self, reached, table):
        """Begins a move, and kills the command when that is reached, while it cannot write to the table."""
        let_go = self.hold_copy(table)
        process = self.start_command("move", "a", "--to", "b")
        cases.eventually(reached, "the move to come so far")
        process.kill()
        process.communicate()
        # A statement that it has sent would still be executed.
        self.clusters[1].query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
                               " datname = current_database()", self.names[1])
        let_go()

    def tenant(self, nodes=1):
        """Nodes that run, tenant "a" in the first database, a connection to each node."""
        made = [self.node().start() for _ in range(nodes)]
        self.command("create", "a")
        connections = [self.connect(each) for each in made]
        for each in connections:
            self.served(each)
        return made, connections

    def kvs(self, connection, **options):
        return connection.call("KV.Range", rpc.RangeRequest(**ALL, **options), metadata=OF_A).kvs
