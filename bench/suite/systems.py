"""The systems that are measured, each with its processes and its place: etcd, kine, Lattice."""

import os
import socket
import subprocess
import time

from harness import paths, postgres, processes, servers, tools

from . import clusters, neighbour

NAMES = ("etcd", "etcd34", "kine", "lattice-sqlite", "lattice-postgres", "etcd-3", "lattice-3", "lattice-3-notify",
         "etcd-tls", "lattice-sqlite-tls")
# With TLS on the client port: one kind of certificate, and the ciphers that the load generator asks for.
WITH_TLS = ("etcd-tls", "lattice-sqlite-tls")
WITH_TENANTS = ("lattice-sqlite", "lattice-postgres")
# Three nodes each; lattice-3 with a Redis between them, lattice-3-notify with what PostgreSQL has.
CLUSTERS = ("etcd-3", "lattice-3", "lattice-3-notify")

# Large enough for every revision of a run: nothing is compacted while it is measured.
_QUOTA_BYTES = 16 << 30
_ETCD_QUOTA = ["--quota-backend-bytes", str(_QUOTA_BYTES)]
_KINE_CONNECTIONS_MAX = 100
# etcd makes its segments of 64 MiB beforehand; PostgreSQL has them once it has run for a while.
_WAL_SEGMENTS = 64


class System:
    """One server under load. `database_pid` is the postmaster's where there is one."""

    def __init__(self, name, server, database=None, ca=None):
        self.name = name
        self.ca = ca  # of its certificate: it speaks TLS
        self._server = server
        self._database = database

    @property
    def server(self):
        return self._server

    @property
    def port(self):
        return self._server.port

    @property
    def ports(self):
        return [self._server.port]

    @property
    def pid(self):
        return self._server.process.pid

    @property
    def pids(self):
        return [self.pid]

    @property
    def database_pid(self):
        return self._database.pid if self._database else 0

    def alive(self):
        return self._server.process is not None and self._server.process.alive()

    def start(self):
        self._server.start(timeout_s=300)

    def stop(self):
        self._server.stop()

    def remove(self):
        self._server.remove()

    def log_tail(self):
        return self._server.process.log_tail(5) if self._server.process else ""


class Kine(servers.Server):
    """kine in front of one PostgreSQL database."""

    kind = "kine"

    def __init__(self, binary, url):
        super().__init__()
        self._command = [binary, "--endpoint", url, "--metrics-bind-address", "0", "--datastore-max-idle-connections",
                         str(_KINE_CONNECTIONS_MAX), "--datastore-max-open-connections", str(_KINE_CONNECTIONS_MAX)]

    def launch(self):
        self.port = self.port or processes.free_port()
        command = self._command + ["--listen-address", f"127.0.0.1:{self.port}"]
        # Its unix socket and default files go to the working folder.
        shell = ["sh", "-c", 'cd "$0" && exec "$@"', self.folder]
        self.process = processes.Process("kine", shell + command, self.log_path)

    def wait_until_ready(self, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not accepts(self.port):
            if not self.process.alive() or time.monotonic() > deadline:
                raise processes.ProcessFailed(f"kine is not ready:\n{self.process.log_tail()}")
            time.sleep(0.05)
        return self


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def build_kine():
    """The kine that bench/tools/go.mod pins, built once into the tools' cache."""
    target = os.path.join(paths.TOOLS_CACHE, "kine")
    if not os.path.exists(target):
        os.makedirs(paths.TOOLS_CACHE, exist_ok=True)
        subprocess.run(["go", "build", "-trimpath", "-buildvcs=false", "-o", target + ".new",
                        "github.com/k3s-io/kine"], cwd=os.path.join(paths.SOURCE, "bench", "tools"), check=True)
        os.rename(target + ".new", target)
    return target


class Factory:
    """Makes systems; the PostgreSQL behind some of them is one server, with a database for each."""

    def __init__(self, lattice):
        self._lattice = lattice
        os.environ.setdefault("LATTICE_TENANTS_DEFAULT_QUOTA_BYTES", str(_QUOTA_BYTES))
        self._postgres = None

    @property
    def lattice(self):
        """The binary."""
        return self._lattice

    @property
    def postgres(self):
        if self._postgres is None:
            self._postgres = postgres.Postgres({"max_connections": _KINE_CONNECTIONS_MAX + 50,
                                                "min_wal_size": f"{_WAL_SEGMENTS * 16}MB"}).start()
            self._postgres.fill_wal(_WAL_SEGMENTS)
        return self._postgres

    def new_database_url(self):
        return self.postgres.url(self.postgres.new_database())

    def _certificate(self):
        """An authority's certificate, and a server's with its key: P-256."""
        folder = os.path.join(processes.scratch_folder("pki"), "pki")
        subprocess.run([self._lattice, "certs", "init", "--dir", folder], check=True, capture_output=True)
        return [os.path.join(folder, name) for name in ("ca.crt", "server.crt", "server.key")]

    def _make_with_tls(self, name):
        ca, certificate, key = self._certificate()
        if name == "etcd-tls":
            return System(name, servers.Etcd(tools.build_go("etcd"), "etcd", scheme="https",
                                             extra=_ETCD_QUOTA + ["--cert-file", certificate, "--key-file", key]), ca=ca)
        return System(name, servers.Lattice(self._lattice, "sqlite",
                                            extra=["--tls-chain", certificate, "--tls-key", key]), ca=ca)

    def make(self, name):
        if name in WITH_TLS:
            return self._make_with_tls(name)
        if name == "etcd":
            return System(name, servers.Etcd(tools.build_go("etcd"), "etcd", extra=_ETCD_QUOTA))
        if name == "etcd34":
            return System(name, servers.Etcd(servers.debian_etcd(), "etcd34", extra=_ETCD_QUOTA))
        if name == "kine":
            return System(name, Kine(build_kine(), self.new_database_url()), self.postgres)
        if name == "lattice-sqlite":
            return System(name, servers.Lattice(self._lattice, "sqlite", env=neighbour.ENVIRONMENT))
        if name == "lattice-postgres":
            server = servers.Lattice(self._lattice, "postgres", self.new_database_url(), env=neighbour.ENVIRONMENT)
            return System(name, server, self.postgres)
        if name in CLUSTERS:
            return self._make_cluster(name)
        raise SystemExit(f"unknown system {name!r}; one of {', '.join(NAMES)}")

    def _make_cluster(self, name):
        if name == "etcd-3":
            binary = tools.build_go("etcd") if tools.have_go() or tools.is_built("etcd") else servers.debian_etcd()
            return clusters.ClusterSystem(name, servers.etcd_cluster(binary, "etcd", clusters.NODES, _ETCD_QUOTA))
        cluster = servers.lattice_cluster(self._lattice, self.new_database_url(), clusters.NODES,
                                          fanout=name == "lattice-3")
        return clusters.ClusterSystem(name, cluster, self.postgres)
