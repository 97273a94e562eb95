#!/usr/bin/python3
"""Looks for known vulnerabilities in what the server loads and in what the tests pin, with every scanner that can answer here.

    tests/security/scan.py --lattice PATH [--strict]

What the tree pins (npm, Go) is the tree's fault: a finding there is a failure. What is installed on this machine is not: a finding
there is told, and a failure with --strict, for builds that are shipped. A scanner that is not here, or whose database cannot be
reached, is told as SKIPPED, with --strict as a failure: nobody should take silence for health.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys

import packages
import updates

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SKIPPED_FOLDERS = {"build", "node_modules", ".git"}


class Skipped(Exception):
    """This scanner has no answer here; says why."""


def output_of(command, folder=ROOT, timeout_s=120):
    """(status, standard output, the last line of what went wrong)"""
    if shutil.which(command[0]) is None:
        raise Skipped(f"{command[0]} is not installed")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise Skipped(f"{command[0]} has no answer after {timeout_s} s") from error
    return done.returncode, done.stdout, (done.stderr.strip().splitlines() or [""])[-1]


def folders_with(name):
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in _SKIPPED_FOLDERS]
        if name in names:
            yield folder


def waiting_updates(loaded):
    """Debian's security archive has a newer version of what the binary loads."""
    found = updates.waiting()
    if found is None:
        raise Skipped("there are no package lists (apt-get update)")
    return [found[name] for name in sorted(loaded & set(found))]


def debian_tracker(loaded):
    """Debian's tracker knows a vulnerability in what the binary loads, and a version without it."""
    status, text, problem = output_of(["debsecan", "--suite", "bookworm", "--only-fixed"])
    # It tells of a tracker that it cannot reach, and leaves with 0.
    if status != 0 or problem:
        raise Skipped(f"debsecan: {problem or f'status {status}'}")
    lines = [line for line in text.splitlines() if line.startswith(("CVE-", "TEMP-"))]
    return [line for line in lines if line.split()[1] in loaded]


def npm(_):
    """npm's advisories for the packages that the tests pin."""
    found = []
    for folder in folders_with("package-lock.json"):
        status, text, problem = output_of(["npm", "audit", "--package-lock-only", "--json"], folder)
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        if "vulnerabilities" not in said:
            raise Skipped(f"npm audit: {said.get('message') or problem or f'status {status}'}")
        found += [f"{os.path.relpath(folder, ROOT)}: {name}: {each['severity']}"
                  for name, each in sorted(said["vulnerabilities"].items())]
    return found


def go(_):
    """Go's database, for the modules that the tests pin, as far as their code calls what is vulnerable."""
    found = []
    for folder in folders_with("go.mod"):
        status, text, problem = output_of(["govulncheck", "./..."], folder, timeout_s=600)
        if status not in (0, 3):
            raise Skipped(f"govulncheck: {problem or f'status {status}'}")
        found += [f"{os.path.relpath(folder, ROOT)}: {name}" for name in sorted(set(re.findall(r"GO-\d{4}-\d+", text)))]
    return found


# The scanner, and whether the tree itself is to blame for what it finds.
SCANNERS = ((waiting_updates, False), (debian_tracker, False), (npm, True), (go, True))


def scan(loaded, strict):
    """Prints what each scanner says; how many reasons there are to fail."""
    failures = 0
    for scanner, pinned in SCANNERS:
        name = scanner.__name__.replace("_", " ")
        try:
            found = scanner(loaded)
        except Skipped as why:
            print(f"{name}: SKIPPED: {why}")
            failures += strict
            continue
        print(f"{name}: {len(found)} found")
        for line in found:
            print(f"    {line}")
        failures += bool(found) and (pinned or strict)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    named, others = packages.linked(arguments.lattice)
    print(f"{len(named | others)} packages are loaded by the binary.")
    return 1 if scan(named | others, arguments.strict) else 0


if __name__ == "__main__":
    sys.exit(main())
