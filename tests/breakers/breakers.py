#!/usr/bin/python3
"""What Lattice depends on goes away and comes back: what fails at once, what goes on, what /status says.

    tests/breakers/breakers.py --lattice PATH
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, postgres, protos, servers  # noqa: E402

rpc = protos.rpc
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
_AT_ONCE_S = 1.0  # on a busy machine; a timeout would be 7 s
_OF_A = (("lattice-tenant", "a"),)


def http_json(port, path):
    """(status, headers, document) of a GET."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


class Breakers(cases.ServerTest):
    def status(self, server, whole=False):
        return http_json(server.metrics_port if whole else server.port, "/status")[2]

    def dependency(self, server, name):
        return self.status(server)["dependencies"][name]

    def wait_state(self, server, name, state, timeout_s=20):
        cases.eventually(lambda: self.dependency(server, name)["breaker"] == state, f"{name} to be {state}", timeout_s)

    def metric(self, server, text):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
            return text in answer.read().decode().splitlines()

    def log(self, server):
        with open(server.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def put(self, connection, value, **options):
        return connection.call("KV.Put", rpc.PutRequest(key=b"k", value=value), **options)

    def get(self, connection, serializable=False):
        return connection.call("KV.Range", rpc.RangeRequest(key=b"k", serializable=serializable))

    def refused_at_once(self, text, call, *arguments, **options):
        began = time.monotonic()
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, **options)
        self.assertLess(time.monotonic() - began, _AT_ONCE_S)
        self.assertEqual((caught.exception.code(), caught.exception.details()), (_UNAVAILABLE, text))

    def conditions(self, server):
        """(HTTP status, the names of those that fail)"""
        status, _headers, found = http_json(server.port, "/readyz?format=json")
        self.assertEqual(found["ready"], status == 200)
        return status, [each["name"] for each in found["conditions"] if not each["ok"]]

    def health(self, connection):
        return connection.call("Health.Check", protos.health.HealthCheckRequest()).status

    def watch(self, connection, revision=0):
        stream = connection.open("Watch.Watch")
        stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k", start_revision=revision)))
        return stream

    # ---- PostgreSQL ----

    def test_postgresql(self):
        database = postgres.Postgres()
        self.addCleanup(database.remove)
        database.start()
        server = servers.Lattice(self.lattice, "postgres", database.url(database.new_database()), env={
            "LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_CREATE": "a"})
        self.addCleanup(server.remove)
        server.start()
        connection = self.connect(server)
        self.put(connection, b"before")
        running = self.watch(connection)
        self.assertTrue(running.receive().created)
        cases.eventually(lambda: len(server_tenants(self.lattice, server)) == 2, "tenant a to be listed")
        self.assertEqual(self.conditions(server), (200, []))
        self.assertEqual(self.health(connection), protos.health.HealthCheckResponse.SERVING)
        self.check_status_when_all_is_well(server)

        database.kill()
        # On its way while nobody knows: it may have landed, and waits to learn it.
        sent = connection.start("KV.Put", rpc.PutRequest(key=b"k", value=b"sent"))
        self.wait_state(server, "postgresql", "open")
        self.check_open(server, connection, running)
        self.assertEqual(sent.code(), _UNAVAILABLE)

        database.start()
        healed = time.monotonic()
        cases.eventually(lambda: self.succeeds(self.put, connection, b"after"), "writes", 10)
        self.assertLess(time.monotonic() - healed, 4)
        self.wait_state(server, "postgresql", "closed")
        self.assertEqual(self.get(connection).kvs[0].value, b"after")
        self.put(connection, b"of a", metadata=_OF_A)
        values = []
        while not values or values[-1] != b"after":
            values += [event.kv.value for event in running.receive().events]
        cases.eventually(lambda: self.conditions(server) == (200, []), "readiness")
        cases.eventually(lambda: self.health(connection) == protos.health.HealthCheckResponse.SERVING, "health")
        self.assertTrue(self.metric(server, 'lattice_breaker_state{dependency="postgresql",state="closed"} 1'))
        self.assertTrue(self.metric(server, 'lattice_breaker_opened_total{dependency="postgresql"} 1'))
        log = self.log(server)
        self.assertEqual((log.count("circuit breaker open"), log.count("circuit breaker closed")), (1, 1))
        self.assertIn("connection", self.dependency(server, "postgresql")["last_error"]["text"])

    def succeeds(self, call, *arguments):
        try:
            call(*arguments, timeout_s=8)
            return True
        except grpc.RpcError as error:
            self.assertEqual(error.code(), _UNAVAILABLE)
            return False

    def check_open(self, server, connection, running):
        """What is refused at once, and what goes on, while PostgreSQL's breaker is open."""
        self.assertTrue(self.metric(server, 'lattice_breaker_state{dependency="postgresql",state="closed"} 0'))
        reason = "the database's circuit breaker is open"
        self.refused_at_once(f"the database is not available: {reason}", self.put, connection, b"refused")
        self.refused_at_once(f"the database is not available: {reason}", self.put, connection, b"refused",
                             metadata=_OF_A)
        self.refused_at_once(f"linearizability unavailable: {reason}", self.get, connection)
        self.assertIn(self.get(connection, serializable=True).kvs[0].value, (b"before", b"sent"))
        alone = self.watch(connection)
        self.assertEqual(alone.ended()[0], _UNAVAILABLE)
        resumed = self.watch(connection, 2)
        self.assertTrue(resumed.receive().created)
        self.assertEqual(resumed.receive().events[0].kv.value, b"before")
        self.assertIsNone(running.status)
        self.assertEqual(self.conditions(server), (503, ["linearizable_read"]))
        self.assertEqual(cases.http_status(server.port, "/livez"), 200)
        self.assertEqual(self.health(connection), protos.health.HealthCheckResponse.NOT_SERVING)
        found = self.dependency(server, "postgresql")
        self.assertIn(found["breaker"], ("open", "half_open"))
        self.assertLess(found["last_error"]["seconds_ago"], 5)

    def check_status_when_all_is_well(self, server):
        found = self.status(server)
        self.assertEqual(found["role"], "leader")
        self.assertGreater(found["uptime_seconds"], 0)
        self.assertEqual(found["limits"]["tenant_default"]["quota_bytes"], 2 << 30)
        self.assertEqual(found["dependencies"]["redis"], {"configured": False})
        mine = found["dependencies"]["postgresql"]
        self.assertEqual(mine["breaker"], "closed")
        self.assertTrue(0 < mine["latency_seconds"] < 5)
        self.assertEqual({"tenants", "nodes"} & set(found), set())  # never on the client port
        whole = self.status(server, whole=True)
        self.assertEqual([(each["name"], each["revision"], each["lag_batches"]) for each in whole["tenants"]],
                         [("default", 2, 0)])
        self.assertEqual([(each["leads"], each["self"]) for each in whole["nodes"]], [(True, True)])
        table = self.command(server.metrics_port)
        self.assertRegex(table, r"(?m)^postgresql +closed +[0-9.]+ ms ")
        self.assertRegex(table, r"(?m)^default +leader +2 +0 +yes$")
        self.assertEqual(json.loads(self.command(server.port, "--output", "json"))["version"], found["version"])
        for port in (server.port, server.metrics_port):
            for path in ("/status", "/readyz?format=json"):
                self.assertLess(float(http_json(port, path)[1]["x-process-time"]), 5)

    def command(self, port, *options):
        """What `lattice status` says."""
        return subprocess.run([self.lattice, "status", "--endpoint", f"127.0.0.1:{port}", *options], capture_output=True,
                              text=True, check=True).stdout

    def test_readiness_while_draining(self):
        server = self.server("memory", env={"LATTICE_SERVER_SHUTDOWN_DELAY_MS": "3000"})
        connection = self.connect(server)
        self.assertEqual(self.conditions(server), (200, []))
        server.process.send(signal.SIGTERM)
        cases.eventually(lambda: self.conditions(server) == (503, ["shutdown"]), "not ready")
        self.assertEqual(self.health(connection), protos.health.HealthCheckResponse.NOT_SERVING)
        self.assertEqual(self.status(server)["role"], "stopping")

    # ---- Redis and the control plane ----

    def test_redis_and_control_plane(self):
        member = servers.Etcd(servers.debian_etcd(), "etcd34")
        self.addCleanup(member.remove)
        member.start()
        cluster = servers.lattice_cluster(self.lattice, self.database(), size=1, fanout=True, env={
            "LATTICE_CONTROL_PLANE_MODE": "clustor", "LATTICE_CONTROL_PLANE_CACHE_TTL_SECONDS": "8",
            "LATTICE_CONTROL_PLANE_ENDPOINTS": f"http://{member.target}"})
        self.addCleanup(cluster.remove)
        (server,) = cluster.start().servers
        connection = self.connect(server)
        cases.eventually(lambda: self.conditions(server) == (200, []), "readiness")
        empty = http_json(server.port, "/readyz?format=json")[2]
        self.assertEqual(empty["routing_epoch"], 0)
        self.assertLess(empty["cache_age_seconds"], 8)
        control = self.connect(member)
        control.call("KV.Put", rpc.PutRequest(key=b"/clustor/v1/tenants/default",
                                              value=b'{"format": 1, "routing_epoch": 7}'))
        cases.eventually(lambda: http_json(server.port, "/readyz?format=json")[2]["routing_epoch"] == 7, "the epoch")
        self.assertNotEqual(http_json(server.port, "/readyz?format=json")[2]["manifest_digest"],
                            empty["manifest_digest"])
        self.assertEqual(self.dependency(server, "control_plane")["cache_state"], "Fresh")

        redis = cluster._redis
        redis.kill()
        member.kill()
        self.wait_state(server, "redis", "open")
        # Neither is needed for this, as long as what the control plane has said is not too old.
        self.put(connection, b"v")
        self.assertEqual(self.get(connection).kvs[0].value, b"v")
        self.wait_state(server, "control_plane", "open")
        cases.eventually(lambda: self.conditions(server) == (503, ["linearizable_read", "control_plane"]), "too old")
        self.assertEqual(self.health(connection), protos.health.HealthCheckResponse.NOT_SERVING)
        self.put(connection, b"w")
        redis.start()
        member.start()
        for name in ("redis", "control_plane"):
            self.wait_state(server, name, "closed")
            self.assertTrue(self.metric(server, f'lattice_breaker_opened_total{{dependency="{name}"}} 1'))
        cases.eventually(lambda: self.conditions(server) == (200, []), "readiness")

    def database(self):
        server = servers.shared_postgres()
        return server.url(server.new_database())


def server_tenants(lattice, server):
    done = subprocess.run([lattice, "tenant", "list", "--output", "json", *server.where()], capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout)["tenants"]


if __name__ == "__main__":
    cases.main(__doc__)
