"""A page of Prometheus text, taken apart: families by name, each with its type, help and the labels that its series have; and a
little use of a server, so that most series are there."""

import re
import urllib.request

import grpc
from harness import protos

rpc = protos.rpc

_SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
# Names that appear in queries beside metrics and their labels.
_NOT_METRICS = {"by", "on", "and", "or", "unless", "without", "ignoring", "group_left", "bool", "sum", "max", "min", "rate",
                "increase", "delta", "topk", "histogram_quantile", "time"}


class Family:
    def __init__(self, name):
        self.name = name
        self.kind = ""
        self.help = ""
        self.labels = set()
        self.series = 0


def fetch(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def parse(text):
    """{name: Family}."""
    families = {}
    for line in text.splitlines():
        words = line.split(" ", 3)
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            family = families.setdefault(words[2], Family(words[2]))
            if words[1] == "HELP":
                family.help = words[3] if len(words) > 3 else ""
            else:
                family.kind = words[3]
            continue
        match = _SAMPLE.match(line)
        if not match:
            continue
        family = families[family_of(match[1], families)]
        family.labels |= {name for name, _value in _LABEL.findall(match[2] or "")} - {"le", "quantile"}
        family.series += 1
    return families


def family_of(name, families):
    """The family that a sample's or a query's name belongs to; itself when it is one."""
    for suffix in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(suffix)
        if base != name and base in families and name not in families:
            return base
    return name


def names_in(query):
    """The metrics that a PromQL query names, each with the labels that it expects: {name: labels}."""
    found = {}
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    bare = re.sub(r"\bby \([^)]*\)", " ", query)
    for match in re.finditer(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?", re.sub(r'\[[^]]*\]', " ", re.sub(
            r'"(?:[^"\\]|\\.)*"', '""', bare))):
        name = match[1]
        if name in _NOT_METRICS or "_" not in name and name != "up":
            continue
        labels = set(re.findall(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)", match[2] or ""))
        found.setdefault(name, set()).update(labels | grouped)
    return found


def use(connection):
    """A little of everything."""
    for number in range(20):
        connection.call("KV.Put", rpc.PutRequest(key=b"k%d" % number, value=b"v"))
    connection.call("KV.Range", rpc.RangeRequest(key=b"k", range_end=b"l"))
    connection.call("KV.Compact", rpc.CompactionRequest(revision=5))
    connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=60))
    try:
        connection.call("KV.Range", rpc.RangeRequest(key=b"k", revision=2))
    except grpc.RpcError:
        pass  # compacted: an error to count
