"""The targets: Lattice against etcd, or against a bare commit of its own database."""

ETCD = "etcd"
BARE = "bare commit"


class Target:
    """`value` reads the figure from one result; the ratio Lattice / baseline must be at least, or at most, `limit`."""

    def __init__(self, text, case, value, at_least=None, at_most=None, system=None, baseline=ETCD):
        self.text = text
        self.case = case
        self.value = value
        self.at_least = at_least
        self.at_most = at_most
        self.system = system
        self.baseline = baseline

    def wanted(self):
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"

    def met(self, ratio):
        return ratio >= self.at_least if self.at_least is not None else ratio <= self.at_most


def _path(*names):
    def read(result):
        for name in names:
            result = result[name]
        return result
    return read


_RATE, _CPU, _P50, _P99 = (_path("per_second"), _path("server_cpu_us"), _path("latency_us", "p50"),
                           _path("latency_us", "p99"))

TARGETS = (
    Target("puts/s, 256 B, 256 in flight", "put", _RATE, at_least=4, system="lattice-sqlite"),
    Target("puts/s, 256 B, 256 in flight", "put", _RATE, at_least=3, system="lattice-postgres"),
    Target("server CPU per put, us", "put", _CPU, at_most=0.2),
    Target("put p50, one in flight, us", "put_one", _P50, at_most=1.2, baseline=BARE),
    Target("linearizable gets/s", "get", _RATE, at_least=10),
    Target("server CPU per get, us", "get", _CPU, at_most=0.1),
    Target("lists/s of 10,000 x 1 KiB", "list", _RATE, at_least=3),
    Target("events/s, 1,000 watchers, one key", "watch_hot", _RATE, at_least=5),
    Target("events/s, the same on 1,000 streams", "watch_hot_streams", _RATE, at_least=5),
    Target("event p99 at full speed, one key, us", "watch_hot", _P99, at_most=1),
    Target("event p99 at 50 puts/s, one key, us", "watch_hot_rate", _P99, at_most=1),
    Target("events/s, 1,000 distinct watchers", "watch_distinct", _RATE, at_least=5),
    Target("event p99, 1,000 distinct watchers, us", "watch_distinct", _P99, at_most=1),
    Target("memory with the keys, PSS in MiB", "memory", lambda r: r["pss"] / 2**20, at_most=1),
    Target("memory after restart, PSS in MiB", "restart", lambda r: r["memory"]["pss"] / 2**20, at_most=1),
    Target("restart to first answer, s", "restart", _path("seconds"), at_most=1),
)


def judge(results):
    """One row for each target and Lattice system: text, system, baseline and own figure, ratio, wanted, verdict."""
    rows = []
    for target in TARGETS:
        for system in ("lattice-sqlite", "lattice-postgres"):
            if target.system in (None, system) and system in results:
                rows.append(_row(target, system, results))
    return rows


def _row(target, system, results):
    own = _figure(target.value, results[system].get(target.case))
    if target.baseline == BARE:
        base = _figure(_path("bare_commit_p50_us"), results[system].get(target.case))
    else:
        base = _figure(target.value, results.get(ETCD, {}).get(target.case))
    row = {"target": target.text, "system": system, "baseline": target.baseline, "base": base, "own": own,
           "wanted": target.wanted(), "ratio": None, "verdict": "not measured"}
    if "INVALID" in (own, base):
        row["verdict"] = "INVALID"
    elif own and base:
        row["ratio"] = own / base
        row["verdict"] = "met" if target.met(row["ratio"]) else "MISSED"
        if any(results.get(name, {}).get(target.case, {}).get("noisy") for name in (system, ETCD)):
            row["verdict"] += " (noisy)"
    return row


def _figure(read, result):
    if result is None:
        return None
    if not result["valid"]:
        return "INVALID"
    try:
        return read(result)
    except KeyError:
        return None


CLUSTER_ETCD = "etcd-3"
CLUSTER_OWN = ("lattice-3", "lattice-3-notify")

# Of three nodes, each with a third of the connections.
CLUSTER_FIGURES = (
    ("puts/s, 256 B, 256 in flight", "put", _RATE),
    ("server CPU per put, all nodes, us", "put", _CPU),
    ("put p50, one in flight at the leader, us", "put_one", _P50),
    ("linearizable gets/s", "get", _RATE),
    ("server CPU per get, all nodes, us", "get", _CPU),
    ("get p50, one in flight at the leader, us", "get_one", _P50),
    ("90 % gets, 10 % puts, per second", "mixed", _RATE),
    ("updates/s, 256 in flight", "update", _RATE),
    ("event p50, put at the leader, watched elsewhere, us", "watch_across", _P50),
    ("event p99, the same, us", "watch_across", _P99),
    ("event p50, put at one follower, watched at another, us", "watch_across_followers", _P50),
    ("event p99, the same, us", "watch_across_followers", _P99),
    ("kill -9 of the leader to the next write, median, s", "failover", _path("median_seconds")),
    ("the same, longest, s", "failover", _path("max_seconds")),
    ("memory with the keys, all nodes, PSS in MiB", "memory", lambda r: r["pss"] / 2**20),
)


def has_clusters(results):
    return any(name in results for name in (CLUSTER_ETCD,) + CLUSTER_OWN)


def compare_clusters(results):
    """One row for each figure: what, etcd's figure, of each Lattice system its figure and the ratio, and a remark."""
    rows = []
    for what, case, read in CLUSTER_FIGURES:
        base = _figure(read, results.get(CLUSTER_ETCD, {}).get(case))
        own = [_figure(read, results.get(name, {}).get(case)) for name in CLUSTER_OWN]
        if base is None and not any(own):
            continue
        ratios = [_ratio(figure, base) for figure in own]
        noisy = any(results.get(name, {}).get(case, {}).get("noisy") for name in (CLUSTER_ETCD,) + CLUSTER_OWN)
        rows.append({"what": what, "base": base, "own": list(zip(own, ratios)), "remark": "noisy" if noisy else ""})
    return rows


TLS_ETCD, TLS_OWN = "etcd-tls", "lattice-sqlite-tls"

# TLS_AES_128_GCM_SHA256 and ECDHE-ECDSA-AES128-GCM-SHA256, P-256 certificates, X25519.
TLS_FIGURES = tuple(
    (f"{what}, TLS {version}", case + suffix, read) for version, suffix in (("1.3", ""), ("1.2", "_tls12"))
    for what, case, read in (("puts/s, 256 B, 256 in flight", "put", _RATE), ("server CPU per put, us", "put", _CPU),
                             ("linearizable gets/s", "get", _RATE), ("server CPU per get, us", "get", _CPU),
                             ("full handshakes/s, 16 at a time", "handshake", _RATE),
                             ("server CPU per handshake, us", "handshake", _CPU)))


def compare_tls(results):
    """One row for each figure of TLS: what, etcd's figure, Lattice's, ratio, remark."""
    rows = []
    for what, case, read in TLS_FIGURES:
        base, own = (_figure(read, results.get(name, {}).get(case)) for name in (TLS_ETCD, TLS_OWN))
        noisy = any(results.get(name, {}).get(case, {}).get("noisy") for name in (TLS_ETCD, TLS_OWN))
        rows.append({"what": what, "base": base, "own": own, "ratio": _ratio(own, base), "remark": "noisy" if noisy else ""})
    return rows if TLS_ETCD in results and TLS_OWN in results else []


def _ratio(own, base):
    known = own and base and "INVALID" not in (own, base)
    return own / base if known else None
