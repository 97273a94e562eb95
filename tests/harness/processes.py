"""Child processes that never outlive the test: ended by pid, and by the kernel should the test itself be killed."""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_running = []
_folders = []
_ports = set()


class ProcessFailed(Exception):
    """A server did not start, or ended when it should not have; carries the end of its log."""


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on now, and that this process was not given before. It lies below the
    ports that Linux gives to outgoing connections and to port 0, so that nobody takes it by chance while its server is
    down."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _ports:
            _ports.add(port)
            return port


def scratch_folder(prefix):
    """A new folder under the temporary folder, removed at exit unless LATTICE_KEEP is set."""
    folder = tempfile.mkdtemp(prefix=f"lattice-{prefix}-")
    _folders.append(folder)
    return folder


def remove_folder(folder):
    """Removes a scratch folder early; long runs start many servers."""
    if folder in _folders and not os.environ.get("LATTICE_KEEP"):
        _folders.remove(folder)
        shutil.rmtree(folder, ignore_errors=True)


class Process:
    """One child process with its output in a file."""

    def __init__(self, name, command, log_path, env=None, user=None, death_signal="SIGKILL"):
        self.name = name
        self.log_path = log_path
        prefix = [shutil.which("setpriv") or "/usr/bin/setpriv", "--pdeathsig", death_signal]
        if user is not None and os.geteuid() == 0:
            prefix += ["--reuid", user, "--regid", user, "--clear-groups"]
        with open(log_path, "ab") as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(prefix + command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT, env=env)
        self.pid = self._child.pid
        _running.append(self)

    def alive(self):
        return self._child.poll() is None

    def exit_status(self):
        return self._child.poll()

    def log(self):
        """What this process has written so far."""
        with open(self.log_path, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait_for_log(self, predicate, timeout_s):
        """Returns the first log line for which the predicate returns something true: (line, what it returned)."""
        deadline = time.monotonic() + timeout_s
        while True:
            ended = not self.alive()
            for line in self.log().splitlines():
                found = predicate(line)
                if found:
                    return line, found
            if ended:
                raise ProcessFailed(f"{self.name} ended with status {self.exit_status()}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} is not ready after {timeout_s} s:\n{self.log_tail()}")
            time.sleep(0.01)

    def log_tail(self, lines=30):
        return "\n".join(self.log().splitlines()[-lines:])

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """SIGKILL, and waits until the process is gone."""
        self.send(signal.SIGKILL)
        self._child.wait()
        self._forget()

    def stop(self, number=signal.SIGTERM, timeout_s=20):
        """Asks the process to end, waits; kills it when it does not. Returns its exit status."""
        self.send(number)
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._forget()
        return self._child.returncode

    def _forget(self):
        if self in _running:
            _running.remove(self)


def _stat(pid):
    """(state, parent) of a process; nothing if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            state, parent = stat.read().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return state, int(parent)


def runs(pid):
    found = _stat(pid)
    return found is not None and found[0] != "Z"


def children_of(pid):
    """The pids of its child processes."""
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [number for number in numbers if (_stat(number) or ("", 0))[1] == pid]


def _stop_everything():
    for process in reversed(list(_running)):
        process.stop(signal.SIGQUIT if process.name == "postgres" else signal.SIGTERM, timeout_s=5)
    for folder in list(_folders):
        remove_folder(folder)


def _ended_from_outside(number, _frame):
    _stop_everything()
    os._exit(128 + number)


atexit.register(_stop_everything)
signal.signal(signal.SIGTERM, _ended_from_outside)
