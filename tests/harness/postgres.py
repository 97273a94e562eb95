"""A private PostgreSQL: its own folder, port and socket, durable as a real one (fsync on)."""

import os
import pwd
import signal
import subprocess
import time

from . import paths, processes

_ACCOUNT = "postgres"


class Postgres:
    """One server; `new_database` gives each Lattice a database of its own. With `backup_of` it begins as a base backup of
    that running server."""

    def __init__(self, settings=None, backup_of=None):
        self._programs = paths.postgres_programs()
        self.folder = processes.scratch_folder("pg")
        self.port = processes.free_port()
        self._data = os.path.join(self.folder, "data")
        self._databases = 0
        self._process = None
        self._settings = dict(settings or {})
        if os.geteuid() == 0:
            account = pwd.getpwnam(_ACCOUNT)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        if backup_of is not None:
            self._run("pg_basebackup", "--host", "127.0.0.1", "--port", str(backup_of.port), "--username", "lattice",
                      "--pgdata", self._data, "--checkpoint", "fast", "--no-sync")
            return
        self._run("initdb", "--pgdata", self._data, "--username", "lattice", "--auth", "trust", "--encoding", "UTF8",
                  "--locale", "C", "--no-sync")

    def _run(self, program, *arguments):
        command = [os.path.join(self._programs, program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid", _ACCOUNT, "--regid", _ACCOUNT, "--clear-groups"] + command
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise processes.ProcessFailed(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout

    def recover_until(self, moment, restore_command):
        """The next start replays the archive up to that time, then opens for writing. Before the first start."""
        signal_file = os.path.join(self._data, "recovery.signal")
        with open(signal_file, "w", encoding="utf-8"):
            pass
        self._settings.update(restore_command=restore_command, recovery_target_time=moment,
                              recovery_target_action="promote")

    def start(self, timeout_s=60):
        """Starts the server and waits until it accepts connections, crash recovery included."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
                    "logging_collector": "off", "log_min_messages": "warning", "log_line_prefix": "%m [%p] ",
                    **self._settings}
        command = [os.path.join(self._programs, "postgres"), "-D", self._data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._process = processes.Process("postgres", command, os.path.join(self.folder, "postgres.log"),
                                          user=_ACCOUNT, death_signal="SIGQUIT")
        deadline = time.monotonic() + timeout_s
        while not self._accepts():
            if not self._process.alive() or time.monotonic() > deadline:
                raise processes.ProcessFailed(f"postgres is not ready:\n{self._process.log_tail()}")
            time.sleep(0.03)
        return self

    def _accepts(self):
        done = subprocess.run([os.path.join(self._programs, "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                               str(self.port), "-U", "lattice", "-d", "postgres"], check=False)
        return done.returncode == 0

    @property
    def pid(self):
        """The postmaster's."""
        return self._process.pid

    def url(self, database, port=None):
        return f"postgresql://lattice@127.0.0.1:{port or self.port}/{database}"

    def new_database(self):
        self._databases += 1
        name = f"lattice_{self._databases}"
        self.query(f"CREATE DATABASE {name}")
        return name

    def query(self, sql, database="postgres", timeout_s=30):
        """Runs SQL through psql; returns the rows as lists of text."""
        done = subprocess.run([os.path.join(self._programs, "psql"), "-X", "-A", "-t", "-F", "\t", "-v",
                               "ON_ERROR_STOP=1", "-c", sql, self.url(database)],
                              capture_output=True, text=True, check=False, timeout=timeout_s)
        if done.returncode != 0:
            raise processes.ProcessFailed(f"psql: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines() if line]

    def fill_wal(self, segments):
        """Makes so many segments of write-ahead log and has them recycled, as a server that has run for a while.

        A fresh one writes each new segment twice, first full of zeros; a third of an append's time went there."""
        for _ in range(segments):
            self.query("SELECT pg_logical_emit_message(false, 'fill_wal', ''); SELECT pg_switch_wal()")
        self.query("CHECKPOINT", timeout_s=120)

    def kill(self):
        """kill -9 of the postmaster; its children notice and end by themselves. Until they have, no other one starts."""
        children = processes.children_of(self.pid)
        self._process.kill()
        deadline = time.monotonic() + 30
        while any(processes.runs(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self):
        if self._process is not None:
            self._process.stop(signal.SIGQUIT)

    def log_tail(self):
        return self._process.log_tail()

    def remove(self):
        self.stop()
        processes.remove_folder(self.folder)
