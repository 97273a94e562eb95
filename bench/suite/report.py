"""The run as markdown."""

from . import forwarding, neighbour, targets


def _number(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def target_table(results):
    rows = [[row["target"], row["system"], f"{row['baseline']}: {_number(row['base'])}", _number(row["own"]),
             _number(row["ratio"]), row["wanted"], row["verdict"]] for row in targets.judge(results)]
    return _table(["what", "system", "baseline", "Lattice", "ratio", "target", "verdict"], rows)


_COLUMNS = (
    ("per second", lambda r: r["per_second"]),
    ("p50 us", lambda r: r["latency_us"]["p50"]),
    ("p99 us", lambda r: r["latency_us"]["p99"]),
    ("max us", lambda r: r["latency_us"]["max"]),
    ("server CPU us/op", lambda r: r["server_cpu_us"]),
    ("PostgreSQL CPU us/op", lambda r: r["database_cpu_us"] or None),
    ("server cores", lambda r: r["server_cores"]),
    ("loader cores", lambda r: r["loader_cpu_fraction"]),
)


def _cell(read, result):
    try:
        return _number(read(result))
    except KeyError:
        return "-"


def _remark(result):
    if not result["valid"]:
        return "INVALID: " + "; ".join(f"{why} ({count})" for why, count in result["errors"].items())
    return "noisy" if result.get("noisy") else ""


def measured_table(results):
    """Every timed benchmark of every system."""
    rows = []
    cases = [case for system in results.values() for case in system]
    for case in dict.fromkeys(cases):
        for system, measured in results.items():
            result = measured.get(case)
            if result is None or case in ("memory", "restart", "failover", "neighbour", "forwarding"):
                continue
            rows.append([case, system] + [_cell(read, result) for _, read in _COLUMNS] + [_remark(result)])
    return _table(["benchmark", "system"] + [name for name, _ in _COLUMNS] + ["remark"], rows)


def memory_table(results):
    rows = []
    for system, measured in results.items():
        memory, restart = measured.get("memory"), measured.get("restart")
        if memory is None:
            continue
        mib = lambda value: _number(value / 2**20)
        database = mib(memory["database"]["pss"]) if "database" in memory else "-"
        after = mib(restart["memory"]["pss"]) if restart and "memory" in restart else "-"
        seconds = _number(restart["seconds"]) if restart and "seconds" in restart else "-"
        rows.append([system, f"{memory['keys']:,}", mib(memory["pss"]), mib(memory["pss_anon"]),
                     mib(memory["rss"]), database, after, seconds,
                     _remark(restart) if restart else ""])
    return _table(["system", "keys of 100 B", "PSS MiB", "of it anonymous", "RSS MiB", "PostgreSQL PSS MiB", "PSS MiB after restart",
                   "restart s", "remark"], rows)


def cluster_table(results):
    """Three nodes beside three of etcd's."""
    rows = []
    for row in targets.compare_clusters(results):
        rows.append([row["what"], _number(row["base"])] +
                    [cell for own, ratio in row["own"] for cell in (_number(own), _number(ratio))] + [row["remark"]])
    return _table(["what", "etcd", "Lattice, Redis", "ratio", "Lattice, NOTIFY", "ratio", "remark"], rows)


def tls_table(rows):
    """TLS on the client port beside etcd's, with the same certificates and ciphers."""
    return _table(["what", "etcd", "Lattice on SQLite", "ratio", "remark"],
                  [[row["what"], _number(row["base"]), _number(row["own"]), _number(row["ratio"]), row["remark"]] for row in rows])


def neighbour_table(results):
    """What one tenant sees beside another, and how many times of what it sees alone."""
    rows = [labels + [_cell(lambda r, each=each: r[each], row) for each in (
        "alone_p50", "p50", "ratio_p50", "alone_p99", "p99", "ratio_p99")] for labels, row in neighbour.rows_of(results)]
    return _table(["system", "one in flight", "beside another tenant's", "its limit", "alone p50 us", "p50 us", "ratio",
                   "alone p99 us", "p99 us", "ratio"], rows)


def has_neighbours(results):
    return any("neighbour" in measured for measured in results.values())


def forwarding_table(results):
    """The same load at the node that serves a tenant, and through one that passes it on."""
    rows = [[row["what"]] + [_cell(lambda r, each=each: r[each], row) for each in (
        "direct_p50", "p50", "added_p50", "direct_rate", "rate", "ratio")] for row in forwarding.rows_of(results)]
    return _table(["load", "direct p50 us", "forwarded p50 us", "added us", "direct /s", "forwarded /s", "ratio"], rows)


def has_forwarding(results):
    return any("forwarding" in measured for measured in results.values())


def markdown(run):
    machine = run["machine"]
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
        f"{run['when']}; {run['plan']}; load average before the run {machine['load']}.",
        *(["### Targets", target_table(run["results"])] if targets.judge(run["results"]) else []),
        *(["### Three nodes", cluster_table(run["results"])] if targets.has_clusters(run["results"]) else []),
        *(["### TLS", tls_table(targets.compare_tls(run["results"]))] if targets.compare_tls(run["results"]) else []),
        "### Measured", measured_table(run["results"]),
        *(["### Neighbours", neighbour_table(run["results"])] if has_neighbours(run["results"]) else []),
        *(["### Forwarding", forwarding_table(run["results"])] if has_forwarding(run["results"]) else []),
        "### Memory and restart", memory_table(run["results"]),
    ]
    return "\n\n".join(parts) + "\n"
