"""The calls that compare.py makes: users and roles, off and on; then a table of every method for every kind of caller."""

from harness import protos

rpc = protos.rpc
kv = protos.kv
_ALL = b"\0"
READ, WRITE, READWRITE = 0, 1, 2
_LEASE = 7001  # with keys that only some may write
_FREE_LEASE = 7002


def permission(kind, key, end=b""):
    request = rpc.AuthRoleGrantPermissionRequest()
    request.perm.permType, request.perm.key, request.perm.range_end = kind, key, end
    return request.perm


def put(key, **fields):
    return rpc.PutRequest(key=key, value=b"v", **fields)


def watch(key, end=b"", **fields):
    return rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=key, range_end=end, **fields))


def grant(play, role, kind, key, end=b"", who=None):
    return play("Auth.RoleGrantPermission",
                rpc.AuthRoleGrantPermissionRequest(name=role, perm=permission(kind, key, end)), who)


def status(play, who=None):
    return play("Auth.AuthStatus", rpc.AuthStatusRequest(), who)


def users_and_roles(play):
    """Everything about users and roles while authentication is off, with what is refused."""
    status(play)
    play("Auth.Authenticate", rpc.AuthenticateRequest(name="root", password="x"))
    play("Auth.AuthEnable", rpc.AuthEnableRequest())
    play("Auth.AuthDisable", rpc.AuthDisableRequest())
    status(play)
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="", password="x"))
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="root", password="rootpw"))
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="root", password="other"))
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="long", password="x" * 73))
    play("Auth.AuthEnable", rpc.AuthEnableRequest())
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="nobody", role="root"))
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="root", role="missing"))
    status(play)
    for name in ("reader", "ranger", "union", "open", "idle", "changing", "twice", "rangero", "twofold"):
        play("Auth.UserAdd", rpc.AuthUserAddRequest(name=name, password=name + "pw"))
        play("Auth.RoleAdd", rpc.AuthRoleAddRequest(name=name))
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="cert", options={"no_password": True}))
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="empty"))
    play("Auth.RoleAdd", rpc.AuthRoleAddRequest(name=""))
    play("Auth.RoleAdd", rpc.AuthRoleAddRequest(name="reader"))
    play("Auth.RoleGet", rpc.AuthRoleGetRequest(role="root"))
    play("Auth.RoleGet", rpc.AuthRoleGetRequest(role="missing"))
    play("Auth.UserGet", rpc.AuthUserGetRequest(name="missing"))
    permissions(play)
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="twofold", role="ranger"))
    for name in ("reader", "ranger", "union", "open", "changing", "twice", "rangero", "twofold"):
        play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user=name, role=name))
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="twice", role="reader"))
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="twice", role="reader"))
    status(play)
    play("Auth.UserGet", rpc.AuthUserGetRequest(name="twice"))
    play("Auth.UserRevokeRole", rpc.AuthUserRevokeRoleRequest(name="twice", role="reader"))
    play("Auth.UserRevokeRole", rpc.AuthUserRevokeRoleRequest(name="twice", role="reader"))
    play("Auth.UserRevokeRole", rpc.AuthUserRevokeRoleRequest(name="missing", role="reader"))
    play("Auth.RoleDelete", rpc.AuthRoleDeleteRequest(role="twice"))
    play("Auth.RoleDelete", rpc.AuthRoleDeleteRequest(role="twice"))
    play("Auth.UserGet", rpc.AuthUserGetRequest(name="twice"))
    play("Auth.UserChangePassword", rpc.AuthUserChangePasswordRequest(name="missing", password="x"))
    play("Auth.UserChangePassword", rpc.AuthUserChangePasswordRequest(name="changing", password="changingpw"))
    play("Auth.UserChangePassword", rpc.AuthUserChangePasswordRequest(name="cert", password="x"))
    play("Auth.UserChangePassword", rpc.AuthUserChangePasswordRequest(name="idle", hashedPassword="*"))
    play("Auth.UserDelete", rpc.AuthUserDeleteRequest(name="missing"))
    play("Auth.UserDelete", rpc.AuthUserDeleteRequest(name="twice"))
    play("Auth.UserList", rpc.AuthUserListRequest())
    play("Auth.RoleList", rpc.AuthRoleListRequest())
    status(play)


def permissions(play):
    play("Auth.RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name="reader"))
    for key, end in ((b"", b""), (b"b", b"a"), (b"b", b"b"), (b"", _ALL), (b"", b"x")):
        grant(play, "reader", READ, key, end)
        grant(play, "missing", READ, key, end)
    grant(play, "missing", READ, b"k")
    grant(play, "reader", READ, b"a", b"c")
    grant(play, "reader", READ, b"a", b"c")
    status(play)
    grant(play, "reader", WRITE, b"a", b"c")
    grant(play, "reader", READ, b"a", b"c")
    grant(play, "reader", READ, b"a", b"b")
    grant(play, "reader", READ, b"a", b"c")
    play("Auth.RoleGet", rpc.AuthRoleGetRequest(role="reader"))
    play("Auth.RoleRevokePermission", rpc.AuthRoleRevokePermissionRequest(role="reader", key=b"a"))
    play("Auth.RoleRevokePermission", rpc.AuthRoleRevokePermissionRequest(role="reader", key=b"a", range_end=b"b"))
    play("Auth.RoleRevokePermission", rpc.AuthRoleRevokePermissionRequest(role="missing", key=b"a"))
    play("Auth.RoleGet", rpc.AuthRoleGetRequest(role="reader"))
    grant(play, "reader", READ, b"a", b"c")
    grant(play, "ranger", READWRITE, b"/r/", b"/r0")
    grant(play, "ranger", WRITE, b"wo")
    for begin, end in ((b"m", b"n"), (b"n", b"o"), (b"p", b"q")):
        grant(play, "union", READWRITE, begin, end)
    grant(play, "open", READWRITE, b"s", _ALL)
    grant(play, "changing", READWRITE, b"c", b"d")
    # Two that are there for API tokens: with more than one of them may, and what one that only reads may.
    grant(play, "rangero", READ, b"/r/", b"/r0")
    grant(play, "twofold", READWRITE, b"t", b"u")
    status(play)


def fill(play):
    for key in (b"a", b"b", b"/r/1", b"/r/2", b"m1", b"n1", b"p1", b"s1", b"z", b"wo", b"c1"):
        play("KV.Put", put(key))
    play("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=_LEASE, TTL=1000))
    play("KV.Put", put(b"/r/leased", lease=_LEASE))
    play("KV.Put", put(b"z/leased", lease=_LEASE))


def switch_on(play):
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="root", role="root"))
    play("KV.Range", rpc.RangeRequest(key=b"a"), "nonsense")
    play("Auth.AuthEnable", rpc.AuthEnableRequest())
    play("Auth.AuthEnable", rpc.AuthEnableRequest())
    status(play)
    for user in ("root", "reader", "ranger", "union", "open", "idle", "changing", "empty", "rangero"):
        play.log_in(user, user, user + "pw")
    play.log_in("empty", "empty", "")
    play.log_in("bad", "reader", "wrong")
    play.log_in("bad", "nobody", "wrong")
    play.log_in("bad", "", "")
    play.log_in("bad", "cert", "")
    play.log_in("bad", "cert", "x")
    play("Auth.AuthEnable", rpc.AuthEnableRequest(), "root")
    status(play, "root")
    status(play, "nonsense")


def txn(compare=(), success=(), failure=()):
    return rpc.TxnRequest(
        compare=[rpc.Compare(result=0, target=0, key=key, range_end=end, version=0) for key, end in compare],
        success=list(success), failure=list(failure))


def op_range(key, end=b""):
    return rpc.RequestOp(request_range=rpc.RangeRequest(key=key, range_end=end))


def op_put(key, **fields):
    return rpc.RequestOp(request_put=put(key, **fields))


def op_delete(key, end=b"", **fields):
    return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key, range_end=end, **fields))


def op_txn(nested):
    return rpc.RequestOp(request_txn=nested)


def key_calls():
    """Requests whose answer depends on the ranges that a caller holds."""
    reads = [(b"a", b""), (b"a", b"c"), (b"a", b"d"), (b"b", b"a"), (b"/r/", b"/r0"), (b"/r/1", b""), (b"/r/", _ALL),
             (b"m", b"o"), (b"m", b"q"), (b"m1", b"n5"), (b"s", _ALL), (b"t", _ALL), (b"r", _ALL), (b"t", b"u"),
             (_ALL, _ALL), (b"wo", b""), (b"z", b"")]
    for key, end in reads:
        yield "KV.Range", rpc.RangeRequest(key=key, range_end=end)
        yield "KV.Range", rpc.RangeRequest(key=key, range_end=end, serializable=True, count_only=True)
    for key in (b"/r/1", b"a", b"wo", b"z", b"m1"):
        yield "KV.Put", put(key)
        yield "KV.Put", put(key, prev_kv=True)
        yield "KV.Put", put(key, lease=_LEASE)
        yield "KV.Put", put(key, lease=_FREE_LEASE)
    yield "KV.Put", put(b"")
    yield "KV.Range", rpc.RangeRequest(key=b"")
    yield "KV.Range", rpc.RangeRequest(key=b"z", revision=1 << 40)
    for key, end in ((b"/r/x", b""), (b"/r/y", b"/r0"), (b"x", _ALL), (b"wo", b"")):
        yield "KV.DeleteRange", rpc.DeleteRangeRequest(key=key, range_end=end)
        yield "KV.DeleteRange", rpc.DeleteRangeRequest(key=key, range_end=end, prev_kv=True)
    for nested in transactions():
        yield "KV.Txn", nested


def transactions():
    """Every place in a transaction where a key can stand; nested ones were not looked at once (CVE-2026-33343)."""
    yield txn()
    yield txn([(b"/r/1", b"")], [op_put(b"/r/1")], [op_range(b"/r/1")])
    yield txn([(b"z", b"")], [op_put(b"/r/1")])
    yield txn([(b"/r/1", b"/r0")], [op_range(b"/r/1")])
    yield txn([(b"/r/1", _ALL)], [op_range(b"/r/1")])
    yield txn([], [op_range(b"/r/1")], [op_range(b"z")])
    yield txn([], [op_range(b"z")])
    yield txn([], [op_put(b"/r/1")], [op_put(b"z")])
    yield txn([], [op_put(b"z")], [op_put(b"/r/1")])
    yield txn([], [op_delete(b"/r/x", prev_kv=True)])
    yield txn([], [op_delete(b"wo", prev_kv=True)])
    yield txn([], [op_put(b"wo", prev_kv=True)])
    yield txn([], [op_put(b"/r/1", lease=_LEASE)])
    yield txn([], [op_put(b"/r/1"), op_txn(txn([], [op_put(b"z")]))])
    yield txn([], [op_txn(txn([], [], [op_range(b"z")]))])
    yield txn([], [op_txn(txn([(b"z", b"")], [op_put(b"/r/1")]))])
    yield txn([], [op_txn(txn([], [op_txn(txn([], [op_delete(b"z")]))]))])
    yield txn([], [op_txn(txn([(b"/r/1", b"")], [op_put(b"/r/1")]))])
    yield txn([], [op_txn(txn([], [op_range(b"a")])), op_range(b"a")])


def harmless_calls():
    """The other methods, in forms that leave no trace when they are allowed. Several had no check once (CVE-2026-33413)."""
    yield "KV.Compact", rpc.CompactionRequest(revision=1 << 40)
    yield "Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=_LEASE, TTL=100)
    yield "Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=1, TTL=1 << 40)
    yield "Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=999)
    yield "Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=999)
    yield "Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=999, keys=True)
    yield "Lease.LeaseLeases", rpc.LeaseLeasesRequest()
    yield "Cluster.MemberList", rpc.MemberListRequest()
    yield "Cluster.MemberList", rpc.MemberListRequest(linearizable=True)
    yield "Maintenance.Status", rpc.StatusRequest()
    yield "Maintenance.Alarm", rpc.AlarmRequest()
    yield "Maintenance.Alarm", rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, memberID=1, alarm=rpc.NOSPACE)
    yield "Maintenance.Alarm", rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1)
    yield "Maintenance.Defragment", rpc.DefragmentRequest()
    yield "Maintenance.Hash", rpc.HashRequest()
    yield "Maintenance.HashKV", rpc.HashKVRequest()
    yield "Maintenance.MoveLeader", rpc.MoveLeaderRequest(targetID=1)
    yield "Auth.AuthStatus", rpc.AuthStatusRequest()
    yield "Auth.UserAdd", rpc.AuthUserAddRequest(name="reader", password="x")
    yield "Auth.UserAdd", rpc.AuthUserAddRequest(name="reader", options={"no_password": True})
    yield "Auth.UserDelete", rpc.AuthUserDeleteRequest(name="missing")
    yield "Auth.UserDelete", rpc.AuthUserDeleteRequest(name="root")
    yield "Auth.UserChangePassword", rpc.AuthUserChangePasswordRequest(name="missing", password="x")
    yield "Auth.UserGet", rpc.AuthUserGetRequest(name="reader")
    yield "Auth.UserGet", rpc.AuthUserGetRequest(name="missing")
    yield "Auth.UserList", rpc.AuthUserListRequest()
    yield "Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="reader", role="reader")
    yield "Auth.UserRevokeRole", rpc.AuthUserRevokeRoleRequest(name="root", role="root")
    yield "Auth.UserRevokeRole", rpc.AuthUserRevokeRoleRequest(name="reader", role="idle")
    yield "Auth.RoleAdd", rpc.AuthRoleAddRequest(name="reader")
    yield "Auth.RoleGet", rpc.AuthRoleGetRequest(role="reader")
    yield "Auth.RoleGet", rpc.AuthRoleGetRequest(role="root")
    yield "Auth.RoleGet", rpc.AuthRoleGetRequest(role="missing")
    yield "Auth.RoleList", rpc.AuthRoleListRequest()
    yield "Auth.RoleDelete", rpc.AuthRoleDeleteRequest(role="root")
    yield "Auth.RoleDelete", rpc.AuthRoleDeleteRequest(role="missing")
    yield "Auth.RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name="reader")
    yield "Auth.RoleRevokePermission", rpc.AuthRoleRevokePermissionRequest(role="reader", key=b"nothing")
    # With a lease that is not there, so that nobody gets what they ask for.
    yield "Lock.Lock", protos.lock.LockRequest(name=b"z", lease=999)
    yield "Lock.Unlock", protos.lock.UnlockRequest(key=b"z/none")
    yield "Election.Campaign", protos.election.CampaignRequest(name=b"z", lease=999, value=b"v")
    leader = protos.election.LeaderKey(name=b"z", key=b"z/none", rev=1, lease=999)
    yield "Election.Proclaim", protos.election.ProclaimRequest(leader=leader, value=b"v")
    yield "Election.Resign", protos.election.ResignRequest(leader=leader)
    yield "Election.Leader", protos.election.LeaderRequest(name=b"z/nobody")


def streams():
    """Watches with an open end were once taken for those of one key (CVE-2026-73499, GHSA-xg4h-6gfc-h4m8)."""
    for key, end in ((b"a", b""), (b"a", b"c"), (b"a", b"d"), (b"/r/", b"/r0"), (b"/r/", _ALL), (b"s", _ALL),
                     (b"r", _ALL), (b"", b""), (b"", _ALL), (b"b", b"a")):
        yield "Watch.Watch", watch(key, end)
    yield "Watch.Watch", watch(b"/r/", b"/r0", start_revision=-1)
    yield "Lease.LeaseKeepAlive", rpc.LeaseKeepAliveRequest(ID=_LEASE)
    yield "Lease.LeaseKeepAlive", rpc.LeaseKeepAliveRequest(ID=999)
    yield "KV.RangeStream", rpc.RangeRequest(key=b"/r/1", range_end=b"/r/2")
    yield "KV.RangeStream", rpc.RangeRequest(key=b"z")
    yield "KV.RangeStream", rpc.RangeRequest(key=b"/r/", range_end=_ALL)
    yield "Election.Observe", protos.election.LeaderRequest(name=b"z")


def leases(play, who):
    """With a lease whose keys not everybody may read (CVE-2023-32082) or write."""
    play("Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=_LEASE, keys=False), who)
    play("Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=_LEASE, keys=True), who)
    if who not in ("root", "api_root"):
        play("Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=_LEASE), who)
    play("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=_FREE_LEASE, TTL=1000), who)
    play("KV.Put", put(b"/r/free", lease=_FREE_LEASE), who)
    play("Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=_FREE_LEASE), who)


# No token, one that is none, an ended one, nothing granted, read-only, ranges, root; the other tenant's root; and API tokens.
_CALLERS = (None, "nonsense", "", "ended", "idle", "reader", "ranger", "union", "open", "root", "foreign", "api_foreign",
            "api_ended", "api_revoked", "api_reader", "api_role", "api_ranger", "api_root")
_FEWER_CALLERS = (None, "ended", "ranger", "root", "foreign", "api_reader", "api_role")
# Those who are turned away before anything is looked at, whatever they ask.
_TURNED_AWAY = ("api_foreign", "api_ended", "api_revoked")


def table(play, callers):
    """Every method by each of them."""
    for who in _TURNED_AWAY if callers is _FEWER_CALLERS else ():
        for name, request in harmless_calls():
            play(name, request, who)
        for name, request in list(streams())[::4]:
            play.stream(name, request, who)
    for who in callers:
        for name, request in key_calls():
            play(name, request, who)
        for name, request in harmless_calls():
            play(name, request, who)
        leases(play, who)
        for name, request in streams():
            play.stream(name, request, who)


def end_a_token(play):
    """The password has changed since."""
    play.log_in("ended", "changing", "changingpw")
    play("KV.Range", rpc.RangeRequest(key=b"c1"), "ended")
    play("Auth.UserChangePassword", rpc.AuthUserChangePasswordRequest(name="changing", password="newpw"), "root")
    play("KV.Range", rpc.RangeRequest(key=b"c1"), "ended")
    play.log_in("changing", "changing", "changingpw")
    play.log_in("changing", "changing", "newpw")
    play("KV.Range", rpc.RangeRequest(key=b"c1"), "changing")


def changes_take_effect(play):
    """Whoever holds a token meets each change at once."""
    read, write = rpc.RangeRequest(key=b"c1"), put(b"c1")
    play("KV.Put", write, "changing")
    play("Auth.RoleRevokePermission", rpc.AuthRoleRevokePermissionRequest(role="changing", key=b"c", range_end=b"d"),
         "root")
    play("KV.Put", write, "changing")
    grant(play, "changing", READ, b"c", b"d", "root")
    play("KV.Put", write, "changing")
    play("KV.Range", read, "changing")
    play("Auth.UserRevokeRole", rpc.AuthUserRevokeRoleRequest(name="changing", role="changing"), "root")
    play("KV.Range", read, "changing")
    play("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="changing", role="root"), "root")
    play("KV.Put", write, "changing")
    play("Auth.UserList", rpc.AuthUserListRequest(), "changing")
    status(play)
    play("Auth.UserDelete", rpc.AuthUserDeleteRequest(name="changing"), "root")
    play("KV.Range", read, "changing")
    play("Auth.UserAdd", rpc.AuthUserAddRequest(name="changing", password="again"), "root")
    play("KV.Range", read, "changing")
    play("Auth.RoleDelete", rpc.AuthRoleDeleteRequest(role="reader"), "root")
    play("KV.Range", rpc.RangeRequest(key=b"a"), "reader")
    play("Auth.UserGet", rpc.AuthUserGetRequest(name="reader"), "reader")
    play("Auth.AuthDisable", rpc.AuthDisableRequest(), "reader")
    play("Auth.AuthDisable", rpc.AuthDisableRequest(), "root")
    status(play)
    play("KV.Put", put(b"z"))
    play("KV.Put", put(b"z"), "nonsense")
    play("Auth.AuthEnable", rpc.AuthEnableRequest())
    play("KV.Range", rpc.RangeRequest(key=b"a"), "root")
    play.log_in("root", "root", "rootpw")
    play("KV.Range", rpc.RangeRequest(key=b"a"), "root")
    status(play, "root")


def run(play, every_caller, neighbours):
    users_and_roles(play)
    fill(play)
    switch_on(play)
    end_a_token(play)
    neighbours.arrive()
    table(play, _CALLERS if every_caller else _FEWER_CALLERS)
    neighbours.tokens(play, _CALLERS)
    changes_take_effect(play)
