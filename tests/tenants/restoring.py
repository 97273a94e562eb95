#!/usr/bin/python3
"""A restore that is declared of several databases, with a tenant on its way from one to the other.

    tests/tenants/restoring.py --lattice PATH
"""

import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import moved  # noqa: E402
from harness import cases, servers  # noqa: E402


class Restoring(moved.MovingTest):
    @classmethod
    def setUpClass(cls):
        cls.clusters = [servers.shared_postgres(), servers.shared_postgres()]

    def declare(self, *arguments, status=0):
        done = subprocess.run([self.lattice, "restore", "declare", "--yes", "--config", self.file, "--db-connection",
                               self.urls[0], *arguments], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def declare_beside(self, late):
        """While it waits for a session to stand still, what the dead process has sent last comes to the database."""
        declared = []
        waiting = threading.Thread(target=lambda: declared.append(self.declare()))
        waiting.start()
        time.sleep(0.5)
        late()
        waiting.join()
        self.assertNotEqual(declared, [])
        return declared[0]

    def test_while_a_tenant_moves(self):
        nodes, connections = self.tenant()
        self.put(connections[0], b"k")
        self.command("create", "other", "--backend", "b")
        other = (("lattice-tenant", "other"),)
        cases.eventually(lambda: self.refusal(connections[0], other) is None, "the other tenant is served")
        self.kill_move(lambda: self.state_in(1) == "arriving", "lattice.record")
        self.assertIn("a Lattice is running", self.declare(status=1))
        nodes[0].kill()
        told = self.declare_beside(lambda: self.clusters[0].query("UPDATE lattice.session SET renewals = renewals + 1",
                                                                  self.names[0]))
        for line in ("tenant a: revision 2 jumps to 1000000002", "tenant default: revision 1 jumps to 1000000001",
                     "tenant other in backend b: revision 1 jumps to 1000000001"):
            self.assertIn(line + "\n", told)
        self.assertEqual(told.count("\n"), 3, told)
        # Behind the seal the copy is what goes on, and it is not opened yet.
        self.kill_move(lambda: self.clusters[0].query("SELECT 1 FROM lattice.record WHERE kind = 12", self.names[0]),
                       "lattice.logs")
        told = self.declare("--backend", "default", status=1)
        self.assertIn("tenant a is on its way to backend b: finish that move, then declare again", told)
        self.assertIn("tenant default: revision 1000000001 jumps", told)
        told = self.declare("--backend", "b", status=1)
        self.assertIn("tenant a in backend b is a copy that has not arrived from backend default: finish", told)
        self.move()
        self.assertEqual(self.declare("--backend", "b"),
                         "tenant a in backend b: revision 1000000002 jumps to 2000000002\n"
                         "tenant other in backend b: revision 2000000001 jumps to 3000000001\n")
        self.declare("--backend", "c", status=78)
        nodes[0].start()
        connection = self.connect(nodes[0])
        self.served(connection)
        self.assertEqual([(each.key, each.mod_revision) for each in self.kvs(connection)], [(b"k", 2)])
        self.assertEqual(self.put(connection, b"k"), 2000000003)


if __name__ == "__main__":
    cases.main(__doc__)
