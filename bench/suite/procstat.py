"""What the kernel says of processes: CPU time and memory."""

import os

_TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat after the name, or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_seconds(pid, with_reaped_children=False):
    """User and system time of all threads of a process."""
    fields = _stat(pid)
    if fields is None:
        return 0.0
    # utime, stime, cutime and cstime are fields 14 to 17 of the whole line.
    ticks = [int(field) for field in fields[11:15]]
    return (sum(ticks) if with_reaped_children else ticks[0] + ticks[1]) / _TICKS


def tree(root):
    """The process and all its living descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(entry)
            if fields is not None:
                parents[int(entry)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def tree_cpu_seconds(root):
    """CPU time of a process, its descendants, and those of them that have ended."""
    return sum(cpu_seconds(pid, with_reaped_children=True) for pid in tree(root))


def machine_cpu_seconds():
    """(busy, stolen) of all cores since boot. Stolen: another machine had the core."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS, steal / _TICKS


def memory_bytes(pids):
    """{"pss", "pss_anon", "rss"} over the processes. Shared pages count once in pss; pss_anon leaves out mapped files,
    whose pages the kernel can take back."""
    total = {"pss": 0, "pss_anon": 0, "rss": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
                for line in file:
                    name, _, rest = line.partition(":")
                    if name.lower() in total:
                        total[name.lower()] += int(rest.split()[0]) * 1024
        except OSError:
            continue
    return total


def reset_peak(pid):
    """Makes peak_bytes count from now on."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


def peak_bytes(pid):
    """The largest resident size since reset_peak."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
