"""The etcd server and etcdctl that Lattice is compared with, built once by Go from tests/tools/go.mod; and programs of ours."""

import fcntl
import glob
import hashlib
import os
import re
import subprocess
import sys

from . import paths

_GO_MINIMUM = (1, 24)
_PACKAGES = {"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl/v3"}


def go_version():
    """(major, minor) of the installed Go, or None."""
    try:
        text = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    match = re.search(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def have_go():
    version = go_version()
    return version is not None and version >= _GO_MINIMUM


def skip_without_go(what):
    """Ends the test as skipped, and says so, where there is neither Go nor a finished build in the cache."""
    if not have_go() and not all(is_built(name) for name in _PACKAGES):
        skip(f"{what}: needs Go {_GO_MINIMUM[0]}.{_GO_MINIMUM[1]} or newer to build the current etcd")


def is_built(name):
    return os.path.exists(_built(name))


def skip(reason):
    """Ends the program with the status that ctest shows as Skipped."""
    print(f"SKIPPED: {reason}", file=sys.stderr, flush=True)
    sys.exit(paths.SKIP_STATUS)


def _built(name):
    return os.path.join(paths.TOOLS_CACHE, f"{name}-{_pinned(name)}")


def _pinned(name):
    """The version in tests/tools/go.mod."""
    with open(os.path.join(paths.SOURCE, "tests", "tools", "go.mod"), encoding="utf-8") as file:
        match = re.search(re.escape(_PACKAGES[name]) + r" (v\S+)", file.read())
    return match[1]


def build_go(name):
    """The path of the pinned etcd or etcdctl, built when the cache lacks it. Safe to call from several tests at once."""
    return _build(_built(name), _PACKAGES[name], os.path.join(paths.SOURCE, "tests", "tools"))


def build_own(module, name):
    """Likewise the program `name` of a Go module of ours, a folder of the source tree."""
    folder = os.path.join(paths.SOURCE, module)
    content = hashlib.sha256()
    for path in sorted(glob.glob(os.path.join(folder, name, "*.go")) + glob.glob(os.path.join(folder, "go.*"))):
        with open(path, "rb") as file:
            content.update(file.read())
    return _build(os.path.join(paths.TOOLS_CACHE, f"{name}-{content.hexdigest()[:12]}"), "./" + name, folder)


def _build(target, package, folder):
    os.makedirs(paths.TOOLS_CACHE, exist_ok=True)
    with open(os.path.join(paths.TOOLS_CACHE, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(target):
            print(f"building {os.path.basename(target)} ...", file=sys.stderr, flush=True)
            subprocess.run(["go", "build", "-trimpath", "-buildvcs=false", "-o", target + ".new", package],
                           cwd=folder, check=True)
            os.rename(target + ".new", target)
    return target
