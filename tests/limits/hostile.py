"""What hostile peers share: connections of theirs, frames in quantities, and what became of them."""

import functools
import select
import socket
import time

import hpack

from harness import raw_h2

DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW, CONTINUATION, PRIORITY_UPDATE = 0, 1, 2, 3, 4, 6, 8, 9, 16
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL = (8).to_bytes(4, "big")
PUT, RANGE, TXN, WATCH = ("/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range", "/etcdserverpb.KV/Txn",
                          "/etcdserverpb.Watch/Watch")
# With our windows known to the peer: it may send a megabyte on a stream.
OPENING = raw_h2.opening() + raw_h2.frame(SETTINGS, ACK, 0)
_SLICE = 1 << 16


class Peer:
    """One hostile side: where it goes, until when, how much of everything, and what came of it."""

    def __init__(self, target, until, scale=1.0, tls=None, patient=True):
        self.target = target
        self.patient = patient  # goes on after it was sent away
        self.tls = tls  # an ssl.SSLContext: it speaks TLS
        self.until = until
        self.scale = scale
        self.connections = 0
        self.sent_away = 0
        self.notes = {}

    def over(self):
        # On a busy machine the time may be over before it has begun.
        until = self.until if self.connections else self.until + 30
        return time.monotonic() >= until or (self.sent_away > 0 and not self.patient)

    def count(self, full):
        """So many of something, less where the scale is."""
        return max(1, int(full * self.scale))

    def note(self, name, by=1):
        self.notes[name] = self.notes.get(name, 0) + by

    def plain(self, timeout_s=2, receive_buffer=None):
        """A TCP connection, or OSError."""
        host, port = self.target.rsplit(":", 1)
        link = socket.socket()
        try:
            if receive_buffer:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            link.settimeout(timeout_s)
            link.connect((host, int(port)))
        except OSError:
            link.close()
            raise
        self.connections += 1
        return link

    def connect(self, **options):
        link = self.plain(**options)
        return self.tls.wrap_socket(link, server_hostname="localhost") if self.tls else link

    def hold(self, links):
        """Keeps them until it is over, and counts which of them the server ends before."""
        waiting = select.poll()
        open_links = {}
        for link in links:
            waiting.register(link, select.POLLIN)
            open_links[link.fileno()] = link
        while open_links and not self.over():
            for number, _ in waiting.poll(50):
                if not _ended(open_links[number]):
                    continue
                waiting.unregister(number)
                open_links.pop(number).close()
                self.sent_away += 1
        for link in open_links.values():
            link.close()


def _ended(link):
    try:
        return not link.recv(_SLICE)
    except socket.timeout:
        return False
    except OSError:
        return True


def drain(link):
    """Reads what is there; ConnectionError at the end of the connection."""
    link.setblocking(False)
    try:
        while True:
            if not link.recv(_SLICE):
                raise ConnectionError("sent away")
    except (BlockingIOError, OSError) as error:
        if not isinstance(error, BlockingIOError) and "WANT_READ" not in type(error).__name__ + str(error):
            raise
    finally:
        link.settimeout(2)


def replay(peer, script, read=True, endless=b"", **options):
    """Sends the script, then `endless` again and again, on one connection after the other."""
    while not peer.over():
        try:
            link = peer.connect(**options)
        except OSError:
            time.sleep(0.01)
            continue
        with link:
            try:
                _send(peer, link, memoryview(script), read)
                while endless and not peer.over():
                    _send(peer, link, memoryview(endless), read)
                _await_end(peer, link)
            except OSError:
                peer.sent_away += 1


def _await_end(peer, link, patience_s=1):
    """What became of the connection; a peer that only came and went would leave the kernel full of unread scripts."""
    deadline = time.monotonic() + patience_s
    link.settimeout(0.1)
    while time.monotonic() < deadline and not peer.over():
        if _ended(link):
            raise ConnectionError("sent away")


def _send(peer, link, view, read):
    while len(view) and not peer.over():
        view = view[link.send(view[:_SLICE]):]
        if read:
            drain(link)


class Requests:
    """Frames of one connection's requests, with the compression of honest clients: some bytes each."""

    def __init__(self, path=PUT, more=(), authority="h"):
        self._encoder = hpack.Encoder()
        self._fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority),
                        ("content-type", "application/grpc"), ("te", "trailers"), *more]
        self._block = b""

    def headers(self, stream, flags=END_HEADERS, more=()):
        if more or len(self._block) != len(self._fields):
            self._block = self._encoder.encode(self._fields + list(more))
        # Once each field is one byte, the block stays the same.
        return raw_h2.frame(HEADERS, flags, stream, self._block)

    def call(self, stream, message, compressed=0):
        """A whole unary request."""
        framed = raw_h2.message_frame(message, compressed)
        parts = [framed[at:at + 16384] for at in range(0, len(framed), 16384)]
        return self.headers(stream) + b"".join(
            raw_h2.frame(DATA, END_STREAM if at == len(parts) - 1 else 0, stream, part) for at, part in enumerate(parts))


def script(make, count, opening=OPENING):
    """What one connection sends: the opening, then make(stream) for so many streams."""
    out = [opening]
    out += [make(stream) for stream in range(1, 2 * count, 2)]
    return b"".join(out)


@functools.lru_cache(None)
def literal_block(path=PUT):
    """A request's header block that stands for itself."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "h"),
              ("content-type", "application/grpc"), ("te", "trailers")]
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])


def literal_headers(stream, flags=END_HEADERS, path=PUT):
    return raw_h2.frame(HEADERS, flags, stream, literal_block(path))
