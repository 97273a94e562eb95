"""Which Debian packages a binary needs: those of the libraries that it names, and those that come with them."""

import os
import re
import subprocess


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needed(binary):
    """The libraries that the binary itself names."""
    return set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", _output("readelf", "-dW", binary)))


def loaded(binary):
    """All libraries that a start of it loads: name -> path."""
    return dict(re.findall(r"^\s*(\S+) => (/\S+)", _output("ldd", binary), re.MULTILINE))


def package_of(path):
    """The package that brought a file; dpkg knows one of its names only, where /lib is a link to /usr/lib."""
    real = os.path.realpath(path)
    for name in (path, real, path.removeprefix("/usr"), real.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    raise LookupError(f"no package has {path}")


def linked(binary):
    """(packages that the binary names, packages that come with those)."""
    paths = loaded(binary)
    named = {package_of(paths[name]) for name in needed(binary) if name in paths}
    return named, {package_of(path) for path in paths.values()} - named
