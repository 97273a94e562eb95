"""Programs beside a process that `unshare --fork` started in namespaces of its own."""

import subprocess


def inner_pid(process):
    """The process inside, as this machine numbers it; None before it is there."""
    try:
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except FileNotFoundError:
        return None
    return int(children[0]) if children else None


def enter(process, kinds, command, env=None, timeout_s=60):
    """Runs a command in its namespaces of these kinds ("net", "mount"): (status, output)."""
    inside = inner_pid(process)
    if inside is None:
        return 1, f"nobody is there: {process.log_tail()}"
    done = subprocess.run(["nsenter", "--target", str(inside), *(f"--{kind}" for kind in kinds), *command],
                          capture_output=True, text=True, check=False, timeout=timeout_s, env=env)
    return done.returncode, done.stdout + done.stderr
