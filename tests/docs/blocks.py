"""The code blocks of a page, each with what its markers say about it; docs/README.md defines the markers.

Thread: any; pure functions.
"""

import dataclasses
import os
import re

_MARKER = re.compile(r"<!-- ([a-z]+)(?:: (.*?))? -->$")
_NOT_RUN = re.compile(r"\(not run by the tests: [^()]+\)")
_FENCE = re.compile(r"( *)```+ *([\w+-]*)$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

# What is checked without being run, and what is prose in a box.
FILES = ("toml", "yaml", "json", "ini", "python", "go", "js", "sql")
TEXT = "text"
SHELL = "sh"
LANGUAGES = (SHELL, TEXT) + FILES
_MARKERS = ("run", "output", "before", "stop") + LANGUAGES


class BadPage(Exception):
    """A page that does not keep to the convention: "page:line: why"."""


@dataclasses.dataclass
class Block:
    """One box of a page. `run`: the words behind `<!-- run: -->`, None when it is not to be run."""

    page: str
    line: int
    language: str
    text: str
    run: list | None = None
    output: bool = False  # what the block before prints
    not_run: str = ""  # the reason that the page gives
    before: list = dataclasses.field(default_factory=list)  # commands that only the test sees
    stop: bool = False  # the server is stopped first

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    @property
    def settled(self):
        """Whether the page says what becomes of the block."""
        if self.run is not None or self.output:
            return True
        return self.language == TEXT or self.language in FILES or (self.language == SHELL and bool(self.not_run))


def _dedent(lines, width):
    return "\n".join(line[width:] if line[:width].isspace() else line for line in lines).rstrip() + "\n"


def parse(page, text):
    """The page's blocks in order. Errors: BadPage."""
    lines = text.splitlines()
    found, pending, paragraph, at = [], [], "", 0
    while at < len(lines):
        line = lines[at]
        marker, fence = _MARKER.match(line.strip()), _FENCE.match(line)
        if marker:
            if marker[1] not in _MARKERS:
                raise BadPage(f"{page}:{at + 1}: there is no marker {marker[1]!r}")
            pending.append((marker[1], marker[2] or ""))
            at += 1
            continue
        begin = at
        if fence:
            at += 1
            while at < len(lines) and lines[at].strip() != "```":
                at += 1
            if at == len(lines):
                raise BadPage(f"{page}:{begin + 1}: the block has no end")
            body, width, language, at = lines[begin + 1:at], len(fence[1]), fence[2] or TEXT, at + 1
        elif line.startswith("    ") and line.strip() and (begin == 0 or not lines[begin - 1].strip()):
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            body, width, language = lines[begin:at], 4, ""
        else:
            paragraph = paragraph + line + "\n" if line.strip() else paragraph + "\n"
            at += 1
            continue
        found.append(_block(page, begin + 1, language, _dedent(body, width), pending, paragraph))
        pending, paragraph = [], ""
    if pending:
        raise BadPage(f"{page}: a marker at the end belongs to no block")
    return found


def _block(page, line, language, text, markers, paragraph):
    block = Block(page, line, language, text)
    for name, value in markers:
        if name == "run":
            block.run = value.split()
            block.language = block.language or SHELL
        elif name == "output":
            block.output, block.language = True, TEXT
        elif name == "before":
            block.before.append(value)
        elif name == "stop":
            block.stop = True
        else:
            block.language = name
    # The reason stands in the words right in front of the block.
    last_words = [part for part in paragraph.split("\n\n") if part.strip()]
    reason = _NOT_RUN.search(last_words[-1].replace("\n", " ")) if last_words else None
    block.not_run = reason[0] if reason else ""
    if block.run is not None and block.not_run:
        raise BadPage(f"{block.place}: is it run, or is it not?")
    if block.language not in LANGUAGES + ("",):
        raise BadPage(f"{block.place}: language {block.language!r}; one of {', '.join(LANGUAGES)}")
    return block


def _anchors(text):
    """The names under which GitHub's links reach the page's headings."""
    found, fenced = set(), False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower().replace("`", ""))
            found.add(words.replace(" ", "-"))
    return found


def broken_links(root, page, text):
    """Relative links that lead nowhere: (line, target, path of the page that is missing or "")."""
    for number, line in enumerate(text.splitlines(), 1):
        for target in _LINK.findall(line):
            if "://" in target or target.startswith("mailto:"):
                continue
            path, _, anchor = target.partition("#")
            full = os.path.normpath(os.path.join(root, os.path.dirname(page), path)) if path else os.path.join(root, page)
            if not os.path.exists(full):
                yield number, target, os.path.relpath(full, root)
            elif anchor and full.endswith(".md"):
                with open(full, encoding="utf-8") as file:
                    if anchor not in _anchors(file.read()):
                        yield number, target, ""
