"""A Debian 12 of the tests' own: a minimal root that scripts/debian-base.sh has made, and programs that run in it."""

import os
import subprocess

import namespaces

from harness import paths, processes, tools

BASE = os.path.join(paths.SOURCE, "build", "debian-base.tar")
NEEDED = ("mmdebstrap", "buildah", "unshare", "nsenter")


def skip_where_impossible():
    """Namespaces and chroot need root; everything else is in Debian 12."""
    if os.geteuid() != 0:
        tools.skip("making a root for the image and the package needs root")
    for program in NEEDED:
        paths.find_program(program)


def run(*command, timeout_s=300, **options):
    """A command that must succeed; its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s, **options)
    if done.returncode != 0:
        raise processes.ProcessFailed(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def base():
    """The archive; made by the test deploy_base, or here where that has not run."""
    if not os.path.exists(BASE):
        run(os.path.join(paths.SOURCE, "scripts", "debian-base.sh"), BASE, "image", timeout_s=600)
    return BASE


def stripped(binary, path, strip="strip"):
    """The binary without what is for debuggers."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    run(strip, "-o", path, binary)
    return path


# What a container engine would prepare.
_PREPARE = ('mount --bind "$0/." "$0" && mkdir -p "$0/dev" "$0/proc" && mount --rbind /dev "$0/dev" && '
            'mount -t proc proc "$0/proc"')


class Inside:
    """A process in a network of its own, with its root in a folder. Others can be run beside it."""

    def __init__(self, name, root, command, log_path, env=None, user="0:0", prepare="true"):
        self.root = root
        self._user = user
        self.process = namespaces.Isolated(name, ("mount", "net"), command, log_path, env or {}, root, user,
                                           f"{_PREPARE} && {prepare}")

    def run(self, command):
        """In the same network, with the same root and as the same user: (status, output)."""
        return self.process.enter(("net", "mount"), ["chroot", f"--userspec={self._user}", self.root, *command])

    def from_outside(self, command):
        """A program of this machine in the same network: its output."""
        status, output = self.process.enter(("net",), command)
        if status != 0:
            raise processes.ProcessFailed(f"{' '.join(command)}: status {status}\n{output}")
        return output

    def signal(self, number):
        self.process.send(number)
