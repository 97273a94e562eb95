#!/usr/bin/python3
"""SIGTERM step by step: not ready, GOAWAY, requests finish, watches end, exit 0. drain.py --lattice PATH."""

import os
import signal
import socket
import subprocess
import sys
import time

import grpc
import hpack

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, protos, raw_h2, servers  # noqa: E402

rpc = protos.rpc
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY = 0, 1, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_SHORT_TIMEOUT_MS = 1000
# Beyond the time that requests are given: for watches to be told, and for the replica to end.
_END_SECONDS_MAX = 12


def ready(port):
    """The status of /readyz, 0 when nobody listens."""
    return cases.http_status(port, "/readyz", timeout_s=5)


class Link:
    """One HTTP/2 connection that notes in which order things arrive. By hand: python3-h2 takes nothing after a GOAWAY."""

    def __init__(self, target):
        host, port = target.split(":")
        self._target = target
        self._socket = socket.create_connection((host, int(port)), timeout=5)
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._next_stream = 1
        self._received = b""
        self._socket.sendall(raw_h2.opening())
        self.seen = []  # ("goaway",), ("message", stream) or ("end", stream, grpc-status)

    def start(self, path, message, end=False):
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        fields = self._encoder.encode([(":method", "POST"), (":scheme", "http"), (":path", path),
                                       (":authority", self._target), ("content-type", "application/grpc"),
                                       ("te", "trailers")])
        body = raw_h2.message_frame(message.SerializeToString())
        self._socket.sendall(raw_h2.frame(_HEADERS, _END_HEADERS, stream, fields) +
                             raw_h2.frame(_DATA, _END_STREAM if end else 0, stream, body))
        return stream

    def read(self, until, timeout_s=10):
        """Reads until that was seen; False when it was not, in time or before the end of the connection."""
        deadline = time.monotonic() + timeout_s
        while until not in self.seen:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                received = self._socket.recv(65536)
            except socket.timeout:
                return False
            if not received:
                return False
            self._received += received
            self._take_frames()
        return True

    def _take_frames(self):
        while len(self._received) >= 9 and len(self._received) >= 9 + int.from_bytes(self._received[:3], "big"):
            size = 9 + int.from_bytes(self._received[:3], "big")
            self._take(*raw_h2.frames(self._received[:size])[0])
            self._received = self._received[size:]

    def _take(self, kind, flags, stream, payload):
        if kind == _GOAWAY:
            self.seen.append(("goaway",))
        elif kind == _DATA and payload:
            self.seen.append(("message", stream))
        elif kind in (_PING, _SETTINGS) and not flags & _ACK:
            self._socket.sendall(raw_h2.frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _HEADERS:
            status = dict(self._decoder.decode(payload)).get("grpc-status")
            if status is not None:
                self.seen.append(("end", stream, int(status)))

    def close(self):
        self._socket.close()


class HeldWrites:
    """Nobody can append to the log while this is held."""

    def __init__(self, database_url):
        self._psql = subprocess.Popen(
            [os.path.join(paths.postgres_programs(), "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", database_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._psql.stdin.write("BEGIN; LOCK TABLE lattice.batch IN SHARE MODE; \\echo held\n")
        self._psql.stdin.flush()
        assert self._psql.stdout.readline() == "held\n"

    def release(self):
        if self._psql.poll() is None:
            self._psql.communicate("ROLLBACK;\n")


class Drain(cases.ServerTest):
    def server(self, kind="sqlite", **settings):
        """With settings of [server]."""
        return super().server(kind, env={f"LATTICE_SERVER_{name.upper()}": str(value) for name, value in settings.items()})

    def link(self, server):
        link = Link(server.target)
        self.addCleanup(link.close)
        return link

    def hold_writes(self, server):
        held = HeldWrites(server.url)
        self.addCleanup(held.release)
        return held

    def ends(self, server, within_s):
        deadline = time.monotonic() + within_s
        while server.process.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(server.process.exit_status(), 0, server.process.log_tail())

    def test_readiness_is_false_before_connections_are_refused(self):
        server = self.server(shutdown_delay_ms=2000)
        connection = self.connect(server)
        connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"1"))
        self.assertEqual((ready(server.port), ready(server.metrics_port)), (200, 200))
        server.process.send(signal.SIGTERM)
        began = time.monotonic()
        cases.eventually(lambda: ready(server.metrics_port) == 503, "readiness is false on the metrics port")
        self.assertEqual(ready(server.port), 503)
        health = connection.call("Health.Check", protos.health.HealthCheckRequest())
        self.assertEqual(health.status, protos.health.HealthCheckResponse.NOT_SERVING)
        connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"2"))
        self.connect(server).call("KV.Put", rpc.PutRequest(key=b"k", value=b"3"))
        self.assertLess(time.monotonic() - began, 2, "too slow a machine: the delay was over before the end of the test")
        self.ends(server, _END_SECONDS_MAX)

    def test_without_a_delay_the_metrics_port_still_tells(self):
        server = self.server("postgres")
        held = self.hold_writes(server)
        link = self.link(server)
        link.start("/etcdserverpb.KV/Put", rpc.PutRequest(key=b"k", value=b"v"), end=True)
        time.sleep(0.2)
        server.process.send(signal.SIGTERM)
        cases.eventually(lambda: ready(server.port) == 0, "the client port is closed")
        self.assertEqual(ready(server.metrics_port), 503)
        held.release()
        self.ends(server, _END_SECONDS_MAX)

    def test_requests_in_flight_finish_and_then_watches_end(self):
        server = self.server("postgres")
        held = self.hold_writes(server)
        link = self.link(server)
        watch = link.start("/etcdserverpb.Watch/Watch",
                           rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k")))
        self.assertTrue(link.read(("message", watch)))
        put = link.start("/etcdserverpb.KV/Put", rpc.PutRequest(key=b"k", value=b"v"), end=True)
        time.sleep(0.3)
        server.process.send(signal.SIGTERM)
        self.assertTrue(link.read(("goaway",)), link.seen)
        self.assertFalse(link.read(("end", watch, 14), timeout_s=0.7), "the watch ended before the request")
        held.release()
        self.assertTrue(link.read(("end", watch, 14)), link.seen)
        self.assertIn(("end", put, 0), link.seen)
        self.assertLess(link.seen.index(("end", put, 0)), link.seen.index(("end", watch, 14)))
        self.assertEqual(link.seen.count(("message", watch)), 2, "the watch was not told of the last write")
        self.ends(server, _END_SECONDS_MAX)

    def test_a_write_that_crosses_the_goaway_is_taken(self):
        server = self.server("postgres")
        held = self.hold_writes(server)
        link = self.link(server)
        first = link.start("/etcdserverpb.KV/Put", rpc.PutRequest(key=b"k", value=b"1"), end=True)
        time.sleep(0.2)
        server.process.send(signal.SIGTERM)
        cases.eventually(lambda: ready(server.port) == 0, "the client port is closed")
        # The notice has been sent, and this client has not read it.
        second = link.start("/etcdserverpb.KV/Put", rpc.PutRequest(key=b"k", value=b"2"), end=True)
        held.release()
        self.assertTrue(link.read(("end", second, 0)), link.seen)
        self.assertIn(("end", first, 0), link.seen)
        self.ends(server, _END_SECONDS_MAX)

    def test_the_end_is_bounded_where_a_request_does_not_finish(self):
        server = self.server("postgres", shutdown_timeout_ms=_SHORT_TIMEOUT_MS)
        self.hold_writes(server)
        link = self.link(server)
        watch = link.start("/etcdserverpb.Watch/Watch",
                           rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k")))
        self.assertTrue(link.read(("message", watch)))
        link.start("/etcdserverpb.KV/Put", rpc.PutRequest(key=b"k", value=b"v"), end=True)
        time.sleep(0.2)
        server.process.send(signal.SIGTERM)
        self.assertTrue(link.read(("end", watch, 14)), link.seen)
        self.ends(server, _END_SECONDS_MAX)

    def test_the_session_is_given_back(self):
        server = self.server("postgres")
        database = server.url.rpartition("/")[2]
        count = "SELECT count(*) FROM lattice.session WHERE NOT dead"
        self.assertEqual(servers.shared_postgres().query(count, database), [["1"]])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(servers.shared_postgres().query(count, database), [["0"]])

    def test_streams_of_every_kind_end_with_unavailable(self):
        server = self.server()
        connection = self.connect(server)
        lease = connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60)).ID
        keepalive = connection.open("Lease.LeaseKeepAlive")
        keepalive.send(rpc.LeaseKeepAliveRequest(ID=lease))
        self.assertEqual(keepalive.receive().ID, lease)
        watch = connection.open("Watch.Watch")
        watch.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k")))
        self.assertTrue(watch.receive().created)
        connection.call("Lock.Lock", protos.lock.LockRequest(name=b"l", lease=lease))
        waiting = connection.start("Lock.Lock", protos.lock.LockRequest(name=b"l"))
        time.sleep(0.2)
        server.process.send(signal.SIGTERM)
        for stream in (keepalive, watch):
            self.assertEqual(stream.ended(10)[0], grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(waiting.exception(timeout=10).code(), grpc.StatusCode.UNAVAILABLE)
        self.ends(server, _END_SECONDS_MAX)


if __name__ == "__main__":
    cases.main(__doc__)
