"""Transactions in scenario files: one line per compare and operation, nested ones indented by two.

    txn
      if key=a target=VERSION result=EQUAL version=0
      then put key=a value=1
      then txn
        then range key=a
      else empty
"""

from harness import text

_ARMS = {"range": "request_range", "put": "request_put", "delete": "request_delete_range", "txn": "request_txn"}


def fill(message, lines):
    """Adds the compares and operations of the lines to a TxnRequest."""
    depth = _indent(lines[0]) if lines else 0
    at = 0
    while at < len(lines):
        if _indent(lines[at]) != depth:
            raise text.BadScript(f"indentation of {lines[at]!r}")
        word, _, rest = lines[at].strip().partition(" ")
        end = at + 1
        while end < len(lines) and _indent(lines[end]) > depth:
            end += 1
        if word == "if":
            text.fill(message.compare.add(), text.tokenize(rest))
        elif word in ("then", "else"):
            operation = (message.success if word == "then" else message.failure).add()
            _fill_operation(operation, rest, lines[at + 1:end])
        else:
            raise text.BadScript(f"a line of a txn starts with if, then or else, not {word!r}")
        at = end
    return message


def _fill_operation(operation, rest, below):
    word, _, arguments = rest.partition(" ")
    if word == "empty":
        return
    if word not in _ARMS:
        raise text.BadScript(f"unknown operation {word!r}")
    arm = getattr(operation, _ARMS[word])
    arm.SetInParent()
    text.fill(arm, text.tokenize(arguments))
    if word == "txn":
        fill(arm, below)


def _indent(line):
    return len(line) - len(line.lstrip())
