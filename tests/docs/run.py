#!/usr/bin/python3
"""Runs the commands of README.md and docs/, checks the files that they show, and follows their links.

    tests/docs/run.py --lattice build/release/lattice [page...]
    tests/docs/run.py --list        what becomes of each block, without running anything

docs/README.md says how a page marks its blocks. A shell block that is neither run nor said to be not run is a failure.
"""

import argparse
import ast
import configparser
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

import yaml

import blocks
import world

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PASSED_OVER = ("docs/decisions/", "docs/reports/")


def pages():
    """README.md and the pages of docs/ but for what is history."""
    found = ["README.md"] + sorted(os.path.relpath(path, ROOT)
                                   for path in glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True))
    return [page for page in found if not page.startswith(_PASSED_OVER)]


def read(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


# ---- Files that are shown ----

def _check_toml(place, text):
    path = place.write("shown.toml", text)
    done = subprocess.run([place.lattice, "config", "validate", "--config", path], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"]}, check=False)
    if done.returncode != 0:
        raise world.Failed(done.stderr)


def _check_yaml(_place, text):
    if not any(isinstance(document, (dict, list)) for document in yaml.safe_load_all(text)):
        raise world.Failed("no YAML document in it")


def _check_json(_place, text):
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        _value, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()


def _check_ini(_place, text):
    parser = configparser.ConfigParser(strict=False, allow_no_value=True, interpolation=None)
    # A file such as postgresql.conf has no sections.
    parser.read_string(text if text.lstrip().startswith("[") else "[file]\n" + text)


def _check_with(*command):
    """By a program, where it is installed: Go is not among Debian's packages that the tests install."""
    def check(place, text):
        if shutil.which(command[0]) is None:
            print(f"not checked: {command[0]} is not installed")
            return
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=place.folder, check=False)
        if done.returncode != 0:
            raise world.Failed(done.stdout + done.stderr)
    return check


# SQL is either run or has nothing that could be checked but its being said.
_CHECKS = {
    "toml": _check_toml, "yaml": _check_yaml, "json": _check_json, "ini": _check_ini,
    "python": lambda _place, text: ast.parse(text),
    "go": _check_with("gofmt", "-e"), "js": _check_with("node", "--check", "--input-type=module", "-"),
}


# ---- Output that is shown ----

def matches(shown, printed):
    """Whether this was printed: `...` stands for anything within a line, or, alone, for any lines."""
    pattern = ""
    for line in shown.strip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r"[^\n]*".join(re.escape(part.rstrip()) for part in line.split("...")) + r"[ \t]*\n"
    return re.fullmatch(pattern, printed.strip() + "\n") is not None


class Page:
    """One page's run."""

    def __init__(self, name, lattice):
        self._name = name
        self._lattice = lattice
        self._world = None
        self.counts = {"run": 0, "compared": 0, "checked": 0, "not run": 0, "text": 0, "unmarked": 0}

    def run(self):
        """All blocks in order. Errors: world.Failed with the place."""
        try:
            for block in blocks.parse(self._name, read(self._name)):
                try:
                    self._take(block)
                except (world.Failed, world.processes.ProcessFailed, subprocess.TimeoutExpired, ValueError, SyntaxError,
                        yaml.YAMLError, configparser.Error) as error:
                    raise world.Failed(f"{block.place}: {error}\n-- the block:\n{block.text}") from error
        finally:
            if self._world is not None:
                self._world.remove()

    def _here(self, fresh=False):
        if fresh and self._world is not None:
            self._world.remove()
            self._world = None
        if self._world is None:
            self._world = world.World(self._lattice)
        return self._world

    def _take(self, block):
        if block.output:
            if not matches(block.text, self._here().output):
                raise world.Failed(f"this was printed instead:\n{self._here().output}")
            self.counts["compared"] += 1
            return
        if block.run is not None:
            here = self._here("fresh" in block.run)
            if block.stop:
                here.stop()
            if "server" in block.run or "postgres" in block.run:
                here.serve_any(block.run)
            for command in block.before:
                here.run(command)
            if block.language == blocks.SHELL:
                here.run(block.text)
            else:
                here.run_program(block.language, block.text)
            self.counts["run"] += 1
            return
        if block.language in _CHECKS:
            _CHECKS[block.language](self._here(), block.text)
            self.counts["checked"] += 1
        else:
            self.counts["text" if block.language == blocks.TEXT else "not run" if block.not_run else "unmarked"] += 1


# ---- The convention ----

def _exceptions():
    found = {}
    with open(os.path.join(ROOT, "tests/docs/exceptions.txt"), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line and not line.startswith("#"):
                kind, name, size = line.split()
                found[kind, name] = int(size)
    return found


def convention_problems(names):
    """Blocks without a marker and links that lead nowhere, but for those in exceptions.txt; that list only shrinks."""
    sizes, where = {}, {}
    problems = []
    for name in names:
        text = read(name)
        for block in blocks.parse(name, text):
            if not block.settled:
                sizes["unmarked", name] = sizes.get(("unmarked", name), 0) + 1
                where.setdefault(("unmarked", name), []).append(block.line)
        for line, target, missing in blocks.broken_links(ROOT, name, text):
            if missing:
                sizes["missing", missing] = 1
                where.setdefault(("missing", missing), []).append(f"{name}:{line}")
            else:
                problems.append(f"{name}:{line}: no heading for {target}")
    allowed = {key: size for key, size in _exceptions().items() if key[0] == "missing" or key[1] in names}
    whole = len(names) == len(pages())
    for key in sorted(set(sizes) | (set(allowed) if whole else set())):
        size, limit = sizes.get(key, 0), allowed.get(key, 0)
        if size > limit:
            problems.append(f"{key[1]}: {size} {key[0]} (allowed {limit}): {where[key]}; see docs/README.md")
        elif size < limit:
            problems.append(f"{key[1]}: lower its entry `{key[0]}` in tests/docs/exceptions.txt: it is {size} now")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lattice", help="the binary that the pages' commands run")
    parser.add_argument("--list", action="store_true", help="what becomes of each block")
    parser.add_argument("pages", nargs="*", help="only these")
    arguments = parser.parse_args()
    names = arguments.pages or pages()
    if arguments.list:
        for name in names:
            for block in blocks.parse(name, read(name)):
                fate = ("run" if block.run is not None else "output" if block.output else block.not_run or
                        (block.language if block.settled else "UNMARKED"))
                print(f"{block.place}: {fate}")
        return 0
    if not arguments.lattice:
        parser.error("--lattice PATH is needed")
    problems = convention_problems(names)
    total = {}
    for name in names:
        page, started = Page(name, os.path.abspath(arguments.lattice)), time.monotonic()
        try:
            page.run()
        except (world.Failed, blocks.BadPage) as error:
            problems.append(str(error))
        if any(page.counts.values()):
            print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in page.counts.items() if count) +
                  f" ({time.monotonic() - started:.1f} s)", flush=True)
        for what, count in page.counts.items():
            total[what] = total.get(what, 0) + count
    for problem in problems:
        print(f"\n{problem}")
    print(f"{len(problems)} problems; " + ", ".join(f"{count} {what}" for what, count in total.items()))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
