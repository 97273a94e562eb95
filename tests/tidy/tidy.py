#!/usr/bin/env python3
"""Checks the rules of the tree that no compiler checks: tests/tidy/tidy.py [root]

Arrows between folders, clocks and locks in their places, naked new and delete, libraries' headers outside their
folder, lengths of files, functions and lines, headers that nobody includes. What is beyond a limit stands in exceptions.txt
with its size; an entry that is larger than the truth is a mistake too, so the list only shrinks.
"""

import ast
import os
import re
import sys

import cpp
import rules

_NAKED = re.compile(r"(?<!operator )\bnew\b\s*(?:\(|[A-Za-z_:])|\bdelete\b(?:\[\])?\s+[A-Za-z_*(]|\bdelete\s+this\b")
_WRAPPED_NEW = re.compile(r"(?:unique_ptr|shared_ptr)<[\w:<>, ]*>\(\s*new\b")
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_SKIPPED_FOLDERS = {"build", "node_modules", "__pycache__", ".git", "lattice.data"}


class Tree:
    """The files below a root, and what is wrong with them."""

    def __init__(self, root):
        self.root = root
        self.problems = []
        self._sizes = {}  # (kind, path) -> what was measured beyond the limit
        self.files = sorted(self._walk())

    def _walk(self):
        for top in ("src", "tests", "bench"):
            for folder, folders, names in os.walk(os.path.join(self.root, top)):
                folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
                for name in names:
                    if name.endswith((".cc", ".h", ".py")):
                        yield os.path.relpath(os.path.join(folder, name), self.root)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def problem(self, path, line, text):
        self.problems.append(f"{path}:{line}: {text}")

    def beyond(self, kind, path, size):
        """Notes a size above its limit; exceptions.txt decides whether that is a problem."""
        self._sizes[kind, path] = max(size, self._sizes.get((kind, path), 0))

    def settle_exceptions(self):
        """Compares what is beyond the limits with the list of exceptions."""
        allowed = {}
        listed = os.path.join(self.root, "tests/tidy/exceptions.txt")
        if os.path.exists(listed):
            for line in self.read("tests/tidy/exceptions.txt").splitlines():
                if line and not line.startswith("#"):
                    kind, path, size = line.split()
                    allowed[kind, path] = int(size)
        for key in sorted(set(self._sizes) | set(allowed)):
            kind, path = key
            size, limit = self._sizes.get(key, 0), allowed.get(key, 0)
            if size > limit:
                self.problem(path, 1, f"{kind}: {size}, allowed {limit or _limit(kind)}")
            elif size < limit:
                self.problem(path, 1, f"{kind}: {size or 'within the limit'}; lower its entry in exceptions.txt ({limit})")


def _limit(kind):
    return {"file-lines": rules.FILE_LINES_MAX, "function-lines": rules.FUNCTION_LINES_MAX, "naked-new": 0}[kind]


def module_of(path):
    """The folder of src/ that a path belongs to, `backends/sqlite` for two levels; None outside src/."""
    if not path.startswith("src/"):
        return None
    parts = path.split("/")[1:-1]
    return "/".join(parts[:2] if parts[:1] == ["backends"] else parts[:1])


def check_includes(tree, path, text):
    """Arrows, libraries, and the includes that give an impure folder away."""
    module = module_of(path)
    if module is None:
        return
    if module not in rules.ARROWS:
        tree.problem(path, 1, f"folder src/{module} has no entry in tests/tidy/rules.py")
        return
    for line, name, quoted in cpp.includes(text):
        target = module_of("src/" + name) if quoted else None
        if name.startswith("proto/"):
            target = "proto"
        if target in rules.ARROWS or target == "proto":
            if target != module and target not in rules.ARROWS[module]:
                if not (path == "src/cli/main.cc" and target == "server"):
                    tree.problem(path, line, f"src/{module} may not include {name}")
            elif (module, target) == ("etcd", "proxy") and name not in rules.ETCD_MAY_SEE_OF_PROXY:
                tree.problem(path, line, f"src/etcd sees only the stream interface of src/proxy, not {name}")
            continue
        if quoted and not name.startswith("absl/"):
            tree.problem(path, line, f"{name}: not below src/, or its folder is not known")
        for prefix, folders in rules.LIBRARIES:
            if name.startswith(prefix):
                if module not in folders:
                    tree.problem(path, line, f"{name} belongs to {', '.join('src/' + f for f in folders) or 'tests'}")
                break
        if module in rules.PURE and any(name == h or (h.endswith("/") and name.startswith(h))
                                        for h in rules.PURE_HEADERS):
            tree.problem(path, line, f"src/{module} is pure and may not include {name}")


def check_places(tree, path, code):
    """Clocks, locks, sleeps and exceptions where they do not belong."""
    module = module_of(path)
    if module is None:
        return
    for pattern, what, folders in rules.PLACES:
        if module in folders or path in folders:
            continue
        for match in re.finditer(pattern, code):
            tree.problem(path, code.count("\n", 0, match.start()) + 1, f"{what}: not in src/{module}")


def check_ownership(tree, path, code):
    """new and delete that no smart pointer takes over in the same expression."""
    if module_of(path) is None:
        return
    wrapped = {match.end() for match in _WRAPPED_NEW.finditer(code)}
    naked = 0
    for match in _NAKED.finditer(code):
        new_end = match.start() + len("new")
        deleted_function = re.search(r"=\s*$", code[max(0, match.start() - 40):match.start()]) and "delete" in match[0]
        if new_end not in wrapped and not deleted_function:
            naked += 1
    if naked:
        tree.beyond("naked-new", path, naked)


def check_lengths(tree, path, text, code):
    """Files, functions and lines."""
    lines = text.splitlines()
    if len(lines) > rules.FILE_LINES_MAX:
        tree.beyond("file-lines", path, len(lines))
    for first, last in cpp.functions(code):
        if last - first + 1 > rules.FUNCTION_LINES_MAX:
            tree.beyond("function-lines", path, last - first + 1)
    for number, line in enumerate(lines, 1):
        if len(line) > rules.COLUMNS_MAX and "http" not in line and 'R"(' not in line:
            tree.problem(path, number, f"{len(line)} columns")


def check_text(tree, path, text):
    """What no file of ours has."""
    for number, line in enumerate(text.splitlines(), 1):
        if path != "tests/tidy/tidy.py" and _UNFINISHED.search(line):
            tree.problem(path, number, "unfinished work is for the issue tracker")
        if "\t" in line or line != line.rstrip():
            tree.problem(path, number, "a tab, or a blank at the end of the line")
    if not text.endswith("\n") and text:
        tree.problem(path, len(text.splitlines()), "no line break at the end")


def check_header(tree, path, text, included):
    """A header says what it is, has its guard, and is of use to somebody."""
    if not text.startswith("//"):
        tree.problem(path, 1, "a header opens with a comment that says what it is")
    if "\n#pragma once\n" not in text:
        tree.problem(path, 1, "no #pragma once")
    if path.startswith("src/") and path[len("src/"):] not in included:
        tree.problem(path, 1, "nothing includes this header")


def check_python(tree, path, text):
    """Lengths of Python files and functions."""
    lines = len(text.splitlines())
    if lines > rules.FILE_LINES_MAX:
        tree.beyond("file-lines", path, lines)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > rules.FUNCTION_LINES_MAX:
                tree.beyond("function-lines", path, length)


def check(root):
    """All problems of the tree at `root`, as lines of text."""
    tree = Tree(root)
    texts = {path: tree.read(path) for path in tree.files}
    included = {name for path, text in texts.items() if not path.endswith(".py")
                for _, name, _ in cpp.includes(text)}
    for path, text in texts.items():
        check_text(tree, path, text)
        if path.endswith(".py"):
            check_python(tree, path, text)
            continue
        code = cpp.without_comments(text)
        check_includes(tree, path, text)
        check_places(tree, path, code)
        check_ownership(tree, path, code)
        check_lengths(tree, path, text, code)
        if path.endswith(".h"):
            check_header(tree, path, text, included)
    tree.settle_exceptions()
    return tree.problems


def main():
    default_root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    problems = check(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else default_root))
    for text in problems:
        print(text)
    print(f"{len(problems)} problems" if problems else "The tree is tidy.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
