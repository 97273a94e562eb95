#!/usr/bin/python3
"""What idle tenants cost: memory, statements at the database, and the time of a first request.

    tests/tenants/idle.py --server sqlite|postgres --lattice PATH [--tenants N] [--seconds N]
"""

import argparse
import os
import subprocess
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import client, protos, servers  # noqa: E402

rpc = protos.rpc


def memory_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def transactions(url):
    """Committed in the database so far; its own counting is a second late."""
    time.sleep(1.5)
    done = subprocess.run(["psql", url, "-Atc", "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"],
                          capture_output=True, text=True, check=True)
    return int(done.stdout)


def first_requests(target, tenants):
    """Seconds that each tenant's first put took, in order."""
    connection = client.Client(target)
    took = []
    for tenant in tenants:
        began = time.monotonic()
        connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"v"), metadata=(("lattice-tenant", tenant),))
        took.append(time.monotonic() - began)
    connection.close()
    return sorted(took)


def known(target, tenant, timeout_s=60):
    connection = client.Client(target)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            connection.call("KV.Range", rpc.RangeRequest(key=b"k"), metadata=(("lattice-tenant", tenant),))
            break
        except grpc.RpcError:
            time.sleep(0.05)
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("sqlite", "postgres"), required=True)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    names = [f"team-{number:04}" for number in range(arguments.tenants)]
    env = {"LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_IDLE_STOP_MS": "2000"}
    server = servers.make(arguments.server, arguments.lattice, env=env).start()
    try:
        time.sleep(1)
        alone = memory_kib(server.process)
        server.stop()
        server._env["LATTICE_TENANTS_CREATE"] = ",".join(names)
        server.start()
        known(server.target, names[-1])
        listed = memory_kib(server.process)
        time.sleep(4)  # until the last one is unloaded
        print(f"memory: {alone} KiB with one tenant, {listed} KiB with {len(names)} more: "
              f"{(listed - alone) * 1024 / len(names):.0f} bytes for each")

        def watch(what):
            cpu, began = cpu_seconds(server.process), time.monotonic()
            before = transactions(server.url) if server.url else 0
            time.sleep(arguments.seconds)
            statements = transactions(server.url) - before if server.url else 0
            seconds = time.monotonic() - began
            print(f"{what}: {statements / seconds:.1f} transactions/s, {(cpu_seconds(server.process) - cpu) / seconds:.4f} cores")

        watch(f"idle, {len(names)} tenants that were never used")
        before = memory_kib(server.process)
        took = first_requests(server.target, names[:20])
        print(f"memory of a loaded tenant: {(memory_kib(server.process) - before) / len(took):.0f} KiB")
        took = first_requests(server.target, names[20:200])
        print(f"first put of a tenant: {took[len(took) // 2] * 1e3:.1f} ms at the median, {took[-1] * 1e3:.1f} ms at most")
        time.sleep(8)
        watch("idle, after 200 of them were used and unloaded")
        print(f"memory then: {memory_kib(server.process)} KiB")
    finally:
        server.remove()


if __name__ == "__main__":
    main()
