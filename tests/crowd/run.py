#!/usr/bin/python3
"""Ten thousand watchers against one server: run.py SCENARIO --server KIND --lattice PATH --crowd PATH.

stalled: 10,000 watchers whose clients have stopped reading, 1,000 healthy ones, 100,000 events of 1 KiB; beside it the
same without the stalled ones. Memory, the delay of the healthy ones, and what the stalled ones get when they read again.
reconnect: 10,000 watchers come back at once with the revision that they had.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, protos, servers, tools  # noqa: E402

_MIB = 1 << 20
GROWTH_MAX = 256 * _MIB
PER_STALLED_MAX = 16 << 10
CAUGHT_UP_SECONDS_MAX = 30
STALLED = 10_000
HEALTHY = 1_000
# The delays of the healthy ones are printed; what fails is only what no busy machine explains.
DELAY_RATIO_MAX = 10
DELAY_ALLOWED_US = 1_000_000

_problems = []


def check(good, text):
    if not good:
        _problems.append(text)


class Target:
    """Where the watchers go and where the writes go: one server, or a follower and its leader on one database."""

    def __init__(self, kind, lattice):
        if kind != "follower":
            self._cluster = servers.Cluster([servers.make(kind, lattice)]).start()
            self.watched = self.written = self._cluster.servers[0]
            return
        database = servers.shared_postgres()
        self._cluster = servers.lattice_cluster(lattice, database.url(database.new_database()), size=2,
                                                fanout=servers.can_fan_out(lattice)).start()
        leading = [server for server in self._cluster.servers if _leads(server)]
        check(len(leading) == 1, f"{len(leading)} nodes lead")
        self.written = leading[0]
        self.watched = next(server for server in self._cluster.servers if server is not self.written)

    def remove(self):
        for server in self._cluster.servers:
            check(server.process.alive(), f"a server ended: {server.process.log_tail()}")
        self._cluster.remove()


def _leads(server):
    connection = client.Client(server.target)
    try:
        status = connection.call("Maintenance.Status", protos.rpc.StatusRequest())
        return status.leader == status.header.member_id
    finally:
        connection.close()


def crowd(arguments, scenario, *options):
    """One run of the crowd against fresh servers: what it prints."""
    target = Target(arguments.server, arguments.lattice)
    try:
        command = [arguments.crowd, scenario, "--port", str(target.watched.port), "--write-port", str(target.written.port),
                   "--server-pid", str(target.watched.process.pid), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        print(done.stdout + done.stderr, end="", flush=True)
        result = json.loads(done.stdout)
        check(not result["failures"], f"{scenario}: {result['failures']}")
        return result
    finally:
        target.remove()


def stalled(arguments):
    alone = crowd(arguments, "stalled", "--stalled", "0", "--healthy", str(HEALTHY))
    beside = crowd(arguments, "stalled", "--stalled", str(STALLED), "--healthy", str(HEALTHY))
    if _problems:
        return
    growth = beside["rss_peak"] - beside["rss_before"]
    each = (beside["rss_peak"] - alone["rss_peak"]) / STALLED
    print(f"growth while events flow {growth / _MIB:.0f} MiB (without the stalled ones "
          f"{(alone['rss_peak'] - alone['rss_before']) / _MIB:.0f}), {each / 1024:.1f} KiB for each stalled watcher")
    print(f"healthy watchers: p99 {beside['healthy_p99_us'] / 1000:.0f} ms, without the stalled ones "
          f"{alone['healthy_p99_us'] / 1000:.0f} ms")
    print(f"released: {beside['overtaken_compacted']:.0f} of {beside['overtaken']:.0f} cancelled, "
          f"{beside['behind_complete']:.0f} of {beside['behind']:.0f} complete after {beside['release_seconds']:.1f} s")
    for result in (alone, beside):
        check(result["healthy_complete"] == HEALTHY, "a healthy watcher lacks events")
    check(growth <= GROWTH_MAX, f"memory grew by {growth / _MIB:.0f} MiB")
    check(each <= PER_STALLED_MAX, f"a stalled watcher costs {each / 1024:.1f} KiB")
    check(beside["overtaken_compacted"] == beside["overtaken"], "a watcher was not overtaken by the compaction")
    check(beside["behind_complete"] == beside["behind"], "a watcher that was behind lacks events")
    check(beside["healthy_p99_us"] <= alone["healthy_p99_us"] * DELAY_RATIO_MAX + DELAY_ALLOWED_US,
          "the stalled watchers hold up the healthy ones")


def reconnect(arguments):
    result = crowd(arguments, "reconnect", "--rounds", "20")
    growth = result["rss_peak"] - result["rss_written"]
    print(f"caught up after {result['caught_up_seconds']:.1f} s, memory grew by {growth / _MIB:.0f} MiB")
    check(result["complete"] == 10_000, "not every watcher has caught up")
    check(result["caught_up_seconds"] <= CAUGHT_UP_SECONDS_MAX, "catching up took too long")
    check(growth <= GROWTH_MAX, f"memory grew by {growth / _MIB:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=["stalled", "reconnect"])
    parser.add_argument("--server", choices=["sqlite", "postgres", "follower"], required=True)
    parser.add_argument("--lattice", required=True, help="the binary under test")
    parser.add_argument("--crowd", required=True, help="the program with the watchers")
    arguments = parser.parse_args()
    if arguments.server == "follower" and not servers.lattice_can(arguments.lattice, "cluster.bind"):
        tools.skip("a follower that serves needs nodes that share a database, which this Lattice has not")
    {"stalled": stalled, "reconnect": reconnect}[arguments.scenario](arguments)
    for problem in _problems:
        print("FAILED: " + problem)
    return 1 if _problems else 0


if __name__ == "__main__":
    sys.exit(main())
