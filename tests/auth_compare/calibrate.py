#!/usr/bin/python3
"""Plants each bug about users and tenants in real processes, one after another, and sees that a check that fits it fires.

    calibrate.py --lattice build/planted/lattice --canary build/release/tests/lattice_canary [bug ...]

The server is that of the CMake preset `planted`, the client of the canary that of any build. The control, nothing planted, has to pass every check.
"""

import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
_COMPARE, _CLIENTS = os.path.join(HERE, "compare.py"), os.path.join(HERE, "clients.py")
_CANARY = os.path.join(os.path.dirname(HERE), "tenants", "canary.py")

# Per bug: the check, on which store, and what it says when it has found this bug and not any other.
_BUGS = {
    "nested_txn_unguarded": ([_COMPARE, "--server", "sqlite"], "KV.Txn by"),
    "open_watch_unguarded": ([_COMPARE, "--server", "sqlite"], "Watch.Watch by"),
    "permissions_not_forgotten": ([_COMPARE, "--server", "postgres"], "by changing"),
    "revoked_token_accepted": ([_COMPARE, "--server", "postgres"], "by api_revoked"),
    "ended_token_accepted": ([_COMPARE, "--server", "sqlite"], "by api_ended"),
    "watch_outlives_token": ([_CLIENTS, "--server", "sqlite", "ApiTokens"], "FAIL: test_2_a_revocation_holds"),
    "realm_not_checked": ([_COMPARE, "--server", "sqlite"], "by foreign"),
    "any_tenant_answers": ([_CANARY, "--server", "sqlite"], ": <canary of team-"),
}


def run(check, arguments, bug=None):
    """(exit status, what it printed, seconds)"""
    command = [sys.executable, *check, "--lattice", arguments.lattice]
    if check[0] == _CANARY:
        command += ["--canary", arguments.canary]
    env = dict(os.environ)
    if bug:
        env["LATTICE_PLANTED_BUG"] = bug
    began = time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--canary", required=True)
    parser.add_argument("bugs", nargs="*")
    arguments = parser.parse_args()
    wrong = 0
    chosen = {bug: _BUGS[bug] for bug in arguments.bugs or _BUGS}
    for check in {tuple(check): check for check, _said in chosen.values()}.values():
        status, text, took = run(check, arguments)
        print(f"{'nothing planted':<28} {'passes' if status == 0 else 'FAILS':<8} {took:5.1f} s  {' '.join(check[1:])}", flush=True)
        if status != 0:
            print(text)
            wrong += 1
    for bug, (check, said) in chosen.items():
        status, text, took = run(check, arguments, bug)
        found = [line for line in text.splitlines() if said in line]
        caught = status == 1 and bool(found)
        wrong += not caught
        print(f"{bug:<28} {'caught' if caught else 'MISSED':<8} {took:5.1f} s  {found[0][:120] if found else text[-300:]}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
