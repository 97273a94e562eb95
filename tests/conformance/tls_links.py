#!/usr/bin/python3
"""TLS to PostgreSQL, to Redis and between nodes: right names are taken, wrong ones refused, and the log says why.

    tests/conformance/tls_links.py --lattice PATH
"""

import os
import pwd
import shutil
import subprocess
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, client, paths, postgres, processes, protos, servers  # noqa: E402

rpc = protos.rpc


def make_pki(hosts):
    folder = os.path.join(processes.scratch_folder("pki"), "pki")
    subprocess.run([cases.ServerTest.lattice, "certs", "init", "--dir", folder, "--host", hosts], check=True, capture_output=True)
    return folder


class SecurePostgres(postgres.Postgres):
    """A PostgreSQL that speaks TLS, with a certificate for `localhost` only."""

    def __init__(self, pki):
        super().__init__({"ssl": "on"})
        account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        for name in ("crt", "key"):
            copy = os.path.join(self.folder, "server." + name)
            shutil.copy(os.path.join(pki, "server." + name), copy)
            os.chmod(copy, 0o600)
            if account:
                os.chown(copy, account.pw_uid, account.pw_gid)
            self._settings[f"ssl_{'cert' if name == 'crt' else 'key'}_file"] = copy


class SecureRedis(servers.Redis):
    """A Redis that speaks nothing but TLS and asks for certificates."""

    def __init__(self, pki):
        super().__init__()
        self._pki = pki

    @property
    def url(self):
        return f"rediss://localhost:{self.port}"

    def launch(self):
        self.port = self.port or processes.free_port()
        self.process = processes.Process(
            "redis", [paths.find_program("redis-server"), "--bind", "127.0.0.1", "--port", "0", "--tls-port",
                      str(self.port), "--tls-cert-file", os.path.join(self._pki, "server.crt"), "--tls-key-file",
                      os.path.join(self._pki, "server.key"), "--tls-ca-cert-file", os.path.join(self._pki, "ca.crt"),
                      "--save", "", "--appendonly", "no", "--dir", self.folder], self.log_path)


class Links(cases.ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.pki = make_pki("localhost")
        cls.postgres = SecurePostgres(cls.pki).start()
        cls.redis = SecureRedis(cls.pki).start()

    @classmethod
    def tearDownClass(cls):
        cls.redis.remove()
        cls.postgres.remove()

    def node(self, host="localhost", query="", env=None, database=None):
        """A server on the database, reached as `host` with TLS."""
        database = database or self.postgres.new_database()
        url = (f"postgresql://lattice@{host}:{self.postgres.port}/{database}?sslmode=verify-full"
               f"&sslrootcert={self.pki}/ca.crt{query}")
        server = servers.Lattice(self.lattice, "postgres", url, env=env)
        self.addCleanup(server.remove)
        return server

    def put(self, server, key, value):
        connection = client.Client(server.target)
        self.addCleanup(connection.close)
        connection.call("KV.Put", rpc.PutRequest(key=key, value=value))
        return connection

    def wait_for_log(self, server, *parts):
        server.process.wait_for_log(lambda line: all(part in line for part in parts), timeout_s=20)

    def test_postgres_by_its_right_name(self):
        server = self.node().start()
        self.put(server, b"k", b"v")
        rows = self.postgres.query("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                                   "WHERE application_name LIKE 'lattice%'")
        self.assertEqual(rows, [["t"]])

    def test_postgres_by_another_name(self):
        server = self.node("127.0.0.1")
        server.launch()
        self.wait_for_log(server, "waiting for the database", "localhost", "127.0.0.1", "does not match")

    def test_postgres_of_another_authority(self):
        server = self.node(query=f"&sslrootcert={make_pki('localhost')}/ca.crt")
        server.launch()
        self.wait_for_log(server, "waiting for the database", "certificate verify failed")

    def fanout(self, url, **more):
        return {"LATTICE_FANOUT_URL": url, "LATTICE_FANOUT_CA_PATH": f"{self.pki}/ca.crt",
                "LATTICE_FANOUT_CERT_PATH": f"{self.pki}/client.crt",
                "LATTICE_FANOUT_KEY_PATH": f"{self.pki}/client.key", **more}

    def test_redis_by_its_right_name(self):
        server = self.node(env=self.fanout(self.redis.url)).start()
        self.put(server, b"k", b"v")
        command = ["redis-cli", "-h", "localhost", "-p", str(self.redis.port), "--tls", "--cacert",
                   f"{self.pki}/ca.crt", "--cert", f"{self.pki}/client.crt", "--key", f"{self.pki}/client.key"]
        channels = subprocess.run([*command, "pubsub", "channels"], capture_output=True, text=True, check=True).stdout
        self.assertIn("lattice:{", channels)
        self.assertNotIn("Redis carries no events", server.process.log())

    def test_redis_that_cannot_be_believed(self):
        for url, ca, parts in [
                (f"rediss://127.0.0.1:{self.redis.port}", "ca.crt", ("asked for 127.0.0.1", "is for localhost")),
                (self.redis.url, "client.crt", ("certificate is refused", "localhost"))]:
            server = self.node(env=self.fanout(url, LATTICE_FANOUT_CA_PATH=f"{self.pki}/{ca}")).start()
            self.wait_for_log(server, "Redis carries no events", *parts)
            self.put(server, b"k", b"v")
            server.remove()

    def cluster(self, pki, name, database):
        return self.node(database=database, env={
            "LATTICE_CLUSTER_NAME": name, "LATTICE_CLUSTER_BIND": "127.0.0.1:0",
            "LATTICE_CLUSTER_ADVERTISE": "localhost:0", "LATTICE_CLUSTER_TLS_CHAIN_PATH": f"{pki}/node.crt",
            "LATTICE_CLUSTER_TLS_KEY_PATH": f"{pki}/node.key", "LATTICE_CLUSTER_CA_PATH": f"{pki}/ca.crt"})

    def test_nodes_that_trust_each_other(self):
        database = self.postgres.new_database()
        leader, follower = (self.cluster(self.pki, name, database).start() for name in ("n1", "n2"))
        self.put(follower, b"k", b"v")
        found = self.put(leader, b"l", b"w").call("KV.Range", rpc.RangeRequest(key=b"k"))
        self.assertEqual(found.kvs[0].value, b"v")

    def test_a_node_of_another_authority(self):
        database = self.postgres.new_database()
        leader = self.cluster(self.pki, "n1", database).start()
        stranger = self.cluster(make_pki("localhost"), "n2", database).start()
        connection = client.Client(stranger.target)
        self.addCleanup(connection.close)
        with self.assertRaises(grpc.RpcError):
            connection.call("KV.Put", rpc.PutRequest(key=b"k", value=b"v"), timeout_s=3)
        self.wait_for_log(stranger, "trouble with another node", "certificate is refused", "is for localhost")
        self.wait_for_log(leader, "trouble with another node", "refuses our certificate")


if __name__ == "__main__":
    cases.main(__doc__)
