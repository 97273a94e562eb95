"""What tests share whose Lattice is governed by a control plane."""

import json
import re
import urllib.request

import grpc

from harness import cases, protos, servers

rpc = protos.rpc
PREFIX = b"/clustor/v1/"


def governed_by(members, ttl_s):
    """The environment of a Lattice whose control plane they are."""
    return {"LATTICE_CONTROL_PLANE_MODE": "clustor",
            "LATTICE_CONTROL_PLANE_ENDPOINTS": ",".join(f"http://{each.target}" for each in members),
            "LATTICE_CONTROL_PLANE_CACHE_TTL_SECONDS": str(ttl_s),
            "LATTICE_CONTROL_PLANE_CACHE_GRACE_MS": "600",
            "LATTICE_TENANTS_TRUST_METADATA": "true"}


class GovernedTest(cases.ServerTest):
    # ---- The control plane ----

    def quorum(self, size):
        made = servers.etcd_cluster(servers.debian_etcd(), "etcd34", size)
        self.addCleanup(made.remove)
        return made.start()

    def document(self, connection, path, content):
        """Sets a document; text is taken as it is."""
        text = content if isinstance(content, str) else json.dumps({"format": 1, **content})
        connection.call("KV.Put", rpc.PutRequest(key=PREFIX + path.encode(), value=text.encode()))

    # ---- What is governed ----

    def governed(self, members, kind="sqlite", ttl_s=1, **env):
        return self.server(kind, env={**governed_by(members, ttl_s), **env})

    def metric(self, server, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def refusal(self, call, *arguments, **options):
        """(code, text) of a call's failure; None when it succeeds."""
        try:
            call(*arguments, **options)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return None
