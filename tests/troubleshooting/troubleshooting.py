#!/usr/bin/python3
"""The troubleshooting section of the deployment guide: each symptom is produced, found as the guide says, and remedied.

    tests/troubleshooting/troubleshooting.py --lattice PATH
"""

import os
import sys
import time
import urllib.error
import urllib.request

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, cutting_proxy, processes, protos, servers  # noqa: E402

rpc = protos.rpc


class Troubleshooting(cases.ServerTest):
    def get(self, connection, serializable=False):
        return connection.call("KV.Range", rpc.RangeRequest(key=b"k", serializable=serializable))

    def put(self, connection, value):
        return connection.call("KV.Put", rpc.PutRequest(key=b"k", value=value))

    def refusal(self, call, *arguments):
        """(code, text) of its failure; None when it succeeds."""
        try:
            call(*arguments)
            return None
        except grpc.RpcError as error:
            return error.code(), error.details()

    def page(self, url):
        """What curl shows; empty when nobody listens."""
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def metrics(self, server):
        return self.page(f"http://127.0.0.1:{server.metrics_port}/metrics").splitlines()

    def ready(self, server):
        return self.page(f"http://{server.target}/readyz?verbose")

    # ---- LIN-BOUND failures ----

    def test_control_plane_cannot_be_reached(self):
        member = servers.Etcd(servers.debian_etcd(), "etcd34")
        self.addCleanup(member.remove)
        member.start()
        server = self.server("memory", env={
            "LATTICE_CONTROL_PLANE_MODE": "clustor", "LATTICE_CONTROL_PLANE_ENDPOINTS": f"http://{member.target}",
            "LATTICE_CONTROL_PLANE_CACHE_TTL_SECONDS": "1", "LATTICE_CONTROL_PLANE_CACHE_GRACE_MS": "500"})
        connection = self.connect(server)
        cases.eventually(lambda: self.refusal(self.get, connection) is None, "reads")
        self.assertIn("true", self.page(f"http://{member.target}/health"))
        self.assertIn('lattice_cp_cache_state{state="Fresh"} 1', self.metrics(server))
        self.assertIn("lattice_lin_bound_can_linearize 1", self.metrics(server))

        member.kill()
        cases.eventually(lambda: self.refusal(self.get, connection) is not None, "the symptom")
        code, text = self.refusal(self.get, connection)
        self.assertEqual((code, text.partition(":")[0]), (grpc.StatusCode.UNAVAILABLE, "linearizability unavailable"))
        # 1. The control plane's connectivity, as curl shows it. 2. The cache's state.
        self.assertEqual(self.page(f"http://{member.target}/health"), "")
        self.assertIn('lattice_cp_cache_state{state="Fresh"} 0', self.metrics(server))
        self.assertIn("lattice_lin_bound_can_linearize 0", self.metrics(server))
        self.assertIn("[-]control_plane failed: the control-plane cache is", self.ready(server))
        self.assertEqual(self.page(f"http://{server.target}/healthz"), "ok\n")

        member.start()
        cases.eventually(lambda: self.refusal(self.get, connection) is None, "the remedy")
        cases.eventually(lambda: 'lattice_cp_cache_state{state="Fresh"} 1' in self.metrics(server), "a Fresh cache")
        cases.eventually(lambda: "lattice_lin_bound_can_linearize 1" in self.metrics(server), "the metric")
        self.assertNotIn("[-]", self.ready(server))

    def test_leader_cannot_be_reached(self):
        """3. "Only leaders can serve": a follower asks its leader, and cannot."""
        store = servers.shared_postgres()
        url = store.url(store.new_database())
        port = processes.free_port()
        way = cutting_proxy.CuttingProxy(port)
        self.addCleanup(way.close)
        leader = servers.Lattice(self.lattice, "postgres", url, env={
            "LATTICE_CLUSTER_BIND": f"127.0.0.1:{port}", "LATTICE_CLUSTER_ADVERTISE": f"127.0.0.1:{way.port}"})
        follower = servers.Lattice(self.lattice, "postgres", url, env={"LATTICE_CLUSTER_BIND": "127.0.0.1:0"})
        for server in (leader, follower):
            self.addCleanup(server.remove)
            server.start()
        at_leader, at_follower = self.connect(leader), self.connect(follower)
        self.put(at_leader, b"v")
        self.assertEqual(self.get(at_follower).kvs[0].value, b"v")

        way.stall(True)
        code, _text = self.refusal(self.get, at_follower)
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.get(at_follower, serializable=True).kvs[0].value, b"v")
        # The node is not the leader, and another one is.
        status = at_follower.call("Maintenance.Status", rpc.StatusRequest())
        self.assertNotIn(status.leader, (0, status.header.member_id))
        self.assertEqual(at_leader.call("Maintenance.Status", rpc.StatusRequest()).leader, status.leader)
        self.assertIn("[-]linearizable_read failed", self.ready(follower))
        self.put(at_leader, b"w")  # there it goes on

        way.stall(False)
        way.cut()
        cases.eventually(lambda: self.refusal(self.get, at_follower) is None, "the remedy")
        self.assertEqual(self.get(at_follower).kvs[0].value, b"w")

    # ---- Watch stream disconnects ----

    def watch(self, connection, progress):
        stream = connection.open("Watch.Watch")
        stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k", progress_notify=progress)))
        self.assertTrue(stream.receive().created)
        return stream

    def test_watches_disconnect(self):
        server = self.server("memory", env={"LATTICE_TENANTS_WATCH_IDLE_TIMEOUT_MS": "1000",
                                            "LATTICE_SERVER_WATCH_PROGRESS_INTERVAL_MS": "300"})
        connection = self.connect(server)
        began = time.monotonic()
        silent, with_progress, asking = (self.watch(connection, each) for each in (False, True, False))
        while silent.status is None:
            asking.send(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
            self.assertLess(time.monotonic() - began, 10)
            time.sleep(0.2)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertEqual(silent.status, (grpc.StatusCode.UNAVAILABLE, "lattice: the watch stream was idle for too long"))
        # The remedies: progress notifications, and anything that the client or the key has to say.
        self.assertIsNone(with_progress.status)
        self.assertIsNone(asking.status)
        eventful = self.watch(connection, False)
        for number in range(8):
            self.put(connection, str(number).encode())
            time.sleep(0.2)
        self.assertIsNone(eventful.status)
        # Or no such limit.
        unlimited = self.watch(self.connect(self.server("memory")), False)
        time.sleep(1.5)
        self.assertIsNone(unlimited.status)


if __name__ == "__main__":
    cases.main(__doc__)
