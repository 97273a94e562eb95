#!/usr/bin/python3
"""Requests that nodes pass on under mutual TLS, with certificates that `lattice certs init` has made.

    tests/control_plane/forwarding_tls.py --lattice PATH
"""

import os
import signal
import socket
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import encrypted  # noqa: E402
import forwarded  # noqa: E402
from harness import cases, protos  # noqa: E402

rpc, lock = protos.rpc, protos.lock
_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, "there is no connection available")
_MIB = 1 << 20


class ForwardingOverTls(encrypted.EncryptedTest, forwarded.ForwardedTest):
    def check_nothing_passes(self, connection):
        """The node has no way to those that serve the tenant, and says that nobody has seen the request."""
        cases.eventually(lambda: self.refusal(self.put, connection) == _UNREACHABLE, "the routing to be known, and refused")

    def check_said(self, server, *parts):
        server.process.wait_for_log(lambda line: all(part in line for part in parts), timeout_s=15)

    def test_many_large_answers_at_once(self):
        for number in range(8):
            self.put(self.n1, bytes([65 + number]) * _MIB, b"large/%d" % number)
        everything = rpc.RangeRequest(key=b"large/", range_end=b"large0")
        stop = time.monotonic() + 20
        answers = [self.n3.start("KV.Range", everything) for _ in range(12)]
        # Small requests of the same connection, and through the same link, are not held up by them.
        waits = []
        while not all(answer.done() for answer in answers) and time.monotonic() < stop:
            began = time.monotonic()
            self.put(self.n3, b"small", b"beside")
            waits.append(time.monotonic() - began)
        for answer in answers:
            self.assertEqual([kv.value for kv in answer.result().kvs], [bytes([65 + number]) * _MIB for number in range(8)])
        self.assertLess(max(waits), 5)

    def test_deadlines_come_along(self):
        """The node that serves ends the call at its deadline, also when nobody is there to cancel it."""
        edge = self.nodes.servers[2].process
        self.n1.call("Lock.Lock", lock.LockRequest(name=b"late"))
        waiting = self.n3.start("Lock.Lock", lock.LockRequest(name=b"late"), timeout_s=1)
        cases.eventually(lambda: self.keys(b"late/") == 2, "a waiter")
        edge.send(signal.SIGSTOP)
        try:
            cases.eventually(lambda: self.keys(b"late/") == 1, "the waiter's time to be over", 5)
        finally:
            edge.send(signal.SIGCONT)
        self.assertEqual(waiting.exception(10).code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_it_is_tls(self):
        """A peer that speaks plaintext is not talked to."""
        port = int(self.node_address("n1").rpartition(":")[2])
        with socket.create_connection(("localhost", port), 5) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
            answer = plain.recv(1000)
        self.assertIn(b"Client sent an HTTP request to an HTTPS server", answer)

    def test_another_authority(self):
        server = self.stranger(encrypted.tls_links(encrypted.make_certificates()))
        own = self.connect(server)
        self.route(["n4"], wait=False)
        self.check_nothing_passes(self.n3)
        # Who calls says which name it asked for, for whom the certificate is, and by whom.
        self.check_said(self.nodes.servers[2], "trouble with another node", "certificate is refused", "asked for localhost",
                        "is for localhost")
        self.check_said(server, "trouble with another node", "refuses our certificate")
        self.route(["n1"])
        self.check_nothing_passes(own)
        self.check_said(server, "trouble with another node", "certificate is refused")
        self.put(self.n3)

    def test_another_name(self):
        """The right authority, and a certificate that is not for the host under which the node is called."""
        server = self.stranger(encrypted.tls_links(self.folder, "127.0.0.1"))
        self.route(["n4"], wait=False)
        self.check_nothing_passes(self.n3)
        self.check_said(self.nodes.servers[2], "certificate is refused", "asked for 127.0.0.1", "is for localhost")
        self.check_said(server, "the other side refuses our certificate")
        # It reaches the others, whose names are right.
        self.route(["n1"])
        own = self.connect(server)
        cases.eventually(lambda: self.refusal(self.put, own) is None, "the other direction")

    def test_a_node_without_tls(self):
        server = self.stranger({})
        self.route(["n4"], wait=False)
        self.check_nothing_passes(self.n3)
        self.check_said(self.nodes.servers[2], "trouble with another node", "in the TLS handshake: does it speak TLS?")
        self.check_said(server, "trouble with another node", "a TLS client at a port that speaks plaintext")
        self.route(["n1"])
        own = self.connect(server)
        self.check_nothing_passes(own)
        self.check_said(self.nodes.servers[0], "trouble with another node", "the other side does not speak TLS")
        self.put(self.n3)


if __name__ == "__main__":
    cases.main(__doc__)
