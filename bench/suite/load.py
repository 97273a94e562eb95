"""Runs the load generator, h2load and the commit probe, and takes the servers' CPU time around them."""

import json
import os
import re
import struct
import subprocess
import tempfile
import time

from . import procstat

# More foreign CPU time than this, in cores, and the figures are marked as noisy.
NOISY_CORES = 0.25


class Cpu:
    """CPU time of a system's processes, and of everything else, between two moments."""

    def __init__(self, system):
        self._system = system
        self._start = self._now()

    def _now(self):
        database = self._system.database_pid
        busy, stolen = procstat.machine_cpu_seconds()
        return {"time": time.monotonic(), "busy": busy, "stolen": stolen,
                "server": sum(procstat.cpu_seconds(pid) for pid in self._system.pids),
                "database": procstat.tree_cpu_seconds(database) if database else 0.0}

    def since_start(self):
        now = self._now()
        return {name: now[name] - self._start[name] for name in now}


def _invalid(reason):
    return {"valid": False, "errors": {reason: 1}}


class Tools:
    """The programs that make load, found in a build folder."""

    def __init__(self, build_dir):
        self.loader = os.path.join(build_dir, "bench", "loader", "lattice_loader")
        self.probe = os.path.join(build_dir, "bench", "probe", "lattice_commit_probe")
        for program in (self.loader, self.probe):
            if not os.path.exists(program):
                raise SystemExit(f"{program} is missing: build the release preset first (make build)")

    def command(self, system, mode, **options):
        """The loader's command line against a system."""
        command = [self.loader, mode]
        tls = {"tls_ca": system.ca} if system.ca else {}
        for name, value in {"port": system.ports, **tls, **options}.items():
            for each in value if isinstance(value, list) else [value]:
                command += ["--" + name.replace("_", "-"), str(each)]
        return command

    def load(self, system, mode, timeout_s=900, **options):
        """One run of the loader against a system; its JSON with the CPU time added."""
        command = self.command(system, mode, **options)
        result, cpu, used = _invalid("the loader printed nothing"), None, None
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            deadline = time.monotonic() + timeout_s
            for line in child.stdout:
                if line == "begin\n":
                    cpu = Cpu(system)
                elif line == "end\n":
                    used = cpu.since_start()
                elif line.startswith("{"):
                    result = json.loads(line)
                if time.monotonic() > deadline:
                    child.kill()
            complaint = child.stderr.read().strip()
        if child.returncode not in (0, 1) or complaint:
            result = _invalid(complaint or f"the loader ended with status {child.returncode}")
        elif used and result.get("operations"):
            _add_cpu(result, used)
        result["command"] = " ".join([os.path.basename(self.loader)] + command[1:])
        return result

    def probe_commit(self, kind, target, commits):
        done = subprocess.run([self.probe, kind, target, str(commits)], capture_output=True, text=True, check=False,
                              timeout=300)
        return json.loads(done.stdout) if done.returncode == 0 else _invalid(done.stderr.strip())

    def h2load(self, system, path, message, seconds):
        """Requests per second of one repeated request: a ceiling, for h2load cannot see a grpc-status."""
        with tempfile.NamedTemporaryFile() as body:
            body.write(b"\0" + struct.pack(">I", len(message)) + message)
            body.flush()
            cpu = Cpu(system)
            done = subprocess.run(
                ["h2load", "-c16", "-m16", "-D", str(max(1, round(seconds))), "--warm-up-time", "1", "-d", body.name, "-H",
                 "content-type: application/grpc", "-H", "te: trailers",
                 f"http://127.0.0.1:{system.port}{path}"],
                capture_output=True, text=True, check=False, timeout=seconds + 120)
            used = cpu.since_start()
        rate = re.search(r"finished in [^,]*, ([0-9.]+) req/s", done.stdout)
        counts = re.search(r"requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout)
        if done.returncode != 0 or not rate or not counts or counts[2] != "0" or counts[3] != "0":
            return _invalid("h2load: " + (done.stderr.strip() or done.stdout[-300:]))
        result = {"valid": True, "per_second": float(rate[1]), "operations": int(counts[1]), "errors": {}}
        result["server_cores"] = used["server"] / used["time"]
        return result


def _add_cpu(result, used):
    operations, seconds = result["operations"], used["time"]
    result["server_cpu_us"] = used["server"] / operations * 1e6
    result["database_cpu_us"] = used["database"] / operations * 1e6
    result["server_cores"] = used["server"] / seconds
    loader = result["loader_cpu_fraction"] * result["seconds"]
    foreign = used["busy"] - used["server"] - used["database"] - loader
    result["foreign_cores"] = max(0.0, foreign / seconds)
    result["stolen_cores"] = used["stolen"] / seconds
    result["noisy"] = result["foreign_cores"] + result["stolen_cores"] > NOISY_CORES
