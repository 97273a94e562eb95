#!/usr/bin/python3
"""The plain manifests of k8s/: strictly decoded, consistent, and everything that they say about Lattice tried on a running one."""

import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import pod_checks  # noqa: E402
import pods  # noqa: E402
import yaml  # noqa: E402

from harness import cases, paths, tools  # noqa: E402

K8S = os.path.join(paths.SOURCE, "k8s")
_RULES = """groups:
  - name: lattice
    rules:
      - alert: Something
        expr: up == 0
        for: 1m
        labels: {severity: page}
        annotations: {summary: It is down}
"""


def read(*path):
    with open(os.path.join(K8S, *path), encoding="utf-8") as file:
        return file.read()


class Manifests(pod_checks.PodChecks):
    def standalone(self):
        names = yaml.safe_load(read("standalone", "kustomization.yaml"))["resources"]
        texts = [read("standalone", name) for name in names] + [read("monitoring", "servicemonitor.yaml")]
        return pods.decode("\n---\n".join(texts))

    def test_every_file_is_what_its_type_says(self):
        seen = 0
        for path in glob.glob(os.path.join(K8S, "**", "*.yaml"), recursive=True):
            if "charts" in path or os.sep + "k3s" + os.sep in path:
                continue
            with self.subTest(path=path):
                pods.decode(read(path))
                seen += 1
        self.assertGreater(seen, 11)

    def test_a_mistake_is_found(self):
        text = read("standalone", "deployment.yaml")
        for right, wrong in (("enableServiceLinks", "enableServiceLink"), ("replicas: 3", "replicas: three"),
                             ("  replicas: 3", "  replicas: 3\n  replicas: 4")):
            self.assertIn(right, text)
            with self.assertRaises(AssertionError):
                pods.decode(text.replace(right, wrong))

    def test_every_manifest_is_in_the_kustomization(self):
        there = {os.path.basename(path) for path in glob.glob(os.path.join(K8S, "standalone", "*.yaml"))}
        named = set(yaml.safe_load(read("standalone", "kustomization.yaml"))["resources"])
        self.assertEqual(there - named, {"kustomization.yaml", "secret.example.yaml"})

    def test_the_stand_alone_deployment(self):
        objects = self.standalone()
        self.check_references(objects)
        self.check_run(objects)

    def test_the_secrets_are_those_of_the_example(self):
        spec = pods.template(next(thing for thing in self.standalone() if thing["kind"] == "Deployment"))["spec"]
        used = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
        self.assertEqual(used, {thing["metadata"]["name"] for thing in pods.decode(read("standalone", "secret.example.yaml"))})

    def test_the_sidecar(self):
        objects = pods.decode(read("sidecar", "pod.yaml"))
        sidecar = objects[0]["spec"]["initContainers"][0]
        self.assertEqual(sidecar["restartPolicy"], "Always")
        container = self.check_run(objects)
        self.assertIn("--etcd-servers=http://127.0.0.1:2379", objects[0]["spec"]["containers"][0]["command"])
        # Others in the cluster do not get at it: the client port is on loopback only.
        self.assertIn('bind = "127.0.0.1:2379"', container.validate()[1])

    def test_the_patch_for_kubeadm(self):
        objects = pods.decode(read("kubeadm", "patches", "kube-apiserver+strategic.yaml"))
        container = self.check_run(objects)
        external = pods.decode(read("kubeadm", "cluster-configuration.yaml"))[0]["etcd"]["external"]
        self.assertEqual(external["endpoints"], ["https://127.0.0.1:2379"])
        for name in ("caFile", "certFile", "keyFile"):
            self.assertTrue(os.path.exists(container.root + external[name]), name)
        # kubeadm's preflight: GET /version with the client's certificate.
        status, output = container.beside(
            "curl", "-sf", "--cacert", container.root + external["caFile"], "--cert", container.root + external["certFile"],
            "--key", container.root + external["keyFile"], external["endpoints"][0] + "/version")
        self.assertEqual((status, "etcdserver" in output), (0, True), output)

    def test_the_recipe_for_k3s(self):
        recipe = yaml.safe_load(read("k3s", "config.yaml"))
        self.assertEqual(set(recipe), {"token-file", "datastore-endpoint", "datastore-cafile", "datastore-certfile",
                                       "datastore-keyfile"})
        self.assertTrue(all(url.startswith("https://") for url in recipe["datastore-endpoint"].split(",")))

    def test_the_rules_as_the_operator_wants_them(self):
        rules = os.path.join(self.folder(), "rules.yml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(_RULES)
        done = subprocess.run([os.path.join(K8S, "monitoring", "prometheusrule.sh"), rules], capture_output=True, text=True,
                              check=True)
        self.assertEqual(pods.decode(done.stdout)[0]["spec"]["groups"][0]["rules"][0]["alert"], "Something")

    def folder(self):
        return pods.processes.scratch_folder("k8s")


if __name__ == "__main__":
    if not tools.have_go():
        tools.skip("manifests are decoded by Go's k8s.io/api")
    if os.geteuid() != 0:
        tools.skip("a network for each pod needs root")
    cases.main(__doc__)
