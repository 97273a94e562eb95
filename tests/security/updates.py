#!/usr/bin/python3
"""Says which packages that the binary loads have a security update waiting on this machine.

    tests/security/updates.py --lattice PATH [--strict]

A report by default: what is installed here is not the source's fault. --strict makes it a failure, for builds that are shipped.
It believes the package lists that are there; without any it says so.
"""

import argparse
import re
import subprocess
import sys

import packages


def waiting():
    """Packages that apt would replace from a security archive: name -> line; None without package lists."""
    known = subprocess.run(["apt-cache", "policy", "libc6"], capture_output=True, text=True, check=False).stdout
    if "://" not in known:
        return None
    listed = subprocess.run(["apt", "list", "--upgradable"], capture_output=True, text=True, check=False).stdout
    return {match[1]: match[0] for match in re.finditer(r"^([^/\s]+)/\S*-security\S* .*$", listed, re.MULTILINE)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lattice", required=True)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    updates = waiting()
    if updates is None:
        print("No package lists here: whether there are security updates is not known (apt-get update).")
        return 1 if arguments.strict else 0
    named, others = packages.linked(arguments.lattice)
    found = sorted((named | others) & set(updates))
    for name in found:
        print(updates[name])
    print(f"{len(found)} of {len(named | others)} packages that the binary loads have a security update waiting.")
    return 1 if found and arguments.strict else 0


if __name__ == "__main__":
    sys.exit(main())
