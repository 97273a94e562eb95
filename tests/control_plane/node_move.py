#!/usr/bin/python3
"""`lattice tenant move --to-nodes`: other nodes serve a tenant from now on, while it is in use.

    tests/control_plane/node_move.py --lattice PATH
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import governed  # noqa: E402
import routed  # noqa: E402
from harness import cases, processes, protos  # noqa: E402

rpc = protos.rpc
_OF_A = routed.OF_A


class NamingLoad(routed.Load):
    """Names in each put the epoch that it learned last, and learns the new one from the refusal."""

    def __init__(self, connection, key):
        super().__init__(connection, key)
        self.epochs = []  # that it learned
        self._epoch = 0

    def call(self, name, request):
        metadata = _OF_A + (((routed.EPOCH, str(self._epoch)),) if self._epoch else ())
        call = self._connection.start(name, request, metadata=metadata)
        if call.code() != grpc.StatusCode.FAILED_PRECONDITION:
            answer = call.result()
            self._epoch = max(self._epoch, int(dict(call.initial_metadata())[routed.EPOCH]))
            return answer
        said = re.fullmatch(r"routing epoch changed \(expected: (\d+), observed: (\d+)\)", call.details())
        if said is None or int(said[1]) != self._epoch or int(said[2]) <= self._epoch:
            self.problems.append((call.details(), self._epoch))
            return None
        self._epoch = int(said[2])
        self.epochs.append(self._epoch)
        return self.call(name, request)


class NodeMove(routed.RoutedTest):
    def start_command(self, *arguments, env=None):
        return subprocess.Popen([self.lattice, "tenant", "move", *arguments], env={**os.environ, **(env or self.env)},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def command(self, *arguments, status=0, env=None):
        process = self.start_command(*arguments, "--db-connection", self.url, env=env)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, status, output)
        return output

    def move(self, tenant, nodes, *arguments):
        return json.loads(self.command(tenant, "--to-nodes", ",".join(nodes), *arguments, "--output", "json"))

    def text(self, path):
        """A document as it is, with the revision that set it: ("", 0) where there is none."""
        kvs = self.control.call("KV.Range", rpc.RangeRequest(key=governed.PREFIX + path.encode())).kvs
        return (kvs[0].value.decode(), kvs[0].mod_revision) if kvs else ("", 0)

    def epoch_of(self, tenant):
        return json.loads(self.text(f"tenants/{tenant}")[0] or "{}").get("routing_epoch", 0)

    def ids(self):
        """Of the nodes as members."""
        found = self.n1.call("Cluster.MemberList", rpc.MemberListRequest()).members
        return {member.name: member.ID for member in found}

    def server_of(self, connection):
        """The member that serves tenant "a" to a client of that node."""
        return self.get(connection, metadata=_OF_A).header.member_id

    def leader(self, connection):
        return connection.call("Maintenance.Status", rpc.StatusRequest(), metadata=_OF_A).leader

    def test_under_load(self):
        limits = {"limits": {"keys_max": 100000}, "policies": ["p"]}
        self.document(self.control, "tenants/a", {"routing_epoch": 100, **limits})
        ids, nodes = self.ids(), (self.n1, self.n2, self.n3)
        loads = [routed.Load(node, b"load/%d" % number, _OF_A) for number, node in enumerate(nodes * 2)]
        naming = [NamingLoad(node, b"naming/%d" % number) for number, node in enumerate(nodes)]
        cases.eventually(lambda: self.refusal(self.put, self.n3, metadata=_OF_A) is None, "the tenant")
        self.move("a", ["n1"])
        for load in loads + naming:
            load.start()
        epochs = []
        for serving, leader in ((["n2"], ""), (["n3", "n1"], "n3"), (["n1", "n3"], ""), (["n2", "n1"], "n1"),
                                (["n1", "n2", "n3"], "n2")):
            done = self.move("a", serving, *(("--leader", leader) if leader else ()))
            # What was the leader before is kept where it may.
            wanted = leader or ("n3" if serving == ["n1", "n3"] else "")
            self.assertEqual((done["nodes"], done["leader"], done["written"]), (serving, wanted, True))
            epochs.append(done["routing_epoch"])
            self.assertEqual(json.loads(self.text("tenants/a")[0]),
                             {"format": 1, "routing_epoch": epochs[-1], **limits})
            # The command has waited for it; on a busy machine it may be lost for a moment.
            served_by, led_by = nodes[int(serving[0][1]) - 1], [ids[name] for name in ([wanted] if wanted else serving)]
            cases.eventually(lambda: self.leader(served_by) in led_by, "the leader")
            for node in nodes:
                cases.eventually(lambda node=node: self.server_of(node) in [ids[name] for name in serving], "the way")
            print(f"to {','.join(serving)}, leader {wanted or 'any'}: all knew it {done['taken_ms']} ms later",
                  flush=True)
            time.sleep(0.3)
        counts = [load.end() for load in loads + naming]
        self.assertEqual([load.problems for load in loads + naming], [[]] * 9)
        print(f"{sum(counts)} puts through three nodes while the tenant moved {len(epochs)} times; the slowest put and "
              f"get took {max(load.longest_s for load in loads + naming) * 1000:.0f} ms", flush=True)
        self.assertEqual(epochs, list(range(epochs[0], epochs[0] + 5)))
        self.assertGreater(epochs[0], 100)
        for load, count in zip(loads + naming, counts):
            self.assertGreater(count, 20)
            self.assertLess(load.longest_s, 5)
            for node in nodes:
                kv = self.get(node, load.key, metadata=_OF_A).kvs[0]
                self.assertEqual((kv.value, kv.version), (b"%d" % count, count))
        for load in naming:
            self.assertLessEqual(set(load.epochs), set(epochs))
            self.assertEqual(load.epochs, sorted(load.epochs))
            self.assertIn(epochs[-1], load.epochs)

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
