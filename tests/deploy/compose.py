#!/usr/bin/python3
"""The Compose files: checked as docker compose checks them, their files are there, and what they describe becomes healthy in time."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import topology  # noqa: E402
import yaml  # noqa: E402

from harness import cases, client, tools  # noqa: E402
from harness.protos import rpc  # noqa: E402

_HEALTHY_SECONDS_MAX = 30
_TOGETHER = (["compose.yaml"], ["compose.yaml", "compose.monitoring.yaml"], ["compose.yaml", "compose.ha.yaml"],
             ["compose.yaml", "compose.monitoring.yaml", "compose.ha.yaml"])


class Files(unittest.TestCase):
    def test_every_combination_is_a_project(self):
        for files in _TOGETHER:
            with self.subTest(files=files):
                self.assertIn("lattice", topology.load(files)["services"])

    def test_a_mistake_is_found(self):
        folder = topology.processes.scratch_folder("compose")
        path = os.path.join(folder, "compose.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services: {x: {image: y, imagine: z}}\n")
        with self.assertRaises(AssertionError):
            topology.load([path])

    def test_mounted_files_are_in_the_tree(self):
        project = topology.load(_TOGETHER[-1])
        seen = 0
        for name, service in project["services"].items():
            for volume in service.get("volumes", []):
                if volume["type"] != "bind":
                    continue
                self.assertTrue(os.path.exists(volume["source"]), f"{name}: {volume['source']}")
                seen += 1
        self.assertGreater(seen, 8)

    def test_nothing_is_published_off_loopback_and_nobody_may_gain_privileges(self):
        for name, service in topology.load(_TOGETHER[-1])["services"].items():
            for port in service.get("ports") or []:
                self.assertEqual(port.get("host_ip"), "127.0.0.1", name)
            if name != "failover":
                self.assertIn("no-new-privileges:true", service["security_opt"], name)
                self.assertEqual(service["restart"], "unless-stopped", name)
                self.assertIn("healthcheck" if name != "balancer" else "image", service, name)

    def test_every_variable_has_an_example(self):
        with open(os.path.join(topology.DOCKER, ".env.example"), encoding="utf-8") as file:
            examples = {line.split("=")[0] for line in file if "=" in line and not line.startswith("#")}
        used = set()
        for name in ("compose.yaml", "compose.monitoring.yaml", "compose.ha.yaml"):
            with open(os.path.join(topology.DOCKER, name), encoding="utf-8") as file:
                used.update(part.split(":-")[0] for part in file.read().split("${")[1:])
        self.assertEqual(used, examples)

    def test_what_is_provisioned_fits_together(self):
        def read(*path):
            with open(os.path.join(topology.DOCKER, "monitoring", *path), encoding="utf-8") as file:
                return yaml.safe_load(file)
        services = topology.load(_TOGETHER[-1])["services"]
        source = read("grafana", "provisioning", "datasources", "prometheus.yaml")["datasources"][0]
        self.assertEqual(source["url"], "http://prometheus:9090")
        folder = read("grafana", "provisioning", "dashboards", "lattice.yaml")["providers"][0]["options"]["path"]
        targets = [volume["target"] for volume in services["grafana"]["volumes"]]
        self.assertIn(folder + "/lattice.json", targets)
        scrape = read("prometheus.yml")["scrape_configs"][0]["dns_sd_configs"][0]
        self.assertEqual(set(scrape["names"]), {name for name in services if topology.kind_of(name) == "lattice"})
        rules = read("prometheus.yml")["rule_files"][0]
        self.assertTrue(any(os.path.dirname(volume["target"]) == os.path.dirname(rules)
                            for volume in services["prometheus"]["volumes"]))


class Running(cases.ServerTest):
    def test_it_is_healthy_in_time_and_serves(self):
        running = topology.Topology(self.lattice, ["compose.yaml"])
        self.addCleanup(running.stop)
        took = running.start(timeout_s=60)
        print(f"healthy after {took:.1f} s")
        self.assertLess(took, _HEALTHY_SECONDS_MAX)
        connection = client.Client(running.services["lattice"].target)
        self.addCleanup(connection.close)
        connection.call("KV.Put", rpc.PutRequest(key=b"greeting", value=b"hello"))
        self.assertEqual(connection.call("KV.Range", rpc.RangeRequest(key=b"greeting")).kvs[0].value, b"hello")
        # Redis is in use, and needed by nobody.
        running.kill("redis")
        connection.call("KV.Put", rpc.PutRequest(key=b"greeting", value=b"again"))


if __name__ == "__main__":
    if not tools.have_go():
        tools.skip("the Compose files are checked by Go's compose-go")
    cases.main(__doc__)
