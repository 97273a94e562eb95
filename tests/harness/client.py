"""A gRPC client that knows every method by name, and streams that can be read with a time limit."""

import queue
import threading

import grpc

from .protos import METHODS

# The "minimum backoff" is also how long an attempt to connect may take.
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.initial_reconnect_backoff_ms", 50),
]


class Client:
    """One connection. Errors are grpc.RpcError, as grpcio raises them."""

    def __init__(self, target, options=(), credentials=None):
        options = _OPTIONS + list(options)
        self._channel = (grpc.secure_channel(target, credentials, options) if credentials
                         else grpc.insecure_channel(target, options))
        self._callables = {}

    def close(self):
        self._channel.close()

    def _callable(self, name):
        if name not in self._callables:
            method = METHODS[name]
            kind = (f"{'stream' if method.client_streams else 'unary'}_"
                    f"{'stream' if method.server_streams else 'unary'}")
            self._callables[name] = getattr(self._channel, kind)(
                method.path, request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString)
        return self._callables[name]

    def call(self, name, request, timeout_s=15, metadata=None, compression=None):
        """A unary call: the response, or grpc.RpcError."""
        return self._callable(name)(request, timeout=timeout_s, metadata=metadata, compression=compression)

    def start(self, name, request, timeout_s=60, metadata=None):
        """A unary call in the background: a grpc future."""
        return self._callable(name).future(request, timeout=timeout_s, metadata=metadata)

    def open(self, name, request=None, metadata=None, timeout_s=None):
        """A stream: of responses when `request` is given, of both otherwise."""
        return Stream(self._callable(name), request, metadata, timeout_s)


class Stream:
    """A stream whose responses are collected by a thread, so that reading can time out."""

    _END = object()

    def __init__(self, call, request, metadata, timeout_s):
        self._requests = None
        if request is None:
            self._requests = queue.Queue()
            request = iter(self._requests.get, Stream._END)
        self._call = call(request, metadata=metadata, timeout=timeout_s)
        self._responses = queue.Queue()
        self.status = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            for response in self._call:
                self._responses.put(response)
        except grpc.RpcError:
            pass
        self.status = (self._call.code(), self._call.details())
        self._responses.put(Stream._END)

    def send(self, request):
        self._requests.put(request)

    def half_close(self):
        self._requests.put(Stream._END)

    def receive(self, timeout_s=5):
        """The next response; None when none came in time or the stream has ended (see `status`)."""
        try:
            response = self._responses.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if response is Stream._END:
            self._responses.put(Stream._END)
            return None
        return response

    def ended(self, timeout_s=5):
        """Waits for the end: (code, details), or None when the stream is still open."""
        self._reader.join(timeout_s)
        return self.status

    def cancel(self):
        self._call.cancel()
        if self._requests is not None:
            self._requests.put(Stream._END)
        self._reader.join(5)
