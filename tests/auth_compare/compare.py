#!/usr/bin/python3
"""Users, roles and who may do what: the same calls to a real etcd and to Lattice, answers compared.

    compare.py --server sqlite|postgres --lattice PATH [--all] [-v]

On PostgreSQL two replicas take turns, so that every token and every change is met by the other one, too. Lattice is asked about
one tenant of two; logins and API tokens of the other are among the callers. With --all every method is called by all kinds of
callers, without it by some.
"""

import argparse
import os
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import script  # noqa: E402
from harness import client, protos, servers, tools  # noqa: E402

rpc = protos.rpc

_UNLIKE_FIELDS = ("cluster_id", "member_id", "raft_term")
# What these say of the server itself is not compared, only whether they say it.
_CODE_ONLY = {"Maintenance.Status", "Maintenance.Hash", "Maintenance.HashKV", "Cluster.MemberList",
              "Maintenance.Defragment", "Maintenance.MoveLeader"}
_QUIET_S = 3
_NOT_LEADER = "etcdserver: not leader"
_TENANT, _NEIGHBOUR = "blue", "red"
# What a token that only reads may not, and no user of etcd can be kept from.
_WRITERS = {"Lease.LeaseGrant", "Lease.LeaseRevoke", "Lease.LeaseKeepAlive"}
_DENIED = ("PERMISSION_DENIED", "etcdserver: permission denied")
# What the table of all methods leaves out: what switches everything, and what one of the two does not offer.
_ELSEWHERE = {"Auth.Authenticate", "Auth.AuthEnable", "Auth.AuthDisable", "Maintenance.Snapshot", "Maintenance.Downgrade",
              "Cluster.MemberAdd", "Cluster.MemberRemove", "Cluster.MemberUpdate", "Cluster.MemberPromote",
              "Health.Check", "Health.Watch", "Health.List"}
# API tokens: whose, with less than the user, and whom etcd knows that may do as much.
_MACHINES = {
    "api_ranger": ("ranger", {}, "ranger"),
    "api_reader": ("ranger", {"read_only": True}, "rangero"),
    "api_role": ("twofold", {"roles": ["ranger"]}, "ranger"),
    "api_root": ("root", {}, "root"),
    "api_ended": ("root", {"ttl": 1}, "nonsense"),
    "api_revoked": ("root", {}, "nonsense"),
}


class System:
    """One server, or replicas that take turns; remembers who has which token."""

    def __init__(self, name, targets, tenant=None):
        self.name = name
        self.tenant = tenant
        self._clients = [client.Client(target) for target in targets]
        self._turn = 0
        self.tokens = {}

    def _next(self):
        self._turn += 1
        return self._clients[self._turn % len(self._clients)]

    def metadata(self, who):
        found = [("lattice-tenant", self.tenant)] if self.tenant else []
        return found if who is None else found + [("token", self.tokens.get(who, who))]

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

    def message(self, name, request, who):
        """The response itself."""
        return self._next().call(name, request, metadata=self.metadata(who))

    def converse(self, name, request, who):
        """The first answer of a stream, or its end."""
        single = not protos.METHODS[name].client_streams
        stream = self._next().open(name, request if single else None, metadata=self.metadata(who))
        if not single:
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
    for part in (response, getattr(response, "range_response", None)):
        header = getattr(part, "header", None)
        if header is None:
            continue
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
        self.names = set()

    def __call__(self, name, request, who=None):
        if who == "api_reader" and name in _WRITERS:
            return self.expect(_DENIED, name, request, who)
        return self._compare(name, request, who, [one.call(name, request, who) for one in self._systems])

    def expect(self, answer, name, request, who):
        """Only of Lattice."""
        return self._compare(name, request, who, [answer] + [one.call(name, request, who) for one in self._systems[1:]])

    def stream(self, name, request, who=None):
        if who == "api_reader" and name in _WRITERS:
            answers = [one.converse(name, request, who) for one in self._systems[1:]]
            return self._compare(name, request, who, [("StatusCode." + _DENIED[0], _DENIED[1])] + answers)
        answers = [one.converse(name, request, who) for one in self._systems]
        if name == "Election.Observe" and answers[0] == ("StatusCode.OK", ""):
            # etcd's ends without a word for whoever may not read; ours says why, as Leader does.
            answers = [self._systems[0].call("Election.Leader", request, who)[1]] + [text for _code, text in answers[1:]]
        return self._compare(name, request, who, answers)

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
        self.names.add(name)
        expected = answers[0]
        for system, answer in zip(self._systems[1:], answers[1:]):
            if answer != expected:
                self.differences += 1
                print(f"{name} by {who}: {request!s}\n  {self._systems[0].name}: {expected}\n  {system.name}: {answer}")
        if self._verbose:
            print(name, who, expected)
        return expected


class Neighbours:
    """Who else there is: the other tenant's root, and machines of both."""

    def __init__(self, etcd, mine):
        self._etcd, self._mine = etcd, mine

    def ask(self, name, request, who, tenant=_TENANT):
        self._mine.tenant, before = tenant, self._mine.tenant
        try:
            answer = self._mine.call(name, request, who)
            if answer[0] != "OK":
                raise RuntimeError(f"{name}: {answer}")
            return answer
        finally:
            self._mine.tenant = before

    def make(self, who, user, tenant=_TENANT, root="root", **less):
        request = protos.tokens.CreateTokenRequest(user=user, **less)
        self._mine.tenant, before = tenant, self._mine.tenant
        made = self._mine.message("Tokens.Create", request, root)
        self._mine.tenant = before
        self._mine.tokens[who] = made.secret
        return made.token.id

    def arrive(self):
        """Once the callers of the table are there, and authentication is on."""
        self.ask("Auth.UserAdd", rpc.AuthUserAddRequest(name="root", password="rootpw"), None, _NEIGHBOUR)
        self.ask("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="root", role="root"), None, _NEIGHBOUR)
        self.ask("Auth.AuthEnable", rpc.AuthEnableRequest(), None, _NEIGHBOUR)
        login = rpc.AuthenticateRequest(name="root", password="rootpw")
        self._mine.tokens["foreign"] = self.ask("Auth.Authenticate", login, None, _NEIGHBOUR)[2]
        self.make("api_foreign", "root", _NEIGHBOUR, "foreign")
        for who in ("foreign", "api_foreign"):
            self._etcd.tokens[who] = "nonsense"
            self.ask("Auth.UserList", rpc.AuthUserListRequest(), who, _NEIGHBOUR)
        made = {who: self.make(who, user, **less) for who, (user, less, _like) in _MACHINES.items()}
        self.ask("Tokens.Revoke", protos.tokens.RevokeTokenRequest(id=made["api_revoked"]), "root")
        for who, (_user, _less, like) in _MACHINES.items():
            self._etcd.tokens[who] = self._etcd.tokens.get(like, like)
        time.sleep(1.1)  # for the one that ends

    def tokens(self, play, callers):
        """The methods that only Lattice has."""
        for who in callers:
            status, text = play("Auth.UserList", rpc.AuthUserListRequest(), who)
            root = status == "OK"
            for name, request, answer in (
                    ("Tokens.Create", protos.tokens.CreateTokenRequest(user="missing"),
                     ("FAILED_PRECONDITION", "etcdserver: user name not found")),
                    ("Tokens.Revoke", protos.tokens.RevokeTokenRequest(id="missing"),
                     ("INVALID_ARGUMENT", "lattice: there is no such API token"))):
                play.expect(answer if root else (status, text), name, request, who)
            if not root:
                play.expect((status, text), "Tokens.List", protos.tokens.ListTokensRequest(), who)
        self.ask("Tokens.List", protos.tokens.ListTokensRequest(), "root")


def wait_for_tenants(system):
    """Those of the configuration are there a moment after the start."""
    for tenant in (_NEIGHBOUR, _TENANT):
        system.tenant = tenant
        deadline = time.monotonic() + 10
        for _ in range(2):
            while system.call("KV.Range", rpc.RangeRequest(key=b"a"), None)[0] != "OK":
                if time.monotonic() > deadline:
                    raise RuntimeError(f"tenant {tenant} is not served")
                time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("memory", "sqlite", "postgres"), required=True)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    tools.skip_without_go("the comparison with the current etcd")
    env = {"LATTICE_AUTH_BCRYPT_COST": "4", "LATTICE_TENANTS_TRUST_METADATA": "true",
           "LATTICE_TENANTS_CREATE": f"{_TENANT},{_NEIGHBOUR}"}
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
        wait_for_tenants(systems[1])
        play = Play(systems, arguments.verbose)
        script.run(play, arguments.all, Neighbours(*systems))
        for name in sorted(set(protos.METHODS) - play.names - _ELSEWHERE):
            print(f"{name} is not in the table")
            play.differences += 1
    finally:
        for system in systems:
            system.close()
        etcd.remove()
        mine.remove()
    print(f"{play.calls} calls, {play.differences} differences")
    sys.exit(0 if play.calls and not play.differences else 1)


if __name__ == "__main__":
    main()
