"""What must be true of every set of Kubernetes objects that runs Lattice, from manifests or from the chart."""

import os
import re
import signal

import pods

from harness import cases, servers

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def fits(selector, labels):
    return selector.items() <= (labels or {}).items()


class PodChecks(cases.ServerTest):
    """Base of the tests."""

    def database_url(self):
        """Of a PostgreSQL that is reached through the file system: the pods have a network of their own."""
        server = servers.shared_postgres()
        os.chmod(server.folder, 0o755)
        return f"postgresql://lattice@/{server.new_database()}?host={server.folder}&port={server.port}"

    def check_run(self, objects, files=None):
        """Runs Lattice's container of the one object that has a pod, and tries all that the manifest says about it."""
        owner = next(thing for thing in objects if thing["kind"] in ("Pod", "Deployment"))
        pod = pods.template(owner)
        [definition] = pods.containers(pod)
        files = files or pods.Files(self.lattice, self.database_url(), objects)
        container = pods.Container(self.lattice, pod, definition, files)
        self.check_configuration(owner, container)
        container.start()
        self.addCleanup(container.process.stop, signal.SIGKILL)
        cases.eventually(lambda: container.process.alive() and container.probe("startupProbe") == 200
                         or not container.process.alive(), "the startup probe succeeds", timeout_s=40)
        self.assertTrue(container.process.alive(), container.process.log_tail())
        for probe in _PROBES:
            self.assertEqual(container.probe(probe), 200, probe)
        for port in definition.get("ports", []):
            self.assertTrue(container.listens(port["containerPort"]), port)
        self.assertEqual(container.etcdctl(files.pki, "put", "greeting", "hello"), (0, "OK\n"))
        return container

    def check_configuration(self, owner, container):
        spec = container.pod["spec"]
        status, effective, warnings = container.validate()
        # Pods have no names that certificates could be for; a NetworkPolicy closes that port.
        warnings = [line for line in warnings.splitlines() if "calls between nodes (cluster.bind) are not encrypted" not in line]
        self.assertEqual((status, warnings), (0, []), owner["kind"])
        # Every file that the configuration names is mounted, and every mount has a use.
        named = re.findall(rf'= "{re.escape(container.root)}(/[^"]*)"', effective)
        named += [value[len(container.root):] for value in container.environment().values()
                  if value.startswith(container.root)]
        named += [argument[len(container.root):] for argument in container.arguments() if argument.startswith(container.root)]
        for mount in container.mounts:
            self.assertTrue(any(path == mount or path.startswith(mount + "/") for path in named), f"{mount} is for nothing")
        for path in re.findall(r'= "(/[^"]*)"', effective):
            self.assertTrue(path.startswith(container.root), f"{path} is not mounted")
        # The variables of a Service of the same name are no reason not to start; still nobody should see them.
        status, _, warnings = container.validate({"LATTICE_PORT": "tcp://10.0.0.1:2379", "LATTICE_SERVICE_HOST": "10.0.0.1"})
        self.assertEqual((status, "LATTICE_PORT" in warnings), (0, True), warnings)
        if owner["kind"] == "Deployment" or spec.get("enableServiceLinks") is not None:
            self.assertIs(spec["enableServiceLinks"], False)
            self.assertIs(spec["automountServiceAccountToken"], False)

            def seconds(key):
                return int(re.search(rf"^{key} = (\d+)", effective, re.MULTILINE)[1]) / 1000
            self.assertGreater(spec["terminationGracePeriodSeconds"],
                               seconds("shutdown_delay_ms") + seconds("shutdown_timeout_ms"))
        context = container.definition["securityContext"]
        self.assertEqual((context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"], context["capabilities"]),
                         (False, True, {"drop": ["ALL"]}))
        self.assertTrue({**spec.get("securityContext", {}), **context}["runAsNonRoot"])
        resources = container.definition["resources"]
        self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])
        self.assertNotIn("cpu", resources["limits"])

    def check_references(self, objects):
        """Selectors, names and ports that one object has of another."""
        by_kind = {}
        for thing in objects:
            by_kind.setdefault(thing["kind"], []).append(thing)
        [deployment] = by_kind["Deployment"]
        pod = pods.template(deployment)
        labels = pod["metadata"]["labels"]
        [definition] = pods.containers(pod)
        ports = {port["name"]: port["containerPort"] for port in definition["ports"]}
        self.assertTrue(fits(deployment["spec"]["selector"]["matchLabels"], labels))
        self.assertIn(pod["spec"]["serviceAccountName"], [one["metadata"]["name"] for one in by_kind["ServiceAccount"]])
        for service in by_kind["Service"]:
            self.assertTrue(fits(service["spec"]["selector"], labels))
            for port in service["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports)
        for budget in by_kind.get("PodDisruptionBudget", []):
            self.assertTrue(fits(budget["spec"]["selector"]["matchLabels"], labels))
        for scaler in by_kind.get("HorizontalPodAutoscaler", []):
            self.assertEqual(scaler["spec"]["scaleTargetRef"]["name"], deployment["metadata"]["name"])
            [configuration] = by_kind["ConfigMap"]
            age = re.search(r"max_connection_age_ms = (\d+)", configuration["data"]["lattice.toml"])
            self.assertGreater(int(age[1]), 0, "an autoscaler needs connections that age")
        for policy in by_kind.get("NetworkPolicy", []):
            self.assertTrue(fits(policy["spec"]["podSelector"]["matchLabels"], labels))
            opened = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            self.assertEqual(opened, set(ports.values()))
        for monitor in by_kind.get("ServiceMonitor", []):
            found = [service for service in by_kind["Service"]
                     if fits(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])]
            self.assertEqual(len(found), 1)
            names = [port["name"] for port in found[0]["spec"]["ports"]]
            self.assertTrue(all(endpoint["port"] in names for endpoint in monitor["spec"]["endpoints"]))
