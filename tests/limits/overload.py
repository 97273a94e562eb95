#!/usr/bin/python3
"""Five times the load that a server can bear, and what it does behind that.

    tests/limits/overload.py --lattice PATH                         # a few seconds of it
    tests/limits/overload.py --lattice PATH --seconds 60            # at length; prints figures

$LATTICE_LOADER is the load generator. Overload is requests in flight: a client that waits for its answers never has more
under way than that, so five times as many as keep the server busy, and lists among them, make its queues as long.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, protos  # noqa: E402

rpc = protos.rpc
_KEYS = 20000
_RECOVERY_S = 10


def loader_command(server, mode, **options):
    command = [os.environ["LATTICE_LOADER"], mode, "--port", str(server.port), "--keys", str(_KEYS)]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    return command


def result_of(child):
    output, complaint = child.communicate()
    for line in output.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    raise AssertionError(f"the loader said nothing: {complaint}")


def load(server, mode, **options):
    with subprocess.Popen(loader_command(server, mode, **options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as child:
        return result_of(child)


class Overload(cases.ServerTest):
    seconds = 4

    def test_recovers_by_itself(self):
        server = self.server("memory")
        load(server, "fill", total=_KEYS, txn_puts=100, value_size=100)
        usual = {"connections": 16, "in_flight": 256, "value_size": 100, "warmup": 0}
        alone = load(server, "get", duration=2, **usual)["per_second"]

        connection = self.connect(server)
        waits = []
        flood = [subprocess.Popen(loader_command(server, mode, connections=32, in_flight=many, value_size=100, warmup=0,
                                                 duration=self.seconds),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                 for mode, many in (("get", 50 * 256), ("list", 20 * 32))]
        ends = time.monotonic() + self.seconds
        while time.monotonic() < ends:
            began = time.monotonic()
            # Writes, health and new leases are never shed.
            connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"v"), timeout_s=30)
            connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60), timeout_s=30)
            connection.call("Health.Check", protos.health.HealthCheckRequest(), timeout_s=30)
            waits.append(time.monotonic() - began)
            time.sleep(0.1)
        for child in flood:
            child.kill()
            child.communicate()
        stopped = time.monotonic()
        while True:
            again = load(server, "get", duration=1, **usual)["per_second"]
            took = time.monotonic() - stopped
            if again >= 0.8 * alone or took > _RECOVERY_S:
                break
        shed = [line for line in self.metrics(server) if line.startswith("lattice_requests_shed_total")]
        print(f"alone {alone:.0f}/s; {took:.1f} s after {self.seconds} s of overload {again:.0f}/s; "
              f"put, grant and health beside it: {sorted(waits)[len(waits) // 2]:.3f} s in the median, {max(waits):.3f} at "
              f"most; {shed}", flush=True)
        self.assertGreaterEqual(again, 0.8 * alone)

    def metrics(self, server):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
            return answer.read().decode().splitlines()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seconds", type=int, default=Overload.seconds)
    known, sys.argv[1:] = parser.parse_known_args()
    Overload.seconds = known.seconds
    cases.main(__doc__)
