"""What one tenant of a process notices of another one that takes all it can get."""

import contextlib
import subprocess
import time


GREEDY, MODEST = "bench-greedy", "bench-modest"
# For systems that have several tenants.
ENVIRONMENT = {"LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_CREATE": f"{GREEDY},{MODEST}"}
KEYS = 20_000
# Thousands in flight, lists of all keys, and watches of what is written as fast as it goes.
LOADS = {
    "gets": ("get", {"connections": 16, "in_flight": 4000, "keys": KEYS, "value_size": 100}),
    "puts": ("put", {"connections": 16, "in_flight": 4000, "keys": KEYS, "prefix": "written/"}),
    "lists": ("list", {"connections": 16, "in_flight": 64, "keys": KEYS, "value_size": 100}),
    "watches": ("watch-hot", {"connections": 16, "in_flight": 256, "watchers": 1000, "streams": 16,
                              "prefix": "watched/"}),
}
# Requests a second of the greedy tenant where it has a limit; it asks for far more all the while.
LIMIT = 2000
_ONE = {"connections": 1, "in_flight": 1, "warmup": 0.5}


def measure(system, tools, seconds):
    """Rows of what the modest tenant sees, one request in flight: alone, then beside each load with and without a limit
    on the greedy tenant."""
    rows = []
    for tenant in (GREEDY, MODEST):
        filled = tools.load(system, "fill", tenant=tenant, keys=KEYS, value_size=100, txn_puts=100, in_flight=16)
        if not filled["valid"]:
            return filled
    for own, shape in {"get": {"keys": KEYS, "value_size": 100}, "put": {"keys": KEYS, "prefix": "own/"}}.items():
        def modest(own=own, shape=shape):
            return tools.load(system, own, tenant=MODEST, duration=seconds, **shape, **_ONE)
        alone = modest()
        if not alone["valid"]:
            return alone
        for limit in (None, LIMIT):
            _limit(system, limit)
            for name in LOADS:
                with _greedy(system, tools, name):
                    rows.append(_row(own, name, limit, alone, modest()))
        _limit(system, None)
    bad = [row["errors"] for row in rows if row["errors"]]
    return {"valid": not bad, "errors": bad[0] if bad else {}, "neighbour": rows}


def _row(own, name, limit, alone, beside):
    row = {"own": own, "beside": name, "limit": limit, "errors": beside["errors"]}
    for which in ("p50", "p99"):
        row["alone_" + which] = alone["latency_us"][which]
        if "latency_us" in beside:
            row[which] = beside["latency_us"][which]
            row["ratio_" + which] = row[which] / row["alone_" + which]
    return row


def _limit(system, requests):
    value = "" if requests is None else str(requests)
    subprocess.run([system.server.binary, "tenant", "limit", GREEDY, f"requests_per_second={value}",
                    *system.server.where()], check=True, capture_output=True)
    time.sleep(1)


@contextlib.contextmanager
def _greedy(system, tools, name):
    """The load, for as long as the block runs. It yields to the one that is measured where both want a core."""
    mode, options = LOADS[name]
    command = ["nice", "-n", "10", *tools.command(system, mode, tenant=GREEDY, duration=600, warmup=0, **options)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            time.sleep(1)
            yield
        finally:
            child.kill()


def rows_of(results):
    """For the report: one line for each measurement."""
    for system, measured in results.items():
        for row in measured.get("neighbour", {}).get("neighbour", []):
            yield [system, row["own"], row["beside"], str(row["limit"] or "none")], row
