"""Where a page's commands run: a folder of its own, and servers on private ports that stand for those that the page names.

What a page says is replaced before it runs: the usual ports by free ones, /etc/lattice, /var/lib/lattice, /var/log/lattice and
/backup by folders of the test, and the database server db.example by a private PostgreSQL with an empty database `lattice`.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import paths, processes, servers  # noqa: E402

_FOLDERS = ("/etc/lattice", "/var/lib/lattice", "/var/log/lattice", "/backup")
_SERVE = re.compile(r"(?:(?:build/release/)?lattice start|make run)\b")
_HERE = re.compile(r"<<-?\s*['\"]?(\w+)")
_PATIENCE_S = 60

# The clients' usual address is the test's, unless the command says where.
_ETCDCTL = """#!/bin/sh
for word in "$@"; do case "$word" in --endpoints*) exec {etcdctl} "$@" ;; esac; done
exec {etcdctl} --endpoints=127.0.0.1:{port} "$@"
"""
_LATTICE = """#!/bin/sh
case "$*" in token\\ *--endpoint*) ;; token\\ *--help*) ;; token\\ *) exec {lattice} "$@" --endpoint 127.0.0.1:{port} ;; esac
exec {lattice} "$@"
"""


class Failed(Exception):
    """A command did not do what the page says."""


class World:
    """One page's. Ownership: remove() ends and deletes all of it but the PostgreSQL, which pages share."""

    def __init__(self, lattice):
        self.lattice = lattice
        self.folder = processes.scratch_folder("docs")
        self._ports = {"2379": processes.free_port(), "9090": processes.free_port()}
        self._server = None
        self._database = None
        self.output = ""  # of the newest block
        self._make_programs()

    def _make_programs(self):
        folder = os.path.join(self.folder, "bin")
        os.mkdir(folder)
        for name, text in (("etcdctl", _ETCDCTL), ("lattice", _LATTICE)):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.format(etcdctl=paths.find_program("etcdctl"), lattice=self.lattice,
                                       port=self._ports["2379"]))
            os.chmod(path, 0o755)
        for name in _FOLDERS:
            os.makedirs(self.folder + name)

    # ---- What stands for what ----

    def _postgres(self):
        server = servers.shared_postgres()
        if self._database is None:
            self._database = server.new_database()
        return server

    def translate(self, text):
        """The page's text as this world means it."""
        for usual, own in self._ports.items():
            text = re.sub(rf"\b(127\.0\.0\.1:|localhost:|port=){usual}\b", rf"\g<1>{own}", text)
        for name in _FOLDERS:
            text = re.sub(rf"(?<![\w.$]){name}\b", self.folder + name, text)
        if "db.example" in text:
            port = self._postgres().port
            text = text.replace("@db.example/lattice", f"@127.0.0.1:{port}/{self._database}")
            text = text.replace("db.example", f"127.0.0.1:{port}")
        return text.replace("build/release/lattice", "lattice")

    def back(self, text):
        """What was printed, as the page would show it."""
        for usual, own in self._ports.items():
            text = text.replace(f":{own}", f":{usual}")
        return text.replace(self.folder + "/", "/")

    def environment(self):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LATTICE_", "ETCDCTL_", "PG"))}
        env["PATH"] = os.pathsep.join([os.path.join(self.folder, "bin"), paths.postgres_programs(), env["PATH"]])
        env["LATTICE_LISTENERS_GRPC_BIND"] = f"127.0.0.1:{self._ports['2379']}"
        env["LATTICE_TELEMETRY_METRICS_BIND"] = f"127.0.0.1:{self._ports['9090']}"
        if self._database is not None:
            env.update(PGHOST="127.0.0.1", PGPORT=str(self._postgres().port), PGUSER="lattice", PGDATABASE=self._database)
        return env

    # ---- Servers ----

    def serve(self, command="lattice start"):
        """`lattice start` of a page: runs until the page starts another, stops it, or ends."""
        self.stop()
        words = shlex.split(self.translate(command).replace("\\\n", " "), comments=True)
        arguments = [] if words[0] == "make" else words[2:]
        self._server = processes.Process("lattice", [self.lattice, "start"] + arguments,
                                         os.path.join(self.folder, "server.log"), env=self._in_folder())
        self._server.wait_for_log(servers.parse_listening, _PATIENCE_S)

    def _in_folder(self):
        # Relative paths are the page's folder's.
        env = self.environment()
        env["LATTICE_PATHS_DATA_DIR"] = os.path.join(self.folder, "lattice.data")
        return env

    def serve_any(self, words):
        """A server, where a block needs one and none is there."""
        if self._server is not None and self._server.alive():
            return
        self.serve("lattice start --db-connection postgresql://lattice@db.example/lattice" if "postgres" in words
                   else "lattice start")

    def stop(self):
        if self._server is not None and self._server.alive():
            self._server.stop()

    # ---- Commands ----

    def run(self, text):
        """Runs shell commands in order. Errors: Failed."""
        self.output = ""
        script = []
        for command in _commands(text):
            if _SERVE.match(command):
                self._run_script(script)
                script = []
                self.serve(command)
            else:
                script.append(command)
        self._run_script(script)

    def _run_script(self, commands):
        if not commands:
            return
        script = "set -euo pipefail\n" + self.translate("\n".join(commands)) + "\n"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.environment(), text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_PATIENCE_S)
        self.output += self.back(done.stdout)
        if done.returncode != 0:
            raise Failed(f"exit status {done.returncode}:\n{done.stdout}{self._log()}")

    def run_program(self, language, text):
        """A program of the page in another language than the shell's."""
        command = {"python": ["/usr/bin/python3", "-"], "sql": ["psql", "-X", "-v", "ON_ERROR_STOP=1"]}.get(language)
        if command is None:
            raise Failed(f"a block in {language} can be checked, not run")
        done = subprocess.run(command, input=self.translate(text), cwd=self.folder, env=self.environment(), text=True,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_PATIENCE_S)
        self.output = self.back(done.stdout)
        if done.returncode != 0:
            raise Failed(f"exit status {done.returncode}:\n{done.stdout}{self._log()}")

    def _log(self):
        return f"\n-- the server's log:\n{self._server.log_tail(8)}" if self._server is not None else ""

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.translate(text))
        return path

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_whole(command):
    """Whether the shell would wait for no further line."""
    word = _HERE.search(command)
    if word and not re.search(rf"^{re.escape(word[1])}$", command, re.M):
        return False
    return not command.endswith("\\\n") and subprocess.run(["bash", "-n", "-c", command], check=False,
                                                            capture_output=True).returncode == 0


def _commands(text):
    """The commands of a block, each with the lines that continue it."""
    command = ""
    for line in text.splitlines():
        command += line + "\n"
        if _is_whole(command):
            yield command.strip()
            command = ""
    if command.strip():
        yield command.strip()
