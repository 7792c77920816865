"""What /proc says about processes: family trees, CPU time, memory."""

import os

from bench.failure import Failure

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat from the third on (state is [0]), or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def start_time(pid):
    """When the process started, in ticks since boot. With the pid it names a process for good: pids are reused."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def tree(roots):
    """The roots that are alive and all their descendants, roots first."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields and fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry))
    found = []
    waiting = [pid for pid in roots if start_time(pid) is not None]
    while waiting:
        pid = waiting.pop(0)
        if pid not in found:
            found.append(pid)
            waiting.extend(children.get(pid, []))
    return found


def program(pid):
    """The name of the process's program, cut off after 15 letters."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return f"process {pid}"


def has_io_uring(pid):
    """True when the process has an io_uring open."""
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return False  # gone
    return any(_link(f"{folder}/{number}") == "anon_inode:[io_uring]" for number in numbers)


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""  # closed in between


def cpu_seconds(pids):
    """User and system time of the processes and of their children that have ended and been waited for."""
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            ticks += sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
    return ticks / TICKS_PER_SECOND


def memory_kib(pids):
    """(RSS, PSS) of the processes in KiB. PSS counts a page that N processes share as 1/N page for each."""
    rss = pss = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
                lines = dict(line.split(":", 1) for line in file if line.startswith(("Rss:", "Pss:")))
        except PermissionError as error:
            raise Failure(f"the memory of process {pid} may not be read; run the benchmark as root") from error
        except (FileNotFoundError, ProcessLookupError):
            continue
        rss += int(lines.get("Rss", "0").split()[0])
        pss += int(lines.get("Pss", "0").split()[0])
    return rss, pss
