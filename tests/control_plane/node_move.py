#!/usr/bin/python3
"""`lattice tenant move --to-nodes`: other nodes serve a tenant from now on, while it is in use.

    tests/control_plane/node_move.py --lattice PATH
"""

import json
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import governed  # noqa: E402
import node_moved  # noqa: E402
from harness import cases, processes, protos  # noqa: E402

rpc = protos.rpc


class NodeMove(node_moved.NodeMoveTest):
    def test_under_load(self):
        self.check_under_load(((["n2"], ""), (["n3", "n1"], "n3"), (["n1", "n3"], ""), (["n2", "n1"], "n1"),
                               (["n1", "n2", "n3"], "n2")))

    def test_run_again_and_at_the_same_time(self):
        first = self.move("a", ["n1", "n2"], "--leader", "n2")
        before = self.text("routing/a"), self.text("tenants/a")
        again = self.move("a", ["n1", "n2"], "--leader", "n2")
        self.assertEqual((again["routing_epoch"], again["written"]), (first["routing_epoch"], False))
        self.assertIn("would be written", self.command("a", "--to-nodes", "n3", "--dry-run"))
        self.assertIn("nothing would be written", self.command("a", "--to-nodes", "n1,n2", "--dry-run"))
        self.assertEqual((self.text("routing/a"), self.text("tenants/a")), before)
        # Killed while it waits: a node that should lead and does not answer.
        self.nodes.servers[2].process.send(signal.SIGSTOP)
        try:
            refused = self.command("a", "--to-nodes", "n3", status=69)
            self.assertIn('node "n3" cannot serve the tenant, or not be asked from here', refused)
            self.assertEqual((self.text("routing/a"), self.text("tenants/a")), before)
            self.assertIn("is to be served by n3", self.command("a", "--to-nodes", "n3", "--no-wait"))
            process = self.start_command("a", "--to-nodes", "n3", "--db-connection", self.url)
            time.sleep(1)
            self.assertIsNone(process.poll())
            process.kill()
            process.communicate()
        finally:
            self.nodes.servers[2].process.send(signal.SIGCONT)
        last = self.move("a", ["n3"])
        self.assertEqual((last["routing_epoch"], last["written"]), (first["routing_epoch"] + 1, False))
        # Several at once: each has an epoch of its own, and the newest documents belong together.
        together = [self.start_command("a", "--to-nodes", nodes, "--no-wait", "--db-connection", self.url,
                                       "--output", "json") for nodes in ("n1", "n2", "n1,n2")]
        done = [json.loads(process.communicate(timeout=60)[0]) for process in together]
        self.assertEqual(sorted(each["routing_epoch"] for each in done),
                         [last["routing_epoch"] + number for number in (1, 2, 3)])
        newest = max(done, key=lambda each: each["routing_epoch"])
        self.assertEqual(json.loads(self.text("routing/a")[0]), {"format": 1, "nodes": newest["nodes"]})
        self.assertEqual(self.text("routing/a")[1], self.text("tenants/a")[1])

    def test_the_default_tenant(self):
        ids = self.ids()
        self.move("default", ["n2"])
        self.assertTrue(self.leads(self.n2))
        for node in (self.n1, self.n3):
            cases.eventually(lambda node=node: self.get(node).header.member_id == ids["n2"], "the way")

    def test_refusals(self):
        before = self.text("routing/a"), self.text("tenants/a")

        def refused(*arguments, status=78, **options):
            output = self.command(*arguments, status=status, **options)
            self.assertEqual((self.text("routing/a"), self.text("tenants/a")), before)
            return output
        self.assertIn('node "n9" is not registered with the control plane; registered are "n1", "n2", "n3"',
                      refused("a", "--to-nodes", "n1,n9"))
        self.assertIn("leader: expected one of nodes", refused("a", "--to-nodes", "n1", "--leader", "n2"))
        self.assertIn("each once", refused("a", "--to-nodes", "n1,n1"))
        self.assertIn('there is no tenant "b"', refused("b", "--to-nodes", "n1", status=1))
        standalone = {name: value for name, value in self.env.items() if "CONTROL_PLANE" not in name}
        self.assertIn("--to-nodes needs a control plane", refused("a", "--to-nodes", "n1", env=standalone))
        away = {**self.env, "LATTICE_CONTROL_PLANE_ENDPOINTS": f"http://127.0.0.1:{processes.free_port()}"}
        self.assertIn("the control plane at 127.0.0.1:", refused("a", "--to-nodes", "n1", status=69, env=away))
        refused("a", status=2)
        refused("a", "--to", "default", "--to-nodes", "n1", status=2)
        refused("a", "--to", "default", "--leader", "n1", status=2)
        self.document(self.control, "tenants/a", {"routing_epoch": "many"})
        before = self.text("routing/a"), self.text("tenants/a")
        self.assertIn("/clustor/v1/tenants/a: routing_epoch: expected an integer", refused("a", "--to-nodes", "n2"))
        self.control.call("KV.DeleteRange", rpc.DeleteRangeRequest(key=governed.PREFIX + b"tenants/a"))


if __name__ == "__main__":
    cases.main(__doc__)
