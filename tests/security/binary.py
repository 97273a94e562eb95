#!/usr/bin/python3
"""Looks at the binary that is shipped: what makes it harder to attack, and whose libraries are in it.

    tests/security/binary.py --lattice PATH
"""

import argparse
import os
import re
import subprocess
import sys
import unittest

import packages

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LATTICE = ""


def readelf(option):
    return subprocess.run(["readelf", option, LATTICE], capture_output=True, text=True, check=True).stdout


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


class Hardening(unittest.TestCase):
    def test_its_address_is_random(self):
        self.assertRegex(readelf("-hW"), r"Type:\s+DYN")
        self.assertRegex(readelf("-dW"), r"FLAGS_1.*\bPIE\b")

    def test_the_table_of_functions_is_read_only(self):
        self.assertIn("GNU_RELRO", readelf("-lW"))
        self.assertRegex(readelf("-dW"), r"\(FLAGS\).*\bBIND_NOW\b")

    def test_no_memory_is_both_writable_and_executable(self):
        segments = re.findall(r"^\s+(\w+)\s+0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([R ][W ][E ])", readelf("-lW"), re.MULTILINE)
        self.assertIn("GNU_STACK", [name for name, _ in segments])
        for name, flags in segments:
            self.assertFalse("W" in flags and "E" in flags, f"{name} is {flags}")

    def test_libraries_come_from_the_system_only(self):
        self.assertNotRegex(readelf("-dW"), r"RPATH|RUNPATH|TEXTREL")


class Licences(unittest.TestCase):
    """docs/licences.md says of each library whose it is."""

    def section(self, title):
        """The packages that the first column of the table under that heading names."""
        text = read("docs/licences.md").split(f"## {title}\n")[1].split("\n## ")[0]
        return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))

    def test_every_library_is_listed_and_no_other(self):
        named, others = packages.linked(LATTICE)
        self.assertEqual(self.section("Linked"), named)
        self.assertEqual(self.section("Loaded with them"), others)

    def test_what_is_compiled_in_is_listed(self):
        build = read("scripts/packages.txt").split("[build]")[1].split("\n[")[0].split()
        libraries = {name for name in build if name.endswith("-dev")}
        listed = set(re.findall(r"`([a-z0-9.+-]+-dev)`", read("docs/licences.md")))
        self.assertEqual(listed, libraries)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lattice", required=True)
    arguments, rest = parser.parse_known_args()
    LATTICE = os.path.abspath(arguments.lattice)
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)
