#!/usr/bin/python3
"""How long well-behaved clients have to wait while each attack of reliability.md 3.4 goes on, and what it costs the server.

    tests/limits/measure_abuse.py --build-dir build/release [--only TEXT] [--seconds N] [--out FOLDER]

Two clients put and get at a thousand requests a second each, on a durable store, before the attack and beside it. The
hostile side has processes of its own with the lowest priority, for on one machine it would else take the processors from
everyone. A criterion that fails is measured again, three times at most, because of what else the machine does: p99 at most
doubled, 64 MiB more memory at most, descriptors back and a new client served within 5 s. Writes abuse.json and abuse.md.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import attacks  # noqa: E402
import attacks_tls  # noqa: E402
import hostile  # noqa: E402
from harness import client, protos  # noqa: E402
from victims import Victim  # noqa: E402

_RATE = 1000
_RATIO_MAX = 2.0
_GROWTH_MIB_MAX = 64
_RECOVERY_SECONDS_MAX = 5.0
_TRIES = 3
# Of a connection that has asked for nothing yet.
_CONNECTION_KIB_MAX = 32
_TLS_KIB_MAX = 80
_LEAD_SECONDS = 1  # of the attack, until it is under way
# Below this the p99 is the clients' own scheduling on a machine that is shared with the attack.
_FLOOR_US = 2000


def attacker(options):
    """The hostile process: what became of its peers, as JSON."""
    attack = attacks.ATTACKS[options.attack]
    tls = None
    if options.ca:
        tls = attacks_tls.ssl.create_default_context(cafile=options.ca)
        tls.set_alpn_protocols(["h2"])
    attack.prepare(1.0)
    print("ready", flush=True)
    until = time.monotonic() + options.seconds
    peers = [hostile.Peer(options.target, until, 1.0, tls) for _ in range(attack.threads)]
    running = [threading.Thread(target=attack.run, args=(peer,), daemon=True) for peer in peers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    notes = {}
    for peer in peers:
        for name, count in peer.notes.items():
            notes[name] = notes.get(name, 0) + count
    print(json.dumps({"connections": sum(peer.connections for peer in peers),
                      "sent_away": sum(peer.sent_away for peer in peers), "notes": notes}))


class Clients:
    """The well-behaved: one that puts and one that gets."""

    def __init__(self, build_dir, victim):
        self._loader = os.path.join(build_dir, "bench", "loader", "lattice_loader")
        self._common = ["--port", str(victim.server.port), "--connections", "4", "--in-flight", "64",
                        "--keys", "1000", "--value-size", "128", "--prefix", "good/"]
        if victim.ca:
            self._common += ["--tls-ca", victim.ca]
        for name, value in victim.metadata:
            self._common += ["--metadata", name, value]

    def _start(self, mode, *more):
        return subprocess.Popen([self._loader, mode, *self._common, *more], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    @staticmethod
    def _result(child):
        output, complaint = child.communicate(timeout=120)
        lines = [line for line in output.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {"errors": {complaint.strip(): 1}}

    def fill(self):
        found = self._result(self._start("fill"))
        assert not found["errors"], found

    def measure(self, seconds):
        """p99 in microseconds of puts and gets, and what went wrong."""
        children = {mode: self._start(mode, "--warmup", "0.2", "--duration", str(seconds), "--rate", str(_RATE)) for mode in ("put", "get")}
        found = {mode: self._result(child) for mode, child in children.items()}
        # The two write and read at once: only the put's own ledger is disturbed by the attack's puts.
        errors = {why: count for each in found.values() for why, count in each["errors"].items()
                  if not why.startswith(("revision advanced", "some revisions"))}
        return {mode: each.get("latency_us", {}).get("p99") for mode, each in found.items()}, errors


def measure(options, victim, clients, name):
    """One attack, once: a row of the report."""
    attack = attacks.ATTACKS[name]
    before, errors = clients.measure(options.seconds)
    fds, rss = victim.fds(), victim.rss_mib()
    victim.forget_peak()
    command = [sys.executable, __file__, "--attack", name, "--target", victim.target,
               "--seconds", str(options.seconds + _LEAD_SECONDS + 1)] + (["--ca", victim.ca] if victim.ca else [])
    with subprocess.Popen(["nice", "-n", "19", *command], stdout=subprocess.PIPE, text=True) as hostile_side:
        hostile_side.stdout.readline()
        time.sleep(_LEAD_SECONDS)
        during, more_errors = clients.measure(options.seconds)
        came_of_it = json.loads(hostile_side.communicate(timeout=120)[0])
    ended = time.monotonic()
    row = {"row": attack.row, "attack": name, "p99_us_before": before, "p99_us_during": during,
           "errors": {**errors, **more_errors}, "growth_mib": round(victim.rss_mib(peak=True) - rss, 1), **came_of_it}
    row["recovery_seconds"] = round(_recover(victim, fds) - ended, 2)
    row["ratio"] = {mode: round(max(during[mode], 1) / max(before[mode], 1), 2) for mode in before
                    if before[mode] and during[mode]}
    row["failed"] = judge(row, attack)
    return row


def _recover(victim, fds):
    """When the descriptors were back and a new client was served."""
    deadline = time.monotonic() + 6 * _RECOVERY_SECONDS_MAX
    while victim.fds() > fds and time.monotonic() < deadline:
        time.sleep(0.01)
    fresh = client.Client(victim.target, credentials=victim.credentials)
    fresh.call("KV.Put", protos.rpc.PutRequest(key=b"fresh", value=b"v"), metadata=victim.metadata)
    fresh.close()
    return time.monotonic()


def judge(row, attack):
    failed = []
    for mode, ratio in row["ratio"].items():
        if ratio > _RATIO_MAX and row["p99_us_during"][mode] > _FLOOR_US:
            failed.append(f"p99 of {mode}s is {ratio} times what it was")
    if len(row["ratio"]) < 2 or row["errors"]:
        failed.append(f"well-behaved clients failed: {row['errors']}")
    # Who only holds connections pays for each of them, and there is a cap on those.
    held = row["notes"].get("half open", 0) * (_TLS_KIB_MAX if attack.listener == "tls" else _CONNECTION_KIB_MAX) / 1024
    if row["growth_mib"] > _GROWTH_MIB_MAX + held:
        failed.append(f"{row['growth_mib']} MiB more memory")
    if row["recovery_seconds"] > _RECOVERY_SECONDS_MAX:
        failed.append(f"{row['recovery_seconds']} s until all was as before")
    if attack.ends and not row["sent_away"]:
        failed.append("nobody was sent away")
    return failed


def markdown(report):
    lines = [f"{report['processors']} processors, load average {report['load']:.1f} before; two well-behaved clients with "
             f"{_RATE} requests/s each, {report['seconds']:g} s before each attack and {report['seconds']:g} s beside it.", "",
             "| attack | put p99 ms, before | beside | ratio | get p99 ms, before | beside | ratio | memory MiB | "
             "connections | sent away | back after s | |", "|" + " --- |" * 12]
    for row in report["rows"]:
        cells = [row["attack"]]
        for mode in ("put", "get"):
            cells += [_milliseconds(row["p99_us_before"][mode]), _milliseconds(row["p99_us_during"][mode]),
                      str(row["ratio"].get(mode, "-"))]
        cells += [str(row["growth_mib"]), str(row["connections"]), str(row["sent_away"]), str(row["recovery_seconds"]),
                  "; ".join(row["failed"]) or "good"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _milliseconds(microseconds):
    return f"{microseconds / 1000:.2f}" if microseconds else "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir")
    parser.add_argument("--only", default="", help="attacks and rows of the table with this in their names")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--tries", type=int, default=_TRIES)
    parser.add_argument("--out", default=".", help="folder of the report")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("--ca", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        return attacker(options)
    report = {"processors": os.cpu_count(), "load": os.getloadavg()[0], "seconds": options.seconds, "rows": []}
    wanted = [name for name, attack in attacks.ATTACKS.items() if options.only in name + attack.row]
    for listener in dict.fromkeys(attacks.ATTACKS[name].listener for name in wanted):
        victim = Victim(os.path.join(options.build_dir, "lattice"), listener, "sqlite")
        clients = Clients(options.build_dir, victim)
        clients.fill()
        for name in wanted:
            if attacks.ATTACKS[name].listener != listener:
                continue
            for _ in range(options.tries):
                row = measure(options, victim, clients, name)
                print(f"{name:50} {row['ratio']} {row['p99_us_before']} {row['p99_us_during']} {row['growth_mib']} MiB "
                      f"{row['connections']}/{row['sent_away']} {row['recovery_seconds']} s {row['failed']} {row['notes']}", flush=True)
                if not row["failed"]:
                    break
            report["rows"].append(row)
        victim.remove()
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "abuse.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    with open(os.path.join(options.out, "abuse.md"), "w", encoding="utf-8") as file:
        file.write(markdown(report))
    print(markdown(report))
    return 1 if any(row["failed"] for row in report["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
