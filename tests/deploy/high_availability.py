#!/usr/bin/python3
"""compose.ha.yaml as processes: each part is killed in turn under writes through the balancer. Writes resume, and nothing that
was acknowledged is missing at any of the nodes in the end. high_availability.py --lattice PATH."""

import os
import shutil
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import grpc  # noqa: E402
import topology  # noqa: E402

from harness import cases, client, tools  # noqa: E402
from harness.protos import rpc  # noqa: E402

_HEALTHY_SECONDS_MAX = 60
# Of a write on its own; it fails sooner where the balancer knows that nobody is there.
_CALL_SECONDS_MAX = 4
# The longest without an acknowledged write. A leader's session runs out in a second and a half; what is killed and restarted is
# back within one; the primary is missed until somebody promotes another.
_GAP_SECONDS_MAX = 12


class Writer:
    """One client behind the balancer that writes one new key after another and notes what was acknowledged, and when."""

    def __init__(self, target):
        self.acknowledged = {}
        self.moments = []
        self.problems = 0
        self.last_problem = ""
        self._target = target
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self):
        connection = client.Client(self._target)
        number = 0
        while not self._done.is_set():
            number += 1
            key, value = b"ha/%d" % number, b"%d" % (number * 7)
            try:
                connection.call("KV.Put", rpc.PutRequest(key=key, value=value), timeout_s=_CALL_SECONDS_MAX)
                self.acknowledged[key] = value
                self.moments.append(time.monotonic())
            except grpc.RpcError as error:
                self.problems += 1
                self.last_problem = f"{error.code().name}: {error.details()}"
                # A channel that failed is not waited for: what counts is when the service is there again.
                connection.close()
                connection = client.Client(self._target)
                time.sleep(0.05)
            time.sleep(0.005)
        connection.close()

    def wait_for(self, count):
        """Until so many more writes were acknowledged."""
        wanted = len(self.moments) + count
        cases.eventually(lambda: len(self.moments) >= wanted, "writes go on", timeout_s=40)

    def longest_gap(self, since):
        moments = [moment for moment in self.moments if moment >= since]
        return max(after - before for before, after in zip([since] + moments, moments))

    def stop(self):
        self._done.set()
        self._thread.join(30)


class HighAvailability(cases.ServerTest):
    def setUp(self):
        self.topology = topology.Topology(self.lattice, ["compose.yaml", "compose.ha.yaml"])
        self.addCleanup(self.topology.stop)
        took = self.topology.start(timeout_s=90)
        print(f"healthy after {took:.1f} s")
        self.assertLess(took, _HEALTHY_SECONDS_MAX)
        self.writer = Writer(self.topology.services["balancer"].target)
        self.addCleanup(self.writer.stop)
        self.writer.wait_for(20)

    def leader(self):
        """The name of the Lattice that leads."""
        for name, service in self.topology.services.items():
            if service.kind != "lattice":
                continue
            connection = client.Client(service.target)
            try:
                status = connection.call("Maintenance.Status", rpc.StatusRequest())
                if status.leader == status.header.member_id:
                    return name
            finally:
                connection.close()
        raise AssertionError("nobody leads")

    def kill(self, name, between=None):
        """Kills one, does what an operator does then, restarts it as Compose would, and says how long nothing was acknowledged."""
        began = time.monotonic()
        self.topology.kill(name)
        if between is not None:
            between()
        else:
            self.topology.restart(name)
        try:
            self.writer.wait_for(20)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}, {self.writer.last_problem}\n{self.topology.logs()}") from error
        gap = self.writer.longest_gap(began)
        print(f"{name}: {gap:.2f} s without an acknowledged write", flush=True)
        self.assertLess(gap, _GAP_SECONDS_MAX, name)
        cases.eventually(lambda: all(service.healthy() for service in self.topology.services.values()
                                     if service.process.alive()), "all are healthy again", timeout_s=40)

    def fail_over(self):
        status, output = self.topology.run("failover")
        self.assertEqual(status, 0, output)
        print(output, end="")

    def test_each_part_may_die(self):
        status, output = self.topology.run("failover")
        self.assertEqual((status, "A primary is there" in output), (1, True), output)

        follower = next(name for name, service in self.topology.services.items()
                        if service.kind == "lattice" and name != self.leader())
        for name in (self.leader(), follower, "balancer", "redis", "redis-2", "sentinel", "postgres-2"):
            self.kill(name)
        revision = self.revision()
        self.kill("postgres", between=self.fail_over)
        # Comes back as a standby of the new primary, on an empty volume.
        shutil.rmtree(os.path.join(self.topology.services["postgres"].folder, "data"))
        self.topology.restart("postgres")
        cases.eventually(self.topology.services["postgres"].healthy, "the old primary follows", timeout_s=40)
        self.kill("postgres-3")
        self.writer.stop()
        # No history was lost: revisions went on by ones.
        self.assertLess(self.revision() - revision, 100_000)
        self.check_all()

    def revision(self):
        connection = client.Client(self.topology.services["balancer"].target)
        self.addCleanup(connection.close)
        return connection.call("KV.Range", rpc.RangeRequest(key=b"ha/1")).header.revision

    def check_all(self):
        print(f"{len(self.writer.acknowledged)} acknowledged writes, {self.writer.problems} that failed or whose end is unknown")
        for name, service in self.topology.services.items():
            if service.kind != "lattice":
                continue
            connection = client.Client(service.target)
            self.addCleanup(connection.close)
            found = connection.call("KV.Range", rpc.RangeRequest(key=b"ha/", range_end=b"ha0")).kvs
            found = {pair.key: pair.value for pair in found}
            missing = [key for key, value in self.writer.acknowledged.items() if found.get(key) != value]
            self.assertEqual(missing, [], name)


if __name__ == "__main__":
    if not tools.have_go():
        tools.skip("the Compose files are read by Go's compose-go")
    cases.main(__doc__)
