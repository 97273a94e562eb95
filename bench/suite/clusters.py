"""Several nodes that serve one keyspace, as one system under load: three Lattice nodes, three members of etcd."""

import os
import sys
import time

import grpc

from harness import client, processes, protos, servers

NODES = 3
_FOUND_SECONDS_MAX = 60
# After a node was started again: until its cache is filled and its peers have found it.
_SETTLE_SECONDS = 2
# A client that retries: a new attempt at each surviving node so often, none waiting for an older one to fail.
_ATTEMPT_SECONDS = 0.02
_ATTEMPT_TIMEOUT_SECONDS = 5

_rpc = protos.rpc


class ClusterSystem:
    """As systems.System; connections are spread over the nodes. `pid` is one node's, `pids` are all."""

    def __init__(self, name, cluster, database=None):
        self.name = name
        self._cluster = cluster
        self._database = database

    @property
    def _servers(self):
        return self._cluster.servers

    @property
    def ports(self):
        return [server.port for server in self._servers]

    @property
    def port(self):
        """The leader's."""
        return self.leader().port

    @property
    def pids(self):
        return [server.process.pid for server in self._servers]

    @property
    def pid(self):
        return self.pids[0]

    @property
    def database_pid(self):
        return self._database.pid if self._database else 0

    def alive(self):
        return self._cluster.alive()

    def start(self):
        self._cluster.start(timeout_s=300)
        for server in self._servers:
            self._wait_for_put(server)

    def stop(self):
        self._cluster.stop()

    def remove(self):
        self._cluster.remove()

    def log_tail(self):
        return "\n".join(server.process.log_tail(5) for server in self._servers if server.process)

    def _wait_for_put(self, server):
        connection = client.Client(server.target)
        deadline = time.monotonic() + _FOUND_SECONDS_MAX
        while not _put(connection):
            if time.monotonic() > deadline:
                raise processes.ProcessFailed(f"{self.name}: a node takes no writes:\n{server.process.log_tail()}")
            time.sleep(0.05)
        connection.close()

    def leader(self):
        """The server that leads."""
        deadline = time.monotonic() + _FOUND_SECONDS_MAX
        while time.monotonic() < deadline:
            for server in self._servers:
                if server.process.alive() and _leads(server):
                    return server
            time.sleep(0.05)
        raise processes.ProcessFailed(f"{self.name}: nobody leads")

    def followers(self):
        leader = self.leader()
        return [server for server in self._servers if server is not leader]

    def kill_leader(self):
        """From the kill -9 of the leader to the first acknowledged write through a surviving node, in seconds."""
        leader = self.leader()
        survivors = [client.Client(server.target) for server in self._servers if server is not leader]
        for connection in survivors:
            if not _put(connection):
                raise processes.ProcessFailed(f"{self.name}: a follower takes no writes")
        began = time.monotonic()
        leader.kill()
        seconds = _first_write(survivors) - began
        for connection in survivors:
            connection.close()
        leader.start(timeout_s=300)
        self._wait_for_put(leader)
        time.sleep(_SETTLE_SECONDS)
        return seconds


def _request():
    return _rpc.PutRequest(key=b"cluster/probe", value=b"v")


def _put(connection, timeout_s=2):
    try:
        connection.call("KV.Put", _request(), timeout_s)
        return True
    except grpc.RpcError:
        return False


def _leads(server):
    connection = client.Client(server.target)
    try:
        status = connection.call("Maintenance.Status", _rpc.StatusRequest(), 2)
        return status.leader != 0 and status.leader == status.header.member_id
    except grpc.RpcError:
        return False
    finally:
        connection.close()


def _first_write(connections):
    """When the first of many attempts was acknowledged."""
    acknowledged = []

    def on_done(future):
        if future.exception() is None:
            acknowledged.append(time.monotonic())

    deadline = time.monotonic() + _FOUND_SECONDS_MAX
    while not acknowledged:
        if time.monotonic() > deadline:
            raise processes.ProcessFailed("no write was acknowledged after the leader's death")
        for connection in connections:
            connection.start("KV.Put", _request(), timeout_s=_ATTEMPT_TIMEOUT_SECONDS).add_done_callback(on_done)
        time.sleep(_ATTEMPT_SECONDS)
    return min(acknowledged)


def measurable(lattice):
    """The clusters that can be had; says which cannot."""
    names = ["etcd-3"]
    if not os.path.exists(lattice) or not servers.lattice_can(lattice, "cluster.bind"):
        print("this Lattice cannot share a database between nodes that serve: not measured", file=sys.stderr)
        return names
    if servers.can_fan_out(lattice):
        names.append("lattice-3")
    else:
        print("no redis-server, or a Lattice without [fanout] url: lattice-3 is not measured", file=sys.stderr)
    return names + ["lattice-3-notify"]
