"""What tests share whose tenants move to other nodes by `lattice tenant move --to-nodes`."""

import json
import os
import re
import subprocess
import time

import grpc

import governed
import routed
from harness import cases, protos

rpc = protos.rpc
OF_A = routed.OF_A


class NamingLoad(routed.Load):
    """Names in each put the epoch that it learned last, and learns the new one from the refusal."""

    def __init__(self, connection, key):
        super().__init__(connection, key)
        self.epochs = []  # that it learned
        self._epoch = 0

    def call(self, name, request):
        metadata = OF_A + (((routed.EPOCH, str(self._epoch)),) if self._epoch else ())
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


class NodeMoveTest(routed.RoutedTest):
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
        return self.get(connection, metadata=OF_A).header.member_id

    def leader(self, connection):
        return connection.call("Maintenance.Status", rpc.StatusRequest(), metadata=OF_A).leader

    def check_under_load(self, moves):
        """The tenant's clients at all nodes while it moves; each of `moves` names nodes, and a leader or ""."""
        limits = {"limits": {"keys_max": 100000}, "policies": ["p"]}
        self.document(self.control, "tenants/a", {"routing_epoch": 100, **limits})
        ids, nodes = self.ids(), (self.n1, self.n2, self.n3)
        loads = [routed.Load(node, b"load/%d" % number, OF_A) for number, node in enumerate(nodes * 2)]
        naming = [NamingLoad(node, b"naming/%d" % number) for number, node in enumerate(nodes)]
        cases.eventually(lambda: self.refusal(self.put, self.n3, metadata=OF_A) is None, "the tenant")
        self.move("a", ["n1"])
        for load in loads + naming:
            load.start()
        epochs = []
        wanted = ""
        for serving, leader in moves:
            done = self.move("a", serving, *(("--leader", leader) if leader else ()))
            # What was the leader before is kept where it may.
            wanted = leader or (wanted if wanted in serving else "")
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
        cases.eventually(lambda: all(load.acknowledged > 20 or load.problems for load in loads + naming), "enough puts")
        counts = [load.end() for load in loads + naming]
        self.assertEqual([load.problems for load in loads + naming], [[]] * 9)
        print(f"{sum(counts)} puts through three nodes while the tenant moved {len(epochs)} times; the slowest put and "
              f"get took {max(load.longest_s for load in loads + naming) * 1000:.0f} ms", flush=True)
        self.assertEqual(epochs, list(range(epochs[0], epochs[0] + len(moves))))
        self.assertGreater(epochs[0], 100)
        for load, count in zip(loads + naming, counts):
            for node in nodes:
                kv = self.get(node, load.key, metadata=OF_A).kvs[0]
                self.assertEqual((kv.value, kv.version), (b"%d" % count, count))
        for load in naming:
            self.assertLessEqual(set(load.epochs), set(epochs))
            self.assertEqual(load.epochs, sorted(load.epochs))
            self.assertIn(epochs[-1], load.epochs)
