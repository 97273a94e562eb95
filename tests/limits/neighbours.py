#!/usr/bin/python3
"""Tenants of one busy process: who asks for little is served between the pieces of those who ask for much, and those share
by weight. Counted, not timed: how much of one tenant's work is done for each answer of the other. How long that takes is
measured by `bench/run.py --cases neighbour`.

    LATTICE_LOADER=PATH tests/limits/neighbours.py --lattice PATH
"""

import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases  # noqa: E402

_KEYS = 20_000
# Some milliseconds of the server's time each.
# One for each connection: what a client leaves unread beside its newest answer may be refused.
_LISTS = {"connections": 16, "in_flight": 16, "keys": _KEYS, "value_size": 100}
_GETS = {"connections": 1, "in_flight": 1, "keys": _KEYS, "value_size": 100}
_FILL = {"keys": _KEYS, "value_size": 100, "txn_puts": 100, "in_flight": 16}


class Neighbours(cases.ServerTest):
    def setUp(self):
        self.running = self.server("sqlite", env={"LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_SERVER_THREADS": "1",
                                                  "LATTICE_TENANTS_CREATE": "a,b"})
        for tenant in ("a", "b"):
            self.result(self.load("fill", tenant, **_FILL))

    def load(self, mode, tenant, **options):
        command = [os.environ["LATTICE_LOADER"], mode, "--port", str(self.running.port), "--tenant", tenant]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.kill)
        return child

    def result(self, child):
        output, complaint = child.communicate(timeout=120)
        answers = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        self.assertEqual(len(answers), 1, complaint)
        self.assertTrue(answers[0]["valid"], answers[0]["errors"])
        return answers[0]

    def test_a_get_is_served_between_the_pieces_of_lists(self):
        greedy = self.load("list", "a", duration=2.5, warmup=0.2, **_LISTS)
        time.sleep(0.5)
        modest = self.result(self.load("get", "b", duration=1.5, warmup=0.2, **_GETS))
        lists = self.result(greedy)
        # Served as they come, each get waits for a list of every connection.
        self.assertGreater(modest["per_second"], lists["per_second"])
        self.assertGreater(lists["per_second"], 1)

    def test_two_greedy_tenants_share_by_weight(self):
        done = subprocess.run([self.lattice, "tenant", "limit", "a", "weight=5", *self.running.where()],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        time.sleep(1.5)  # every loop has heard of it
        both = [self.load("list", tenant, duration=2.5, warmup=0.5, **_LISTS) for tenant in ("a", "b")]
        a, b = (self.result(child)["per_second"] for child in both)
        self.assertGreater(a, 2 * b)
        self.assertGreater(b, 1)


if __name__ == "__main__":
    cases.main(__doc__)
