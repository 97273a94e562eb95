"""The benchmarks, in the order in which one system runs them."""

import statistics
import time

from harness import processes

from . import forwarding, neighbour, procstat, systems

LIST_KEYS = 10_000
WATCHERS = 1_000
# Puts per second of the watches across nodes: what every system can follow.
ACROSS_RATE = 100
# kine takes one put at a time into a table that polls itself; a million of them would take longer than all the rest.
KINE_KEYS_MAX = 20_000


class Plan:
    """How much of everything: the full run, or the quick one."""

    def __init__(self, quick, keys=None, seconds=None):
        self.keys = keys or (50_000 if quick else 1_000_000)
        self.seconds = seconds or (2 if quick else 10)
        self.warmup = 0.5 if quick else 2
        self.commits = 500 if quick else 3000
        self.kills = 3 if quick else 7

    def timed(self):
        return {"duration": self.seconds, "warmup": self.warmup}


class Run:
    """One system going through the benchmarks."""

    def __init__(self, system, plan, tools, factory):
        self.system = system
        self.plan = plan
        self.tools = tools
        self.factory = factory
        self.keys = min(plan.keys, KINE_KEYS_MAX) if system.name == "kine" else plan.keys
        self.results = {}

    def load(self, mode, **options):
        result = self.tools.load(self.system, mode, **options)
        if self.system.name in REVISION_EXEMPT:
            errors = result["errors"]
            result["exempt"] = [why for why in errors if why.startswith(("revision advanced", "some revisions"))]
            result["valid"] = result["valid"] or len(result["exempt"]) == len(errors)
        return result

    # Each benchmark returns a result with "valid", or a dictionary of them.

    def fill(self):
        """The keys that later reads find: 100 bytes each, in transactions of 100 puts where the server has those."""
        txn = {} if self.system.name == "kine" else {"txn_puts": 100}
        in_flight = 64 if self.system.name == "kine" else 16
        return self.load("fill", keys=self.keys, value_size=100, in_flight=in_flight, **txn)

    def memory(self):
        """Resident memory with the keys in it, some seconds after the last write."""
        time.sleep(3)
        return self._memory()

    def _memory(self):
        result = {"valid": True, "errors": {}, "keys": self.keys}
        result.update(procstat.memory_bytes(self.system.pids))
        if self.system.database_pid:
            result["database"] = procstat.memory_bytes(procstat.tree(self.system.database_pid))
        return result

    def restart(self):
        """From the start of the process to its first linearizable answer, with the keys in its store."""
        self.system.stop()
        begin = time.monotonic()
        self.system.start()
        while not systems.accepts(self.system.port):
            time.sleep(0.005)
        answer = self.load("get", keys=self.keys, value_size=100, total=1, in_flight=1, connections=1, warmup=0)
        result = {"valid": answer["valid"], "errors": answer["errors"], "seconds": time.monotonic() - begin}
        time.sleep(2)
        result["memory"] = self._memory()
        return result

    def get(self):
        return self.load("get", keys=self.keys, value_size=100, **self.plan.timed())

    def get_one(self):
        return self.load("get", keys=self.keys, value_size=100, **self._one_in_flight())

    def mixed(self):
        return self.load("mixed", keys=self.keys, value_size=100, **self.plan.timed())

    def put(self):
        return self.load("put", keys=self.keys, value_size=256, **self.plan.timed())

    def update(self):
        """The write of Kubernetes: put if the key's revision is the one last seen."""
        return self.load("update", keys=self.keys, value_size=256, **self.plan.timed())

    def put_one(self):
        """One in flight, between two measurements of the bare commit of the same kind of database."""
        before = self._bare_commit()
        result = self.load("put", keys=self.keys, value_size=256, **self._one_in_flight())
        after = self._bare_commit()
        if before["valid"] and after["valid"]:
            result["bare_commit_p50_us"] = min(before["latency_us"]["p50"], after["latency_us"]["p50"])
        return result

    def _one_in_flight(self):
        return {"port": [self.system.port], "in_flight": 1, "connections": 1, **self.plan.timed()}

    def _bare_commit(self):
        if self.system.database_pid:
            probe = self.tools.probe_commit("postgres", self.factory.postgres.url("postgres"), self.plan.commits)
        else:
            folder = processes.scratch_folder("probe")
            probe = self.tools.probe_commit("sqlite", f"{folder}/probe.db", self.plan.commits)
            processes.remove_folder(folder)
        return {"valid": True, **probe}

    def list(self):
        """10,000 keys of 1 KiB in one answer."""
        shape = {"prefix": "list/", "keys": LIST_KEYS, "value_size": 1024}
        txn = {} if self.system.name == "kine" else {"txn_puts": 100}
        filled = self.load("fill", **shape, in_flight=16, **txn)
        if not filled["valid"]:
            return filled
        procstat.reset_peak(self.system.pid)
        before = procstat.peak_bytes(self.system.pid)
        result = self.load("list", **shape, in_flight=8, connections=8, **self.plan.timed())
        result["peak_growth_bytes"] = procstat.peak_bytes(self.system.pid) - before
        return result

    def watch_hot(self):
        """1,000 watchers of one key on ten streams; 256 puts in flight, each until all its events have arrived."""
        return self.load("watch-hot", prefix="hot/", watchers=WATCHERS, streams=10, connections=10, in_flight=256,
                         value_size=128, **self.plan.timed())

    def watch_hot_streams(self):
        """The same with a stream for each watcher, as many clients would have it."""
        return self.load("watch-hot", prefix="hot/", watchers=WATCHERS, streams=WATCHERS, connections=10,
                         in_flight=256, value_size=128, **self.plan.timed())

    def watch_hot_rate(self):
        """Ten streams at 50 puts a second, which every system can follow: its latency."""
        return self.load("watch-hot", prefix="hot/", watchers=WATCHERS, streams=10, connections=10, in_flight=256,
                         value_size=128, put_rate=50, **self.plan.timed())

    def watch_distinct(self):
        """1,000 watchers of a key each, on ten streams."""
        return self.load("watch-distinct", prefix="distinct/", watchers=WATCHERS, streams=10, connections=10,
                         in_flight=256, value_size=128, **self.plan.timed())

    def watch_distinct_txn(self):
        """The same, the puts in transactions of 100."""
        return self.load("watch-distinct", prefix="distinct/", watchers=WATCHERS, streams=10, connections=10,
                         in_flight=16, value_size=128, txn_puts=100, **self.plan.timed())

    def keepalive(self):
        return self.load("keepalive", leases=1000, streams=64, **self.plan.timed())

    def watch_across(self):
        """Puts at the node that leads, the watcher at another: how long an event takes from one to the other."""
        return self._watch_from(self.system.followers()[0], self.system.leader())

    def watch_across_followers(self):
        """Puts at a node that does not lead, the watcher at the third."""
        watched, written = self.system.followers()[:2]
        return self._watch_from(watched, written)

    def _watch_from(self, watched, written):
        return self.load("watch-hot", prefix="across/", port=[watched.port], put_port=[written.port], watchers=1,
                         streams=1, connections=1, in_flight=64, value_size=128, put_rate=ACROSS_RATE,
                         **self.plan.timed())

    def failover(self):
        """From the kill -9 of the leader to the first write that a survivor acknowledged."""
        seconds = sorted(self.system.kill_leader() for _ in range(self.plan.kills))
        return {"valid": True, "errors": {}, "each_seconds": seconds, "median_seconds": statistics.median(seconds),
                "max_seconds": seconds[-1]}

    def get_tls12(self):
        return self.load("get", keys=self.keys, value_size=100, **_TLS_1_2, **self.plan.timed())

    def put_tls12(self):
        return self.load("put", keys=self.keys, value_size=256, **_TLS_1_2, **self.plan.timed())

    def handshake(self):
        """Connections that are opened and closed, every one a full handshake."""
        return self.load("handshake", in_flight=16, **self.plan.timed())

    def handshake_tls12(self):
        return self.load("handshake", in_flight=16, **_TLS_1_2, **self.plan.timed())

    def neighbour(self):
        """Another tenant beside one that takes all it can get."""
        return neighbour.measure(self.system, self.tools, self.plan.seconds)

    def forwarding(self):
        """A node that serves beside one that passes requests on to it."""
        return forwarding.measure(self.factory.lattice, self.factory.postgres, self.tools, self.plan)

    def h2load_put(self):
        key, value = b"h2load/0", b"v" * 256
        message = b"\x0a" + bytes([len(key)]) + key + b"\x12\x80\x02" + value
        return self.tools.h2load(self.system, "/etcdserverpb.KV/Put", message, self.plan.seconds)

    def h2load_get(self):
        key = b"h2load/0"
        message = b"\x0a" + bytes([len(key)]) + key
        return self.tools.h2load(self.system, "/etcdserverpb.KV/Range", message, self.plan.seconds)


# Reads of the filled keys come before the puts that change their size.
ORDER = ("fill", "memory", "restart", "get", "get_tls12", "get_one", "mixed", "put", "put_tls12", "handshake",
         "handshake_tls12", "update", "put_one", "list", "watch_hot",
         "watch_hot_streams", "watch_hot_rate", "watch_distinct", "watch_distinct_txn", "keepalive", "h2load_put",
         "h2load_get", "neighbour", "forwarding", "watch_across", "watch_across_followers", "failover")
# What works on the filled keys.
NEEDS_FILL = {"memory", "restart", "get", "get_tls12", "get_one", "mixed", "put", "put_tls12", "update", "put_one"}
# kine's Put drops a write to a key that exists when anything else was written since, and still answers OK (v0.16.4):
# only its transactions can be measured. It renews no leases.
NOT_IN = {"kine": {"put", "put_one", "mixed", "watch_hot", "watch_hot_streams", "watch_hot_rate", "watch_distinct",
                   "watch_distinct_txn", "keepalive", "h2load_put"}}
# What needs several nodes, and what is measured of them beside that.
ACROSS = {"watch_across", "watch_across_followers", "failover"}
OF_CLUSTERS = {"fill", "memory", "get", "get_one", "mixed", "put", "update", "put_one"} | ACROSS

# What only servers with TLS have, and what is measured of them.
TLS_ONLY = {"get_tls12", "put_tls12", "handshake", "handshake_tls12"}
OF_TLS = {"fill", "get", "put"} | TLS_ONLY
# Unless told otherwise the load generator asks for TLS 1.3 and TLS_AES_128_GCM_SHA256.
_TLS_1_2 = {"tls_version": "1.2", "tls_cipher": "ECDHE-ECDSA-AES128-GCM-SHA256"}

# What needs several tenants.
OF_TENANTS = {"neighbour"}
# What starts nodes of its own beside the system, on the same PostgreSQL.
BESIDE_POSTGRES = {"forwarding"}


def of(name):
    """The benchmarks that the system can run."""
    if name in systems.WITH_TLS:
        return OF_TLS
    wanted = OF_CLUSTERS if name in systems.CLUSTERS else set(ORDER) - ACROSS - TLS_ONLY
    if name not in systems.WITH_TENANTS:
        wanted = wanted - OF_TENANTS
    if name != "lattice-postgres":
        wanted = wanted - BESIDE_POSTGRES
    return wanted - NOT_IN.get(name, set())

# kine writes rows of its own into the sequence of revisions.
REVISION_EXEMPT = {"kine"}
