#!/usr/bin/python3
"""What scan.py makes of its scanners' answers: tests/security/scan_test.py. The scanners are stand-ins that answer what they are told."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import scan

_CVE = "CVE-2026-0001 libpq5 (fixed, remotely exploitable, high urgency)"
_OTHER = "CVE-2026-0002 emacs (fixed)"


class Scan(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.told = {}
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{self.folder}:/usr/bin:/bin"
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        self.answer("debsecan", "")
        self.answer("npm", json.dumps({"vulnerabilities": {}}))
        self.answer("govulncheck", "No vulnerabilities found.")
        self.answer("apt-cache", "500 http://deb.example/debian-security bookworm-security/main")
        self.answer("apt", "Listing...\n")

    def answer(self, program, text, status=0, problem=""):
        path = os.path.join(self.folder, program)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n[ -z '{problem}' ] || echo '{problem}' >&2\nexit {status}\n")
        os.chmod(path, 0o755)

    def scan(self, strict=False):
        """(reasons to fail, what was printed)"""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            failures = scan.scan({"libpq5"}, strict)
        return failures, printed.getvalue()

    def test_nothing_is_found(self):
        failures, printed = self.scan(strict=True)
        self.assertEqual((failures, printed.count(": 0 found")), (0, 4), printed)

    def test_what_is_installed_is_told_and_fails_when_strict(self):
        self.answer("debsecan", f"{_CVE}\n{_OTHER}")
        self.answer("apt", "libpq5/stable-security 15.21 amd64 [upgradable from: 15.20]\nvim/stable-security 9 amd64 [upgradable]")
        failures, printed = self.scan()
        self.assertEqual(failures, 0)
        self.assertIn(_CVE, printed)
        self.assertIn("libpq5/stable-security", printed)
        self.assertNotIn("emacs", printed)
        self.assertNotIn("vim", printed)
        self.assertEqual(self.scan(strict=True)[0], 2)

    def test_what_the_tree_pins_fails(self):
        self.answer("npm", json.dumps({"vulnerabilities": {"leftpad": {"severity": "high"}}}), status=1)
        self.answer("govulncheck", "Vulnerability #1: GO-2026-1234", status=3)
        failures, printed = self.scan()
        self.assertEqual(failures, 2, printed)
        self.assertIn("leftpad: high", printed)
        self.assertIn("GO-2026-1234", printed)

    def test_what_cannot_be_asked_is_told(self):
        self.answer("debsecan", "", problem="error: Name or service not known")
        self.answer("npm", json.dumps({"message": "405 Method Not Allowed"}), status=1)
        self.answer("govulncheck", "", status=1, problem="fetching vulnerabilities: no such host")
        self.answer("apt-cache", "")
        failures, printed = self.scan()
        self.assertEqual((failures, printed.count("SKIPPED")), (0, 4), printed)
        self.assertIn("405 Method Not Allowed", printed)
        self.assertEqual(self.scan(strict=True)[0], 4)

    def test_a_scanner_that_is_not_there(self):
        os.unlink(os.path.join(self.folder, "govulncheck"))
        self.assertIn("go: SKIPPED: govulncheck is not installed", self.scan()[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
