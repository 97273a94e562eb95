#!/usr/bin/python3
"""`lattice tenant move --to-nodes` under mutual TLS: between the nodes, and to the control plane.

    tests/control_plane/node_move_tls.py --lattice PATH
"""

import os
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import encrypted  # noqa: E402
import node_moved  # noqa: E402
from harness import cases  # noqa: E402


class NodeMoveOverTls(encrypted.EncryptedTest, node_moved.NodeMoveTest):
    @classmethod
    def plane_options(cls):
        cls.plane_folder = folder = encrypted.make_certificates("127.0.0.1")
        return {"scheme": "https", "extra": ["--cert-file", f"{folder}/server.crt", "--key-file", f"{folder}/server.key",
                                             "--trusted-ca-file", f"{folder}/ca.crt", "--client-cert-auth"]}

    @classmethod
    def links(cls):
        folder = cls.plane_folder
        return {**super().links(),
                "LATTICE_CONTROL_PLANE_ENDPOINTS": ",".join(f"https://{each.target}" for each in cls.plane.servers),
                "LATTICE_CONTROL_PLANE_CA_PATH": f"{folder}/ca.crt",
                "LATTICE_CONTROL_PLANE_CERT_PATH": f"{folder}/client.crt",
                "LATTICE_CONTROL_PLANE_KEY_PATH": f"{folder}/client.key"}

    def credentials(self):
        def content(name):
            with open(os.path.join(self.plane_folder, name), "rb") as file:
                return file.read()
        return grpc.ssl_channel_credentials(content("ca.crt"), content("client.key"), content("client.crt"))

    def test_under_load(self):
        self.check_under_load(((["n2"], ""), (["n3", "n1"], "n3"), (["n1", "n2"], "n2")))

    # ---- Refusals ----

    def refused(self, node, env, *parts, status=69):
        """The command, with that environment, does not move the tenant there; what it says has these parts."""
        self.assertIsNone(self.refusal(self.put, self.n3, metadata=node_moved.OF_A))
        before = self.text("routing/a"), self.text("tenants/a"), self.server_of(self.n3)
        said = self.command("a", "--to-nodes", node, status=status, env=env)
        for part in parts:
            self.assertIn(part, said)
        self.assertEqual((self.text("routing/a"), self.text("tenants/a"), self.server_of(self.n3)), before)
        return said

    def with_links(self, links):
        return {**self.without_links(), **links}

    def test_a_command_without_certificate(self):
        self.move("a", ["n1"])
        said = self.refused("n2", self.without_links(), 'node "n2" cannot serve the tenant, or not be asked from here',
                            "this command has no certificate for calls between nodes: give it the node's [cluster] "
                            "tls_chain_path, tls_key_path and ca_path")
        # Which is mended here, not by doing without the node's word.
        self.assertNotIn("--no-wait", said)

    def test_a_command_with_another_authority(self):
        self.move("a", ["n1"])
        other = encrypted.tls_links(encrypted.make_certificates())
        self.refused("n2", self.with_links(other), 'node "n2"', "the other side's certificate is refused",
                     "asked for localhost; the certificate is for localhost", "this command refuses the node's certificate",
                     "of an authority in this command's [cluster] ca_path")
        # The other way round: it knows theirs, and its own is of nobody they know.
        other["LATTICE_CLUSTER_CA_PATH"] = f"{self.folder}/ca.crt"
        self.refused("n2", self.with_links(other), 'node "n2"', "the other side refuses our certificate: unknown CA",
                     "the node refuses this command's certificate ([cluster] tls_chain_path), which must be of an authority "
                     "in the node's [cluster] ca_path")

    def test_a_node_with_another_name(self):
        self.move("a", ["n1"])
        self.stranger(encrypted.tls_links(self.folder, "127.0.0.1"))
        cases.eventually(lambda: self.node_address("n4").startswith("127.0.0.1:"), "the node to be registered")
        self.refused("n4", self.env, 'node "n4"', "IP address mismatch (asked for 127.0.0.1; the certificate is for localhost)",
                     "this command refuses the node's certificate, which must be for the host in the node's [cluster] "
                     "advertise")

    def test_a_node_without_tls(self):
        self.move("a", ["n1"])
        self.stranger({})
        cases.eventually(lambda: self.node_address("n4"), "the node to be registered")
        self.refused("n4", self.env, 'node "n4"', "in the TLS handshake: does it speak TLS?",
                     "this command has a certificate for calls between nodes, which the node lacks, it seems")

    def test_the_control_plane(self):
        self.move("a", ["n1"])
        shown = ("LATTICE_CONTROL_PLANE_CERT_PATH", "LATTICE_CONTROL_PLANE_KEY_PATH")
        without = {key: value for key, value in self.env.items() if key not in shown}
        self.refused("n2", without, "the control plane at 127.0.0.1:", "the other side refuses our certificate")
        other = {**self.env, "LATTICE_CONTROL_PLANE_CA_PATH": f"{self.folder}/ca.crt"}
        self.refused("n2", other, "the control plane at 127.0.0.1:", "the other side's certificate is refused")
        self.refused("n2", {**self.env, "LATTICE_CLUSTER_CA_PATH": f"{self.folder}/nowhere.crt"}, f"{self.folder}/nowhere.crt",
                     status=78)


if __name__ == "__main__":
    cases.main(__doc__)
