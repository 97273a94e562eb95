#!/usr/bin/python3
"""The metrics that carry etcd's names, beside those of a real etcd: same types, same labels, and no name that only looks like one.

    etcd_names.py --lattice PATH
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import exposition  # noqa: E402
from harness import cases, servers, tools  # noqa: E402


class EtcdNames(cases.ServerTest):
    def metrics(self, server):
        server.start()
        self.addCleanup(server.remove)
        exposition.use(self.connect(server))
        return exposition.parse(exposition.fetch(server.port))

    def test_same_names_same_types_same_labels(self):
        own = self.metrics(servers.make("sqlite", self.lattice))
        theirs = self.metrics(servers.make("etcd", durable=False, extra=["--metrics", "extensive"]))
        shared = set(own) & set(theirs)
        self.assertGreater(len(shared), 40)
        for name in sorted(shared):
            self.assertEqual(own[name].kind, theirs[name].kind, name)
            if own[name].series and theirs[name].series:
                self.assertEqual(own[name].labels, theirs[name].labels, name)
        only_here = [name for name in own if name.startswith(("etcd_", "grpc_", "os_", "process_")) and name not in theirs]
        self.assertEqual(only_here, [], "names that only look like etcd's")


if __name__ == "__main__":
    tools.skip_without_go("names of metrics beside etcd's")
    cases.main(__doc__)
