"""A TCP proxy in this process that can cut its connections, at once or in the middle of a reply, or stall them."""

import socket
import threading


class CuttingProxy:
    """Listens on a free port of 127.0.0.1 and passes everything on to the target port."""

    def __init__(self, target_port):
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open = set()
        self._bytes_left = None
        self._flowing = threading.Event()
        self._flowing.set()
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Cuts every connection now."""
        with self._lock:
            connections, self._open = self._open, set()
            self._bytes_left = None
            self.cuts += bool(connections)
        for connection in connections:
            _abort(connection)

    def cut_after(self, reply_bytes):
        """Cuts every connection once that many more bytes of replies have passed."""
        with self._lock:
            self._bytes_left = reply_bytes

    def stall(self, stalled):
        """Holds all bytes back, without closing anything, until called with False."""
        if stalled:
            self._flowing.clear()
        else:
            self._flowing.set()

    def close(self):
        self._listener.close()
        self._flowing.set()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                _abort(near)
                continue
            for connection in (near, far):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source, sink, is_reply):
        try:
            while True:
                data = source.recv(65536)
                self._flowing.wait()
                if not data:
                    break
                allowed = self._allowed(len(data)) if is_reply else len(data)
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    self.cut()
                    break
        except OSError:
            pass
        for connection in (source, sink):
            _abort(connection)
        with self._lock:
            self._open -= {source, sink}

    def _allowed(self, size):
        with self._lock:
            if self._bytes_left is None:
                return size
            allowed = min(size, self._bytes_left)
            self._bytes_left -= allowed
            return allowed


def _abort(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()
