"""Just enough C++ reading for the rules: text without comments and literals, and where functions begin and end."""

import re

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)

_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


def _blank(match):
    """The same number of lines and characters, so that positions stay true."""
    text = match.group(0)
    if text.startswith(("//", "/*")):
        return re.sub(r"[^\n]", " ", text)
    return '"' + re.sub(r"[^\n]", " ", text[1:-1]) + '"'


def without_comments(text):
    """`text` with comments and the contents of literals replaced by blanks."""
    return _TOKEN.sub(_blank, text)


def includes(text):
    """(line number, name, whether in quotes) of each include."""
    found = re.finditer(r'^#include (?:<([^>]+)>|"([^"]+)")', text, re.MULTILINE)
    return [(text.count("\n", 0, m.start()) + 1, m[1] or m[2], m[2] is not None) for m in found]


def _opens_function(head):
    """Whether a brace behind `head` (the text since the last statement) opens a function's body."""
    if "(" not in head or re.search(r"=\s*$|\b(namespace|enum)\b", head):
        return False
    before_parameters = head.split("(", 1)[0]
    return not _SCOPE.search(before_parameters) or bool(re.search(r"\)\s*(const|noexcept|override|final|->.*)*\s*$",
                                                                  head))


def _kind(head):
    """What a brace behind `head` opens, outside functions: a `function`, a `scope`, or a value's `initialiser`."""
    member_initialisers = re.search(r"\)\s*:[^:]", head) and re.search(r"[\w>]\s*$", head)
    if _opens_function(head) and not member_initialisers:
        return "function"
    return "scope" if _SCOPE.search(head) and not member_initialisers else "initialiser"


def functions(text):
    """(first line, last line) of each function outside other functions, from a text without comments."""
    text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.MULTILINE)
    found, stack, head_start, body_start = [], [], 0, 0
    for match in re.finditer(r"[{};]", text):
        inner = bool(stack) and stack[-1] in ("function", "initialiser")
        if match[0] == "{":
            head = text[head_start:match.start()]
            stack.append("initialiser" if inner else _kind(head))
            if stack[-1] == "function":
                body_start = head_start + len(head) - len(head.lstrip())
        elif match[0] == "}" and stack:
            if stack.pop() == "function":
                found.append((text.count("\n", 0, body_start) + 1, text.count("\n", 0, match.start()) + 1))
            elif inner:
                continue
        if not (stack and stack[-1] in ("function", "initialiser")):
            head_start = match.end()
    return found
