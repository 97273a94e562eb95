"""A Compose project as processes of this machine: each service with its own command and environment, every "host:port" of the
project replaced by a port of 127.0.0.1, and started in the order that its dependencies ask for.

    topology = Topology(lattice, ["compose.yaml", "compose.ha.yaml"])
    topology.start()                 # until everything that has a healthcheck is healthy
    topology.kill("postgres-2"); topology.restart("postgres-2")
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time

from harness import cases, paths, processes, tools

DOCKER = os.path.join(paths.SOURCE, "docker")
# The ports that the services listen on in their containers.
_PORTS = {"lattice": (2379, 2380, 9090), "postgres": (5432,), "redis": (6379,), "sentinel": (26379,), "balancer": (2379,)}

# What the official image's own entrypoint comes to.
_POSTGRES_IMAGE = """set -e
initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --auth=trust --encoding=UTF8 >/dev/null
echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres >/dev/null
exec postgres -D "$PGDATA" -c listen_addresses=127.0.0.1 "$@"
"""


def load(files, environment=None):
    """The merged project, as docker compose would see it."""
    program = tools.build_own("tests/deploy/tools", "objects")
    done = subprocess.run([program, "compose"] + [os.path.join(DOCKER, name) for name in files], capture_output=True,
                          text=True, check=False, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def kind_of(name):
    """What a service is: "postgres-2" is a postgres."""
    return re.sub(r"-\d+$", "", name)


class Service:
    """One of them, with a folder of its own."""

    def __init__(self, topology, name, definition):
        self.name = name
        self.kind = kind_of(name)
        self.definition = definition
        self.folder = processes.scratch_folder(name)
        self.process = None
        self._topology = topology
        if self.kind == "postgres" and os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")

    def port(self, inside):
        return self._topology.port(self.name, inside)

    @property
    def target(self):
        return f"127.0.0.1:{self.port(2379)}"

    def environment(self):
        """The service's, and what a container's own network, folders and image would stand for."""
        environment = {**os.environ}
        for key, value in (self.definition.get("environment") or {}).items():
            environment[key] = self._topology.localise(value or "")
        own = {
            "lattice": lambda: {"LATTICE_CLUSTER_BIND": f"127.0.0.1:{self.port(2380)}"},
            "postgres": lambda: {"PGDATA": os.path.join(self.folder, "data"), "PGPORT": str(self.port(5432)),
                                 "PATH": paths.postgres_programs() + ":" + os.environ["PATH"]},
            "failover": lambda: {"PATH": paths.postgres_programs() + ":" + os.environ["PATH"]},
            "sentinel": lambda: {"SENTINEL_FILE": os.path.join(self.folder, "sentinel.conf"),
                                 "SENTINEL_PORT": str(self.port(26379))},
            "balancer": lambda: {"BALANCER_BIND": f"127.0.0.1:{self.port(2379)}"},
        }
        environment.update(own.get(self.kind, dict)())
        return environment

    def command(self):
        """The service's, with files where they lie in the tree."""
        if self.kind == "lattice":
            return [self._topology.lattice, "start", "--grpc-bind", self.target, "--metrics-bind",
                    f"127.0.0.1:{self.port(9090)}", "--data-dir", os.path.join(self.folder, "data")]
        command = (self.definition.get("entrypoint") or []) + (self.definition.get("command") or [])
        if self.kind == "postgres" and not command:
            command = ["sh", "-c", _POSTGRES_IMAGE, "sh"]
        # Copies: the account that runs it may not see the source tree.
        mounts = {volume["target"]: shutil.copy(volume["source"], self.folder)
                  for volume in self.definition.get("volumes", []) if volume["type"] == "bind"}
        command = [mounts.get(word, word) for word in self._topology.localise("\0".join(command)).split("\0")]
        if self.kind == "redis":
            command += ["--bind", "127.0.0.1", "--port", str(self.port(6379)), "--dir", self.folder]
        if self.kind == "postgres":
            command += ["-c", f"unix_socket_directories={self.folder}"]
        return [command[0] if "/" in command[0] else paths.find_program(command[0])] + command[1:]

    def start(self):
        user = "postgres" if self.kind == "postgres" else None
        death_signal = "SIGQUIT" if self.kind == "postgres" else "SIGKILL"
        self.process = processes.Process(self.kind, self.command(), os.path.join(self.folder, "log"), self.environment(),
                                         user=user, death_signal=death_signal)

    def healthy(self):
        """What the service's healthcheck would say, asked from outside the container that it does not have."""
        if self.kind == "balancer":
            # Through it: it has somebody to send clients to.
            return cases.http_status(self.port(2379), "/readyz", timeout_s=2) == 200
        check = self.definition["healthcheck"]["test"]
        check = check[1:]
        if self.kind == "lattice":
            check = [self._topology.lattice, "healthcheck", "--endpoint", f"127.0.0.1:{self.port(9090)}"]
        elif self.kind == "postgres":
            check = [os.path.join(paths.postgres_programs(), check[0])] + check[1:] + [f"--port={self.port(5432)}"]
        elif self.kind in ("redis", "sentinel"):
            inside = 6379 if self.kind == "redis" else 26379
            check = [check[0], "-p", str(self.port(inside)), check[-1]]
        return subprocess.run(check, capture_output=True, check=False, timeout=20).returncode == 0


class Topology:
    """The services of a project that run on their own; those with a profile wait to be asked for."""

    def __init__(self, lattice, files):
        self.lattice = lattice
        self.project = load(files)
        self._ports = {}
        self.services = {name: Service(self, name, definition)
                         for name, definition in self.project["services"].items() if kind_of(name) in _PORTS
                         and "profiles" not in definition}

    def port(self, name, inside):
        if (name, inside) not in self._ports:
            self._ports[name, inside] = processes.free_port()
        return self._ports[name, inside]

    def localise(self, text):
        """Every "service:port" of the project as it is here; also "service port", as Redis' commands have it."""
        def here(match):
            name, between, inside = match[1], match[2], int(match[3])
            if inside not in _PORTS[kind_of(name)]:
                return match[0]
            return f"127.0.0.1{between}{self.port(name, inside)}"
        names = "|".join(sorted(map(re.escape, self.services), key=len, reverse=True))
        return re.sub(rf"(?<![\w-])({names})([: \0])(\d+)\b", here, text)

    def start(self, timeout_s=60):
        """Starts each once those that it depends on are healthy; returns how long it took until all were."""
        began = time.monotonic()
        waiting = dict(self.services)
        healthy = set()
        while len(healthy) < len(self.services):
            for name, service in list(waiting.items()):
                needs = [need for need in service.definition.get("depends_on") or {} if need in self.services]
                if all(need in healthy for need in needs):
                    service.start()
                    del waiting[name]
            for name, service in self.services.items():
                if name in waiting or name in healthy:
                    continue
                if service.healthy():
                    healthy.add(name)
                elif not service.process.alive():
                    raise processes.ProcessFailed(f"{name} ended:\n{service.process.log_tail()}")
            if time.monotonic() - began > timeout_s:
                late = sorted(set(self.services) - healthy)
                raise processes.ProcessFailed(f"not healthy after {timeout_s} s: {late}\n{self.logs()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def logs(self):
        """The ends of all logs, for who wants to know why."""
        return "\n".join(f"== {name}\n{service.process.log_tail(8)}" for name, service in self.services.items()
                         if service.process is not None)

    def kill(self, name):
        self.services[name].process.kill()

    def restart(self, name):
        """As restart: unless-stopped does."""
        self.services[name].start()

    def run(self, name, *arguments):
        """docker compose run NAME: (exit status, output)."""
        service = Service(self, name, self.project["services"][name])
        done = subprocess.run(service.command() + list(arguments), env=service.environment(), capture_output=True,
                              text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        for service in self.services.values():
            if service.process is not None and service.process.alive():
                service.process.stop(signal.SIGQUIT if service.kind == "postgres" else signal.SIGTERM, timeout_s=5)
