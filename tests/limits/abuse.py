#!/usr/bin/python3
"""The protocol attacks of reliability.md 3.4 on a whole server, one after the other, each for half a second: a well-behaved
client is served all the while, memory stays bounded, and descriptors come back. What each attack is answered with, to
the frame, is in tests/proxy/hostile_peer_test.cc.

    tests/limits/abuse.py --lattice PATH
"""

import argparse
import functools
import gzip
import os
import re
import socket
import sys
import threading
import time
import unittest

import hpack

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, protos, raw_h2, servers  # noqa: E402

_SECONDS = 0.5
# Of one attack, beyond what the server had before all of them.
_GROWTH_MIB_MAX = 64
# A busy machine's share is in it; that the p99 at most doubles is measured by bench, on a quiet one.
_CALL_SECONDS_MAX = 2.0
_RECOVERY_SECONDS_MAX = 5.0

_DATA, _HEADERS, _PRIORITY, _RST, _SETTINGS, _PING, _WINDOW, _CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1

lattice = None


@functools.lru_cache(None)
def header_block(path, target, more=()):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", target),
              ("content-type", "application/grpc"), ("te", "trailers"), *more]
    # Without the dynamic table, so that each block stands for itself.
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])


def headers(stream, path, target, flags=_END_HEADERS, more=()):
    return raw_h2.frame(_HEADERS, flags, stream, header_block(path, target, more))


class Attack:
    """Sends what `bursts(first_stream)` makes on one connection after the other until the time is over."""

    def __init__(self, target, burst):
        self._target = target
        self._burst = burst
        self.connections = 0

    def run(self, until):
        host, port = self._target.split(":")
        while time.monotonic() < until:
            self.connections += 1
            try:
                with socket.create_connection((host, int(port)), timeout=1) as link:
                    link.sendall(raw_h2.opening())
                    stream = 1
                    while time.monotonic() < until:
                        bytes_, stream = self._burst(stream)
                        link.sendall(bytes_)
                        self._drain(link)
            except OSError:
                continue  # told to go: the next one

    @staticmethod
    def _drain(link):
        link.setblocking(False)
        try:
            while True:
                if not link.recv(1 << 16):
                    raise ConnectionError("told to go")
        except BlockingIOError:
            pass
        finally:
            link.settimeout(1)


def many(make, count=200):
    """A burst of `count` times what make(stream) answers, with the next stream id each time."""
    def burst(stream):
        out = []
        for _ in range(count):
            out.append(make(stream))
            stream += 2
        return b"".join(out), stream
    return burst


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.make("memory", lattice).start()
        cls.addClassCleanup(cls.server.remove)
        cls.good = client.Client(cls.server.target)
        cls.addClassCleanup(cls.good.close)
        for i in range(50):
            cls.good.call("KV.Put", protos.rpc.PutRequest(key=b"big%d" % i, value=b"x" * 100_000))
        cls.rss_before = cls.rss_mib()

    @classmethod
    def rss_mib(cls):
        with open(f"/proc/{cls.server.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def fds(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def call(self):
        """One put by the good client; how long it took."""
        began = time.monotonic()
        self.good.call("KV.Put", protos.rpc.PutRequest(key=b"good", value=b"v"))
        return time.monotonic() - began

    def under(self, attack, threads=2):
        """Runs attack(until) in threads beside the good client, then looks at what is left."""
        fds = self.fds()
        until = time.monotonic() + _SECONDS
        running = [threading.Thread(target=attack, args=(until,), daemon=True) for _ in range(threads)]
        for thread in running:
            thread.start()
        took, peak = [], 0.0
        while any(thread.is_alive() for thread in running):
            took.append(self.call())
            peak = max(peak, self.rss_mib())
            time.sleep(0.005)
        self.assertTrue(self.server.process.alive(), self.server.process.log_tail())
        self.assertLess(max(took), _CALL_SECONDS_MAX)
        self.assertLess(peak - self.rss_before, _GROWTH_MIB_MAX)
        deadline = time.monotonic() + _RECOVERY_SECONDS_MAX
        while self.fds() > fds and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertLessEqual(self.fds(), fds)
        self.assertLess(self.call(), _CALL_SECONDS_MAX)

    def flood(self, burst):
        attack = Attack(self.server.target, burst)
        self.under(attack.run)
        return attack

    def test_rapid_reset(self):
        put = "/etcdserverpb.KV/Put"
        reset = (8).to_bytes(4, "big")
        attack = self.flood(many(lambda stream: headers(stream, put, self.server.target) +
                                 raw_h2.frame(_RST, 0, stream, reset)))
        self.assertGreater(attack.connections, 2)  # they were told to go

    def test_resets_that_the_server_is_made_to_send(self):
        watch = "/etcdserverpb.Watch/Watch"
        attack = self.flood(many(lambda stream: headers(stream, watch, self.server.target) +
                                 raw_h2.frame(_WINDOW, 0, stream, bytes(4))))
        self.assertGreater(attack.connections, 2)

    def test_floods_of_control_frames(self):
        for name, frame in {"settings": raw_h2.frame(_SETTINGS, 0, 0),
                            "ping": raw_h2.frame(_PING, 0, 0, b"12345678"),
                            "priority": raw_h2.frame(_PRIORITY, 0, 1, bytes(4) + b"\x10"),
                            "window": raw_h2.frame(_WINDOW, 0, 0, b"\0\0\0\1")}.items():
            with self.subTest(name):
                self.flood(lambda stream, frame=frame: (frame * 500, stream))

    def test_continuation_without_end(self):
        block = header_block("/etcdserverpb.KV/Put", self.server.target)

        def burst(stream):
            more = raw_h2.frame(_CONTINUATION, 0, stream, b"\x00\x01a\x01b" * 100)
            return raw_h2.frame(_HEADERS, 0, stream, block) + more * 100, stream + 2
        self.flood(burst)

    def test_hpack_bomb(self):
        # One long field in the table, then references to it.
        long_field = b"\x40\x01a" + b"\x7f\x81\x1e" + b"v" * 4000

        def burst(stream):
            block = header_block("/etcdserverpb.KV/Put", self.server.target) + long_field + b"\xbe" * 4000
            return raw_h2.frame(_HEADERS, _END_HEADERS, stream, block), stream + 2
        self.flood(burst)

    def test_messages_that_promise_four_gigabytes(self):
        def one(stream):
            return (headers(stream, "/etcdserverpb.KV/Put", self.server.target) +
                    raw_h2.frame(_DATA, 0, stream, raw_h2.message_frame(b"x", length=0xffffffff)))
        self.flood(many(one, 50))

    def test_gzip_bombs(self):
        bomb = raw_h2.message_frame(gzip.compress(bytes(16 << 20), 9), compressed=1)
        self.assertLess(len(bomb), 16384 + 1000)
        more = (("grpc-encoding", "gzip"),)

        def one(stream):
            parts = [bomb[at:at + 16384] for at in range(0, len(bomb), 16384)]
            return headers(stream, "/etcdserverpb.KV/Put", self.server.target, more=more) + b"".join(
                raw_h2.frame(_DATA, _END_STREAM if part is parts[-1] else 0, stream, part) for part in parts)
        self.flood(many(one, 3))

    def test_readers_without_a_window(self):
        # SETTINGS_INITIAL_WINDOW_SIZE = 0, then lists of five megabytes that nobody takes.
        message = raw_h2.message_frame(protos.rpc.RangeRequest(key=b"big", range_end=b"bih").SerializeToString())
        no_window = raw_h2.frame(_SETTINGS, 0, 0, b"\x00\x04" + bytes(4))

        def attack(until):
            host, port = self.server.target.split(":")
            with socket.create_connection((host, int(port)), timeout=2) as link:
                link.sendall(raw_h2.PREFACE + no_window)
                for stream in range(1, 41, 2):
                    link.sendall(headers(stream, "/etcdserverpb.KV/Range", self.server.target) +
                                 raw_h2.frame(_DATA, _END_STREAM, stream, message))
                time.sleep(max(0, until - time.monotonic()))
        self.under(attack, threads=4)

    def test_connections_that_say_nothing_or_half(self):
        links = []

        def attack(until):
            host, port = self.server.target.split(":")
            openings = [b"", b"PRI * HTTP/2.0\r\n", b"GET /health HTTP/1.1\r\nhost: x\r\n", raw_h2.opening(),
                        raw_h2.opening() + raw_h2.frame(_HEADERS, 0, 1, b"\x83")]
            for i in range(500):
                link = socket.create_connection((host, int(port)), timeout=2)
                links.append(link)
                link.sendall(openings[i % len(openings)])
            time.sleep(max(0, until - time.monotonic()))
            while links:
                links.pop().close()
        self.under(attack, threads=1)


def main():
    global lattice
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lattice", required=True, help="the binary under test")
    arguments, rest = parser.parse_known_args()
    lattice = arguments.lattice
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)


if __name__ == "__main__":
    main()
