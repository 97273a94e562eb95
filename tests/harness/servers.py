"""Servers under test behind one face: Lattice on each store, and real etcds.

    server = servers.make("sqlite", lattice="build/release/lattice")
    server.start(); server.target   # "127.0.0.1:PORT"
    server.kill(); server.start()   # same address, same data
    server.remove()
"""

import os
import re
import shutil
import subprocess

from . import paths, postgres, processes, tools

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

    def launch(self):
        """Starts the process and does not wait for it."""
        raise NotImplementedError

    def wait_until_ready(self, timeout_s=60):
        """Waits until it serves; answers itself."""
        raise NotImplementedError

    def start(self, timeout_s=60):
        self.launch()
        return self.wait_until_ready(timeout_s)

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

    @property
    def binary(self):
        return self._binary

    def where(self):
        """Its store, as the command line's tools take it."""
        return ["--db-connection", self.url] if self.url else ["--data-dir", os.path.join(self.folder, "data")]

    def launch(self):
        command = [self._binary, "start", "--grpc-bind", f"127.0.0.1:{self.port}", "--metrics-bind",
                   f"127.0.0.1:{self.metrics_port}", "--data-dir", os.path.join(self.folder, "data")]
        if self.url:
            command += ["--db-connection", self.url]
        env = dict(os.environ)
        env.update(self._env or {})
        self.process = processes.Process("lattice", command + self._extra, self.log_path, env=env)

    def wait_until_ready(self, timeout_s=60):
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
    """A real etcd, alone unless join() says otherwise; `durable` False trades its fsyncs for speed where nothing is
    killed."""

    def __init__(self, binary, kind, durable=True, extra=(), name="m1", scheme="http"):
        self.kind = kind
        self._scheme = scheme
        super().__init__()
        self._binary = binary
        self._durable = durable
        self._extra = list(extra)
        self._name = name
        self._peer_port = processes.free_port()
        self._members = [self]

    def join(self, members):
        """The members of one cluster, itself included. Before the first start."""
        self._members = members

    @property
    def _peer_url(self):
        return f"http://127.0.0.1:{self._peer_port}"

    def remove(self):
        # Nothing to learn from how long a real etcd takes to end.
        if self.process is not None and self.process.alive():
            self.kill()
        processes.remove_folder(self.folder)

    def launch(self):
        self.port = self.port or processes.free_port()
        client, peer = f"{self._scheme}://127.0.0.1:{self.port}", self._peer_url
        members = ",".join(f"{member._name}={member._peer_url}" for member in self._members)
        command = [self._binary, "--name", self._name, "--data-dir", os.path.join(self.folder, "data"),
                   "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                   "--initial-advertise-peer-urls", peer, "--initial-cluster", members,
                   "--log-level", "info", "--logger", "zap"] + self._extra
        if not self._durable and self.kind == "etcd":
            command.append("--unsafe-no-fsync")
        self.process = processes.Process("etcd", command, self.log_path)

    def wait_until_ready(self, timeout_s=60):
        self.process.wait_for_log(lambda line: "serving client traffic" in line, timeout_s)
        return self


class Cluster:
    """Servers that serve one keyspace together; `redis` goes when they go."""

    def __init__(self, servers, redis=None):
        self.servers = servers
        self._redis = redis

    def start(self, timeout_s=60):
        if self._redis is not None and self._redis.process is None:
            self._redis.start()
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_ready(timeout_s)
        return self

    def alive(self):
        return all(server.process is not None and server.process.alive() for server in self.servers)

    def stop(self):
        for server in self.servers:
            server.stop()

    def remove(self):
        for server in self.servers:
            server.remove()
        if self._redis is not None:
            self._redis.remove()


class Redis(Server):
    """A redis-server that keeps nothing on disk."""

    kind = "redis"
    persistent = False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def launch(self):
        self.port = self.port or processes.free_port()
        self.process = processes.Process(
            "redis", [paths.find_program("redis-server"), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                      "--appendonly", "no", "--dir", self.folder], self.log_path)

    def wait_until_ready(self, timeout_s=60):
        self.process.wait_for_log(lambda line: "Ready to accept connections" in line, timeout_s)
        return self


def etcd_cluster(binary, kind, size=3, extra=(), scheme="http"):
    """A real etcd of several members, not started."""
    members = [Etcd(binary, kind, extra=extra, name=f"m{number}", scheme=scheme) for number in range(1, size + 1)]
    for member in members:
        member.join(members)
    return Cluster(members)


def lattice_cluster(binary, url, size=3, fanout=False, env=None):
    """Nodes on one PostgreSQL database, not started; `fanout` gives them a Redis."""
    redis = Redis().start() if fanout else None
    shared = {"LATTICE_CLUSTER_BIND": "127.0.0.1:0"}
    if redis:
        shared["LATTICE_FANOUT_URL"] = redis.url
    shared.update(env or {})
    nodes = [Lattice(binary, "postgres", url, env={**shared, "LATTICE_CLUSTER_NAME": f"n{number}"})
             for number in range(1, size + 1)]
    return Cluster(nodes, redis)


def lattice_can(binary, key):
    """Whether the binary knows the configuration key, "section.key", and has what it needs."""
    text = subprocess.run([binary, "config", "reference", "--format", "toml"], capture_output=True, text=True,
                          check=True).stdout
    section, comment = "", ""
    for line in text.splitlines():
        if line.startswith("["):
            section, comment = line.strip("[]"), ""
        elif line.startswith("# "):
            comment += line
        elif not line:
            comment = ""
        elif f"{section}.{line.lstrip('#').partition(' = ')[0]}" == key:
            return "Not in this build" not in comment
    return False


def can_fan_out(binary):
    """Whether nodes of this binary can have a Redis between them here."""
    return shutil.which("redis-server") is not None and lattice_can(binary, "fanout.url")


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
