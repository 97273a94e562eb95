#!/usr/bin/python3
"""Many times the load that a server can bear, and what it does behind that.

    tests/limits/overload.py --lattice PATH                         # a few seconds of it
    tests/limits/overload.py --lattice PATH --seconds 60            # at length; prints figures

$LATTICE_LOADER is the load generator. Overload is 800,000 reads under way, which fill all sockets' buffers: a
server that answers 400,000 of them in a second is two seconds behind.
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
_REFUSED = "grpc-status 8: etcdserver: too many requests"


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
    seconds = 5

    def test_recovers_by_itself(self):
        server = self.server("memory")
        load(server, "fill", total=_KEYS, txn_puts=100, value_size=100)
        usual = {"connections": 16, "in_flight": 256, "value_size": 100, "warmup": 0}
        alone = load(server, "get", duration=2, **usual)["per_second"]

        connection = self.connect(server)
        waits = []
        with subprocess.Popen(loader_command(server, "get", connections=16, in_flight=800_000, value_size=100, warmup=0,
                                             duration=self.seconds),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as flood:
            while flood.poll() is None:
                began = time.monotonic()
                # Writes, leases and health are never shed.
                connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"v"), timeout_s=30)
                connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60), timeout_s=30)
                connection.call("Health.Check", protos.health.HealthCheckRequest(), timeout_s=30)
                waits.append(time.monotonic() - began)
                time.sleep(0.1)
            flooded = result_of(flood)
        stopped = time.monotonic()
        while True:
            again = load(server, "get", duration=1, **usual)["per_second"]
            took = time.monotonic() - stopped
            if again >= 0.8 * alone or took > _RECOVERY_S:
                break
        refused = flooded["errors"].pop(_REFUSED, 0)
        print(f"alone {alone:.0f}/s; in {self.seconds} s of overload {flooded['operations'] / flooded['seconds']:.0f}/s, "
              f"{refused} refused; {took:.1f} s behind it {again:.0f}/s; put, grant and health beside it: "
              f"{sorted(waits)[len(waits) // 2]:.3f} s in the median, {max(waits):.3f} at most", flush=True)
        self.assertGreater(refused, 0)
        self.assertEqual([each for each in flooded["errors"] if each.startswith("grpc")], [])
        self.assertIn(f'lattice_requests_shed_total{{kind="read"}} {refused}', self.metrics(server))
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
