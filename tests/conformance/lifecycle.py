#!/usr/bin/python3
"""How Lattice starts, refuses to start, and ends: the messages and exit statuses that an operator sees.

    tests/conformance/lifecycle.py --lattice PATH
"""

import os
import signal
import socket
import subprocess
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, client, processes, protos, servers  # noqa: E402

rpc = protos.rpc
_EX_CONFIG = 78


def put(connection, key=b"k", value=b"v", timeout_s=10):
    return connection.call("KV.Put", rpc.PutRequest(key=key, value=value), timeout_s)


class Lifecycle(cases.ServerTest):
    def run_lattice(self, *arguments, env=None, timeout_s=20):
        """Runs it to its end: (status, output)."""
        done = subprocess.run([self.lattice, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False,
                              env=dict(os.environ, **(env or {})))
        return done.returncode, done.stdout + done.stderr

    def folder(self):
        made = processes.scratch_folder("lifecycle")
        self.addCleanup(processes.remove_folder, made)
        return made

    def start_arguments(self, data):
        return ["start", "--grpc-bind", "127.0.0.1:0", "--metrics-bind", "127.0.0.1:0", "--data-dir", data]

    def test_version(self):
        status, output = self.run_lattice("version")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"\d+\.\d+\.\d+")

    def test_unknown_arguments(self):
        for arguments, word in ((("start", "--nonsense"), "nonsense"), (("nonsense",), "--help")):
            status, output = self.run_lattice(*arguments)
            self.assertNotEqual(status, 0)
            self.assertIn(word, output)

    def test_bad_configuration(self):
        path = os.path.join(self.folder(), "lattice.toml")
        for content, words in (("[durability]\nmoed = \"sync\"\n", ["moed", path, "mode"]),
                               ("[durability]\nmode = 7\n", ["mode", path]),
                               ("[durability]\nmode = \"sometimes\"\n", ["sometimes", "mode"]),
                               ("[durability\n", [path])):
            with self.subTest(content):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
                for command in (["config", "validate", "--config", path],
                                self.start_arguments(self.folder()) + ["--config", path]):
                    status, output = self.run_lattice(*command)
                    self.assertEqual(status, _EX_CONFIG, output)
                    for word in words:
                        self.assertIn(word, output)

    def test_configuration_printed(self):
        path = os.path.join(self.folder(), "lattice.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[durability]\nmode = \"sync\"\n")
        status, output = self.run_lattice("config", "validate", "--config", path, "--print",
                                          env={"LATTICE_DB_CONNECTION": "postgresql://me:topsecret@127.0.0.1/x"})
        self.assertEqual(status, 0, output)
        self.assertNotIn("topsecret", output)

    def test_an_address_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            status, output = self.run_lattice("start", "--grpc-bind", f"127.0.0.1:{port}", "--metrics-bind",
                                              "127.0.0.1:0", "--data-dir", self.folder())
        self.assertNotEqual(status, 0)
        self.assertIn(str(port), output)

    def test_a_data_folder_that_cannot_be_made(self):
        path = os.path.join(self.folder(), "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("not a folder")
        status, output = self.run_lattice(*self.start_arguments(os.path.join(path, "data")))
        self.assertNotEqual(status, 0)
        self.assertIn(path, output)

    def test_a_file_that_is_no_database(self):
        server = self.server()
        server.stop()
        data = os.path.join(server.folder, "data")
        for name in os.listdir(data):
            if os.path.isfile(os.path.join(data, name)):
                with open(os.path.join(data, name), "wb") as file:
                    file.write(b"this is not a database" * 1000)
        status, output = self.run_lattice(*self.start_arguments(data))
        self.assertNotEqual(status, 0)
        self.assertIn(data, output)

    def test_a_second_process_on_the_same_file(self):
        server = self.server()
        connection = self.connect(server)
        put(connection)
        status, output = self.run_lattice(*self.start_arguments(os.path.join(server.folder, "data")))
        self.assertNotEqual(status, 0)
        self.assertIn(os.path.join(server.folder, "data"), output)
        put(connection)

    def test_a_database_that_is_not_there(self):
        port = processes.free_port()
        process = processes.Process("lattice", [self.lattice, *self.start_arguments(self.folder()), "--db-connection",
                                                f"postgresql://lattice@127.0.0.1:{port}/x"],
                                    os.path.join(self.folder(), "log"))
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and str(port) not in process.log().replace(f":{port}/x", ""):
            time.sleep(0.1)
        log = process.log()
        process.kill()
        self.assertIn(str(port), log)
        self.assertRegex(log.lower(), "refused|unreachable|connect")

    def test_a_database_that_does_not_exist(self):
        url = servers.shared_postgres().url("no_such_database")
        process = processes.Process("lattice", [self.lattice, *self.start_arguments(self.folder()), "--db-connection", url],
                                    os.path.join(self.folder(), "log"))
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and "does not exist" not in process.log():
            time.sleep(0.1)
        process.kill()
        self.assertIn('"no_such_database" does not exist', process.log().replace("\\", ""))

    def test_termination_is_graceful(self):
        server = self.server()
        connection = self.connect(server)
        put(connection)
        watch = connection.open("Watch.Watch")
        watch.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k")))
        self.assertTrue(watch.receive().created)
        began = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(watch.ended()[0], grpc.StatusCode.UNAVAILABLE)

    def test_interrupt_ends_it_too(self):
        server = self.server()
        self.assertEqual(server.process.stop(signal.SIGINT), 0)

    def test_identity_survives(self):
        server = self.server()
        before = put(self.connect(server)).header
        server.restart()
        after = put(self.connect(server)).header
        self.assertEqual((before.cluster_id, before.member_id), (after.cluster_id, after.member_id))
        self.assertEqual(after.revision, before.revision + 1)
        self.assertGreaterEqual(after.raft_term, before.raft_term)

    def test_a_second_process_on_the_same_postgresql(self):
        first = self.server("postgres")
        connection = self.connect(first)
        revision = put(connection, b"shared", b"1").header.revision
        second = servers.Lattice(self.lattice, "postgres", first.url)
        self.addCleanup(second.remove)
        second.start()
        standby = self.connect(second)
        self.assertEqual(put(standby, b"shared", b"2").header.revision, revision + 1)
        put(connection, b"shared", b"3")
        first.kill()
        died = time.monotonic()
        while True:
            try:
                answer = standby.call("KV.Range", rpc.RangeRequest(key=b"shared"), 5)
                break
            except grpc.RpcError as error:
                self.assertIn(error.code(), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))
                self.assertLess(time.monotonic() - died, 15, "nobody took over")
                time.sleep(0.05)
        self.assertEqual((answer.kvs[0].value, answer.header.revision), (b"3", revision + 2))
        print(f"taken over after {time.monotonic() - died:.1f} s", file=sys.stderr)
        put(standby, b"shared", b"4")

    def test_a_clean_end_hands_over_at_once(self):
        first = self.server("postgres")
        put(self.connect(first))
        second = servers.Lattice(self.lattice, "postgres", first.url)
        self.addCleanup(second.remove)
        second.start()
        standby = self.connect(second)
        first.stop()
        ended = time.monotonic()
        while True:
            try:
                put(standby, timeout_s=5)
                break
            except grpc.RpcError:
                self.assertLess(time.monotonic() - ended, 15, "nobody took over")
                time.sleep(0.02)
        print(f"handed over after {time.monotonic() - ended:.2f} s", file=sys.stderr)

    def refusal(self, connection, method, request):
        """The code and the text of an error."""
        with self.assertRaises(grpc.RpcError) as raised:
            connection.call(method, request)
        return raised.exception.code(), raised.exception.details()

    def test_the_leader_is_moved(self):
        database = servers.shared_postgres()
        cluster = servers.lattice_cluster(self.lattice, database.url(database.new_database()), size=2)
        self.addCleanup(cluster.remove)
        connections = [self.connect(server) for server in cluster.start().servers]
        revisions = [put(connection).header.revision for connection in connections]
        self.assertEqual(revisions, [2, 3])

        def statuses():
            return [connection.call("Maintenance.Status", rpc.StatusRequest()) for connection in connections]

        def leaders():
            return {status.leader for status in statuses()}

        cases.eventually(lambda: len(leaders()) == 1 and 0 not in leaders(), "both know the leader")
        before = statuses()
        ids = [status.header.member_id for status in before]
        self.assertEqual(len(set(ids)), 2)
        self.assertEqual({status.header.cluster_id for status in before}, {before[0].header.cluster_id})
        for number, connection in enumerate(connections):
            members = connection.call("Cluster.MemberList", rpc.MemberListRequest(linearizable=True)).members
            self.assertEqual({member.name: member.ID for member in members}, {"n1": ids[0], "n2": ids[1]})
            own = next(member for member in members if member.ID == ids[number])
            self.assertEqual(list(own.clientURLs), [f"http://{cluster.servers[number].target}"])
        old = ids.index(before[0].leader)
        new = 1 - old

        move = "Maintenance.MoveLeader"
        refused = grpc.StatusCode.FAILED_PRECONDITION
        self.assertEqual(self.refusal(connections[new], move, rpc.MoveLeaderRequest(targetID=ids[new])),
                         (refused, "etcdserver: not leader"))
        self.assertEqual(self.refusal(connections[old], move, rpc.MoveLeaderRequest(targetID=12345)),
                         (refused, "etcdserver: bad leader transferee"))
        self.assertEqual(leaders(), {ids[old]})
        connections[old].call(move, rpc.MoveLeaderRequest(targetID=ids[new]))
        # Both serve at once; where the leader is known at the one that it has left is seen a little later.
        revisions = [put(connection).header.revision for connection in connections]
        self.assertEqual(revisions, [4, 5])
        cases.eventually(lambda: leaders() == {ids[new]}, "both know the new leader")
        for status, earlier in zip(statuses(), before):
            self.assertGreater(status.raftTerm, earlier.raftTerm)
        self.assertEqual(self.refusal(connections[old], move, rpc.MoveLeaderRequest(targetID=ids[old])),
                         (refused, "etcdserver: not leader"))

    def test_a_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, for a small file system of its own")
        data = self.folder()
        binary = os.path.abspath(self.lattice)
        command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=12m none "$0" && exec "$@"', data, binary,
                   *self.start_arguments(data)]
        process = processes.Process("lattice", command, os.path.join(self.folder(), "log"))
        self.addCleanup(process.stop)
        _, (port, _metrics) = process.wait_for_log(servers.parse_listening, 20)
        connection = client.Client(f"127.0.0.1:{port}")
        self.addCleanup(connection.close)
        acknowledged = []
        with self.assertRaises(grpc.RpcError) as raised:
            for number in range(1000):
                put(connection, b"full/%d" % number, b"x" * 100_000)
                acknowledged.append(number)
        self.assertIn(raised.exception.code(), (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE))
        self.assertTrue(process.alive(), process.log_tail())
        everything = connection.call("KV.Range", rpc.RangeRequest(key=b"full/", range_end=b"full0", keys_only=True))
        self.assertEqual(everything.count, len(acknowledged))
        subprocess.run(["nsenter", "-t", str(process.pid), "-m", "-r", "mount", "-o", "remount,size=64m", data], check=True)
        deadline = time.monotonic() + 20
        while True:
            try:
                put(connection, b"after", b"x" * 100_000)
                break
            except grpc.RpcError:
                self.assertLess(time.monotonic(), deadline, "writes do not work again although there is space")
                time.sleep(0.2)
        kept = connection.call("KV.Range", rpc.RangeRequest(key=b"full/", range_end=b"full0", count_only=True)).count
        self.assertIn(kept, (len(acknowledged), len(acknowledged) + 1))

    def test_health_without_its_database(self):
        database = servers.postgres.Postgres().start()
        self.addCleanup(database.remove)
        server = servers.Lattice(self.lattice, "postgres", database.url(database.new_database()))
        self.addCleanup(server.remove)
        server.start()
        connection = self.connect(server)
        put(connection)
        self.assertEqual(cases.http_status(server.port, "/readyz"), 200)
        database.stop()
        deadline = time.monotonic() + 15
        while cases.http_status(server.port, "/readyz") == 200:
            self.assertLess(time.monotonic(), deadline, "still ready, without a database")
            time.sleep(0.1)
        self.assertIn(cases.http_status(server.port, "/livez"), (200, 503))
        with self.assertRaises(grpc.RpcError) as raised:
            put(connection, timeout_s=10)
        self.assertIn(raised.exception.code(), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))
        self.assertTrue(server.process.alive())
        database.start()
        deadline = time.monotonic() + 30
        while cases.http_status(server.port, "/readyz") != 200:
            self.assertLess(time.monotonic(), deadline, "not ready again")
            time.sleep(0.1)
        put(connection)


if __name__ == "__main__":
    cases.main(__doc__.split("\n", maxsplit=1)[0])
