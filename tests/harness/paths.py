"""Where things are: the source tree, the tools' cache, the programs of Debian's packages."""

import glob
import os
import shutil

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTO = os.path.join(SOURCE, "proto")
TOOLS_CACHE = os.environ.get("LATTICE_TOOLS_CACHE", os.path.join(SOURCE, "build", "tools"))

# What ctest's SKIP_RETURN_CODE names: a skipped test is shown as such, never as passed.
SKIP_STATUS = 77


def postgres_programs():
    """The bin folder of the newest installed PostgreSQL; Debian keeps initdb and postgres off the PATH."""
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    if not folders:
        raise FileNotFoundError("no PostgreSQL in /usr/lib/postgresql: install the package postgresql")
    return max(folders, key=lambda folder: int(folder.split("/")[-2]))


def find_program(name):
    """The program's path, or an error that says what is missing."""
    found = shutil.which(name)
    if not found:
        raise FileNotFoundError(f"program {name!r} is not installed (see scripts/packages.txt)")
    return found
