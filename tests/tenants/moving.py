#!/usr/bin/python3
"""Several databases, and tenants that move from one PostgreSQL cluster to another, mostly while they are in use.

    tests/tenants/moving.py --lattice PATH
"""

import os
import sys
import threading
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import moved  # noqa: E402
from harness import cases, client, cutting_proxy, postgres, processes, protos, servers  # noqa: E402

rpc = protos.rpc
_OF_A, _ALL = moved.OF_A, moved.ALL


class Load:
    """Clients of tenant "a" that go on until stop(); what they were told is kept."""

    def __init__(self, targets):
        self.acknowledged = {}  # key: revision
        self.increments = 0
        self.compactions = 0
        self.errors = []
        self.longest_s = 0
        self.seen = [[] for _ in targets]  # for each watcher: revisions
        self._stopping = threading.Event()
        self._targets = targets
        self._threads = [threading.Thread(target=self._write, args=(number, target))
                         for number, target in enumerate(targets * 2)]
        self._threads.append(threading.Thread(target=self._increment, args=(targets[0],)))
        self._threads.append(threading.Thread(target=self._compact, args=(targets[-1],)))
        self._watchers = [threading.Thread(target=self._watch, args=(number, target))
                          for number, target in enumerate(targets)]
        self._last = None

    def start(self):
        for thread in self._threads + self._watchers:
            thread.start()
        return self

    def stop(self, last_revision):
        """The writers end; the watchers when they have seen that revision, which last_revision() answers."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._last = last_revision()
        for thread in self._watchers:
            thread.join(30)
            assert not thread.is_alive(), "a watch did not come to the end"

    def _call(self, connection, name, request):
        began = time.monotonic()
        try:
            return connection.call(name, request, metadata=_OF_A)
        except grpc.RpcError as error:
            self.errors.append((error.code(), error.details()))
            return None
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _write(self, number, target):
        connection = client.Client(target)
        count = 0
        while not self._stopping.is_set():
            key = b"w/%d/%d" % (number, count)
            count += 1
            answer = self._call(connection, "KV.Put", rpc.PutRequest(key=key, value=b"x" * 100))
            if answer is not None:
                self.acknowledged[key] = answer.header.revision
        connection.close()

    def _increment(self, target):
        connection = client.Client(target)
        value = 0
        while not self._stopping.is_set():
            compare = rpc.Compare(key=b"counter", target=rpc.Compare.VALUE, value=b"%d" % value)
            if value == 0:
                compare = rpc.Compare(key=b"counter", target=rpc.Compare.VERSION, version=0)
            answer = self._call(connection, "KV.Txn", rpc.TxnRequest(
                compare=[compare],
                success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"counter", value=b"%d" % (value + 1)))],
                failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=b"counter"))]))
            if answer is None:
                continue
            if answer.succeeded:
                self.increments += 1
                value += 1
            else:
                value = int(answer.responses[0].response_range.kvs[0].value)
        connection.close()

    def _compact(self, target):
        """Again and again, below what all watchers have seen: records go while others are being copied."""
        connection = client.Client(target)
        done = 0
        while not self._stopping.is_set():
            time.sleep(0.05)
            revision = min(seen[-1] if seen else 0 for seen in self.seen) - 1
            if revision <= done:
                continue
            try:
                connection.call("KV.Compact", rpc.CompactionRequest(revision=revision), metadata=_OF_A)
                done = revision
                self.compactions += 1
            except grpc.RpcError as error:
                self.errors.append((error.code(), error.details()))
        connection.close()

    def _watch(self, number, target):
        connection = client.Client(target)
        following = 2
        while self._last is None or following <= self._last:
            stream = connection.open("Watch.Watch", metadata=_OF_A)
            stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(start_revision=following, **_ALL)))
            while self._last is None or following <= self._last:
                response = stream.receive(0.2)
                if response is None and stream.status is not None:
                    time.sleep(0.01)
                    break
                for event in response.events if response else ():
                    self.seen[number].append(event.kv.mod_revision)
                    following = event.kv.mod_revision + 1
            stream.cancel()
        connection.close()


class Moving(moved.MovingTest):
    @classmethod
    def setUpClass(cls):
        cls.clusters = [servers.shared_postgres(), postgres.Postgres().start()]

    def test_under_load(self):
        nodes, connections = self.tenant(2)
        connections[0].call("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=7, TTL=600), metadata=_OF_A)
        connections[0].call("KV.Put", rpc.PutRequest(key=b"leased", value=b"v", lease=7), metadata=_OF_A)
        for number in range(300):
            self.put(connections[0], b"gone/%d" % number)
        connections[0].call("KV.DeleteRange", rpc.DeleteRangeRequest(key=b"gone/", range_end=b"gone0"),
                            metadata=_OF_A)
        load = Load([node.target for node in nodes]).start()
        time.sleep(1)
        revision = load.acknowledged[max(load.acknowledged, key=load.acknowledged.get)]
        connections[0].call("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=8, TTL=30), metadata=_OF_A)
        outcome = self.move()
        time.sleep(0.5)
        load.stop(lambda: connections[0].call("KV.Range", rpc.RangeRequest(key=b"k"),
                                              metadata=_OF_A).header.revision)
        print(f"the command says {outcome['interrupted_ms']} ms, the slowest request took {load.longest_s * 1000:.0f} "
              f"ms; {len(load.acknowledged)} puts, {load.increments} transactions, {load.compactions} compactions, "
              f"errors: {load.errors}", flush=True)
        self.assertEqual(self.where(), {"b": "active"})
        for connection in connections:
            there = {each.key: each for each in self.kvs(connection)}
            for key, its_revision in load.acknowledged.items():
                self.assertEqual((there[key].create_revision, there[key].mod_revision), (its_revision, its_revision))
            unknown = sum(code != grpc.StatusCode.RESOURCE_EXHAUSTED for code, _ in load.errors)
            self.assertGreaterEqual(int(there[b"counter"].value), load.increments)
            self.assertLessEqual(int(there[b"counter"].value), load.increments + unknown)
            self.assertEqual(there[b"leased"].lease, 7)
            for lease, ttl in ((7, 600), (8, 30)):
                left = connection.call("Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=lease), metadata=_OF_A)
                self.assertEqual(left.grantedTTL, ttl)
                self.assertGreater(left.TTL, ttl - 30 if ttl > 30 else 0)
        self.assertGreater(outcome["revision"], revision)
        for seen in load.seen:
            # The deletion of all of gone/ is one revision with many events.
            self.assertEqual(sorted(set(seen)), list(range(2, seen[-1] + 1)))
            self.assertEqual(len(seen) - len(set(seen)), 299)
            self.assertEqual(seen, sorted(seen))
        self.assertLess(load.longest_s, 5)
        # What a follower holds at the moment of the change is told that it may have landed.
        self.assertEqual({code for code, _ in load.errors} - {grpc.StatusCode.UNAVAILABLE}, set())
        self.assertLessEqual(len(load.errors), 6)
        # What a start finds is the same.
        newest = self.put(connections[0], b"k")
        nodes[1].stop()
        nodes[0].restart()
        connection = self.connect(nodes[0])
        self.served(connection)
        self.assertEqual(self.put(connection, b"k"), newest + 1)

    def test_killed_and_run_again(self):
        nodes, connections = self.tenant()
        for index, state in ((0, "moving"), (1, "arriving"), (0, "sealing"), (1, "active")):
            with self.subTest(state=state):
                revision = self.put(connections[0], b"k", state.encode())
                let_go = self.killed_move(index, state)
                if let_go:
                    self.assertEqual(self.put(connections[0], b"k2"), revision + 1)
                    let_go()
                self.assertIn("moved", self.command("move", "a", "--to", "b"))
                self.served(connections[0])
                self.assertEqual([each.value for each in self.kvs(connections[0]) if each.key == b"k"],
                                 [state.encode()])
                self.assertEqual(self.where(), {"b": "active"})
                self.command("move", "a", "--to", "default")
                self.served(connections[0])
                self.assertEqual(self.where(), {"default": "active"})
        self.assertTrue(nodes[0].process.alive())

    def test_killed_behind_the_seal(self):
        """The command that goes on from there reads nothing of the copy any more."""
        _, (connection,) = self.tenant()
        revision = [self.put(connection, b"k") for _ in range(5)][-1]
        self.kill_move(lambda: self.state_in(1) == "arriving", "lattice.record")

        def newest(index):
            return self.clusters[index].query("SELECT max(seq) FROM lattice.batch JOIN lattice.logs USING (log_no)"
                                              " WHERE tenant = 'a'", self.names[index])

        def sealed():
            return self.clusters[0].query("SELECT 1 FROM lattice.record WHERE kind = 12", self.names[0])
        # The copy has its takeover where the old log has its seal, and is not opened.
        self.kill_move(lambda: sealed() and newest(0) == newest(1), "lattice.logs")
        self.assertEqual((self.state_in(0), self.state_in(1)), ("sealing", "arriving"))
        outcome = self.move()
        self.assertEqual((outcome["revision"], outcome["interrupted_ms"]), (revision, None))
        self.served(connection)
        self.assertEqual(self.put(connection, b"k"), revision + 1)

    def test_a_server_is_killed_meanwhile(self):
        nodes, connections = self.tenant(2)
        revisions = [self.put(connections[0], b"k%d" % number) for number in range(50)]
        let_go = self.hold_copy()
        process = self.start_command("move", "a", "--to", "b")
        cases.eventually(lambda: self.state_in(1) == "arriving", "the copy has begun")
        nodes[0].kill()
        let_go()
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, output)
        self.served(connections[1])
        self.assertEqual(sorted(each.mod_revision for each in self.kvs(connections[1])), revisions)
        self.assertGreater(self.put(connections[1], b"k"), revisions[-1])

    def test_a_node_that_hears_of_it_late(self):
        """Its clients' calls wait in a replica of the old log, without effect, and go on in one of the new."""
        proxy = cutting_proxy.CuttingProxy(self.clusters[0].port)
        self.addCleanup(proxy.close)
        nodes, connections = self.tenant(1)
        late = self.node(self.urls[0].replace(f":{self.clusters[0].port}/", f":{proxy.port}/")).start()
        connection = self.connect(late)
        self.served(connection)
        revision = self.put(connections[0], b"k")
        let_go = self.hold_copy()
        process = self.start_command("move", "a", "--to", "b")
        cases.eventually(lambda: self.state_in(1) == "arriving", "the copy has begun")
        time.sleep(1)  # it knows of the move
        proxy.stall(True)
        let_go()
        cases.eventually(lambda: self.state_in(0) == "sealing" or process.poll() is not None, "the seal")
        key = rpc.PutRequest(key=b"late", value=b"v")
        calls = [connection.start("KV.Put", key, metadata=_OF_A),
                 connection.start("KV.Range", rpc.RangeRequest(key=b"k"), metadata=_OF_A),
                 connection.start("KV.Txn", rpc.TxnRequest(success=[rpc.RequestOp(request_put=key)]), metadata=_OF_A),
                 connection.start("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60), metadata=_OF_A)]
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, output)
        for call in calls:
            self.assertIsNone(call.exception(15))
        self.assertEqual(calls[1].result().kvs[0].mod_revision, revision)
        proxy.stall(False)
        self.served(connections[0])
        kv = connections[0].call("KV.Range", rpc.RangeRequest(key=b"late"), metadata=_OF_A).kvs[0]
        self.assertEqual(kv.version, 2)
        self.assertEqual([each.process.alive() for each in nodes + [late]], [True, True])

    def test_nobody_serves_it(self):
        nodes, connections = self.tenant()
        revision = self.put(connections[0], b"k")
        nodes[0].kill()
        self.assertEqual(self.move()["revision"], revision)
        self.assertEqual(self.clusters[0].query("SELECT count(*) FROM lattice.record r JOIN lattice.logs l USING (log_no)"
                                                " WHERE l.tenant LIKE '%~a'", self.names[0]), [["0"]])
        # Its name is not given out again where it was.
        self.assertIn('was moved to backend "b"', self.command("create", "a", status=1))
        nodes[0].start()
        connection = self.connect(nodes[0])
        self.served(connection)
        self.assertEqual(self.put(connection, b"k"), revision + 1)

    def test_given_up(self):
        _, connections = self.tenant()
        self.put(connections[0], b"before")
        let_go = self.hold_copy()
        process = self.start_command("move", "a", "--to", "b")
        cases.eventually(lambda: self.state_in(1) == "arriving", "the copy has begun")
        time.sleep(1)  # the server loads the copy, too
        process.kill()
        process.communicate()
        let_go()
        self.assertIn("kept", self.command("move", "a", "--to", "b", "--abort"))
        self.assertEqual(self.where(), {"default": "active"})
        self.put(connections[0], b"k")
        self.command("move", "a", "--to", "b", "--abort", status=78)

    def test_a_database_that_is_away(self):
        self.configure(f"postgresql://lattice@127.0.0.1:{processes.free_port()}/none")
        node = self.node().start()
        connection = self.connect(node)
        self.command("create", "a")
        self.served(connection)
        self.put(connection, b"k")
        code, text = self.refusal(connection, (("lattice-tenant", "elsewhere"),))
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
        self.assertIn('backend "b" cannot be reached', text)
        self.command("move", "a", "--to", "b", status=69)
        self.command("move", "a", "--to", "c", status=78)
        self.put(connection, b"k")

    def test_a_name_in_two_databases(self):
        node = self.node().start()
        connection = self.connect(node)
        self.command("create", "a", "--backend", "b")
        self.served(connection)
        self.put(connection, b"k")
        self.command("create", "a")
        cases.eventually(lambda: self.refusal(connection) is not None, "it is refused")
        code, text = self.refusal(connection)
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
        self.assertIn('is in the backends "default" and "b"', text)
        self.command("remove", "a", "--yes")
        self.served(connection)
        self.assertEqual([each.key for each in self.kvs(connection)], [b"k"])


if __name__ == "__main__":
    cases.main(__doc__)
