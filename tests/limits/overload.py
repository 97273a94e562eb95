#!/usr/bin/python3
"""Many times the load that a server can bear, and what it does under that and behind it.

    tests/limits/overload.py --lattice PATH                         # a few seconds of it
    tests/limits/overload.py --lattice PATH --seconds 60            # every sort, on SQLite and PostgreSQL; prints figures

$LATTICE_LOADER is the load generator. Overload is relative to what this server does now on this machine: as many requests
are under way as it answers in five seconds, and for lists five times as many come in a second as it answers.
"""

import argparse
import collections
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import hostile  # noqa: E402
from harness import cases, protos, raw_h2  # noqa: E402

rpc = protos.rpc
_KEYS, _LIST_KEYS = 20000, 1000
_OVERLOAD = 5
_RECOVERY_S = 10
# Who has waited in a socket for longer than that is behind a standing queue, of which reads are refused.
_QUEUE_S = 0.5
_USUAL = {"connections": 16, "in_flight": 256, "value_size": 100, "warmup": 0}
_READ_REFUSED = "grpc-status 8: etcdserver: too many requests"
_WRITE_REFUSED = "grpc-status 2: etcdserver: too many requests"
_WATCH_REFUSED = "a new watch is refused"
# What each sort of load may be answered with, beside answers.
_REFUSALS = {"get": {_READ_REFUSED}, "list": {_READ_REFUSED}, "put": {_WRITE_REFUSED}, "watch-new": {_WATCH_REFUSED}}
_SENT = "etcd_network_client_grpc_sent_bytes_total"
_HANDLED = 'grpc_server_handled_total{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="%s",grpc_code="OK"}'
_WATCH_MESSAGES = 'grpc_server_msg_sent_total{grpc_type="bidi_stream",grpc_service="etcdserverpb.Watch",grpc_method="Watch"}'
# Until all of the load is on its way.
_WARMUP_S = 2
# One load generator brings no more of them than a server answers.
_GENERATORS = {"get": 2, "watch-new": 2}
# Below this a server has next to nothing of its machine, and nothing can be said of what it does with too much.
_STARVED = {"get": 20_000, "list": 500, "put": 500, "watch-new": 1000}
# New watches are of keys that nobody writes: a hundred thousand that live are work for every put, and not overload.
_SHAPES = {"list": {"prefix": "list/", "keys": _LIST_KEYS}, "watch-new": {"streams": 64, "prefix": "watched/"}}


def start_load(server, mode, **options):
    options = {"keys": _KEYS, **_SHAPES.get(mode, {}), **options}
    command = [os.environ["LATTICE_LOADER"], mode, "--port", str(server.port)]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(child):
    output, complaint = child.communicate()
    for line in output.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    raise AssertionError(f"the loader said nothing: {complaint}")


class Rate(NamedTuple):
    in_second: float
    of_processor: float  # in a second of the server's processor time

    def __str__(self):
        return f"{self.in_second:.0f}/s ({self.of_processor:.0f} in one of processor time)"


class Sample(NamedTuple):
    """What a server has answered until now, as it says itself, and how long it has had the processors for that."""

    answered: float
    taken: float
    at: float

    def rate_until(self, later):
        answered = later.answered - self.answered
        return Rate(answered / (later.at - self.at), answered / max(later.taken - self.taken, 0.01))


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def load(server, mode, **options):
    return result_of(start_load(server, mode, **options))


def overload_of(server, mode, peak, seconds):
    """Five times what it can do, on its way."""
    # A peak that was measured while something else had the machine must not make the sockets' queues short.
    under_way = max(int(_OVERLOAD * peak.in_second), 800_000 if mode == "get" else 0)
    shape = {**_USUAL, "warmup": _WARMUP_S, "duration": seconds, "in_flight": under_way}
    # Clients that repeat a refused list at once would ask for hundreds of times as many.
    return start_load(server, mode, **shape, **({"rate": int(_OVERLOAD * peak.in_second)} if mode == "list" else {}))


class Overload(cases.ServerTest):
    seconds = 3
    peak_seconds = 1
    # Of what the server does without overload, how much it still does under it, by its own count: of puts in a second, of all
    # else in a second of the server's processor time, because the load generators have the same processors. The short runs
    # share their machine with other tests, which come and go between the two; a collapse leaves less than a tenth.
    goodput_min = 0.15

    # ---- What each test does ----

    def filled(self, kind="memory"):
        server = self.server(kind)
        load(server, "fill", total=_KEYS, txn_puts=100, value_size=100)
        load(server, "fill", total=_LIST_KEYS, txn_puts=100, value_size=100, **_SHAPES["list"])
        everything = rpc.RangeRequest(key=b"list/", range_end=b"list0")
        self.list_bytes = self.connect(server).call("KV.Range", everything).ByteSize()
        return server

    def peak(self, server, mode):
        """What it does without overload."""
        under_way = start_load(server, mode, duration=self.peak_seconds + 1, **_USUAL)
        time.sleep(0.5)
        before = self.sample(server, mode)
        time.sleep(self.peak_seconds)
        peak = before.rate_until(self.sample(server, mode))
        self.assertEqual(result_of(under_way)["errors"], {})
        if peak.in_second < _STARVED[mode]:
            self.skipTest(f"this machine does {peak.in_second:.0f} of {mode} a second now: other work has it")
        return peak

    def beside(self, server, mode, floods):
        """While they last: (what it does, how long a put, a lease and a look at the health take together; none is ever refused)."""
        connection, waits = self.connect(server), []
        samples, began = [], time.monotonic()
        while any(flood.poll() is None for flood in floods):
            if time.monotonic() - began >= (_WARMUP_S, _WARMUP_S + self.seconds, float("inf"))[len(samples)]:
                samples.append(self.sample(server, mode))
            asked = time.monotonic()
            if mode != "put":
                connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"v"), timeout_s=30)
                connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60), timeout_s=30)
                connection.call("Health.Check", protos.health.HealthCheckRequest(), timeout_s=30)
                waits.append(time.monotonic() - asked)
            time.sleep(0.1)
        if not samples:
            self.fail(f"the load ended before its time: {[result_of(flood) for flood in floods]}")
        return samples[0].rate_until((samples + [self.sample(server, mode)])[1]), sorted(waits)

    def recovery(self, server, mode, peak, puts=0):
        """How long until it does again what it did before: (seconds, in the last of them). `puts`: it has written meanwhile."""
        stopped = time.monotonic()
        while True:
            again = load(server, mode, duration=1, **_USUAL)["per_second"]
            took = time.monotonic() - stopped
            if again >= 0.8 * peak.in_second:
                return took, again
            if took > _RECOVERY_S:
                # Or the machine is slower now, also for a server that has never had too much.
                untouched = self.filled(server.kind)
                if puts > 0:
                    load(untouched, "fill", total=puts, txn_puts=1, value_size=100)
                return took, peak.in_second * again / self.peak(untouched, mode).in_second

    def flooded(self, server, mode, peak):
        """Under five times the load: (what it does, what it refuses, how long each write takes beside it)."""
        floods = [overload_of(server, mode, peak, self.seconds) for _ in range(_GENERATORS.get(mode, 1))]
        rate, waits = self.beside(server, mode, floods)
        errors = sum((collections.Counter(result_of(flood)["errors"]) for flood in floods), collections.Counter())
        refused = sum(errors.pop(each, 0) for each in _REFUSALS[mode])
        # Its own check of revisions does not know of the puts beside it, nor of refused ones.
        self.assertEqual([each for each in errors if each.startswith(("grpc", "a watch"))], [],
                         f"{dict(errors)}; connections that the server ended: {self.goaways(server)}")
        return rate, refused, waits

    def check(self, server, mode):
        peak = self.peak(server, mode)
        under, refused, waits = self.flooded(server, mode, peak)
        if refused == 0:
            # Something else had the machine while the peak was measured: it is what was just answered, or more.
            peak = under
            under, refused, waits = self.flooded(server, mode, peak)
        if refused == 0 and waits and waits[-1] < _QUEUE_S and under.in_second >= 0.8 * peak.in_second:
            self.skipTest(f"the load generators brought no more {mode} than the server answered: {under.in_second:.0f} a second")
        kept = under.in_second / peak.in_second if mode == "put" else under.of_processor / peak.of_processor
        took, again = self.recovery(server, mode, peak)
        beside = f"put, grant and health beside it: {waits[len(waits) // 2]:.3f} s in the median, {waits[-1]:.3f} at most" if waits else ""
        print(f"{server.kind} {mode}: {peak}; in {self.seconds} s of overload {under}, {kept:.2f} of it, {refused} refused; "
              f"{took:.1f} s behind it {again:.0f}/s; {beside}", flush=True)
        self.assertGreater(refused, 0)
        self.assertGreaterEqual(kept, self.goodput_min)
        self.assertGreaterEqual(again, 0.8 * peak.in_second)
        return refused

    # ---- The tests ----

    def test_gets(self):
        server = self.filled()
        refused = self.check(server, "get")
        self.assertEqual(self.shed(server, "read"), refused)

    def test_lists(self):
        self.check(self.filled(), "list")

    def test_every_sort(self):
        if self.seconds < 60:
            self.skipTest("only with --seconds 60: puts, gets, lists and new watches on SQLite and PostgreSQL")
        for kind in ("sqlite", "postgres"):
            server = self.filled(kind)
            for mode in ("put", "get", "list", "watch-new"):
                with self.subTest(kind=kind, mode=mode):
                    self.check(server, mode)
            with self.subTest(kind=kind, mode="all"):
                self.check_mixed(server)
            server.remove()

    def check_mixed(self, server):
        """Reads of all sorts at once, and writes beside them, which come first."""
        modes = ("get", "list", "watch-new")
        peaks = {mode: self.peak(server, mode) for mode in (*modes, "put")}
        floods = [overload_of(server, mode, peaks[mode], self.seconds) for mode in modes]
        time.sleep(2)
        beside = load(server, "put", duration=self.seconds - 3, **_USUAL)
        rates = {mode: result_of(flood)["per_second"] for mode, flood in zip(modes, floods)} | {"put": beside["per_second"]}
        took, again = self.recovery(server, "get", peaks["get"], puts=int(beside["writes"]))
        shares = ", ".join(f"{mode} {rate / peaks[mode].in_second:.2f}" for mode, rate in rates.items())
        waits = ", ".join(f"{name} {beside['latency_us'][name] / 1e6:.3f} s" for name in ("p50", "p99", "max"))
        print(f"{server.kind} all at once, of each's own peak: {shares}; puts took {waits}; {took:.1f} s behind it {again:.0f} gets/s",
              flush=True)
        # None was refused; what the loader then reads back to compare may have been.
        self.assertEqual([each for each in beside["errors"] if each.startswith("grpc")], [])
        self.assertGreater(beside["per_second"], 0)
        self.assertGreaterEqual(again, 0.8 * peaks["get"].in_second)

    def test_answers_that_nobody_takes(self):
        server = self.filled()
        honest = self.connect(server)
        everything = rpc.RangeRequest(key=b"list/", range_end=b"list0")
        size = honest.call("KV.Range", everything).ByteSize()
        links, each = 40, 150
        requests = [hostile.Requests(hostile.RANGE) for _ in range(links)]
        # Nothing of an answer's body may be sent to them.
        opening = raw_h2.PREFACE + raw_h2.frame(hostile.SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00")
        peers = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(links)]
        for peer, request in zip(peers, requests):
            self.addCleanup(peer.close)
            peer.sendall(opening + b"".join(request.call(stream, everything.SerializeToString())
                                            for stream in range(1, 2 * each, 2)))
        # What a client may always have, and what all together may.
        held_max = links * ((1 << 20) + size) + (256 << 20) + size
        self.assertGreater(links * each * size, 2 * held_max)
        cases.eventually(lambda: (links * each - self.shed(server, "read")) * size <= held_max, "lists to be refused", 120)
        # Who takes what he asks for is not concerned, and writes of the others are not either.
        self.assertEqual(len(honest.call("KV.Range", everything).kvs), _LIST_KEYS)
        stream = 2 * each + 1
        put = raw_h2.message_frame(rpc.PutRequest(key=b"behind", value=b"v").SerializeToString())
        peers[0].sendall(hostile.literal_headers(stream) + raw_h2.frame(hostile.DATA, hostile.END_STREAM, stream, put))
        cases.eventually(lambda: honest.call("KV.Range", rpc.RangeRequest(key=b"behind")).count == 1, "the write")
        for peer in peers:
            peer.close()
        cases.eventually(lambda: all(len(answer.result().kvs) == _LIST_KEYS for answer in
                                     [honest.start("KV.Range", everything) for _ in range(50)]), "the end of it")

    def test_writes_behind_lists_of_the_same_connection(self):
        """All of a burst is let in before any of it is counted, and still leaves room for a write."""
        server = self.filled()
        honest = self.connect(server)
        everything = rpc.RangeRequest(key=b"list/", range_end=b"list0")
        size, lists = honest.call("KV.Range", everything).ByteSize(), 4000
        self.assertGreater(lists * size, 384 << 20)
        request, put = hostile.Requests(hostile.RANGE), rpc.PutRequest(key=b"behind", value=b"v")
        opening = raw_h2.PREFACE + raw_h2.frame(hostile.SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00")
        with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
            peer.sendall(opening + b"".join(request.call(stream, everything.SerializeToString())
                                            for stream in range(1, 2 * lists, 2)))
            time.sleep(0.05)
            cases.eventually(lambda: self.shed(server, "read") > 0, "lists to be refused")
            stream = 2 * lists + 1
            peer.sendall(hostile.literal_headers(stream)
                         + raw_h2.frame(hostile.DATA, hostile.END_STREAM, stream, raw_h2.message_frame(put.SerializeToString())))
            cases.eventually(lambda: honest.call("KV.Range", rpc.RangeRequest(key=b"behind")).count == 1, "the write", 5)

    def sample(self, server, mode):
        return Sample(self.answered(server, mode), processor_seconds(server.process.pid), time.monotonic())

    def answered(self, server, mode):
        if mode == "list":
            # Hundreds share each connection, so they end late; what has gone over is what counts.
            return self.metric(server, _SENT) / self.list_bytes
        if mode == "watch-new":
            # Each is made and ended, in a message each.
            return (self.metric(server, _WATCH_MESSAGES) - self.shed(server, "watch")) / 2
        return self.metric(server, _HANDLED % {"get": "Range", "put": "Put"}[mode])

    def shed(self, server, kind):
        return self.metric(server, f'lattice_requests_shed_total{{kind="{kind}"}}')

    def goaways(self, server):
        return re.findall(r"^lattice_\w*goaway\w*\{.* [1-9]\d*$", self.metrics(server), re.MULTILINE)

    def metric(self, server, name):
        found = re.search(rf"^{re.escape(name)} (\d+)$", self.metrics(server), re.MULTILINE)
        return int(found[1]) if found else 0

    def metrics(self, server):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
            return answer.read().decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seconds", type=int, default=Overload.seconds)
    known, sys.argv[1:] = parser.parse_known_args()
    Overload.seconds = known.seconds
    if known.seconds >= 60:
        Overload.peak_seconds, Overload.goodput_min = 3, 0.7
    cases.main(__doc__)
