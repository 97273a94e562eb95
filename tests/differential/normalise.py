"""Takes out of an answer what two correct servers may answer differently, and nothing else."""

from harness import protos

rpc = protos.rpc
_TARGET_FIELDS = {1: "version", 2: "create_revision", 3: "mod_revision", 4: "value"}

# Remaining seconds of a lease: the two servers got the grant at slightly different moments.
TTL_SLACK_S = 3


def normalise(request, response):
    """Clears ids and terms, orders what has no order. Changes and returns the response."""
    if response.HasField("header"):
        _header(response.header)
    if isinstance(response, rpc.RangeResponse):
        _range(request, response)
    elif isinstance(response, rpc.TxnResponse):
        _txn(request, response)
    elif isinstance(response, rpc.LeaseTimeToLiveResponse):
        keys = sorted(response.keys)
        del response.keys[:]
        response.keys.extend(keys)
        if response.TTL > 0:
            response.TTL = round(response.TTL / TTL_SLACK_S / 4)
    elif isinstance(response, rpc.LeaseLeasesResponse):
        ids = sorted(lease.ID for lease in response.leases)
        del response.leases[:]
        for lease_id in ids:
            response.leases.add(ID=lease_id)
    elif isinstance(response, rpc.HashKVResponse):
        response.hash = 1 if response.hash else 0
        # Of a named revision: if it is the compact one, the answer depends on whether the compaction has ended by now.
        if response.hash_revision == request.revision:
            response.compact_revision = 0
    return response


def _header(header):
    header.cluster_id = 1 if header.cluster_id else 0
    header.member_id = 1 if header.member_id else 0
    header.raft_term = 1 if header.raft_term else 0


def _txn(request, response):
    branch = request.success if response.succeeded else request.failure
    for operation, answer in zip(branch, response.responses):
        kind = operation.WhichOneof("request")
        if kind == "request_range" and answer.HasField("response_range"):
            _range(operation.request_range, answer.response_range)
        elif kind == "request_txn" and answer.HasField("response_txn"):
            _txn(operation.request_txn, answer.response_txn)


def _range(request, response):
    """Keys that compare equal under the sort are in no defined order; where the limit cuts, not even the same keys."""
    field = _TARGET_FIELDS.get(request.sort_target)
    if field is None or not response.kvs or request.keys_only and field == "value":
        if field == "value":
            _order_unseen_values(response)
        return
    groups = []
    for pair in response.kvs:
        if not groups or getattr(groups[-1][0], field) != getattr(pair, field):
            groups.append([])
        groups[-1].append(pair)
    ordered = []
    for index, group in enumerate(groups):
        if index + 1 == len(groups) and response.more:
            copies = [type(pair)() for pair in group]
            for copy in copies:
                setattr(copy, field, getattr(group[0], field))
            ordered += copies
        else:
            ordered += sorted(group, key=lambda pair: pair.key)
    ordered = [type(pair).FromString(pair.SerializeToString()) for pair in ordered]
    del response.kvs[:]
    response.kvs.extend(ordered)


def _order_unseen_values(response):
    """Sorted by values that the answer leaves out: only the set of keys can be compared, and only without a cut."""
    pairs = sorted((pair.SerializeToString() for pair in response.kvs)) if not response.more else []
    count = len(response.kvs)
    del response.kvs[:]
    for index in range(count):
        response.kvs.append(type(response).DESCRIPTOR.fields_by_name["kvs"].message_type._concrete_class.FromString(
            pairs[index]) if pairs else protos.kv.KeyValue())
