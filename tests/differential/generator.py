"""The seeded stream of operations: mostly sensible, often at the edges, now and then plainly wrong.

The generator knows the store only through what the reference answered (current and compact revision, live leases,
open watches), so the same seed and the same answers give the same stream.
"""

import random

from harness import protos

rpc = protos.rpc

_KEYS = [b"a", b"a\x00", b"a\x00b", b"a\xff", b"b", b"ba", b"bb", b"bc", b"c", b"\x00", b"\x00\x01", b"\xff", b"\xff\xff",
         b"k0", b"k1", b"k2", b"k3", b"k4", b"k5", b"k6", b"k7", b"k8", b"k9", b"dir/", b"dir/x", b"dir/y", b"dir/x/1"]
_MAX_TXN_OPS = 128
_TOO_LARGE = 1_700_000

# Long enough that nothing expires while two servers are compared.
_TTL_MIN, _TTL_MAX = 500_000, 900_000


def _operations(request):
    """All operations of a transaction, those of nested ones included."""
    for operation in list(request.success) + list(request.failure):
        yield operation
        if operation.HasField("request_txn"):
            yield from _operations(operation.request_txn)


def _deletes_to_the_end(request):
    return any(operation.request_delete_range.range_end == b"\x00" for operation in _operations(request))


def _clear_ignore_flags(request):
    for operation in _operations(request):
        if operation.HasField("request_put"):
            operation.request_put.ignore_value = operation.request_put.ignore_lease = False


class Operation:
    """One step: a unary call, or something done to a watch stream."""

    def __init__(self, kind, request=None, method=None, stream=None):
        self.kind = kind
        self.request = request
        self.method = method
        self.stream = stream


class Generator:
    """Operations one by one; `learn` tells it what the reference answered."""

    def __init__(self, seed, ops):
        self._random = random.Random(seed)
        self._ops = ops
        self.revision = 1
        self.compacted = -1
        self.leases = set()
        self.watches = {stream: set() for stream in range(4)}
        self._kinds = [
            (self._put, 300), (self._range, 250), (self._range_stream, 30), (self._delete, 80), (self._txn, 180),
            (self._compact, 3), (self._wrong_compact, 8), (self._grant, 20), (self._wrong_grant, 6), (self._revoke, 14),
            (self._time_to_live, 25), (self._leases, 5), (self._keep_alive, 12), (self._hash_kv, 8),
            (self._watch_create, 25), (self._watch_cancel, 12), (self._watch_progress, 1), (self._watch_close, 1)]
        self._weights = [weight for _, weight in self._kinds]

    def __iter__(self):
        for _ in range(self._ops):
            yield self._random.choices(self._kinds, self._weights)[0][0]()

    def _chance(self, share):
        return self._random.random() < share

    def _key(self):
        return b"" if self._chance(0.004) else self._random.choice(_KEYS)

    def _interval(self, message):
        """Sets key and range_end: one key, an interval, a prefix, from a key on, everything, inverted."""
        message.key = self._key()
        kind = self._random.random()
        if kind < 0.35:
            return message
        if kind < 0.6:
            message.key, message.range_end = sorted([self._random.choice(_KEYS), self._random.choice(_KEYS)])
        elif kind < 0.75:
            message.key = self._random.choice([b"k", b"a", b"b", b"dir/"])
            message.range_end = message.key[:-1] + bytes([message.key[-1] + 1])
        elif kind < 0.85:
            message.range_end = b"\x00"
        elif kind < 0.95:
            message.key = message.range_end = b"\x00"
        else:
            message.range_end = self._key()
        return message

    def _revision(self):
        """0 mostly; else something in the history, at its edges, or outside."""
        kind = self._random.random()
        if kind < 0.6:
            return 0
        if kind < 0.9:
            low = max(1, self.compacted)
            return self._random.randint(max(low, self.revision - 400), max(low, self.revision))
        return self._random.choice([-1, -7, 1, self.compacted, self.compacted - 1, self.compacted + 1, self.revision,
                                    self.revision + 1, self.revision + 1000])

    def _lease(self):
        if self.leases and not self._chance(0.04):
            return self._random.choice(sorted(self.leases))
        return self._random.choice([404, -404, 1])

    # Key-value requests

    def _put_request(self):
        request = rpc.PutRequest(key=self._key(), prev_kv=self._chance(0.3))
        kind = self._random.random()
        if kind < 0.02:
            request.ignore_value = True
            request.value = b"wrong" if self._chance(0.1) else b""
        else:
            request.value = self._value()
        if kind > 0.98:
            request.ignore_lease = True
            request.lease = self._lease() if self._chance(0.1) else 0
        elif self._chance(0.25):
            request.lease = self._lease()
        if self._chance(0.005):
            request.ignore_lease = request.ignore_value = True
        return request

    def _value(self):
        if self._chance(0.01):
            return b"L" * self._random.randint(1000, 60_000)
        return bytes(self._random.choices(b"\x00\xffabcxyz0123", k=self._random.randint(0, 12)))

    def _range_request(self):
        request = self._interval(rpc.RangeRequest(revision=self._revision()))
        if self._chance(0.4):
            request.limit = self._random.choice([-1, 1, 1, 2, 3, 5, 10, 100])
        if self._chance(0.35):
            request.sort_order = self._random.choice([0, 1, 1, 2, 2])
            request.sort_target = self._random.randint(0, 4)
        if self._chance(0.006):
            request.sort_order = self._random.choice([3, -1, 77])
        if self._chance(0.006):
            request.sort_target = self._random.choice([5, -1, 77])
        request.serializable = self._chance(0.2)
        request.keys_only = self._chance(0.15)
        request.count_only = self._chance(0.1)
        if self._chance(0.2):
            for field in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
                if self._chance(0.4):
                    setattr(request, field, self._random.choice([-1, 1, self._random.randint(0, self.revision)]))
        return request

    def _put(self):
        request = self._put_request()
        if self._chance(0.001):
            request.value = b"T" * _TOO_LARGE
        return Operation("unary", request, "KV.Put")

    def _range(self):
        return Operation("unary", self._range_request(), "KV.Range")

    def _range_stream(self):
        request = self._range_request()
        if self._chance(0.8):
            for field in ("sort_order", "min_mod_revision", "max_mod_revision", "min_create_revision",
                          "max_create_revision"):
                request.ClearField(field)
        if request.sort_order == 0:
            # The reference sorts each chunk by itself when a target stands without an order; nothing to compare.
            request.sort_target = 0
        return Operation("range_stream", request, "KV.RangeStream")

    def _delete_request(self):
        request = self._interval(rpc.DeleteRangeRequest(prev_kv=self._chance(0.4)))
        if request.range_end == b"\x00" and self._chance(0.8):
            request.ClearField("range_end")
        return request

    def _delete(self):
        return Operation("unary", self._delete_request(), "KV.DeleteRange")

    # Transactions

    def _txn(self):
        if self._chance(0.01):
            return Operation("unary", self._large_txn(), "KV.Txn")
        request = self._txn_request(depth=0)
        if _deletes_to_the_end(request):
            # The duplicate check overlooks such a delete, and a put with an ignore flag of a key that it has deleted
            # panics every etcd up to 3.7.3 at least.
            _clear_ignore_flags(request)
        return Operation("unary", request, "KV.Txn")

    def _large_txn(self):
        count = self._random.choice([_MAX_TXN_OPS, _MAX_TXN_OPS + 1])
        request = rpc.TxnRequest()
        branch = request.success if self._chance(0.5) else request.failure
        for number in range(count):
            branch.add().request_put.key = b"many/%03d" % number
        return request

    def _txn_request(self, depth):
        request = rpc.TxnRequest()
        for _ in range(self._random.choice([0, 0, 1, 1, 1, 2, 3])):
            self._compare(request.compare.add())
        for branch in (request.success, request.failure):
            for _ in range(self._random.choice([0, 1, 1, 2, 3, 5])):
                self._txn_operation(branch.add(), depth)
        return request

    def _txn_operation(self, operation, depth):
        kind = self._random.random()
        if kind < 0.4:
            operation.request_put.CopyFrom(self._put_request())
        elif kind < 0.65:
            operation.request_range.CopyFrom(self._range_request())
        elif kind < 0.8:
            operation.request_delete_range.CopyFrom(self._delete_request())
        elif kind < 0.997:
            if depth < 3:
                operation.request_txn.CopyFrom(self._txn_request(depth + 1))
            else:
                operation.request_range.CopyFrom(self._range_request())

    def _compare(self, compare):
        self._interval(compare) if self._chance(0.3) else setattr(compare, "key", self._key())
        compare.result = self._random.choice([0, 0, 1, 2, 3]) if not self._chance(0.01) else 9
        compare.target = self._random.randint(0, 4) if not self._chance(0.01) else 9
        arm = compare.target if not self._chance(0.04) else self._random.randint(0, 5)
        if arm == 0:
            compare.version = self._random.choice([0, 0, 1, 2, 5])
        elif arm == 1:
            compare.create_revision = self._random.choice([0, 0, self._random.randint(0, self.revision)])
        elif arm == 2:
            compare.mod_revision = self._random.choice([0, 0, self._random.randint(0, self.revision), self.revision])
        elif arm == 3:
            compare.value = self._value()
        elif arm == 4:
            compare.lease = self._random.choice([0, self._lease()])

    # Compaction, leases, hashes

    def _compact(self):
        low = max(self.compacted, 0)
        at = self._random.choice([self.revision, self._random.randint(low, self.revision),
                                  max(low, self.revision - 300)])
        return Operation("compact", rpc.CompactionRequest(revision=at, physical=self._chance(0.5)), "KV.Compact")

    def _wrong_compact(self):
        at = self._random.choice([-1, self.compacted, self.compacted - 3, self.revision + 1, self.revision + 99])
        if at == 0 and self.compacted < 0:
            at = -1
        return Operation("unary", rpc.CompactionRequest(revision=at), "KV.Compact")

    def _grant(self):
        request = rpc.LeaseGrantRequest(TTL=self._random.randint(_TTL_MIN, _TTL_MAX))
        request.ID = self._random.choice([self._random.randint(2, 60), -self._random.randint(1, 20)])
        return Operation("unary", request, "Lease.LeaseGrant")

    def _wrong_grant(self):
        request = rpc.LeaseGrantRequest(TTL=self._random.choice([9_000_000_000, 9_000_000_001, 1 << 62]), ID=self._lease())
        return Operation("unary", request, "Lease.LeaseGrant")

    def _revoke(self):
        return Operation("unary", rpc.LeaseRevokeRequest(ID=self._lease()), "Lease.LeaseRevoke")

    def _time_to_live(self):
        return Operation("unary", rpc.LeaseTimeToLiveRequest(ID=self._lease(), keys=self._chance(0.7)),
                         "Lease.LeaseTimeToLive")

    def _leases(self):
        return Operation("unary", rpc.LeaseLeasesRequest(), "Lease.LeaseLeases")

    def _keep_alive(self):
        return Operation("keep_alive", rpc.LeaseKeepAliveRequest(ID=self._lease()))

    def _hash_kv(self):
        return Operation("unary", rpc.HashKVRequest(revision=max(0, self._revision())), "Maintenance.HashKV")

    # Watches

    def _stream(self):
        return self._random.choice(sorted(self.watches))

    def _watch_create(self):
        stream = self._stream()
        if len(self.watches[stream]) > 20:
            return self._watch_cancel()
        create = self._interval(rpc.WatchCreateRequest())
        create.prev_kv = self._chance(0.4)
        create.fragment = self._chance(0.2)
        create.progress_notify = self._chance(0.2)
        kind = self._random.random()
        if kind < 0.35:
            create.start_revision = max(1, self.revision - self._random.randint(0, 150))
        elif kind < 0.45:
            create.start_revision = self.revision + self._random.randint(0, 20)
        elif kind < 0.55:
            create.start_revision = self._random.choice([-1, -5, 1, self.compacted, self.compacted - 1])
        for filter_type in (rpc.WatchCreateRequest.NOPUT, rpc.WatchCreateRequest.NODELETE):
            if self._chance(0.12):
                create.filters.append(filter_type)
        if self._chance(0.15):
            create.watch_id = self._random.choice([self._random.randint(1, 30)] + sorted(self.watches[stream]))
        return Operation("watch_create", rpc.WatchRequest(create_request=create), stream=stream)

    def _watch_cancel(self):
        stream = self._stream()
        known = sorted(self.watches[stream])
        watch_id = self._random.choice(known) if known and not self._chance(0.1) else 9999
        return Operation("watch_cancel", rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=watch_id)),
                         stream=stream)

    def _watch_progress(self):
        return Operation("watch_progress", rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()),
                         stream=self._stream())

    def _watch_close(self):
        return Operation("watch_close", stream=self._stream())

    # What the reference answered

    def learn(self, operation, response):
        """Takes over the revision, leases and watches that follow from a successful answer."""
        self.revision = max(self.revision, response.header.revision)
        if operation.method == "KV.Compact":
            self.compacted = operation.request.revision
        elif operation.method == "Lease.LeaseGrant":
            self.leases.add(response.ID)
        elif operation.method == "Lease.LeaseRevoke":
            self.leases.discard(operation.request.ID)
        elif operation.kind == "watch_create" and not response.canceled:
            self.watches[operation.stream].add(response.watch_id)
        elif operation.kind == "watch_cancel":
            self.watches[operation.stream].discard(response.watch_id)
