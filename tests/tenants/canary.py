#!/usr/bin/python3
"""Searches every byte that a tenant receives for what belongs to another.

    tests/tenants/canary.py --server sqlite|postgres --lattice PATH [--requests N] [--seed N] [--tenants N]

Several tenants send random requests at once, over the same connections. Whatever one of them writes (keys, values, names of locks)
carries its own marker, and all use the same keys and lease ids besides. With --mixed all of them are one tenant in truth: then the
search has to find something, or it is worth nothing.
"""

import argparse
import os
import random
import sys
import threading
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import protos, servers  # noqa: E402

rpc = protos.rpc
_KEYS = 40
_LEASES = 6


def marker(tenant):
    return b"<canary of %s>" % tenant.encode()


class Searcher:
    """What a tenant has received, and whose it was."""

    def __init__(self, tenants):
        self._others = {tenant: [marker(other) for other in tenants if other != tenant] for tenant in tenants}
        self.own = {tenant: 0 for tenant in tenants}
        self.bytes = 0
        self.leaks = []

    def look(self, tenant, data, what):
        self.bytes += len(data)
        self.own[tenant] += marker(tenant) in data
        for other in self._others[tenant]:
            if other in data:
                self.leaks.append(f"{tenant} has received {other.decode()} in {what}")


class Tenant:
    """One tenant's random requests on one connection."""

    def __init__(self, name, channel, searcher, rng, metadata):
        self._name = name
        self._channel = channel
        self._searcher = searcher
        self._rng = rng
        self._metadata = (("lattice-tenant", metadata),)
        self._calls = {}
        self._watches = []

    def _call(self, name, request):
        method = protos.METHODS[name]
        if name not in self._calls:
            self._calls[name] = self._channel.unary_unary(
                method.path, request_serializer=method.request_type.SerializeToString,
                response_deserializer=lambda data: data)
        try:
            data, call = self._calls[name].with_call(request, timeout=30, metadata=self._metadata)
        except grpc.RpcError as error:
            data, call = b"", error
        said = [data, (call.details() or "").encode()]
        said += [str(each).encode() for each in (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ()))]
        self._searcher.look(self._name, b"\n".join(said), name)
        return method.response_type.FromString(data)

    def _key(self):
        common = b"key-%d" % self._rng.randrange(_KEYS)
        return common if self._rng.random() < 0.5 else common + marker(self._name)

    def _range(self):
        return rpc.RangeRequest(key=b"\0", range_end=b"\0", limit=self._rng.choice((0, 3)),
                                serializable=self._rng.random() < 0.3)

    def _put(self):
        return rpc.PutRequest(key=self._key(), value=marker(self._name) * self._rng.randint(1, 4),
                              prev_kv=self._rng.random() < 0.5,
                              lease=self._rng.randint(1, _LEASES) if self._rng.random() < 0.2 else 0)

    def _delete(self):
        return rpc.DeleteRangeRequest(key=self._key(), prev_kv=True)

    def _txn(self):
        put, look, drop = self._put(), self._range(), self._delete()
        put.lease = 0
        return rpc.TxnRequest(
            compare=[rpc.Compare(key=self._key(), target=rpc.Compare.VERSION, version=self._rng.randrange(3))],
            success=[rpc.RequestOp(request_put=put), rpc.RequestOp(request_range=look)],
            failure=[rpc.RequestOp(request_delete_range=drop), rpc.RequestOp(request_range=look)])

    def step(self):
        rng = self._rng
        lease = rng.randint(1, _LEASES)
        name, request = rng.choice((
            lambda: ("KV.Range", self._range()), lambda: ("KV.Put", self._put()), lambda: ("KV.Put", self._put()),
            lambda: ("KV.DeleteRange", self._delete()), lambda: ("KV.Txn", self._txn()),
            lambda: ("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=lease, TTL=rng.randint(2, 600))),
            lambda: ("Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=lease)),
            lambda: ("Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=lease, keys=True)),
            lambda: ("Lease.LeaseLeases", rpc.LeaseLeasesRequest()),
            lambda: ("KV.Range", rpc.RangeRequest(key=self._key(), revision=rng.randrange(1, 200))),
            lambda: ("Maintenance.HashKV", rpc.HashKVRequest()), lambda: ("Maintenance.Status", rpc.StatusRequest())))()
        answer = self._call(name, request)
        if name == "KV.Put" and rng.random() < 0.01:
            self._call("KV.Compact", rpc.CompactionRequest(revision=max(1, answer.header.revision - 50)))

    def watch(self):
        """Everything that changes, from the beginning, until close()."""
        method = protos.METHODS["Watch.Watch"]
        request = rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"\0", range_end=b"\0", prev_kv=True,
                                                                         start_revision=1))
        over = threading.Event()

        def requests():
            yield request
            over.wait()

        stream = self._channel.stream_stream(
            method.path, request_serializer=method.request_type.SerializeToString,
            response_deserializer=lambda data: data)(requests(), metadata=self._metadata)

        def read():
            try:
                for data in stream:
                    self._searcher.look(self._name, data, "a watch")
            except grpc.RpcError:
                pass

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self._watches.append((over, stream, reader))

    def close(self):
        for over, stream, reader in self._watches:
            over.set()
            stream.cancel()
            reader.join(10)


def run(target, tenants, requests, seed, mixed):
    """The searcher, after all requests."""
    searcher = Searcher(tenants)
    channels = [grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(2)]
    crowd = []
    for number, name in enumerate(tenants):
        for connection, channel in enumerate(channels):
            rng = random.Random(f"{seed} {number} {connection}")
            crowd.append(Tenant(name, channel, searcher, rng, tenants[0] if mixed else name))
    left = [requests // len(crowd)] * len(crowd)

    def work(index):
        crowd[index].watch()
        for _ in range(left[index]):
            crowd[index].step()

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(crowd))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.2)  # for the last events
    for each in crowd:
        each.close()
    for channel in channels:
        channel.close()
    return searcher


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("sqlite", "postgres", "memory"), required=True)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tenants", type=int, default=4)
    parser.add_argument("--mixed", action="store_true", help="one tenant in truth: something must be found")
    arguments = parser.parse_args()
    tenants = [f"team-{number}" for number in range(arguments.tenants)]
    # Two loops: a tenant's calls come by both ways. Idle ones are unloaded while others work.
    server = servers.make(arguments.server, arguments.lattice, env={
        "LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_CREATE": ",".join(tenants),
        "LATTICE_SERVER_THREADS": "2"}).start()
    try:
        time.sleep(0.5)
        began = time.monotonic()
        searcher = run(server.target, tenants, arguments.requests, arguments.seed, arguments.mixed)
        took = time.monotonic() - began
        alive = server.process.alive()
    finally:
        server.remove()
    print(f"{arguments.requests} requests of {len(tenants)} tenants, seed {arguments.seed}: {searcher.bytes:,} bytes searched in "
          f"{took:.1f} s, {len(searcher.leaks)} leaks; own markers seen: {searcher.own}")
    for leak in searcher.leaks[:10]:
        print(leak)
    # A tenant that has not seen its own marker has not been looked at.
    looked = alive and all(count > 0 for count in searcher.own.values())
    sys.exit(0 if looked and bool(searcher.leaks) == arguments.mixed else 1)


if __name__ == "__main__":
    main()
