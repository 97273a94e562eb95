"""Servers under test behind one face: Lattice on each store, and real etcds.

    server = servers.make("sqlite", lattice="build/release/lattice")
    server.start(); server.target   # "127.0.0.1:PORT"
    server.kill(); server.start()   # same address, same data
    server.remove()
"""

import os
import re

from . import postgres, processes, tools

KINDS = ("memory", "sqlite", "postgres", "etcd", "etcd34")

# What --db-connection takes for the store that lives in the process's memory.
_MEMORY_URL = "memory://"


class Server:
    """Common part: a folder, an address that stays over restarts."""

    kind = ""
    persistent = True

    def __init__(self):
        self.folder = processes.scratch_folder(self.kind)
        self.port = 0
        self.metrics_port = 0
        self.process = None

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    @property
    def is_etcd(self):
        return self.kind.startswith("etcd")

    @property
    def log_path(self):
        return os.path.join(self.folder, "server.log")

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()

    def restart(self):
        self.stop()
        self.start()

    def remove(self):
        if self.process is not None and self.process.alive():
            self.stop()
        processes.remove_folder(self.folder)


class Lattice(Server):
    """The binary under test; `url` None is the embedded store in the data folder."""

    def __init__(self, binary, kind, url=None, extra=(), env=None):
        self.kind = kind
        self.persistent = kind != "memory"
        super().__init__()
        self._binary = binary
        self.url = _MEMORY_URL if kind == "memory" else url
        self._extra = list(extra)
        self._env = env

    def start(self, timeout_s=60):
        command = [self._binary, "start", "--grpc-bind", f"127.0.0.1:{self.port}", "--metrics-bind",
                   f"127.0.0.1:{self.metrics_port}", "--data-dir", os.path.join(self.folder, "data")]
        if self.url:
            command += ["--db-connection", self.url]
        env = dict(os.environ)
        env.update(self._env or {})
        self.process = processes.Process("lattice", command + self._extra, self.log_path, env=env)
        _line, (self.port, self.metrics_port) = self.process.wait_for_log(parse_listening, timeout_s)
        return self


def parse_listening(line):
    """The ports of the start-up line, key=value or JSON: (grpc, metrics), or None for any other line."""
    if "listening" not in line:
        return None
    found = []
    for field in ("grpc", "metrics"):
        match = re.search(rf'\b{field}"?\s*[=:]\s*"?[^\s",]*?:(\d+)', line)
        found.append(int(match[1]) if match else 0)
    return tuple(found) if found[0] else None


class Etcd(Server):
    """A real etcd with one member; `durable` False trades its fsyncs for speed where nothing is killed."""

    def __init__(self, binary, kind, durable=True, extra=()):
        self.kind = kind
        super().__init__()
        self._binary = binary
        self._durable = durable
        self._extra = list(extra)
        self._peer_port = processes.free_port()

    def remove(self):
        # Nothing to learn from how long a real etcd takes to end.
        if self.process is not None and self.process.alive():
            self.kill()
        processes.remove_folder(self.folder)

    def start(self, timeout_s=60):
        self.port = self.port or processes.free_port()
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self._peer_port}"
        command = [self._binary, "--name", "m1", "--data-dir", os.path.join(self.folder, "data"),
                   "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                   "--initial-advertise-peer-urls", peer, "--initial-cluster", f"m1={peer}",
                   "--log-level", "info", "--logger", "zap"] + self._extra
        if not self._durable and self.kind == "etcd":
            command.append("--unsafe-no-fsync")
        self.process = processes.Process("etcd", command, self.log_path)
        self.process.wait_for_log(lambda line: "serving client traffic" in line, timeout_s)
        return self


def debian_etcd():
    for path in ("/usr/bin/etcd", "/usr/sbin/etcd"):
        if os.path.exists(path):
            return path
    raise FileNotFoundError("Debian's etcd-server is not installed (see scripts/packages.txt)")


_shared_postgres = None


def shared_postgres():
    """One PostgreSQL for all servers that a test program starts; each gets its own database."""
    global _shared_postgres
    if _shared_postgres is None:
        _shared_postgres = postgres.Postgres().start()
    return _shared_postgres


def make(kind, lattice=None, durable=True, extra=(), env=None):
    """A server of that kind, not started. `lattice` is the binary, for the kinds that need it; `env` is for it only."""
    if kind == "etcd":
        return Etcd(tools.build_go("etcd"), kind, durable, extra)
    if kind == "etcd34":
        return Etcd(debian_etcd(), kind, durable, extra)
    if kind not in KINDS:
        raise ValueError(f"unknown kind of server {kind!r}; one of {', '.join(KINDS)}")
    if not lattice:
        raise ValueError(f"--lattice PATH is needed for {kind}")
    url = None
    if kind == "postgres":
        server = shared_postgres()
        url = server.url(server.new_database())
    return Lattice(lattice, kind, url, extra, env)
