#!/usr/bin/python3
"""Looks for secrets that were left in the tree: tests/security/left_secrets.py [root]; --selftest looks at samples of its own."""

import os
import re
import sys

_SKIPPED = {"build", "node_modules", "__pycache__", ".git", "lattice.data"}
_LARGEST_BYTES = 4 << 20

_KINDS = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64}")),
    ("a cloud access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a token of a code host", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40,}|\bglpat-[A-Za-z0-9_-]{20}")),
    ("a token of a chat", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a signed web token", re.compile(r"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")),
    ("an API token of Lattice", re.compile(r"\blat_[A-Za-z0-9_-]{40,}")),
    ("a password in a URL", re.compile(r"\b[a-z][a-z+]+://[^\s/:@\"'\[\]{}<>$]+:([^\s/@\"'\[\]{}<>$]{6,})@")),
)
# Words that stand for a secret, in tests of how one is hidden and in the documentation.
_STAND_INS = re.compile(r"(?:hunter2|c%40d%2Fe|topsecret|secret|hidden|password|PASSWORD|SECRET|\*{8})[%\w]*$")
_SAMPLES = (
    "-----BEGIN EC PRIVATE KEY-----\n" + "A1b2" * 20, "key = AKIA" + "Q3EG6TYZ" * 2, "ghp_" + "a1B2" * 9, "xoxb-" + "1234567890",
    ".".join(["eyJ" + "hbGciOiJSUzI1NiJ9", "eyJ" + "hbGciOiJSUzI1NiJ9", "c2lnbmF0dXJlLi4u"]), "lat_" + "q7W2" * 11,
    "postgresql://lattice:" + "Tr0ub4dor@db/lattice")


def find(text):
    """(line, kind) of each secret in a text."""
    for kind, pattern in _KINDS:
        for match in pattern.finditer(text):
            found = match[match.lastindex] if match.lastindex else match[0]
            one_letter = len(set(found.removeprefix("lat_"))) <= 2
            if not _STAND_INS.match(found) and not one_letter:
                yield text.count("\n", 0, match.start()) + 1, kind


def files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.path.getsize(path) <= _LARGEST_BYTES:
                yield path


def selftest():
    missed = [sample for sample in _SAMPLES if not list(find(sample))]
    wrong = [text for text in ("postgresql://u:hunter2@h/d", "redis://user:password@host", "lat_" + "A" * 43) if list(find(text))]
    for text in missed + wrong:
        print(f"judged wrongly: {text}")
    return len(missed + wrong)


def main():
    if "--selftest" in sys.argv:
        return 1 if selftest() else 0
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    problems = 0
    for path in files(os.path.abspath(root)):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line, kind in find(file.read()):
                print(f"{os.path.relpath(path, root)}:{line}: {kind}")
                problems += 1
    print(f"{problems} secrets" if problems else "No secret was found.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
