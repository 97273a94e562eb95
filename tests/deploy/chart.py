#!/usr/bin/python3
"""The Helm chart: helm's lint, its schema, what it refuses, and what it renders, decoded strictly and tried on a running Lattice."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import pod_checks  # noqa: E402
import pods  # noqa: E402

from harness import cases, paths, tools  # noqa: E402

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


def run(*arguments):
    program = tools.build_own("tests/deploy/tools", "chart")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def render(*files, values=()):
    settings = [word for value in values for word in ("-set", value)]
    return run("render", CHART, *files, *settings)


class Chart(pod_checks.PodChecks):
    def objects(self, *files, values=()):
        status, text, problem = render(*files, values=values)
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
