#!/usr/bin/python3
"""Runs scenario files against one kind of server, a fresh server for each file.

    tests/scenarios/run.py --server sqlite --lattice build/release/lattice [FILE...]
    tests/scenarios/run.py --server etcd --record FILE...     # writes what a real etcd answers
"""

import argparse
import difflib
import glob
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

import script as scripts  # noqa: E402
from harness import servers, text, tools  # noqa: E402
from session import Session  # noqa: E402


def runs_on(script, kind):
    """Whether the file's directives allow this kind of server; else the reason."""
    required = script.directives.get("requires", [])
    if "persistent" in required and kind == "memory":
        return "needs a store that outlives the process"
    if "etcd" in required and not kind.startswith("etcd"):
        return "only for etcd"
    return None


def run_script(script, server, record):
    """Runs every block; returns the failures as text."""
    session = Session(server)
    failures = []
    try:
        for block in script.blocks:
            try:
                printed = session.run(block.command)
            except text.BadScript as error:
                failures.append(f"{script.path}:{block.line_number}: {error}")
                break
            expected = scripts.expected_on(block, server.kind)
            if record:
                block.expected[""] = printed
            elif printed != expected:
                diff = difflib.unified_diff(expected, printed, "expected", "printed", lineterm="", n=100)
                failures.append("\n".join([f"{script.path}:{block.line_number}: {block.command[0]}"] +
                                          ["    " + line for line in list(diff)[3:]]))
    finally:
        session.close()
    return failures


def run_file(path, arguments):
    """One file on a fresh server: 'ok', 'skipped: why', or the failures."""
    script = scripts.parse(path)
    reason = runs_on(script, arguments.server)
    if reason:
        return f"skipped: {reason}"
    etcd = arguments.server.startswith("etcd")
    flags = script.directives.get("etcd-flags", []) if etcd else []
    settings = script.directives.get("lattice-env", []) if not etcd else []
    server = servers.make(arguments.server, arguments.lattice, durable=False,
                          extra=[flag for line in flags for flag in line.split()],
                          env=dict(setting.split("=", 1) for setting in settings))
    try:
        server.start()
        if arguments.server == "etcd":
            # It serves a moment before its storage is of its own version.
            server.process.wait_for_log(lambda line: "updated storage version" in line, 10)
        failures = run_script(script, server, arguments.record)
        if not server.process.alive():
            failures.append(f"the server ended with status {server.process.exit_status()}")
        if failures and arguments.verbose:
            failures.append(server.process.log_tail())
    except Exception:  # a scenario that breaks the runner is a failed scenario, not the end of the run
        failures = [traceback.format_exc()]
    finally:
        server.remove()
    if arguments.record:
        scripts.write(script)
    return failures or "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", choices=servers.KINDS, required=True)
    parser.add_argument("--lattice", help="the binary under test")
    parser.add_argument("--record", action="store_true", help="write what the server answers into the files")
    parser.add_argument("--verbose", action="store_true", help="show the end of the server's log on failure")
    parser.add_argument("files", nargs="*", help="default: every file of tests/scenarios/cases")
    arguments = parser.parse_args()
    if arguments.server == "etcd":
        tools.skip_without_go("scenarios on the current etcd")
    files = arguments.files or sorted(glob.glob(os.path.join(HERE, "cases", "*.txt"))
                                     + glob.glob(os.path.join(HERE, "..", "issues", "*.txt")))
    failed = 0
    for path in files:
        began = time.monotonic()
        outcome = run_file(path, arguments)
        verdict = outcome if isinstance(outcome, str) else "FAILED"
        print(f"{os.path.basename(path):40} {time.monotonic() - began:6.1f} s  {verdict}", flush=True)
        if not isinstance(outcome, str):
            failed += 1
            print("\n".join(outcome), flush=True)
    print(f"{len(files)} scenarios on {arguments.server}, {failed} failed")
    sys.exit(1 if failed or not files else 0)


if __name__ == "__main__":
    main()
