"""Containers of Kubernetes pods as processes: in a network of their own, so that they have the very ports of the manifest, with its
arguments and environment, as its user. Mounted files lie below a scratch folder, and every path of the manifest is led there.
"""

import json
import os
import re
import shutil
import subprocess

import namespaces

from harness import paths, processes, tools


def decode(text):
    """The objects of a YAML text, strictly."""
    program = tools.build_own("tests/deploy/tools", "objects")
    done = subprocess.run([program, "decode"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def template(thing):
    """The pod of a Pod, or of what makes pods."""
    return thing if thing["kind"] == "Pod" else thing["spec"]["template"]


def containers(pod):
    """Lattice's among a pod's containers, sidecars included."""
    spec = pod["spec"]
    return [one for one in spec.get("initContainers", []) + (spec.get("containers") or []) if one["name"] == "lattice"]


class Files:
    """What ConfigMaps, Secrets and the machine hold, by name: {"url": ...}."""

    def __init__(self, lattice, database_url, objects=()):
        self.pki = os.path.join(processes.scratch_folder("pki"), "pki")
        subprocess.run([lattice, "certs", "init", "--dir", self.pki, "--host", "localhost,127.0.0.1"], check=True,
                       capture_output=True)
        pki = {name: self._read(name) for name in sorted(os.listdir(self.pki))}
        self._known = {
            "lattice-database": {"url": database_url},
            "lattice-tls": {"tls.crt": pki["server.crt"], "tls.key": pki["server.key"], "ca.crt": pki["ca.crt"]},
            "/etc/kubernetes/pki/lattice": pki,
            "/etc/lattice/database-url": database_url,
        }
        for thing in objects:
            if thing["kind"] == "ConfigMap":
                self._known[thing["metadata"]["name"]] = thing["data"]

    def _read(self, name):
        with open(os.path.join(self.pki, name), encoding="utf-8") as file:
            return file.read()

    def of(self, volume):
        """What a volume holds: text, {name: text}, or None for an empty folder."""
        if "emptyDir" in volume or "persistentVolumeClaim" in volume:
            return None
        if "configMap" in volume:
            return self._known[volume["configMap"]["name"]]
        if "secret" in volume:
            return self._known[volume["secret"]["secretName"]]
        return self._known[volume["hostPath"]["path"]]


class Container:
    """One of them, not started."""

    def __init__(self, lattice, pod, definition, files):
        self.definition = definition
        self.pod = pod
        self.root = processes.scratch_folder("pod")
        os.chmod(self.root, 0o755)
        self.mounts = [mount["mountPath"] for mount in definition.get("volumeMounts", [])]
        self.process = None
        self._lattice = shutil.copy(lattice, os.path.join(self.root, "lattice"))
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for mount in definition.get("volumeMounts", []):
            self._put(mount, files.of(volumes[mount["name"]]))

    def _user(self):
        context = {**self.pod["spec"].get("securityContext", {}), **self.definition["securityContext"]}
        return context["runAsUser"], context["runAsGroup"]

    def _put(self, mount, content):
        path = self.root + mount["mountPath"]
        user, group = self._user()
        if content is None:
            os.makedirs(path)
            os.chown(path, user, group)
            return
        if "subPath" in mount:
            content = content[mount["subPath"]]
        for name, text in content.items() if isinstance(content, dict) else [("", content)]:
            target = os.path.join(path, name) if name else path
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as file:
                file.write(self.lead(text) if "BEGIN" not in text else text)
            os.chown(target, 0, group)
            os.chmod(target, 0o440)

    def lead(self, text):
        """The text with the paths of the mounts below the scratch folder."""
        for path in sorted(self.mounts, key=len, reverse=True):
            text = re.sub(rf"(?<![\w/]){re.escape(path)}(?![\w-])", self.root + path, text)
        return text

    def environment(self):
        """As the kubelet makes it: $(NAME) of what comes before, what the fields say."""
        fields = {"metadata.name": "pod-0", "status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1"}
        made = {}
        for variable in self.definition.get("env", []):
            value = variable.get("value", "")
            if "valueFrom" in variable:
                value = fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
            made[variable["name"]] = self.lead(re.sub(r"\$\((\w+)\)", lambda match: made[match[1]], value))
        return made

    def arguments(self):
        return [self.lead(argument) for argument in self.definition["args"]]

    def validate(self, more=None):
        """What `lattice config validate --print` says of it: (status, configuration, warnings)."""
        arguments = [argument for argument in self.arguments() if argument != "start"]
        done = subprocess.run([self._lattice, "config", "validate", "--print", *arguments], capture_output=True, text=True,
                              check=False, env={**self.environment(), **(more or {})})
        return done.returncode, done.stdout, done.stderr

    def start(self):
        user, group = self._user()
        command = [self._lattice, *self.arguments()]
        path = {"PATH": os.environ["PATH"]}
        self.process = namespaces.Isolated("lattice", ("net",), command, os.path.join(self.root, "log"),
                                           {**self.environment(), **path}, user=f"{user}:{group}")
        return self

    def beside(self, *command):
        """A program in the same network: (status, output)."""
        return self.process.enter(("net",), command)

    def port(self, port):
        """By number or name."""
        ports = {one["name"]: one["containerPort"] for one in self.definition.get("ports", [])}
        return ports[port] if isinstance(port, str) else port

    def probe(self, name):
        """What the kubelet would see: the HTTP status."""
        get = self.definition[name]["httpGet"]
        url = f"http://{get.get('host', '127.0.0.1')}:{self.port(get['port'])}{get['path']}"
        status, output = self.beside("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", url)
        return int(output) if status == 0 else 0

    def listens(self, port):
        status, _ = self.beside("/usr/bin/python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)")
        return status == 0

    def etcdctl(self, pki, *arguments):
        secure = "BEGIN CERT" in "".join(self._texts())
        flags = ["--endpoints=" + ("https" if secure else "http") + "://127.0.0.1:2379"]
        if secure:
            flags += [f"--cacert={pki}/ca.crt", f"--cert={pki}/client.crt", f"--key={pki}/client.key"]
        return self.beside(paths.find_program("etcdctl"), *flags, *arguments)

    def _texts(self):
        for folder, _, names in os.walk(self.root):
            for name in names:
                if name.endswith(".crt"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        yield file.read()
