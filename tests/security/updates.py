"""Which packages have a security update waiting on this machine."""

import re
import subprocess


def waiting():
    """Packages that apt would replace from a security archive: name -> line; None without package lists."""
    known = subprocess.run(["apt-cache", "policy", "libc6"], capture_output=True, text=True, check=False).stdout
    if "://" not in known:
        return None
    listed = subprocess.run(["apt", "list", "--upgradable"], capture_output=True, text=True, check=False).stdout
    return {match[1]: match[0] for match in re.finditer(r"^([^/\s]+)/\S*-security\S* .*$", listed, re.MULTILINE)}
