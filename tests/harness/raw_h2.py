"""HTTP/2 by hand, for requests that no decent client sends: frames through python3-h2, or raw bytes."""

import dataclasses
import socket
import struct
import time
import urllib.parse

import h2.config
import h2.connection
import h2.events

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_EMPTY_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@dataclasses.dataclass
class Answer:
    """What came back on one stream: headers and trailers together, and how it ended."""

    http: str = ""
    code: int = -1
    message: str = ""
    data: bytes = b""
    reset: int = -1
    goaway: int = -1
    closed: bool = False


def message_frame(payload, compressed=0, length=None):
    """One gRPC message: flag, length, bytes."""
    return struct.pack(">BI", compressed, len(payload) if length is None else length) + payload


def call(target, path, body, headers=(), drop=(), end_stream=True, timeout_s=5, method="POST"):
    """Sends one request; waits for the stream's end, a GOAWAY or the connection's end."""
    host, port = target.split(":")
    connection = h2.connection.H2Connection(h2.config.H2Configuration(
        client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False,
        validate_inbound_headers=False))
    fields = {":method": method, ":scheme": "http", ":path": path, ":authority": target,
              "content-type": "application/grpc", "te": "trailers"}
    fields.update(headers)
    for name in drop:
        fields.pop(name)
    answer = Answer()
    with socket.create_connection((host, int(port)), timeout=timeout_s) as link:
        connection.initiate_connection()
        connection.send_headers(1, [(name.encode(), value if isinstance(value, bytes) else value.encode())
                                    for name, value in fields.items()], end_stream=end_stream and not body)
        link.sendall(connection.data_to_send())
        pending = body
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            while pending:
                size = min(connection.local_flow_control_window(1), connection.max_outbound_frame_size, len(pending))
                if size <= 0:
                    break
                chunk, pending = pending[:size], pending[size:]
                connection.send_data(1, chunk, end_stream=end_stream and not pending)
            try:
                link.sendall(connection.data_to_send())
                link.settimeout(max(0.01, deadline - time.monotonic()))
                received = link.recv(65536)
            except (ConnectionError, socket.timeout):
                break
            if not received:
                answer.closed = True
                break
            if _take(connection, connection.receive_data(received), answer):
                break
    return answer


def _take(connection, events, answer):
    """Notes the events; returns whether the stream is over."""
    over = False
    for event in events:
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            _note_headers(dict(event.headers), answer)
        elif isinstance(event, h2.events.DataReceived):
            answer.data += event.data
            connection.acknowledge_received_data(event.flow_controlled_length, 1)
        elif isinstance(event, h2.events.StreamReset):
            answer.reset, over = event.error_code, True
        elif isinstance(event, h2.events.ConnectionTerminated):
            answer.goaway, over = event.error_code, True
        elif isinstance(event, h2.events.StreamEnded):
            over = True
    return over


def _note_headers(headers, answer):
    answer.http = headers.get(b":status", answer.http.encode()).decode()
    answer.code = int(headers.get(b"grpc-status", answer.code))
    answer.message = urllib.parse.unquote(headers.get(b"grpc-message", answer.message.encode()).decode())


def raw(target, data, timeout_s=5):
    """Sends bytes as they are; returns everything that came back, and whether the server closed the connection."""
    host, port = target.split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=timeout_s) as link:
        try:
            link.sendall(data)
            while True:
                part = link.recv(65536)
                if not part:
                    return received, True
                received += part
        except socket.timeout:
            return received, False
        except ConnectionError:
            return received, True


def frame(kind, flags, stream, payload=b"", length=None):
    """One HTTP/2 frame, the length field as wanted."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def opening():
    """What a correct client sends first."""
    return PREFACE + _EMPTY_SETTINGS


def frames(data):
    """Splits received bytes into (kind, flags, stream, payload)."""
    found, at = [], 0
    while at + 9 <= len(data):
        size = int.from_bytes(data[at:at + 3], "big")
        found.append((data[at + 3], data[at + 4], int.from_bytes(data[at + 5:at + 9], "big"), data[at + 9:at + 9 + size]))
        at += 9 + size
    return found
