"""Clients that write, read, watch and keep leases while the server is being killed, and note what they see."""

import random
import threading
import time

import grpc

from harness import client, protos
from history import Event, Lease, Outcome, Read, WatchLog, Write

rpc = protos.rpc

_DEADLINE_S = 10
_PAUSE_AFTER_FAILURE_S = 0.05
_DEFINITE = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.NOT_FOUND,
             grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED,
             grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED}


class Clients:
    """A connection to one of the servers; after a failure a new one, to the next. Calls are never repeated.

    A new one, because grpcio 1.51 takes its time to connect again a channel whose server was away for some seconds.
    """

    def __init__(self, targets):
        self._targets = targets
        self._turns = 0
        self._client = client.Client(targets[0])

    def call(self, method, request, timeout_s):
        try:
            return self._client.call(method, request, timeout_s)
        except grpc.RpcError:
            self.turn()
            raise

    def open(self, method, timeout_s=None):
        return self._client.open(method, timeout_s=timeout_s)

    def start(self, method, request):
        return self._client.start(method, request, timeout_s=5)

    def turn(self):
        self._client.close()
        self._turns += 1
        self._client = client.Client(self._targets[self._turns % len(self._targets)])

    def close(self):
        self._client.close()


class Worker(threading.Thread):
    """A thread that does one thing over and over until it is stopped."""

    def __init__(self, targets, history, seed):
        super().__init__(daemon=True)
        self.client = Clients(targets)
        self.history = history
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.answered = 0
        self.last_error = ""

    def run(self):
        while not self.stopping.is_set():
            if not self.step():
                time.sleep(_PAUSE_AFTER_FAILURE_S)

    def step(self):
        """Does the thing once; returns whether the server answered."""
        raise NotImplementedError

    def stop(self):
        self.stopping.set()
        self.join(_DEADLINE_S * 2)
        self.client.close()
        return not self.is_alive()


class Writer(Worker):
    """Puts, two-key transactions and deletes, each value unique."""

    def __init__(self, targets, history, number):
        super().__init__(targets, history, number)
        self._number = number
        self._count = 0

    def step(self):
        self._count += 1
        value = b"w%d-%d" % (self._number, self._count)
        kind = self.random.random()
        if kind < 0.7:
            key = b"k/%d" % self.random.randrange(40)
            return self._write(Write(value, (key,), time.monotonic()), "KV.Put",
                               rpc.PutRequest(key=key, value=value))
        if kind < 0.9:
            keys = (b"k/%d" % self.random.randrange(40), b"pair/%d" % self._number)
            request = rpc.TxnRequest()
            for key in keys:
                request.success.add().request_put.CopyFrom(rpc.PutRequest(key=key, value=value))
            return self._write(Write(value, keys, time.monotonic()), "KV.Txn", request)
        own = b"own/%d" % self._number
        if not self._write(Write(value, (own,), time.monotonic()), "KV.Put", rpc.PutRequest(key=own, value=value)):
            return False
        return self._write(Write(None, (own,), time.monotonic()), "KV.DeleteRange", rpc.DeleteRangeRequest(key=own))

    def _write(self, write, method, request):
        # Noted before the call, so that a write in flight at the end is known too.
        self.history.writes.append(write)
        write.called = time.monotonic()
        try:
            response = self.client.call(method, request, _DEADLINE_S)
        except grpc.RpcError as error:
            self.last_error = f"{error.code().name}: {error.details()}"
            write.outcome = Outcome.FAILED if error.code() in _DEFINITE else Outcome.UNKNOWN
            return False
        write.returned = time.monotonic()
        write.revision = response.header.revision
        if write.value is None and response.deleted == 0:
            # The put before it is known to be there, so nobody else can have deleted the key.
            write.outcome = Outcome.FAILED
            write.value = b"a deletion of nothing at %d" % write.revision
            return True
        write.outcome = Outcome.ACKNOWLEDGED
        self.answered += 1
        return True


class Reader(Worker):
    """Linearizable reads of the keys that everybody writes."""

    def step(self):
        key = b"k/%d" % self.random.randrange(40)
        called = time.monotonic()
        try:
            response = self.client.call("KV.Range", rpc.RangeRequest(key=key), _DEADLINE_S)
        except grpc.RpcError:
            return False
        pair = response.kvs[0] if response.kvs else None
        self.history.reads.append(Read(key, called, time.monotonic(), response.header.revision,
                                       pair.value if pair else None, pair.mod_revision if pair else 0))
        self.answered += 1
        return True


class Watcher(Worker):
    """A watch that resumes behind the last revision it got, as clients do."""

    def __init__(self, targets, history, prefix, on_event=None):
        super().__init__(targets, history, 0)
        self.log = WatchLog(prefix, start_revision=2)
        history.watches.append(self.log)
        self._on_event = on_event
        self._stream = None

    @property
    def position(self):
        """The revision that a resumption would start from."""
        return self.log.events[-1].revision + 1 if self.log.events else self.log.start_revision

    def step(self):
        if self._stream is None:
            self._stream = self.client.open("Watch.Watch")
            self._stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(
                key=self.log.prefix, range_end=self.log.prefix[:-1] + bytes([self.log.prefix[-1] + 1]),
                start_revision=self.position)))
            self.log.resumptions += 1
        response = self._stream.receive(0.2)
        if response is not None and not response.canceled:
            now = time.monotonic()
            for event in response.events:
                self.log.events.append(read_event(event))
                if self._on_event:
                    self._on_event(self.log.events[-1], now)
            return True
        if self._stream.ended(0) is not None or response is not None:
            self._stream.cancel()
            self._stream = None
            self.client.turn()
        return response is not None


class LeaseKeeper(Worker):
    """Grants leases with a key each; keeps some alive and lets the others expire."""

    _TTL_S = 3
    _KEPT = 3

    def __init__(self, targets, history):
        super().__init__(targets, history, 0)
        self._leases = {}
        self._kept = {}
        self._next_renewal = 0.0

    def step(self):
        if len(self._kept) < self._KEPT:
            return self._grant(kept=True)
        if time.monotonic() < self._next_renewal:
            time.sleep(0.1)
            return True
        self._grant(kept=False)
        self._next_renewal = time.monotonic() + self._TTL_S / 4
        return all([self._renew(lease_id) for lease_id in list(self._kept)])

    def _grant(self, kept):
        ttl = 600 if kept else self._TTL_S
        called = time.monotonic()
        key = b"lease/%d" % len(self.history.leases)
        try:
            granted = self.client.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=ttl), _DEADLINE_S)
            write = Write(b"value of " + key, (key,), time.monotonic())
            self.history.writes.append(write)
            put = self.client.call("KV.Put", rpc.PutRequest(key=key, value=write.value, lease=granted.ID), _DEADLINE_S)
        except grpc.RpcError:
            self.history.leases.append(Lease(key, ttl, 0.0, kept=False))
            return False
        write.returned, write.outcome, write.revision = time.monotonic(), Outcome.ACKNOWLEDGED, put.header.revision
        lease = Lease(key, ttl, called + granted.TTL, kept)
        self.history.leases.append(lease)
        self._leases[key] = lease
        if kept:
            self._kept[granted.ID] = lease
        return True

    def _renew(self, lease_id):
        called = time.monotonic()
        stream = self.client.open("Lease.LeaseKeepAlive", timeout_s=_DEADLINE_S)
        stream.send(rpc.LeaseKeepAliveRequest(ID=lease_id))
        answer = stream.receive(_DEADLINE_S)
        stream.cancel()
        if answer is None:
            self.client.turn()
            return False
        if answer.TTL > 0:
            self._kept[lease_id].safe_until = called + answer.TTL
        return True

    def event(self, event, now):
        """Called by the watcher of lease/: notes when a key was seen to go."""
        if event.value is None and event.key in self._leases:
            self._leases[event.key].seen_deleted = now


def read_event(event):
    deleted = event.type == protos.kv.Event.DELETE
    return Event(event.kv.key, None if deleted else event.kv.value, event.kv.mod_revision, event.kv.create_revision,
                 event.kv.version, event.kv.lease)
