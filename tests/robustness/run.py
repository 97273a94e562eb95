#!/usr/bin/python3
"""Builds the robustness harness and runs it: run.py --lattice PATH [--tier pr|full|soak | --scenario NAME --seed N | --calibrate].

Skipped, loudly, without Go, PostgreSQL or Redis. All further flags are those of the program; see README.md.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import paths, tools  # noqa: E402


def build():
    """The program, built by Go when a source is newer than it."""
    target = os.path.join(paths.TOOLS_CACHE, "robustness")
    os.makedirs(paths.TOOLS_CACHE, exist_ok=True)
    subprocess.run(["go", "build", "-trimpath", "-buildvcs=false", "-o", target, "."], cwd=HERE, check=True)
    return target


def commit():
    """What the source tree is at, for the report; empty outside of a repository."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--lattice", help="the binary under test")
    parser.add_argument("--unit", action="store_true", help="run the harness's own tests instead")
    arguments, further = parser.parse_known_args()
    if not tools.have_go():
        tools.skip("the robustness scenarios need Go")
    if arguments.unit:
        sys.exit(subprocess.run(["go", "test", "-count=1", "./..."], cwd=HERE, check=False).returncode)
    if not shutil.which("redis-server") or not glob.glob("/usr/lib/postgresql/*/bin/pg_basebackup"):
        tools.skip("the robustness scenarios need redis-server and PostgreSQL's server with pg_basebackup")
    command = [build(), "-commit", commit(), "-planted", os.path.join(HERE, "planted.txt")]
    if arguments.lattice:
        command += ["-lattice", os.path.abspath(arguments.lattice)]
    os.execv(command[0], command + further)


if __name__ == "__main__":
    main()
