#!/usr/bin/python3
"""TLS on the client port, with the clients that operators use: etcdctl, curl, openssl, grpcio.

    tests/conformance/tls.py --lattice PATH
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, processes, protos, tools  # noqa: E402

rpc = protos.rpc
_EX_CONFIG = 78

# The operator's guide, to the letter but for the folder and shorter keys.
_GUIDE = r"""
openssl genrsa -out ca.key 2048
openssl req -new -x509 -days 3650 -key ca.key -out ca.crt -subj "/CN=Lattice CA"
openssl genrsa -out server.key 2048
openssl req -new -key server.key -out server.csr -subj "/CN=lattice.example.com"
openssl x509 -req -days 365 -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt \
    -extfile <(printf "subjectAltName=DNS:lattice.example.com,DNS:localhost,IP:127.0.0.1")
openssl genrsa -out client.key 2048
openssl req -new -key client.key -out client.csr -subj "/CN=client@example.com"
openssl x509 -req -days 365 -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out client.crt
"""


def run(*command, env=None, stdin="", timeout_s=20):
    """Runs it to its end: (status, output)."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, input=stdin,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout + done.stderr


class Pki:
    """A folder with what `lattice certs init` makes."""

    def __init__(self, folder=None, *options):
        self.folder = folder or os.path.join(processes.scratch_folder("pki"), "pki")
        if not os.path.exists(os.path.join(self.folder, "ca.crt")):
            status, output = run(cases.ServerTest.lattice, "certs", "init", "--dir", self.folder, *options)
            assert status == 0, output

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def flags(self, client_ca=True):
        flags = ["--tls-chain", self.path("server.crt"), "--tls-key", self.path("server.key")]
        return flags + (["--client-ca", self.path("ca.crt")] if client_ca else [])

    def replace(self, other, *names):
        """Takes another folder's files, each by one rename."""
        for name in names:
            shutil.copy(other.path(name), self.path(name + ".new"))
            os.rename(self.path(name + ".new"), self.path(name))

    def context(self, certificate="client", protocols=("http/1.1",)):
        context = ssl.create_default_context(cafile=self.path("ca.crt"))
        if certificate:
            context.load_cert_chain(self.path(certificate + ".crt"), self.path(certificate + ".key"))
        context.set_alpn_protocols(list(protocols))
        return context

    def etcdctl(self, server, *arguments, client=True, patience="5s"):
        credentials = ["--cert", self.path("client.crt"), "--key", self.path("client.key")] if client else []
        return run("etcdctl", "--endpoints", f"https://localhost:{server.port}", "--cacert", self.path("ca.crt"),
                   "--dial-timeout", patience, "--command-timeout", patience, *credentials, *arguments, env={"ETCDCTL_API": "3"})

    def channel(self, server):
        return grpc.secure_channel(f"localhost:{server.port}", grpc.ssl_channel_credentials(
            self.read("ca.crt"), self.read("client.key"), self.read("client.crt")))


class Tls(cases.ServerTest):
    def start(self, *flags):
        return self.server("memory", extra=flags)

    def curl(self, server, path, *options):
        return run("curl", "-sS", "--max-time", "10", *options, f"https://localhost:{server.port}{path}")

    def wait_for_log(self, server, *parts):
        server.process.wait_for_log(lambda line: all(part in line for part in parts), timeout_s=15)

    def served_serial(self, server, pki):
        with socket.create_connection(("localhost", server.port), 5) as raw:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.load_cert_chain(pki.path("client.crt"), pki.path("client.key"))
            with context.wrap_socket(raw, server_hostname="localhost") as connection:
                return connection.getpeercert(binary_form=True)

    def metric(self, server, name):
        text = run("curl", "-sS", f"http://127.0.0.1:{server.metrics_port}/metrics")[1]
        found = re.search("^" + re.escape(name) + r" (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def test_certs_init_makes_a_working_set(self):
        pki = Pki(None, "--host", "localhost,127.0.0.1", "--client", "alice")
        self.assertEqual(os.stat(pki.path("server.key")).st_mode & 0o777, 0o600)
        before = pki.read("ca.crt")
        status, output = run(cases.ServerTest.lattice, "certs", "init", "--dir", pki.folder)
        self.assertEqual((status, pki.read("ca.crt")), (73, before))
        self.assertIn("nothing was written", output)
        for name in ("server", "node", "client"):
            status, output = run("openssl", "verify", "-CAfile", pki.path("ca.crt"), pki.path(name + ".crt"))
            self.assertEqual(status, 0, output)
        self.assertIn("CN = alice", run("openssl", "x509", "-in", pki.path("client.crt"), "-noout", "-subject")[1])
        server = self.start(*pki.flags())
        self.assertEqual(pki.etcdctl(server, "put", "foo", "bar"), (0, "OK\n"))
        self.assertEqual(pki.etcdctl(server, "get", "foo"), (0, "foo\nbar\n"))
        self.assertIn(f"https://127.0.0.1:{server.port}", pki.etcdctl(server, "member", "list")[1])

    def test_the_guides_recipe(self):
        folder = processes.scratch_folder("guide")
        status, output = run("bash", "-ec", f"cd {folder}\n{_GUIDE}")
        self.assertEqual(status, 0, output)
        pki = Pki(folder)
        config = os.path.join(folder, "lattice.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'[listeners.grpc]\nbind = "127.0.0.1:0"\ntls_chain_path = "{folder}/server.crt"\n'
                       f'tls_key_path = "{folder}/server.key"\nclient_ca_path = "{folder}/ca.crt"\n'
                       'min_tls_version = "1.2"\nmax_connections = 10000\nidle_timeout_ms = 300000\n')
        server = self.start("--config", config)
        self.assertEqual(pki.etcdctl(server, "put", "foo", "bar"), (0, "OK\n"))
        self.assertEqual(self.curl(server, "/healthz", "-k"), (0, "ok\n"))
        self.assertEqual(self.curl(server, "/readyz", "-k"), (0, "ok\n"))

    @unittest.skipUnless(tools.have_go(), "SKIPPED: no usable Go toolchain; make check needs one")
    def test_go_client_with_certificates_and_users(self):
        pki = Pki()
        server = self.start(*pki.flags())
        status, output = run("go", "test", "-C", os.path.join(HERE, "go"), "-count=1", "-run", "^TestUsers", ".", timeout_s=300,
                             env={"ENDPOINT": f"localhost:{server.port}", "PKI": pki.folder})
        self.assertEqual(status, 0, output)
        self.assertNotIn("no tests to run", output)

    def test_who_has_no_certificate_learns_whether_the_server_works_and_nothing_else(self):
        pki = Pki()
        server = self.start(*pki.flags())
        trust = ("--cacert", pki.path("ca.crt"))
        for version in ("--http1.1", "--http2"):
            for path in ("/health", "/livez", "/readyz", "/readyz/linearizable_read", "/version"):
                self.assertEqual(self.curl(server, path, "-f", *trust, version)[0], 0, path)
            for path in ("/metrics", "/v3/kv/range", "/nowhere", "/livez/../metrics"):
                _status, output = self.curl(server, path, "--path-as-is", "-i", *trust, version)
                self.assertRegex(output.split("\n")[0], "401|404" if path.startswith("/livez") else "401", path)
        client = ("--cert", pki.path("client.crt"), "--key", pki.path("client.key"))
        self.assertEqual(self.curl(server, "/metrics", "-f", *trust, *client)[0], 0)
        status, output = pki.etcdctl(server, "get", "foo", client=False, patience="1s")
        self.assertNotEqual(status, 0)
        self.assertIn("a client certificate is required", output)

    def test_versions_and_protocols(self):
        pki = Pki()
        server = self.start(*pki.flags(client_ca=False))

        def s_client(*options):
            return run("openssl", "s_client", "-connect", server.target, "-CAfile", pki.path("ca.crt"), *options)[1]

        self.assertIn("TLSv1.3, Cipher is", s_client())
        self.assertIn("TLSv1.2, Cipher is ECDHE", s_client("-tls1_2"))
        self.assertIn("Cipher is (NONE)", s_client("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"))
        self.assertIn("ALPN protocol: h2", s_client("-alpn", "http/1.1,h2"))
        self.assertIn("ALPN protocol: http/1.1", s_client("-alpn", "http/1.1"))
        self.assertIn("No ALPN negotiated", s_client())
        self.assertIn("Verification: OK", s_client("-verify_hostname", "localhost"))
        self.assertIn("Early data was not sent", s_client())
        strict = self.start(*pki.flags(), "--config", self.file('[listeners.grpc]\nmin_tls_version = "1.3"\n'))
        status, output = run("openssl", "s_client", "-connect", strict.target, "-tls1_2")
        self.assertIn("alert protocol version", output)

    def file(self, text):
        path = os.path.join(processes.scratch_folder("config"), "lattice.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_failures_say_whose_and_which_names(self):
        pki, stranger = Pki(), Pki()
        server = self.start(*pki.flags())
        # Their certificate: of an authority that is not ours.
        shutil.copy(pki.path("ca.crt"), stranger.path("ca.crt"))
        self.assertNotEqual(stranger.etcdctl(server, "get", "foo", patience="1s")[0], 0)
        self.wait_for_log(server, "reason=peer_certificate", "asked_for=localhost", "CN=root")
        # Ours: for another authority's clients.
        self.assertNotEqual(self.curl(server, "/health", "--cacert", stranger.path("server.crt"))[0], 0)
        self.wait_for_log(server, "reason=own_certificate", "unknown CA", "localhost, 127.0.0.1")
        # No TLS where it is spoken, and TLS where it is not.
        status, output = run("curl", "-sS", "--http1.0", f"http://127.0.0.1:{server.port}/health")
        self.assertEqual((status, output), (0, "Client sent an HTTP request to an HTTPS server.\n"))
        self.wait_for_log(server, "reason=not_tls", "does not speak TLS")
        plain = self.start()
        self.assertNotEqual(self.curl(plain, "/health", "-k")[0], 0)
        self.wait_for_log(plain, "reason=tls", "a TLS client at a port that speaks plaintext")
        self.assertEqual(self.metric(server, 'lattice_connection_failures_total{reason="not_tls"}'), 1)

    def test_new_files_are_taken_and_no_connection_is_dropped(self):
        pki, second = Pki(), Pki()
        server = self.start(*pki.flags())
        first_serial = self.served_serial(server, pki)
        with pki.channel(server) as channel:
            put = channel.unary_unary("/etcdserverpb.KV/Put", rpc.PutRequest.SerializeToString,
                                      rpc.PutResponse.FromString)
            watch = channel.stream_stream("/etcdserverpb.Watch/Watch", rpc.WatchRequest.SerializeToString,
                                          rpc.WatchResponse.FromString)
            request = rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k"))
            wait = [request]
            events = watch(iter(lambda: wait.pop() if wait else time.sleep(60), None))
            self.assertTrue(next(events).created)
            put(rpc.PutRequest(key=b"k", value=b"1"), timeout=5)
            self.assertEqual(next(events).events[0].kv.value, b"1")
            # A key that does not fit is refused, and said once.
            pki.replace(second, "server.key")
            self.wait_for_log(server, "cannot be used; those in use stay", "the key does not belong")
            self.assertEqual(self.served_serial(server, pki), first_serial)
            self.assertEqual(self.metric(server, 'lattice_tls_files_refused{use="client_port"}'), 1)
            # The rest of it follows: certificate and authority are both new.
            old_ca = shutil.copytree(pki.folder, pki.folder + ".old")
            pki.replace(second, "server.crt", "ca.crt", "client.crt", "client.key")
            cases.eventually(lambda: self.metric(server, 'lattice_tls_files_refused{use="client_port"}') == 0, "all new")
            self.assertNotEqual(self.served_serial(server, second), first_serial)
            self.assertEqual(second.etcdctl(server, "put", "k", "2")[0], 0)
            shutil.copy(pki.path("ca.crt"), os.path.join(old_ca, "ca.crt"))
            self.assertNotEqual(Pki(old_ca).etcdctl(server, "put", "k", "3", patience="1s")[0], 0)
            # The connection from before is as it was.
            self.assertEqual(next(events).events[0].kv.value, b"2")
            put(rpc.PutRequest(key=b"k", value=b"4"), timeout=5)
            self.assertEqual(next(events).events[0].kv.value, b"4")
            events.cancel()
        self.assertEqual(server.process.log().count("cannot be used; those in use stay"), 1)
        expiry = self.metric(server, 'lattice_tls_certificate_expiry_timestamp_seconds{use="client_port"}')
        self.assertAlmostEqual(expiry, time.time() + 365 * 86400, delta=3600)

    def test_kubernetes_way_of_changing_files_and_sighup(self):
        first, second = Pki(), Pki()
        mount = processes.scratch_folder("mount")
        for number, pki in enumerate((first, second)):
            shutil.copytree(pki.folder, os.path.join(mount, f"..{number}"))
        os.symlink("..0", os.path.join(mount, "..data"))
        for name in os.listdir(first.folder):
            os.symlink(os.path.join("..data", name), os.path.join(mount, name))
        mounted = Pki(mount)
        server = self.start(*mounted.flags())
        serial = self.served_serial(server, first)
        os.symlink("..1", os.path.join(mount, "..data_tmp"))
        os.rename(os.path.join(mount, "..data_tmp"), os.path.join(mount, "..data"))
        server.process.send(signal.SIGHUP)
        self.wait_for_log(server, "new certificate files are in use", "use=client_port")
        self.assertNotEqual(self.served_serial(server, second), serial)
        self.assertEqual(second.etcdctl(server, "put", "k", "2")[0], 0)

    def test_bad_files_stop_the_start(self):
        pki, other = Pki(), Pki()
        for flags, reason in [
                (["--tls-chain", "/nowhere", "--tls-key", pki.path("server.key")], "/nowhere: No such file"),
                (["--tls-chain", pki.path("server.crt")], "needs listeners.grpc.tls_key_path"),
                (["--tls-chain", pki.path("server.crt"), "--tls-key", other.path("server.key")],
                 "the key does not belong to the certificate"),
                (["--client-ca", pki.path("ca.crt")], "needs listeners.grpc.tls_chain_path"),
                (["--tls-chain", pki.path("server.crt"), "--tls-key", pki.path("ca.crt")], "no readable PEM key")]:
            status, output = run(cases.ServerTest.lattice, "start", "--grpc-bind", "127.0.0.1:0", "--metrics-bind", "127.0.0.1:0",
                                 "--db-connection", "memory://", *flags)
            self.assertEqual(status, _EX_CONFIG, output)
            self.assertIn(reason, output)

    def test_hostile_peers_leave_the_others_alone(self):
        pki = Pki()
        server = self.start(*pki.flags(), "--config", self.file("[server]\nthreads = 1\n"))
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        idle = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(200)]
        for number, connection in enumerate(idle):
            if number % 4 == 1:
                connection.sendall(hello)
            if number % 4 == 2:
                connection.sendall(os.urandom(20000))
            if number % 4 == 3:
                connection.sendall(b"\x16\x03\x01\xff\xff" + bytes(5000))
        self.assertEqual(pki.etcdctl(server, "put", "k", "1")[0], 0)
        # Who began and did not go on is sent away after ten seconds.
        failures = 'lattice_connection_failures_total{reason="timeout"}'
        cases.eventually(lambda: self.metric(server, failures) == 100, "all are sent away", 20)
        cases.eventually(lambda: self.metric(server, "lattice_connections") <= 2, "no connection is left")
        # A burst of lines, not one for each of them.
        self.assertLess(server.process.log().count("a client could not connect"), 60)
        for connection in idle:
            connection.close()
        self.assertEqual(pki.etcdctl(server, "get", "k")[0], 0)


if __name__ == "__main__":
    cases.main(__doc__)
