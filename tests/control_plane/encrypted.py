"""What tests share whose nodes reach each other under mutual TLS, with certificates that `lattice certs init` has made."""

import json
import os
import subprocess

import governed
import routed
from harness import cases, processes, protos, servers

rpc = protos.rpc


def make_certificates(host="localhost"):
    folder = os.path.join(processes.scratch_folder("pki"), "pki")
    subprocess.run([cases.ServerTest.lattice, "certs", "init", "--dir", folder, "--host", host], check=True, capture_output=True)
    return folder


def tls_links(folder, host="localhost"):
    return {"LATTICE_CLUSTER_ADVERTISE": f"{host}:0", "LATTICE_CLUSTER_CA_PATH": f"{folder}/ca.crt",
            "LATTICE_CLUSTER_TLS_CHAIN_PATH": f"{folder}/node.crt", "LATTICE_CLUSTER_TLS_KEY_PATH": f"{folder}/node.key"}


class EncryptedTest(routed.RoutedTest):
    @classmethod
    def links(cls):
        cls.folder = make_certificates()
        return tls_links(cls.folder)

    def without_links(self):
        """The environment without what it says of the nodes' certificates."""
        return {key: value for key, value in self.env.items() if not key.startswith("LATTICE_CLUSTER_")}

    def stranger(self, links):
        """A fourth node of the cluster, n4, with certificates of its own."""
        server = servers.Lattice(self.lattice, "postgres", self.url, env={
            **self.without_links(), **links, "LATTICE_CLUSTER_NAME": "n4", "LATTICE_CLUSTER_BIND": "127.0.0.1:0"})
        self.addCleanup(server.remove)
        return server.start()

    def node_address(self, name):
        """As it is registered; "" while it is not."""
        key = governed.PREFIX + b"nodes/" + name.encode()
        found = self.control.call("KV.Range", rpc.RangeRequest(key=key)).kvs
        return json.loads(found[0].value)["address"] if found else ""
