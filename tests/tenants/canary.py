#!/usr/bin/python3
"""Searches every byte that a tenant receives for what belongs to another.

    tests/tenants/canary.py --server sqlite|postgres --lattice PATH --canary PATH [--requests N] [--seed N] [--tenants N]
                            [--users] [--out FILE]

Several tenants send random requests of every service at once, over the same connections. Whatever one of them writes (keys,
values, names of users, roles and elections, passwords) carries its own marker, and all use the same keys and lease ids
besides. With --users each tenant's authentication is on. With --mixed all of them are one tenant in truth: then the search has
to find something, or it is worth nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, client, protos, servers  # noqa: E402

_RPC = protos.rpc
_SERVICES = ("KV", "Lease", "Maintenance", "Cluster")


def enable_users(connection, tenant):
    """Its user root, with a password that carries its marker, and authentication on."""
    metadata = (("lattice-tenant", tenant),)
    connection.call("Auth.UserAdd", _RPC.AuthUserAddRequest(name="root", password=f"<secret of {tenant}>"), metadata=metadata)
    connection.call("Auth.RoleAdd", _RPC.AuthRoleAddRequest(name="root"), metadata=metadata)
    connection.call("Auth.UserGrantRole", _RPC.AuthUserGrantRoleRequest(user="root", role="root"), metadata=metadata)
    connection.call("Auth.AuthEnable", _RPC.AuthEnableRequest(), metadata=metadata)


def served(connection, tenant):
    try:
        connection.call("KV.Range", _RPC.RangeRequest(key=b"k"), metadata=(("lattice-tenant", tenant),))
        return True
    except client.grpc.RpcError:
        return False


def prepare(server, tenants, users):
    connection = client.Client(server.target)
    for tenant in tenants:
        cases.eventually(lambda tenant=tenant: served(connection, tenant), f"{tenant} is served")
        if users:
            enable_users(connection, tenant)
    connection.close()


def judge(found, tenants, arguments):
    """What is wrong with a run."""
    problems = []
    if bool(found["leaks"]) != arguments.mixed:
        problems.append("nothing was found where everything is mixed" if arguments.mixed else "LEAKS")
    if found["requests"] != arguments.requests:
        problems.append("not all requests were answered")
    # A tenant that has not seen its own marker has not been looked at; nor has a method that always failed.
    problems += [f"{tenant} has seen nothing of its own" for tenant in tenants if not found["own"].get(tenant)]
    services = {path.split("/")[1].split(".")[1] for path, (good, _) in found["methods"].items() if good}
    wanted = set(_SERVICES) | ({"Auth"} if arguments.users else set())
    problems += [f"no answer of {service}" for service in sorted(wanted - services)]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=("sqlite", "postgres", "memory"), required=True)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--canary", required=True, help="the program that sends and searches")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tenants", type=int, default=4)
    parser.add_argument("--users", action="store_true", help="with authentication on")
    parser.add_argument("--mixed", action="store_true", help="one tenant in truth: something must be found")
    parser.add_argument("--out", help="file for what was seen")
    arguments = parser.parse_args()
    tenants = [f"team-{number}" for number in range(arguments.tenants)]
    # Two loops: a tenant's calls come by both ways.
    server = servers.make(arguments.server, arguments.lattice, env={
        "LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_CREATE": ",".join(tenants),
        "LATTICE_SERVER_THREADS": "2", "LATTICE_AUTH_BCRYPT_COST": "4"}).start()
    try:
        prepare(server, tenants, arguments.users)
        command = [arguments.canary, "--port", str(server.port), "--requests", str(arguments.requests), "--seed",
                   str(arguments.seed), *(["--users"] if arguments.users else []),
                   *(["--mixed-into", tenants[0]] if arguments.mixed else [])]
        began = time.monotonic()
        done = subprocess.run(command + [word for tenant in tenants for word in ("--tenant", tenant)], capture_output=True,
                              text=True, check=False)
        took = time.monotonic() - began
        assert done.returncode == 0 and server.process.alive(), (
            f"{done.stdout}{done.stderr}the server's exit status: {server.process.exit_status()}\n{server.process.log_tail()}")
    finally:
        server.remove()
    found = {"server": arguments.server, "users": arguments.users, "seed": arguments.seed, "seconds": round(took, 1),
             **json.loads(done.stdout)}
    problems = judge(found, tenants, arguments)
    print(json.dumps(found, indent=1))
    if arguments.out:
        with open(arguments.out, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
    print(f"{found['requests']:,} requests of {len(tenants)} tenants: {found['bytes']:,} bytes searched in {took:.1f} s, "
          f"{found['leaks']} leaks; {problems or 'good'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
