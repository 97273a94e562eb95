#!/usr/bin/python3
"""The protocol attacks of reliability.md 3.4 on a whole server, one after the other, each for a moment: a well-behaved client
is served all the while, memory stays bounded, and descriptors come back. How long the well-behaved have to wait is
measured by measure_abuse.py; what each attack is answered with, to the frame, is in tests/proxy/hostile_peer_test.cc.

    tests/limits/abuse.py --lattice PATH
"""

import os
import random
import re
import ssl
import sys
import threading
import time
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import attacks  # noqa: E402
import attacks_tls  # noqa: E402
import hostile  # noqa: E402
from harness import cases, protos, raw_h2  # noqa: E402
from victims import Victim  # noqa: E402

_SECONDS = 0.1
_PATIENCE_SECONDS = 10  # of attacks that the server has to end
_SCALE = 0.04  # of what comes in thousands
_GROWTH_MIB_MAX = 64
_RECOVERY_SECONDS_MAX = 5.0
_ADMITTED_MAX = 10
_RPC = protos.rpc
# Windows beyond all that is answered, for streams and for the connection.
_WIDE_OPEN = (raw_h2.PREFACE + raw_h2.frame(hostile.SETTINGS, 0, 0, b"\x00\x04\x7f\xff\xff\xff")
              + raw_h2.frame(hostile.WINDOW, 0, 0, (1 << 30).to_bytes(4, "big")))
_NO_WINDOWS = raw_h2.PREFACE + raw_h2.frame(hostile.SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00")
_HANDLED = re.compile(r'^grpc_server_handled_total\{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Range",'
                      r'grpc_code="OK"\} (\d+)$', re.MULTILINE)


class Pump:
    """Sends a script, and reads answers only when it is told to."""

    def __init__(self, link, script):
        link.setblocking(False)
        self._link, self._left, self._came = link, memoryview(script), b""
        self.answers = 0

    def write(self):
        """As much as the socket takes; False: nothing, or nothing is left."""
        try:
            sent = self._link.send(self._left[:1 << 16]) if self._left else 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self._left = self._left[sent:]
        return sent > 0

    def done(self):
        return not self._left

    def read(self):
        try:
            self._came += self._link.recv(1 << 20)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        at = 0
        while at + 9 <= len(self._came) and at + 9 + (size := int.from_bytes(self._came[at:at + 3], "big")) <= len(self._came):
            self.answers += self._came[at + 3] == hostile.HEADERS and self._came[at + 4] & hostile.END_STREAM
            at += 9 + size
        self._came = self._came[at:]


def handled(victim):
    """How many reads it has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{victim.server.metrics_port}/metrics", timeout=10) as answer:
        found = _HANDLED.search(answer.read().decode())
    return int(found[1]) if found else 0


class AttackTest(cases.ServerTest):
    _victims = {}

    @classmethod
    def victim(cls, listener):
        if listener not in cls._victims:
            cls._victims[listener] = Victim(cls.lattice, listener)
            unittest.addModuleCleanup(cls._victims[listener].remove)
        return cls._victims[listener]


class Attacks(AttackTest):
    def under(self, victim, attack):
        """Runs the attack in threads beside the good client: the peers, and the most memory that there was."""
        attack.prepare(_SCALE)
        until = time.monotonic() + (_PATIENCE_SECONDS if attack.ends else _SECONDS)
        peers = [hostile.Peer(victim.target, until, _SCALE, victim.tls, patient=False) for _ in range(attack.threads)]
        running = [threading.Thread(target=attack.run, args=(peer,), daemon=True) for peer in peers]
        for thread in running:
            thread.start()
        while any(thread.is_alive() for thread in running):
            victim.put()
            time.sleep(0.005)
        return peers

    def check(self, attack):
        victim = self.victim(attack.listener)
        fds, before = victim.fds(), victim.rss_mib()
        victim.forget_peak()
        peers = self.under(victim, attack)
        self.assertTrue(victim.server.process.alive(), victim.server.process.log_tail())
        self.assertLess(victim.rss_mib(peak=True) - before, _GROWTH_MIB_MAX)
        self.assertTrue(any(peer.connections for peer in peers))
        cases.eventually(lambda: victim.fds() <= fds, "descriptors come back", _RECOVERY_SECONDS_MAX)
        victim.put()
        if attack.ends:
            self.assertTrue(all(peer.sent_away for peer in peers))


def _add_attacks():
    for number, (name, attack) in enumerate(attacks.ATTACKS.items()):
        def test(self, attack=attack):
            self.check(attack)
        test.__doc__ = f"{attack.row}: {name}"
        setattr(Attacks, f"test_{number:02}", test)


class Answers(AttackTest):
    """What single attacks come to."""

    def test_a_gigabyte_in_a_megabyte_costs_four(self):
        victim = self.victim("plain")
        bomb = attacks.bomb()
        requests = hostile.Requests(more=(("grpc-encoding", "gzip"),))
        victim.forget_peak()
        before = victim.rss_mib()
        peer = hostile.Peer(victim.target, time.monotonic() + 10)
        with peer.connect() as link:
            link.sendall(hostile.script(lambda stream: requests.call(stream, bomb, 1), 1))
            found = attacks_tls.statuses(peer, link, 1, 10)
        self.assertEqual(found, [8])  # too large
        self.assertLess(victim.rss_mib(peak=True) - before, 4 + len(bomb) / (1 << 20))

    def test_requests_are_not_read_while_answers_are_not(self):
        message, count = _RPC.RangeRequest(key=b"small").SerializeToString(), 60_000
        for listener in ("plain", "tls"):
            victim = self.victim(listener)
            victim.call("KV.Put", _RPC.PutRequest(key=b"small", value=b"x" * 1000))
            before = handled(victim)
            requests = hostile.Requests(hostile.RANGE)
            peer = hostile.Peer(victim.target, time.monotonic() + 60, tls=victim.tls)
            with peer.connect() as link:
                pump = Pump(link, hostile.script(lambda stream: requests.call(stream, message), count, _WIDE_OPEN))
                last = time.monotonic()
                while time.monotonic() - last < 1:
                    if pump.write():
                        last = time.monotonic()
                    else:
                        time.sleep(0.01)
                self.assertLess(handled(victim) - before, count / 2, listener)
                # Nothing of it is lost; who is late may have been refused.
                while pump.answers < count and not peer.over():
                    pump.write()
                    pump.read()
                self.assertEqual(pump.answers, count, listener)

    def test_small_answers_that_no_window_lets_out(self):
        victim = self.victim("plain")
        message, requests = _RPC.RangeRequest(key=b"good").SerializeToString(), hostile.Requests(hostile.RANGE)
        script = hostile.script(lambda stream: requests.call(stream, message), 100_000, _NO_WINDOWS)
        victim.put()
        victim.forget_peak()
        before = victim.rss_mib()
        peer = hostile.Peer(victim.target, time.monotonic() + 60)
        links = [peer.connect() for _ in range(12)]
        for link in links:
            self.addCleanup(link.close)
            pump = Pump(link, script)
            while pump.write() or not pump.done():
                pump.read()
        seen = -1
        while (now := handled(victim)) != seen:
            seen = now
            time.sleep(0.5)
        victim.put()
        # What all may leave for a moment, and what each may always.
        self.assertLess(victim.rss_mib(peak=True) - before, 256 + 64 + 2 * len(links))

    def test_guesses_are_slowed_down(self):
        victim = self.victim("auth")
        peer = hostile.Peer(victim.target, time.monotonic() + 1.5)
        attacks.ATTACKS["guesses of one user's password"].run(peer)
        wrong, refused = peer.notes.get("grpc-status 3", 0), peer.notes.get("grpc-status 2", 0)
        self.assertLessEqual(wrong, _ADMITTED_MAX)
        self.assertGreater(refused, 30)

    def test_forged_tokens_are_refused(self):
        random.seed(1)
        for listener in ("auth", "jwt"):
            victim = self.victim(listener)
            token = attacks_tls.log_in(victim.target)
            forged = attacks_tls.flipped(token, 2000)
            if listener == "jwt":
                forged += attacks_tls.forged_jwts(token)
            peer = hostile.Peer(victim.target, time.monotonic() + 60)
            self.assertEqual(attacks_tls.try_tokens(peer, [token]), [0])
            for at in range(0, len(forged), 500):
                batch = forged[at:at + 500]
                found = attacks_tls.try_tokens(peer, batch)
                self.assertEqual(len(found), len(batch), listener)
                self.assertNotIn(0, found, listener)

    def test_paths_that_only_look_like_a_method(self):
        victim = self.victim("auth")
        message = raw_h2.message_frame(_RPC.RangeRequest(key=b"big0").SerializeToString())
        for path in ("etcdserverpb.KV/Range", "//etcdserverpb.KV/Range", "/etcdserverpb.KV//Range", "/etcdserverpb.kv/range",
                     "/etcdserverpb.KV%2fRange", "/etcdserverpb.KV/Range/", "/etcdserverpb.KV/Range?x=1", "/etcdserverpb.KV/Range#",
                     "/x/../etcdserverpb.KV/Range", "/grpc.health.v1.Health/../etcdserverpb.KV/Range", "/etcdserverpb.KV/Range\0",
                     "/grpc.health.v1.Health/Check/../../etcdserverpb.KV/Range", "/etcdserverpb.KV/Range ", "/ETCDSERVERPB.KV/RANGE",
                     "http://h/etcdserverpb.KV/Range", "*", "", "/", "/%65tcdserverpb.KV/Range", "/etcdserverpb.KV\\Range"):
            with self.subTest(path):
                answer = raw_h2.call(victim.target, path, message, headers={"token": victim.metadata[0][1]}, timeout_s=2)
                self.assertNotEqual(answer.code, 0)
                self.assertNotIn(b"xxxx", answer.data)


_add_attacks()

if __name__ == "__main__":
    cases.main(__doc__)
