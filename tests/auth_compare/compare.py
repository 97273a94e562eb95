#!/usr/bin/python3
"""Users, roles and who may do what: the same calls to a real etcd and to Lattice, answers compared.

    compare.py --server sqlite|postgres --lattice PATH [--all] [-v]

On PostgreSQL two replicas take turns, so that every token and every change is met by the other one, too.
With --all every method is called by ten kinds of callers, without it by four of them.
"""

import argparse
import os
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import script  # noqa: E402
from harness import client, servers, tools  # noqa: E402

_UNLIKE_FIELDS = ("cluster_id", "member_id", "raft_term")
# What these say of the server itself is not compared, only whether they say it.
_CODE_ONLY = {"Maintenance.Status", "Maintenance.Hash", "Maintenance.HashKV", "Cluster.MemberList",
              "Maintenance.Defragment", "Maintenance.MoveLeader"}
_QUIET_S = 3
_NOT_LEADER = "etcdserver: not leader"


class System:
    """One server, or replicas that take turns; remembers who has which token."""

    def __init__(self, name, targets):
        self.name = name
        self._clients = [client.Client(target) for target in targets]
        self._turn = 0
        self.tokens = {}

    def _next(self):
        self._turn += 1
        return self._clients[self._turn % len(self._clients)]

    def metadata(self, who):
        if who is None:
            return None
        return [("token", self.tokens.get(who, who))]

    def call(self, name, request, who):
        """Of replicas, only the one that leads answers MoveLeader as a single server does."""
        for _ in self._clients:
            answer = self._call(name, request, who)
            if answer[1] != _NOT_LEADER:
                break
        return answer

    def _call(self, name, request, who):
        try:
            response = self._next().call(name, request, metadata=self.metadata(who))
        except grpc.RpcError as error:
            return error.code().name, error.details()
        if name == "Auth.Authenticate":
            return "OK", bool(response.token), response.token
        return "OK", "" if name in _CODE_ONLY else describe(response)

    def converse(self, name, request, who):
        """The first answer of a stream, or its end."""
        stream = self._next().open(name, metadata=self.metadata(who))
        stream.send(request)
        response = stream.receive(_QUIET_S)
        result = ("OK", describe(response)) if response is not None else tuple(map(str, stream.status or ("silent",)))
        stream.cancel()
        return result

    def close(self):
        for one in self._clients:
            one.close()


def describe(response):
    """The text of a message without what differs from server to server."""
    header = getattr(response, "header", None)
    if header is not None:
        for field in _UNLIKE_FIELDS:
            header.ClearField(field)
    if hasattr(response, "grantedTTL"):  # whose keys have no order
        response.keys[:] = sorted(response.keys)
    return str(response)


class Play:
    """Runs each call on all systems and counts where they differ from the first."""

    def __init__(self, systems, verbose):
        self._systems = systems
        self._verbose = verbose
        self.calls = 0
        self.differences = 0

    def __call__(self, name, request, who=None):
        return self._compare(name, request, who, [one.call(name, request, who) for one in self._systems])

    def stream(self, name, request, who=None):
        return self._compare(name, request, who, [one.converse(name, request, who) for one in self._systems])

    def log_in(self, who, user, password):
        """Remembers the tokens under `who`."""
        request = script.rpc.AuthenticateRequest(name=user, password=password)
        answers = [one.call("Auth.Authenticate", request, None) for one in self._systems]
        for system, answer in zip(self._systems, answers):
            if answer[0] == "OK":
                system.tokens[who] = answer[2]
        return self._compare("Auth.Authenticate", request, None, [answer[:2] for answer in answers])

    def _compare(self, name, request, who, answers):
        self.calls += 1
        expected = answers[0]
        for system, answer in zip(self._systems[1:], answers[1:]):
            if answer != expected:
                self.differences += 1
                print(f"{name} by {who}: {request!s}\n  {self._systems[0].name}: {expected}\n  {system.name}: {answer}")
        if self._verbose:
            print(name, who, expected)
        return expected


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("memory", "sqlite", "postgres"), required=True)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    tools.skip_without_go("the comparison with the current etcd")
    env = {"LATTICE_AUTH_BCRYPT_COST": "4"}
    etcd = servers.make("etcd", durable=False, extra=["--bcrypt-cost", "4"]).start()
    if arguments.server == "postgres":
        postgres = servers.shared_postgres()
        mine = servers.lattice_cluster(arguments.lattice, postgres.url(postgres.new_database()), size=2, env=env).start()
        targets = [server.target for server in mine.servers]
    else:
        mine = servers.make(arguments.server, arguments.lattice, env=env).start()
        targets = [mine.target]
    systems = [System("etcd", [etcd.target]), System(arguments.server, targets)]
    try:
        play = Play(systems, arguments.verbose)
        script.run(play, arguments.all)
    finally:
        for system in systems:
            system.close()
        etcd.remove()
        mine.remove()
    print(f"{play.calls} calls, {play.differences} differences")
    sys.exit(0 if play.calls and not play.differences else 1)


if __name__ == "__main__":
    main()
