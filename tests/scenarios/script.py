"""The scenario file format.

    # A comment. Directives are comments of the form `#! requires persistent`.
    put key=a value=1
    ----
    revision=2

A block is a command line (with indented lines that belong to it), `----`, and the expected output up to a blank line.
`---- lattice` after the first expectation holds what Lattice answers where it differs on purpose; the comment above
such a block says why.
"""

import dataclasses


@dataclasses.dataclass
class Block:
    """One command and what is expected of it; `comments` precede it in the file."""

    line_number: int
    comments: list
    command: list
    expected: dict


@dataclasses.dataclass
class Script:
    path: str
    blocks: list
    directives: dict
    trailer: list


class ParseError(Exception):
    """The file does not follow the format; the message names the line."""


def parse(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    blocks, directives, comments, at = [], {}, [], 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.startswith("#"):
            if line.startswith("#!"):
                name, _, value = line[2:].strip().partition(" ")
                directives.setdefault(name, []).append(value)
            comments.append(line)
            at += 1
            continue
        block = Block(at + 1, comments, [], {})
        comments = []
        while at < len(lines) and not lines[at].startswith("----"):
            if not lines[at].strip():
                raise ParseError(f"{path}:{at + 1}: a command without ----")
            block.command.append(lines[at])
            at += 1
        while at < len(lines) and lines[at].startswith("----"):
            label = lines[at][4:].strip()
            at += 1
            expected = []
            while at < len(lines) and lines[at].strip() and not lines[at].startswith("----"):
                expected.append(lines[at])
                at += 1
            block.expected[label] = expected
        blocks.append(block)
    while comments and not comments[-1].strip():
        comments.pop()
    return Script(path, blocks, directives, comments)


def expected_on(block, server_kind):
    """What the block should print on that kind of server."""
    if not server_kind.startswith("etcd") and "lattice" in block.expected:
        return block.expected["lattice"]
    return block.expected.get("", [])


def write(script):
    """Writes the script back, as --record does."""
    lines = []
    for block in script.blocks:
        lines += block.comments + block.command
        for label, expected in block.expected.items():
            lines += [f"---- {label}".rstrip()] + expected
    lines += script.trailer
    with open(script.path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip("\n") + "\n")
