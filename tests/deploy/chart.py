#!/usr/bin/python3
"""The Helm chart: helm's lint, its schema, what it refuses, and what it renders, decoded strictly and tried on a running Lattice."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import pod_checks  # noqa: E402
import pods  # noqa: E402

from harness import cases, paths, processes, tools  # noqa: E402

CHART = os.path.join(paths.SOURCE, "k8s", "charts", "lattice")
PRODUCTION = os.path.join(CHART, "values-production.yaml")

# What must not be combined, and a word of the refusal. With the production values where True.
_REFUSED = (
    (False, ("replicas=2",), "share a SQLite file"),
    (False, ("autoscaling.enabled=true", "maxConnectionAgeMs=1000"), "share a SQLite file"),
    (False, ("redis.existingSecret=r",), "redis is for several replicas"),
    (False, ("database.durability=quorum", "database.quorumSize=2"), "needs a PostgreSQL"),
    (False, ("database.quorumSize=2",), "counts with durability quorum only"),
    (False, ("service.type=LoadBalancer",), "plaintext must not leave"),
    (False, ("production=true",), "production needs tls.existingSecret"),
    (False, ("production=true", "tls.existingSecret=t"), "the data would go with the pod"),
    (False, ("prometheusRule.enabled=true",), "prometheusRule needs the rules"),
    (False, ("grafanaDashboard.enabled=true",), "grafanaDashboard needs the dashboard"),
    (False, ("sidecarOnly=true",), "renders nothing by itself"),
    (True, ("tls.clientCertificates=false",), "production needs tls.clientCertificates"),
    (True, ("maxConnectionAgeMs=0",), "autoscaling needs maxConnectionAgeMs"),
    (True, ("database.quorumSize=1",), "quorumSize 2 or more"),
    (True, ("autoscaling.minReplicas=10",), "is above autoscaling.maxReplicas"),
    # By the schema.
    (False, ("replica=2",), "replica"),
    (False, ("replicas=many",), "replicas"),
    (False, ("database.durability=async",), "durability"),
    (False, ("image.digest=latest",), "digest"),
)

# Another project's chart, which runs kube-apiservers with Lattice in their pods.
_PARENT = {
    "Chart.yaml": """apiVersion: v2
name: apiservers
version: 0.1.0
dependencies: [{name: lattice, version: 0.1.0}]
""",
    "values.yaml": """lattice:
  sidecarOnly: true
  production: true
  database: {existingSecret: lattice-database}
""",
    "templates/deployment.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: apiservers}
spec:
  selector: {matchLabels: {app: apiserver}}
  template:
    metadata: {labels: {app: apiserver}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      securityContext: {fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      initContainers: {{- include "lattice.sidecar" .Subcharts.lattice | nindent 8 }}
      containers:
        - name: kube-apiserver
          image: registry.k8s.io/kube-apiserver:v1.33.0
          command: [kube-apiserver, --etcd-servers=http://127.0.0.1:2379]
      volumes: {{- include "lattice.sidecarVolumes" .Subcharts.lattice | nindent 8 }}
""",
}


def run(*arguments):
    program = tools.build_own("tests/deploy/tools", "chart")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def render(*files, values=(), chart=CHART):
    settings = [word for value in values for word in ("-set", value)]
    return run("render", chart, *files, *settings)


class Chart(pod_checks.PodChecks):
    def objects(self, *files, values=(), chart=CHART):
        """Without the hooks, which are not installed with the rest."""
        return [thing for thing in self.rendered(*files, values=values, chart=chart)
                if "helm.sh/hook" not in thing["metadata"].get("annotations", {})]

    def rendered(self, *files, values=(), chart=CHART):
        status, text, problem = render(*files, values=values, chart=chart)
        self.assertEqual(status, 0, problem)
        return pods.decode(text)

    def test_helm_lints_it(self):
        for files in ((), (PRODUCTION,)):
            status, output, problem = run("lint", CHART, *files)
            self.assertEqual(status, 0, output + problem)

    def test_what_is_unsafe_is_refused(self):
        for production, values, why in _REFUSED:
            with self.subTest(values=values):
                status, _, problem = render(*([PRODUCTION] if production else []), values=values)
                self.assertEqual((status, why in problem), (1, True), problem)

    def test_the_development_values(self):
        objects = self.objects()
        self.check_references(objects)
        self.assertEqual({thing["kind"] for thing in objects}, {"ConfigMap", "Deployment", "Service", "ServiceAccount"})
        self.check_run(objects)

    def test_the_production_values(self):
        objects = self.objects(PRODUCTION, values=("prometheusRule.enabled=true",
                                                   "prometheusRule.rules=groups: []"))
        self.check_references(objects)
        kinds = {thing["kind"] for thing in objects}
        self.assertTrue({"HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule",
                         "ServiceMonitor"} <= kinds, kinds)
        # This machine's PostgreSQL has no standby.
        objects = self.objects(PRODUCTION, values=("database.durability=sync", "database.quorumSize=1"))
        self.check_run(objects)

    def test_what_helm_test_runs(self):
        objects = self.rendered()
        [hook] = [thing for thing in objects if thing["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]
        container = self.check_run([thing for thing in objects if thing is not hook])
        [definition] = pods.containers(hook)
        services = {thing["metadata"]["name"]: thing for thing in objects if thing["kind"] == "Service"}
        name, port = definition["args"][-1].split(":")
        self.assertEqual(services[name]["spec"]["selector"]["app.kubernetes.io/name"], "lattice")
        [target] = [each["targetPort"] for each in services[name]["spec"]["ports"] if each["port"] == int(port)]
        # A name of the cluster's is this pod.
        command = [self.lattice, *definition["args"][:-1], f"127.0.0.1:{container.port(target)}"]
        self.assertEqual(container.beside(*command)[0], 0)
        self.assertNotEqual(container.beside(*command, "--path", "/nowhere")[0], 0)
        labels = pods.template(next(thing for thing in objects if thing["kind"] == "Deployment"))["metadata"]["labels"]
        self.assertFalse(pod_checks.fits(services[name]["spec"]["selector"], hook["metadata"]["labels"]))
        self.assertTrue(pod_checks.fits(services[name]["spec"]["selector"], labels))

    def test_a_sidecar_in_another_chart(self):
        folder = processes.scratch_folder("chart")
        for name, text in _PARENT.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        shutil.copytree(CHART, os.path.join(folder, "charts", "lattice"))
        objects = self.objects(chart=folder)
        self.assertEqual([thing["kind"] for thing in objects], ["Deployment"])
        sidecar = pods.template(objects[0])["spec"]["initContainers"][0]
        self.assertEqual(sidecar["restartPolicy"], "Always")
        self.assertIn('bind = "127.0.0.1:2379"', self.check_run(objects).validate()[1])
        for value, why in (("lattice.database.existingSecret=", "needs database.existingSecret"),
                           ("lattice.database.durability=quorum", "quorumSize 2 or more"),
                           ("lattice.tls.existingSecret=t", "plaintext on loopback")):
            status, _, problem = render(values=(value,), chart=folder)
            self.assertEqual((status, why in problem), (1, True), problem)

    def test_the_dashboard(self):
        dashboard = os.path.join(paths.SOURCE, "deploy", "grafana", "lattice.json")
        with open(dashboard, encoding="utf-8") as file:
            text = file.read()
        values = os.path.join(processes.scratch_folder("chart"), "values.yaml")
        with open(values, "w", encoding="utf-8") as file:
            json.dump({"grafanaDashboard": {"enabled": True, "json": text}}, file)
        [made] = [thing for thing in self.objects(values) if "grafana_dashboard" in thing["metadata"]["labels"]]
        self.assertEqual(json.loads(made["data"]["lattice.json"]), json.loads(text))

    def test_a_volume_and_keys_of_the_operators_own(self):
        objects = self.objects(values=("sqlite.persistence=true", "config.tenants.default_qps_limit=1000000",
                                       "config.telemetry.log_level=warn"))
        text = next(thing["data"]["lattice.toml"] for thing in objects if thing["kind"] == "ConfigMap")
        self.assertIn("default_qps_limit = 1000000\n", text)
        self.assertIn('log_level = "warn"', text)
        self.assertIn('metrics_bind = "0.0.0.0:9090"', text)
        self.assertIn("PersistentVolumeClaim", {thing["kind"] for thing in objects})


if __name__ == "__main__":
    if not tools.have_go():
        tools.skip("the chart is rendered by Go's helm")
    if os.geteuid() != 0:
        tools.skip("a network for each pod needs root")
    cases.main(__doc__)
