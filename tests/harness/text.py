"""Messages as one line of text and back: `key=a range_end="\\x00" limit=3`, names as in the proto files.

Printing leaves out what differs between two correct servers: ids and terms of headers (that they are there, and stay
the same, is checked by Printer), numbers that depend on the store's file. Fields that are unset are not printed.
"""

import re

from google.protobuf.descriptor import FieldDescriptor as Field

_TOKEN = re.compile(r'\s*([^\s="*]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\*(\d+))?)?')
_INTEGERS = {Field.TYPE_INT64, Field.TYPE_UINT64, Field.TYPE_INT32, Field.TYPE_UINT32}

# Only whether these are zero can be compared between servers.
_OPAQUE = {"hash", "dbSize", "dbSizeInUse", "dbSizeQuota", "raftIndex", "raftAppliedIndex", "raftTerm"}
_VERSIONS = {"etcdserverpb.StatusResponse.version", "etcdserverpb.StatusResponse.storageVersion"}
_NAMES = {"etcdserverpb.Member.name", "etcdserverpb.Member.peerURLs"}
_LEASE_FIELDS = {"ID", "lease"}
_LONGEST_BYTES = 80


class BadScript(Exception):
    """The script itself is wrong."""


def tokenize(line):
    """Splits a line into (name, value) pairs; value is None for a bare word."""
    found, at = [], 0
    line = line.rstrip()
    while at < len(line):
        match = _TOKEN.match(line, at)
        if not match:
            raise BadScript(f"cannot read {line[at:]!r}")
        name, value, times = match[1], match[2], match[3]
        if value is not None and value.startswith('"'):
            value = value[1:-1]
        if times:
            value = value * int(times)
        found.append((name, value))
        at = match.end()
    return found


def unescape(value):
    """Text with \\x00, \\n, \\" and \\\\ as bytes."""
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|n|t|\"|\\)", lambda match: {
        b"n": b"\n", b"t": b"\t", b'"': b'"', b"\\": b"\\"}.get(match[1]) or bytes([int(match[1][1:], 16)]),
        value.encode("latin-1"))


def escape(value):
    """Bytes as a bare word where that is readable, else in quotes."""
    if len(value) > _LONGEST_BYTES:
        if value.count(value[:1]) == len(value):
            return f'"{value[:1].decode("latin-1")}"*{len(value)}'
        return f"<{len(value)} bytes>"
    text = "".join(chr(byte) if 32 <= byte < 127 and byte not in (34, 92) else f"\\x{byte:02x}" for byte in value)
    return text if re.fullmatch(r"[^\s=\"*\\]+", text) else f'"{text}"'


def _scalar(field, value):
    if field.type == Field.TYPE_BOOL:
        return value is None or value in ("true", "1")
    if value is None:
        raise BadScript(f"{field.name} needs a value")
    if field.type in _INTEGERS:
        return int(value, 0)
    if field.type == Field.TYPE_ENUM:
        by_name = field.enum_type.values_by_name
        return by_name[value].number if value in by_name else int(value)
    if field.type == Field.TYPE_BYTES:
        return unescape(value)
    return unescape(value).decode()


def fill(message, pairs):
    """Sets the fields that the pairs name; a dotted name goes into a sub-message. Returns the message."""
    for name, value in pairs:
        at = message
        *outer, last = name.split(".")
        for step in outer:
            at = getattr(at, step)
            at.SetInParent()
        field = at.DESCRIPTOR.fields_by_name.get(last)
        if field is None:
            raise BadScript(f"{at.DESCRIPTOR.name} has no field {last}")
        if field.label == Field.LABEL_REPEATED:
            getattr(at, last).append(_scalar(field, value))
        elif field.type == Field.TYPE_MESSAGE:
            getattr(at, last).SetInParent()
        else:
            setattr(at, last, _scalar(field, value))
    return message


class Printer:
    """Prints responses; remembers the header ids of one server and complains when they change or are missing."""

    def __init__(self):
        self._ids = None
        self.names = {}  # lease id -> the script's name for it
        self.texts = {}  # bytes or text that differs between servers -> the script's name for it

    def forget_ids(self):
        self._ids = None

    def lines(self, message):
        """The message as lines: scalars first, then each element of repeated messages, indented."""
        inline, below = self._parts(message)
        return [" ".join(inline) if inline else "(empty)"] + ["  " + line for line in below]

    def _parts(self, message):
        inline, below = [], []
        for field, value in sorted(message.ListFields(), key=lambda item: item[0].number):
            if field.name == "header":
                inline.append(self._header(value))
            elif field.message_type is not None and field.message_type.GetOptions().map_entry:
                for key in sorted(value):
                    below.append(f'{field.name}["{key}"]: {" ".join(self._parts(value[key])[0])}')
            elif field.label == Field.LABEL_REPEATED and field.type == Field.TYPE_MESSAGE:
                for element in value:
                    first, rest = self._parts(element)
                    below.append(f"{field.name}: {' '.join(first)}".rstrip())
                    below.extend("  " + line for line in rest)
            elif field.label == Field.LABEL_REPEATED:
                shown = [self._value(field, element) for element in value]
                inline.append(f"{field.name}=[{' '.join(sorted(shown) if field.name == 'keys' else shown)}]")
            elif field.type == Field.TYPE_MESSAGE:
                first, rest = self._parts(value)
                inline.append(f"{field.name}{{{' '.join(first)}}}")
                below.extend(rest)
            else:
                inline.append(f"{field.name}={self._value(field, value)}")
        return inline, below

    def _header(self, header):
        has_ids = bool(header.cluster_id), bool(header.member_id), bool(header.raft_term)
        if not any(has_ids):
            return f"header{{revision={header.revision}}}" if header.revision else "header{}"
        ids = (header.cluster_id, header.member_id)
        self._ids = self._ids or ids
        if not all(has_ids) or ids != self._ids:
            return f"header{{WRONG IDS {header.cluster_id:x} {header.member_id:x} {header.raft_term}}}"
        return f"revision={header.revision}"

    def _value(self, field, value):
        if field.name in _OPAQUE:
            return "nonzero"
        if field.name in ("memberID", "leader") and self._ids and value == self._ids[1]:
            return "$member"
        if field.name == "ID" and self._ids and value == self._ids[1]:
            return "$member"
        if field.name in _LEASE_FIELDS and value in self.names:
            return "$" + self.names[value]
        if field.type == Field.TYPE_BYTES:
            for known, name in self.texts.items():
                value = value.replace(known, b"$" + name.encode())
            for number, name in self.names.items():
                value = value.replace(b"%x" % (number & (1 << 64) - 1), b"$" + name.encode())
            return escape(value)
        if field.type == Field.TYPE_STRING:
            if field.full_name in _VERSIONS:
                return "3.6 or newer" if re.match(r"3\.([6-9]|\d\d)\.\d", value) else repr(value)
            if field.full_name in _NAMES:
                return "nonempty"
            for known, name in self.texts.items():
                value = value.replace(known.decode("latin-1"), "$" + name)
            # Go's protobuf text has one space or two between fields, differently in each build of etcd.
            return '"' + value.replace("\n", "\\n").replace("  ", " ") + '"'
        if field.type == Field.TYPE_BOOL:
            return "true"
        if field.type == Field.TYPE_ENUM:
            found = field.enum_type.values_by_number.get(value)
            return found.name if found else str(value)
        return str(value)


def print_error(error):
    """A grpc.RpcError as `error CODE: text`."""
    return [f"error {error.code().name}: {error.details()}"]
