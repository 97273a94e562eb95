#!/usr/bin/python3
"""Restarts three nodes one after the other under etcd's Go client: no request may fail. rolling.py --lattice PATH."""

import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, processes, servers, tools  # noqa: E402

_GO_FOLDER = os.path.join(paths.SOURCE, "tests", "conformance", "go")
ROUNDS = 2
_READY_SECONDS_MAX = 60
# Between two restarts, as whoever rolls them out would wait.
_SETTLE_SECONDS = 1


def ready(server):
    return cases.http_status(server.port, "/readyz", timeout_s=5) == 200


def wait_for(condition, what, alive):
    deadline = time.monotonic() + _READY_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline or not alive():
            raise processes.ProcessFailed("not in time: " + what)
        time.sleep(0.05)


def roll(cluster):
    """Restarts every node; answers the exit statuses."""
    statuses = []
    for server in cluster.servers:
        began = time.monotonic()
        statuses.append(server.stop())
        stopped = time.monotonic()
        server.start()
        wait_for(lambda server=server: ready(server), "a restarted node is ready", server.process.alive)
        print(f"{server.target}: stopped in {stopped - began:.2f} s with status {statuses[-1]}, "
              f"ready after {time.monotonic() - stopped:.2f} s", flush=True)
        time.sleep(_SETTLE_SECONDS)
    return statuses


def run(lattice, folder):
    program = os.path.join(folder, "rolling.test")
    subprocess.run(["go", "test", "-c", "-o", program, "./rolling"], cwd=_GO_FOLDER, check=True)
    database = servers.shared_postgres()
    cluster = servers.lattice_cluster(lattice, database.url(database.new_database()),
                                      fanout=servers.can_fan_out(lattice)).start()
    try:
        for server in cluster.servers:
            wait_for(lambda server=server: ready(server), "every node is ready", cluster.alive)
        files = {"READY_FILE": os.path.join(folder, "ready"), "STOP_FILE": os.path.join(folder, "stop")}
        endpoints = ",".join(server.target for server in cluster.servers)
        clients = processes.Process("clients", [program, "-test.v"], os.path.join(folder, "clients.log"),
                                    env=dict(os.environ, ENDPOINTS=endpoints, **files))
        wait_for(lambda: os.path.exists(files["READY_FILE"]), "the clients are at work", clients.alive)
        statuses = [status for _ in range(ROUNDS) for status in roll(cluster)]
        with open(files["STOP_FILE"], "w", encoding="utf-8"):
            pass
        wait_for(lambda: not clients.alive(), "the clients end", lambda: True)
        print(clients.log())
        return clients.exit_status() == 0 and not any(statuses)
    finally:
        cluster.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lattice", required=True, help="the binary under test")
    lattice = os.path.abspath(parser.parse_args().lattice)
    if not tools.have_go():
        tools.skip("the rolling restart needs Go for etcd's own client")
    if not servers.lattice_can(lattice, "cluster.bind"):
        tools.skip("the rolling restart needs nodes that share a database, which this Lattice has not")
    return 0 if run(lattice, processes.scratch_folder("rolling")) else 1


if __name__ == "__main__":
    sys.exit(main())
