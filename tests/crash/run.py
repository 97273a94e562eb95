#!/usr/bin/python3
"""Kills things under load and checks that nothing acknowledged is lost, nothing is there twice, no watch has a gap.

    tests/crash/run.py --server sqlite --lattice build/release/lattice --rounds 30 --seed 1
    tests/crash/run.py --server etcd --rounds 5        # a real etcd under the same test
"""

import argparse
import collections
import os
import random
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

from checker import check  # noqa: E402
from faults import Stand  # noqa: E402
from harness import protos, tools  # noqa: E402
from history import History, Outcome  # noqa: E402
from load import Clients, LeaseKeeper, Reader, Watcher, Writer, read_event  # noqa: E402

rpc = protos.rpc

_WRITERS, _READERS = 10, 2
_BACK_WITHIN_S = 30
_LEASES_GONE_WITHIN_S = 30


class Failed(Exception):
    """The server did not come back, or lost what it had said."""


class Run:
    """One server, its load, and the log read so far."""

    def __init__(self, stand, seed):
        self._stand = stand
        self._random = random.Random(seed)
        targets = stand.targets
        self._client = Clients(targets)
        self.history = History()
        self._leases = LeaseKeeper(targets, self.history)
        self._watchers = [Watcher(targets, self.history, b"k/"), Watcher(targets, self.history, b"pair/"),
                          Watcher(targets, self.history, b"own/"),
                          Watcher(targets, self.history, b"lease/", on_event=self._leases.event)]
        self._writers = [Writer(targets, self.history, number) for number in range(_WRITERS)]
        self._readers = [Reader(targets, self.history, number) for number in range(_READERS)]
        self.faults = collections.Counter()
        self.compactions = 0
        self.slowest_return_s = 0.0

    def rounds(self, count):
        for worker in self._workers():
            worker.start()
        for number in range(count):
            self._await_progress()
            time.sleep(self._random.random() * 0.8)
            # Sometimes a compaction is under way when the fault strikes, behind what all watches have got and what
            # was read of the log: the watches go on while it is read.
            if number % 4 == 3:
                self._read_log()
                positions = [watcher.position for watcher in self._watchers if watcher.log.events]
                self._compact(min(positions + [self.history.log[-1].revision + 1]) - 1)
            faults = self._stand.faults()
            name = self._random.choices(list(faults), [share for share, _ in faults.values()])[0]
            self.faults[name] += 1
            faults[name][1](self._random)
            ended = self._stand.ended()
            if ended is not None:
                raise Failed(f"a server ended by itself after: {name}\n{ended}")
        self._await_progress()

    def finish(self):
        """Stops the writers, waits for the leases to run out, reads the rest of the log."""
        for worker in self._writers + self._readers:
            if not worker.stop():
                raise Failed("a call never came back")
        self._leases.stop()
        kept = {lease.key for lease in self.history.leases if lease.kept}
        self._await(lambda: {pair.key for pair in self._range(b"lease/", b"lease0").kvs} <= kept,
                    _LEASES_GONE_WITHIN_S, "leases did not expire")
        final = self._range(b"\x00", b"\x00")
        self.history.final_revision = final.header.revision
        self.history.final_state = {pair.key: (pair.value, pair.mod_revision) for pair in final.kvs}
        self._read_log()
        newest = {watcher: max((event.revision for event in self.history.log
                                if event.key.startswith(watcher.log.prefix)), default=0) for watcher in self._watchers}
        self._await(lambda: all(watcher.position > revision for watcher, revision in newest.items()), 10,
                    "a watch did not catch up")
        for watcher in self._watchers:
            watcher.stop()
        self._client.close()

    def _workers(self):
        return self._writers + self._readers + self._watchers + [self._leases]

    def _await_progress(self):
        """Every writer has got an answer since now, at least one."""
        before = [writer.answered for writer in self._writers]
        began = time.monotonic()
        try:
            self._await(lambda: all(writer.answered > old for writer, old in zip(self._writers, before)), _BACK_WITHIN_S,
                        "the server does not answer all writers")
        except Failed as failure:
            waiting = [writer for writer, old in zip(self._writers, before) if writer.answered == old]
            raise Failed(f"{len(waiting)} writers wait; their last errors: {({writer.last_error for writer in waiting})}\n"
                         f"{failure}") from None
        self.slowest_return_s = max(self.slowest_return_s, time.monotonic() - began)

    def _await(self, condition, timeout_s, what):
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if condition():
                    return
            except grpc.RpcError:
                pass
            if time.monotonic() > deadline:
                raise Failed(f"{what} within {timeout_s} s\n{self._stand.log_tail()}")
            time.sleep(0.02)

    def _range(self, key, range_end):
        return self._client.call("KV.Range", rpc.RangeRequest(key=key, range_end=range_end), 10)

    def _read_log(self):
        """Reads the log from where the last reading ended to the present, by a watch on everything."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                last = self._range(b"x", b"").header.revision
                if self._read_log_until(last):
                    return
            except grpc.RpcError:
                time.sleep(0.05)
        raise Failed("the log cannot be read")

    def _read_log_until(self, last):
        log = self.history.log
        stream = self._client.open("Watch.Watch")
        stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(
            key=b"\x00", range_end=b"\x00", start_revision=log[-1].revision + 1 if log else 2)))
        try:
            while not log or log[-1].revision < last:
                response = stream.receive(10)
                if response is None:
                    return False
                if response.canceled:
                    raise Failed(f"the log is gone: {response}")
                log.extend(read_event(event) for event in response.events)
            return True
        finally:
            stream.cancel()
            self._client.turn()

    def _compact(self, revision):
        if revision < 1:
            return
        # Not waited for: the fault strikes while the server is at it.
        self._client.start("KV.Compact", rpc.CompactionRequest(revision=revision))
        self.compactions += 1


def report(run, history, began):
    outcomes = collections.Counter(write.outcome for write in history.writes)
    print(f"{sum(run.faults.values())} rounds in {time.monotonic() - began:.0f} s: "
          + ", ".join(f"{count} x {name}" for name, count in run.faults.items()))
    print(f"{len(history.writes)} writes ({outcomes[Outcome.UNKNOWN]} of unknown outcome), {len(history.reads)} reads, "
          f"{sum(len(watch.events) for watch in history.watches)} watch events over "
          f"{sum(watch.resumptions for watch in history.watches)} resumptions, {len(history.leases)} leases, "
          f"{run.compactions} compactions, {history.final_revision} revisions, back after at most "
          f"{run.slowest_return_s:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", choices=("sqlite", "postgres", "etcd"), required=True)
    parser.add_argument("--lattice", help="the binary under test")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--standbys", type=int, default=0, help="further processes on the same PostgreSQL")
    arguments = parser.parse_args()
    if arguments.server == "etcd":
        tools.skip_without_go("the crash test of etcd")
    began = time.monotonic()
    stand = Stand(arguments.server, arguments.lattice, arguments.standbys)
    run = Run(stand, arguments.seed)
    try:
        run.rounds(arguments.rounds)
        run.finish()
        problems = check(run.history)
    except Failed as failure:
        problems = [str(failure)]
    finally:
        report(run, run.history, began)
        stand.remove()
    for problem in problems[:20]:
        print(problem)
    print(f"seed {arguments.seed}: {len(problems)} violations")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
