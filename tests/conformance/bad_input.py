#!/usr/bin/python3
"""Requests that no decent client sends: the answer is what a real etcd 3.7.3 gives, and nobody else notices.

    tests/conformance/bad_input.py --server KIND --lattice PATH
"""

import os
import random
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, protos, raw_h2, suite, wire  # noqa: E402

rpc = protos.rpc
_PUT = "/etcdserverpb.KV/Put"
_LIMIT = 2 * 1024 * 1024
_ANY_TEXT = None


def put_bytes(value=b"v"):
    return rpc.PutRequest(key=b"bad", value=value).SerializeToString()


def body(payload=None, **options):
    return raw_h2.message_frame(put_bytes() if payload is None else payload, **options)


# name: (path, body, options, HTTP status, gRPC code, message)
_CALLS = {
    "a good one": (_PUT, body(), {}, "200", 0, ""),
    "unknown method": ("/etcdserverpb.KV/Nope", body(), {}, "200", 12,
                       "unknown method Nope for service etcdserverpb.KV"),
    "unknown service": ("/foo.Bar/Baz", body(), {}, "200", 12, "unknown service foo.Bar"),
    "no method in the path": ("/nothing", body(), {}, "200", 12, 'malformed method name: "/nothing"'),
    "double slash": ("/" + _PUT, body(), {}, "200", 12, "unknown service /etcdserverpb.KV"),
    "wrong case": ("/etcdserverpb.kv/put", body(), {}, "200", 12, "unknown service etcdserverpb.kv"),
    "escaped letters": ("/etcdserverpb.KV/%50ut", body(), {}, "200", 12,
                        "unknown method %50ut for service etcdserverpb.KV"),
    "JSON content type": (_PUT, body(), {"headers": {"content-type": "application/json"}}, "415", 3,
                          'invalid gRPC request content-type "application/json"'),
    "no content type": (_PUT, body(), {"drop": ["content-type"]}, "415", 3, 'invalid gRPC request content-type ""'),
    "content type with a codec": (_PUT, body(), {"headers": {"content-type": "application/grpc+proto"}}, "200", 0, ""),
    "no te header": (_PUT, body(), {"drop": ["te"]}, "200", 0, ""),
    "GET": (_PUT, body(), {"method": "GET"}, "405", 13,
            'Received a HEADERS frame with :method "GET" which should be POST'),
    "length above the limit": (_PUT, body(b"", length=_LIMIT + 1), {}, "200", 8,
                               f"grpc: received message larger than max ({_LIMIT + 1} vs. {_LIMIT})"),
    "body above the limit": (_PUT, body(put_bytes(b"x" * (_LIMIT + 50_000))), {}, "200", 8, _ANY_TEXT),
    "between the two limits": (_PUT, body(put_bytes(b"x" * (_LIMIT - 100))), {}, "200", 3,
                               "etcdserver: request is too large"),
    "not a protobuf": (_PUT, body(b"\xff\xff\xff\xff"), {}, "200", 13, _ANY_TEXT),
    "field cut short": (_PUT, body(b"\x0a\x05ab"), {}, "200", 13, _ANY_TEXT),
    "text that is not UTF-8": ("/grpc.health.v1.Health/Check", body(b"\x0a\x02\xff\xfe"), {}, "200", 13, _ANY_TEXT),
    "field of another wire type": (_PUT, body(b"\x08\x05"), {}, "200", 3, "etcdserver: key is not provided"),
    "unknown fields": (_PUT, body(put_bytes() + b"\xf8\x3f\x01\xca\x3e\x03abc"), {}, "200", 0, ""),
    "compressed without encoding": (_PUT, body(compressed=1), {}, "200", 13,
                                    "grpc: compressed flag set with identity or empty encoding"),
    "unknown payload flag": (_PUT, body(compressed=2), {}, "200", 13, "grpc: received unexpected payload format 2"),
    "unknown encoding": (_PUT, body(compressed=1), {"headers": {"grpc-encoding": "xyz"}}, "200", 12,
                         'grpc: Decompressor is not installed for grpc-encoding "xyz"'),
    "gzip that is none": (_PUT, body(compressed=1), {"headers": {"grpc-encoding": "gzip"}}, "200", 13, _ANY_TEXT),
    # grpc-go calls it Unknown; gRPC's own list of codes says Internal.
    "message cut short": (_PUT, body()[:-2], {}, "200", (2, 13), _ANY_TEXT),
    "no timeout unit": (_PUT, body(), {"headers": {"grpc-timeout": "abc"}}, "400", 13, _ANY_TEXT),
    "timeout of nine digits": (_PUT, body(), {"headers": {"grpc-timeout": "999999999S"}}, "400", 13, _ANY_TEXT),
    # A server may be quicker than its timer.
    "timeout over at once": (_PUT, body(), {"headers": {"grpc-timeout": "1n"}}, "200", (0, 4), _ANY_TEXT),
    "a very long timeout": (_PUT, body(), {"headers": {"grpc-timeout": "99999999H"}}, "200", 0, ""),
    "client API version": (_PUT, body(), {"headers": {"client-api-version": b"\xff\xfe"}}, "200", 3,
                           "etcdserver: invalid client api version"),
    "binary metadata that is none": (_PUT, body(), {"headers": {"x-bin": "!!!"}}, "400", 13, _ANY_TEXT),
    "garbage on a watch stream": ("/etcdserverpb.Watch/Watch", body(b"\xff\xff\xff"), {"end_stream": False}, "200", 13,
                                  _ANY_TEXT),
    "garbage on a keepalive stream": ("/etcdserverpb.Lease/LeaseKeepAlive", body(b"\xff\xff\xff"), {"end_stream": False},
                                      "200", 13, _ANY_TEXT),
}

# Frames after a correct opening that must end the connection.
_FATAL_FRAMES = {
    "DATA on stream 0": raw_h2.frame(0, 0, 0, b"x"),
    "HEADERS on an even stream": raw_h2.frame(1, 5, 2, b"\x82"),
    "a frame of 16 MiB": raw_h2.frame(0, 0, 1, b"", length=0xffffff),
    "a window update of 0": raw_h2.frame(8, 0, 0, b"\0\0\0\0"),
    "broken HPACK": raw_h2.frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff"),
    "CONTINUATION alone": raw_h2.frame(9, 4, 1, b"\x82"),
    "SETTINGS of 3 bytes": raw_h2.frame(4, 0, 0, b"\0\0\0"),
    "PING of 1 byte": raw_h2.frame(6, 0, 0, b"\0"),
    "a window of 2^32-1": raw_h2.frame(4, 0, 0, b"\0\4\xff\xff\xff\xff"),
}
_HARMLESS_FRAMES = {"an unknown frame type": raw_h2.frame(0xee, 0, 0, b"hey")}

# Bytes that are neither HTTP/2 nor good HTTP/1: the start of the answer, if there must be one.
_RAW = {
    "binary": (b"\x00\x01\x02garbage\r\n\r\n", b""),
    "a broken preface": (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b""),
    "a request line without path": (b"GET\r\n\r\n", b""),
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
    "a negative length": (b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"HTTP/1.1 400"),
    "2 MB of headers": (b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n", b"HTTP/1.1 431"),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", b"HTTP/1."),
    "an upgrade to h2c": (b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                          b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", b"HTTP/1.1 200"),
}


class Bystander:
    """A good client that works all the while."""

    def __init__(self, target):
        self._client = client.Client(target)
        self._stop = threading.Event()
        self.calls = 0
        self.failures = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self):
        watch = self._client.open("Watch.Watch")
        create = rpc.WatchCreateRequest(key=b"bystander")
        watch.send(rpc.WatchRequest(create_request=create))
        watch.receive(10)
        while not self._stop.is_set():
            try:
                self._client.call("KV.Put", rpc.PutRequest(key=b"bystander", value=b"%d" % self.calls), timeout_s=10)
                event = watch.receive(10)
                if event is None or event.events[0].kv.value != b"%d" % self.calls:
                    self.failures.append(f"watch: {event}")
            except Exception as error:  # whatever it is, it goes into the report
                self.failures.append(repr(error))
                return
            self.calls += 1
            time.sleep(0.005)
        watch.cancel()

    def stop(self):
        self._stop.set()
        self._thread.join(20)
        self._client.close()


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bystander = Bystander(suite.server.target)

    @classmethod
    def tearDownClass(cls):
        cls.bystander.stop()
        if cls.bystander.failures or not cls.bystander.calls:
            raise AssertionError(f"another client noticed: {cls.bystander.failures[:3]} after {cls.bystander.calls} calls")

    def assert_lives(self):
        self.assertTrue(suite.server.process.alive())
        answer = raw_h2.call(suite.server.target, _PUT, body())
        self.assertEqual(answer.code, 0)

    def test_calls(self):
        for name, (path, content, options, http, code, message) in _CALLS.items():
            with self.subTest(name):
                answer = raw_h2.call(suite.server.target, path, content, **options)
                self.assertEqual(answer.http, http, answer)
                self.assertIn(answer.code, code if isinstance(code, tuple) else (code,), answer)
                if message is not _ANY_TEXT:
                    self.assertEqual(answer.message, message)
        self.assert_lives()

    def test_a_call_without_message(self):
        # etcd never answers this one; what matters is that nothing breaks.
        answer = raw_h2.call(suite.server.target, _PUT, b"", timeout_s=1)
        self.assertNotEqual(answer.code, 0)
        self.assert_lives()

    def test_forbidden_headers(self):
        for name, value in (("connection", "close"), ("X-Upper", "case")):
            with self.subTest(name):
                answer = raw_h2.call(suite.server.target, _PUT, body(), headers={name: value}, timeout_s=3)
                self.assertNotEqual(answer.code, 0, answer)
                self.assertTrue(answer.reset > 0 or answer.goaway > 0 or answer.http == "400", answer)
        self.assert_lives()

    def test_fatal_frames(self):
        for name, data in _FATAL_FRAMES.items():
            with self.subTest(name):
                received, closed = raw_h2.raw(suite.server.target, raw_h2.opening() + data, 3)
                goaway = any(kind == 7 for kind, _, _, _ in raw_h2.frames(received))
                self.assertTrue(closed or goaway, received)
        self.assert_lives()

    def test_harmless_frames(self):
        for name, data in _HARMLESS_FRAMES.items():
            with self.subTest(name):
                received, closed = raw_h2.raw(suite.server.target, raw_h2.opening() + data, 0.5)
                self.assertFalse(closed)
                self.assertFalse(any(kind == 7 for kind, _, _, _ in raw_h2.frames(received)))

    def test_no_http(self):
        for name, (data, start) in _RAW.items():
            with self.subTest(name):
                received, _closed = raw_h2.raw(suite.server.target, data, 1)
                self.assertEqual(received[:len(start)], start, received[:200])
        self.assert_lives()

    def test_random_frames(self):
        chance = random.Random(11)
        for _ in range(60):
            data = raw_h2.opening()
            for _ in range(chance.randint(1, 6)):
                payload = bytes(chance.randrange(256) for _ in range(chance.randint(0, 40)))
                data += raw_h2.frame(chance.randint(0, 11), chance.randrange(256), chance.choice([0, 1, 1, 3, 2]), payload)
            raw_h2.raw(suite.server.target, data, 0.05)
        self.assert_lives()

    def test_random_messages(self):
        chance = random.Random(12)
        paths = [method.path for method in protos.METHODS.values()
                 if method.service == "etcdserverpb.KV" or method.service.startswith("v3lock")]
        for _ in range(150):
            payload = bytes(chance.randrange(256) for _ in range(chance.randint(0, 30)))
            answer = raw_h2.call(suite.server.target, chance.choice(paths), body(payload), timeout_s=0.3)
            self.assertIn(answer.code, (-1, 0, 2, 3, 5, 11, 12, 13))
        self.assert_lives()

    def test_connections_that_end_in_the_middle(self):
        request = raw_h2.opening() + raw_h2.frame(1, 4, 1, b"\x83\x86")
        for cut in range(1, len(request), 3):
            raw_h2.raw(suite.server.target, request[:cut], 0.01)
        self.assert_lives()

    def test_a_deeply_nested_transaction(self):
        request = rpc.TxnRequest()
        for _ in range(90):
            outer = rpc.TxnRequest()
            outer.success.add().request_txn.CopyFrom(request)
            request = outer
        answer = raw_h2.call(suite.server.target, "/etcdserverpb.KV/Txn", body(request.SerializeToString()))
        self.assertNotEqual(answer.code, -1)
        answer = raw_h2.call(suite.server.target, "/etcdserverpb.KV/Txn", body(wire.nested_txn(4000, b"")))
        self.assertNotEqual(answer.code, -1)
        self.assert_lives()


if __name__ == "__main__":
    suite.main(__name__, __doc__)
