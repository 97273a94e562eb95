"""Processes in namespaces of their own, and programs beside them in those."""

import itertools
import os
import signal
import subprocess
import sys
import time

from harness import processes

_BECOME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "become.py")
# In the environment of everything that is started in there, so that what is left behind is found.
_MARK = "IN_NAMESPACES_OF"
_numbers = itertools.count()


class Isolated(processes.Process):
    """A process in new namespaces of these kinds ("net", "mount") and of process ids, with another root and user. The shell text
    `prepare` runs before that, as root; its $0 is the root. Whoever ends it ends all that runs in there, or hears what is left."""

    def __init__(self, name, kinds, command, log_path, env=None, root="/", user="0:0", prepare="true"):
        self.mark = (_MARK, f"{os.getpid()}.{next(_numbers)}")
        super().__init__(name, [
            "unshare", *(f"--{kind}" for kind in kinds), "--pid", "--fork", "--kill-child",
            "sh", "-c", f'ip link set lo up && {prepare} && exec "$@"', root,
            sys.executable, _BECOME, root, *user.split(":"), *command], log_path,
            env=dict([*(os.environ if env is None else env).items(), self.mark]))

    def inner_pid(self):
        """The process inside, as this machine numbers it; None before it is there."""
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
                children = file.read().split()
        except FileNotFoundError:
            return None
        return int(children[0]) if children else None

    def enter(self, kinds, command, env=None, timeout_s=60):
        """Runs a command in its namespaces of these kinds: (status, output)."""
        inside = self.inner_pid()
        if inside is None:
            return 1, f"nobody is there: {self.log_tail()}"
        done = subprocess.run(["nsenter", "--target", str(inside), *(f"--{kind}" for kind in kinds), *command],
                              capture_output=True, text=True, check=False, timeout=timeout_s, env=env)
        return done.returncode, done.stdout + done.stderr

    def send(self, number):
        """To the process inside; unshare ends as that does."""
        inside = self.inner_pid()
        if inside is None:
            super().send(number)
        else:
            os.kill(inside, number)

    def kill(self):
        super().kill()
        self._expect_nothing_left()

    def stop(self, number=signal.SIGTERM, timeout_s=20):
        status = super().stop(number, timeout_s)
        self._expect_nothing_left()
        return status

    def left(self):
        """(process id, command) of what still runs in there."""
        found = []
        mark = "=".join(self.mark).encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environment, open(f"/proc/{pid}/cmdline", "rb") as command:
                    if mark in environment.read().split(b"\0"):
                        found.append((int(pid), command.read().replace(b"\0", b" ").decode(errors="replace")))
            except OSError:
                continue  # it has ended, or is about to
        return found

    def _expect_nothing_left(self, timeout_s=5):
        deadline = time.monotonic() + timeout_s
        while self.left():
            if time.monotonic() > deadline:
                raise processes.ProcessFailed(f"{self.name} left behind: {self.left()}")
            time.sleep(0.01)
