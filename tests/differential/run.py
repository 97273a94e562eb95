#!/usr/bin/python3
"""Sends the same random operations to two servers and compares every answer and every watch stream.

    tests/differential/run.py --server sqlite --lattice build/release/lattice --ops 20000 --seed 7
    tests/differential/run.py --server etcd --ops 5000            # etcd against itself: the check of the check
    tests/differential/run.py --selftest                          # planted differences must be found
"""

import argparse
import collections
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

import grpc  # noqa: E402

from generator import Generator  # noqa: E402
from harness import client, protos, servers, text, tools  # noqa: E402
from normalise import normalise  # noqa: E402
from watches import Broken, WatchStream  # noqa: E402

_WINDOW = 12
_SYNC_EVERY = 250
_PATIENCE_S = 10
_QUIET_S = 0.02
_CATCH_UP_S = 0.25

# Every refusal that the stream of operations must have met, so that the generator cannot rot unnoticed.
_REFUSALS = [
    "key is not provided", "key not found", "value is provided", "lease is provided",
    "too many operations in txn request", "duplicate key given", "invalid sort option", "has been compacted",
    "is a future revision", "request is too large", "requested lease not found", "lease already exists",
    "too large lease TTL", "does not support custom sort orders", "does not support revision filters",
    "watcher range is empty", "duplicate watch ID"]
_REFUSALS_EXPECTED_FROM_OPS = 10_000


class Difference(Exception):
    """The two servers answered differently."""


class Side:
    """One of the two servers with its client and streams. `plant` may falsify an answer, for the selftest."""

    def __init__(self, server, plant=None):
        self.server = server
        self.client = client.Client(server.target)
        self.streams = {}
        self._keep_alive = None
        self._plant = plant

    def start(self, operation):
        """Sends the operation; returns a function that waits for the answer."""
        if operation.kind in ("unary", "compact"):
            future = self.client.start(operation.method, operation.request)
            return lambda: self._outcome(operation, future.result)
        if operation.kind == "range_stream":
            stream = self.client.open(operation.method, operation.request)
            return lambda: self._merge(operation, stream)
        if operation.kind == "keep_alive":
            if self._keep_alive is None:
                self._keep_alive = self.client.open("Lease.LeaseKeepAlive")
            self._keep_alive.send(operation.request)
            return lambda: self._planted(normalise(None, self._keep_alive.receive(_PATIENCE_S)))
        raise AssertionError(operation.kind)

    def _outcome(self, operation, wait):
        try:
            return self._planted(normalise(operation.request, wait()))
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"

    def _merge(self, operation, stream):
        merged = protos.rpc.RangeResponse()
        while True:
            part = stream.receive(_PATIENCE_S)
            if part is None:
                break
            merged.MergeFrom(part.range_response)
        status = stream.ended(0)
        if status is None or status[0] != grpc.StatusCode.OK:
            return f"{status[0].name}: {status[1]}" if status else "no end"
        return self._planted(normalise(operation.request, merged))

    def _planted(self, response):
        return self._plant(response) if self._plant else response

    def close(self):
        for stream in self.streams.values():
            stream.close()
        self.client.close()

    def watch(self, number):
        if number not in self.streams:
            self.streams[number] = WatchStream(self.client)
        return self.streams[number]


class Comparison:
    """Runs the operations on both sides in step."""

    def __init__(self, left, right, seed, ops):
        self._left, self._right = left, right
        self._generator = Generator(seed, ops)
        self._recent = collections.deque(maxlen=_WINDOW)
        self._pending = {}
        self._last_create = 0.0
        self.refusals = collections.Counter()
        self.counts = collections.Counter()
        self.events = 0

    def run(self):
        for number, operation in enumerate(self._generator):
            self._recent.append(f"#{number} rev {self._generator.revision} {describe(operation)}")
            self.counts[operation.method or operation.kind] += 1
            getattr(self, "_" + operation.kind, self._call)(operation)
            if number % _SYNC_EVERY == 0:
                self._sync()
        time.sleep(0.5)
        self._sync()

    def close(self):
        self._left.close()
        self._right.close()

    def window(self):
        return "\n".join(self._recent)

    def _call(self, operation):
        waiting = [side.start(operation) for side in (self._left, self._right)]
        left, right = [wait() for wait in waiting]
        self._expect_equal(left, right)
        if isinstance(right, str):
            self.refusals[right] += 1
        else:
            self._generator.learn(operation, right)

    def _expect_equal(self, left, right):
        if left != right:
            raise Difference(f"{self._left.server.kind} answered:\n{show(left)}\n"
                             f"{self._right.server.kind} answered:\n{show(right)}")

    def _compact(self, operation):
        # Watches that are catching up, and the prev_kv of events on their way, would race with the compaction.
        self._settle()
        self._call(operation)

    def _ask(self, operation, timeout_s):
        streams = [side.watch(operation.stream) for side in (self._left, self._right)]
        for stream in streams:
            stream.send(operation.request)
        left, right = [stream.answer(timeout_s) for stream in streams]
        self._expect_equal(left, right)
        if right is not None:
            self._generator.learn(operation, right)
            if right.cancel_reason:
                self.refusals[right.cancel_reason] += 1

    def _watch_create(self, operation):
        self._last_create = time.monotonic()
        self._ask(operation, _PATIENCE_S)

    def _watch_cancel(self, operation):
        known = operation.request.cancel_request.watch_id in self._generator.watches[operation.stream]
        if known:
            # What was sent before the cancellation is up to timing, unless nothing is on its way.
            self._settle()
        self._ask(operation, _PATIENCE_S if known else 0.05)

    def _watch_progress(self, operation):
        self._settle()
        self._ask(operation, 0.4)

    def _watch_close(self, operation):
        for side in (self._left, self._right):
            if operation.stream in side.streams:
                side.streams.pop(operation.stream).close()
        self._generator.watches[operation.stream].clear()
        self._pending.pop(operation.stream, None)

    def _settle(self):
        """Waits until nothing is on its way: the reference takes up watches with a past to catch up every 100 ms."""
        time.sleep(max(_QUIET_S, self._last_create + _CATCH_UP_S - time.monotonic()))
        self._sync()

    def _sync(self):
        """Waits until both sides have delivered the same events on every watch."""
        deadline = time.monotonic() + _PATIENCE_S
        for number in sorted(self._left.streams):
            while True:
                self._collect(number)
                left, right = self._pending[number]
                if left == right:
                    break
                if time.monotonic() > deadline:
                    raise Difference(self._describe_events(number, left, right))
                time.sleep(0.01)
            self.events += sum(len(events) for events in left.values())
            self._pending[number] = ({}, {})

    def _collect(self, number):
        pending = self._pending.setdefault(number, ({}, {}))
        for side, collected in zip((self._left, self._right), pending):
            for watch_id, events in side.streams[number].drain().items():
                if events:
                    collected.setdefault(watch_id, []).extend(events)

    def _describe_events(self, number, left, right):
        lines = [f"stream {number}: the events differ"]
        for watch_id in sorted(set(left) | set(right)):
            mine, theirs = left.get(watch_id, []), right.get(watch_id, [])
            if mine == theirs:
                continue
            at = next((index for index, pair in enumerate(zip(mine, theirs)) if pair[0] != pair[1]),
                      min(len(mine), len(theirs)))
            for side, events in ((self._left, mine), (self._right, theirs)):
                lines.append(f"  watch {watch_id} on {side.server.kind}: {len(events)} events, from number {at} on:")
                lines += [f"    {show_event(event)}" for event in events[at:at + 4]]
        return "\n".join(lines)


def describe(operation):
    request = text.Printer().lines(operation.request) if operation.request is not None else []
    stream = "" if operation.stream is None else f" stream {operation.stream}"
    return f"{operation.method or operation.kind}{stream} " + "\n    ".join(request)


def show(answer):
    if answer is None or isinstance(answer, str):
        return f"    {answer}"
    return "\n".join("    " + line for line in text.Printer().lines(answer))


def show_event(event):
    if isinstance(event, tuple):
        return str(event)
    return text.Printer().lines(protos.kv.Event.FromString(event))[0]


def compare(left_kind, arguments, seed, ops, plant=None):
    """Runs one comparison on fresh servers; returns the report of a difference, or None."""
    reference = servers.make("etcd", durable=False).start()
    tested = servers.make(left_kind, arguments.lattice, durable=False).start()
    comparison = Comparison(Side(tested, plant), Side(reference), seed, ops)
    began = time.monotonic()
    try:
        comparison.run()
    except (Difference, Broken) as difference:
        return f"seed {seed}: after\n{comparison.window()}\n{difference}"
    except (grpc.RpcError, AttributeError) as error:
        return f"seed {seed}: after\n{comparison.window()}\n{error!r}\n{tested.process.log_tail()}"
    finally:
        comparison.close()
        tested.remove()
        reference.remove()
    missed = [wanted for wanted in _REFUSALS if not any(wanted in seen for seen in comparison.refusals)]
    if ops >= _REFUSALS_EXPECTED_FROM_OPS and missed:
        return f"seed {seed}: the operations never met: {', '.join(missed)}"
    print(f"{left_kind} against etcd, seed {seed}: {ops} operations and {comparison.events} events, 0 differences, "
          f"{sum(comparison.refusals.values())} refusals of {len(comparison.refusals)} kinds, "
          f"{time.monotonic() - began:.0f} s", flush=True)
    if arguments.verbose:
        for name, count in comparison.counts.most_common() + comparison.refusals.most_common():
            print(f"  {count:7} {name}")
    return None


def selftest(arguments):
    """Each falsified answer must be reported; without one there must be silence."""
    def after(calls, change):
        state = {"calls": 0}

        def plant(response):
            state["calls"] += 1
            if state["calls"] > calls and response is not None:
                change(response)
            return response
        return plant

    def more_keys(response):
        if getattr(response, "kvs", None):
            response.kvs[0].version += 1

    def other_order(response):
        if len(getattr(response, "kvs", [])) > 1:
            response.kvs[0].key, response.kvs[1].key = response.kvs[1].key, response.kvs[0].key

    def revision(response):
        response.header.revision += 1

    def lost_event(self, response):
        if len(response.events) and response.events[0].kv.mod_revision % 50 == 0:
            del response.events[0]
        return _take(self, response)

    failures = []
    if compare("etcd", arguments, arguments.seed, 1500):
        failures.append("etcd differs from itself")
    for change in (more_keys, other_order, revision):
        if compare("etcd", arguments, arguments.seed, 1500, after(300, change)) is None:
            failures.append(f"a planted difference was not found: {change.__name__}")
    _take, seen = WatchStream._take, []

    def one_side_loses(self, response):
        # The first stream that gets events is the tested side's.
        if not seen and response.events:
            seen.append(self)
        return lost_event(self, response) if seen and seen[0] is self else _take(self, response)
    WatchStream._take = one_side_loses
    if compare("etcd", arguments, arguments.seed, 1500) is None:
        failures.append("a lost watch event was not found")
    WatchStream._take = _take
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", choices=servers.KINDS, default="sqlite")
    parser.add_argument("--lattice", help="the binary under test")
    parser.add_argument("--ops", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--selftest", action="store_true", help="check that planted differences are found")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    tools.skip_without_go("the differential test")
    if arguments.selftest:
        failures = selftest(arguments)
    else:
        failures = [report for report in [compare(arguments.server, arguments, arguments.seed, arguments.ops)] if report]
    for failure in failures:
        print(failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
