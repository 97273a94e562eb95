"""The servers that are attacked, one for each listener, each with what the attacks want to find there."""

import os
import re
import ssl
import subprocess

import attacks_tls
from attacks import BIG_VALUES
from harness import client, processes, protos, servers

_RPC = protos.rpc


class Victim:
    """A running server and a well-behaved client of it."""

    def __init__(self, lattice, listener, kind="memory", env=None):
        self.listener = listener
        self.tls = self.ca = self.credentials = None
        self.metadata = ()
        extra, env = [], dict(env or {})
        if listener == "tls":
            extra = self._make_certificates(lattice)
        if listener == "jwt":
            env["LATTICE_AUTH_TOKEN"] = f"jwt,sign-method=HS256,priv-key={_secret_file()},ttl=10m"
        self.server = servers.make(kind, lattice, extra=extra, env=env).start()
        self.good = client.Client(self.server.target, credentials=self.credentials)
        for number in range(BIG_VALUES):
            self.call("KV.Put", _RPC.PutRequest(key=b"big%d" % number, value=b"x" * 100_000))
        if listener in ("auth", "jwt"):
            self._enable_auth()

    @property
    def target(self):
        return self.server.target

    def call(self, name, request):
        return self.good.call(name, request, metadata=self.metadata)

    def put(self):
        self.call("KV.Put", _RPC.PutRequest(key=b"good", value=b"v"))

    def remove(self):
        self.good.close()
        self.server.remove()

    def rss_mib(self, peak=False):
        with open(f"/proc/{self.server.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmHWM:\s+(\d+)" if peak else r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def forget_peak(self):
        with open(f"/proc/{self.server.process.pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")

    def fds(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def _make_certificates(self, lattice):
        folder = os.path.join(processes.scratch_folder("pki"), "pki")
        subprocess.run([lattice, "certs", "init", "--dir", folder], check=True, capture_output=True)
        self.ca = os.path.join(folder, "ca.crt")
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.tls.set_alpn_protocols(["h2"])
        with open(self.ca, "rb") as file:
            self.credentials = client.grpc.ssl_channel_credentials(file.read())
        return ["--tls-chain", os.path.join(folder, "server.crt"), "--tls-key", os.path.join(folder, "server.key")]

    def _enable_auth(self):
        """One user, root; and the good client calls with its token."""
        user, password = attacks_tls.USER, attacks_tls.PASSWORD
        self.call("Auth.UserAdd", _RPC.AuthUserAddRequest(name=user, password=password))
        self.call("Auth.UserGrantRole", _RPC.AuthUserGrantRoleRequest(user=user, role="root"))
        self.call("Auth.AuthEnable", _RPC.AuthEnableRequest())
        self.metadata = (("token", attacks_tls.log_in(self.target)),)


def _secret_file():
    path = os.path.join(processes.scratch_folder("jwt"), "secret")
    with open(path, "wb") as file:
        file.write(attacks_tls.JWT_SECRET)
    return path
