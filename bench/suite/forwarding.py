"""What it costs to reach a tenant through a node that does not serve it: two Lattice nodes on one PostgreSQL, governed
by a control plane that names one of them."""

import json
import time

from harness import client, protos, servers

_PREFIX = b"/clustor/v1/"
_NAME = "forwarding"
_KEYS = 20_000
_ONE = {"connections": 1, "in_flight": 1}
# Reads of the filled keys come before the puts that change their size.
LOADS = {
    "get, one in flight": ("get", {**_ONE, "value_size": 100}),
    "get, 256 in flight": ("get", {"connections": 16, "in_flight": 256, "value_size": 100}),
    "put, one in flight": ("put", {**_ONE, "value_size": 256}),
    "put, 256 in flight": ("put", {"connections": 16, "in_flight": 256, "value_size": 256}),
}


class _Node:
    """One of the nodes, as the load generator sees a system; the processor time is both nodes'."""

    ca = None

    def __init__(self, server, nodes, database):
        self.name = _NAME
        self.port, self.ports = server.port, [server.port]
        self.pid = server.process.pid
        self.pids = [each.process.pid for each in nodes]
        self.database_pid = database.pid


def measure(lattice, database, tools, plan):
    """Rows of the same load at the node that serves and through the one that does not."""
    plane = servers.Etcd(servers.debian_etcd(), "etcd34")
    plane.start()
    env = {"LATTICE_CONTROL_PLANE_MODE": "clustor", "LATTICE_CONTROL_PLANE_ENDPOINTS": f"http://{plane.target}"}
    cluster = servers.lattice_cluster(lattice, database.url(database.new_database()), 2, env=env)
    try:
        cluster.start(timeout_s=300)
        _route(plane, cluster.servers[1])
        return _rows([_Node(server, cluster.servers, database) for server in cluster.servers], tools, plan)
    finally:
        cluster.remove()
        plane.remove()


def _route(plane, edge):
    control, through = client.Client(plane.target), client.Client(edge.target)
    for path, content in (("routing/default", {"nodes": ["n1"], "leader": "n1"}), ("tenants/default", {"routing_epoch": 1})):
        control.call("KV.Put", protos.rpc.PutRequest(key=_PREFIX + path.encode(),
                                                     value=json.dumps({"format": 1, **content}).encode()))
    # The node knows the documents once it knows their epoch; then the leadership goes where it should be.
    through.call("KV.Range", protos.rpc.RangeRequest(key=b"k"), metadata=(("lattice-routing-epoch", "1"),))
    time.sleep(3)
    control.close()
    through.close()


def _rows(nodes, tools, plan):
    direct, through = nodes
    filled = tools.load(direct, "fill", keys=_KEYS, value_size=100, txn_puts=100, in_flight=16)
    if not filled["valid"]:
        return filled
    rows = []
    for name, (mode, shape) in LOADS.items():
        both = [tools.load(node, mode, keys=_KEYS, **shape, **plan.timed()) for node in (direct, through)]
        bad = [result["errors"] for result in both if not result["valid"]]
        if bad:
            return {"valid": False, "errors": bad[0]}
        own, other = both
        rows.append({"what": name, "direct_p50": own["latency_us"]["p50"], "p50": other["latency_us"]["p50"],
                     "added_p50": other["latency_us"]["p50"] - own["latency_us"]["p50"],
                     "direct_rate": own["per_second"], "rate": other["per_second"],
                     "ratio": other["per_second"] / own["per_second"]})
    return {"valid": True, "errors": {}, "forwarding": rows}


def rows_of(results):
    """For the report: one line for each load."""
    for measured in results.values():
        for row in measured.get("forwarding", {}).get("forwarding", []):
            yield row
