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


def packages_of(paths):
    """The packages that brought files: path -> package. dpkg knows one of a file's names only, where /lib is a link."""
    names = {}
    for path in paths:
        for name in (path, os.path.realpath(path)):
            for form in (name, name.removeprefix("/usr"), "/usr" + name):
                names[form] = path
    # It fails for the names that it does not know, and answers for the others.
    answers = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True, check=False).stdout
    found = {}
    for package, name in re.findall(r"^([^:\s]+)(?::\w+)?: (/.*)$", answers, re.MULTILINE):
        found[names[name]] = package
    missing = set(paths) - set(found)
    if missing:
        raise LookupError(f"no package has {', '.join(sorted(missing))}")
    return found


def linked(binary):
    """(packages that the binary names, packages that come with those)."""
    libraries = loaded(binary)
    package = packages_of(libraries.values())
    named = {package[libraries[name]] for name in needed(binary) if name in libraries}
    return named, set(package.values()) - named
